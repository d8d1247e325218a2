"""Corruptions of transactions' lives, limits, accounts and of what guards the tables: rules 6 and 7."""

from __future__ import annotations

from tests.helpers.corruption import (
    ACME,
    APPROVED,
    CASH,
    CLEARED,
    CLOSING,
    DRAINED,
    EDITED,
    EUROS,
    EXPIRED,
    FEES,
    FROZEN,
    HELD_EXPIRED,
    HELD_VOIDED,
    LEGS,
    OPEN_CLEARED,
    OPEN_PENDING,
    OPENING,
    PAIR_FIRST,
    RAISED,
    REVERSAL_1,
    REVERSAL_2,
    SHOP,
    TILL,
    TOPPED_UP,
    VOIDED,
    WALLET,
    Corruption,
    on_entries,
    on_event,
    without_checks,
)

_TRANSACTION = rf"^rule 6 \(immutable\): {ACME}transaction txn_\w{{26}}, "

LIVES = {
    "status": Corruption(
        on_event("status = 2", EDITED),
        (
            rf"{_TRANSACTION}event {EDITED} is an edit, but makes it CLEARED from PENDING$",
            rf"{_TRANSACTION}event {CLEARED} clears it although it was CLEARED$",
        ),
    ),
    "status that its kind never has": Corruption(
        without_checks("events", on_event("status = 3", VOIDED)),
        (rf"event {VOIDED} of kind 5 with status 3 has RELEASE entries",),
    ),
    "revision removed": Corruption(
        f"DELETE FROM events WHERE entity_no = 2 AND sequence = {CLEARED}",
        (rf"{_TRANSACTION}event {APPROVED} is revision 4, expected 3$", rf"event {APPROVED} follows event {EDITED}"),
    ),
    "first revision removed": Corruption(
        f"DELETE FROM events WHERE entity_no = 2 AND sequence = {HELD_VOIDED}",
        (rf"{_TRANSACTION}begins with revision 2 at event {VOIDED}, expected 1$",),
    ),
    "revision renumbered": Corruption(
        on_event("revision = 9", APPROVED), (rf"{_TRANSACTION}event {APPROVED} is revision 9, expected 4$",)
    ),
    "revision after the end": Corruption(
        on_event(f"transaction_no = {HELD_VOIDED}, revision = 3", EXPIRED),
        (rf"{_TRANSACTION}event {EXPIRED} changes it although it was VOIDED$",),
    ),
    "first revision of another transaction": Corruption(
        without_checks("events", on_event(f"transaction_no = {OPENING}", TOPPED_UP)),
        (rf"event {TOPPED_UP} of kind 1 is revision 1 of transaction number {OPENING} with postings at {TOPPED_UP}",),
    ),
    "reference": Corruption(
        on_event("reference = 'another'", CLEARED), (rf"event {CLEARED} changes reference, which nothing may change",)
    ),
    "metadata": Corruption(
        on_event("metadata = '{\"a\": 1}'", VOIDED), (rf"event {VOIDED} changes metadata, which nothing may change",)
    ),
    "description": Corruption(
        on_event("description = 'another'", VOIDED),
        (rf"event {VOIDED} changes the description, which only an edit may change",),
    ),
    "postings of another transaction": Corruption(
        on_event(f"postings_at = {OPENING}", CLEARED),
        (rf"{_TRANSACTION}event {CLEARED} has its postings at {OPENING}, expected {EDITED}$",),
    ),
    "expired early": Corruption(
        without_checks(
            "events",
            f"""UPDATE events SET expire_time = 'infinity'
            WHERE entity_no = 2 AND sequence IN ({HELD_EXPIRED}, {EXPIRED})""",
        ),
        (rf"event {EXPIRED} of kind 6 was recorded at \S+, its deadline is",),
    ),
    "made after its deadline": Corruption(
        without_checks("events", on_event("expire_time = '2026-01-01'", OPEN_CLEARED)),
        (rf"event {OPEN_CLEARED} of kind 1 was recorded at \S+, its deadline is 2026-01-01",),
    ),
    "voided after its deadline": Corruption(
        without_checks(
            "events",
            f"""UPDATE events SET expire_time = '2026-01-01'
            WHERE entity_no = 2 AND sequence IN ({HELD_VOIDED}, {VOIDED})""",
        ),
        (rf"event {VOIDED} of kind 5 was recorded at \S+, its deadline is 2026-01-01",),
    ),
    "released too little": Corruption(
        on_entries("amount = amount - 1", VOIDED),
        (rf"{_TRANSACTION}event {VOIDED} ends leg 0 debit 199 USD on .*, but leg 0 debit 200 USD on .* was held$",),
    ),
    "settled without the rest": Corruption(
        f"DELETE FROM entries WHERE entity_no = 2 AND sequence = {APPROVED} AND kind = 3",
        (rf"event {APPROVED} ends leg 0 debit 250 USD .*, but leg 0 debit 300 USD",),
    ),
    "settled on another account": Corruption(
        on_entries(f"account_no = {SHOP}, number = 1000", PAIR_FIRST, "leg = 1"),
        (rf"event {PAIR_FIRST} ends .* leg 1 credit 400 USD on account number {SHOP}, but",),
    ),
    "edited to another amount": Corruption(
        on_entries("amount = amount + 1", EDITED, "kind = 2"),
        (rf"event {EDITED} holds leg 0 debit 301 .* in place of .*: an edit changes accounts only",),
    ),
    "open without a row": Corruption(
        f"DELETE FROM open_transactions WHERE transaction_no = {OPEN_CLEARED}",
        (rf"{_TRANSACTION}is CLEARED, but missing in open_transactions$",),
    ),
    "row of one that ended": Corruption(
        f"INSERT INTO open_transactions VALUES (2, {HELD_VOIDED}, {VOIDED}, NULL)",
        (rf"{_TRANSACTION}stands in open_transactions, but is VOIDED$",),
    ),
    "row of one that was never open": Corruption(
        f"INSERT INTO open_transactions VALUES (2, {OPENING}, {OPENING}, NULL)",
        (rf"{_TRANSACTION}stands in open_transactions, but its events say that it is not open$",),
    ),
    "row with another deadline": Corruption(
        f"UPDATE open_transactions SET expire_time = NULL WHERE transaction_no = {OPEN_PENDING}",
        (rf"stands in open_transactions with event {OPEN_PENDING} and deadline none, expected {OPEN_PENDING} and 20",),
    ),
}

