"""The composition root: puts the parts together, starts them in order and ends them in the other one."""

from __future__ import annotations

import asyncio
import gc
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
import uuid_utils
from iso4217 import Currency

from ledger_service import telemetry
from ledger_service.application.answers import Answers
from ledger_service.application.authentication import Authenticator
from ledger_service.application.committer import Committer, CommitterLimits
from ledger_service.application.details import Describer
from ledger_service.application.directory import Directory
from ledger_service.application.expiry import Expiry
from ledger_service.application.paging import PageTokens
from ledger_service.application.ports import Clock, DatabaseClock, StorageError
from ledger_service.application.reads import Reads
from ledger_service.application.use_cases import Limits, UseCases
from ledger_service.application.watching import Watching
from ledger_service.application.writes import Writes
from ledger_service.config import Listeners, Settings
from ledger_service.domain.money import Currencies
from ledger_service.gateway.server import CannotListenError as CannotListenRestError
from ledger_service.gateway.server import Gateway, GatewayOptions
from ledger_service.rpc.server import CannotListenError, Server, ServerOptions
from ledger_service.storage.database import UnsafeServerError, check_server
from ledger_service.storage.entities import EntityWriter
from ledger_service.storage.reading import ReadStore
from ledger_service.storage.verification import VerifyReport, verify_database
from ledger_service.storage.write_session import WriteStore

__all__ = ["CANNOT_SERVE", "RunningService", "VerifyReport", "WorkerConfig", "run_worker", "start", "verify_database"]

_log = structlog.get_logger()

