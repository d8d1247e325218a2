-- Tamper evidence (docs/decisions/0021): each commit seals what it adds to an entity. A seal is the entity's history
-- tree after the commit, a hash tree over the canonical bytes of all its events with their entries
-- (domain/sealing/record.py, tree.py). The committer works it out and writes it in the same database transaction.
--
-- What was there before is sealed by `migrate` (storage/sealing.py), in seals of many events each.

CREATE TABLE ledger.seals (
    entity_no      int4 NOT NULL,
    -- The events that this seal adds to the tree; of a commit, all of its events in the entity.
    first_sequence int8 NOT NULL CHECK (first_sequence >= 1),
    -- And with the last one the tree's size.
    last_sequence  int8 NOT NULL,
    -- Of the canonical bytes.
    version        int2 NOT NULL CHECK (version = 1),
    -- The hashes of the tree's largest complete subtrees from left to right, one for each bit of its size.
    peaks          bytea NOT NULL,
    -- The hashes of the subtrees of 64 events and more that these events completed, by level, then from left to right:
    -- what a proof would otherwise have to work out from all events.
    nodes          bytea NOT NULL,
    PRIMARY KEY (entity_no, last_sequence),
    CHECK (first_sequence <= last_sequence),
    CHECK (octet_length(peaks) = 32 * bit_count(last_sequence::bit(64))),
    CHECK (octet_length(nodes) % 32 = 0)
);
-- Hashes do not compress, and proofs take single ones out of the middle.
ALTER TABLE ledger.seals ALTER COLUMN nodes SET STORAGE EXTERNAL, ALTER COLUMN peaks SET STORAGE PLAIN;
ALTER TABLE ledger.seals SET (autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.2);

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.seals
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- A seal is that of a commit; or, of what was there before seals, goes on where the one before it ended. Whether its
-- hashes are right only `verify` can tell; but one beyond the history, or beside it, would keep the next commit from
-- being sealed. Row by row: a plan over a transition table is made anew each time, and takes ten times as long.
CREATE FUNCTION ledger.check_seal() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM commits c WHERE c.entity_no = NEW.entity_no AND c.last_sequence = NEW.last_sequence
          AND c.first_sequence = NEW.first_sequence
    ) AND NOT (
        EXISTS (SELECT FROM events e WHERE e.entity_no = NEW.entity_no AND e.sequence = NEW.last_sequence)
        AND (NEW.first_sequence = 1 OR EXISTS (
            SELECT FROM seals s WHERE s.entity_no = NEW.entity_no AND s.last_sequence = NEW.first_sequence - 1))
    ) THEN
        RAISE EXCEPTION 'seal % to % of entity % does not follow the one before it, or has no events',
            NEW.first_sequence, NEW.last_sequence, NEW.entity_no
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER check_seal AFTER INSERT ON ledger.seals FOR EACH ROW EXECUTE FUNCTION ledger.check_seal();

-- At COMMIT: no events without their seal.
CREATE FUNCTION ledger.check_sealed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM seals s WHERE s.entity_no = NEW.entity_no AND s.last_sequence = NEW.last_sequence
          AND s.first_sequence = NEW.first_sequence
    ) THEN
        RAISE EXCEPTION 'events % to % of entity % are not sealed', NEW.first_sequence, NEW.last_sequence, NEW.entity_no
            USING ERRCODE = 'integrity_constraint_violation',
                  HINT = 'A process of a release before seals still writes to this database: end it.';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER check_sealed AFTER INSERT ON ledger.commits DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ledger.check_sealed();

REVOKE ALL ON FUNCTION ledger.check_seal, ledger.check_sealed FROM PUBLIC;
SELECT ledger.protect('ledger.seals');
GRANT SELECT ON ledger.seals TO ledger_service, ledger_reader, ledger_auditor;
GRANT INSERT ON ledger.seals TO ledger_service;
