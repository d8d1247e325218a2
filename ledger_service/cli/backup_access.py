"""The database of `backup` and `restore`, and their errors in one line."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from ledger_service.cli.errors import CannotStartError, CommandError, ExitCode

if TYPE_CHECKING:
    from ledger_service.config import Settings


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end; SIGTERM, as Ctrl-C does, first lets it remove what it has made so far."""

    async def until_signal() -> None:
        task = asyncio.ensure_future(work)
        ended = asyncio.Event()

        def end() -> None:
            ended.set()
            task.cancel()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
        try:
            await task
        except asyncio.CancelledError as error:
            if not ended.is_set():
                raise
            raise CommandError("ended by SIGTERM; nothing of it stays") from error

    asyncio.run(until_signal())


def owner_dsn(settings: Settings) -> str:
    """The DSN of the user that owns the tables, as for `migrate`; empty: the embedded server."""
    configured = settings.migrate_dsn or settings.dsn
    return configured.get_secret_value() if configured is not None else ""


@asynccontextmanager
async def ledger_dsn(settings: Settings) -> AsyncIterator[str]:
    """The DSN of the ledger that serves, or could. The embedded server is borrowed, or started for the time."""
    from ledger_service.storage.embedded import EmbeddedPostgres

    if dsn := owner_dsn(settings):
        yield dsn
        return
    async with EmbeddedPostgres.borrowed(settings.data_dir, progress=lambda step: None) as embedded:  # noqa: ARG005
        yield embedded


@contextmanager
def told_in_one_line(dsn: str) -> Iterator[None]:
    """Errors of the storage as those of a command: 2 nothing was begun, 1 it failed, 3 the database is not there."""
    from ledger_service.storage.backup_errors import BackupError, BackupRefusedError
    from ledger_service.storage.connect_errors import DATABASE_ERRORS, explain_database_error
    from ledger_service.storage.embedded_errors import EmbeddedPostgresError
    from ledger_service.storage.migrate import MigrationError

    try:
        yield
    except BackupRefusedError as error:
        raise CommandError(str(error), ExitCode.USAGE) from error
    except BackupError as error:
        raise CommandError(str(error)) from error
    except (EmbeddedPostgresError, MigrationError) as error:
        raise CannotStartError(str(error)) from error
    except DATABASE_ERRORS as error:
        raise CannotStartError(explain_database_error(error, dsn)) from error
