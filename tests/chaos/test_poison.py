"""An item that fails by a fault of the service fails alone, wherever it stands."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import structlog.testing

from ledger.v1 import transaction_service_pb2 as pb
from tests.chaos.poison import POISON, remove_poison, set_poison
from tests.helpers.builders import ASSET, balance, new_account, new_entity, transfer
from tests.helpers.rpc import Refused
from tests.helpers.sql import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.helpers.servers import Service


@pytest.fixture
async def entity(service: Service) -> AsyncIterator[str]:
    """One with two accounts, on a database that refuses poison."""
    name = await new_entity(service.client)
    await new_account(service.client, name, "cash", ASSET)
    await new_account(service.client, name, "wallet")
    async with connected(service.dsn) as connection:
        await set_poison(connection)
        with structlog.testing.capture_logs():
            yield name
        await remove_poison(connection)


def requests(entity: str, count: int, spoilt: set[int]) -> list[pb.CreateTransactionRequest]:
    return [
        transfer(entity, "cash", "wallet", "1.00", description=POISON if index in spoilt else "")
        for index in range(count)
    ]


@pytest.mark.parametrize("spoilt", [{0}, {7}, {0, 5, 6, 299}], ids=str)
async def test_items_of_a_batch(service: Service, entity: str, spoilt: set[int]) -> None:
    items = requests(entity, 300, spoilt)
    message = pb.BatchCreateTransactionsRequest(entity_id=entity, requests=items)
    for replayed in (False, True):
        answer = await service.client.transactions.BatchCreateTransactions(message)
        failed = {index for index, result in enumerate(answer.results) if result.WhichOneof("outcome") == "error"}
        assert failed == spoilt
        assert {Refused(answer.results[index].error).reason for index in failed} == {"INTERNAL"}
        done = [result.response for index, result in enumerate(answer.results) if index not in spoilt]
        assert {each.replayed for each in done} == {replayed}
    assert (await balance(service.client, entity, "wallet")).posted.amount == f"{300 - len(spoilt)}.00"


async def test_items_of_a_stream(service: Service, entity: str) -> None:
    messages = [pb.StreamCreateTransactionsRequest(request=request) for request in requests(entity, 40, {3, 20})]
    answers = [each async for each in service.client.transactions.StreamCreateTransactions(iter(messages))]
    assert [each.index for each in answers if each.WhichOneof("outcome") == "error"] == [3, 20]
    assert (await balance(service.client, entity, "wallet")).posted.amount == "38.00"


async def test_calls_at_the_same_time(service: Service, entity: str) -> None:
    calls = [service.client.transactions.CreateTransaction(each) for each in requests(entity, 40, {3, 20})]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [index for index, each in enumerate(answers) if isinstance(each, Refused)] == [3, 20]
    assert (await balance(service.client, entity, "wallet")).posted.amount == "38.00"
