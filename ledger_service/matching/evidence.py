"""How well two movements agree: what it costs to pair them, how sure a match is, and in words why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rapidfuzz import fuzz

from ledger_service.matching import normalising
from ledger_service.matching.normalising import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger_service.matching.desk import Item

# What a pair costs, in points. Only their order matters: references weigh more than names, names more than some days,
# days more than words. The value date counts half of the booking date. Names and texts count in few steps: that one is
# 31 % alike and another 33 % is noise, and must not decide between two pairings that are as good as each other.
_DAY = 8
_VALUE_DAY = 4
_MOST_DAYS = 100
_LATE = 3
"""A ledger that records after the bank is rarer than one that records before it."""
_REFERENCE_UNKNOWN, _REFERENCE_DIFFERS = 200, 400
_NAME_UNKNOWN, _NAME_DIFFERS = 100, 400
_TEXT_DIFFERS, _TEXT_RESEMBLES = 50, 20
_REVERSED = 300
"""A transaction that was taken back is the less likely one of two."""


def gap(line: Item, transaction: Item) -> int:
    """Days between the transaction and the nearer of the line's booking and value dates."""
    return min(abs(transaction.day - line.day), abs(transaction.day - line.value_day))


def shared_references(one: Item, other: Item) -> frozenset[str]:
    """Keys of references that both have; on one side it may stand in the text only."""
    return (one.keys & other.keys) | (one.keys & other.tokens) | (one.tokens & other.keys)


def references_disagree(one: Item, other: Item) -> bool:
    """Both have references, and none of them is the other's."""
    return bool(one.keys) and bool(other.keys) and not shared_references(one, other)


def names_alike(one: Item, other: Item) -> int:
    """How alike the parties' names are, 0 to 100; UNKNOWN if a side does not tell."""
    if one.name and other.name:
        return normalising.similarity(one.name, other.name)
    if one.name:
        return normalising.named_in(one.name, other.words)
    return normalising.named_in(other.name, one.words) if other.name else UNKNOWN


def names_contradict(one: Item, other: Item, similarity: int) -> bool:
    """Both tell a party, and they are less alike than that."""
    return bool(one.name) and bool(other.name) and normalising.similarity(one.name, other.name) < similarity


def cost(line: Item, transaction: Item) -> int:
    """What it costs to pair them, amounts aside; at most some 2,300 points."""
    days = min(abs(transaction.day - line.day), _MOST_DAYS) * _DAY
    days += min(abs(transaction.day - line.value_day), _MOST_DAYS) * _VALUE_DAY
    days += _LATE if transaction.day > max(line.day, line.value_day) else 0
    if shared_references(line, transaction):
        reference = 0
    else:
        reference = _REFERENCE_DIFFERS if line.keys and transaction.keys else _REFERENCE_UNKNOWN
    alike = names_alike(line, transaction)
    if alike == UNKNOWN:
        party = _NAME_UNKNOWN
    else:
        party = _NAME_DIFFERS * ((100 - alike) // 10) // 10 if alike >= 50 else _NAME_DIFFERS
    text = _text_cost(line.words, transaction.words)
    return days + reference + party + text + (_REVERSED if transaction.is_reversed else 0)


def _text_cost(one: str, other: str) -> int:
    if one and one == other:
        return 0
    alike = fuzz.token_set_ratio(one, other) if one and other else 0
    if alike >= 90:
        return 0
    return _TEXT_RESEMBLES if alike >= 70 else _TEXT_DIFFERS


def copy_cost(line: Item, transaction: Item) -> int:
    """What decides between copies that say the same in everything: the first recorded ones pair first, in order.

    Whichever is taken makes no difference to anybody; without it two copies would make each other ambiguous.
    """
    return (line.copy - transaction.copy) ** 2 + line.copy + transaction.copy


@dataclass(frozen=True, slots=True)
class Judgement:
    """How sure a match is (0 to 100), and in words what agrees and what does not."""

    score: int
    why: str


def judge(line: Item, transaction: Item) -> Judgement:
    """Judges a pair.

    From 100: less 2 for each day apart, at most 30; less a fifth of what the names lack to 100; less 5 if neither
    reference nor name is there to agree, 20 if references disagree; less 10 if amounts differ.
    """
    score, said = 100, []
    common = shared_references(line, transaction)
    alike = names_alike(line, transaction)
    if common:
        said.append(f"same reference {_as_written(common, (line, transaction))}")
    elif line.keys and transaction.keys:
        score -= 20
        said.append(f"references differ: {_first(line)} on the statement, {_first(transaction)} in the ledger")
    if line.amount == transaction.amount:
        said.append("same amount")
    else:
        score -= 10
        said.append(f"amounts differ by {transaction.amount - line.amount:+d} minor units in the ledger")
    if alike == UNKNOWN:
        score -= 0 if common else 5
    else:
        score -= (100 - alike) // 5
        said.append("same name" if alike == 100 else f"names {alike} % alike")
    apart = gap(line, transaction)
    score -= min(2 * apart, 30)
    said.append(days_in_words(line, transaction))
    return Judgement(max(score, 0), ", ".join(said))


def count_of_days(days: int) -> str:
    """For example "1 day"."""
    return "1 day" if days == 1 else f"{days} days"


def days_in_words(line: Item, transaction: Item) -> str:
    """For example "2 days later on the statement"."""
    apart = gap(line, transaction)
    if apart == 0:
        return "same day" if line.day == transaction.day else "same day (value date)"
    nearer = line.day if abs(transaction.day - line.day) == apart else line.value_day
    return f"{count_of_days(apart)} {'later' if nearer > transaction.day else 'earlier'} on the statement"


def _as_written(keys: frozenset[str], items: Sequence[Item]) -> str:
    """The reference as one of them wrote it."""
    for item in items:
        for reference in item.movement.references:
            if keys.intersection(normalising.reference_keys(reference)):
                return reference
    return min(keys)


def _first(item: Item) -> str:
    return _as_written(item.keys, (item,))
