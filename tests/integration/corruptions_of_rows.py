"""Corruptions of entries, events and commits: rules 1, 2, 4 and 9."""

from __future__ import annotations

from tests.helpers.corruption import (
    ACME,
    APPROVED,
    ARCHIVED,
    BACKDATED,
    CLOSING,
    DRAINED,
    FROM_CLOSED,
    FUN,
    GIVEN_REVERSED,
    LEGS,
    OPEN_PENDING,
    OPENING,
    PAIR_FIRST,
    PAIR_SECOND,
    REFILLED,
    REFUSED,
    VOIDED,
    WIDE,
    Corruption,
    on_entries,
    on_event,
    without_checks,
)

ENTRIES = {
    "amount": Corruption(
        on_entries("amount = amount + 1", DRAINED, "leg = 0"),
        (
            rf"^rule 1 \(balance\): {ACME}event {DRAINED}: debits less credits of its POST entries in USD are 1, exp",
            rf"^rule 2 \(chain\): {ACME}account wallet, USD, entry 2: debits_posted 4500, expected 4501$",
        ),
    ),
    "both amounts": Corruption(
        on_entries("amount = amount + 1", DRAINED),
        (r"account wallet, USD, entry 2: debits_posted", r"account cash, USD, entry 3: credits_posted"),
    ),
    "total": Corruption(
        on_entries("credits_posted = credits_posted + 7", OPENING, "leg = 1"),
        (
            rf"^rule 2 \(chain\): {ACME}account shop, USD, entry 1: credits_posted 10007, expected 10000$",
            r"account shop, USD, entry 2: credits_posted 10800, expected 10807$",
        ),
    ),
    "newest total": Corruption(
        on_entries("debits_pending = debits_pending + 7", OPEN_PENDING, "side = 1")
        + "DELETE FROM entries WHERE entity_no = 2 AND account_no = 2 AND currency = 'USD' AND sequence > 35;",
        (
            rf"^rule 2 \(chain\): {ACME}account cash, USD, entry \d+: debits_pending \d+, expected \d+$",
            rf"^rule 1 \(balance\): {ACME}USD: debits less credits of all accounts are -?\d+ posted and 7 pending, ",
        ),
    ),
    "wide total": Corruption(
        on_entries("wide[2] = wide[2] + 1", WIDE, "leg = 0"),
        (rf"account vault, JPY, entry 1: debits_posted 1{'0' * 24}, expected {'9' * 24}$",),
    ),
    "wide amounts too few": Corruption(
        without_checks("entries", on_entries("wide = '{5,5}'", WIDE, "leg = 0")),
        (r"account vault, JPY, entry 1: wide amounts are malformed",),
    ),
    "wide amount unknown": Corruption(
        without_checks("entries", on_entries("wide[1] = NULL", WIDE, "leg = 0")),
        (r"account vault, JPY, entry 1: wide amounts are malformed",),
    ),
    "wide amount not a number": Corruption(
        on_entries("wide[1] = 'NaN'", WIDE, "leg = 0"),
        (r"account vault, JPY, entry 1: wide amounts are malformed",),
    ),
    "negative amount": Corruption(
        without_checks("entries", on_entries("amount = -amount", OPENING)),
        (r"account cash, USD, entry 1: .*amount -10000, expected more than 0",),
    ),
    "side": Corruption(
        on_entries("side = 2", OPENING, "leg = 0"),
        (rf"event {OPENING}: debits less credits of its POST entries in USD are -20000",),
    ),
    "currency": Corruption(
        on_entries("currency = 'CHF'", DRAINED, "leg = 0"),
        (
            rf"event {DRAINED}: debits less credits .* CHF are 4500",
            r"account wallet, CHF, entry 2: its number should be 1",
        ),
    ),
    "deleted": Corruption(
        f"DELETE FROM entries WHERE entity_no = 2 AND sequence = {DRAINED} AND leg = 0",
        (
            rf"event {DRAINED}: debits less credits of its POST entries in USD are -4500, expected 0",
            r"account wallet, USD, entry 3: its number should be 2; debits_posted 4500, expected 0",
        ),
    ),
    "all of an event deleted": Corruption(
        f"DELETE FROM entries WHERE entity_no = 2 AND sequence = {FROM_CLOSED}",
        (
            rf"^rule 6 \(immutable\): {ACME}event {FROM_CLOSED} of kind 1 with status 3 has no entries",
            r"^chart of accounts: entity acme, account closed, USD: the account is closed with totals \(0, 100, 0, 0\)",
        ),
    ),
    "swapped": Corruption(
        on_entries("number = 1000", DRAINED, "leg = 0")
        + on_entries("number = 2", REFILLED, "leg = 1")
        + on_entries("number = 3", DRAINED, "leg = 0"),
        (rf"account wallet, USD, entry 3: .*its event {DRAINED} is older than {REFILLED}",),
    ),
    "renumbered": Corruption(
        on_entries("number = number + 1", FROM_CLOSED, "leg = 0"),
        (r"account closed, USD, entry 3: its number should be 2$",),
    ),
    "doubled": Corruption(
        f"""ALTER TABLE entries DROP CONSTRAINT entries_chain;
            INSERT INTO entries SELECT (jsonb_populate_record(x, '{{"leg": 9}}')).* FROM entries x
            WHERE entity_no = 2 AND sequence = {OPENING} AND leg = 0""",
        (r"account cash, USD, entry 1: its number should be 2", r"unique index entries_chain is 'missing or invalid'"),
    ),
    "running effective time": Corruption(
        on_entries("latest_effective = latest_effective + interval '1 hour'", BACKDATED, "leg = 0"),
        (r"account cash, USD, entry \d+: latest effective time \S+, expected \S+$",),
    ),
    "effective time": Corruption(
        on_entries("effective_time = effective_time - interval '1 hour'", BACKDATED, "leg = 0"),
        (rf"event {BACKDATED} is effective at \S+, its entry of leg 0 at \S+$",),
    ),
    "of no event": Corruption(
        on_entries("sequence = 99", FROM_CLOSED),
        (r"^rule 9 \(ordered\): entity acme, 2 entries at sequence 99 have no event$",),
    ),
    "kind": Corruption(
        on_entries("kind = 2", OPENING),
        (rf"event {OPENING} of kind 1 with status 3 has HOLD entries", r"account cash, USD, entry 1: debits_posted"),
    ),
}

