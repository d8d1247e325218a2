"""What the reads that find look at, on a ledger that is large enough for a wrong way to show.

The tables' own statistics tell: how often they were read whole, and how many rows the indexes gave.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from ledger.v1 import transaction_service_pb2 as transactions
from ledger_service.application.ports import SearchFilter, TransactionFilter, TransactionPlace
from ledger_service.storage.connections import Bound
from ledger_service.storage.reading import ReadStore
from tests.helpers.builders import new_accounts, new_entity, timestamp, transfer
from tests.helpers.servers import ShiftedClock, cloned, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from ledger_service.storage.embedded import EmbeddedPostgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MAY = datetime(2026, 5, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TRANSACTIONS = 100_000
OTHERS = 20_000
BATCH = 10_000
PARTIES = 500
RARE = 1_000
"""Every so many transactions have the word "rare"."""
MOST = 10_000
"""How far a search counts."""
PLACE = TransactionPlace(TRANSACTIONS // 2, MAY + TRANSACTIONS // 2 * MINUTE)
EVERYTHING = SearchFilter((), (), (), None, None, (1, 2, 3), None)


@dataclass(frozen=True)
class Looked:
    """What was read since: scans of whole tables, and rows that indexes gave, by index."""

    whole: dict[str, int]
    rows: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.rows.values())


class Ledger:
    """A large entity, read through one connection as the service reads."""

    def __init__(self, readers: Bound, owner: asyncpg.Connection, entity_no: int) -> None:
        self.store = ReadStore(readers, ShiftedClock())
        self._readers = readers
        self.entity_no = entity_no
        self._owner = owner

    async def look(self, read: Awaitable[Any]) -> tuple[Any, Looked]:
        """The answer, and what was looked at for it."""
        before = await self._counts()
        answer = await read
        after = await self._counts()
        whole = {name: count - before.whole.get(name, 0) for name, count in after.whole.items()}
        rows = {name: count - before.rows.get(name, 0) for name, count in after.rows.items()}
        return answer, Looked(
            {name: count for name, count in whole.items() if count},
            {name: count for name, count in rows.items() if count},
        )

    async def _counts(self) -> Looked:
        # What the readers' connection has counted is told when its database transaction ends.
        await self._readers.fetch(self.entity_no, "SELECT pg_stat_force_next_flush() WHERE $1::int4 IS NOT NULL")
        await self._readers.fetch(self.entity_no, "SELECT $1::int4")
        tables = await self._owner.fetch(
            "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname IN ('events', 'entries')"
        )
        indexes = await self._owner.fetch("SELECT indexrelname, idx_tup_read FROM pg_stat_user_indexes")
        return Looked({row[0]: row[1] for row in tables}, {row[0]: row[1] for row in indexes})


@pytest.fixture(scope="module")
async def ledger(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[Ledger]:
    async with cloned(postgres.dsn, template) as dsn:
        async with serving(dsn) as service:
            for entity, count in (("others", OTHERS), ("large", TRANSACTIONS)):
                await new_entity(service.client, entity_id=entity)
                await new_accounts(service.client, entity, ["cash", "shop"])
                for first in range(0, count, BATCH):
                    await service.client.transactions.BatchCreateTransactions(batch(entity, first))
        owner = await asyncpg.connect(dsn)
        await owner.execute("VACUUM (ANALYZE) ledger.events, ledger.entries")
        entity_no = await owner.fetchval("SELECT entity_no FROM ledger.entities WHERE entity_id = 'large'")
        readers = await Bound.open(dsn, 1)
        try:
            yield Ledger(readers, owner, entity_no)
        finally:
            readers.close()
            await owner.close()


def batch(entity: str, first: int) -> transactions.BatchCreateTransactionsRequest:
    """Descriptions of common words and a rare one; effective in another order than recorded."""
    chance = random.Random(first)
    request = transactions.BatchCreateTransactionsRequest(entity_id=entity)
    for number in range(first, first + BATCH):
        words = ["payment", f"order{number}", chance.choice(["rent", "office", "travel"])]
        request.requests.append(
            transfer(
                "",
                "cash",
                "shop",
                f"{number % 1000 + 1}.00",
                description=" ".join(words + ["rare"] * (number % RARE == 0)),
                counterparty=f"Party x{number % PARTIES}y #{number % 7}",
                effective_time=timestamp(MAY + chance.randrange(TRANSACTIONS) * MINUTE),
            )
        )
    return request


def wanted(**fields: Any) -> SearchFilter:
    return replace(EVERYTHING, **fields)


HOUR_IN_MAY = {"effective_from": MAY, "effective_before": MAY + 60 * MINUTE}
PAGE = 20

SEARCHES = {
    "rare word": (wanted(words=("rare",)), "events_by_description", 3),
    "rare and common word": (wanted(words=("payment", "rare")), "events_by_description", 3),
    "word of one": (wanted(words=("order77",)), "events_by_description", 5),
    "prefix": (wanted(prefixes=("order7777",)), "events_by_description", 10),
    "phrase": (wanted(phrases=("payment order77",)), "events_by_description", 5),
    "short period": (wanted(**HOUR_IN_MAY), "events_by_effective_time", 10),
    "word in a short period": (wanted(words=("rare",), **HOUR_IN_MAY), "events_by_description", None),
}
"""What is searched for, the index that leads to it, and how many rows at most are looked at for each that is found."""


@pytest.mark.parametrize(("search", "index", "most"), SEARCHES.values(), ids=SEARCHES.keys())
async def test_search_looks_at_what_it_finds(
    ledger: Ledger, search: SearchFilter, index: str, most: int | None
) -> None:
    (count, _), looked = await ledger.look(ledger.store.search(ledger.entity_no, search, 0, PAGE, MOST, 30))
    assert count > 0 or most is None
    assert looked.whole == {}
    assert index in looked.rows
    assert looked.total <= (count + PAGE) * (most or 0) + 1_000


@pytest.mark.parametrize("search", [wanted(words=("payment",)), EVERYTHING], ids=["common word", "any"])
async def test_search_ends_where_it_counts_no_further(ledger: Ledger, search: SearchFilter) -> None:
    """The index gives all that have the word, but no more of them are looked at than are counted."""
    (count, page), looked = await ledger.look(ledger.store.search(ledger.entity_no, search, 0, PAGE, MOST, 30))
    assert count == MOST + 1
    assert [one.transaction_no for one in page] == sorted((one.transaction_no for one in page), reverse=True)
    assert looked.whole == {}
    assert looked.rows["events_pkey"] <= 3 * MOST
    assert looked.rows.get("events_by_description", 0) <= TRANSACTIONS


async def test_search_by_amount_reads_each_transaction_once(ledger: Ledger) -> None:
    """There is no index on amounts: all are looked at, by keys, while the time limit holds."""
    search = wanted(amounts={"USD": (100_000, None)})
    (count, _), looked = await ledger.look(ledger.store.search(ledger.entity_no, search, 0, PAGE, MOST, 30))
    assert count == TRANSACTIONS // 1000
    assert looked.whole == {}
    assert looked.total <= 6 * TRANSACTIONS


@pytest.mark.parametrize("after", ["", "party x3", "party x499y"])
async def test_counterparties_look_at_their_own_transactions(ledger: Ledger, after: str) -> None:
    """A page costs what its counterparties have, wherever it begins."""
    found, looked = await ledger.look(ledger.store.counterparties(ledger.entity_no, after, 11, 30))
    assert looked.whole == {}
    assert looked.rows["events_by_counterparty"] <= 3 * sum(one.transactions for one in found) + 100
    assert looked.total <= 8 * sum(one.transactions for one in found) + 100


LISTS = {
    "first page": (TransactionFilter((), None, None, None, False, True), None),
    "page in the middle": (TransactionFilter((), None, None, None, False, True), PLACE),
    "upwards": (TransactionFilter((), None, None, None, True, True), PLACE),
    "of a day": (TransactionFilter((), None, MAY, MAY + 1_440 * MINUTE, False, True), None),
    "posted": (TransactionFilter((3,), None, None, None, False, True), PLACE),
}


@pytest.mark.parametrize(("filter_", "after"), LISTS.values(), ids=LISTS.keys())
async def test_a_page_by_effective_time_costs_a_page(
    ledger: Ledger, filter_: TransactionFilter, after: TransactionPlace | None
) -> None:
    found, looked = await ledger.look(ledger.store.list_transactions(ledger.entity_no, filter_, after, 51))
    assert len(found) == 51
    assert looked.whole == {}
    assert looked.rows["events_by_effective_time"] <= 100
    assert looked.total <= 51 * 8
