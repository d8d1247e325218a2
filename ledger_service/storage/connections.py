"""Connections of the readers: bound to one entity, or to none and with little to see."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from ledger_service.application.ports import Clock, Unavailable
from ledger_service.storage import database


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
        """The rows of a query whose first argument is the entity. Raises Unavailable."""
        async with self._acquire(entity_no) as connection:
            records: list[Any] = await connection.fetch(query, entity_no, *arguments)
            return records

    @asynccontextmanager
    async def snapshot(self, entity_no: int) -> AsyncIterator[Any]:
        """A connection that sees one state of the entity until the end. Raises Unavailable."""
        async with (
            self._acquire(entity_no) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection

    @asynccontextmanager
    async def _acquire(self, entity_no: int) -> AsyncIterator[Any]:
        with translated():
            async with self.__pool.acquire() as pooled:
                connection: Any = pooled  # a proxy of database.EntityConnection
                await connection.bind(entity_no)
                yield connection


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
