-- name: look
-- All that most batches have to ask, in one go. $1 entity numbers; $2, $3 entity numbers and keys: a row with place 0 for
-- each entity, its last event, the next time at which something of it expires, the time, and whether any of the keys was
-- used before. $4 entity numbers, $5 account ids, $6 currencies, $7 versions: a row for each of these whose account
-- exists, by its place from 1 on, with the newest entry in the currency; `sequence` is that of the account's last change,
-- and unless it is the version that was given the account itself is there too. LATERAL with LIMIT keeps the planner on
-- the indexes, whatever it believes of the sizes.
SELECT 0::int8 AS place, w.entity_no, l.sequence AS last_sequence, l.recorded_time, o.next_expiry,
       clock_timestamp() AS now,
       EXISTS (
           SELECT FROM unnest($2::int4[], $3::text[]) AS k (entity_no, key)
           CROSS JOIN LATERAL (
               SELECT FROM events v WHERE v.entity_no = k.entity_no AND v.idempotency_key = k.key LIMIT 1
           ) e
       ) AS has_used_keys,
       NULL::int8 AS number, NULL::int8 AS debits_posted, NULL::int8 AS credits_posted, NULL::int8 AS debits_pending,
       NULL::int8 AS credits_pending, NULL::timestamptz AS latest_effective, NULL::numeric[] AS wide,
       NULL::int8 AS account_no, NULL::int8 AS sequence, NULL::text AS account_id, NULL::int2 AS type,
       NULL::bool AS contra, NULL::text AS code, NULL::text AS name, NULL::int8 AS parent_no, NULL::text AS parent_id,
       NULL::text[] AS currencies, NULL::int2 AS state, NULL::jsonb AS metadata, NULL::timestamptz AS created_time,
       NULL::timestamptz AS updated_time, NULL::int4 AS revision, NULL::text AS financial_type,
       NULL::text AS sub_type_code, NULL::bool AS is_category, NULL::jsonb AS bank_account,
       NULL::text[] AS limit_currencies, NULL::numeric[] AS floors, NULL::numeric[] AS ceilings
FROM unnest($1::int4[]) AS w (entity_no)
CROSS JOIN LATERAL (
    SELECT v.sequence, v.recorded_time FROM events v
    WHERE v.entity_no = w.entity_no ORDER BY v.sequence DESC LIMIT 1
) l
LEFT JOIN LATERAL (
    SELECT t.expire_time AS next_expiry FROM open_transactions t
    WHERE t.entity_no = w.entity_no AND t.expire_time IS NOT NULL ORDER BY t.expire_time LIMIT 1
) o ON true
UNION ALL
SELECT p.place, p.entity_no, NULL, NULL, NULL, NULL, NULL,
       h.number, h.debits_posted, h.credits_posted, h.debits_pending, h.credits_pending, h.latest_effective, h.wide,
       b.account_no, b.sequence, c.account_id, c.type, c.contra, c.code, c.name, c.parent_no, q.account_id,
       c.currencies, c.state, c.metadata, c.created_time, c.updated_time, c.revision, c.financial_type,
       c.sub_type_code, c.is_category, c.bank_account, m.currencies, m.floors, m.ceilings
FROM unnest($4::int4[], $5::text[], $6::text[], $7::int8[]) WITH ORDINALITY
    AS p (entity_no, account_id, currency, version, place)
