"""A report as an Excel workbook."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from tempfile import TemporaryDirectory

from xlsxwriter import Workbook
from xlsxwriter.format import Format as CellFormat
from xlsxwriter.worksheet import Worksheet

from ledger_service.application.reconciling.report import Equation, OpenItem, Report
from ledger_service.domain.money import format_minor_units
from ledger_service.rendering.words import (
    ADDED,
    LEDGER_BALANCE,
    Term,
    age_range,
    finding_name,
    item_name,
    printable,
    rule_name,
    state_of,
    to_minute,
    unexplained,
)

EXACT_DIGITS = 15
"""Excel keeps, and shows, so many digits of a number; longer amounts are written as text."""

_FIRST_INEXACT = 1_000_000_000_000_000
"""The least number of more than EXACT_DIGITS digits."""

MAX_CELL_CHARACTERS = 32_767
MAX_SHEET_ROWS = 1_048_576

_FIRST_YEAR = 1901
"""Excel's calendar begins in 1900, with a day that never was."""

Cell = str | int | date


def to_xlsx(report: Report) -> bytes:
    """A workbook: Summary, Open items, Differences, Matched, Ages, Weeks (with a chart).

    Amounts are numbers where Excel holds them exactly, otherwise text. The equation is a formula that Excel computes
    anew, where all of its terms are numbers. The same report gives the same bytes.
    """
    out = io.BytesIO()
    with TemporaryDirectory(prefix="ledger-report-") as folder:
        # Rows go to files on disk as they are written, and only the packed ones are in memory.
        options = {"constant_memory": True, "tmpdir": folder, "strings_to_formulas": False, "strings_to_urls": False}
        book = Workbook(out, options)
        _write(book, report)
        book.close()
    return out.getvalue()


def _write(book: Workbook, report: Report) -> None:
    # The workbook says when it was made: the report's own time, or bytes would differ from run to run.
    book.set_properties({"title": _title(report), "created": report.made_time.astimezone(UTC).replace(tzinfo=None)})
    styles = _styles(book, report.exponent)
    _write_summary(_Sheet(book, "Summary", styles, (44, 52, 24)), report)
    _write_open_items(_Sheet(book, "Open items", styles, (11, 11, 22, 30, 24, 40, 32, 9, 9, 32)), report)
    _write_differences(_Sheet(book, "Differences", styles, (9, 32, 22, 20, 40, 60, 12)), report)
    _write_matched(_Sheet(book, "Matched", styles, (34, 10, 12, 10, 14, 22)), report)
    _write_ages(_Sheet(book, "Ages", styles, (16, 12, 22, 14, 22)), report)
    _write_weeks(book, _Sheet(book, "Weeks", styles, (12, 22, 22, 22)), report)


@dataclass(frozen=True, slots=True)
class _Styles:
    plain: CellFormat
    wrapped: CellFormat
    title: CellFormat
    heading: CellFormat
    heading_right: CellFormat
    day: CellFormat
    amount: CellFormat
    amount_text: CellFormat
    total: CellFormat
    total_amount: CellFormat
    total_text: CellFormat
    good: CellFormat
    bad: CellFormat


def _styles(book: Workbook, exponent: int) -> _Styles:
    decimals = "." + "0" * exponent if exponent else ""
    number = f"#,##0{decimals};[Red]-#,##0{decimals}"
    top = {"valign": "top"}
    sum_line = {"bold": True, "top": 1}
    heading = {"bold": True, "bottom": 1, "bg_color": "#EEF1F4", "text_wrap": True, "valign": "top"}
    return _Styles(
        plain=book.add_format(top),
        wrapped=book.add_format({**top, "text_wrap": True}),
        title=book.add_format({"bold": True, "font_size": 15}),
        heading=book.add_format(heading),
        heading_right=book.add_format({**heading, "align": "right"}),
        day=book.add_format({**top, "num_format": "yyyy-mm-dd", "align": "left"}),
        amount=book.add_format({**top, "num_format": number}),
        amount_text=book.add_format({**top, "align": "right", "num_format": "@"}),
        total=book.add_format(sum_line),
        total_amount=book.add_format({**sum_line, "num_format": number}),
        total_text=book.add_format({**sum_line, "align": "right", "num_format": "@"}),
        good=book.add_format({"bold": True, "font_color": "#1B6B3A"}),
        bad=book.add_format({"bold": True, "font_color": "#B3261E"}),
    )


