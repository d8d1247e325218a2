"""Rows of events, entries and seals as PostgreSQL's binary COPY reads them.

asyncpg can do it for any table, asking a codec for each cell. These tables take nearly all that is ever written,
their columns are known, and most cells of a batch are the same from row to row: written out, it costs a third.

Format: a header; for each row an int16 count of cells, and each cell as an int32 length (-1: NULL) and so many
bytes; a trailer (PostgreSQL documentation, COPY, "Binary Format"). Numbers are big-endian, a time is an int8 of
microseconds since 2000, text is UTF-8, jsonb is a version byte and text, an array has a header of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from ledger_service.domain.decide.book import EntryRow, EventRow
from ledger_service.domain.sealing.seals import Seal
from ledger_service.storage import numeric

EVENT_COLUMNS = EventRow._fields
ENTRY_COLUMNS = (
    "entity_no", "account_no", "currency", "number", "sequence", "kind", "leg", "side", "amount",
    "debits_posted", "credits_posted", "debits_pending", "credits_pending", "effective_time",
    "latest_effective", "wide",
)  # fmt: skip
SEAL_COLUMNS = (*Seal._fields, "mark")

MAX_CHUNK_ROWS = 1000
"""Rows that are handed to the connection at once: the loop does nothing else while they are made."""

_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_TRAILER = struct.pack("!h", -1)
_NULL = struct.pack("!i", -1)
_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_NUMERIC_OID = 1700

# What stands before the first number that is not the same in all rows of an entity, and a currency with the length
# of what follows it: see the formats below.
_ROW_START = struct.Struct("!hiii")
_EVENT = struct.Struct("!14sqihiiiq")
_TRANSACTION = struct.Struct("!iqiiihiqiq")
_ENTRY_START = struct.Struct("!14sq")
_ENTRY_END = struct.Struct("!iqiqihihihiqiqiqiqiqiqiq")
_SEAL = struct.Struct("!hiiiqiqih")
_LENGTH = struct.Struct("!i")
_INT2 = struct.Struct("!ih")
_INT4 = struct.Struct("!ii")
_INT8 = struct.Struct("!iq")
_ARRAY = struct.Struct("!iiIii")


_Row = TypeVar("_Row")


class _Texts(dict[str | None, bytes]):
    """Cells of texts that come again and again: actors, currencies, descriptions."""

    def __missing__(self, text: str | None) -> bytes:
        cell = self[text] = _NULL if text is None else _sized(text.encode())
        return cell


class _Times(dict[datetime, int]):
    """Times as PostgreSQL keeps them; a batch is recorded at one, and most of it takes effect at it."""

    def __missing__(self, time: datetime) -> int:
        since = time - _POSTGRES_EPOCH
        microseconds = self[time] = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        return microseconds


Chunks = Sequence[bytes] | Iterator[bytes]
"""The bytes of a COPY: one piece that is there already, or each made when the one before it has been sent."""


def statement(table: str, columns: Sequence[str]) -> str:
    """The COPY that these rows are for."""
    return f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT binary)"


def event_chunks(pieces: Iterable[Sequence[EventRow]], *, is_all: bool) -> Chunks:
    """The COPY of these rows, a chunk for each piece as it comes; `is_all`: there is but one, which is there already.

    Raises ValueError for what no column can take.
    """
    chunks = _chunks(_events, pieces)
    return [b"".join(chunks)] if is_all else chunks


def seal_chunks(seals: Sequence[Seal], mark: int) -> Chunks:
    """The COPY of seals. `mark`: what tells this try to write them from others."""
    rows = [
        _SEAL.pack(len(SEAL_COLUMNS), 4, entity_no, 8, first_sequence, 8, last_sequence, 2, version)
        + _sized(peaks) + _sized(nodes) + _INT8.pack(8, mark)
        for entity_no, first_sequence, last_sequence, version, peaks, nodes in seals
    ]  # fmt: skip
    return [b"".join((_HEADER, *rows, _TRAILER))]


def entry_chunks(rows: Sequence[EntryRow]) -> Chunks:
    """The COPY of these rows. Raises ValueError for what no column can take."""
    if len(rows) <= MAX_CHUNK_ROWS:
        return [b"".join(_chunks(_entries, [rows]))]
    return _chunks(_entries, (rows[first : first + MAX_CHUNK_ROWS] for first in range(0, len(rows), MAX_CHUNK_ROWS)))


def _events(rows: Sequence[EventRow], texts: _Texts, times: _Times) -> list[bytes]:
    cells: list[bytes] = []
    entity: int | None = None
    start = b""
    for (
        entity_no, sequence, kind, span, recorded_time, actor, key, digest, transaction_no, revision, status,
        postings_at, effective_time, expire_time, description, reference, counterparty, category_id, metadata,
        reverses, account_no, detail,
    ) in rows:  # fmt: skip
        if entity_no != entity:
            entity, start = entity_no, _ROW_START.pack(len(EVENT_COLUMNS), 4, entity_no, 8)
        if transaction_no and revision and status and postings_at and effective_time:
            transaction = _TRANSACTION.pack(
                8, transaction_no, 4, revision, 2, status, 8, postings_at, 8, times[effective_time]
            )
        else:
            transaction = (
                _number(_INT8, transaction_no) + _number(_INT4, revision) + _number(_INT2, status)
                + _number(_INT8, postings_at) + _time(effective_time, times)
            )  # fmt: skip
        cells += (
            _EVENT.pack(start, sequence, 2, kind, 4, span, 8, times[recorded_time]),
            texts[actor],
            # No two events have the same.
            _NULL if key is None else _sized(key.encode()),
            _NULL if digest is None else _sized(digest),
            transaction,
            _NULL if expire_time is None else _time(expire_time, times),
            texts[description],
            _NULL if reference is None else _sized(reference.encode()),
            texts[counterparty],
            texts[category_id],
            _NULL if metadata is None else _json(metadata),
            _NULL if reverses is None else _number(_INT8, reverses),
            _NULL if account_no is None else _number(_INT8, account_no),
            _NULL if detail is None else _json(detail),
        )
    return cells


def _entries(rows: Sequence[EntryRow], texts: _Texts, times: _Times) -> list[bytes]:
    cells: list[bytes] = []
    entity: int | None = None
    start = b""
    pack_start, pack_end = _ENTRY_START.pack, _ENTRY_END.pack
    for (
        entity_no, account_no, currency, number, sequence, kind, leg, side, amount, debits_posted, credits_posted,
        debits_pending, credits_pending, effective_time, latest_effective, wide,
    ) in rows:  # fmt: skip
        if entity_no != entity:
            entity, start = entity_no, _ROW_START.pack(len(ENTRY_COLUMNS), 4, entity_no, 8)
        cells += (
            pack_start(start, account_no),
            texts[currency],
            pack_end(
                8, number, 8, sequence, 2, kind, 2, leg, 2, side, 8, amount, 8, debits_posted, 8, credits_posted,
                8, debits_pending, 8, credits_pending, 8, times[effective_time], 8, times[latest_effective],
            ),
            _NULL if wide is None else _array(wide),
        )  # fmt: skip
    return cells


def _chunks(
    encode: Callable[[Sequence[_Row], _Texts, _Times], list[bytes]], pieces: Iterable[Sequence[_Row]]
) -> Iterator[bytes]:
    texts, times = _Texts(), _Times()
    before = _HEADER
    for rows in pieces:
        try:
            yield before + b"".join(encode(rows, texts, times))
        except struct.error as error:
            raise ValueError(f"a number that its column can't take: {error}") from error
        before = b""
    yield before + _TRAILER


def _sized(data: bytes) -> bytes:
    return _LENGTH.pack(len(data)) + data


def _json(text: str) -> bytes:
    return _sized(b"\x01" + text.encode())


def _number(cell: struct.Struct, value: int | None) -> bytes:
    """`cell`: the length that it begins with is what is left of it."""
    return _NULL if value is None else cell.pack(cell.size - 4, value)


def _time(time: datetime | None, times: _Times) -> bytes:
    return _NULL if time is None else _INT8.pack(8, times[time])


def _array(numbers: Sequence[int]) -> bytes:
    """numeric[]: one dimension, without NULLs, from 1."""
    items = b"".join([_sized(numeric.encode(number)) for number in numbers])
    return _sized(_ARRAY.pack(1, 0, _NUMERIC_OID, len(numbers), 1) + items)
