"""Plays every request of the transactions API's document, byte for byte where it can, and checks every member.

What can't be as printed: ids of transactions are the server's, cursors are opaque, recorded times are now.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers.rest import Rest, rest_client
from tests.helpers.servers import TOKEN, cloned, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ENTITY = "entity_012jkl"
NOW = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
ID = re.compile(r"txn_[0-9a-z]{26}")

CREATE = b"""{
 "amount": 250.00,
 "currency": "USD",
 "description": "Office Supplies Purchase",
 "debitAccountId": "acc_office_supplies",
 "creditAccountId": "acc_bank",
 "status": "PENDING",
 "metadata": {
 "receiptId": "R12345",
 "vendor": "Office Depot"
 }
}"""
EDIT = b"""{
 "id": "%s",
 "debit_account_id": "acc_new_debit",
 "credit_account_id": "acc_new_credit",
 "description": "Updated Office Supplies Purchase"
}"""
CATEGORIZE = b"""{
 "transactionId": "%s",
 "categoryId": "cat_123abc"
}"""
SEARCH = b"""{
 "query": "office supplies",
 "filters": {
 "dateFrom": "2023-01-01",
 "dateTo": "2023-06-30",
 "amountMin": 100,
 "amountMax": 500,
 "status": "PENDING"
 },
 "page": 1,
 "limit": 25
}"""
OBJECT: dict[str, Any] = json.loads(
    """{
 "id": "txn_123abc",
 "entityId": "entity_012jkl",
 "timestamp": "2023-05-15T10:30:00Z",
 "amount": 2500.00,
 "currency": "USD",
 "description": "Office Rent Payment",
 "debitAccountId": "acc_rent",
 "creditAccountId": "acc_cash",
 "status": "PENDING",
 "metadata": {
 "invoiceId": "INV-2023-001",
 "paymentMethod": "bank_transfer"
 },
 "date": "2023-05-15T10:30:00Z",
 "transaction_date": "2023-05-15T10:30:00Z",
 "accountType": "EXPENSE",
 "financialType": "RENT",
 "category": "Office Expenses",
 "category_id": "cat_5678",
 "debitAccount": {
 "id": "acc_rent",
 "name": "Rent Expense",
 "type": "EXPENSE",
 "financialType": "RENT",
 "code": "5001",
 "subTypeCode": "RENT",
 "isCategory": false
 },
 "creditAccount": {
 "id": "acc_cash",
 "name": "Cash",
 "type": "ASSET",
 "financialType": "CASH",
 "code": "1001",
 "subTypeCode": "CHECKING",
 "isCategory": false
 },
 "plaid_account": {
 "id": "plaid_123",
 "name": "Checking Account",
 "type": "CHECKING",
 "subtype": "checking",
 "mask": "1234",
 "institution_id": "ins_123"
 },
 "createdAt": "2023-05-15T10:30:00Z",
 "updatedAt": "2023-05-15T10:30:00Z"
}""",
    parse_float=Decimal,
)
LISTED: dict[str, Any] = {
    "entityId": ENTITY,
    "amount": Decimal("250.00"),
    "currency": "USD",
    "description": "Office Supplies Purchase",
    "debitAccountId": "acc_office_supplies",
    "creditAccountId": "acc_bank",
    "status": "PENDING",
    "metadata": {"receiptId": "R12345", "vendor": "Office Depot"},
}


@pytest.fixture(scope="module")
async def rest(postgres: Any, template: str) -> AsyncIterator[Rest]:
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
        yield rest


async def create(rest: Rest, **changes: Any) -> dict[str, Any]:
    """The document's purchase, as printed unless changes are given."""
    body = CREATE
    if changes:
        body = json.dumps({**json.loads(CREATE), "amount": "250.00", **changes}).encode()
    made: dict[str, Any] = (await rest.send("POST", f"/v1/transactions?entityId={ENTITY}", body)).good(201)
    return made["transaction"]  # type: ignore[no-any-return]


async def test_transaction_object(rest: Rest) -> None:
    sent = {
        name: OBJECT[name]
        for name in ("currency", "description", "debitAccountId", "creditAccountId", "status", "metadata", "date")
    }
    body = json.dumps({**sent, "categoryId": "cat_5678"})[:-1] + ', "amount": 2500.00}'
    reply = await rest.send("POST", f"/v1/transactions?entityId={ENTITY}", body.encode())
    found = reply.good(201)["transaction"]
    assert b'"amount":2500.00,' in reply.content
    assert list(found) == list(OBJECT)
    for name in ("id", "createdAt", "updatedAt"):
        assert (ID if name == "id" else NOW).fullmatch(found[name])
    assert {**found, "id": 0, "createdAt": 0, "updatedAt": 0} == {**OBJECT, "id": 0, "createdAt": 0, "updatedAt": 0}


