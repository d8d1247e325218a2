"""schemathesis against the running gateway: no 5xx, no undocumented status, every answer as its schema says.

Each operation is called with what its schema allows, in a known world and in an unknown one, and with what it does
not allow. `make fuzz` calls more; LEDGER_FUZZ_EXAMPLES is the number of calls for each operation and kind.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
import requests
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ledger_service.gateway.openapi import document
from ledger_service.gateway.outgoing import write_json
from ledger_service.gateway.table import ENDPOINTS
from tests.helpers.rest import office, rest_client
from tests.helpers.servers import TOKEN, cloned, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

EXAMPLES = int(os.environ.get("LEDGER_FUZZ_EXAMPLES", "8"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SCHEMA = schemathesis.openapi.from_dict(json.loads(write_json(document(ENDPOINTS))))
OPERATIONS = {
    f"{operation.method.upper()} {operation.path}": operation
    for operation in (result.ok() for result in SCHEMA.get_all_operations())
}
# These end what the others need.
_ENDING = ("/archive", "/close", "/freeze")


class World:
    """A gateway with an entity in which things exist."""

    def __init__(self, url: str, entity: str, transaction: str) -> None:
        self.url = url
        self.calls = 0
        self.entity = entity
        self.known = {
            "accountId": "acc_bank", "entityId": entity, "categoryId": "cat_paper", "transactionId": transaction,
        }  # fmt: skip


@pytest.fixture(scope="module")
async def world(postgres: Any, template: str) -> AsyncIterator[World]:
    async with cloned(postgres.dsn, template) as dsn, serving(dsn) as service, rest_client(service.rest, TOKEN) as rest:
        entity = await office(rest)
        (await rest.post(f"/v1/categories?entityId={entity}", {"id": "cat_paper", "name": "Paper"})).good(201)
        made = await rest.new_transaction(entity)
        account = f"entityId={entity}&accountId=acc_bank&currency=USD"
        (await rest.post(f"/v1/reconciliations/start?{account}", {"date": "2023-01-01"})).good()
        found = World(service.rest, entity, made["id"])
        yield found
        print(f"\nschemathesis made {found.calls:,} calls")


def fill(body: Any, world: World) -> Any:
    """The body with ids of what exists."""
    known = {**world.known, "debitAccountId": "acc_office", "creditAccountId": "acc_bank", "id": None}
    known |= {"debit_account_id": "acc_office", "credit_account_id": "acc_bank"}
    if isinstance(body, dict):
        return {name: known.get(name) or fill(value, world) for name, value in body.items()}
    return [fill(one, world) for one in body] if isinstance(body, list) else body


def play(world: World, operation: Any, kind: str) -> None:
    """Call an operation many times."""
    mode = GenerationMode.NEGATIVE if kind == "forbidden" else GenerationMode.POSITIVE
    fixed: dict[str, Any] = {}
    if kind == "known" and not operation.path.endswith(_ENDING):
        places = {one.name for one in operation.query} & {"entityId", "accountId"}
        if places:
            fixed["query"] = {name: world.known[name] for name in places}
        names = [one.name for one in operation.path_parameters]
        if names:
            fixed["path_parameters"] = {name: world.known[name] for name in names}
    checks = [*CHECKS, negative_data_rejection] if kind == "forbidden" else CHECKS
    session = requests.Session()
    session.trust_env = False
    session.headers["authorization"] = f"Bearer {TOKEN}"

    @hypothesis.given(case=operation.as_strategy(generation_mode=mode, **fixed))
    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    def call(case: Any) -> None:
        if kind == "known":
            case.body = fill(case.body, world)
        world.calls += 1
        case.call_and_validate(base_url=world.url, session=session, checks=checks)

    try:
        call()
    finally:
        session.close()


@pytest.mark.parametrize("kind", ["known", "unknown", "forbidden"])
@pytest.mark.parametrize("name", OPERATIONS)
async def test_operation(world: World, name: str, kind: str) -> None:
    await asyncio.to_thread(play, world, OPERATIONS[name], kind)
