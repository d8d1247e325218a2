"""The rules of the reconciled account: what they let pass, and that they notice each thing that must not be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ledger.v1 import reconciliation_pb2 as messages
from ledger.v1 import reconciliation_service_pb2 as pb
from tests.chaos.desk import BANK, CURRENCY, FIRST, Again, Alter, LastBooks
from tests.chaos.desk_model import Course, DeskModel
from tests.helpers.camt_writer import Booked

NEXT = FIRST + timedelta(days=1)
START = Alter("start", "StartReconciliation")
FILE = Alter("file", "ImportStatement", lines=(Booked(FIRST, 500, text="a"), Booked(FIRST, -200, text="b")))
LATER = Alter("later", "ImportStatement", lines=(Booked(NEXT, 50, text="c"),))
CLOSE = Alter("close", "CloseReconciliation", (("date", FIRST.isoformat()),))
REOPEN = Alter("reopen", "ReopenReconciliation", (("date", FIRST.isoformat()),))


def told(revision: int, action: int, account: str = BANK) -> messages.ReconciliationChange:
    return messages.ReconciliationChange(
        account_id=account, currency=CURRENCY, revision=revision, action=messages.ReconciliationAction.ValueType(action)
    )


@pytest.fixture
def model() -> DeskModel:
    """Begun, and with one file."""
    model = DeskModel()
    assert model.change(START, told(1, messages.RECONCILIATION_ACTION_STARTED)) == ""
    assert model.change(FILE, told(2, messages.RECONCILIATION_ACTION_STATEMENT_IMPORTED)) == ""
    return model


def close(model: DeskModel) -> None:
    assert model.change(CLOSE, told(3, messages.RECONCILIATION_ACTION_CLOSED)) == ""


def test_changes_have_revisions_without_a_gap(model: DeskModel) -> None:
    assert model.change(LATER, told(4, messages.RECONCILIATION_ACTION_STATEMENT_IMPORTED))


def test_a_change_is_of_the_account_and_of_the_kind_that_was_asked_for(model: DeskModel) -> None:
    assert model.change(LATER, told(3, messages.RECONCILIATION_ACTION_STATEMENT_IMPORTED, account="other"))
    assert model.change(LATER, told(4, messages.RECONCILIATION_ACTION_RULES_RUN))


def test_what_is_closed_stays_closed(model: DeskModel) -> None:
    assert model.refusal(FILE, "RECONCILIATION_CLOSED"), "nothing is closed yet"
    close(model)
    late = replace(FILE, key="late", lines=(replace(FILE.lines[0], text="late"),))
    assert model.refusal(late, "RECONCILIATION_CLOSED") == ""
    assert model.refusal(LATER, "RECONCILIATION_CLOSED")
    assert model.change(late, told(4, messages.RECONCILIATION_ACTION_STATEMENT_IMPORTED))


def test_lines_that_are_here_are_no_new_ones(model: DeskModel) -> None:
    """Whoever was not told that a file came in may bring its lines with another one, closed or not."""
    close(model)
    again = replace(FILE, key="again")
    assert model.change(again, told(4, messages.RECONCILIATION_ACTION_STATEMENT_IMPORTED)) == ""
    assert model.lines == list(FILE.lines)
    assert model.answer_differs(again, pb.ImportStatementResponse(lines=0)) == ""
    assert model.answer_differs(again, pb.ImportStatementResponse(lines=len(FILE.lines)))


def test_only_the_last_closing_is_reopened(model: DeskModel) -> None:
    assert model.refusal(REOPEN, "RECONCILIATION_NOT_FOUND") == ""
    close(model)
    assert model.refusal(REOPEN, "RECONCILIATION_NOT_FOUND")
    assert model.change(REOPEN, told(4, messages.RECONCILIATION_ACTION_REOPENED)) == ""
    assert model.change(replace(REOPEN, key="twice"), told(5, messages.RECONCILIATION_ACTION_REOPENED))


def test_the_banks_balance_is_that_of_the_lines_that_had_come_in(model: DeskModel) -> None:
    assert model.change(LATER, told(3, messages.RECONCILIATION_ACTION_STATEMENT_IMPORTED)) == ""
    assert [model.statement_balance(revision, NEXT) for revision in (1, 2, 3)] == [0, 300, 350]
    assert model.statement_balance(3, FIRST) == 300


def report(statement: str, ledger: str, outstanding: str = "0.00") -> messages.Reconciliation:
    zero = dict.fromkeys(
        ("deposits_in_transit", "receipts_not_recorded", "payments_not_recorded", "write_offs_proposed", "differences",
         "opening_difference", "statement_gap"), "0.00",
    )  # fmt: skip
    equation = messages.ReconciliationEquation(
        statement_balance=statement, ledger_balance=ledger, outstanding_payments=outstanding, adds_up=True, **zero
    )
    return messages.Reconciliation(date=FIRST.isoformat(), revision=2, sequence=9, equation=equation)


class Fixed(Course):
    """A ledger that has one balance."""

    def __init__(self, balance: int) -> None:
        super().__init__([], ())
        self._balance = balance

    def at(self, *_: Any) -> int:
        return self._balance


def test_reports(model: DeskModel) -> None:
    assert model.report_differs(report("3.00", "3.00"), Fixed(300)) == ""
    assert "does not add up" in model.report_differs(report("3.00", "2.99"), Fixed(299))
    assert "does not add up" in model.report_differs(report("3.00", "3.00"), Fixed(301))
    # Half of the file.
    assert "the bank has" in model.report_differs(report("5.00", "5.00"), Fixed(500))


def test_a_file_that_is_here_does_not_come_in_again(model: DeskModel) -> None:
    answer = pb.ImportStatementResponse(lines=2, replayed=True)
    assert model.again_differs(Again(FILE, answer)) == ""
    assert model.again_differs(Again(FILE, pb.ImportStatementResponse(lines=2)))


def line(number: int, amount: str, text: str) -> messages.StatementLine:
    return messages.StatementLine(number=number, booking_date=FIRST.isoformat(), amount=amount, text=text)


def test_at_rest(model: DeskModel) -> None:
    both = [line(1, "5.00", "a"), line(2, "-2.00", "b")]
    match = messages.ReconciliationMatch(number=1, state=messages.MATCH_STATE_CONFIRMED, line_numbers=[1])
    open_report = report("3.00", "3.00")
    assert list(model.last_differs(LastBooks(both, [match], open_report))) == []
    for lines in (both[:1], [*both, both[1]]):
        assert list(model.last_differs(LastBooks(lines, [], open_report)))
    other = messages.ReconciliationMatch(number=2, state=messages.MATCH_STATE_PROPOSED, line_numbers=[1])
    assert list(model.last_differs(LastBooks(both, [match, other], open_report)))
    match.write_off.account_id = "fees"
    assert list(model.last_differs(LastBooks(both, [match], open_report)))
