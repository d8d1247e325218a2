"""Somebody with a grant for one entity asks about the others, by every name that he could have come by."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import grpc

from ledger.v1 import account_service_pb2, entity_service_pb2
from ledger.v1 import transaction_service_pb2 as pb
from tests.chaos.callers import note
from tests.chaos.history import now
from tests.chaos.workloads import transfer
from tests.helpers.credentials import api_key
from tests.helpers.load import AMBIGUOUS
from tests.helpers.model import Void
from tests.helpers.rpc import Refused, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.chaos.history import Story, Write
    from tests.chaos.scene import Scene
    from tests.helpers.rpc import Client

_SCOPES = ("read", "write", "approve", "reverse")
_PAUSE_SECONDS = 0.05
_NOBODYS = "txn_" + "0" * 26
_FOREIGN = 10**9
"""To the model another's transaction is one that does not exist: numbers from here on."""


async def stranger(dsn: str, own: Story) -> str:
    """A token with a grant for one entity."""
    return await api_key(dsn, _SCOPES, [own.name])


async def probe(scene: Scene, token: str, stories: Sequence[Story]) -> None:
    """Ask until cancelled, through both processes; whatever is told is noted in the story of whom it is about.

    The token is one for the first entity.
    """
    own, *others = stories
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connect(address, token, 20)) for address in scene.addresses]
        while True:
            for story in others:
                for client in clients:
                    for name, call in _questions(client, own, story):
                        await _ask(story, name, call)
                        await asyncio.sleep(_PAUSE_SECONDS)


def _questions(client: Client, own: Story, other: Story) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What to ask: of the other entity, and of what is in it by way of one's own."""
    number = max((number for number in other.requests.ids if number < _FOREIGN), default=0)
    id_ = other.requests.ids.get(number, _NOBODYS)
    account = other.accounts[0].id
    transactions, accounts = client.transactions, client.accounts
    for entity in (other.name, own.name):
        yield (
            "GetTransaction",
            lambda e=entity: transactions.GetTransaction(pb.GetTransactionRequest(entity_id=e, transaction_id=id_)),
        )
    yield (
        "VoidTransaction",
        lambda: transactions.VoidTransaction(
            pb.VoidTransactionRequest(entity_id=other.name, transaction_id=id_, idempotency_key="stranger-void")
        ),
    )
    # In his own entity he may try, and the refusal is recorded there.
    foreign = _FOREIGN + len(own.writes)
    own.requests.ids[foreign] = id_
    own_try = own.begin(Void(f"stranger-{own.name}-{foreign}", foreign))
    yield "VoidTransaction of his own", lambda: _told(own_try, transactions.VoidTransaction(
        pb.VoidTransactionRequest(entity_id=own.name, transaction_id=id_, idempotency_key=own_try.command.key)
    ))  # fmt: skip
    yield "GetEntity", lambda: client.entities.GetEntity(entity_service_pb2.GetEntityRequest(entity_id=other.name))
    yield (
        "GetBalance",
        lambda: accounts.GetBalance(account_service_pb2.GetBalanceRequest(entity_id=other.name, account_id=account)),
    )
    yield "ListTransactions", lambda: transactions.ListTransactions(pb.ListTransactionsRequest(entity_id=other.name))
    yield (
        "ListEntries",
        lambda: accounts.ListEntries(account_service_pb2.ListEntriesRequest(entity_id=other.name, account_id=account)),
    )
    yield (
        "LookUpTransaction",
        lambda: transactions.LookUpTransaction(
            pb.LookUpTransactionRequest(entity_id=other.name, idempotency_key=f"{other.name}-0-1")
        ),
    )
    yield (
        "CreateTransaction",
        lambda: transactions.CreateTransaction(
            other.requests.create(transfer(f"stranger-{other.name}", account, other.accounts[1].id, 1))
        ),
    )
    yield (
        "WatchTransactions",
        lambda: _first(transactions.WatchTransactions(pb.WatchTransactionsRequest(entity_id=other.name), timeout=5)),
    )


async def _told(write: Write, call: Any) -> Any:
    """The answer, noted in the story as well."""
    try:
        answer = await call
    except Refused as refused:
        note(write, refused)
        raise
    write.tell(answer, now())
    return answer


async def _first(call: Any) -> Any:
    try:
        return await call.read()
    finally:
        call.cancel()


async def _ask(story: Story, name: str, call: Callable[[], Any]) -> None:
    try:
        answer = await call()
    except Refused as refused:
        code = refused.code
        text = str(refused)
    except grpc.aio.AioRpcError as error:
        code, text = error.code(), str(error.details())
    else:
        story.strangers.append(f"{name} answered {answer}")
        return
    story.probes += 1
    if code in AMBIGUOUS:
        return
    if code not in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND) or story.name in text:
        story.strangers.append(f"{name}: {text}")
