-- Names of counterparties for questions in plain English: each key with its newest spelling, a walk from key to key
-- over events_by_counterparty, one look-up each however many transactions it has. As the owner of the tables for the
-- reason given in 0008: counterparty_key is not leakproof.
CREATE FUNCTION ledger.counterparty_names(entity int4, most int4) RETURNS TABLE (key text, name text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = ledger, pg_temp SET enable_seqscan = off
-- Each step of the walk is the same look-up: planned once.
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    found int4 := 0;
BEGIN
    SELECT counterparty_key(e.counterparty) COLLATE "C", e.counterparty INTO key, name FROM events e
    WHERE is_bound_to(entity) AND e.entity_no = entity AND e.counterparty IS NOT NULL AND e.kind = 1
    ORDER BY counterparty_key(e.counterparty) COLLATE "C" DESC, e.sequence DESC LIMIT 1;
    WHILE key IS NOT NULL AND found < most LOOP
        found := found + 1;
        RETURN NEXT;
        SELECT counterparty_key(e.counterparty) COLLATE "C", e.counterparty INTO key, name FROM events e
        WHERE e.entity_no = entity AND counterparty_key(e.counterparty) COLLATE "C" < key COLLATE "C"
          AND e.counterparty IS NOT NULL AND e.kind = 1
        ORDER BY counterparty_key(e.counterparty) COLLATE "C" DESC, e.sequence DESC LIMIT 1;
    END LOOP;
END $$;

REVOKE ALL ON FUNCTION ledger.counterparty_names FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.counterparty_names TO ledger_reader;
