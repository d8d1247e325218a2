"""The large ledger: made once through the service itself, in batches, measured while it is made, and kept.

One entity; each fifth transaction debits one account, which so gets 1,000,000 entries of 5,000,000; another one gets
10; the rest is uniform over 10,000 accounts. Effective times rise evenly over two years, one in 1,003 is backdated
by ten days. It can be cut off at any moment: every transaction has a key by its number, and the next run goes on.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg

from bench import machine, serving
from bench.errors import BenchError
from bench.paging import LastPages, find_last_pages
from bench.requests import transfer
from bench.serving import Service, create_accounts
from ledger.v1 import transaction_service_pb2 as pb
from ledger_client import LedgerClient, timestamp
from ledger_client import messages as m
from ledger_service.storage.embedded import EmbeddedPostgres

ENTITY = "large"
BUSY, QUIET = "account-busy", "account-quiet"
COMMON_WORD, RARE_WORD = "invoice", "zebra"
ACCOUNTS = 10_000
BEGINNING = datetime(2024, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=730)
MONTH = (datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC))
MIDDLE = BEGINNING + SPAN / 2
CHUNKS = 50
LAST_CHUNKS = 5
"""Those that take turns with the first one of a fresh ledger."""
BATCH = 1_000
_RECIPE = 1
_LOOK_SECONDS = 0.2
_TELL_EVERY = 5
"""Chunks between two lines of progress."""
_IN_FLIGHT = 2
"""Batches on their way: one is written while the next is read."""
_WORDS = ("office", "travel", "payroll", "rent", "licence", "freight", "repair")


@dataclass(slots=True)
class Chunk:
    """Some of the transactions, as they were written; `resumed`: cut off in between, so its rate says nothing."""

    transactions: int
    seconds: float
    resumed: bool
    busy_before: float | None
    """How much of the cores others took before it; looked at for the chunks that G1 is about."""
    beside: float | None = None
    """Seconds that the first chunk of a fresh ledger took, on the same server before or after; of the last ones."""

    @property
    def rate(self) -> float:
        """Transactions a second."""
        return self.transactions / self.seconds

    @property
    def growth(self) -> float | None:
        """The rate ÷ that of the first chunk beside it, where it tells something."""
        return None if self.beside is None or self.resumed else self.beside / self.seconds


@dataclass(slots=True)
class State:
    """What is there, kept beside the data."""

    transactions: int
    recipe: int = _RECIPE
    chunks: list[Chunk] = field(default_factory=list)
    begun: bool = False
    """A chunk is under way, or was when the last run was cut off."""
    verified: dict[str, int] | None = None
    last_pages: LastPages = field(default_factory=dict)

    @property
    def chunk_size(self) -> int:
        """Transactions of a chunk: 100,000 of 5,000,000."""
        return self.transactions // CHUNKS


@dataclass(frozen=True, slots=True)
class Dataset:
    """A ledger of so many transactions in a folder of its own."""

    folder: Path
    transactions: int

    @classmethod
    def of(cls, data: Path, transactions: int) -> Dataset:
        """Where it is kept. Sizes are rounded up to whole chunks."""
        rounded = -(-transactions // CHUNKS) * CHUNKS
        return cls(data / f"ledger-{rounded}", rounded)

    def state(self) -> State:
        """As it was left; raises SystemExit when it was made by another recipe."""
        try:
            content = json.loads((self.folder / "state.json").read_text("utf-8"))
        except FileNotFoundError:
            return State(self.transactions)
        if content["recipe"] != _RECIPE:
            raise SystemExit(f"{self.folder} was made by another version of the bench: remove it")
        content["chunks"] = [Chunk(**one) for one in content["chunks"]]
        return State(**content)

    def save(self, state: State) -> None:
        """Whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.folder / "state.new"
        fresh.write_text(json.dumps(asdict(state), indent=1) + "\n", "utf-8")
        fresh.replace(self.folder / "state.json")

    @asynccontextmanager
    async def started(self) -> AsyncIterator[EmbeddedPostgres]:
        """The PostgreSQL that has it; stopped at the end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        postgres = await EmbeddedPostgres.start((self.folder / "data").absolute(), progress=lambda _: None)
        try:
            yield postgres
        finally:
            await postgres.stop()

    @asynccontextmanager
    async def served(self, token: str, workers: int = 1) -> AsyncIterator[Service]:
        """A service on it; stopped at the end."""
        async with self.started() as postgres, serving.serving(postgres, token, workers) as service:
            yield service

    async def ensure(self, token: str, say: Callable[[str], None], *, with_last_pages: bool = False) -> State:
        """Make what is missing of it: rows, proof, and where wanted the tokens of the last pages, which take long."""
        state = self.state()
        needs_pages = with_last_pages and not state.last_pages
        if len(state.chunks) == CHUNKS and state.verified and not needs_pages:
            return state
        async with (
            self.started() as postgres,
            serving.serving(postgres, token, 1) as service,
            service.client() as client,
        ):
            if len(state.chunks) < CHUNKS:
                async with AsyncExitStack() as stack:
                    await self._fill(client, state, _Fresh(self, postgres, token, stack), say)
                await _analyze(service.dsn)
            if state.verified is None:
                say(f"{self.transactions:,} transactions: verifying every entry")
                state.verified = await serving.prove(service.dsn)
                self.save(state)
            if needs_pages:
                say(f"{self.transactions:,} transactions: walking through all pages, for the last ones")
                state.last_pages = await find_last_pages(client, ENTITY, BUSY, MONTH)
                self.save(state)
        return state

    async def _fill(self, client: LedgerClient, state: State, fresh: _Fresh, say: Callable[[str], None]) -> None:
        if not state.chunks and not state.begun:
            await self.begin(client)
        for number in range(len(state.chunks), CHUNKS):
            resumed, state.begun = state.begun, True
            self.save(state)
            # Only where it counts: looking takes time as well.
            counts = number >= CHUNKS - LAST_CHUNKS
            busy = round(await machine.busy_share(_LOOK_SECONDS), 3) if counts else None
            has_beside = counts and not resumed
            beside = await fresh.seconds(state.chunk_size) if has_beside and number % 2 else None
            seconds = await self.chunk(client, number * state.chunk_size, state.chunk_size)
            if has_beside and beside is None:
                beside = await fresh.seconds(state.chunk_size)
            chunk = Chunk(state.chunk_size, seconds, resumed, busy, beside)
            state.chunks.append(chunk)
            state.begun = False
            self.save(state)
            if (number + 1) % _TELL_EVERY == 0:
                say(f"{(number + 1) * state.chunk_size:,} of {self.transactions:,} transactions, {chunk.rate:,.0f}/s")

    async def begin(self, client: LedgerClient) -> None:
        """The entity and its accounts."""
        await client.entities.CreateEntity(m.CreateEntityRequest(entity_id=ENTITY, name="Large"))
        await create_accounts(client, ENTITY, [BUSY, QUIET, *(f"account-{one:05d}" for one in range(ACCOUNTS))])

    async def chunk(self, client: LedgerClient, first: int, count: int) -> float:
        """Write some of the transactions; the seconds that it took."""
        began = time.monotonic()
        room = asyncio.Semaphore(_IN_FLIGHT)

        async def send(start: int, end: int) -> None:
            try:
                request = pb.BatchCreateTransactionsRequest(
                    entity_id=ENTITY, requests=[self.request(number) for number in range(start, end)]
                )
                answer = await client.transactions.BatchCreateTransactions(request)
            finally:
                room.release()
            for one in answer.results:
                if one.HasField("error"):
                    raise BenchError(f"the service refused a transaction of the set-up: {one.error.message}")

        try:
            async with asyncio.TaskGroup() as group:
                for start in range(first, first + count, BATCH):
                    await room.acquire()
                    group.create_task(send(start, min(start + BATCH, first + count)))
        except ExceptionGroup as failed:
            # The first one tells why; the others were on their way with it.
            raise failed.exceptions[0] from None
        return time.monotonic() - began

    def request(self, number: int) -> pb.CreateTransactionRequest:
        """The transaction of a number: the same in every run."""
        tenth = max(1, self.transactions // 10)
        # Steps that share no factor with the number of accounts visit all of them, in no order.
        debit, credit = number * 7_919 % ACCOUNTS, (number * 6_367 + 1 + number // ACCOUNTS) % ACCOUNTS
        if debit == credit:
            credit = (credit + 1) % ACCOUNTS
        debit_id = BUSY if number % 5 == 0 else f"account-{debit:05d}"
        credit_id = QUIET if number % tenth == 7 else f"account-{credit:05d}"
        words = [_WORDS[number % len(_WORDS)]]
        if number % 50 == 1:
            words.append(COMMON_WORD)
        if number % tenth == 3:
            words.append(RARE_WORD)
        amount = f"{number * 104_729 % 99_991 + 1}.00"
        request = transfer(ENTITY, f"large-{number:010d}", debit_id, credit_id, amount)
        request.description = f"Payment {number:07d} {' '.join(words)}"
        at = BEGINNING + number * (SPAN / self.transactions) - timedelta(days=10 if number % 1_003 == 0 else 0)
        request.effective_time.CopyFrom(timestamp(at.replace(microsecond=0)))
        return request


@dataclass(slots=True)
class _Fresh:
    """Fresh ledgers beside the large one, each in a database of its own on the same server; `stack` drops them."""

    dataset: Dataset
    postgres: EmbeddedPostgres
    token: str
    stack: AsyncExitStack
    count: int = 0

    async def seconds(self, size: int) -> float:
        """How long the first chunk of one more takes. Proved as well."""
        self.count += 1
        # Dropped when all is measured: a checkpoint now would make the large ledger's next chunk dearer.
        name = f"fresh-{self.count}"
        await self.stack.enter_async_context(serving.database(self.postgres, name, is_settled=False))
        async with serving.serving(self.postgres, self.token, 1, name) as service, service.client() as client:
            await self.dataset.begin(client)
            seconds = await self.dataset.chunk(client, 0, size)
            await serving.prove(service.dsn)
        return seconds


async def _analyze(dsn: str) -> None:
    """What autovacuum would have done by itself in the hours that real growth takes."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("VACUUM (ANALYZE) ledger.events")
        await connection.execute("VACUUM (ANALYZE) ledger.entries")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def recorded_in_the_middle(dsn: str) -> datetime:
    """The recorded time at which about half of the transactions were known."""
    connection = await asyncpg.connect(dsn)
    try:
        found: datetime = await connection.fetchval(
            "SELECT recorded_time FROM ledger.events WHERE sequence = (SELECT max(sequence) / 2 FROM ledger.events)"
            " LIMIT 1"
        )
    finally:
        await connection.close()
    return found
