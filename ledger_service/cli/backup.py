"""`ledger-service backup`: a copy of the whole ledger that can be proved."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger_service.config import Settings, load_settings

if TYPE_CHECKING:
    from ledger_service.storage.backup_manifest import Manifest


class Check(StrEnum):
    """What an existing backup is held against."""

    FILES = "files"
    LEDGER = "ledger"


def command(
    folder: Annotated[Path, typer.Argument(help="The backup's folder; it must not exist yet, or be empty.")],
    check: Annotated[
        Check | None,
        typer.Option(
            help="Make none, but prove the one in FOLDER. files: each is there, and what was written. "
            "ledger: that, and the ledger has the same history up to there."
        ),
    ] = None,
    dsn: Annotated[
        str | None,
        typer.Option(help="The database, as the tables' owner; better in LEDGER_MIGRATE_DSN or LEDGER_DSN."),
    ] = None,
    data_dir: Annotated[
        str | None,
        typer.Option(help="Without a DSN: the data folder of the embedded PostgreSQL (default: data)."),
    ] = None,
    pg_bin: Annotated[
        Path | None,
        typer.Option(help="Folder of pg_dump of the server's major version (default: the usual folders)."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=32, help="Tables dumped at a time, a connection for each.")] = 1,
) -> None:
    """Back the ledger up while it serves, or prove a backup.

    The backup is one state of the ledger, that of the moment when the command began: pg_dump's files, and
    manifest.json with each file's SHA-256 and each entity's last sequence and digest. It holds the secrets of the
    tables (not those of the environment or of the file admin-token); keep it on another disk, where few may read it.

    FOLDER is never overwritten. A folder with a file UNFINISHED is what a backup left that was cut off: remove it.
    Exit status 0 all is well, 1 it failed or the proof did, 2 nothing was begun, 3 the database cannot be used.
    """
    from ledger_service.cli.backup_access import run
    from ledger_service.telemetry import configure_logging

    settings = load_settings(dsn=dsn, migrate_dsn=dsn, data_dir=data_dir)
    configure_logging(settings.log_level, settings.log_format)
    if check is None:
        run(_make(settings, folder, pg_bin, jobs))
    else:
        run(_check(settings, folder, check))


async def _make(settings: Settings, folder: Path, pg_bin: Path | None, jobs: int) -> None:
    from ledger_service.cli.backup_access import ledger_dsn, owner_dsn, told_in_one_line
    from ledger_service.cli.backup_print import print_entities, print_manifest, showing_progress
    from ledger_service.storage.backup import make_backup

    started = time.monotonic()
    with told_in_one_line(owner_dsn(settings)):
        async with ledger_dsn(settings) as dsn:
            with showing_progress() as tell:
                manifest, digest = await make_backup(dsn, folder, pg_bin=pg_bin, jobs=jobs, tell=tell)
    took = f"{time.monotonic() - started:.1f} s"
    gaps = {"gaps": "the history of an entity lacks events: run 'ledger-service verify'"} if manifest.has_gaps else {}
    print_manifest(folder, manifest, {"manifest": f"sha256 {digest}", **gaps, "took": took})
    print_entities(manifest)


async def _check(settings: Settings, folder: Path, check: Check) -> None:
    from ledger_service.cli.backup_access import owner_dsn, told_in_one_line
    from ledger_service.cli.backup_print import print_entities, print_manifest, showing_progress
    from ledger_service.storage.backup import prove_files
    from ledger_service.storage.backup_manifest import read_manifest

    now: dict[str, int] | None = None
    with told_in_one_line(owner_dsn(settings)):
        manifest = read_manifest(folder)
        with showing_progress() as tell:
            prove_files(folder, manifest, tell)
        if check is Check.LEDGER:
            now = await _compare(settings, manifest)
    facts = {"files": "each is there, and what was written"}
    if now is not None:
        facts["ledger"] = "has the same history up to there, in every entity"
    print_manifest(folder, manifest, facts)
    print_entities(manifest, now)


async def _compare(settings: Settings, manifest: Manifest) -> dict[str, int]:
    from ledger_service.cli.backup_access import ledger_dsn
    from ledger_service.cli.backup_print import showing_progress
    from ledger_service.storage.backup import compare_with_ledger

    async with ledger_dsn(settings) as dsn:
        with showing_progress() as tell:
            return await compare_with_ledger(dsn, manifest, tell)
