-- The same rules at less cost: what a statement or a commit did not touch is not looked at. Each quick look below only
-- tells whether the exact one, as it was, is needed; what it can't vouch for, the exact one decides. And a search that
-- costs what it tells.
--
-- A look-up here says by ORDER BY which index it means: without statistics, or with those of an empty table, an index
-- on the entity alone seems as good, and each look-up would read all that the entity has.

-- The kinds of the events that were written, as a bit mask (1 << kind); NULL: written before this migration.
ALTER TABLE ledger.commits ADD COLUMN kinds int4;

-- Accounts whose entries take more than a chain without a gap: not open, or for some currencies only.
CREATE INDEX accounts_guarded ON ledger.accounts (entity_no, account_no) WHERE state <> 1 OR currencies <> '{}';

-- As in 0006, but one statement for all entities: a database transaction may serve hundreds with an event each.
CREATE OR REPLACE FUNCTION ledger.check_events() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
DECLARE
    run record;
    broken record;
    has_open bool := false;
BEGIN
    FOR run IN
        WITH runs AS MATERIALIZED (
            SELECT entity_no, min(sequence) AS first, max(sequence) AS last, count(*) AS events,
                   min(recorded_time) AS recorded, max(recorded_time) AS latest, bit_or(1 << kind) AS kinds,
                   bool_or(revision > 1) AS changes, bool_or(status <= 2) AS leaves_open,
                   bool_or(category_id IS NOT NULL AND kind IN (1, 13)) AS categorized
            FROM new_events GROUP BY entity_no
        ), written AS (
            INSERT INTO commits (entity_no, first_sequence, last_sequence, recorded_time, writer, kinds)
            SELECT entity_no, first, last, recorded, pg_current_xact_id(), kinds FROM runs ORDER BY entity_no
        )
        SELECT r.*, e.state, p.sequence AS previous, p.recorded_time AS previous_time
        FROM runs r
        LEFT JOIN LATERAL (SELECT e.state FROM entities e WHERE e.entity_no = r.entity_no LIMIT 1) e ON true
        LEFT JOIN LATERAL (
            SELECT e.sequence, e.recorded_time FROM events e
            WHERE e.entity_no = r.entity_no AND e.sequence < r.first ORDER BY e.sequence DESC LIMIT 1
        ) p ON true
        ORDER BY r.entity_no
    LOOP
        -- Archived, only what expires by itself (kind 6) goes on.
        IF run.state IS NULL OR (run.state <> 1 AND run.kinds <> (1 << 6)) THEN
            RAISE EXCEPTION 'entity % does not exist or is archived', run.entity_no
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF run.first <> COALESCE(run.previous, 0) + 1 OR run.events <> run.last - run.first + 1 THEN
            RAISE EXCEPTION 'sequence of entity % has a gap before %', run.entity_no, run.first
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        -- One database transaction, one recorded time: what was committed together was known together.
        IF run.recorded <> run.latest OR run.recorded < run.previous_time THEN
            RAISE EXCEPTION 'recorded time of entity % goes back at %', run.entity_no, run.first
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF run.changes THEN
            PERFORM check_lives(run.entity_no, run.first, run.last);
        END IF;
        has_open := has_open OR run.leaves_open;
        IF run.kinds & (1 << 7) <> 0 THEN
            SELECT n.sequence INTO broken FROM events n
            LEFT JOIN LATERAL (
                SELECT o.sequence, o.status FROM events o
                WHERE o.entity_no = n.entity_no AND o.sequence BETWEEN n.reverses AND n.reverses
                  AND o.sequence < n.sequence AND o.kind = 1
                ORDER BY o.sequence LIMIT 1
            ) o ON true
            LEFT JOIN LATERAL (
                SELECT l.status FROM events l
                WHERE l.entity_no = n.entity_no AND l.transaction_no = o.sequence AND l.revision > 1
                  AND l.sequence < n.sequence
                ORDER BY l.revision DESC LIMIT 1
            ) l ON true
            WHERE n.entity_no = run.entity_no AND n.sequence BETWEEN run.first AND run.last AND n.kind = 7
              AND COALESCE(l.status, o.status, 0) <> 3
            ORDER BY n.sequence LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'event % of entity % reverses what is not posted', broken.sequence, run.entity_no
                    USING ERRCODE = 'integrity_constraint_violation';
            END IF;
        END IF;
        IF run.categorized THEN
            SELECT n.sequence INTO broken FROM events n
            WHERE n.entity_no = run.entity_no AND n.sequence BETWEEN run.first AND run.last
              AND n.category_id IS NOT NULL AND n.kind IN (1, 13)
              AND NOT EXISTS (
                  SELECT FROM categories c WHERE c.entity_no = n.entity_no AND c.category_id = n.category_id)
              -- Its row comes after the events, which it must agree with: of a new one only the event is there.
              AND NOT EXISTS (
                  SELECT FROM events e WHERE e.entity_no = n.entity_no AND e.sequence BETWEEN run.first AND run.last
                    AND e.sequence < n.sequence AND e.kind = 14 AND e.category_id = n.category_id)
            LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'event % of entity % names a category that does not exist', broken.sequence,
                    run.entity_no USING ERRCODE = 'integrity_constraint_violation';
            END IF;
        END IF;
    END LOOP;
    IF has_open THEN
        INSERT INTO open_transactions (entity_no, transaction_no, sequence, expire_time)
        SELECT n.entity_no, n.transaction_no, n.sequence, n.expire_time
        FROM (
            SELECT DISTINCT ON (entity_no, transaction_no) entity_no, transaction_no, sequence, status, expire_time
            FROM new_events WHERE transaction_no IS NOT NULL
            ORDER BY entity_no, transaction_no, revision DESC
        ) n
        WHERE n.status <= 2;
    END IF;
    RETURN NULL;
