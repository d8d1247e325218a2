-- The rules that never break, enforced by the database itself (DESIGN section 3). The service checks the
-- same beforehand for the sake of a good message; these are for the day when it is wrong.
-- What must see or keep what the service's role may not touch runs as the owner (SECURITY DEFINER).

CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger.% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation', HINT = 'Correct a posted transaction by a reversal.';
END $$;

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.events
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.commits
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER immutable BEFORE DELETE OR TRUNCATE ON ledger.accounts
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER immutable BEFORE DELETE OR TRUNCATE ON ledger.entities
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- Rules 6 and 9 on events: gapless sequence, time that never goes back, one legal life for a transaction.
CREATE FUNCTION ledger.check_events() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
DECLARE
    run record;
    previous record;
    broken record;
BEGIN
    FOR run IN
        SELECT entity_no, min(sequence) AS first, max(sequence) AS last, count(*) AS events,
               min(recorded_time) AS recorded, max(recorded_time) AS latest,
               bool_or(revision > 1 OR status <= 2) AS unsettled,
               bool_or(kind = 7) AS reversals, bool_and(kind = 6) AS expiries_only
        FROM new_events GROUP BY entity_no ORDER BY entity_no
    LOOP
        -- Archived, only what expires by itself goes on.
        IF NOT EXISTS (SELECT FROM entities WHERE entity_no = run.entity_no AND (state = 1 OR run.expiries_only)) THEN
            RAISE EXCEPTION 'entity % does not exist or is archived', run.entity_no
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        SELECT e.sequence, e.recorded_time INTO previous FROM events e
        WHERE e.entity_no = run.entity_no AND e.sequence < run.first ORDER BY e.sequence DESC LIMIT 1;
        IF run.first <> COALESCE(previous.sequence, 0) + 1 OR run.events <> run.last - run.first + 1 THEN
            RAISE EXCEPTION 'sequence of entity % has a gap before %', run.entity_no, run.first
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        -- One database transaction, one recorded time: what was committed together was known together.
        IF run.recorded <> run.latest OR run.recorded < previous.recorded_time THEN
            RAISE EXCEPTION 'recorded time of entity % goes back at %', run.entity_no, run.first
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF run.unsettled THEN
            PERFORM check_lives(run.entity_no, run.first, run.last);
        END IF;
        IF run.reversals THEN
            SELECT n.sequence INTO broken FROM events n
            LEFT JOIN events o ON o.entity_no = n.entity_no AND o.sequence = n.reverses AND o.sequence < n.sequence
                AND o.kind = 1
            LEFT JOIN LATERAL (
                SELECT l.status FROM events l
                WHERE l.entity_no = o.entity_no AND l.transaction_no = o.sequence AND l.revision > 1
                  AND l.sequence < n.sequence
                ORDER BY l.revision DESC LIMIT 1
            ) l ON true
            WHERE n.entity_no = run.entity_no AND n.sequence BETWEEN run.first AND run.last AND n.kind = 7
              AND COALESCE(l.status, o.status, 0) <> 3
            LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'event % of entity % reverses what is not posted', broken.sequence, run.entity_no
                    USING ERRCODE = 'integrity_constraint_violation';
            END IF;
        END IF;
        INSERT INTO commits VALUES (run.entity_no, run.first, run.last, run.recorded, pg_current_xact_id());
    END LOOP;
    RETURN NULL;
END $$;

-- Each later revision follows an open one, changes only what its kind may change, and open_transactions
-- follows suit.
CREATE FUNCTION ledger.check_lives(entity int4, first int8, last int8) RETURNS void LANGUAGE plpgsql
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
      AND (p.sequence IS NULL OR p.sequence >= n.sequence OR p.status > 2
           OR (n.kind = 3 AND p.status <> 1)
           OR (n.kind = 2 AND n.status <> p.status)
           OR (n.postings_at <> p.postings_at AND (n.postings_at <> n.sequence OR n.kind NOT IN (2, 4)))
           -- Whose time is over expires, and does nothing else.
           OR (n.kind = 6) IS DISTINCT FROM COALESCE(n.expire_time <= n.recorded_time, false)
           OR (n.kind <> 2 AND n.description IS DISTINCT FROM p.description)
           OR (n.effective_time, n.expire_time, n.reference, n.counterparty, n.category_id, n.metadata, n.reverses)
              IS DISTINCT FROM
              (p.effective_time, p.expire_time, p.reference, p.counterparty, p.category_id, p.metadata, p.reverses))
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
        WHERE entity_no = entity AND sequence BETWEEN first AND last AND kind <= 7
        ORDER BY transaction_no, revision DESC
    ) n
    WHERE n.status <= 2;
