-- Facts count if their stage is that of a revision (migration 0012): each query joins reconciliation_revisions.
-- $1 entity number, $2 account number, $3 currency in all that name no others.

-- name: currencies
SELECT DISTINCT currency FROM reconciliation_revisions WHERE entity_no = $1 AND account_no = $2 ORDER BY currency

-- name: head
SELECT COALESCE((
           SELECT r.revision FROM reconciliation_revisions r
           WHERE r.entity_no = $1 AND r.account_no = $2 AND r.currency = $3 ORDER BY r.revision DESC LIMIT 1), 0) AS revision,
       (SELECT p.profile::text FROM reconciliation_revisions r
        JOIN reconciliation_profiles p ON p.entity_no = r.entity_no AND p.stage_no = r.stage_no
        WHERE r.entity_no = $1 AND r.account_no = $2 AND r.currency = $3 AND r.action = 2
        ORDER BY r.revision DESC LIMIT 1) AS profile,
       COALESCE((
           SELECT s.number FROM statements s
           JOIN reconciliation_revisions r ON r.entity_no = s.entity_no AND r.stage_no = s.stage_no
           WHERE s.entity_no = $1 AND s.account_no = $2 AND s.currency = $3 ORDER BY s.number DESC LIMIT 1), 0) AS statement,
       COALESCE((
           SELECT l.number FROM statement_lines l
           JOIN reconciliation_revisions r ON r.entity_no = l.entity_no AND r.stage_no = l.stage_no
           WHERE l.entity_no = $1 AND l.account_no = $2 AND l.currency = $3 ORDER BY l.number DESC LIMIT 1), 0) AS line,
       COALESCE((
           SELECT m.number FROM reconciliation_matches m
           JOIN reconciliation_revisions r ON r.entity_no = m.entity_no AND r.stage_no = m.stage_no
           WHERE m.entity_no = $1 AND m.account_no = $2 AND m.currency = $3 ORDER BY m.number DESC LIMIT 1), 0) AS match,
       (SELECT v.sequence FROM events v WHERE v.entity_no = $1 ORDER BY v.sequence DESC LIMIT 1) AS sequence,
       COALESCE((
           SELECT e.number FROM entries e WHERE e.entity_no = $1 AND e.account_no = $2 AND e.currency = $3
           ORDER BY e.number DESC LIMIT 1), 0) AS entry,
       clock_timestamp() AS now

-- name: baseline
-- $4 the day that it ends; NULL: the newest, without its report, which may be large and is not looked at. Closings that
-- were taken back do not count.
SELECT b.until, b.statement_balance, b.ledger_balance, b.settled_statement, b.settled_ledger, b.sequence, b.entry_number,
       b.line_number, b.match_number, b.carried_transactions, b.carried_amounts, b.carried_lines, b.carried_matches,
       b.stage_no, CASE WHEN $4::date IS NOT NULL THEN b.report::text END AS report,
       r.revision, r.action, v.actor, v.recorded_time
FROM reconciliation_revisions r
JOIN reconciliation_baselines b ON b.entity_no = r.entity_no AND b.stage_no = r.stage_no
JOIN events v ON v.entity_no = r.entity_no AND v.sequence = r.sequence
WHERE r.entity_no = $1 AND r.account_no = $2 AND r.currency = $3 AND r.action IN (1, 3, 9)
  AND ($4::date IS NULL OR (b.until = $4 AND r.action = 9))
  AND NOT EXISTS (SELECT FROM reconciliation_revisions o WHERE o.entity_no = r.entity_no AND o.reopens = r.stage_no)
ORDER BY r.revision DESC LIMIT 1

-- name: baseline_of
-- $4 the revision that it is of.
SELECT b.*, r.revision, r.action, v.actor, v.recorded_time
FROM reconciliation_revisions r
JOIN reconciliation_baselines b ON b.entity_no = r.entity_no AND b.stage_no = r.stage_no
JOIN events v ON v.entity_no = r.entity_no AND v.sequence = r.sequence
WHERE r.entity_no = $1 AND r.account_no = $2 AND r.currency = $3 AND r.revision = $4

