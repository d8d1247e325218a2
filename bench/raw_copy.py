"""The yardstick: asyncpg COPY of the same rows into tables with the same columns and indexes, but without a
trigger, a check of the service or a look at anything: what the rows alone cost on this machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import asyncpg

from ledger_service.domain.decide.book import EventRow
from ledger_service.storage.write_session import ENTRY_COLUMNS

_TABLES = """
DROP SCHEMA IF EXISTS bench CASCADE;
CREATE SCHEMA bench;
CREATE TABLE bench.events (LIKE ledger.events INCLUDING INDEXES);
CREATE TABLE bench.entries (LIKE ledger.entries INCLUDING INDEXES);
"""


class RawCopy:
    """One connection that copies batches of two-posting transactions, one commit each."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401  # asyncpg's connection
        self._connection = connection
        self._sequence = 1

    @classmethod
    async def prepare(cls, dsn: str) -> RawCopy:
        """Make the tables anew."""
        connection = await asyncpg.connect(dsn)
        await connection.execute(_TABLES)
        return cls(connection)

    async def close(self) -> None:
        """Drop the tables."""
        await self._connection.execute("DROP SCHEMA bench CASCADE")
        await self._connection.close()

    async def rate(self, seconds: float, size: int, accounts: int) -> float:
        """Transactions a second over so many seconds; making the rows does not count, encoding them does."""
        copied, spent = 0, 0.0
        while spent < seconds:
            events, entries = self._rows(size, accounts)
            began = time.perf_counter()
            async with self._connection.transaction():
                await self._connection.copy_records_to_table(
                    "events", schema_name="bench", records=events, columns=EventRow._fields
                )
                await self._connection.copy_records_to_table(
                    "entries", schema_name="bench", records=entries, columns=ENTRY_COLUMNS
                )
            spent += time.perf_counter() - began
            copied += size
        return copied / spent

    def _rows(self, size: int, accounts: int) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        now = datetime.now(UTC)
        events: list[tuple[Any, ...]] = []
        entries: list[tuple[Any, ...]] = []
        for _ in range(size):
            one = self._sequence
            self._sequence += 1
            events.append(
                EventRow(1, one, 1, 1, now, "bootstrap", f"raw-{one:09d}", b"0123456789abcdef", one, 1, 3, one, now,
                         None, "benchmark", None, None, None, None, None, None, None)
            )  # fmt: skip
            for leg, account in enumerate((one * 7 % accounts, (one * 7 + 1) % accounts)):
                totals = (one * 100, 0, 0, 0) if leg == 0 else (0, one * 100, 0, 0)
                entries.append((1, account, "USD", one, one, 1, leg, leg + 1, 100, *totals, now, now, None))
        return events, entries
