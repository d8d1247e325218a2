-- The service writes as ledger_service and reads as ledger_reader. Neither owns a table, so neither can
-- switch off a trigger. Roles belong to the whole server: another database may have made them.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ledger_service') THEN
        CREATE ROLE ledger_service NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ledger_reader') THEN
        CREATE ROLE ledger_reader NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- another database of this server migrates at the same time
END $$;

-- Whoever migrates may serve as well. A login of its own for the service needs the same grant from you.
DO $$
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        GRANT ledger_service, ledger_reader TO CURRENT_USER;
    END IF;
END $$;

REVOKE ALL ON SCHEMA ledger FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;
GRANT USAGE ON SCHEMA ledger TO ledger_service, ledger_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO ledger_service, ledger_reader;

GRANT INSERT ON ledger.entities, ledger.accounts, ledger.account_limits, ledger.events, ledger.entries,
    ledger.credentials TO ledger_service;
GRANT UPDATE (name, time_zone, state, metadata, updated_time, revision) ON ledger.entities TO ledger_service;
GRANT UPDATE (code, name, parent_no, currencies, state, metadata, updated_time, sequence, revision)
    ON ledger.accounts TO ledger_service;
GRANT DELETE ON ledger.account_limits TO ledger_service;
GRANT UPDATE (revoked_time) ON ledger.credentials TO ledger_service;
