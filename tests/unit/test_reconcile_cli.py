"""What `ledger-service reconcile` makes of the service's answers: the report, JSON, tables, profiles, refusals."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from grpc import StatusCode
from rich.cells import cell_len
from rich.console import Console

from ledger_client import LedgerError, messages, timestamp
from ledger_service.application.reconciling.report import Report
from ledger_service.cli import reconcile_convert as convert
from ledger_service.cli import reconcile_tables as tables
from ledger_service.cli.reconcile_json import to_plain
from ledger_service.cli.reconcile_lists import Kinds, MatchStates, Rules
from ledger_service.cli.reconcile_options import refusal
from ledger_service.cli.reconcile_profile import parse_profile, print_profile
from ledger_service.rpc.reconciliation_report import reconciliation
from tests.helpers.reports import MADE, empty_report, some_report

TRANSACTIONS = [f"txn_{number:026d}" for number in range(3)]
HOSTILE = "[red]x[/red] \x1b[2J\u202e"


def some_match(**changes: Any) -> messages.ReconciliationMatch:
    members: dict[str, Any] = {
        "number": 17,
        "state": messages.MATCH_STATE_PROPOSED,
        "rule": messages.MATCH_RULE_KIND_ONE_LINE_TO_MANY,
        "line_numbers": [4],
        "transaction_ids": TRANSACTIONS,
        "difference": "-1234567.89",
        "score": 86,
        "reason": "3 transactions for one",
        "write_off": messages.WriteOff(account_id="acc_fees", description="Fee", amount="1234567.89"),
        "actor": "ann",
    }
    return messages.ReconciliationMatch(**{**members, **changes})


def printed(print_them: Callable[[Console, list[Any]], None], found: list[Any], width: int = 80) -> str:
    out = io.StringIO()
    print_them(Console(file=out, width=width, highlight=False), found)
    return out.getvalue()


@pytest.mark.parametrize(
    "report",
    [
        some_report(40, 9, 5),
        empty_report(),
        some_report(5, 2, 2, is_closed=True, closed_by="ann", closed_time=MADE, open_items_left_out=7),
        replace(some_report(3, 1, 1), differences=tuple(replace(one, write_off="proposed") for one in
                                                        some_report(3, 1, 1).differences)),
    ],
    ids=["some", "empty", "closed", "write-off"],
)  # fmt: skip
def test_a_report_comes_through_the_api_as_it_was(report: Report) -> None:
    assert convert.report(reconciliation(report)) == report


@pytest.mark.parametrize(("exponent", "currency"), [(0, "JPY"), (3, "KWD"), (18, "ETH")])
def test_the_exponent_is_that_of_the_amounts(exponent: int, currency: str) -> None:
    report = some_report(4, 2, 1, exponent=exponent, currency=currency)
    assert convert.report(reconciliation(report)) == report


def test_all_kinds_can_be_asked_for() -> None:
    def names(values: Any, prefix: str) -> list[str]:
        return [name.removeprefix(prefix).lower().replace("_", "-") for name in values.keys()[1:]]

    assert list(Rules) == names(messages.MatchRuleKind, "MATCH_RULE_KIND_")
    assert list(Kinds) == names(messages.FindingKind, "FINDING_KIND_")
    assert list(MatchStates) == names(messages.MatchState, "MATCH_STATE_")


def test_json_has_every_field() -> None:
    made = datetime(2026, 6, 30, 12, 0, 0, 500_000, tzinfo=UTC)
    message = some_match(create_time=timestamp(made))
    assert to_plain(message) == {
        "number": 17, "state": "PROPOSED", "rule": "ONE_LINE_TO_MANY", "line_numbers": [4],
        "transaction_ids": TRANSACTIONS, "difference": "-1234567.89", "score": 86, "reason": "3 transactions for one",
        "write_off": {"account_id": "acc_fees", "description": "Fee", "amount": "1234567.89", "transaction_id": None},
        "actor": "ann", "create_time": "2026-06-30T12:00:00.500000Z", "decided_by": None, "decide_time": None,
        "note": None,
    }  # fmt: skip
    empty = to_plain(messages.ReconciliationMatch())
    assert empty["line_numbers"] == []
    assert empty["number"] == 0
    assert {empty[name] for name in ("state", "rule", "write_off", "create_time", "difference")} == {None}


def test_json_of_maps_and_of_what_a_newer_release_knows() -> None:
    profile = messages.ReconciliationProfile(csv_mapping={"date": "Tag", "amount": "Betrag"}, clears_transactions=True)
    assert to_plain(profile)["csv_mapping"] == {"amount": "Betrag", "date": "Tag"}
    finding = messages.ReconciliationFinding(kind=99)  # type: ignore[arg-type]
    assert to_plain(finding)["kind"] == "99"
    assert convert.finding(99) == "99"


@pytest.mark.parametrize("width", [80, 140])
def test_tables_fit_and_ids_and_amounts_are_whole(width: int) -> None:
    long = "a text that goes on and on, " * 10
    line = messages.StatementLine(
        number=12345, statement_number=3, booking_date="2026-06-30", amount="-1234567.89", counterparty=long, text=long,
        references=["R1", "R2"], state=messages.ITEM_STATE_CONFIRMED, match_number=99,
    )  # fmt: skip
    item = messages.LedgerItem(
        transaction_id=TRANSACTIONS[0], date="2026-06-30", amount="-1234567.89", description=long, status="PENDING",
        state=messages.ITEM_STATE_PROPOSED, match_number=99,
    )  # fmt: skip
    finding = messages.ReconciliationFinding(
        kind=messages.FINDING_KIND_AMBIGUOUS, line_numbers=[1, 2], transaction_ids=TRANSACTIONS, amount="5.00",
        reason=long, options=[messages.MatchOption(pairs=[messages.MatchPair(line_numbers=[1])])],
    )  # fmt: skip
    summary = messages.ReconciliationSummary(
        account_id="a" * 64, currency="EUR", is_closed=True, date="2026-06-30", statement_balance="1234567.89",
        ledger_balance="-1234567.89", closed_by="ann",
    )  # fmt: skip
    texts = {
        "lines": printed(tables.print_lines, [line], width),
        "items": printed(tables.print_items, [item], width),
        "matches": printed(tables.print_matches, [some_match(note=long)], width),
        "findings": printed(tables.print_findings, [finding], width),
        "summaries": printed(tables.print_reconciliations, [summary], width),
    }
    for text in texts.values():
        assert max(map(cell_len, text.splitlines())) <= width
        assert not any(row.endswith(" ") for row in text.splitlines())
    assert "-1,234,567.89" in texts["lines"]
    assert "matched 99" in texts["lines"]
    assert "proposed 99" in texts["items"]
    assert TRANSACTIONS[0] in texts["items"]
    assert all(one in texts["matches"] and one in texts["findings"] for one in TRANSACTIONS)
    assert "either 1: line 1" in texts["findings"]
    assert "1,234,567.89  -1,234,567.89  ann" in texts["summaries"]


def test_texts_of_others_are_plain_texts() -> None:
    line = messages.StatementLine(number=1, booking_date="2026-06-30", amount="1.00", counterparty=HOSTILE)
    text = printed(tables.print_lines, [line], 140) + printed(tables.print_matches, [some_match(note=HOSTILE)], 140)
    assert text.count("[red]x[/red]  [2J") == 2
    assert not set("\x1b\u202e") & set(text)


def test_nothing_is_said_to_be_none() -> None:
    assert printed(tables.print_matches, []) == "none\n"


def test_a_profile_in_all_spellings() -> None:
    rule = {"kind": "REFERENCE", "days": 5}
    for members in (
        {"rules": [rule], "clears_transactions": True},
        {"rules": [{**rule, "kind": "MATCH_RULE_KIND_REFERENCE"}], "clearsTransactions": True},
    ):
        profile, paths = parse_profile(members)
        assert paths == ["clears_transactions", "rules"]
        assert (profile.rules[0].kind, profile.rules[0].days) == (messages.MATCH_RULE_KIND_REFERENCE, 5)
        assert profile.clears_transactions
    # What is given as empty is emptied.
    assert parse_profile({"charges": []})[1] == ["charges"]


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ([], "must be an object"),
        ({}, "must be an object"),
        ({"rule": []}, '"rule"'),
        ({"rules": [{"kind": "GUESS"}]}, "GUESS"),
        ({"rules": "REFERENCE"}, "rules"),
        ({"is_inverted": "maybe"}, "is_inverted"),
    ],
)
def test_what_is_no_profile_is_told(members: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_profile(members)


@pytest.mark.parametrize("width", [80, 140])
def test_a_profile_is_shown_whole(width: int) -> None:
    profile, _ = parse_profile({
        "rules": [
            {"kind": "AMOUNT_AND_COUNTERPARTY", "days": 5, "tolerance": "0.05", "tolerance_ppm": 12_500,
             "similarity": 85, "auto_confirm": True},
            {"kind": "ONE_LINE_TO_MANY", "most": 8},
        ],
        "charges": [{"name": "fee", "pattern": "fee*", "sign": -1, "account_id": "acc_fees", "description": "Fee"}],
        "is_inverted": True,
        "csv_mapping": {"date": "Tag"},
    })  # fmt: skip
    out = io.StringIO()
    print_profile(Console(file=out, width=width, highlight=False), profile, is_default=False)
    text = out.getvalue()
    assert max(map(cell_len, text.splitlines())) <= width
    words = [line.split() for line in text.splitlines()]
    assert ["1", "amount", "and", "counterparty", "5", "0.05", "1.25", "%", "85", "%", "by", "itself"] in words
    assert ["fee", "out", "acc_fees", "fee*:", "Fee"] in words
    for told in ("confirming clears nothing", "amounts are turned round", "CSV files are read with date=Tag"):
        assert told in text


def test_refusals_name_options() -> None:
    def error(message: str, **metadata: str) -> LedgerError:
        return LedgerError(StatusCode.INVALID_ARGUMENT, message, reason="INVALID_ARGUMENT", metadata=metadata)

    for message, field, told in (
        ("line_numbers: names none", "line_numbers", "--line: names none"),
        ("line_numbers[2]: must be", "line_numbers[2]", "--line: must be"),
        ("date: is required", "date", "--date: is required"),
        ("settle it, or accept_differences", "", "settle it, or --accept-differences"),
        ("start it, naming the currency", "", "start it, with --currency"),
        ("in EUR, USD; name the currency", "", "in EUR, USD; give --currency"),
        ("profile.rules[0].days: too many", "profile.rules[0].days", "profile.rules[0].days: too many"),
        ("the date: is no field here", "date", "the date: is no field here"),
    ):
        assert refusal(error(message, field=field), "here") == f"INVALID_ARGUMENT: {told}"
