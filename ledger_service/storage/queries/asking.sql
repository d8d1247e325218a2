-- Questions: plans run on the ledger. Every value of a plan is a parameter; nothing of a question becomes SQL.
-- $1 is the entity's number in each.

-- name: names
-- $2 how many of a kind. What questions may name: categories, accounts, counterparties.
(SELECT 'category' AS kind, c.category_id AS id, c.name, 0::int2 AS type, NULL AS code
 FROM categories c
 -- A name that was given anew means the category that has it now.
 WHERE c.entity_no = $1 AND (c.state = 1 OR NOT EXISTS (
     SELECT FROM categories k WHERE k.entity_no = $1 AND k.name = c.name AND k.category_no > c.category_no))
 ORDER BY c.category_no LIMIT $2::int4)
UNION ALL
(SELECT 'account', a.account_id, a.name, a.type, a.code
 FROM accounts a WHERE a.entity_no = $1 ORDER BY a.account_no LIMIT $2::int4)
UNION ALL
(SELECT 'counterparty', p.key, p.name, 0::int2, NULL FROM counterparty_names($1, $2::int4) p)

-- name: extent
-- The effective times between which the entity has transactions.
SELECT (SELECT e.effective_time FROM events e WHERE e.entity_no = $1 AND e.revision = 1
        ORDER BY e.effective_time LIMIT 1) AS first,
       (SELECT e.effective_time FROM events e WHERE e.entity_no = $1 AND e.revision = 1
        ORDER BY e.effective_time DESC LIMIT 1) AS last

-- name: held
-- $2 how many accounts to look at. The currencies that the entity has entries in, account by account.
WITH RECURSIVE pairs AS (
    SELECT a.account_no, (
        SELECT e.currency FROM entries e WHERE e.entity_no = $1 AND e.account_no = a.account_no
        ORDER BY e.currency LIMIT 1) AS currency
    FROM (SELECT account_no FROM accounts WHERE entity_no = $1 ORDER BY account_no LIMIT $2::int4) a
    UNION ALL
    SELECT p.account_no, (
        SELECT e.currency FROM entries e WHERE e.entity_no = $1 AND e.account_no = p.account_no AND e.currency > p.currency
        ORDER BY e.currency LIMIT 1)
    FROM pairs p WHERE p.currency IS NOT NULL
)
SELECT DISTINCT currency FROM pairs WHERE currency IS NOT NULL ORDER BY currency