class _Sheet:
    """A sheet that is written row by row, downwards only: what constant memory asks for."""

    def __init__(self, book: Workbook, name: str, styles: _Styles, widths: tuple[int, ...]) -> None:
        self.sheet: Worksheet = book.add_worksheet(name)
        self.styles = styles
        self.row = 0
        self.has_long_amounts = False
        for column, width in enumerate(widths):
            self.sheet.set_column(column, column, width)
        self.sheet.set_landscape()
        self.sheet.set_paper(9)  # A4
        self.sheet.fit_to_pages(1, 0)
        self.sheet.set_footer("&L&A&RPage &P of &N")

    def head(self, names: Iterable[str], *, right: Iterable[str] = ()) -> None:
        """The row of headings, kept in view and repeated on every page."""
        figures = set(right)
        for column, name in enumerate(names):
            style = self.styles.heading_right if name in figures else self.styles.heading
            self.sheet.write_string(self.row, column, name, style)
        self.row += 1
        self.sheet.freeze_panes(self.row, 0)
        self.sheet.repeat_rows(self.row - 1)

    def add(self, *cells: Cell | _Amount) -> None:
        """One row; texts stay texts, whatever they look like."""
        for column, cell in enumerate(cells):
            self.put(column, cell)
        self.row += 1

    def put(self, column: int, cell: Cell | _Amount, style: CellFormat | None = None) -> None:
        """One cell of the present row."""
        if isinstance(cell, _Amount):
            number = self.styles.amount if style is None else style
            text = self.styles.total_text if style is self.styles.total_amount else self.styles.amount_text
            if cell.is_exact:
                # A Decimal, so that the file has the digits themselves and no float's.
                self.sheet.write_number(self.row, column, cell.decimal, number)  # type: ignore[call-overload]
            else:
                self.sheet.write_string(self.row, column, cell.text, text)
                self.has_long_amounts = True
        elif isinstance(cell, date) and cell.year >= _FIRST_YEAR:
            self.sheet.write_datetime(self.row, column, datetime(cell.year, cell.month, cell.day), self.styles.day)  # noqa: DTZ001
        elif isinstance(cell, int):
            self.sheet.write_number(self.row, column, cell, style or self.styles.plain)
        else:
            text_of = printable(str(cell))[:MAX_CELL_CHARACTERS]
            self.sheet.write_string(self.row, column, text_of, style or self.styles.wrapped)

    def finish(self) -> None:
        """Tell, below the last row, why some amounts are no numbers."""
        if self.has_long_amounts:
            self.note(f"Amounts of more than {EXACT_DIGITS} digits are text: a spreadsheet would round them.")

    def note(self, text: str) -> None:
        """A remark in a row of its own."""
        self.sheet.write_string(self.row, 0, text, self.styles.plain)
        self.row += 1


@dataclass(frozen=True, slots=True)
class _Amount:
    units: int
    exponent: int

    @property
    def is_exact(self) -> bool:
        return abs(self.units) < _FIRST_INEXACT

    @property
    def text(self) -> str:
        return format_minor_units(self.units, self.exponent)

    @property
    def decimal(self) -> Decimal:
        return Decimal(self.text)


def _title(report: Report) -> str:
    return f"Reconciliation of {printable(report.account_name)} to {report.until.isoformat()}"


