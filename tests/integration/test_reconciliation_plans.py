"""What is looked up under an entity's lock is found by an index, however much has been closed before."""

from __future__ import annotations

import json
from typing import Any

from tests.helpers.sql import connected

ROWS = 50_000


def scans(plan: dict[str, Any]) -> list[str]:
    """The indexes that a plan uses, and tables that it reads whole."""
    own = [plan["Index Name"] if "Index Name" in plan else plan["Relation Name"]] if "Relation Name" in plan else []
    return own + [name for part in plan.get("Plans", ()) for name in scans(part)]


async def test_what_a_change_freezes_is_found_by_its_stage(database: str) -> None:
    """The condition of the trigger check_revision: it read all that the entity had ever frozen, at each change."""
    async with connected(database) as connection:
        await connection.execute(
            "SET session_replication_role = replica; SET search_path = ledger;"
            "INSERT INTO frozen_transactions (entity_no, transaction_no, stage_no)"
            f" SELECT 1, n, n / 100 FROM generate_series(1, {ROWS}) n; ANALYZE frozen_transactions"
        )
        [(body,)] = await connection.fetch("SELECT prosrc FROM pg_proc WHERE proname = 'check_revision'")
        query = body[body.rindex("SELECT FROM frozen_transactions") : body.rindex(") THEN")]
        for name, value in (("entity_no", "1"), ("stage_no", "7"), ("action", "4")):
            query = query.replace(f"NEW.{name}", value)
        [(text,)] = await connection.fetch(f"EXPLAIN (FORMAT JSON) {query}")
    assert "frozen_transactions_by_stage" in scans(json.loads(text)[0]["Plan"])
