-- Finding transactions by the words of their descriptions, and the other parties by their names. Core features only.

-- Lower case without accents ("Café" is found by "cafe"), with a blank for whatever is neither letter nor digit: the
-- parser would make one word of "office-supplies/2023" or "en–dash", take "acme.com" for a host, and leave out
-- "<Ann Lee>", a tag to it. Beyond ASCII the signs are listed: what a server takes for a letter depends on its locale.
CREATE FUNCTION ledger.search_text(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT translate(
        CASE WHEN value ~ '[^\x01-\x7f]' THEN regexp_replace(regexp_replace(
            lower(normalize(replace(value, '№', ' '), NFKD)), '[\u0300-\u036f]', '', 'g'),
            '[\u0080-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u055a-\u055f\u0589\u05be\u05c0\u05c3\u05f3'
            '\u05f4\u060c\u061b\u061f\u066a-\u066c\u06d4\u0964\u0965\u2000-\u2bff\u2e00-\u2e7f\u3000-\u3004\u3008-\u3020'
            '\u3030\u303d\u30fb\ue000-\uf8ff\ufe0e-\ufe6f\ufff9-\uffff\U0001f000-\U0001faff]', ' ', 'g')
        ELSE lower(value) END,
        E'!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~\t\n', repeat(' ', 34))
$$;

-- The entity is a word of every document: a search reads what its own entity has of the words, however often the
-- others have them. It has a sign in it, so that no word or prefix of a query is it. 'simple': descriptions come in
-- every language, so no stemming.
CREATE FUNCTION ledger.search_document(entity int4, value text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT array_to_tsvector(ARRAY['#' || entity]) || to_tsvector('simple'::regconfig, ledger.search_text(value))
$$;

-- Words, of which all must occur, prefixes, and phrases (words next to each other), each list as the caller wrote it.
-- NULL, which nothing matches, where one of them has no word for the parser, or one too long to be in the index: left
-- out, it would stand for every description.
CREATE FUNCTION ledger.search_query(entity int4, words text[], prefixes text[], phrases text[]) RETURNS tsquery
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = ledger, pg_temp AS $$
DECLARE
    found tsquery := ('''#' || entity || '''')::tsquery;
    piece text;
    part text;
    term tsquery;
BEGIN
    FOREACH piece IN ARRAY words LOOP
        term := plainto_tsquery('simple', search_text(piece));
        IF numnode(term) = 0 THEN RETURN NULL; END IF;
        found := found && term;
    END LOOP;
    FOREACH piece IN ARRAY phrases LOOP
        term := phraseto_tsquery('simple', search_text(piece));
        IF numnode(term) = 0 THEN RETURN NULL; END IF;
        found := found && term;
    END LOOP;
    FOREACH piece IN ARRAY prefixes LOOP
        -- Of "acme.co*" only the last word is a prefix. Without punctuation no character of it is an operator.
        piece := btrim(search_text(piece));
        part := substring(piece FROM '[^ ]*$');
        IF part = '' THEN RETURN NULL; END IF;
        term := to_tsquery('simple', quote_literal(part) || ':*');
        IF numnode(term) = 0 THEN RETURN NULL; END IF;
        found := found && plainto_tsquery('simple', left(piece, length(piece) - length(part))) && term;
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
            THEN regexp_replace(lower(normalize(replace(value, '№', ' '), NFKD)), '[\u0300-\u036f]', '', 'g')
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
