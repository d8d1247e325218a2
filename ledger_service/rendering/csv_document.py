"""A report's items as CSV (RFC 4180, UTF-8): one row for each, the same columns throughout."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from ledger_service.application.reconciling.report import Difference, OpenItem, Report
from ledger_service.domain.money import format_minor_units

COLUMNS = (
    "kind", "account_id", "until", "side", "id", "day", "amount", "currency", "counterparty", "reference", "text",
    "status", "age_days", "finding", "is_later", "rule", "lines", "transactions", "why", "write_off",
)  # fmt: skip
"""In the order of the file. `kind` is "open item", "difference" or, once and last, "left out"."""

# Spreadsheets take a cell for a formula by its first character, and some skip blanks or know the full-width forms
# (OWASP, "CSV Injection").
_STARTS_OF_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_CHUNK_ROWS = 1_000


def to_csv(report: Report) -> bytes:
    """One row for each open item and each difference.

    Amounts are decimals with all decimals of the currency. Texts that a spreadsheet would take for a formula begin
    with an apostrophe; figures and days never do. If the report leaves open items out, the last row tells how many.
    """
    document = bytearray()
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    for number, row in enumerate(_rows(report), 1):
        writer.writerow(row)
        if number % _CHUNK_ROWS == 0:
            document += text.getvalue().encode()
            text.seek(0)
            text.truncate()
    document += text.getvalue().encode()
    return bytes(document)


def _rows(report: Report) -> Iterator[dict[str, object]]:
    of_all = {"account_id": harmless(report.account_id), "until": report.until.isoformat(), "currency": report.currency}
    for item in report.open_items:
        yield {**of_all, **_open_item(item, report.exponent)}
    for difference in report.differences:
        yield {**of_all, **_difference(difference, report.exponent)}
    # A file that is not whole must not look as if it were.
    for left_out, what in ((report.open_items_left_out, "open items"), (report.differences_left_out, "differences")):
        if left_out:
            yield {**of_all, "kind": "left out", "text": f"{left_out} more {what} are not in this file"}


def _open_item(item: OpenItem, exponent: int) -> dict[str, object]:
    return {
        "kind": "open item",
        "side": "statement" if item.is_line else "ledger",
        "id": harmless(item.id),
        "day": item.day.isoformat(),
        "amount": format_minor_units(item.amount, exponent),
        "counterparty": harmless(item.counterparty),
        "reference": harmless(item.reference),
        "text": harmless(item.text),
        "status": harmless(item.status),
        "age_days": item.age_days,
        "finding": item.finding,
        "is_later": "true" if item.is_later else "false",
    }


def _difference(difference: Difference, exponent: int) -> dict[str, object]:
    return {
        "kind": "difference",
        "id": difference.match,
        "amount": format_minor_units(difference.difference, exponent),
        "rule": difference.rule,
        "lines": " ".join(map(str, difference.lines)),
        "transactions": harmless(" ".join(difference.transactions)),
        "why": harmless(difference.why),
        "write_off": difference.write_off,
    }


def harmless(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula."""
    if text.startswith(_STARTS_OF_FORMULAS) or text.lstrip().startswith(_STARTS_OF_FORMULAS):
        return "'" + text
    return text
