"""Credentials as the database keeps them: tokens by HMAC, never in clear; certificates by the name in them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from ledger_service.storage import database, sql

_QUERIES = sql.load("credentials.sql")

_REFUSALS = {
    "credentials_two_live": "the name has two live keys; revoke one, or wait until one has expired",
    "credentials_same_rights": "a live credential of this name has other scopes or entities, and a name is one caller; "
    "revoke it, or take another name",
    "credentials_reserved_name": "the name is kept for another kind of caller; take another one",
    "credentials_by_certificate": "a credential stands for this certificate name already; revoke it first",
    "credentials_token_prefix_key": "another key has got the same prefix by chance; try again",
}


class CredentialRefusedError(Exception):
    """The database keeps no such credential beside those that there are; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What is known of a credential; `entity_ids` None: every entity."""

    credential_id: str
    name: str
    token_prefix: str | None
    certificate_san: str | None
    scopes: tuple[str, ...]
    entity_ids: tuple[str, ...] | None
    created_time: datetime
    expire_time: datetime | None
    revoked_time: datetime | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """The parts of a new token that are kept."""

    credential_id: str
    token_hmac: bytes
    token_prefix: str


async def add_key(
    dsn: str,
    key: NewKey,
    name: str,
    scopes: Sequence[str],
    entity_ids: Sequence[str] | None,
    expire_time: datetime | None,
) -> None:
    """Keep the first live key of a name. Raises CredentialRefusedError: the name has a live one already."""
    async with _writing(dsn) as connection:
        if await connection.fetch(_QUERIES["live_by_name"], name):
            raise CredentialRefusedError(
                "the name has a live key; 'ledger-service token rotate' makes its second one, with the same rights"
            )
        await _insert(connection, key, name, scopes, entity_ids, expire_time)


async def add_certificate(
    dsn: str,
    credential_id: str,
    san: str,
    scopes: Sequence[str],
    entity_ids: Sequence[str] | None,
    expire_time: datetime | None,
) -> None:
    """Bind a certificate's name. Raises CredentialRefusedError: it is bound already."""
    async with _writing(dsn) as connection:
        await connection.execute(
            _QUERIES["insert"],
            credential_id,
            f"cert:{san}",
            None,
            None,
            san,
            list(scopes),
            _list(entity_ids),
            expire_time,
        )


async def rotate(
    dsn: str, key: NewKey, name: str, expire_time: datetime | None, old_expire_time: datetime | None
) -> tuple[Credential, Credential]:
    """Keep the second live key of a name, with the rights of the first, and give the first a term if there is one.

    `expire_time` None: the new one lasts as long as the old one was made for. Gives the old and the new one.
    Raises CredentialRefusedError: the name has no live key, or two.
    """
    async with _writing(dsn) as connection:
        live = [_credential(record) for record in await connection.fetch(_QUERIES["live_by_name"], name)]
        if not live:
            raise CredentialRefusedError("the name has no live key; 'ledger-service token create' makes the first one")
        if len(live) > 1:
            raise CredentialRefusedError(_REFUSALS["credentials_two_live"])
        [old] = live
        if old.certificate_san is not None:
            raise CredentialRefusedError("a certificate is rotated by its authority; there is no token to rotate")
        if expire_time is None and old.expire_time is not None:
            expire_time = datetime.now(UTC) + max(old.expire_time - old.created_time, timedelta(seconds=1))
        await _insert(connection, key, name, old.scopes, old.entity_ids, expire_time)
        if old_expire_time is not None:
            await connection.execute(_QUERIES["end_by"], old.credential_id, old_expire_time)
        live = [_credential(record) for record in await connection.fetch(_QUERIES["live_by_name"], name)]
    return live[0], live[1]


async def all_of_them(dsn: str) -> list[Credential]:
    """Every credential, oldest first."""
    async with _writing(dsn) as connection:
        return [_credential(record) for record in await connection.fetch(_QUERIES["all_of_them"])]


async def revoke(dsn: str, which: str) -> str | None:
    """End a credential, by its id or its token's prefix; gives its id. None: there is none, or it had ended before."""
    async with _writing(dsn) as connection:
        found: str | None = await connection.fetchval(_QUERIES["revoke"], which)
        return found


async def _insert(
    connection: Any,
    key: NewKey,
    name: str,
    scopes: Sequence[str],
    entity_ids: Sequence[str] | None,
    expire_time: datetime | None,
) -> None:
    await connection.execute(
        _QUERIES["insert"],
        key.credential_id,
        name,
        key.token_hmac,
        key.token_prefix,
        None,
        list(scopes),
        _list(entity_ids),
        expire_time,
    )


@asynccontextmanager
async def _writing(dsn: str) -> AsyncIterator[Any]:
    """One database transaction. READ COMMITTED: what counts the live keys must see those made while it waited."""
    connection = await database.connect_credentials(dsn)
    try:
        async with connection.transaction(isolation="read_committed"):
            yield connection
    except asyncpg.IntegrityConstraintViolationError as error:
        raise CredentialRefusedError(_REFUSALS.get(error.constraint_name or "", str(error))) from error
    finally:
        await connection.close()


def _credential(record: Any) -> Credential:
    return Credential(
        record["credential_id"],
        record["name"],
        record["token_prefix"],
        record["certificate_san"],
        tuple(record["scopes"]),
        tuple(record["entity_ids"]) if record["entity_ids"] is not None else None,
        record["created_time"],
        record["expire_time"],
        record["revoked_time"],
    )


def _list(values: Sequence[str] | None) -> list[str] | None:
    return list(values) if values is not None else None