async def test_get_transactions(rest: Rest) -> None:
    newest = await create(rest)
    reply = await rest.get(f"/v1/transactions?entityId={ENTITY}&pageSize=1")
    answer = reply.good()
    assert list(answer) == ["transactions", "nextCursor", "hasMore"]
    assert isinstance(answer["nextCursor"], str)
    assert answer["hasMore"] is True
    [found] = answer["transactions"]
    assert b'"amount":250.00,' in reply.content
    assert found["id"] == newest["id"]
    assert {name: found[name] for name in LISTED} == LISTED
    assert NOW.fullmatch(found["timestamp"])
    for name, account in (
        ("debitAccount", {"id": "acc_office_supplies", "name": "Office Supplies", "type": "EXPENSE"}),
        ("creditAccount", {"id": "acc_bank", "name": "Bank Account", "type": "ASSET"}),
    ):
        assert {key: found[name][key] for key in account} == account
    following = await rest.get(f"/v1/transactions?entityId={ENTITY}&cursor={answer['nextCursor']}")
    assert newest["id"] not in [one["id"] for one in following.good()["transactions"]]
    assert following.json["nextCursor"] is None
    assert following.json["hasMore"] is False


async def test_create_a_transaction(rest: Rest) -> None:
    reply = await rest.send("POST", f"/v1/transactions?entityId={ENTITY}", CREATE)
    answer = reply.good(201)
    assert list(answer) == ["transaction"]
    found = answer["transaction"]
    assert {name: found[name] for name in LISTED} == LISTED
    assert ID.fullmatch(found["id"])
    assert NOW.fullmatch(found["timestamp"])
    assert found["timestamp"] == found["createdAt"] == found["updatedAt"]
    assert reply.headers["location"] == f"/v1/transactions/{found['id']}"


async def test_edit_a_transaction(rest: Rest) -> None:
    made = await create(rest)
    body = EDIT % made["id"].encode()
    reply = await rest.send("POST", "/v1/transactions/edit", body)
    assert reply.good() == json.loads(body)
    assert list(reply.json) == ["id", "debit_account_id", "credit_account_id", "description"]


@pytest.mark.parametrize("form", ["string", "strings", "objects", "object"])
async def test_approve_transactions(rest: Rest, form: str) -> None:
    ids = [(await create(rest))["id"] for _ in range(1 if form in ("string", "object") else 2)]
    bodies = {
        "string": f'"{ids[0]}"',
        "strings": f'["{ids[0]}", "{ids[-1]}"]',
        "objects": f'[{{"id": "{ids[0]}"}}, {{"id": "{ids[-1]}"}}]',
        "object": f'{{"id": "{ids[0]}"}}',
    }
    reply = await rest.send("PUT", f"/v1/transactions/approve?entityId={ENTITY}", bodies[form].encode())
    answer = reply.good()
    assert list(answer) == ["message", "approvedTransactions"]
    assert answer["message"] == "Transactions approved successfully"
    assert [one["id"] for one in answer["approvedTransactions"]] == ids
    for one in answer["approvedTransactions"]:
        assert list(one) == ["id", "status", "updatedAt"]
        assert one["status"] == "POSTED"
        assert NOW.fullmatch(one["updatedAt"])


async def test_delete_a_transaction(rest: Rest) -> None:
    made = await create(rest)
    reply = await rest.send("DELETE", f"/v1/transactions?entityId={ENTITY}&transactionId={made['id']}")
    assert reply.good() == {"message": "Transaction deleted successfully"}
    listed = await rest.get(f"/v1/transactions?entityId={ENTITY}&pageSize=1000")
    assert made["id"] not in [one["id"] for one in listed.good()["transactions"]]


async def test_get_transactions_by_month(rest: Rest) -> None:
    made = await create(rest, date="2023-07-15T14:22:00Z")
    reply = await rest.get(f"/v1/transactions/by-month?entityId={ENTITY}&month=7&year=2023")
    assert reply.good() == {
        "month": 7,
        "year": 2023,
        "transactions": [
            {
                "id": made["id"],
                "description": "Office Supplies Purchase",
                "amount": Decimal("250.00"),
                "timestamp": "2023-07-15T14:22:00Z",
                "status": "PENDING",
            }
        ],
        "nextCursor": None,
        "hasMore": False,
    }


async def test_categorize_a_transaction(rest: Rest) -> None:
    made = await create(rest)
    reply = await rest.send("POST", f"/v1/transactions/categorize?entityId={ENTITY}", CATEGORIZE % made["id"].encode())
    answer = reply.good()
    assert NOW.fullmatch(answer["transaction"].pop("updatedAt"))
    assert answer == {
        "message": "Transaction categorized successfully",
        "transaction": {
            "id": made["id"],
            "metadata": {"categoryId": "cat_123abc", "categoryName": "Office Supplies"},
        },
    }


