"""Seals in the database: how they are written, what proofs read of them, and what was there before there were any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from ledger_service.domain.sealing.checkpoint import Head
from ledger_service.domain.sealing.record import records_of
from ledger_service.domain.sealing.seals import Seal, seal_rows
from ledger_service.domain.sealing.tree import STORED_LEVEL, Range, leaf_hash, pieces, range_hash, root_of
from ledger_service.storage import database, numeric, sql
from ledger_service.storage.connections import Bound

QUERIES = sql.load("sealing.sql")

_HISTORY_CHUNK = 16_384
"""Events that one seal of older history covers."""
_READ_CHUNK = 2_048


def insert_seals(seals: Sequence[Seal]) -> str:
    """The statement that writes seals where there is no commit. Only numbers and hexadecimal digits go into it."""
    rows = [
        f"{seal.entity_no:d}, {seal.first_sequence:d}, {seal.last_sequence:d}, {seal.version:d}, "
        f"'\\x{seal.peaks.hex()}', '\\x{seal.nodes.hex()}'"
        for seal in seals
    ]
    return f"INSERT INTO ledger.seals ({', '.join(Seal._fields)}) VALUES ({'), ('.join(rows)})"  # noqa: S608  # see above


class HistoryStore:
    """See application.proving.HistoryStore. What it reads never changes, so that no snapshot is needed."""

    def __init__(self, entities: Bound) -> None:
        self._entities = entities

    async def sealed_up_to(self, entity_no: int) -> int:
        """The entity's last sealed event; its creation is one."""
        [record] = await self._entities.fetch(entity_no, QUERIES["sealed_up_to"])
        return int(record["last_sequence"])

    async def recorded_time(self, entity_no: int, sequence: int) -> datetime:
        """When an event of the history was recorded."""
        [record] = await self._entities.fetch(entity_no, QUERIES["recorded_at"], sequence)
        found: datetime = record["recorded_time"]
        return found

    async def record(self, entity_no: int, sequence: int) -> bytes:
        """The canonical bytes of an event of the history."""
        async with self._entities.snapshot(entity_no, planned_once=True) as connection:
            return (await records(connection, entity_no, [(sequence - 1, sequence)]))[sequence - 1]

    async def range_hashes(self, entity_no: int, ranges: Sequence[Range]) -> list[bytes]:
        """The roots over these ranges of leaves, all within the history."""
        if not ranges:
            return []
        async with self._entities.snapshot(entity_no, planned_once=True) as connection:
            return await range_hashes(connection, entity_no, ranges)


async def records(connection: Any, entity_no: int, ranges: Sequence[Range]) -> dict[int, bytes]:
    """The records of the events of leaves in these ranges, by leaf; those that do not exist are left out."""
    columns = [first for first, _ in ranges], [end for _, end in ranges]
    events = await connection.fetch(QUERIES["sealed_events"], entity_no, *columns)
    entries = await connection.fetch(QUERIES["sealed_entries"], entity_no, *columns)
    rows = [tuple(event) for event in events]
    found = records_of(rows, [tuple(entry) for entry in entries])
    return {row[1] - 1: record for row, record in zip(rows, found, strict=True)}


async def range_hashes(connection: Any, entity_no: int, ranges: Sequence[Range]) -> list[bytes]:
    """The roots over these ranges of leaves, all within the history: from stored nodes, and at the ragged ends from
    events, fewer than 64 for each range."""
    taken = [pieces(each) for each in ranges]
    wanted = [node for nodes, _ in taken for node in nodes]
    nodes = {
        (row["level"], row["index"]): row["hash"]
        for row in await connection.fetch(
            QUERIES["nodes"], entity_no, [level for level, _ in wanted], [index for _, index in wanted], STORED_LEVEL
        )
    }
    ragged = [rest for _, rest in taken if rest[0] < rest[1]]
    leaves = {
        leaf: leaf_hash(record) for leaf, record in (await records(connection, entity_no, ragged)).items()
    }  # fmt: skip
    return [
        range_hash(
            each,
            lambda level, index: nodes[level, index],
            lambda rest: [leaves[leaf] for leaf in range(*rest)],
        )
        for each in ranges
    ]


async def newest_heads(dsn: str, entity_ids: Sequence[str] | None) -> list[Head]:
    """The heads of the histories of these entities that exist; None: of all, by id.

    Raises asyncpg.PostgresError, OSError, TimeoutError: the database cannot be read.
    """
    connection = await database.connect_auditor(dsn)
    try:
        rows = await connection.fetch(QUERIES["newest_heads"], entity_ids)
    finally:
        await connection.close()
    return [Head(row["entity_id"], row["last_sequence"], root_of(row["peaks"]), row["recorded"]) for row in rows]


async def seal_history(connection: Any, progress: Callable[[str], None]) -> int:
    """Seal what was written before there were seals; answers how many seals that took.

    Inside of the migration's database transaction, which keeps everybody from committing by its lock on `commits`.
    About a minute for 5 million transactions; memory is bounded by one seal's events.
    """
    await connection.set_type_codec(
        "numeric", schema="pg_catalog", encoder=numeric.encode, decoder=numeric.decode, format="binary"
    )
    await connection.execute("SET LOCAL search_path = ledger")
    written = 0
    for entity_no, sealed, peaks, last in await connection.fetch(QUERIES["unsealed"]):
        progress(f"sealing {last - sealed:,} events of entity number {entity_no}")
        size, frontier = sealed, peaks or b""
        while size < last:
            seal = await _seal_chunk(connection, entity_no, size, frontier, min(size + _HISTORY_CHUNK, last))
            size, frontier = seal.last_sequence, seal.peaks
            written += 1
    return written


async def _seal_chunk(connection: Any, entity_no: int, size: int, peaks: bytes, end: int) -> Seal:
    events: list[tuple[Any, ...]] = []
    entries: list[tuple[Any, ...]] = []
    for first in range(size, end, _READ_CHUNK):
        part = [first], [min(first + _READ_CHUNK, end)]
        events += map(tuple, await connection.fetch(QUERIES["sealed_events"], entity_no, *part))
        entries += map(tuple, await connection.fetch(QUERIES["sealed_entries"], entity_no, *part))
    seal = seal_rows(entity_no, size, peaks, events, entries)
    await connection.execute(insert_seals([seal]))
    return seal