REVERSALS = {
    "more than the original": Corruption(
        on_entries("amount = amount * 10", REVERSAL_2),
        (rf"{_TRANSACTION}its reversals have 5400 USD credit on account number {CASH} as leg 0; the leg itself is 10",),
    ),
    "on the same side": Corruption(
        on_entries("side = 3 - side", REVERSAL_1),
        (rf"{_TRANSACTION}its reversals have 400 USD debit on account number {CASH} as leg 0; .* 1000 USD debit",),
    ),
    "of another leg": Corruption(
        on_entries("leg = leg + 5", REVERSAL_1), (r"its reversals have .* as leg 5; the leg itself is not there",)
    ),
    "of what was voided": Corruption(
        on_event(f"reverses = {HELD_VOIDED}", REVERSAL_1),
        (rf"{_TRANSACTION}it reverses {HELD_VOIDED}, whose newest revision is event {VOIDED} of kind 5 with status 4",),
    ),
    "of a reversal": Corruption(
        on_event(f"reverses = {REVERSAL_1}", REVERSAL_2), (rf"it reverses {REVERSAL_1}, whose newest .* no reversal",)
    ),
    "of nothing": Corruption(on_event("reverses = 99", REVERSAL_1), (r"it reverses 99, which is no transaction",)),
    "that names no original": Corruption(
        without_checks("events", on_event("reverses = NULL", REVERSAL_1)),
        (rf"event {REVERSAL_1} of kind 7 reverses nothing",),
    ),
}

_WALLET_LIMITS = "entity_no = 2 AND account_no = 11"

LIMITS = {
    "floor above the balance": Corruption(
        f"UPDATE account_limits SET floor = 99999 WHERE {_WALLET_LIMITS}",
        (
            rf"^rule 7 \(limits\): {ACME}account wallet, USD, newest entry \d+: available balance \d+, floor 99999$",
            rf"^chart of accounts: {ACME}account wallet, limits are .*99999.*, its newest event says .*500",
        ),
    ),
    "ceiling below the balance": Corruption(
        f"UPDATE account_limits SET floor = NULL, ceiling = 5 WHERE {_WALLET_LIMITS}",
        (r"account wallet, USD, newest entry \d+: available balance could reach \d+, ceiling 5$",),
    ),
    "floor broken in the past": Corruption(
        f"""UPDATE account_limits SET floor = 600 WHERE {_WALLET_LIMITS};
            UPDATE events SET detail = jsonb_set(detail, '{{limits,0,1}}', '"600"')
            WHERE entity_no = 2 AND sequence = {RAISED}""",
        (rf"^rule 7 \(limits\): {ACME}account wallet, USD, after event {DRAINED}: .* floor 600 as of event {RAISED}$",),
    ),
    "floor of an account without entries": Corruption(
        f"INSERT INTO account_limits VALUES (2, {TILL}, 'USD', 5, NULL)",
        (rf"^rule 7 \(limits\): {ACME}account till, USD, without entries: available balance 0, floor 5$",),
    ),
}

