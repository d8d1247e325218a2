"""Reads, with numbers worked out by hand: balances on both axes, roll-ups, lists and their pages."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ledger.v1 import account_pb2
from ledger.v1 import account_service_pb2 as accounts
from ledger.v1 import entity_service_pb2 as entities
from ledger.v1 import transaction_service_pb2 as transactions
from tests.helpers.builders import (
    ASSET,
    CREDIT,
    DEBIT,
    EQUITY,
    EXPENSE,
    LIABILITY,
    PENDING,
    POSTED,
    REVENUE,
    VOIDED,
    balance,
    money,
    new_account,
    new_accounts,
    new_category,
    new_entity,
    posting,
    timestamp,
    transfer,
    unique,
)
from tests.helpers.rpc import Client, refusal
from tests.helpers.servers import Service, serving

if TYPE_CHECKING:
    from collections.abc import Callable

MAY = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)


async def post(client: Client, entity: str, debit: str, credit: str, amount: str, **fields: Any) -> Any:
    return await client.transactions.CreateTransaction(transfer(entity, debit, credit, amount, **fields))


def numbers(got: account_pb2.Balance) -> tuple[str, ...]:
    """Totals, then posted, pending and available."""
    totals = got.totals
    return (
        totals.debits_posted,
        totals.credits_posted,
        totals.debits_pending,
        totals.credits_pending,
        got.posted.amount,
        got.pending.amount,
        got.available.amount,
    )


# Balances.


async def test_four_totals_and_three_balances(client: Client) -> None:
    entity = await new_entity(client)
    await new_account(client, entity, "cash", ASSET)
    await new_account(client, entity, "wallet")
    await post(client, entity, "cash", "wallet", "100.00")
    await post(client, entity, "wallet", "cash", "30.00", status=PENDING)
    await post(client, entity, "cash", "wallet", "5.00", status=PENDING)
    wallet = await balance(client, entity, "wallet")
    assert numbers(wallet) == ("0.00", "100.00", "30.00", "5.00", "100.00", "75.00", "70.00")
    assert (wallet.entry_number, wallet.sequence) == (3, 6)
    cash = await balance(client, entity, "cash")
    assert numbers(cash) == ("100.00", "0.00", "5.00", "30.00", "100.00", "75.00", "70.00")


async def test_contra_account_grows_on_the_other_side(client: Client) -> None:
    entity = await new_entity(client)
    await new_account(client, entity, "machine", ASSET)
    await new_account(client, entity, "depreciation", ASSET, contra=True)
    await post(client, entity, "machine", "depreciation", "10.00")
    assert (await balance(client, entity, "depreciation")).posted.amount == "10.00"
    account = accounts.GetAccountRequest(entity_id=entity, account_id="depreciation")
    assert (await client.accounts.GetAccount(account)).account.normal_side == CREDIT


async def test_balance_of_what_was_never_touched(client: Client) -> None:
    """Without a currency nothing; with one, zeros."""
    entity = await new_entity(client)
    await new_account(client, entity, "cash", ASSET)
    request = accounts.GetBalanceRequest(entity_id=entity, account_id="cash")
    assert list((await client.accounts.GetBalance(request)).balances) == []
    zero = await balance(client, entity, "cash", "KWD")
    assert numbers(zero) == ("0.000",) * 7
    assert (zero.entry_number, zero.sequence) == (0, 2)


async def test_currencies_and_their_decimals(client: Client) -> None:
    """From none to eighteen decimals, and up to 38 digits, exactly."""
    entity = await new_entity(client)
    await new_account(client, entity, "cash", ASSET)
    await new_account(client, entity, "wallet")
    amounts = {
        "JPY": "12345678901234567890123456789012345678",
        "USD": "123456789012345678901234567890123456.78",
        "KWD": "0.001",
        "BTC": "20999999.99999999",
        "ETH": "12345678901234567890.123456789012345678",
    }
    for currency, amount in amounts.items():
        await post(client, entity, "cash", "wallet", amount, currency=currency)
    request = accounts.GetBalanceRequest(entity_id=entity, account_id="wallet")
    got = (await client.accounts.GetBalance(request)).balances
    assert {each.posted.currency: each.posted.amount for each in got} == amounts
    assert [each.posted.currency for each in got] == sorted(amounts)


async def test_amounts_are_answered_with_all_their_decimals(client: Client) -> None:
    entity = await new_entity(client)
    await new_account(client, entity, "cash", ASSET)
    await new_account(client, entity, "wallet")
    for written in ("1", "1.5", "01.50", "1.50"):
        answer = await post(client, entity, "cash", "wallet", written)
        shown = answer.transaction.postings[0].amount.amount
        assert shown == ("1.00" if written == "1" else "1.50")


async def test_both_axes_of_time(service: Service) -> None:
    """What May looked like, as known in May and as corrected in June."""
    client = service.client
    entity = await new_entity(client)
    await new_account(client, entity, "cash", ASSET)
    await new_account(client, entity, "sales", REVENUE)
    first = await post(client, entity, "cash", "sales", "100.00", effective_time=timestamp(MAY))
    service.clock.advance(30 * DAY)
    late = await post(client, entity, "cash", "sales", "7.00", effective_time=timestamp(MAY + DAY))
    await post(client, entity, "cash", "sales", "1.00", effective_time=timestamp(MAY + 30 * DAY))
    end_of_may = timestamp(MAY + 2 * DAY)
    before_may = timestamp(MAY - timedelta(microseconds=1))
    known_early = first.transaction.create_time

    async def sales(**moment: Any) -> tuple[str, int, int]:
        got = await balance(client, entity, "sales", moment=accounts.BalanceMoment(**moment))
        return got.posted.amount, got.entry_number, got.sequence

    assert await sales() == ("108.00", 3, 6)
    assert await sales(effective_time=end_of_may) == ("107.00", 2, 6)
    assert await sales(effective_time=timestamp(MAY)) == ("100.00", 1, 6)
    assert await sales(effective_time=before_may) == ("0.00", 0, 6)
    assert await sales(known_time=known_early) == ("100.00", 1, 4)
    assert await sales(known_sequence=4) == ("100.00", 1, 4)
    assert await sales(known_sequence=late.sequence) == ("107.00", 2, 5)
    assert await sales(known_sequence=3) == ("0.00", 0, 3)
    assert await sales(effective_time=end_of_may, known_time=known_early) == ("100.00", 1, 4)
    assert await sales(effective_time=end_of_may, known_sequence=6) == ("107.00", 2, 6)
    assert await sales(effective_time=timestamp(MAY + DAY), known_sequence=6) == ("107.00", 2, 6)
    assert await sales(effective_time=before_may, known_sequence=6) == ("0.00", 0, 6)


async def test_entries_that_come_out_of_order_of_their_effective_times(client: Client) -> None:
    """Balances as of every instant, with entries recorded in an order that has nothing to do with it."""
    entity = await new_entity(client)
    await new_account(client, entity, "cash", ASSET)
    await new_account(client, entity, "sales", REVENUE)
    days = [5, 1, 9, 3, 3, 8, 2, 10, 7, 4, 6, 1]
    for place, day in enumerate(days):
        await post(client, entity, "cash", "sales", f"{2**place}.00", effective_time=timestamp(MAY + day * DAY))
    for day in range(12):
        for known in range(len(days) + 1):
            moment = accounts.BalanceMoment(effective_time=timestamp(MAY + day * DAY), known_sequence=3 + known)
            got = await balance(client, entity, "sales", moment=moment)
            counted = [place for place, each in enumerate(days[:known]) if each <= day]
            assert got.posted.amount == f"{sum(2**place for place in counted)}.00"
            assert got.entry_number == max((place + 1 for place in counted), default=0)


async def test_deadline_counts_from_its_instant_on(service: Service) -> None:
    """Nobody has tidied up: the worker is off and nothing was written."""
    client = service.client
    entity = await new_entity(client)
    await new_account(client, entity, "cash", ASSET)
    await new_account(client, entity, "wallet", floor="0.00")
    deadline = service.clock.now() + timedelta(hours=1)
    await post(client, entity, "cash", "wallet", "10.00")
    held = await post(client, entity, "wallet", "cash", "10.00", status=PENDING, expire_time=timestamp(deadline))
    assert (await balance(client, entity, "wallet")).available.amount == "0.00"
    service.clock.advance(timedelta(hours=2))
    assert numbers(await balance(client, entity, "wallet"))[2:] == ("0.00", "0.00", "10.00", "10.00", "10.00")

    async def available(known: datetime) -> str:
        moment = accounts.BalanceMoment(known_time=timestamp(known))
        return str((await balance(client, entity, "wallet", moment=moment)).available.amount)

    assert await available(deadline - timedelta(microseconds=1)) == "0.00"
    assert await available(deadline) == "10.00"
    approve = transactions.ApproveTransactionsRequest(
        entity_id=entity,
        idempotency_key=unique("key"),
        approvals=[transactions.Approval(transaction_id=held.transaction.id)],
    )
    assert (await refusal(client.transactions.ApproveTransactions(approve))).reason == "INVALID_STATUS"
    await post(client, entity, "wallet", "cash", "10.00")
    assert await available(deadline - timedelta(microseconds=1)) == "0.00"
    assert await available(deadline) == "10.00"


async def test_worker_tidies_up_by_itself(database: str) -> None:
    """With the worker on, the event comes without a write."""
    async with serving(database, expiry_interval_milliseconds=20) as service:
        client = service.client
        entity = await new_entity(client)
        await new_account(client, entity, "cash", ASSET)
        await new_account(client, entity, "wallet")
        deadline = timestamp(service.clock.now() + timedelta(hours=1))
        held = await post(client, entity, "cash", "wallet", "1.00", status=PENDING, expire_time=deadline)
        service.clock.advance(timedelta(hours=2))
        request = transactions.WatchTransactionsRequest(entity_id=entity, after_sequence=held.sequence)
        call = client.transactions.WatchTransactions(request)
        event = await call.read()
        call.cancel()
        assert event.kind == transactions.EVENT_KIND_TRANSACTION_EXPIRED
        assert event.transaction.id == held.transaction.id
        assert (event.actor, event.idempotency_key) == ("", "")


async def test_subtree(client: Client) -> None:
    """Summed up in the sense of the root, over accounts of both normal sides."""
    entity = await new_entity(client)
    await new_account(client, entity, "books", ASSET)
    await new_account(client, entity, "cash", ASSET, parent_id="books")
    await new_account(client, entity, "till", ASSET, parent_id="cash")
    await new_account(client, entity, "loan", LIABILITY, parent_id="books")
    await new_account(client, entity, "owner", EQUITY)
    await post(client, entity, "cash", "owner", "100.00")
    await post(client, entity, "till", "owner", "20.00")
    await post(client, entity, "cash", "loan", "50.00")
    await post(client, entity, "till", "owner", "3.00", status=PENDING)
    await post(client, entity, "till", "owner", "9", currency="JPY")

    async def total(account: str, currency: str = "USD", **fields: Any) -> account_pb2.Balance:
        return await balance(client, entity, account, currency, include_subtree=True, **fields)

    books = await total("books")
    assert numbers(books) == ("170.00", "50.00", "3.00", "0.00", "120.00", "123.00", "120.00")
    assert (books.account_id, books.entry_number, books.sequence) == ("books", 0, 11)
    assert (await total("cash")).posted.amount == "170.00"
    assert (await total("till")).posted.amount == "20.00"
    assert (await total("loan")).posted.amount == "50.00"
    assert (await total("books", "JPY")).posted.amount == "9"
    assert (await total("books", "EUR")).posted.amount == "0.00"
    assert (await balance(client, entity, "books")).posted.amount == "0.00"
    earlier = accounts.BalanceMoment(known_sequence=8)
    assert (await total("books", moment=earlier)).posted.amount == "120.00"
    every = accounts.GetBalanceRequest(entity_id=entity, account_id="books", include_subtree=True)
    got = (await client.accounts.GetBalance(every)).balances
    assert [(each.posted.currency, each.posted.amount) for each in got] == [("JPY", "9"), ("USD", "120.00")]


async def test_many_balances_as_of_one_moment(client: Client) -> None:
    """In the order asked for, an account twice if asked twice; the whole sums to zero while others write."""
    entity = await new_entity(client)
    await new_account(client, entity, "cash", ASSET)
    await new_accounts(client, entity, [f"wallet-{n}" for n in range(20)])

    async def write() -> None:
        for number in range(60):
            await post(client, entity, "cash", f"wallet-{number % 20}", "1.00")

    writing = asyncio.create_task(write())
    ids = ["wallet-3", "cash", "wallet-3", *(f"wallet-{n}" for n in range(20) if n != 3)]
    request = accounts.BatchGetBalancesRequest(entity_id=entity, account_ids=ids, currency="USD")
    seen = 0
    while not writing.done():
        got = (await client.accounts.BatchGetBalances(request)).accounts
        assert [each.account_id for each in got] == ids
        assert len({each.balances[0].sequence for each in got}) == 1
        wallets = sum(int(each.balances[0].totals.credits_posted.removesuffix(".00")) for each in got[2:])
        assert f"{wallets}.00" == got[1].balances[0].totals.debits_posted
        seen += 1
    await writing
    assert seen > 1


# Transactions.


async def test_everything_that_was_sent_is_kept(client: Client) -> None:
    entity = await new_entity(client)
    await new_accounts(client, entity, ["a-1", "b_2", "c.3"])
    await new_category(client, entity, "rent.may", name="Nájem za květen")
    request = transactions.CreateTransactionRequest(
        entity_id=entity,
        idempotency_key="objednávka 1 ✓",
        postings=[
            posting("a-1", DEBIT, "3.00"),
            posting("b_2", CREDIT, "1.00"),
            posting("c.3", CREDIT, "2.00"),
            posting("a-1", CREDIT, "9", "JPY"),
            posting("a-1", DEBIT, "9", "JPY"),
        ],
        status=POSTED,
        effective_time=timestamp(MAY),
        description="Nájem za květen\n\tdva řádky 🏠",
        reference="R/2026 §5",
        counterparty="Žluťoučký kůň, s. r. o.",
        category_id="rent.may",
    )
    request.metadata.update({"číslo": 12, "list": [1, None, True, {"deep": "x"}], "half": 0.5, "": "empty name"})
    created = (await client.transactions.CreateTransaction(request)).transaction
    read = transactions.GetTransactionRequest(entity_id=entity, transaction_id=created.id)
    got = (await client.transactions.GetTransaction(read)).transaction
    assert got == created
    for name in ("idempotency_key", "description", "reference", "counterparty", "category_id", "metadata", "status"):
        assert getattr(got, name) == getattr(request, name)
    assert list(got.postings) == list(request.postings)
    assert got.effective_time == request.effective_time
    assert got.id.startswith("txn_")
    assert len(got.id) == 30


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 2, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(9999, 12, 30, 23, 59, 59, 999_999, tzinfo=UTC),
    ],
    ids=str,
)
async def test_first_and_last_instant(client: Client, moment: datetime) -> None:
    """The edges of what is allowed; a day further the database's driver begins to mean infinity."""
    entity = await new_entity(client)
    await new_account(client, entity, "cash", ASSET)
    await new_account(client, entity, "wallet")
    request = transfer(entity, "cash", "wallet", "1.00", effective_time=timestamp(moment))
    created = (await client.transactions.CreateTransaction(request)).transaction
    assert created.effective_time == timestamp(moment)
    assert (await client.transactions.CreateTransaction(request)).transaction == created
    read = transactions.GetTransactionRequest(entity_id=entity, transaction_id=created.id)
    assert (await client.transactions.GetTransaction(read)).transaction == created
    from_then_on = transactions.ListTransactionsRequest(entity_id=entity, effective_from=timestamp(moment))
    assert list((await client.transactions.ListTransactions(from_then_on)).transactions) == [created]
    at = accounts.BalanceMoment(effective_time=timestamp(moment))
    assert (await balance(client, entity, "wallet", moment=at)).posted.amount == "1.00"


