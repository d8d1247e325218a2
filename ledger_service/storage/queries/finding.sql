-- Finding transactions by words, and who the entity deals with. $1 is the entity's number in each.

-- name: search
-- How many there are, up to $9, and their numbers, newest first, after the first $10, at most $11.
WITH found AS MATERIALIZED ({candidates})
SELECT (SELECT count(*) FROM found) AS total,
       ARRAY(SELECT f.transaction_no FROM found f ORDER BY f.transaction_no DESC OFFSET $10 LIMIT $11) AS page

-- name: by_words
-- Candidates: $2 words, $3 prefixes, $4 phrases, $5 effective from, $6 effective before (NULL: any), $7 statuses, $8
-- least and most amount by currency in minor units, as a JSON object of lists of two (NULL: any), $9 limit.
SELECT c.transaction_no
FROM search_candidates($1, search_terms($2::text[], $3::text[], $4::text[]), $5, $6, $7::int2[], $8::jsonb, $9)
    AS c (transaction_no)

-- name: by_age
-- The same whatever the description; $2 to $4 are empty.
SELECT t.transaction_no FROM events c
CROSS JOIN LATERAL (
    SELECT v.* FROM transactions v WHERE v.entity_no = $1 AND v.transaction_no = c.transaction_no LIMIT 1
) t
WHERE c.entity_no = $1 AND c.revision = 1 AND cardinality($2::text[] || $3::text[] || $4::text[]) = 0
  AND ($5::timestamptz IS NULL OR c.effective_time >= $5) AND ($6::timestamptz IS NULL OR c.effective_time < $6)
  AND t.status = ANY ($7::int2[])
  AND ($8::jsonb IS NULL OR EXISTS (
      SELECT FROM entries x
      WHERE x.entity_no = $1 AND x.sequence = t.postings_at AND x.kind IN (1, 2, 4) AND x.side = 1
      GROUP BY x.currency
      HAVING sum(COALESCE(x.wide[1], x.amount)) >= COALESCE(($8 -> x.currency ->> 0)::numeric, 0)
         AND sum(COALESCE(x.wide[1], x.amount)) <= COALESCE(($8 -> x.currency ->> 1)::numeric, 'Infinity')
  ))
ORDER BY c.sequence DESC LIMIT $9

-- name: counterparties
-- $2 after this key, $3 limit. One row for each counterparty and currency.
WITH live AS MATERIALIZED (
    SELECT k.key, t.transaction_no, t.postings_at, t.status, t.effective_time, t.counterparty
    FROM counterparty_keys($1, $2, $3) AS k (key)
    CROSS JOIN LATERAL (SELECT c.transaction_no FROM counterparty_transactions($1, k.key) c OFFSET 0) n
    CROSS JOIN LATERAL (
        SELECT v.* FROM transactions v WHERE v.entity_no = $1 AND v.transaction_no = n.transaction_no LIMIT 1
    ) t
    WHERE t.status <= 3
), amounts AS (
    SELECT l.key, x.currency, count(*) AS transactions, sum(x.debits - COALESCE(r.debits, 0)) AS total
    FROM live l
    CROSS JOIN LATERAL (
        SELECT e.currency, sum(COALESCE(e.wide[1], e.amount)) AS debits FROM entries e
        WHERE e.entity_no = $1 AND e.sequence = l.postings_at AND e.kind IN (1, 2, 4) AND e.side = 1
        GROUP BY e.currency
    ) x
    LEFT JOIN LATERAL (
        SELECT sum(COALESCE(e.wide[1], e.amount)) AS debits
        FROM (SELECT v.sequence FROM events v WHERE v.entity_no = $1 AND v.reverses = l.transaction_no
                AND v.revision = 1 OFFSET 0) v
        CROSS JOIN LATERAL (
            SELECT y.* FROM entries y WHERE y.entity_no = $1 AND y.sequence = v.sequence AND y.side = 1 OFFSET 0
        ) e
        WHERE l.status = 3 AND e.currency = x.currency
    ) r ON true
    GROUP BY l.key, x.currency
)
SELECT h.key, h.name, h.transactions, h.first_seen, h.last_seen, a.currency,
       a.transactions AS currency_transactions, a.total
FROM (
    SELECT key, mode() WITHIN GROUP (ORDER BY counterparty COLLATE "C") AS name, count(*) AS transactions,
           min(effective_time) AS first_seen, max(effective_time) AS last_seen
    FROM live GROUP BY key
) h
JOIN amounts a ON a.key = h.key
ORDER BY h.key, a.transactions DESC, a.currency

-- name: categories
-- $2 category ids. Those that exist.
SELECT c.* FROM categories c WHERE c.entity_no = $1 AND c.category_id = ANY ($2::text[])

-- name: categories_page
-- $2 whether archived ones too, $3 after this name, $4 and id (NULL: from the first), $5 limit.
SELECT c.* FROM categories c
WHERE c.entity_no = $1 AND ($2::bool OR c.state = 1)
  AND ($3::text IS NULL OR (c.name, c.category_id) > ($3, $4))
ORDER BY c.name, c.category_id LIMIT $5
