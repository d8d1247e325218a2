-- name: sizes
-- How many rows each pass will walk: what the progress is measured against.
SELECT
    (SELECT count(*) FROM entities) AS entities,
    (SELECT count(*) FROM events) AS events,
    -- With the first revisions of those that were final when they got a category.
    (SELECT count(*) FROM events WHERE transaction_no IS NOT NULL AND (revision <> 1 OR status <= 2))
        + (SELECT count(*) FROM events WHERE kind = 13 AND revision = 2 AND status = 3) AS life_events,
    (SELECT count(*) FROM entries) AS entries

-- name: journal_events
-- Pass 1. Of an entity's events, `detail` tells the state after it.
SELECT entity_no, sequence, kind, span, recorded_time, idempotency_key IS NOT NULL AS has_key,
       request_hash IS NOT NULL AS has_hash, transaction_no, revision, status, postings_at, effective_time, reverses,
       account_no IS NOT NULL AS has_account, detail IS NOT NULL AS has_detail,
       CASE WHEN kind IN (11, 12) THEN detail ->> 'state' END AS entity_state
FROM events ORDER BY entity_no, sequence

-- name: journal_entries
SELECT entity_no, sequence, kind, leg, side, currency, amount, effective_time, wide[1] AS wide
FROM entries ORDER BY entity_no, sequence, kind, leg

-- name: journal_commits
SELECT entity_no, first_sequence, last_sequence, recorded_time, kinds
FROM commits ORDER BY entity_no, first_sequence, last_sequence

-- name: life_events
-- Pass 2. Only transactions that were ever open: those posted at once have one revision, and pass 1 has seen it.
SELECT v.entity_no, v.transaction_no, v.sequence, v.kind, v.revision, v.status, v.postings_at, v.recorded_time,
       v.effective_time, v.expire_time, v.description, v.reference, v.counterparty, v.category_id,
       md5(v.metadata::text) AS metadata, v.reverses
FROM events v
JOIN (
    SELECT DISTINCT entity_no, transaction_no FROM events WHERE transaction_no IS NOT NULL AND (revision <> 1 OR status <= 2)
) l ON l.entity_no = v.entity_no AND l.transaction_no = v.transaction_no
WHERE v.transaction_no IS NOT NULL
ORDER BY v.entity_no, v.transaction_no, v.sequence

-- name: life_entries
SELECT v.entity_no, v.transaction_no, x.sequence, x.kind, x.leg, x.account_no, x.currency, x.side, x.amount,
       x.wide[1] AS wide
FROM entries x
JOIN events v ON v.entity_no = x.entity_no AND v.sequence = x.sequence
WHERE x.kind <> 1 AND v.transaction_no IS NOT NULL
ORDER BY v.entity_no, v.transaction_no, x.sequence, x.kind, x.leg

-- name: life_open
SELECT entity_no, transaction_no, sequence, expire_time
FROM open_transactions ORDER BY entity_no, transaction_no

-- name: chain_entries
-- Pass 3.
SELECT entity_no, account_no, currency, number, sequence, kind, side, amount, debits_posted, credits_posted,
       debits_pending, credits_pending, effective_time, latest_effective, wide
FROM entries ORDER BY entity_no, account_no, currency, number, sequence

-- name: chain_accounts
-- One row for each event of an account, with the account as it is now; accounts without events, and events
-- without an account, are there too.
SELECT COALESCE(a.entity_no, v.entity_no) AS entity_no, COALESCE(a.account_no, v.account_no) AS account_no,
       a.account_id, a.type, a.contra, a.normal_side, a.code, a.name, a.parent_no, a.currencies, a.state, a.sequence,
       a.revision, a.financial_type, a.sub_type_code, a.is_category, a.bank_account, l.limits, v.sequence AS event_sequence, v.kind AS event_kind, v.detail
