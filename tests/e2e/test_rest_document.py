"""Plays every request of the transactions API's document, byte for byte where it can, and checks every member.

What can't be as printed: ids of transactions are the server's, cursors are opaque, recorded times are now. Each test
names what differs, and which members the service adds; all else is as printed: names, order, types, decimals, values.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers.credentials import api_key
from tests.helpers.rest import Rest, rest_client
from tests.helpers.rest_document import (
    ACCOUNT_ADDS,
    APPROVED,
    CATEGORIZE,
    CATEGORIZED,
    CHAT,
    COUNTERPARTIES,
    CREATE,
    CREATED,
    CURSOR,
    EDIT,
    EDITED,
    ENTITY,
    FOUND,
    ID,
    LIST,
    MONTH,
    NOW,
    OBJECT,
    SEARCH,
    TRANSACTION_ADDS,
    Number,
    check,
    printed,
)
from tests.helpers.servers import TOKEN, cloned, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class World:
    """Who calls: the administrator, and one who may only read."""

    rest: Rest
    reader: Rest


@pytest.fixture(scope="module")
async def world(postgres: Any, template: str) -> AsyncIterator[World]:
    """The document's entity, accounts and categories."""
    async with cloned(postgres.dsn, template) as dsn, serving(dsn) as service, rest_client(service.rest, TOKEN) as rest:
        await rest.post("/v1/entities", {"id": ENTITY, "name": "Acme"})
        accounts = [
            {"id": "acc_rent", "name": "Rent Expense", "type": "EXPENSE", "financialType": "RENT", "code": "5001",
             "subTypeCode": "RENT"},
            {"id": "acc_cash", "name": "Cash", "type": "ASSET", "financialType": "CASH", "code": "1001",
             "subTypeCode": "CHECKING",
             "bankAccount": {"id": "plaid_123", "name": "Checking Account", "type": "CHECKING", "subtype": "checking",
                             "mask": "1234", "institutionId": "ins_123"}},
            {"id": "acc_office_supplies", "name": "Office Supplies", "type": "EXPENSE"},
            {"id": "acc_bank", "name": "Bank Account", "type": "ASSET"},
            {"id": "acc_new_debit", "name": "New Debit", "type": "EXPENSE"},
            {"id": "acc_new_credit", "name": "New Credit", "type": "ASSET"},
        ]  # fmt: skip
        for account in accounts:
            (await rest.post(f"/v1/accounts?entityId={ENTITY}", account)).good(201)
        for category, name in (("cat_5678", "Office Expenses"), ("cat_123abc", "Office Supplies")):
            (await rest.post(f"/v1/categories?entityId={ENTITY}", {"id": category, "name": name})).good(201)
        yield World(rest, Rest(rest.client, await api_key(service.dsn, ["read"], [ENTITY])))


@pytest.fixture
def rest(world: World) -> Rest:
    """The administrator."""
    return world.rest


async def create(rest: Rest, entity: str = ENTITY, **changes: Any) -> dict[str, Any]:
    """The document's purchase, as printed unless changes are given."""
    body = CREATE
    if changes:
        body = json.dumps({**json.loads(CREATE), "amount": "250.00", **changes}).encode()
    made: dict[str, Any] = (await rest.send("POST", f"/v1/transactions?entityId={entity}", body)).good(201)
    return made["transaction"]  # type: ignore[no-any-return]


async def test_transaction_object(rest: Rest) -> None:
    sent = {
        name: OBJECT[name]
        for name in ("currency", "description", "debitAccountId", "creditAccountId", "status", "metadata", "date")
    }
    body = json.dumps({**sent, "categoryId": "cat_5678"})[:-1] + ', "amount": 2500.00}'
    reply = await rest.send("POST", f"/v1/transactions?entityId={ENTITY}", body.encode())
    recorded = {"transaction.createdAt": NOW, "transaction.updatedAt": NOW}
    check(reply, 201, {"transaction": OBJECT}, {"transaction.id": ID, **recorded}, {})
    # Read again it is the same.
    made = reply.json["transaction"]["id"]
    again = await rest.get(f"/v1/transactions/{made}")
    check(again, 200, {"transaction": OBJECT}, {"transaction.id": made, **recorded}, {"transaction": {"revision"}})


