"""A report as plain values: amounts as decimal text, dates as in ISO 8601, times in UTC."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from ledger_service.application.reconciling.report import Equation, OpenItem, Report
from ledger_service.domain.money import format_minor_units
from ledger_service.rendering.words import ADDED, LEDGER_BALANCE, unexplained

_CHUNK_PIECES = 10_000


def to_json(report: Report) -> dict[str, object]:
    """The report as values that every JSON writer takes.

    Names are those of `Report`; kinds of rules and findings stay the names that the API has for them.
    """
    exponent = report.exponent

    def amount(units: int) -> str:
        return format_minor_units(units, exponent)

    return {
        "entity_id": report.entity_id,
        "account_id": report.account_id,
        "account_name": report.account_name,
        "currency": report.currency,
        "until": report.until.isoformat(),
        "began": report.began.isoformat(),
        "is_closed": report.is_closed,
        "closed_by": report.closed_by or None,
        "closed_time": _time(report.closed_time),
        "revision": report.revision,
        "sequence": report.sequence,
        "made_time": _time(report.made_time),
        "equation": _equation(report.equation, exponent),
        "lines": report.lines,
        "transactions": report.transactions,
        "matched": [
            {
                "rule": by.rule,
                "matches": by.matches,
                "proposed": by.proposed,
                "lines": by.lines,
                "transactions": by.transactions,
                "amount": amount(by.amount),
            }
            for by in report.matched
        ],
        "ages": [
            {
                "least_days": aged.least,
                "most_days": aged.most,
                "lines": aged.lines,
                "lines_amount": amount(aged.lines_amount),
                "transactions": aged.transactions,
                "transactions_amount": amount(aged.transactions_amount),
            }
            for aged in report.ages
        ],
        "open_items": [_open_item(item, exponent) for item in report.open_items],
        "open_items_left_out": report.open_items_left_out,
        "differences_left_out": report.differences_left_out,
        "differences": [
            {
                "match": difference.match,
                "rule": difference.rule,
                "lines": list(difference.lines),
                "transactions": list(difference.transactions),
                "difference": amount(difference.difference),
                "why": difference.why,
                "write_off": difference.write_off or None,
            }
            for difference in report.differences
        ],
        "findings": [{"kind": kind, "count": count, "amount": amount(units)} for kind, count, units in report.findings],
        "weeks": [
            {
                "monday": week.monday.isoformat(),
                "matched": amount(week.matched),
                "open_lines": amount(week.open_lines),
                "open_transactions": amount(week.open_transactions),
            }
            for week in report.weeks
        ],
    }


def json_bytes(report: Report) -> bytes:
    """The report as a JSON text in UTF-8, indented, with a newline at its end."""
    document = bytearray()
    pieces: list[str] = []
    # Encoded as it is made: a list of all its small pieces would weigh ten times what the text does.
    for piece in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(to_json(report)):
        pieces.append(piece)
        if len(pieces) == _CHUNK_PIECES:
            document += "".join(pieces).encode()
            pieces.clear()
    document += "".join(pieces).encode() + b"\n"
    return bytes(document)


def _equation(equation: Equation, exponent: int) -> dict[str, object]:
    terms = {term.name: format_minor_units(term.of(equation), exponent) for term in (*ADDED, LEDGER_BALANCE)}
    return {
        **terms,
        "total": format_minor_units(equation.total, exponent),
        "unexplained": format_minor_units(unexplained(equation), exponent),
        "adds_up": equation.adds_up,
    }


def _open_item(item: OpenItem, exponent: int) -> dict[str, object]:
    return {
        "side": "statement" if item.is_line else "ledger",
        "id": item.id,
        "day": item.day.isoformat(),
        "amount": format_minor_units(item.amount, exponent),
        "counterparty": item.counterparty or None,
        "reference": item.reference or None,
        "text": item.text or None,
        "status": item.status or None,
        "age_days": item.age_days,
        "finding": item.finding or None,
        "is_later": item.is_later,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