-- name: matching
-- The beginning of the queries below: `found`, the transactions that are asked about, each with its amount in each
-- currency in the sense of the direction, as protos/ledger/v1/question.proto defines it.
-- $2 direction (1 spent, 2 received, 3 any), $3 statuses, $4 effective from, $5 effective before, $6 category ids,
-- $7 whether those without a category, $8 account ids, $9 counterparty keys, $10 texts, $11 currency, $12 least and most
-- amount by currency in minor units, as JSON {"USD": ["100", null], ...}; NULL: any.
-- Amounts are looked up transaction by transaction: the planner takes such a list for one row, and a join of two of
-- them would compare each row with each.
WITH RECURSIVE named AS (
    SELECT a.account_no, a.type = CASE $2::int2 WHEN 1 THEN 5 WHEN 2 THEN 4 ELSE 0 END AS own
    FROM accounts a WHERE a.entity_no = $1 AND a.account_id = ANY ($8::text[])
    UNION
    SELECT a.account_no, n.own FROM named n JOIN accounts a ON a.entity_no = $1 AND a.parent_no = n.account_no
), sets AS MATERIALIZED (
    -- Of the accounts named, those of the direction's own type, and the others.
    SELECT COALESCE(array_agg(account_no) FILTER (WHERE own), ARRAY[]::int8[]) AS own,
           COALESCE(array_agg(account_no) FILTER (WHERE NOT own), ARRAY[]::int8[]) AS others
    FROM named
), chosen AS (
    SELECT t.transaction_no, t.postings_at, t.status, t.effective_time, t.description,
           -- A reversal stands beside what it reverses: it has neither of these by itself.
           COALESCE(t.counterparty, o.counterparty) AS counterparty,
           COALESCE(t.category_id, o.category_id) AS category_id,
           o.description AS reversed_description
    FROM transactions t
    LEFT JOIN LATERAL (
        SELECT v.counterparty, v.category_id, v.description FROM transactions v
        WHERE v.entity_no = $1 AND v.transaction_no = t.reverses LIMIT 1
    ) o ON t.reverses IS NOT NULL
    WHERE t.entity_no = $1 AND t.first_revision = 1 AND t.status = ANY ($3::int2[])
      AND ($4::timestamptz IS NULL OR t.effective_time >= $4) AND ($5::timestamptz IS NULL OR t.effective_time < $5)
      AND ($9::text[] IS NULL OR COALESCE(t.reverses, t.transaction_no) IN (
          SELECT n.transaction_no FROM unnest($9) AS k (key) CROSS JOIN LATERAL counterparty_transactions($1, k.key) n))
    OFFSET 0
), found AS MATERIALIZED (
    SELECT c.*, x.currency, x.amount
    FROM sets s CROSS JOIN chosen c
    CROSS JOIN LATERAL (
        SELECT l.currency,
               sum(CASE WHEN $2 = 3 OR l.side = CASE $2 WHEN 1 THEN 1 ELSE 2 END THEN l.amount ELSE -l.amount END) AS amount
        FROM (
            SELECT e.account_no, e.currency, e.side, COALESCE(e.wide[1], e.amount::numeric) AS amount FROM entries e
            WHERE e.entity_no = $1 AND e.sequence = c.postings_at AND e.kind IN (1, 2, 4) OFFSET 0
        ) l
        WHERE ($11::text IS NULL OR l.currency = $11)
          AND CASE WHEN $2 = 3 THEN l.side = 1
                   WHEN cardinality(s.own) > 0 THEN l.account_no = ANY (s.own)
                   ELSE EXISTS (SELECT FROM accounts b WHERE b.entity_no = $1 AND b.account_no = l.account_no
                                  AND b.type = CASE $2 WHEN 1 THEN 5 ELSE 4 END) END
        GROUP BY l.currency
    ) x
    WHERE ($6::text[] IS NULL OR c.category_id = ANY ($6))
      AND (NOT $7::bool OR c.category_id IS NULL)
      AND (cardinality($10::text[]) = 0 OR
           search_document($1, c.description) @@ search_query($1, ARRAY[]::text[], ARRAY[]::text[], $10) OR
           search_document($1, c.reversed_description) @@ search_query($1, ARRAY[]::text[], ARRAY[]::text[], $10))
      AND ($8::text[] IS NULL OR (
          cardinality(s.own || s.others) > 0
          AND (cardinality(s.own) = 0 OR EXISTS (
              SELECT FROM entries e WHERE e.entity_no = $1 AND e.sequence = c.postings_at AND e.kind IN (1, 2, 4)
                AND e.account_no = ANY (s.own)))
          AND (cardinality(s.others) = 0 OR EXISTS (
              SELECT FROM entries e WHERE e.entity_no = $1 AND e.sequence = c.postings_at AND e.kind IN (1, 2, 4)
                AND e.account_no = ANY (s.others)))))
      AND x.amount <> 0
      AND ($12::jsonb IS NULL OR (
          $12 ? x.currency AND x.amount >= COALESCE(($12 -> x.currency ->> 0)::numeric, '-Infinity')
          AND x.amount <= COALESCE(($12 -> x.currency ->> 1)::numeric, 'Infinity')))
)

-- name: summaries
{matching}
SELECT currency, count(*) AS transactions, sum(amount) AS total, count(*) FILTER (WHERE amount < 0) AS reductions,
       max(amount) FILTER (WHERE amount > 0) AS largest, min(amount) FILTER (WHERE amount > 0) AS smallest,
       (SELECT count(DISTINCT transaction_no) FROM found) AS of_all
FROM found GROUP BY currency ORDER BY count(*) DESC, currency

-- name: transactions
-- $13 order (1 largest, 2 smallest, 3 newest, 4 oldest first), $14 how many; by amount: of each currency so many.
{matching}, ranked AS (
    SELECT f.*, row_number() OVER (
        PARTITION BY CASE WHEN $13::int2 <= 2 THEN f.currency END
        ORDER BY CASE $13 WHEN 1 THEN -f.amount WHEN 2 THEN f.amount END,
                 CASE $13 WHEN 3 THEN f.effective_time END DESC, CASE $13 WHEN 4 THEN f.effective_time END,
                 CASE $13 WHEN 3 THEN -f.transaction_no ELSE f.transaction_no END, f.currency) AS place
    -- What was taken back is no purchase: the smallest is the smallest above zero.
    FROM found f WHERE $13 > 2 OR f.amount > 0
)
SELECT transaction_no, currency, amount, status, effective_time, description, counterparty, category_id
FROM ranked WHERE place <= $14::int4 ORDER BY CASE WHEN $13 <= 2 THEN currency END, place

