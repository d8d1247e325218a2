"""What a batch is decided on is read in one round trip, whoever has written since."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ledger.v1 import account_pb2, account_service_pb2
from ledger_service.application.intake.fields import RawMoney
from ledger_service.application.intake.transactions import create_transaction
from ledger_service.domain.account import AccountState, AccountType, Limit
from ledger_service.domain.commands import Unit
from ledger_service.domain.decide import decide
from ledger_service.domain.decide.book import EMPTY_HEAD, Book, Head
from ledger_service.storage import rows
from ledger_service.storage.loading import QUERIES, Loader
from ledger_service.storage.write_session import WriteStore
from tests.helpers.builders import ASSET, new_account, new_entity, transfer
from tests.helpers.servers import ShiftedClock, serving
from tests.helpers.sql import connected

if TYPE_CHECKING:
    from tests.helpers.rpc import Client

CURRENCIES = {"USD": 2, "JPY": 0}


class Process:
    """A process of the service, as far as it writes: one session with a memory of its own."""

    def __init__(self, session: Any, entity_no: int) -> None:
        self.session = session
        self.entity_no = entity_no
        self.asked: list[str] = []

    async def load(self, *pairs: tuple[str, str, str]) -> Book:
        """What new transactions, each from an account to another in a currency, are decided on."""
        return (await self._load(self.units(pairs))).books[self.entity_no]

    async def post(self, *pairs: tuple[str, str, str]) -> None:
        """Write such transactions."""
        units = self.units(pairs)
        loaded = await self._load(units)
        sent = self.session.rows(loaded, decide(loaded.books[self.entity_no], units, []))
        assert await self.session.write(sent, lambda: None)
        await self.session.commit()
        await self.session.unlock()

    async def _load(self, units: list[Unit]) -> Any:
        await self.session.lock([self.entity_no])
        self.asked.clear()
        return await self.session.load({self.entity_no: units}, ShiftedClock(), 100)

    def units(self, pairs: Sequence[tuple[str, str, str]]) -> list[Unit]:
        """A new transaction for each, from an account to another in a currency."""
        return [
            Unit(self.entity_no, [create_transaction(
                CURRENCIES, "test", idempotency_key=f"key-{random.SystemRandom().getrandbits(64)}", postings=[],
                debit_account_id=debit, credit_account_id=credit, amount=RawMoney(currency, "1"), status=3,
            )])
            for debit, credit, currency in pairs
        ]  # fmt: skip


class World:
    """An entity with accounts of all kinds, and processes that write to it."""

    def __init__(self, dsn: str, client: Client, entity_id: str, entity_no: int) -> None:
        self.dsn = dsn
        self.client = client
        self.entity_id = entity_id
        self.entity_no = entity_no
        self._sessions: list[Any] = []

    async def process(self) -> Process:
        """One more."""
        session = await WriteStore(self.dsn, random.SystemRandom()).open_session()
        self._sessions.append(session)
        return Process(session, self.entity_no)

    async def close(self) -> None:
        """All connections."""
        for session in self._sessions:
            await session.close()


@pytest.fixture
async def world(database: str) -> AsyncIterator[World]:
    async with serving(database) as service:
        client = service.client
        entity_id = await new_entity(client)
        await new_account(client, entity_id, "assets", ASSET)
        await new_account(client, entity_id, "cash", ASSET, parent_id="assets", code="1000", currencies=["JPY", "USD"])
        await new_account(
            client, entity_id, "wallet",
            limits=[
                account_pb2.BalanceLimit(currency="USD", floor="-12345678901234567890.00"),
                account_pb2.BalanceLimit(currency="JPY", floor="-7", ceiling="70"),
            ],
        )  # fmt: skip
        await new_account(client, entity_id, "other")
        await client.transactions.CreateTransaction(transfer(entity_id, "cash", "wallet", "5.00"))
        async with connected(database) as connection:
            entity_no = await connection.fetchval(
                "SELECT entity_no FROM ledger.entities WHERE entity_id = $1", entity_id
            )
        made = World(database, client, entity_id, entity_no)
        yield made
        await made.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the queries, as they are asked."""
    names: list[str] = []
    fetch = Loader._fetch

    async def noted(loader: Loader, name: str, *arguments: Any) -> list[Any]:
        names.append(name)
        return await fetch(loader, name, *arguments)

    monkeypatch.setattr(Loader, "_fetch", noted)
    return names


