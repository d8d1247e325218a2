"""Who may do what: scopes, grants, and that strangers learn nothing (DESIGN rule 10)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
import grpc
import pytest

from ledger.v1 import entity_service_pb2 as entities
from ledger.v1 import transaction_service_pb2 as transactions
from ledger_service.application.authentication import token_hmac
from tests.contract.requests import METHODS, REQUESTS, World, about, build_world
from tests.contract.test_bad_input import answer_to
from tests.helpers.builders import POSTED, sequence_of, transfer, unique
from tests.helpers.contract import PROMISES
from tests.helpers.processes import run_cli
from tests.helpers.rpc import Client, Refused, refusal
from tests.helpers.servers import Service, cloned, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from ledger_service.storage.embedded import EmbeddedPostgres

SCOPES = {"read", "write", "approve", "reverse", "close", "admin"}

# From the comments on the three services.
NEEDED = {
    **dict.fromkeys(METHODS, "read"),
    **dict.fromkeys(["CreateEntity", "UpdateEntity", "ArchiveEntity"], "admin"),
    **dict.fromkeys(["CreateAccount", "BatchCreateAccounts", "UpdateAccount"], "write"),
    **dict.fromkeys(["FreezeAccount", "UnfreezeAccount", "CloseAccount"], "close"),
    **dict.fromkeys(["CreateTransaction", "BatchCreateTransactions", "StreamCreateTransactions"], "write"),
    **dict.fromkeys(["EditTransaction", "ClearTransaction", "VoidTransaction", "CategorizeTransaction"], "write"),
    **dict.fromkeys(["CreateCategory", "UpdateCategory", "ArchiveCategory"], "write"),
    "ApproveTransactions": "approve",
    "ReverseTransaction": "reverse",
    **dict.fromkeys(["StartReconciliation", "UpdateReconciliationProfile", "ImportStatement", "RunMatching"], "write"),
    **dict.fromkeys(["CreateMatch", "ConfirmMatches", "RejectMatches", "UndoMatches"], "write"),
    **dict.fromkeys(["CloseReconciliation", "ReopenReconciliation"], "close"),
}


@dataclass
class Office:
    """A service, what its requests speak of, and the means to make credentials."""

    service: Service
    world: World

    async def caller(self, scopes: Iterable[str], entity_ids: Iterable[str] | None = None) -> Client:
        """A client with a credential of its own."""
        token = secrets.token_urlsafe(32)
        connection = await asyncpg.connect(self.service.dsn)
        try:
            await connection.execute(
                "INSERT INTO ledger.credentials (credential_id, name, token_hmac, scopes, entity_ids, created_time)"
                " VALUES ($1, $1, $2, $3, $4, now())",
                unique("credential"),
                token_hmac(token, ""),
                sorted(scopes),
                None if entity_ids is None else sorted(entity_ids),
            )
        finally:
            await connection.close()
        return Client(self.service.client.channel, token)


@pytest.fixture(scope="module")
async def office(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[Office]:
    async with cloned(postgres.dsn, template) as dsn, serving(dsn) as service:
        yield Office(service, await build_world(service.client))


def denied(refused: Refused, scope: str) -> None:
    """The documented refusal, with the scope that was missing or asked for."""
    assert (refused.code, refused.reason) == (PROMISES["PERMISSION_DENIED"].code, "PERMISSION_DENIED"), refused
    assert refused.metadata == {"scope": scope}


@pytest.mark.parametrize("method", list(METHODS))
async def test_every_scope_but_the_one_that_is_needed(office: Office, method: str) -> None:
    caller = await office.caller(SCOPES - {NEEDED[method]})
    request = REQUESTS[method][""](office.world)
    denied(await _refused_or_item(caller, method, request), NEEDED[method])


@pytest.mark.parametrize("method", [method for method in METHODS if method != "CreateEntity"])
async def test_the_one_scope_that_is_needed_and_the_grant(office: Office, method: str) -> None:
    grants = [office.world.entity, office.world.archivable]
    caller = await office.caller({NEEDED[method]}, grants)
    await answer_to(caller, method, REQUESTS[method][""](office.world))


async def test_creating_an_entity_needs_a_grant_of_all_or_of_its_id(office: Office) -> None:
    everywhere = await office.caller({"admin"})
    await answer_to(everywhere, "CreateEntity", REQUESTS["CreateEntity"][""](office.world))
    somewhere = await office.caller({"admin"}, ["to-be"])
    other = entities.CreateEntityRequest(entity_id="not-to-be", name="Other")
    denied(await refusal(somewhere.entities.CreateEntity(other)), "admin")
    mine = entities.CreateEntityRequest(entity_id="to-be", name="Mine")
    assert (await somewhere.entities.CreateEntity(mine)).entity.id == "to-be"


@pytest.mark.parametrize("method", [method for method in METHODS if method not in ("CreateEntity", "ListEntities")])
async def test_strangers_learn_nothing(office: Office, method: str) -> None:
    """Another's entity answers exactly as one that does not exist: a right request, and an empty one."""
    stranger = await office.caller(SCOPES, ["elsewhere"])
    right: list[Refused] = []
    empty: list[Refused] = []
    for entity in (office.world.other_entity, "does-not-exist"):
        for answers, request in (
            (right, REQUESTS[method][""](office.world)),
            (empty, METHODS[method].input_type._concrete_class()),
        ):
            about(method, request).entity_id = entity
            answers.append(await _refused_or_item(stranger, method, request))
    for refused in right:
        denied(refused, NEEDED[method])
    for answers in (right, empty):
        told = [(each.code, each.message, each.metadata) for each in answers]
        assert told[0] == told[1]
        assert "theirs" not in told[0][1]


