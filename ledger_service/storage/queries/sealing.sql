-- name: sealed_up_to
-- $1 entity number.
SELECT last_sequence FROM seals WHERE entity_no = $1 ORDER BY last_sequence DESC LIMIT 1

-- name: recorded_at
-- $1 entity number, $2 sequence.
SELECT recorded_time FROM events WHERE entity_no = $1 AND sequence = $2

-- name: nodes
-- $1 entity number, $2 levels, $3 indexes, $4 the lowest level that is kept. The hashes of these subtrees: each stands
-- in the seal that completed it, at the place that domain.sealing.tree.stored_place says.
SELECT n.level, n.index, substring(s.nodes FROM 32 * (p.lower + n.index - (s.before >> n.level))::int4 + 1 FOR 32) AS hash
FROM unnest($2::int4[], $3::int8[]) AS n (level, index)
CROSS JOIN LATERAL (
    SELECT w.first_sequence - 1 AS before, w.last_sequence AS after, w.nodes FROM seals w
    WHERE w.entity_no = $1 AND w.last_sequence >= (n.index + 1) << n.level
    ORDER BY w.last_sequence LIMIT 1
) s
CROSS JOIN LATERAL (
    SELECT COALESCE(sum((s.after >> l) - (s.before >> l)), 0) AS lower FROM generate_series($4::int4, n.level - 1) AS l
) p

-- name: newest_heads
-- $1 entity ids, or NULL. The newest seal of each, with when its last event was recorded, in microseconds since 1970.
SELECT e.entity_id, s.last_sequence, s.peaks,
       (extract(epoch FROM v.recorded_time) * 1000000)::int8 AS recorded
FROM entities e
CROSS JOIN LATERAL (
    SELECT w.last_sequence, w.peaks FROM seals w WHERE w.entity_no = e.entity_no ORDER BY w.last_sequence DESC LIMIT 1
) s
CROSS JOIN LATERAL (
    SELECT y.recorded_time FROM events y WHERE y.entity_no = e.entity_no AND y.sequence = s.last_sequence LIMIT 1
) v
WHERE $1::text[] IS NULL OR e.entity_id = ANY ($1::text[])
ORDER BY e.entity_id

-- name: sealed_events
-- $1 entity number, $2 after these sequences, $3 up to these. Columns as domain.decide.book.EventRow has them.
SELECT v.entity_no, v.sequence, v.kind, v.span, v.recorded_time, v.actor, v.idempotency_key, v.request_hash,
       v.transaction_no, v.revision, v.status, v.postings_at, v.effective_time, v.expire_time, v.description,
       v.reference, v.counterparty, v.category_id, v.metadata, v.reverses, v.account_no, v.detail
FROM unnest($2::int8[], $3::int8[]) AS r (before, last)
CROSS JOIN LATERAL (
    SELECT e.* FROM events e WHERE e.entity_no = $1 AND e.sequence > r.before AND e.sequence <= r.last OFFSET 0
) v
ORDER BY v.sequence

-- name: sealed_entries
-- The same of entries; columns as domain.decide.book.EntryRow has them.
SELECT x.entity_no, x.account_no, x.currency, x.number, x.sequence, x.kind, x.leg, x.side, x.amount, x.debits_posted,
       x.credits_posted, x.debits_pending, x.credits_pending, x.effective_time, x.latest_effective, x.wide
FROM unnest($2::int8[], $3::int8[]) AS r (before, last)
CROSS JOIN LATERAL (
    SELECT e.* FROM entries e WHERE e.entity_no = $1 AND e.sequence > r.before AND e.sequence <= r.last OFFSET 0
) x
ORDER BY x.sequence

-- name: unsealed
-- Entities whose history goes on after their last seal: for `migrate`.
SELECT e.entity_no, COALESCE(s.last_sequence, 0) AS sealed, s.peaks, l.sequence
FROM entities e
CROSS JOIN LATERAL (
    SELECT v.sequence FROM events v WHERE v.entity_no = e.entity_no ORDER BY v.sequence DESC LIMIT 1
) l
LEFT JOIN LATERAL (
    SELECT w.last_sequence, w.peaks FROM seals w WHERE w.entity_no = e.entity_no ORDER BY w.last_sequence DESC LIMIT 1
) s ON true
WHERE l.sequence > COALESCE(s.last_sequence, 0)
ORDER BY e.entity_no
