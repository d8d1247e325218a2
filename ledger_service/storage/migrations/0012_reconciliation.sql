-- Reconciliation: what banks say about accounts, and how it was matched with the ledger.
--
-- All of it is facts that are added and never changed. A change of an account's reconciliation is prepared outside of
-- the entity's lock: its facts are written under a *stage*, a number of their own, and mean nothing yet. Then the
-- committer writes one small event (kind 16) and one row of reconciliation_revisions that names the stage: from then
-- on its facts are so. It does that only if the reconciliation is still at the revision that the change was worked out
-- for; what was staged for another one is never looked at, and is deleted some time. So a file of 100,000 lines holds
-- up nobody's postings, and is taken in whole or not at all.

-- The same rules with the new kind: 16 reconciliation changed.
ALTER TABLE ledger.events
    DROP CONSTRAINT events_check_kind,
    DROP CONSTRAINT events_check_shape,
    ADD CONSTRAINT events_check_kind CHECK (kind BETWEEN 1 AND 16),
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
            WHEN kind IN (9, 10, 16) THEN account_no IS NOT NULL AND detail IS NOT NULL
            WHEN kind IN (14, 15) THEN category_id IS NOT NULL AND detail IS NOT NULL
            ELSE detail IS NOT NULL
        END
    );

-- What is being prepared, and what has come of it.
CREATE TABLE ledger.reconciliation_stages (
    entity_no    int4 NOT NULL,
    stage_no     int8 NOT NULL,
    account_no   int8 NOT NULL,
    currency     text COLLATE "C" NOT NULL,
    created_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (entity_no, stage_no)
);
CREATE INDEX reconciliation_stages_by_account ON ledger.reconciliation_stages (entity_no, account_no, currency, stage_no);

-- The changes of each account's reconciliation in a currency, in their order.
CREATE TABLE ledger.reconciliation_revisions (
    entity_no  int4 NOT NULL,
    account_no int8 NOT NULL,
    currency   text COLLATE "C" NOT NULL,
    revision   int8 NOT NULL CHECK (revision >= 1),
    stage_no   int8 NOT NULL,
    -- application.reconciling.records.Action: 1 started, 2 profile changed, 3 statement imported, 4 rules run, 5 match
    -- created, 6 matches confirmed, 7 rejected, 8 undone, 9 closed, 10 reopened
    action     int2 NOT NULL CHECK (action BETWEEN 1 AND 10),
    sequence   int8 NOT NULL,
    -- The stage of the closing that this change takes back.
    reopens    int8,
    PRIMARY KEY (entity_no, account_no, currency, revision),
    UNIQUE (entity_no, stage_no),
    FOREIGN KEY (entity_no, account_no) REFERENCES ledger.accounts (entity_no, account_no),
    -- Locks the stage's row: of counting a stage and dropping it only one can happen.
    FOREIGN KEY (entity_no, stage_no) REFERENCES ledger.reconciliation_stages (entity_no, stage_no),
    CHECK ((action = 10) = (reopens IS NOT NULL))
);
CREATE UNIQUE INDEX reconciliation_reopenings ON ledger.reconciliation_revisions (entity_no, reopens) WHERE reopens IS NOT NULL;

CREATE TABLE ledger.reconciliation_profiles (
    entity_no int4 NOT NULL,
    stage_no  int8 NOT NULL,
    profile   jsonb NOT NULL,
    PRIMARY KEY (entity_no, stage_no)
);

CREATE TABLE ledger.statement_files (
    entity_no int4 NOT NULL,
    stage_no  int8 NOT NULL,
    sha256    bytea NOT NULL CHECK (octet_length(sha256) = 32),
    name      text NOT NULL,
    format    text NOT NULL,
    bytes     int8 NOT NULL CHECK (bytes > 0),
    PRIMARY KEY (entity_no, stage_no)
);

CREATE TABLE ledger.statements (
    entity_no        int4 NOT NULL,
    account_no       int8 NOT NULL,
    currency         text COLLATE "C" NOT NULL,
    number           int8 NOT NULL CHECK (number >= 1),
    stage_no         int8 NOT NULL,
    bank_number      text NOT NULL,
    bank_account     text NOT NULL,
    opening_balance  numeric(38, 0),
    opening_date     date,
    closing_balance  numeric(38, 0),
    closing_date     date,
    lines            int4 NOT NULL CHECK (lines >= 0),
    known_lines      int4 NOT NULL CHECK (known_lines >= 0),
    sum              numeric(38, 0) NOT NULL,
    contradictions   text[] NOT NULL,
    PRIMARY KEY (entity_no, stage_no, number)
);
CREATE INDEX statements_by_number ON ledger.statements (entity_no, account_no, currency, number);

