"""Ways to spoil the ledger of tests/helpers/sound_ledger.py that only a superuser has, each with what
`verify` must say about it.
"""

from __future__ import annotations

from typing import NamedTuple

# Account numbers and sequences of the entity `acme`, as sound_ledger writes it.
CASH, TILL, SHOP, FEES, FROZEN, CLOSED, EUROS, WALLET = 2, 3, 4, 5, 6, 7, 8, 11
OPENING, TOPPED_UP, RAISED, DRAINED, REFUSED, REFILLED, LEGS, WIDE, BACKDATED = 10, 12, 13, 14, 15, 16, 17, 18, 21
HELD_EXPIRED, HELD_VOIDED, HELD_APPROVED, EDITED, CLEARED, APPROVED = 22, 23, 24, 27, 28, 29
PAIR_FIRST, PAIR_SECOND, VOIDED, EXPIRED, OPEN_CLEARED, OPEN_PENDING = 30, 31, 32, 33, 34, 35
RENT, FUN, RENAMED, GIVEN, GIVEN_OPEN, GIVEN_EXPIRED, TAKEN, GIVEN_REVERSED, ARCHIVED = (
    44,
    45,
    46,
    47,
    48,
    49,
    50,
    51,
    52,
)
ORIGINAL, REVERSAL_1, REVERSAL_2, ON_FROZEN, TO_CLOSED, FROM_CLOSED, FREEZING, CLOSING = 36, 37, 38, 39, 40, 41, 42, 43

KINDS = {
    OPENING: 1, TOPPED_UP: 1, RAISED: 10, DRAINED: 1, REFUSED: 8, REFILLED: 1, LEGS: 1, WIDE: 1, BACKDATED: 1,
    HELD_EXPIRED: 1, HELD_VOIDED: 1, HELD_APPROVED: 1, EDITED: 2, CLEARED: 3, APPROVED: 4, PAIR_FIRST: 4,
    PAIR_SECOND: 4, VOIDED: 5, EXPIRED: 6, OPEN_CLEARED: 1, OPEN_PENDING: 1, ORIGINAL: 1, REVERSAL_1: 7,
    REVERSAL_2: 7, ON_FROZEN: 1, TO_CLOSED: 1, FROM_CLOSED: 1, FREEZING: 10, CLOSING: 10, RENT: 14, FUN: 14,
    RENAMED: 15, GIVEN: 13, GIVEN_OPEN: 13, GIVEN_EXPIRED: 13, TAKEN: 13, GIVEN_REVERSED: 13,
    ARCHIVED: 15,
}  # fmt: skip
"""What the constants above rest on."""


class Corruption(NamedTuple):
    """What is done to the database, and patterns that must each be found in a line of the report."""

    sql: str
    said: tuple[str, ...]


def on_event(assignments: str, sequence: int) -> str:
    return f"UPDATE events SET {assignments} WHERE entity_no = 2 AND sequence = {sequence};"


def on_entries(assignments: str, sequence: int, more: str = "true") -> str:
    return f"UPDATE entries SET {assignments} WHERE entity_no = 2 AND sequence = {sequence} AND {more};"


def without_checks(table: str, sql: str) -> str:
    """The same with the table's CHECK constraints out of the way."""
    return f"""
        DO $$ DECLARE name text; BEGIN
            FOR name IN SELECT conname FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype = 'c' LOOP
                EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I', name);
            END LOOP;
        END $$;
        {sql}"""


ACME = "entity acme, "
