"""The rules of groups: one for many, by what the members have in common, the strongest evidence first.

A group is taken only if it is the only one that its evidence allows. Where nothing but days speak for it, coincidences
decide how many members may be tried: the more ways there are to come to an amount, the less it says.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ledger_service.matching import normalising, subsets
from ledger_service.matching.candidates import tolerance_of
from ledger_service.matching.desk import Crowd, ambiguity
from ledger_service.matching.evidence import count_of_days, gap, names_contradict

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from ledger_service.matching.desk import Desk, Item

BY_NAME = 0.5
"""Coincidences that may be expected, at most, among payments of the same party."""
BY_DAYS = 0.01
"""And where nothing but the days agree."""
PARTS_PPM = 100_000
"""By what share of a line the parts that the bank tells may be more or less than it: a payout less its fees."""
MOST_LOOKS = 200_000
"""Ones times many that share a reference. Beyond it the reference is no mark of a batch but, say, a customer number."""
MOST_NEAR = 4 * subsets.MOST_CANDIDATES
"""Candidates around one by name or days alone. Among more, any sum can be met."""
_MOST_RIVALS = 8
_SPANS = 4
"""How many spans of days around a movement are different, mostly: there is nothing open on most days."""
_ROUNDS = 3
"""A group that was taken may leave another one the only one; so often is looked again."""

Solutions: TypeAlias = "list[tuple[Item, ...]]"


@dataclass(slots=True)
class Side:
    """Which side of the desk is the one, and which the many."""

    desk: Desk
    rule: int
    is_line_one: bool

    _known: set[str] | None = None

    def may_be_of(self, one: Item, other: Item) -> bool:
        """Whether names allow it. A payout names its processor, and its payments name customers; but where the other
        side knows the one's party, its payments carry that name, and those of others are none."""
        if self._known is None:
            items = self.desk.transactions if self.is_line_one else self.desk.lines
            self._known = {normalising.name_key(item.name) for item in items}
        similarity = self.desk.profile.rules[self.rule].similarity
        return not (names_contradict(one, other, similarity) and normalising.name_key(one.name) in self._known)

    def ones(self) -> list[Item]:
        """What is open on the side of the one."""
        return self.desk.lines_left() if self.is_line_one else self.desk.transactions_left()

    def many(self) -> list[Item]:
        """What is open on the side of the many."""
        return self.desk.transactions_left() if self.is_line_one else self.desk.lines_left()

    def sides(self, one: Item, many: Sequence[Item]) -> tuple[list[Item], list[Item]]:
        """Lines and transactions of a group."""
        return ([one], list(many)) if self.is_line_one else (list(many), [one])

    def gap(self, one: Item, other: Item) -> int:
        """Days between the one and one of the many."""
        return gap(one, other) if self.is_line_one else gap(other, one)

    def days(self, one: Item) -> list[int]:
        """The days around the one that the rule allows. A line has a value date as well."""
        most = self.desk.profile.rules[self.rule].days
        days = set(range(one.day - most, one.day + most + 1))
        if self.is_line_one:
            days |= set(range(one.value_day - most, one.value_day + most + 1))
        return sorted(days)

    def tolerance(self, one: Item) -> int:
        """By how much the many may differ from the one."""
        return tolerance_of(self.desk.profile.rules[self.rule], one.amount)

    def is_rejected(self, one: Item, many: Sequence[Item]) -> bool:
        """Whether a person has rejected the group, or a pair in it."""
        return self.desk.is_rejected(*self.sides(one, many))


def group(desk: Desk, rule: int, *, is_line_one: bool) -> None:
    """Runs ONE_LINE_TO_MANY, or MANY_LINES_TO_ONE, on what is open."""
    side = Side(desk, rule, is_line_one)
    for find, evidence, score in (
        (_by_parts, "the payments that the bank tells", 95),
        (_by_reference, "the same reference", 95),
        (_by_cluster, "all of one day that say the same", 85),
        (_by_name, "the same name", 80),
        (_by_span, "all that was open in these days", 80),
        (_by_days, "the only ones of these days that make up the amount", 70),
    ):
        for _ in range(_ROUNDS):
            if not _settle(side, find(side), evidence, score):
                break


