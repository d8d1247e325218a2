"""An event with its entries as canonical bytes: what a leaf of the history tree is the hash of.

Version 1, all numbers big-endian:

    record  = 01 fixed text entry*
    fixed   = entity_no i4, sequence i8, kind i2, span i4, recorded_time i8, transaction_no o8, revision o4,
              status o2, postings_at o8, effective_time o8, expire_time o8, reverses o8, account_no o8,
              bytes of text u4, entries u4
    text    = actor, idempotency_key, request_hash (hex), description, reference, counterparty, category_id,
              metadata, detail: each "-" if it is NULL, else "+" and the value in UTF-8; between two a NUL
    entry   = kind i2, leg i2, side i2, account_no i8, number i8, currency (12 bytes, filled up with NUL),
              amount i8, debits_posted i8, credits_posted i8, debits_pending i8, credits_pending i8,
              effective_time i8, latest_effective i8, count i2 [bytes u2 wide]
    wide    = so many decimal numbers, between two a NUL; count -1, and nothing after it: there are none

`oN` is a byte 00 and N bytes 00 for NULL, or a byte 01 and the number. Times are microseconds since 1970 UTC. Entries
are in the order of kind and leg. JSON is in canonical form (`canonical_json`). No text of the database holds a NUL.

Two rows that differ in any column have different records: every column is in it, each with its own end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from struct import Struct
from struct import error as StructError  # noqa: N812  # an exception's name
from typing import Any, NamedTuple

VERSION = 1

_FIXED = Struct(">Biqhiq?q?i?h?q?q?q?q?qII")
_FIXED_READ = Struct(_FIXED.format.replace("?", "B"))
_ENTRY = Struct(">hhhqq12sqqqqqqqh")
_WIDE_BYTES = Struct(">H")
_FIXED_PACK, _ENTRY_PACK = _FIXED.pack, _ENTRY.pack
_CURRENCY_BYTES = 12

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Unrecordable(ValueError):
    """A row that no ledger can have written: a value has no place in the canonical form."""


def microseconds_of(moment: datetime) -> int:
    """A time as records and heads have it: microseconds since 1970."""
    return (moment - EPOCH) // _MICROSECOND


class Moments(dict[Any, int]):
    """Microseconds since 1970 of datetimes, each worked out once; None is 0."""

    def __init__(self) -> None:
        super().__init__({None: 0})

    def __missing__(self, moment: datetime) -> int:
        self[moment] = found = microseconds_of(moment)
        return found


class _Codes(dict[str, bytes]):
    """Currencies as bytes."""

    def __missing__(self, code: str) -> bytes:
        encoded = code.encode()
        if len(encoded) > _CURRENCY_BYTES:
            raise Unrecordable(f"currency {code!r} is longer than {_CURRENCY_BYTES} bytes")
        self[code] = encoded
        return encoded


def records_of(
    events: Sequence[Sequence[Any]], entries: Sequence[Sequence[Any]], moments: Mapping[Any, int] | None = None
) -> list[bytes]:
    """The records of rows of ledger.events and ledger.entries (domain.decide.book.EventRow and EntryRow).

    Both in the order of the sequence; every entry is of one of the events. `moments`: how the rows' times become
    microseconds since 1970 (None becomes 0); without it they are datetimes.

    Raises Unrecordable for a row that only somebody else than this ledger can have written.
    """
    moments = Moments() if moments is None else moments
    codes = _Codes()
    found: list[bytes] = []
    position, count = 0, len(entries)
    try:
        for event in events:
            start, sequence = position, event[1]
            while position < count and entries[position][4] == sequence:
                position += 1
            found.append(_record(event, _entries(entries[start:position], moments, codes), moments))
    except (StructError, TypeError, OverflowError, AttributeError) as error:
        raise Unrecordable(str(error)) from error
    if position != count:
        raise Unrecordable(f"an entry at sequence {entries[position][4]} has no event before it")
    return found


# One expression for each column: this runs for every posting, and a call for each would double its cost.


def _record(event: Sequence[Any], rows: Sequence[bytes], moments: Mapping[Any, int]) -> bytes:
    (entity_no, sequence, kind, span, recorded, actor, key, request_hash, transaction_no, revision, status, postings_at,
     effective, expire, description, reference, counterparty, category_id, metadata, reverses, account_no,
     detail) = event  # fmt: skip
    if request_hash is not None:
        request_hash = request_hash.hex()
    if metadata is not None:
        metadata = canonical_json(metadata)
    if detail is not None:
        detail = canonical_json(detail)
    text = "\0".join(
        [
            "-" if value is None else "+" + value
            for value in (
                actor, key, request_hash, description, reference, counterparty, category_id, metadata, detail,
            )
        ]
    ).encode()  # fmt: skip
    fixed = _FIXED_PACK(
        VERSION, entity_no, sequence, kind, span, moments[recorded], transaction_no is not None, transaction_no or 0,
        revision is not None, revision or 0, status is not None, status or 0, postings_at is not None,
        postings_at or 0, effective is not None, moments[effective], expire is not None, moments[expire],
        reverses is not None, reverses or 0, account_no is not None, account_no or 0, len(text), len(rows),
    )  # fmt: skip
    return fixed + text + b"".join(rows)


def _entries(entries: Sequence[Sequence[Any]], moments: Mapping[Any, int], codes: _Codes) -> list[bytes]:
    rows = [
        _ENTRY_PACK(
            kind, leg, side, account_no, number, codes[currency], amount, debits_posted, credits_posted,
            debits_pending, credits_pending, moments[effective], moments[latest], -1,
        )
        if wide is None
        else _wide_entry(
            wide, kind, leg, side, account_no, number, codes[currency], amount, debits_posted, credits_posted,
            debits_pending, credits_pending, moments[effective], moments[latest],
        )
        for (_, account_no, currency, number, _, kind, leg, side, amount, debits_posted, credits_posted,
             debits_pending, credits_pending, effective, latest, wide) in entries
    ]  # fmt: skip
    # Kind and leg come first, so this is their order, whatever the order of writing or reading was.
    rows.sort()
    return rows


def _wide_entry(wide: Sequence[Any], *fixed: Any) -> bytes:  # noqa: ANN401  # columns, in the order of _ENTRY
    numbers = "\0".join([str(number) for number in wide]).encode()
    return _ENTRY_PACK(*fixed, len(wide)) + _WIDE_BYTES.pack(len(numbers)) + numbers


_NUMBER = "\0"
"""Name of the only member of the object that stands for a number with a fraction: no JSON of the database has it."""


def canonical_json(text: str) -> str:
    r"""JSON as one text, however it was written: members in the order of their names' code points, no blanks, nothing
    escaped that need not be, numbers as PostgreSQL keeps them. Raises Unrecordable for what is no JSON.

    A number with a fraction is written as {"\\u0000": "its digits"}: JSON has no form for it that every reader keeps.
    """
    try:
        return _encode(json.loads(text, parse_float=_fraction, parse_constant=_refuse))
    except (ValueError, RecursionError) as error:
        raise Unrecordable(f"not JSON: {error}") from error


_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":")).encode


def _fraction(text: str) -> int | dict[str, str]:
    plain = format(Decimal(text), "f")
    if "." not in plain:
        return int(plain)
    # numeric knows no negative zero.
    return {_NUMBER: plain.removeprefix("-") if not plain.strip("-0.") else plain}


def _refuse(text: str) -> int:
    raise ValueError(f"{text} is no number of JSON")


class Record(NamedTuple):
    """What a record says: columns of ledger.events by name, and of its entries."""

    event: dict[str, Any]
    entries: tuple[dict[str, Any], ...]


_EVENT_NUMBERS = (
    "transaction_no", "revision", "status", "postings_at", "effective_time", "expire_time", "reverses", "account_no",
)  # fmt: skip
_EVENT_TEXTS = (
    "actor", "idempotency_key", "request_hash", "description", "reference", "counterparty", "category_id", "metadata",
    "detail",
)  # fmt: skip
_ENTRY_MEMBERS = (
    "kind", "leg", "side", "account_no", "number", "currency", "amount", "debits_posted", "credits_posted",
    "debits_pending", "credits_pending", "effective_time", "latest_effective",
)  # fmt: skip
_AMOUNTS = ("amount", "debits_posted", "credits_posted", "debits_pending", "credits_pending")


def read_record(record: bytes) -> Record:
    """What a record says. Times in microseconds since 1970, amounts in minor units, exact whatever their width.

    Raises Unrecordable for what is none.
    """
    try:
        version, entity_no, sequence, kind, span, recorded, *rest = _FIXED_READ.unpack_from(record)
        if version != VERSION:
            raise Unrecordable(f"a record of version {version}; this release reads version {VERSION}")
        optional, (text_bytes, count) = rest[:-2], rest[-2:]
        event: dict[str, Any] = {
            "entity_no": entity_no, "sequence": sequence, "kind": kind, "span": span, "recorded_time": recorded,
        }  # fmt: skip
        for name, present, value in zip(_EVENT_NUMBERS, optional[::2], optional[1::2], strict=True):
            if present > 1 or (value and not present):
                raise Unrecordable(f"not a record: {name} is neither there nor not")
            event[name] = value if present else None
        position = _FIXED.size + text_bytes
        texts = record[_FIXED.size : position].decode().split("\0")
        for name, value in zip(_EVENT_TEXTS, texts, strict=True):
            if value != "-" and value[:1] != "+":
                raise Unrecordable(f"not a record: {name} is neither there nor not")
            event[name] = None if value == "-" else value[1:]
        entries = []
        for _ in range(count):
            entry, position = _read_entry(record, position)
            entries.append(entry)
    except (StructError, ValueError) as error:
        raise Unrecordable(f"not a record: {error}") from error
    if position != len(record):
        raise Unrecordable("not a record: something comes after its last entry")
    return Record(event, tuple(entries))


def _read_entry(record: bytes, position: int) -> tuple[dict[str, Any], int]:
    *values, count = _ENTRY.unpack_from(record, position)
    entry = dict(zip(_ENTRY_MEMBERS, values, strict=True))
    entry["currency"] = entry["currency"].rstrip(b"\0").decode()
    if "\0" in entry["currency"] or count < -1:
        raise Unrecordable("not a record: an entry's currency or count of numbers")
    position += _ENTRY.size
    if count >= 0:
        (length,) = _WIDE_BYTES.unpack_from(record, position)
        position += _WIDE_BYTES.size
        numbers = record[position : position + length].decode().split("\0")
        is_canonical = count == len(numbers) and all(str(int(number)) == number for number in numbers)
        if any(entry[name] for name in _AMOUNTS) or not is_canonical:
            raise Unrecordable("not a record: an entry's numbers")
        entry.update(zip(_AMOUNTS, map(int, numbers), strict=True))
        position += length
    return entry, position
