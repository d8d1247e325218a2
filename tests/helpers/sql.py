"""Writes the ledger's tables directly, as a faulty or malicious service would, to show what they refuse."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg

from ledger_service.storage import copying
from ledger_service.storage.sending import Sending

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from ledger_service.storage.copying import Chunks

RECORDED = datetime(2026, 3, 1, 12, tzinfo=UTC)
EFFECTIVE = datetime(2026, 2, 1, tzinfo=UTC)

DEBIT, CREDIT = 1, 2
POST, HOLD, RELEASE, SETTLE = 1, 2, 3, 4
PENDING, CLEARED, POSTED, VOIDED, EXPIRED = 1, 2, 3, 4, 5
CREATED, EDITED, CLEARED_EVENT, POSTED_EVENT, VOIDED_EVENT, EXPIRED_EVENT, REVERSED = 1, 2, 3, 4, 5, 6, 7
REFUSED, ACCOUNT_CREATED, ACCOUNT_CHANGED, ENTITY_CREATED, ENTITY_CHANGED = 8, 9, 10, 11, 12
CATEGORIZED, CATEGORY_CREATED, CATEGORY_CHANGED = 13, 14, 15

_HOT = ("events", "entries")
"""Tables that the service writes through an inlet (migration 0005)."""

Row = dict[str, Any]


class Head(NamedTuple):
    """An account's newest entry in a currency."""

    number: int = 0
    totals: tuple[int, int, int, int] = (0, 0, 0, 0)
    latest: datetime = EFFECTIVE


@dataclass
class Book:
    """Makes rows that keep all the rules, to be spoilt by a test; knows what it has made so far."""

    entity_no: int
    sequence: int = 0
    recorded: datetime = RECORDED
    heads: dict[tuple[int, str], Head] = field(default_factory=dict)

    def event(self, kind: int, **fields: Any) -> Row:
        """The next event; time passes."""
        self.sequence += 1
        self.recorded += timedelta(seconds=1)
        return {
            "entity_no": self.entity_no,
            "sequence": self.sequence,
            "kind": kind,
            "span": 1,
            "recorded_time": self.recorded,
            "actor": "a test",
            **fields,
        }

    def creation(self, status: int, **fields: Any) -> Row:
        """The event that creates a transaction."""
        number = self.sequence + 1
        return self.event(
            fields.pop("kind", CREATED),
            **{
                "transaction_no": number,
                "revision": 1,
                "status": status,
                "postings_at": number,
                "effective_time": EFFECTIVE,
                **fields,
            },
        )

    def revision(self, before: Row, kind: int, status: int, *, moves: bool = False, **fields: Any) -> Row:
        """The event that changes a transaction; `moves`: the postings are written anew with it."""
        kept = (
            "transaction_no", "effective_time", "expire_time", "description", "reference", "category_id", "reverses",
        )  # fmt: skip
        return self.event(
            kind,
            **{
                **{name: before[name] for name in kept if name in before},
                "revision": before["revision"] + 1,
                "status": status,
                "postings_at": self.sequence + 1 if moves else before["postings_at"],
                **fields,
            },
        )

    def entry(self, event: Row, kind: int, leg: int, account_no: int, side: int, amount: int, **spoilt: Any) -> Row:
        """The next entry of an account, with the totals that follow."""
        currency = spoilt.pop("currency", "USD")
        head = self.heads.get((account_no, currency), Head())
        totals = list(head.totals)
        if kind in (POST, SETTLE):
            totals[side - 1] += amount
        if kind != POST:
            totals[side + 1] += amount if kind == HOLD else -amount
        latest = max(head.latest, event["effective_time"])
        after = Head(head.number + 1, (totals[0], totals[1], totals[2], totals[3]), latest)
        self.heads[account_no, currency] = after
        return {
            "entity_no": self.entity_no,
            "account_no": account_no,
            "currency": currency,
            "number": after.number,
            "sequence": event["sequence"],
            "kind": kind,
            "leg": leg,
            "side": side,
            "amount": amount,
            "debits_posted": totals[0],
            "credits_posted": totals[1],
            "debits_pending": totals[2],
            "credits_pending": totals[3],
            "effective_time": event["effective_time"],
            "latest_effective": latest,
            **spoilt,
        }

    def pair(self, event: Row, kind: int, debit: int, credit: int, amount: int, **spoilt: Any) -> list[Row]:
        """Both entries of a transaction of two postings."""
        return [
            self.entry(event, kind, 0, debit, DEBIT, amount, **spoilt),
            self.entry(event, kind, 1, credit, CREDIT, amount, **spoilt),
        ]


async def insert(connection: asyncpg.Connection, table: str, rows: Iterable[Row]) -> None:
    """Insert rows in one statement, by the way that the role has; columns that a row leaves out keep their default."""
    rows = list(rows)
    if table in _HOT and not await connection.fetchval("SELECT has_table_privilege($1, 'INSERT')", f"ledger.{table}"):
        table += "_inlet"
    columns = ", ".join(sorted({name for row in rows for name in row}))
    await connection.execute(
        f"INSERT INTO ledger.{table} ({columns})"
        f" SELECT {columns} FROM jsonb_populate_recordset(NULL::ledger.{table}, $1::jsonb)",
        json.dumps(rows, default=str),
    )
    if table.startswith("events") and await connection.fetchval("SELECT to_regclass('ledger.seals') IS NOT NULL"):
        await seal(connection, rows)


async def seal(connection: asyncpg.Connection, events: Iterable[Row]) -> None:
    """Seals of the right form for rows that no committer has written; what they say is wrong."""
    spans: dict[int, list[int]] = {}
    for row in events:
        spans.setdefault(row["entity_no"], []).append(row["sequence"])
    for entity_no, sequences in spans.items():
        peaks = bytes(32 * max(sequences).bit_count())
        await connection.execute(
            "INSERT INTO ledger.seals VALUES ($1, $2, $3, 1, $4, '')", entity_no, min(sequences), max(sequences), peaks
        )


async def write(connection: asyncpg.Connection, events: Iterable[Row], entries: Iterable[Row] = ()) -> None:
    """Events, then their entries, in one database transaction, as the service writes them."""
    entries = list(entries)
    async with connection.transaction():
        await insert(connection, "events", events)
        if entries:
            await insert(connection, "entries", entries)


@asynccontextmanager
async def connected(dsn: str, role: str | None = None) -> AsyncIterator[asyncpg.Connection]:
    """A connection as that role; None: as the owner of all tables."""
    settings = {} if role is None else {"role": role}
    connection = await asyncpg.connect(dsn, server_settings=settings)
    try:
        yield connection
    finally:
        await connection.close()


async def copied(
    connection: Any,  # asyncpg's, which has no stubs
    table: str,
    columns: Sequence[str],
    chunks: Chunks,
    before: str = "",
) -> str:
    """Copy the rows into a table as the committer does, after the statements `before`: the tag."""
    sending = Sending(connection, f"{before}{copying.statement(table, columns)}")
    await sending.rows(chunks)
    return await sending.finish()
