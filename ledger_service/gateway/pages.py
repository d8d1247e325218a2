"""What is served without a credential: health, the OpenAPI document, the page that shows it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from importlib import resources
from typing import Any

from ledger_service.application.ports import StorageError
from ledger_service.application.reads import Reads
from ledger_service.gateway.endpoint import Endpoint
from ledger_service.gateway.openapi import document
from ledger_service.gateway.outgoing import write_json

RawHeaders = list[tuple[bytes, bytes]]
Page = Callable[[Mapping[str, Any]], Awaitable[tuple[int, RawHeaders, bytes]]]

_READY_SECONDS = 1.0
"""How long an answer of the database counts: whoever asks /readyz often does not load it."""
_PROBE_SECONDS = 2.0

_JSON = (b"content-type", b"application/json")
_NOSNIFF = (b"x-content-type-options", b"nosniff")
_NO_STORE = (b"cache-control", b"no-store")
# The page runs the scripts of this server alone, none of them inline. Styles are set inline by the vendored page.
_PAGE_POLICY = (
    b"content-security-policy",
    (
        b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
)
_NO_POWERS = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_ASSETS = {
    "docs.css": "text/css; charset=utf-8",
    "docs.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui-bundle.js.LICENSE.txt": "text/plain; charset=utf-8",
    "swagger-ui.LICENSE": "text/plain; charset=utf-8",
    "swagger-ui.NOTICE": "text/plain; charset=utf-8",
    "favicon.svg": "image/svg+xml",
}


class Readiness:
    """Whether requests should be sent here: the database answers, and the process is not ending."""

    def __init__(self, reads: Reads, monotonic: Callable[[], float]) -> None:
        self.is_draining = False
        self._reads = reads
        self._monotonic = monotonic
        self._asked = float("-inf")
        self._answers = False
        self._probe: asyncio.Task[None] | None = None

    async def page(self, _scope: Mapping[str, Any]) -> tuple[int, RawHeaders, bytes]:
        """200 or 503."""
        if self.is_draining:
            return _state(503, "draining")
        if self._monotonic() - self._asked >= _READY_SECONDS:
            if self._probe is None:
                self._probe = asyncio.create_task(self._ask())
            await asyncio.shield(self._probe)
        return _state(200, "ready") if self._answers else _state(503, "database_unavailable")

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await self._reads.ready()
            self._answers = True
        except (StorageError, TimeoutError):
            self._answers = False
        finally:
            self._asked = self._monotonic()
            self._probe = None


def make_pages(endpoints: tuple[Endpoint, ...], readiness: Readiness) -> dict[str, Page]:
    """Every page by its path."""
    folder = resources.files("ledger_service.gateway") / "assets"
    pages: dict[str, Page] = {
        "/healthz": _healthy,
        "/readyz": readiness.page,
        "/openapi.json": _fixed(write_json(document(endpoints)), "application/json", [_NO_POWERS, _NOSNIFF]),
        "/docs": _fixed((folder / "docs.html").read_bytes(), "text/html; charset=utf-8", [_PAGE_POLICY, _NOSNIFF]),
    }
    for name, kind in _ASSETS.items():
        pages[f"/docs/{name}"] = _fixed((folder / name).read_bytes(), kind, [_NO_POWERS, _NOSNIFF])
    return pages


async def _healthy(_scope: Mapping[str, Any]) -> tuple[int, RawHeaders, bytes]:
    return _state(200, "alive")


def _state(status: int, word: str) -> tuple[int, RawHeaders, bytes]:
    headers = [_JSON, _NO_STORE, _NOSNIFF, _NO_POWERS]
    if status == 503:
        headers.append((b"retry-after", b"1"))
    return status, headers, write_json({"status": word})


def _fixed(body: bytes, kind: str, more: RawHeaders) -> Page:
    """A page that never changes while the process lives; a browser that has it is told so."""
    tag = b'"' + hashlib.sha256(body).hexdigest()[:32].encode() + b'"'
    headers = [(b"content-type", kind.encode()), (b"cache-control", b"no-cache"), (b"etag", tag), *more]

    async def page(scope: Mapping[str, Any]) -> tuple[int, RawHeaders, bytes]:
        if any(name == b"if-none-match" and tag in value for name, value in scope["headers"]):
            return 304, headers, b""
        return 200, headers, body

    return page
