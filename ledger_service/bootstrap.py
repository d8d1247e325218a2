"""The composition root: puts the parts together, starts them in order and ends them in the other one."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
import uuid_utils
from iso4217 import Currency

from ledger_service import telemetry
from ledger_service.application.admission import Admission, AdmissionLimits
from ledger_service.application.answers import Answers
from ledger_service.application.asking.answering import Asking, AskLimits
from ledger_service.application.authentication import Authenticator
from ledger_service.application.committer import Committer, CommitterLimits
from ledger_service.application.details import Describer
from ledger_service.application.directory import Directory
from ledger_service.application.expiry import Expiry
from ledger_service.application.finding import Finding
from ledger_service.application.json_web_tokens import TokenRules, TokenVerifier
from ledger_service.application.paging import PageTokens
from ledger_service.application.ports import Clock, DatabaseClock, StorageError
from ledger_service.application.proving import Proving
from ledger_service.application.reads import Reads
from ledger_service.application.reconciling.changes import Changes
from ledger_service.application.reconciling.reconciling import Reconciling
from ledger_service.application.reconciling.settling import Settling
from ledger_service.application.reconciling.upload import Spool, SpoolLimits
from ledger_service.application.reconciling.writing import Parts
from ledger_service.application.signing import CheckpointKey
from ledger_service.application.use_cases import Limits, UseCases
from ledger_service.application.verification_keys import IssuerKeys, KeyDocument, Keys, SecretKey
from ledger_service.application.watching import Watching
from ledger_service.application.writes import Writes
from ledger_service.config import ConfigError, Listeners, Settings
from ledger_service.domain.money import Currencies
from ledger_service.gateway.multipart import MultipartLimits
from ledger_service.gateway.server import CannotListenError as CannotListenRestError
from ledger_service.gateway.server import Gateway, GatewayOptions
from ledger_service.remote.jwks import JwksFile, JwksUrl
from ledger_service.remote.planner_model import ChatModel
from ledger_service.rpc.server import CannotListenError, Server, ServerOptions
from ledger_service.storage.database import UnsafeServerError, check_server
from ledger_service.storage.directory import DirectoryStore
from ledger_service.storage.entities import EntityWriter
from ledger_service.storage.reading import ReadStore
from ledger_service.storage.reconciliation import ReconciliationStore
from ledger_service.storage.verification import VerifyReport, verify_database
from ledger_service.storage.write_session import WriteStore
from ledger_service.sweeping import Sweeping
from ledger_service.tls import TlsError, TlsFiles
from ledger_service.workshop.workshop import ProcessWorkshop, WorkshopLimits

__all__ = ["CANNOT_SERVE", "RunningService", "VerifyReport", "WorkerConfig", "run_worker", "start", "verify_database"]

_log = structlog.get_logger()

CANNOT_SERVE = (ConfigError, UnsafeServerError, CannotListenError, CannotListenRestError, TlsError, StorageError)
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
        telemetry.QUEUE_COMMANDS.value = commands

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
    lookups: DirectoryStore
    watching: Watching
    expiry: Expiry
    admission: Admission
    workshop: ProcessWorkshop
    spool: Spool
    reconciliations: ReconciliationStore

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
        await self.admission.stop()
        await self.workshop.stop()
        await self.reads.close()
        await self.reconciliations.close()
        await self.lookups.close()
        _log.info("stopped", grpc=self.listeners.grpc, rest=self.listeners.rest)


_GRACE_SECONDS = 2.0
_RECONCILIATION_READERS = 2
"""Connections: reads of whole reconciliations are long, and must not keep balances from being read."""
_CHANCE_BITS = 20


async def start(config: WorkerConfig, *, clock: Clock | None = None) -> RunningService:
    """Start to serve. Raises UnsafeServerError, StorageError, CannotListenError, TlsError."""
    settings, clock = config.settings, clock or DatabaseClock()
    await check_server(config.dsn)
    lookups = await DirectoryStore.open(config.dsn, clock)
    reads = await ReadStore.open(config.dsn, settings.reader_connections, clock)
    currencies: Currencies = {**iso_currencies(), **await lookups.currencies()}
    directory = Directory(lookups)
    answers = Answers(reads, currencies)
    watching = Watching(reads, directory, settings.watch_poll_milliseconds / 1000, settings.max_watchers)
    chance = random.SystemRandom()
    committer = Committer(
        WriteStore(config.dsn, chance),
        _committer_limits(settings),
        Telemetry(watching.advanced),
        clock,
        chance,
    )
    expiry = Expiry(lookups, committer, settings.expiry_interval_milliseconds / 1000)
    tokens = PageTokens(await lookups.secret("page_token_key"))
    admission = await _admission(settings, lookups, config.bootstrap_token)
    workshop = ProcessWorkshop(_workshop_limits(settings))
    spool = Spool(SpoolLimits(settings.max_statement_bytes, settings.max_uploads, settings.upload_seconds))
    spool.sweep(time.time())
    reconciliations = await ReconciliationStore.open(config.dsn, _RECONCILIATION_READERS)
    use_cases = UseCases(
        admission=admission,
        writes=Writes(committer, directory, reads, EntityWriter(config.dsn), answers, lambda: uuid_utils.uuid7().int),
        reads=Reads(reads, directory, tokens, currencies),
        proving=Proving(reads.history(), reads, directory, checkpoint_key(settings)),
        finding=Finding(reads, directory, tokens, currencies, settings.search_seconds),
        asking=Asking(
            reads,
            directory,
            currencies,
            lambda: clock.adjust(datetime.now(UTC)),
            AskLimits(settings.ask_seconds, settings.max_questions),
            _planner_model(settings),
        ),
        reconciling=Reconciling(
            Parts(
                reconciliations,
                Changes(reconciliations, committer, answers, reads, directory, currencies, _stage_no),
                Settling(committer, answers, currencies),
                workshop,
                spool,
                reads,
                directory,
                tokens,
                currencies,
            )
        ),
        workshop=workshop,
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
    return RunningService(
        listeners, settings, server, gateway, committer, reads, lookups, watching, expiry, admission, workshop, spool,
        reconciliations,
    )  # fmt: skip


def _server(config: WorkerConfig, use_cases: UseCases) -> Server | None:
    settings, address = config.settings, config.listeners.grpc
    if address == "off":
        return None
    return Server(
        use_cases,
        ServerOptions(
            address,
            config.reuse_port,
            settings.max_message_bytes,
            settings.max_concurrent_rpcs,
            settings.max_connection_calls,
            tls_files(settings),
            settings.grpc_mutual if settings.grpc_mutual != "off" else None,
        ),
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
            uploads=MultipartLimits(settings.max_statement_bytes, settings.upload_seconds),
            tls=tls_files(settings),
            # As the first gRPC listener does: with a second one for certificates it takes tokens alone as well.
            demand_certificate=settings.grpc_mutual == "off",
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
    sweeping = Sweeping(telemetry.RPC_CALLS.begun)
    sweeping.start()
    ready(service.listeners)
    await stopping.wait()
    await service.stop()
    await sweeping.stop()


def iso_currencies() -> dict[str, int]:
    """Exponents of the currencies of ISO 4217; codes without one in the standard (gold, tests) are left out."""
    return {currency.code: currency.exponent for currency in Currency if currency.exponent is not None}


def tls_files(settings: Settings) -> TlsFiles | None:
    """What every listener serves TLS with; None: plain text."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return TlsFiles(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)


