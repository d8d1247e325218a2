"""ListCounterparties: spellings, amounts, pages; and where a transaction's counterparty comes from."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from ledger.v1 import transaction_pb2
from ledger.v1 import transaction_service_pb2 as transactions
from tests.helpers.builders import (
    CLEARED,
    CREDIT,
    DEBIT,
    EXPIRED,
    PENDING,
    POSTED,
    VOIDED,
    money,
    new_accounts,
    new_entity,
    posting,
    timestamp,
    transfer,
    unique,
)

if TYPE_CHECKING:
    from tests.helpers.rpc import Client
    from tests.helpers.servers import Service

MAY = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
EXPONENTS = {"USD": 2, "JPY": 0, "KWD": 3, "BTC": 8}

Transaction = transaction_pb2.Transaction


async def office(client: Client) -> str:
    """An entity with accounts."""
    entity = await new_entity(client)
    await new_accounts(client, entity, ["cash", "shop", "other"])
    return entity


async def deal(client: Client, entity: str, name: str, amount: str = "1.00", **fields: Any) -> Transaction:
    request = transfer(entity, "cash", "shop", amount, counterparty=name, **fields)
    return (await client.transactions.CreateTransaction(request)).transaction


async def change(client: Client, method: str, entity: str, transaction_id: str, **fields: Any) -> Any:
    kind = getattr(transactions, f"{method}Request")
    request = kind(entity_id=entity, transaction_id=transaction_id, idempotency_key=unique("key"), **fields)
    return await getattr(client.transactions, method)(request)


async def counterparties(client: Client, entity: str, size: int = 100) -> list[transactions.Counterparty]:
    """All pages; each but the last is full."""
    request = transactions.ListCounterpartiesRequest(entity_id=entity, page_size=size)
    told: list[transactions.Counterparty] = []
    while True:
        answer = await client.transactions.ListCounterparties(request)
        told += answer.counterparties
        if not answer.next_page_token:
            return told
        assert len(answer.counterparties) == size
        request.page_token = answer.next_page_token


async def totals(client: Client, entity: str) -> dict[str, list[tuple[int, str, str, str]]]:
    """By name: count, currency, total, average of each amount."""
    return {
        each.name: [
            (amount.transaction_count, amount.total.currency, amount.total.amount, amount.average.amount)
            for amount in each.amounts
        ]
        for each in await counterparties(client, entity)
    }


# Names.


@pytest.mark.parametrize(
    "spellings",
    [
        ["OFFICE DEPOT #0042", "Office  Depot", "office-depot store 7", "Office Depot, No. 12", "OFFICE.DEPOT 1 2 3"],
        ["Café Žluťoučký", "CAFE ZLUTOUCKY", "Cafe\u0301 žluťoučký 5"],
        ["ЯНДЕКС", "Яндекс", "яндекс №12"],
        ["Łódź Taxi", "ŁÓDŹ TAXI"],
        ["A&B (Ltd.)", "a b ltd", "A/B—Ltd"],
        ["7-Eleven 1234", "7 ELEVEN", "7‑eleven store 9"],  # noqa: RUF001
        ["漢字 商店", "漢字、商店"],
        ["42", " 42 ", "#42"],
        ["***", "***"],
        ["شركة ABC", "شركة abc"],
    ],
    ids=lambda spellings: str(spellings[0]),
)
async def test_several_spellings_are_one(client: Client, spellings: list[str]) -> None:
    entity = await office(client)
    for spelling in spellings:
        await deal(client, entity, spelling)
    (one,) = await counterparties(client, entity)
    assert one.transaction_count == len(spellings)
    assert one.name in spellings


async def test_other_names_are_others(client: Client) -> None:
    names = [
        "Office",
        "Office Depot",
        "Route 66 Diner",
        "Route 67 Diner",
        "Store 5",
        "Store 6",
        "5",
        "6",
        "*",
        "**",
        "кафе",
    ]
    entity = await office(client)
    for name in names:
        await deal(client, entity, name)
    assert sorted(each.name for each in await counterparties(client, entity)) == sorted(names)


async def test_the_spelling_that_occurs_most(client: Client) -> None:
    entity = await office(client)
    for spelling in ("DEPOT 1", "Depot", "depot", "Depot", "depot 2", "depot 2"):
        await deal(client, entity, spelling)
    for _ in range(3):
        voided = await deal(client, entity, "DEPOT 1", status=PENDING)
        await change(client, "VoidTransaction", entity, voided.id)
    assert [each.name for each in await counterparties(client, entity)] == ["Depot"]


@pytest.mark.parametrize(
    ("given", "metadata", "expected"),
    [
        ("Given", {"vendor": "Vendor"}, "Given"),
        ("", {"vendor": "Vendor", "counterparty": "Party"}, "Party"),
        ("", {"customer": "C", "payer": "P", "payee": "E", "merchant": "M", "vendor": "V"}, "V"),
        ("", {"customer": "C", "payer": "P", "payee": "E", "merchant": "M"}, "M"),
        ("", {"customer": "C", "payer": "P", "payee": "E"}, "E"),
        ("", {"customer": "C", "payer": "P"}, "P"),
        ("", {"customer": "C"}, "C"),
        ("", {"vendor": "", "merchant": "M"}, "M"),
        ("", {"vendor": "  ", "merchant": "M"}, "M"),
        ("", {"vendor": 5, "merchant": {"name": "N"}, "payee": ["L"], "payer": None, "customer": True}, ""),
        ("", {"vendor": "x" * 201, "payer": "y" * 200}, "y" * 200),
        ("", {"vendor": "two\nlines", "payer": "P"}, "P"),
        ("", {"Vendor": "V", "other": "O"}, ""),
        ("", {}, ""),
    ],
    ids=str,
)
async def test_where_the_name_comes_from(client: Client, given: str, metadata: dict[str, Any], expected: str) -> None:
    entity = await office(client)
    request = transfer(entity, "cash", "shop", "1.00", counterparty=given)
    request.metadata.update(metadata)
    created = (await client.transactions.CreateTransaction(request)).transaction
    assert created.counterparty == expected
    assert [each.name for each in await counterparties(client, entity)] == ([expected] if expected else [])
    again = await client.transactions.CreateTransaction(request)
    assert (again.replayed, again.transaction.counterparty) == (True, expected)


# Amounts.


async def test_what_counts(service: Service) -> None:
    """Pending, cleared and posted; not what has ended without effect; the amount that was approved."""
    client = service.client
    entity = await office(client)
    deadline = timestamp(service.clock.now() + timedelta(hours=1))
    for status in (PENDING, CLEARED, POSTED):
        await deal(client, entity, "Depot", "10.00", status=status)
    voided = await deal(client, entity, "Depot", "5.00", status=PENDING)
    await change(client, "VoidTransaction", entity, voided.id)
    await deal(client, entity, "Depot", "5.00", status=PENDING, expire_time=deadline)
    only_voided = await deal(client, entity, "Gone", status=PENDING)
    await change(client, "VoidTransaction", entity, only_voided.id)
    in_part = await deal(client, entity, "Depot", "100.00", status=PENDING)
    approve = transactions.ApproveTransactionsRequest(entity_id=entity, idempotency_key=unique("key"))
    approve.approvals.add(transaction_id=in_part.id, amount=money("7.00"))
    await client.transactions.ApproveTransactions(approve)
    moved = await deal(client, entity, "Depot", "1.00", status=PENDING)
    await change(client, "EditTransaction", entity, moved.id, debit_account_id="other", description="moved")
    service.clock.advance(timedelta(hours=2))
    await deal(client, entity, "")
    # 10 + 10 + 10 + 7 + 1 by 5
    assert await totals(client, entity) == {"Depot": [(5, "USD", "38.00", "7.60")]}


async def test_what_was_reversed_is_taken_off(client: Client) -> None:
    entity = await office(client)
    one, other, whole = [await deal(client, entity, "Depot", "10.00") for _ in range(3)]
    await change(client, "ReverseTransaction", entity, one.id, amount=money("4.00"))
    await change(client, "ReverseTransaction", entity, one.id, amount=money("1.00"))
    parts = [transactions.ReversalPart(posting_index=index, amount=money("0.01")) for index in (0, 1)]
    await change(client, "ReverseTransaction", entity, other.id, parts=parts)
    await change(client, "ReverseTransaction", entity, whole.id)
    assert await totals(client, entity) == {"Depot": [(3, "USD", "14.99", "5.00")]}
    await change(client, "ReverseTransaction", entity, one.id)
    await change(client, "ReverseTransaction", entity, other.id)
    assert await totals(client, entity) == {"Depot": [(3, "USD", "0.00", "0.00")]}


@pytest.mark.parametrize(
    ("currency", "amounts", "total", "average"),
    [
        ("USD", ["0.01", "0.02"], "0.03", "0.02"),
        ("USD", ["0.02", "0.03"], "0.05", "0.02"),
        ("USD", ["1.00", "1.00", "0.01"], "2.01", "0.67"),
        ("JPY", ["1", "2"], "3", "2"),
        ("JPY", ["2", "3"], "5", "2"),
        ("KWD", ["0.001", "0.002"], "0.003", "0.002"),
        ("BTC", ["0.00000003", "0.00000002"], "0.00000005", "0.00000002"),
        ("JPY", ["9" * 37, "1", "1"], "1" + "0" * 36 + "1", "3" * 36 + "4"),
    ],
    ids=str,
)
async def test_averages_are_rounded_half_to_even(
    client: Client, currency: str, amounts: list[str], total: str, average: str
) -> None:
    entity = await office(client)
    for amount in amounts:
        await deal(client, entity, "Depot", amount, currency=currency)
    assert await totals(client, entity) == {"Depot": [(len(amounts), currency, total, average)]}


async def test_currencies_by_how_often(client: Client) -> None:
    entity = await office(client)
    for amount, currency in (("1", "JPY"), ("2", "JPY"), ("1.00", "USD"), ("2.00", "EUR"), ("1.00", "EUR")):
        await deal(client, entity, "Depot", amount, currency=currency)
    both = transactions.CreateTransactionRequest(
        entity_id=entity,
        idempotency_key=unique("key"),
        counterparty="Depot",
        status=POSTED,
        postings=[
            posting("cash", DEBIT, "3.00"),
            posting("other", DEBIT, "4.00"),
            posting("shop", CREDIT, "7.00"),
            posting("cash", DEBIT, "5", "JPY"),
            posting("shop", CREDIT, "5", "JPY"),
        ],
    )
    await client.transactions.CreateTransaction(both)
    assert await totals(client, entity) == {
        "Depot": [(3, "JPY", "8", "3"), (2, "EUR", "3.00", "1.50"), (2, "USD", "8.00", "4.00")]
    }
    (depot,) = await counterparties(client, entity)
    assert depot.transaction_count == 6


async def test_first_and_last_time(client: Client) -> None:
    entity = await office(client)
    for days in (3, 1, 2):
        await deal(client, entity, "Depot", effective_time=timestamp(MAY + days * DAY))
    early = await deal(client, entity, "Depot", status=PENDING, effective_time=timestamp(MAY))
    await change(client, "VoidTransaction", entity, early.id)
    (depot,) = await counterparties(client, entity)
    assert (depot.first_seen, depot.last_seen) == (timestamp(MAY + DAY), timestamp(MAY + 3 * DAY))


async def test_other_entities_do_not_count(client: Client) -> None:
    mine, theirs = await office(client), await office(client)
    await deal(client, theirs, "Depot", "5.00")
    await deal(client, theirs, "Theirs", "5.00")
    await deal(client, mine, "Depot", "1.00")
    assert await totals(client, mine) == {"Depot": [(1, "USD", "1.00", "1.00")]}


# Pages.


@pytest.mark.parametrize("size", [1, 2, 7, 100])
async def test_pages_of_any_size(client: Client, size: int) -> None:
    """Spellings of one name are on one page, however many; what has ended makes no gap."""
    entity = await office(client)
    for number in range(7):
        name = chr(ord("g") - number) * 3
        for spelling in (name, name.upper(), f"{name} #5"):
            await deal(client, entity, spelling)
        ended = await deal(client, entity, f"{name} ended", status=PENDING)
        await change(client, "VoidTransaction", entity, ended.id)
    told = await counterparties(client, entity, size)
    assert [each.name.lower()[:3] for each in told] == [letter * 3 for letter in "abcdefg"]
    assert {each.transaction_count for each in told} == {3}


async def test_default_page(client: Client) -> None:
    entity = await office(client)
    batch = transactions.BatchCreateTransactionsRequest(entity_id=entity)
    batch.requests.extend(transfer("", "cash", "shop", "1.00", counterparty=f"name x{number}y") for number in range(51))
    await client.transactions.BatchCreateTransactions(batch)
    answer = await client.transactions.ListCounterparties(transactions.ListCounterpartiesRequest(entity_id=entity))
    assert len(answer.counterparties) == 50
    assert answer.next_page_token


# Against another way of adding up the same.


NAMES = [
    "Office Depot", "OFFICE DEPOT #0042", "office-depot store 7", "Café Nero", "CAFE NERO 12", "Яндекс", "ЯНДЕКС 5",
    "7-Eleven 1234", "7 eleven", "Store 5", "42", "A&B", "a b", "***", "漢字 7", "漢字", "", "x" * 200,
]  # fmt: skip


def key_of(name: str) -> str:
    """What its spellings have in common, word by word."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not "\u0300" <= c <= "\u036f").lower()
    words = "".join(c if c.isalnum() else " " for c in plain).split()
    rest = list(words)
    while rest and rest[-1].isdigit():
        rest.pop()
        if rest and rest[-1] in ("store", "shop", "no", "nr", "number"):
            rest.pop()
    return " ".join(rest) or " ".join(words) or name.lower()


