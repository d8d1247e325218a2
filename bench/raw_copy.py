"""The yardstick of rows: asyncpg COPY of the same rows into tables with the same columns and indexes, but without a
trigger, a foreign key, a check of the service or a look at anything: what the rows alone cost on this machine.

`python -m bench.raw_copy`, see bench.child. Tasks: {"do": "prepare", "dsn"}, {"do": "copy", …}, {"do": "insert", …}.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg

from bench.child import answer_tasks
from bench.requests import ACTOR, DESCRIPTION
from ledger_service.domain.decide.book import EventRow
from ledger_service.storage.copying import ENTRY_COLUMNS

TABLES = ("events", "entries")

_COLUMNS = """
SELECT a.attname::text || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || COALESCE(c.collname, '')
    || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END || a.attstorage::text || a.attcompression::text
FROM pg_attribute a LEFT JOIN pg_collation c ON c.oid = a.attcollation
WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
# Without their names and their table's, which differ.
_INDEXES = """
SELECT regexp_replace(pg_get_indexdef(i.indexrelid), 'INDEX \\S+ ON (ONLY )?\\S+', 'INDEX ON') AS definition
FROM pg_index i WHERE i.indrelid = $1::text::regclass ORDER BY 1
"""
_OPTIONS = "SELECT unnest(reloptions) FROM pg_class WHERE oid = $1::text::regclass ORDER BY 1"
# What the yardstick must not have.
_BURDENS = """
SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgrelid = $1::text::regclass
UNION ALL SELECT 'constraint ' || conname FROM pg_constraint
WHERE conrelid = $1::text::regclass AND contype IN ('c', 'f')
"""


async def prepare(connection: Any) -> None:  # noqa: ANN401  # asyncpg's connection
    """Make the tables anew, from those that the migrations made."""
    await connection.execute("DROP SCHEMA IF EXISTS bench CASCADE; CREATE SCHEMA bench")
    for table in TABLES:
        await connection.execute(
            f"CREATE TABLE bench.{table} (LIKE ledger.{table} INCLUDING INDEXES INCLUDING GENERATED INCLUDING STORAGE "
            "INCLUDING COMPRESSION)"
        )
        options = [row[0] for row in await connection.fetch(_OPTIONS, f"ledger.{table}")]
        if options:
            await connection.execute(f"ALTER TABLE bench.{table} SET ({', '.join(options)})")


async def table_drift(connection: Any) -> list[str]:  # noqa: ANN401
    """In what the yardstick's tables differ from the ledger's though they should not; empty: in nothing."""
    found = []
    for table in TABLES:
        for what, query in (("column", _COLUMNS), ("index", _INDEXES), ("option", _OPTIONS)):
            ours, theirs = [
                {row[0] for row in await connection.fetch(query, f"{schema}.{table}")} for schema in ("bench", "ledger")
            ]
            found += [f"{table}: the yardstick lacks the {what} {one}" for one in sorted(theirs - ours)]
            found += [f"{table}: only the yardstick has the {what} {one}" for one in sorted(ours - theirs)]
        burdens = await connection.fetch(_BURDENS, f"bench.{table}")
        found += [f"{table}: the yardstick has a {row[0]}" for row in burdens]
    return found


def row_drift(table: str, stored: Mapping[str, Any], copied: Mapping[str, Any]) -> list[str]:
    """In what a row of the yardstick differs in kind from one that the service stored: columns, types, sizes."""
    found = [f"{table}: column {name} is missing from the yardstick" for name in stored.keys() - copied.keys()]
    found += [f"{table}: column {name} is the yardstick's alone" for name in copied.keys() - stored.keys()]
    for name in stored.keys() & copied.keys():
        theirs, ours = stored[name], copied[name]
        if (theirs is None) != (ours is None):
            found.append(f"{table}.{name}: the service writes {_kind(theirs)}, the yardstick {_kind(ours)}")
        elif isinstance(theirs, str | bytes) and len(theirs) != len(ours):
            found.append(f"{table}.{name}: the service writes {len(theirs)} long values, the yardstick {len(ours)}")
    return sorted(found)


def _kind(value: object) -> str:
    return "NULL" if value is None else "a value"