-- name: profile_of
-- $4 the revision that it is of.
SELECT p.profile::text AS profile FROM reconciliation_revisions r
JOIN reconciliation_profiles p ON p.entity_no = r.entity_no AND p.stage_no = r.stage_no
WHERE r.entity_no = $1 AND r.account_no = $2 AND r.currency = $3 AND r.revision = $4

-- name: scope_lines
-- $4 after this number, $5 and these, $6 limit.
SELECT l.number, l.booking_date, l.value_date, l.amount, l.counterparty, l.refs, l.text, l.bank_code, l.parts
FROM (
    SELECT s.* FROM statement_lines s
    WHERE s.entity_no = $1 AND s.account_no = $2 AND s.currency = $3 AND s.number > $4
    UNION ALL
    SELECT s.* FROM statement_lines s
    WHERE s.entity_no = $1 AND s.account_no = $2 AND s.currency = $3 AND s.number = ANY ($5::int8[]) AND s.number <= $4
) l
JOIN reconciliation_revisions r ON r.entity_no = l.entity_no AND r.stage_no = l.stage_no
ORDER BY l.number LIMIT $6

-- name: lines_after
-- $4 day, $5 limit. Of the whole history.
SELECT l.number FROM statement_lines l
JOIN reconciliation_revisions r ON r.entity_no = l.entity_no AND r.stage_no = l.stage_no
WHERE l.entity_no = $1 AND l.account_no = $2 AND l.currency = $3 AND l.booking_date > $4
ORDER BY l.number LIMIT $5

-- name: scope_matches
-- $4 after this number, $5 and these, $6 limit. With what was decided about each last.
SELECT m.number, COALESCE(d.state, m.state) AS state, m.rule, m.lines, m.transactions, m.why, m.write_off_account_no,
       m.write_off_description, d.transaction_no
FROM (
    SELECT s.* FROM reconciliation_matches s
    WHERE s.entity_no = $1 AND s.account_no = $2 AND s.currency = $3 AND s.number > $4
    UNION ALL
    SELECT s.* FROM reconciliation_matches s
    WHERE s.entity_no = $1 AND s.account_no = $2 AND s.currency = $3 AND s.number = ANY ($5::int8[]) AND s.number <= $4
) m
JOIN reconciliation_revisions r ON r.entity_no = m.entity_no AND r.stage_no = m.stage_no
LEFT JOIN LATERAL (
    SELECT (array_agg(x.state ORDER BY v.revision DESC))[1] AS state, max(x.transaction_no) AS transaction_no
    FROM reconciliation_decisions x
    JOIN reconciliation_revisions v ON v.entity_no = x.entity_no AND v.stage_no = x.stage_no
    WHERE x.entity_no = $1 AND x.account_no = $2 AND x.currency = $3 AND x.match_number = m.number
) d ON true
ORDER BY m.number LIMIT $6

-- name: stated
-- $4 the day from which on.
SELECT s.number, s.closing_date, s.closing_balance, s.opening_balance FROM statements s
JOIN reconciliation_revisions r ON r.entity_no = s.entity_no AND r.stage_no = s.stage_no
WHERE s.entity_no = $1 AND s.account_no = $2 AND s.currency = $3 AND s.closing_balance IS NOT NULL
  AND s.closing_date >= $4
ORDER BY s.closing_date, s.number

-- name: scope_findings
-- $4 after this revision. Of the last run of the rules.
SELECT f.number, f.kind, f.lines, f.transactions, f.amount, f.why, f.options::text AS options
FROM reconciliation_findings f
WHERE f.entity_no = $1 AND f.stage_no = (
    SELECT r.stage_no FROM reconciliation_revisions r
    WHERE r.entity_no = $1 AND r.account_no = $2 AND r.currency = $3 AND r.action = 4 AND r.revision > $4
    ORDER BY r.revision DESC LIMIT 1)
ORDER BY f.number