END $$;

-- As in 0012, of events among which there are later revisions. What is open now, check_events adds for all at once.
CREATE OR REPLACE FUNCTION ledger.check_lives(entity int4, first int8, last int8) RETURNS void LANGUAGE plpgsql
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
        (SELECT p.* FROM events p
         WHERE n.revision > 2 AND p.entity_no = entity AND p.transaction_no = n.transaction_no
           AND p.revision BETWEEN n.revision - 1 AND n.revision - 1 AND p.revision > 1
         ORDER BY p.revision LIMIT 1)
        LIMIT 1
    ) p ON true
    WHERE n.entity_no = entity AND n.sequence BETWEEN first AND last AND n.revision > 1
      AND (p.sequence IS NULL OR p.sequence >= n.sequence
           -- A category is an annotation: it may change when all else is final.
           OR (n.kind <> 13 AND p.status > 2)
           OR (n.kind = 3 AND p.status <> 1)
           OR (n.kind IN (2, 13) AND n.status <> p.status)
           OR (n.postings_at <> p.postings_at AND (n.postings_at <> n.sequence OR n.kind NOT IN (2, 4)))
           -- Whose time is over while it is open expires, and does nothing else.
           OR (p.status <= 2 AND (n.kind = 6) IS DISTINCT FROM COALESCE(n.expire_time <= n.recorded_time, false))
           OR (n.kind <> 2 AND n.description IS DISTINCT FROM p.description)
           OR (n.kind <> 13 AND n.category_id IS DISTINCT FROM p.category_id)
           OR CASE WHEN n.kind IN (2, 5, 6) AND p.status = 2 THEN is_frozen(entity, n.transaction_no) ELSE false END
           OR (n.effective_time, n.expire_time, n.reference, n.counterparty, n.metadata, n.reverses)
              IS DISTINCT FROM
              (p.effective_time, p.expire_time, p.reference, p.counterparty, p.metadata, p.reverses))
    ORDER BY n.sequence LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'event % of entity % does not follow from the revision before it', broken.sequence, entity
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;

    DELETE FROM open_transactions WHERE entity_no = entity AND transaction_no = ANY (ARRAY(
        SELECT n.transaction_no FROM events n
        WHERE n.entity_no = entity AND n.sequence BETWEEN first AND last AND n.revision > 1 ORDER BY n.sequence));
END $$;

-- As in 0002. That an account exists, its first entry proves, for accounts are never deleted; its state, currencies
-- and limits are looked at where the entity has accounts with other than the usual ones.
CREATE OR REPLACE FUNCTION ledger.check_entries() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
DECLARE
    at_hand record;
    broken record;
    is_proved bool;
