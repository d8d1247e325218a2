"""On tables that have no statistics yet a transaction is looked up by the primary key.

`events_by_effective_time` holds the sequence too, as its last column: taken for a look-up by sequence it is read whole,
each time, and without statistics it seems to cost the same. A service that was started an hour ago has no other tables.
"""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.storage import sql
from tests.helpers.sql import connected

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOK_UPS = {
    "transactions": ("shared.sql", ([1] * 3, [5, 6, 7])),
    "revisions": ("reading.sql", (1, 5, 0, 10)),
    "scope_items": ("reconciliation.sql", (1, 2, "EUR", 1, "UTC", 0, [], [], 100)),
    "history_items": ("reconciliation.sql", (1, 2, "EUR", 1, "UTC", 100, date(2026, 1, 1), [5], 100)),
}


def scans(plan: dict[str, Any]) -> Iterator[str]:
    """The indexes that a plan looks up in, by the columns of their conditions: those on a sequence alone."""
    condition = plan.get("Index Cond", "")
    if "sequence =" in condition and "effective_time" not in condition:
        yield plan["Index Name"]
    for part in plan.get("Plans", ()):
        yield from scans(part)


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("name", LOOK_UPS)
async def test_a_transaction_is_looked_up_by_the_primary_key(database: str, name: str, mode: str) -> None:
    file, arguments = LOOK_UPS[name]
    async with connected(database) as connection:
        await connection.execute(f"SET search_path = ledger; SET plan_cache_mode = {mode}")
        statement = await connection.prepare(f"EXPLAIN (FORMAT JSON) {sql.load(file)[name]}")
        [(text,)] = await statement.fetch(*arguments)
    found = set(scans(json.loads(text)[0]["Plan"]))
    assert found, "the plan looks nothing up by its sequence"
    assert found <= {"events_pkey", "entries_pkey"}
