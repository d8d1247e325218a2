"""A form with a file as it comes in: the fields first, so that who may not send it is told before it has come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from ledger_service.gateway.endpoint import Form, Upload
from ledger_service.gateway.misread import misread
from ledger_service.gateway.multipart import FILE, MultipartForm, MultipartLimits
from ledger_service.gateway.requests import Headers, Receive


async def receive_form(form: Form, headers: Headers, receive: Receive, limits: MultipartLimits) -> Upload:
    """Read up to the first of the file; the rest comes as `Upload.chunks` is read.

    Raises LedgerError INVALID_ARGUMENT, HttpError 408, 413 and 415, ClientGoneError: see MultipartForm.
    """
    sent = MultipartForm(headers, receive, [one.name for one in form.fields], limits)
    chunks = sent.file()
    first = await anext(chunks, b"")
    if not first:
        raise misread(FILE, "is empty; send the bank's file")
    if not sent.file_name:
        raise misread(FILE, 'has no name; say what it is called: filename="june.xml"')
    return Upload(_fields(form, sent.fields), sent.file_name, _from(first, chunks))


async def _from(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


def _fields(form: Form, texts: Mapping[str, str]) -> dict[str, Any]:
    """What the fields hold, by what the use case calls them; one that is empty was left empty in a page's form."""
    return {one.target: one.shape.from_text(texts[one.name], one.name) for one in form.fields if texts.get(one.name)}
