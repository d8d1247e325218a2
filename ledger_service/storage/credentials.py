"""Bearer tokens as the database keeps them: by HMAC, never in clear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ledger_service.storage import database, sql

_QUERIES = sql.load("credentials.sql")


@dataclass(frozen=True, slots=True)
class Credential:
    """What is known of a token; `entity_ids` None: every entity."""

    credential_id: str
    name: str
    scopes: tuple[str, ...]
    entity_ids: tuple[str, ...] | None
    created_time: datetime
    expire_time: datetime | None
    revoked_time: datetime | None


async def add(
    dsn: str,
    credential_id: str,
    name: str,
    token_hmac: bytes,
    scopes: Sequence[str],
    entity_ids: Sequence[str] | None,
    expire_time: datetime | None,
) -> None:
    """Keep a new credential."""
    connection = await database.connect_credentials(dsn)
    try:
        await connection.execute(
            _QUERIES["insert"],
            credential_id,
            name,
            token_hmac,
            list(scopes),
            list(entity_ids) if entity_ids is not None else None,
            expire_time,
        )
    finally:
        await connection.close()


async def all_of_them(dsn: str) -> list[Credential]:
    """Every credential, oldest first."""
    connection = await database.connect_credentials(dsn)
    try:
        records = await connection.fetch(_QUERIES["all_of_them"])
    finally:
        await connection.close()
    return [
        Credential(
            record["credential_id"],
            record["name"],
            tuple(record["scopes"]),
            tuple(record["entity_ids"]) if record["entity_ids"] is not None else None,
            record["created_time"],
            record["expire_time"],
            record["revoked_time"],
        )
        for record in records
    ]


async def revoke(dsn: str, credential_id: str) -> bool:
    """End a credential; False: there is none with this id, or it had ended before."""
    connection = await database.connect_credentials(dsn)
    try:
        tag = await connection.execute(
            _QUERIES["revoke"],
            credential_id,
        )
    finally:
        await connection.close()
    return bool(tag == "UPDATE 1")
