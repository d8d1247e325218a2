"""Answers to questions as messages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import Enum
from zoneinfo import ZoneInfo

from ledger.v1 import question_pb2 as pb
from ledger_service.application.asking import days, plan
from ledger_service.application.asking.answering import Answer
from ledger_service.application.asking.ports import Group, Line, Summary
from ledger_service.application.asking.running import average
from ledger_service.application.asking.vocabulary import Kind, Name
from ledger_service.domain.account import Entity
from ledger_service.domain.identifiers import transaction_id
from ledger_service.domain.transaction import Status
from ledger_service.rpc.outgoing import Outgoing, write_timestamp


def _numbers(prefix: str, names: type[Enum], message: Mapping[str, int]) -> dict[Enum, int]:
    """The enum of the protos for each member of ours; they bear the same names."""
    return {member: message[f"{prefix}_{member.name}"] for member in names}


_DIRECTIONS = _numbers("QUESTION_DIRECTION", plan.Direction, dict(pb.QuestionDirection.items()))
_MEASURES = _numbers("QUESTION_MEASURE", plan.Measure, dict(pb.QuestionMeasure.items()))
_ORDERS = _numbers("QUESTION_ORDER", plan.Order, dict(pb.QuestionOrder.items()))
_COMPARATORS = _numbers("QUESTION_COMPARATOR", plan.Comparator, dict(pb.QuestionComparator.items()))
_OUTCOMES = _numbers("QUESTION_OUTCOME", plan.Outcome, dict(pb.QuestionOutcome.items()))
_KINDS = _numbers("QUESTION_NAME_KIND", Kind, dict(pb.QuestionNameKind.items()))
_GROUPINGS = {
    member: 0 if member is plan.Grouping.NONE else pb.QuestionGrouping.Value(f"QUESTION_GROUPING_{member.name}")
    for member in plan.Grouping
}


class OutgoingAnswer:
    """Converts with the decimals of each currency."""

    def __init__(self, out: Outgoing) -> None:
        self._out = out

    def answer(self, entity: Entity, answer: Answer) -> pb.AskTransactionsResponse:
        """The whole answer."""
        rows = answer.rows
        message = pb.AskTransactionsResponse(
            response=answer.response,
            understood=answer.plan is not None,
            examples=answer.examples,
            candidates=[_name(name) for name in answer.candidates],
            planner=answer.planner,
            planner_fallback=answer.fallback,
            transaction_count=rows.matched,
            compared_transaction_count=rows.others_matched,
            group_count=rows.all_groups,
        )
        if answer.plan is not None:
            _write_plan(message.plan, answer.plan, answer.names, ZoneInfo(entity.time_zone))
        for summary in rows.summaries:
            self._write_summary(message.summaries.add(), summary)
        for summary in rows.others:
            self._write_summary(message.compared_summaries.add(), summary)
        for line in rows.lines:
            self._write_line(message.transactions.add(), entity, line)
        for group in rows.groups:
            self._write_group(message.groups.add(), group)
        return message

    def _write_summary(self, into: pb.QuestionSummary, summary: Summary) -> None:
        currency = summary.currency
        self._out.write_money(into.total, currency, summary.total)
        into.transaction_count = summary.transactions
        self._out.write_money(into.average, currency, average(summary.total, summary.transactions))
        into.reduction_count = summary.reductions
        if summary.largest is not None:
            self._out.write_money(into.largest, currency, summary.largest)
        if summary.smallest is not None:
            self._out.write_money(into.smallest, currency, summary.smallest)

    def _write_group(self, into: pb.QuestionGroup, group: Group) -> None:
        into.key = group.key
        into.name = group.name
        self._write_summary(into.summary, group.summary)

    def _write_line(self, into: pb.QuestionTransaction, entity: Entity, line: Line) -> None:
        into.id = transaction_id(entity.entity_no, line.transaction_no, entity.id_key)
        self._out.write_money(into.amount, line.currency, line.amount)
        into.status = Status(line.status)  # type: ignore[assignment]
        write_timestamp(into.effective_time, line.effective_time)
        into.description = line.description
        into.counterparty = line.counterparty
        into.category_id = line.category_id


def _name(name: Name) -> pb.QuestionName:
    return pb.QuestionName(kind=_KINDS[name.kind], id=name.id, name=name.name)  # type: ignore[arg-type]


def _write_plan(
    into: pb.QuestionPlan, found: plan.Plan, names: Mapping[tuple[Kind, str], Name], zone: ZoneInfo
) -> None:
    into.direction = _DIRECTIONS[found.direction]  # type: ignore[assignment]
    into.measure = _MEASURES[found.measure]  # type: ignore[assignment]
    _write_filters(into.filters, found.filters, names)
    if found.period is not None:
        _write_period(into.period, found.period, zone)
    into.grouping = _GROUPINGS[found.grouping]  # type: ignore[assignment]
    into.order = _ORDERS[found.order]  # type: ignore[assignment]
    into.limit = found.limit
    if found.comparison is not None:
        into.comparison.outcome = _OUTCOMES[found.comparison.outcome]  # type: ignore[assignment]
        if found.comparison.period is not None:
            _write_period(into.comparison.period, found.comparison.period, zone)
        else:
            into.comparison.amount = found.comparison.amount


def _write_filters(into: pb.QuestionFilters, filters: plan.Filters, names: Mapping[tuple[Kind, str], Name]) -> None:
    into.categories.extend(_name(names[Kind.CATEGORY, id_]) for id_ in filters.categories)
    into.uncategorized = filters.uncategorized
    into.accounts.extend(_name(names[Kind.ACCOUNT, id_]) for id_ in filters.accounts)
    into.counterparties.extend(_name(names[Kind.COUNTERPARTY, key]) for key in filters.counterparties)
    into.texts.extend(filters.texts)
    into.statuses.extend(Status[status.name] for status in filters.statuses)  # type: ignore[misc]
    into.currency = filters.currency
    if filters.amount is not None:
        into.amount.comparator = _COMPARATORS[filters.amount.comparator]  # type: ignore[assignment]
        into.amount.amount = filters.amount.amount
        into.amount.upper = filters.amount.upper


def _write_period(into: pb.QuestionPeriod, period: plan.Period, zone: ZoneInfo) -> None:
    into.said = period.said
    if period.first is not None:
        into.first_day = _iso(period.first)
        write_timestamp(into.effective_from, days.start_of_day(period.first, zone))
    if period.before is not None:
        into.before_day = _iso(period.before)
        write_timestamp(into.effective_before, days.start_of_day(period.before, zone))


def _iso(day: date) -> str:
    return day.isoformat()
