"""The ASGI application: finds the endpoint, reads, authenticates, calls, answers, counts.

Plain ASGI without layers of middleware: each would cost every call.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from starlette.routing import Route, Router

from ledger_service import telemetry
from ledger_service.application.access import SCOPES, Principal
from ledger_service.application.failures import as_ledger_error
from ledger_service.domain.errors import LedgerError
from ledger_service.gateway.endpoint import Answer, Call, Document, Endpoint, Services
from ledger_service.gateway.errors import HttpError, error_object, headers_of, status_of
from ledger_service.gateway.json_text import read as read_json
from ledger_service.gateway.multipart import MultipartLimits
from ledger_service.gateway.outgoing import write_json
from ledger_service.gateway.pages import Page
from ledger_service.gateway.protocol import PATIENCE, PEER_NAMES
from ledger_service.gateway.requests import (
    ClientGoneError,
    Headers,
    Receive,
    Scope,
    read_body,
    read_headers,
    read_path,
    read_query,
    refuse_body,
)
from ledger_service.gateway.uploads import receive_form

_log = structlog.get_logger()

Send = Callable[[dict[str, Any]], Awaitable[None]]
RawHeaders = list[tuple[bytes, bytes]]

_JSON = (b"content-type", b"application/json")
_CLOSE = (b"connection", b"close")
_GUARDS: RawHeaders = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
_NO_POWERS = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
# A page shows what callers have written: it has its own styles, and no script, form, link or picture from anywhere.
_PAGE_POLICY = (
    b"content-security-policy",
    (
        b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
        b"frame-ancestors 'none'; sandbox"
    ),
)
_PIECE_BYTES = 256 * 1024
"""Of a document: a client that takes its time is held to it for each piece, not for the whole."""
_ALWAYS_ALLOWED = ("OPTIONS",)
_NO_EXTENSIONS: dict[str, Any] = {}


class App:
    """The gateway of one process."""

    def __init__(
        self,
        services: Services,
        endpoints: tuple[Endpoint, ...],
        pages: Mapping[str, Page],
        *,
        max_body_bytes: int,
        max_concurrent_requests: int,
        client_timeout_seconds: float,
        uploads: MultipartLimits,
        make_key: Callable[[], str],
    ) -> None:
        _check_every_endpoint_has_a_scope(endpoints)
        self.services = services
        self.max_body_bytes = max_body_bytes
        self.client_timeout_seconds = client_timeout_seconds
        self.uploads = uploads
        self.make_key = make_key
        self.is_draining = False
        self._most = max_concurrent_requests
        self._under_way = 0
        paths: dict[str, dict[str, _Runner]] = {}
        for endpoint in endpoints:
            paths.setdefault(endpoint.path, {})[endpoint.method] = _Runner(self, endpoint)
        routes = [Route(path, _PathApp(self, path, methods)) for path, methods in paths.items()]
        routes += [Route(path, _PageApp(self, path, page)) for path, page in pages.items()]
        # Paths without a parameter come first: "/v1/transactions/bulk" is no transaction's id.
        routes.sort(key=lambda route: "{" in route.path)
        self._router = Router(routes=routes, redirect_slashes=False, default=self._not_found)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if self._under_way >= self._most:
            error = HttpError("overloaded", "too many requests are under way here; try again after a pause")
            await self.fail(send, error)
            return
        self._under_way += 1
        try:
            await self._router(scope, receive, send)  # type: ignore[arg-type]
        finally:
            self._under_way -= 1

    async def fail(self, send: Send, error: HttpError, more: RawHeaders | None = None) -> None:
        """Answer with an error outside of any endpoint."""
        body = write_json({"error": error_object(error, {}, of_transaction=False)})
        headers = [_JSON, *headers_of(error), *(more or ())]
        await self.answer(send, error.status, headers, body, self.make_key())

    async def answer(self, send: Send, status: int, headers: RawHeaders, body: bytes, request_id: str) -> None:
        """Send the answer with the headers that every answer has."""
        all_headers = [*headers, *_GUARDS, _NO_POWERS, (b"x-request-id", request_id.encode())]
        if status != 204:
            all_headers.append((b"content-length", str(len(body)).encode()))
        if self.is_draining:
            all_headers.append(_CLOSE)
        await send({"type": "http.response.start", "status": status, "headers": all_headers})
        await send({"type": "http.response.body", "body": body})

    async def hand_over(self, send: Send, document: Document, request_id: str) -> None:
        """Send a document: to be saved, or a page to be shown."""
        content = document.content
        kind = "inline" if document.is_page else "attachment"
        headers = [
            (b"content-type", document.media_type.encode()),
            (b"content-disposition", f'{kind}; filename="{document.file_name}"'.encode()),
            (b"content-length", str(len(content)).encode()),
            *_GUARDS,
            _PAGE_POLICY if document.is_page else _NO_POWERS,
            (b"x-request-id", request_id.encode()),
        ]
        if self.is_draining:
            headers.append(_CLOSE)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for start in range(0, len(content), _PIECE_BYTES):
            piece = content[start : start + _PIECE_BYTES]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _not_found(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await self.fail(send, HttpError("not_found", "there is nothing at this path; see /docs"))


class _PathApp:
    """All methods of one path."""

    def __init__(self, app: App, path: str, runners: Mapping[str, _Runner]) -> None:
        self._app = app
        self._path = path
        self._runners = dict(runners)
        if "GET" in runners:
            # The server leaves the body out of the answer by itself.
            self._runners["HEAD"] = runners["GET"]
        self._allow = (b"allow", ", ".join(sorted({*self._runners, *_ALWAYS_ALLOWED})).encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        runner = self._runners.get(scope["method"])
        if runner is not None:
            await runner.run(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await self._app.answer(send, 204, [self._allow], b"", self._app.make_key())
        else:
            await self._app.fail(send, _method_not_allowed(self._allow), [self._allow])


class _PageApp:
    """A page that is made without a use case: documentation, health."""

    def __init__(self, app: App, path: str, page: Page) -> None:
        self._app = app
        self._page = page
        self._allow = (b"allow", b"GET, HEAD, OPTIONS")
        self._counters = _Counters("GET", path)

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """One request."""
        if scope["method"] == "OPTIONS":
            await self._app.answer(send, 204, [self._allow], b"", self._app.make_key())
            return
        if scope["method"] not in ("GET", "HEAD"):
            await self._app.fail(send, _method_not_allowed(self._allow), [self._allow])
            return
        began = self._counters.started()
        status, headers, body = await self._page(scope)
        if status != 304:
            headers = [*headers, (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        self._counters.handled(began, status)


class _Runner:
    """Runs one endpoint."""

    def __init__(self, app: App, endpoint: Endpoint) -> None:
        self._app = app
        self._endpoint = endpoint
        self._query = endpoint.query_parameters
        self._path = endpoint.path_parameters
        self._counters = _Counters(endpoint.method, endpoint.path)

    async def run(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, answered whatever happens."""
        began = self._counters.started()
        told: RawHeaders = [_JSON]
        request_id = ""
        status = 499
        body, document = b"", None
        try:
            try:
                headers = read_headers(scope["headers"])
                request_id = headers.request_id or self._app.make_key()
                answer = await self._admitted(scope, receive, headers, told)
                if isinstance(answer, Document):
                    status, document = 200, answer
                else:
                    status, body = answer.status, write_json(answer.body)
                    _tell(answer, told)
            except ClientGoneError:
                return
            except Exception as failure:  # noqa: BLE001  # told to the caller, and logged
                request_id = request_id or self._app.make_key()
                error = (
                    failure
                    if isinstance(failure, HttpError)
                    else as_ledger_error(failure, self._endpoint.use_case, request_id=request_id)
                )
                status, body = status_of(error), self._error(error)
                told += headers_of(error)
            if document is not None:
                await self._app.hand_over(send, document, request_id)
            else:
                await self._app.answer(send, status, told, body, request_id)
        finally:
            seconds = self._counters.handled(began, status)
            _log.debug(
                "http_request",
                method=scope["method"],
                route=self._endpoint.path,
                status=status,
                seconds=round(seconds, 6),
                request_id=request_id,
            )

    async def _admitted(self, scope: Scope, receive: Receive, headers: Headers, told: RawHeaders) -> Answer | Document:
        """Let the caller in, then read what it wants: strangers learn nothing from how requests are read."""
        services = self._app.services
        admission = services.use_cases.admission
        certificate = None
        if headers.authorization is None:
            peer = scope.get("extensions", _NO_EXTENSIONS).get(PEER_NAMES)
            certificate = peer["names"] if peer is not None else None
        principal = await admission.enter(headers.authorization, certificate)
        try:
            return await self._endpoint.run(services, await self._read(principal, scope, receive, headers, told))
        finally:
            admission.leave(principal)

    async def _read(
        self, principal: Principal, scope: Scope, receive: Receive, headers: Headers, told: RawHeaders
    ) -> Call:
        endpoint, app = self._endpoint, self._app
        key = ""
        if endpoint.is_write:
            key = headers.key or app.make_key()
            told.append((b"idempotency-key", key.encode()))
        query = read_query(scope["query_string"], self._query)
        path = read_path(scope, self._path) if self._path else {}
        body: Any = None
        if endpoint.body is not None:
            raw = await read_body(headers, receive, app.max_body_bytes, app.client_timeout_seconds)
            body = endpoint.body.shape.read(read_json(raw), "")
        elif endpoint.form is not None:
            # It is known now who sends it: a file may take longer than a request, however slow strangers are.
            patience = scope.get("extensions", _NO_EXTENSIONS).get(PATIENCE)
            if patience is not None:
                patience["wait"](app.uploads.seconds)
            body = await receive_form(endpoint.form, headers, receive, app.uploads)
        else:
            refuse_body(headers)
        return Call(principal, query, path, body, key)

    def _error(self, error: LedgerError | HttpError) -> bytes:
        endpoint = self._endpoint
        shown = error_object(error, endpoint.fields, of_transaction=endpoint.is_of_transactions)
        return write_json({"error": shown})