async def test_search_transactions(rest: Rest) -> None:
    made = await create(rest, date="2023-05-15T14:22:00Z", metadata={})
    reply = await rest.send("POST", f"/v1/transactions/search?entityId={ENTITY}", SEARCH)
    answer = reply.good()
    assert list(answer) == ["transactions", "pagination"]
    [found] = answer["transactions"]
    assert NOW.fullmatch(found.pop("createdAt"))
    assert NOW.fullmatch(found.pop("updatedAt"))
    assert found == {
        "id": made["id"],
        "description": "Office Supplies Purchase",
        "amount": Decimal("250.00"),
        "timestamp": "2023-05-15T14:22:00Z",
        "status": "PENDING",
        "debitAccountId": "acc_office_supplies",
        "creditAccountId": "acc_bank",
        "currency": "USD",
        "metadata": {},
    }
    assert answer["pagination"] == {"total": 1, "page": 1, "limit": 25, "totalPages": 1}


async def test_transaction_chat(rest: Rest) -> None:
    entity = await rest.new_entity()
    await rest.new_account(entity, "acc_office_supplies", "EXPENSE", name="Office Supplies")
    await rest.new_account(entity, "acc_bank", "ASSET", name="Bank Account")
    for amount, day in (("750.00", "2023-05-10T09:00:00Z"), ("250.25", "2023-05-15T14:22:00Z")):
        body = {**json.loads(CREATE), "amount": amount, "date": day, "status": "CLEARED"}
        (await rest.post(f"/v1/transactions?entityId={entity}", body)).good(201)
    prompt = "How+much+did+we+spend+on+office+supplies+in+May+2023?"
    answer = (await rest.get(f"/v1/transactions/chat?entityId={entity}&prompt={prompt}")).good()
    assert list(answer)[:2] == ["response", "data"]
    assert "1,000.25" in answer["response"]
    assert list(answer["data"])[:2] == ["transactions", "summary"]
    assert answer["data"]["summary"] == {
        "total_amount": Decimal("1000.25"),
        "transaction_count": 2,
        "average_amount": Decimal("500.12"),
    }
    assert answer["plan"]["period"]["from"] == "2023-05-01T00:00:00Z"
    prompt = "List+the+transactions+of+May+2023"
    answer = (await rest.get(f"/v1/transactions/chat?entityId={entity}&prompt={prompt}")).good()
    for one in answer["data"]["transactions"]:
        assert list(one) == ["id", "description", "amount", "timestamp"]
        assert ID.fullmatch(one["id"])
    assert {one["amount"] for one in answer["data"]["transactions"]} == {Decimal("750.00"), Decimal("250.25")}
    answer = (await rest.get(f"/v1/transactions/chat?entityId={entity}&prompt=Colourless+green+ideas")).good()
    assert answer["data"] == {"transactions": [], "summary": None}
    assert len(answer["examples"]) == 3


async def test_get_entity_counterparties(rest: Rest) -> None:
    entity = await rest.new_entity()
    for account, kind in (("acc_office_supplies", "EXPENSE"), ("acc_bank", "ASSET")):
        await rest.new_account(entity, account, kind)
    for vendor, amount, day in (
        ("Office Depot", "250.01", "2023-01-15T12:00:00Z"),
        ("OFFICE DEPOT #123", "250.02", "2023-05-15T14:22:00Z"),
        ("Amazon Business", "150.06", "2023-02-01T09:30:00Z"),
    ):
        body = {**json.loads(CREATE), "amount": amount, "date": day, "metadata": {"vendor": vendor}}
        (await rest.post(f"/v1/transactions?entityId={entity}", body)).good(201)
    reply = await rest.get(f"/v1/transactions/counterparties?entityId={entity}")
    answer = reply.good()
    assert list(answer) == ["success", "counterparties", "nextCursor", "hasMore"]
    assert (answer["success"], answer["nextCursor"], answer["hasMore"]) == (True, None, False)
    assert sorted(answer["counterparties"], key=lambda one: str(one["name"]).lower()) == [
        {
            "name": "Amazon Business",
            "transactionCount": 1,
            "firstSeen": "2023-02-01T09:30:00Z",
            "lastSeen": "2023-02-01T09:30:00Z",
            "totalAmount": Decimal("150.06"),
            "averageAmount": Decimal("150.06"),
        },
        {
            "name": answer["counterparties"][-1]["name"],
            "transactionCount": 2,
            "firstSeen": "2023-01-15T12:00:00Z",
            "lastSeen": "2023-05-15T14:22:00Z",
            "totalAmount": Decimal("500.03"),
            "averageAmount": Decimal("250.02"),
        },
    ]
    first = await rest.get(f"/v1/transactions/counterparties?entityId={entity}&pageSize=1")
    assert first.good()["hasMore"] is True
    following = await rest.get(f"/v1/transactions/counterparties?entityId={entity}&cursor={first.json['nextCursor']}")
    assert following.good()["counterparties"] == answer["counterparties"][1:]


async def test_error_codes(rest: Rest) -> None:
    """Each of the five, raised."""
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
    stranger = Rest(rest.client, "a-token-that-nobody-has")
    assert (await stranger.post(path, body)).status == 401