async def test_revisions(client: Client) -> None:
    """Each earlier version stays readable, with what it was then."""
    entity = await new_entity(client)
    await new_accounts(client, entity, ["aaa", "bbb", "ccc"])
    held = await post(client, entity, "aaa", "bbb", "9.00", status=PENDING, description="first")
    place: dict[str, Any] = {"entity_id": entity, "transaction_id": held.transaction.id}

    def key() -> dict[str, str]:
        return {"idempotency_key": unique("key")}

    edits = transactions.EditTransactionRequest
    await client.transactions.EditTransaction(edits(**place, **key(), description="second"))
    await client.transactions.EditTransaction(edits(**place, **key(), credit_account_id="ccc", expected_revision=2))
    await client.transactions.ClearTransaction(transactions.ClearTransactionRequest(**place, **key()))
    approval = transactions.Approval(transaction_id=held.transaction.id, amount=money("4.00"))
    await client.transactions.ApproveTransactions(
        transactions.ApproveTransactionsRequest(entity_id=entity, **key(), approvals=[approval])
    )
    request = transactions.ListTransactionRevisionsRequest(**place, page_size=2)
    got = await pages(client.transactions.ListTransactionRevisions, request, "revisions")
    assert [each.revision for each in got] == [1, 2, 3, 4, 5]
    assert [each.status for each in got] == [1, 1, 1, 2, 3]
    assert [each.description for each in got] == ["first", *["second"] * 4]
    assert [each.postings[1].account_id for each in got] == ["bbb", "bbb", "ccc", "ccc", "ccc"]
    assert [each.postings[0].amount.amount for each in got] == ["9.00"] * 4 + ["4.00"]
    assert [each.sequence for each in got] == [5, 6, 7, 8, 9]
    assert {each.create_sequence for each in got} == {5}
    assert {each.create_time.ToNanoseconds() for each in got} == {got[0].update_time.ToNanoseconds()}
    assert got[0] == held.transaction


