"""The yardstick of rows has the tables and rows of the service; when the schema moves on, the bench must notice."""

from __future__ import annotations

import asyncpg
import pytest

from bench import raw_copy, serving
from bench.raw_copy import RawCopy, row_drift, table_drift
from bench.requests import Mix, account_id, entity_id, transfer
from tests.helpers.servers import TOKEN, Service


async def test_the_yardstick_has_the_tables_and_rows_of_the_service(service: Service) -> None:
    where = serving.Service(service.address, "", TOKEN, service.dsn, 0)
    await serving.set_up(where, Mix(1, 5))
    async with where.client() as client:
        request = transfer(entity_id(0), f"key-{0:08x}-{0:010d}", account_id(0), account_id(1), "12345.00")
        await client.transactions.CreateTransaction(request)
    copier = RawCopy()
    assert await copier.prepare(service.dsn) == []
    task = {"size": 3, "entities": 1, "connections": 1, "accounts": 5, "seconds": 0.001}
    copied = await copier.copy(service.dsn, task)
    assert copied["ends"]
    await copier.insert(service.dsn, task)
    stored, ours = await serving.first_rows(service.dsn, "ledger"), await serving.first_rows(service.dsn, "bench")
    for table in raw_copy.TABLES:
        assert row_drift(table, stored[table], ours[table]) == []
    await copier.close()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("CREATE INDEX one_more ON ledger.entries (entity_no, amount)", "entries: the yardstick lacks the index"),
        ("DROP INDEX bench.events_entity_no_reference_sequence_idx", "events: the yardstick lacks the index"),
        ("ALTER TABLE ledger.events_inlet ADD COLUMN one_more int4", "events: the yardstick lacks the column one_more"),
        ("ALTER TABLE bench.entries DROP COLUMN wide", "entries: the yardstick lacks the column wide"),
        ("ALTER TABLE bench.entries ADD CHECK (amount >= 0)", "entries: the yardstick has a constraint"),
    ],
)
async def test_tables_that_drifted_are_told(database: str, change: str, told: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        await raw_copy.prepare(connection)
        assert await table_drift(connection) == []
        await connection.execute(change)
        assert any(one.startswith(told) for one in await table_drift(connection))
    finally:
        await connection.close()
