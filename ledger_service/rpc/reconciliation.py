"""Messages of reconciliations: from plain values to messages, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Protocol

from ledger.v1 import reconciliation_pb2 as pb
from ledger.v1 import reconciliation_service_pb2 as service_pb
from ledger_service.application.reconciling.records import (
    Context,
    Failure,
    FindingCount,
    ItemRecord,
    LineRecord,
    MatchedCount,
    MatchRecord,
    Place,
    ProfileRecord,
    RawCharge,
    RawProfile,
    RawRule,
    StatementRecord,
    Summary,
    WriteOffRecord,
)
from ledger_service.application.reconciling.report import MatchedBy
from ledger_service.domain.errors import invalid
from ledger_service.domain.money import format_minor_units
from ledger_service.domain.transaction import Status
from ledger_service.matching.model import Finding
from ledger_service.rpc.outgoing import write_timestamp


def _names(values: Iterable[tuple[str, int]], prefix: str) -> dict[int, str]:
    """What the use cases call the values of an enum; "": UNSPECIFIED."""
    return {number: name.removeprefix(prefix) if number else "" for name, number in values}


_RULE_NAMES = _names(pb.MatchRuleKind.items(), "MATCH_RULE_KIND_")
_FINDING_NAMES = _names(pb.FindingKind.items(), "FINDING_KIND_")
_FORMAT_NAMES = {
    number: name.lower()
    for number, name in _names(service_pb.ReconciliationFormat.items(), "RECONCILIATION_FORMAT_").items()
    if number
}
RULES = {name: number for number, name in _RULE_NAMES.items()}
"""The number of a rule's kind."""
FINDINGS = {name: number for number, name in _FINDING_NAMES.items()}
"""The number of a finding's kind."""


class _AboutAnAccount(Protocol):
    """A request about one reconciliation."""

    entity_id: str
    account_id: str
    currency: str


def place(request: _AboutAnAccount) -> Place:
    """Which reconciliation a request is about."""
    return Place(request.entity_id, request.account_id, request.currency)


def rule_name(number: int, field: str) -> str:
    """The kind of a rule; "": UNSPECIFIED. Raises LedgerError INVALID_ARGUMENT for a number that is none."""
    return _known(_RULE_NAMES, number, field)


def finding_name(number: int, field: str) -> str:
    """The kind of a finding; "": UNSPECIFIED. Raises LedgerError INVALID_ARGUMENT for a number that is none."""
    return _known(_FINDING_NAMES, number, field)


def format_name(number: int) -> str:
    """A kind of document, as rendering.FORMATS calls it. Raises LedgerError INVALID_ARGUMENT for none."""
    return _known(_FORMAT_NAMES, number, "format")


def _known(names: Mapping[int, str], number: int, field: str) -> str:
    name = names.get(number)
    if name is None:
        raise invalid(field, f"must be one of {', '.join(filter(None, names.values()))}")
    return name


def raw_profile(message: pb.ReconciliationProfile) -> RawProfile:
    """A profile as the caller wrote it."""
    return RawProfile(
        rules=tuple(
            RawRule(
                kind=rule_name(rule.kind, f"profile.rules[{index}].kind"),
                days=rule.days,
                tolerance=rule.tolerance,
                tolerance_ppm=rule.tolerance_ppm,
                similarity=rule.similarity,
                most=rule.most,
                auto_confirm=rule.auto_confirm,
            )
            for index, rule in enumerate(message.rules)
        ),
        charges=tuple(
            RawCharge(charge.name, charge.pattern, charge.sign, charge.account_id, charge.description)
            for charge in message.charges
        ),
        difference_account_id=message.difference_account_id,
        difference_description=message.difference_description,
        is_inverted=message.is_inverted,
        clears_transactions=message.clears_transactions,
        csv_mapping=dict(message.csv_mapping),
    )


def profile(context: Context, record: ProfileRecord) -> pb.ReconciliationProfile:
    """How an account is matched."""
    matching = record.profile
    message = pb.ReconciliationProfile(
        charges=[
            pb.ChargeTemplate(
                name=charge.name,
                pattern=charge.pattern,
                sign=charge.sign,
                account_id=charge.account_id,
                description=charge.description,
            )
            for charge in matching.charges
        ],
        is_inverted=matching.is_inverted,
        clears_transactions=matching.clears,
        csv_mapping=record.csv_mapping,
    )
    for rule in matching.rules:
        message.rules.add(
            kind=RULES[rule.kind.value],
            days=rule.days,
            tolerance=context.decimal(rule.tolerance),
            tolerance_ppm=rule.tolerance_ppm,
            similarity=rule.similarity,
            most=rule.most,
            auto_confirm=rule.auto_confirm,
        )
    if matching.differences is not None:
        message.difference_account_id = matching.differences.account_id
        message.difference_description = matching.differences.description
    return message


def statement(context: Context, one: StatementRecord) -> pb.Statement:
    """A statement that came in."""
    message = pb.Statement(
        number=one.number,
        bank_number=one.bank_number,
        bank_account=one.bank_account,
        file_name=one.file_name,
        file_sha256=one.file_sha256.hex(),
        format=one.format,
        opening_balance=context.decimal(one.opening_balance),
        opening_date=day_text(one.opening_date),
        closing_balance=context.decimal(one.closing_balance),
        closing_date=day_text(one.closing_date),
        lines=one.lines,
        known_lines=one.known_lines,
        sum=context.decimal(one.sum),
        contradictions=one.contradictions,
        actor=one.actor,
    )
    write_timestamp(message.import_time, one.import_time)
    return message


