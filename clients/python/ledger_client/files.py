"""Files: statements of a bank on their way in, documents of a reconciliation on their way out."""

from __future__ import annotations

import asyncio
import copy
import io
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Final

from ledger.v1.reconciliation_service_pb2 import (
    ExportReconciliationRequest,
    ImportStatementHeader,
    ImportStatementRequest,
    ImportStatementResponse,
)
from ledger_client import keys
from ledger_client.calls import ReconciliationCalls
from ledger_client.errors import LedgerError
from ledger_client.retry import RetryPolicy

CHUNK_BYTES: Final = 256 * 1024
"""How much of a file one message carries; the service takes up to 1 MiB."""

Source = str | PathLike[str] | bytes
"""The path of a file, or what is in it."""

Progress = Callable[[int, int], None]
"""Called with the bytes that have left so far, and how many there are; begins again with each attempt."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document as the service made it.

    Attributes:
        file_name: what to call it.
        media_type: such as "text/csv; charset=utf-8".
        content: its bytes.
    """

    file_name: str
    media_type: str
    content: bytes


async def import_statement(
    calls: ReconciliationCalls,
    retry: RetryPolicy,
    source: Source,
    header: ImportStatementHeader,
    on_progress: Progress | None,
    timeout: float,  # noqa: ASYNC109 - a deadline that the server is told of
) -> ImportStatementResponse:
    """Send a file, and send it again while its outcome is not known (LedgerClient.import_statement)."""
    header = keys.with_key(_named(header, source))
    attempts = retry.start(timeout)
    while True:
        try:
            async with aclosing(_parts(source, header, on_progress)) as parts:
                return await calls.ImportStatement(parts, timeout=attempts.time_for(timeout))
        except LedgerError as error:
            error.request = header
            if not error.is_retryable or not await attempts.pause(error.retry_after):
                raise


async def export_reconciliation(
    calls: ReconciliationCalls,
    retry: RetryPolicy,
    request: ExportReconciliationRequest,
    timeout: float,  # noqa: ASYNC109
) -> Document:
    """Fetch a document whole (LedgerClient.export_reconciliation)."""
    attempts = retry.start(timeout)
    while True:
        try:
            async with aclosing(calls.ExportReconciliation(request, timeout=attempts.time_for(timeout))) as parts:
                found = [part async for part in parts]
            return Document(found[0].file_name, found[0].media_type, b"".join(part.chunk for part in found))
        except LedgerError as error:
            if not error.is_retryable or not await attempts.pause(error.retry_after):
                raise


async def _parts(
    source: Source, header: ImportStatementHeader, on_progress: Progress | None
) -> AsyncGenerator[ImportStatementRequest, None]:
    # A disk may be slow: it is read beside the event loop.
    file, total = await asyncio.to_thread(_open, source)
    try:
        yield ImportStatementRequest(header=header)
        sent = 0
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield ImportStatementRequest(chunk=chunk)
            sent += len(chunk)
            if on_progress is not None:
                on_progress(sent, total)
    finally:
        file.close()


def _named(header: ImportStatementHeader, source: Source) -> ImportStatementHeader:
    if header.file_name or isinstance(source, bytes):
        return header
    header = copy.deepcopy(header)
    header.file_name = Path(source).name
    return header


def _open(source: Source) -> tuple[BinaryIO, int]:
    if isinstance(source, bytes):
        return io.BytesIO(source), len(source)
    path = Path(source)
    return path.open("rb"), path.stat().st_size
