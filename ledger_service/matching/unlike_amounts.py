"""Open lines and transactions that belong together by reference, or by name and date, but not by their amounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_service.matching import normalising
from ledger_service.matching.candidates import MOST_PAIRS, Candidates, join
from ledger_service.matching.evidence import days_in_words, gap, shared_references
from ledger_service.matching.model import Finding, FindingKind, RuleKind
from ledger_service.matching.pairing import assign
from ledger_service.matching.profile import usual_days

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger_service.matching.desk import Desk, Item

FACTOR = 2
"""Without a common reference, amounts beyond this ratio are two things rather than one with a slip in it."""


def unlike_amounts(desk: Desk) -> Iterable[tuple[Finding, set[int], set[int]]]:
    """A finding for each pair, with the places that it is about. Only what is certain: see `pairing.assign`."""
    lines, transactions = desk.lines_left(), desk.transactions_left()
    by_reference = [rule.days for rule in desk.profile.rules if rule.kind is RuleKind.REFERENCE]
    usual = usual_days(desk.profile)
    pairs = Candidates()
    for bucket in join(lines, transactions, lambda item: item.keys | item.tokens):
        _note(pairs, bucket, max(by_reference, default=usual), is_named=False)
    found = assign(desk.lines, desk.transactions, pairs, desk.crossed_out).certain
    left, right = {one for one, _ in found}, {other for _, other in found}
    pairs = Candidates()
    for bucket in join(
        (one for one in lines if one.place not in left and one.name),
        (one for one in transactions if one.place not in right and one.name),
        lambda item: (normalising.name_key(item.name),),
    ):
        _note(pairs, bucket, usual, is_named=True)
    found += assign(desk.lines, desk.transactions, pairs, desk.crossed_out).certain
    for place, other in found:
        line, transaction = desk.lines[place], desk.transactions[other]
        what = "reference" if shared_references(line, transaction) else "name"
        why = f"same {what}, {days_in_words(line, transaction)}, but the amounts differ"
        difference = transaction.amount - line.amount
        finding = Finding(FindingKind.AMOUNT_DIFFERS, (line.number,), (transaction.number,), difference, why)
        yield finding, {place}, {other}


def _note(pairs: Candidates, bucket: tuple[list[Item], list[Item]], days: int, *, is_named: bool) -> None:
    lines, transactions = bucket
    if len(lines) * len(transactions) > MOST_PAIRS:
        return
    for line in lines:
        for transaction in transactions:
            is_near = gap(line, transaction) <= days and (line.amount > 0) == (transaction.amount > 0)
            if is_near and (_is_slip(line, transaction) if is_named else shared_references(line, transaction)):
                pairs.add(line, transaction)


def _is_slip(line: Item, transaction: Item) -> bool:
    less, more = sorted((abs(line.amount), abs(transaction.amount)))
    return more <= FACTOR * less and not (line.keys and transaction.keys)