CREATE TABLE ledger.statement_lines (
    entity_no            int4 NOT NULL,
    account_no           int8 NOT NULL,
    currency             text COLLATE "C" NOT NULL,
    number               int8 NOT NULL CHECK (number >= 1),
    stage_no             int8 NOT NULL,
    statement_number     int8 NOT NULL,
    booking_date         date NOT NULL,
    value_date           date NOT NULL,
    -- In the sense of the account's normal side.
    amount               numeric(38, 0) NOT NULL,
    counterparty         text NOT NULL,
    counterparty_account text NOT NULL,
    refs                 text[] NOT NULL,
    text                 text NOT NULL,
    bank_code            text NOT NULL,
    -- Of the payments that the bank says it has booked as this line.
    parts                numeric(38, 0)[] NOT NULL,
    raw                  text NOT NULL,
    -- The same for the same line in another file: what is in it, and which of several alike on a day it is.
    identity             bytea NOT NULL CHECK (octet_length(identity) = 16),
    PRIMARY KEY (entity_no, stage_no, number)
);
CREATE INDEX statement_lines_by_number ON ledger.statement_lines (entity_no, account_no, currency, number);
CREATE INDEX statement_lines_by_identity ON ledger.statement_lines (entity_no, account_no, currency, identity);

CREATE TABLE ledger.reconciliation_matches (
    entity_no            int4 NOT NULL,
    account_no           int8 NOT NULL,
    currency             text COLLATE "C" NOT NULL,
    number               int8 NOT NULL CHECK (number >= 1),
    stage_no             int8 NOT NULL,
    -- 1 PROPOSED, 2 CONFIRMED
    state                int2 NOT NULL CHECK (state IN (1, 2)),
    rule                 text NOT NULL,
    lines                int8[] NOT NULL,
    transactions         int8[] NOT NULL,
    -- What the transactions come to less what the lines come to.
    difference           numeric(38, 0) NOT NULL,
    score                int2 NOT NULL CHECK (score BETWEEN 0 AND 100),
    why                  text NOT NULL,
    write_off_account_no int8,
    write_off_description text,
    note                 text NOT NULL,
    PRIMARY KEY (entity_no, stage_no, number),
    CHECK (cardinality(lines) + cardinality(transactions) >= 1),
    CHECK ((write_off_account_no IS NULL) = (write_off_description IS NULL)),
    CHECK (write_off_account_no IS NULL OR (state = 1 AND difference <> 0))
);

CREATE INDEX reconciliation_matches_by_number ON ledger.reconciliation_matches (entity_no, account_no, currency, number);

-- What was decided about a match after it was made; the newest counts.
CREATE TABLE ledger.reconciliation_decisions (
    entity_no      int4 NOT NULL,
    account_no     int8 NOT NULL,
    currency       text COLLATE "C" NOT NULL,
    match_number   int8 NOT NULL,
    stage_no       int8 NOT NULL,
    -- 2 CONFIRMED, 3 REJECTED, 4 UNDONE
    state          int2 NOT NULL CHECK (state BETWEEN 2 AND 4),
    -- The write-off that was booked: the transaction's number.
    transaction_no int8,
    note           text NOT NULL,
    PRIMARY KEY (entity_no, stage_no, match_number),
    CHECK (transaction_no IS NULL OR state = 2)
);

CREATE INDEX reconciliation_decisions_by_match
    ON ledger.reconciliation_decisions (entity_no, account_no, currency, match_number);

-- What a run of the rules found.
CREATE TABLE ledger.reconciliation_findings (
    entity_no    int4 NOT NULL,
    stage_no     int8 NOT NULL,
    number       int4 NOT NULL CHECK (number >= 1),
    kind         text NOT NULL,
    lines        int8[] NOT NULL,
    transactions int8[] NOT NULL,
    amount       numeric(38, 0) NOT NULL,
    why          text NOT NULL,
    options      jsonb,
    PRIMARY KEY (entity_no, stage_no, number)
);

