"""MANY_TO_MANY: several lines for several transactions that have something in common and come to the same amount."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from ledger_service.matching import normalising
from ledger_service.matching.candidates import join, tolerance_of
from ledger_service.matching.desk import Crowd, ambiguity
from ledger_service.matching.evidence import gap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledger_service.matching.desk import Desk, Item
    from ledger_service.matching.model import Rule

MOST_ON_A_SIDE = 10
"""Lines, and transactions, among which groups are searched: some thousand sums on each side."""
MOST_MEETINGS = 2_000
"""Pairs of equal sums that are looked at in one search."""
BY_NAME = 0.05
"""Coincidences that may be expected, at most, among payments of the same party."""
BY_DAYS = 0.002
"""And where nothing but the days agree."""


@dataclass(frozen=True, slots=True)
class Balanced:
    """Lines and transactions of a pool (masks of places in it) which come to the same amount."""

    lines: int
    transactions: int
    difference: int


def many_to_many(desk: Desk, rule: int) -> None:
    """Runs the rule on what is open, the strongest evidence first."""
    days = desk.profile.rules[rule].days
    for keys, limit, evidence, score in (
        (lambda item: sorted(item.keys), None, "the same reference", 90),
        (lambda item: (normalising.name_key(item.name),) if item.name else (), BY_NAME, "the same name", 75),
        (lambda item: (item.amount > 0,), BY_DAYS, "all that is open in these days", 60),
    ):  # type: Callable[[Item], Iterable[Hashable]], float | None, str, int
        for lines, transactions in join(desk.lines_left(), desk.transactions_left(), keys):
            for pool in _by_days(lines, transactions, days):
                left = [item for item in pool[0] if item.place in desk.open_lines]
                right = [item for item in pool[1] if item.place in desk.open_transactions]
                if len(left) >= 2 and len(right) >= 2:
                    _search_pool(desk, rule, left, right, limit, (evidence, score))


def _by_days(lines: Sequence[Item], transactions: Sequence[Item], days: int) -> Iterator[tuple[list[Item], list[Item]]]:
    """Splits a pool where for more days than the rule allows nothing happened."""
    pool: tuple[list[Item], list[Item]] = ([], [])
    last = None
    both = [(item.day, 0, item.place, item) for item in lines] + [
        (item.day, 1, item.place, item) for item in transactions
    ]
    for day, side, _, item in sorted(both, key=lambda one: one[:3]):
        if last is not None and day - last > days:
            yield pool
            pool = ([], [])
        pool[side].append(item)
        last = day
    yield pool


def _search_pool(
    desk: Desk, rule: int, lines: list[Item], transactions: list[Item], limit: float | None, told: tuple[str, int]
) -> None:
    tolerance = tolerance_of(desk.profile.rules[rule], sum(item.amount for item in lines))
    off = sum(item.amount for item in transactions) - sum(item.amount for item in lines)
    is_whole = off == 0 or (limit is None and abs(off) <= tolerance)
    bound = desk.profile.rules[rule]
    is_small = len(lines) <= MOST_ON_A_SIDE and len(transactions) <= MOST_ON_A_SIDE
    if not is_small:
        # The whole of it may still be one group, if the reference says so.
        if (
            limit is None
            and is_whole
            and _is_near(lines, transactions, bound.days)
            and not desk.is_rejected(lines, transactions)
        ):
            _take(desk, rule, lines, transactions, told)
        elif limit is None:
            sizes = f"{len(lines)} lines and {len(transactions)} transactions"
            why = f"{sizes} with the same reference: not all groups were tried"
            places = (tuple(item.place for item in lines), tuple(item.place for item in transactions))
            desk.crowds.append(Crowd(rule, *places, why))
        return
    if limit is not None and _coincidences(lines, transactions, bound.most) > limit:
        return
    found = _balanced(desk, bound, lines, transactions) if desk.nodes_left > 0 else None
    if found is None:
        why = "so many groups come to the same amount that they were not all tried"
        places = (tuple(item.place for item in lines), tuple(item.place for item in transactions))
        desk.crowds.append(Crowd(rule, *places, why))
        return
    for overlapping in _overlapping(found):
        groups = [(_pick(lines, one.lines), _pick(transactions, one.transactions)) for one in overlapping]
        groups = [one for one in groups if len(one[0]) >= 2 and len(one[1]) >= 2]
        if len(groups) == len(overlapping) == 1:
            _take(desk, rule, *groups[0], told)
        elif len(groups) == len(overlapping):
            why = f"several groups come to the same amount: {told[0]}"
            desk.ambiguities.append(ambiguity(rule, [[one] for one in groups], why))


def _take(desk: Desk, rule: int, lines: Sequence[Item], transactions: Sequence[Item], told: tuple[str, int]) -> None:
    evidence, score = told
    off = sum(item.amount for item in transactions) - sum(item.amount for item in lines)
    amounts = "same sum" if off == 0 else f"sums differ by {off:+d} minor units in the ledger"
    why = f"{len(lines)} lines for {len(transactions)} transactions: {evidence}, {amounts}"
    desk.match(rule, lines, transactions, score - (10 if off else 0), why)


def _balanced(desk: Desk, rule: Rule, lines: list[Item], transactions: list[Item]) -> list[Balanced] | None:
    """The least groups that come to the same amount: those that hold no other one. None: too many to look at.

    Pairs and groups of one are found too, so that nothing is taken that is only a union of them.
    """
    left, right = list(_sums(lines, rule.most)), list(_sums(transactions, rule.most))
    desk.nodes_left -= len(left) + len(right)
    by_sum: dict[int, list[int]] = defaultdict(list)
    for total, mask in right:
        by_sum[total].append(mask)
    totals = sorted(by_sum)
    meetings: list[Balanced] = []
    for total, mask in left:
        tolerance = tolerance_of(rule, total)
        near = [total] if not tolerance else [one for one in totals if abs(one - total) <= tolerance]
        for sum_of_others in near:
            for other in by_sum.get(sum_of_others, ()):
                meetings.append(Balanced(mask, other, abs(sum_of_others - total)))
                if len(meetings) > MOST_MEETINGS:
                    return None
    meetings.sort(
        key=lambda one: (
            one.difference,
            one.lines.bit_count() + one.transactions.bit_count(),
            one.lines,
            one.transactions,
        )
    )
    least: list[Balanced] = []
    for one in meetings:
        if any(
            it.lines & one.lines == it.lines and it.transactions & one.transactions == it.transactions for it in least
        ):
            continue
        members = _pick(lines, one.lines), _pick(transactions, one.transactions)
        if _is_near(*members, rule.days) and not desk.is_rejected(*members):
            least.append(one)
    return least


def _sums(items: Sequence[Item], most: int) -> Iterator[tuple[int, int]]:
    """The sum of each subset of at most so many, with its mask."""
    for size in range(1, min(most, len(items)) + 1):
        for places in combinations(range(len(items)), size):
            yield sum(items[place].amount for place in places), sum(1 << place for place in places)


def _overlapping(found: list[Balanced]) -> list[list[Balanced]]:
    """Groups that share a member, directly or through others, together."""
    gathered: list[list[Balanced]] = []
    for one in found:
        touched = [
            part for part in gathered if any(it.lines & one.lines or it.transactions & one.transactions for it in part)
        ]
        gathered = [part for part in gathered if part not in touched]
        gathered.append([one, *(it for part in touched for it in part)])
    return gathered


def _coincidences(lines: Sequence[Item], transactions: Sequence[Item], most: int) -> float:
    """How many groups would come to the same amount by mere chance, about: ways on both sides, less the ones and
    pairs, over the sums that are possible."""
    unit = 1
    amounts = [item.amount for item in (*lines, *transactions)]
    while unit < 10_000_000 and sum(amount % (unit * 10) == 0 for amount in amounts) * 2 > len(amounts):
        unit *= 10
    ways = sum(1 for _ in _sums(lines, most)) * sum(1 for _ in _sums(transactions, most))
    return ways * unit / max(1, min(sum(abs(item.amount) for item in side) for side in (lines, transactions)))


def _is_near(lines: Sequence[Item], transactions: Sequence[Item], days: int) -> bool:
    return all(gap(line, transaction) <= days for line in lines for transaction in transactions)


def _pick(items: Sequence[Item], mask: int) -> list[Item]:
    return [item for place, item in enumerate(items) if mask >> place & 1]