def _write_summary(page: _Sheet, report: Report) -> None:
    styles = page.styles
    page.put(0, _title(report), styles.title)
    page.row += 2
    for name, value in (
        ("Entity", report.entity_id),
        ("Account", report.account_id),
        ("Currency", report.currency),
        ("Statement date", report.until),
        ("Reconciled from", report.began),
        ("State", state_of(report)),
        ("Revision", str(report.revision)),
        ("Ledger as known at sequence", str(report.sequence)),
        ("Made", to_minute(report.made_time)),
        ("Statement lines", report.lines),
        ("Ledger transactions", report.transactions),
    ):
        page.put(0, name)
        page.put(1, value, None if isinstance(value, date) else styles.plain)
        page.row += 1
    page.row += 1
    for column, name in enumerate(("Reconciliation", "What it is")):
        page.put(column, name, styles.heading)
    page.put(2, report.currency, styles.heading_right)
    page.row += 1
    _write_equation(page, report.equation, report.exponent)
    page.row += 1
    if report.findings:
        for column, name in enumerate(("What is open or differs", "How many")):
            page.put(column, name, styles.heading)
        page.put(2, report.currency, styles.heading_right)
        page.row += 1
        for kind, count, units in report.findings:
            page.put(0, finding_name(kind))
            page.put(1, count)
            page.put(2, _Amount(units, report.exponent))
            page.row += 1
        page.row += 1
    page.finish()


def _write_equation(page: _Sheet, equation: Equation, exponent: int) -> None:
    first = page.row + 1
    for term in ADDED:
        _write_term(page, term, _Amount(term.of(equation), exponent))
    last = page.row
    styles = page.styles
    is_live = _is_computable(equation)
    page.put(0, "Balance explained", styles.total)
    page.put(1, "the statement's balance with all of the above added", styles.total)
    _put_computed(page, f"SUM(C{first}:C{last})", _Amount(equation.total, exponent), is_live=is_live)
    explained = page.row = page.row + 1
    page.put(0, LEDGER_BALANCE.label, styles.total)
    page.put(1, LEDGER_BALANCE.about, styles.total)
    page.put(2, _Amount(LEDGER_BALANCE.of(equation), exponent), styles.total_amount)
    ledger = page.row = page.row + 1
    page.put(0, "Unexplained", styles.total)
    page.put(1, "Adds up to the last minor unit" if equation.adds_up else "Does not add up", _verdict(page, equation))
    _put_computed(page, f"C{ledger}-C{explained}", _Amount(unexplained(equation), exponent), is_live=is_live)
    page.row += 1


def _write_term(page: _Sheet, term: Term, amount: _Amount) -> None:
    page.put(0, term.label)
    page.put(1, term.about)
    page.put(2, amount)
    page.row += 1


def _verdict(page: _Sheet, equation: Equation) -> CellFormat:
    return page.styles.good if equation.adds_up else page.styles.bad


def _put_computed(page: _Sheet, formula: str, amount: _Amount, *, is_live: bool) -> None:
    """A formula with its value, so that readers that compute nothing show it too."""
    if not is_live:
        page.put(2, amount, page.styles.total_amount)
        return
    # Rounded, because Excel adds in binary: 0.1 + 0.2 - 0.3 is not 0 there.
    rounded = f"=ROUND({formula},{amount.exponent})"
    page.sheet.write_formula(page.row, 2, rounded, page.styles.total_amount, amount.decimal)


def _is_computable(equation: Equation) -> bool:
    """Whether Excel's sums over the equation are exact: no part of them has more digits than it keeps."""
    terms = [abs(term.of(equation)) for term in (*ADDED, LEDGER_BALANCE)]
    return sum(terms) < _FIRST_INEXACT


def _write_open_items(page: _Sheet, report: Report) -> None:
    names = (
        "Side", "Date", f"Amount {report.currency}", "Counterparty", "Reference", "Text", "Id", "Status", "Age, days",
        "What it is",
    )  # fmt: skip
    page.head(names, right=(names[2], names[8]))
    # Two rows are kept for notes.
    items = report.open_items[: MAX_SHEET_ROWS - page.row - 2]
    for item in items:
        _write_open_item(page, item, report.exponent)
    if items:
        page.sheet.autofilter(0, 0, page.row - 1, len(names) - 1)
    left_out = report.open_items_left_out + len(report.open_items) - len(items)
    if left_out:
        page.note(f"{left_out:,} more open items are not in this workbook.")
    page.finish()