BEGIN
    -- Sums of bigint don't overflow; entries with wide amounts have 0 there.
    SELECT bool_or(n.is_uneven) AS is_uneven, bool_or(n.is_wide) AS is_wide,
           bool_or(c.first_sequence IS NULL OR n.first < c.first_sequence) AS is_stray,
           bool_or(l.is_there) AS has_limits, bool_or(g.is_there) AS has_guarded
    INTO at_hand
    FROM (
        SELECT entity_no, min(sequence) AS first, max(sequence) AS last, bool_or(difference <> 0) AS is_uneven,
               bool_or(is_wide) AS is_wide
        FROM (
            SELECT entity_no, sequence, sum(CASE side WHEN 1 THEN amount ELSE -amount END) AS difference,
                   bool_or(wide IS NOT NULL) AS is_wide
            FROM new_entries GROUP BY entity_no, sequence, kind, currency
        ) e GROUP BY entity_no
    ) n
    LEFT JOIN LATERAL (
        SELECT c.first_sequence FROM commits c
        WHERE c.entity_no = n.entity_no AND c.writer = pg_current_xact_id() AND c.last_sequence >= n.last
        ORDER BY c.last_sequence DESC LIMIT 1
    ) c ON true
    LEFT JOIN LATERAL (
        SELECT true AS is_there FROM account_limits l WHERE l.entity_no = n.entity_no LIMIT 1
    ) l ON true
    LEFT JOIN LATERAL (
        SELECT true AS is_there FROM accounts a
        WHERE a.entity_no = n.entity_no AND (a.state <> 1 OR a.currencies <> '{}') ORDER BY a.account_no LIMIT 1
    ) g ON true;

    -- Rule 1: of each event, what it holds, posts, settles and releases balances in every currency.
    IF at_hand.is_uneven OR at_hand.is_wide THEN
        SELECT entity_no, sequence, currency INTO broken
        FROM new_entries GROUP BY entity_no, sequence, kind, currency
        HAVING sum(CASE side WHEN 1 THEN COALESCE(wide[1], amount) ELSE -COALESCE(wide[1], amount) END) <> 0
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'event % of entity % is out of balance in %', broken.sequence, broken.entity_no,
                broken.currency USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;

    -- Entries belong to an event of this same database transaction: nothing is added to old ones.
    IF at_hand.is_stray THEN
        SELECT n.entity_no, n.first INTO broken
        FROM (SELECT entity_no, min(sequence) AS first, max(sequence) AS last FROM new_entries GROUP BY entity_no) n
        LEFT JOIN LATERAL (
            SELECT c.first_sequence FROM commits c
            WHERE c.entity_no = n.entity_no AND c.writer = pg_current_xact_id() AND c.last_sequence >= n.last
            ORDER BY c.last_sequence DESC LIMIT 1
        ) c ON true
        WHERE c.first_sequence IS NULL OR n.first < c.first_sequence
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'entries of entity % at % without an event of the same database transaction',
                broken.entity_no, broken.first USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;

    -- Rules 2 and 7, first the quick way: 64-bit arithmetic, and of accounts only what is unusual. What it can't prove,
    -- because it is wide or wrong, the exact way below decides. Each entry's predecessor is in the table by now, also
    -- if it came with the same statement: cheaper than to sort the statement by account.
    IF NOT at_hand.is_wide THEN
        PERFORM FROM new_entries n
        LEFT JOIN LATERAL (
            SELECT p.number, p.debits_posted, p.credits_posted, p.debits_pending, p.credits_pending,
                   p.latest_effective, p.sequence, p.wide
            FROM entries p
            WHERE p.entity_no = n.entity_no AND p.account_no = n.account_no AND p.currency = n.currency
              AND p.number < n.number
            ORDER BY p.number DESC LIMIT 1
        ) p ON true
        WHERE n.number <> COALESCE(p.number, 0) + 1
           OR n.sequence < p.sequence
           OR n.debits_posted <> COALESCE(p.debits_posted, 0)
                + CASE WHEN n.side = 1 AND n.kind IN (1, 4) THEN n.amount ELSE 0 END
           OR n.credits_posted <> COALESCE(p.credits_posted, 0)
                + CASE WHEN n.side = 2 AND n.kind IN (1, 4) THEN n.amount ELSE 0 END
           OR n.debits_pending <> COALESCE(p.debits_pending, 0)
                + CASE WHEN n.side = 2 OR n.kind = 1 THEN 0 WHEN n.kind = 2 THEN n.amount ELSE -n.amount END
           OR n.credits_pending <> COALESCE(p.credits_pending, 0)
                + CASE WHEN n.side = 1 OR n.kind = 1 THEN 0 WHEN n.kind = 2 THEN n.amount ELSE -n.amount END
           OR n.latest_effective <> GREATEST(n.effective_time, p.latest_effective)
           OR p.wide IS NOT NULL
           -- LIMIT: not a set to be read whole, which EXISTS might become.
           OR (p.number IS NULL AND (
                SELECT a.account_no FROM accounts a
                WHERE a.entity_no = n.entity_no AND a.account_no BETWEEN n.account_no AND n.account_no
                ORDER BY a.account_no LIMIT 1) IS NULL)
        LIMIT 1;
        is_proved := NOT FOUND;
        IF is_proved AND at_hand.has_guarded THEN
            PERFORM FROM new_entries n
            CROSS JOIN LATERAL (
                SELECT FROM accounts a
                WHERE a.entity_no = n.entity_no AND a.account_no BETWEEN n.account_no AND n.account_no
                  AND (a.state <> 1 OR a.currencies <> '{}') AND (a.state <> 1 OR n.currency <> ALL (a.currencies))
                ORDER BY a.account_no LIMIT 1
            ) a
            LIMIT 1;
            is_proved := NOT FOUND;
        END IF;
        IF is_proved AND at_hand.has_limits THEN
            -- Differences of 64-bit totals may need more than 64 bits. An entry in between its event's others may
            -- look worse than its end: that too is for the exact way.
            PERFORM FROM new_entries n
            CROSS JOIN LATERAL (
                SELECT l.floor, l.ceiling FROM account_limits l
                WHERE l.entity_no = n.entity_no AND l.account_no = n.account_no AND l.currency = n.currency LIMIT 1
            ) l
            CROSS JOIN LATERAL (
                SELECT a.normal_side FROM accounts a
                WHERE a.entity_no = n.entity_no AND a.account_no BETWEEN n.account_no AND n.account_no
                ORDER BY a.account_no LIMIT 1
            ) a
            WHERE l.floor > CASE a.normal_side
                    WHEN 1 THEN n.debits_posted::numeric - n.credits_posted - n.credits_pending
                    ELSE n.credits_posted::numeric - n.debits_posted - n.debits_pending END
               OR l.ceiling < CASE a.normal_side
                    WHEN 1 THEN n.debits_posted::numeric - n.credits_posted + n.debits_pending
                    ELSE n.credits_posted::numeric - n.debits_posted + n.credits_pending END
            LIMIT 1;
            is_proved := NOT FOUND;
        END IF;
        IF is_proved THEN
            RETURN NULL;
        END IF;
    END IF;

    WITH chained AS (
        SELECT n.entity_no, n.account_no, n.currency, n.number, n.sequence, n.kind, n.side, n.effective_time,
               n.latest_effective, COALESCE(n.wide[1], n.amount) AS amount, COALESCE(n.wide[2], n.debits_posted) AS dp,
               COALESCE(n.wide[3], n.credits_posted) AS cp, COALESCE(n.wide[4], n.debits_pending) AS dq,
               COALESCE(n.wide[5], n.credits_pending) AS cq,
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
        WHERE p.entity_no = c.entity_no AND p.account_no = c.account_no AND p.currency = c.currency
          AND p.number < c.number
        ORDER BY p.number DESC LIMIT 1
    ) p ON true
    LEFT JOIN LATERAL (
        SELECT a.state, a.currencies, a.normal_side FROM accounts a
        WHERE a.entity_no = c.entity_no AND a.account_no BETWEEN c.account_no AND c.account_no
        ORDER BY a.account_no LIMIT 1
    ) a ON true
    LEFT JOIN LATERAL (
        SELECT l.floor, l.ceiling FROM account_limits l
        WHERE l.entity_no = c.entity_no AND l.account_no = c.account_no AND l.currency = c.currency LIMIT 1
    ) l ON true
    WHERE a.state IS NULL
       OR (a.state <> 1 AND (a.state = 3 OR c.kind <> 3))
       OR (cardinality(a.currencies) > 0 AND c.currency <> ALL (a.currencies))
       OR c.number <> COALESCE(p.number, 0) + 1
       OR c.sequence < p.sequence
       OR c.dp <> COALESCE(p.dp, 0) + CASE WHEN c.side = 1 AND c.kind IN (1, 4) THEN c.amount ELSE 0 END
       OR c.cp <> COALESCE(p.cp, 0) + CASE WHEN c.side = 2 AND c.kind IN (1, 4) THEN c.amount ELSE 0 END
       OR c.dq <> COALESCE(p.dq, 0)
            + CASE WHEN c.side = 2 OR c.kind = 1 THEN 0 WHEN c.kind = 2 THEN c.amount ELSE -c.amount END
       OR c.cq <> COALESCE(p.cq, 0)
            + CASE WHEN c.side = 1 OR c.kind = 1 THEN 0 WHEN c.kind = 2 THEN c.amount ELSE -c.amount END
       OR c.latest_effective <> GREATEST(c.effective_time, p.latest_effective)
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

