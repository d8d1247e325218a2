"""Whether a COMMIT without an answer was one's own is told by a mark in its seal; what does not tell it was found by
tests.chaos.

Not the database transaction's number: what one has written and not committed leaves no trace when the server is killed
before its log is flushed, its number included, and PostgreSQL gives that to another one. Nor what was written: while
the clock stands still, the same request by way of two processes makes the same rows at the same place.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ledger_service.application.intake.fields import RawMoney
from ledger_service.application.intake.transactions import create_transaction
from ledger_service.application.ports import Unavailable
from ledger_service.domain.commands import Unit
from ledger_service.domain.decide import decide
from ledger_service.storage.embedded import EmbeddedPostgres
from ledger_service.storage.migrate import migrate
from ledger_service.storage.write_session import WriteStore
from tests.helpers.builders import ASSET, new_account, new_entity
from tests.helpers.servers import ShiftedClock, serving
from tests.helpers.sql import connected

if TYPE_CHECKING:
    from pathlib import Path

    from ledger_service.application.ports import Clock, Loaded


class StoppedClock:
    """Always the same time."""

    def adjust(self, database_now: datetime) -> datetime:
        """In the future, so that nothing was recorded after it."""
        return datetime(2100, 1, 1, tzinfo=UTC)


async def write(session: Any, entity_no: int, key: str, clock: Clock | None = None) -> Loaded:
    """A batch of one transaction, up to COMMIT."""
    command = create_transaction(
        {"USD": 2}, "test", idempotency_key=key, postings=[], debit_account_id="cash", credit_account_id="wallet",
        amount=RawMoney("USD", "1.00"), status=3,
    )  # fmt: skip
    unit = Unit(entity_no, [command])
    await session.lock([entity_no])
    loaded: Loaded = await session.load({entity_no: [unit]}, clock or ShiftedClock(), 100)
    rows = session.rows(loaded, decide(loaded.books[entity_no], [unit], []))
    assert await session.write(rows, lambda: None)
    return loaded


async def number_of_open(dsn: str) -> int:
    """The number of the database transaction that waits for its COMMIT."""
    async with connected(dsn) as connection, asyncio.timeout(30):
        while True:
            # The last rows, the seals, are being copied.
            numbers = await connection.fetch(
                "SELECT a.backend_xid::text::int8 FROM pg_stat_activity a JOIN pg_locks l USING (pid) "
                "WHERE a.datname = current_database() AND l.relation = 'ledger.seals_inlet'::regclass "
                "AND l.mode = 'RowExclusiveLock'"
            )
            if numbers:
                [[number]] = numbers
                return int(number)
            await asyncio.sleep(0.01)


async def test_another_batch_under_the_number_of_a_lost_one(tmp_path: Path) -> None:
    # The log writer sleeps, so that what is not committed is not flushed either.
    postgres = await EmbeddedPostgres.start(
        tmp_path / "data", progress=lambda _: None, settings={"wal_writer_delay": "10s", "autovacuum": "off"}
    )
    try:
        await migrate(postgres.dsn, progress=lambda *_: None)
        async with serving(postgres.dsn) as service:
            entity = await new_entity(service.client)
            await new_account(service.client, entity, "cash", ASSET)
            await new_account(service.client, entity, "wallet")
        async with connected(postgres.dsn) as connection:
            number = await connection.fetchval("SELECT entity_no FROM ledger.entities WHERE entity_id = $1", entity)
            await connection.execute("CHECKPOINT")

        session = await WriteStore(postgres.dsn, random.SystemRandom()).open_session()
        lost = await write(session, number, "lost")
        number_of_lost = await number_of_open(postgres.dsn)
        os.kill(postgres.pid, signal.SIGKILL)
        await postgres.wait()
        try:
            await session.rollback()
        except Unavailable:
            await session.close()
        await postgres.restart(progress=lambda _: None)

        another = await WriteStore(postgres.dsn, random.SystemRandom()).open_session()
        written = await write(another, number, "another")
        number_of_written = await number_of_open(postgres.dsn)
        await another.commit()
        assert number_of_written == number_of_lost, "the server has not used the number again: the test shows nothing"
        assert await another.was_committed(written)
        assert not await another.was_committed(lost)
        await another.close()
    finally:
        await postgres.stop("immediate")


async def test_the_same_rows_by_another_process(database: str) -> None:
    async with serving(database) as service:
        entity = await new_entity(service.client)
        await new_account(service.client, entity, "cash", ASSET)
        await new_account(service.client, entity, "wallet")
        async with connected(database) as connection:
            number = await connection.fetchval("SELECT entity_no FROM ledger.entities WHERE entity_id = $1", entity)
        one, another = [await WriteStore(database, random.SystemRandom()).open_session() for _ in range(2)]
        lost = await write(one, number, "same", StoppedClock())
        await one.close()  # before COMMIT
        written = await write(another, number, "same", StoppedClock())
        await another.commit()
        assert lost.books[number].events == written.books[number].events, "the test shows nothing"
        assert lost.books[number].peaks == written.books[number].peaks
        assert await another.was_committed(written)
        assert not await another.was_committed(lost)
        await another.close()
