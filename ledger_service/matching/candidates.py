"""Which line could be which transaction: joins on references, amounts, names and days, never all against all."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from ledger_service.matching import normalising
from ledger_service.matching.evidence import gap, names_alike, names_contradict
from ledger_service.matching.model import Rule, RuleKind

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from ledger_service.matching.desk import Desk, Item

MOST_PAIRS = 20_000
"""Pairs within the rule's days that are looked at for one amount, reference or name. Beyond it: too many candidates."""
MOST_NEAR_AMOUNTS = 64
"""Transactions of nearly a line's amount, within the rule's days, that are looked at. Among more, a slip can't be told
from another payment."""

_Bucket: TypeAlias = "tuple[list[Item], list[Item]]"


@dataclass(slots=True)
class Candidates:
    """Pairs that a rule admits, by places on both sides, and what was too crowded to be looked at.

    A pair may be noted several times. They are kept as plain integers, since millions of them may be.
    """

    left: array[int] = field(default_factory=lambda: array("q"))
    right: array[int] = field(default_factory=lambda: array("q"))
    crowded: list[_Bucket] = field(default_factory=list)

    def add(self, left: Item, right: Item) -> None:
        """Notes a pair."""
        self.left.append(left.place)
        self.right.append(right.place)


def tolerance_of(rule: Rule, amount: int) -> int:
    """By how many minor units the other side may differ from the amount of a line."""
    return max(rule.tolerance, abs(amount) * rule.tolerance_ppm // 1_000_000)


def admits(rule: Rule, line: Item, transaction: Item) -> bool:
    """Whether days and amounts of a pair lie within the rule's bounds. Money in is never money out."""
    if gap(line, transaction) > rule.days or (line.amount > 0) != (transaction.amount > 0):
        return False
    difference = abs(transaction.amount - line.amount)
    return difference == 0 or difference <= tolerance_of(rule, line.amount)


def candidates(desk: Desk, rule: Rule) -> Candidates:
    """All pairs of open lines and transactions that a rule of pairs admits; those that people have rejected, too."""
    lines, transactions = desk.lines_left(), desk.transactions_left()
    found = Candidates()
    if rule.kind is RuleKind.REFERENCE:
        _by_reference(found, lines, transactions, rule)
    elif rule.tolerance or rule.tolerance_ppm:
        _by_near_amount(found, lines, transactions, rule)
    else:
        _by_amount(found, lines, transactions, rule)
    return found


def _by_reference(found: Candidates, lines: Sequence[Item], transactions: Sequence[Item], rule: Rule) -> None:
    is_exact = not (rule.tolerance or rule.tolerance_ppm)
    written: set[str] = set()
    for one in (*lines, *transactions):
        written |= one.keys

    def keys(item: Item) -> Iterable[Hashable]:
        # Words of a text count only where the other side has them as its reference.
        for key in item.keys | (item.tokens & written):
            yield (key, item.amount) if is_exact else (key, item.amount > 0)

    def admit(line: Item, transaction: Item) -> bool:
        return admits(rule, line, transaction) and bool(
            line.keys & transaction.keys or line.keys & transaction.tokens or line.tokens & transaction.keys
        )

    for bucket in join(lines, transactions, keys):
        _look_through(found, bucket, rule.days, admit)


def _by_amount(found: Candidates, lines: Sequence[Item], transactions: Sequence[Item], rule: Rule) -> None:
    def admit(line: Item, transaction: Item) -> bool:
        return gap(line, transaction) <= rule.days and _names_admit(rule, line, transaction)

    by_name = rule.kind is RuleKind.AMOUNT_AND_COUNTERPARTY
    for bucket in join(lines, transactions, lambda item: (item.amount,)):
        crowded = Candidates()
        _look_through(crowded if by_name else found, bucket, rule.days, admit)
        found.left += crowded.left
        found.right += crowded.right
        if crowded.crowded:
            # Too many to compare each name with each other: those that are the same, then.
            for same_name in join(*bucket, lambda item: (normalising.name_key(item.name),) if item.name else ()):
                _look_through(found, same_name, rule.days, admit)


def _by_near_amount(found: Candidates, lines: Sequence[Item], transactions: Sequence[Item], rule: Rule) -> None:
    by_day: dict[int, list[Item]] = defaultdict(list)
    for one in transactions:
        by_day[one.day].append(one)
    amounts: dict[int, list[int]] = {}
    for day, items in by_day.items():
        items.sort(key=lambda item: (item.amount, item.place))
        amounts[day] = [item.amount for item in items]
    crowded: dict[int, tuple[list[Item], dict[int, Item]]] = {}
    for line in lines:
        near = tolerance_of(rule, line.amount)
        low, high = line.amount - near, line.amount + near
        days = set(range(line.day - rule.days, line.day + rule.days + 1))
        days |= set(range(line.value_day - rule.days, line.value_day + rule.days + 1))
        reached: list[Item] = []
        for day in sorted(days & amounts.keys()):
            reached += by_day[day][bisect_left(amounts[day], low) : bisect_right(amounts[day], high)]
            if len(reached) > MOST_NEAR_AMOUNTS:
                break
        if len(reached) > MOST_NEAR_AMOUNTS:
            lines_of_amount, others = crowded.setdefault(line.amount, ([], {}))
            lines_of_amount.append(line)
            others.update((one.place, one) for one in reached)
            continue
        for transaction in reached:
            if admits(rule, line, transaction) and _names_admit(rule, line, transaction):
                found.add(line, transaction)
    found.crowded += [(of_amount, list(others.values())) for of_amount, others in crowded.values()]


def _names_admit(rule: Rule, line: Item, transaction: Item) -> bool:
    if rule.kind is RuleKind.AMOUNT_AND_COUNTERPARTY:
        return names_alike(line, transaction) >= max(1, rule.similarity)
    # What many customers pay alike would otherwise be matched across them wherever one payment is missing.
    return not names_contradict(line, transaction, rule.similarity)


def join(
    lines: Iterable[Item], transactions: Iterable[Item], keys: Callable[[Item], Iterable[Hashable]]
) -> list[_Bucket]:
    """Lines and transactions that have a key in common, one bucket for each key that both sides have."""
    left: dict[Hashable, list[Item]] = defaultdict(list)
    for line in lines:
        for key in keys(line):
            left[key].append(line)
    right: dict[Hashable, list[Item]] = defaultdict(list)
    for transaction in transactions:
        for key in keys(transaction):
            if key in left:
                right[key].append(transaction)
    return [(left[key], right[key]) for key in right]


def _look_through(found: Candidates, bucket: _Bucket, most_days: int, admit: Callable[[Item, Item], bool]) -> None:
    """Adds the pairs of a bucket that are within the days and admitted; or the bucket, if they are too many."""
    lines, transactions = bucket
    if len(lines) * len(transactions) > MOST_PAIRS:
        pairs = _within_days(lines, transactions, most_days)
        if pairs is None:
            found.crowded.append(bucket)
            return
    else:
        pairs = [(line, transaction) for line in lines for transaction in transactions]
    for line, transaction in pairs:
        if admit(line, transaction):
            found.add(line, transaction)


def _within_days(lines: Sequence[Item], transactions: Sequence[Item], most: int) -> list[tuple[Item, Item]] | None:
    """The pairs whose dates may be near enough; None if there are more than MOST_PAIRS."""
    ordered = sorted(transactions, key=lambda item: (item.day, item.place))
    days = [item.day for item in ordered]
    pairs: list[tuple[Item, Item]] = []
    for line in lines:
        first = bisect_left(days, min(line.day, line.value_day) - most)
        last = bisect_right(days, max(line.day, line.value_day) + most)
        if len(pairs) + last - first > MOST_PAIRS:
            return None
        pairs += ((line, one) for one in ordered[first:last])
    return pairs