CHART = {
    "account deleted": Corruption(
        f"DELETE FROM accounts WHERE entity_no = 2 AND account_no = {FEES}",
        (
            rf"^chart of accounts: {ACME}account number {FEES} \(unknown\), the account does not exist, but has ",
            rf"account number {FEES} \(unknown\), event {FEES} is of an account that does not exist$",
        ),
    ),
    "account without its event": Corruption(
        f"UPDATE accounts SET account_no = 99 WHERE entity_no = 2 AND account_no = {TILL}",
        (r"account till, revision 1 of event 3, its events say revision 0 of event None",),
    ),
    "name": Corruption(
        f"UPDATE accounts SET name = 'Mine' WHERE entity_no = 2 AND account_no = {SHOP}",
        (rf"{ACME}account shop, name is 'Mine', its newest event says 'shop'$",),
    ),
    "type": Corruption(
        f"UPDATE accounts SET type = 1 WHERE entity_no = 2 AND account_no = {SHOP}",
        (rf"{ACME}account shop, event {SHOP} says type 2, the account 1$",),
    ),
    "revision": Corruption(
        f"UPDATE accounts SET revision = 3 WHERE entity_no = 2 AND account_no = {SHOP}",
        (rf"{ACME}account shop, revision 3 of event {SHOP}, its events say revision 1 of event {SHOP}$",),
    ),
    "detail": Corruption(
        on_event("detail = '[1]'", SHOP), (rf"{ACME}account shop, the detail of event {SHOP} cannot be read$",)
    ),
    "closed while not at zero": Corruption(
        f"UPDATE accounts SET state = 3 WHERE entity_no = 2 AND account_no = {FROZEN}",
        (
            rf"^chart of accounts: {ACME}account frozen, USD: the account is closed with totals \(0, 100, 0, 0\)$",
            rf"^chart of accounts: {ACME}account frozen, state is 3, its newest event says 2$",
        ),
    ),
    "moved while frozen": Corruption(
        f"""UPDATE accounts SET state = 2 WHERE entity_no = 2 AND account_no = {SHOP};
            UPDATE events SET detail = jsonb_set(detail, '{{state}}', '2') WHERE entity_no = 2 AND sequence = {SHOP};
            UPDATE accounts SET revision = 2, sequence = {CLOSING} WHERE entity_no = 2 AND account_no = {SHOP};
            UPDATE events SET account_no = {SHOP} WHERE entity_no = 2 AND sequence = {CLOSING}""",
        (rf"{ACME}account shop, USD, entry 1 of event {OPENING}: the account was frozen$",),
    ),
    "currency not taken": Corruption(
        f"""UPDATE accounts SET currencies = '{{CHF}}' WHERE entity_no = 2 AND account_no = {EUROS};
            UPDATE events SET detail = jsonb_set(detail, '{{currencies}}', '["CHF"]')
            WHERE entity_no = 2 AND sequence = {EUROS}""",
        (rf"{ACME}account euros, EUR, entry 1 of event {LEGS}: the account took only CHF$",),
    ),
    "entries before it was made": Corruption(
        on_entries("number = 1000", TOPPED_UP, "leg = 1")
        + on_entries(f"account_no = {WALLET}, number = 1", OPENING, "leg = 1"),
        (rf"{ACME}account wallet, USD, event {OPENING}: the account was made later$",),
    ),
    "ring of parents": Corruption(
        f"UPDATE accounts SET parent_no = {TILL} WHERE entity_no = 2 AND account_no = {CASH}",
        (rf"^chart of accounts: {ACME}account cash: its parents are a ring, or missing$",),
    ),
    "entity's name": Corruption(
        "UPDATE entities SET name = 'Mine' WHERE entity_no = 2",
        (rf'^chart of accounts: {ACME}revision 1, state 1, name "Mine"; its newest event 1 says revision 1',),
    ),
    "entity deleted": Corruption(
        "DELETE FROM entities WHERE entity_no = 1",
        (r"^chart of accounts: entity number 1 \(unknown\), events of an entity that does not exist$",),
    ),
    "entity without its event": Corruption(
        "DELETE FROM events WHERE entity_no = 2 AND sequence = 1",
        (r"the first event is of kind 9, expected 11", rf"{ACME}it has no event that creates it$"),
    ),
}

_GUARD = r"^rule 6 \(immutable\): "