CROSS JOIN LATERAL (
    SELECT a.* FROM accounts a WHERE a.entity_no = p.entity_no AND a.account_id = p.account_id LIMIT 1
) b
LEFT JOIN LATERAL (
    SELECT e.number, e.debits_posted, e.credits_posted, e.debits_pending, e.credits_pending,
           e.latest_effective, e.wide
    FROM entries e
    WHERE e.entity_no = p.entity_no AND e.account_no = b.account_no AND e.currency = p.currency
    ORDER BY e.number DESC LIMIT 1
) h ON true
LEFT JOIN LATERAL (SELECT b.*) c ON b.sequence IS DISTINCT FROM p.version
LEFT JOIN LATERAL (
    SELECT a.account_id FROM accounts a WHERE a.entity_no = p.entity_no AND a.account_no = c.parent_no LIMIT 1
) q ON true
LEFT JOIN LATERAL (
    SELECT array_agg(l.currency) AS currencies, array_agg(l.floor) AS floors, array_agg(l.ceiling) AS ceilings
    FROM (
        SELECT k.* FROM account_limits k WHERE k.entity_no = p.entity_no AND k.account_no = c.account_no
        ORDER BY k.currency OFFSET 0
    ) l
) m ON true

-- name: entities
-- $1 entity numbers. The entities with their last sequence and their newest seal.
SELECT e.entity_no, e.entity_id, e.id_key, e.name, e.time_zone, e.state, e.metadata, e.created_time,
       e.updated_time, e.revision, l.sequence, s.last_sequence AS sealed, s.peaks
FROM unnest($1::int4[]) AS w (entity_no)
JOIN entities e ON e.entity_no = w.entity_no
CROSS JOIN LATERAL (
    SELECT v.sequence FROM events v WHERE v.entity_no = e.entity_no ORDER BY v.sequence DESC LIMIT 1
) l
LEFT JOIN LATERAL (
    SELECT w.last_sequence, w.peaks FROM seals w
    WHERE w.entity_no = e.entity_no ORDER BY w.last_sequence DESC LIMIT 1
) s ON true

-- name: due
-- $1 entity numbers, $2 now, $3 limit. Open transactions whose time is over, in the order in which it was.
SELECT entity_no, transaction_no FROM open_transactions
WHERE entity_no = ANY ($1::int4[]) AND expire_time <= $2
ORDER BY expire_time, entity_no, transaction_no LIMIT $3

-- name: keys
-- $1 entity numbers, $2 keys. Those used before. LATERAL with LIMIT keeps the planner on the index.
SELECT k.entity_no, k.key, e.sequence, e.span, e.request_hash, e.refusal
FROM unnest($1::int4[], $2::text[]) AS k (entity_no, key)
CROSS JOIN LATERAL (
    SELECT v.sequence, v.span, v.request_hash, CASE WHEN v.kind = 8 THEN v.detail END AS refusal FROM events v
    WHERE v.entity_no = k.entity_no AND v.idempotency_key = k.key LIMIT 1
) e

-- name: heads
-- $1 entity numbers, $2 account numbers. The newest entries of these accounts in all their currencies: a
-- walk from currency to currency over the chain's index, whatever its length.
SELECT a.entity_no, a.account_no, h.currency, h.number, h.debits_posted, h.credits_posted,
       h.debits_pending, h.credits_pending, h.latest_effective, h.wide
FROM unnest($1::int4[], $2::int8[]) AS a (entity_no, account_no)
CROSS JOIN LATERAL (
    WITH RECURSIVE newest AS (
        (SELECT e.* FROM entries e WHERE e.entity_no = a.entity_no AND e.account_no = a.account_no
         ORDER BY e.currency DESC, e.number DESC LIMIT 1)
        UNION ALL
        SELECT f.* FROM newest n CROSS JOIN LATERAL (
            SELECT e.* FROM entries e WHERE e.entity_no = a.entity_no AND e.account_no = a.account_no
              AND e.currency < n.currency
            ORDER BY e.currency DESC, e.number DESC LIMIT 1) f
    )
    SELECT * FROM newest
) h

