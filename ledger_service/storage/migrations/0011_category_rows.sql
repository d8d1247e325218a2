-- A category's event without its row: the triggers of 0006 let a transaction have a category that the same database
-- transaction says it creates, and nothing saw to it that the row did follow. `verify` found it only afterwards.

-- At COMMIT: an account or a category is what the newest event about it says; not an event without the change that it
-- tells of, nor other limits than it tells of. (That a category's row says what its event says is check_category's.)
CREATE OR REPLACE FUNCTION ledger.check_chart() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
DECLARE
    broken record;
BEGIN
    SELECT e.sequence, e.of_category INTO broken
    FROM (
        SELECT DISTINCT ON (kind >= 14, account_no, category_id) kind >= 14 AS of_category, account_no, category_id,
               sequence, detail
        FROM events
        WHERE entity_no = NEW.entity_no AND sequence BETWEEN NEW.first_sequence AND NEW.last_sequence
          AND kind IN (9, 10, 14, 15)
        ORDER BY kind >= 14, account_no, category_id, sequence DESC
    ) e
    LEFT JOIN LATERAL (
        SELECT a.sequence FROM accounts a
        WHERE NOT e.of_category AND a.entity_no = NEW.entity_no AND a.account_no = e.account_no
        UNION ALL
        SELECT c.sequence FROM categories c
        WHERE e.of_category AND c.entity_no = NEW.entity_no AND c.category_id = e.category_id
        LIMIT 1
    ) n ON true
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_array(m.currency, m.floor::text, m.ceiling::text) ORDER BY m.currency) AS limits
        FROM account_limits m
        WHERE NOT e.of_category AND m.entity_no = NEW.entity_no AND m.account_no = e.account_no
    ) l
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(m.value ORDER BY (m.value ->> 0) COLLATE "C") AS limits
        FROM jsonb_array_elements(e.detail -> 'limits') m
        WHERE NOT e.of_category
    ) t
    WHERE n.sequence IS DISTINCT FROM e.sequence OR l.limits IS DISTINCT FROM t.limits
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'event % of entity % tells other of its % than is so', broken.sequence, NEW.entity_no,
            CASE WHEN broken.of_category THEN 'category' ELSE 'account' END
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
