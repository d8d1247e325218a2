"""What one side has once more than the other: open movements with a matched twin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_service.matching.evidence import count_of_days
from ledger_service.matching.model import Finding, FindingKind

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from ledger_service.matching.desk import Desk, Item

MOST_DAYS = 7
"""Days between twins of the same reference or name."""
MOST_DAYS_BY_TEXT = 2
"""And between those of which nothing is the same but amount and text: cash, say, taken out again in the same week."""


def duplicates(desk: Desk) -> Iterable[tuple[Finding, set[int], set[int]]]:
    """Open movements that say the same as a matched one of their side, with the places that each finding is about."""
    paired = [match for match in desk.matches if match.lines and match.transactions]
    lines = {number for match in paired for number in match.lines}
    for surplus, twin in _twins(desk.lines, desk.open_lines, lines):
        why = f"{_what(surplus, twin)}; the ledger has one of them"
        numbers = (surplus.number, twin.number)
        yield Finding(FindingKind.DUPLICATE_ON_STATEMENT, numbers, (), surplus.amount, why), {surplus.place}, set()
    transactions = {number for match in paired for number in match.transactions}
    for surplus, twin in _twins(desk.transactions, desk.open_transactions, transactions):
        why = f"{_what(surplus, twin)}; the statement has one of them"
        numbers = (surplus.number, twin.number)
        yield Finding(FindingKind.DUPLICATE_IN_LEDGER, (), numbers, surplus.amount, why), set(), {surplus.place}


def _twins(items: Sequence[Item], open_places: set[int], paired: set[int]) -> list[tuple[Item, Item]]:
    """Each open movement that has a twin matched with the other side (numbers `paired`), with the nearest one."""
    wanted = {key for place in open_places for key, _ in _asked(items[place])}
    matched: dict[tuple[Hashable, int], Item] = {}
    for item in items:
        if item.number in paired and not item.movement.cancels:
            for key in _told(item):
                if key in wanted:
                    matched.setdefault((key, item.day), item)
    found = []
    for place in sorted(open_places):
        surplus = items[place]
        twins = [
            matched[key, day]
            for key, most in _asked(surplus)
            for day in range(surplus.day - most, surplus.day + most + 1)
            if (key, day) in matched
        ]
        if twins and not surplus.movement.cancels:
            found.append((surplus, min(twins, key=lambda twin: (abs(twin.day - surplus.day), twin.number))))
    return found


def _told(item: Item) -> Iterable[Hashable]:
    """What a matched movement is found by. Two with references of their own are two, whatever else they share: so a
    key without a reference says whether there is one."""
    for key in item.keys:
        yield item.amount, key
    if item.name or item.words:
        yield item.amount, item.name, item.words, bool(item.keys)


def _asked(item: Item) -> Iterable[tuple[Hashable, int]]:
    """What the twins of an open movement are looked for by, and within how many days."""
    for key in item.keys:
        yield (item.amount, key), MOST_DAYS
    if item.name or item.words:
        days = MOST_DAYS if item.name else MOST_DAYS_BY_TEXT
        yield (item.amount, item.name, item.words, False), days
        if not item.keys:
            yield (item.amount, item.name, item.words, True), days


def _what(surplus: Item, twin: Item) -> str:
    common = "reference" if surplus.keys & twin.keys else "text"
    days = abs(surplus.day - twin.day)
    when = f"{count_of_days(days)} apart" if days else "the same day"
    return f"same amount and {common} as {twin.number}, {when}"
