"""Connections of the readers: bound to one entity, or to none and with little to see."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from ledger_service.application.ports import Clock, Unavailable
from ledger_service.storage import database

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_BEGIN_PLANNING = f"{_BEGIN}; SET LOCAL plan_cache_mode = force_custom_plan"


class Bound:
    """Reads of entities. Nothing gets at a connection but by naming the entity that it is to see."""

    def __init__(self, pool: asyncpg.Pool[Any]) -> None:
        self.__pool = pool

    @classmethod
    async def open(cls, dsn: str, size: int) -> Bound:
        """Connect. Raises Unavailable."""
        with translated():
            return cls(await database.entity_pool(dsn, size))

    def close(self) -> None:
        """Drop all connections."""
        self.__pool.terminate()

    async def fetch(self, entity_no: int, query: str, *arguments: Any) -> list[Any]:
        """The rows of a query whose first argument is the entity. Raises Unavailable.

        It is planned once for all values: with an optional filter (`$3 IS NULL OR …`) in the way of an index, read
        in a snapshot instead.
        """
        async with self._acquire(entity_no) as connection:
            records: list[Any] = await connection.fetch(query, entity_no, *arguments)
            return records

    @asynccontextmanager
    async def snapshot(self, entity_no: int, *, planned_once: bool = False) -> AsyncIterator[Any]:
        """A connection that sees one state of the entity until the end. Raises Unavailable.

        `planned_once`: as in `fetch`; otherwise each query is planned for its values.
        """
        async with self._acquire(entity_no) as connection:
            await connection.execute(_BEGIN if planned_once else _BEGIN_PLANNING)
            try:
                yield connection
            except BaseException:
                await connection.execute("ROLLBACK")
                raise
            await connection.execute("COMMIT")

    @asynccontextmanager
    async def _acquire(self, entity_no: int) -> AsyncIterator[Any]:
        with translated():
            async with self.__pool.acquire() as pooled:
                connection: Any = pooled  # a proxy of database.EntityConnection
                await connection.bind(entity_no)
                try:
                    yield connection
                finally:
                    if connection.is_in_transaction():
                        # Cut off before it could end: not for the next one to find.
                        connection.terminate()


class Unbound:
    """Reads of what belongs to no single entity."""

    def __init__(self, pool: asyncpg.Pool[Any]) -> None:
        self._pool = pool

    @classmethod
    async def open(cls, dsn: str, size: int) -> Unbound:
        """Connect. Raises Unavailable."""
        with translated():
            return cls(await database.directory_pool(dsn, size))

    def close(self) -> None:
        """Drop all connections."""
        self._pool.terminate()

    async def fetch(self, query: str, *arguments: Any) -> list[Any]:
        """The rows of a query. Raises Unavailable."""
        with translated():
            records: list[Any] = await self._pool.fetch(query, *arguments)
            return records


def shift_of(clock: Clock) -> timedelta:
    """How far the clock is from the database's: nothing, but in tests."""
    now = datetime.now(UTC)
    return clock.adjust(now) - now


@contextmanager
def translated() -> Iterator[None]:
    """A database that can't be reached is said to be Unavailable."""
    try:
        yield
    except (*database.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
        raise Unavailable(str(error) or type(error).__name__) from error
