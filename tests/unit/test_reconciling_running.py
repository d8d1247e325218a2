"""From what the engine found to what is kept: tests/e2e and tests/property drive the rest of it."""

from __future__ import annotations

from datetime import date

from ledger_service.application.reconciling.records import MatchState
from ledger_service.application.reconciling.running import run_of, work_of
from ledger_service.application.reconciling.staging import Book, KnownMatch, OpenItem, OpenLine, State
from ledger_service.matching.model import Match, Proposal, Result, RuleKind

DAY = date(2026, 3, 2)
LINE = OpenLine(1, DAY, DAY, 10_001, "Ann", ("INV-1",), "", "", ())
SALE = OpenItem(7, DAY, 10_000, "Ann", "INV-1", "", 3, has_expiry=False, reverses=0)
WRITTEN_OFF = OpenItem(8, DAY, 1, "", "write-off-1", "Rounding", 3, has_expiry=False, reverses=0)
FOUND = Result(
    (Match(0, RuleKind.REFERENCE, (1,), (7,), -1, 90, "same reference", auto_confirm=True),),
    (),
    (Proposal("differences", (1,), 0, "rounding", "Rounding", 1),),
)


def state(*items: OpenItem, undone: KnownMatch | None = None) -> State:
    """An account with one line, and a match of before that was taken apart."""
    return State(
        Book(1, 2, "USD"),
        9,
        None,
        None,
        lines=[LINE],
        items=list(items),
        matches=[undone] if undone else [],
        last_match=4,
    )


def undone(amount_booked_by: int | None) -> KnownMatch:
    transactions = (7,) if amount_booked_by is None else (7, amount_booked_by)
    return KnownMatch(1, MatchState.UNDONE, "REFERENCE", (1,), transactions, "", 5, "Rounding", amount_booked_by)


def run(known: State) -> list[tuple[tuple[int, ...], int, int | None, int]]:
    """What each match is of, its difference, where it would be written off, and its state."""
    made = run_of(known, work_of(known, str), FOUND, {"rounding": 5})
    return [(one.transactions, one.difference, one.write_off_account_no, one.state) for one in made.stage.matches]


def test_a_difference_is_proposed_to_be_written_off() -> None:
    assert run(state(SALE)) == [((7,), -1, 5, MatchState.PROPOSED)]


def test_what_was_booked_for_it_before_settles_it_again() -> None:
    assert run(state(SALE, WRITTEN_OFF, undone=undone(8))) == [((7, 8), 0, None, MatchState.PROPOSED)]


def test_what_was_booked_and_is_gone_settles_nothing() -> None:
    assert run(state(SALE, undone=undone(8))) == [((7,), -1, 5, MatchState.PROPOSED)]


def test_what_was_never_booked_settles_nothing() -> None:
    assert run(state(SALE, WRITTEN_OFF, undone=undone(None))) == [((7,), -1, 5, MatchState.PROPOSED)]