GUARDS = {
    "trigger switched off": Corruption(
        "ALTER TABLE entries DISABLE TRIGGER check_entries",
        (rf"{_GUARD}trigger check_entries on entries is switched off: state D, expected O$",),
    ),
    "trigger for replicas only": Corruption(
        "ALTER TABLE events ENABLE REPLICA TRIGGER immutable",
        (rf"{_GUARD}trigger immutable on events is switched off: state R, expected O$",),
    ),
    "trigger dropped": Corruption(
        "DROP TRIGGER check_commit ON commits", (rf"{_GUARD}trigger check_commit on commits is missing$",)
    ),
    "trigger that sees less": Corruption(
        """DROP TRIGGER immutable ON entries;
           CREATE TRIGGER immutable BEFORE DELETE ON entries FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()""",
        (rf"{_GUARD}trigger immutable on entries is 'CREATE TRIGGER immutable BEFORE DELETE ON",),
    ),
    "function replaced": Corruption(
        """CREATE OR REPLACE FUNCTION check_entries() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RETURN NULL; END $$""",
        (rf"{_GUARD}function check_entries is not the one of this release's migrations$",),
    ),
    "function that looks elsewhere": Corruption(
        # Where `events` may be anybody's temporary table.
        "ALTER FUNCTION check_entries() RESET search_path",
        (rf"{_GUARD}function check_entries is not the one of this release's migrations$",),
    ),
    "function with its caller's rights": Corruption(
        "ALTER FUNCTION check_entries() SECURITY INVOKER",
        (rf"{_GUARD}function check_entries is not the one of this release's migrations$",),
    ),
    "function with a namesake": Corruption(
        # The namesake does what the function should.
        """SET check_function_bodies = off;
           DO $do$
           DECLARE good text := (SELECT prosrc FROM pg_proc WHERE proname = 'check_entries');
               head text := 'LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS %L';
           BEGIN
               EXECUTE format('CREATE OR REPLACE FUNCTION check_entries() RETURNS trigger ' || head,
                              ' BEGIN RETURN NULL; END ');
               EXECUTE format('CREATE FUNCTION check_entries(int4) RETURNS trigger ' || head, good);
               REVOKE ALL ON FUNCTION check_entries(int4) FROM PUBLIC;
           END $do$""",
        (rf"{_GUARD}function check_entries is not the one of this release's migrations$",),
    ),
    "unique index dropped": Corruption(
        "DROP INDEX events_by_revision",
        (rf"{_GUARD}unique index events_by_revision is 'missing or invalid', expected",),
    ),
    "grant to the writer": Corruption(
        "GRANT UPDATE ON entries TO ledger_service",
        (rf"{_GUARD}role ledger_service has UPDATE ON entries, which is not granted by a migration$",),
    ),
    "grant to the reader": Corruption(
        "GRANT INSERT ON events TO ledger_reader", (rf"{_GUARD}role ledger_reader has INSERT ON events",)
    ),
    "grant of a column": Corruption(
        "GRANT UPDATE (amount) ON entries TO ledger_service",
        (rf"{_GUARD}role ledger_service has UPDATE \(amount\) ON entries",),
    ),
    "grant to everybody": Corruption(
        "GRANT DELETE ON commits TO PUBLIC",
        (rf"{_GUARD}role ledger_service has DELETE ON commits", rf"{_GUARD}role ledger_reader has DELETE ON commits"),
    ),
    "grant to make tables": Corruption(
        "GRANT CREATE ON SCHEMA ledger TO ledger_service",
        (rf"{_GUARD}role ledger_service has CREATE ON SCHEMA ledger",),
    ),
    "ownership": Corruption(
        "ALTER TABLE commits OWNER TO ledger_service", (rf"{_GUARD}role ledger_service has ownership of table commits",)
    ),
}

_TENANCY = r"^rule 10 \(strangers\): "