END $$;

CREATE TRIGGER check_events AFTER INSERT ON ledger.events
    REFERENCING NEW TABLE AS new_events FOR EACH STATEMENT EXECUTE FUNCTION ledger.check_events();

-- Rules 1, 2 and 7 on entries: balance, chain, limits; and the state of the accounts.
CREATE FUNCTION ledger.check_entries() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
DECLARE
    broken record;
BEGIN
    -- Rule 1: of each event, what it holds, posts, settles and releases balances in every currency.
    SELECT entity_no, sequence, currency INTO broken
    FROM new_entries GROUP BY entity_no, sequence, kind, currency
    HAVING sum(CASE side WHEN 1 THEN COALESCE(wide[1], amount) ELSE -COALESCE(wide[1], amount) END) <> 0
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'event % of entity % is out of balance in %', broken.sequence, broken.entity_no, broken.currency
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;

    -- Entries belong to an event of this same database transaction: nothing is added to old ones.
    SELECT n.entity_no, n.first INTO broken
    FROM (SELECT entity_no, min(sequence) AS first, max(sequence) AS last FROM new_entries GROUP BY entity_no) n
    LEFT JOIN LATERAL (
        SELECT c.first_sequence, c.last_sequence FROM commits c
        WHERE c.entity_no = n.entity_no AND c.writer = pg_current_xact_id() AND c.last_sequence >= n.last
        ORDER BY c.last_sequence DESC LIMIT 1
    ) c ON true
    WHERE c.first_sequence IS NULL OR n.first < c.first_sequence
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entries of entity % at % without an event of the same database transaction',
            broken.entity_no, broken.first USING ERRCODE = 'integrity_constraint_violation';
    END IF;

    -- Rules 2 and 7, first the quick way: 64-bit arithmetic proves nearly every statement at two thirds of
    -- the cost. What it can't prove, because it is wide or wrong, the exact way below decides.
    -- The first entry of each account in this statement is compared with the table, the others with each
    -- other. LATERAL with LIMIT keeps the planner on the index whatever it believes of the sizes.
    PERFORM FROM (
        SELECT n.*, lag(n.number) OVER w AS before, lag(n.sequence) OVER w AS before_sequence, lag(n.debits_posted) OVER w AS before_dp,
               lag(n.credits_posted) OVER w AS before_cp, lag(n.debits_pending) OVER w AS before_dq,
               lag(n.credits_pending) OVER w AS before_cq, lag(n.latest_effective) OVER w AS before_effective
        FROM new_entries n WINDOW w AS (PARTITION BY n.entity_no, n.account_no, n.currency ORDER BY n.number)
    ) c
    LEFT JOIN LATERAL (
        SELECT p.number, p.debits_posted, p.credits_posted, p.debits_pending, p.credits_pending,
               p.latest_effective, p.sequence, p.wide IS NOT NULL AS is_wide
        FROM entries p
        WHERE c.before IS NULL AND p.entity_no = c.entity_no AND p.account_no = c.account_no
          AND p.currency = c.currency AND p.number = c.number - 1
        LIMIT 1
    ) p ON true
    LEFT JOIN LATERAL (
        SELECT a.state, a.currencies, a.normal_side FROM accounts a
        WHERE a.entity_no = c.entity_no AND a.account_no = c.account_no LIMIT 1
    ) a ON true
    LEFT JOIN LATERAL (
        SELECT l.floor, l.ceiling FROM account_limits l
        WHERE l.entity_no = c.entity_no AND l.account_no = c.account_no AND l.currency = c.currency LIMIT 1
    ) l ON true
    WHERE c.wide IS NOT NULL OR p.is_wide
       OR a.state IS DISTINCT FROM 1
       OR (cardinality(a.currencies) > 0 AND c.currency <> ALL (a.currencies))
       OR c.number <> COALESCE(c.before, p.number, 0) + 1
       OR c.sequence < COALESCE(c.before_sequence, p.sequence)
       OR c.debits_posted <> COALESCE(c.before_dp, p.debits_posted, 0)
            + CASE WHEN c.side = 1 AND c.kind IN (1, 4) THEN c.amount ELSE 0 END
       OR c.credits_posted <> COALESCE(c.before_cp, p.credits_posted, 0)
            + CASE WHEN c.side = 2 AND c.kind IN (1, 4) THEN c.amount ELSE 0 END
       OR c.debits_pending <> COALESCE(c.before_dq, p.debits_pending, 0)
            + CASE WHEN c.side = 2 OR c.kind = 1 THEN 0 WHEN c.kind = 2 THEN c.amount ELSE -c.amount END
       OR c.credits_pending <> COALESCE(c.before_cq, p.credits_pending, 0)
            + CASE WHEN c.side = 1 OR c.kind = 1 THEN 0 WHEN c.kind = 2 THEN c.amount ELSE -c.amount END
       OR c.latest_effective <> GREATEST(c.effective_time, COALESCE(c.before_effective, p.latest_effective))
       -- Differences of 64-bit totals may need more than 64 bits. An entry in between its event's others may
       -- look worse than its end: that too is for the exact way.
       OR (l.floor IS NOT NULL AND l.floor > CASE a.normal_side
            WHEN 1 THEN c.debits_posted::numeric - c.credits_posted - c.credits_pending
            ELSE c.credits_posted::numeric - c.debits_posted - c.debits_pending END)
       OR (l.ceiling IS NOT NULL AND l.ceiling < CASE a.normal_side
            WHEN 1 THEN c.debits_posted::numeric - c.credits_posted + c.debits_pending
            ELSE c.credits_posted::numeric - c.debits_posted + c.credits_pending END)
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;

    WITH chained AS (
        SELECT n.entity_no, n.account_no, n.currency, n.number, n.sequence, n.kind, n.side, n.wide IS NOT NULL AS is_wide,
               n.effective_time, n.latest_effective,
               COALESCE(n.wide[1], n.amount) AS amount, COALESCE(n.wide[2], n.debits_posted) AS dp,
               COALESCE(n.wide[3], n.credits_posted) AS cp, COALESCE(n.wide[4], n.debits_pending) AS dq,
               COALESCE(n.wide[5], n.credits_pending) AS cq,
               lag(n.number) OVER w AS before,
               lag(n.sequence) OVER w AS before_sequence,
               lag(COALESCE(n.wide[2], n.debits_posted)) OVER w AS before_dp,
               lag(COALESCE(n.wide[3], n.credits_posted)) OVER w AS before_cp,
               lag(COALESCE(n.wide[4], n.debits_pending)) OVER w AS before_dq,
               lag(COALESCE(n.wide[5], n.credits_pending)) OVER w AS before_cq,
               lag(n.latest_effective) OVER w AS before_effective,
               lead(n.sequence) OVER w IS DISTINCT FROM n.sequence AS is_last_of_event
        FROM new_entries n WINDOW w AS (PARTITION BY n.entity_no, n.account_no, n.currency ORDER BY n.number)
    )
    SELECT c.entity_no, c.account_no, c.currency, c.number,
           a.state IS NULL AS is_unknown,
           a.state <> 1 AND (a.state = 3 OR c.kind <> 3) AS is_shut,
           cardinality(a.currencies) > 0 AND c.currency <> ALL (a.currencies) AS is_foreign,
           c.is_last_of_event AND (l.floor > CASE a.normal_side
               WHEN 1 THEN c.dp - c.cp - c.cq ELSE c.cp - c.dp - c.dq END) AS is_below_floor,
           c.is_last_of_event AND (l.ceiling < CASE a.normal_side
               WHEN 1 THEN c.dp - c.cp + c.dq ELSE c.cp - c.dp + c.cq END) AS is_above_ceiling
    INTO broken
    FROM chained c
    LEFT JOIN LATERAL (
        SELECT p.number, COALESCE(p.wide[2], p.debits_posted) AS dp, COALESCE(p.wide[3], p.credits_posted) AS cp,
               COALESCE(p.wide[4], p.debits_pending) AS dq, COALESCE(p.wide[5], p.credits_pending) AS cq,
               p.latest_effective, p.sequence
        FROM entries p
        WHERE c.before IS NULL AND p.entity_no = c.entity_no AND p.account_no = c.account_no
          AND p.currency = c.currency AND p.number = c.number - 1
        LIMIT 1
    ) p ON true
    LEFT JOIN LATERAL (
        SELECT a.state, a.currencies, a.normal_side FROM accounts a
        WHERE a.entity_no = c.entity_no AND a.account_no = c.account_no LIMIT 1
    ) a ON true
    LEFT JOIN LATERAL (
        SELECT l.floor, l.ceiling FROM account_limits l
        WHERE l.entity_no = c.entity_no AND l.account_no = c.account_no AND l.currency = c.currency LIMIT 1
    ) l ON true
    WHERE a.state IS NULL
       OR (a.state <> 1 AND (a.state = 3 OR c.kind <> 3))
       OR (cardinality(a.currencies) > 0 AND c.currency <> ALL (a.currencies))
       OR c.number <> COALESCE(c.before, p.number, 0) + 1
       OR c.sequence < COALESCE(c.before_sequence, p.sequence)
       OR c.dp <> COALESCE(c.before_dp, p.dp, 0) + CASE WHEN c.side = 1 AND c.kind IN (1, 4) THEN c.amount ELSE 0 END
       OR c.cp <> COALESCE(c.before_cp, p.cp, 0) + CASE WHEN c.side = 2 AND c.kind IN (1, 4) THEN c.amount ELSE 0 END
       OR c.dq <> COALESCE(c.before_dq, p.dq, 0)
            + CASE WHEN c.side = 2 OR c.kind = 1 THEN 0 WHEN c.kind = 2 THEN c.amount ELSE -c.amount END
       OR c.cq <> COALESCE(c.before_cq, p.cq, 0)
            + CASE WHEN c.side = 1 OR c.kind = 1 THEN 0 WHEN c.kind = 2 THEN c.amount ELSE -c.amount END
       OR c.latest_effective <> GREATEST(c.effective_time, COALESCE(c.before_effective, p.latest_effective))
       OR (c.is_last_of_event AND (
            l.floor > CASE a.normal_side WHEN 1 THEN c.dp - c.cp - c.cq ELSE c.cp - c.dp - c.dq END
            OR l.ceiling < CASE a.normal_side WHEN 1 THEN c.dp - c.cp + c.dq ELSE c.cp - c.dp + c.cq END))
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % of account % of entity % in % %', broken.number, broken.account_no,
            broken.entity_no, broken.currency,
            CASE WHEN broken.is_unknown THEN 'is of an account that does not exist'
                 WHEN broken.is_shut THEN 'is of an account that is not open'
                 WHEN broken.is_foreign THEN 'is in a currency that the account does not take'
                 WHEN broken.is_below_floor THEN 'takes the account below its floor'
                 WHEN broken.is_above_ceiling THEN 'takes the account above its ceiling'
                 ELSE 'does not follow from the entry before it' END
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER check_entries AFTER INSERT ON ledger.entries
    REFERENCING NEW TABLE AS new_entries FOR EACH STATEMENT EXECUTE FUNCTION ledger.check_entries();