async def test_look_up(client: Client) -> None:
    entity = await new_entity(client)
    await new_account(client, entity, "cash", ASSET)
    await new_account(client, entity, "wallet", floor="0.00")
    mine = [
        (await post(client, entity, "cash", "wallet", "1.00", reference="order-1", idempotency_key=f"k{n}"))
        for n in range(5)
    ]
    await post(client, entity, "cash", "wallet", "1.00", reference="order-2")
    ask = transactions.LookUpTransactionRequest
    by_key = await client.transactions.LookUpTransaction(ask(entity_id=entity, idempotency_key="k3"))
    assert [each.id for each in by_key.transactions] == [mine[3].transaction.id]
    assert not by_key.HasField("refusal")
    request = ask(entity_id=entity, reference="order-1", page_size=2)
    found = await pages(client.transactions.LookUpTransaction, request, "transactions")
    assert [each.id for each in found] == [each.transaction.id for each in mine]
    too_much = transfer(entity, "wallet", "cash", "100.00", idempotency_key="no")
    refused = await refusal(client.transactions.CreateTransaction(too_much))
    by_refused_key = await client.transactions.LookUpTransaction(ask(entity_id=entity, idempotency_key="no"))
    assert list(by_refused_key.transactions) == []
    assert (by_refused_key.refusal.code, by_refused_key.refusal.message) == (9, refused.message)
    for nothing in (ask(entity_id=entity, idempotency_key="K3"), ask(entity_id=entity, reference="order")):
        empty = await client.transactions.LookUpTransaction(nothing)
        assert empty == transactions.LookUpTransactionResponse()


