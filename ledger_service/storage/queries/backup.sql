-- name: is_there
SELECT to_regclass('ledger_migrations.applied') IS NOT NULL AND to_regclass('ledger.events') IS NOT NULL

-- name: migrations
SELECT number, name, digest FROM ledger_migrations.applied ORDER BY number

-- name: columns
-- Of the tables that the digests are over, but for those that follow from others.
SELECT c.relname AS table_name, array_agg(a.attname::text ORDER BY a.attnum) AS columns
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.oid IN ('ledger.events'::regclass, 'ledger.entries'::regclass)
  AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
GROUP BY c.relname

-- name: tables
SELECT n.nspname || '.' || c.relname AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('ledger', 'ledger_migrations') AND c.relkind IN ('r', 'p')
ORDER BY 1

-- name: highest_writer
SELECT COALESCE(max(writer), '0')::text FROM ledger.commits

-- name: entities
SELECT e.entity_no, e.entity_id, l.sequence
FROM ledger.entities e
CROSS JOIN LATERAL (
    SELECT v.sequence FROM ledger.events v WHERE v.entity_no = e.entity_no ORDER BY v.sequence DESC LIMIT 1
) l
ORDER BY e.entity_id

-- name: foreign_object
-- Something that is in a database which ought to be empty.
SELECT 'the schema ' || nspname FROM pg_namespace WHERE nspname IN ('ledger', 'ledger_migrations')
UNION ALL
SELECT n.nspname || '.' || c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_toast%'
  AND n.nspname NOT LIKE 'pg\_temp%'
  -- What belongs to an extension, such as a view of statistics that the operator's template brings, is no ledger.
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
LIMIT 1