-- As in 0002, each part only where there are such events.
CREATE OR REPLACE FUNCTION ledger.check_commit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
DECLARE
    broken record;
    -- Of what kinds the events are; all, if they came another way than by check_events.
    written int4 := COALESCE(NEW.kinds, -1);
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
    IF written & (1 << 2) <> 0 THEN
        SELECT e.sequence INTO broken
        FROM (
            SELECT sequence FROM events
            WHERE entity_no = NEW.entity_no AND sequence BETWEEN NEW.first_sequence AND NEW.last_sequence
              AND kind = 2 AND postings_at = sequence
            ORDER BY sequence
        ) e
        CROSS JOIN LATERAL (
            SELECT FROM (
                SELECT x.* FROM entries x WHERE x.entity_no = NEW.entity_no AND x.sequence = e.sequence
                ORDER BY x.kind, x.leg
            ) y
            GROUP BY y.leg, y.side, y.currency
            HAVING sum(CASE y.kind WHEN 2 THEN 1 ELSE -1 END * COALESCE(y.wide[1], y.amount)) <> 0
        ) l
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'edit % of entity % releases or settles other than it held', broken.sequence, NEW.entity_no
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;

    -- An approval settles something of every posting; a smaller amount releases the rest of each.
    IF written & (1 << 4) <> 0 THEN
        SELECT e.sequence INTO broken
        FROM (
            SELECT sequence FROM events
            WHERE entity_no = NEW.entity_no AND sequence BETWEEN NEW.first_sequence AND NEW.last_sequence AND kind = 4
            ORDER BY sequence
        ) e
        CROSS JOIN LATERAL (
            SELECT FROM (
                SELECT x.* FROM entries x WHERE x.entity_no = NEW.entity_no AND x.sequence = e.sequence
                ORDER BY x.kind, x.leg
            ) y
            GROUP BY y.leg HAVING NOT bool_or(y.kind = 4)
        ) l
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'approval % of entity % leaves out a posting', broken.sequence, NEW.entity_no
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;

    -- Of each transaction that changed: what all its events together still hold is what its newest revision
    -- says that it holds: its postings while it is open, nothing when it has ended.
    IF written & ((1 << 2) | (1 << 3) | (1 << 4) | (1 << 5) | (1 << 6) | (1 << 13)) <> 0 THEN
        SELECT t.transaction_no INTO broken
        FROM (
            SELECT DISTINCT v.transaction_no FROM (
                SELECT transaction_no FROM events
                WHERE entity_no = NEW.entity_no AND sequence BETWEEN NEW.first_sequence AND NEW.last_sequence
                  AND revision > 1
                ORDER BY sequence
            ) v
        ) t
        CROSS JOIN LATERAL (
            SELECT x.account_no, x.currency, x.side, x.leg,
                   sum(CASE x.kind WHEN 2 THEN 1 ELSE -1 END * COALESCE(x.wide[1], x.amount)) AS held
            FROM (
                SELECT t.transaction_no AS sequence
                UNION ALL
                (SELECT e.sequence FROM events e
                 WHERE e.entity_no = NEW.entity_no AND e.transaction_no = t.transaction_no AND e.revision > 1
                 ORDER BY e.revision)
            ) e
            CROSS JOIN LATERAL (
                SELECT y.* FROM entries y
                WHERE y.entity_no = NEW.entity_no AND y.sequence = e.sequence AND y.kind > 1
                ORDER BY y.kind, y.leg
            ) x
            GROUP BY x.account_no, x.currency, x.side, x.leg
        ) h
        WHERE h.held < 0 OR (h.held > 0 AND NOT EXISTS (
            SELECT FROM (
                SELECT o.sequence FROM open_transactions o
                WHERE o.entity_no = NEW.entity_no AND o.transaction_no BETWEEN t.transaction_no AND t.transaction_no
                ORDER BY o.transaction_no LIMIT 1
            ) o
            CROSS JOIN LATERAL (
                SELECT v.postings_at FROM events v
                WHERE v.entity_no = NEW.entity_no AND v.sequence BETWEEN o.sequence AND o.sequence
                ORDER BY v.sequence LIMIT 1
            ) v
            CROSS JOIN LATERAL (
                SELECT y.* FROM entries y
                WHERE y.entity_no = NEW.entity_no AND y.sequence BETWEEN v.postings_at AND v.postings_at AND y.kind = 2
                  AND y.leg = h.leg
                ORDER BY y.sequence LIMIT 1
            ) y
            WHERE y.account_no = h.account_no AND y.currency = h.currency AND y.side = h.side
              AND COALESCE(y.wide[1], y.amount) = h.held))
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'transaction % of entity % releases or settles other than it held',
                broken.transaction_no, NEW.entity_no USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;

    IF written & (1 << 7) <> 0 THEN
        SELECT r.reverses INTO broken
        FROM (
            SELECT DISTINCT reverses FROM events
            WHERE entity_no = NEW.entity_no AND sequence BETWEEN NEW.first_sequence AND NEW.last_sequence AND kind = 7
        ) r
        CROSS JOIN LATERAL (
            -- The original's newest revision; a reversal is never itself reversed, so these are all its events.
            SELECT v.postings_at FROM (
                SELECT e.revision, e.postings_at FROM events e
                WHERE e.entity_no = NEW.entity_no AND e.sequence = r.reverses
                UNION ALL
                (SELECT e.revision, e.postings_at FROM events e
                 WHERE e.entity_no = NEW.entity_no AND e.transaction_no = r.reverses AND e.revision > 1
                 ORDER BY e.revision DESC LIMIT 1)
            ) v ORDER BY v.revision DESC LIMIT 1
        ) o
        CROSS JOIN LATERAL (
            SELECT y.leg, y.account_no, y.currency, y.side, sum(COALESCE(y.wide[1], y.amount)) AS amount
            FROM (
                SELECT e.sequence FROM events e
                WHERE e.entity_no = NEW.entity_no AND e.reverses BETWEEN r.reverses AND r.reverses
                ORDER BY e.reverses, e.sequence
            ) e
            CROSS JOIN LATERAL (
                SELECT z.* FROM entries z WHERE z.entity_no = NEW.entity_no AND z.sequence = e.sequence
                ORDER BY z.kind, z.leg
            ) y
            GROUP BY y.leg, y.account_no, y.currency, y.side
        ) x
        LEFT JOIN LATERAL (
            SELECT COALESCE(p.wide[1], p.amount) AS amount FROM entries p
            WHERE p.entity_no = NEW.entity_no AND p.sequence = o.postings_at AND p.kind IN (1, 4)
              AND p.leg = x.leg AND p.account_no = x.account_no AND p.currency = x.currency AND p.side <> x.side
            ORDER BY p.kind LIMIT 1
        ) p ON true
        WHERE x.amount > COALESCE(p.amount, 0)
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'reversals of transaction % of entity % exceed it', broken.reverses, NEW.entity_no
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;
    RETURN NULL;
