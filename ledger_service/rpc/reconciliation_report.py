"""The result of a reconciliation as a message, and as a document in chunks."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.v1 import reconciliation_pb2 as pb
from ledger.v1 import reconciliation_service_pb2 as service_pb
from ledger_service.application.reconciling.report import Aged, Difference, Equation, OpenItem, Report
from ledger_service.domain.money import format_minor_units
from ledger_service.rpc.outgoing import write_timestamp
from ledger_service.rpc.reconciliation import FINDINGS, RULES, day_text, finding_count, matched

DOCUMENT_CHUNK_BYTES = 256 * 1024
"""How much of a document one message carries."""


def reconciliation(report: Report) -> pb.Reconciliation:
    """The whole result."""
    exponent = report.exponent
    message = pb.Reconciliation(
        entity_id=report.entity_id,
        account_id=report.account_id,
        account_name=report.account_name,
        currency=report.currency,
        date=day_text(report.until),
        first_date=day_text(report.began),
        is_closed=report.is_closed,
        revision=report.revision,
        sequence=report.sequence,
        closed_by=report.closed_by,
        equation=_equation(report.equation, exponent),
        lines=report.lines,
        transactions=report.transactions,
        matched=matched(exponent, report.matched),
        ages=[_age(one, exponent) for one in report.ages],
        open_items=[_open_item(one, exponent) for one in report.open_items],
        open_items_left_out=report.open_items_left_out,
        differences_left_out=report.differences_left_out,
        differences=[_difference(one, exponent) for one in report.differences],
        weeks=[
            pb.ReconciliationWeek(
                monday=day_text(week.monday),
                matched=format_minor_units(week.matched, exponent),
                open_lines=format_minor_units(week.open_lines, exponent),
                open_transactions=format_minor_units(week.open_transactions, exponent),
            )
            for week in report.weeks
        ],
        findings=[finding_count(exponent, kind, count, amount) for kind, count, amount in report.findings],
    )
    write_timestamp(message.as_of_time, report.made_time)
    if report.closed_time is not None:
        write_timestamp(message.close_time, report.closed_time)
    return message


def document_parts(
    document: bytes, file_name: str, media_type: str
) -> Iterator[service_pb.ExportReconciliationResponse]:
    """A document in order; what it is called stands in the first part, which there always is."""
    for start in range(0, max(len(document), 1), DOCUMENT_CHUNK_BYTES):
        part = service_pb.ExportReconciliationResponse(chunk=document[start : start + DOCUMENT_CHUNK_BYTES])
        if start == 0:
            part.file_name = file_name
            part.media_type = media_type
        yield part


def _equation(one: Equation, exponent: int) -> pb.ReconciliationEquation:
    return pb.ReconciliationEquation(
        statement_balance=format_minor_units(one.statement_balance, exponent),
        deposits_in_transit=format_minor_units(one.deposits_in_transit, exponent),
        outstanding_payments=format_minor_units(one.outstanding_payments, exponent),
        receipts_not_recorded=format_minor_units(one.receipts_not_recorded, exponent),
        payments_not_recorded=format_minor_units(one.payments_not_recorded, exponent),
        write_offs_proposed=format_minor_units(one.write_offs_proposed, exponent),
        differences=format_minor_units(one.differences, exponent),
        opening_difference=format_minor_units(one.opening_difference, exponent),
        statement_gap=format_minor_units(one.statement_gap, exponent),
        ledger_balance=format_minor_units(one.ledger_balance, exponent),
        adds_up=one.adds_up,
    )


def _age(one: Aged, exponent: int) -> pb.ReconciliationAge:
    return pb.ReconciliationAge(
        least_days=one.least,
        most_days=one.most or 0,
        lines=one.lines,
        lines_amount=format_minor_units(one.lines_amount, exponent),
        transactions=one.transactions,
        transactions_amount=format_minor_units(one.transactions_amount, exponent),
    )


def _open_item(one: OpenItem, exponent: int) -> pb.ReconciliationOpenItem:
    return pb.ReconciliationOpenItem(
        line_number=int(one.id) if one.is_line else 0,
        transaction_id="" if one.is_line else one.id,
        date=day_text(one.day),
        amount=format_minor_units(one.amount, exponent),
        counterparty=one.counterparty,
        reference=one.reference,
        text=one.text,
        status=one.status,
        age_days=one.age_days,
        finding=FINDINGS[one.finding],  # type: ignore[arg-type]
        is_later=one.is_later,
    )


def _difference(one: Difference, exponent: int) -> pb.ReconciliationDifference:
    return pb.ReconciliationDifference(
        match_number=one.match,
        rule=RULES[one.rule],  # type: ignore[arg-type]
        line_numbers=one.lines,
        transaction_ids=one.transactions,
        difference=format_minor_units(one.difference, exponent),
        reason=one.why,
        has_write_off=bool(one.write_off),
    )
