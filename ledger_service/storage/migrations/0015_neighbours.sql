-- Entities that are written side by side leave each other alone (docs/decisions/0023). Under SERIALIZABLE a look into an
-- index takes the whole page that it lands on, and on young or small ledgers entities share pages: a check that looks
-- while others still insert makes of each pair of them a conflict. So what a commit follows is looked at in the COMMIT,
-- when all rows of the database transaction are in, and that it has its seal without a look.

-- Drawn by the writer for each try: by it alone it knows its own work again, when COMMIT has no answer. NULL: sealed by
-- `migrate`, or before this migration.
ALTER TABLE ledger.seals ADD COLUMN mark int8;

-- As in 0013, without what the events follow: check_sealed sees to that.
CREATE OR REPLACE FUNCTION ledger.check_events() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
DECLARE
    run record;
    broken record;
    has_open bool := false;
BEGIN
    FOR run IN
        WITH runs AS MATERIALIZED (
            SELECT entity_no, min(sequence) AS first, max(sequence) AS last, count(*) AS events,
                   min(recorded_time) AS recorded, max(recorded_time) AS latest, bit_or(1 << kind) AS kinds,
                   bool_or(revision > 1) AS changes, bool_or(status <= 2) AS leaves_open,
                   bool_or(category_id IS NOT NULL AND kind IN (1, 13)) AS categorized
            FROM new_events GROUP BY entity_no
        ), written AS (
            INSERT INTO commits (entity_no, first_sequence, last_sequence, recorded_time, writer, kinds)
            SELECT entity_no, first, last, recorded, pg_current_xact_id(), kinds FROM runs ORDER BY entity_no
        )
        SELECT r.*, e.state
        FROM runs r
        LEFT JOIN LATERAL (SELECT e.state FROM entities e WHERE e.entity_no = r.entity_no LIMIT 1) e ON true
        ORDER BY r.entity_no
    LOOP
        -- Archived, only what expires by itself (kind 6) goes on.
        IF run.state IS NULL OR (run.state <> 1 AND run.kinds <> (1 << 6)) THEN
            RAISE EXCEPTION 'entity % does not exist or is archived', run.entity_no
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF run.events <> run.last - run.first + 1 THEN
            RAISE EXCEPTION 'sequence of entity % has a gap between % and %', run.entity_no, run.first, run.last
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        -- One database transaction, one recorded time: what was committed together was known together.
        IF run.recorded <> run.latest THEN
            RAISE EXCEPTION 'events % to % of entity % are recorded at several times', run.first, run.last, run.entity_no
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF run.changes THEN
            PERFORM check_lives(run.entity_no, run.first, run.last);
        END IF;
        has_open := has_open OR run.leaves_open;
        IF run.kinds & (1 << 7) <> 0 THEN
            SELECT n.sequence INTO broken FROM events n
            LEFT JOIN LATERAL (
                SELECT o.sequence, o.status FROM events o
                WHERE o.entity_no = n.entity_no AND o.sequence BETWEEN n.reverses AND n.reverses
                  AND o.sequence < n.sequence AND o.kind = 1
                ORDER BY o.sequence LIMIT 1
            ) o ON true
            LEFT JOIN LATERAL (
                SELECT l.status FROM events l
                WHERE l.entity_no = n.entity_no AND l.transaction_no = o.sequence AND l.revision > 1
                  AND l.sequence < n.sequence
                ORDER BY l.revision DESC LIMIT 1
            ) l ON true
            WHERE n.entity_no = run.entity_no AND n.sequence BETWEEN run.first AND run.last AND n.kind = 7
              AND COALESCE(l.status, o.status, 0) <> 3
            ORDER BY n.sequence LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'event % of entity % reverses what is not posted', broken.sequence, run.entity_no
                    USING ERRCODE = 'integrity_constraint_violation';
            END IF;
        END IF;
        IF run.categorized THEN
            SELECT n.sequence INTO broken FROM events n
            WHERE n.entity_no = run.entity_no AND n.sequence BETWEEN run.first AND run.last
              AND n.category_id IS NOT NULL AND n.kind IN (1, 13)
              AND NOT EXISTS (
                  SELECT FROM categories c WHERE c.entity_no = n.entity_no AND c.category_id = n.category_id)
              -- Its row comes after the events, which it must agree with: of a new one only the event is there.
              AND NOT EXISTS (
                  SELECT FROM events e WHERE e.entity_no = n.entity_no AND e.sequence BETWEEN run.first AND run.last
                    AND e.sequence < n.sequence AND e.kind = 14 AND e.category_id = n.category_id)
            LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'event % of entity % names a category that does not exist', broken.sequence,
                    run.entity_no USING ERRCODE = 'integrity_constraint_violation';
            END IF;
        END IF;
    END LOOP;
    IF has_open THEN
        INSERT INTO open_transactions (entity_no, transaction_no, sequence, expire_time)
        SELECT n.entity_no, n.transaction_no, n.sequence, n.expire_time
        FROM (
            SELECT DISTINCT ON (entity_no, transaction_no) entity_no, transaction_no, sequence, status, expire_time
            FROM new_events WHERE transaction_no IS NOT NULL
            ORDER BY entity_no, transaction_no, revision DESC
        ) n
        WHERE n.status <= 2;
    END IF;
    RETURN NULL;
END $$;

-- At COMMIT: events go on where the ones before them ended, not before they were recorded; and not without their seal.
CREATE OR REPLACE FUNCTION ledger.check_sealed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
DECLARE
    previous timestamptz;
BEGIN
    IF NEW.first_sequence > 1 THEN
        SELECT e.recorded_time INTO previous FROM events e
        WHERE e.entity_no = NEW.entity_no AND e.sequence = NEW.first_sequence - 1;
        IF previous IS NULL THEN
            RAISE EXCEPTION 'sequence of entity % has a gap before %', NEW.entity_no, NEW.first_sequence
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF NEW.recorded_time < previous THEN
            RAISE EXCEPTION 'recorded time of entity % goes back at %', NEW.entity_no, NEW.first_sequence
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;
    -- A unique index is not read by the snapshot: what it refuses is no look that others could be in conflict with, a
    -- query would be. So a seal like it is offered. If it is taken, there was none.
    INSERT INTO seals (entity_no, first_sequence, last_sequence, version, peaks, nodes)
    VALUES (NEW.entity_no, NEW.first_sequence, NEW.last_sequence, 1,
            decode(repeat('00', 32 * bit_count(NEW.last_sequence::bit(64))::int4), 'hex'), '')
    ON CONFLICT (entity_no, last_sequence) DO NOTHING;
    IF FOUND THEN
        RAISE EXCEPTION 'events % to % of entity % are not sealed', NEW.first_sequence, NEW.last_sequence, NEW.entity_no
            USING ERRCODE = 'integrity_constraint_violation',
                  HINT = 'A process of a release before seals still writes to this database: end it.';
    END IF;
    RETURN NULL;
END $$;
