"""CANCELLED: what one side recorded and took back. Nothing of it is on the other side."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ledger_service.matching.desk import Ambiguity, Crowd, as_option
from ledger_service.matching.pairing import assign

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from ledger_service.matching.desk import Desk, Item

MOST_PAIRS = 20_000
"""Pairs of one amount, and of the same reference or text, that are looked at."""


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
    days = desk.profile.rules[rule].days
    booked: dict[Hashable, list[Item]] = defaultdict(list)
    for line in desk.lines_left():
        if line.amount > 0:
            for key in _keys(line):
                booked[line.amount, key].append(line)
    others: dict[Hashable, list[Item]] = defaultdict(list)
    for line in desk.lines_left():
        if line.amount < 0:
            for key in _keys(line):
                if (-line.amount, key) in booked:
                    others[-line.amount, key].append(line)
    pairs: set[tuple[int, int]] = set()
    for bucket, lines in others.items():
        if len(lines) * len(booked[bucket]) > MOST_PAIRS:
            places = tuple(sorted(one.place for one in (*lines, *booked[bucket])))
            desk.crowds.append(Crowd(rule, places, (), "too many lines of this amount might take each other back"))
            continue
        for one in booked[bucket]:
            pairs |= {
                (one.place, other.place)
                for other in lines
                if abs(one.day - other.day) <= days and not desk.is_rejected([one, other], [])
            }
    solved = assign(desk.lines, desk.lines, pairs)
    for left, right in solved.certain:
        one, other = sorted((desk.lines[left], desk.lines[right]), key=lambda line: (line.day, line.number))
        apart = "the same day" if one.day == other.day else f"{other.day - one.day} days later"
        what = "same reference" if one.keys & other.keys else "same text and name"
        desk.match(rule, [one, other], [], 95, f"booked by the bank and taken back {apart}: {what}, opposite amount")
    for options in solved.open:
        shown = [as_option(([desk.lines[left], desk.lines[right]], []) for left, right in option) for option in options]
        why = "several lines might be the one that was taken back"
        desk.ambiguities.append(Ambiguity(rule, tuple(sorted(shown, key=lambda one: one.pairs)), why))


def _keys(line: Item) -> Iterable[Hashable]:
    yield from line.keys
    if line.words and line.name:
        yield line.words, line.name
