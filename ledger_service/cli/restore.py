"""`ledger-service restore`: a ledger from a backup, proved before anybody uses it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger_service.cli.errors import CommandError, ExitCode
from ledger_service.config import Settings, load_settings

if TYPE_CHECKING:
    from ledger_service.storage.backup_manifest import Manifest
    from ledger_service.storage.restore import Restored


def command(
    folder: Annotated[Path, typer.Argument(help="The folder of a backup.")],
    dsn: Annotated[
        str | None,
        typer.Option(
            help="An empty database, as a user that may create schemas and roles; better in LEDGER_MIGRATE_DSN "
            "or LEDGER_DSN."
        ),
    ] = None,
    data_dir: Annotated[
        str | None,
        typer.Option(help="Without a DSN: a data folder that does not exist, or is empty (default: data)."),
    ] = None,
    pg_bin: Annotated[
        Path | None,
        typer.Option(help="With a DSN: folder of pg_restore of the server's major version (default: the usual ones)."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1, max=32, help="Into a data folder: tables and indexes that are made at a time (default: 2)."
        ),
    ] = None,
    max_breaks: Annotated[
        int, typer.Option(min=1, max=100_000, help="How many breaks of rules to list; all are counted.")
    ] = 100,
) -> None:
    """Restore a backup into a new data folder or an empty database, and prove what came out.

    First every file is held against the manifest. Then it is loaded, all or nothing. Then it is proved that each entity
    has the very history that the manifest says, up to the very sequence, and that no rule is broken (as `verify`
    does). Migrations that this release has and the backup has not are applied. What was acknowledged after the
    backup is not in it.

    A restore that was cut off leaves nothing that serves: run it again. Exit status 0 all is well, 1 it failed, or a
    rule is broken in the backup, 2 nothing was begun, 3 the database cannot be used.
    """
    from ledger_service.cli.backup_access import owner_dsn, run
    from ledger_service.telemetry import configure_logging

    if dsn is not None and data_dir is not None:
        raise CommandError("--dsn and --data-dir name two places: give the one to restore into", ExitCode.USAGE)
    settings = load_settings(dsn=dsn, migrate_dsn=dsn, data_dir=data_dir)
    if data_dir is not None:
        # What is restored into is to be unmistakable: a folder that was named wins over a DSN of the environment.
        settings = settings.model_copy(update={"dsn": None, "migrate_dsn": None})
    configure_logging(settings.log_level, settings.log_format)
    if owner_dsn(settings):
        if jobs is not None:
            raise CommandError(
                "--jobs is for a data folder: into a database all is one transaction, over one connection",
                ExitCode.USAGE,
            )
    elif pg_bin is not None:
        raise CommandError("--pg-bin is for --dsn: the embedded PostgreSQL brings its programs along", ExitCode.USAGE)
    run(_restore(settings, folder, pg_bin, jobs or 2, max_breaks))


async def _restore(settings: Settings, folder: Path, pg_bin: Path | None, jobs: int, max_breaks: int) -> None:
    from ledger_service.cli.backup_access import owner_dsn, told_in_one_line
    from ledger_service.cli.backup_print import showing_progress
    from ledger_service.storage.backup import prove_files
    from ledger_service.storage.backup_manifest import read_manifest
    from ledger_service.storage.restore import check_release, restore_into_database, restore_into_folder

    started = time.monotonic()
    dsn = owner_dsn(settings)
    with told_in_one_line(dsn):
        manifest = read_manifest(folder)
        check_release(manifest)
        with showing_progress() as tell:
            prove_files(folder, manifest, tell)
            if dsn:
                restored = await restore_into_database(
                    folder, manifest, dsn, pg_bin=pg_bin, tell=tell, max_breaks=max_breaks
                )
            else:
                restored = await restore_into_folder(
                    folder, manifest, settings.data_dir, jobs=jobs, tell=tell, max_breaks=max_breaks
                )
    place = "the database" if dsn else str(settings.data_dir)
    _print(folder, manifest, restored, place, time.monotonic() - started)


def _print(folder: Path, manifest: Manifest, restored: Restored, place: str, seconds: float) -> None:
    from ledger_service.cli.backup_print import counted, print_entities, print_manifest

    report = restored.verified
    facts = {
        "restored": f"into {place}, on PostgreSQL {restored.server_version}",
        "history": "of each entity is what the manifest says, up to the same sequence",
    }
    if restored.migrated:
        facts["schema now"] = f"{counted(restored.migrated, 'migration', 'migrations')} of this release applied"
    if report.is_clean:
        facts["verify"] = f"all rules hold, in {counted(report.entries, 'entry', 'entries')}"
    else:
        facts["verify"] = (
            f"{counted(len(report.breaks) + report.unlisted, 'break', 'breaks')} found, which are in the backup: "
            "see docs/operations.md before anybody uses it"
        )
    if restored.writers_ahead:
        facts["epoch"] = (
            "this server counts its transactions from below those of the ledger's past: "
            "raise its epoch once, see docs/operations.md"
        )
    facts["took"] = f"{seconds:.1f} s"
    print_manifest(folder, manifest, facts)
    print_entities(manifest)
    for line in report.breaks:
        typer.echo(line)
    if report.unlisted:
        typer.echo(f"and {report.unlisted:,} more; list them with --max-breaks")
    if not report.is_clean:
        raise typer.Exit(ExitCode.PROBLEM_FOUND)
