-- Transactions as they are now: the newest revision, with what only the first one says.
CREATE VIEW ledger.transactions WITH (security_invoker = true) AS
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
       c.reference, c.counterparty, c.category_id, c.metadata, c.reverses
FROM ledger.events c
LEFT JOIN LATERAL (
    SELECT e.revision, e.sequence, e.status, e.postings_at, e.recorded_time, e.actor, e.description
    FROM ledger.events e
    WHERE e.entity_no = c.entity_no AND e.transaction_no = c.transaction_no AND e.revision > 1
    ORDER BY e.revision DESC LIMIT 1
) v ON true
WHERE c.revision = 1;

GRANT SELECT ON ledger.transactions TO ledger_service, ledger_reader;

-- The newest entry of an account and currency whose place in the entity's order (`sequence`) and, where
-- given, whose running latest effective time do not exceed the bounds; 0: none. Both rise with number, so
-- bisection over the chain finds it in some 20 steps among a million, without an index of its own.
CREATE FUNCTION ledger.last_entry(entity int4, account int8, code text, up_to_sequence int8, up_to_effective timestamptz)
RETURNS int8 LANGUAGE plpgsql STABLE SET search_path = ledger, pg_temp AS $$
DECLARE
    low int8 := 0;
    high int8;
    middle int8;
    fits boolean;
BEGIN
    SELECT number, sequence <= up_to_sequence AND (up_to_effective IS NULL OR latest_effective <= up_to_effective)
    INTO high, fits FROM entries
    WHERE entity_no = entity AND account_no = account AND currency = code ORDER BY number DESC LIMIT 1;
    IF high IS NULL THEN
        RETURN 0;
    ELSIF fits THEN
        RETURN high;
    END IF;
    -- low fits (0 always does), high does not.
    WHILE high - low > 1 LOOP
        middle := (low + high) / 2;
        SELECT sequence <= up_to_sequence AND (up_to_effective IS NULL OR latest_effective <= up_to_effective)
        INTO fits FROM entries
        WHERE entity_no = entity AND account_no = account AND currency = code AND number = middle;
        IF fits THEN low := middle; ELSE high := middle; END IF;
    END LOOP;
    RETURN low;
END $$;

GRANT EXECUTE ON FUNCTION ledger.last_entry TO ledger_service, ledger_reader;