class Rows:
    """Makes rows of two-posting transactions as the service would write them for bench.requests."""

    def __init__(self) -> None:
        self._sequences: dict[int, int] = defaultdict(int)
        self._chains: dict[tuple[int, int], tuple[int, int, int]] = defaultdict(lambda: (0, 0, 0))
        self._chance = random.Random(1)  # repeatable, not secret

    def batch(self, entity: int, size: int, accounts: int) -> tuple[list[Any], list[Any]]:
        """Events and entries of the entity's next transactions, uniform over so many accounts."""
        now = datetime.now(UTC)
        events: list[Any] = []
        entries: list[Any] = []
        for _ in range(size):
            self._sequences[entity] += 1
            one = self._sequences[entity]
            events.append(
                EventRow(
                    entity_no=entity, sequence=one, kind=1, span=1, recorded_time=now, actor=ACTOR,
                    idempotency_key=f"key-{entity:08x}-{one:010d}",
                    request_hash=self._chance.randbytes(16), transaction_no=one, revision=1, status=3, postings_at=one,
                    effective_time=now, expire_time=None, description=DESCRIPTION, reference=None, counterparty=None,
                    category_id=None, metadata=None, reverses=None, account_no=None, detail=None,
                )
            )  # fmt: skip
            amount = 1_000_000 + int(self._chance.random() * 9_000_000)
            for leg, account in enumerate(self._chance.sample(range(accounts), 2)):
                number, debits, credits_ = self._chains[entity, account]
                number += 1
                debits, credits_ = (debits + amount, credits_) if leg == 0 else (debits, credits_ + amount)
                self._chains[entity, account] = number, debits, credits_
                # In the order of ENTRY_COLUMNS.
                entries.append(
                    (entity, account + 1, "USD", number, one, 1, leg, leg + 1, amount, debits, credits_, 0, 0, now, now,
                     None)
                )  # fmt: skip
        return events, entries


class RawCopy:
    """So many connections, each with a commit per batch."""

    WAVE = 24
    """Batches that are made before the clock runs, and copied while it does."""

    def __init__(self) -> None:
        self._rows = Rows()
        self._connections: list[Any] = []

    async def connect(self, dsn: str, count: int) -> None:
        """Have at least so many."""
        while len(self._connections) < count:
            self._connections.append(await asyncpg.connect(dsn))

    async def close(self) -> None:
        """Give the connections back."""
        for connection in self._connections:
            await connection.close()
        self._connections.clear()

    async def prepare(self, dsn: str) -> list[str]:
        """Make the tables; gives what differs from the ledger's."""
        await self.connect(dsn, 1)
        await prepare(self._connections[0])
        self._rows = Rows()
        return await table_drift(self._connections[0])

    async def copy(self, dsn: str, task: Mapping[str, Any]) -> dict[str, Any]:
        """Copy for so many seconds. Making rows does not count, encoding them does."""
        await self.connect(dsn, task["connections"])
        began, spent = time.time(), 0.0
        ends: list[float] = []
        latencies: list[float] = []
        while spent < task["seconds"]:
            waiting = [
                self._rows.batch(number % task["entities"] + 1, task["size"], task["accounts"])
                for number in range(self.WAVE)
            ]
            waiting.reverse()
            # The time that rows were made in does not pass on the clock of this measurement.
            offset = time.time() - began - spent
            wave = time.time()
            over = wave + task["seconds"] - spent

            async def copier(connection: Any, waiting: list[Any], over: float, offset: float) -> None:  # noqa: ANN401
                while waiting and time.time() < over:
                    sent = time.time()
                    await self._copy(connection, *waiting.pop())
                    ends.append(time.time() - offset)
                    latencies.append(time.time() - sent)

            await asyncio.gather(
                *(copier(one, waiting, over, offset) for one in self._connections[: task["connections"]])
            )
            spent += time.time() - wave
        return {"began": began, "ended": began + spent, "ends": ends, "latencies": latencies}

    async def _copy(self, connection: Any, events: list[Any], entries: list[Any]) -> None:  # noqa: ANN401
        async with connection.transaction():
            await connection.copy_records_to_table(
                "events", schema_name="bench", records=events, columns=EventRow._fields
            )
            await connection.copy_records_to_table(
                "entries", schema_name="bench", records=entries, columns=ENTRY_COLUMNS
            )

    async def insert(self, dsn: str, task: Mapping[str, Any]) -> dict[str, Any]:
        """One row of events after the other, each with a commit of its own: the least that a durable write takes."""
        await self.connect(dsn, 1)
        places = ", ".join(f"${number + 1}" for number in range(len(EventRow._fields)))
        insert = await self._connections[0].prepare(
            f"INSERT INTO bench.events ({', '.join(EventRow._fields)}) VALUES ({places})"
        )
        began = time.time()
        ends: list[float] = []
        latencies: list[float] = []
        while time.time() < began + task["seconds"]:
            (row,), _ = self._rows.batch(1, 1, task["accounts"])
            sent = time.time()
            await insert.fetch(*row)
            ends.append(time.time())
            latencies.append(ends[-1] - sent)
        return {"began": began, "ended": time.time(), "ends": ends, "latencies": latencies}


_raw = RawCopy()


async def handle(task: dict[str, Any]) -> dict[str, Any]:
    """Do as the task says."""
    if task["do"] == "prepare":
        return {"drift": await _raw.prepare(task["dsn"])}
    if task["do"] == "copy":
        return await _raw.copy(task["dsn"], task)
    return await _raw.insert(task["dsn"], task)


if __name__ == "__main__":
    answer_tasks(handle)