def _settle(side: Side, found: dict[int, Solutions], evidence: str, score: int) -> bool:
    """Takes those that are the only solution and that nobody else claims a member of. Whether any was."""
    ones = {item.place: item for item in side.ones()}
    claims: dict[int, list[int]] = defaultdict(list)
    for place, solutions in found.items():
        if len(solutions) == 1:
            for item in solutions[0]:
                if len(claims[item.place]) <= _MOST_RIVALS:
                    claims[item.place].append(place)
    is_any_taken = False
    for place, solutions in sorted(found.items()):
        one = ones[place]
        rivals = sorted({rival for item in solutions[0] for rival in claims[item.place]} - {place})
        if len(solutions) == 1 and all(ones[rival].copy_of == one.copy_of and place < rival for rival in rivals):
            lines, transactions = side.sides(one, solutions[0])
            side.desk.match(side.rule, lines, transactions, score, _why(side, one, solutions[0], evidence))
            is_any_taken = True
        elif len(solutions) > 1:
            why = f"several groups make up the amount, with the same evidence: {evidence}"
            options = [[side.sides(one, many)] for many in solutions]
            side.desk.ambiguities.append(ambiguity(side.rule, options, why))
        elif not any(ones[rival].copy_of == one.copy_of and rival < place for rival in rivals):
            why = "groups that share a member: it can't belong to both"
            options = [[side.sides(ones[rival], found[rival][0])] for rival in (place, *rivals)]
            side.desk.ambiguities.append(ambiguity(side.rule, options, why))
    return is_any_taken


def _why(side: Side, one: Item, many: Sequence[Item], evidence: str) -> str:
    what = "transactions" if side.is_line_one else "lines"
    total = sum(item.amount for item in many)
    off = one.amount - total if not side.is_line_one else total - one.amount
    amounts = "they make up the amount" if off == 0 else f"they come to {off:+d} minor units more in the ledger"
    apart = max(side.gap(one, item) for item in many)
    days = "same day" if apart == 0 else f"at most {count_of_days(apart)} apart"
    return f"{len(many)} {what} for one: {evidence}, {amounts}, {days}"


