"""The binary form of whole numbers, held against PostgreSQL itself."""

from __future__ import annotations

import random

import asyncpg
import pytest

from ledger_service.storage import numeric

EDGES = [0, 1, 9, 9999, 10**4, 10**4 + 1, 10**8, 2**31, 2**63 - 1, 2**63, 2**64, 10**37, 10**38 - 1, 10**38]


async def test_the_server_reads_and_writes_the_same_numbers(template: str, database: str) -> None:
    chance = random.Random(5)
    values = [sign * one for one in EDGES for sign in (1, -1)]
    values += [chance.randint(-(10**digits), 10**digits) for digits in range(1, 39) for _ in range(20)]
    connection = await asyncpg.connect(database)
    try:
        await connection.set_type_codec(
            "numeric", schema="pg_catalog", encoder=numeric.encode, decoder=numeric.decode, format="binary"
        )
        # What it reads: its own text of it is ours. What it sends: from its own text.
        written = await connection.fetch(
            "SELECT v::text FROM unnest($1::numeric[]) WITH ORDINALITY u (v, n) ORDER BY n", values
        )
        assert [record[0] for record in written] == [str(value) for value in values]
        texts = [str(value) for value in values]
        read = await connection.fetch(
            "SELECT t::numeric FROM unnest($1::text[]) WITH ORDINALITY u (t, n) ORDER BY n", texts
        )
        assert [record[0] for record in read] == values
        for value in values[:40]:
            assert await connection.fetchval("SELECT $1::numeric", value) == value
        assert await connection.fetchval("SELECT 12.00::numeric(10, 2)") == 12
        for text in ("0.5", "-1.25", "NaN", "Infinity", "-Infinity", "1e-20"):
            with pytest.raises(ValueError, match="not a whole number"):
                await connection.fetchval("SELECT $1::text::numeric", text)
    finally:
        await connection.close()
