"""Documents of a report: all of it is in them, exactly, and nothing in it does any harm."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_service.application.reconciling.report import Equation, OpenItem, Report
from ledger_service.domain.money import format_minor_units
from ledger_service.matching.model import FindingKind, RuleKind
from ledger_service.rendering import FORMATS, to_csv, to_html, to_json, to_xlsx, words
from ledger_service.rendering.csv_document import COLUMNS, harmless
from tests.helpers.reports import HOSTILE, MADE, empty_report, enormous, hostile_report, some_report
from tests.helpers.workbook import rows_of, sheets_of

MINUS = "\N{MINUS SIGN}"


class Cells(HTMLParser):
    """The texts of a page's table rows; every element must be closed in its turn."""

    VOID = ("meta", "wbr", "rect", "line", "br")

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.text = ""
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self._open: list[str] = []
        self.feed(page.decode())
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag not in self.VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.text += data
        if "td" in self._open or "th" in self._open:
            self.rows[-1][-1] += data

    def row(self, start: str) -> list[str]:
        (found,) = (row for row in self.rows if row and row[0].startswith(start))
        return found


def amounts_of(report: Report) -> list[int]:
    """Every amount in it, in minor units."""
    return [
        *(term.of(report.equation) for term in (*words.ADDED, words.LEDGER_BALANCE)),
        *(by.amount for by in report.matched),
        *(amount for aged in report.ages for amount in (aged.lines_amount, aged.transactions_amount)),
        *(item.amount for item in report.open_items),
        *(one.difference for one in report.differences),
        *(units for _, _, units in report.findings),
        *(amount for week in report.weeks for amount in (week.matched, week.open_lines, week.open_transactions)),
    ]


def read_csv(document: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(document.decode(), newline="")))


REPORTS = {"some": some_report(60, 20, 5), "empty": empty_report(), "38 digits": enormous(), "ether": enormous(18)}


@pytest.mark.parametrize("name", REPORTS)
def test_every_amount_is_in_the_page_the_workbook_and_the_json(name: str) -> None:
    report = REPORTS[name]
    page = Cells(to_html(report))
    shown = {cell.strip() for row in page.rows for cell in row}
    stored = {cell.text for cells in sheets_of(to_xlsx(report)).values() for cell in cells.values()}
    stored_numbers = {Decimal(text) for text in stored if re.fullmatch(r"-?[0-9.]+(E[-+]?[0-9]+)?", text)}
    document = json.dumps(to_json(report))
    for units in amounts_of(report):
        assert words.grouped(units, report.exponent).replace("-", MINUS) in shown
        exact = format_minor_units(units, report.exponent)
        assert Decimal(exact) in stored_numbers
        assert f'"{exact}"' in document


@given(
    terms=st.lists(st.integers(-(10**38), 10**38) | st.integers(-5000, 5000), min_size=9, max_size=9),
    off=st.sampled_from((0, 0, 1, -7)),
    exponent=st.sampled_from((0, 2, 3, 18)),
)
@settings(max_examples=40, deadline=None)
def test_the_equation_is_told_term_by_term(terms: list[int], off: int, exponent: int) -> None:
    equation = Equation(*terms, sum(terms) + off)
    report = some_report(1, 1, 0, equation=equation, exponent=exponent)
    page, document = Cells(to_html(report)), to_json(report)["equation"]
    assert isinstance(document, dict)
    sheet = rows_of(sheets_of(to_xlsx(report))["Summary"])
    for term in (*words.ADDED, words.LEDGER_BALANCE):
        units = term.of(equation)
        assert page.row(term.label)[1] == words.grouped(units, exponent).replace("-", MINUS)
        assert document[term.name] == format_minor_units(units, exponent)
        (row,) = (row for row in sheet if row[0] == term.label)
        assert Decimal(row[2]) == Decimal(format_minor_units(units, exponent))
    assert document["adds_up"] is (off == 0)
    assert document["unexplained"] == format_minor_units(off, exponent)
    assert ("explained to the last minor unit" in page.text) is (off == 0)
    assert page.row("Unexplained")[1] == words.grouped(off, exponent).replace("-", MINUS)
    verdicts = [row[1] for row in sheet if row[0] == "Unexplained"]
    assert verdicts == ["Adds up to the last minor unit" if off == 0 else "Does not add up"]