-- name: scope_items
-- The first revision is looked up by the primary key alone: the view `transactions` says `revision = 1` as well, and on
-- tables without statistics the planner then may take an index on first revisions and read it whole, each time.
-- $4 the side on which the account grows, $5 the entity's time zone, $6 after this entry, $7 transactions carried over and
-- $8 what they come to, $9 limit. What each transaction did to the account since then, all in all: what it holds, posts
-- and settles, less what it releases (settling takes from pending and gives to posted).
SELECT n.transaction_no, n.amount, COALESCE(v.status, c.status) AS status,
       CASE WHEN v.status IS NULL THEN c.description ELSE v.description END AS description, c.reference, c.counterparty,
       c.reverses, c.expire_time IS NOT NULL AS has_expiry, (c.effective_time AT TIME ZONE $5)::date AS day
FROM (
    SELECT x.transaction_no, sum(x.amount) AS amount
    FROM (
        SELECT v.transaction_no,
               CASE WHEN e.side = $4 THEN 1 ELSE -1 END * CASE e.kind WHEN 3 THEN -1 WHEN 4 THEN 0 ELSE 1 END
               * COALESCE(e.wide[1], e.amount) AS amount
        FROM entries e
        CROSS JOIN LATERAL (
            SELECT v.transaction_no FROM events v WHERE v.entity_no = e.entity_no AND v.sequence = e.sequence LIMIT 1
        ) v
        WHERE e.entity_no = $1 AND e.account_no = $2 AND e.currency = $3 AND e.number > $6
        UNION ALL
        SELECT c.transaction_no, c.amount FROM unnest($7::int8[], $8::numeric[]) AS c (transaction_no, amount)
    ) x
    GROUP BY x.transaction_no HAVING sum(x.amount) <> 0
) n
CROSS JOIN LATERAL (
    SELECT c.effective_time, c.expire_time, c.reference, c.counterparty, c.reverses, c.status, c.description FROM events c
    WHERE c.entity_no = $1 AND c.sequence = n.transaction_no LIMIT 1
) c
LEFT JOIN LATERAL (
    SELECT v.status, v.description FROM events v
    WHERE v.entity_no = $1 AND v.transaction_no = n.transaction_no AND v.revision > 1 ORDER BY v.revision DESC LIMIT 1
) v ON true
ORDER BY n.transaction_no LIMIT $9

-- name: history_items
-- As scope_items up to entry $6: transactions effective from day $7 on, which are all behind the newest entry before which
-- nothing was effective later; and transactions $8, whenever they were. $9 limit.
WITH moved AS (
    SELECT e.sequence, e.side, e.kind, COALESCE(e.wide[1], e.amount) AS amount, v.transaction_no
    FROM entries e
    CROSS JOIN LATERAL (
        SELECT v.transaction_no FROM events v WHERE v.entity_no = e.entity_no AND v.sequence = e.sequence LIMIT 1
    ) v
    WHERE e.entity_no = $1 AND e.account_no = $2 AND e.currency = $3 AND e.number <= $6
      AND e.number > (SELECT last_entry($1, $2, $3, 9223372036854775807,
                                        ($7::date::timestamp AT TIME ZONE $5) - interval '1 microsecond'))
      AND e.effective_time >= $7::date::timestamp AT TIME ZONE $5 AND v.transaction_no <> ALL ($8::int8[])
    UNION ALL
    SELECT e.sequence, e.side, e.kind, COALESCE(e.wide[1], e.amount) AS amount, a.transaction_no
    FROM unnest($8::int8[]) AS a (transaction_no)
    CROSS JOIN LATERAL (
        SELECT v.sequence FROM events v WHERE v.entity_no = $1 AND v.sequence = a.transaction_no
        UNION ALL
        SELECT v.sequence FROM events v
        WHERE v.entity_no = $1 AND v.transaction_no = a.transaction_no AND v.revision > 1
    ) v
    CROSS JOIN LATERAL (
        SELECT x.* FROM entries x WHERE x.entity_no = $1 AND x.sequence = v.sequence OFFSET 0
    ) e
    WHERE e.account_no = $2 AND e.currency = $3 AND e.number <= $6
)
SELECT n.transaction_no, n.amount, COALESCE(v.status, c.status) AS status,
       CASE WHEN v.status IS NULL THEN c.description ELSE v.description END AS description, c.reference, c.counterparty,
       c.reverses, c.expire_time IS NOT NULL AS has_expiry, (c.effective_time AT TIME ZONE $5)::date AS day