# Lists.


async def pages(method: Callable[[Any], Any], request: Any, field: str) -> list[Any]:
    """All items of a list, page by page; only the last page may be short."""
    items: list[Any] = []
    while True:
        answer = await method(request)
        items += getattr(answer, field)
        if not answer.next_page_token:
            return items
        assert len(getattr(answer, field)) == (request.page_size or 50)
        request.page_token = answer.next_page_token


async def test_default_and_largest_page(client: Client) -> None:
    entity = await new_entity(client)
    await new_account(client, entity, "cash", ASSET)
    await new_account(client, entity, "wallet")
    requests = [transfer(entity, "cash", "wallet", "1.00") for _ in range(1_050)]
    batch = transactions.BatchCreateTransactionsRequest(entity_id=entity, requests=requests)
    await client.transactions.BatchCreateTransactions(batch)
    for size, expected in ((0, 50), (1, 1), (1000, 1000)):
        answer = await client.transactions.ListTransactions(
            transactions.ListTransactionsRequest(entity_id=entity, page_size=size)
        )
        assert len(answer.transactions) == expected
        assert answer.next_page_token
    every = transactions.ListTransactionsRequest(entity_id=entity, page_size=525)
    assert len(await pages(client.transactions.ListTransactions, every, "transactions")) == 1_050


