"""Logs and metrics: how they are set up, and every metric of the service in one place."""

from __future__ import annotations

import itertools
import logging
import sys
import time
from bisect import bisect_left
from collections.abc import Iterable
from typing import Final, TextIO

import structlog
from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Metric, start_http_server
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from structlog.typing import EventDict, Processor, WrappedLogger

from ledger_service.config import Address


class MethodFigures:
    """What is counted of one method's calls, in plain numbers. Written by one event loop only."""

    __slots__ = ("_handled", "_seconds", "_started", "_sum", "labels")

    def __init__(self, labels: tuple[str, str, str]) -> None:
        """`labels`: type (unary, stream), service and method."""
        self.labels = labels
        self._started = 0
        self._handled = {"OK": 0}
        self._seconds = [0] * len(_BOUNDS)
        self._sum = 0.0

    def started(self) -> float:
        """A call has begun. Returns what `handled` wants to know of it."""
        self._started += 1
        return time.perf_counter()

    def handled(self, began: float, code: str) -> None:
        """It has ended, with this status code."""
        passed = time.perf_counter() - began
        self._seconds[bisect_left(_BOUNDS, passed)] += 1
        self._sum += passed
        self._handled[code] = self._handled.get(code, 0) + 1

    @property
    def begun(self) -> int:
        """How many have begun."""
        return self._started

    def count(self, code: str) -> int:
        """How many have ended with this status code."""
        return self._handled.get(code, 0)

    def report(self, started: Metric, handled: Metric, seconds: Metric) -> None:
        """Add what was counted to the three families."""
        started.add_sample("grpc_server_started_total", self._named(), self._started)
        for code, count in list(self._handled.items()):
            handled.add_sample("grpc_server_handled_total", self._named(grpc_code=code), count)
        counts = list(itertools.accumulate(self._seconds))
        for bound, count in zip(_BOUNDS, counts, strict=True):
            named = self._named(le=floatToGoString(bound))  # type: ignore[no-untyped-call]
            seconds.add_sample("grpc_server_handling_seconds_bucket", named, count)
        seconds.add_sample("grpc_server_handling_seconds_count", self._named(), counts[-1])
        seconds.add_sample("grpc_server_handling_seconds_sum", self._named(), self._sum)

    def _named(self, **more: str) -> dict[str, str]:
        kind, service, method = self.labels
        return {"grpc_type": kind, "grpc_service": service, "grpc_method": method, **more}


