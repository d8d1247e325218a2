-- Ways around the rules on accounts and limits that the triggers of 0002 left to somebody who writes SQL as the
-- service's role; `verify` found them only afterwards.

-- A limit holds from the event that tells of it, not only at the end: entries that the same database transaction
-- wrote after that event, before the limit's row was there, may not break it on the way.
CREATE FUNCTION ledger.check_limit_since() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
DECLARE
    broken record;
BEGIN
    SELECT x.number INTO broken
    FROM accounts a
    CROSS JOIN LATERAL (
        SELECT max(e.sequence) AS sequence FROM commits c
        JOIN events e ON e.entity_no = c.entity_no AND e.sequence BETWEEN c.first_sequence AND c.last_sequence
        WHERE c.entity_no = NEW.entity_no AND c.writer = pg_current_xact_id() AND e.account_no = NEW.account_no
    ) v
    CROSS JOIN LATERAL (
        SELECT e.number, COALESCE(e.wide[2], e.debits_posted) AS dp, COALESCE(e.wide[3], e.credits_posted) AS cp,
               COALESCE(e.wide[4], e.debits_pending) AS dq, COALESCE(e.wide[5], e.credits_pending) AS cq
        FROM entries e
        WHERE e.entity_no = NEW.entity_no AND e.account_no = NEW.account_no AND e.currency = NEW.currency
          AND e.sequence > v.sequence
          -- As in check_entries: what counts is the balance after an event, not between its entries.
          AND NOT EXISTS (
              SELECT FROM entries f
              WHERE f.entity_no = e.entity_no AND f.account_no = e.account_no AND f.currency = e.currency
                AND f.number = e.number + 1 AND f.sequence = e.sequence)
    ) x
    WHERE a.entity_no = NEW.entity_no AND a.account_no = NEW.account_no
      AND (NEW.floor > CASE a.normal_side WHEN 1 THEN x.dp - x.cp - x.cq ELSE x.cp - x.dp - x.dq END
           OR NEW.ceiling < CASE a.normal_side WHEN 1 THEN x.dp - x.cp + x.dq ELSE x.cp - x.dp + x.cq END)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'limit of account % of entity % in % is broken by entry %, which came after it',
            NEW.account_no, NEW.entity_no, NEW.currency, broken.number
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER check_limit_since AFTER INSERT OR UPDATE ON ledger.account_limits
    FOR EACH ROW EXECUTE FUNCTION ledger.check_limit_since();

-- At COMMIT: an account is what the newest event about it says; not an event without the change that it tells of, nor
-- other limits than it tells of.
CREATE FUNCTION ledger.check_chart() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
DECLARE
    broken record;
BEGIN
    SELECT e.sequence INTO broken
    FROM (
        SELECT DISTINCT ON (account_no) account_no, sequence, detail FROM events
        WHERE entity_no = NEW.entity_no AND sequence BETWEEN NEW.first_sequence AND NEW.last_sequence AND kind IN (9, 10)
        ORDER BY account_no, sequence DESC
    ) e
    LEFT JOIN LATERAL (
        SELECT a.sequence FROM accounts a WHERE a.entity_no = NEW.entity_no AND a.account_no = e.account_no LIMIT 1
    ) a ON true
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_array(m.currency, m.floor::text, m.ceiling::text) ORDER BY m.currency) AS limits
        FROM account_limits m WHERE m.entity_no = NEW.entity_no AND m.account_no = e.account_no
    ) l
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(m.value ORDER BY (m.value ->> 0) COLLATE "C") AS limits
        FROM jsonb_array_elements(e.detail -> 'limits') m
    ) t
    WHERE a.sequence IS DISTINCT FROM e.sequence OR l.limits IS DISTINCT FROM t.limits
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'event % of entity % tells other of its account than is so', broken.sequence, NEW.entity_no
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER check_chart AFTER INSERT ON ledger.commits DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ledger.check_chart();

-- Nothing is put under a closed account.
CREATE FUNCTION ledger.check_parent() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM accounts WHERE entity_no = NEW.entity_no AND account_no = NEW.parent_no AND state = 3) THEN
        RAISE EXCEPTION 'account % of entity % would lie below a closed one', NEW.account_id, NEW.entity_no
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER check_parent AFTER INSERT OR UPDATE OF parent_no ON ledger.accounts
    FOR EACH ROW EXECUTE FUNCTION ledger.check_parent();

REVOKE ALL ON FUNCTION ledger.check_limit_since, ledger.check_chart, ledger.check_parent FROM PUBLIC;
