-- name: insert
INSERT INTO credentials (credential_id, name, token_hmac, scopes, entity_ids, created_time, expire_time)
VALUES ($1, $2, $3, $4, $5, clock_timestamp(), $6)

-- name: all_of_them
SELECT credential_id, name, scopes, entity_ids, created_time, expire_time, revoked_time
FROM credentials ORDER BY created_time, credential_id

-- name: revoke
UPDATE credentials SET revoked_time = clock_timestamp() WHERE credential_id = $1 AND revoked_time IS NULL
