"""Every method with every kind of credential; what is expected is worked out from the one table of scopes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from ledger_service.application.access import SCOPES, Scope
from tests.contract.requests import METHODS, REQUESTS, World, build_world
from tests.contract.test_bad_input import answer_to
from tests.helpers.credentials import JWT_SETTINGS, api_key, refused_tokens, web_token
from tests.helpers.rpc import Client, Refused
from tests.helpers.servers import Service, cloned, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from ledger_service.storage.embedded import EmbeddedPostgres

ALL = [scope.value for scope in Scope]
WITHOUT_ENTITY = {"ListEntities"}
"""What is about no one entity: a grant for another one is as good as any."""


@dataclass
class Office:
    """A service that takes API keys and JWTs, and what its requests speak of."""

    service: Service
    world: World

    @property
    def grants(self) -> list[str]:
        """The entities that the requests are about."""
        return [self.world.entity, self.world.archivable, "to-be"]

    def client(self, authorization: str | None) -> Client:
        """A client that sends this header, or none."""
        return Client(self.service.client.channel, None, header=authorization)


@pytest.fixture(scope="module")
async def office(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[Office]:
    async with cloned(postgres.dsn, template) as dsn, serving(dsn, **JWT_SETTINGS) as service:
        yield Office(service, await build_world(service.client))


def request_of(office: Office, method: str) -> Any:
    """A right request; an entity that is created has the id that the credentials have a grant for."""
    request = REQUESTS[method][""](office.world)
    if method == "CreateEntity":
        request.entity_id = "to-be"
    return request


async def code_of(client: Client, method: str, request: Any) -> grpc.StatusCode:
    """How a call, or the item of a stream, was answered."""
    try:
        answer = await answer_to(client, method, request)
    except Refused as refused:
        return refused.code
    if method == "StreamCreateTransactions" and answer.WhichOneof("outcome") == "error":
        return Refused(answer.error).code
    return grpc.StatusCode.OK


def test_every_method_is_in_the_matrix() -> None:
    assert set(METHODS) == set(SCOPES)


@pytest.mark.parametrize("method", list(METHODS))
async def test_nobody_is_let_in_with_a_bad_credential(office: Office, method: str) -> None:
    bad = await refused_tokens(office.service.dsn, ALL, office.grants)
    told = {}
    for name, header in bad.items():
        told[name] = await code_of(office.client(header), method, request_of(office, method))
    assert told == dict.fromkeys(bad, grpc.StatusCode.UNAUTHENTICATED)


@pytest.mark.parametrize("kind", ["key", "JWT"])
@pytest.mark.parametrize("method", list(METHODS))
async def test_each_scope_alone_and_all_but_it(office: Office, method: str, kind: str) -> None:
    needed = SCOPES[method].value

    async def call(scopes: Iterable[str], entities: list[str] | None) -> bool:
        """Whether the credential was good for it; what the ledger's rules say then is no matter here."""
        token = await api_key(office.service.dsn, scopes, entities) if kind == "key" else web_token(scopes, entities)
        code = await code_of(office.client(f"Bearer {token}"), method, request_of(office, method))
        assert code != grpc.StatusCode.UNAUTHENTICATED
        return code != grpc.StatusCode.PERMISSION_DENIED

    let_in = {scope: await call([scope], office.grants) for scope in ALL}
    assert let_in == {scope: scope == needed for scope in ALL}
    assert not await call([scope for scope in ALL if scope != needed], office.grants)
    assert await call(ALL, office.grants)
    assert await call(ALL, None)
    assert await call(ALL, ["elsewhere"]) == (method in WITHOUT_ENTITY)
    assert await call(ALL, []) == (method in WITHOUT_ENTITY)
