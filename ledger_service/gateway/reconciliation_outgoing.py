"""From what reconciliations answer to JSON: amounts with the currency's decimals, nothing where there is no value."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from msgspec import Raw

from ledger_service.application.reconciling.records import (
    Context,
    Failure,
    FindingCount,
    ItemRecord,
    LineRecord,
    MatchedCount,
    MatchRecord,
    ProfileRecord,
    StatementRecord,
    Summary,
)
from ledger_service.application.reconciling.report import Aged, Difference, MatchedBy, OpenItem, Report
from ledger_service.domain.money import format_minor_units
from ledger_service.domain.transaction import Status
from ledger_service.gateway.outgoing import Json, time_text
from ledger_service.matching.model import Finding


def amount(units: int, exponent: int) -> Raw:
    """Minor units as a JSON number with all decimals."""
    return Raw(format_minor_units(units, exponent).encode())


def profile(context: Context, record: ProfileRecord) -> Json:
    """How an account is matched."""
    matching = record.profile
    answer: Json = {
        "rules": [
            {
                "kind": rule.kind.value,
                "days": rule.days,
                "tolerance": amount(rule.tolerance, context.exponent),
                "tolerancePpm": rule.tolerance_ppm,
                "similarity": rule.similarity,
                "most": rule.most,
                "autoConfirm": rule.auto_confirm,
            }
            for rule in matching.rules
        ],
        "charges": [
            {
                "name": charge.name,
                "pattern": charge.pattern,
                "sign": charge.sign,
                "accountId": charge.account_id,
                "description": charge.description,
            }
            for charge in matching.charges
        ],
    }
    if matching.differences is not None:
        answer["differenceAccountId"] = matching.differences.account_id
        answer["differenceDescription"] = matching.differences.description
    answer["isInverted"] = matching.is_inverted
    answer["clearsTransactions"] = matching.clears
    answer["csvMapping"] = dict(record.csv_mapping)
    return answer


def statement(context: Context, one: StatementRecord) -> Json:
    """A statement that came in."""
    return _present({
        "number": one.number,
        "bankNumber": one.bank_number or None,
        "bankAccount": one.bank_account or None,
        "fileName": one.file_name or None,
        "fileSha256": one.file_sha256.hex(),
        "format": one.format,
        "openingBalance": _optional(one.opening_balance, context.exponent),
        "openingDate": _day(one.opening_date),
        "closingBalance": _optional(one.closing_balance, context.exponent),
        "closingDate": _day(one.closing_date),
        "lines": one.lines,
        "knownLines": one.known_lines,
        "sum": amount(one.sum, context.exponent),
        "contradictions": list(one.contradictions),
        "importedAt": time_text(one.import_time),
        "actor": one.actor,
    })  # fmt: skip


def line(context: Context, one: LineRecord) -> Json:
    """A booking of the bank's."""
    return _present({
        "number": one.number,
        "statementNumber": one.statement,
        "bookingDate": _day(one.booking_date),
        "valueDate": _day(one.value_date),
        "amount": amount(one.amount, context.exponent),
        "counterparty": one.counterparty or None,
        "counterpartyAccount": one.counterparty_account or None,
        "references": list(one.references),
        "text": one.text or None,
        "bankCode": one.bank_code or None,
        "raw": one.raw,
        "state": one.state.name,
        "matchNumber": one.match or None,
    })  # fmt: skip


def item(context: Context, one: ItemRecord) -> Json:
    """What a transaction did to the account."""
    return _present({
        "transactionId": context.public_id(one.transaction_no),
        "date": _day(one.day),
        "amount": amount(one.amount, context.exponent),
        "counterparty": one.counterparty or None,
        "reference": one.reference or None,
        "description": one.description,
        "status": Status(one.status).name,
        "state": one.state.name,
        "matchNumber": one.match or None,
    })  # fmt: skip


def match(context: Context, one: MatchRecord) -> Json:
    """Lines and transactions that are the same money."""
    settled = one.write_off
    return _present({
        "number": one.number,
        "state": one.state.name,
        "rule": one.rule,
        "lineNumbers": list(one.lines),
        "transactionIds": _ids(context, one.transactions),
        "difference": amount(one.difference, context.exponent),
        "score": one.score,
        "reason": one.why,
        "writeOff": None if settled is None else _present({
            "accountId": settled.account_id,
            "description": settled.description,
            "amount": amount(settled.amount, context.exponent),
            "transactionId": context.public_id(settled.transaction_no) if settled.transaction_no else None,
        }),
        "actor": one.actor,
        "createdAt": time_text(one.create_time),
        "decidedBy": one.decided_by or None,
        "decidedAt": time_text(one.decide_time) if one.decide_time is not None else None,
        "note": one.note or None,
    })  # fmt: skip


def finding(context: Context, one: Finding) -> Json:
    """What a person should look at."""
    answer: Json = {
        "kind": one.kind.value,
        "lineNumbers": list(one.lines),
        "transactionIds": _ids(context, one.transactions),
        "amount": amount(one.amount, context.exponent),
        "reason": one.why,
    }
    if one.options:
        answer["options"] = [
            [
                {"lineNumbers": list(lines), "transactionIds": _ids(context, transactions)}
                for lines, transactions in option.pairs
            ]
            for option in one.options
        ]
    return answer


