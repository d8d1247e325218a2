"""Batches that are decided while the one before them is written, on the real parts: beside another process that
writes to the same accounts, with keys that come again, a floor, and accounts that nobody has seen before."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING

from ledger.v1 import transaction_service_pb2 as transactions
from ledger_service.storage.write_session import WriteSession
from tests.helpers.builders import ASSET, balance, new_account, new_accounts, new_entity, sequence_of, transfer
from tests.helpers.rpc import Refused
from tests.helpers.servers import serving

if TYPE_CHECKING:
    import pytest

    from ledger_service.application.ports import Clock, Loaded
    from tests.helpers.rpc import Client

WALLETS = [f"wallet-{number}" for number in range(12)]
ITEMS = 300


class Caller:
    """Sends batches, each after the answer to the one before it; some items with a key of an earlier one."""

    def __init__(self, number: int, client: Client, entity: str) -> None:
        self.client = client
        self.entity = entity
        self.number = number
        self.random = random.Random(number)
        self.sent: dict[str, transactions.CreateTransactionRequest] = {}
        self.applied: dict[str, str] = {}
        """Transaction ids by key."""

    async def run(self, batches: int) -> None:
        """All batches; whatever comes again is answered as it was the first time."""
        for batch in range(batches):
            requests = [self._request(f"{self.number}-{batch}-{place}") for place in range(ITEMS)]
            message = transactions.BatchCreateTransactionsRequest(entity_id=self.entity, requests=requests)
            answer = await self.client.transactions.BatchCreateTransactions(message)
            for request, result in zip(requests, answer.results, strict=True):
                key = request.idempotency_key
                if result.WhichOneof("outcome") == "error":
                    assert Refused(result.error).reason == "INSUFFICIENT_BALANCE"
                    assert key not in self.applied
                else:
                    told = result.response.transaction.id
                    assert self.applied.setdefault(key, told) == told
                    assert result.response.replayed == (key in self.sent)
                self.sent.setdefault(key, request)

    def _request(self, key: str) -> transactions.CreateTransactionRequest:
        if self.sent and self.random.random() < 0.002:
            return self.sent[self.random.choice(list(self.sent))]
        wallet = self.random.choice(WALLETS)
        debit, credit = (wallet, "hot") if self.random.random() < 0.5 else ("hot", wallet)
        return transfer(self.entity, debit, credit, f"{self.random.randint(1, 40)}.00", idempotency_key=key)


async def test_beside_another_process(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: Counter[bool] = Counter()
    look = WriteSession.still_follows

    async def counted(session: WriteSession, following: Loaded, clock: Clock) -> bool:
        is_so = await look(session, following, clock)
        looks[is_so] += 1
        return is_so

    monkeypatch.setattr(WriteSession, "still_follows", counted)
    async with serving(database, max_commit_commands=250) as here, serving(database) as there:
        entity = await new_entity(here.client)
        await new_accounts(here.client, entity, WALLETS, type=ASSET)
        await new_account(here.client, entity, "hot", floor="0.00")
        callers = [Caller(number, here.client, entity) for number in range(4)]
        other = Caller(9, there.client, entity)
        await asyncio.gather(*(caller.run(6) for caller in callers), other.run(3))
        callers.append(other)
        sums = Counter[str]()
        for caller in callers:
            for key in caller.applied:
                request = caller.sent[key]
                amount = int(Fraction(request.amount.amount))
                sums[request.debit_account_id] += amount
                sums[request.credit_account_id] -= amount
        for account in ("hot", *WALLETS):
            got = Fraction((await balance(here.client, entity, account)).posted.amount)
            assert got == (-sums[account] if account == "hot" else sums[account])
        refused = sum(len(caller.sent) - len(caller.applied) for caller in callers)
        assert refused, "the floor was never met: the test shows nothing"
        told = sum(len(caller.sent) for caller in callers)
        assert await sequence_of(here.client, entity) == 1 + len(WALLETS) + 1 + told
    assert looks[True], "nothing was decided ahead: the test shows nothing"
    assert looks[False], "all was as foreseen, although others wrote and keys came again: the test shows nothing"