def _write_open_item(page: _Sheet, item: OpenItem, exponent: int) -> None:
    page.add(
        "statement" if item.is_line else "ledger",
        item.day,
        _Amount(item.amount, exponent),
        item.counterparty,
        item.reference,
        item.text,
        item.id,
        item.status,
        item.age_days,
        item_name(item),
    )


def _write_differences(page: _Sheet, report: Report) -> None:
    names = ("Match", "Matched by", f"Difference {report.currency}", "Lines", "Transactions", "Why", "Write-off")
    page.head(names, right=(names[0], names[2]))
    for difference in report.differences:
        page.add(
            difference.match,
            rule_name(difference.rule),
            _Amount(difference.difference, report.exponent),
            ", ".join(map(str, difference.lines)),
            ", ".join(difference.transactions),
            difference.why,
            difference.write_off,
        )
    if report.differences_left_out:
        page.note(f"{report.differences_left_out:,} more differences are not in this workbook.")
    page.finish()


def _write_matched(page: _Sheet, report: Report) -> None:
    names = ("Matched by", "Matches", "Unconfirmed", "Lines", "Transactions", f"Amount {report.currency}")
    page.head(names, right=names[1:])
    for by in report.matched:
        amount = _Amount(by.amount, report.exponent)
        page.add(rule_name(by.rule), by.matches, by.proposed, by.lines, by.transactions, amount)
    page.finish()


def _write_ages(page: _Sheet, report: Report) -> None:
    lines, transactions = f"Lines, {report.currency}", f"Transactions, {report.currency}"
    names = ("Age, days", "Lines", lines, "Transactions", transactions)
    page.head(names, right=names[1:])
    for aged in report.ages:
        page.add(
            age_range(aged),
            aged.lines,
            _Amount(aged.lines_amount, report.exponent),
            aged.transactions,
            _Amount(aged.transactions_amount, report.exponent),
        )
    page.finish()


def _write_weeks(book: Workbook, page: _Sheet, report: Report) -> None:
    names = ("Week of", "Matched", "Open on the statement", "Open in the ledger")
    page.head(names, right=names[1:])
    for week in report.weeks:
        amounts = (week.matched, week.open_lines, week.open_transactions)
        page.add(week.monday, *(_Amount(units, report.exponent) for units in amounts))
    last = page.row - 1
    page.finish()
    # Excel would draw an amount that is text as nothing at all.
    if report.weeks and not page.has_long_amounts:
        _insert_chart(book, page, last, report.currency)


def _insert_chart(book: Workbook, page: _Sheet, last: int, currency: str) -> None:
    chart = book.add_chart({"type": "column", "subtype": "stacked"})
    assert chart is not None
    for column, colour in ((1, "#1F4E79"), (2, "#D9822B"), (3, "#9DB4C8")):
        chart.add_series({
            "name": ["Weeks", 0, column],
            "categories": ["Weeks", 1, 0, last, 0],
            "values": ["Weeks", 1, column, last, column],
            "fill": {"color": colour},
            "gap": 40,
        })  # fmt: skip
    chart.set_title({"name": f"Matched and open amounts per week, {currency}", "name_font": {"size": 12}})
    chart.set_x_axis({"date_axis": True, "num_format": "yyyy-mm-dd", "num_font": {"rotation": -45}})
    chart.set_y_axis({"major_gridlines": {"visible": True, "line": {"color": "#DDDDDD"}}})
    chart.set_legend({"position": "bottom"})
    chart.set_size({"width": 900, "height": 420})
    page.sheet.insert_chart(1, 5, chart)