def _head(book: Book, account_id: str, currency: str = "USD") -> Head:
    return book.heads[book.accounts[account_id].account_no, currency]


async def test_accounts_as_they_are(world: World, asked: list[str]) -> None:
    process = await world.process()
    book = await process.load(("cash", "wallet", "USD"), ("cash", "other", "JPY"))
    assert asked == ["look", "entities"], "all about the accounts comes with the first"
    cash, wallet, other = (book.accounts[name] for name in ("cash", "wallet", "other"))
    assert (cash.type, cash.parent_id, cash.code, cash.currencies) == (
        AccountType.ASSET,
        "assets",
        "1000",
        ("JPY", "USD"),
    )
    assert wallet.limits == (Limit("JPY", -7, 70), Limit("USD", -1234567890123456789000, None))
    assert cash.limits == other.limits == ()
    assert (other.parent_no, other.state, other.bank_account) == (None, AccountState.OPEN, None)
    assert (_head(book, "cash")[:5], _head(book, "wallet")[:5]) == ((500, 0, 0, 0, 1), (0, 500, 0, 0, 1))
    assert _head(book, "other", "JPY") == EMPTY_HEAD
    # And just as the separate queries have them.
    async with connected(world.dsn) as connection:
        await connection.execute("SET search_path = ledger")
        numbers = [world.entity_no] * 3, [one.account_no for one in (cash, wallet, other)]
        limits = rows.limits_of(await connection.fetch(QUERIES["limits"], *numbers))
        for record in await connection.fetch(QUERIES["accounts"], *numbers):
            place = record["entity_no"], record["account_no"]
            assert book.accounts[record["account_id"]] == rows.account_of(record, limits.get(place, ()))


async def test_what_is_remembered_is_not_read_again(world: World, asked: list[str]) -> None:
    process = await world.process()
    await process.post(("cash", "wallet", "USD"))
    book = await process.load(("cash", "wallet", "USD"))
    assert asked == ["look", "entities", "look"]
    assert (_head(book, "cash").debits_posted, _head(book, "wallet").number) == (600, 2)
    book = await process.load(("cash", "wallet", "JPY"))
    assert _head(book, "wallet", "JPY") == EMPTY_HEAD


async def test_somebody_else_has_written_since(world: World, asked: list[str]) -> None:
    process, another = await world.process(), await world.process()
    await process.post(("cash", "wallet", "USD"))
    await another.post(("cash", "other", "USD"), ("cash", "wallet", "USD"))
    await world.client.accounts.FreezeAccount(
        account_service_pb2.FreezeAccountRequest(entity_id=world.entity_id, account_id="wallet")
    )
    del asked[:]
    book = await process.load(("cash", "wallet", "USD"), ("cash", "other", "USD"))
    # It took cash and wallet for known and asked for other alone; then it saw that they are not.
    assert asked == ["look", "entities", "look"]
    assert [_head(book, name).number for name in ("cash", "wallet", "other")] == [4, 3, 1]
    assert book.accounts["wallet"].state is AccountState.FROZEN, "in another version than the one remembered"
    assert book.accounts["cash"].code == "1000", "in the version that was remembered, which was not read again"


async def test_an_account_that_does_not_exist_is_asked_for_once(world: World, asked: list[str]) -> None:
    process = await world.process()
    book = await process.load(("cash", "nobody", "USD"))
    assert asked == ["look", "entities"]
    assert book.accounts.keys() == {"cash"}
    await process.post(("cash", "wallet", "USD"))
    del asked[:]
    book = await process.load(("cash", "nobody", "USD"))
    assert asked == ["look"]
    assert "nobody" not in book.accounts


async def test_what_a_message_for_postings_has_no_place_for_is_not_lost_unnoticed(world: World) -> None:
    """Rows are sent as for commands that only post: if a decision did more, it would be a fault of ours."""
    process = await world.process()
    session, units = process.session, process.units([("cash", "wallet", "USD")])
    await session.lock([world.entity_no])
    loaded = await session.load({world.entity_no: units}, ShiftedClock(), 100)
    book = loaded.books[world.entity_no]
    sent = session.rows(loaded, decide(book, units, []))
    book.change_account(replace(book.accounts["wallet"], state=AccountState.FROZEN))
    with pytest.raises(AssertionError, match="the changes would be lost"):
        await session.write(sent, lambda: None)
    await session.rollback()
    async with connected(world.dsn) as connection:
        assert await connection.fetchval("SELECT count(*) FROM ledger.events WHERE kind = 1") == 1