-- name: groups
-- $13 order (1 largest, 2 smallest, 3 newest, 4 oldest first), $14 how many of each currency, $15 measure by which they
-- are ranked (1 total, 2 count, 3 average, 4 largest, 5 smallest), $16 time zone (in by_time alone). {members} gives
-- the rows to add up.
{matching}, members AS (
    {members}
), grouped AS (
    SELECT m.key, m.currency, count(*) AS transactions, sum(m.amount) AS total,
           count(*) FILTER (WHERE m.amount < 0) AS reductions,
           max(m.amount) FILTER (WHERE m.amount > 0) AS largest,
           min(m.amount) FILTER (WHERE m.amount > 0) AS smallest,
           mode() WITHIN GROUP (ORDER BY m.name COLLATE "C") AS name
    FROM members m GROUP BY m.key, m.currency
), measured AS (
    SELECT g.*, CASE $15::int2 WHEN 1 THEN g.total WHEN 2 THEN g.transactions WHEN 3 THEN g.total / g.transactions
                WHEN 4 THEN g.largest ELSE g.smallest END AS measure
    FROM grouped g
), ranked AS (
    SELECT d.*, count(*) OVER (PARTITION BY d.currency) AS of_all, row_number() OVER (
        PARTITION BY d.currency
        ORDER BY CASE $13::int2 WHEN 1 THEN -d.measure WHEN 2 THEN d.measure END NULLS LAST,
                 CASE $13 WHEN 3 THEN d.key END DESC NULLS LAST, d.key) AS place
    FROM measured d
)
SELECT key, name, currency, transactions, total, reductions, largest, smallest, of_all
FROM ranked WHERE place <= $14::int4 ORDER BY currency, place

-- name: by_category
SELECT COALESCE(f.category_id, '') AS key, COALESCE(k.name, '') AS name, f.currency, f.amount
FROM found f
LEFT JOIN LATERAL (
    SELECT c.name FROM categories c WHERE c.entity_no = $1 AND c.category_id = f.category_id LIMIT 1
) k ON true

-- name: by_counterparty
SELECT COALESCE(counterparty_key(f.counterparty), '') AS key, COALESCE(f.counterparty, '') AS name, f.currency, f.amount
FROM found f

-- name: by_account
-- Spent and received: what was moved on each account of the type; else each account that the transaction touched,
-- with the whole amount.
SELECT a.account_id AS key, a.name, f.currency, x.amount
FROM sets s CROSS JOIN found f
CROSS JOIN LATERAL (
    SELECT l.account_no, CASE WHEN $2 = 3 THEN f.amount ELSE sum(
        CASE WHEN l.side = CASE $2 WHEN 1 THEN 1 ELSE 2 END THEN l.amount ELSE -l.amount END) END AS amount
    FROM (
        SELECT e.account_no, e.side, COALESCE(e.wide[1], e.amount::numeric) AS amount FROM entries e
        WHERE e.entity_no = $1 AND e.sequence = f.postings_at AND e.kind IN (1, 2, 4) AND e.currency = f.currency OFFSET 0
    ) l
    GROUP BY l.account_no
) x
CROSS JOIN LATERAL (
    SELECT b.account_id, b.name, b.type FROM accounts b WHERE b.entity_no = $1 AND b.account_no = x.account_no LIMIT 1
) a
WHERE $2 = 3 OR (x.amount <> 0 AND a.type = CASE $2 WHEN 1 THEN 5 ELSE 4 END
                 AND (cardinality(s.own) = 0 OR x.account_no = ANY (s.own)))

-- name: by_status
SELECT f.status::text AS key, '' AS name, f.currency, f.amount FROM found f

-- name: by_time
SELECT to_char(date_trunc('{unit}', f.effective_time AT TIME ZONE $16::text), 'YYYY-MM-DD') AS key, '' AS name,
       f.currency, f.amount
FROM found f