class _Counters:
    """The metrics of one endpoint, found once."""

    def __init__(self, method: str, path: str) -> None:
        self._labels = (method, path)
        self._started = telemetry.HTTP_STARTED.labels(*self._labels)
        self._seconds = telemetry.HTTP_SECONDS.labels(*self._labels)
        self._handled: dict[int, Any] = {}

    def started(self) -> float:
        self._started.inc()
        return time.perf_counter()

    def handled(self, began: float, status: int) -> float:
        seconds = time.perf_counter() - began
        self._seconds.observe(seconds)
        counter = self._handled.get(status)
        if counter is None:
            counter = self._handled[status] = telemetry.HTTP_HANDLED.labels(*self._labels, str(status))
        counter.inc()
        return seconds


def _tell(answer: Answer, told: RawHeaders) -> None:
    if answer.replayed is not None:
        told.append((b"idempotent-replayed", b"true" if answer.replayed else b"false"))
    if answer.location is not None:
        told.append((b"location", answer.location.encode()))


def _method_not_allowed(allow: tuple[bytes, bytes]) -> HttpError:
    return HttpError("method_not_allowed", f"this path takes {allow[1].decode()}")


def _check_every_endpoint_has_a_scope(endpoints: tuple[Endpoint, ...]) -> None:
    missing = [f"{one.method} {one.path}" for one in endpoints if one.use_case not in SCOPES]
    if missing:
        raise RuntimeError(f"no scope is named for {', '.join(missing)}: see application.access.SCOPES")