-- name: account_numbers
-- $1 entity numbers, $2 account ids, $3 whether ancestors are wanted too.
WITH RECURSIVE wanted AS (
    SELECT b.entity_no, b.account_no, b.parent_no, b.sequence, p.with_ancestors
    FROM unnest($1::int4[], $2::text[], $3::bool[]) AS p (entity_no, account_id, with_ancestors)
    JOIN accounts b ON b.entity_no = p.entity_no AND b.account_id = p.account_id
    UNION
    SELECT b.entity_no, b.account_no, b.parent_no, b.sequence, true
    FROM wanted w JOIN accounts b ON b.entity_no = w.entity_no AND b.account_no = w.parent_no
    WHERE w.with_ancestors
)
SELECT DISTINCT entity_no, account_no, sequence AS version FROM wanted

-- name: account_versions
-- $1 entity numbers, $2 account numbers.
SELECT b.entity_no, b.account_no, b.sequence AS version
FROM unnest($1::int4[], $2::int8[]) AS p (entity_no, account_no)
CROSS JOIN LATERAL (
    SELECT a.* FROM accounts a WHERE a.entity_no = p.entity_no AND a.account_no = p.account_no LIMIT 1
) b

-- name: codes
-- $1 entity numbers, $2 codes.
SELECT b.entity_no, b.code, b.account_id
FROM unnest($1::int4[], $2::text[]) AS p (entity_no, code)
JOIN accounts b ON b.entity_no = p.entity_no AND b.code = p.code

-- name: categories
-- $1 entity numbers, $2 category ids. Those that exist.
SELECT b.entity_no, b.category_no, b.category_id, b.name, b.state, b.metadata, b.created_time, b.updated_time,
       b.sequence, b.revision
FROM unnest($1::int4[], $2::text[]) AS p (entity_no, category_id)
CROSS JOIN LATERAL (
    SELECT c.* FROM categories c WHERE c.entity_no = p.entity_no AND c.category_id = p.category_id LIMIT 1
) b

-- name: category_names
-- $1 entity numbers, $2 names. Whose they are, of the active ones.
SELECT b.entity_no, b.name, b.category_id
FROM unnest($1::int4[], $2::text[]) AS p (entity_no, name)
JOIN categories b ON b.entity_no = p.entity_no AND b.name = p.name AND b.state = 1

-- name: open_children
-- $1 entity numbers, $2 account numbers. How many children are not closed.
SELECT p.entity_no, p.account_no, count(b.account_no) AS children
FROM unnest($1::int4[], $2::int8[]) AS p (entity_no, account_no)
LEFT JOIN accounts b ON b.entity_no = p.entity_no AND b.parent_no = p.account_no AND b.state <> 3
GROUP BY p.entity_no, p.account_no

-- name: heights
-- $1 entity numbers, $2 account numbers. How many generations lie below each.
WITH RECURSIVE below AS (
    SELECT p.entity_no, p.account_no AS root, p.account_no, 0 AS depth
    FROM unnest($1::int4[], $2::int8[]) AS p (entity_no, account_no)
    UNION ALL
    SELECT w.entity_no, w.root, b.account_no, w.depth + 1
    FROM below w JOIN accounts b ON b.entity_no = w.entity_no AND b.parent_no = w.account_no
)
SELECT entity_no, root AS account_no, max(depth) AS height FROM below GROUP BY entity_no, root

-- name: creations
-- $1 entity numbers, $2 numbers of accounts or categories. Digest of the request that created each.
SELECT e.entity_no, e.sequence, e.request_hash
FROM unnest($1::int4[], $2::int8[]) AS p (entity_no, sequence)
CROSS JOIN LATERAL (
    SELECT v.* FROM events v WHERE v.entity_no = p.entity_no AND v.sequence = p.sequence LIMIT 1
) e

-- name: reversed
-- $1 entity numbers, $2 numbers of originals. How much of each leg is reversed, and by which reversals.
SELECT p.entity_no, p.transaction_no, x.leg, sum(COALESCE(x.wide[1], x.amount)) AS amount,
       array_agg(x.sequence) AS reversals
