"""Reads what HTTP carries: headers, query, body. Nothing that was sent is ignored silently."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from ledger_service.application.intake.fields import MAX_KEY
from ledger_service.domain.errors import invalid
from ledger_service.gateway.endpoint import Parameter
from ledger_service.gateway.errors import HttpError
from ledger_service.gateway.json_text import shown
from ledger_service.gateway.shapes import did_you_mean

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

KEY_HEADER = "Idempotency-Key"
MAX_REQUEST_ID = 128

# Of each there may be one only: with two, a proxy and we could take different ones.
_SINGLE = {
    b"authorization": "Authorization",
    b"content-type": "Content-Type",
    b"idempotency-key": KEY_HEADER,
    b"x-request-id": "X-Request-Id",
    b"content-encoding": "Content-Encoding",
}
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_JSON = re.compile(rb"application/json\s*(?:;\s*charset\s*=\s*\"?(?P<charset>[^\";\s]*)\"?\s*)?", re.IGNORECASE)


class ClientGoneError(Exception):
    """The client has left before its request was whole."""


class Headers(NamedTuple):
    """The headers that mean something here."""

    authorization: str | None
    content_type: bytes | None
    content_length: int | None
    content_encoding: bytes | None
    key: str | None
    request_id: str | None
    has_body: bool


def read_headers(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Raises LedgerError INVALID_ARGUMENT for duplicates and for a misspelt idempotency header."""
    found: dict[bytes, bytes] = {}
    length: int | None = None
    is_chunked = False
    for name, value in raw:
        if name in _SINGLE:
            if name in found:
                raise invalid(_SINGLE[name], "stands twice among the headers; send it once")
            found[name] = value
        elif name == b"content-length":
            length = int(value) if value.isdigit() else None
        elif name == b"transfer-encoding":
            is_chunked = True
        elif b"idem" in name:
            raise invalid(shown(name.decode("latin-1")), f"is not known here; did you mean {KEY_HEADER}?")
    request_id = found.get(b"x-request-id")
    if request_id is not None and not _REQUEST_ID.fullmatch(request_id):
        raise invalid(
            "X-Request-Id", f"must have 1 to {MAX_REQUEST_ID} ASCII letters, digits and any of . _ : / + = @ -"
        )
    authorization = found.get(b"authorization")
    return Headers(
        authorization=None if authorization is None else authorization.decode("latin-1"),
        content_type=found.get(b"content-type"),
        content_length=length,
        content_encoding=found.get(b"content-encoding"),
        key=_key(found.get(b"idempotency-key")),
        request_id=None if request_id is None else request_id.decode("ascii"),
        has_body=is_chunked or bool(length),
    )


def read_query(raw: bytes, parameters: Sequence[Parameter]) -> dict[str, Any]:
    """The parameters by name. Raises LedgerError INVALID_ARGUMENT naming what is unknown, twice, empty or malformed."""
    texts: dict[str, str] = {}
    known = {one.name: one for one in parameters}
    for part in raw.split(b"&") if raw else ():
        encoded_name, equals, encoded_value = part.partition(b"=")
        name = _decoded(encoded_name, "query")
        if name not in known:
            raise invalid(shown(name) or "query", f"is not a parameter here{did_you_mean(name, known)}")
        if name in texts:
            raise invalid(name, "stands twice in the query; give it once")
        value = _decoded(encoded_value, name)
        if not equals or not value:
            raise invalid(name, "is empty; give it a value or leave it out")
        texts[name] = value
    values: dict[str, Any] = {}
    for one in parameters:
        text = texts.get(one.name)
        if text is not None:
            values[one.name] = one.shape.from_text(text, one.name)
        elif one.required:
            raise invalid(one.name, "is required in the query")
    return values


def read_path(scope: Scope, parameters: Sequence[Parameter]) -> dict[str, Any]:
    """The parameters in the path."""
    given = scope.get("path_params") or {}
    return {one.name: one.shape.from_text(_sane(given[one.name], one.name), one.name) for one in parameters}


async def read_body(headers: Headers, receive: Receive, most: int, seconds: float) -> bytes:
    """The body, whole.

    Raises HttpError 413 as soon as it is too long, 415, 408 when it does not come in time; ClientGoneError.
    """
    check_media_type(headers)
    if headers.content_length is not None and headers.content_length > most:
        raise _too_large(most)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > most:
                    raise _too_large(most)
                if not message.get("more_body"):
                    return parts[0] if len(parts) == 1 else b"".join(parts)
    except TimeoutError:
        raise HttpError(
            "request_timeout", "the body did not come in time; send it again", headers=((b"connection", b"close"),)
        ) from None


def refuse_body(headers: Headers) -> None:
    """Where no body belongs none may stand. Raises LedgerError INVALID_ARGUMENT."""
    if headers.has_body:
        raise invalid("body", "this request takes no body; leave it out")


def check_media_type(headers: Headers) -> None:
    """Raises HttpError 415 unless it is JSON in UTF-8, not compressed."""
    if headers.content_encoding not in (None, b"identity"):
        raise HttpError("unsupported_media_type", "Content-Encoding: compressed bodies are not taken; send it plain")
    kind = headers.content_type
    if kind == b"application/json":
        return
    match = _JSON.fullmatch(kind.strip()) if kind is not None else None
    if match is None:
        raise HttpError("unsupported_media_type", "Content-Type: must be application/json", "Content-Type")
    if match["charset"] is not None and match["charset"].lower() not in (b"utf-8", b"utf8"):
        raise HttpError("unsupported_media_type", "Content-Type: JSON is UTF-8; leave the charset out", "Content-Type")


def _key(value: bytes | None) -> str | None:
    if value is None:
        return None
    text = value.decode("latin-1")
    if not text or len(text) > MAX_KEY or not text.isascii() or not text.isprintable():
        raise invalid(KEY_HEADER, f"must have 1 to {MAX_KEY} printable ASCII characters")
    return text


def _decoded(text: bytes, name: str) -> str:
    try:
        return _sane(unquote_to_bytes(text.replace(b"+", b" ")).decode(), name)
    except UnicodeDecodeError:
        raise invalid(shown(name), "is not UTF-8, percent-encoded") from None


def _sane(text: str, name: str) -> str:
    if "\0" in text:
        raise invalid(shown(name), "must not contain NUL")
    return text


def _too_large(most: int) -> HttpError:
    return HttpError(
        "body_too_large",
        f"the body has more than {most} bytes (LEDGER_MAX_BODY_BYTES); send less at once",
        details={"limit": most},
    )