-- Where a reconciliation begins: at its start, and anew at each closing. What is settled by then is only a sum on
-- either side; what was open is carried over.
CREATE TABLE ledger.reconciliation_baselines (
    entity_no            int4 NOT NULL,
    stage_no             int8 NOT NULL,
    -- The last day that is settled.
    until                date NOT NULL,
    statement_balance    numeric(38, 0) NOT NULL,
    ledger_balance       numeric(38, 0) NOT NULL,
    -- The balances without what is carried over.
    settled_statement    numeric(38, 0) NOT NULL,
    settled_ledger       numeric(38, 0) NOT NULL,
    -- The ledger as known then, and the account's newest entry.
    sequence             int8 NOT NULL,
    entry_number         int8 NOT NULL CHECK (entry_number >= 0),
    line_number          int8 NOT NULL CHECK (line_number >= 0),
    match_number         int8 NOT NULL CHECK (match_number >= 0),
    carried_transactions int8[] NOT NULL,
    carried_amounts      numeric(38, 0)[] NOT NULL,
    carried_lines        int8[] NOT NULL,
    carried_matches      int8[] NOT NULL,
    -- What was begun or closed, as it was read then; NULL: an import began it.
    report               jsonb,
    PRIMARY KEY (entity_no, stage_no),
    CHECK (cardinality(carried_transactions) = cardinality(carried_amounts))
);

-- CLEARED transactions that a closing has frozen; the POSTED ones never change anyway.
CREATE TABLE ledger.frozen_transactions (
    entity_no      int4 NOT NULL,
    transaction_no int8 NOT NULL,
    stage_no       int8 NOT NULL,
    PRIMARY KEY (entity_no, transaction_no, stage_no)
);
-- Each change of a reconciliation looks, under the entity's lock, at what its stage freezes.
CREATE INDEX frozen_transactions_by_stage ON ledger.frozen_transactions (entity_no, stage_no);

-- Facts: not changed, not added to a stage that counts already, deleted only as long as it does not count.
CREATE FUNCTION ledger.check_staged() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
DECLARE
    broken record;
BEGIN
    SELECT r.entity_no, r.stage_no INTO broken
    FROM (SELECT DISTINCT entity_no, stage_no FROM staged_rows) s
    CROSS JOIN LATERAL (
        SELECT v.entity_no, v.stage_no FROM reconciliation_revisions v
        WHERE v.entity_no = s.entity_no AND v.stage_no = s.stage_no LIMIT 1
    ) r
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger.%: % in stage % of entity %, which counts already, refused', TG_TABLE_NAME, TG_OP,
            broken.stage_no, broken.entity_no USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

-- A change of a reconciliation follows the one before it, has its event in the same database transaction, and is what
-- the event says.
CREATE FUNCTION ledger.check_revision() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
DECLARE
    newest record;
