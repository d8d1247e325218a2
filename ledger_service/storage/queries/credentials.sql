-- name: insert
INSERT INTO credentials (
    credential_id, name, token_hmac, token_prefix, certificate_san, scopes, entity_ids, created_time, expire_time
)
VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp(), $8)

-- name: all_of_them
SELECT credential_id, name, token_prefix, certificate_san, scopes, entity_ids, created_time, expire_time, revoked_time
FROM credentials ORDER BY created_time, credential_id

-- name: live_by_name
-- $1 name. Oldest first. Locked, so that two rotations at a time do not both build on the same key.
SELECT credential_id, name, token_prefix, certificate_san, scopes, entity_ids, created_time, expire_time, revoked_time
FROM credentials
WHERE name = $1 AND revoked_time IS NULL AND (expire_time IS NULL OR expire_time > clock_timestamp())
ORDER BY created_time, credential_id
FOR UPDATE

-- name: end_by
-- $1 id, $2 when at the latest.
UPDATE credentials SET expire_time = LEAST(expire_time, $2) WHERE credential_id = $1

-- name: revoke
-- $1 id, or the prefix of the token.
UPDATE credentials SET revoked_time = clock_timestamp()
WHERE (credential_id = $1 OR token_prefix = $1) AND revoked_time IS NULL
RETURNING credential_id
