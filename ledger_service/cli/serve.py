"""`ledger-service serve`: start what is needed, serve, and end in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

from ledger_service.cli.errors import CannotStartError
from ledger_service.cli.progress import Progress, make_progress
from ledger_service.config import (
    Address,
    Listeners,
    Settings,
    load_settings,
    misspelt_variables,
    refuse_plain_text_to_others,
)

if TYPE_CHECKING:
    from ledger_service.cli.admin_token import AdminToken
    from ledger_service.storage.embedded import EmbeddedPostgres

# SIGHUP: the terminal was closed.
_END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

logger = structlog.get_logger(__name__)


def command(
    dsn: Annotated[
        str | None,
        typer.Option(help="PostgreSQL to use, postgresql://...; better in LEDGER_DSN, arguments are public."),
    ] = None,
    data_dir: Annotated[
        str | None, typer.Option(help="Without a DSN: folder of the embedded PostgreSQL (default: data).")
    ] = None,
    grpc: Annotated[
        str | None,
        typer.Option(help="HOST:PORT to serve gRPC on (default: 127.0.0.1:50051), or off; port 0: a free one."),
    ] = None,
    rest: Annotated[
        str | None,
        typer.Option(help="HOST:PORT to serve REST on (default: 127.0.0.1:8080), or off; port 0: a free one."),
    ] = None,
    tls_certificate: Annotated[
        str | None, typer.Option(help="PEM file of the server's certificate: serve TLS.")
    ] = None,
    tls_key: Annotated[str | None, typer.Option(help="PEM file of its key.")] = None,
    tls_client_ca: Annotated[
        str | None, typer.Option(help="PEM file: clients must show a certificate of these authorities.")
    ] = None,
    insecure: Annotated[
        bool | None, typer.Option("--insecure", help="Serve plain text to other machines as well.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that share the port, 1 to 64 (default: 1).")] = None,
    metrics: Annotated[
        str | None, typer.Option(help="HOST:PORT for Prometheus (default: off); worker n uses PORT+n.")
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error (default: info).")] = None,
    log_format: Annotated[
        str | None,
        typer.Option(help="json, console, or auto: console on a terminal, else json (default: auto)."),
    ] = None,
) -> None:
    """Serve the ledger until Ctrl-C or SIGTERM.

    Then what was accepted is finished, and the exit status is 0. Without a DSN an embedded PostgreSQL is
    started in the data folder. Every option can be given as LEDGER_... in the environment instead;
    `ledger-service config` lists them all.
    """
    import uvloop

    from ledger_service.allocator import limit_arenas
    from ledger_service.telemetry import configure_logging

    limit_arenas()
    settings = load_settings(
        dsn=dsn, data_dir=data_dir, grpc=grpc, rest=rest, workers=workers, metrics=metrics, log_level=log_level,
        log_format=log_format, tls_certificate=tls_certificate, tls_key=tls_key, tls_client_ca=tls_client_ca,
        insecure=insecure,
    )  # fmt: skip
    refuse_plain_text_to_others(settings)
    configure_logging(settings.log_level, settings.log_format)
    for line in misspelt_variables():
        logger.warning("unknown_option", hint=line)
    uvloop.run(_until_signal(settings, make_progress()))


async def _until_signal(settings: Settings, progress: Progress) -> None:
    """Serve; a signal during the start ends it in order, too."""
    main = asyncio.ensure_future(_serve(settings, progress))
    _on_signals(main.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await main


async def _serve(settings: Settings, progress: Progress) -> None:
    from ledger_service.bootstrap import tls_files
    from ledger_service.tls import TlsError, read_tls

    if files := tls_files(settings):
        try:
            # Before a database is started for a service that could not serve.
            read_tls(files)
        except TlsError as error:
            raise CannotStartError(str(error)) from error
    with contextlib.ExitStack() as held_ports:
        listeners = await _reserve_ports(settings, held_ports)
        if settings.dsn is not None:
            await _serve_on(settings, listeners, settings.dsn.get_secret_value(), None, progress)
            return
        await _serve_embedded(settings, listeners, progress)


async def _reserve_ports(settings: Settings, held_ports: contextlib.ExitStack) -> Listeners:
    """Where to listen, the ports chosen and held as far as workers need that."""
    from ledger_service.cli.listen_port import reserve_port

    found = {}
    for name in Listeners._fields:
        found[name] = getattr(settings, name)
        if found[name] != "off":
            address, held = await reserve_port(
                Address.parse(found[name]), shared=settings.workers > 1, option=f"--{name} (LEDGER_{name.upper()})"
            )
            found[name] = str(address)
            if held is not None:
                held_ports.enter_context(contextlib.closing(held))
    return Listeners(**found)


async def _serve_embedded(settings: Settings, listeners: Listeners, progress: Progress) -> None:
    from ledger_service.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError

    try:
        server = await EmbeddedPostgres.start(settings.data_dir, progress=progress)
        try:
            await _serve_on(settings, listeners, server.service_dsn, server, progress)
        finally:
            # A second Ctrl-C must not leave the database half stopped.
            _on_signals(lambda: None)
            progress("Stopping PostgreSQL")
            await asyncio.shield(server.stop())
    except EmbeddedPostgresError as error:
        raise CannotStartError(str(error)) from error


async def _serve_on(
    settings: Settings, listeners: Listeners, dsn: str, server: EmbeddedPostgres | None, progress: Progress
) -> None:
    from ledger_service.cli.admin_token import ensure_admin_token
    from ledger_service.cli.banner import Banner
    from ledger_service.cli.migrate import apply_migrations

    await apply_migrations(settings, server.dsn if server else None, progress)
    admin: AdminToken | None = None
    token = settings.bootstrap_token.get_secret_value() if settings.bootstrap_token else None
    if token is None and server is not None:
        admin = ensure_admin_token(settings.data_dir)
        token = admin.token
    banner = Banner(
        workers=settings.workers,
        database=f"embedded PostgreSQL in {settings.data_dir}" if server else "the one of LEDGER_DSN",
        admin_token=admin,
        token_configured=settings.bootstrap_token is not None,
        certificate=settings.tls_certificate,
    )
    progress("Starting to serve")
    run = _run_pool if settings.workers > 1 else _run_single
    if server is None:
        await run(settings, listeners, dsn, token, banner.print)
        return
    async with _keeping_alive(server, progress):
        await run(settings, listeners, dsn, token, banner.print)


@contextlib.asynccontextmanager
async def _keeping_alive(server: EmbeddedPostgres, progress: Progress) -> AsyncIterator[None]:
    """Start the embedded server again whenever it dies; when that fails, end the service and say why."""
    keeper = asyncio.create_task(_keep_alive(server, progress))
    try:
        yield
    finally:
        if not keeper.done():
            keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper


async def _keep_alive(server: EmbeddedPostgres, progress: Progress) -> None:
    from ledger_service.cli.restart import RestartPolicy

    loop = asyncio.get_running_loop()
    policy = RestartPolicy()
    try:
        while True:
            born = loop.time()
            await server.wait()
            delay = policy.delay_after(loop.time() - born)
            if delay is None:
                raise CannotStartError(f"the embedded PostgreSQL dies again and again; see {server.log_path}")
            logger.error("embedded_postgres_died", log=str(server.log_path), restart_in_seconds=delay)
            await asyncio.sleep(delay)
            await server.restart(progress=progress)
    except asyncio.CancelledError:
        raise
    except Exception:
        # Ends the service in order: whoever serves now listens for this signal.
        os.kill(os.getpid(), signal.SIGTERM)
        raise


async def _run_single(
    settings: Settings, listeners: Listeners, dsn: str, token: str | None, ready: Callable[[Listeners], None]
) -> None:
    from ledger_service.bootstrap import CANNOT_SERVE, WorkerConfig, run_worker
    from ledger_service.storage.connect_errors import DATABASE_ERRORS, explain_database_error

    config = WorkerConfig(
        settings=settings,
        dsn=dsn,
        listeners=listeners,
        reuse_port=False,
        bootstrap_token=token,
        worker_index=0,
    )
    # The worker handles SIGINT and SIGTERM by itself, and nothing else.
    _on_signals(lambda: os.kill(os.getpid(), signal.SIGTERM), (signal.SIGHUP,))
    try:
        await run_worker(config, ready=ready)
    except CANNOT_SERVE as error:
        raise CannotStartError(str(error)) from error
    except DATABASE_ERRORS as error:
        raise CannotStartError(explain_database_error(error, dsn)) from error


async def _run_pool(
    settings: Settings, listeners: Listeners, dsn: str, token: str | None, ready: Callable[[Listeners], None]
) -> None:
    from ledger_service.cli.worker_pool import WorkerPool

    # By environment, which other users cannot read; arguments are public.
    environment = settings.to_environment() | {
        "LEDGER_DSN": dsn,
        "LEDGER_GRPC": listeners.grpc,
        "LEDGER_REST": listeners.rest,
    }
    if token is not None:
        environment["LEDGER_BOOTSTRAP_TOKEN"] = token
    pool = WorkerPool(settings.workers, environment, drain_seconds=settings.drain_seconds, ready=ready)
    _on_signals(pool.stop)
    await pool.run()


def _on_signals(react: Callable[[], object], signals: tuple[signal.Signals, ...] = _END_SIGNALS) -> None:
    loop = asyncio.get_running_loop()
    for number in signals:
        # Under nohup SIGHUP is ignored, and is to stay so.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, react)