-- At COMMIT: every transaction event has the entries that its kind calls for and no others, holds are
-- released or settled by no more than they held, reversals never exceed the original.
CREATE FUNCTION ledger.check_commit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
DECLARE
    broken record;
BEGIN
    SELECT e.sequence INTO broken
    FROM (
        SELECT sequence, kind, status, postings_at, effective_time FROM events
        WHERE entity_no = NEW.entity_no AND sequence BETWEEN NEW.first_sequence AND NEW.last_sequence
    ) e
    FULL JOIN (
        SELECT sequence, bit_or(1 << kind) AS kinds, min(effective_time) AS earliest, max(effective_time) AS latest
        FROM entries
        WHERE entity_no = NEW.entity_no AND sequence BETWEEN NEW.first_sequence AND NEW.last_sequence
        GROUP BY sequence
    ) n ON n.sequence = e.sequence
    WHERE e.sequence IS NULL
       OR n.earliest <> e.effective_time OR n.latest <> e.effective_time
       OR NOT CASE
            WHEN e.kind IN (1, 7) AND e.status = 3 THEN n.kinds IS NOT DISTINCT FROM 2 AND e.postings_at = e.sequence
            WHEN e.kind = 1 THEN n.kinds IS NOT DISTINCT FROM 4 AND e.postings_at = e.sequence
            WHEN e.kind = 2 THEN COALESCE(n.kinds, 0) = CASE e.postings_at WHEN e.sequence THEN 12 ELSE 0 END
            WHEN e.kind = 4 THEN COALESCE(n.kinds, 0) IN (16, 24) AND e.postings_at = e.sequence
            WHEN e.kind IN (5, 6) THEN n.kinds IS NOT DISTINCT FROM 8
            ELSE n.kinds IS NULL
          END
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entries of entity % between % and % do not belong to their events (see %)',
            NEW.entity_no, NEW.first_sequence, NEW.last_sequence, broken.sequence
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;

    -- An edit moves what it holds to other accounts, leg by leg; the amounts stay.
    SELECT e.sequence INTO broken
    FROM (
        SELECT sequence FROM events
        WHERE entity_no = NEW.entity_no AND sequence BETWEEN NEW.first_sequence AND NEW.last_sequence
          AND kind = 2 AND postings_at = sequence
    ) e
    CROSS JOIN LATERAL (
        SELECT FROM entries y WHERE y.entity_no = NEW.entity_no AND y.sequence = e.sequence
        GROUP BY y.leg, y.side, y.currency
        HAVING sum(CASE y.kind WHEN 2 THEN 1 ELSE -1 END * COALESCE(y.wide[1], y.amount)) <> 0
    ) l
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'edit % of entity % releases or settles other than it held', broken.sequence, NEW.entity_no
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;

    -- An approval settles something of every posting; a smaller amount releases the rest of each.
    SELECT e.sequence INTO broken
    FROM (
        SELECT sequence FROM events
        WHERE entity_no = NEW.entity_no AND sequence BETWEEN NEW.first_sequence AND NEW.last_sequence AND kind = 4
    ) e
    CROSS JOIN LATERAL (
        SELECT FROM entries y WHERE y.entity_no = NEW.entity_no AND y.sequence = e.sequence
        GROUP BY y.leg HAVING NOT bool_or(y.kind = 4)
    ) l
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'approval % of entity % leaves out a posting', broken.sequence, NEW.entity_no
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;

    -- Of each transaction that changed: what all its events together still hold is what its newest revision
    -- says that it holds: its postings while it is open, nothing when it has ended. OFFSET 0 keeps the planner on
    -- the index for each event; without statistics it would read the table at every COMMIT.
    SELECT t.transaction_no INTO broken
    FROM (
        SELECT DISTINCT transaction_no FROM events
        WHERE entity_no = NEW.entity_no AND sequence BETWEEN NEW.first_sequence AND NEW.last_sequence AND revision > 1
    ) t
    CROSS JOIN LATERAL (
        SELECT x.account_no, x.currency, x.side, x.leg,
               sum(CASE x.kind WHEN 2 THEN 1 ELSE -1 END * COALESCE(x.wide[1], x.amount)) AS held
        FROM (
            SELECT t.transaction_no AS sequence
            UNION ALL
            SELECT e.sequence FROM events e
            WHERE e.entity_no = NEW.entity_no AND e.transaction_no = t.transaction_no AND e.revision > 1
        ) e
        CROSS JOIN LATERAL (
            SELECT y.* FROM entries y
            WHERE y.entity_no = NEW.entity_no AND y.sequence = e.sequence AND y.kind > 1 OFFSET 0
        ) x
        GROUP BY x.account_no, x.currency, x.side, x.leg
    ) h
    WHERE h.held < 0 OR (h.held > 0 AND NOT EXISTS (
        SELECT FROM open_transactions o
        JOIN events v ON v.entity_no = o.entity_no AND v.sequence = o.sequence
        JOIN entries y ON y.entity_no = v.entity_no AND y.sequence = v.postings_at AND y.kind = 2
        WHERE o.entity_no = NEW.entity_no AND o.transaction_no = t.transaction_no AND y.leg = h.leg
          AND y.account_no = h.account_no AND y.currency = h.currency AND y.side = h.side
          AND COALESCE(y.wide[1], y.amount) = h.held))
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transaction % of entity % releases or settles other than it held',
            broken.transaction_no, NEW.entity_no USING ERRCODE = 'integrity_constraint_violation';
    END IF;

    SELECT r.reverses INTO broken
    FROM (
        SELECT DISTINCT reverses FROM events
        WHERE entity_no = NEW.entity_no AND sequence BETWEEN NEW.first_sequence AND NEW.last_sequence AND kind = 7
    ) r
    CROSS JOIN LATERAL (
        -- The original's newest revision; a reversal is never itself reversed, so these are all its events.
        SELECT v.postings_at FROM (
            SELECT e.revision, e.postings_at FROM events e WHERE e.entity_no = NEW.entity_no AND e.sequence = r.reverses
            UNION ALL
            SELECT e.revision, e.postings_at FROM events e
            WHERE e.entity_no = NEW.entity_no AND e.transaction_no = r.reverses AND e.revision > 1
        ) v ORDER BY v.revision DESC LIMIT 1
    ) o
    CROSS JOIN LATERAL (
        SELECT y.leg, y.account_no, y.currency, y.side, sum(COALESCE(y.wide[1], y.amount)) AS amount
        FROM (
            SELECT e.sequence FROM events e WHERE e.entity_no = NEW.entity_no AND e.reverses = r.reverses OFFSET 0
        ) e
        CROSS JOIN LATERAL (
            SELECT z.* FROM entries z WHERE z.entity_no = NEW.entity_no AND z.sequence = e.sequence OFFSET 0
        ) y
        GROUP BY y.leg, y.account_no, y.currency, y.side
    ) x
    LEFT JOIN LATERAL (
        SELECT COALESCE(p.wide[1], p.amount) AS amount FROM entries p
        WHERE p.entity_no = NEW.entity_no AND p.sequence = o.postings_at AND p.kind IN (1, 4)
          AND p.leg = x.leg AND p.account_no = x.account_no AND p.currency = x.currency AND p.side <> x.side LIMIT 1
    ) p ON true
    WHERE x.amount > COALESCE(p.amount, 0)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'reversals of transaction % of entity % exceed it', broken.reverses, NEW.entity_no
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER check_commit AFTER INSERT ON ledger.commits DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ledger.check_commit();

