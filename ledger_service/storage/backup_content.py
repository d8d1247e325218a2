"""What is in a ledger, by entity: how far it has come, and a digest of its history up to a sequence.

The digest is SHA-256 over the rows of `events`, then of `entries`, as COPY writes them in their order, with named
columns. Events and entries never change (rule 6), so it is the same in every copy of the ledger, and later as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from ledger_service.storage import database, sql
from ledger_service.storage.backup_errors import BackupRefusedError

QUERIES: Final = sql.load("backup.sql")

_TABLES: Final = ("events", "entries")
_ORDER: Final = {"events": "sequence", "entries": "sequence, kind, leg"}

_SESSION: Final = {
    "application_name": "ledger-backup",
    "search_path": "pg_catalog",
    # All that has a say in how COPY writes a value.
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    # A policy that hides rows is to fail, not to make a smaller backup.
    "row_security": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
}


@dataclass(frozen=True, slots=True)
class History:
    """An entity's history up to a sequence."""

    events: int
    entries: int
    digest: str


async def connect(dsn: str) -> Any:
    """A connection that reads whatever its user may read, as that user."""
    return await asyncpg.connect(dsn, timeout=database.CONNECT_TIMEOUT_SECONDS, server_settings=_SESSION)


@asynccontextmanager
async def snapshot_of(dsn: str) -> AsyncIterator[Any]:
    """A connection that sees one state of the ledger until the end. Raises BackupRefusedError if there is none."""
    connection = await connect(dsn)
    try:
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if not await connection.fetchval(QUERIES["is_there"]):
            raise BackupRefusedError("the database holds no ledger: name the one that the service uses")
        yield connection
    finally:
        connection.terminate()


async def columns_of(connection: Any) -> dict[str, list[str]]:
    """The columns of events and entries that say what happened."""
    return {row["table_name"]: row["columns"] for row in await connection.fetch(QUERIES["columns"])}


async def count_rows(connection: Any) -> dict[str, int]:
    """Rows of each table of the ledger."""
    names = [row["name"] for row in await connection.fetch(QUERIES["tables"])]
    return {name: await connection.fetchval(f"SELECT count(*) FROM {name}") for name in names}  # noqa: S608 (the catalog's)


async def history_of(
    connection: Any,
    entity_no: int,
    sequence: int,
    columns: Mapping[str, Sequence[str]],
    advance: Callable[[int], None],
) -> History:
    """Read an entity's history up to `sequence`, in the columns that are named for each table.

    `advance` is told how many rows more were read.
    """
    digest = _Digest(advance)
    rows = {}
    for table in _TABLES:
        digest.update(f"{table} {','.join(columns[table])}\n".encode())
        names = ", ".join(f'"{name}"' for name in columns[table])
        # Numbers stand in the text: with arguments it would cost another round trip for each of many entities.
        query = (
            f"SELECT {names} FROM ledger.{table} "  # noqa: S608 (names of the catalog's, and numbers)
            f"WHERE entity_no = {entity_no:d} AND sequence <= {sequence:d} ORDER BY {_ORDER[table]}"
        )
        tag = await connection.copy_from_query(query, output=digest.take)
        rows[table] = int(tag.rpartition(" ")[2])
    return History(rows["events"], rows["entries"], digest.hexdigest())


class _Digest:
    """SHA-256 that a COPY can be written to."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._hash = hashlib.sha256()
        self._advance = advance

    def update(self, data: bytes) -> None:
        self._hash.update(data)

    async def take(self, data: bytes) -> None:
        self._hash.update(data)
        # In COPY's text a row is a line: line feeds in values are written as \n.
        self._advance(data.count(b"\n"))

    def hexdigest(self) -> str:
        return self._hash.hexdigest()
