"""`ledger-service serve-worker`: one process of `serve --workers N`; started by it, not by people."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from ledger_service.cli.errors import CannotStartError, CommandError
from ledger_service.config import Listeners, Settings, load_settings


def command() -> None:
    """Serve as one of several workers; all options come from the environment."""
    import structlog
    import uvloop

    from ledger_service.allocator import limit_arenas
    from ledger_service.telemetry import configure_logging

    limit_arenas()
    settings = load_settings()
    index = int(os.environ.get("LEDGER_WORKER_INDEX", "-1"))
    if settings.dsn is None or index < 0:
        raise CommandError("serve-worker is started by `ledger-service serve --workers N`, use that")
    configure_logging(settings.log_level, settings.log_format)
    structlog.contextvars.bind_contextvars(worker=index)
    uvloop.run(_run(settings, settings.dsn.get_secret_value(), index))


async def _run(settings: Settings, dsn: str, index: int) -> None:
    from ledger_service.bootstrap import CANNOT_SERVE, WorkerConfig, run_worker
    from ledger_service.storage.connect_errors import DATABASE_ERRORS, explain_database_error

    _drain_when_orphaned()
    token = settings.bootstrap_token
    config = WorkerConfig(
        settings=settings,
        dsn=dsn,
        listeners=Listeners(settings.grpc, settings.rest),
        reuse_port=True,
        bootstrap_token=token.get_secret_value() if token else None,
        worker_index=index,
    )
    try:
        await run_worker(config, ready=_report_ready)
    except CANNOT_SERVE as error:
        raise CannotStartError(str(error)) from error
    except DATABASE_ERRORS as error:
        raise CannotStartError(explain_database_error(error, dsn)) from error


def _report_ready(listeners: Listeners) -> None:
    sys.stdout.write(f"ready {listeners.grpc} {listeners.rest}\n")
    sys.stdout.flush()
    # Nobody reads the pipe from here on; whatever is printed goes where the logs go.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def _drain_when_orphaned() -> None:
    """End as on SIGTERM when the supervisor is gone: the other end of our standard input closes with it."""
    loop = asyncio.get_running_loop()
    source = sys.stdin.fileno()

    def on_readable() -> None:
        if not os.read(source, 1024):
            loop.remove_reader(source)
            os.kill(os.getpid(), signal.SIGTERM)

    loop.add_reader(source, on_readable)
