"""A bank file as JSON: amounts as signed decimal text, dates as in ISO 8601, what is not told as null."""

from __future__ import annotations

import json
import sys
from typing import Any

from ledger_service.statements.model import Balance, Detail, Line, Statement, StatementFile
from ledger_service.statements.values import written


def print_json(found: StatementFile) -> None:
    """Print the file as one JSON document."""
    document = {
        "format": found.format,
        "statements": [_statement(statement) for statement in found.statements],
        "warnings": [{"line": warning.line, "message": warning.message} for warning in found.warnings],
    }
    # Written piece by piece: the text of a large file would be in memory a second time. ASCII goes through every
    # terminal.
    for piece in json.JSONEncoder(indent=2).iterencode(document):
        sys.stdout.write(piece)
    sys.stdout.write("\n")


def _statement(statement: Statement) -> dict[str, Any]:
    return {
        "account": statement.account or None,
        "currency": statement.currency or None,
        "number": statement.number or None,
        "opening": _balance(statement.opening),
        "closing": _balance(statement.closing),
        "lines": [_line(line) for line in statement.lines],
    }


def _balance(balance: Balance | None) -> dict[str, Any] | None:
    if balance is None:
        return None
    return {"amount": written(balance.amount), "date": balance.date.isoformat() if balance.date else None}


def _line(line: Line) -> dict[str, Any]:
    return {
        "bookingDate": line.booking_date.isoformat(),
        "valueDate": line.value_date.isoformat(),
        "amount": written(line.amount),
        "counterparty": line.counterparty or None,
        "counterpartyAccount": line.counterparty_account or None,
        "reference": line.references[0] if line.references else None,
        "references": list(line.references),
        "text": line.text or None,
        "bankCode": line.bank_code or None,
        "booked": line.booked,
        "line": line.line,
        "details": [_detail(detail) for detail in line.details],
    }


def _detail(detail: Detail) -> dict[str, Any]:
    return {
        "amount": written(detail.amount) if detail.amount is not None else None,
        "counterparty": detail.counterparty or None,
        "counterpartyAccount": detail.counterparty_account or None,
        "reference": detail.references[0] if detail.references else None,
        "references": list(detail.references),
        "text": detail.text or None,
    }
