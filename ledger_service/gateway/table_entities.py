"""The endpoints of /v1/entities."""

from __future__ import annotations

from ledger_service.domain.errors import Reason
from ledger_service.gateway import bodies, entities
from ledger_service.gateway.endpoint import Body, Endpoint, Good
from ledger_service.gateway.parameters import ENTITY_IN_PATH, PAGING
from ledger_service.gateway.schemas import ENTITY, EXAMPLE_ENTITY, page_example, page_of, wrapped

_TAG = "Entities"
_ONE = wrapped("entity", ENTITY, "The entity.")
_ONE_EXAMPLE = {"entity": EXAMPLE_ENTITY}

ENTITIES = (
    Endpoint(
        "POST", "/v1/entities", "CreateEntity", _TAG, "Create an entity", entities.create,
        Good(201, "The entity.", _ONE, _ONE_EXAMPLE),
        "A repetition with the same id (or, without one, the same Idempotency-Key) answers with the entity that "
        "exists if it is the same.",
        body=Body(
            bodies.CREATE_ENTITY,
            {"entity": {"id": "entity_012jkl", "name": "Acme Ltd", "timeZone": "Europe/Prague"}},
        ),
        reasons=(Reason.ENTITY_ALREADY_EXISTS,),
        is_write=True,
        fields={"entity_id": "id"},
    ),
    Endpoint(
        "GET", "/v1/entities", "ListEntities", _TAG, "List the entities that the credential has grants for",
        entities.listing,
        Good(200, "A page, by id.", page_of("entities", ENTITY), page_example("entities", EXAMPLE_ENTITY)),
        parameters=PAGING,
        reasons=(Reason.INVALID_PAGE_TOKEN,),
    ),
    Endpoint(
        "GET", "/v1/entities/{entityId}", "GetEntity", _TAG, "Read an entity", entities.get,
        Good(200, "The entity.", _ONE, _ONE_EXAMPLE),
        parameters=(ENTITY_IN_PATH,),
        reasons=(Reason.ENTITY_NOT_FOUND,),
    ),
    Endpoint(
        "PATCH", "/v1/entities/{entityId}", "UpdateEntity", _TAG, "Change an entity", entities.update,
        Good(200, "The entity as it is now.", _ONE, _ONE_EXAMPLE),
        "Only the members that are sent are changed.",
        parameters=(ENTITY_IN_PATH,),
        body=Body(bodies.UPDATE_ENTITY, {"rename": {"name": "Acme Holding", "expectedRevision": 1}}),
        reasons=(
            Reason.ENTITY_NOT_FOUND, Reason.ENTITY_ARCHIVED, Reason.REVISION_MISMATCH, Reason.IDEMPOTENCY_KEY_REUSED,
        ),
        is_write=True,
        fields={"time_zone": "timeZone"},
    ),
    Endpoint(
        "POST", "/v1/entities/{entityId}/archive", "ArchiveEntity", _TAG, "End all writing in an entity",
        entities.archive,
        Good(200, "The entity as it is now.", _ONE, {"entity": {**EXAMPLE_ENTITY, "state": "ARCHIVED"}}),
        parameters=(ENTITY_IN_PATH,),
        reasons=(Reason.ENTITY_NOT_FOUND, Reason.ENTITY_ARCHIVED, Reason.IDEMPOTENCY_KEY_REUSED),
        is_write=True,
    ),
)  # fmt: skip