def _by_parts(side: Side) -> dict[int, Solutions]:
    """The bank has told the amounts of the payments: each must be there, within the rule's days."""
    if not side.is_line_one:
        return {}
    window = Window(side, side.many())
    found: dict[int, Solutions] = {}
    for line in side.ones():
        off = abs(sum(line.movement.parts) - line.amount)
        may_be_off = max(side.tolerance(line), abs(line.amount) * PARTS_PPM // 1_000_000)
        if len(line.movement.parts) < 2 or off > may_be_off:
            continue
        ways = _members_of_parts(line, window.around(line))
        solutions = [tuple(members) for members in ways if not side.is_rejected(line, members)]
        if solutions:
            found[line.place] = solutions
    return found


def _members_of_parts(line: Item, near: Sequence[Item]) -> list[list[Item]]:
    """The transactions that are the parts of a line: none, one way, or two where a part has several candidates."""
    by_amount: dict[int, list[Item]] = defaultdict(list)
    for item in near:
        by_amount[item.amount].append(item)
    first: list[Item] = []
    last: list[Item] = []
    for amount in sorted(set(line.movement.parts)):
        wanted = line.movement.parts.count(amount)
        there = by_amount[amount]
        if len(there) < wanted:
            return []
        named = [item for item in there if item.keys & line.keys]
        if len(named) == wanted:
            there = named
        is_same = len({item.copy_of for item in there}) == 1
        first += there[:wanted]
        last += there[:wanted] if is_same else there[-wanted:]
    return [first] if first == last else [first, last]


def _by_reference(side: Side) -> dict[int, Solutions]:
    """All that carry a reference of the one; or some of them."""
    by_key: dict[str, list[Item]] = defaultdict(list)
    for item in side.many():
        for key in item.keys | item.tokens:
            by_key[key].append(item)
    ones = side.ones()
    asked = Counter(key for one in ones for key in one.keys | one.tokens if key in by_key)
    for key in sorted(key for key, count in asked.items() if count * len(by_key[key]) > MOST_LOOKS):
        _note_common(side, [one for one in ones if key in one.keys | one.tokens], by_key.pop(key))
    found: dict[int, Solutions] = {}
    days = side.desk.profile.rules[side.rule].days
    for one in ones:
        pool = {
            item.place: item
            for key in one.keys | one.tokens
            for item in by_key.get(key, ())
            if (key in one.keys or key in item.keys) and side.gap(one, item) <= days
        }
        solutions = _search(side, one, sorted(pool.values(), key=lambda item: item.place), limit=None)
        if solutions:
            found[one.place] = solutions
    return found


def _note_common(side: Side, ones: Sequence[Item], many: Sequence[Item]) -> None:
    lines, transactions = (ones, many) if side.is_line_one else (many, ones)
    why = f"{len(lines)} lines and {len(transactions)} transactions have the same reference: it tells no groups"
    side.desk.crowds.append(Crowd(side.rule, _places(lines), _places(transactions), why))


def _by_cluster(side: Side) -> dict[int, Solutions]:
    """All that one day has of the same words and name, or of the same reference of their own."""
    days = side.desk.profile.rules[side.rule].days
    clusters: dict[Hashable, list[Item]] = defaultdict(list)
    for item in side.many():
        sign = item.amount > 0
        clusters[item.day, sign, item.name, item.words].append(item)
        for key in item.keys:
            clusters[sign, key].append(item)
    by_total: dict[tuple[int, int], set[tuple[int, ...]]] = defaultdict(set)
    for members in clusters.values():
        if len(members) >= 2:
            total, first = sum(item.amount for item in members), min(item.day for item in members)
            by_total[total, first].add(tuple(item.place for item in members))
    items = side.desk.transactions if side.is_line_one else side.desk.lines
    found: dict[int, Solutions] = {}
    for one in side.ones():
        solutions: Solutions = []
        for first in side.days(one):
            for places in sorted(by_total.get((one.amount, first), ())):
                members = [items[place] for place in places]
                is_near = all(side.gap(one, item) <= days and side.may_be_of(one, item) for item in members)
                if is_near and not side.is_rejected(one, members):
                    solutions.append(tuple(members))
                if len(solutions) == subsets.ENOUGH:
                    break
        if solutions:
            found[one.place] = solutions[: subsets.ENOUGH]
    return found


def _by_name(side: Side) -> dict[int, Solutions]:
    """Some of those that the same party has paid or was paid."""
    by_name: dict[str, list[Item]] = defaultdict(list)
    for item in side.many():
        if item.name:
            by_name[normalising.name_key(item.name)].append(item)
    windows = {key: Window(side, items) for key, items in by_name.items()}
    found: dict[int, Solutions] = {}
    for one in side.ones():
        if not one.name:
            continue
        own = windows.get(normalising.name_key(one.name))
        if own is None or own.count(one) > MOST_NEAR:
            continue
        solutions = _search(side, one, own.around(one), limit=BY_NAME)
        if solutions:
            found[one.place] = solutions
    return found


def _by_span(side: Side) -> dict[int, Solutions]:
    """All that is open from one day to another around the one: few ways to choose, so a hit says much."""
    window = Window(side, side.many())
    found: dict[int, Solutions] = {}
    for one in side.ones():
        solutions = {
            tuple(item.place for item in members): members
            for members in window.spans(one)
            if 2 <= len(members) <= subsets.MOST_CANDIDATES
            and _SPANS * subsets.unit_of([one.amount, *(item.amount for item in members)]) <= BY_DAYS * abs(one.amount)
            and all(side.may_be_of(one, item) for item in members)
            and not side.is_rejected(one, members)
        }
        if solutions:
            found[one.place] = [members for _, members in sorted(solutions.items())][: subsets.ENOUGH]
    return found


def _by_days(side: Side) -> dict[int, Solutions]:
    """Some of those that are near, whatever they say: a payout names its processor, its payments name customers."""
    window = Window(side, side.many())
    most = side.desk.profile.rules[side.rule].most
    found: dict[int, Solutions] = {}
    for one in side.ones():
        count = window.count(one)
        # A pair among so many would be a coincidence already, if amounts were not round; if they are, the more so.
        if count < 2 or most < 2 or count > MOST_NEAR or count * (count - 1) // 8 > BY_DAYS * abs(one.amount):
            continue
        pool = [item for item in window.around(one) if side.may_be_of(one, item)]
        solutions = _search(side, one, pool, limit=BY_DAYS)
        if solutions:
            found[one.place] = solutions
    return found


def _search(side: Side, one: Item, pool: Sequence[Item], limit: float | None) -> Solutions:
    """Solutions in a pool: the whole of it first, then its subsets as far as a hit is more than a coincidence."""
    desk, rule, tolerance = side.desk, side.desk.profile.rules[side.rule], side.tolerance(one)
    pool = [item for item in pool if not side.is_rejected(one, [item])]
    if len(pool) < 2:
        return []
    if limit is None and sum(item.amount for item in pool) == one.amount and not side.is_rejected(one, pool):
        return [tuple(pool)]
    same_sign = [item for item in pool if (item.amount > 0) == (one.amount > 0)]
    amounts = [item.amount for item in same_sign]
    most = min(rule.most, len(amounts))
    if limit is not None:
        most = subsets.affordable(amounts, one.amount, most, tolerance, limit)
    result = subsets.Subsets() if most < 2 else subsets.search(
        amounts, one.amount, most, tolerance, [item.copy_of for item in same_sign],
        lambda places: side.is_rejected(one, [same_sign[place] for place in places]),
        desk.nodes_left,
    )  # fmt: skip
    desk.nodes_left -= result.nodes
    whole = sum(item.amount for item in pool) - one.amount
    if limit is None and not result.found and abs(whole) <= tolerance and not side.is_rejected(one, pool):
        return [tuple(pool)]
    if result.is_cut_off:
        lines, transactions = side.sides(one, same_sign)
        why = f"{len(same_sign)} candidates for a group: not all ways to make up the amount were tried"
        desk.crowds.append(Crowd(side.rule, _places(lines), _places(transactions), why))
        return []
    return [tuple(same_sign[place] for place in places) for places in result.found]


def _places(items: Iterable[Item]) -> tuple[int, ...]:
    return tuple(sorted(item.place for item in items))


class Window:
    """Items of one side by day."""

    def __init__(self, side: Side, items: Iterable[Item]) -> None:
        self._side = side
        self._by_day: dict[tuple[int, bool], list[Item]] = defaultdict(list)
        for item in items:
            for day in {item.day} if side.is_line_one else {item.day, item.value_day}:
                self._by_day[day, item.amount > 0].append(item)
        self._total = {key: sum(item.amount for item in there) for key, there in self._by_day.items()}

    def count(self, one: Item) -> int:
        """How many of the same sign are near, about: a line of two days counts twice."""
        return sum(len(self._by_day.get((day, one.amount > 0), ())) for day in self._side.days(one))

    def spans(self, one: Item) -> list[tuple[Item, ...]]:
        """All that is near from one day to another and comes to the amount of the one."""
        days = [day for day in self._side.days(one) if (day, one.amount > 0) in self._by_day]
        hits: dict[tuple[int, ...], tuple[Item, ...]] = {}
        for first in range(len(days)):
            total = 0
            for last in range(first, len(days)):
                total += self._total[days[last], one.amount > 0]
                if total == one.amount:
                    members = {
                        item.place: item for day in days[first : last + 1] for item in self._by_day[day, one.amount > 0]
                    }
                    places = tuple(sorted(members))
                    if sum(members[place].amount for place in places) == total:
                        hits[places] = tuple(members[place] for place in places)
        return [hits[places] for places in sorted(hits)]

    def around(self, one: Item) -> list[Item]:
        """Those of the same sign that are near, in the order of their numbers."""
        near = {
            item.place: item for day in self._side.days(one) for item in self._by_day.get((day, one.amount > 0), ())
        }
        return [near[place] for place in sorted(near)]