async def _admission(settings: Settings, lookups: DirectoryStore, bootstrap_token: str | None) -> Admission:
    authenticator = Authenticator(
        lookups,
        settings.key_pepper.get_secret_value(),
        bootstrap_token,
        time.monotonic,
        tokens=await _token_verifier(settings),
        cache_seconds=settings.credential_recheck_seconds,
    )
    limits = AdmissionLimits(settings.rate_limit_per_second, settings.rate_limit_burst, settings.max_concurrent_calls)
    # Less than what is remembered is good for: both together are the time that a revocation may take.
    recheck_seconds = settings.credential_recheck_seconds * 2 / 3
    return Admission(authenticator, limits, time.monotonic, recheck_seconds=recheck_seconds)


async def _token_verifier(settings: Settings) -> TokenVerifier | None:
    if settings.jwt_issuer is None or settings.jwt_audience is None:
        return None
    rules = TokenRules(
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        label=settings.jwt_label,
        entities_claim=settings.jwt_entities_claim,
        leeway_seconds=settings.jwt_leeway_seconds,
        max_lifetime_seconds=settings.jwt_max_lifetime_seconds,
    )
    keys: Keys
    if settings.jwt_secret is not None:
        keys = SecretKey(settings.jwt_secret.get_secret_value())
    else:
        source = settings.jwt_keys or ""
        try:
            document: KeyDocument = JwksUrl(source) if "://" in source else JwksFile(Path(source))
        except ValueError as error:
            raise ConfigError(f"LEDGER_JWT_KEYS: {error}") from error
        keys = issuer_keys = IssuerKeys(document, settings.jwt_max_stale_seconds, time.monotonic)
        # So that the first caller need not wait; an issuer that is away keeps nobody with a key from being served.
        await issuer_keys.prepare()
    return TokenVerifier(rules, keys, time.time)


def checkpoint_key(settings: Settings) -> CheckpointKey | None:
    """The key that signs checkpoints; None: there is none. Raises ConfigError."""
    if settings.checkpoint_key is None:
        return None
    try:
        return CheckpointKey.from_pem(settings.checkpoint_key.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"LEDGER_CHECKPOINT_KEY: {settings.checkpoint_key}: {reason}") from error


def _planner_model(settings: Settings) -> ChatModel | None:
    if settings.planner_url is None or settings.planner_model is None:
        return None
    key = settings.planner_key.get_secret_value() if settings.planner_key is not None else None
    try:
        return ChatModel(settings.planner_url, settings.planner_model, key, settings.planner_seconds)
    except ValueError as error:
        raise ConfigError(f"LEDGER_PLANNER_URL: {error}") from error


def _committer_limits(settings: Settings) -> CommitterLimits:
    return CommitterLimits(
        max_queued_commands=settings.max_queued_commands,
        max_commit_commands=settings.max_commit_commands,
        max_commit_postings=settings.max_commit_postings,
        lanes=settings.writer_connections,
        write_timeout_seconds=settings.write_timeout_seconds,
    )


def _stage_no() -> int:
    """A number for what is being prepared: by time, so that it is easy to see how old it is, with some chance."""
    return (time.time_ns() // 1_000_000 << _CHANCE_BITS) | random.SystemRandom().getrandbits(_CHANCE_BITS)


def _workshop_limits(settings: Settings) -> WorkshopLimits:
    return WorkshopLimits(
        processes=settings.workshop_processes,
        memory_bytes=settings.workshop_memory_bytes,
        seconds=settings.workshop_seconds,
        max_waiting=settings.max_workshop_jobs,
        idle_seconds=settings.workshop_idle_seconds,
    )