class _Calls(Collector):
    """The figures of all methods, made into metrics when somebody asks for them.

    prometheus_client's own counters take a lock each: five of them cost a call 2 µs, these 0.3.
    The names are those of go-grpc-prometheus, so that existing dashboards and alerts work.
    """

    def __init__(self) -> None:
        self._methods: dict[tuple[str, str, str], MethodFigures] = {}

    def method(self, *labels: str) -> MethodFigures:
        """Those of one method, by type, service and name; the same ones each time."""
        kind, service, name = labels
        return self._methods.setdefault((kind, service, name), MethodFigures((kind, service, name)))

    def begun(self) -> int:
        """How many calls have begun, of all methods."""
        return sum(method.begun for method in self._methods.values())

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client; called from the thread of a scrape."""
        started = Metric("grpc_server_started", "Calls begun.", "counter")
        handled = Metric("grpc_server_handled", "Calls ended, by status code.", "counter")
        seconds = Metric("grpc_server_handling_seconds", "Time from the start of a call to its end.", "histogram")
        for method in list(self._methods.values()):
            method.report(started, handled, seconds)
        return started, handled, seconds


_BOUNDS: Final = Histogram.DEFAULT_BUCKETS
RPC_CALLS: Final = _Calls()
REGISTRY.register(RPC_CALLS)


class Level:
    """A number that is told when it is asked for: setting `value` costs nothing."""

    def __init__(self, name: str, documentation: str) -> None:
        self.value = 0
        Gauge(name, documentation).set_function(lambda: self.value)


HTTP_STARTED: Final = Counter("http_server_started_total", "REST requests begun.", ["method", "route"])
HTTP_HANDLED: Final = Counter(
    "http_server_handled_total",
    "REST requests ended, by status; 499: the client had left.",
    ["method", "route", "status"],
)
HTTP_SECONDS: Final = Histogram(
    "http_server_handling_seconds", "Time from the start of a REST request to its end.", ["method", "route"]
)
COMMITS: Final = Counter(
    "ledger_commits_total",
    "Database transactions of the committer: committed, aborted (and tried again), unknown_resolved "
    "(the answer to COMMIT was lost and the outcome was looked up), failed.",
    ["outcome"],
)
COMMIT_ITEMS: Final = Histogram(
    "ledger_commit_items",
    "Writes committed together.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000),
)
COMMIT_SECONDS: Final = Histogram(
    "ledger_commit_seconds",
    "Time of one database transaction of the committer, from taking the locks to the answer to COMMIT.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
QUEUE_COMMANDS: Final = Level("ledger_queue_commands", "Writes accepted and not yet taken by the committer.")
WORKSHOP_JOBS: Final = Counter(
    "ledger_workshop_jobs_total",
    "Jobs of the workshop (reading bank files, matching, documents): done, refused, failed, abandoned by the caller, "
    "or ended by a limit: memory_bytes, seconds, crash.",
    ["outcome"],
)
WORKSHOP_SECONDS: Final = Histogram(
    "ledger_workshop_seconds",
    "Time of a job, without the wait for its turn.",
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500),
)
REFUSALS: Final = Counter("ledger_refusals_total", "Definite refusals, by error reason.", ["reason"])

# Compared with the keys of a log event in lower case.
_SECRET_KEYS: Final = frozenset(
    {
        "token",
        "bootstrap_token",
        "authorization",
        "dsn",
        "migrate_dsn",
        "password",
        "secret",
        "key_pepper",
        "api_key",
        "jwt_secret",
        "planner_key",
        "cookie",
        "credential",
        "pepper",
    }
)
_REDACTED: Final = "[redacted]"


def serve_metrics(address: str, worker_index: int) -> str | None:
    """Serve /metrics from a thread of its own; returns the address, or None when metrics are off.

    Each worker has a port of its own, the configured one plus its index: a scrape of one shared port would
    reach any one of the workers, and merging their numbers would need files that outlive a killed worker.
    """
    if address == "off":
        return None
    host, port = Address.parse(address)
    start_http_server(port + worker_index, host)
    return str(Address(host, port + worker_index))


def redact_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blank the values of keys that hold secrets, two levels deep (headers and settings come as dicts)."""
    for key, value in event.items():
        if key.lower() in _SECRET_KEYS:
            event[key] = _REDACTED
        elif isinstance(value, dict):
            event[key] = {k: _REDACTED if str(k).lower() in _SECRET_KEYS else v for k, v in value.items()}
    return event


def configure_logging(level: str = "info", log_format: str = "auto", stream: TextIO | None = None) -> None:
    """Write all logs, structlog's and the standard library's, as one line each to `stream` (standard error).

    Args:
        level: debug, info, warning or error.
        log_format: json, console, or auto (console when the stream is a terminal).
        stream: where to; standard error by default, standard output belongs to what a command answers.
    """
    stream = stream or sys.stderr
    console = log_format == "console" or (log_format == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
        redact_secrets,
    ]
    last: list[Processor] = (
        # Plain tracebacks: the default one prints the variables of every frame, and tokens are among them.
        [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # asyncio tells of each slow callback at debug level through a logger of its own; grpc of each cancelled
    # call.
    logging.getLogger("asyncio").setLevel(max(logging.INFO, root.level))
    # These tell of each malformed request, which any stranger can send.
    for name in ("uvicorn.error", "python_multipart"):
        logging.getLogger(name).setLevel(max(logging.ERROR, root.level))
    # These tell of whole requests and answers.
    for name in ("httpx2", "httpcore2", "httpcore", "hpack"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
