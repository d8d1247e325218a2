"""Every endpoint with every kind of credential; what is expected is worked out from the one table of scopes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from ledger_service.application.access import Scope
from tests.contract.requests import World, build_world
from tests.contract.rest_requests import BY_NAME, REQUESTS, Request, all_requests
from tests.helpers.credentials import JWT_SETTINGS, api_key, refused_tokens, web_token
from tests.helpers.rest import Reply, Rest, rest_client
from tests.helpers.servers import TOKEN, Service, cloned, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from ledger_service.storage.embedded import EmbeddedPostgres

ALL = [scope.value for scope in Scope]
WITHOUT_ENTITY = {"GET /v1/entities"}
"""What is about no one entity: a grant for another one is as good as any."""
FORMS = [(endpoint, form) for endpoint, forms in REQUESTS.items() for form in forms]
"""Every request of the table."""
RANDOM = {
    "account": "acc_nobody",
    "transaction": "txn_0000002000000002y2ffrpkrc0",
    "category": "cat_nobody",
}
MALFORMED = {"account": "not an id!", "transaction": "txn_x", "category": "\u00e9\u20ac?"}
NAMING = [(endpoint, form) for endpoint, form in FORMS if REQUESTS[endpoint][form](World()).kinds() & set(RANDOM)]
"""Those that name an account, a transaction or a category."""


@dataclass
class Office:
    """A service that takes API keys and JWTs, and what its requests speak of."""

    service: Service
    rest: Rest
    world: World

    @property
    def grants(self) -> list[str]:
        """The entities that the requests are about."""
        return [self.world.entity, self.world.archivable, "to-be"]

    def caller(self, header: str | None) -> Rest:
        """A client that sends this Authorization header, or none."""
        return Bearer(self.rest.client, header)

    async def with_key(self, scopes: Iterable[str], entities: Iterable[str] | None) -> Rest:
        """A client with an API key of its own."""
        return self.caller(f"Bearer {await api_key(self.service.dsn, scopes, entities)}")


class Bearer(Rest):
    """Sends a whole header, right or wrong."""

    async def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """Send bytes."""
        # HTTP knows no blanks at the end of a header.
        told = {} if self.token is None else {"authorization": self.token.strip()}
        return await Rest(self.client, None).send(method, path, body, **told, **headers)


@pytest.fixture(scope="module")
async def office(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[Office]:
    async with (
        cloned(postgres.dsn, template) as dsn,
        serving(dsn, **JWT_SETTINGS) as service,
        rest_client(service.rest, TOKEN) as rest,
    ):
        yield Office(service, rest, await build_world(service.client))


def test_every_endpoint_has_a_request() -> None:
    assert set(REQUESTS) == set(BY_NAME)
    for endpoint, forms in REQUESTS.items():
        assert all(build(World()).endpoint == endpoint for build in forms.values())


async def test_every_request_is_right(postgres: EmbeddedPostgres, template: str) -> None:
    """In a world of its own, with the administrator's token: each does what it is for."""
    async with (
        cloned(postgres.dsn, template) as dsn,
        serving(dsn) as service,
        rest_client(service.rest, TOKEN) as rest,
    ):
        for name, request in all_requests(await build_world(service.client)).items():
            endpoint = BY_NAME[request.endpoint]
            reply = await request.send(rest)
            good = {one.status for one in (endpoint.good, *endpoint.also)}
            assert reply.status in good, (name, reply.status, reply.content)


@pytest.mark.parametrize("endpoint", list(REQUESTS))
async def test_nobody_is_let_in_with_a_bad_credential(office: Office, endpoint: str) -> None:
    bad = await refused_tokens(office.service.dsn, ALL, office.grants)
    told = {}
    for name, header in bad.items():
        reply = await REQUESTS[endpoint][""](office.world).send(office.caller(header))
        told[name] = (reply.status, reply.error["code"], reply.headers["www-authenticate"])
    assert told == dict.fromkeys(bad, (401, "unauthenticated", 'Bearer realm="ledger"'))


