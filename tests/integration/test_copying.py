"""Our COPY of events, entries and seals, held against asyncpg's and the server's own of the same rows."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger_service.domain.decide.book import EntryRow, EventRow
from ledger_service.domain.sealing.seals import Seal
from ledger_service.storage import copying, numeric
from tests.helpers.sql import copied

_int2, _int4, _int8 = (st.integers(-(2**bits), 2**bits - 1) for bits in (15, 31, 63))
_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=5,
).map(json.dumps)
# The calendar that requests may use, and another zone: the same instant is the same time.
_time = st.datetimes(
    datetime(1, 1, 2),  # noqa: DTZ001  # the strategy adds the zone
    datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
_wide = st.tuples(*[st.integers(0, 10**38 - 1)] * 5)


def _or_null(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


_events = st.builds(
    EventRow,
    _int4, _int8, _int2, _int4, _time, _text, _or_null(_text), _or_null(st.binary(max_size=20)), _or_null(_int8),
    _or_null(_int4), _or_null(_int2), _or_null(_int8), _or_null(_time), _or_null(_time), _or_null(_text),
    _or_null(_text), _or_null(_text), _or_null(_text), _or_null(_json), _or_null(_int8), _or_null(_int8),
    _or_null(_json),
)  # fmt: skip
_entries = st.tuples(
    _int4, _int8, _text, _int8, _int8, _int2, _int2, _int2, _int8, _int8, _int8, _int8, _int8, _time, _time,
    _or_null(_wide),
)  # fmt: skip
_seals = st.builds(Seal, _int4, _int8, _int8, _int2, st.binary(max_size=70), st.binary(max_size=70))


def _many(rows: st.SearchStrategy[Any], count: int) -> list[Any]:
    """Hypothesis' ideas of rows, one more than asked for: the first comes again."""
    found: list[Any] = []

    @settings(max_examples=count, database=None, suppress_health_check=list(HealthCheck))
    @given(rows)
    def collect(row: Any) -> None:
        found.append(row)

    collect()
    return [*found, found[0]]


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Any]:
    connection: Any = await asyncpg.connect(database)
    await connection.set_type_codec(
        "numeric", schema="pg_catalog", encoder=numeric.encode, decoder=numeric.decode, format="binary"
    )
    for table, columns in _COLUMNS.items():
        for name in ("ours", "theirs"):
            # The columns of the real table, without its rules, so that any row may be tried.
            await connection.execute(
                f"CREATE TEMP TABLE {table}_{name} AS SELECT {', '.join(columns)} FROM ledger.{table} LIMIT 0"
            )
    yield connection
    connection.terminate()


_COLUMNS = {"events": copying.EVENT_COLUMNS, "entries": copying.ENTRY_COLUMNS, "seals": copying.SEAL_COLUMNS}


async def _stored(connection: Any, table: str) -> bytes:
    """What the server keeps, in its own binary form."""
    found = bytearray()

    async def take(data: bytes) -> None:
        found.extend(data)

    await connection.copy_from_query(f"SELECT * FROM {table}", output=take, format="binary")
    return bytes(found)


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("count", [3, 300, copying.MAX_CHUNK_ROWS])
async def test_the_server_gets_what_asyncpg_would_have_sent(connection: Any, count: int, pieces: int) -> None:
    events: list[EventRow] = _many(_events, count)
    entries: list[EntryRow] = _many(_entries, count)
    seals: list[Seal] = _many(_seals, count)
    for table, rows, chunks in (
        ("events", events, copying.event_chunks(_cut(events, pieces), is_all=pieces == 1)),
        ("entries", entries, copying.entry_chunks(entries)),
        ("seals", [(*seal, -7) for seal in seals], copying.seal_chunks(seals, -7)),
    ):
        columns = _COLUMNS[table]
        tag = await copied(connection, f"{table}_ours", columns, chunks)
        assert tag == f"COPY {len(rows)}"
        await connection.copy_records_to_table(f"{table}_theirs", records=rows, columns=columns)
        assert await _stored(connection, f"{table}_ours") == await _stored(connection, f"{table}_theirs")
        # And nothing was lost on both ways alike.
        kept = await connection.fetch(f"SELECT * FROM {table}_ours")
        assert [_meaning(columns, row) for row in rows] == [_meaning(columns, record) for record in kept]


def _cut(rows: Sequence[EventRow], pieces: int) -> list[Sequence[EventRow]]:
    size = -(-len(rows) // pieces)
    return [rows[first : first + size] for first in range(0, len(rows), size)]


def _meaning(columns: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    """A row's values, with JSON as what it says."""
    return {
        column: json.loads(value)
        if column in ("metadata", "detail") and value is not None
        else tuple(value)
        if column == "wide" and value is not None
        else value
        for column, value in zip(columns, row, strict=True)
    }


_EVENT = EventRow(
    1, 1, 1, 1, datetime(2026, 3, 1, tzinfo=UTC), "actor", "key", b"digest", 1, 1, 3, 1,
    datetime(2026, 3, 1, tzinfo=UTC), *[None] * 9,
)  # fmt: skip


@pytest.mark.parametrize(
    "spoilt",
    [
        {"sequence": 2**63},
        {"span": 2**31},
        {"kind": 2**15},
        {"status": 2**15},
        {"account_no": -(2**63) - 1},
        {"revision": "1"},
        {"actor": "\ud800"},
        {"metadata": '"\udfff"'},
    ],
)
def test_what_no_column_can_take_is_refused_before_anything_is_sent(spoilt: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"can't take|surrogates"):
        copying.event_chunks([[_EVENT, _EVENT._replace(**spoilt)]], is_all=True)


def test_a_number_of_an_entry_that_is_too_large_is_refused() -> None:
    row = (1, 1, "USD", 1, 1, 1, 0, 1, 2**63, 0, 0, 0, 0, _EVENT.recorded_time, _EVENT.recorded_time, None)
    with pytest.raises(ValueError, match="can't take"):
        copying.entry_chunks([row])
