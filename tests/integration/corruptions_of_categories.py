"""Corruptions of categories and of which transaction has which."""

from __future__ import annotations

from tests.helpers.corruption import (
    ACME,
    ARCHIVED,
    BACKDATED,
    CASH,
    CLEARED,
    EDITED,
    FUN,
    GIVEN,
    GIVEN_EXPIRED,
    GIVEN_OPEN,
    OPENING,
    RENAMED,
    RENT,
    TAKEN,
    VOIDED,
    Corruption,
    on_event,
    without_checks,
)

_CHART = rf"^chart of accounts: {ACME}"
_TRANSACTION = rf"^rule 6 \(immutable\): {ACME}transaction txn_\w{{26}}, "


def _on_category(assignments: str, category_id: str) -> str:
    return f"UPDATE categories SET {assignments} WHERE entity_no = 2 AND category_id = '{category_id}';"


_ROWS = {
    "name": Corruption(
        _on_category("name = 'Else'", "rent"),
        (
            rf'{_CHART}category rent is revision 2, state 1, name "Else"; its newest event {RENAMED} says',
            r'says revision 2 of 2, state 1, name "Rent of the shop"$',
        ),
    ),
    "state": Corruption(
        _on_category("state = 1", "fun"),
        (rf"{_CHART}category fun is revision 2, state 1, .* event {ARCHIVED} says revision 2 of 2, state 2",),
    ),
    "revision": Corruption(
        _on_category("revision = 3", "fun"), (rf"{_CHART}category fun is revision 3, .* says revision 2 of 2",)
    ),
    "sequence": Corruption(
        _on_category(f"sequence = {RENT}", "rent"), (rf"{_CHART}category rent is .* newest event {RENAMED} says",)
    ),
    "number": Corruption(
        _on_category(f"category_no = {CASH}", "rent"), (rf"{_CHART}category rent is .* newest event {RENAMED} says",)
    ),
    "metadata": Corruption(
        _on_category("metadata = '{}'", "rent"),
        (rf"{_CHART}category rent has other metadata than its newest event {RENAMED} says$",),
    ),
    "deleted": Corruption(
        "DELETE FROM categories WHERE category_id = 'rent'",
        (
            rf"{_CHART}category rent has events, but is missing$",
            rf"{_CHART}transaction txn_\w+, event {GIVEN} gives it category rent, which does not exist$",
            rf"{_CHART}transaction txn_\w+, event {GIVEN_OPEN} gives it category rent, which does not exist$",
        ),
    ),
    "of another id": Corruption(
        _on_category("category_id = 'hire'", "rent"),
        (
            rf"{_CHART}category rent has events, but is missing$",
            rf"{_CHART}category hire has no event that creates it$",
        ),
    ),
    "without its events": Corruption(
        f"DELETE FROM events WHERE entity_no = 2 AND sequence IN ({FUN}, {ARCHIVED})",
        (rf"{_CHART}category fun has no event that creates it$",),
    ),
    "event of its change deleted": Corruption(
        f"DELETE FROM events WHERE entity_no = 2 AND sequence = {ARCHIVED}",
        (rf"{_CHART}category fun is revision 2, state 2, .* event {FUN} says revision 1 of 1, state 1",),
    ),
    "in an entity that does not exist": Corruption(
        _on_category("entity_no = 77", "fun"),
        (r"^chart of accounts: entity number 77 \(unknown\), category fun has no event that creates it$",),
    ),
}