@pytest.mark.parametrize("kind", ["key", "JWT"])
@pytest.mark.parametrize(("endpoint", "form"), FORMS)
async def test_each_scope_alone_and_all_but_it(office: Office, endpoint: str, form: str, kind: str) -> None:
    request = REQUESTS[endpoint][form](office.world)

    async def call(scopes: Iterable[str], entities: list[str] | None) -> bool:
        """Whether the credential was good for it; what the ledger's rules say then is no matter here."""
        token = await api_key(office.service.dsn, scopes, entities) if kind == "key" else web_token(scopes, entities)
        reply = await request.send(office.caller(f"Bearer {token}"))
        assert reply.status not in (400, 401), reply.content
        if reply.status == 403:
            assert reply.error["code"] == "permission_denied"
        return not refused(reply, request)

    needed = request.needs
    assert {scope: await call([scope], office.grants) for scope in ALL} == {scope: needed == {scope} for scope in ALL}
    for scope in needed:
        assert not await call([one for one in ALL if one != scope], office.grants)
    assert await call(needed, office.grants)
    assert await call(ALL, None)
    for strange in (["elsewhere"], []):
        assert await call(ALL, strange) == (endpoint in WITHOUT_ENTITY)


def refused(reply: Reply, request: Request) -> bool:
    """Whether the credential was not good enough: by an id alone that looks as if there were no such thing."""
    if reply.status == 403:
        return True
    return not request.names_entity and reply.status == 404 and reply.error["code"] == "transaction_not_found"


@pytest.mark.parametrize(("endpoint", "form"), FORMS)
async def test_permission_comes_before_existence(office: Office, endpoint: str, form: str) -> None:
    """A credential that is not good for it is told the same of what exists, of what does not, and of what is none."""
    request = REQUESTS[endpoint][form](office.world)
    without_scope = await office.with_key([scope for scope in ALL if scope not in request.needs], None)
    answers = [await request.send(without_scope)]
    for kind in request.kinds() - {"cursor"}:
        answers += [
            await request.with_ids(kind, ids.get(kind, "nobody")).send(without_scope) for ids in (RANDOM, MALFORMED)
        ]
    assert {reply.status for reply in answers} == {403}
    assert len({reply.content for reply in answers}) == 1
    if "entity" in request.kinds():
        tenant = await office.with_key(ALL, office.grants)
        places = [office.world.other_entity, "entity_of_nobody", "no id at all!", "\u00e9?"]
        told = [await request.with_ids("entity", place).send(tenant) for place in places]
        assert {reply.status for reply in told} == {403}
        assert len({reply.content for reply in told}) == 1


@pytest.mark.parametrize(("endpoint", "form"), NAMING)
async def test_a_foreign_id_answers_as_one_of_nothing(office: Office, endpoint: str, form: str) -> None:
    request = REQUESTS[endpoint][form](office.world)
    tenant = await office.with_key(ALL, office.grants)
    foreign = {
        "account": office.world.other_account,
        "transaction": office.world.other_transaction,
        "category": office.world.other_category,
    }
    for kind in request.kinds() & set(foreign):
        told = []
        for ids in (foreign, RANDOM, MALFORMED):
            reply = await request.with_ids(kind, ids[kind]).send(tenant)
            if endpoint.endswith("/bulk") and reply.status == 200:
                assert {one["error"]["code"] for one in reply.json["results"]} == {f"{kind}_not_found"}
            else:
                assert reply.status == 404, (ids[kind], reply.content)
                assert reply.error["code"] == f"{kind}_not_found"
            told.append(_without(reply, ids[kind]))
        assert told[0] == told[1] == told[2]


def _without(reply: Reply, text: str) -> str:
    """The answer with an id taken out; keys of writes are in headers only."""
    return reply.content.decode().replace(text, "ID")