BEGIN
    SELECT v.revision, v.sequence INTO newest FROM reconciliation_revisions v
    WHERE v.entity_no = NEW.entity_no AND v.account_no = NEW.account_no AND v.currency = NEW.currency
      AND v.revision <> NEW.revision
    ORDER BY v.revision DESC LIMIT 1;
    IF NEW.revision <> COALESCE(newest.revision, 0) + 1 OR NEW.sequence <= newest.sequence OR NOT EXISTS (
        SELECT FROM commits c JOIN events e ON e.entity_no = c.entity_no AND e.sequence = NEW.sequence
            AND e.sequence BETWEEN c.first_sequence AND c.last_sequence
        WHERE c.entity_no = NEW.entity_no AND c.writer = pg_current_xact_id() AND e.kind = 16
          AND e.account_no = NEW.account_no
          AND (e.detail ->> 'currency', e.detail ->> 'revision', e.detail ->> 'stage', e.detail ->> 'action')
              = (NEW.currency, NEW.revision::text, NEW.stage_no::text, NEW.action::text)
    ) THEN
        RAISE EXCEPTION 'revision % of the reconciliation of account % of entity % is not what its event says',
            NEW.revision, NEW.account_no, NEW.entity_no USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    -- Only the last closing that still counts is taken back.
    IF NEW.reopens IS NOT NULL AND NEW.reopens IS DISTINCT FROM (
        SELECT v.stage_no FROM reconciliation_revisions v
        WHERE v.entity_no = NEW.entity_no AND v.account_no = NEW.account_no AND v.currency = NEW.currency
          AND v.action = 9 AND v.revision < NEW.revision AND NOT EXISTS (
              SELECT FROM reconciliation_revisions o WHERE o.entity_no = v.entity_no AND o.reopens = v.stage_no
                AND o.revision < NEW.revision)
        ORDER BY v.revision DESC LIMIT 1
    ) THEN
        RAISE EXCEPTION 'revision % of the reconciliation of account % of entity % reopens what is not its last closing',
            NEW.revision, NEW.account_no, NEW.entity_no USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    -- What is frozen stays as it is: it is CLEARED, will not expire, and was not edited since the closing was worked out.
    IF EXISTS (
        SELECT FROM frozen_transactions f
        LEFT JOIN open_transactions o ON o.entity_no = f.entity_no AND o.transaction_no = f.transaction_no
        LEFT JOIN events e ON e.entity_no = o.entity_no AND e.sequence = o.sequence
        WHERE f.entity_no = NEW.entity_no AND f.stage_no = NEW.stage_no
          AND (NEW.action <> 9 OR e.status IS DISTINCT FROM 2 OR e.expire_time IS NOT NULL OR o.sequence > (
              SELECT b.sequence FROM reconciliation_baselines b
              WHERE b.entity_no = NEW.entity_no AND b.stage_no = NEW.stage_no))
    ) THEN
        RAISE EXCEPTION 'closing % of the reconciliation of account % of entity % freezes what is not cleared',
            NEW.revision, NEW.account_no, NEW.entity_no USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER check_revision AFTER INSERT ON ledger.reconciliation_revisions
    FOR EACH ROW EXECUTE FUNCTION ledger.check_revision();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.reconciliation_revisions
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

DO $$
DECLARE
    facts text;
BEGIN
    FOREACH facts IN ARRAY ARRAY['reconciliation_profiles', 'statement_files', 'statements', 'statement_lines',
        'reconciliation_matches', 'reconciliation_decisions', 'reconciliation_findings', 'reconciliation_baselines',
        'frozen_transactions'] LOOP
        EXECUTE format('CREATE TRIGGER immutable BEFORE UPDATE OR TRUNCATE ON ledger.%I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', facts);
        EXECUTE format('CREATE TRIGGER check_added AFTER INSERT ON ledger.%I REFERENCING NEW TABLE AS staged_rows '
                       'FOR EACH STATEMENT EXECUTE FUNCTION ledger.check_staged()', facts);
        EXECUTE format('CREATE TRIGGER check_dropped AFTER DELETE ON ledger.%I REFERENCING OLD TABLE AS staged_rows '
                       'FOR EACH STATEMENT EXECUTE FUNCTION ledger.check_staged()', facts);
        EXECUTE format('GRANT SELECT ON ledger.%I TO ledger_reader, ledger_service, ledger_auditor', facts);
        EXECUTE format('GRANT INSERT, DELETE ON ledger.%I TO ledger_service', facts);
        PERFORM ledger.protect(format('ledger.%I', facts)::regclass);
    END LOOP;
END $$;
CREATE TRIGGER immutable BEFORE UPDATE OR TRUNCATE ON ledger.reconciliation_stages
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
SELECT ledger.protect('ledger.reconciliation_stages'), ledger.protect('ledger.reconciliation_revisions');
GRANT SELECT ON ledger.reconciliation_stages, ledger.reconciliation_revisions
    TO ledger_reader, ledger_service, ledger_auditor;
GRANT INSERT ON ledger.reconciliation_stages, ledger.reconciliation_revisions TO ledger_service;
GRANT DELETE ON ledger.reconciliation_stages TO ledger_service;

-- Whether a closing that still counts has frozen the transaction.
CREATE FUNCTION ledger.is_frozen(entity int4, transaction int8) RETURNS boolean LANGUAGE sql STABLE
SET search_path = ledger, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM frozen_transactions f
        CROSS JOIN LATERAL (
            SELECT v.stage_no FROM reconciliation_revisions v
            WHERE v.entity_no = f.entity_no AND v.stage_no = f.stage_no LIMIT 1
        ) r
        WHERE f.entity_no = entity AND f.transaction_no = transaction AND NOT EXISTS (
            SELECT FROM reconciliation_revisions o WHERE o.entity_no = f.entity_no AND o.reopens = f.stage_no))
$$;