END $$;

-- The first sequence that this database transaction wrote in an entity; NULL: none. Its rows of commits are the
-- entity's newest, so they are found by going back from the end: `writer` has no index, and all commits of a large
-- entity were read for each account that was made.
CREATE FUNCTION ledger.first_written_now(entity int4) RETURNS int8 LANGUAGE plpgsql STABLE
SET search_path = ledger, pg_temp AS $$
DECLARE
    first int8;
    run record;
BEGIN
    LOOP
        SELECT c.first_sequence, c.writer INTO run FROM commits c
        WHERE c.entity_no = entity AND c.last_sequence < COALESCE(first, 9223372036854775807)
        ORDER BY c.last_sequence DESC LIMIT 1;
        EXIT WHEN run.writer IS DISTINCT FROM pg_current_xact_id();
        first := run.first_sequence;
    END LOOP;
    RETURN first;
END $$;
REVOKE ALL ON FUNCTION ledger.first_written_now FROM PUBLIC;

-- As in 0012.
CREATE OR REPLACE FUNCTION ledger.is_written_now(entity int4, account int8, at int8, event_kind int2) RETURNS boolean
LANGUAGE sql STABLE SET search_path = ledger, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM (SELECT first_written_now(entity) AS first OFFSET 0) c
        CROSS JOIN LATERAL (
            SELECT FROM events e
            WHERE e.entity_no = entity
              AND e.sequence BETWEEN GREATEST(at, c.first) AND COALESCE(at, 9223372036854775807)
              AND c.first IS NOT NULL AND e.account_no = account AND e.kind IN (9, 10)
              AND (event_kind IS NULL OR e.kind = event_kind)
            ORDER BY e.sequence LIMIT 1
        ) e)
