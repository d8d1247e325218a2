"""Makes a backup of a ledger while it serves, and proves one.

`pg_dump` reads the snapshot of a connection of ours, so what the manifest says of each entity is true of the dump,
to the event. See docs/decisions/0022.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ledger_service import __version__
from ledger_service.storage.backup_content import (
    QUERIES,
    columns_of,
    count_rows,
    history_of,
    snapshot_of,
)
from ledger_service.storage.backup_errors import BackupError
from ledger_service.storage.backup_manifest import (
    DUMP,
    FORMAT,
    MANIFEST,
    UNFINISHED,
    BackupEntity,
    BackupFile,
    BackupMigration,
    Manifest,
    begin_folder,
    check_files,
    digest_files,
    finish_folder,
)
from ledger_service.storage.backup_tools import Tools, find_tools

__all__ = ["BackupProgress", "compare_with_ledger", "make_backup", "prove_files"]

_LOCK_WAIT: Final = "30s"
"""For a migration that is under way; it keeps everything else waiting as well."""
_COMPRESSION: Final = "1"
"""gzip's fastest: the dump of a ledger was 14 % larger than with 6, for a third of the work."""
_DUMPING: Final = 'dumping contents of table "'


@dataclass(frozen=True, slots=True)
class BackupProgress:
    """How far a step has come; `total` 0: not known."""

    stage: str
    done: int = 0
    total: int = 0


Tell = Callable[[BackupProgress], None]


async def make_backup(dsn: str, folder: Path, *, pg_bin: Path | None, jobs: int, tell: Tell) -> tuple[Manifest, str]:
    """Back the ledger up into a new folder; gives the manifest and its digest.

    The service may write meanwhile: the backup is one state, that of its beginning. What a failure leaves is removed.

    Args:
        dsn: as a user that may read every table, which is their owner.
        folder: where to; it must not exist, or be empty.
        pg_bin: folder of pg_dump; None: the usual ones.
        jobs: tables that are dumped at a time, each over a connection of its own.
        tell: told of progress.

    Raises:
        BackupRefusedError: nothing was begun. BackupError: it failed.
        asyncpg.PostgresError, OSError, TimeoutError: the database cannot be read.
    """
    async with snapshot_of(dsn) as connection:
        tools = find_tools(connection.get_server_version().major, pg_bin)
        begin_folder(folder)
        try:
            tell(BackupProgress("Dumping"))
            await _dump(tools, dsn, connection, folder, jobs, tell)
            manifest = await _describe(connection, folder, tell)
            return manifest, finish_folder(folder, manifest)
        except BaseException as error:
            _remove_content(folder)
            if isinstance(error, OSError) and error.filename is not None:
                raise BackupError(f"cannot write {error.filename}: {error.strerror}; name another folder") from error
            raise


async def _dump(tools: Tools, dsn: str, connection: Any, folder: Path, jobs: int, tell: Tell) -> None:
    snapshot = await connection.fetchval("SELECT pg_export_snapshot()")

    def said(line: str) -> None:
        if line.startswith(_DUMPING):
            tell(BackupProgress(f"Dumping {line.removeprefix(_DUMPING).rstrip(chr(34))}"))

    await tools.run(
        "pg_dump", dsn, "--format=directory", f"--file={folder / DUMP}", f"--snapshot={snapshot}", f"--jobs={jobs}",
        f"--compress={_COMPRESSION}", f"--lock-wait-timeout={_LOCK_WAIT}", "--schema=ledger",
        "--schema=ledger_migrations", tell=said, folder=folder,
    )  # fmt: skip


