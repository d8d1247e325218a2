-- Rule 10 in the database: whoever reads an entity's data sees that entity and nothing else, whatever the query
-- says. A second net below the service's own authorisation (docs/decisions/0013).
--
--   role                 works for                         sees
--   ledger_reader        reads of one entity               the entity named by the setting ledger.entity_no; none: nothing
--   ledger_directory     what belongs to no entity alone   ids, numbers and last sequences of all entities; what is due;
--                                                          currencies, credentials, secrets; no account, entry or text
--   ledger_service       the committer, new entities       all entities; no credential, no secret
--   ledger_credentials   the command `token`               credentials only
--   ledger_auditor       the command `verify`              all entities; writes nothing
--
-- For a new table of an entity's data a later migration says
--
--   SELECT ledger.protect('ledger.categories');
--   GRANT SELECT ON ledger.categories TO ledger_reader, ledger_service, ledger_auditor;
--   GRANT INSERT, … ON ledger.categories TO ledger_service;
--
-- and adds the grants to storage/proof/rights.py. `verify` fails for a table with a column entity_no and without
-- these policies. INSERT, UPDATE and DELETE work as ever; COPY does not (see the inlets below).
--
-- Queries under a policy. The policy is an equality of entity_no with a stable expression: leakproof, so that every
-- index that begins with entity_no is used as before, and where the query names the entity too, as all do, the
-- planner compares the two once for each scan, not row by row. A condition with an operator that is not leakproof
-- (@@ of tsquery, LIKE, ~, functions of ours) is looked at after the policy, and so is no condition for an index.
-- A search by a GIN index therefore goes through a function that the owner runs, for whom the policies do not hold,
-- and that keeps to the bound entity itself:
--
--   CREATE FUNCTION ledger.search_…(entity int4, wanted tsquery, …) RETURNS TABLE (sequence int8) LANGUAGE sql STABLE
--   SECURITY DEFINER SET search_path = ledger, pg_temp SET plan_cache_mode = force_custom_plan
--   AS $$ SELECT e.sequence FROM events e WHERE ledger.is_bound_to(entity) AND e.entity_no = entity AND e.words @@ wanted … $$;
--   REVOKE ALL ON FUNCTION ledger.search_… FROM PUBLIC;
--   GRANT EXECUTE ON FUNCTION ledger.search_… TO ledger_reader;
--
-- is_bound_to is looked at once, before anything is read. Return numbers, and join them outside: there the policies
-- hold again. The planner does not look into such a function; order and limit belong inside.