FROM accounts a
LEFT JOIN (
    SELECT entity_no, account_no, jsonb_agg(jsonb_build_array(currency, floor::text, ceiling::text))::text AS limits
    FROM account_limits GROUP BY entity_no, account_no
) l ON l.entity_no = a.entity_no AND l.account_no = a.account_no
FULL JOIN (
    SELECT entity_no, account_no, sequence, kind, detail::text AS detail
    FROM events WHERE kind IN (9, 10) AND account_no IS NOT NULL
) v ON v.entity_no = a.entity_no AND v.account_no = a.account_no
ORDER BY 1, 2, v.sequence

-- name: seal_events
-- Pass 4. Every column, in the order of domain.decide.book.EventRow.
SELECT entity_no, sequence, kind, span, recorded_time, actor, idempotency_key, request_hash, transaction_no, revision,
       status, postings_at, effective_time, expire_time, description, reference, counterparty, category_id, metadata,
       reverses, account_no, detail
FROM events ORDER BY entity_no, sequence

-- name: seal_entries
-- The key first, then every column in the order of domain.decide.book.EntryRow.
SELECT entity_no, sequence, account_no, currency, number, kind, leg, side, amount, debits_posted, credits_posted,
       debits_pending, credits_pending, effective_time, latest_effective, wide
FROM entries ORDER BY entity_no, sequence

-- name: seals
SELECT entity_no, last_sequence, first_sequence, version, peaks, nodes FROM seals ORDER BY entity_no, last_sequence

-- name: unknown_entities
-- Sets: each row is a break, `what` says what.
SELECT v.entity_no, NULL::int8 AS transaction_no, 'events of an entity that does not exist' AS what
FROM (SELECT DISTINCT entity_no FROM events) v
LEFT JOIN entities e ON e.entity_no = v.entity_no
WHERE e.entity_no IS NULL

-- name: entity_states
-- An entity's row is what its newest event of kind 11 or 12 says.
SELECT e.entity_no, NULL::int8 AS transaction_no,
       CASE WHEN v.sequence IS NULL THEN 'it has no event that creates it'
            ELSE format('revision %s, state %s, name %s; its newest event %s says revision %s, state %s, name %s',
                        e.revision, e.state, to_json(e.name), v.sequence, v.revisions,
                        COALESCE(v.detail ->> 'state', 'not'), COALESCE(v.detail -> 'name', '"not"'))
       END AS what
FROM entities e
LEFT JOIN (
    SELECT DISTINCT ON (entity_no) entity_no, sequence, detail, count(*) OVER (PARTITION BY entity_no) AS revisions
    FROM events WHERE kind IN (11, 12) ORDER BY entity_no, sequence DESC
) v ON v.entity_no = e.entity_no
WHERE v.sequence IS NULL OR e.revision <> v.revisions
   OR e.state <> COALESCE((v.detail ->> 'state')::int, e.state) OR e.name <> COALESCE(v.detail ->> 'name', e.name)

-- name: category_states
-- A category's row is what its newest event of kind 14 or 15 says, and every such event has its row.
SELECT COALESCE(c.entity_no, v.entity_no) AS entity_no, NULL::int8 AS transaction_no,
       CASE WHEN c.category_id IS NULL THEN format('category %s has events, but is missing', v.category_id)
            WHEN v.category_id IS NULL THEN format('category %s has no event that creates it', c.category_id)
            WHEN c.metadata IS DISTINCT FROM (v.detail ->> 'metadata')::jsonb
                THEN format('category %s has other metadata than its newest event %s says', c.category_id, v.sequence)
            ELSE format('category %s is revision %s, state %s, name %s; its newest event %s says revision %s of %s, '
                        'state %s, name %s', c.category_id, c.revision, c.state, to_json(c.name), v.sequence,
                        v.detail ->> 'revision', v.revisions, v.detail ->> 'state', v.detail -> 'name')
       END AS what
