"""Entities by their public id. What is remembered of one never changes: its number and key."""

from __future__ import annotations

from collections.abc import Sequence

from ledger_service.application.ports import DirectoryStore, StorageError
from ledger_service.domain.account import Entity
from ledger_service.domain.errors import LedgerError, Reason

_CAPACITY = 100_000


class Directory:
    """Finds entities; the posting path asks the database for each only once."""

    def __init__(self, store: DirectoryStore) -> None:
        self._store = store
        self._known: dict[str, Entity] = {}
        self._ids: dict[int, str] = {}

    def known(self, entity_id: str) -> Entity | None:
        """What `find` would give at once; None: it must ask the database."""
        return self._known.get(entity_id)

    async def find(self, entity_id: str) -> Entity:
        """The entity, as of some time: only number, id and key are to be relied on.

        Raises LedgerError ENTITY_NOT_FOUND.
        """
        entity = self._known.get(entity_id)
        if entity is None:
            entity = await self.fresh(entity_id)
            if len(self._known) >= _CAPACITY:
                self._known.clear()
            self._known[entity_id] = entity
        return entity

    async def numbered(self, entity_no: int) -> Entity | None:
        """The entity with this number, as `find` gives it; None: there is none."""
        entity_id = self._ids.get(entity_no)
        if entity_id is not None:
            return await self.find(entity_id)
        entity = await self._store.entity_numbered(entity_no)
        if entity is not None:
            if len(self._ids) >= _CAPACITY:
                self._ids.clear()
            self._ids[entity_no] = entity.entity_id
        return entity

    async def fresh(self, entity_id: str) -> Entity:
        """The entity as it is now. Raises LedgerError ENTITY_NOT_FOUND."""
        entity = await self._store.entity(entity_id)
        if entity is None:
            raise LedgerError(
                Reason.ENTITY_NOT_FOUND,
                f"entity {entity_id} does not exist; create it first",
                {"entity_id": entity_id},
            )
        return entity

    async def page(self, visible: Sequence[str] | None, after: str, limit: int) -> list[Entity]:
        """Entities as they are now, by id: of those visible (None: all) the next ones after an id."""
        return await self._store.entities(visible, after, limit)

    async def ping(self) -> None:
        """Whether the database answers. Raises StorageError."""
        await self._store.ping()

    async def last_sequences(self, entity_nos: Sequence[int]) -> dict[int, int]:
        """How far these entities have come. Raises Unavailable."""
        return await self._store.last_sequences(entity_nos)


def unavailable(error: StorageError) -> LedgerError:
    """A read that the database did not answer."""
    return LedgerError(Reason.DATABASE_UNAVAILABLE, f"the database does not answer; try again ({error})")