DO $$
DECLARE
    wanted text;
    known record;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['ledger_directory', 'ledger_credentials', 'ledger_auditor'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another database of this server migrates at the same time
            END;
        END IF;
        -- Whoever migrates may serve and prove as well; superusers may without.
        IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', wanted);
        END IF;
    END LOOP;
    -- Who could serve before can serve now. `token` and `verify` are for those whom the operator grants them to.
    FOR known IN
        SELECT m.rolname FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member
        WHERE a.roleid = 'ledger_reader'::regrole AND NOT pg_has_role(m.oid, 'ledger_directory', 'MEMBER')
    LOOP
        BEGIN
            EXECUTE format('GRANT ledger_directory TO %I', known.rolname);
        EXCEPTION WHEN unique_violation THEN
            NULL;
        END;
    END LOOP;
END $$;

-- Of all functions only the one that reads need.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC, ledger_service, ledger_reader;
GRANT EXECUTE ON FUNCTION ledger.last_entry TO ledger_reader;

CREATE FUNCTION ledger.is_bound_to(entity int4) RETURNS boolean LANGUAGE sql STABLE SET search_path = ledger, pg_temp AS $$
    SELECT COALESCE(entity = NULLIF(current_setting('ledger.entity_no', true), '')::int4, false)
$$;

CREATE FUNCTION ledger.protect(relation regclass) RETURNS void LANGUAGE plpgsql SET search_path = ledger, pg_temp AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation);
    -- Not set: NULL, which equals nothing. Set to what is no number: an error.
    EXECUTE format('CREATE POLICY one_entity ON %s FOR SELECT TO ledger_reader '
                   'USING (entity_no = NULLIF(current_setting(''ledger.entity_no'', true), '''')::int4)', relation);
    EXECUTE format('CREATE POLICY all_entities ON %s TO ledger_service USING (true)', relation);
    EXECUTE format('CREATE POLICY audit ON %s FOR SELECT TO ledger_auditor USING (true)', relation);
END $$;

REVOKE ALL ON FUNCTION ledger.protect, ledger.is_bound_to FROM PUBLIC;

SELECT ledger.protect(relation) FROM unnest(ARRAY[
    'ledger.entities', 'ledger.accounts', 'ledger.account_limits', 'ledger.events', 'ledger.entries', 'ledger.commits',
    'ledger.open_transactions']::regclass[]) AS relation;

-- What the directory sees of them: which entities there are, how far they have come, where something is due.
CREATE POLICY directory ON ledger.entities FOR SELECT TO ledger_directory USING (true);
CREATE POLICY directory ON ledger.events FOR SELECT TO ledger_directory USING (true);
CREATE POLICY directory ON ledger.open_transactions FOR SELECT TO ledger_directory USING (true);
GRANT USAGE ON SCHEMA ledger TO ledger_directory, ledger_credentials, ledger_auditor;
GRANT SELECT ON ledger.entities, ledger.currencies, ledger.credentials, ledger.secrets TO ledger_directory;
GRANT SELECT (entity_no, sequence) ON ledger.events TO ledger_directory;
GRANT SELECT (entity_no, expire_time) ON ledger.open_transactions TO ledger_directory;

-- The reader keeps what an entity's reads need; the key of its ids is the directory's.
REVOKE ALL ON ledger.credentials, ledger.currencies, ledger.secrets, ledger.entities FROM ledger_reader;
GRANT SELECT (entity_no, entity_id, name, time_zone, state, metadata, created_time, updated_time, revision)
    ON ledger.entities TO ledger_reader;

GRANT SELECT ON ledger.entities, ledger.accounts, ledger.account_limits, ledger.events, ledger.entries, ledger.commits,
    ledger.open_transactions TO ledger_auditor;

REVOKE ALL ON ledger.credentials, ledger.currencies, ledger.secrets FROM ledger_service;
GRANT SELECT, INSERT ON ledger.credentials TO ledger_credentials;
GRANT UPDATE (revoked_time) ON ledger.credentials TO ledger_credentials;

-- The committer's COPY. PostgreSQL refuses COPY FROM into a table whose policies apply to the role, and BYPASSRLS
-- takes a superuser to give, on some servers nobody has one. But the policies that count are those of the relation
-- that is named. So the two hot tables get a door: a partitioned table without policies and without rows, whose only
-- partition is the table itself. It can be written to and not read; a row that goes in by it is checked by the
-- partition's constraints and indexes, and by triggers of its own, because statement-level triggers too are those of
-- the relation that is named. Readers name the table, and notice nothing: no Append, the same plans.
-- A column that is added goes into the inlet, from where PostgreSQL hands it on to the table.
CREATE TABLE ledger.events_inlet (LIKE ledger.events) PARTITION BY LIST (entity_no);
CREATE TABLE ledger.entries_inlet (LIKE ledger.entries) PARTITION BY LIST (entity_no);
ALTER TABLE ledger.events_inlet ATTACH PARTITION ledger.events DEFAULT;
ALTER TABLE ledger.entries_inlet ATTACH PARTITION ledger.entries DEFAULT;

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.events_inlet
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.entries_inlet
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER check_events AFTER INSERT ON ledger.events_inlet
    REFERENCING NEW TABLE AS new_events FOR EACH STATEMENT EXECUTE FUNCTION ledger.check_events();
CREATE TRIGGER check_entries AFTER INSERT ON ledger.entries_inlet
    REFERENCING NEW TABLE AS new_entries FOR EACH STATEMENT EXECUTE FUNCTION ledger.check_entries();

-- One way in: not beside the inlet.
REVOKE INSERT ON ledger.events, ledger.entries FROM ledger_service;
GRANT INSERT ON ledger.events_inlet, ledger.entries_inlet TO ledger_service;