_GIVEN = {
    "another one than was given": Corruption(
        on_event("category_id = 'cars'", GIVEN_EXPIRED),
        (rf"{_CHART}transaction txn_\w+, event {GIVEN_EXPIRED} gives it category cars, which does not exist$",),
    ),
    "given by an edit": Corruption(
        on_event("category_id = 'rent'", EDITED),
        (
            rf"{_TRANSACTION}event {EDITED} changes the category, which only its own kind of event may change$",
            rf"{_TRANSACTION}event {CLEARED} changes the category, which only its own kind of event may change$",
        ),
    ),
    "given by a void": Corruption(
        on_event("category_id = 'rent'", VOIDED),
        (rf"{_TRANSACTION}event {VOIDED} changes the category, which only its own kind of event may change$",),
    ),
    "changes the status": Corruption(
        on_event("status = 1", TAKEN),
        (rf"{_TRANSACTION}event {TAKEN} gives it a category, but makes it PENDING from POSTED$",),
    ),
    "changes the description": Corruption(
        on_event("description = 'other'", TAKEN),
        (rf"{_TRANSACTION}event {TAKEN} changes the description, which only an edit may change$",),
    ),
    "changes the counterparty": Corruption(
        on_event("counterparty = 'other'", GIVEN_OPEN),
        (rf"{_TRANSACTION}event {GIVEN_OPEN} changes counterparty, which nothing may change$",),
    ),
    "changes the effective time": Corruption(
        on_event("effective_time = '2026-01-01'", GIVEN),
        (rf"{_TRANSACTION}event {GIVEN} changes effective_time, which nothing may change$",),
    ),
    "of the postings of another one": Corruption(
        on_event(f"postings_at = {OPENING}", GIVEN),
        (rf"{_TRANSACTION}event {GIVEN} has its postings at {OPENING}, expected {BACKDATED}$",),
    ),
    "has entries": Corruption(
        f"UPDATE entries SET sequence = {GIVEN} WHERE entity_no = 2 AND sequence = {OPENING}",
        (
            rf"event {GIVEN} of kind 13 with status 3 has POST entries",
            rf"event {OPENING} of kind 1 with status 3 has no entries",
        ),
    ),
    "revision left out": Corruption(
        f"DELETE FROM events WHERE entity_no = 2 AND sequence = {GIVEN}",
        (rf"{_TRANSACTION}event {TAKEN} is revision 3, expected 2$",),
    ),
    "open row of the version before": Corruption(
        f"UPDATE open_transactions SET sequence = transaction_no WHERE sequence = {GIVEN_OPEN}",
        (rf"{_TRANSACTION}stands in open_transactions with event \d+ .*, expected {GIVEN_OPEN} and",),
    ),
    "category event about a transaction": Corruption(
        without_checks("events", on_event(f"transaction_no = {OPENING}", RENAMED)),
        (rf"event {RENAMED} of kind 15 names a transaction or has entries$",),
    ),
    "category event without detail": Corruption(
        without_checks("events", on_event("detail = NULL", RENAMED)), (rf"event {RENAMED} of kind 15 ",)
    ),
}

_GUARD = r"^rule 6 \(immutable\): "

_GUARDS = {
    "trigger dropped": Corruption(
        "DROP TRIGGER check_category ON categories", (rf"{_GUARD}trigger check_category on categories is missing$",)
    ),
    "trigger switched off": Corruption(
        "ALTER TABLE categories DISABLE TRIGGER immutable",
        (rf"{_GUARD}trigger immutable on categories is switched off: state D, expected O$",),
    ),
    "names not unique": Corruption(
        "DROP INDEX categories_by_name",
        (rf"{_GUARD}unique index categories_by_name is 'missing or invalid', expected",),
    ),
    "grant to delete": Corruption(
        "GRANT DELETE ON categories TO ledger_service", (rf"{_GUARD}role ledger_service has DELETE ON categories",)
    ),
    "grant of the id": Corruption(
        "GRANT UPDATE (category_id) ON categories TO ledger_service",
        (rf"{_GUARD}role ledger_service has UPDATE \(category_id, ",),
    ),
}

_ACCOUNTS = {
    name: Corruption(
        f"UPDATE accounts SET {column} = {value} WHERE entity_no = 2 AND account_no = {CASH}",
        (rf"{_CHART}account cash, {name} is ",),
    )
    for name, column, value in (
        ("financial_type", "financial_type", "'RENT'"),
        ("sub_type_code", "sub_type_code", "'CHECKING'"),
        ("is_category", "is_category", "true"),
        ("bank account", "bank_account", '\'{"name": "Mine"}\''),
    )
}

OF_CATEGORIES = {
    f"{group}: {name}": corruption
    for group, corruptions in (
        ("category", _ROWS),
        ("categorized", _GIVEN),
        ("category guard", _GUARDS),
        ("account says", _ACCOUNTS),
    )
    for name, corruption in corruptions.items()
}
