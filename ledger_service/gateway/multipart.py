"""Reads multipart/form-data as it comes in: a few short fields, and one file that is never in memory as a whole.

What RFC 7578 leaves open is refused here: fields that nobody knows, fields that stand twice or behind the file, a
second file, parts that are coded. Sizes and time are bounded whatever Content-Length says.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ledger_service.gateway.errors import HttpError
from ledger_service.gateway.json_text import shown
from ledger_service.gateway.misread import MisreadError, misread
from ledger_service.gateway.requests import ClientGoneError, Headers, Receive
from ledger_service.gateway.shapes import did_you_mean

FILE = "file"
"""The name of the part that is the file."""

_MAX_FIELD_BYTES = 16 * 1024
_MAX_PART_HEADERS = 8
_MAX_PART_HEADER_BYTES = 4 * 1024
# RFC 2046, section 5.1.1.
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_PLAIN = frozenset({b"7bit", b"8bit", b"binary"})
_UTF8 = frozenset({b"utf-8", b"utf8", b"us-ascii"})


@dataclass(frozen=True, slots=True)
class MultipartLimits:
    """Bytes of the file, and seconds that the whole body may take."""

    file_bytes: int
    seconds: float


class MultipartForm:
    """The body of one request.

        form = MultipartForm(headers, receive, {"accountId", "mapping"}, limits)
        chunks = form.file()
        first = await anext(chunks, b"")
        account_id = form.fields.get("accountId")

    `fields` and `file_name` are complete when the first piece of the file is there: fields stand before it, so that
    a request can be refused for what they say before the file has come.
    """

    def __init__(self, headers: Headers, receive: Receive, known: Collection[str], limits: MultipartLimits) -> None:
        """`known` are the names that fields may have.

        Raises HttpError 415 unless it is multipart/form-data, and 413 if it says itself that it is too long.
        """
        self.fields: dict[str, str] = {}
        """What was sent, by name."""
        self.file_name = ""
        """What the file is called where it comes from, without folders; "" if that is not told."""
        self._receive = receive
        self._known = known
        self._limits = limits
        # All that may stand around the file: for each part a boundary, its headers, and what it holds.
        around = (len(known) + 2) * (_MAX_FIELD_BYTES + _MAX_PART_HEADERS * _MAX_PART_HEADER_BYTES)
        self._most = limits.file_bytes + around
        if headers.content_length is not None and headers.content_length > self._most:
            raise self._too_large()
        self._parser = MultipartParser(
            _boundary(headers),
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_part_end": self._part_end,
                "on_end": self._end,
            },
            max_header_count=_MAX_PART_HEADERS,
            max_header_size=_MAX_PART_HEADER_BYTES,
        )
        self._name = self._header = self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._field: list[bytes] = []
        self._field_bytes = 0
        self._chunks: list[bytes] = []
        self._file_bytes = 0
        self._has_file = self._has_ended = False

    async def file(self) -> AsyncIterator[bytes]:
        """The file, piece by piece; to be iterated once and to the end, or not at all.

        Raises LedgerError INVALID_ARGUMENT naming the part that is wrong, unknown, missing or there twice, or `body`
        if it is damaged or cut off; HttpError 413 as soon as it is too large, 408 when it does not come in time;
        ClientGoneError.
        """
        deadline = asyncio.get_running_loop().time() + self._limits.seconds
        size, more = 0, True
        while more:
            part, more = await self._next(deadline)
            size += len(part)
            if size > self._most:
                raise self._too_large()
            self._parse(part, is_first=size == len(part))
            if self._chunks:
                chunks, self._chunks = self._chunks, []
                for chunk in chunks:
                    yield chunk
        if not self._has_ended:
            raise misread("body", "ends before its last boundary; it is cut off, send it again")
        if not self._has_file:
            raise misread(FILE, "is required: a part with the bank's file")

    async def _next(self, deadline: float) -> tuple[bytes, bool]:
        """What comes next of the body, and whether there is more."""
        try:
            async with asyncio.timeout_at(deadline):
                message = await self._receive()
        except TimeoutError:
            raise HttpError(
                "request_timeout", "the body did not come in time; send it again", headers=((b"connection", b"close"),)
            ) from None
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        return message.get("body", b""), bool(message.get("more_body"))

    def _parse(self, part: bytes, *, is_first: bool) -> None:
        # What may stand before the first boundary, the parser skips in its own way, or not, as the pieces fall.
        if part and is_first and not part.startswith(b"-"):
            raise _not_well_formed()
        try:
            self._parser.write(part)
        except FormParserError:
            # Its own words count from the piece that happened to come.
            raise _not_well_formed() from None

    def _begin(self) -> None:
        self._headers = {}
        self._field, self._field_bytes = [], 0

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        name, value = self._header.lower(), self._value.strip()
        self._header = self._value = b""
        if name in self._headers:
            raise misread("body", f"has a part with two headers {shown(name.decode('latin-1'))}; send one")
        self._headers[name] = value

    def _headers_end(self) -> None:
        """What the part is; refused before anything of it is taken."""
        kind, options = parse_options_header(self._headers.get(b"content-disposition"))
        if kind != b"form-data" or b"name" not in options:
            raise misread("body", 'has a part without "Content-Disposition: form-data; name=..."')
        self._name = options[b"name"]
        name = _text(self._name, "body")
        coding = self._headers.get(b"content-transfer-encoding", b"binary")
        if coding.lower() not in _PLAIN:
            raise misread(shown(name), f"is sent as {shown(coding.decode('latin-1'))}; send it as it is")
        if name == FILE:
            if self._has_file:
                raise misread(FILE, "stands twice in the form; send one file at a time")
            self._has_file = True
            # Some send the whole path. The name is shown to people, and opens nothing here.
            self.file_name = re.split(r"[/\\]", _text(options.get(b"filename", b""), FILE))[-1]
            return
        if self._has_file:
            raise misread(shown(name) or "body", "stands behind the file; send it before the file")
        if name not in self._known:
            raise misread(shown(name) or "body", f"is not a field here{did_you_mean(name, (*self._known, FILE))}")
        if name in self.fields:
            raise misread(name, "stands twice in the form; give it once")
        charset = parse_options_header(self._headers.get(b"content-type"))[1].get(b"charset", b"utf-8")
        if charset.lower() not in _UTF8:
            raise misread(name, "must be UTF-8")
        # Held from here on, so that a second one is noticed.
        self.fields[name] = ""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._name == FILE.encode():
            self._file_bytes += end - start
            if self._file_bytes > self._limits.file_bytes:
                raise self._too_large()
            self._chunks.append(data[start:end])
            return
        self._field_bytes += end - start
        if self._field_bytes > _MAX_FIELD_BYTES:
            raise misread(self._name.decode(), f"has more than {_MAX_FIELD_BYTES} bytes")
        self._field.append(data[start:end])

    def _part_end(self) -> None:
        name = self._name.decode()
        if name != FILE:
            self.fields[name] = _text(b"".join(self._field), name)

    def _end(self) -> None:
        self._has_ended = True

    def _too_large(self) -> HttpError:
        most = self._limits.file_bytes
        return HttpError(
            "body_too_large",
            f"the file has more than {most} bytes (LEDGER_MAX_STATEMENT_BYTES); split it",
            FILE,
            details={"limit": most},
        )


def _boundary(headers: Headers) -> bytes:
    """Raises HttpError 415 unless the body is a form that is not compressed, with a boundary."""
    if headers.content_encoding not in (None, b"identity"):
        raise HttpError("unsupported_media_type", "Content-Encoding: compressed bodies are not taken; send it plain")
    kind, options = parse_options_header(headers.content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or _BOUNDARY.fullmatch(boundary) is None:
        raise HttpError(
            "unsupported_media_type", "Content-Type: must be multipart/form-data with a boundary", "Content-Type"
        )
    return boundary


def _not_well_formed() -> MisreadError:
    return misread("body", "is not well-formed multipart/form-data: a boundary or the header of a part is wrong")


def _text(data: bytes, name: str) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise misread(name, "is not UTF-8") from None
    if "\0" in text:
        raise misread(name, "must not contain NUL")
    return text
