"""Handlers of /v1/categories."""

from __future__ import annotations

from ledger_service.application.intake import categories
from ledger_service.domain.commands import Command
from ledger_service.gateway.endpoint import Answer, Call, Services
from ledger_service.gateway.outgoing import page
from ledger_service.gateway.transactions import entity_of_query


async def create(services: Services, call: Call) -> Answer:
    """POST /v1/categories."""
    body = call.body
    command = categories.create_category(
        call.principal.name,
        idempotency_key=call.key,
        category_id=body.get("category_id", ""),
        fresh_id=services.use_cases.writes.fresh_category_id(),
        name=body["name"],
        metadata_object=body.get("metadata_object"),
    )
    answer = await _write(services, call, "CreateCategory", command)
    return Answer(answer.body, 201, answer.replayed, f"/v1/categories/{answer.body['category']['id']}")


async def get(services: Services, call: Call) -> Answer:
    """GET /v1/categories/{categoryId}."""
    entity_id = entity_of_query(call)
    found = await services.use_cases.finding.category(call.principal, entity_id, call.path["categoryId"])
    return Answer({"category": services.out.category(entity_id, found)})


async def listing(services: Services, call: Call) -> Answer:
    """GET /v1/categories."""
    entity_id = entity_of_query(call)
    found, token = await services.use_cases.finding.categories(
        call.principal,
        entity_id,
        size=call.query.get("pageSize", 0),
        token=call.query.get("cursor", ""),
        include_archived=call.query.get("includeArchived", False),
    )
    return Answer(page("categories", [services.out.category(entity_id, one) for one in found], token))


async def update(services: Services, call: Call) -> Answer:
    """PATCH /v1/categories/{categoryId}: the members that are sent."""
    body = call.body
    command = categories.update_category(
        call.principal.name,
        idempotency_key=call.key,
        category_id=call.path["categoryId"],
        fields=[name for name in body if name != "expected_revision"],
        name=body.get("name", ""),
        metadata_object=body.get("metadata"),
        expected_revision=body.get("expected_revision", 0),
    )
    return await _write(services, call, "UpdateCategory", command)


async def archive(services: Services, call: Call) -> Answer:
    """POST /v1/categories/{categoryId}/archive."""
    command = categories.archive_category(
        call.principal.name, idempotency_key=call.key, category_id=call.path["categoryId"]
    )
    return await _write(services, call, "ArchiveCategory", command)


async def _write(services: Services, call: Call, method: str, command: Command) -> Answer:
    entity_id = entity_of_query(call)
    _, answer = await services.use_cases.writes.one(call.principal, method, entity_id, command)
    assert answer.category is not None
    return Answer({"category": services.out.category(entity_id, answer.category)}, replayed=answer.replayed)
