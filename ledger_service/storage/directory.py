"""Reads of what belongs to no single entity: which entities there are, credentials, currencies, secrets.

As a role that sees no account, no entry and no text of a transaction (migration 0005).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger_service.application.ports import Clock
from ledger_service.domain.account import Entity
from ledger_service.storage import rows, sql
from ledger_service.storage.connections import Unbound, shift_of

_QUERIES = sql.load("directory.sql")

CONNECTIONS = 4
"""At most: look-ups of entities and tokens are remembered, polls are one query for all."""


class DirectoryStore:
    """See application.ports.DirectoryStore."""

    def __init__(self, connections: Unbound, clock: Clock) -> None:
        self._connections = connections
        self._clock = clock

    @classmethod
    async def open(cls, dsn: str, clock: Clock) -> DirectoryStore:
        """Connect. Raises Unavailable."""
        return cls(await Unbound.open(dsn, CONNECTIONS), clock)

    async def close(self) -> None:
        """Drop all connections."""
        self._connections.close()

    async def currencies(self) -> dict[str, int]:
        """Registered currencies beyond ISO 4217, with their exponents."""
        return dict(await self._fetch("currencies"))

    async def secret(self, name: str) -> bytes:
        """A secret that all processes share."""
        [(value,)] = await self._fetch("secret", name)
        return bytes(value)

    async def entity(self, entity_id: str) -> Entity | None:
        """As it is now."""
        records = await self._fetch("entity", entity_id)
        return rows.entity_of(records[0]) if records else None

    async def entity_numbered(self, entity_no: int) -> Entity | None:
        """As it is now, by its number."""
        records = await self._fetch("entity_numbered", entity_no)
        return rows.entity_of(records[0]) if records else None

    async def entities(self, visible: Sequence[str] | None, after: str, limit: int) -> list[Entity]:
        """By id."""
        return [rows.entity_of(record) for record in await self._fetch("entities", visible, after, limit)]

    async def last_sequences(self, entity_nos: Sequence[int]) -> dict[int, int]:
        """How far these entities have come."""
        return dict(await self._fetch("last_sequences", list(entity_nos)))

    async def entities_due(self, limit: int) -> list[int]:
        """Entities with open transactions whose time is over."""
        return [entity_no for (entity_no,) in await self._fetch("entities_due", shift_of(self._clock), limit)]

    async def credential(self, token_hmac: bytes) -> dict[str, Any] | None:
        """What a token stands for."""
        records = await self._fetch("credentials", token_hmac)
        return dict(records[0]) if records else None

    async def certificates(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """What these names in a client certificate stand for, unless it has been revoked."""
        return [dict(record) for record in await self._fetch("certificates", list(names))]

    async def ping(self) -> None:
        """Whether the database answers."""
        await self._fetch("ping")

    async def _fetch(self, name: str, *arguments: Any) -> list[Any]:
        return await self._connections.fetch(_QUERIES[name], *arguments)
