-- LATERAL with OFFSET 0 or LIMIT is a fence: the planner takes the index for each place whatever it believes of
-- the tables' sizes. Without statistics, on a young database, it would read them whole.

-- name: accounts
-- $1 entity numbers, $2 account numbers. Accounts with everything but their limits.
SELECT b.entity_no, b.account_no, b.account_id, b.type, b.contra, b.code, b.name, b.parent_no,
       q.account_id AS parent_id, b.currencies, b.state, b.metadata, b.created_time, b.updated_time,
       b.sequence, b.revision, b.financial_type, b.sub_type_code, b.is_category, b.bank_account
FROM unnest($1::int4[], $2::int8[]) WITH ORDINALITY AS p (entity_no, account_no, place)
CROSS JOIN LATERAL (
    SELECT a.* FROM accounts a WHERE a.entity_no = p.entity_no AND a.account_no = p.account_no LIMIT 1
) b
LEFT JOIN LATERAL (
    SELECT a.account_id FROM accounts a WHERE a.entity_no = b.entity_no AND a.account_no = b.parent_no LIMIT 1
) q ON true
ORDER BY p.place

-- name: limits
-- $1 entity numbers, $2 account numbers.
SELECT l.entity_no, l.account_no, l.currency, l.floor, l.ceiling
FROM unnest($1::int4[], $2::int8[]) AS p (entity_no, account_no)
CROSS JOIN LATERAL (
    SELECT m.* FROM account_limits m WHERE m.entity_no = p.entity_no AND m.account_no = p.account_no OFFSET 0
) l
ORDER BY l.entity_no, l.account_no, l.currency

-- name: transactions
-- $1 entity numbers, $2 transaction numbers. Newest revisions.
SELECT t.*
FROM unnest($1::int4[], $2::int8[]) WITH ORDINALITY AS p (entity_no, transaction_no, place)
CROSS JOIN LATERAL (
    SELECT v.* FROM transactions v WHERE v.entity_no = p.entity_no AND v.transaction_no = p.transaction_no LIMIT 1
) t
ORDER BY p.place

-- name: postings
-- $1 entity numbers, $2 sequences of the events that define them.
SELECT x.entity_no, x.sequence, x.leg, x.account_no, a.account_id, x.side, x.currency, x.amount, x.wide[1] AS wide
FROM unnest($1::int4[], $2::int8[]) AS p (entity_no, sequence)
CROSS JOIN LATERAL (
    SELECT e.* FROM entries e
    WHERE e.entity_no = p.entity_no AND e.sequence = p.sequence AND e.kind IN (1, 2, 4) OFFSET 0
) x
CROSS JOIN LATERAL (
    SELECT b.account_id FROM accounts b WHERE b.entity_no = x.entity_no AND b.account_no = x.account_no LIMIT 1
) a
ORDER BY x.entity_no, x.sequence, x.leg
