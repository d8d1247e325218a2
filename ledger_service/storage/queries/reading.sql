-- Each is planned once, whatever its values, but for the lists of accounts (see storage/connections): an optional
-- bound is one that every value keeps. It is given or made by CASE, not by COALESCE, which PostgreSQL does not know to be
-- leakproof: under row-level security it would be looked at row by row, and not be a condition of the index.

-- name: account_numbers
-- $1 entity number, $2 account ids. Numbers of those that exist.
SELECT account_id, account_no FROM accounts WHERE entity_no = $1 AND account_id = ANY ($2::text[])

-- name: accounts_page
-- $1 entity number, $2 parent number, $3 type, $4 code prefix, $5 state (each NULL: any), $6 after this code, $7
-- and id, $8 limit. Accounts without a code come last.
SELECT account_no, COALESCE(code, E'\U0010FFFF') AS sort_code, account_id FROM accounts
WHERE entity_no = $1 AND ($2::int8 IS NULL OR parent_no = $2) AND ($3::int2 IS NULL OR type = $3)
  AND ($4::text IS NULL OR starts_with(code, $4)) AND ($5::int2 IS NULL OR state = $5)
  AND ($6::text IS NULL OR (COALESCE(code, E'\U0010FFFF'), account_id) > ($6, $7))
ORDER BY 2, 3 LIMIT $8

-- name: accounts_tree
-- The same in the order of the tree below $2 (NULL: the whole chart); $6 after this path, $7 limit. The path
-- of an account is the list of the codes and ids from the top down to it.
WITH RECURSIVE tree AS (
    SELECT a.account_no, a.type, a.code, a.state, 0 AS depth,
           ARRAY[COALESCE(a.code, E'\U0010FFFF'), a.account_id] COLLATE "C" AS path
    FROM accounts a WHERE a.entity_no = $1
      AND CASE WHEN $2::int8 IS NULL THEN a.parent_no IS NULL ELSE a.account_no = $2 END
    UNION ALL
    SELECT a.account_no, a.type, a.code, a.state, t.depth + 1, t.path || ARRAY[COALESCE(a.code, E'\U0010FFFF'), a.account_id]
    FROM tree t JOIN accounts a ON a.entity_no = $1 AND a.parent_no = t.account_no
)
SELECT account_no, depth, path FROM tree
WHERE ($3::int2 IS NULL OR type = $3) AND ($4::text IS NULL OR starts_with(code, $4))
  AND ($5::int2 IS NULL OR state = $5) AND ($6::text[] IS NULL OR path > $6::text[] COLLATE "C")
ORDER BY path LIMIT $7

