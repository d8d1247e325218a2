"""Rule 10 from the outside: a tenant's answers are the same whether or not another tenant exists.

The same calls are made in two databases. In one the tenant is alone; in the other a second one was there first, with
accounts, keys and references of the same names, and goes on writing in between. Then the tenant pokes at the second
one's ids, in both worlds with the same strings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

from ledger.v1 import account_service_pb2 as accounts
from ledger_service.application.access import Scope
from tests.contract.requests import METHODS, REQUESTS, World, about, build_world
from tests.contract.rest_requests import Request, all_requests
from tests.contract.test_bad_input import answer_to
from tests.helpers.builders import new_accounts, new_category, new_entity, transfer
from tests.helpers.credentials import api_key
from tests.helpers.rest import Rest, rest_client
from tests.helpers.rpc import Client, Refused
from tests.helpers.servers import Service, cloned, serving

if TYPE_CHECKING:
    from ledger_service.storage.embedded import EmbeddedPostgres

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ][0-9:.]+(?:Z|\+00:00| UTC)")
# Page tokens come before names such as "key-7": by chance a token holds a dash and a digit.
_MADE_UP = re.compile(r"(?:txn|acc|cat|entity)_[0-9A-Za-z]{20,}|[A-Za-z0-9_-]{24,}|[0-9A-Za-z ]+-\d+")
# Hashes are over times and ids.
_HASH = re.compile(r"[A-Za-z0-9+/=]{40,}")


@dataclass
class Telling:
    """What a tenant was told, call by call; what is made up anew in each world has a number in order of appearance."""

    said: list[str] = field(default_factory=list)
    _names: dict[str, str] = field(default_factory=dict)

    def add(self, what: str, answer: str) -> None:
        """One more answer."""
        if "roof" in what or "heckpoint" in what:
            answer = _HASH.sub("<hash>", answer)
        plain = _MADE_UP.sub(self._name, _MOMENT.sub("<time>", answer))
        self.said.append(f"{what}: {plain}")

    def _name(self, match: re.Match[str]) -> str:
        return self._names.setdefault(match.group(), f"<{len(self._names)}>")


async def outcome(client: Client, method: str, request: Any) -> str:
    """An answer or a refusal as text."""
    try:
        answer = await answer_to(client, method, request)
    except Refused as refused:
        return f"{refused.code.name} {refused.reason} {refused.message} {sorted(refused.metadata.items())}"
    # Of a document what is in it: in base 64 nobody could tell ids from the rest.
    return answer.chunk.decode() if method == "ExportReconciliation" else str(json_format.MessageToDict(answer))


async def build_neighbour(client: Client) -> dict[str, str]:
    """A second tenant with the same names for its things; gives its ids by the names of request fields."""
    entity = await new_entity(client, entity_id="neighbour")
    await new_accounts(client, entity, ["cash", "wallet", "only-theirs"])
    answer = await client.transactions.CreateTransaction(
        transfer(entity, "cash", "wallet", "5.00", reference="order-1", idempotency_key="a key")
    )
    page = accounts.ListAccountsRequest(entity_id=entity, page_size=1)
    return {
        "entity_id": entity,
        "transaction_id": answer.transaction.id,
        "account_id": "only-theirs",
        "category_id": await new_category(client, entity, "cat_theirs"),
        "page_token": (await client.accounts.ListAccounts(page)).next_page_token,
    }


async def tell(service: Service, world: World, mine: Client, foreign: dict[str, str], *, neighbour: bool) -> list[str]:
    """All right requests of the tenant, and all of them with another's ids in their places."""
    telling = Telling()
    for method in METHODS:
        for form, build in REQUESTS[method].items():
            telling.add(f"{method} {form}", await outcome(mine, method, build(world)))
            if neighbour:
                busy = transfer(foreign["entity_id"], "cash", "wallet", "7.00")
                await service.client.transactions.CreateTransaction(busy)
    for method in METHODS:
        for form, build in REQUESTS[method].items():
            for name, value in foreign.items():
                request = build(world)
                target = about(method, request)
                if name in target.DESCRIPTOR.fields_by_name and not target.DESCRIPTOR.fields_by_name[name].is_repeated:
                    setattr(target, name, value)
                    telling.add(f"{method} {form} with their {name}", await outcome(mine, method, request))
    return telling.said


async def tenant(service: Service, world: World) -> Client:
    """The tenant: every scope, its own entities only."""
    token = await api_key(service.dsn, [scope.value for scope in Scope], [world.entity, world.archivable])
    return Client(service.client.channel, token)


async def test_the_same_answers_with_and_without_a_neighbour(postgres: EmbeddedPostgres, template: str) -> None:
    async with cloned(postgres.dsn, template) as dsn, serving(dsn) as service:
        foreign = await build_neighbour(service.client)
        world = await build_world(service.client)
        in_company = await tell(service, world, await tenant(service, world), foreign, neighbour=True)
    async with cloned(postgres.dsn, template) as dsn, serving(dsn) as service:
        world = await build_world(service.client)
        alone = await tell(service, world, await tenant(service, world), foreign, neighbour=False)
    assert len(alone) > 100
    assert [pair for pair in zip(in_company, alone, strict=True) if pair[0] != pair[1]] == []


async def tell_rest(
    service: Service, world: World, mine: Rest, foreign: dict[str, str], *, neighbour: bool
) -> list[str]:
    """The same over REST; keys are given, so that a fresh one is no difference."""
    telling = Telling()
    requests = all_requests(world)

    async def add(what: str, request: Request) -> None:
        reply = await request.send(mine, idempotency_key=f"call {len(telling.said)}")
        told = {name: reply.headers.get(name, "") for name in ("location", "idempotent-replayed", "retry-after")}
        telling.add(what, f"{reply.status} {told} {reply.content.decode()}")

    for name, request in requests.items():
        await add(name, request)
        if neighbour:
            busy = transfer(foreign["entity_id"], "cash", "wallet", "7.00")
            await service.client.transactions.CreateTransaction(busy)
    for name, request in requests.items():
        # Not their cursors: both databases are copies of one with its secret, and in the other the tenant has the
        # neighbour's number. tests/e2e/test_rest_http.py sends cursors of others.
        for kind in sorted(request.kinds() - {"cursor"}):
            await add(f"{name} with their {kind}", request.with_ids(kind, foreign[f"{kind}_id"]))
    return telling.said


async def test_the_same_answers_over_rest(postgres: EmbeddedPostgres, template: str) -> None:
    async def world_told(foreign: dict[str, str]) -> tuple[dict[str, str], list[str]]:
        async with (
            cloned(postgres.dsn, template) as dsn,
            serving(dsn) as service,
            rest_client(service.rest, None) as rest,
        ):
            neighbour = not foreign
            theirs = foreign or await build_neighbour(service.client)
            world = await build_world(service.client)
            mine = Rest(rest.client, (await tenant(service, world)).token)
            return theirs, await tell_rest(service, world, mine, theirs, neighbour=neighbour)

    foreign, in_company = await world_told({})
    _, alone = await world_told(foreign)
    assert len(alone) > 80
    assert [pair for pair in zip(in_company, alone, strict=True) if pair[0] != pair[1]] == []
