-- name: accounts
-- $1 entity numbers, $2 account numbers. Accounts with everything but their limits.
SELECT b.entity_no, b.account_no, b.account_id, b.type, b.contra, b.code, b.name, b.parent_no,
       q.account_id AS parent_id, b.currencies, b.state, b.metadata, b.created_time, b.updated_time,
       b.sequence, b.revision
FROM unnest($1::int4[], $2::int8[]) WITH ORDINALITY AS p (entity_no, account_no, place)
JOIN accounts b ON b.entity_no = p.entity_no AND b.account_no = p.account_no
LEFT JOIN accounts q ON q.entity_no = b.entity_no AND q.account_no = b.parent_no
ORDER BY p.place

-- name: limits
-- $1 entity numbers, $2 account numbers.
SELECT l.entity_no, l.account_no, l.currency, l.floor, l.ceiling
FROM unnest($1::int4[], $2::int8[]) AS p (entity_no, account_no)
JOIN account_limits l ON l.entity_no = p.entity_no AND l.account_no = p.account_no
ORDER BY l.entity_no, l.account_no, l.currency

-- name: transactions
-- $1 entity numbers, $2 transaction numbers. Newest revisions.
SELECT t.*
FROM unnest($1::int4[], $2::int8[]) WITH ORDINALITY AS p (entity_no, transaction_no, place)
JOIN transactions t ON t.entity_no = p.entity_no AND t.transaction_no = p.transaction_no
ORDER BY p.place

-- name: postings
-- $1 entity numbers, $2 sequences of the events that define them.
SELECT x.entity_no, x.sequence, x.leg, x.account_no, a.account_id, x.side, x.currency, x.amount, x.wide[1] AS wide
FROM unnest($1::int4[], $2::int8[]) AS p (entity_no, sequence)
JOIN entries x ON x.entity_no = p.entity_no AND x.sequence = p.sequence AND x.kind IN (1, 2, 4)
JOIN accounts a ON a.entity_no = x.entity_no AND a.account_no = x.account_no
ORDER BY x.entity_no, x.sequence, x.leg