$$;

-- As in 0010.
CREATE OR REPLACE FUNCTION ledger.check_limit_since() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
DECLARE
    broken record;
BEGIN
    SELECT x.number INTO broken
    FROM accounts a
    CROSS JOIN LATERAL (
        SELECT e.sequence FROM events e
        WHERE e.entity_no = NEW.entity_no AND e.sequence >= first_written_now(NEW.entity_no)
          AND e.account_no = NEW.account_no
        ORDER BY e.sequence DESC LIMIT 1
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

-- As in 0012; only for events of accounts, categories and reconciliations (kinds 9, 10, 14, 15, 16).
CREATE OR REPLACE FUNCTION ledger.check_chart() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
DECLARE
    broken record;
BEGIN
    SELECT e.sequence, e.what INTO broken
    FROM (
        SELECT DISTINCT ON (
                   CASE WHEN kind <= 10 THEN 0 WHEN kind <= 15 THEN 1 ELSE sequence END, account_no, category_id)
               CASE WHEN kind <= 10 THEN 'account' WHEN kind <= 15 THEN 'category' ELSE 'reconciliation' END AS what,
               account_no, category_id, sequence, detail
        FROM events
        WHERE entity_no = NEW.entity_no AND sequence BETWEEN NEW.first_sequence AND NEW.last_sequence
          AND kind IN (9, 10, 14, 15, 16)
        ORDER BY CASE WHEN kind <= 10 THEN 0 WHEN kind <= 15 THEN 1 ELSE sequence END, account_no, category_id,
                 sequence DESC
    ) e
    LEFT JOIN LATERAL (
        (SELECT a.sequence FROM accounts a
         WHERE e.what = 'account' AND a.entity_no = NEW.entity_no AND a.account_no BETWEEN e.account_no AND e.account_no
         ORDER BY a.account_no LIMIT 1)
        UNION ALL
        SELECT c.sequence FROM categories c
        WHERE e.what = 'category' AND c.entity_no = NEW.entity_no AND c.category_id = e.category_id
        UNION ALL
        SELECT r.sequence FROM reconciliation_revisions r
        WHERE e.what = 'reconciliation' AND r.entity_no = NEW.entity_no AND r.account_no = e.account_no
          AND r.currency = e.detail ->> 'currency' AND r.sequence = e.sequence
        LIMIT 1
    ) n ON true
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_array(m.currency, m.floor::text, m.ceiling::text) ORDER BY m.currency) AS limits
        FROM account_limits m
        WHERE e.what = 'account' AND m.entity_no = NEW.entity_no AND m.account_no = e.account_no
    ) l
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(m.value ORDER BY (m.value ->> 0) COLLATE "C") AS limits
        FROM jsonb_array_elements(e.detail -> 'limits') m
        WHERE e.what = 'account'
    ) t
    WHERE n.sequence IS DISTINCT FROM e.sequence OR l.limits IS DISTINCT FROM t.limits
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'event % of entity % tells other of its % than is so', broken.sequence, NEW.entity_no,
            broken.what USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER check_chart ON ledger.commits;
