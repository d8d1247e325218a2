"""WatchTransactions: everything, in order, once; across restarts of either side (DESIGN rule 9)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import pytest

from ledger.v1 import account_service_pb2 as accounts
from ledger.v1 import entity_service_pb2 as entities
from ledger.v1 import transaction_service_pb2 as transactions
from tests.helpers.builders import (
    ASSET,
    PENDING,
    new_account,
    new_entity,
    sequence_of,
    transfer,
    unique,
)
from tests.helpers.processes import serve
from tests.helpers.rpc import Client, Refused, connect, refusal, refusal_of
from tests.helpers.servers import TOKEN, Service, serving
from tests.helpers.watching import Event, read_history

if TYPE_CHECKING:
    from pathlib import Path

BACKLOG = 1_200
"""More than the service reads at once."""


async def prepare(client: Client) -> str:
    """An entity with two accounts: sequence 3."""
    entity = await new_entity(client)
    await new_account(client, entity, "cash", ASSET)
    await new_account(client, entity, "wallet")
    return entity


async def write(client: Client, entity: str, count: int) -> list[str]:
    """That many transactions; gives their ids in the order of their sequence."""
    requests = [transfer(entity, "cash", "wallet", "1.00") for _ in range(count)]
    batch = transactions.BatchCreateTransactionsRequest(entity_id=entity, requests=requests)
    answer = await client.transactions.BatchCreateTransactions(batch)
    return [result.response.transaction.id for result in answer.results]


class Follower:
    """A client that watches, and goes on after the last event that it has."""

    def __init__(self, entity: str, after: int = 0) -> None:
        self.entity = entity
        self.after = after
        self.events: list[Event] = []

    async def follow(self, client: Client, until: int) -> None:
        """Read until it has that sequence. Raises Refused when the server ends the call before."""
        request = transactions.WatchTransactionsRequest(entity_id=self.entity, after_sequence=self.after)
        call = client.transactions.WatchTransactions(request)
        try:
            while self.after < until:
                event = await call.read()
                assert event.sequence == self.after + 1, "a gap or a repeat"
                self.after = event.sequence
                self.events.append(event)
        except grpc.aio.AioRpcError as error:
            raise refusal_of(error) from None
        finally:
            call.cancel()

    @property
    def ids(self) -> list[str]:
        """Of the transactions that were told."""
        return [event.transaction.id for event in self.events if event.HasField("transaction")]


async def test_backlog_then_live(client: Client) -> None:
    """More than one page of what is recorded, and what comes while it is being read, and after."""
    entity = await prepare(client)
    ids = await write(client, entity, BACKLOG)
    follower = Follower(entity)
    task = asyncio.ensure_future(follower.follow(client, 3 + BACKLOG + 300))
    for _ in range(10):
        ids += await write(client, entity, 30)
    await task
    assert follower.ids == ids


async def test_from_any_sequence_on(client: Client) -> None:
    entity = await prepare(client)
    await write(client, entity, 20)
    whole = await read_history(client, entity, 23)
    for after in (0, 1, 3, 10, 22):
        assert await read_history(client, entity, 23, after) == whole[after:]


async def test_from_the_newest_on_only_what_comes(client: Client) -> None:
    entity = await prepare(client)
    await write(client, entity, 5)
    follower = Follower(entity, after=8)
    task = asyncio.ensure_future(follower.follow(client, 9))
    [newest] = await write(client, entity, 1)
    await task
    assert follower.ids == [newest]


async def test_what_each_event_tells(client: Client) -> None:
    """One of each kind, with its subject as it was after the event."""
    entity = await prepare(client)

    async def key_and(method: str, kind: type, **fields: object) -> str:
        key = unique(method)
        stub = client.accounts if hasattr(accounts, kind.__name__) else client.transactions
        await getattr(stub, method)(kind(entity_id=entity, idempotency_key=key, **fields))
        return key

    one = transfer(entity, "cash", "wallet", "5.00", status=PENDING)
    two = transfer(entity, "cash", "wallet", "6.00", status=PENDING)
    first = (await client.transactions.CreateTransaction(one)).transaction.id
    second = (await client.transactions.CreateTransaction(two)).transaction.id
    edited = await key_and(
        "EditTransaction", transactions.EditTransactionRequest, transaction_id=first, description="new"
    )
    cleared = await key_and("ClearTransaction", transactions.ClearTransactionRequest, transaction_id=first)
    approvals = [transactions.Approval(transaction_id=first)]
    approved = await key_and("ApproveTransactions", transactions.ApproveTransactionsRequest, approvals=approvals)
    voided = await key_and("VoidTransaction", transactions.VoidTransactionRequest, transaction_id=second)
    reversed_ = await key_and("ReverseTransaction", transactions.ReverseTransactionRequest, transaction_id=first)
    frozen = await key_and("FreezeAccount", accounts.FreezeAccountRequest, account_id="cash")
    refused = transfer(entity, "cash", "wallet", "1.00")
    answer = await refusal(client.transactions.CreateTransaction(refused))
    await client.entities.ArchiveEntity(entities.ArchiveEntityRequest(entity_id=entity, idempotency_key="end"))

    events = await read_history(client, entity, await sequence_of(client, entity))
    told = [(transactions.EventKind.Name(e.kind).removeprefix("EVENT_KIND_"), e.idempotency_key) for e in events]
    assert told == [
        ("ENTITY_CREATED", ""),
        ("ACCOUNT_CREATED", ""),
        ("ACCOUNT_CREATED", ""),
        ("TRANSACTION_CREATED", one.idempotency_key),
        ("TRANSACTION_CREATED", two.idempotency_key),
        ("TRANSACTION_EDITED", edited),
        ("TRANSACTION_CLEARED", cleared),
        ("TRANSACTION_POSTED", approved),
        ("TRANSACTION_VOIDED", voided),
        ("TRANSACTION_REVERSED", reversed_),
        ("ACCOUNT_CHANGED", frozen),
        ("WRITE_REFUSED", refused.idempotency_key),
        ("ENTITY_CHANGED", "end"),
    ]
    assert [e.transaction.status for e in events[3:10]] == [1, 1, 1, 2, 3, 4, 3]
    assert [e.transaction.id for e in events[3:9]] == [first, second, first, first, first, second]
    assert [e.transaction.description for e in events[3:8]] == ["", "", "new", "new", "new"]
    assert events[9].transaction.reverses_transaction_id == first
    assert [e.account.id for e in events[1:3]] == ["cash", "wallet"]
    assert events[10].account.state == 2
    assert Refused(events[11].refusal).reason == answer.reason == "ACCOUNT_FROZEN"
    assert [events[0].entity.state, events[12].entity.state] == [1, 2]
    assert all(event.actor for event in events)


async def test_written_by_another_process(service: Service) -> None:
    """Watched at one server, written at another."""
    entity = await prepare(service.client)
    async with serving(service.dsn) as other:
        follower = Follower(entity)
        task = asyncio.ensure_future(follower.follow(service.client, 3 + 100))
        ids = []
        for _ in range(10):
            ids += await write(other.client, entity, 10)
        await task
    assert follower.ids == ids


async def test_many_watchers_of_many_entities(client: Client) -> None:
    """Each is told of its own entity, and all of it."""
    tasks = []
    followers = []
    for _ in range(5):
        entity = await prepare(client)
        for _ in range(4):
            follower = Follower(entity)
            followers.append(follower)
            tasks.append(asyncio.ensure_future(follower.follow(client, 3 + 20)))
    written = {entity: await write(client, entity, 20) for entity in {f.entity for f in followers}}
    await asyncio.gather(*tasks)
    assert [follower.ids for follower in followers] == [written[follower.entity] for follower in followers]


async def test_caller_that_does_not_read_holds_up_nobody(client: Client) -> None:
    entity = await prepare(client)
    await write(client, entity, BACKLOG)
    request = transactions.WatchTransactionsRequest(entity_id=entity)
    idle = client.transactions.WatchTransactions(request)
    assert (await idle.read()).sequence == 1
    await write(client, entity, 50)
    assert len(await read_history(client, entity, 3 + BACKLOG + 50)) == 3 + BACKLOG + 50
    idle.cancel()


async def test_across_a_restart_of_the_server(database: str) -> None:
    """The watch ends with UNAVAILABLE (DRAINING); from the last sequence on, another server continues."""
    async with serving(database) as first:
        entity = await prepare(first.client)
        ids = await write(first.client, entity, 50)
        follower = Follower(entity)
        await follower.follow(first.client, 3 + 20)
        watching = asyncio.ensure_future(follower.follow(first.client, 10**9))
        ids += await write(first.client, entity, 10)
        while follower.after < 3 + 60:
            await asyncio.sleep(0.01)
        await first.running.stop()
        with pytest.raises(Refused) as ended:
            await watching
        assert (ended.value.code, ended.value.reason) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")
    async with serving(database) as second:
        ids += await write(second.client, entity, 30)
        await follower.follow(second.client, 3 + 90)
    assert follower.ids == ids


async def test_across_a_killed_server_and_a_client_that_connects_again(database: str, tmp_path: Path) -> None:
    """Written by processes of their own; the second takes over after a kill -9 of the first."""
    follower: Follower | None = None
    ids: list[str] = []
    for round_ in range(2):
        async with serve(tmp_path, database, workers=2) as server, connect(server.address, TOKEN) as client:
            if follower is None:
                follower = Follower(await prepare(client))
            ids += await write(client, follower.entity, 40)
            await follower.follow(client, 3 + 40 * round_ + 20)
            async with connect(server.address, TOKEN) as anew:
                await follower.follow(anew, 3 + 40 * (round_ + 1))
            if round_ == 0:
                watching = asyncio.ensure_future(follower.follow(client, 10**9))
                await server.kill()
                with pytest.raises(Refused) as ended:
                    await watching
                assert ended.value.code == grpc.StatusCode.UNAVAILABLE
    assert follower is not None
    assert follower.ids == ids


async def test_more_watchers_than_allowed(database: str) -> None:
    async with serving(database, max_watchers=3) as service:
        entity = await prepare(service.client)
        request = transactions.WatchTransactionsRequest(entity_id=entity)
        calls = [service.client.transactions.WatchTransactions(request) for _ in range(3)]
        for call in calls:
            assert (await call.read()).sequence == 1
        refused = await refusal(service.client.transactions.WatchTransactions(request).read())
        assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHERS")
        calls.pop().cancel()
        follower = Follower(entity)
        while not follower.events:
            # The server hears of the cancelled call a moment later.
            try:
                await follower.follow(service.client, 3)
            except Refused as refused:
                assert refused.reason == "TOO_MANY_WATCHERS"  # noqa: PT017
        for call in calls:
            call.cancel()
