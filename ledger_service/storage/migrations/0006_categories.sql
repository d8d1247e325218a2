-- Categories of transactions, and what accounts say about themselves beyond their type.
--
-- A category is an annotation: giving one to a transaction is a revision of it that may follow any other, a final
-- one as well, and changes nothing but the category (event kind 13). Categories have events of their own (14, 15).

CREATE TABLE ledger.categories (
    entity_no    int4 NOT NULL REFERENCES ledger.entities,
    -- The sequence of the event that created it.
    category_no  int8 NOT NULL,
    category_id  text COLLATE "C" NOT NULL,
    name         text COLLATE "C" NOT NULL,
    -- 1 ACTIVE, 2 ARCHIVED
    state        int2 NOT NULL CHECK (state IN (1, 2)),
    metadata     jsonb,
    created_time timestamptz NOT NULL,
    updated_time timestamptz NOT NULL,
    sequence     int8 NOT NULL,
    revision     int4 NOT NULL CHECK (revision >= 1),
    PRIMARY KEY (entity_no, category_no),
    UNIQUE (entity_no, category_id)
);
CREATE UNIQUE INDEX categories_by_name ON ledger.categories (entity_no, name) WHERE state = 1;

ALTER TABLE ledger.accounts
    ADD COLUMN financial_type text,
    ADD COLUMN sub_type_code text,
    ADD COLUMN is_category bool NOT NULL DEFAULT false,
    ADD COLUMN bank_account jsonb;

-- The same rules with the new kinds: 13 category of a transaction changed, 14 category created, 15 category changed.
ALTER TABLE ledger.events
    DROP CONSTRAINT events_kind_check,
    DROP CONSTRAINT events_check2,
    DROP CONSTRAINT events_check4,
    ADD CONSTRAINT events_check_kind CHECK (kind BETWEEN 1 AND 15),
    ADD CONSTRAINT events_check_other CHECK (
        kind <= 7 OR kind = 13 OR num_nonnulls(transaction_no, revision, status, postings_at, reverses) = 0
    ),
    ADD CONSTRAINT events_check_shape CHECK (
        CASE
            WHEN kind <= 7 OR kind = 13 THEN
                transaction_no IS NOT NULL AND revision IS NOT NULL AND status IS NOT NULL
                AND postings_at IS NOT NULL AND effective_time IS NOT NULL
                AND (kind IN (1, 7)) = (revision = 1 AND transaction_no = sequence)
                AND (kind = 7) = (reverses IS NOT NULL AND revision = 1)
                AND CASE kind WHEN 1 THEN status <= 3 WHEN 2 THEN status <= 2 WHEN 3 THEN status = 2
                    WHEN 4 THEN status = 3 WHEN 5 THEN status = 4 WHEN 6 THEN status = 5 WHEN 13 THEN true
                    ELSE status = 3 END
            WHEN kind = 8 THEN idempotency_key IS NOT NULL AND detail IS NOT NULL
            WHEN kind IN (9, 10) THEN account_no IS NOT NULL AND detail IS NOT NULL
            WHEN kind IN (14, 15) THEN category_id IS NOT NULL AND detail IS NOT NULL
            ELSE detail IS NOT NULL
        END
    );

CREATE OR REPLACE FUNCTION ledger.check_events() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
DECLARE
    run record;
    previous record;
    broken record;