EVENTS = {
    "deleted": Corruption(
        f"DELETE FROM events WHERE entity_no = 2 AND sequence = {REFILLED}",
        (
            rf"^rule 9 \(ordered\): {ACME}event {LEGS} follows event {DRAINED + 1}, expected {REFILLED}$",
            rf"2 entries at sequence {REFILLED} have no event",
            rf"commit {REFILLED} to {REFILLED} does not begin",
        ),
    ),
    "newest deleted": Corruption(
        f"DELETE FROM events WHERE entity_no = 2 AND sequence = {ARCHIVED}",
        (
            rf"commit {ARCHIVED} to {ARCHIVED} does not begin at the event after the one before it",
            rf"category fun is revision 2, state 2, .* event {FUN} says revision 1 of 1",
        ),
    ),
    "renumbered": Corruption(
        on_event("sequence = 99", ARCHIVED), (rf"event 99 follows event {GIVEN_REVERSED}, expected {ARCHIVED}",)
    ),
    "recorded earlier": Corruption(
        on_event("recorded_time = recorded_time - interval '1 hour'", LEGS)
        + f"""UPDATE commits SET recorded_time = recorded_time - interval '1 hour'
              WHERE entity_no = 2 AND first_sequence = {LEGS}""",
        (rf"^rule 9 \(ordered\): {ACME}event {LEGS} was recorded at \S+, before the one ahead of it at \S+$",),
    ),
    "recorded at another time than its commit": Corruption(
        on_event("recorded_time = recorded_time + interval '1 microsecond'", CLOSING),
        (rf"event {CLOSING} was recorded at \S+, its commit {CLOSING} to {CLOSING} at",),
    ),
    "recorded beyond the calendar": Corruption(
        without_checks("events", on_event("recorded_time = 'infinity'", CLOSING)),
        (rf"event {CLOSING} was recorded at \d+ µs after 2000",),
    ),
    "created twice": Corruption(on_event("kind = 11", CLOSING), (rf"event {CLOSING} creates the entity once more",)),
    "of an archived entity": Corruption(
        f"""UPDATE events SET kind = 12, account_no = NULL, detail = '{{"state": 2}}'
            WHERE entity_no = 2 AND sequence = {REFUSED}""",
        (rf"event {REFILLED} was written after the entity was archived", r"entity acme, revision 1, state 1"),
    ),
    "refusal that is a transaction": Corruption(
        without_checks(
            "events",
            on_event(f"transaction_no = {OPENING}, revision = 1, status = 3, postings_at = {OPENING}", REFUSED),
        ),
        (rf"event {REFUSED} of kind 8 names a transaction or has entries",),
    ),
    "detail": Corruption(
        without_checks("events", on_event("detail = NULL", REFUSED)),
        (rf"event {REFUSED} of kind 8 lacks what its kind must say",),
    ),
}