-- name: balances
-- $1 entity number, $2 account numbers (roots), $3 whether with their subtrees, $4 currency (NULL: all),
-- $5 effective time, $6 known time, $7 known sequence (each NULL: not asked), $8 shift of the clock.
-- For each root and currency the four totals. A transaction that was open at the sequence counts no more
-- if its expire_time lies at or before the horizon, whether or not it had been tidied up by then.
WITH RECURSIVE present AS (
    SELECT v.sequence, v.recorded_time, clock_timestamp() + $8::interval AS now FROM events v
    WHERE v.entity_no = $1 ORDER BY v.sequence DESC LIMIT 1
), moment AS MATERIALIZED (
    SELECT
        CASE WHEN $7::int8 IS NOT NULL THEN LEAST($7, p.sequence)
             WHEN $6::timestamptz IS NOT NULL THEN COALESCE((
                 SELECT c.last_sequence FROM commits c WHERE c.entity_no = $1 AND c.recorded_time <= $6
                 ORDER BY c.recorded_time DESC, c.last_sequence DESC LIMIT 1), 0)
             ELSE p.sequence END AS sequence,
        CASE WHEN $7::int8 IS NOT NULL THEN (SELECT v.recorded_time FROM events v
                 WHERE v.entity_no = $1 AND v.sequence = LEAST($7, p.sequence))
             WHEN $6::timestamptz IS NOT NULL THEN LEAST($6, GREATEST(p.now, p.recorded_time))
             ELSE GREATEST(p.now, p.recorded_time) END AS horizon,
        p.sequence AS last
    FROM present p
), members AS (
    SELECT a.account_no AS root, a.account_no FROM accounts a WHERE a.entity_no = $1 AND a.account_no = ANY ($2::int8[])
    UNION ALL
    SELECT m.root, a.account_no FROM members m JOIN accounts a ON a.entity_no = $1 AND a.parent_no = m.account_no
    WHERE $3::bool
), pairs AS (
    SELECT m.root, m.account_no, k.currency FROM members m
    CROSS JOIN LATERAL (
        WITH RECURSIVE currencies AS (
            (SELECT e.currency FROM entries e WHERE e.entity_no = $1 AND e.account_no = m.account_no
               AND e.currency BETWEEN CASE WHEN $4::text IS NULL THEN '' ELSE $4 END
                   AND CASE WHEN $4::text IS NULL THEN E'\U0010FFFF' ELSE $4 END
             ORDER BY e.currency LIMIT 1)
            UNION ALL
            SELECT f.currency FROM currencies c CROSS JOIN LATERAL (
                SELECT e.currency FROM entries e WHERE e.entity_no = $1 AND e.account_no = m.account_no
                  AND e.currency > c.currency AND $4::text IS NULL ORDER BY e.currency LIMIT 1) f
        ) SELECT currency FROM currencies
    ) k
), based AS (
    SELECT p.root, p.account_no, p.currency, n.number,
           COALESCE(b.wide[2], b.debits_posted, 0) AS dp, COALESCE(b.wide[3], b.credits_posted, 0) AS cp,
           COALESCE(b.wide[4], b.debits_pending, 0) AS dq, COALESCE(b.wide[5], b.credits_pending, 0) AS cq
    FROM pairs p CROSS JOIN moment m
    CROSS JOIN LATERAL (
        SELECT last_entry($1, p.account_no, p.currency, m.sequence, $5::timestamptz) AS number OFFSET 0
    ) n
    LEFT JOIN LATERAL (
        SELECT e.* FROM entries e WHERE e.entity_no = $1 AND e.account_no = p.account_no
          AND e.currency = p.currency AND e.number = n.number LIMIT 1
    ) b ON true
), ended AS (
    -- EXPIRED events come in the order of expire_time: those after the sequence are the last of the range.
    SELECT e.transaction_no FROM moment m CROSS JOIN events e
    WHERE m.sequence < m.last AND e.entity_no = $1 AND e.kind = 6 AND e.expire_time <= m.horizon
      AND e.sequence > m.sequence AND e.transaction_no <= m.sequence
      AND e.expire_time >= COALESCE((
          SELECT f.expire_time FROM events f WHERE f.entity_no = $1 AND f.kind = 6 AND f.expire_time <= m.horizon
            AND f.sequence <= m.sequence ORDER BY f.expire_time DESC, f.sequence DESC LIMIT 1), '-infinity')
    UNION ALL
    SELECT o.transaction_no FROM moment m CROSS JOIN open_transactions o
    WHERE o.entity_no = $1 AND o.expire_time <= m.horizon AND o.transaction_no <= m.sequence
), changes AS (
    -- Recorded by then but effective before what was recorded earlier: left out by the bisection.
    SELECT b.root, b.currency, e.number,
           CASE WHEN e.side = 1 AND e.kind IN (1, 4) THEN a.amount ELSE 0 END AS dp,
           CASE WHEN e.side = 2 AND e.kind IN (1, 4) THEN a.amount ELSE 0 END AS cp,
           CASE WHEN e.side = 1 THEN CASE e.kind WHEN 1 THEN 0 WHEN 2 THEN a.amount ELSE -a.amount END ELSE 0 END AS dq,
           CASE WHEN e.side = 2 THEN CASE e.kind WHEN 1 THEN 0 WHEN 2 THEN a.amount ELSE -a.amount END ELSE 0 END AS cq
    FROM based b CROSS JOIN moment m
    JOIN entries e ON $5::timestamptz IS NOT NULL AND e.entity_no = $1 AND e.account_no = b.account_no
        AND e.currency = b.currency AND e.number > b.number AND e.effective_time <= $5
        AND e.effective_time < e.latest_effective AND e.sequence <= m.sequence
    CROSS JOIN LATERAL (SELECT COALESCE(e.wide[1], e.amount) AS amount) a
    UNION ALL
    -- Over by then, but not yet tidied up.
    SELECT p.root, p.currency, 0, 0, 0,
           CASE e.side WHEN 1 THEN -COALESCE(e.wide[1], e.amount) ELSE 0 END,
           CASE e.side WHEN 2 THEN -COALESCE(e.wide[1], e.amount) ELSE 0 END
    FROM ended d CROSS JOIN moment m
    CROSS JOIN LATERAL (
        SELECT v.postings_at FROM (
            SELECT v.revision, v.postings_at FROM events v WHERE v.entity_no = $1 AND v.sequence = d.transaction_no
            UNION ALL
            SELECT v.revision, v.postings_at FROM events v WHERE v.entity_no = $1
              AND v.transaction_no = d.transaction_no AND v.revision > 1 AND v.sequence <= m.sequence
        ) v ORDER BY v.revision DESC LIMIT 1
    ) v
    JOIN entries e ON e.entity_no = $1 AND e.sequence = v.postings_at AND e.kind = 2
        AND ($5::timestamptz IS NULL OR e.effective_time <= $5)
    JOIN pairs p ON p.account_no = e.account_no AND p.currency = e.currency
)
SELECT t.root, t.currency, m.sequence, m.last, m.horizon,
       sum(t.dp) AS debits_posted, sum(t.cp) AS credits_posted,
       sum(t.dq) AS debits_pending, sum(t.cq) AS credits_pending, max(t.number) AS number
