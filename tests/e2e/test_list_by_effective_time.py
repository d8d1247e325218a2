"""ListTransactions by effective time: equal times, both directions, borders of months, and while others write."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ledger.v1 import transaction_pb2
from ledger.v1 import transaction_service_pb2 as transactions
from tests.helpers.builders import (
    CLEARED,
    PENDING,
    POSTED,
    VOIDED,
    new_accounts,
    new_category,
    new_entity,
    timestamp,
    transfer,
    unique,
)
from tests.helpers.rpc import Client, refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

EFFECTIVE = transactions.TRANSACTION_ORDER_EFFECTIVE
CREATED = transactions.TRANSACTION_ORDER_CREATED
MAY = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)

Transaction = transaction_pb2.Transaction


async def office(client: Client) -> str:
    """An entity with two accounts."""
    entity = await new_entity(client)
    await new_accounts(client, entity, ["cash", "shop"])
    return entity


async def record(client: Client, entity: str, times: Iterable[datetime], **fields: Any) -> list[Transaction]:
    """A transaction at each of these times, in this order of creation."""
    batch = transactions.BatchCreateTransactionsRequest(entity_id=entity)
    batch.requests.extend(
        transfer("", "cash", "shop", "1.00", effective_time=timestamp(time), **fields) for time in times
    )
    answer = await client.transactions.BatchCreateTransactions(batch)
    return [result.response.transaction for result in answer.results]


async def listed(client: Client, entity: str, size: int, **fields: Any) -> list[Transaction]:
    """All pages; each but the last is full."""
    fields.setdefault("order", EFFECTIVE)
    request = transactions.ListTransactionsRequest(entity_id=entity, page_size=size, **fields)
    told: list[Transaction] = []
    while True:
        answer = await client.transactions.ListTransactions(request)
        told += answer.transactions
        if not answer.next_page_token:
            return told
        assert len(answer.transactions) == size
        request.page_token = answer.next_page_token


def place(one: Transaction) -> tuple[int, int]:
    """Where it stands: by time, and by creation where the times are the same."""
    return one.effective_time.ToNanoseconds(), one.create_sequence


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
@pytest.mark.parametrize("ascending", [False, True], ids=["newest", "oldest"])
async def test_order_and_pages(client: Client, size: int, ascending: bool) -> None:
    entity = await office(client)
    chance = random.Random(size)
    times = [MAY + chance.randint(-3, 3) * DAY + chance.choice([0, 0, 1]) * TICK for _ in range(40)]
    made = await record(client, entity, times)
    expected = sorted(made, key=place, reverse=not ascending)
    assert await listed(client, entity, size, ascending=ascending) == expected
    by_creation = made if ascending else made[::-1]
    assert await listed(client, entity, size, ascending=ascending, order=CREATED) == by_creation


async def test_equal_times(client: Client) -> None:
    """However many are at one instant, none is left out or told twice where a page ends."""
    entity = await office(client)
    made = await record(client, entity, [MAY] * 9)
    for size in range(1, 11):
        assert await listed(client, entity, size) == made[::-1]
        assert await listed(client, entity, size, ascending=True) == made


async def test_without_a_time_it_is_that_of_recording(client: Client) -> None:
    entity = await office(client)
    past, future = await record(client, entity, [MAY - 9_000 * DAY, MAY + 9_000 * DAY])
    now = (await client.transactions.CreateTransaction(transfer(entity, "cash", "shop", "1.00"))).transaction
    assert await listed(client, entity, 2) == [future, now, past]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)),
        (datetime(2026, 3, 1, tzinfo=UTC) - timedelta(hours=1), datetime(2026, 4, 1, tzinfo=UTC) - timedelta(hours=2)),
        (datetime(1, 1, 3, tzinfo=UTC), datetime(1, 2, 1, tzinfo=UTC)),
        (datetime(9999, 11, 1, tzinfo=UTC), datetime(9999, 12, 1, tzinfo=UTC)),
    ],
    ids=["leap_year", "summer_time_begins", "first_year", "last_year"],
)
async def test_borders_of_months(client: Client, start: datetime, end: datetime) -> None:
    """The first instant belongs to a month, the first one of the next does not: each is in one month only."""
    entity = await office(client)
    before, first, last, after = await record(client, entity, [start - TICK, start, end - TICK, end])
    month = {"effective_from": timestamp(start), "effective_before": timestamp(end)}
    assert await listed(client, entity, 1, **month) == [last, first]
    assert await listed(client, entity, 1, **month, ascending=True) == [first, last]
    assert await listed(client, entity, 1, effective_before=timestamp(start)) == [before]
    assert await listed(client, entity, 1, effective_from=timestamp(end)) == [after]


async def test_filters(client: Client) -> None:
    entity, other = await office(client), await office(client)
    await record(client, other, [MAY])
    made = {
        status: await record(client, entity, [MAY, MAY + DAY], status=status) for status in (POSTED, PENDING, CLEARED)
    }
    await new_category(client, entity, "rent")
    void = transactions.VoidTransactionRequest(
        entity_id=entity, transaction_id=made[CLEARED][0].id, idempotency_key="v"
    )
    await client.transactions.VoidTransaction(void)
    for one in (made[CLEARED][0], made[POSTED][0]):
        await client.transactions.CategorizeTransaction(
            transactions.CategorizeTransactionRequest(
                entity_id=entity, transaction_id=one.id, idempotency_key=unique("key"), category_id="rent"
            )
        )

    async def ids(**fields: Any) -> list[str]:
        return [one.id for one in await listed(client, entity, 2, ascending=True, **fields)]

    def by_time(*statuses: int) -> list[str]:
        return [made[status][day].id for day in (0, 1) for status in statuses]

    assert await ids() == by_time(POSTED, PENDING, CLEARED)
    assert await ids(statuses=[POSTED]) == by_time(POSTED)
    assert await ids(statuses=[PENDING, CLEARED]) == [made[PENDING][0].id, made[PENDING][1].id, made[CLEARED][1].id]
    assert await ids(statuses=[VOIDED]) == [made[CLEARED][0].id]
    assert await ids(statuses=[POSTED, VOIDED], effective_before=timestamp(MAY + DAY)) == [
        made[POSTED][0].id,
        made[CLEARED][0].id,
    ]


async def test_tokens_belong_to_their_order(client: Client) -> None:
    entity = await office(client)
    await record(client, entity, [MAY, MAY + DAY])
    request = transactions.ListTransactionsRequest(entity_id=entity, page_size=1, order=EFFECTIVE)
    request.page_token = (await client.transactions.ListTransactions(request)).next_page_token
    assert (await client.transactions.ListTransactions(request)).transactions
    for change in (
        lambda r: setattr(r, "order", CREATED),
        lambda r: r.ClearField("order"),
        lambda r: setattr(r, "ascending", True),
        lambda r: r.statuses.append(POSTED),
        lambda r: r.effective_from.CopyFrom(timestamp(MAY)),
    ):
        other = transactions.ListTransactionsRequest()
        other.CopyFrom(request)
        change(other)
        assert (await refusal(client.transactions.ListTransactions(other))).reason == "INVALID_PAGE_TOKEN"


@pytest.mark.parametrize("ascending", [False, True], ids=["newest", "oldest"])
async def test_while_writing_goes_on(client: Client, ascending: bool) -> None:
    """What was there when the first page was asked for is told once; what comes meanwhile at most once."""
    entity = await office(client)
    chance = random.Random(5)
    made = await record(client, entity, [MAY + chance.randint(0, 5) * DAY for _ in range(60)])
    await new_category(client, entity, "rent")
    stop = asyncio.Event()

    async def write() -> int:
        written = 0
        while not stop.is_set():
            await record(client, entity, [MAY + chance.randint(-1, 6) * DAY])
            one = chance.choice(made)
            await client.transactions.CategorizeTransaction(
                transactions.CategorizeTransactionRequest(
                    entity_id=entity, transaction_id=one.id, idempotency_key=unique("key"), category_id="rent"
                )
            )
            written += 1
        return written

    writers = [asyncio.create_task(write()) for _ in range(3)]
    while not (await listed(client, entity, 1000))[len(made) + 5 :]:
        await asyncio.sleep(0)
    for size in (1, 7, 50):
        told = await listed(client, entity, size, ascending=ascending)
        keys = [place(one) for one in told]
        assert keys == sorted(keys, reverse=not ascending)
        assert len(set(keys)) == len(keys)
        assert {one.id for one in made} <= {one.id for one in told}
    stop.set()
    assert sum(await asyncio.gather(*writers)) > 0
