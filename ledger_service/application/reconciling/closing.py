"""Beginning and closing a reconciliation: what is settled becomes a sum, what is open is carried over. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from ledger_service.application.reconciling.records import Context, MatchState
from ledger_service.application.reconciling.report import Report
from ledger_service.application.reconciling.reporting import dump_report
from ledger_service.application.reconciling.staging import Baseline, OpenItem, State
from ledger_service.application.reconciling.standing import Standing
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.domain.transaction import Status

MAX_FROZEN = 10_000
"""CLEARED transactions that one closing may freeze: each is looked at under the entity's lock."""


def opening_baseline(
    state: State, until: date, statement: int | None, ledger: int, carried: Sequence[OpenItem]
) -> Baseline:
    """Begin after a day. `ledger` is the balance at its end; `carried` the transactions that are open then: those
    effective later, and those before that the bank had not booked. `statement` None: what the ledger says is settled.
    """
    outstanding = sum(item.amount for item in carried if item.day <= until)
    settled = ledger - outstanding
    return Baseline(
        until=until,
        statement_balance=settled if statement is None else statement,
        ledger_balance=ledger,
        settled_statement=settled if statement is None else statement,
        settled_ledger=settled,
        sequence=state.sequence,
        entry_number=state.entry_number,
        line_number=state.last_line,
        match_number=state.last_match,
        carried_transactions=tuple(item.transaction_no for item in carried),
        carried_amounts=tuple(item.amount for item in carried),
        # What a person has said holds, wherever it begins.
        carried_matches=tuple(match.number for match in state.matches if match.state == MatchState.REJECTED),
    )


@dataclass(frozen=True, slots=True)
class Closing:
    """What closing adds, and the CLEARED transactions that it freezes."""

    baseline: Baseline
    frozen: tuple[int, ...]


def closing_of(
    context: Context, state: State, standing: Standing, report: Report, *, has_statement: bool, accept_differences: bool
) -> Closing:
    """Close to the standing's day. Raises LedgerError RECONCILIATION_UNFINISHED, saying what is in the way."""
    _check_differences(report, has_statement=has_statement, accepted=accept_differences)
    settled = {number for match in standing.matches for number in match.transactions}
    proposed = [match.number for match in standing.matches if match.state == MatchState.PROPOSED]
    if proposed:
        raise _unfinished(
            "proposed_matches",
            len(proposed),
            f"{len(proposed):,} of its matches are only proposed, such as {proposed[0]}; confirm or reject them",
        )
    items = {item.transaction_no: item for item in standing.items}
    frozen = []
    for number in sorted(settled):
        item = items[number]
        if item.status == Status.PENDING or (item.status == Status.CLEARED and item.has_expiry):
            what = "is PENDING" if item.status == Status.PENDING else "will expire"
            raise _unfinished(
                "pending_transactions",
                1,
                f"transaction {context.public_id(number)} is matched but {what}; clear or approve it",
            )
        if item.status == Status.CLEARED:
            frozen.append(number)
    if len(frozen) > MAX_FROZEN:
        raise _unfinished(
            "cleared_transactions",
            len(frozen),
            f"more than {MAX_FROZEN:,} are CLEARED; approve them, or close an earlier day",
        )
    open_lines = {line.number for line in standing.open_lines}
    open_items = {item.transaction_no for item in standing.open_items}
    carried_lines = [one for one in state.lines if one.number in open_lines or one.booking_date > standing.until]
    carried_items = [one for one in state.items if one.transaction_no in open_items or one.day > standing.until]
    return Closing(
        Baseline(
            until=standing.until,
            statement_balance=report.equation.statement_balance,
            ledger_balance=report.equation.ledger_balance,
            settled_statement=report.equation.statement_balance - sum(one.amount for one in standing.open_lines),
            settled_ledger=report.equation.ledger_balance - sum(one.amount for one in standing.open_items),
            sequence=state.sequence,
            entry_number=state.entry_number,
            line_number=state.last_line,
            match_number=state.last_match,
            carried_transactions=tuple(one.transaction_no for one in carried_items),
            carried_amounts=tuple(one.amount for one in carried_items),
            carried_lines=tuple(one.number for one in carried_lines),
            carried_matches=_carried_matches(
                state,
                standing,
                {one.number for one in carried_lines},
                {one.transaction_no for one in carried_items},
            ),
            report=dump_report(report),
        ),
        tuple(frozen),
    )


def _carried_matches(state: State, standing: Standing, lines: set[int], items: set[int]) -> tuple[int, ...]:
    """Those that reach beyond the day, and rejections of what is still open."""
    later = {match.number for match in standing.later_matches}
    return tuple(
        match.number
        for match in state.matches
        if match.number in later
        or (
            match.state == MatchState.REJECTED
            and not (lines.isdisjoint(match.lines) and items.isdisjoint(match.transactions))
        )
    )


def _check_differences(report: Report, *, has_statement: bool, accepted: bool) -> None:
    equation = report.equation
    if not equation.adds_up:
        # Two ways of reading the same rows disagree: nothing must be built on it.
        raise LedgerError(
            Reason.INTERNAL,
            f"the equation gives {equation.total}, not {equation.ledger_balance}; run 'ledger-service verify'",
        )
    if accepted:
        return
    if not has_statement:
        raise _unfinished("statement_balance", 1, "no statement ends with this day; import it, or accept_differences")
    for name, amount in (
        ("statement_gap", equation.statement_gap),
        ("opening_difference", equation.opening_difference),
        ("differences", equation.differences),
    ):
        if amount:
            raise _unfinished(name, 1, f"{name.replace('_', ' ')} is not 0; settle it, or accept_differences")


def _unfinished(obstacle: str, count: int, message: str) -> LedgerError:
    return LedgerError(
        Reason.RECONCILIATION_UNFINISHED,
        f"it can't be closed yet: {message}",
        {"obstacle": obstacle, "count": str(count)},
    )