async def test_get_transactions(rest: Rest) -> None:
    older, newest = await create(rest), await create(rest)
    one, path = "transactions[0]", f"/v1/transactions?entityId={ENTITY}"
    beyond = {
        one: TRANSACTION_ADDS | {"createdAt", "updatedAt"},
        f"{one}.debitAccount": ACCOUNT_ADDS,
        f"{one}.creditAccount": ACCOUNT_ADDS,
    }
    times = {f"{one}.timestamp": NOW, "nextCursor": CURSOR}
    first = await rest.get(f"{path}&pageSize=1")
    check(first, 200, LIST, {f"{one}.id": newest["id"], **times}, beyond)
    second = await rest.get(f"{path}&pageSize=1&cursor={first.json['nextCursor']}")
    check(second, 200, LIST, {f"{one}.id": older["id"], **times}, beyond)
    last = (await rest.get(f"{path}&cursor={second.json['nextCursor']}")).good()
    assert list(last) == list(LIST)
    assert (last["nextCursor"], last["hasMore"]) == (None, False)


async def test_create_a_transaction(rest: Rest) -> None:
    reply = await rest.send("POST", f"/v1/transactions?entityId={ENTITY}", CREATE)
    but = {"transaction.id": ID, **{f"transaction.{name}": NOW for name in ("timestamp", "createdAt", "updatedAt")}}
    check(reply, 201, CREATED, but, {"transaction": TRANSACTION_ADDS | {"debitAccount", "creditAccount"}})
    found = reply.json["transaction"]
    assert found["timestamp"] == found["createdAt"] == found["updatedAt"]
    assert reply.headers["location"] == f"/v1/transactions/{found['id']}"


async def test_create_with_the_required_members_alone(rest: Rest) -> None:
    body = b'{"amount": 250, "debitAccountId": "acc_office_supplies", "creditAccountId": "acc_bank"}'
    found = (await rest.send("POST", f"/v1/transactions?entityId={ENTITY}", body)).good(201)["transaction"]
    assert (found["currency"], found["status"], found["metadata"]) == ("USD", "PENDING", {})
    assert (await create(rest, status="CLEARED"))["status"] == "CLEARED"


async def test_edit_a_transaction(rest: Rest) -> None:
    made = await create(rest)
    reply = await rest.send("POST", "/v1/transactions/edit", EDIT % made["id"].encode())
    check(reply, 200, EDITED, {"id": made["id"]}, {})
    # Either account, or the description, alone.
    for body, but in (
        ({"debit_account_id": "acc_rent"}, {"debit_account_id": "acc_rent"}),
        ({"credit_account_id": "acc_cash"}, {"debit_account_id": "acc_rent", "credit_account_id": "acc_cash"}),
        (
            {"description": "Rent"},
            {"debit_account_id": "acc_rent", "credit_account_id": "acc_cash", "description": "Rent"},
        ),
    ):
        edited = await rest.post("/v1/transactions/edit", {"id": made["id"], **body})
        check(edited, 200, EDITED, {"id": made["id"], **but}, {})


FORMS = {
    "string": b'"tx_1234567890abcdef"',
    "strings": b'["tx_1234567890abcdef", "tx_0987654321fedcba"]',
    "objects": b'[{"id": "tx_1234567890abcdef"}, {"id": "tx_0987654321fedcba"}]',
    "object": b'{"id": "tx_1234567890abcdef"}',
}
APPROVE = f"/v1/transactions/approve?entityId={ENTITY}"