async def test_list_filters(client: Client) -> None:
    entity = await new_entity(client)
    await new_accounts(client, entity, ["aaa", "bbb", "ccc"])
    made = {}
    for number, (debit, status) in enumerate(itertools.product(["aaa", "bbb"], [PENDING, POSTED])):
        effective = timestamp(MAY + number * DAY)
        answer = await post(client, entity, debit, "ccc", "1.00", status=status, effective_time=effective)
        made[debit, status] = answer.transaction.id
    void = transactions.VoidTransactionRequest(
        entity_id=entity, transaction_id=made["aaa", PENDING], idempotency_key="void"
    )
    await client.transactions.VoidTransaction(void)
    oldest_first = list(made.values())

    async def ids(**filters: Any) -> list[str]:
        request = transactions.ListTransactionsRequest(entity_id=entity, page_size=3, ascending=True)
        request.MergeFrom(transactions.ListTransactionsRequest(**filters))
        return [each.id for each in await pages(client.transactions.ListTransactions, request, "transactions")]

    assert await ids() == oldest_first
    assert await ids(account_id="aaa") == oldest_first[:2]
    assert await ids(account_id="ccc") == oldest_first
    assert await ids(statuses=[POSTED]) == [oldest_first[1], oldest_first[3]]
    assert await ids(statuses=[VOIDED, PENDING]) == [oldest_first[0], oldest_first[2]]
    assert await ids(account_id="bbb", statuses=[VOIDED]) == []
    assert await ids(effective_from=timestamp(MAY + DAY)) == oldest_first[1:]
    assert await ids(effective_before=timestamp(MAY + DAY)) == oldest_first[:1]
    between = {"effective_from": timestamp(MAY + DAY), "effective_before": timestamp(MAY + 3 * DAY)}
    assert await ids(**between) == oldest_first[1:3]
    newest = transactions.ListTransactionsRequest(entity_id=entity, page_size=3)
    found = await pages(client.transactions.ListTransactions, newest, "transactions")
    assert [each.id for each in found] == oldest_first[::-1]


