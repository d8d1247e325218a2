"""Restores a backup into a new data folder or an empty database, and proves what came out.

A restore that is cut off leaves nothing that could be taken for a ledger: into a database it is one database
transaction; into a data folder it is made in a folder of another name, and moved to its place when it is proved.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ledger_service.storage.backup import BackupProgress, Tell, compare_with_ledger
from ledger_service.storage.backup_content import QUERIES, connect, count_rows, snapshot_of
from ledger_service.storage.backup_errors import BackupError, BackupRefusedError
from ledger_service.storage.backup_manifest import DUMP, Manifest
from ledger_service.storage.backup_tools import find_tools
from ledger_service.storage.database import ROLES
from ledger_service.storage.embedded import EmbeddedPostgres
from ledger_service.storage.embedded_binaries import binaries_for, choose_user, data_argument
from ledger_service.storage.embedded_folder import RESTORING, sync_folder, take_lock
from ledger_service.storage.embedded_process import find_postmaster
from ledger_service.storage.migrate import digest_of, migrate, migrations
from ledger_service.storage.verification import VerifyProgress, VerifyReport, verify_database

__all__ = ["Restored", "check_release", "restore_into_database", "restore_into_folder"]

_LOADING: Final = 'processing data for table "'
_INDEXING: Final = "creating INDEX"
_EPOCH_BITS: Final = 32
_LEFT_OVER_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Restored:
    """What was proved of a restored ledger."""

    verified: VerifyReport
    migrated: int
    """Migrations of this release that the backup did not have yet."""
    server_version: str
    writers_ahead: bool
    """Whether the server numbers its database transactions from below those of the ledger's past: see the runbook."""


def check_release(manifest: Manifest) -> None:
    """Raise BackupRefusedError if this release does not know the backup's schema."""
    known = {number: (name, digest_of(text)) for number, name, text in migrations()}
    for migration in manifest.migrations:
        name, digest = known.get(migration.number, (None, None))
        if name is None:
            raise BackupRefusedError(
                f"the backup has migration {migration.name}, which this release does not know: "
                "restore it with the release that made it, or a newer one"
            )
        if digest != migration.digest:
            raise BackupRefusedError(
                f"migration {migration.name} of the backup is not the one of this release: "
                "restore it with the release that made it"
            )


async def restore_into_database(
    folder: Path, manifest: Manifest, dsn: str, *, pg_bin: Path | None, tell: Tell, max_breaks: int
) -> Restored:
    """Restore into an empty database of the operator's, all or nothing, and prove it.

    Args:
        folder: the backup, its files proved.
        manifest: what it says of itself.
        dsn: as a user that may create schemas and roles; it comes to own the tables.
        pg_bin: folder of pg_restore; None: the usual ones.
        tell: told of progress.
        max_breaks: how many breaks of rules are listed.

    Raises:
        BackupRefusedError: nothing was begun. BackupError: it failed, and the database is as empty as before, or
            what was restored is not what was backed up, and must not be used.
    """
    connection = await connect(dsn)
    try:
        tools = find_tools(connection.get_server_version().major, pg_bin)
        await _check_database(connection, manifest)
        await _ensure_roles(connection)
    finally:
        await connection.close()
    await tools.run(
        "pg_restore", dsn, "--no-owner", "--exit-on-error", "--single-transaction", str(folder / DUMP),
        tell=_narrating(tell), folder=folder,
    )  # fmt: skip
    return await _prove(dsn, manifest, tell, max_breaks)


async def restore_into_folder(
    folder: Path, manifest: Manifest, data_dir: Path, *, jobs: int, tell: Tell, max_breaks: int
) -> Restored:
    """Restore into a new data folder, on the embedded PostgreSQL, and prove it; when this raises, nothing stays.

    A backup of a ledger in which rules were broken is restored as it is: the report tells of them.

    Args:
        folder: the backup, its files proved.
        manifest: what it says of itself.
        data_dir: must not exist, or be empty.
        jobs: tables and indexes that are made at a time.
        tell: told of progress.
        max_breaks: how many breaks of rules are listed.

    Raises:
        BackupRefusedError, BackupError: as restore_into_database.
        EmbeddedPostgresError: the server does not start, or another process uses the folder.
    """
    data_dir = data_dir.absolute()
    lock = await _take_folder(data_dir, tell)
    scratch = data_dir / RESTORING
    try:
        scratch.mkdir(mode=0o700)
        sync_folder(data_dir)
        await _load_folder(folder, manifest, scratch, jobs, tell)
        await asyncio.to_thread(_raise_epoch, scratch / "postgres", manifest.highest_writer)
        server = await EmbeddedPostgres.start(scratch, progress=lambda _: None)
        try:
            restored = await _prove(server.dsn, manifest, tell, max_breaks)
        finally:
            await asyncio.shield(server.stop())
        (scratch / "postgres").rename(data_dir / "postgres")
        sync_folder(data_dir)
        return restored
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        os.close(lock)


async def _take_folder(data_dir: Path, tell: Tell) -> int:
    """Lock an empty data folder. What an earlier restore left in it, under its own name, is removed."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = {path.name for path in data_dir.iterdir()}
        if found - {"lock", RESTORING}:
            what = "holds a ledger" if "postgres" in found else "is not empty"
            raise BackupRefusedError(f"{data_dir} {what}: name a --data-dir that does not exist")
        lock = take_lock(data_dir)
    except OSError as error:
        raise BackupRefusedError(f"cannot use {data_dir} ({error.strerror}): name another --data-dir") from error
    try:
        if RESTORING in found:
            tell(BackupProgress("Removing what an unfinished restore left"))
            await _remove_left_over(data_dir / RESTORING)
    except BaseException:
        os.close(lock)
        raise
    return lock


async def _remove_left_over(scratch: Path) -> None:
    """Its server may live on; the folder's lock is ours, so nobody is waiting for it."""
    if server := find_postmaster(scratch / "postgres"):
        server.send(signal.SIGQUIT)
        async with asyncio.timeout(_LEFT_OVER_SECONDS):
            while server.is_alive():
                await asyncio.sleep(0.02)
    shutil.rmtree(scratch)