-- As in 0006; and what is frozen is not edited, voided or let expire.
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
           OR CASE WHEN n.kind IN (2, 5, 6) AND p.status = 2 THEN is_frozen(entity, n.transaction_no) ELSE false END
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

-- As in 0002, but events of a reconciliation, which name an account, allow no change of the account.
CREATE OR REPLACE FUNCTION ledger.is_written_now(entity int4, account int8, at int8, event_kind int2) RETURNS boolean
LANGUAGE sql STABLE SET search_path = ledger, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM commits c JOIN events e ON e.entity_no = c.entity_no
            AND e.sequence BETWEEN c.first_sequence AND c.last_sequence
        WHERE c.entity_no = entity AND c.writer = pg_current_xact_id() AND e.account_no = account AND e.kind IN (9, 10)
          AND (at IS NULL OR e.sequence = at) AND (event_kind IS NULL OR e.kind = event_kind))
$$;

-- As in 0011; and not an event of a reconciliation without its revision.
CREATE OR REPLACE FUNCTION ledger.check_chart() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
DECLARE
    broken record;
BEGIN
    SELECT e.sequence, e.what INTO broken
    FROM (
        SELECT DISTINCT ON (
                   CASE WHEN kind <= 10 THEN 0 WHEN kind <= 15 THEN 1 ELSE sequence END, account_no, category_id)
               CASE WHEN kind <= 10 THEN 'account' WHEN kind <= 15 THEN 'category' ELSE 'reconciliation' END AS what,
               account_no, category_id, sequence, detail
        FROM events
        WHERE entity_no = NEW.entity_no AND sequence BETWEEN NEW.first_sequence AND NEW.last_sequence
          AND kind IN (9, 10, 14, 15, 16)
        ORDER BY CASE WHEN kind <= 10 THEN 0 WHEN kind <= 15 THEN 1 ELSE sequence END, account_no, category_id,
                 sequence DESC
    ) e
    LEFT JOIN LATERAL (
        SELECT a.sequence FROM accounts a
        WHERE e.what = 'account' AND a.entity_no = NEW.entity_no AND a.account_no = e.account_no
        UNION ALL
        SELECT c.sequence FROM categories c
        WHERE e.what = 'category' AND c.entity_no = NEW.entity_no AND c.category_id = e.category_id
        UNION ALL
        SELECT r.sequence FROM reconciliation_revisions r
        WHERE e.what = 'reconciliation' AND r.entity_no = NEW.entity_no AND r.account_no = e.account_no
          AND r.currency = e.detail ->> 'currency' AND r.sequence = e.sequence
        LIMIT 1
    ) n ON true
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_array(m.currency, m.floor::text, m.ceiling::text) ORDER BY m.currency) AS limits
        FROM account_limits m
        WHERE e.what = 'account' AND m.entity_no = NEW.entity_no AND m.account_no = e.account_no
    ) l
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(m.value ORDER BY (m.value ->> 0) COLLATE "C") AS limits
        FROM jsonb_array_elements(e.detail -> 'limits') m
        WHERE e.what = 'account'
    ) t
    WHERE n.sequence IS DISTINCT FROM e.sequence OR l.limits IS DISTINCT FROM t.limits
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'event % of entity % tells other of its % than is so', broken.sequence, NEW.entity_no,
            broken.what USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION ledger.check_staged, ledger.check_revision, ledger.is_frozen FROM PUBLIC;

-- As in 0006, but the first revision is told by its number alone. `revision = 1` let the planner, as long as it had no
-- statistics, look transactions up by events_by_effective_time, whose condition on the sequence reads the whole index:
-- of 10,000 transactions each look-up took 0.15 ms, of 30,000 0.35 ms. Who wants that index asks for first_revision = 1.
CREATE OR REPLACE VIEW ledger.transactions WITH (security_invoker = true) AS
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
       c.metadata, c.reverses,
       c.revision AS first_revision
FROM ledger.events c
LEFT JOIN LATERAL (
    SELECT e.revision, e.sequence, e.status, e.postings_at, e.recorded_time, e.actor, e.description, e.category_id
    FROM ledger.events e
    WHERE e.entity_no = c.entity_no AND e.transaction_no = c.transaction_no AND e.revision > 1
    ORDER BY e.revision DESC LIMIT 1
) v ON true
WHERE c.transaction_no = c.sequence;