FROM (
    SELECT m.transaction_no, sum(
               CASE WHEN m.side = $4 THEN 1 ELSE -1 END * CASE m.kind WHEN 3 THEN -1 WHEN 4 THEN 0 ELSE 1 END * m.amount
           ) AS amount
    FROM moved m GROUP BY m.transaction_no
) n
CROSS JOIN LATERAL (
    SELECT c.effective_time, c.expire_time, c.reference, c.counterparty, c.reverses, c.status, c.description FROM events c
    WHERE c.entity_no = $1 AND c.sequence = n.transaction_no LIMIT 1
) c
LEFT JOIN LATERAL (
    SELECT v.status, v.description FROM events v
    WHERE v.entity_no = $1 AND v.transaction_no = n.transaction_no AND v.revision > 1 ORDER BY v.revision DESC LIMIT 1
) v ON true
WHERE n.amount <> 0
ORDER BY n.transaction_no LIMIT $9

-- name: ledger_balance
-- $4 the side on which the account grows, $5 time zone, $6 day, $7 up to this entry. Posted and pending at the end of the
-- day: the newest entry before which nothing was effective later, and the few behind it that were effective earlier.
WITH bound AS MATERIALIZED (
    SELECT (($6::date + 1)::timestamp AT TIME ZONE $5) - interval '1 microsecond' AS t
), newest AS MATERIALIZED (
    SELECT LEAST($7::int8, last_entry($1, $2, $3, 9223372036854775807, b.t)) AS number, b.t FROM bound b
), based AS (
    SELECT COALESCE(sum(
        COALESCE(e.wide[2], e.debits_posted)::numeric + COALESCE(e.wide[4], e.debits_pending)
        - COALESCE(e.wide[3], e.credits_posted) - COALESCE(e.wide[5], e.credits_pending)), 0) AS amount
    FROM newest n
    JOIN entries e ON e.entity_no = $1 AND e.account_no = $2 AND e.currency = $3 AND e.number = n.number
), later AS (
    SELECT COALESCE(sum(
        CASE WHEN e.side = 1 THEN 1 ELSE -1 END * CASE e.kind WHEN 3 THEN -1 WHEN 4 THEN 0 ELSE 1 END
        * COALESCE(e.wide[1], e.amount)), 0) AS amount
    FROM newest n
    JOIN entries e ON e.entity_no = $1 AND e.account_no = $2 AND e.currency = $3 AND e.number > n.number
        AND e.number <= $7 AND e.effective_time < e.latest_effective AND e.effective_time <= n.t
)
SELECT CASE WHEN $4::int4 = 1 THEN 1 ELSE -1 END * (b.amount + l.amount) AS amount FROM based b CROSS JOIN later l

-- name: known_identities
-- $4 identities.
SELECT i.identity FROM unnest($4::bytea[]) AS i (identity)
WHERE EXISTS (
    SELECT FROM statement_lines l
    JOIN reconciliation_revisions r ON r.entity_no = l.entity_no AND r.stage_no = l.stage_no
    WHERE l.entity_no = $1 AND l.account_no = $2 AND l.currency = $3 AND l.identity = i.identity)

-- name: revision_of_file
-- $4 digest. The newest: it may have been sent again with a balance that the file does not tell.
SELECT r.revision FROM reconciliation_revisions r
JOIN statement_files f ON f.entity_no = r.entity_no AND f.stage_no = r.stage_no
WHERE r.entity_no = $1 AND r.account_no = $2 AND r.currency = $3 AND r.action = 3 AND f.sha256 = $4
ORDER BY r.revision DESC LIMIT 1

-- name: statements
-- $4 before this number (NULL: from the newest), $5 limit, $6 only of this revision (NULL: of any).
SELECT s.*, f.name, f.sha256, f.format, v.actor, v.recorded_time
FROM statements s
JOIN reconciliation_revisions r ON r.entity_no = s.entity_no AND r.stage_no = s.stage_no
JOIN statement_files f ON f.entity_no = s.entity_no AND f.stage_no = s.stage_no
JOIN events v ON v.entity_no = r.entity_no AND v.sequence = r.sequence
WHERE s.entity_no = $1 AND s.account_no = $2 AND s.currency = $3
  AND s.number < COALESCE($4, 9223372036854775807) AND ($6::int8 IS NULL OR r.revision = $6)