FROM categories c
FULL JOIN (
    SELECT DISTINCT ON (entity_no, category_id) entity_no, category_id, sequence, detail,
           count(*) OVER (PARTITION BY entity_no, category_id) AS revisions,
           min(sequence) OVER (PARTITION BY entity_no, category_id) AS created
    FROM events WHERE kind IN (14, 15) ORDER BY entity_no, category_id, sequence DESC
) v ON v.entity_no = c.entity_no AND v.category_id = c.category_id
WHERE c.category_id IS NULL OR v.category_id IS NULL
   OR (c.revision, c.state, c.name, c.sequence, c.category_no, c.metadata)
      IS DISTINCT FROM (v.revisions, (v.detail ->> 'state')::int, v.detail ->> 'name', v.sequence, v.created,
                        (v.detail ->> 'metadata')::jsonb)

-- name: unknown_categories
-- A category that a transaction was given exists. At creation (kind 1) any could be named before there were
-- categories, so that those are not held to it.
SELECT v.entity_no, v.transaction_no, format('event %s gives it category %s, which does not exist', v.sequence,
       v.category_id) AS what
FROM events v
LEFT JOIN categories c ON c.entity_no = v.entity_no AND c.category_id = v.category_id
WHERE v.kind = 13 AND v.category_id IS NOT NULL AND c.category_no IS NULL

-- name: doubled_keys
SELECT entity_no, NULL::int8 AS transaction_no,
       format('key %s is used %s times, first by events %s and %s, expected once', to_json(idempotency_key), count(*),
              min(sequence), (array_agg(sequence ORDER BY sequence))[2]) AS what
FROM events WHERE idempotency_key IS NOT NULL
GROUP BY entity_no, idempotency_key HAVING count(*) > 1

-- name: reversal_originals
-- A reversal's original is posted, is no reversal itself, and was posted before it: an event of its own later on can
-- only have given it a category.
SELECT r.entity_no, r.sequence AS transaction_no,
       CASE WHEN o.sequence IS NULL THEN format('it reverses %s, which is no transaction', r.reverses)
            ELSE format('it reverses %s, whose newest revision is event %s of kind %s with status %s; expected an '
                        'earlier one, posted, and no reversal', r.reverses, o.sequence, o.kind, o.status)
       END AS what
FROM events r
LEFT JOIN (
    SELECT DISTINCT ON (entity_no, transaction_no) entity_no, transaction_no, sequence, kind, status, postings_at,
           reverses
    FROM events WHERE transaction_no IS NOT NULL ORDER BY entity_no, transaction_no, revision DESC
) o ON o.entity_no = r.entity_no AND o.transaction_no = r.reverses
WHERE r.kind = 7 AND (o.sequence IS NULL OR o.status <> 3 OR o.reverses IS NOT NULL OR o.postings_at >= r.sequence)

-- name: reversal_amounts
-- All reversals of a transaction together, leg by leg: on the other side, and no more than it.
WITH originals AS (
    SELECT DISTINCT ON (v.entity_no, v.transaction_no) v.entity_no, v.transaction_no, v.postings_at
    FROM events v
    JOIN (SELECT DISTINCT entity_no, reverses FROM events WHERE kind = 7) r
      ON r.entity_no = v.entity_no AND r.reverses = v.transaction_no
    WHERE v.transaction_no IS NOT NULL ORDER BY v.entity_no, v.transaction_no, v.revision DESC
), undone AS (
    SELECT r.entity_no, r.reverses AS transaction_no, x.leg, x.account_no, x.currency, x.side,
           sum(COALESCE(x.wide[1], x.amount)) AS amount
    FROM events r
    JOIN entries x ON x.entity_no = r.entity_no AND x.sequence = r.sequence
    WHERE r.kind = 7 GROUP BY r.entity_no, r.reverses, x.leg, x.account_no, x.currency, x.side
)
SELECT u.entity_no, u.transaction_no,
       format('its reversals have %s %s %s on account number %s as leg %s; the leg itself is %s', u.amount, u.currency,
              CASE u.side WHEN 1 THEN 'debit' ELSE 'credit' END, u.account_no, u.leg,
              CASE WHEN p.sequence IS NULL THEN 'not there'
                   ELSE format('%s %s %s on account number %s', COALESCE(p.wide[1], p.amount), p.currency,
                               CASE p.side WHEN 1 THEN 'debit' ELSE 'credit' END, p.account_no) END) AS what
