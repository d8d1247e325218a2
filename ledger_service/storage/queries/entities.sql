-- name: insert_entity
INSERT INTO entities (entity_id, id_key, name, time_zone, state, metadata, created_time, updated_time, revision)
VALUES ($1, $2, $3, $4, 1, $5, statement_timestamp(), statement_timestamp(), 1)
RETURNING entity_no, created_time

-- name: insert_first_event
INSERT INTO events_inlet (entity_no, sequence, kind, span, recorded_time, actor, request_hash, detail)
VALUES ($1, 1, 11, 1, $2, $3, $4, $5)
