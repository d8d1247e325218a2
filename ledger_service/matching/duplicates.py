"""What one side has once more than the other: open movements with a matched twin."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

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
    for surplus, twin in _twins(desk.lines, desk.open_lines):
        why = f"{_what(surplus, twin)}; the ledger has one of them"
        numbers = (surplus.number, twin.number)
        yield Finding(FindingKind.DUPLICATE_ON_STATEMENT, numbers, (), surplus.amount, why), {surplus.place}, set()
    for surplus, twin in _twins(desk.transactions, desk.open_transactions):
        why = f"{_what(surplus, twin)}; the statement has one of them"
        numbers = (surplus.number, twin.number)
        yield Finding(FindingKind.DUPLICATE_IN_LEDGER, (), numbers, surplus.amount, why), set(), {surplus.place}


def _twins(items: Sequence[Item], open_places: set[int]) -> list[tuple[Item, Item]]:
    matched: dict[Hashable, list[Item]] = defaultdict(list)
    wanted = {key for place in open_places for key in _keys(items[place])}
    for item in items:
        if item.place not in open_places:
            for key in _keys(item):
                if key in wanted:
                    matched[key].append(item)
    found = []
    for place in sorted(open_places):
        surplus = items[place]
        twins = [
            twin
            for key in _keys(surplus)
            for twin in matched.get(key, ())
            if abs(twin.day - surplus.day) <= _most_days(surplus, twin) and not _is_known_apart(surplus, twin)
        ]
        if twins:
            found.append((surplus, min(twins, key=lambda twin: (abs(twin.day - surplus.day), twin.number))))
    return found


def _keys(item: Item) -> Iterable[Hashable]:
    for key in item.keys:
        yield item.amount, key
    if item.name or item.words:
        yield item.amount, item.name, item.words


def _most_days(one: Item, other: Item) -> int:
    return MOST_DAYS if one.keys & other.keys or (one.name and one.name == other.name) else MOST_DAYS_BY_TEXT


def _is_known_apart(one: Item, other: Item) -> bool:
    """Two movements with references of their own are two, whatever else is the same; so is a reversal."""
    return (bool(one.keys) and bool(other.keys) and not one.keys & other.keys) or bool(
        one.movement.cancels or other.movement.cancels
    )


def _what(surplus: Item, twin: Item) -> str:
    common = "reference" if surplus.keys & twin.keys else "text"
    days = abs(surplus.day - twin.day)
    return f"same amount and {common} as {twin.number}, {'the same day' if not days else f'{days} days apart'}"