class Sums:
    """One counterparty, added up from its transactions."""

    def __init__(self) -> None:
        self.names: Counter[str] = Counter()
        self.times: list[datetime] = []
        self.counts: Counter[str] = Counter()
        self.sums: defaultdict[str, Decimal] = defaultdict(Decimal)

    def add(self, one: Transaction, reversals: list[Transaction]) -> None:
        self.names[one.counterparty] += 1
        self.times.append(one.effective_time.ToDatetime(UTC))
        for currency, amount in debits_of(one).items():
            self.counts[currency] += 1
            self.sums[currency] += amount
        for reversal in reversals:
            for currency, amount in debits_of(reversal).items():
                self.sums[currency] -= amount

    def message(self) -> transactions.Counterparty:
        """As the service should tell it."""
        most = max(self.names.values())
        message = transactions.Counterparty(
            name=min(name for name, count in self.names.items() if count == most),
            transaction_count=sum(self.names.values()),
            first_seen=timestamp(min(self.times)),
            last_seen=timestamp(max(self.times)),
        )
        for currency, count in sorted(self.counts.items(), key=lambda item: (-item[1], item[0])):
            exponent = EXPONENTS[currency]
            average = round(Fraction(self.sums[currency]) * 10**exponent / count)
            message.amounts.add(
                transaction_count=count,
                total=money(f"{self.sums[currency]:.{exponent}f}", currency),
                average=money(f"{Decimal(average).scaleb(-exponent):.{exponent}f}", currency),
            )
        return message


