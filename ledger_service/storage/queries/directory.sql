-- What belongs to no single entity, as ledger_directory: of events only the numbers, of accounts and entries nothing.

-- name: entity
-- $1 entity id.
SELECT e.*, (SELECT v.sequence FROM events v WHERE v.entity_no = e.entity_no ORDER BY v.sequence DESC LIMIT 1) AS sequence
FROM entities e WHERE e.entity_id = $1

-- name: entity_numbered
-- $1 entity number.
SELECT e.*, (SELECT v.sequence FROM events v WHERE v.entity_no = e.entity_no ORDER BY v.sequence DESC LIMIT 1) AS sequence
FROM entities e WHERE e.entity_no = $1

-- name: ping
SELECT 1

-- name: entities
-- $1 ids that may be seen (NULL: all), $2 after this id, $3 limit.
SELECT e.*, (SELECT v.sequence FROM events v WHERE v.entity_no = e.entity_no ORDER BY v.sequence DESC LIMIT 1) AS sequence
FROM entities e WHERE ($1::text[] IS NULL OR e.entity_id = ANY ($1)) AND e.entity_id > $2
ORDER BY e.entity_id LIMIT $3

-- name: last_sequences
-- $1 entity numbers.
SELECT w.entity_no, l.sequence FROM unnest($1::int4[]) AS w (entity_no)
CROSS JOIN LATERAL (
    SELECT v.sequence FROM events v WHERE v.entity_no = w.entity_no ORDER BY v.sequence DESC LIMIT 1
) l

-- name: entities_due
-- $1 shift of the clock, $2 limit. Entities with transactions whose time is over.
SELECT DISTINCT entity_no FROM (
    SELECT entity_no FROM open_transactions WHERE expire_time <= clock_timestamp() + $1::interval
    ORDER BY expire_time LIMIT $2
) d

-- name: currencies
SELECT code, exponent FROM currencies

-- name: secret
SELECT value FROM secrets WHERE name = $1

-- name: credentials
-- $1 digest of the token.
SELECT credential_id, name, scopes, entity_ids, expire_time, revoked_time FROM credentials WHERE token_hmac = $1

-- name: certificates
-- $1 names in the certificate.
SELECT credential_id, name, scopes, entity_ids, expire_time, revoked_time FROM credentials
WHERE certificate_san = ANY ($1) AND revoked_time IS NULL
