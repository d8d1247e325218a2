"""GET /v1/transactions/chat: a question in words, answered from the ledger, with the plan that was understood."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from ledger_service.application.asking import days, plan
from ledger_service.application.asking.answering import Answer as Told
from ledger_service.application.asking.ports import Group, Line, Summary
from ledger_service.application.asking.running import average
from ledger_service.application.asking.vocabulary import Kind, Name
from ledger_service.domain.account import Entity
from ledger_service.domain.identifiers import transaction_id
from ledger_service.gateway.endpoint import Answer, Call, Services
from ledger_service.gateway.outgoing import DEFAULT_CURRENCY, Json, Outgoing, time_text
from ledger_service.gateway.transactions import entity_of_query

Names = Mapping[tuple[Kind, str], Name]


async def chat(services: Services, call: Call) -> Answer:
    """The answer; to a question that is not understood too, with examples of those that are."""
    entity, told = await services.use_cases.asking.ask(call.principal, entity_of_query(call), call.query["prompt"])
    answer: Json = {
        "response": told.response,
        "data": _data(services.out, entity, told),
        "understood": told.plan is not None,
        "planner": told.planner,
    }
    if told.plan is not None:
        answer["plan"] = plan_object(told.plan, told.names, ZoneInfo(entity.time_zone))
    if told.examples:
        answer["examples"] = list(told.examples)
    if told.candidates:
        answer["candidates"] = [{"kind": one.kind.value, **_name(one)} for one in told.candidates]
    if told.fallback:
        answer["plannerFallback"] = told.fallback
    return Answer(answer)


def plan_object(found: plan.Plan, names: Names, zone: ZoneInfo) -> Json:
    """A plan; what it does not say is left out."""
    answer: Json = {"measure": found.measure.value, "direction": found.direction.value}
    filters = _filters(found.filters, names)
    if filters:
        answer["filters"] = filters
    if found.period is not None:
        answer["period"] = _period(found.period, zone)
    if found.grouping is not plan.Grouping.NONE:
        answer["grouping"] = found.grouping.value
    answer["order"] = found.order.value
    answer["limit"] = found.limit
    compared = found.comparison
    if compared is not None:
        answer["comparison"] = {"outcome": compared.outcome.value}
        if compared.period is not None:
            answer["comparison"]["period"] = _period(compared.period, zone)
        else:
            answer["comparison"]["amount"] = compared.amount
    return answer


def _data(out: Outgoing, entity: Entity, told: Told) -> Json:
    rows = told.rows
    data: Json = {"transactions": [_line(out, entity, line) for line in rows.lines]}
    if told.plan is None:
        data["summary"] = None
    elif rows.summaries:
        data["summary"] = _summary(out, rows.summaries[0])
    else:
        zero = out.amount(DEFAULT_CURRENCY, 0)
        data["summary"] = {"total_amount": zero, "transaction_count": 0, "average_amount": zero}
    if len(rows.summaries) > 1:
        data["summaries"] = [_summary(out, one) for one in rows.summaries]
    if rows.others:
        data["comparedSummaries"] = [_summary(out, one) for one in rows.others]
    if rows.groups:
        data["groups"] = [_group(out, one) for one in rows.groups]
    return data


def _line(out: Outgoing, entity: Entity, line: Line) -> Json:
    answer: Json = {
        "id": transaction_id(entity.entity_no, line.transaction_no, entity.id_key),
        "description": line.description,
        "amount": out.amount(line.currency, line.amount),
        "timestamp": time_text(line.effective_time),
    }
    if line.currency != DEFAULT_CURRENCY:
        answer["currency"] = line.currency
    return answer


def _summary(out: Outgoing, one: Summary) -> Json:
    currency = one.currency
    answer: Json = {
        "total_amount": out.amount(currency, one.total),
        "transaction_count": one.transactions,
        "average_amount": out.amount(currency, average(one.total, one.transactions)),
    }
    if currency != DEFAULT_CURRENCY:
        answer["currency"] = currency
    return answer


def _group(out: Outgoing, one: Group) -> Json:
    return {"key": one.key, "name": one.name, "summary": _summary(out, one.summary)}


def _name(one: Name) -> Json:
    return {"id": one.id, "name": one.name}


def _filters(filters: plan.Filters, names: Names) -> Json:
    answer: Json = {}
    for member, kind, ids in (
        ("categories", Kind.CATEGORY, filters.categories),
        ("accounts", Kind.ACCOUNT, filters.accounts),
        ("counterparties", Kind.COUNTERPARTY, filters.counterparties),
    ):
        if ids:
            answer[member] = [_name(names[kind, id_]) for id_ in ids]
    if filters.uncategorized:
        answer["uncategorized"] = True
    if filters.texts:
        answer["texts"] = list(filters.texts)
    if filters.statuses:
        answer["statuses"] = [status.name for status in filters.statuses]
    if filters.currency:
        answer["currency"] = filters.currency
    if filters.amount is not None:
        answer["amount"] = {"comparator": filters.amount.comparator.value, "amount": filters.amount.amount}
        if filters.amount.upper:
            answer["amount"]["upper"] = filters.amount.upper
    return answer


def _period(period: plan.Period, zone: ZoneInfo) -> Json:
    answer: Json = {"said": period.said}
    if period.first is not None:
        answer["from"] = time_text(days.start_of_day(period.first, zone))
        answer["firstDay"] = period.first.isoformat()
    if period.before is not None:
        answer["before"] = time_text(days.start_of_day(period.before, zone))
        answer["beforeDay"] = period.before.isoformat()
    return answer