def test_every_name_has_its_words() -> None:
    assert all(words.rule_name(kind.value) in words._RULES.values() for kind in RuleKind)
    assert all(words.finding_name(kind.value) in words._FINDINGS.values() for kind in FindingKind)
    assert [term.name for term in (*words.ADDED, words.LEDGER_BALANCE)] == list(Equation.__dataclass_fields__)


def test_json_has_every_member() -> None:
    report = some_report(3, 2, 2)
    document = to_json(report)
    # The exponent is told by the decimals of every amount.
    assert set(document) == set(Report.__dataclass_fields__) - {"exponent"}
    (item, *_), (shown, *_) = report.open_items, document["open_items"]  # type: ignore[misc]
    assert shown == {
        "side": "statement" if item.is_line else "ledger",
        "id": item.id,
        "day": item.day.isoformat(),
        "amount": format_minor_units(item.amount, 2),
        "counterparty": item.counterparty or None,
        "reference": item.reference or None,
        "text": item.text or None,
        "status": item.status or None,
        "age_days": item.age_days,
        "finding": item.finding or None,
        "is_later": item.is_later,
    }
    assert document["made_time"] == "2026-02-02T09:30:15Z"
    assert (document["closed_time"], document["closed_by"]) == (None, None)
    assert json.loads(FORMATS["json"].render(report)) == document


def test_csv_has_a_row_for_each_item() -> None:
    report = some_report(40, 3, 4, open_items_left_out=9)
    document = to_csv(report)
    assert document.startswith(",".join(COLUMNS).encode() + b"\r\n")
    assert document.count(b"\r\n") == document.count(b"\n") == 1 + 40 + 4 + 1
    rows = read_csv(document)
    for item, row in zip(report.open_items, rows, strict=False):
        assert (row["kind"], row["side"]) == ("open item", "statement" if item.is_line else "ledger")
        assert row["amount"] == format_minor_units(item.amount, 2), "never with an apostrophe, whatever its sign"
        assert (row["day"], row["age_days"]) == (item.day.isoformat(), str(item.age_days))
        assert (row["id"], row["finding"], row["currency"]) == (item.id, item.finding, "EUR")
        assert row["is_later"] == ("true" if item.is_later else "false")
    for difference, row in zip(report.differences, rows[40:], strict=False):
        assert (row["kind"], row["id"]) == ("difference", str(difference.match))
        assert row["amount"] == format_minor_units(difference.difference, 2)
        assert row["transactions"].split() == list(difference.transactions)
    assert (rows[-1]["kind"], rows[-1]["amount"]) == ("left out", "")
    assert rows[-1]["text"].startswith("9 more")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_cell_of_csv_is_a_formula(text: str) -> None:
    shown = harmless(text)
    assert not shown.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))
    assert not shown.startswith(("\t", "\r"))
    assert shown in (text, "'" + text), "the text itself is never changed"


def test_texts_do_no_harm() -> None:
    report = hostile_report()
    for row, text in zip(read_csv(to_csv(report)), HOSTILE, strict=False):
        assert row["counterparty"] == row["reference"] == row["text"] == harmless(text)
    page = Cells(to_html(report))
    assert page.tags.isdisjoint({"script", "img", "a", "link", "iframe", "object", "form"})
    assert not [name for name in page.attributes if name.startswith("on") or name in ("src", "href", "style")]
    assert "{{ 7*7 }}" in page.text
    assert HOSTILE[0] in page.text
    assert "\u202e" not in page.text, "it would turn what follows it"
    sheets = sheets_of(to_xlsx(report))
    cells = [cell for name, sheet in sheets.items() if name != "Summary" for cell in sheet.values()]
    assert not any(cell.formula for cell in cells)
    texts = {cell.text for cell in cells if not cell.is_number}
    assert {words.printable(text) for text in HOSTILE} <= texts


def test_the_workbooks_sums_are_formulas_with_values() -> None:
    report = some_report()
    summary = sheets_of(to_xlsx(report))["Summary"]
    computed = [(reference, cell) for reference, cell in summary.items() if cell.formula]
    (total_at, total), (_, rest) = computed
    first = next(reference for reference, cell in summary.items() if cell.text == words.STATEMENT_BALANCE.label)
    start, end = int(first[1:]), int(total_at[1:]) - 1
    assert total.formula == f"ROUND(SUM(C{start}:C{end}),2)"
    assert end - start + 1 == len(words.ADDED)
    # What the formula adds up is what it says it is.
    added = sum(Decimal(summary[f"C{row}"].text) for row in range(start, end + 1))
    assert added == Decimal(total.text) == Decimal(format_minor_units(report.equation.total, 2))
    assert (rest.formula, Decimal(rest.text)) == (f"ROUND(C{end + 2}-C{end + 1},2)", 0)
    assert total.is_number
    assert rest.is_number