@pytest.mark.parametrize("form", FORMS)
async def test_approve_transactions(rest: Rest, form: str) -> None:
    ids = [(await create(rest))["id"] for _ in range(FORMS[form].count(b"tx_"))]
    body = FORMS[form].replace(b"tx_1234567890abcdef", ids[0].encode())
    reply = await rest.send("PUT", APPROVE, body.replace(b"tx_0987654321fedcba", ids[-1].encode()))
    places = [f"approvedTransactions[{index}]" for index in range(len(ids))]
    but: dict[str, Any] = {f"{place}.id": one for place, one in zip(places, ids, strict=True)}
    but |= {f"{place}.updatedAt": NOW for place in places}
    document = {**APPROVED, "approvedTransactions": APPROVED["approvedTransactions"] * len(ids)}
    check(reply, 200, document, but, {})
    for one in ids:
        assert await status_of(rest, one) == "POSTED"


@pytest.mark.parametrize("form", FORMS)
async def test_approve_as_printed(rest: Rest, form: str) -> None:
    """Byte for byte: the printed ids are of no transaction here, and that is what is told."""
    reply = await rest.send("PUT", APPROVE, FORMS[form])
    assert (reply.status, reply.error["code"]) == (404, "transaction_not_found")
    assert reply.error["details"]["transactionId"] == "tx_1234567890abcdef"


@pytest.mark.parametrize("form", ["strings", "objects"])
@pytest.mark.parametrize("spoilt", [0, 1])
async def test_approve_all_or_none(rest: Rest, form: str, spoilt: int) -> None:
    good, posted = (await create(rest))["id"], (await create(rest))["id"]
    (await rest.post("/v1/transactions/post", {"transactionId": posted})).good()
    for bad, status, code in ((posted, 409, "invalid_transaction"), ("txn_x", 404, "transaction_not_found")):
        ids = [bad, good] if spoilt == 0 else [good, bad]
        reply = await rest.send(
            "PUT", APPROVE, json.dumps([{"id": one} for one in ids] if form == "objects" else ids).encode()
        )
        assert (reply.status, reply.error["code"]) == (status, code)
        assert reply.error["details"]["failedIndex"] == spoilt
        assert await status_of(rest, good) == "PENDING"


async def status_of(rest: Rest, transaction: str) -> str:
    """Its status now."""
    return str((await rest.get(f"/v1/transactions/{transaction}")).good()["transaction"]["status"])


async def test_delete_a_transaction(rest: Rest) -> None:
    made = await create(rest)
    reply = await rest.send("DELETE", f"/v1/transactions?entityId={ENTITY}&transactionId={made['id']}")
    check(reply, 200, {"message": "Transaction deleted successfully"}, {}, {})
    listed = await rest.get(f"/v1/transactions?entityId={ENTITY}&pageSize=1000")
    assert made["id"] not in [one["id"] for one in listed.good()["transactions"]]
    assert await status_of(rest, made["id"]) == "VOIDED"


async def test_a_posted_transaction_is_neither_edited_nor_deleted(rest: Rest) -> None:
    made = (await create(rest))["id"]
    (await rest.send("PUT", APPROVE, json.dumps(made).encode())).good()
    edited = await rest.send("POST", "/v1/transactions/edit", EDIT % made.encode())
    deleted = await rest.send("DELETE", f"/v1/transactions?entityId={ENTITY}&transactionId={made}")
    for reply in (edited, deleted):
        assert (reply.status, reply.error["code"]) == (409, "invalid_transaction")
        assert "correct it by a reversal" in reply.error["message"]


