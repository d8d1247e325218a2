-- Credentials: keys that can be named without their secret and rotated, client certificates, and names that no
-- other kind of credential can take.

ALTER TABLE ledger.credentials
    -- The first part of the token, which is no secret. NULL: made before there was one, or a certificate's.
    ADD COLUMN token_prefix text COLLATE "C" UNIQUE,
    -- The name in a client certificate that stands for this credential, in place of a token.
    ADD COLUMN certificate_san text COLLATE "C",
    ALTER COLUMN token_hmac DROP NOT NULL,
    ADD CONSTRAINT credentials_one_proof CHECK (num_nonnulls(token_hmac, certificate_san) = 1),
    -- What stands in the history for a certificate's caller is decided here, not by who writes the row.
    ADD CONSTRAINT credentials_certificate_name CHECK (certificate_san IS NULL OR name = 'cert:' || certificate_san);

-- A certificate's name means one credential. (Certificates are rotated by their authority, under the same name.)
CREATE UNIQUE INDEX credentials_by_certificate ON ledger.credentials (certificate_san)
    WHERE certificate_san IS NOT NULL AND revoked_time IS NULL;
CREATE INDEX credentials_by_name ON ledger.credentials (name);

-- Until now a key could be called like another kind of caller.
UPDATE ledger.credentials SET name = 'key:' || name
WHERE lower(name) = 'bootstrap' OR lower(name) LIKE 'jwt:%' OR lower(name) LIKE 'cert:%';

-- A name is one caller: it has one set of rights, and at most two live keys, so that one can take over from the
-- other. What a key may do never changes, and its end only comes nearer.
CREATE FUNCTION ledger.check_credential() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
DECLARE
    live int;
    differing int;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.credential_id, NEW.name, NEW.token_hmac, NEW.token_prefix, NEW.certificate_san, NEW.scopes,
                NEW.entity_ids, NEW.created_time)
           IS DISTINCT FROM (OLD.credential_id, OLD.name, OLD.token_hmac, OLD.token_prefix, OLD.certificate_san,
                OLD.scopes, OLD.entity_ids, OLD.created_time)
           OR COALESCE(NEW.expire_time, 'infinity') > COALESCE(OLD.expire_time, 'infinity')
           OR COALESCE(NEW.revoked_time, 'infinity') > COALESCE(OLD.revoked_time, 'infinity') THEN
            RAISE EXCEPTION 'credential %: only its end may be brought nearer', OLD.credential_id
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.certificate_san IS NULL
       AND (lower(NEW.name) = 'bootstrap' OR lower(NEW.name) LIKE 'jwt:%' OR lower(NEW.name) LIKE 'cert:%') THEN
        RAISE EXCEPTION 'credential %: the name % is that of another kind of caller', NEW.credential_id, NEW.name
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credentials_reserved_name';
    END IF;
    -- Two that are made at the same time would not see each other: one waits here, and then looks. Under
    -- REPEATABLE READ it would look at what was there before it waited (SERIALIZABLE would notice).
    IF current_setting('transaction_isolation') = 'repeatable read' THEN
        RAISE EXCEPTION 'credentials are made under READ COMMITTED or SERIALIZABLE'
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM pg_advisory_xact_lock(27755, hashtext(NEW.name));  -- 0x6C6B, "lk"
    SELECT count(*), count(*) FILTER (WHERE NOT (
        c.scopes @> NEW.scopes AND c.scopes <@ NEW.scopes
        AND (c.entity_ids IS NULL) = (NEW.entity_ids IS NULL)
        AND (c.entity_ids IS NULL OR c.entity_ids @> NEW.entity_ids AND c.entity_ids <@ NEW.entity_ids)))
    INTO live, differing
    FROM credentials c
    WHERE c.name = NEW.name AND c.revoked_time IS NULL
      AND (c.expire_time IS NULL OR c.expire_time > clock_timestamp());
    IF live >= 2 THEN
        RAISE EXCEPTION 'the name % has two live credentials', NEW.name
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credentials_two_live';
    END IF;
    IF differing > 0 THEN
        RAISE EXCEPTION 'the name % has a live credential with other rights', NEW.name
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credentials_same_rights';
    END IF;
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION ledger.check_credential() FROM PUBLIC;

CREATE TRIGGER check_credential BEFORE INSERT OR UPDATE ON ledger.credentials
    FOR EACH ROW EXECUTE FUNCTION ledger.check_credential();

-- A rotation may give the old key a term.
GRANT UPDATE (expire_time) ON ledger.credentials TO ledger_credentials;