FROM unnest($1::int4[], $2::int8[]) AS p (entity_no, transaction_no)
CROSS JOIN LATERAL (
    SELECT y.sequence, y.leg, y.amount, y.wide FROM events e JOIN entries y ON y.entity_no = e.entity_no AND y.sequence = e.sequence
    WHERE e.entity_no = p.entity_no AND e.reverses = p.transaction_no OFFSET 0
) x
GROUP BY p.entity_no, p.transaction_no, x.leg

-- name: frozen
-- $1 entity numbers, $2 transaction numbers. Those that a closed reconciliation holds, with the account's id.
SELECT p.entity_no, p.transaction_no, f.account_id
FROM unnest($1::int4[], $2::int8[]) AS p (entity_no, transaction_no)
CROSS JOIN LATERAL (
    SELECT a.account_id FROM frozen_transactions t
    CROSS JOIN LATERAL (
        SELECT v.account_no FROM reconciliation_revisions v
        WHERE v.entity_no = t.entity_no AND v.stage_no = t.stage_no LIMIT 1
    ) r
    CROSS JOIN LATERAL (
        SELECT b.account_id FROM accounts b WHERE b.entity_no = t.entity_no AND b.account_no = r.account_no LIMIT 1
    ) a
    WHERE t.entity_no = p.entity_no AND t.transaction_no = p.transaction_no AND NOT EXISTS (
        SELECT FROM reconciliation_revisions o WHERE o.entity_no = t.entity_no AND o.reopens = t.stage_no)
    LIMIT 1
) f

-- name: revisions
-- $1 entity numbers, $2 account numbers, $3 currencies. How far each reconciliation is.
SELECT p.entity_no, p.account_no, p.currency, r.revision
FROM unnest($1::int4[], $2::int8[], $3::text[]) AS p (entity_no, account_no, currency)
CROSS JOIN LATERAL (
    SELECT v.revision FROM reconciliation_revisions v
    WHERE v.entity_no = p.entity_no AND v.account_no = p.account_no AND v.currency = p.currency
    ORDER BY v.revision DESC LIMIT 1
) r

-- name: insert_revision
INSERT INTO reconciliation_revisions
    (entity_no, account_no, currency, revision, stage_no, action, sequence, reopens)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: was_committed
-- $1 entity number, $2 first and $3 last sequence, $4 mark: of the seal that the batch would have written. The number of
-- the database transaction would not do: after a crash the server gives that of a lost one to another one. Nor would
-- what is in the batch: the same request may have come by another process.
SELECT EXISTS (
    SELECT FROM seals s WHERE s.entity_no = $1 AND s.last_sequence = $3 AND s.first_sequence = $2 AND s.mark = $4
)

-- name: insert_account
INSERT INTO accounts (entity_no, account_no, account_id, type, contra, code, name, parent_no, currencies, state, metadata,
    created_time, updated_time, sequence, revision, financial_type, sub_type_code, is_category, bank_account)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)

-- name: update_account
UPDATE accounts SET code = $3, name = $4, parent_no = $5, currencies = $6, state = $7, metadata = $8,
    updated_time = $9, sequence = $10, revision = $11, financial_type = $12, sub_type_code = $13, is_category = $14,
    bank_account = $15
WHERE entity_no = $1 AND account_no = $2

-- name: update_entity
UPDATE entities SET name = $2, time_zone = $3, state = $4, metadata = $5, updated_time = $6, revision = $7
WHERE entity_no = $1

-- name: insert_category
INSERT INTO categories (entity_no, category_no, category_id, name, state, metadata, created_time, updated_time,
    sequence, revision)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: update_category
UPDATE categories SET name = $3, state = $4, metadata = $5, updated_time = $6, sequence = $7, revision = $8
WHERE entity_no = $1 AND category_no = $2

-- name: delete_limits
DELETE FROM account_limits WHERE entity_no = $1 AND account_no = $2

-- name: insert_limit
INSERT INTO account_limits (entity_no, account_no, currency, floor, ceiling) VALUES ($1, $2, $3, $4, $5)
