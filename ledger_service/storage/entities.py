"""Creates entities: the one write that happens in no entity yet, and so takes no lock."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

from ledger_service.application.ports import NewEntity, Unavailable
from ledger_service.domain.decide.book import EventRow
from ledger_service.domain.sealing.seals import seal_rows
from ledger_service.domain.transaction import EventKind
from ledger_service.storage import database, sql
from ledger_service.storage.sealing import insert_seals

_QUERIES = sql.load("entities.sql")


class EntityWriter:
    """One connection, one creation at a time: entities are rare."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._turn = asyncio.Lock()

    async def create(self, entity: NewEntity) -> bool:
        """Write the entity and its first event; False: an entity with this id exists. Raises Unavailable.

        Safe to repeat: the unique id lets it happen once.
        """
        try:
            async with self._turn:
                connection = await database.connect_writer(self._dsn)
                try:
                    return await self._insert(connection, entity)
                finally:
                    connection.terminate()
        except asyncpg.UniqueViolationError:
            return False
        except (*database.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
            raise Unavailable(str(error) or type(error).__name__) from error

    async def _insert(self, connection: Any, entity: NewEntity) -> bool:
        async with connection.transaction(isolation="serializable"):
            entity_no, now = await connection.fetchrow(
                _QUERIES["insert_entity"],
                entity.entity_id,
                entity.id_key,
                entity.name,
                entity.time_zone,
                entity.metadata,
            )
            snapshot = entity.snapshot(now)
            await connection.execute(
                _QUERIES["insert_first_event"], entity_no, now, entity.actor, entity.fingerprint, snapshot
            )
            event = EventRow(
                entity_no, 1, EventKind.ENTITY_CREATED, 1, now, entity.actor, None, entity.fingerprint, *[None] * 14
            )._replace(detail=snapshot)
            await connection.execute(insert_seals([seal_rows(entity_no, 0, b"", [event], [])]))
        return True
