"""The database of a command that works beside the service, or without it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ledger_service.cli.errors import CannotStartError
from ledger_service.cli.progress import Progress, make_progress

if TYPE_CHECKING:
    from ledger_service.config import Settings


@asynccontextmanager
async def database_dsn(settings: Settings) -> AsyncIterator[str]:
    """The DSN of the settings, or that of the embedded server, running already or started for the time.

    What the block raises because of the database becomes one line for the operator (CannotStartError).
    """
    from ledger_service.storage.connect_errors import DATABASE_ERRORS, explain_database_error
    from ledger_service.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError
    from ledger_service.storage.migrate import MigrationError
    from ledger_service.storage.migrated import require_migrated

    dsn = settings.dsn.get_secret_value() if settings.dsn is not None else ""
    try:
        if dsn:
            await require_migrated(dsn)
            yield dsn
            return
        async with EmbeddedPostgres.borrowed(settings.data_dir, progress=_progress()) as dsn:
            await require_migrated(dsn)
            yield dsn
    except (EmbeddedPostgresError, MigrationError) as error:
        raise CannotStartError(str(error)) from error
    except DATABASE_ERRORS as error:
        raise CannotStartError(explain_database_error(error, dsn)) from error


def _progress() -> Progress:
    """Steps of starting the server are for people: these commands' output is often read by programs."""
    return make_progress() if sys.stderr.isatty() else lambda step: None  # noqa: ARG005