def debits_of(one: Transaction) -> dict[str, Decimal]:
    """The sum of its debits by currency."""
    sums: dict[str, Decimal] = {}
    for each in one.postings:
        if each.side == DEBIT:
            sums[each.amount.currency] = sums.get(each.amount.currency, Decimal(0)) + Decimal(each.amount.amount)
    return sums


async def random_deals(service: Service, chance: random.Random, entity: str, count: int) -> None:
    client = service.client
    batch = transactions.BatchCreateTransactionsRequest(entity_id=entity)
    for _ in range(count):
        status = chance.choice([PENDING, CLEARED, POSTED, POSTED])
        currency = chance.choice(["USD", "USD", "JPY", "KWD"])
        amount = str(Decimal(chance.randint(2, 10**6)).scaleb(-EXPONENTS[currency]))
        fields: dict[str, Any] = {"effective_time": timestamp(MAY + chance.randint(-30, 30) * DAY)}
        if status != POSTED and chance.random() < 0.2:
            fields["expire_time"] = timestamp(service.clock.now() + timedelta(hours=1))
        name = chance.choice(NAMES)
        batch.requests.append(
            transfer("", "cash", "shop", amount, currency=currency, status=status, counterparty=name, **fields)
        )
    for result in (await client.transactions.BatchCreateTransactions(batch)).results:
        one, what = result.response.transaction, chance.random()
        amount = one.postings[0].amount
        if one.status != POSTED and what < 0.15:
            await change(client, "VoidTransaction", entity, one.id)
        elif one.status != POSTED and what < 0.3:
            request = transactions.ApproveTransactionsRequest(entity_id=entity, idempotency_key=unique("key"))
            approval = request.approvals.add(transaction_id=one.id, amount=amount)
            approval.amount.amount = str(Decimal(1).scaleb(-EXPONENTS[amount.currency]))
            await client.transactions.ApproveTransactions(request)
        elif one.status == POSTED and what < 0.3:
            part = money(str(Decimal(1).scaleb(-EXPONENTS[amount.currency])), amount.currency)
            await change(client, "ReverseTransaction", entity, one.id, **({"amount": part} if what < 0.2 else {}))
    service.clock.advance(timedelta(hours=2))
    await deal(client, entity, "the last")


async def test_the_same_as_by_adding_up_each(service: Service) -> None:
    client = service.client
    chance = random.Random(20260502)
    mine, theirs = await office(client), await office(client)
    for entity, count in ((mine, 300), (theirs, 50)):
        await random_deals(service, chance, entity, count)
    everything = await client.transactions.ListTransactions(
        transactions.ListTransactionsRequest(entity_id=mine, page_size=1000)
    )
    by_id = {one.id: one for one in everything.transactions}
    assert {one.status for one in by_id.values()} == {PENDING, CLEARED, POSTED, VOIDED, EXPIRED}
    sums: defaultdict[str, Sums] = defaultdict(Sums)
    for one in by_id.values():
        if one.counterparty and not one.reverses_transaction_id and one.status in (PENDING, CLEARED, POSTED):
            sums[key_of(one.counterparty)].add(one, [by_id[each] for each in one.reversed_by_transaction_ids])
    expected = [sums[key].message() for key in sorted(sums)]
    for size in (3, 100):
        assert await counterparties(client, mine, size) == expected