BEGIN
    FOR run IN
        SELECT entity_no, min(sequence) AS first, max(sequence) AS last, count(*) AS events,
               min(recorded_time) AS recorded, max(recorded_time) AS latest,
               bool_or(revision > 1 OR status <= 2) AS unsettled,
               bool_or(kind = 7) AS reversals, bool_and(kind = 6) AS expiries_only,
               bool_or(category_id IS NOT NULL AND kind IN (1, 13)) AS categorized
        FROM new_events GROUP BY entity_no ORDER BY entity_no
    LOOP
        -- Archived, only what expires by itself goes on.
        IF NOT EXISTS (SELECT FROM entities WHERE entity_no = run.entity_no AND (state = 1 OR run.expiries_only)) THEN
            RAISE EXCEPTION 'entity % does not exist or is archived', run.entity_no
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        SELECT e.sequence, e.recorded_time INTO previous FROM events e
        WHERE e.entity_no = run.entity_no AND e.sequence < run.first ORDER BY e.sequence DESC LIMIT 1;
        IF run.first <> COALESCE(previous.sequence, 0) + 1 OR run.events <> run.last - run.first + 1 THEN
            RAISE EXCEPTION 'sequence of entity % has a gap before %', run.entity_no, run.first
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        -- One database transaction, one recorded time: what was committed together was known together.
        IF run.recorded <> run.latest OR run.recorded < previous.recorded_time THEN
            RAISE EXCEPTION 'recorded time of entity % goes back at %', run.entity_no, run.first
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF run.unsettled THEN
            PERFORM check_lives(run.entity_no, run.first, run.last);
        END IF;
        IF run.reversals THEN
            SELECT n.sequence INTO broken FROM events n
            LEFT JOIN events o ON o.entity_no = n.entity_no AND o.sequence = n.reverses AND o.sequence < n.sequence
                AND o.kind = 1
            LEFT JOIN LATERAL (
                SELECT l.status FROM events l
                WHERE l.entity_no = o.entity_no AND l.transaction_no = o.sequence AND l.revision > 1
                  AND l.sequence < n.sequence
                ORDER BY l.revision DESC LIMIT 1
            ) l ON true
            WHERE n.entity_no = run.entity_no AND n.sequence BETWEEN run.first AND run.last AND n.kind = 7
              AND COALESCE(l.status, o.status, 0) <> 3
            LIMIT 1;
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
        INSERT INTO commits VALUES (run.entity_no, run.first, run.last, run.recorded, pg_current_xact_id());
    END LOOP;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION ledger.check_lives(entity int4, first int8, last int8) RETURNS void LANGUAGE plpgsql
SET search_path = ledger, pg_temp AS $$
DECLARE
    broken record;
BEGIN
    SELECT n.sequence INTO broken
    FROM events n
    LEFT JOIN LATERAL (
        SELECT p.* FROM events p
        WHERE n.revision = 2 AND p.entity_no = entity AND p.sequence = n.transaction_no
        UNION ALL
        SELECT p.* FROM events p
        WHERE n.revision > 2 AND p.entity_no = entity AND p.transaction_no = n.transaction_no
          AND p.revision = n.revision - 1 AND p.revision > 1
        LIMIT 1
    ) p ON true
    WHERE n.entity_no = entity AND n.sequence BETWEEN first AND last AND n.revision > 1
      AND (p.sequence IS NULL OR p.sequence >= n.sequence
           -- A category is an annotation: it may change when all else is final.
           OR (n.kind <> 13 AND p.status > 2)
           OR (n.kind = 3 AND p.status <> 1)
           OR (n.kind IN (2, 13) AND n.status <> p.status)
           OR (n.postings_at <> p.postings_at AND (n.postings_at <> n.sequence OR n.kind NOT IN (2, 4)))
           -- Whose time is over while it is open expires, and does nothing else.
           OR (p.status <= 2 AND (n.kind = 6) IS DISTINCT FROM COALESCE(n.expire_time <= n.recorded_time, false))
           OR (n.kind <> 2 AND n.description IS DISTINCT FROM p.description)
           OR (n.kind <> 13 AND n.category_id IS DISTINCT FROM p.category_id)
           OR (n.effective_time, n.expire_time, n.reference, n.counterparty, n.metadata, n.reverses)
              IS DISTINCT FROM
              (p.effective_time, p.expire_time, p.reference, p.counterparty, p.metadata, p.reverses))
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'event % of entity % does not follow from the revision before it', broken.sequence, entity
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;

    DELETE FROM open_transactions WHERE entity_no = entity AND transaction_no = ANY (ARRAY(
        SELECT n.transaction_no FROM events n
        WHERE n.entity_no = entity AND n.sequence BETWEEN first AND last AND n.revision > 1));
    INSERT INTO open_transactions (entity_no, transaction_no, sequence, expire_time)
    SELECT entity, n.transaction_no, n.sequence, n.expire_time
    FROM (
        SELECT DISTINCT ON (transaction_no) transaction_no, sequence, status, expire_time FROM events
        WHERE entity_no = entity AND sequence BETWEEN first AND last AND transaction_no IS NOT NULL
        ORDER BY transaction_no, revision DESC
    ) n
    WHERE n.status <= 2;