async def _load_folder(folder: Path, manifest: Manifest, scratch: Path, jobs: int, tell: Tell) -> None:
    tell(BackupProgress("Creating the database"))
    server = await EmbeddedPostgres.start(scratch, progress=lambda _: None)
    try:
        connection = await connect(server.dsn)
        try:
            tools = find_tools(connection.get_server_version().major, None)
            await _check_database(connection, manifest)
        finally:
            await connection.close()
        await tools.run(
            "pg_restore", server.dsn, "--no-owner", "--exit-on-error", f"--jobs={jobs}", str(folder / DUMP),
            tell=_narrating(tell), folder=scratch,
        )  # fmt: skip
    finally:
        await asyncio.shield(server.stop())


def _raise_epoch(cluster: Path, highest_writer: int) -> None:
    """Let a stopped server number its database transactions from above all that are in the ledger's past.

    `commits.writer` tells the triggers what this very database transaction has written. A new server
    would begin with numbers that are there already. The epoch is the upper half of such a number, stored nowhere else.
    """
    user = choose_user(cluster)
    ended = user.run(
        [
            str(binaries_for(user) / "pg_resetwal"),
            f"--epoch={(highest_writer >> _EPOCH_BITS) + 1}",
            f"--pgdata={data_argument(cluster, user)}",
        ],
        cluster,
    )
    if ended.returncode != 0:
        raise BackupError(f"pg_resetwal failed: {ended.stderr.strip()}")


async def _check_database(connection: Any, manifest: Manifest) -> None:
    major = connection.get_server_version().major
    if major < manifest.server_major:
        raise BackupRefusedError(
            f"the backup is of PostgreSQL {manifest.server_version} and the server is {major}: "
            f"restore it into version {manifest.server_major} or later"
        )
    if await connection.fetchval("SHOW server_encoding") != "UTF8":
        raise BackupRefusedError("the database's encoding is not UTF8: create it with ENCODING 'UTF8'")
    found = await connection.fetchval(QUERIES["foreign_object"])
    if found is not None:
        raise BackupRefusedError(f"the database is not empty, it holds {found}: create a new one, and name that")


async def _ensure_roles(connection: Any) -> None:
    """Make the roles that are missing; roles belong to the server, not to the database, and are in no dump."""
    known = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
    is_superuser = await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    for role in ROLES:
        if role not in known:
            await connection.execute(f"CREATE ROLE {role} NOLOGIN")
        if not is_superuser:
            # As the migrations do: whoever makes a ledger may serve and prove it as well.
            await connection.execute(f"GRANT {role} TO CURRENT_USER")


def _narrating(tell: Tell) -> Callable[[str], None]:
    def said(line: str) -> None:
        if line.startswith(_LOADING):
            tell(BackupProgress(f"Loading {line.removeprefix(_LOADING).rstrip(chr(34))}"))
        elif line.startswith(_INDEXING):
            tell(BackupProgress("Building indexes"))

    return said


async def _prove(dsn: str, manifest: Manifest, tell: Tell, max_breaks: int) -> Restored:
    """What was restored is what was backed up, and a sound ledger."""
    await _prove_equal(dsn, manifest, tell)
    tell(BackupProgress("Bringing the schema up to date"))
    migrated = await migrate(dsn)
    connection = await connect(dsn)
    try:
        # A restored table has no statistics, and the service plans once for many calls.
        for table in await connection.fetch(QUERIES["tables"]):
            tell(BackupProgress(f"Analysing {table['name']}"))
            await connection.execute(f"ANALYZE {table['name']}")
        newest = await connection.fetchval("SELECT pg_current_xact_id()::text")
        version = await connection.fetchval("SHOW server_version")
    finally:
        await connection.close()

    def proving(now: VerifyProgress) -> None:
        tell(BackupProgress(f"Proving {now.stage}", now.done, now.total))

    report = await verify_database(dsn, progress=proving, max_breaks=max_breaks)
    return Restored(report, migrated, version, writers_ahead=int(newest) <= manifest.highest_writer)


async def _prove_equal(dsn: str, manifest: Manifest, tell: Tell) -> None:
    """Each entity ends where the manifest says, with the same history, and no table has lost or won a row."""
    now = await compare_with_ledger(dsn, manifest, tell)
    async with snapshot_of(dsn) as connection:
        tell(BackupProgress("Counting rows"))
        counted = await count_rows(connection)
        beyond = {row["entity_id"] for row in await connection.fetch(QUERIES["entities"])} - now.keys()
    wrong = [
        f"{name} has {counted.get(name, 0):,} rows, not {manifest.tables.get(name, 0):,}"
        for name in sorted(manifest.tables.keys() | counted.keys())
        if counted.get(name, 0) != manifest.tables.get(name, 0)
    ]
    wrong += [
        f"entity {entity.entity_id} goes on to {now[entity.entity_id]}, beyond {entity.sequence}"
        for entity in manifest.entities
        if now[entity.entity_id] != entity.sequence
    ]
    wrong += [f"entity {name} is not in the manifest" for name in sorted(beyond)]
    if wrong:
        raise BackupError(f"what was restored is not what was backed up: {'; '.join(wrong[:3])}; do not use it")