CREATE CONSTRAINT TRIGGER check_chart AFTER INSERT ON ledger.commits DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.kinds IS NULL OR NEW.kinds & 116224 <> 0) EXECUTE FUNCTION ledger.check_chart();

-- Search. The words of a description were found by an index that gives all there are, oldest first; the newest ones are
-- wanted. So each word is in the index together with the entity and the part of its history, 32,768 events each:
-- '#7.3/rent' is "rent" in part 3 of entity 7. A search goes back part by part until it has enough: what it costs
-- depends on what it tells, not on the ledger's size. An edit is of the part of the transaction that it edits.
CREATE FUNCTION ledger.search_mark(entity int4, part int8) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ' ''#' || entity::text || '.' || part::text || '/'
$$;

-- A word with its mark must not have more than 2,046 bytes, so one of more than 2,000 is not looked for: it is left out
-- here, and search_terms does not take it. Short texts, which can't have one, are spared the look.
CREATE FUNCTION ledger.search_vector(value text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = ledger, pg_temp AS $$
    SELECT ts_delete(v.words, ARRAY(SELECT w.lexeme FROM unnest(v.words) w WHERE octet_length(w.lexeme) > 2000))
    FROM (SELECT to_tsvector('simple', search_text(value)) AS words) v
$$;

CREATE FUNCTION ledger.search_words(entity int4, transaction_no int8, value text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- In a vector's text each word begins with a quote after a blank, and has neither in it.
    SELECT replace(
        ' ' || CASE WHEN octet_length(value) < 120 THEN to_tsvector('simple'::regconfig, ledger.search_text(value))
               ELSE ledger.search_vector(value) END::text,
        ' ''', ledger.search_mark(entity, transaction_no >> 15))::tsvector
$$;

-- The same for a query: its words may follow a bracket too.
CREATE FUNCTION ledger.search_part(entity int4, part int8, terms tsquery) RETURNS tsquery
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT replace(replace(' ' || terms::text, '(''', '( '''), ' ''', ledger.search_mark(entity, part))::tsquery
$$;

-- As in 0008. `'#' || entity` is not immutable, `'#' || entity::text` is: now PostgreSQL writes the function out where
-- it is used, at half the cost.
CREATE OR REPLACE FUNCTION ledger.search_document(entity int4, value text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_to_tsvector(ARRAY['#' || entity::text]) || to_tsvector('simple'::regconfig, ledger.search_text(value))
$$;

-- What search_query of 0008 makes, without the entity.
CREATE FUNCTION ledger.search_terms(words text[], prefixes text[], phrases text[]) RETURNS tsquery
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = ledger, pg_temp AS $$
DECLARE
    found tsquery := ''::tsquery;
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
    IF octet_length(found::text) > 2000 AND EXISTS (
        SELECT FROM regexp_matches(found::text, '''([^'']*)''', 'g') AS w (word) WHERE octet_length(w.word[1]) > 2000
    ) THEN
        RETURN NULL;
    END IF;
    RETURN found;
END $$;

CREATE OR REPLACE FUNCTION ledger.search_query(entity int4, words text[], prefixes text[], phrases text[])
RETURNS tsquery LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = ledger, pg_temp AS $$
BEGIN
    RETURN ('''#' || entity || '''')::tsquery && search_terms(words, prefixes, phrases);
END $$;

DROP FUNCTION ledger.search_candidates(int4, tsquery);
DROP INDEX ledger.events_by_description;
-- What is put off until there is more of it is read by each look into the index: 128 kB, not 4 MB. It costs no more to
-- put in its place sooner, and each time holds up a posting less.
CREATE INDEX events_by_description ON ledger.events
    USING gin (ledger.search_words(entity_no, transaction_no, description)) WITH (gin_pending_list_limit = 128)
    WHERE description IS NOT NULL AND (revision = 1 OR kind = 2);

-- The newest transactions that match, `most` of them, newest first; `amounts` as in finding.sql. As the owner of the
-- tables, for the reason given in 0008; so it keeps to the entity that the session is bound to.
CREATE FUNCTION ledger.search_candidates(entity int4, terms tsquery, effective_from timestamptz,
    effective_before timestamptz, statuses int2[], amounts jsonb, most int4) RETURNS SETOF int8
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = ledger, pg_temp SET enable_seqscan = off
-- How often a word occurs decides how it is looked for.
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    part int8;
    looked_at int8 := 0;
    width int8 := 1;
    found int8 := 0;
    here int8;
    posted int8[];
    others int8[];
BEGIN
    IF terms IS NULL OR numnode(terms) = 0 OR NOT is_bound_to(entity) THEN
        RETURN;
    END IF;
    SELECT e.sequence >> 15 INTO part FROM events e WHERE e.entity_no = entity ORDER BY e.sequence DESC LIMIT 1;
    WHILE part >= 0 AND found < most LOOP
        -- What was POSTED when it was created was never edited and never ended: its only description says all. Of the
        -- others the present description and status decide. Each part by itself: a query for several, linked by "or",
        -- makes much more work in the index.
        SELECT array_agg(e.transaction_no) FILTER (WHERE e.is_posted),
               array_agg(e.transaction_no) FILTER (WHERE NOT e.is_posted)
        INTO posted, others
        FROM generate_series(GREATEST(part - width + 1, 0), part) AS p (part)
        CROSS JOIN LATERAL (
            SELECT v.transaction_no, v.revision = 1 AND v.status = 3 AS is_posted FROM events v
            WHERE v.entity_no = entity
              AND search_words(v.entity_no, v.transaction_no, v.description) @@ search_part(entity, p.part, terms)
              AND v.description IS NOT NULL AND (v.revision = 1 OR v.kind = 2)
              AND (effective_from IS NULL OR v.effective_time >= effective_from)
              AND (effective_before IS NULL OR v.effective_time < effective_before)
              AND (v.revision > 1 OR v.status <> 3 OR 3 = ANY (statuses))
            OFFSET 0
        ) e;
        IF others IS NOT NULL THEN
            others := ARRAY(
                SELECT t.transaction_no
                FROM (SELECT DISTINCT u.transaction_no FROM unnest(others) AS u (transaction_no)) o
                CROSS JOIN LATERAL (
                    SELECT v.* FROM transactions v
                    WHERE v.entity_no = entity AND v.transaction_no = o.transaction_no LIMIT 1
                ) t
                WHERE t.status = ANY (statuses)
                  AND search_document(entity, t.description) @@ (('''#' || entity || '''')::tsquery && terms));
        END IF;
        IF amounts IS NULL THEN
            RETURN QUERY SELECT c.transaction_no FROM unnest(posted || others) AS c (transaction_no)
                ORDER BY c.transaction_no DESC LIMIT most - found;
        ELSE
            RETURN QUERY SELECT c.transaction_no
                FROM (SELECT u.transaction_no FROM unnest(posted || others) AS u (transaction_no)
                      ORDER BY u.transaction_no DESC) c
                CROSS JOIN LATERAL (
                    SELECT v.postings_at FROM transactions v
                    WHERE v.entity_no = entity AND v.transaction_no = c.transaction_no LIMIT 1
                ) t
                CROSS JOIN LATERAL (
                    SELECT FROM entries x
                    WHERE x.entity_no = entity AND x.sequence = t.postings_at AND x.kind IN (1, 2, 4) AND x.side = 1
                    GROUP BY x.currency
                    HAVING sum(COALESCE(x.wide[1], x.amount)) >= COALESCE((amounts -> x.currency ->> 0)::numeric, 0)
                       AND sum(COALESCE(x.wide[1], x.amount))
                           <= COALESCE((amounts -> x.currency ->> 1)::numeric, 'Infinity')
                    LIMIT 1
                ) x
                ORDER BY c.transaction_no DESC LIMIT most - found;
        END IF;
        GET DIAGNOSTICS here = ROW_COUNT;
        found := found + here;
        part := part - width;
        looked_at := looked_at + width;
        -- Farther back each time, but not much farther than it should take.
        width := LEAST(width * 4, 256, (most - found) * looked_at * 11 / 10 / GREATEST(found, 1) + 1);
    END LOOP;
END $$;

REVOKE ALL ON FUNCTION ledger.search_mark, ledger.search_vector, ledger.search_words, ledger.search_part,
    ledger.search_terms, ledger.search_candidates FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.search_document FROM ledger_service;
-- Who reads may call what is in the index as well: for whom may not it is not written out, and then the owner's
-- search, in the same session, would not know it again.
GRANT EXECUTE ON FUNCTION ledger.search_mark, ledger.search_vector, ledger.search_words
    TO ledger_service, ledger_reader;
GRANT EXECUTE ON FUNCTION ledger.search_terms, ledger.search_candidates TO ledger_reader;
