"""The HTTP server: uvicorn in the loop of the process, beside gRPC, without hands on signals."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator
from dataclasses import dataclass

import uvicorn

from ledger_service.application.use_cases import UseCases
from ledger_service.gateway.app import App
from ledger_service.gateway.endpoint import Services
from ledger_service.gateway.multipart import MultipartLimits
from ledger_service.gateway.outgoing import Outgoing
from ledger_service.gateway.pages import Readiness, make_pages
from ledger_service.gateway.protocol import limited_protocol
from ledger_service.gateway.table import ENDPOINTS
from ledger_service.tls import TlsFiles, server_context

_BACKLOG = 1024


class CannotListenError(Exception):
    """The address is taken or not ours."""


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """See config.Settings."""

    address: str
    reuse_port: bool
    max_body_bytes: int
    max_header_bytes: int
    max_concurrent_requests: int
    max_connections: int
    keep_alive_seconds: int
    client_timeout_seconds: float
    uploads: MultipartLimits
    tls: TlsFiles | None = None
    """None: plain text."""
    demand_certificate: bool = True
    """Whether clients must show a certificate, if `tls` names authorities; else they may."""


class Gateway:
    """One listening server of one process. Raises CannotListenError, TlsError."""

    def __init__(
        self,
        use_cases: UseCases,
        options: GatewayOptions,
        *,
        make_key: Callable[[], str],
        monotonic: Callable[[], float],
    ) -> None:
        self._readiness = Readiness(use_cases.reads, monotonic)
        self._app = App(
            Services(use_cases, Outgoing(use_cases.currencies)),
            ENDPOINTS,
            make_pages(ENDPOINTS, self._readiness),
            max_body_bytes=options.max_body_bytes,
            max_concurrent_requests=options.max_concurrent_requests,
            client_timeout_seconds=options.client_timeout_seconds,
            uploads=options.uploads,
            make_key=make_key,
        )
        self._socket = _listen(options)
        host, _, _ = options.address.rpartition(":")
        self.address = f"{host}:{self._socket.getsockname()[1]}"
        self._config = uvicorn.Config(
            self._app,
            http=limited_protocol(
                max_header_bytes=options.max_header_bytes,
                max_connections=options.max_connections,
                client_timeout_seconds=options.client_timeout_seconds,
            ),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # Who calls is told by the credential alone.
            proxy_headers=False,
            timeout_keep_alive=options.keep_alive_seconds,
            backlog=_BACKLOG,
        )
        if options.tls is not None:
            # The server would make one of its own, that takes no new files.
            self._config.load()
            self._config.ssl = server_context(options.tls, require_client_certificate=options.demand_certificate)
        self._server = _Server(self._config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]), name="gateway")
        while not self._server.started:
            if self._task.done():
                await self._task
            await asyncio.sleep(0.001)

    def drain(self) -> None:
        """From now on /readyz says no, and each answer ends its connection."""
        self._readiness.is_draining = True
        self._app.is_draining = True

    async def stop(self, seconds: float) -> None:
        """Take no new connections, give the requests under way so long."""
        self.drain()
        self._config.timeout_graceful_shutdown = max(1, round(seconds))
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()


class _Server(uvicorn.Server):
    """Leaves signals to the process, whose parts end in their order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield


def _listen(options: GatewayOptions) -> socket.socket:
    host, _, port = options.address.rpartition(":")
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotListenError(f"can't listen on {options.address}: {error.strerror}") from error
    try:
        # Connections of an earlier service that linger in TIME_WAIT do not matter.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if options.reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # Small answers leave at once.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.setblocking(False)  # noqa: FBT003  # it takes it by place only
        listener.bind(target)
    except OSError as error:
        listener.close()
        raise CannotListenError(f"can't listen on {options.address}: is another server running there?") from error
    return listener