async def test_get_transactions_by_month(rest: Rest) -> None:
    entity = await office(rest)
    made = await create(rest, entity, date="2023-05-15T14:22:00Z")
    path = f"/v1/transactions/by-month?entityId={entity}&month=5&year=2023"
    but = {"transactions[0].id": made["id"], "nextCursor": None}
    check(await rest.get(path), 200, MONTH, but, {})
    newer = await create(rest, entity, date="2023-05-31T23:59:59.999999Z")
    await create(rest, entity, date="2023-06-01T00:00:00Z")
    first = await rest.get(f"{path}&pageSize=1")
    moved = {"transactions[0].id": newer["id"], "transactions[0].timestamp": "2023-05-31T23:59:59.999999Z"}
    check(first, 200, MONTH, {**moved, "nextCursor": CURSOR, "hasMore": True}, {})
    check(await rest.get(f"{path}&pageSize=1&cursor={first.json['nextCursor']}"), 200, MONTH, but, {})


async def test_categorize_a_transaction(rest: Rest) -> None:
    made = await create(rest)
    reply = await rest.send("POST", f"/v1/transactions/categorize?entityId={ENTITY}", CATEGORIZE % made["id"].encode())
    check(reply, 200, CATEGORIZED, {"transaction.id": made["id"], "transaction.updatedAt": NOW}, {})
    found = (await rest.get(f"/v1/transactions/{made['id']}")).good()["transaction"]
    assert (found["category"], found["category_id"]) == ("Office Supplies", "cat_123abc")


async def test_search_transactions(rest: Rest) -> None:
    entity = await office(rest)
    made = await create(rest, entity, date="2023-05-15T14:22:00Z", metadata={})
    for other in (
        {"date": "2023-07-01T00:00:00Z"},
        {"date": "2022-12-31T23:59:59Z"},
        {"amount": "99.99", "date": "2023-05-15"},
        {"amount": "500.01", "date": "2023-05-15"},
        {"status": "CLEARED", "date": "2023-05-15"},
        {"description": "Rent", "date": "2023-05-15"},
    ):
        await create(rest, entity, **other)
    reply = await rest.send("POST", f"/v1/transactions/search?entityId={entity}", SEARCH)
    one = "transactions[0]"
    but = {f"{one}.id": made["id"], f"{one}.createdAt": NOW, f"{one}.updatedAt": NOW, "pagination.total": Number(1)}
    check(reply, 200, FOUND, but, {})


async def office(rest: Rest) -> str:
    """An entity of its own with the accounts of the purchase."""
    entity = await rest.new_entity()
    await rest.new_account(entity, "acc_office_supplies", "EXPENSE", name="Office Supplies")
    await rest.new_account(entity, "acc_bank", "ASSET", name="Bank Account")
    return entity


async def test_transaction_chat(rest: Rest) -> None:
    """The printed numbers: eight purchases, 3,245.75 together, the largest 750.00 at Office Depot on May 10th."""
    entity = await office(rest)
    largest = await create(rest, entity, amount="750.00", date="2023-05-10T09:00:00Z", status="CLEARED")
    for amount in ("250.00", "250.00", "250.00", "250.00", "500.00", "500.00", "495.75"):
        await create(rest, entity, amount=amount, date="2023-05-15T14:22:00Z", metadata={"vendor": "Paper & Co"})
    await create(rest, entity, date="2023-06-01T00:00:00Z")
    prompt = "How+much+did+we+spend+on+office+supplies+in+May+2023?"
    reply = await rest.get(f"/v1/transactions/chat?entityId={entity}&prompt={prompt}")
    found = printed(reply.content)
    lines = found["data"]["transactions"]
    assert len(lines) == 8
    document = {**CHAT, "data": {**CHAT["data"], "transactions": CHAT["data"]["transactions"] * 8}}
    but: dict[str, Any] = {
        "response": re.compile(r"In May 2023, you spent a total of \$3,245\.75 .*8 transactions\..*")
    }
    for index in range(8):
        but[f"data.transactions[{index}].id"] = ID
        but[f"data.transactions[{index}].amount"] = lines[index]["amount"]
        but[f"data.transactions[{index}].timestamp"] = lines[index]["timestamp"]
    check(reply, 200, document, but, {"": {"understood", "planner", "plan"}})
    assert sorted(one["amount"] for one in lines) == [*["250.00"] * 4, "495.75", "500.00", "500.00", "750.00"]
    assert [one["timestamp"] for one in lines if one["id"] == largest["id"]] == ["2023-05-10T09:00:00Z"]
    assert found["plan"]["period"]["from"] == "2023-05-01T00:00:00Z"