-- Whether this database transaction has written an event of a kind (NULL: any) about an account, at a sequence
-- (NULL: any): accounts and their limits never change but with an event that tells of it.
CREATE FUNCTION ledger.is_written_now(entity int4, account int8, at int8, event_kind int2) RETURNS boolean
LANGUAGE sql STABLE SET search_path = ledger, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM commits c JOIN events e ON e.entity_no = c.entity_no
            AND e.sequence BETWEEN c.first_sequence AND c.last_sequence
        WHERE c.entity_no = entity AND c.writer = pg_current_xact_id() AND e.account_no = account
          AND (at IS NULL OR e.sequence = at) AND (event_kind IS NULL OR e.kind = event_kind))
$$;

CREATE FUNCTION ledger.check_account() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
BEGIN
    IF NOT is_written_now(NEW.entity_no, NEW.account_no, NEW.account_no, 9::int2) THEN
        RAISE EXCEPTION 'account % of entity % has no event of its creation', NEW.account_id, NEW.entity_no
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER check_account AFTER INSERT ON ledger.accounts FOR EACH ROW EXECUTE FUNCTION ledger.check_account();

-- What is fixed about an account stays so; each change is one revision with its event; closed is the end,
-- and only at zero.
CREATE FUNCTION ledger.check_account_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
BEGIN
    IF (NEW.entity_no, NEW.account_no, NEW.account_id, NEW.type, NEW.contra, NEW.created_time)
       IS DISTINCT FROM (OLD.entity_no, OLD.account_no, OLD.account_id, OLD.type, OLD.contra, OLD.created_time)
       OR NEW.revision <= OLD.revision OR OLD.state = 3
       OR NOT is_written_now(NEW.entity_no, NEW.account_no, NEW.sequence, 10::int2) THEN
        RAISE EXCEPTION 'account % of entity %: change refused', OLD.account_id, OLD.entity_no
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.parent_no IS NOT NULL AND EXISTS (
        WITH RECURSIVE above AS (
            SELECT NEW.parent_no AS account_no
            UNION
            SELECT a.parent_no FROM above b
            JOIN accounts a ON a.entity_no = NEW.entity_no AND a.account_no = b.account_no AND a.parent_no IS NOT NULL
        )
        SELECT FROM above WHERE account_no = NEW.account_no
    ) THEN
        RAISE EXCEPTION 'account % of entity % would lie below itself', OLD.account_id, OLD.entity_no
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 3 AND EXISTS (
        SELECT FROM (SELECT DISTINCT ON (currency) * FROM entries
                     WHERE entity_no = NEW.entity_no AND account_no = NEW.account_no
                     ORDER BY currency, number DESC) h
        WHERE COALESCE(wide[2], debits_posted) <> COALESCE(wide[3], credits_posted)
           OR COALESCE(wide[4], debits_pending) <> 0 OR COALESCE(wide[5], credits_pending) <> 0
    ) THEN
        RAISE EXCEPTION 'account % of entity % is not empty', OLD.account_id, OLD.entity_no
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER check_account_change BEFORE UPDATE ON ledger.accounts
    FOR EACH ROW EXECUTE FUNCTION ledger.check_account_change();