async def test_list_of_an_account_that_a_transaction_mentions_often(client: Client) -> None:
    """It is one transaction all the same, on every page size and in both orders."""
    entity = await new_entity(client)
    await new_accounts(client, entity, ["cash", "wallet"])
    made = []
    for _ in range(3):
        made.append((await post(client, entity, "cash", "wallet", "1.00")).transaction.id)
        request = transactions.CreateTransactionRequest(
            entity_id=entity,
            idempotency_key=unique("key"),
            postings=[posting("cash", side, "1.00", c) for c in ("USD", "EUR") for side in (DEBIT, CREDIT)] * 2,
        )
        made.append((await client.transactions.CreateTransaction(request)).transaction.id)
    for size, ascending in itertools.product((1, 2, 3, 1000), (False, True)):
        listed = transactions.ListTransactionsRequest(
            entity_id=entity, account_id="cash", page_size=size, ascending=ascending
        )
        found = await pages(client.transactions.ListTransactions, listed, "transactions")
        assert [each.id for each in found] == (made if ascending else made[::-1])


async def test_accounts_by_code_and_as_a_tree(client: Client) -> None:
    entity = await new_entity(client)
    chart = [
        ("assets", ASSET, "1", ""),
        ("bank", ASSET, "12", "assets"),
        ("cash", ASSET, "11", "assets"),
        ("till", ASSET, "111", "cash"),
        ("rent", EXPENSE, "5", ""),
        ("nameless", EXPENSE, "", ""),
        ("odd", ASSET, "1%", ""),
    ]
    for account_id, type_, code, parent in chart:
        await new_account(client, entity, account_id, type_, code=code, parent_id=parent)

    async def ids(**filters: Any) -> list[str]:
        request = accounts.ListAccountsRequest(entity_id=entity, page_size=2, **filters)
        return [each.id for each in await pages(client.accounts.ListAccounts, request, "accounts")]

    coded = ["assets", "odd", "cash", "till", "bank", "rent"]
    by_code = await ids()
    assert [each for each in by_code if each != "nameless"] == coded
    assert len(by_code) == len(chart)
    assert await ids(type=EXPENSE, code_prefix="5") == ["rent"]
    assert await ids(code_prefix="11") == ["cash", "till"]
    assert await ids(code_prefix="1%") == ["odd"]
    assert await ids(code_prefix="_") == []
    assert await ids(parent_id="assets") == ["cash", "bank"]
    assert await ids(parent_id="assets", tree=True) == ["assets", "cash", "till", "bank"]
    tree = await client.accounts.ListAccounts(accounts.ListAccountsRequest(entity_id=entity, tree=True))
    depth_of = {each.id: depth for each, depth in zip(tree.accounts, tree.depths, strict=True)}
    order = [each.id for each in tree.accounts]
    assert depth_of == {"assets": 0, "cash": 1, "till": 2, "bank": 1, "rent": 0, "nameless": 0, "odd": 0}
    assert order.index("assets") + 1 == order.index("cash")
    assert order.index("cash") + 1 == order.index("till")
    assert order.index("till") + 1 == order.index("bank")
    freeze = accounts.FreezeAccountRequest(entity_id=entity, account_id="rent")
    await client.accounts.FreezeAccount(freeze)
    assert await ids(state=account_pb2.ACCOUNT_STATE_FROZEN) == ["rent"]