TENANCY = {
    "security switched off": Corruption(
        "ALTER TABLE entries DISABLE ROW LEVEL SECURITY",
        (rf"{_TENANCY}row-level security of entries is off, expected on$",),
    ),
    "security forced": Corruption(
        "ALTER TABLE events FORCE ROW LEVEL SECURITY",
        (rf"{_TENANCY}row-level security of events is forced upon the owner too, expected on$",),
    ),
    "policy dropped": Corruption(
        "DROP POLICY one_entity ON accounts", (rf"{_TENANCY}policy one_entity of accounts is 'missing', expected",)
    ),
    "policy widened": Corruption(
        "ALTER POLICY one_entity ON accounts USING (true)",
        (rf"{_TENANCY}policy one_entity of accounts is 'SELECT TO ledger_reader USING true', expected",),
    ),
    "policy for more": Corruption(
        "ALTER POLICY audit ON entries TO PUBLIC",
        (rf"{_TENANCY}policy audit of entries is 'SELECT TO public USING true', expected",),
    ),
    "policy added": Corruption(
        "CREATE POLICY mine ON commits TO PUBLIC USING (true)",
        (rf"{_TENANCY}policy mine of commits is 'ALL TO public USING true', expected 'missing'$",),
    ),
    "rows hidden from the proof": Corruption(
        "CREATE POLICY hide ON events AS RESTRICTIVE TO ledger_auditor USING (kind <> 8)",
        (rf"{_TENANCY}policy hide of events is 'RESTRICTIVE ALL TO ledger_auditor USING \(kind <> 8\)', expected",),
    ),
    "policy where none belongs": Corruption(
        "CREATE POLICY mine ON secrets USING (true)",
        (rf"{_TENANCY}table secrets has policies \['mine'\], expected none$",),
    ),
    "table of entities' data without policies": Corruption(
        "CREATE TABLE notes (entity_no int4, note text)",
        (
            rf"{_TENANCY}row-level security of notes is off, expected on$",
            rf"{_TENANCY}policy one_entity of notes is 'missing', expected",
        ),
    ),
    "view of its owner": Corruption(
        "CREATE VIEW everything AS SELECT * FROM events; GRANT SELECT ON everything TO ledger_reader",
        (
            rf"{_TENANCY}view everything reads as its owner, past the policies$",
            rf"{_TENANCY}role ledger_reader has SELECT ON everything, which is not granted by a migration$",
        ),
    ),
    "view turned": Corruption(
        "ALTER VIEW transactions SET (security_invoker = false)",
        (rf"{_TENANCY}view transactions reads as its owner, past the policies$",),
    ),
    "table to the reader": Corruption(
        "GRANT SELECT ON secrets TO ledger_reader", (rf"{_TENANCY}role ledger_reader has SELECT ON secrets",)
    ),
    "column to the reader": Corruption(
        "GRANT SELECT (id_key) ON entities TO ledger_reader",
        (rf"{_TENANCY}role ledger_reader has SELECT \(entity_no, entity_id, id_key, name,",),
    ),
    "column to the directory": Corruption(
        "GRANT SELECT (description) ON events TO ledger_directory",
        (rf"{_TENANCY}role ledger_directory has SELECT \(entity_no, sequence, description\) ON events",),
    ),
    "credentials to the writer": Corruption(
        "GRANT SELECT ON credentials TO ledger_service", (rf"{_TENANCY}role ledger_service has SELECT ON credentials",)
    ),
    "table to everybody": Corruption(
        "GRANT SELECT ON entries_inlet TO PUBLIC",
        (
            rf"{_TENANCY}role public has SELECT ON entries_inlet",
            rf"{_TENANCY}role ledger_reader has SELECT ON entries_inlet",
        ),
    ),
    "function to everybody": Corruption(
        """CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = ledger
           AS 'SELECT count(*) FROM events'""",
        (rf"{_TENANCY}role public has EXECUTE ON FUNCTION peek",),
    ),
    "right taken": Corruption(
        "REVOKE SELECT ON currencies FROM ledger_directory",
        (rf"{_TENANCY}role ledger_directory lacks SELECT ON currencies, which a migration granted$",),
    ),
    "beside the inlet": Corruption(
        "GRANT INSERT ON entries TO ledger_service", (rf"{_GUARD}role ledger_service has INSERT ON entries",)
    ),
    "inlet that leads elsewhere": Corruption(
        """CREATE TABLE aside PARTITION OF entries_inlet FOR VALUES IN (99)""",
        (rf"{_TENANCY}table entries_inlet leads to \['aside', 'entries'\], expected \['entries'\]$",),
    ),
    "inlet of seals to everybody": Corruption(
        "GRANT INSERT ON seals_inlet TO PUBLIC",
        (rf"{_GUARD}role public has INSERT ON seals_inlet", rf"{_GUARD}role ledger_reader has INSERT ON seals_inlet"),
    ),
    "inlet without its check": Corruption(
        "ALTER TABLE entries_inlet DISABLE TRIGGER check_entries",
        (rf"{_GUARD}trigger check_entries on entries_inlet is switched off: state D, expected O$",),
    ),
}

OF_MEANING = {
    f"{group}: {name}": corruption
    for group, corruptions in (
        ("life", LIVES), ("reversal", REVERSALS), ("limit", LIMITS), ("chart", CHART), ("guard", GUARDS),
        ("tenancy", TENANCY),
    )
    for name, corruption in corruptions.items()
}  # fmt: skip
