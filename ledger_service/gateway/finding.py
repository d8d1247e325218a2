"""Handlers that find: search, counterparties."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ledger_service.gateway.endpoint import Answer, Call, Services
from ledger_service.gateway.outgoing import Json, page
from ledger_service.gateway.periods import first_moment
from ledger_service.gateway.transactions import entity_of_query


async def search(services: Services, call: Call) -> Answer:
    """POST /v1/transactions/search: days are meant in the entity's time zone."""
    entity_id, body = entity_of_query(call), call.body
    filters: dict[str, Any] = body.get("filters", {})
    first, last = filters.get("dateFrom"), filters.get("dateTo")
    since = before = None
    if first is not None or last is not None:
        zone = await services.use_cases.reads.time_zone(call.principal, "SearchTransactions", entity_id)
        since = first_moment(first, zone) if first is not None else None
        before = first_moment(last + timedelta(days=1), zone) if last is not None else None
    entity, found = await services.use_cases.finding.search(
        call.principal,
        entity_id,
        query=body.get("query", ""),
        effective_from=since,
        effective_before=before,
        amount_min=filters.get("amountMin", ""),
        amount_max=filters.get("amountMax", ""),
        status=filters.get("status", 0),
        page=body.get("page", 0),
        size=body.get("limit", 0),
    )
    pagination: Json = {
        "total": found.total,
        "page": found.page,
        "limit": found.size,
        "totalPages": -(-found.total // found.size),
    }
    if found.is_more:
        pagination["moreThanTotal"] = True
    return Answer({
        "transactions": [services.out.found(entity, one) for one in found.transactions],
        "pagination": pagination,
    })  # fmt: skip


async def counterparties(services: Services, call: Call) -> Answer:
    """GET /v1/transactions/counterparties."""
    found, token = await services.use_cases.finding.counterparties(
        call.principal, entity_of_query(call), call.query.get("pageSize", 0), call.query.get("cursor", "")
    )
    return Answer({"success": True, **page("counterparties", map(services.out.counterparty, found), token)})
