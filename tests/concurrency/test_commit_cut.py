"""The connection breaks at every point of a commit: nothing is lost or doubled, the caller is told the truth."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import asyncpg
import grpc
import pytest

from ledger.v1 import transaction_service_pb2 as pb
from ledger_service.application.ports import Unavailable
from ledger_service.storage.memory import Memory
from ledger_service.storage.write_session import WriteSession
from tests.helpers.builders import ASSET, balance, new_account, new_entity, transfer
from tests.helpers.cutting_proxy import Place, cutting
from tests.helpers.rpc import Refused
from tests.helpers.servers import assert_sound, serving
from tests.helpers.sql import connected

if TYPE_CHECKING:
    from tests.helpers.rpc import Client

CUTS = 12
"""At each place; six places."""


class World:
    """Two entities and all that was sent to them."""

    def __init__(self, client: Client, seed: int) -> None:
        self.client = client
        self.chance = random.Random(seed)
        self.entities: list[str] = []
        self.keys: dict[str, str] = {}
        self.ids: dict[str, str] = {}

    async def make(self) -> None:
        """Entities, each with a hot account."""
        for _ in range(2):
            entity_id = await new_entity(self.client)
            await new_account(self.client, entity_id, "cash", ASSET)
            await new_account(self.client, entity_id, "wallet", floor="0")
            self.entities.append(entity_id)

    def request(self, entity_id: str) -> pb.CreateTransactionRequest:
        """One unit into the wallet, under a new key."""
        key = f"key-{len(self.keys)}"
        self.keys[key] = entity_id
        return transfer(entity_id, "cash", "wallet", "1.00", idempotency_key=key)

    async def single(self) -> None:
        """One call, and the same again."""
        request = self.request(self.chance.choice(self.entities))
        answer = await self.client.transactions.CreateTransaction(request)
        self.note(request, answer, replayed=False)
        self.note(request, await self.client.transactions.CreateTransaction(request), replayed=True)

    async def batch(self, atomic: bool) -> None:
        """Several in one call, and the same again."""
        entity_id = self.chance.choice(self.entities)
        requests = [self.request(entity_id) for _ in range(self.chance.randint(2, 8))]
        message = pb.BatchCreateTransactionsRequest(entity_id=entity_id, requests=requests, atomic=atomic)
        for replayed in (False, True):
            answer = await self.client.transactions.BatchCreateTransactions(message)
            for request, result in zip(requests, answer.results, strict=True):
                assert result.HasField("response"), result
                self.note(request, result.response, replayed=replayed)

    def note(self, request: pb.CreateTransactionRequest, answer: Any, *, replayed: bool) -> None:
        """The first answer is a success and no replay; the second one is the first again."""
        assert answer.replayed == replayed
        assert self.ids.setdefault(request.idempotency_key, answer.transaction.id) == answer.transaction.id

    async def several(self) -> None:
        """Calls of all kinds at once: they share commits."""
        await asyncio.gather(self.single(), self.batch(atomic=False), self.single(), self.batch(atomic=True))

    async def assert_each_once(self, dsn: str) -> None:
        """In the tables themselves, and in the balances."""
        async with connected(dsn) as connection:
            rows = await connection.fetch(
                "SELECT idempotency_key, count(*) FROM ledger.events WHERE kind = 1 GROUP BY idempotency_key"
            )
            entries = await connection.fetchval("SELECT count(*) FROM ledger.entries")
        assert {row[0]: row[1] for row in rows} == dict.fromkeys(self.keys, 1)
        assert entries == 2 * len(self.keys)
        for entity_id, count in Counter(self.keys.values()).items():
            for account_id in ("cash", "wallet"):
                assert (await balance(self.client, entity_id, account_id)).posted.amount == f"{count}.00"


@pytest.mark.parametrize("place", Place, ids=lambda place: place.name.lower())
async def test_a_connection_that_breaks(database: str, place: Place) -> None:
    async with cutting(database) as (proxy, dsn), serving(dsn) as service:
        world = World(service.client, seed=list(Place).index(place))
        await world.make()
        kinds = [world.single, lambda: world.batch(atomic=False), lambda: world.batch(atomic=True), world.several]
        for number in range(CUTS):
            # Not always the first commit of the call: with several under way, a later one.
            kind = kinds[number % len(kinds)]
            is_several = kind == world.several
            plan = proxy.arm(place, skip=world.chance.randrange(2) if is_several else 0)
            writers = proxy.writers
            await kind()
            assert plan.happened.is_set()
            assert proxy.writers > writers, "the committer has connected anew"
            if place in (Place.COMMIT_ANSWERED, Place.ONE_BYTE_OF_ANSWER):
                assert b"C\0\0\0\x0bCOMMIT\0" in plan.answered, "the server had committed"
        assert proxy.cuts == [place] * CUTS
        await world.assert_each_once(database)
        await assert_sound(database)


async def test_cut_again_while_it_is_being_found_out(database: str) -> None:
    """Each batch meets several cuts in a row, in any order of places."""
    async with cutting(database) as (proxy, dsn), serving(dsn) as service:
        world = World(service.client, seed=17)
        await world.make()
        for _ in range(6):
            places = world.chance.sample(list(Place), 3)
            call = asyncio.create_task(world.several())
            for place in places:
                plan = proxy.arm(place)
                waiting = asyncio.create_task(plan.happened.wait())
                while not plan.happened.is_set():
                    if call.done():
                        await call
                        call = asyncio.create_task(world.several())
                    await asyncio.wait({call, waiting}, return_when=asyncio.FIRST_COMPLETED)
            await call
        assert len(proxy.cuts) == 18
        await world.assert_each_once(database)


class _Confused:
    """A connection whose backend was ended between two statements, as asyncpg at times leaves it."""

    async def execute(self, statement: str) -> str:
        raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")


async def test_a_driver_that_is_confused_by_a_lost_backend_has_lost_it() -> None:
    session = WriteSession(_Confused(), Memory(10), random.Random(1))
    with pytest.raises(Unavailable):
        await session.lock([1])
    with pytest.raises(Unavailable):
        await session.rollback()


async def test_backends_that_are_ended_under_load(database: str) -> None:
    """pg_terminate_backend of the writers at random moments."""
    ended = 0
    async with serving(database) as service, connected(database) as administrator:
        world = World(service.client, seed=4711)
        await world.make()
        turn = asyncio.Lock()

        async def end_a_writer() -> None:
            nonlocal ended
            async with turn:
                ended += await administrator.fetchval(
                    "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity "
                    "WHERE application_name = 'ledger-writer' AND datname = current_database() "
                    "ORDER BY random() LIMIT 1) AS one"
                )

        async def worker() -> None:
            while ended < 40:
                request = world.request(world.chance.choice(world.entities))
                is_first = True
                while True:
                    call = asyncio.create_task(service.client.transactions.CreateTransaction(request))
                    if world.chance.random() < 0.2:
                        await end_a_writer()
                    try:
                        answer = await call
                    except Refused as refused:
                        if refused.code is not grpc.StatusCode.UNAVAILABLE:
                            raise
                        is_first = False
                        continue
                    assert not (is_first and answer.replayed)
                    world.ids[request.idempotency_key] = answer.transaction.id
                    break

        async with asyncio.TaskGroup() as workers:
            for _ in range(6):
                workers.create_task(worker())
        assert ended >= 40
        assert world.ids.keys() == world.keys.keys()
        await world.assert_each_once(database)
        await assert_sound(database)
