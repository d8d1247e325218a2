"""From the service's answers to what tables are made of: the report, amounts in minor units, names of kinds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final

from ledger_client import messages, to_datetime, to_minor_units
from ledger_service.application.reconciling.report import Aged, Difference, Equation, MatchedBy, OpenItem, Report, Week


def _names(values: Iterable[tuple[str, int]], prefix: str) -> dict[int, str]:
    """Names without their prefix, by number; UNSPECIFIED is ""."""
    return {number: name.removeprefix(prefix) if number else "" for name, number in values}


_RULES: Final = _names(messages.MatchRuleKind.items(), "MATCH_RULE_KIND_")
_FINDINGS: Final = _names(messages.FindingKind.items(), "FINDING_KIND_")
_MATCH_STATES: Final = _names(messages.MatchState.items(), "MATCH_STATE_")
_ITEM_STATES: Final = _names(messages.ItemState.items(), "ITEM_STATE_")


def rule(number: int) -> str:
    """The kind of a rule; the digits of one that only a newer release knows. So for the others here."""
    return _RULES.get(number, str(number))


def finding(number: int) -> str:
    """The kind of a finding."""
    return _FINDINGS.get(number, str(number))


def match_state(number: int) -> str:
    """What has become of a match."""
    return _MATCH_STATES.get(number, str(number))


def item_state(number: int) -> str:
    """Whether a line or a transaction has found its pair."""
    return _ITEM_STATES.get(number, str(number))


def exponent_of(amount: str) -> int:
    """How many decimals a currency has, by an amount of an answer: they are always all written."""
    return len(amount.partition(".")[2])


def matched(counts: Iterable[messages.ReconciliationMatched], exponent: int) -> tuple[MatchedBy, ...]:
    """What each rule has matched."""
    return tuple(
        MatchedBy(
            rule(one.rule),
            one.matches,
            one.proposed,
            one.lines,
            one.transactions,
            to_minor_units(one.amount, exponent),
        )
        for one in counts
    )


def finding_counts(
    counts: Iterable[messages.ReconciliationFindingCount], exponent: int
) -> tuple[tuple[str, int, int], ...]:
    """How many findings of each kind there are, and what they come to."""
    return tuple((finding(one.kind), one.count, to_minor_units(one.amount, exponent)) for one in counts)


def report(message: messages.Reconciliation) -> Report:
    """The whole result."""
    exponent = exponent_of(message.equation.ledger_balance)

    def units(amount: str) -> int:
        return to_minor_units(amount, exponent)

    return Report(
        entity_id=message.entity_id,
        account_id=message.account_id,
        account_name=message.account_name,
        currency=message.currency,
        exponent=exponent,
        until=date.fromisoformat(message.date),
        began=date.fromisoformat(message.first_date),
        is_closed=message.is_closed,
        revision=message.revision,
        sequence=message.sequence,
        made_time=to_datetime(message.as_of_time),
        closed_by=message.closed_by,
        closed_time=to_datetime(message.close_time) if message.HasField("close_time") else None,
        equation=_equation(message.equation, exponent),
        lines=message.lines,
        transactions=message.transactions,
        matched=matched(message.matched, exponent),
        ages=tuple(
            Aged(
                one.least_days,
                one.most_days or None,
                one.lines,
                units(one.lines_amount),
                one.transactions,
                units(one.transactions_amount),
            )
            for one in message.ages
        ),
        open_items=tuple(_open_item(one, exponent) for one in message.open_items),
        open_items_left_out=message.open_items_left_out,
        differences_left_out=message.differences_left_out,
        differences=tuple(_difference(one, exponent) for one in message.differences),
        weeks=tuple(
            Week(
                date.fromisoformat(one.monday),
                units(one.matched),
                units(one.open_lines),
                units(one.open_transactions),
            )
            for one in message.weeks
        ),
        findings=finding_counts(message.findings, exponent),
    )


def _equation(message: messages.ReconciliationEquation, exponent: int) -> Equation:
    return Equation(
        statement_balance=to_minor_units(message.statement_balance, exponent),
        deposits_in_transit=to_minor_units(message.deposits_in_transit, exponent),
        outstanding_payments=to_minor_units(message.outstanding_payments, exponent),
        receipts_not_recorded=to_minor_units(message.receipts_not_recorded, exponent),
        payments_not_recorded=to_minor_units(message.payments_not_recorded, exponent),
        write_offs_proposed=to_minor_units(message.write_offs_proposed, exponent),
        differences=to_minor_units(message.differences, exponent),
        opening_difference=to_minor_units(message.opening_difference, exponent),
        statement_gap=to_minor_units(message.statement_gap, exponent),
        ledger_balance=to_minor_units(message.ledger_balance, exponent),
    )


def _open_item(message: messages.ReconciliationOpenItem, exponent: int) -> OpenItem:
    return OpenItem(
        is_line=bool(message.line_number),
        id=str(message.line_number) if message.line_number else message.transaction_id,
        day=date.fromisoformat(message.date),
        amount=to_minor_units(message.amount, exponent),
        counterparty=message.counterparty,
        reference=message.reference,
        text=message.text,
        status=message.status,
        age_days=message.age_days,
        finding=finding(message.finding),
        is_later=message.is_later,
    )


def _difference(message: messages.ReconciliationDifference, exponent: int) -> Difference:
    return Difference(
        match=message.match_number,
        rule=rule(message.rule),
        lines=tuple(message.line_numbers),
        transactions=tuple(message.transaction_ids),
        difference=to_minor_units(message.difference, exponent),
        why=message.reason,
        write_off="proposed" if message.has_write_off else "",
    )
