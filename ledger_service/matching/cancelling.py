"""CANCELLED: what one side recorded and took back. Nothing of it is on the other side."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ledger_service.matching.candidates import MOST_PAIRS, Candidates, join
from ledger_service.matching.desk import Ambiguity, Crowd, as_option, in_order
from ledger_service.matching.evidence import count_of_days
from ledger_service.matching.pairing import assign

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from ledger_service.matching.desk import Desk, Item


def cancel(desk: Desk, rule: int) -> None:
    """Runs the rule on what is open, on each side for itself."""
    _reversals(desk, rule)
    _taken_back(desk, rule)


def _reversals(desk: Desk, rule: int) -> None:
    """A transaction and those that reverse it, where together they are nothing."""
    reversals: dict[int, list[Item]] = defaultdict(list)
    for one in desk.transactions_left():
        if one.movement.cancels:
            reversals[one.movement.cancels].append(one)
    for original in desk.transactions_left():
        own = reversals.get(original.number, [])
        is_open = original.place in desk.open_transactions and all(one.place in desk.open_transactions for one in own)
        if own and is_open and original.amount + sum(one.amount for one in own) == 0:
            members = [original, *own]
            if not desk.is_rejected([], members):
                desk.match(rule, [], members, 100, "a transaction and its reversal, neither is on the statement")


def _taken_back(desk: Desk, rule: int) -> None:
    """Two lines of opposite amounts with the same reference, or the same text and name, within the rule's days."""
    solved = assign(desk.lines, desk.lines, _opposites(desk, rule), ())
    for left, right in solved.certain:
        one, other = sorted((desk.lines[left], desk.lines[right]), key=lambda line: (line.day, line.number))
        apart = "the same day" if one.day == other.day else f"{count_of_days(other.day - one.day)} later"
        what = "same reference" if one.keys & other.keys else "same text and name"
        desk.match(rule, [one, other], [], 95, f"booked by the bank and taken back {apart}: {what}, opposite amount")
    for pairs, options in solved.open:
        shown = [as_option(([desk.lines[left], desk.lines[right]], []) for left, right in option) for option in options]
        why = "several lines might be the one that was taken back"
        places = frozenset(place for pair in pairs for place in pair)
        desk.ambiguities.append(Ambiguity(rule, in_order(shown), places, frozenset(), why))


def _opposites(desk: Desk, rule: int) -> Candidates:
    days = desk.profile.rules[rule].days
    open_lines = desk.lines_left()
    found = Candidates()
    for booked, taken_back in join(
        (line for line in open_lines if line.amount > 0),
        (line for line in open_lines if line.amount < 0),
        lambda line: ((abs(line.amount), key) for key in _keys(line)),
    ):
        if len(booked) * len(taken_back) > MOST_PAIRS:
            places = tuple(sorted(line.place for line in (*booked, *taken_back)))
            desk.crowds.append(Crowd(rule, places, (), "too many lines of this amount might take each other back"))
            continue
        for one in booked:
            for other in taken_back:
                if abs(one.day - other.day) <= days and not desk.is_rejected([one, other], []):
                    found.add(one, other)
    return found


def _keys(line: Item) -> Iterable[Hashable]:
    yield from line.keys
    if line.words and line.name:
        yield line.words, line.name
