"""The report in the terminal: within its width, nothing cut that counts."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from ledger_service.application.reconciling.report import Report
from ledger_service.cli.reconcile_print import print_report
from ledger_service.rendering import words
from ledger_service.rendering.words import grouped
from tests.helpers.reports import empty_report, enormous, some_report


def printed(report: Report, width: int = 80, shown: int = 0, *, colours: bool = False) -> str:
    out = io.StringIO()
    print_report(report, shown, Console(file=out, width=width, highlight=False, force_terminal=colours))
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("report", [some_report(300, 40, 9), empty_report()], ids=["some", "empty"])
def test_lines_fit_and_amounts_are_whole(report: Report, width: int) -> None:
    text = printed(report, width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert not any(line.endswith(" ") for line in text.splitlines())
    shown = set(text.split())
    for term in (*words.ADDED, words.LEDGER_BALANCE):
        line = next(line for line in text.splitlines() if line.strip().startswith(term.label))
        assert line.split()[-1] == grouped(term.of(report.equation), 2)
    for item in report.open_items:
        assert grouped(item.amount, 2) in shown
    for one in report.differences:
        assert grouped(one.difference, 2) in shown
    assert "\x1b" not in text


@pytest.mark.parametrize("exponent", [2, 18])
def test_enormous_amounts_are_whole_too(exponent: int) -> None:
    report = enormous(exponent)
    shown = set(printed(report).split())
    assert {grouped(item.amount, exponent) for item in report.open_items} <= shown
    assert {grouped(term.of(report.equation), exponent) for term in words.ADDED} <= shown
    assert {grouped(aged.lines_amount, exponent) for aged in report.ages} <= shown


def test_the_verdict() -> None:
    report = some_report()
    out = io.StringIO()
    assert print_report(report, 1, Console(file=out))
    assert "explained to the last minor unit" in out.getvalue()
    off = replace(report, equation=replace(report.equation, ledger_balance=report.equation.ledger_balance - 5))
    out = io.StringIO()
    assert not print_report(off, 1, Console(file=out))
    assert "NOT EXPLAINED: -0.05 EUR" in out.getvalue()
    assert "to the last minor unit" not in out.getvalue()
    assert "\x1b[1;31mNOT EXPLAINED" in printed(off, colours=True)


def test_what_is_not_shown_is_counted() -> None:
    report = some_report(30, 40, 12, open_items_left_out=100)
    text = printed(report, shown=10)
    assert "and 120 more" in text
    assert "and 2 more" in text
    assert "the last 26, 14 weeks before" in text
    whole = printed(report)
    assert "and 100 more" in whole


def test_ids_are_shown_where_there_is_room() -> None:
    report = some_report(2)
    identifier = report.open_items[0].id
    assert identifier not in printed(report, 80)
    assert identifier in printed(report, 140)


def test_texts_are_plain_texts() -> None:
    (item,) = some_report(1).open_items
    hostile = replace(item, counterparty="[red]x[/red] \x1b[2J\u202e", reference="", text="")
    text = printed(some_report(1, open_items=(hostile,), account_name="[bold]n[/]\x07"), 140)
    assert "[red]x[/red]  [2J" in text
    assert "[bold]n[/]" in text
    assert not set("\x1b\x07\u202e") & set(text)


def test_ascii_terminals() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    print_report(some_report(0), 5, Console(file=out, width=80, legacy_windows=False))
    out.flush()
    assert b"OK: explained" in raw.getvalue()
    assert b"# matched" in raw.getvalue()