ORDER BY s.number DESC LIMIT $5

-- name: lines
-- $4 the statement (0: any), $5 state (0: any), $6 after this number, $7 limit, $8 after this line of the baseline's, $9
-- lines that it carries over, $10 matches after this one, $11 matches that it carries over, $12 bytes: the page ends with the
-- line that reaches them. `found` is how many there would be without.
WITH live AS MATERIALIZED (
    SELECT DISTINCT ON (u.line) u.line, m.number, m.state FROM (
        SELECT s.number, COALESCE(d.state, s.state) AS state, s.lines FROM reconciliation_matches s
        JOIN reconciliation_revisions r ON r.entity_no = s.entity_no AND r.stage_no = s.stage_no
        LEFT JOIN LATERAL (
            SELECT x.state FROM reconciliation_decisions x
            JOIN reconciliation_revisions v ON v.entity_no = x.entity_no AND v.stage_no = x.stage_no
            WHERE x.entity_no = $1 AND x.account_no = $2 AND x.currency = $3 AND x.match_number = s.number
            ORDER BY v.revision DESC LIMIT 1
        ) d ON true
        WHERE s.entity_no = $1 AND s.account_no = $2 AND s.currency = $3
          AND ($4::int8 <> 0 OR s.number > $10 OR s.number = ANY ($11::int8[]))
    ) m
    CROSS JOIN LATERAL unnest(m.lines) AS u (line)
    WHERE m.state <= 2
    ORDER BY u.line, m.number DESC
)
SELECT * FROM (
    SELECT y.*, count(*) OVER () AS found, sum(y.size) OVER (ORDER BY y.number) - y.size AS before FROM (
SELECT l.*, COALESCE(v.number, 0) AS match, COALESCE(v.state + 1, 1) AS state,
       octet_length(l.raw) + octet_length(l.text) + 500 AS size
FROM statement_lines l
JOIN reconciliation_revisions r ON r.entity_no = l.entity_no AND r.stage_no = l.stage_no
LEFT JOIN live v ON v.line = l.number
WHERE l.entity_no = $1 AND l.account_no = $2 AND l.currency = $3 AND l.number > $6
  AND CASE WHEN $4::int8 <> 0 THEN l.statement_number = $4 ELSE l.number > $8 OR l.number = ANY ($9::int8[]) END
  AND ($5::int4 = 0 OR COALESCE(v.state + 1, 1) = $5)
ORDER BY l.number LIMIT $7
    ) y
) z
WHERE z.before < $12 ORDER BY z.number