async def test_transaction_chat_of_what_is_not_understood(rest: Rest) -> None:
    reply = await rest.get(f"/v1/transactions/chat?entityId={ENTITY}&prompt=Colourless+green+ideas")
    answer = reply.good()
    assert answer["data"] == {"transactions": [], "summary": None}
    assert len(answer["examples"]) == 3


async def test_get_entity_counterparties(rest: Rest) -> None:
    """The printed numbers: 15 purchases for 3,750.25, and 8 for 1,200.50; several spellings of one name are one."""
    entity = await office(rest)
    # The most frequent spelling is its name.
    depot = [*["OFFICE DEPOT #123", "office  depot"] * 3, *["Office Depot"] * 9]
    for index, vendor in enumerate(depot):
        date = {0: "2023-01-15T12:00:00Z", 14: "2023-05-15T14:22:00Z"}.get(index, "2023-03-01T00:00:00Z")
        amount = "250.25" if index == 0 else "250.00"
        await create(rest, entity, amount=amount, date=date, metadata={"vendor": vendor})
    for index in range(8):
        date = {0: "2023-02-01T09:30:00Z", 7: "2023-05-10T16:45:00Z"}.get(index, "2023-03-01T00:00:00Z")
        amount = "150.50" if index == 0 else "150.00"
        await create(rest, entity, amount=amount, date=date, metadata={"vendor": "Amazon Business"})
    depot_first = COUNTERPARTIES["counterparties"]
    by_name = {**COUNTERPARTIES, "counterparties": [depot_first[1], depot_first[0]]}
    path = f"/v1/transactions/counterparties?entityId={entity}"
    check(await rest.get(path), 200, by_name, {"nextCursor": None, "hasMore": False}, {})
    first = await rest.get(f"{path}&pageSize=1")
    check(first, 200, {**COUNTERPARTIES, "counterparties": [depot_first[1]]}, {"nextCursor": CURSOR}, {})
    second = await rest.get(f"{path}&pageSize=1&cursor={first.json['nextCursor']}")
    last = {**COUNTERPARTIES, "counterparties": [depot_first[0]]}
    check(second, 200, last, {"nextCursor": None, "hasMore": False}, {})


async def test_error_codes(world: World) -> None:
    """Each of the five, raised."""
    rest = world.rest
    path = f"/v1/transactions?entityId={ENTITY}"
    body = json.loads(CREATE)
    invalid = await rest.post(path, {**body, "amount": 0})
    assert (invalid.status, invalid.error["code"], invalid.error["field"]) == (400, "invalid_transaction", "amount")
    await rest.post(path, body, idempotency_key="printed-once")
    duplicate = await rest.post(path, {**body, "amount": 1}, idempotency_key="printed-once")
    assert (duplicate.status, duplicate.error["code"]) == (409, "duplicate_transaction")
    missing = await rest.post(path, {**body, "creditAccountId": "acc_nobody"})
    assert (missing.status, missing.error["code"]) == (404, "account_not_found")
    assert missing.error["field"] == "creditAccountId"
    await rest.new_account(ENTITY, "acc_wallet", "LIABILITY", limits=[{"currency": "USD", "floor": "0.00"}])
    short = await rest.post(path, {**body, "debitAccountId": "acc_wallet"})
    assert (short.status, short.error["code"]) == (409, "insufficient_balance")
    denied = await world.reader.post(path, body)
    assert (denied.status, denied.error["code"]) == (403, "permission_denied")
    # Before it is told whether an account exists.
    unknown = await world.reader.post(path, {**body, "creditAccountId": "acc_nobody"})
    assert unknown.content == denied.content
