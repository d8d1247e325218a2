"""Callers that write and read through any process, give up at any moment, and note all that they are told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any

import grpc

from ledger.v1 import transaction_service_pb2 as pb
from tests.chaos.desk import Alter, call_of
from tests.chaos.history import Look, Seen, now
from tests.chaos.last_reads import read_balances
from tests.helpers.load import AMBIGUOUS
from tests.helpers.model import Approve, Clear, Create, Leg, Reverse, SetState, Void
from tests.helpers.rpc import Client, Refused, refusal_of

if TYPE_CHECKING:
    import random
    from collections import Counter
    from collections.abc import Callable, Sequence

    from tests.chaos.history import Story, Write
    from tests.helpers.model import Command

_LEGS = (Leg("", "DEBIT", "USD", 1),)
"""All transactions here are of two postings in one currency: all that a reversal in part asks of the original."""
_PATIENCE_SECONDS = 60.0
"""So long a caller sends a request again whose outcome it does not know; then it leaves it unknown."""
_PAUSE_SECONDS = (0.01, 0.15)
_TIMEOUT_SECONDS = 20.0
_IMPATIENCE_SECONDS = 0.04
"""Callers who give up do so within this; a commit takes about as long under load."""


@dataclass(eq=False)
class Caller:
    """One of many; sends one thing after the other."""

    story: Story
    clients: Sequence[Client]
    chance: random.Random
    counts: Counter[str]
    """Of the whole round: what callers did that the gates ask for."""
    has_to_hurry: Callable[[], bool]
    """Whether cancellations are still wanted."""
    name: str = ""
    _number: int = field(default=0)

    def key(self) -> str:
        """One that nobody else uses."""
        self._number += 1
        return f"{self.name}-{self._number}"

    @property
    def client(self) -> Client:
        """A connection to one of the processes."""
        return self.chance.choice(self.clients)

    async def write(self, command: Command, *, hurried: float = 0.0) -> Any:
        """Send it until the outcome is known; `hurried`: the share of tries that are given up on the way.

        The answer or the Refused; None where it stays unknown.
        """
        until = now() + _PATIENCE_SECONDS
        while True:
            is_hurried = self.has_to_hurry() and self.chance.random() < hurried
            write = await self.send(command, is_hurried=is_hurried)
            if write.is_known:
                return write.answer
            # Who gave up by himself sometimes never comes back.
            if now() > until or (is_hurried and self.chance.random() < 0.3) or write.ambiguous.endswith("INTERNAL"):
                return None
            await asyncio.sleep(0 if is_hurried else self.chance.uniform(*_PAUSE_SECONDS))

    async def send(self, command: Command, *, is_hurried: bool = False, client: Client | None = None) -> Write:
        """One try."""
        request, method = _call(self.story, command, client or self.client)
        write = self.story.begin(command)
        if is_hurried and self.chance.random() < 0.5:
            await self._cancelled(write, method(request, timeout=_TIMEOUT_SECONDS))
        else:
            seconds = self.chance.uniform(0.0005, _IMPATIENCE_SECONDS) if is_hurried else _TIMEOUT_SECONDS
            await self._answered(write, method(request, timeout=seconds))
            if is_hurried and write.ambiguous.startswith("DEADLINE"):
                self.counts["deadlines"] += 1
        if write.is_known and not isinstance(write.answer, Refused) and hasattr(write.answer, "transaction"):
            transaction = write.answer.transaction
            self.story.learn(transaction.create_sequence, transaction.id)
            self.story.latest = max(self.story.latest, transaction.create_time.ToDatetime(UTC))
        return write

    async def _answered(self, write: Write, call: Any) -> None:
        try:
            answer = await call
        except Refused as refused:
            note(write, refused)
        else:
            write.tell(answer, now())

    async def _cancelled(self, write: Write, call: Any) -> None:
        task = asyncio.ensure_future(self._answered(write, call))
        await asyncio.wait({task}, timeout=self.chance.uniform(0, _IMPATIENCE_SECONDS))
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if not write.is_known:
                write.lose(why="CANCELLED")
                self.counts["cancellations"] += 1

    async def write_batch(self, commands: Sequence[Create], *, atomic: bool) -> bool:
        """A batch until its outcome is known; whether it was taken as a whole."""
        until = now() + _PATIENCE_SECONDS
        while True:
            writes = await self._send_batch(commands, atomic=atomic)
            lost = [write for write in writes if not write.is_known and not write.ambiguous.endswith("INTERNAL")]
            if not lost or now() > until:
                return all(write.is_known and not isinstance(write.answer, Refused) for write in writes)
            await asyncio.sleep(self.chance.uniform(*_PAUSE_SECONDS))

    async def _send_batch(self, commands: Sequence[Create], *, atomic: bool) -> list[Write]:
        request = pb.BatchCreateTransactionsRequest(entity_id=self.story.name, atomic=atomic)
        request.requests.extend(self.story.requests.create(command) for command in commands)
        writes = [self.story.begin(command, tuple(commands) if atomic else ()) for command in commands]
        try:
            answer = await self.client.transactions.BatchCreateTransactions(request, timeout=_TIMEOUT_SECONDS)
        except Refused as refused:
            for write in writes:
                note(write, refused)
        else:
            at = now()
            for write, result in zip(writes, answer.results, strict=True):
                _note_result(write, result, at)
        return writes

    async def write_stream(self, commands: Sequence[Create]) -> None:
        """A stream; what it left unanswered is sent again one by one."""
        writes = [self.story.begin(command) for command in commands]
        messages = [pb.StreamCreateTransactionsRequest(request=self.story.requests.create(each)) for each in commands]
        call = self.client.transactions.StreamCreateTransactions(iter(messages), timeout=_TIMEOUT_SECONDS)
        try:
            async for answer in call:
                _note_result(writes[answer.index], answer, now())
        except grpc.aio.AioRpcError as error:
            refused = refusal_of(error)
            for write in writes:
                if not write.is_known and not write.ambiguous:
                    write.lose(refused)
        for write in writes:
            if not write.is_known:
                await self.write(write.command)

    async def look(self, accounts: Sequence[str]) -> None:
        """Read balances, if anybody answers."""
        invoked = now()
        try:
            balances = await read_balances(self.client, self.story.name, accounts)
        except Refused as refused:
            if refused.code not in AMBIGUOUS:
                raise
            await asyncio.sleep(self.chance.uniform(*_PAUSE_SECONDS))
        else:
            self.story.looks.append(Look(invoked, now(), balances))


async def watch(story: Story, clients: Sequence[Client], chance: random.Random) -> None:
    """Follow an entity until cancelled, over whichever process is there, from the last event on."""
    seen: list[Seen] = []
    story.watches.append(seen)
    while True:
        after = seen[-1].sequence if seen else 0
        request = pb.WatchTransactionsRequest(entity_id=story.name, after_sequence=after)
        call = chance.choice(clients).transactions.WatchTransactions(request, timeout=chance.uniform(0.5, 10))
        try:
            # What has been seen by now counts, also when the call breaks.
            while (event := await call.read()) is not grpc.aio.EOF:
                seen.append(_seen(event))
        except grpc.aio.AioRpcError as error:
            if error.code() not in AMBIGUOUS:
                raise
            await asyncio.sleep(chance.uniform(*_PAUSE_SECONDS))
        finally:
            call.cancel()


def _seen(event: Any) -> Seen:
    return Seen(now(), event.sequence, event.kind, event.idempotency_key, event.transaction.id)


def note(write: Write, refused: Refused) -> None:
    """A failed call: definite, or not."""
    if refused.code in AMBIGUOUS:
        write.lose(refused)
    else:
        write.tell(refused, now())


def _note_result(write: Write, result: Any, at: float) -> None:
    if result.WhichOneof("outcome") == "response":
        write.tell(result.response, at)
    else:
        note(write, Refused(result.error))


def _call(story: Story, command: Command, client: Client) -> tuple[Any, Any]:
    requests, transactions = story.requests, client.transactions
    match command:
        case Alter():
            return call_of(story, command, client)
        case Create():
            return requests.create(command), transactions.CreateTransaction
        case Approve():
            return requests.approve(command), transactions.ApproveTransactions
        case Clear():
            return requests.clear(command), transactions.ClearTransaction
        case Void():
            return requests.void(command), transactions.VoidTransaction
        case Reverse():
            return requests.reverse(command, _LEGS), transactions.ReverseTransaction
        case SetState():
            methods = {"FROZEN": "FreezeAccount", "OPEN": "UnfreezeAccount"}
            return requests.set_state(command), getattr(client.accounts, methods[command.state])
    raise AssertionError(f"no workload sends {command}")