async def _describe(connection: Any, folder: Path, tell: Tell) -> Manifest:
    heads = await connection.fetch(QUERIES["entities"])
    columns = await columns_of(connection)
    tell(BackupProgress("Counting rows"))
    tables = await count_rows(connection)
    advance = _counting("Reading the history", tables["ledger.events"] + tables["ledger.entries"], tell)
    entities = []
    for head in heads:
        history = await history_of(connection, head["entity_no"], head["sequence"], columns, advance)
        entities.append(
            BackupEntity(
                entity_id=head["entity_id"], entity_no=head["entity_no"], sequence=head["sequence"],
                events=history.events, entries=history.entries, digest=history.digest,
            )
        )  # fmt: skip
    version = connection.get_server_version()
    return Manifest(
        format=FORMAT,
        made_by=f"ledger-service {__version__}",
        taken_time=await connection.fetchval("SELECT now()"),
        server_version=await connection.fetchval("SHOW server_version"),
        server_major=version.major,
        migrations=[BackupMigration(**row) for row in await connection.fetch(QUERIES["migrations"])],
        columns=columns,
        entities=entities,
        tables=tables,
        highest_writer=int(await connection.fetchval(QUERIES["highest_writer"])),
        files=_digests(folder, tell),
    )


def _digests(folder: Path, tell: Tell) -> list[BackupFile]:
    total = sum(path.stat().st_size for path in (folder / DUMP).iterdir())
    return digest_files(folder, _counting("Reading the files", total, tell))


def prove_files(folder: Path, manifest: Manifest, tell: Tell) -> None:
    """Every file of the backup is there, and what was written. Raises BackupError."""
    check_files(folder, manifest, _counting("Reading the files", manifest.size, tell))


async def compare_with_ledger(dsn: str, manifest: Manifest, tell: Tell) -> dict[str, int]:
    """Prove that what the backup holds is the beginning of what the ledger holds now.

    Gives for each entity the sequence that it has come to by now.

    Raises:
        BackupError: an entity is not there, is behind the backup, or has another history up to there.
        BackupRefusedError: the ledger lacks columns that the digests are over.
    """
    now: dict[str, int] = {}
    async with snapshot_of(dsn) as connection:
        await _has_columns(connection, manifest)
        heads = {row["entity_id"]: row for row in await connection.fetch(QUERIES["entities"])}
        advance = _counting("Comparing the history", manifest.events + manifest.entries, tell)
        for entity in manifest.entities:
            head = heads.get(entity.entity_id)
            if head is None:
                raise BackupError(f"entity {entity.entity_id} is in the backup and not in the ledger: {_WHAT_NOW}")
            if head["sequence"] < entity.sequence:
                raise BackupError(
                    f"entity {entity.entity_id} has come to {head['sequence']}, the backup to {entity.sequence}: "
                    f"the ledger has lost events; {_WHAT_NOW}"
                )
            history = await history_of(connection, head["entity_no"], entity.sequence, manifest.columns, advance)
            if (history.events, history.entries, history.digest) != (entity.events, entity.entries, entity.digest):
                raise BackupError(
                    f"entity {entity.entity_id} has another history than the backup up to {entity.sequence}: "
                    f"{_WHAT_NOW}"
                )
            now[entity.entity_id] = head["sequence"]
    return now


_WHAT_NOW: Final = "one of them is wrong; run 'ledger-service verify', and see docs/operations.md before you go on"


async def _has_columns(connection: Any, manifest: Manifest) -> None:
    found = await columns_of(connection)
    for table, columns in manifest.columns.items():
        missing = set(columns) - set(found.get(table, []))
        if missing:
            raise BackupError(
                f"the ledger's table {table} has no {', '.join(sorted(missing))}: it is of another release than the "
                "backup, and can be compared with one made since only"
            )


def _counting(stage: str, total: int, tell: Tell) -> Callable[[int], None]:
    done = 0

    def advance(size: int) -> None:
        nonlocal done
        done += size
        tell(BackupProgress(stage, done, total))

    return advance


def _remove_content(folder: Path) -> None:
    """What we made in a folder that was empty; the mark goes last, so that nothing is left without it."""
    shutil.rmtree(folder / DUMP, ignore_errors=True)
    with suppress(OSError):
        for name in (f"{MANIFEST}.new", MANIFEST, UNFINISHED):
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