FROM (
    SELECT root, currency, number, dp, cp, dq, cq FROM based
    UNION ALL
    SELECT root, currency, number, dp, cp, dq, cq FROM changes
) t RIGHT JOIN moment m ON true
GROUP BY t.root, t.currency, m.sequence, m.last, m.horizon
ORDER BY t.root, t.currency

-- name: currencies_of
-- $1 entity number, $2 account number. Currencies that it has entries in.
WITH RECURSIVE found AS (
    (SELECT e.currency FROM entries e WHERE e.entity_no = $1 AND e.account_no = $2 ORDER BY e.currency LIMIT 1)
    UNION ALL
    SELECT f.currency FROM found c CROSS JOIN LATERAL (
        SELECT e.currency FROM entries e WHERE e.entity_no = $1 AND e.account_no = $2 AND e.currency > c.currency
        ORDER BY e.currency LIMIT 1) f
)
SELECT currency FROM found

-- name: entries_down
-- $1 entity number, $2 account number, $3 currency, $4 below this number, $5 limit.
SELECT e.*, v.recorded_time, v.transaction_no FROM (
    SELECT * FROM entries WHERE entity_no = $1 AND account_no = $2 AND currency = $3
      AND number < $4 ORDER BY number DESC LIMIT $5
) e
CROSS JOIN LATERAL (
    SELECT w.recorded_time, w.transaction_no FROM events w
    WHERE w.entity_no = e.entity_no AND w.sequence = e.sequence LIMIT 1
) v
ORDER BY e.number DESC

-- name: entries_up
-- $1 entity number, $2 account number, $3 currency, $4 above this number, $5 limit.
SELECT e.*, v.recorded_time, v.transaction_no FROM (
    SELECT * FROM entries WHERE entity_no = $1 AND account_no = $2 AND currency = $3
      AND number > $4 ORDER BY number LIMIT $5
) e
CROSS JOIN LATERAL (
    SELECT w.recorded_time, w.transaction_no FROM events w
    WHERE w.entity_no = e.entity_no AND w.sequence = e.sequence LIMIT 1
) v
ORDER BY e.number

