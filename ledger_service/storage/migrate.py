"""Brings a database to the present schema: numbered SQL files, forward only, each once.

Safe to run twice and by several processes at once: one holds an advisory lock, the others wait and then
find nothing to do. A file that has been applied must never change: its digest is kept and compared.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from importlib import resources

import asyncpg

from ledger_service.storage.sealing import seal_history

_LOCK = 0x6C656467  # "ledg"; one number in the database's space of advisory locks
_SEALS = 14
"""The migration from which on all that is committed is sealed; what was there before is sealed with it."""
_FILE = re.compile(r"(\d{4})_[a-z_]+\.sql")

_TABLE = """
CREATE SCHEMA IF NOT EXISTS ledger_migrations;
CREATE TABLE IF NOT EXISTS ledger_migrations.applied (
    number int4 PRIMARY KEY,
    name text NOT NULL,
    digest text NOT NULL,
    applied_time timestamptz NOT NULL DEFAULT now()
);
-- Everybody may see how far the database is: who only serves need not be able to migrate.
GRANT USAGE ON SCHEMA ledger_migrations TO PUBLIC;
GRANT SELECT ON ledger_migrations.applied TO PUBLIC
"""


class MigrationError(Exception):
    """The database can't be brought to the present schema; the message says why and what to do."""


def migrations() -> list[tuple[int, str, str]]:
    """Number, name and SQL of each migration, in order."""
    found = []
    for file in resources.files("ledger_service.storage").joinpath("migrations").iterdir():
        match = _FILE.fullmatch(file.name)
        if match is not None:
            found.append((int(match.group(1)), file.name, file.read_text("utf-8")))
    return sorted(found)


async def migrate(dsn: str, *, progress: Callable[[str], None] = lambda _: None) -> int:
    """Apply what is missing, each file in a database transaction of its own; answers how many were applied.

    `dsn` must be of a role that may create schemas and roles, or of one that owns them already. Raises
    MigrationError if the database was made by a newer version or an applied file has changed since.
    """
    files = migrations()
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await connection.execute("SET lock_timeout = 0; SET client_min_messages = warning")
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        if not await connection.fetchval("SELECT to_regclass('ledger_migrations.applied') IS NOT NULL"):
            await connection.execute(_TABLE)
        rows = await connection.fetch("SELECT number, digest FROM ledger_migrations.applied ORDER BY number")
        applied = {row["number"]: row["digest"] for row in rows}
        _check(applied, files)
        missing = [file for file in files if file[0] not in applied]
        for number, name, text in missing:
            progress(f"migration {name}")
            async with connection.transaction():
                await connection.execute(text)
                if number == _SEALS:
                    # In the same database transaction: the history is sealed as a whole, or there are no seals yet.
                    await seal_history(connection, progress)
                await connection.execute(
                    "INSERT INTO ledger_migrations.applied (number, name, digest) VALUES ($1, $2, $3)",
                    number,
                    name,
                    digest_of(text),
                )
        return len(missing)
    finally:
        await connection.close()  # and with it the lock


async def pending(dsn: str) -> list[str]:
    """Names of the migrations that are not applied yet."""
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        known = await connection.fetchval("SELECT to_regclass('ledger_migrations.applied') IS NOT NULL")
        rows = await connection.fetch("SELECT number FROM ledger_migrations.applied") if known else []
        applied = {row["number"] for row in rows}
        return [name for number, name, _ in migrations() if number not in applied]
    finally:
        await connection.close()


def _check(applied: dict[int, str], files: list[tuple[int, str, str]]) -> None:
    known = {number: (name, digest_of(text)) for number, name, text in files}
    for number, digest in applied.items():
        if number not in known:
            raise MigrationError(
                f"the database has migration {number}, which this version does not know: run the newer version"
            )
        name, expected = known[number]
        if digest != expected:
            raise MigrationError(
                f"migration {name} differs from what was applied to this database: restore the file as it was released"
            )


def digest_of(text: str) -> str:
    """What is kept of an applied migration's SQL."""
    return hashlib.sha256(text.encode()).hexdigest()
