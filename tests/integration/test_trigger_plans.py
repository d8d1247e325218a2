"""What the triggers look at, on tables whose statistics are those of empty ones: what was just written, and no more.

An index on the entity alone seems as good then as the one that is meant, and what a trigger looks up by it is all that
the entity has: each posting a little slower than the one before. The indexes' own statistics tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger_service.storage.database import WRITER_ROLE
from tests.helpers.sql import (
    ACCOUNT_CREATED,
    ENTITY_CREATED,
    HOLD,
    PENDING,
    POST,
    POSTED,
    RECORDED,
    SETTLE,
    Book,
    connected,
    insert,
    write,
)

if TYPE_CHECKING:
    import asyncpg

ACCOUNTS, COMMITS, IN_A_COMMIT = 40, 20, 20
POSTED_EVENT = 4


@pytest.mark.parametrize("limited", [False, True], ids=["plain", "limited"])
async def test_a_posting_costs_the_same_however_many_came_before(database: str, limited: bool) -> None:
    async with connected(database) as owner, connected(database, WRITER_ROLE) as writer:
        await owner.execute("VACUUM (ANALYZE)")
        await writer.execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan")
        book = await _begin(writer, limited)
        before = await _rows_read(owner, writer)
        for commit in range(COMMITS):
            await _post(writer, book, commit)
        after = await _rows_read(owner, writer)
    read = {name: rows - before[name] for name, rows in after.items() if rows > before[name]}
    entries = COMMITS * IN_A_COMMIT * 2 + COMMITS * 4
    # Each entry: itself, the one before, its account, its limit; with something in hand for the commits.
    assert sum(read.values()) <= 8 * entries, sorted(read.items(), key=lambda one: -one[1])[:3]


async def _begin(writer: asyncpg.Connection, limited: bool) -> Book:
    async with writer.transaction():
        entity_no = await writer.fetchval(
            "INSERT INTO ledger.entities"
            " (entity_id, id_key, name, time_zone, state, created_time, updated_time, revision)"
            " VALUES ('acme', substr(sha256('key'), 1, 16), 'Acme', 'UTC', 1, $1, $1, 1) RETURNING entity_no",
            RECORDED,
        )
        book = Book(entity_no)
        await write(writer, [book.event(ENTITY_CREATED, detail={})])
    limits = [["USD", "-1000000", None]] if limited else []
    for number in range(ACCOUNTS):
        event = book.event(ACCOUNT_CREATED, account_no=book.sequence + 1, detail={"limits": limits})
        row = {
            "entity_no": entity_no,
            "account_no": event["sequence"],
            "account_id": f"account-{number}",
            "type": 1,
            "contra": False,
            "name": "An account",
            "currencies": ["USD"] if limited else [],
            "state": 1,
            "created_time": event["recorded_time"],
            "updated_time": event["recorded_time"],
            "sequence": event["sequence"],
            "revision": 1,
            "is_category": False,
        }
        async with writer.transaction():
            await insert(writer, "events", [event])
            await insert(writer, "accounts", [row])
            if limited:
                place = {"entity_no": entity_no, "account_no": event["sequence"], "currency": "USD"}
                await insert(writer, "account_limits", [{**place, "floor": -1_000_000}])
    return book


async def _post(writer: asyncpg.Connection, book: Book, commit: int) -> None:
    """Posted ones, and one that is first held and then posted."""
    events, entries = [], []
    for number in range(IN_A_COMMIT):
        debit = 2 + (commit * 7 + number) % ACCOUNTS
        credit = 2 + (commit * 7 + number * 3 + 1) % ACCOUNTS
        event = book.creation(POSTED)
        book.recorded = events[0]["recorded_time"] if events else book.recorded
        event["recorded_time"] = book.recorded
        events.append(event)
        entries += book.pair(event, POST, debit, credit, 10)
    await write(writer, events, entries)
    held = book.creation(PENDING)
    await write(writer, [held], book.pair(held, HOLD, 2, 3, 5))
    posted = book.revision(held, POSTED_EVENT, POSTED, moves=True)
    await write(writer, [posted], book.pair(posted, SETTLE, 2, 3, 5))


async def _rows_read(owner: asyncpg.Connection, writer: asyncpg.Connection) -> dict[str, int]:
    await writer.execute("SELECT pg_stat_force_next_flush()")
    await writer.execute("SELECT 1")
    counts = await owner.fetch("SELECT indexrelname, idx_tup_read FROM pg_stat_user_indexes")
    return {record["indexrelname"]: record["idx_tup_read"] for record in counts}
