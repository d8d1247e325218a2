"""A ledger to ask questions of: a few hundred transactions of every kind, on the accounts and names of `world`."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ledger.v1 import account_service_pb2 as accounts
from ledger.v1 import category_service_pb2 as categories
from ledger.v1 import transaction_service_pb2 as transactions
from tests.helpers.builders import (
    CLEARED,
    CREDIT,
    DEBIT,
    PENDING,
    POSTED,
    money,
    new_entity,
    posting,
    timestamp,
    transfer,
    unique,
)
from tests.questions.world import ACCOUNTS, CATEGORIES, COUNTERPARTIES

if TYPE_CHECKING:
    from tests.helpers.rpc import Client
    from tests.helpers.servers import ShiftedClock

ZONE = "America/New_York"
NOON = datetime(2023, 6, 14, 15, 0, tzinfo=UTC)
"""When the questions are asked: 11:00 in New York, on the day that `world.TODAY` is."""

_EXPENSES = {
    "rent_expense": ("Landlord LLC", "cat_rent"),
    "bank_fees": ("", ""),
    "advertising": ("Globex", "cat_ads"),
    "wages": ("Acme Ltd", "cat_consulting"),
}
_SHOPS = {
    "Office Depot": "cat_office",
    "Amazon Business": "cat_office",
    "Delta Air Lines": "cat_travel",
    "Starbucks": "cat_meals",
    "City Power": "cat_utilities",
    "Landlord LLC": "cat_rent",
    "Acme Corp": "cat_software",
    "Acme Ltd": "cat_consulting",
    "May & Sons": "cat_marketing",
}
_PAYERS = ("Globex", "Acme Corp", "Office Depot", "")
_WORDS = ("taxi to the airport", "Invoice 42", "refund of a deposit", "monthly plan", "Taxi", "paper and pens", "")
# On and beside the borders of days in New York: standard time is 5 hours behind, summer time 4.
_BORDERS = (
    datetime(2023, 5, 1, 3, 59, 59, 999999, tzinfo=UTC),
    datetime(2023, 5, 1, 4, 0, tzinfo=UTC),
    datetime(2023, 6, 1, 3, 59, 59, tzinfo=UTC),
    datetime(2023, 6, 1, 4, 0, tzinfo=UTC),
    datetime(2023, 1, 1, 4, 59, 59, tzinfo=UTC),
    datetime(2023, 1, 1, 5, 0, tzinfo=UTC),
    datetime(2023, 3, 12, 6, 30, tzinfo=UTC),
    datetime(2023, 6, 14, 3, 59, tzinfo=UTC),
    datetime(2023, 6, 14, 4, 0, tzinfo=UTC),
)


@dataclass
class Seed:
    """What is made, from one number."""

    client: Client
    clock: ShiftedClock
    entity: str
    chance: random.Random
    made: list[Any] = field(default_factory=list)

    def when(self) -> datetime:
        """Some moment of the seventeen months, more often a recent one."""
        if self.chance.random() < 0.08:
            return self.chance.choice(_BORDERS)
        days = self.chance.choice((13, 43, 160, 520))
        return NOON - timedelta(days=self.chance.uniform(0.2, days))

    def amount(self, currency: str) -> str:
        """An amount with the currency's decimals; small ones more often."""
        units = int(10 ** self.chance.uniform(1.5, 5.6))
        return str(units) if currency == "JPY" else f"{units // 100 + 1}.{units % 100:02d}"

    def spelt(self, name: str) -> str:
        """One of the spellings of a name."""
        number = self.chance.randrange(1, 99)
        return self.chance.choice((name, name, name.upper(), f"{name} #{number:04d}", name.replace(" ", "  ")))

    def purchase(self) -> transactions.CreateTransactionRequest:
        """Money out."""
        shop, category = self.chance.choice(list(_SHOPS.items()))
        expense = (
            "rent_expense" if shop == "Landlord LLC" else self.chance.choice(["advertising", "supplies", "parking"])
        )
        if self.chance.random() < 0.15:
            expense = self.chance.choice(list(_EXPENSES))
        return self.request(
            [
                (expense, DEBIT),
                (self.chance.choice(["checking", "checking", "card", "savings"]), CREDIT),
            ],
            shop,
            category if self.chance.random() < 0.85 else "",
        )

    def sale(self) -> transactions.CreateTransactionRequest:
        """Money in."""
        revenue = self.chance.choice(["sales", "sales", "consulting_income"])
        return self.request([("checking", DEBIT), (revenue, CREDIT)], self.chance.choice(_PAYERS), "")

    def other(self) -> transactions.CreateTransactionRequest:
        """Neither."""
        return self.request([("savings", DEBIT), ("checking", CREDIT)], "", "")

    def request(self, legs: list[tuple[str, Any]], counterparty: str, category: str) -> Any:
        """Two postings, or three."""
        currency = self.chance.choices(["USD", "EUR", "JPY"], [8, 2, 1])[0]
        amount = self.amount(currency)
        postings = [posting(account, side, amount, currency) for account, side in legs]
        if self.chance.random() < 0.1:
            more = self.amount(currency)
            postings += [posting("bank_fees", DEBIT, more, currency), posting("checking", CREDIT, more, currency)]
        if self.chance.random() < 0.05:
            postings += [posting("supplies", DEBIT, "7.77", "EUR"), posting("checking", CREDIT, "7.77", "EUR")]
        return transactions.CreateTransactionRequest(
            entity_id=self.entity,
            idempotency_key=unique("ask"),
            postings=postings,
            status=self.chance.choices([POSTED, PENDING, CLEARED], [8, 2, 1])[0],
            effective_time=timestamp(self.when()),
            description=self.chance.choice(_WORDS),
            counterparty=self.spelt(counterparty) if counterparty else "",
            category_id=category,
        )