END $$;

-- A category is what its newest event says: each change of the row has its event in the same database transaction.
CREATE FUNCTION ledger.check_category() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM commits c JOIN events e ON e.entity_no = c.entity_no AND e.sequence = NEW.sequence
            AND e.sequence BETWEEN c.first_sequence AND c.last_sequence
        WHERE c.entity_no = NEW.entity_no AND c.writer = pg_current_xact_id() AND e.category_id = NEW.category_id
          AND e.kind = CASE TG_OP WHEN 'INSERT' THEN 14 ELSE 15 END
          AND (e.detail ->> 'name', e.detail ->> 'state', e.detail ->> 'revision', e.detail ->> 'category_no',
               (e.detail ->> 'metadata')::jsonb)
              IS NOT DISTINCT FROM (NEW.name, NEW.state::text, NEW.revision::text, NEW.category_no::text, NEW.metadata)
    ) OR (TG_OP = 'INSERT' AND NEW.category_no <> NEW.sequence) THEN
        RAISE EXCEPTION 'category % of entity % is not what its event says', NEW.category_id, NEW.entity_no
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF TG_OP = 'UPDATE' AND (
        (NEW.entity_no, NEW.category_no, NEW.category_id, NEW.created_time)
            IS DISTINCT FROM (OLD.entity_no, OLD.category_no, OLD.category_id, OLD.created_time)
        OR NEW.revision <> OLD.revision + 1 OR OLD.state = 2
    ) THEN
        RAISE EXCEPTION 'category % of entity %: change refused', OLD.category_id, OLD.entity_no
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER check_category AFTER INSERT OR UPDATE ON ledger.categories
    FOR EACH ROW EXECUTE FUNCTION ledger.check_category();
CREATE TRIGGER immutable BEFORE DELETE OR TRUNCATE ON ledger.categories
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- Transactions as they are now: the newest revision, with what only the first one says.
CREATE OR REPLACE VIEW ledger.transactions WITH (security_invoker = true) AS
-- transaction_no is the sequence of the first revision; taken from there, the primary key finds it.
SELECT c.entity_no, c.sequence AS transaction_no,
       COALESCE(v.revision, c.revision) AS revision,
       COALESCE(v.sequence, c.sequence) AS sequence,
       COALESCE(v.status, c.status) AS status,
       COALESCE(v.postings_at, c.postings_at) AS postings_at,
       c.effective_time, c.expire_time,
       c.recorded_time AS created_time,
       COALESCE(v.recorded_time, c.recorded_time) AS recorded_time,
       COALESCE(v.actor, c.actor) AS actor,
       c.idempotency_key,
       CASE WHEN v.revision IS NULL THEN c.description ELSE v.description END AS description,
       c.reference, c.counterparty,
       CASE WHEN v.revision IS NULL THEN c.category_id ELSE v.category_id END AS category_id,
       c.metadata, c.reverses
FROM ledger.events c
LEFT JOIN LATERAL (
    SELECT e.revision, e.sequence, e.status, e.postings_at, e.recorded_time, e.actor, e.description, e.category_id
    FROM ledger.events e
    WHERE e.entity_no = c.entity_no AND e.transaction_no = c.transaction_no AND e.revision > 1
    ORDER BY e.revision DESC LIMIT 1
) v ON true
WHERE c.revision = 1;


REVOKE ALL ON FUNCTION ledger.check_category FROM PUBLIC;
SELECT ledger.protect('ledger.categories');
GRANT SELECT ON ledger.categories TO ledger_service, ledger_reader, ledger_auditor;
GRANT INSERT ON ledger.categories TO ledger_service;
GRANT UPDATE (name, state, metadata, updated_time, sequence, revision) ON ledger.categories TO ledger_service;
GRANT UPDATE (financial_type, sub_type_code, is_category, bank_account) ON ledger.accounts TO ledger_service;