CANNOT_SERVE = (UnsafeServerError, CannotListenError, CannotListenRestError, StorageError)
"""What `start` raises with a message that says all an operator needs."""


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What one serving process is told."""

    settings: Settings
    dsn: str
    listeners: Listeners
    reuse_port: bool
    bootstrap_token: str | None
    worker_index: int


class Telemetry:
    """Hears what the committer does; see application.ports.Observer."""

    def __init__(self, advanced: Callable[[int, int], None]) -> None:
        self._advanced = advanced

    def committed(self, events: int, seconds: float) -> None:
        """Counted by outcome, with size and time."""
        telemetry.COMMITS.labels("committed").inc()
        telemetry.COMMIT_ITEMS.observe(events)
        telemetry.COMMIT_SECONDS.observe(seconds)

    def aborted(self) -> None:
        """Tried again."""
        telemetry.COMMITS.labels("aborted").inc()

    def resolved(self) -> None:
        """A lost answer was found out."""
        telemetry.COMMITS.labels("unknown_resolved").inc()

    def failed(self) -> None:
        """Callers were answered with a failure."""
        telemetry.COMMITS.labels("failed").inc()

    def queued(self, commands: int) -> None:
        """How much waits."""
        telemetry.QUEUE_COMMANDS.set(commands)

    def refused(self, reason: str) -> None:
        """A rule said no."""
        telemetry.REFUSALS.labels(reason).inc()

    def advanced(self, entity_no: int, sequence: int) -> None:
        """Told to the watches."""
        self._advanced(entity_no, sequence)


@dataclass(slots=True)
class RunningService:
    """A service that answers at `listeners` until it is stopped."""

    listeners: Listeners
    settings: Settings
    server: Server | None
    gateway: Gateway | None
    committer: Committer
    reads: ReadStore
    watching: Watching
    expiry: Expiry

    async def stop(self) -> None:
        """Drain: refuse new writes, carry through and answer what was accepted, then close."""
        _log.info("draining", grpc=self.listeners.grpc, rest=self.listeners.rest)
        if self.server is not None:
            await self.server.set_serving(False)
        if self.gateway is not None:
            self.gateway.drain()
        self.watching.drain()
        await self.expiry.stop()
        complete = await self.committer.drain(self.settings.drain_seconds)
        if not complete:
            _log.error("drain_incomplete", seconds=self.settings.drain_seconds)
        # Answers on their way out have this long to leave.
        await asyncio.gather(*(part.stop(_GRACE_SECONDS) for part in (self.server, self.gateway) if part is not None))
        await self.watching.stop()
        await self.committer.stop()
        await self.reads.close()
        _log.info("stopped", grpc=self.listeners.grpc, rest=self.listeners.rest)


_GRACE_SECONDS = 2.0


async def start(config: WorkerConfig, *, clock: Clock | None = None) -> RunningService:
    """Start to serve. Raises UnsafeServerError, StorageError, CannotListenError."""
    settings, clock = config.settings, clock or DatabaseClock()
    await check_server(config.dsn)
    reads = await ReadStore.open(config.dsn, settings.reader_connections, clock)
    currencies: Currencies = {**iso_currencies(), **await reads.currencies()}
    directory = Directory(reads)
    answers = Answers(reads, currencies)
    watching = Watching(reads, directory, settings.watch_poll_milliseconds / 1000, settings.max_watchers)
    committer = Committer(
        WriteStore(config.dsn),
        _committer_limits(settings),
        Telemetry(watching.advanced),
        clock,
        random.SystemRandom(),
    )
    expiry = Expiry(reads, committer, settings.expiry_interval_milliseconds / 1000)
    pepper = settings.key_pepper.get_secret_value()
    use_cases = UseCases(
        authenticator=Authenticator(reads, pepper, config.bootstrap_token, time.monotonic),
        writes=Writes(committer, directory, reads, EntityWriter(config.dsn), answers, lambda: uuid_utils.uuid7().int),
        reads=Reads(reads, directory, PageTokens(await reads.secret("page_token_key")), currencies),
        watching=watching,
        describer=Describer(reads),
        currencies=currencies,
        limits=Limits(settings.max_batch_transactions, settings.max_batch_postings, settings.max_stream_in_flight),
    )
    server, gateway = _server(config, use_cases), _gateway(config, use_cases)
    committer.start()
    watching.start()
    expiry.start()
    for part in (server, gateway):
        if part is not None:
            await part.start()
    listeners = Listeners(server.address if server else "off", gateway.address if gateway else "off")
    return RunningService(listeners, settings, server, gateway, committer, reads, watching, expiry)


def _server(config: WorkerConfig, use_cases: UseCases) -> Server | None:
    settings, address = config.settings, config.listeners.grpc
    if address == "off":
        return None
    return Server(
        use_cases,
        ServerOptions(address, config.reuse_port, settings.max_message_bytes, settings.max_concurrent_rpcs),
    )


def _gateway(config: WorkerConfig, use_cases: UseCases) -> Gateway | None:
    settings, address = config.settings, config.listeners.rest
    if address == "off":
        return None
    return Gateway(
        use_cases,
        GatewayOptions(
            address=address,
            reuse_port=config.reuse_port,
            max_body_bytes=settings.max_body_bytes,
            max_header_bytes=settings.max_header_bytes,
            max_concurrent_requests=settings.max_concurrent_requests,
            max_connections=settings.max_connections,
            keep_alive_seconds=settings.keep_alive_seconds,
            client_timeout_seconds=settings.client_timeout_seconds,
        ),
        make_key=lambda: str(uuid_utils.uuid7()),
        monotonic=time.monotonic,
    )


async def run_worker(config: WorkerConfig, *, ready: Callable[[Listeners], None]) -> None:
    """Serve until SIGTERM or SIGINT, drain, return. `ready` is told where once it serves."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    telemetry.serve_metrics(config.settings.metrics, config.worker_index)
    service = await start(config)
    # What exists by now lives as long as the process: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    # A batch makes tens of thousands of objects, without cycles, that live until it is answered: looking at
    # them again and again on the way finds nothing.
    gc.set_threshold(50_000, 20, 100)
    ready(service.listeners)
    await stopping.wait()
    await service.stop()


def iso_currencies() -> dict[str, int]:
    """Exponents of the currencies of ISO 4217; codes without one in the standard (gold, tests) are left out."""
    return {currency.code: currency.exponent for currency in Currency if currency.exponent is not None}


def _committer_limits(settings: Settings) -> CommitterLimits:
    return CommitterLimits(
        max_queued_commands=settings.max_queued_commands,
        max_commit_commands=settings.max_commit_commands,
        max_commit_postings=settings.max_commit_postings,
        lanes=settings.writer_connections,
        write_timeout_seconds=settings.write_timeout_seconds,
    )