async def make_entity(client: Client, **fields: Any) -> str:
    """An entity with the names of the world, without transactions."""
    entity = await new_entity(client, time_zone=ZONE, **fields)
    for account_id, (name, type_, code) in ACCOUNTS.items():
        await _account(client, entity, account_id, name, type_, code=code)
    await _account(client, entity, "supplies", "Supplies and Equipment", 5)
    await _account(client, entity, "parking", "Parking Lot", 5, parent_id="rent_expense")
    for category_id, name in CATEGORIES.items():
        await client.categories.CreateCategory(
            categories.CreateCategoryRequest(entity_id=entity, category_id=category_id, name=name)
        )
    return entity


async def seed(client: Client, clock: ShiftedClock, number: int = 7, count: int = 420) -> str:
    """Make the entity and its history; the clock stands at `NOON` afterwards."""
    entity = await make_entity(client)
    made = Seed(client, clock, entity, random.Random(number))
    kinds = (made.purchase, made.sale, made.other)
    requests = [made.chance.choices(kinds, [7, 3, 1])[0]() for _ in range(count)]
    # Each is dealt with at least once.
    requests += [made.request([("supplies", DEBIT), ("checking", CREDIT)], name, "") for name in COUNTERPARTIES]
    answer = await client.transactions.BatchCreateTransactions(
        transactions.BatchCreateTransactionsRequest(entity_id=entity, requests=requests)
    )
    made.made = [result.response.transaction for result in answer.results]
    assert all(one.id for one in made.made), [result.error for result in answer.results if result.HasField("error")]
    await _expiring(made)
    await _afterlife(made)
    clock.advance(timedelta(hours=2))
    # A write after the deadlines notes what has expired.
    await client.transactions.CreateTransaction(
        transfer(entity, "savings", "checking", "1.00", effective_time=timestamp(made.when()))
    )
    # From here on nothing is written: the clock may go back to the day on which the questions are asked.
    clock.offset = NOON - datetime.now(UTC)
    return entity


async def _account(client: Client, entity: str, account_id: str, name: str, type_: int, **fields: Any) -> None:
    request = accounts.CreateAccountRequest(entity_id=entity, account_id=account_id, name=name, **fields)
    request.type = type_  # type: ignore[assignment]
    await client.accounts.CreateAccount(request)


async def _expiring(made: Seed) -> None:
    deadline = timestamp(made.clock.now() + timedelta(hours=1))
    for _ in range(6):
        request = made.purchase()
        request.status = PENDING
        request.expire_time.CopyFrom(deadline)
        await made.client.transactions.CreateTransaction(request)


async def _afterlife(made: Seed) -> None:
    """Void, edit, reverse, give another category."""
    client, entity, chance = made.client.transactions, made.entity, made.chance
    for one in made.made:
        fate, place = chance.random(), {"entity_id": entity, "transaction_id": one.id}
        if one.status != POSTED and fate < 0.3:
            await client.VoidTransaction(transactions.VoidTransactionRequest(**place, idempotency_key=unique("void")))
        elif one.status != POSTED and fate < 0.6 and len(one.postings) == 2:
            await client.EditTransaction(
                transactions.EditTransactionRequest(
                    **place, idempotency_key=unique("edit"), debit_account_id="supplies", description="edited taxi ride"
                )
            )
        elif one.status == POSTED and fate < 0.08:
            part = len(one.postings) == 2 and one.postings[0].amount.currency == "USD" and chance.random() < 0.5
            await client.ReverseTransaction(
                transactions.ReverseTransactionRequest(
                    **place,
                    idempotency_key=unique("reverse"),
                    amount=money("0.50") if part else None,
                    effective_time=timestamp(made.when()),
                )
            )
        elif fate > 0.93:
            category = chance.choice([*CATEGORIES, ""])
            await client.CategorizeTransaction(
                transactions.CategorizeTransactionRequest(
                    **place, idempotency_key=unique("category"), category_id=category
                )
            )
