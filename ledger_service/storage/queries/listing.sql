-- Pages of transactions by age. In each: $1 entity number, $2 after this transaction, $3 limit, $4 statuses
-- (NULL: any), $5 effective from, $6 effective before, $7 account number (each NULL: any). {order} is ASC or
-- DESC and {beyond} the comparison that goes with it. Each takes the shortest way to its kind of filter.

-- name: of_any
SELECT t.* FROM transactions t
WHERE t.entity_no = $1 AND ($2::int8 IS NULL OR t.transaction_no {beyond} $2)
  AND ($4::int2[] IS NULL OR t.status = ANY ($4))
  AND ($5::timestamptz IS NULL OR t.effective_time >= $5) AND ($6::timestamptz IS NULL OR t.effective_time < $6)
  AND $7::int8 IS NULL
ORDER BY t.transaction_no {order} LIMIT $3

-- name: of_effective
-- By effective time; $8 is the effective time of the transaction $2.
SELECT t.* FROM events o
CROSS JOIN LATERAL (
    SELECT v.* FROM transactions v WHERE v.entity_no = o.entity_no AND v.transaction_no = o.sequence LIMIT 1
) t
WHERE o.entity_no = $1 AND o.revision = 1
  AND ($2::int8 IS NULL OR (o.effective_time, o.sequence) {beyond} ($8::timestamptz, $2))
  AND ($5::timestamptz IS NULL OR o.effective_time >= $5) AND ($6::timestamptz IS NULL OR o.effective_time < $6)
  AND ($4::int2[] IS NULL OR t.status = ANY ($4)) AND $7::int8 IS NULL
ORDER BY o.effective_time {order}, o.sequence {order} LIMIT $3

-- name: of_open
SELECT t.* FROM open_transactions o
JOIN transactions t ON t.entity_no = o.entity_no AND t.transaction_no = o.transaction_no
WHERE o.entity_no = $1 AND ($2::int8 IS NULL OR o.transaction_no {beyond} $2)
  AND ($4::int2[] IS NULL OR t.status = ANY ($4))
  AND ($5::timestamptz IS NULL OR t.effective_time >= $5) AND ($6::timestamptz IS NULL OR t.effective_time < $6)
  AND $7::int8 IS NULL
ORDER BY o.transaction_no {order} LIMIT $3

-- name: of_ended
SELECT t.* FROM events o
JOIN transactions t ON t.entity_no = o.entity_no AND t.transaction_no = o.transaction_no
WHERE o.entity_no = $1 AND o.revision > 1 AND o.status > 2 AND o.status = ANY ($4::int2[])
  -- Not those that only got another category since.
  AND o.kind IN (5, 6)
  AND ($2::int8 IS NULL OR o.transaction_no {beyond} $2)
  AND ($5::timestamptz IS NULL OR t.effective_time >= $5) AND ($6::timestamptz IS NULL OR t.effective_time < $6)
  AND $7::int8 IS NULL
ORDER BY o.transaction_no {order} LIMIT $3

-- name: of_account
-- Those created on the account, by its chain of entries; and those moved to it by an edit. Of several entries
-- of one event the first counts. The chain is walked in its order, and each look-up on the way is fenced: joined
-- freely, the planner would rather hash all of the entity's events than stop after a page.
WITH RECURSIVE found AS (
    (SELECT e.currency FROM entries e WHERE e.entity_no = $1 AND e.account_no = $7::int8 ORDER BY e.currency LIMIT 1)
    UNION ALL
    SELECT f.currency FROM found c CROSS JOIN LATERAL (
        SELECT e.currency FROM entries e WHERE e.entity_no = $1 AND e.account_no = $7 AND e.currency > c.currency
        ORDER BY e.currency LIMIT 1) f
), created AS (
    SELECT x.transaction_no FROM found f
    CROSS JOIN LATERAL (
        SELECT last_entry($1, $7, f.currency, COALESCE($2::int8, 9223372036854775807) - {open_end}, NULL) AS number OFFSET 0
    ) n
    CROSS JOIN LATERAL (
        SELECT t.transaction_no FROM (
            SELECT e.number, e.sequence FROM entries e
            WHERE e.entity_no = $1 AND e.account_no = $7 AND e.currency = f.currency
              AND ($2::int8 IS NULL OR e.number {within} n.number)
            ORDER BY e.number {order} OFFSET 0
        ) e
        CROSS JOIN LATERAL (
            SELECT v.transaction_no FROM events v
            WHERE v.entity_no = $1 AND v.sequence = e.sequence AND v.transaction_no = v.sequence LIMIT 1
        ) t
        CROSS JOIN LATERAL ({matches}) m
        WHERE e.sequence IS DISTINCT FROM (
            SELECT y.sequence FROM entries y
            WHERE y.entity_no = $1 AND y.account_no = $7 AND y.currency = f.currency AND y.number = e.number - 1)
        ORDER BY e.number {order} LIMIT $3
    ) x
), moved AS (
    SELECT DISTINCT t.transaction_no FROM events t
    CROSS JOIN LATERAL ({matches}) m
    WHERE t.entity_no = $1 AND t.kind = 2 AND t.postings_at = t.sequence
      AND ($2::int8 IS NULL OR t.transaction_no {beyond} $2)
    ORDER BY t.transaction_no {order} LIMIT $3
), page AS (
    SELECT transaction_no FROM created UNION SELECT transaction_no FROM moved
    ORDER BY transaction_no {order} LIMIT $3
)
SELECT t.* FROM page p
CROSS JOIN LATERAL (
    SELECT v.* FROM transactions v WHERE v.entity_no = $1 AND v.transaction_no = p.transaction_no LIMIT 1
) t
ORDER BY t.transaction_no {order}

-- name: matches
-- Part of of_account: a row if transaction t is now on the account and passes the other filters.
SELECT FROM (
    SELECT v.* FROM transactions v WHERE v.entity_no = $1 AND v.transaction_no = t.transaction_no LIMIT 1
) m
CROSS JOIN LATERAL (
    SELECT FROM entries x WHERE x.entity_no = $1 AND x.sequence = m.postings_at AND x.kind IN (1, 2, 4)
      AND x.account_no = $7 LIMIT 1
) x
WHERE ($4::int2[] IS NULL OR m.status = ANY ($4))
  AND ($5::timestamptz IS NULL OR m.effective_time >= $5) AND ($6::timestamptz IS NULL OR m.effective_time < $6)
LIMIT 1
