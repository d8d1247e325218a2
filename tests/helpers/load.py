"""Callers that write without pause, and remember what they were told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc

from tests.helpers.builders import ASSET, new_account, new_entity, sequence_of, transfer, unique
from tests.helpers.rpc import Client, Refused
from tests.helpers.watching import Replay, read_history

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.v1 import transaction_service_pb2 as transactions

AMBIGUOUS = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
}
"""Codes after which the same request is sent again with the same key (protos/ledger/v1/errors.proto)."""


@dataclass
class Load:
    """What all callers together were told."""

    entity: str
    acknowledged: dict[str, str] = field(default_factory=dict)
    """Ids of transactions by key."""
    failed: dict[str, Refused] = field(default_factory=dict)
    """The last failure of requests that were not acknowledged, by key."""
    failures: list[Refused] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    async def prepare(cls, client: Client) -> Load:
        """An entity with the two accounts that the callers move money between: sequence 3."""
        entity = await new_entity(client)
        await new_account(client, entity, "cash", ASSET)
        await new_account(client, entity, "wallet")
        return cls(entity)

    def request(self, key: str) -> transactions.CreateTransactionRequest:
        """The request with that key; always the same."""
        return transfer(self.entity, "cash", "wallet", "1.00", idempotency_key=key)

    async def until_first_failure(self, client: Client) -> None:
        """Write until a call fails, and leave that one as it is."""
        while True:
            key = unique("load")
            try:
                answer = await client.transactions.CreateTransaction(self.request(key))
            except Refused as refused:
                self.failed[key] = refused
                return
            self._note(key, answer)

    async def with_retries(self, clients: Sequence[Client], count: int) -> None:
        """Write that many; after an ambiguous failure send the same again, over the next connection."""
        turn = 0
        for _ in range(count):
            key = unique("load")
            while key not in self.acknowledged:
                client = clients[turn % len(clients)]
                turn += 1
                try:
                    self._note(key, await client.transactions.CreateTransaction(self.request(key)))
                except Refused as refused:
                    if refused.code not in AMBIGUOUS:
                        raise
                    self.failures.append(refused)
                    await asyncio.sleep(0.02)

    def _note(self, key: str, answer: transactions.CreateTransactionResponse) -> None:
        self.acknowledged[key] = answer.transaction.id
        self._changed.set()

    async def has_acknowledged(self, count: int) -> None:
        """Wait until that many were acknowledged."""
        while len(self.acknowledged) < count:
            self._changed.clear()
            await self._changed.wait()

    async def check_nothing_lost_nothing_double(self, client: Client) -> set[str]:
        """Everything acknowledged is in the history once, under its id; gives the keys that are there beyond."""
        events = await read_history(client, self.entity, await sequence_of(client, self.entity))
        replay = Replay()
        for event in events:
            replay.add(event)
        lost = {key for key, id_ in self.acknowledged.items() if replay.keys.get(key) != id_}
        assert lost == set(), "acknowledged and not in the history"
        assert len(events) == 3 + len(replay.keys)
        assert replay.balances["wallet"] == len(replay.keys)
        return set(replay.keys) - set(self.acknowledged)
