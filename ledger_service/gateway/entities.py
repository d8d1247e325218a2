"""Handlers of /v1/entities."""

from __future__ import annotations

import hashlib

from ledger_service.application.intake import chart, fields
from ledger_service.domain.identifiers import random_id
from ledger_service.gateway.endpoint import Answer, Call, Services
from ledger_service.gateway.outgoing import page


async def create(services: Services, call: Call) -> Answer:
    """POST /v1/entities. Without an id of the caller's choice the id is made from its Idempotency-Key."""
    body = call.body
    entity, replayed = await services.use_cases.writes.create_entity(
        call.principal,
        entity_id=body.get("entity_id") or _id_for(call),
        name=body["name"],
        time_zone=body.get("time_zone", ""),
        metadata_object=body.get("metadata_object"),
    )
    return Answer({"entity": services.out.entity(entity)}, 201, replayed, f"/v1/entities/{entity.entity_id}")


async def get(services: Services, call: Call) -> Answer:
    """GET /v1/entities/{entityId}."""
    entity = await services.use_cases.reads.entity(call.principal, _entity_id(call))
    return Answer({"entity": services.out.entity(entity)})


async def listing(services: Services, call: Call) -> Answer:
    """GET /v1/entities."""
    found, token = await services.use_cases.reads.entities(
        call.principal, call.query.get("pageSize", 0), call.query.get("cursor", "")
    )
    return Answer(page("entities", [services.out.entity(one) for one in found], token))


async def update(services: Services, call: Call) -> Answer:
    """PATCH /v1/entities/{entityId}: the members that are sent."""
    body = call.body
    command = chart.update_entity(
        call.principal.name,
        idempotency_key=call.key,
        fields=[name for name in body if name != "expected_revision"],
        name=body.get("name", ""),
        time_zone=body.get("time_zone", ""),
        metadata_object=body.get("metadata"),
        expected_revision=body.get("expected_revision", 0),
    )
    _, answer = await services.use_cases.writes.one(call.principal, "UpdateEntity", _entity_id(call), command)
    assert answer.entity is not None
    return Answer({"entity": services.out.entity(answer.entity)}, replayed=answer.replayed)


async def archive(services: Services, call: Call) -> Answer:
    """POST /v1/entities/{entityId}/archive."""
    command = chart.archive_entity(call.principal.name, idempotency_key=call.key)
    _, answer = await services.use_cases.writes.one(call.principal, "ArchiveEntity", _entity_id(call), command)
    assert answer.entity is not None
    return Answer({"entity": services.out.entity(answer.entity)}, replayed=answer.replayed)


def _entity_id(call: Call) -> str:
    return fields.entity_id(call.path["entityId"], "entityId")


def _id_for(call: Call) -> str:
    """The same caller with the same key means the same entity."""
    digest = hashlib.blake2b(f"{call.principal.name}\0{call.key}".encode(), digest_size=16).digest()
    return random_id("entity_", int.from_bytes(digest, "big"))