-- name: reversals
-- $1 entity numbers, $2 numbers of originals.
SELECT e.entity_no, e.reverses, e.transaction_no
FROM unnest($1::int4[], $2::int8[]) AS p (entity_no, transaction_no)
CROSS JOIN LATERAL (
    SELECT v.* FROM events v WHERE v.entity_no = p.entity_no AND v.reverses = p.transaction_no AND v.kind = 7 OFFSET 0
) e
ORDER BY e.entity_no, e.reverses, e.sequence

-- name: by_reference
-- $1 entity number, $2 reference, $3 after this transaction, $4 limit.
SELECT sequence FROM events
WHERE entity_no = $1 AND reference = $2 AND revision = 1 AND sequence > $3 ORDER BY sequence LIMIT $4

-- name: by_key
-- $1 entity number, $2 key.
SELECT sequence, span, kind, transaction_no, request_hash FROM events WHERE entity_no = $1 AND idempotency_key = $2

-- name: revisions
-- $1 entity number, $2 transaction number, $3 after this revision, $4 limit.
SELECT v.entity_no, v.transaction_no, v.revision, v.sequence, v.status, v.postings_at, v.effective_time,
       v.expire_time, c.recorded_time AS created_time, v.recorded_time, v.actor, c.idempotency_key, v.description,
       v.reference, v.counterparty, v.category_id, v.metadata, v.reverses
FROM events c
CROSS JOIN LATERAL (
    SELECT e.* FROM events e WHERE e.entity_no = $1 AND e.sequence = $2 AND $3::int4 < 1
    UNION ALL
    SELECT e.* FROM events e WHERE e.entity_no = $1 AND e.transaction_no = $2 AND e.revision > 1 AND e.revision > $3
) v
WHERE c.entity_no = $1 AND c.sequence = $2 AND c.transaction_no = c.sequence
ORDER BY v.revision LIMIT $4

-- name: events
-- $1 entity number; {selection} says which of its events. With what only a transaction's first revision says.
SELECT e.*, COALESCE(c.recorded_time, e.recorded_time) AS created_time,
       CASE WHEN e.revision > 1 THEN c.idempotency_key ELSE e.idempotency_key END AS created_key
FROM ({selection}) e
LEFT JOIN LATERAL (
    SELECT b.recorded_time, b.idempotency_key FROM events b
    WHERE e.revision > 1 AND b.entity_no = e.entity_no AND b.sequence = e.transaction_no LIMIT 1
) c ON true
ORDER BY e.sequence

-- name: events_after
-- Those after sequence $2, $3 at most.
SELECT * FROM events WHERE entity_no = $1 AND sequence > $2 ORDER BY sequence LIMIT $3

-- name: events_at
-- Those at the sequences $2.
SELECT * FROM events WHERE entity_no = $1 AND sequence = ANY ($2::int8[])

-- name: balances_after
-- $1 entity number, $2 first and $3 last sequences of writes. For each write, of each account and currency that
-- it touched the newest entry, in the order of first mention.
SELECT t.place, t.account_no, a.account_id, a.normal_side, t.currency, e.number, t.last AS sequence,
       e.debits_posted, e.credits_posted, e.debits_pending, e.credits_pending, e.latest_effective, e.wide
FROM (
    SELECT w.place, w.last, x.account_no, x.currency, max(x.number) AS number,
           min(ARRAY[x.sequence, CASE x.kind WHEN 3 THEN 0 ELSE 1 END, x.leg]) AS first
    FROM unnest($2::int8[], $3::int8[]) WITH ORDINALITY AS w (first, last, place)
    CROSS JOIN LATERAL (
        SELECT y.* FROM entries y WHERE y.entity_no = $1 AND y.sequence BETWEEN w.first AND w.last OFFSET 0
    ) x
    GROUP BY w.place, w.last, x.account_no, x.currency
) t
CROSS JOIN LATERAL (
    SELECT y.* FROM entries y WHERE y.entity_no = $1 AND y.account_no = t.account_no AND y.currency = t.currency
      AND y.number = t.number LIMIT 1
) e
CROSS JOIN LATERAL (
    SELECT b.account_id, b.normal_side FROM accounts b WHERE b.entity_no = $1 AND b.account_no = t.account_no LIMIT 1
) a
ORDER BY t.place, t.first
