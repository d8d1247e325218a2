"""uvicorn's protocol with what it lacks: bounds on headers, on connections, and on how long a client may take.

It speaks JSON in its errors, too.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ledger_service.application.callers import names_of_peer
from ledger_service.gateway.errors import HTTP_CODES, HttpError, error_object
from ledger_service.gateway.outgoing import write_json

PEER_NAMES = "ledger.peer_names"
"""Extension of the ASGI scope: the names in the client's verified certificate."""
PATIENCE = "ledger.patience"
"""Extension of the ASGI scope: a function that gives the request under way so many seconds from now to be whole."""
_SLACK_SECONDS = 5.0
"""How much longer than the application, which answers 408, the connection waits before it is cut."""
_PHRASES = {400: b"Bad Request", 431: b"Request Header Fields Too Large"}


class LimitedProtocol(HttpToolsProtocol):
    """One connection. The limits are set on a subclass for each server, see `limited_protocol`."""

    max_header_bytes = 0
    max_connections = 0
    client_timeout_seconds = 0.0

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **options)
        self._header_bytes = 0
        self._is_in_head = True
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._extensions: dict[str, dict[object, object]] = {PATIENCE: {"wait": self._wait}}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse one connection too many; give the others some time to send their first request."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            transport.abort()
            return
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self._extensions[PEER_NAMES] = {"names": names_of_peer(tls.getpeercert())}
        self._expect_request(self.client_timeout_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the timers."""
        self._request_is_whole()
        self._is_taken()
        # The server's own does so only when the client has said good-bye.
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what is no HTTP is answered in JSON."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._is_in_head:
            # A header comes to on_header when it is whole; this one is not yet.
            self._header_bytes += len(data)
            if self._header_bytes > self.max_header_bytes and not self.transport.is_closing():
                self.send_400_response("")

    def on_message_begin(self) -> None:
        """A request begins: it must be whole in time."""
        super().on_message_begin()
        self.scope["extensions"] = self._extensions
        self._header_bytes = 0
        self._is_in_head = True
        self._expect_request(self.client_timeout_seconds)

    def on_url(self, url: bytes) -> None:
        """Part of the request line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._is_in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._request_is_whole()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The client does not take what is sent: it has some time to."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self.client_timeout_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It does."""
        self._is_taken()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Close the idle connection; to close one that does not take its answer would wait for it."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # the words of the server
        """Answer what is no HTTP, or has too long headers, and hang up."""
        self._request_is_whole()
        too_long = self._header_bytes > self.max_header_bytes
        if too_long:
            error = HttpError("headers_too_large", f"the headers have more than {self.max_header_bytes} bytes")
        else:
            error = HttpError("invalid_request", "this is no well-formed HTTP/1.1 request")
        body = write_json({"error": error_object(error, {}, of_transaction=False)})
        status = HTTP_CODES[error.code]
        head = (
            b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        ) % (status, _PHRASES[status], len(body))
        with contextlib.suppress(RuntimeError):
            self.transport.write(head + body)
        self.transport.close()

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > self.max_header_bytes:
            # The parser turns it into its own error, and that ends in send_400_response.
            raise ValueError("headers too long")

    def _expect_request(self, seconds: float) -> None:
        self._request_is_whole()
        self._deadline = self.loop.call_later(seconds + _SLACK_SECONDS, self._too_slow)

    def _wait(self, seconds: float) -> None:
        # Of a request that is whole there is nothing to wait for.
        if self._deadline is not None:
            self._expect_request(seconds)

    def _request_is_whole(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _is_taken(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _too_slow(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.abort()


def limited_protocol(
    *, max_header_bytes: int, max_connections: int, client_timeout_seconds: float
) -> type[LimitedProtocol]:
    """The protocol with these limits."""
    limits = {
        "max_header_bytes": max_header_bytes,
        "max_connections": max_connections,
        "client_timeout_seconds": client_timeout_seconds,
    }
    return type("LimitedProtocol", (LimitedProtocol,), limits)
