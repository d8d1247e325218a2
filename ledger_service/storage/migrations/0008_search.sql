-- Finding transactions by the words of their descriptions, and the other parties by their names. Core features only.

-- Lower case without accents ("Café" is found by "cafe"), punctuation that would glue words together taken out: the
-- parser would make one word of "office-supplies/2023" or take "acme.com" for a host.
CREATE FUNCTION ledger.search_text(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT replace(replace(replace(replace(replace(replace(
        CASE WHEN value ~ '[^\x01-\x7f]'
            THEN regexp_replace(lower(normalize(value, NFKD)), '[\u0300-\u036f]', '', 'g')
            ELSE lower(value) END,
        '-', ' '), '/', ' '), '.', ' '), '@', ' '), '_', ' '), '+', ' ')
$$;

-- The entity is a word of every document: a search reads what its own entity has of the words, however often the
-- others have them. 'simple': descriptions come in every language, so no stemming.
CREATE FUNCTION ledger.search_document(entity int4, value text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT to_tsvector('simple'::regconfig, 'entity' || entity || ' ' || ledger.search_text(value)) $$;

-- Words, of which all must occur, prefixes, and phrases (words next to each other), each list as the caller wrote it.
CREATE FUNCTION ledger.search_query(entity int4, words text[], prefixes text[], phrases text[]) RETURNS tsquery
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = ledger, pg_temp AS $$
DECLARE
    found tsquery := to_tsquery('simple', 'entity' || entity);
    piece text;
    part text;
BEGIN
    FOREACH piece IN ARRAY words LOOP
        found := found && plainto_tsquery('simple', search_text(piece));
    END LOOP;
    FOREACH piece IN ARRAY phrases LOOP
        found := found && phraseto_tsquery('simple', search_text(piece));
    END LOOP;
    FOREACH piece IN ARRAY prefixes LOOP
        -- Of "acme.co*" only the last word is a prefix. Quoted, no character of it is an operator.
        piece := btrim(search_text(piece));
        part := substring(piece FROM '[^ ]*$');
        found := found && plainto_tsquery('simple', left(piece, length(piece) - length(part)))
            && to_tsquery('simple', quote_literal(part) || ':*');
    END LOOP;
    RETURN found;
END $$;

-- First revisions, and edits, which may change the description.
CREATE INDEX events_by_description ON ledger.events USING gin (ledger.search_document(entity_no, description))
    WHERE description IS NOT NULL AND (revision = 1 OR kind = 2);

-- One key for several spellings of a name: case, accents, blanks, punctuation and trailing store numbers do not
-- count: "OFFICE DEPOT #0042", "Office  Depot", "office-depot store 7". What is nothing but numbers stays as it is.
CREATE FUNCTION ledger.counterparty_key(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT COALESCE(NULLIF(btrim(regexp_replace(words, '(?: (?:(?:store|shop|no|nr|number) )?[0-9]+)+ $', ' ')), ''),
                    NULLIF(btrim(words), ''), lower(value)) COLLATE "C"
    FROM (SELECT ' ' || btrim(regexp_replace(
        CASE WHEN value ~ '[^\x01-\x7f]'
            THEN regexp_replace(lower(normalize(value, NFKD)), '[\u0300-\u036f]', '', 'g')
            ELSE lower(value) END,
        '[^[:alnum:]]+', ' ', 'g')) || ' ' AS words) t
$$;

CREATE INDEX events_by_counterparty ON ledger.events (entity_no, ledger.counterparty_key(counterparty) COLLATE "C", sequence)
    WHERE counterparty IS NOT NULL AND kind = 1;

-- Transactions one of whose descriptions, present or past, matches; the newest first. As the owner of the tables:
-- the operator @@ is not leakproof, so under row-level security the index could not be used for it. Like the two
-- functions of counterparties below it keeps to the entity that the session is bound to.
CREATE FUNCTION ledger.search_candidates(entity int4, query tsquery) RETURNS TABLE (transaction_no int8)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ledger, pg_temp SET enable_seqscan = off
AS $$
    SELECT DISTINCT e.transaction_no FROM events e
    WHERE is_bound_to(entity) AND e.entity_no = entity AND search_document(e.entity_no, e.description) @@ query
      AND e.description IS NOT NULL AND (e.revision = 1 OR e.kind = 2)
    ORDER BY 1 DESC
$$;

-- Transactions with a counterparty, by its key, oldest first.
CREATE FUNCTION ledger.counterparty_transactions(entity int4, key text) RETURNS TABLE (transaction_no int8)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ledger, pg_temp SET enable_seqscan = off
AS $$
    SELECT e.sequence FROM events e
    WHERE is_bound_to(entity) AND e.entity_no = entity AND counterparty_key(e.counterparty) COLLATE "C" = key
      AND e.counterparty IS NOT NULL AND e.kind = 1
    ORDER BY e.sequence
$$;

-- The keys after one, in their order, of counterparties with a transaction that has not ended without effect: a walk
-- from key to key, however many transactions each has.
CREATE FUNCTION ledger.counterparty_keys(entity int4, after text, most int4) RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = ledger, pg_temp SET enable_seqscan = off
AS $$
DECLARE
    key text COLLATE "C" := after;
    found int4 := 0;
BEGIN
    WHILE found < most AND is_bound_to(entity) LOOP
        SELECT counterparty_key(e.counterparty) COLLATE "C" INTO key FROM events e
        WHERE e.entity_no = entity AND counterparty_key(e.counterparty) COLLATE "C" > key
          AND e.counterparty IS NOT NULL AND e.kind = 1
        ORDER BY counterparty_key(e.counterparty) COLLATE "C" LIMIT 1;
        EXIT WHEN key IS NULL;
        IF EXISTS (
            SELECT FROM counterparty_transactions(entity, key) c
            JOIN LATERAL (SELECT t.status FROM transactions t
                          WHERE t.entity_no = entity AND t.transaction_no = c.transaction_no LIMIT 1) t ON t.status <= 3
        ) THEN
            found := found + 1;
            RETURN NEXT key;
        END IF;
    END LOOP;
END $$;

REVOKE ALL ON FUNCTION ledger.search_text, ledger.search_document, ledger.search_query, ledger.counterparty_key,
    ledger.search_candidates, ledger.counterparty_transactions, ledger.counterparty_keys FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.search_text, ledger.search_document, ledger.search_query, ledger.counterparty_key,
    ledger.search_candidates, ledger.counterparty_transactions, ledger.counterparty_keys TO ledger_reader;
-- Whoever writes a row works out what goes into its indexes.
GRANT EXECUTE ON FUNCTION ledger.search_text, ledger.search_document, ledger.counterparty_key TO ledger_service;
