"""Finding by words and by counterparty: what the reads of the same names run inside their snapshot."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import groupby
from operator import itemgetter
from typing import Any

import asyncpg

from ledger_service.application.ports import CounterpartyRecord, DealtAmount, SearchFilter, TooBroad
from ledger_service.storage import sql

QUERIES = sql.load("finding.sql")
_SEARCH = {
    name: QUERIES["search"].format(candidates=QUERIES[name].split("\n", 1)[1]) for name in ("by_words", "by_age")
}


@asynccontextmanager
async def limited(connection: Any, seconds: float) -> AsyncIterator[None]:
    """Statements of the present database transaction take so long at most. Raises TooBroad."""
    await connection.execute(f"SET LOCAL statement_timeout = {round(seconds * 1000)}")
    try:
        yield
    except asyncpg.QueryCanceledError as error:
        raise TooBroad(str(error)) from error


async def search(
    connection: Any, entity_no: int, wanted: SearchFilter, skip: int, limit: int, most: int
) -> tuple[int, list[int]]:
    """How many match, up to `most` and one more, and numbers of a page of them, newest first."""
    has_words = wanted.words or wanted.prefixes or wanted.phrases
    amounts = None
    if wanted.amounts is not None:
        # As text: a JSON number may be read as a float on the way.
        bounds = {
            currency: [None if bound is None else str(bound) for bound in pair]
            for currency, pair in wanted.amounts.items()
        }
        amounts = json.dumps(bounds)
    total, page = await connection.fetchrow(
        _SEARCH["by_words" if has_words else "by_age"],
        entity_no,
        wanted.words,
        wanted.prefixes,
        wanted.phrases,
        wanted.effective_from,
        wanted.effective_before,
        wanted.statuses,
        amounts,
        most + 1,
        skip,
        max(0, min(limit, most - skip)),
    )
    return total, page


async def counterparties(connection: Any, entity_no: int, after: str, limit: int) -> list[CounterpartyRecord]:
    """By key, each with its amounts."""
    records = await connection.fetch(QUERIES["counterparties"], entity_no, after, limit)
    found = []
    for key, group in groupby(records, itemgetter("key")):
        amounts = list(group)
        first = amounts[0]
        found.append(
            CounterpartyRecord(
                key=key,
                name=first["name"],
                transactions=first["transactions"],
                first_seen=first["first_seen"],
                last_seen=first["last_seen"],
                amounts=tuple(
                    DealtAmount(one["currency"], one["currency_transactions"], int(one["total"])) for one in amounts
                ),
            )
        )
    return found
