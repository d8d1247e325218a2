"""What is on the desk while rules run: both sides prepared for comparing, what is open, what was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger_service.matching import normalising, subsets
from ledger_service.matching.model import FindingKind, Match, Movement, Option, Profile, Rejection, RuleKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_COPIES = 16
"""Copies of one movement that are told apart by their order; those beyond it stay as good as each other."""


@dataclass(slots=True, eq=False)
class Item:
    """A movement as it is compared.

    `place` is its place on its side, in the order of numbers. `keys` are found in its references, `tokens` only in its
    text. `copy_of` is equal for movements that say the same in everything but their number; `copy` counts them in
    that order. `is_reversed`: a transaction that another one takes back.
    """

    place: int
    number: int
    day: int
    value_day: int
    amount: int
    keys: frozenset[str]
    tokens: frozenset[str]
    name: str
    words: str
    movement: Movement
    copy_of: int
    copy: int = 0
    is_reversed: bool = False


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """Options that are as good as each other, for the rule that met them. `lines` and `transactions` are the places of
    all that it is about; not each of them need be in an option that is shown."""

    rule: int
    options: tuple[Option, ...]
    lines: frozenset[int]
    transactions: frozenset[int]
    why: str


@dataclass(frozen=True, slots=True)
class Crowd:
    """Lines and transactions, by place, with more candidates among them than a rule tries."""

    rule: int
    lines: tuple[int, ...]
    transactions: tuple[int, ...]
    why: str


@dataclass(slots=True)
class Desk:
    """Everything that the rules share.

    Rules take places from `open_lines` and `open_transactions` by `match` and by nothing else, so nothing is matched
    twice. `crossed_out` are pairs (places) that a person has rejected, `rejected_groups` sets of numbers. `nodes_left`
    is what searches for groups may still visit.
    """

    profile: Profile
    lines: list[Item]
    transactions: list[Item]
    open_lines: set[int]
    open_transactions: set[int]
    crossed_out: set[tuple[int, int]]
    rejected_groups: set[tuple[frozenset[int], frozenset[int]]]
    matches: list[Match] = field(default_factory=list)
    ambiguities: list[Ambiguity] = field(default_factory=list)
    crowds: list[Crowd] = field(default_factory=list)
    nodes_left: int = subsets.MOST_NODES_IN_ALL

    def lines_left(self) -> list[Item]:
        """Open lines in the order of their numbers."""
        return [self.lines[place] for place in sorted(self.open_lines)]

    def transactions_left(self) -> list[Item]:
        """Open transactions in the order of their numbers."""
        return [self.transactions[place] for place in sorted(self.open_transactions)]

    def is_rejected(self, lines: Iterable[Item], transactions: Sequence[Item]) -> bool:
        """Whether a person has said that these, or two among them, do not belong together."""
        left = list(lines)
        if self.crossed_out and any(
            (one.place, other.place) in self.crossed_out for one in left for other in transactions
        ):
            return True
        if not self.rejected_groups:
            return False
        group = (frozenset(one.number for one in left), frozenset(one.number for one in transactions))
        return group in self.rejected_groups

    def match(self, rule: int, lines: Sequence[Item], transactions: Sequence[Item], score: int, why: str) -> None:
        """Takes lines and transactions off the desk, together."""
        self.open_lines.difference_update(one.place for one in lines)
        self.open_transactions.difference_update(one.place for one in transactions)
        difference = sum(one.amount for one in transactions) - sum(one.amount for one in lines)
        kind: RuleKind = self.profile.rules[rule].kind
        self.matches.append(
            Match(
                rule=rule,
                kind=kind,
                lines=numbers(lines),
                transactions=numbers(transactions),
                difference=difference,
                score=max(0, min(100, score)),
                why=why,
                auto_confirm=self.profile.rules[rule].auto_confirm and difference == 0,
            )
        )


def numbers(items: Iterable[Item]) -> tuple[int, ...]:
    """Their numbers, in order."""
    return tuple(sorted(one.number for one in items))


def set_up(
    lines: Sequence[Movement], transactions: Sequence[Movement], profile: Profile, rejections: Sequence[Rejection]
) -> Desk:
    """A desk with both sides on it.

    Raises:
        ValueError: two movements of one side have the same number, or an amount is 0.
    """
    left, right = _prepare(lines, "lines"), _prepare(transactions, "transactions")
    reversed_numbers = {one.cancels for one in transactions if one.cancels}
    for item in right:
        item.is_reversed = item.number in reversed_numbers
    crossed_out: set[tuple[int, int]] = set()
    groups: set[tuple[frozenset[int], frozenset[int]]] = set()
    line_places = {one.number: one.place for one in left}
    transaction_places = {one.number: one.place for one in right}
    for rejection in rejections:
        if len(rejection.lines) == 1 and len(rejection.transactions) == 1:
            line, transaction = line_places.get(rejection.lines[0]), transaction_places.get(rejection.transactions[0])
            if line is not None and transaction is not None:
                crossed_out.add((line, transaction))
        else:
            groups.add((frozenset(rejection.lines), frozenset(rejection.transactions)))
    return Desk(profile, left, right, set(range(len(left))), set(range(len(right))), crossed_out, groups)


def _prepare(movements: Sequence[Movement], side: str) -> list[Item]:
    items: list[Item] = []
    copies: dict[object, int] = {}
    seen: dict[int, int] = {}
    for place, one in enumerate(sorted(movements, key=lambda movement: movement.number)):
        if items and items[-1].number == one.number:
            raise ValueError(f"{side}: number {one.number} is there twice")
        if one.amount == 0:
            raise ValueError(f"{side}: number {one.number} has no amount")
        keys = frozenset(key for reference in one.references for key in normalising.reference_keys(reference))
        text = normalising.words(one.text)
        party = normalising.name(one.counterparty)
        item = Item(
            place=place, number=one.number, day=one.day, value_day=one.value_day, amount=one.amount, keys=keys,
            tokens=normalising.reference_tokens(one.text) - keys, name=party, words=text, movement=one,
            copy_of=-place - 1,
        )  # fmt: skip
        # Bare amounts may be two movements; two records that say the same in words are one and its copy.
        if keys or party or text:
            identity = (one.day, one.value_day, one.amount, keys, party, text, one.code, one.parts, one.cancels)
            item.copy_of = copies.setdefault(identity, place)
            item.copy = min(seen.get(item.copy_of, 0), MOST_COPIES - 1)
            seen[item.copy_of] = seen.get(item.copy_of, 0) + 1
        items.append(item)
    return items


def as_option(groups: Iterable[tuple[Sequence[Item], Sequence[Item]]]) -> Option:
    """The option of these groups, in a stable order."""
    return Option(tuple(sorted((numbers(lines), numbers(transactions)) for lines, transactions in groups)))


def in_order(options: Iterable[Option]) -> tuple[Option, ...]:
    """The options without doubles, in a stable order."""
    return tuple(sorted(set(options), key=lambda one: one.pairs))


def ambiguity(rule: int, groupings: Iterable[Sequence[tuple[Sequence[Item], Sequence[Item]]]], why: str) -> Ambiguity:
    """What several groupings are as good as each other for; all their members are in what is shown."""
    shown = list(groupings)
    return Ambiguity(
        rule,
        in_order(map(as_option, shown)),
        frozenset(item.place for groups in shown for lines, _ in groups for item in lines),
        frozenset(item.place for groups in shown for _, transactions in groups for item in transactions),
        why,
    )


ORDER_OF_FINDINGS = {kind: place for place, kind in enumerate(FindingKind)}
"""Findings come in the order in which the kinds are written."""