async def _refused_or_item(client: Client, method: str, request: Any) -> Refused:
    """The refusal of a call; of a stream that of the item."""
    try:
        answer = await answer_to(client, method, request)
    except Refused as refused:
        return refused
    assert answer.WhichOneof("outcome") == "error"
    return Refused(answer.error)


async def test_lists_show_only_what_is_granted(office: Office) -> None:
    caller = await office.caller({"read"}, [office.world.other_entity, "does-not-exist"])
    answer = await caller.entities.ListEntities(entities.ListEntitiesRequest())
    assert [entity.id for entity in answer.entities] == [office.world.other_entity]


async def test_page_token_of_another_caller(office: Office) -> None:
    """It does not carry the first caller's sight."""
    page = entities.ListEntitiesRequest(page_size=1)
    first = await office.service.client.entities.ListEntities(page)
    caller = await office.caller({"read"}, [office.world.other_entity])
    page.page_token = first.next_page_token
    assert (await refusal(caller.entities.ListEntities(page))).reason == "INVALID_PAGE_TOKEN"


async def test_posting_directly_needs_approve_as_well(office: Office) -> None:
    """Alone, in a batch, in a stream: what is POSTED at once would have skipped the approval."""
    entity = office.world.entity
    caller = await office.caller({"write"}, [entity])
    before = await sequence_of(office.service.client, entity)

    def posted() -> transactions.CreateTransactionRequest:
        return transfer(entity, "cash", "wallet", "1.00", status=POSTED)

    denied(await refusal(caller.transactions.CreateTransaction(posted())), "approve")
    batch = transactions.BatchCreateTransactionsRequest(entity_id=entity, requests=[posted(), posted()], atomic=True)
    denied(await refusal(caller.transactions.BatchCreateTransactions(batch)), "approve")
    item = transactions.StreamCreateTransactionsRequest(request=posted())
    denied(await _refused_or_item(caller, "StreamCreateTransactions", item), "approve")
    assert await sequence_of(office.service.client, entity) == before
    both = await office.caller({"write", "approve"}, [entity])
    assert (await both.transactions.CreateTransaction(posted())).sequence == before + 1


async def test_name_of_the_credential_is_in_the_history(office: Office) -> None:
    caller = await office.caller({"write"}, [office.world.entity])
    answer = await caller.transactions.CreateTransaction(
        transfer(office.world.entity, "cash", "wallet", "1.00", status="TRANSACTION_STATUS_PENDING")
    )
    assert answer.transaction.actor.startswith("credential-")


async def test_tokens_from_the_command_line(office: Office) -> None:
    """Made by an operator; good for what it says, and not after it has been revoked or its time is over."""
    entity = office.world.other_entity
    base = ("token", "create", "--scope", "read", "--entity", entity, "--name")
    tokens = {}
    for name in ("good", "revoked", "expired"):
        code, output, errors = await run_cli(*base, name, dsn=office.service.dsn)
        assert code == 0, errors
        tokens[name] = output.strip()
    connection = await asyncpg.connect(office.service.dsn)
    try:
        for name in ("revoked", "expired"):
            column = {"revoked": "revoked_time", "expired": "expire_time"}[name]
            await connection.execute(f"UPDATE ledger.credentials SET {column} = now() WHERE name = $1", name)
    finally:
        await connection.close()
    channel = office.service.client.channel
    request = entities.GetEntityRequest(entity_id=entity)
    assert (await Client(channel, tokens["good"]).entities.GetEntity(request)).entity.id == entity
    for name in ("revoked", "expired"):
        refused = await refusal(Client(channel, tokens[name]).entities.GetEntity(request))
        assert (refused.code, refused.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