-- A new limit holds from its first moment.
CREATE FUNCTION ledger.check_limit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM accounts a
        LEFT JOIN LATERAL (
            SELECT COALESCE(wide[2], debits_posted) AS dp, COALESCE(wide[3], credits_posted) AS cp,
                   COALESCE(wide[4], debits_pending) AS dq, COALESCE(wide[5], credits_pending) AS cq
            FROM entries e
            WHERE e.entity_no = NEW.entity_no AND e.account_no = NEW.account_no AND e.currency = NEW.currency
            ORDER BY number DESC LIMIT 1
        ) h ON true
        WHERE a.entity_no = NEW.entity_no AND a.account_no = NEW.account_no
          AND (NEW.floor > COALESCE(CASE a.normal_side WHEN 1 THEN dp - cp - cq ELSE cp - dp - dq END, 0)
               OR NEW.ceiling < COALESCE(CASE a.normal_side WHEN 1 THEN dp - cp + dq ELSE cp - dp + cq END, 0))
    ) THEN
        RAISE EXCEPTION 'limit of account % of entity % in % is broken by its present balance',
            NEW.account_no, NEW.entity_no, NEW.currency USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER check_limit AFTER INSERT OR UPDATE ON ledger.account_limits
    FOR EACH ROW EXECUTE FUNCTION ledger.check_limit();

