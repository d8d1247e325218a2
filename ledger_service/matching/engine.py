"""Runs a profile's rules over lines and transactions, then names what is left."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ledger_service.matching.cancelling import cancel
from ledger_service.matching.desk import set_up
from ledger_service.matching.findings import findings
from ledger_service.matching.groups import group
from ledger_service.matching.many_to_many import many_to_many
from ledger_service.matching.model import Movement, Profile, Rejection, Result, RuleKind
from ledger_service.matching.pairing import pair
from ledger_service.matching.proposals import proposals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledger_service.matching.desk import Desk

_PASSES = 3
"""What a later rule matches may leave an earlier one a single solution: the rules run again, so often at most."""


def reconcile(
    lines: Sequence[Movement],
    transactions: Sequence[Movement],
    profile: Profile,
    rejections: Sequence[Rejection],
    last_day: int,
) -> Result:
    """Finds which lines and transactions belong together, and what is wrong with the others.

    The result does not depend on the order of lines, transactions and rejections. Amounts are already in the sense of
    the account's normal side: `is_inverted` has been applied by whoever made the movements.

    Args:
        lines: booked lines of the statement that no match holds yet.
        transactions: the account's transactions that no match holds yet.
        profile: the rules, in their order.
        rejections: what people have rejected.
        last_day: the closing date of the newest statement, `date.toordinal()`. What the ledger recorded shortly
            before it is in transit rather than missing.

    Raises:
        ValueError: two movements of one side have the same number, or an amount is 0.
    """
    with _uncollected():
        return _reconcile(set_up(lines, transactions, profile, rejections), last_day)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keeps the garbage collector away: all that is made here lives to the end and nothing of it refers in circles, so
    going through it again and again finds nothing, and took half of the time at 100,000 lines."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _reconcile(desk: Desk, last_day: int) -> Result:
    rules = range(len(desk.profile.rules))
    for _ in range(_PASSES):
        before = len(desk.matches)
        desk.ambiguities.clear()
        desk.crowds.clear()
        for place in rules:
            _run(desk, place)
        if len(desk.matches) == before or not (desk.ambiguities or desk.crowds):
            break
    desk.matches.sort(key=lambda one: (one.rule, one.lines, one.transactions))
    found = findings(desk, last_day)
    by_rule = [0 for _ in rules]
    for match in desk.matches:
        by_rule[match.rule] += 1
    return Result(
        matches=tuple(desk.matches),
        findings=tuple(found),
        proposals=tuple(proposals(desk, desk.matches, found)),
        matched_by_rule=tuple(by_rule),
    )


def _run(desk: Desk, place: int) -> None:
    kind = desk.profile.rules[place].kind
    if kind is RuleKind.CANCELLED:
        cancel(desk, place)
    elif kind is RuleKind.ONE_LINE_TO_MANY:
        group(desk, place, is_line_one=True)
    elif kind is RuleKind.MANY_LINES_TO_ONE:
        group(desk, place, is_line_one=False)
    elif kind is RuleKind.MANY_TO_MANY:
        many_to_many(desk, place)
    else:
        pair(desk, place)