FROM undone u
LEFT JOIN originals o ON o.entity_no = u.entity_no AND o.transaction_no = u.transaction_no
LEFT JOIN entries p ON p.entity_no = o.entity_no AND p.sequence = o.postings_at AND p.kind IN (1, 4) AND p.leg = u.leg
WHERE p.sequence IS NULL OR p.account_no <> u.account_no OR p.currency <> u.currency OR p.side = u.side
   OR u.amount > COALESCE(p.wide[1], p.amount)

-- name: unrooted_accounts
-- From the roots down every account is reached, unless its parents form a ring or are missing.
WITH RECURSIVE reached AS (
    SELECT entity_no, account_no FROM accounts WHERE parent_no IS NULL
    UNION ALL
    SELECT a.entity_no, a.account_no
    FROM reached r JOIN accounts a ON a.entity_no = r.entity_no AND a.parent_no = r.account_no
)
SELECT a.entity_no, NULL::int8 AS transaction_no,
       format('account %s: its parents are a ring, or missing', a.account_id) AS what
FROM accounts a
LEFT JOIN reached r ON r.entity_no = a.entity_no AND r.account_no = a.account_no
WHERE r.account_no IS NULL

-- name: reconciliation_revisions
-- Each change has its event and each event its change; they are numbered without a gap; what is reopened was closed.
SELECT COALESCE(r.entity_no, e.entity_no) AS entity_no, NULL::int8 AS transaction_no,
       CASE WHEN r.revision IS NULL THEN format('event %s tells of a change that is not there', e.sequence)
            WHEN e.sequence IS NULL THEN format('revision %s of account number %s in %s has no event', r.revision, r.account_no, r.currency)
            ELSE format('revision %s of account number %s in %s is not what event %s says, or does not follow the one before it',
                        r.revision, r.account_no, r.currency, e.sequence) END AS what
FROM (
    SELECT v.*, lag(v.revision) OVER w AS before, lag(v.sequence) OVER w AS before_sequence
    FROM reconciliation_revisions v WINDOW w AS (PARTITION BY v.entity_no, v.account_no, v.currency ORDER BY v.revision)
) r
FULL JOIN (SELECT entity_no, sequence, account_no, detail FROM events WHERE kind = 16) e
    ON e.entity_no = r.entity_no AND e.sequence = r.sequence
WHERE r.revision IS NULL OR e.sequence IS NULL
   OR r.revision <> COALESCE(r.before, 0) + 1 OR r.sequence <= r.before_sequence OR e.account_no <> r.account_no
   OR (e.detail ->> 'currency', e.detail ->> 'revision', e.detail ->> 'stage', e.detail ->> 'action')
      IS DISTINCT FROM (r.currency, r.revision::text, r.stage_no::text, r.action::text)
   OR (r.reopens IS NOT NULL AND NOT EXISTS (
           SELECT FROM reconciliation_revisions c WHERE c.entity_no = r.entity_no AND c.stage_no = r.reopens
             AND c.account_no = r.account_no AND c.currency = r.currency AND c.action = 9 AND c.revision < r.revision))

-- name: reconciliation_lines
-- Lines that count are numbered without a gap, and none came in twice.
SELECT x.entity_no, NULL::int8 AS transaction_no,
       format('lines of account number %s in %s: %s numbers up to %s, %s identities', x.account_no, x.currency,
              x.numbers, x.last, x.identities) AS what
FROM (
    SELECT l.entity_no, l.account_no, l.currency, count(*) AS lines, count(DISTINCT l.number) AS numbers,
           max(l.number) AS last, count(DISTINCT l.identity) AS identities
    FROM statement_lines l
    JOIN reconciliation_revisions r ON r.entity_no = l.entity_no AND r.stage_no = l.stage_no
    GROUP BY l.entity_no, l.account_no, l.currency
) x
WHERE x.lines <> x.numbers OR x.lines <> x.last OR x.lines <> x.identities

