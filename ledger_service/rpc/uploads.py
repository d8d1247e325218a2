"""A file on its way in: one message that says what it is, then its parts in order."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

from ledger.v1 import reconciliation_service_pb2 as pb
from ledger_service.application.failures import item_of
from ledger_service.domain.errors import LedgerError, invalid
from ledger_service.rpc.registration import Malformed, well_formed

MAX_CHUNK_BYTES = 1024 * 1024
"""How much of a file one message may carry."""
MAX_PAUSE_SECONDS = 60.0
"""How long the next message may be in coming: an upload that has stalled does not keep its place for ever."""

_HEADER_FIELDS = frozenset(pb.ImportStatementHeader.DESCRIPTOR.fields_by_name)

Part = pb.ImportStatementRequest | Malformed


async def read_header(parts: AsyncIterator[Part], pause: float = MAX_PAUSE_SECONDS) -> pb.ImportStatementHeader:
    """What the first message says. Raises LedgerError INVALID_ARGUMENT naming `header`."""
    first = await _next(parts, "header", pause)
    if first is None or not first.HasField("header"):
        raise invalid("header", "must be the first message of the upload; the file follows it in chunks")
    return first.header


async def read_chunks(parts: AsyncIterator[Part], pause: float = MAX_PAUSE_SECONDS) -> AsyncIterator[bytes]:
    """The file after its header, part by part, as it comes.

    Raises LedgerError INVALID_ARGUMENT naming `header` (a second one), `chunk` (none in the message, empty, or over
    MAX_CHUNK_BYTES) or `file` (empty, or not going on for `pause` seconds). How long the file may be is not looked at.
    """
    is_empty = True
    while (part := await _next(parts, "file", pause)) is not None:
        if part.HasField("header"):
            raise invalid("header", "stands twice in this upload; send each file in a call of its own")
        if not part.chunk:
            raise invalid("chunk", f"must have 1 to {MAX_CHUNK_BYTES} bytes, has none")
        if len(part.chunk) > MAX_CHUNK_BYTES:
            raise invalid("chunk", f"must have 1 to {MAX_CHUNK_BYTES} bytes, has {len(part.chunk)}")
        is_empty = False
        yield part.chunk
    if is_empty:
        raise invalid("file", "is empty; send it in chunks after the header")


def of_header(error: LedgerError) -> LedgerError:
    """The same error with a field of the header named from the top of the message: `header.account_id`."""
    name = re.split(r"[.\[]", error.metadata.get("field", ""))[0]
    return item_of(error, "header") if name in _HEADER_FIELDS else error


async def _next(parts: AsyncIterator[Part], field: str, pause: float) -> pb.ImportStatementRequest | None:
    """The next message; None: there is none. Around this wait alone: what is done with a part takes its own time."""
    try:
        async with asyncio.timeout(pause):
            part = await anext(parts)
    except StopAsyncIteration:
        return None
    except TimeoutError:
        raise _stalled(field, pause) from None
    return well_formed(part)


def _stalled(field: str, pause: float) -> LedgerError:
    return invalid(field, f"nothing came for {pause:g} seconds, and nothing was taken in; send the file again")