async def test_entries(client: Client) -> None:
    entity = await new_entity(client)
    await new_account(client, entity, "cash", ASSET)
    await new_account(client, entity, "wallet")
    held = await post(client, entity, "cash", "wallet", "9.00", status=PENDING)
    approval = transactions.Approval(transaction_id=held.transaction.id, amount=money("4.00"))
    await client.transactions.ApproveTransactions(
        transactions.ApproveTransactionsRequest(entity_id=entity, idempotency_key="a", approvals=[approval])
    )
    reverse = transactions.ReverseTransactionRequest(
        entity_id=entity, transaction_id=held.transaction.id, idempotency_key="r", amount=money("1.00")
    )
    reversal = await client.transactions.ReverseTransaction(reverse)
    request = accounts.ListEntriesRequest(entity_id=entity, account_id="cash", page_size=2, ascending=True)
    got = await pages(client.accounts.ListEntries, request, "entries")
    assert [each.number for each in got] == [1, 2, 3, 4]
    kinds = sorted(account_pb2.EntryKind.Name(each.kind)[11:] for each in got[1:3])
    assert kinds == ["RELEASE", "SETTLE"]
    assert [got[0].kind, got[3].kind] == [account_pb2.ENTRY_KIND_HOLD, account_pb2.ENTRY_KIND_POST]
    assert [each.sequence for each in got] == [4, 5, 5, 6]
    assert [each.side for each in got] == [DEBIT, DEBIT, DEBIT, CREDIT]
    assert {each.transaction_id for each in got[:3]} == {held.transaction.id}
    assert got[3].transaction_id == reversal.transaction.id
    assert got[3].totals == account_pb2.Totals(
        debits_posted="4.00", credits_posted="1.00", debits_pending="0.00", credits_pending="0.00"
    )
    assert got[3].posted == money("3.00")
    assert got[0].recorded_time == held.transaction.create_time
    newest_first = accounts.ListEntriesRequest(entity_id=entity, account_id="cash", currency="USD", page_size=3)
    assert await pages(client.accounts.ListEntries, newest_first, "entries") == got[::-1]
    await post(client, entity, "cash", "wallet", "1", currency="JPY")
    which = accounts.ListEntriesRequest(entity_id=entity, account_id="cash")
    refused = await refusal(client.accounts.ListEntries(which))
    assert (refused.reason, refused.metadata["field"]) == ("INVALID_ARGUMENT", "currency")


async def test_pages_while_others_write(client: Client) -> None:
    """What was there at the first page is told once, whatever is added meanwhile."""
    entity = await new_entity(client)
    await new_account(client, entity, "cash", ASSET)
    await new_account(client, entity, "wallet")
    before = [(await post(client, entity, "cash", "wallet", "1.00")).transaction.id for _ in range(30)]
    for ascending in (False, True):
        request = transactions.ListTransactionsRequest(entity_id=entity, page_size=7, ascending=ascending)
        found: list[str] = []
        while True:
            answer = await client.transactions.ListTransactions(request)
            found += [each.id for each in answer.transactions]
            if not answer.next_page_token or len(found) > 40:
                break
            request.page_token = answer.next_page_token
            await post(client, entity, "cash", "wallet", "1.00")
        assert len(set(found)) == len(found)
        assert [each for each in found if each in before] == (before if ascending else before[::-1])