-- name: reconciliation_statements
-- A statement has as many lines as it says, and they come to what it says.
SELECT s.entity_no, NULL::int8 AS transaction_no,
       format('statement %s of account number %s in %s: %s lines that come to %s, expected %s and %s', number,
              s.account_no, s.currency, COALESCE(l.lines, 0), COALESCE(l.sum, 0), s.lines, s.sum) AS what
FROM (
    SELECT t.entity_no, t.stage_no, t.number, t.account_no, t.currency, t.lines, t.sum FROM statements t
    JOIN reconciliation_revisions r ON r.entity_no = t.entity_no AND r.stage_no = t.stage_no
) s
FULL JOIN (
    SELECT entity_no, stage_no, statement_number AS number, count(*) AS lines, sum(amount) AS sum
    FROM statement_lines GROUP BY entity_no, stage_no, statement_number
) l USING (entity_no, stage_no, number)
WHERE s.lines <> COALESCE(l.lines, 0) OR s.sum <> COALESCE(l.sum, 0)

-- name: reconciliation_members
-- A match is of lines that are here, and of transactions of the entity; decisions are of matches. As whole sets: joined by
-- hashing whatever the planner believes of sizes, for nothing here has an index to go by.
WITH matches AS MATERIALIZED (
    SELECT m.entity_no, m.account_no, m.currency, m.number, m.lines, m.transactions FROM reconciliation_matches m
    JOIN reconciliation_revisions r ON r.entity_no = m.entity_no AND r.stage_no = m.stage_no
), members AS MATERIALIZED (
    SELECT m.entity_no, m.account_no, m.currency, m.number, u.line FROM matches m CROSS JOIN unnest(m.lines) AS u (line)
), known AS MATERIALIZED (
    SELECT l.entity_no, l.account_no, l.currency, l.number AS line FROM statement_lines l
    JOIN reconciliation_revisions r ON r.entity_no = l.entity_no AND r.stage_no = l.stage_no
), posted AS MATERIALIZED (
    SELECT m.entity_no, m.account_no, m.currency, m.number, u.transaction_no
    FROM matches m CROSS JOIN unnest(m.transactions) AS u (transaction_no)
), decided AS MATERIALIZED (
    SELECT d.entity_no, d.account_no, d.currency, d.match_number AS number FROM reconciliation_decisions d
    JOIN reconciliation_revisions r ON r.entity_no = d.entity_no AND r.stage_no = d.stage_no
)
SELECT x.entity_no, NULL::int8 AS transaction_no,
       format('match %s of account number %s in %s has line %s, which does not exist', x.number, x.account_no, x.currency, x.line) AS what
FROM members x FULL JOIN known k USING (entity_no, account_no, currency, line)
WHERE k.entity_no IS NULL AND x.number IS NOT NULL
UNION ALL
SELECT x.entity_no, x.transaction_no,
       format('match %s of account number %s in %s has this transaction, which does not exist', x.number, x.account_no, x.currency)
FROM posted x
LEFT JOIN events e ON e.entity_no = x.entity_no AND e.sequence = x.transaction_no AND e.kind IN (1, 7)
WHERE e.sequence IS NULL
UNION ALL
SELECT d.entity_no, NULL, format('a decision about match %s of account number %s in %s, which does not exist', d.number,
                                 d.account_no, d.currency)
FROM decided d FULL JOIN matches m USING (entity_no, account_no, currency, number)
WHERE m.lines IS NULL

