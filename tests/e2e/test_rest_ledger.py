"""Each endpoint against the running gateway, with numbers worked out by hand."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers.rest import Rest, office, rest_client
from tests.helpers.servers import TOKEN, cloned, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture(scope="module")
async def rest(postgres: Any, template: str) -> AsyncIterator[Rest]:
    async with cloned(postgres.dsn, template) as dsn, serving(dsn) as service, rest_client(service.rest, TOKEN) as rest:
        yield rest


@pytest.fixture
async def entity(rest: Rest) -> str:
    return await office(rest, "Europe/Prague")


BODY = {"amount": "10.00", "debitAccountId": "acc_office", "creditAccountId": "acc_bank"}


@pytest.mark.parametrize(
    ("sent", "currency", "shown"),
    [
        ("250.00", "USD", "250.00"),
        ("250", "USD", "250.00"),
        ('"250.5"', "USD", "250.50"),
        ("2.5e2", "USD", "250.00"),
        ("1E+2", "JPY", "100"),
        ("0.001", "KWD", "0.001"),
        ("123456789012345678901234567890123456.78", "USD", "123456789012345678901234567890123456.78"),
    ],
)
async def test_amounts_are_exact(rest: Rest, entity: str, sent: str, currency: str, shown: str) -> None:
    body = json.dumps({**BODY, "amount": 0, "currency": currency}).replace('"amount": 0', f'"amount": {sent}')
    reply = await rest.send("POST", f"/v1/transactions?entityId={entity}", body.encode())
    assert reply.good(201)["transaction"]["currency"] == currency
    assert f'"amount":{shown},'.encode() in reply.content


@pytest.mark.parametrize(
    "sent",
    ["0", "-1", '"-1"', "0.001", '"1e3"', '"1_000"', '"\uff11\uff12"', '"NaN"', "1e38", "true", "null", "[]", "1e400"],
)
async def test_amounts_that_are_none(rest: Rest, entity: str, sent: str) -> None:
    body = json.dumps({**BODY, "amount": 0}).replace('"amount": 0', f'"amount": {sent}')
    reply = await rest.send("POST", f"/v1/transactions?entityId={entity}", body.encode())
    assert (reply.status, reply.error["code"], reply.error["field"]) == (400, "invalid_transaction", "amount")


async def test_a_date_alone_is_a_day_of_the_entity(rest: Rest, entity: str) -> None:
    made = await rest.new_transaction(entity, date="2023-07-01")
    assert made["date"] == made["timestamp"] == made["transaction_date"] == "2023-06-30T22:00:00Z"
    for month, ids in ((6, []), (7, [made["id"]])):
        listed = (await rest.get(f"/v1/transactions/by-month?entityId={entity}&month={month}&year=2023")).good()
        assert [one["id"] for one in listed["transactions"]] == ids
    wrong = await rest.post(f"/v1/transactions?entityId={entity}", {**BODY, "date": "2023-02-30"})
    assert wrong.error["field"] == "date"


async def test_by_month_pages(rest: Rest, entity: str) -> None:
    made = [await rest.new_transaction(entity, date=f"2023-05-{day:02d}T12:00:00Z") for day in (3, 1, 2)]
    path = f"/v1/transactions/by-month?entityId={entity}&month=5&year=2023&pageSize=2"
    first = (await rest.get(path)).good()
    rest_of_them = (await rest.get(f"{path}&cursor={first['nextCursor']}")).good()
    ids = [one["id"] for one in first["transactions"] + rest_of_them["transactions"]]
    assert ids == [made[0]["id"], made[2]["id"], made[1]["id"]]
    assert (first["hasMore"], rest_of_them["hasMore"], rest_of_them["nextCursor"]) == (True, False, None)
    for query in ("month=13&year=2023", "month=5&year=9999", "month=5", "month=5.0&year=2023"):
        assert (await rest.get(f"/v1/transactions/by-month?entityId={entity}&{query}")).status == 400


async def test_several_postings(rest: Rest, entity: str) -> None:
    await rest.new_account(entity, "acc_fees", "EXPENSE")
    await rest.new_account(entity, "acc_sales", "REVENUE")
    body = {
        "description": "Sale with a fee",
        "postings": [
            {"accountId": "acc_bank", "side": "DEBIT", "amount": 97},
            {"accountId": "acc_fees", "side": "DEBIT", "amount": "3.00", "currency": "USD"},
            {"accountId": "acc_sales", "side": "CREDIT", "amount": "100.00"},
        ],
        "reference": "order-1",
        "counterparty": "Ann",
        "expiresAt": "2099-01-01T00:00:00Z",
    }
    found = (await rest.post(f"/v1/transactions?entityId={entity}", body)).good(201)["transaction"]
    assert (found["amount"], found["debitAccountId"], found["creditAccountId"]) == (100, "acc_bank", "acc_sales")
    assert [(one["accountId"], one["side"], one["amount"]) for one in found["postings"]] == [
        ("acc_bank", "DEBIT", 97), ("acc_fees", "DEBIT", 3), ("acc_sales", "CREDIT", 100),
    ]  # fmt: skip
    # What it was for: the first account of revenue or expense.
    assert found["accountType"] == "EXPENSE"
    assert (found["reference"], found["counterparty"]) == ("order-1", "Ann")
    assert found["expiresAt"] == "2099-01-01T00:00:00Z"
    body["postings"][0]["amount"] = 98  # type: ignore[index]
    wrong = await rest.post(f"/v1/transactions?entityId={entity}", body)
    assert (wrong.status, wrong.error["code"], wrong.error["field"]) == (400, "invalid_transaction", "postings")
    assert wrong.error["details"]["debits"] == Decimal("101.00")
    body["postings"][1]["currency"] = "XXQ"  # type: ignore[index]
    assert (await rest.post(f"/v1/transactions?entityId={entity}", body)).error["field"] == "postings[1].currency"
    both = await rest.post(f"/v1/transactions?entityId={entity}", {**BODY, "postings": body["postings"]})
    assert both.error["field"] == "postings"


async def test_a_life(rest: Rest, entity: str) -> None:
    """Edit, clear, post in part, reverse in part, categorize; every version stays readable."""
    await rest.new_account(entity, "acc_paper", "EXPENSE")
    made = await rest.new_transaction(entity)
    one = made["id"]
    edited = await rest.post("/v1/transactions/edit", {"id": one, "debit_account_id": "acc_paper"})
    assert edited.good()["debit_account_id"] == "acc_paper"
    stale = await rest.post("/v1/transactions/edit", {"id": one, "description": "x", "expected_revision": 1})
    assert (stale.status, stale.error["code"], stale.error["details"]["revision"]) == (409, "revision_mismatch", 2)
    assert (await rest.post("/v1/transactions/edit", {"id": one})).error["field"] == "description"
    cleared = (await rest.post("/v1/transactions/clear", {"transactionId": one})).good()["transaction"]
    assert cleared["status"] == "CLEARED"
    posted = (await rest.post("/v1/transactions/post", {"transactionId": one, "amount": 8})).good()["transaction"]
    assert (posted["status"], posted["amount"]) == ("POSTED", 8)
    reversal = (await rest.post("/v1/transactions/reverse", {"transactionId": one, "amount": "3"})).good(201)
    assert reversal["transaction"]["amount"] == 3
    assert reversal["transaction"]["reversesTransactionId"] == one
    too_much = await rest.post("/v1/transactions/reverse", {"transactionId": one, "amount": "6"})
    assert (too_much.status, too_much.error["code"]) == (409, "reversal_exceeds_original")
    assert too_much.error["details"]["remaining"] == 5
    (await rest.post(f"/v1/categories?entityId={entity}", {"id": "cat_life", "name": "Life"})).good(201)
    await rest.post(f"/v1/transactions/categorize?entityId={entity}", {"transactionId": one, "categoryId": "cat_life"})
    found = (await rest.get(f"/v1/transactions/{one}?entityId={entity}")).good()["transaction"]
    assert (found["category"], found["category_id"], found["revision"]) == ("Life", "cat_life", 5)
    assert found["reversedByTransactionIds"] == [reversal["transaction"]["id"]]
    history = (await rest.get(f"/v1/transactions/{one}/revisions?pageSize=3")).good()
    assert [version["status"] for version in history["revisions"]] == ["PENDING", "PENDING", "CLEARED"]
    assert history["hasMore"] is True
    for refused in (
        await rest.post("/v1/transactions/edit", {"id": one, "description": "late"}),
        await rest.send("DELETE", f"/v1/transactions?entityId={entity}&transactionId={one}"),
    ):
        assert (refused.status, refused.error["code"]) == (409, "invalid_transaction")
        assert "reversal" in refused.error["message"]
    taken = await rest.post(
        f"/v1/transactions/categorize?entityId={entity}", {"transactionId": one, "categoryId": None}
    )
    assert taken.good()["transaction"]["metadata"] == {}


async def test_posted_at_once(rest: Rest, entity: str) -> None:
    reply = await rest.post(f"/v1/transactions/post?entityId={entity}", BODY)
    assert reply.good(201)["transaction"]["status"] == "POSTED"
    assert (await rest.post("/v1/transactions/post", BODY)).error["field"] == "entityId"
    wrong = await rest.post(f"/v1/transactions?entityId={entity}", {**BODY, "status": "POSTED"})
    assert wrong.error["field"] == "status"


async def test_approvals_are_all_or_none(rest: Rest, entity: str) -> None:
    first, second = (await rest.new_transaction(entity))["id"], (await rest.new_transaction(entity))["id"]
    await rest.send("DELETE", f"/v1/transactions?entityId={entity}&transactionId={second}")
    path = f"/v1/transactions/approve?entityId={entity}"
    refused = await rest.send("PUT", path, json.dumps([first, {"id": second}]).encode())
    assert (refused.status, refused.error["code"]) == (409, "invalid_transaction")
    assert (await rest.get(f"/v1/transactions/{first}")).good()["transaction"]["status"] == "PENDING"
    twice = await rest.send("PUT", path, json.dumps([first, first]).encode())
    assert (twice.status, twice.error["field"]) == (400, "[1]")
    for body in (b"1", b"null", b"[]", b'[["x"]]', b'{"id": 1}', b'{"id": "x", "status": "POSTED"}'):
        assert (await rest.send("PUT", path, body)).status == 400


async def test_bulk(rest: Rest, entity: str) -> None:
    path = f"/v1/transactions/bulk?entityId={entity}"
    items = [BODY, {**BODY, "amount": "0"}, {**BODY, "debitAccountId": "acc_none"}, {**BODY, "idempotencyKey": "own"}]
    first = await rest.post(path, {"transactions": items}, idempotency_key="bulk-1")
    results = first.good()["results"]
    assert [set(one) for one in results] == [
        {"transaction", "replayed"},
        {"error"},
        {"error"},
        {"transaction", "replayed"},
    ]
    assert results[1]["error"]["field"] == "transactions[1].amount"
    assert results[2]["error"]["field"] == "transactions[2].debitAccountId"
    assert results[2]["error"]["code"] == "account_not_found"
    again = (await rest.post(path, {"transactions": items}, idempotency_key="bulk-1")).good()["results"]
    assert [one.get("replayed") for one in again] == [True, None, None, True]
    assert again[0]["transaction"] == results[0]["transaction"]
    key = (await rest.get(f"/v1/transactions/lookup?entityId={entity}&idempotencyKey=own")).good()
    assert key["transactions"][0]["id"] == results[3]["transaction"]["id"]


async def test_an_atomic_bulk(rest: Rest, entity: str) -> None:
    path = f"/v1/transactions/bulk?entityId={entity}"
    refused = await rest.post(path, {"atomic": True, "transactions": [BODY, {**BODY, "creditAccountId": "acc_none"}]})
    assert (refused.status, refused.error["field"]) == (404, "transactions[1].creditAccountId")
    assert refused.error["details"]["failedIndex"] == 1
    assert (await rest.get(f"/v1/transactions?entityId={entity}")).good()["transactions"] == []
    done = await rest.post(path, {"atomic": True, "transactions": [BODY, {**BODY, "status": "POSTED"}]})
    assert [one["transaction"]["status"] for one in done.good()["results"]] == ["PENDING", "POSTED"]
    none = await rest.post(path, {"transactions": []})
    assert none.error["field"] == "transactions"


async def test_look_up(rest: Rest, entity: str) -> None:
    made = await rest.new_transaction(entity, reference="invoice 7")
    path = f"/v1/transactions/lookup?entityId={entity}"
    found = (await rest.get(f"{path}&reference=invoice%207")).good()["transactions"]
    assert [one["id"] for one in found] == [made["id"]]
    refused = await rest.post(
        f"/v1/transactions?entityId={entity}", {**BODY, "debitAccountId": "acc_none"}, idempotency_key="no-such"
    )
    told = (await rest.get(f"{path}&idempotencyKey=no-such")).good()
    assert told["transactions"] == []
    assert told["refusal"]["code"] == refused.error["code"]
    assert (await rest.get(f"{path}&idempotencyKey=never")).good()["transactions"] == []
    assert (await rest.get(path)).error["field"] == "idempotencyKey"
    assert (await rest.get(f"{path}&idempotencyKey=a&reference=b")).status == 400


async def test_entities(rest: Rest) -> None:
    first = await rest.post("/v1/entities", {"name": "Without an id"}, idempotency_key="new-entity")
    again = await rest.post("/v1/entities", {"name": "Without an id"}, idempotency_key="new-entity")
    entity = first.good(201)["entity"]["id"]
    assert (again.json, again.headers["idempotent-replayed"]) == (first.json, "true")
    taken = await rest.post("/v1/entities", {"id": entity, "name": "Another"})
    assert (taken.status, taken.error["code"]) == (409, "entity_already_exists")
    changed = await rest.patch(f"/v1/entities/{entity}", {"timeZone": "Asia/Tokyo", "metadata": {"a": 1}})
    assert (changed.good()["entity"]["timeZone"], changed.json["entity"]["revision"]) == ("Asia/Tokyo", 2)
    assert (await rest.patch(f"/v1/entities/{entity}", {"timeZone": "Mars/Base"})).error["field"] == "timeZone"
    assert (await rest.patch(f"/v1/entities/{entity}", {})).error["field"] == "body"
    assert (await rest.patch(f"/v1/entities/{entity}", {"metadata": None})).good()["entity"]["metadata"] == {}
    assert entity in [one["id"] for one in (await rest.get("/v1/entities?pageSize=1000")).good()["entities"]]
    assert (await rest.post(f"/v1/entities/{entity}/archive")).good()["entity"]["state"] == "ARCHIVED"
    late = await rest.post(f"/v1/accounts?entityId={entity}", {"name": "Late", "type": "ASSET"})
    assert (late.status, late.error["code"]) == (409, "entity_archived")
    assert (await rest.get("/v1/entities/entity_nobody")).error["code"] == "entity_not_found"


async def test_accounts(rest: Rest, entity: str) -> None:
    path = f"?entityId={entity}"
    bank = {"id": "plaid_1", "name": "Checking", "mask": "1234", "institutionId": "ins_1", "institutionName": "Bank"}
    made = await rest.post(
        f"/v1/accounts{path}",
        {"name": "Cash", "type": "ASSET", "code": "1000", "currencies": ["USD"], "bankAccount": bank,
         "limits": [{"currency": "USD", "floor": -5}]},
    )  # fmt: skip
    account = made.good(201)["account"]
    assert account["id"].startswith("acc_")
    assert (account["bankAccount"], account["isCategory"], account["normalSide"]) == (bank, False, "DEBIT")
    assert b'"limits":[{"currency":"USD","floor":-5.00}]' in made.content
    one = f"/v1/accounts/{account['id']}"
    await rest.new_account(entity, "acc_child", "ASSET", parentId=account["id"])
    tree = (await rest.get(f"/v1/accounts{path}&tree=true&parentId={account['id']}")).good()["accounts"]
    assert [(each["id"], each["depth"]) for each in tree] == [(account["id"], 0), ("acc_child", 1)]
    by_code = (await rest.get(f"/v1/accounts{path}&codePrefix=10&type=ASSET&state=OPEN")).good()["accounts"]
    assert [each["id"] for each in by_code] == [account["id"]]
    changed = await rest.patch(f"{one}{path}", {"name": "Till", "code": None, "bankAccount": None})
    assert (changed.good()["account"]["name"], "code" in changed.json["account"]) == ("Till", False)
    assert "bankAccount" not in (await rest.get(f"{one}{path}")).good()["account"]
    assert (await rest.post(f"{one}/freeze{path}")).good()["account"]["state"] == "FROZEN"
    frozen = await rest.post(f"/v1/transactions{path}", {**BODY, "creditAccountId": account["id"]})
    assert (frozen.status, frozen.error["code"], frozen.error["field"]) == (409, "account_frozen", "creditAccountId")
    assert (await rest.post(f"{one}/unfreeze{path}")).good()["account"]["state"] == "OPEN"
    full = await rest.post(f"{one}/close{path}")
    assert (full.status, full.error["code"]) == (409, "account_not_empty")
    (await rest.post(f"/v1/accounts/acc_child/close{path}")).good()
    assert (await rest.post(f"{one}/close{path}")).good()["account"]["state"] == "CLOSED"
    mask = await rest.post(f"/v1/accounts{path}", {"name": "x", "type": "ASSET", "bankAccount": {**bank, "mask": "1!"}})
    assert mask.error["field"] == "bankAccount.mask"


async def test_balances_and_entries(rest: Rest, entity: str) -> None:
    await rest.new_account(entity, "acc_child", "EXPENSE", parentId="acc_office")
    await rest.post(f"/v1/transactions/post?entityId={entity}", {**BODY, "date": "2023-05-01T00:00:00Z"})
    held = await rest.new_transaction(entity, "2.50", debitAccountId="acc_child", date="2023-06-01T00:00:00Z")
    path = f"/v1/accounts/acc_office/balance?entityId={entity}"
    [now] = (await rest.get(path)).good()["balances"]
    assert (now["posted"], now["pending"], now["available"]) == (10, 10, 10)
    [both] = (await rest.get(f"{path}&includeSubtree=true&currency=USD")).good()["balances"]
    assert (both["posted"], both["pending"], both["debitsPending"]) == (10, Decimal("12.50"), Decimal("2.50"))
    [before] = (await rest.get(f"{path}&at=2023-04-30T00:00:00Z&currency=USD")).good()["balances"]
    assert before["posted"] == 0
    [known] = (await rest.get(f"{path}&knownSequence=1&currency=USD")).good()["balances"]
    assert known["posted"] == 0
    assert (await rest.get(f"{path}&knownSequence=999")).error["field"] == "knownSequence"
    assert (await rest.get(f"{path}&knownSequence=1&knownAt=2023-04-30T00:00:00Z")).status == 400
    entries = (await rest.get(f"/v1/accounts/acc_bank/entries?entityId={entity}&order=oldest")).good()["entries"]
    assert [(one["kind"], one["side"], one["amount"]) for one in entries] == [
        ("POST", "CREDIT", 10), ("HOLD", "CREDIT", Decimal("2.50")),
    ]  # fmt: skip
    assert entries[1]["transactionId"] == held["id"]
    assert entries[1]["available"] == Decimal("-12.50")
    missing = await rest.get(f"/v1/accounts/acc_none/balance?entityId={entity}")
    assert (missing.status, missing.error["field"]) == (404, "accountId")


async def test_categories(rest: Rest, entity: str) -> None:
    path = f"?entityId={entity}"
    made = (await rest.post(f"/v1/categories{path}", {"name": "Travel"})).good(201)["category"]
    assert made["id"].startswith("cat_")
    one = f"/v1/categories/{made['id']}"
    taken = await rest.post(f"/v1/categories{path}", {"name": "Travel"})
    assert (taken.status, taken.error["code"]) == (409, "category_name_taken")
    assert (await rest.patch(f"{one}{path}", {"name": "Trips"})).good()["category"]["revision"] == 2
    assert (await rest.get(f"{one}{path}")).good()["category"]["name"] == "Trips"
    assert (await rest.post(f"{one}/archive{path}")).good()["category"]["state"] == "ARCHIVED"
    assert (await rest.get(f"/v1/categories{path}")).good()["categories"] == []
    [listed] = (await rest.get(f"/v1/categories{path}&includeArchived=true")).good()["categories"]
    assert listed["id"] == made["id"]
    late = await rest.post(f"/v1/transactions{path}", {**BODY, "categoryId": made["id"]})
    assert (late.status, late.error["code"], late.error["field"]) == (409, "category_archived", "categoryId")


async def test_search(rest: Rest, entity: str) -> None:
    first = await rest.new_transaction(entity, "99.99", description="Café Süd, lunch", date="2023-05-31")
    second = await rest.new_transaction(entity, "100.00", description="Cafe north, dinner", date="2023-06-01")
    path = f"/v1/transactions/search?entityId={entity}"

    async def found(**body: Any) -> list[str]:
        return [one["id"] for one in (await rest.post(path, body)).good()["transactions"]]

    assert await found(query="CAFE") == [second["id"], first["id"]]
    assert await found(query='"cafe north"') == [second["id"]]
    assert await found(query="din*") == [second["id"]]
    # Days of Prague: the last one counts as a whole.
    assert await found(filters={"dateTo": "2023-05-31"}) == [first["id"]]
    assert await found(filters={"dateFrom": "2023-06-01"}) == [second["id"]]
    assert await found(filters={"amountMin": 100}) == [second["id"]]
    assert await found(filters={"amountMax": "99.99"}) == [first["id"]]
    assert await found(filters={"status": "POSTED"}) == []
    paged = (await rest.post(path, {"limit": 1, "page": 2})).good()
    assert paged["pagination"] == {"total": 2, "page": 2, "limit": 1, "totalPages": 2}
    for body, field in (
        ({"filters": {"dateFrom": "2023-06-02", "dateTo": "2023-06-01"}}, "filters.dateTo"),
        ({"filters": {"amountMin": "2", "amountMax": "1"}}, "filters.amountMax"),
        ({"filters": {"datefrom": "2023-06-02"}}, "filters.datefrom"),
        ({"query": '"open'}, "query"),
        ({"limit": 0}, "limit"),
    ):
        assert (await rest.post(path, body)).error["field"] == field


async def test_other_currencies_are_named_in_short_forms(rest: Rest, entity: str) -> None:
    await rest.new_transaction(entity, "5.00", currency="EUR", counterparty="Bistro", date="2023-08-01")
    [one] = (await rest.get(f"/v1/transactions/by-month?entityId={entity}&month=8&year=2023")).good()["transactions"]
    assert one["currency"] == "EUR"
    [party] = (await rest.get(f"/v1/transactions/counterparties?entityId={entity}")).good()["counterparties"]
    assert (party["currency"], party["totalAmount"]) == ("EUR", 5)
    await rest.new_transaction(entity, "7.00", counterparty="Bistro")
    await rest.new_transaction(entity, "8.00", counterparty="BISTRO")
    [party] = (await rest.get(f"/v1/transactions/counterparties?entityId={entity}")).good()["counterparties"]
    assert "currency" not in party
    assert (party["totalAmount"], party["averageAmount"], party["transactionCount"]) == (15, Decimal("7.50"), 3)
    assert [(each["currency"], each["totalAmount"]) for each in party["amounts"]] == [("USD", 15), ("EUR", 5)]