CREATE FUNCTION ledger.check_limit_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
DECLARE
    changed account_limits := COALESCE(NEW, OLD);
BEGIN
    IF NOT is_written_now(changed.entity_no, changed.account_no, NULL, NULL) THEN
        RAISE EXCEPTION 'limits of account % of entity % change without an event', changed.account_no, changed.entity_no
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER check_limit_change AFTER INSERT OR UPDATE OR DELETE ON ledger.account_limits
    FOR EACH ROW EXECUTE FUNCTION ledger.check_limit_change();
CREATE TRIGGER immutable BEFORE TRUNCATE ON ledger.account_limits
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- An archived entity takes no writes and stays archived; each change, and the creation, has its event.
CREATE FUNCTION ledger.check_entity_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM commits c JOIN events e ON e.entity_no = c.entity_no
            AND e.sequence BETWEEN c.first_sequence AND c.last_sequence
        WHERE c.entity_no = NEW.entity_no AND c.writer = pg_current_xact_id() AND e.kind = 12
    ) OR (NEW.entity_no, NEW.entity_id, NEW.id_key, NEW.created_time)
       IS DISTINCT FROM (OLD.entity_no, OLD.entity_id, OLD.id_key, OLD.created_time)
       OR NEW.revision <= OLD.revision OR OLD.state = 2 THEN
        RAISE EXCEPTION 'entity %: change refused', OLD.entity_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER check_entity_change BEFORE UPDATE ON ledger.entities
    FOR EACH ROW EXECUTE FUNCTION ledger.check_entity_change();

CREATE FUNCTION ledger.check_entity() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM events e WHERE e.entity_no = NEW.entity_no AND e.sequence = 1 AND e.kind = 11) THEN
        RAISE EXCEPTION 'entity % has no event of its creation', NEW.entity_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER check_entity AFTER INSERT ON ledger.entities DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ledger.check_entity();