-- name: matches
-- $4 state (0: any), $5 rule ('': any), $6 after this number, $7 limit, $8 only these (NULL: any), $9 bytes: the page ends with
-- the match that reaches them. `found` is how many there would be without.
SELECT * FROM (
SELECT y.*, count(*) OVER () AS found, sum(y.size) OVER (ORDER BY y.number) - y.size AS before FROM (
SELECT x.*, (cardinality(x.lines) + cardinality(x.transactions)) * 40 + octet_length(x.why) + 500 AS size FROM (
    SELECT m.number, COALESCE(d.state, m.state) AS state, m.rule, m.lines, m.transactions, m.difference, m.score, m.why,
           m.note, a.account_id AS write_off_account_id, m.write_off_description, v.actor, v.recorded_time,
           d.actor AS decided_by, d.recorded_time AS decided_time, d.transaction_no, d.note AS decision_note
    FROM reconciliation_matches m
    JOIN reconciliation_revisions r ON r.entity_no = m.entity_no AND r.stage_no = m.stage_no
    JOIN events v ON v.entity_no = r.entity_no AND v.sequence = r.sequence
    LEFT JOIN accounts a ON a.entity_no = m.entity_no AND a.account_no = m.write_off_account_no
    LEFT JOIN LATERAL (
        SELECT x.state, x.note, w.actor, w.recorded_time, (
                   SELECT y.transaction_no FROM reconciliation_decisions y
                   JOIN reconciliation_revisions o ON o.entity_no = y.entity_no AND o.stage_no = y.stage_no
                   WHERE y.entity_no = $1 AND y.account_no = $2 AND y.currency = $3 AND y.match_number = m.number
                     AND y.transaction_no IS NOT NULL LIMIT 1) AS transaction_no
        FROM reconciliation_decisions x
        JOIN reconciliation_revisions o ON o.entity_no = x.entity_no AND o.stage_no = x.stage_no
        JOIN events w ON w.entity_no = o.entity_no AND w.sequence = o.sequence
        WHERE x.entity_no = $1 AND x.account_no = $2 AND x.currency = $3 AND x.match_number = m.number
        ORDER BY o.revision DESC LIMIT 1
    ) d ON true
    WHERE m.entity_no = $1 AND m.account_no = $2 AND m.currency = $3 AND m.number > $6
      AND ($8::int8[] IS NULL OR m.number = ANY ($8)) AND ($5::text = '' OR m.rule = $5)
) x
WHERE $4::int4 = 0 OR x.state = $4
ORDER BY x.number LIMIT $7
) y
) z
WHERE z.before < $9 ORDER BY z.number

-- name: closings
-- $4 before this revision (NULL: from the newest), $5 limit.
SELECT b.until, b.statement_balance, b.ledger_balance, r.revision, v.actor, a.account_id,
       EXISTS (SELECT FROM reconciliation_revisions o WHERE o.entity_no = r.entity_no AND o.reopens = r.stage_no) AS is_reopened
FROM reconciliation_revisions r
JOIN reconciliation_baselines b ON b.entity_no = r.entity_no AND b.stage_no = r.stage_no
JOIN events v ON v.entity_no = r.entity_no AND v.sequence = r.sequence
JOIN accounts a ON a.entity_no = r.entity_no AND a.account_no = r.account_no
WHERE r.entity_no = $1 AND r.account_no = $2 AND r.currency = $3 AND r.action = 9
  AND r.revision < COALESCE($4, 9223372036854775807)
ORDER BY r.revision DESC LIMIT $5

-- name: summaries
-- $1 entity number, $2 currency ('': any), $3 and $4 after this account and currency, $5 limit.
SELECT h.account_no, h.currency, h.revision, a.account_id, s.closing_date, s.closing_balance
FROM (
    SELECT r.account_no, r.currency, max(r.revision) AS revision FROM reconciliation_revisions r
    WHERE r.entity_no = $1 AND ($2::text = '' OR r.currency = $2) AND (r.account_no, r.currency) > ($3::int8, $4::text)
    GROUP BY r.account_no, r.currency ORDER BY r.account_no, r.currency LIMIT $5
) h
JOIN accounts a ON a.entity_no = $1 AND a.account_no = h.account_no
LEFT JOIN LATERAL (
    SELECT s.closing_date, s.closing_balance FROM statements s
    JOIN reconciliation_revisions r ON r.entity_no = s.entity_no AND r.stage_no = s.stage_no
    WHERE s.entity_no = $1 AND s.account_no = h.account_no AND s.currency = h.currency AND s.closing_balance IS NOT NULL
    ORDER BY s.closing_date DESC, s.number DESC LIMIT 1
) s ON true
ORDER BY h.account_no, h.currency

-- name: insert_stage
-- $4 stage.
INSERT INTO reconciliation_stages (entity_no, account_no, currency, stage_no) VALUES ($1, $2, $3, $4)

-- name: insert_profile
INSERT INTO reconciliation_profiles (entity_no, stage_no, profile) VALUES ($1, $2, $3)

-- name: insert_file
INSERT INTO statement_files (entity_no, stage_no, sha256, name, format, bytes) VALUES ($1, $2, $3, $4, $5, $6)

-- name: insert_statement
INSERT INTO statements (entity_no, account_no, currency, stage_no, number, bank_number, bank_account, opening_balance,
    opening_date, closing_balance, closing_date, lines, known_lines, sum, contradictions)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)