def line(context: Context, one: LineRecord) -> pb.StatementLine:
    """A booking of the bank's."""
    return pb.StatementLine(
        number=one.number,
        statement_number=one.statement,
        booking_date=day_text(one.booking_date),
        value_date=day_text(one.value_date),
        amount=context.decimal(one.amount),
        counterparty=one.counterparty,
        counterparty_account=one.counterparty_account,
        references=one.references,
        text=one.text,
        bank_code=one.bank_code,
        raw=one.raw,
        state=int(one.state),  # type: ignore[arg-type]
        match_number=one.match,
    )


def item(context: Context, one: ItemRecord) -> pb.LedgerItem:
    """What a transaction did to the account."""
    return pb.LedgerItem(
        transaction_id=context.public_id(one.transaction_no),
        date=day_text(one.day),
        amount=context.decimal(one.amount),
        counterparty=one.counterparty,
        reference=one.reference,
        description=one.description,
        status=Status(one.status).name,
        state=int(one.state),  # type: ignore[arg-type]
        match_number=one.match,
    )


def match(context: Context, one: MatchRecord) -> pb.ReconciliationMatch:
    """Lines and transactions that are the same money."""
    message = pb.ReconciliationMatch(
        number=one.number,
        state=int(one.state),  # type: ignore[arg-type]
        rule=RULES[one.rule],  # type: ignore[arg-type]
        line_numbers=one.lines,
        transaction_ids=[context.public_id(number) for number in one.transactions],
        difference=context.decimal(one.difference),
        score=one.score,
        reason=one.why,
        write_off=_write_off(context, one.write_off),
        actor=one.actor,
        decided_by=one.decided_by,
        note=one.note,
    )
    write_timestamp(message.create_time, one.create_time)
    if one.decide_time is not None:
        write_timestamp(message.decide_time, one.decide_time)
    return message


def _write_off(context: Context, one: WriteOffRecord | None) -> pb.WriteOff | None:
    if one is None:
        return None
    return pb.WriteOff(
        account_id=one.account_id,
        description=one.description,
        amount=context.decimal(one.amount),
        transaction_id=context.public_id(one.transaction_no) if one.transaction_no else "",
    )


def finding(context: Context, one: Finding) -> pb.ReconciliationFinding:
    """What a person should look at."""
    message = pb.ReconciliationFinding(
        kind=FINDINGS[one.kind.value],  # type: ignore[arg-type]
        line_numbers=one.lines,
        transaction_ids=[context.public_id(number) for number in one.transactions],
        amount=context.decimal(one.amount),
        reason=one.why,
    )
    for option in one.options:
        pairs = message.options.add().pairs
        for lines, transactions in option.pairs:
            pairs.add(line_numbers=lines, transaction_ids=[context.public_id(number) for number in transactions])
    return message


def matched(exponent: int, counts: Iterable[MatchedCount | MatchedBy]) -> list[pb.ReconciliationMatched]:
    """What each rule has matched."""
    return [
        pb.ReconciliationMatched(
            rule=RULES[one.rule],  # type: ignore[arg-type]
            matches=one.matches,
            proposed=one.proposed,
            lines=one.lines,
            transactions=one.transactions,
            amount=format_minor_units(one.amount, exponent),
        )
        for one in counts
    ]


def finding_count(exponent: int, kind: str, count: int, amount: int) -> pb.ReconciliationFindingCount:
    """How many findings of a kind there are."""
    return pb.ReconciliationFindingCount(
        kind=FINDINGS[kind],  # type: ignore[arg-type]
        count=count,
        amount=format_minor_units(amount, exponent),
    )


def finding_counts(context: Context, counts: Iterable[FindingCount]) -> list[pb.ReconciliationFindingCount]:
    """What a run has found."""
    return [finding_count(context.exponent, one.kind, one.count, one.amount) for one in counts]


def failure(context: Context, one: Failure) -> service_pb.ReconciliationFailure:
    """What was refused on the way."""
    return service_pb.ReconciliationFailure(
        match_number=one.match,
        transaction_id=context.public_id(one.transaction_no) if one.transaction_no else "",
        reason=one.reason,
        message=one.message,
    )


def summary(one: Summary) -> service_pb.ReconciliationSummary:
    """How far a reconciliation is, or a closing of it."""
    return service_pb.ReconciliationSummary(
        account_id=one.account_id,
        currency=one.currency,
        is_closed=one.is_closed,
        date=day_text(one.until),
        statement_balance=_decimal(one.statement_balance, one.exponent),
        ledger_balance=_decimal(one.ledger_balance, one.exponent),
        revision=one.revision,
        closed_by=one.closed_by,
        is_reopened=one.is_reopened,
    )


def day_text(day: date | None) -> str:
    """A day; "" for none."""
    return "" if day is None else day.isoformat()


def _decimal(units: int | None, exponent: int) -> str:
    return "" if units is None else format_minor_units(units, exponent)