async def test_page_tokens_belong_to_their_query(client: Client) -> None:
    """Changed, cut, or taken to another list, entity, filter or order: refused; the page size may change."""
    entity = await new_entity(client)
    other = await new_entity(client)
    for each in (entity, other):
        await new_accounts(client, each, ["aaa", "bbb", "ccc"])
        for _ in range(3):
            await post(client, each, "aaa", "bbb", "1.00", reference="r")
    ask = transactions.ListTransactionsRequest
    first = await client.transactions.ListTransactions(ask(entity_id=entity, page_size=1))
    token = first.next_page_token

    async def reason(call: Any) -> str:
        refused = await refusal(call)
        assert refused.metadata["field"] == "page_token"
        return refused.reason

    listing = client.transactions.ListTransactions
    wrong = [
        ask(entity_id=other, page_token=token),
        ask(entity_id=entity, page_token=token, ascending=True),
        ask(entity_id=entity, page_token=token, account_id="aaa"),
        ask(entity_id=entity, page_token=token, statuses=[POSTED]),
        ask(entity_id=entity, page_token=token, effective_from=timestamp(MAY)),
        ask(entity_id=entity, page_token=token[:-4]),
        ask(entity_id=entity, page_token=token + token),
        *(ask(entity_id=entity, page_token=_changed(token, at)) for at in range(len(token) - 1)),
    ]
    for request in wrong:
        assert await reason(listing(request)) == "INVALID_PAGE_TOKEN"
    look_up = transactions.LookUpTransactionRequest(entity_id=entity, reference="r", page_token=token)
    assert await reason(client.transactions.LookUpTransaction(look_up)) == "INVALID_PAGE_TOKEN"
    accounts_page = accounts.ListAccountsRequest(entity_id=entity, page_token=token)
    assert await reason(client.accounts.ListAccounts(accounts_page)) == "INVALID_PAGE_TOKEN"
    entities_page = entities.ListEntitiesRequest(page_token=token)
    assert await reason(client.entities.ListEntities(entities_page)) == "INVALID_PAGE_TOKEN"
    rest = await listing(ask(entity_id=entity, page_token=token, page_size=1000))
    assert len(rest.transactions) == 2


def _changed(token: str, at: int) -> str:
    return token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]


async def test_page_tokens_are_good_at_every_process(service: Service) -> None:
    """They are signed with a secret of the database, not of the process."""
    entity = await new_entity(service.client)
    await new_accounts(service.client, entity, ["aaa", "bbb", "ccc"])
    ask = accounts.ListAccountsRequest
    first = await service.client.accounts.ListAccounts(ask(entity_id=entity, page_size=1))
    async with serving(service.dsn) as other:
        second = await other.client.accounts.ListAccounts(
            ask(entity_id=entity, page_size=1, page_token=first.next_page_token)
        )
    assert [each.id for each in (*first.accounts, *second.accounts)] == ["aaa", "bbb"]


async def test_entities_by_id(client: Client) -> None:
    ids = [await new_entity(client, entity_id=each) for each in ("beta", "Alpha", "gamma", "alpha")]
    found = await pages(client.entities.ListEntities, entities.ListEntitiesRequest(page_size=2), "entities")
    assert [each.id for each in found] == sorted(ids)


@pytest.mark.parametrize("form", ["postings", "two_accounts"])
async def test_rehearsal(client: Client, form: str) -> None:
    """validate_only: the answer as if, and no trace."""
    entity = await new_entity(client)
    await new_account(client, entity, "cash", ASSET)
    await new_account(client, entity, "wallet", floor="0.00")
    request = transfer(entity, "cash", "wallet", "5.00", validate_only=True)
    if form == "postings":
        for name in ("debit_account_id", "credit_account_id", "amount"):
            request.ClearField(name)
        request.postings.extend([posting("cash", DEBIT, "5.00"), posting("wallet", CREDIT, "5.00")])
    answer = await client.transactions.CreateTransaction(request)
    assert (answer.transaction.id, answer.transaction.sequence, answer.sequence) == ("", 0, 0)
    assert [(each.account_id, each.posted.amount) for each in answer.balances] == [("cash", "5.00"), ("wallet", "5.00")]
    assert (await balance(client, entity, "wallet")).entry_number == 0
    too_much = transfer(entity, "wallet", "cash", "5.00", validate_only=True)
    assert (await refusal(client.transactions.CreateTransaction(too_much))).reason == "INSUFFICIENT_BALANCE"
    for each in (request, too_much):
        key = transactions.LookUpTransactionRequest(entity_id=entity, idempotency_key=each.idempotency_key)
        assert await client.transactions.LookUpTransaction(key) == transactions.LookUpTransactionResponse()
    request.validate_only = False
    recorded = await client.transactions.CreateTransaction(request)
    assert (recorded.replayed, recorded.sequence) == (False, 4)