def matched(exponent: int, counts: Iterable[MatchedCount | MatchedBy]) -> list[Json]:
    """What each rule has matched."""
    return [
        {
            "rule": one.rule,
            "matches": one.matches,
            "proposed": one.proposed,
            "lines": one.lines,
            "transactions": one.transactions,
            "amount": amount(one.amount, exponent),
        }
        for one in counts
    ]


def finding_counts(context: Context, counts: Iterable[FindingCount]) -> list[Json]:
    """What a run has found."""
    return [_finding_count(context.exponent, one.kind, one.count, one.amount) for one in counts]


def failure(context: Context, one: Failure) -> Json:
    """What was refused on the way."""
    return _present({
        "matchNumber": one.match,
        "transactionId": context.public_id(one.transaction_no) if one.transaction_no else None,
        "reason": one.reason,
        "message": one.message,
    })  # fmt: skip


def summary(one: Summary) -> Json:
    """How far a reconciliation is, or a closing of it."""
    return _present({
        "accountId": one.account_id,
        "currency": one.currency,
        "isClosed": one.is_closed,
        "date": _day(one.until),
        "statementBalance": _optional(one.statement_balance, one.exponent),
        "ledgerBalance": _optional(one.ledger_balance, one.exponent),
        "revision": one.revision,
        "closedBy": one.closed_by or None,
        "isReopened": one.is_reopened,
    })  # fmt: skip


def reconciliation(report: Report) -> Json:
    """The whole result."""
    exponent = report.exponent
    return _present({
        "entityId": report.entity_id,
        "accountId": report.account_id,
        "accountName": report.account_name,
        "currency": report.currency,
        "date": _day(report.until),
        "firstDate": _day(report.began),
        "isClosed": report.is_closed,
        "revision": report.revision,
        "sequence": report.sequence,
        "asOf": time_text(report.made_time),
        "closedBy": report.closed_by or None,
        "closedAt": time_text(report.closed_time) if report.closed_time is not None else None,
        "equation": _equation(report),
        "lines": report.lines,
        "transactions": report.transactions,
        "matched": matched(exponent, report.matched),
        "ages": [_age(one, exponent) for one in report.ages],
        "openItems": [_open_item(one, exponent) for one in report.open_items],
        "openItemsLeftOut": report.open_items_left_out,
        "differencesLeftOut": report.differences_left_out,
        "differences": [_difference(one, exponent) for one in report.differences],
        "weeks": [
            {
                "monday": _day(week.monday),
                "matched": amount(week.matched, exponent),
                "openLines": amount(week.open_lines, exponent),
                "openTransactions": amount(week.open_transactions, exponent),
            }
            for week in report.weeks
        ],
        "findings": [_finding_count(exponent, *one) for one in report.findings],
    })  # fmt: skip


def _equation(report: Report) -> Json:
    one, exponent = report.equation, report.exponent
    return {
        "statementBalance": amount(one.statement_balance, exponent),
        "depositsInTransit": amount(one.deposits_in_transit, exponent),
        "outstandingPayments": amount(one.outstanding_payments, exponent),
        "receiptsNotRecorded": amount(one.receipts_not_recorded, exponent),
        "paymentsNotRecorded": amount(one.payments_not_recorded, exponent),
        "writeOffsProposed": amount(one.write_offs_proposed, exponent),
        "differences": amount(one.differences, exponent),
        "openingDifference": amount(one.opening_difference, exponent),
        "statementGap": amount(one.statement_gap, exponent),
        "ledgerBalance": amount(one.ledger_balance, exponent),
        "addsUp": one.adds_up,
    }


def _age(one: Aged, exponent: int) -> Json:
    return _present({
        "leastDays": one.least,
        "mostDays": one.most,
        "lines": one.lines,
        "linesAmount": amount(one.lines_amount, exponent),
        "transactions": one.transactions,
        "transactionsAmount": amount(one.transactions_amount, exponent),
    })  # fmt: skip


def _open_item(one: OpenItem, exponent: int) -> Json:
    return _present({
        "lineNumber": int(one.id) if one.is_line else None,
        "transactionId": None if one.is_line else one.id,
        "date": _day(one.day),
        "amount": amount(one.amount, exponent),
        "counterparty": one.counterparty or None,
        "reference": one.reference or None,
        "text": one.text or None,
        "status": one.status or None,
        "ageDays": one.age_days,
        "finding": one.finding or None,
        "isLater": one.is_later,
    })  # fmt: skip


def _difference(one: Difference, exponent: int) -> Json:
    return {
        "matchNumber": one.match,
        "rule": one.rule,
        "lineNumbers": list(one.lines),
        "transactionIds": list(one.transactions),
        "difference": amount(one.difference, exponent),
        "reason": one.why,
        "hasWriteOff": bool(one.write_off),
    }


def _finding_count(exponent: int, kind: str, count: int, units: int) -> Json:
    return {"kind": kind, "count": count, "amount": amount(units, exponent)}


def _ids(context: Context, numbers: Iterable[int]) -> list[str]:
    return [context.public_id(number) for number in numbers]


def _optional(units: int | None, exponent: int) -> Raw | None:
    return None if units is None else amount(units, exponent)


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _present(members: Json) -> Json:
    """Without the members that have no value."""
    return {name: value for name, value in members.items() if value is not None}