@pytest.mark.parametrize("digits", [15, 16])
def test_amounts_that_excel_would_round_are_text(digits: int) -> None:
    largest = 10**digits - 1
    (item,) = some_report(1).open_items
    report = some_report(1, 1, 0, open_items=(replace(item, amount=-largest),))
    cells = sheets_of(to_xlsx(report))["Open items"]
    assert cells["C2"].text == f"-{format_minor_units(largest, 2)}"
    assert cells["C2"].is_number is (digits <= 15)
    assert any("would round" in cell.text for cell in cells.values()) is (digits > 15)
    # A sum of terms that are numbers each, but not together, is no formula either.
    equation = Equation(10**digits - 1, 1, 0, 0, 0, 0, 0, 0, 0, 10**digits)
    summary = sheets_of(to_xlsx(replace(report, equation=equation)))["Summary"]
    assert not any(cell.formula for cell in summary.values())


def test_a_report_that_is_not_whole_says_so_everywhere() -> None:
    report = some_report(5, open_items_left_out=1_234)
    assert "1,234 more open items are not listed here" in Cells(to_html(report)).text
    assert "1,234 more open items are not in this workbook." in str(rows_of(sheets_of(to_xlsx(report))["Open items"]))
    assert to_json(report)["open_items_left_out"] == 1_234


def test_days_before_excels_calendar() -> None:
    (item,) = some_report(1).open_items
    report = some_report(1, open_items=(replace(item, day=date(1, 1, 1)),))
    assert sheets_of(to_xlsx(report))["Open items"]["B2"].text == "0001-01-01"
    assert b"0001-01-01" in to_html(report)


def test_a_text_longer_than_a_cell_of_excel_is_cut_there_only() -> None:
    (item,) = some_report(1).open_items
    report = some_report(1, open_items=(replace(item, text="x" * 40_000),))
    assert sheets_of(to_xlsx(report))["Open items"]["F2"].text == "x" * 32_767
    assert read_csv(to_csv(report))[0]["text"] == "x" * 40_000


def test_closed_reports_name_who_closed_them() -> None:
    report = some_report(is_closed=True, closed_by="user_mia", closed_time=MADE)
    closed = "Closed by user_mia on 2026-02-02 09:30 UTC"
    assert closed in Cells(to_html(report)).text
    assert closed in str(rows_of(sheets_of(to_xlsx(report))["Summary"]))
    assert to_json(report)["closed_time"] == "2026-02-02T09:30:15Z"


DIGESTS = """
import hashlib
from ledger_service.rendering import FORMATS
from tests.helpers.reports import some_report
for one in FORMATS.values():
    print(one.name, hashlib.sha256(one.render(some_report())).hexdigest())
"""


@pytest.mark.parametrize(("zone", "seed"), [("UTC", "1"), ("Asia/Kathmandu", "2")])
def test_the_same_report_gives_the_same_bytes(zone: str, seed: str) -> None:
    here = [f"{one.name} {hashlib.sha256(one.render(some_report())).hexdigest()}" for one in FORMATS.values()]
    environment = {**os.environ, "TZ": zone, "PYTHONHASHSEED": seed, "LC_ALL": "C"}
    done = subprocess.run([sys.executable, "-c", DIGESTS], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines() == here


def test_formats_can_be_asked_for_by_name_and_sent_to_another_process() -> None:
    assert [one.suffix for one in FORMATS.values()] == list(FORMATS)
    for name, one in FORMATS.items():
        assert one.name == name
        assert pickle.loads(pickle.dumps(one.render)) is one.render
        assert one.render(empty_report())


def test_items_of_either_side_are_listed_apart() -> None:
    def item(number: int, *, is_line: bool) -> OpenItem:
        return replace(some_report(1).open_items[0], id=f"id-{number}", is_line=is_line)

    report = some_report(1, open_items=(item(1, is_line=True), item(2, is_line=False), item(3, is_line=True)))
    text = Cells(to_html(report)).text
    assert text.index("Recorded, not on the statement") < text.index("id-2") < text.index("On the statement, not rec")
    assert text.index("On the statement, not recorded") < text.index("id-1") < text.index("id-3")
