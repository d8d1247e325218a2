"""Reads whole tables in order, with bounded memory, all from one state of the database.

Several connections share one snapshot (`pg_export_snapshot`), so that streams that are walked side by side
agree, and a service that writes meanwhile raises no false alarm.
"""

from __future__ import annotations

import asyncio
import contextlib
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from operator import itemgetter
from typing import Any, TypeAlias

import asyncpg

from ledger_service.storage import database, numeric

Row: TypeAlias = Any
"""A row by position; types are those of the query."""

CONNECTIONS = 3
"""As many as the pass with the most streams walks side by side."""
_BATCH_ROWS = 2_000

_SESSION = {
    "application_name": "ledger-verify",
    "role": database.AUDITOR_ROLE,
    "search_path": "ledger",
    "TimeZone": "UTC",
    "default_transaction_read_only": "on",
    # A policy lets this role see everything; that none hides a row is proved first (proof/rights.py), in the same
    # snapshot.
    "row_security": "on",
    # The heap is the truth. An index that has lost a row, or never had it, must not hide it.
    "enable_indexscan": "off",
    "enable_indexonlyscan": "off",
    "enable_bitmapscan": "off",
    # Without indexes a nested loop reads a table once for each row of another; freshly filled tables without
    # statistics tempt the planner to it.
    "enable_nestloop": "off",
    # A cursor is read to its end, so the plan is to be the best for all rows, not for the first tenth.
    "cursor_tuple_fraction": "1",
    # Larger sorts go to the server's disk.
    "work_mem": "64MB",
    # The other cores are the service's.
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
}


class Snapshot:
    """One state of the database, seen through several connections."""

    def __init__(self, connections: Sequence[Any]) -> None:
        self.main = connections[0]
        self._idle = list(connections)

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str) -> AsyncIterator[Snapshot]:
        """Connect; the snapshot lasts until the end. It holds back vacuum, hardly felt where rows are only added."""
        connections: list[Any] = []
        try:
            while len(connections) < CONNECTIONS:
                connection = await _connect(dsn)
                connections.append(connection)
                await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                if connection is not connections[0]:
                    name = await connections[0].fetchval("SELECT pg_export_snapshot()")
                    await connection.execute(f"SET TRANSACTION SNAPSHOT '{name}'")
            yield cls(connections)
        finally:
            for connection in connections:
                connection.terminate()

    @asynccontextmanager
    async def stream(self, name: str, query: str) -> AsyncIterator[Stream]:
        """The rows of an ordered query; `name` becomes the cursor's."""
        connection = self._idle.pop()
        stream = Stream(connection, name, query)
        await stream.open()
        try:
            yield stream
        finally:
            await stream.close()
            self._idle.append(connection)


async def _connect(dsn: str) -> Any:
    connection = await asyncpg.connect(dsn, timeout=database.CONNECT_TIMEOUT_SECONDS, server_settings=_SESSION)
    await connection.set_type_codec(
        "numeric", schema="pg_catalog", encoder=numeric.encode, decoder=_whole_number, format="binary"
    )
    # Microseconds since 2000, as the server keeps them: cheaper than datetime, and defined for all values.
    await connection.set_type_codec(
        "timestamptz", schema="pg_catalog", encoder=_one_tuple, decoder=itemgetter(0), format="tuple"
    )
    return connection


def _whole_number(data: bytes) -> int | None:
    """None for what is no whole number: a proof has to name it, not to stumble over it."""
    try:
        return numeric.decode(data)
    except ValueError:
        return None


def _one_tuple(value: int) -> tuple[int]:
    return (value,)


class Stream:
    """A server-side cursor; while a batch is worked on, the next one is already asked for."""

    def __init__(self, connection: Any, name: str, query: str) -> None:
        self._connection = connection
        self._name = name
        self._query = query
        self._fetch: Any = None
        self._coming: asyncio.Task[list[Row]] | None = None
        self._has_ended = False

    async def open(self) -> None:
        """Begin; the server sorts when the first batch is asked for."""
        await self._connection.execute(f"DECLARE {self._name} NO SCROLL CURSOR FOR {self._query}")
        self._fetch = await self._connection.prepare(f"FETCH FORWARD {_BATCH_ROWS} FROM {self._name}")
        self._ask()

    async def batch(self) -> list[Row]:
        """The next rows; none: that was all."""
        if self._coming is None:
            return []
        rows = await self._coming
        self._coming = None
        self._has_ended = len(rows) < _BATCH_ROWS
        if not self._has_ended:
            self._ask()
            # Lets the request go out before the caller keeps the loop busy with these rows.
            await asyncio.sleep(0)
        return rows

    async def close(self) -> None:
        """Free the server's sorted copy of the rows."""
        if self._coming is not None:
            # Left early, because of an error: the connection is of no more use.
            self._coming.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._coming
            return
        with contextlib.suppress(asyncpg.InterfaceError, asyncpg.PostgresError):
            await self._connection.execute(f"CLOSE {self._name}")

    def _ask(self) -> None:
        self._coming = asyncio.create_task(self._fetch.fetch())


async def side_by_side(streams: Sequence[Stream], advanced: Callable[[int], None]) -> AsyncIterator[list[list[Row]]]:
    """Walk streams that are sorted by their first two columns, so that equal keys come together.

    Yields a list of rows for each stream, all with keys in one range that none of the later rows is in.
    Memory is bounded by some batches and the rows of one key. `advanced` is told the rows of the first
    stream, which paces the others.
    """
    held: list[list[Row]] = [[] for _ in streams]
    wanted = set(range(len(streams)))
    running = set(wanted)
    while True:
        for index in sorted(wanted):
            rows = await streams[index].batch()
            if not rows:
                running.discard(index)
            held[index].extend(rows)
        if not running:
            advanced(len(held[0]))
            yield held
            return
        cut = min(_key(held[index][-1]) for index in running)
        # Rows of the last key may go on in the stream's next batch, so they wait for it.
        wanted = {index for index in running if _key(held[index][-1]) == cut}
        ready = []
        for index, rows in enumerate(held):
            place = bisect_left(rows, cut, key=_key)
            ready.append(rows[:place])
            held[index] = rows[place:]
        advanced(len(ready[0]))
        yield ready


_key = itemgetter(0, 1)