-- name: insert_lines
-- $4 stage, then a column each; lists of a line are JSON.
INSERT INTO statement_lines (entity_no, account_no, currency, stage_no, number, statement_number, booking_date, value_date,
    amount, counterparty, counterparty_account, refs, text, bank_code, parts, raw, identity)
SELECT $1, $2, $3, $4, u.number, u.statement_number, u.booking_date, u.value_date, u.amount, u.counterparty,
       u.counterparty_account, ARRAY(SELECT jsonb_array_elements_text(u.refs::jsonb)), u.text, u.bank_code,
       ARRAY(SELECT x::numeric FROM jsonb_array_elements_text(u.parts::jsonb) AS x), u.raw, u.identity
FROM unnest($5::int8[], $6::int8[], $7::date[], $8::date[], $9::numeric[], $10::text[], $11::text[], $12::text[],
    $13::text[], $14::text[], $15::text[], $16::text[], $17::bytea[])
    AS u (number, statement_number, booking_date, value_date, amount, counterparty, counterparty_account, refs, text,
          bank_code, parts, raw, identity)

-- name: insert_matches
-- $4 stage, then a column each; lists of a match are JSON.
INSERT INTO reconciliation_matches (entity_no, account_no, currency, stage_no, number, state, rule, lines, transactions,
    difference, score, why, write_off_account_no, write_off_description, note)
SELECT $1, $2, $3, $4, u.number, u.state, u.rule, ARRAY(SELECT x::int8 FROM jsonb_array_elements_text(u.lines::jsonb) AS x),
       ARRAY(SELECT x::int8 FROM jsonb_array_elements_text(u.transactions::jsonb) AS x), u.difference, u.score, u.why,
       u.account_no, u.description, u.note
FROM unnest($5::int8[], $6::int2[], $7::text[], $8::text[], $9::text[], $10::numeric[], $11::int2[], $12::text[],
    $13::int8[], $14::text[], $15::text[])
    AS u (number, state, rule, lines, transactions, difference, score, why, account_no, description, note)

-- name: insert_decisions
-- $4 stage.
INSERT INTO reconciliation_decisions (entity_no, account_no, currency, stage_no, match_number, state, transaction_no, note)
SELECT $1, $2, $3, $4, u.number, u.state, u.transaction_no, u.note
FROM unnest($5::int8[], $6::int2[], $7::int8[], $8::text[]) AS u (number, state, transaction_no, note)

-- name: insert_findings
-- $1 entity number, $2 stage.
INSERT INTO reconciliation_findings (entity_no, stage_no, number, kind, lines, transactions, amount, why, options)
SELECT $1, $2, u.number, u.kind, ARRAY(SELECT x::int8 FROM jsonb_array_elements_text(u.lines::jsonb) AS x),
       ARRAY(SELECT x::int8 FROM jsonb_array_elements_text(u.transactions::jsonb) AS x), u.amount, u.why, u.options::jsonb
FROM unnest($3::int4[], $4::text[], $5::text[], $6::text[], $7::numeric[], $8::text[], $9::text[])
    AS u (number, kind, lines, transactions, amount, why, options)

-- name: insert_baseline
INSERT INTO reconciliation_baselines (entity_no, stage_no, until, statement_balance, ledger_balance, settled_statement,
    settled_ledger, sequence, entry_number, line_number, match_number, carried_transactions, carried_amounts,
    carried_lines, carried_matches, report)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)

-- name: insert_frozen
INSERT INTO frozen_transactions (entity_no, stage_no, transaction_no) SELECT $1, $2, unnest($3::int8[])

-- name: abandoned
-- $4 how old. Stages of this account that have come to nothing.
SELECT s.stage_no FROM reconciliation_stages s
WHERE s.entity_no = $1 AND s.account_no = $2 AND s.currency = $3 AND s.created_time < clock_timestamp() - $4::interval
  AND NOT EXISTS (SELECT FROM reconciliation_revisions r WHERE r.entity_no = s.entity_no AND r.stage_no = s.stage_no)
ORDER BY s.stage_no LIMIT 10
