-- As in 0013, but each entry's predecessor is looked for by its number, not as the newest one below. Of an account with
-- many entries a look for the newest reads all of them that stand on the same page of the index, some 200: posting
-- became dearer as accounts grew, by a third of what PostgreSQL does for a transaction. An entry between the two there
-- can't be: numbers begin at 1, each has its predecessor, and the chain is unique. BETWEEN and ORDER BY: see 0013.
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
              AND p.number BETWEEN n.number - 1 AND n.number - 1
            ORDER BY p.number LIMIT 1
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