COMMITS = {
    "deleted": Corruption(
        f"DELETE FROM commits WHERE entity_no = 2 AND first_sequence = {DRAINED}",
        (rf"^rule 9 \(ordered\): {ACME}event {DRAINED} belongs to no commit$",),
    ),
    "overlap": Corruption(
        f"UPDATE commits SET last_sequence = {PAIR_FIRST} WHERE entity_no = 2 AND first_sequence = {APPROVED}",
        (rf"commit {PAIR_FIRST} to {PAIR_SECOND} does not begin at the event after the one before it",),
    ),
    "too short": Corruption(
        f"UPDATE commits SET last_sequence = {PAIR_FIRST} WHERE entity_no = 2 AND first_sequence = {PAIR_FIRST}",
        (rf"event {PAIR_SECOND} belongs to no commit",),
    ),
    "too long": Corruption(
        f"UPDATE commits SET last_sequence = 99 WHERE entity_no = 2 AND first_sequence = {ARCHIVED}",
        (rf"commit {ARCHIVED} to 99 reaches beyond the last event {ARCHIVED}",),
    ),
    "of other kinds": Corruption(
        # Nothing would have looked at how it changed a transaction.
        f"UPDATE commits SET kinds = 2 WHERE entity_no = 2 AND first_sequence = {APPROVED}",
        (rf"commit {APPROVED} to {APPROVED} says that its events are of the kinds 0b10, they are 0b10000$",),
    ),
    "of nobody": Corruption(
        "INSERT INTO commits VALUES (77, 1, 2, now(), '1')",
        (r"^rule 9 \(ordered\): entity number 77 \(unknown\), commit 1 to 2 has no events$",),
    ),
}

KEYS = {
    "doubled": Corruption(
        "DROP INDEX events_by_key;" + on_event("idempotency_key = 'void'", OPENING),
        (
            rf'^rule 4 \(at most once\): {ACME}key "void" is used 2 times, first by events {OPENING} and {VOIDED}, ',
            r"unique index events_by_key is 'missing or invalid'",
        ),
    ),
    "without hash": Corruption(
        without_checks("events", on_event("request_hash = NULL", OPENING)),
        (rf"^rule 4 \(at most once\): {ACME}event {OPENING} has a key without the hash of its request",),
    ),
    "span too long": Corruption(
        on_event("span = 2", OPENING), (rf"event {OPENING + 1} has span 1, expected 0, and no key",)
    ),
    "span beyond the end": Corruption(
        on_event("span = 3", ARCHIVED), (rf"2 events of the last request are missing after {ARCHIVED}",)
    ),
    "span lost": Corruption(
        on_event("span = 1", PAIR_FIRST), (rf"event {PAIR_SECOND} has span 0, expected 1 or more",)
    ),
    "no span": Corruption(
        without_checks("events", on_event("span = 0", OPENING)), (rf"event {OPENING} has span 0, expected 1 or more",)
    ),
}

OF_ROWS = {
    f"{group}: {name}": corruption
    for group, corruptions in (
        ("entries", ENTRIES), ("event", EVENTS), ("commit", COMMITS), ("key", KEYS),
    )
    for name, corruption in corruptions.items()
}  # fmt: skip
