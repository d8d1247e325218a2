"""`ledger-service migrate`: bring a database to this release's schema."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger_service.cli.errors import CannotStartError
from ledger_service.cli.progress import Progress, make_progress
from ledger_service.config import Settings, load_settings


def command(
    dsn: Annotated[
        str | None,
        typer.Option(help="The database; better in LEDGER_MIGRATE_DSN or LEDGER_DSN, arguments are public."),
    ] = None,
    data_dir: Annotated[
        str | None,
        typer.Option(help="Without a DSN: the data folder of the embedded PostgreSQL (default: data)."),
    ] = None,
) -> None:
    """Apply the migrations that are missing. Forward only; safe to run twice and by several at once.

    `serve` does the same at each start; this is for deployments where the service's own user may not create
    tables. Uses LEDGER_MIGRATE_DSN, or else LEDGER_DSN, or else the embedded PostgreSQL, which must not be
    serving.
    """
    import asyncio

    from ledger_service.telemetry import configure_logging

    settings = load_settings(dsn=dsn, migrate_dsn=dsn, data_dir=data_dir)
    configure_logging(settings.log_level, settings.log_format)
    asyncio.run(_migrate(settings, make_progress()))
    typer.echo("the database is up to date")


async def _migrate(settings: Settings, progress: Progress) -> None:
    if settings.dsn or settings.migrate_dsn:
        await apply_migrations(settings, None, progress)
        return
    from ledger_service.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError

    try:
        server = await EmbeddedPostgres.start(settings.data_dir, progress=progress)
        try:
            await apply_migrations(settings, server.dsn, progress)
        finally:
            await server.stop()
    except EmbeddedPostgresError as error:
        raise CannotStartError(str(error)) from error


async def apply_migrations(settings: Settings, embedded_dsn: str | None, progress: Progress) -> None:
    """Migrate the embedded database, or else the one of the settings."""
    from ledger_service.storage.connect_errors import DATABASE_ERRORS, explain_database_error
    from ledger_service.storage.migrate import MigrationError, migrate

    configured = settings.migrate_dsn or settings.dsn
    dsn = embedded_dsn or (configured.get_secret_value() if configured else "")
    try:
        await migrate(dsn, progress=progress)
    except MigrationError as error:
        raise CannotStartError(str(error)) from error
    except DATABASE_ERRORS as error:
        raise CannotStartError(explain_database_error(error, dsn)) from error