-- name: reconciliation_doubles
-- Nothing is in two matches that hold.
WITH states AS (
    SELECT m.entity_no, m.account_no, m.currency, m.number, m.state, r.revision, m.lines, m.transactions,
           NULL::int8 AS written_off
    FROM reconciliation_matches m
    JOIN reconciliation_revisions r ON r.entity_no = m.entity_no AND r.stage_no = m.stage_no
    UNION ALL
    SELECT d.entity_no, d.account_no, d.currency, d.match_number, d.state, r.revision, NULL, NULL, d.transaction_no
    FROM reconciliation_decisions d
    JOIN reconciliation_revisions r ON r.entity_no = d.entity_no AND r.stage_no = d.stage_no
), live AS (
    SELECT entity_no, account_no, currency, number, max(lines) AS lines, max(transactions) AS transactions,
           max(written_off) AS written_off
    FROM states GROUP BY entity_no, account_no, currency, number
    HAVING (array_agg(state ORDER BY revision DESC))[1] <= 2
)
SELECT x.entity_no, NULL::int8 AS transaction_no,
       format('%s %s of account number %s in %s is in %s matches', x.what, x.member, x.account_no, x.currency, count(*)) AS what
FROM (
    SELECT l.entity_no, l.account_no, l.currency, 'line' AS what, u.member FROM live l CROSS JOIN unnest(l.lines) AS u (member)
    UNION ALL
    SELECT l.entity_no, l.account_no, l.currency, 'transaction', u.member FROM live l CROSS JOIN unnest(l.transactions) AS u (member)
    UNION ALL
    SELECT l.entity_no, l.account_no, l.currency, 'transaction', l.written_off FROM live l WHERE l.written_off IS NOT NULL
) x
GROUP BY x.entity_no, x.account_no, x.currency, x.what, x.member HAVING count(*) > 1

-- name: frozen_changes
-- What a closing that still counts has frozen is CLEARED or POSTED, and was not edited since.
SELECT f.entity_no, f.transaction_no,
       format('event %s changes what a closed reconciliation holds', e.sequence) AS what
FROM frozen_transactions f
JOIN reconciliation_revisions r ON r.entity_no = f.entity_no AND r.stage_no = f.stage_no
LEFT JOIN reconciliation_revisions o ON o.entity_no = f.entity_no AND o.reopens = f.stage_no
JOIN events e ON e.entity_no = f.entity_no AND e.transaction_no = f.transaction_no AND e.revision > 1
    AND e.sequence > r.sequence AND e.sequence < COALESCE(o.sequence, 9223372036854775807) AND e.kind IN (2, 5, 6)

-- name: triggers
-- Those that can be switched off, of all tables.
SELECT c.relname || '.' || t.tgname AS name, pg_get_triggerdef(t.oid) AS definition, t.tgenabled::text AS enabled
FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'ledger'::regnamespace AND NOT t.tgisinternal

-- name: indexes
-- Unique indexes that are in force.
SELECT c.relname AS name, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relnamespace = 'ledger'::regnamespace AND i.indisunique AND i.indisvalid AND i.indisready AND i.indimmediate

-- name: functions
-- With whose rights each runs, and under which settings.
SELECT proname AS name, prosrc AS body, prosecdef AS as_owner, COALESCE(proconfig, ARRAY[]::text[]) AS settings
FROM pg_proc WHERE pronamespace = 'ledger'::regnamespace

-- name: unknown_roles
-- $1 roles.
SELECT r.name FROM unnest($1::text[]) AS r (name) WHERE to_regrole(r.name) IS NULL

