"""A database that version 0.1.0 wrote gets the newer migrations: nothing is lost, and what it knew is still known."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from ledger.v1 import account_service_pb2 as accounts
from ledger.v1 import category_service_pb2 as categories
from ledger.v1 import transaction_pb2
from ledger.v1 import transaction_service_pb2 as transactions
from ledger_service.domain.fingerprint import fingerprint
from ledger_service.storage import migrate as module
from ledger_service.storage.migrate import migrate
from tests.helpers.builders import ASSET, CLEARED, PENDING, new_category, timestamp, transfer, unique
from tests.helpers.camt_writer import Booked, file_of, statement
from tests.helpers.reconciling import Books, check_equation
from tests.helpers.rpc import Client, refusal
from tests.helpers.servers import assert_sound, create_database, serving
from tests.helpers.sql import (
    ACCOUNT_CREATED,
    EDITED,
    EFFECTIVE,
    ENTITY_CREATED,
    HOLD,
    POST,
    POSTED,
    RECORDED,
    RELEASE,
    VOIDED,
    VOIDED_EVENT,
    Book,
    Row,
    insert,
    write,
)
from tests.helpers.watching import read_history

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ledger_service.storage.embedded import EmbeddedPostgres

LAST_OF_0_1 = 4
BEFORE_RECONCILIATION = 11
CASH, SHOP = 2, 3
OPEN = 1


@pytest.fixture
async def old(postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> str:
    """DSN of a database as version 0.1.0 left it, with something of everything that is told otherwise now."""
    dsn = await create_database(postgres.dsn)
    files = [file for file in module.migrations() if file[0] <= LAST_OF_0_1]
    with monkeypatch.context() as patch:
        patch.setattr(module, "migrations", lambda: files)
        assert await migrate(dsn) == LAST_OF_0_1
    connection = await asyncpg.connect(dsn)
    try:
        await fill(connection)
    finally:
        await connection.close()
    return dsn


async def fill(connection: asyncpg.Connection) -> None:
    """Accounts, transactions with categories that nobody has made, and names that stand in metadata only."""
    async with connection.transaction():
        entity_no = await connection.fetchval(
            "INSERT INTO ledger.entities"
            " (entity_id, id_key, name, time_zone, state, created_time, updated_time, revision)"
            " VALUES ('acme', substr(sha256('key'), 1, 16), 'Acme', 'UTC', 1, $1, $1, 1) RETURNING entity_no",
            RECORDED,
        )
        book = Book(entity_no)
        detail = {"name": "Acme", "time_zone": "UTC", "state": 1, "metadata": None, "revision": 1}
        times = {"created_time": RECORDED.isoformat(), "updated_time": RECORDED.isoformat()}
        await write(connection, [book.event(ENTITY_CREATED, detail={**detail, **times})])
    for name, type_ in (("cash", 1), ("shop", 2)):
        await add_account(connection, book, name, type_)
    created = book.creation(
        POSTED,
        idempotency_key="old",
        request_hash=digest_of_old(),
        description="Rent of May",
        category_id="free text: rent",
        metadata={"vendor": "Landlord"},
    )
    await write(connection, [created], book.pair(created, POST, CASH, SHOP, 1_000))
    held = book.creation(1, description="Held", counterparty="ANN #12", category_id="x" * 64)
    await write(connection, [held], book.pair(held, HOLD, CASH, SHOP, 300))
    kept = {"counterparty": "ANN #12"}
    edited = book.revision(held, EDITED, 1, **kept)
    edited["description"] = "Held longer"
    await write(connection, [edited])
    ended = book.creation(1, counterparty="Ann", category_id="gone")
    await write(connection, [ended], book.pair(ended, HOLD, CASH, SHOP, 5))
    voided = book.revision(ended, VOIDED_EVENT, VOIDED, counterparty="Ann")
    await write(connection, [voided], book.pair(voided, RELEASE, CASH, SHOP, 5))


def digest_of_old() -> str:
    """Of the request `old_request`, as version 0.1.0 wrote it down."""
    members = (
        ("postings", (("cash", 1, "USD", 1_000), ("shop", 2, "USD", 1_000))),
        ("status", 3),
        ("effective_time", EFFECTIVE),
        ("description", "Rent of May"),
        ("category_id", "free text: rent"),
        ("metadata", '{"vendor":"Landlord"}'),
    )
    return f"\\x{fingerprint('CreateTransaction', members).hex()}"


def old_request() -> transactions.CreateTransactionRequest:
    """What was sent to version 0.1.0 under the key `old`."""
    request = transfer(
        "acme",
        "cash",
        "shop",
        "10.00",
        idempotency_key="old",
        effective_time=timestamp(EFFECTIVE),
        description="Rent of May",
        category_id="free text: rent",
    )
    request.metadata.update({"vendor": "Landlord"})
    return request


async def add_account(connection: asyncpg.Connection, book: Book, name: str, type_: int) -> None:
    """With a snapshot that has none of the members that came later."""
    digest = fingerprint("CreateAccount", (("account_id", name), ("type", type_), ("name", name)))
    event: Row = book.event(
        ACCOUNT_CREATED, idempotency_key=f"make-{name}", request_hash=f"\\x{digest.hex()}", account_no=book.sequence + 1
    )
    times = {"created_time": event["recorded_time"].isoformat(), "updated_time": event["recorded_time"].isoformat()}
    event["detail"] = {
        "account_id": name,
        "type": type_,
        "contra": False,
        "code": None,
        "name": name,
        "parent_no": None,
        "parent_id": None,
        "currencies": [],
        "limits": [],
        "state": OPEN,
        "metadata": None,
        "revision": 1,
        **times,
    }
    row = {
        "entity_no": event["entity_no"], "account_no": event["sequence"], "account_id": name, "type": type_,
        "contra": False, "name": name, "state": OPEN, "currencies": [], "sequence": event["sequence"], "revision": 1,
        **times,
    }  # fmt: skip
    async with connection.transaction():
        await insert(connection, "events", [event])
        await insert(connection, "accounts", [row])


@asynccontextmanager
async def upgraded(dsn: str) -> AsyncIterator[Client]:
    """A service of this version on it; before and after it, it is sound."""
    assert await migrate(dsn) == len(module.migrations()) - LAST_OF_0_1
    await assert_sound(dsn)
    async with serving(dsn) as service:
        yield service.client


async def every(client: Client) -> list[transaction_pb2.Transaction]:
    request = transactions.ListTransactionsRequest(entity_id="acme", ascending=True)
    return list((await client.transactions.ListTransactions(request)).transactions)


async def change(client: Client, method: str, transaction_id: str, **fields: Any) -> Any:
    kind = getattr(transactions, f"{method}Request")
    request = kind(entity_id="acme", transaction_id=transaction_id, idempotency_key=unique("key"), **fields)
    return (await getattr(client.transactions, method)(request)).transaction


async def test_free_categories_stay_and_live_on(old: str) -> None:
    async with upgraded(old) as client:
        paid, held, ended = await every(client)
        assert [one.category_id for one in (paid, held, ended)] == ["free text: rent", "x" * 64, "gone"]
        held = await change(client, "EditTransaction", held.id, description="edited")
        held = await change(client, "ClearTransaction", held.id)
        assert (held.status, held.category_id, held.counterparty) == (CLEARED, "x" * 64, "ANN #12")
        assert (await change(client, "VoidTransaction", held.id)).category_id == "x" * 64
        assert (await change(client, "CategorizeTransaction", ended.id, category_id="")).category_id == ""
        await new_category(client, "acme", "rent")
        assert (await change(client, "CategorizeTransaction", paid.id, category_id="rent")).category_id == "rent"
        listed = categories.ListCategoriesRequest(entity_id="acme")
        assert [one.id for one in (await client.categories.ListCategories(listed)).categories] == ["rent"]
        fresh = old_request()
        fresh.idempotency_key = "new"
        assert (await refusal(client.transactions.CreateTransaction(fresh))).reason == "CATEGORY_NOT_FOUND"


async def test_keys_of_before_are_known(old: str) -> None:
    """The same requests are answered with what they did then, other ones are refused."""
    async with upgraded(old) as client:
        again = await client.transactions.CreateTransaction(old_request())
        assert (again.replayed, again.transaction.counterparty) == (True, "")
        other = old_request()
        other.counterparty = "Landlord"
        assert (await refusal(client.transactions.CreateTransaction(other))).reason == "IDEMPOTENCY_KEY_REUSED"
        request = accounts.CreateAccountRequest(entity_id="acme", account_id="cash", type=ASSET, name="cash")
        for key in ("make-cash", ""):
            request.idempotency_key = key
            made = await client.accounts.CreateAccount(request)
            assert (made.replayed, made.account.id, made.account.revision) == (True, "cash", 1)
            assert (made.account.financial_type, made.account.is_category) == ("", False)
            assert not made.account.HasField("bank_account")


async def test_accounts_of_before_get_what_is_new(old: str) -> None:
    async with upgraded(old) as client:
        request = accounts.UpdateAccountRequest(entity_id="acme", account_id="cash", financial_type="CASH")
        request.bank_account.id, request.bank_account.name = "b-1", "Operating"
        request.update_mask.paths.extend(["financial_type", "bank_account"])
        changed = (await client.accounts.UpdateAccount(request)).account
        assert (changed.financial_type, changed.bank_account.id, changed.revision) == ("CASH", "b-1", 2)
        events = await read_history(client, "acme", changed.sequence)
        told = [event.account for event in events if event.HasField("account")]
        assert [(one.id, one.financial_type, one.revision) for one in told] == [
            ("cash", "", 1),
            ("shop", "", 1),
            ("cash", "CASH", 2),
        ]


async def test_what_was_written_before_is_found(old: str) -> None:
    async with upgraded(old) as client:
        search = transactions.SearchTransactionsRequest(entity_id="acme", query="rent may")
        assert (await client.transactions.SearchTransactions(search)).total_size == 1
        for word, expected in (("held", 1), ("longer", 1), ("gone", 0)):
            search = transactions.SearchTransactionsRequest(entity_id="acme", query=word)
            assert (await client.transactions.SearchTransactions(search)).total_size == expected
        parties = transactions.ListCounterpartiesRequest(entity_id="acme")
        (ann,) = (await client.transactions.ListCounterparties(parties)).counterparties
        assert (ann.name, ann.transaction_count, ann.amounts[0].total.amount) == ("ANN #12", 1, "3.00")
        request = transactions.ListTransactionsRequest(
            entity_id="acme", order=transactions.TRANSACTION_ORDER_EFFECTIVE, statuses=[PENDING]
        )
        assert len((await client.transactions.ListTransactions(request)).transactions) == 1


async def test_an_account_of_before_is_reconciled(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest step alone, as from the version before it: what was posted then is matched, closed and frozen."""
    before = [file for file in module.migrations() if file[0] <= BEFORE_RECONCILIATION]
    with monkeypatch.context() as patch:
        patch.setattr(module, "migrations", lambda: before)
        assert await migrate(old) == BEFORE_RECONCILIATION - LAST_OF_0_1
    assert await migrate(old) == len(module.migrations()) - BEFORE_RECONCILIATION
    await assert_sound(old)
    async with serving(old) as service:
        books = Books(service.client, "acme", "cash", "USD")
        day = EFFECTIVE.date()
        line = Booked(day, 1_000, "", "Rent of May")
        await books.send(
            file_of(statement([line], opening=(day, 0), closing=(day, 1_000), currency="USD")), currency=""
        )
        await books.call("RunMatching")
        report = await books.report(day)
        check_equation(report, await books.ledger_balance(day))
        assert [(one.amount, one.status) for one in report.open_items] == [("3.00", "PENDING")]
        await books.call("ConfirmMatches")
        closed = await books.call("CloseReconciliation", date=day.isoformat())
        assert closed.reconciliation.equation.ledger_balance == "13.00"


async def test_snapshots_of_before_have_none_of_the_new_members(old: str) -> None:
    """The test's own rows are those of 0.1.0: what the tests above rest on."""
    connection = await asyncpg.connect(old)
    try:
        details = await connection.fetch("SELECT detail FROM ledger.events WHERE kind = 9")
    finally:
        await connection.close()
    for row in details:
        assert not {"financial_type", "sub_type_code", "is_category", "bank_account"} & json.loads(row["detail"]).keys()