-- name: privileges
-- $1 role, or public. What it may do in effect: by itself, as a member of other roles, or as anybody may; what it is
-- a member of, whether it takes it on or only could; and what its attributes let it do.
WITH subject AS (
    SELECT $1::name AS name WHERE $1 = 'public' OR to_regrole($1) IS NOT NULL
), relations AS (
    SELECT c.oid, c.relname FROM pg_class c
    WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
)
SELECT p.privilege || ' ON ' || c.relname AS granted
FROM subject s CROSS JOIN relations c
CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']
    || CASE WHEN current_setting('server_version_num')::int >= 170000 THEN ARRAY['MAINTAIN'] ELSE '{}' END
) AS p (privilege)
WHERE has_table_privilege(s.name, c.oid, p.privilege)
UNION ALL
SELECT format('%s (%s) ON %s', p.privilege, string_agg(a.attname, ', ' ORDER BY a.attnum), c.relname)
FROM subject s CROSS JOIN relations c
CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) AS p (privilege)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE has_column_privilege(s.name, c.oid, a.attnum, p.privilege) AND NOT has_table_privilege(s.name, c.oid, p.privilege)
GROUP BY c.relname, p.privilege
UNION ALL
SELECT p.privilege || ' ON SEQUENCE ' || c.relname
FROM subject s CROSS JOIN pg_class c CROSS JOIN unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) AS p (privilege)
WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind = 'S' AND has_sequence_privilege(s.name, c.oid, p.privilege)
UNION ALL
SELECT 'EXECUTE ON FUNCTION ' || f.proname
FROM subject s CROSS JOIN pg_proc f
WHERE f.pronamespace = 'ledger'::regnamespace AND has_function_privilege(s.name, f.oid, 'EXECUTE')
UNION ALL
SELECT p.privilege || ' ON SCHEMA ' || n.nspname
FROM subject s CROSS JOIN pg_namespace n CROSS JOIN unnest(ARRAY['CREATE', 'USAGE']) AS p (privilege)
-- How far the database is migrated may everybody see.
WHERE (n.nspname = 'ledger' OR (n.nspname = 'ledger_migrations' AND p.privilege = 'CREATE'))
  AND has_schema_privilege(s.name, n.oid, p.privilege)
UNION ALL
SELECT format('membership of %s', m.rolname) FROM pg_roles r JOIN pg_roles m ON m.oid <> r.oid
WHERE r.rolname = $1 AND NOT r.rolsuper AND pg_has_role(r.oid, m.oid, 'MEMBER')
UNION ALL
SELECT a.attribute FROM pg_roles r
CROSS JOIN LATERAL (VALUES ('SUPERUSER', r.rolsuper), ('CREATEROLE', r.rolcreaterole), ('BYPASSRLS', r.rolbypassrls),
    ('REPLICATION', r.rolreplication), ('LOGIN', r.rolcanlogin)) AS a (attribute, is_set)
WHERE r.rolname = $1 AND a.is_set
UNION ALL
SELECT format('ownership of %s', pg_describe_object(d.classid, d.objid, d.objsubid))
FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid
WHERE d.refclassid = 'pg_authid'::regclass AND d.deptype = 'o' AND r.rolname = $1
  AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))

-- name: tenant_tables
-- Tables of entities' data, with what they are partitioned into.
SELECT c.relname AS name,
       CASE WHEN c.relforcerowsecurity THEN 'f' WHEN c.relrowsecurity THEN 'o' ELSE '-' END AS security,
       ARRAY(SELECT i.inhrelid::regclass::text FROM pg_inherits i WHERE i.inhparent = c.oid ORDER BY 1) AS partitions
FROM pg_class c
WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind IN ('r', 'p', 'm', 'f')
  AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'entity_no' AND NOT a.attisdropped)
ORDER BY 1

-- name: policies
SELECT c.relname AS relation, p.polname AS name,
       CASE WHEN p.polpermissive THEN '' ELSE 'RESTRICTIVE ' END
       || CASE p.polcmd WHEN '*' THEN 'ALL' WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
              ELSE 'DELETE' END
       || ' TO ' || (SELECT string_agg(COALESCE(r.rolname, 'public'), ', ' ORDER BY r.rolname)
                     FROM unnest(p.polroles) AS o (oid) LEFT JOIN pg_roles r ON r.oid = o.oid)
       || COALESCE(' USING ' || pg_get_expr(p.polqual, p.polrelid), '')
       || COALESCE(' WITH CHECK ' || pg_get_expr(p.polwithcheck, p.polrelid), '') AS definition
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
WHERE c.relnamespace = 'ledger'::regnamespace
ORDER BY 1, 2

-- name: views
-- Those that do not read as whoever asks.
SELECT relname AS name FROM pg_class
WHERE relnamespace = 'ledger'::regnamespace AND relkind = 'v'
  AND NOT COALESCE('security_invoker=true' = ANY (reloptions), false)
