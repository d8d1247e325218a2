"""What a refusal tells over REST: the field as the caller wrote it, what is wrong with it, what to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers.rest import Reply, Rest, office, rest_client
from tests.helpers.servers import TOKEN, cloned, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BODY = {"amount": "10.00", "debitAccountId": "acc_office", "creditAccountId": "acc_bank"}


@pytest.fixture(scope="module")
async def rest(postgres: Any, template: str) -> AsyncIterator[Rest]:
    async with cloned(postgres.dsn, template) as dsn, serving(dsn) as service, rest_client(service.rest, TOKEN) as rest:
        yield rest


@pytest.fixture(scope="module")
async def entity(rest: Rest) -> str:
    return await office(rest)


def tells(reply: Reply, field: str, *words: str) -> None:
    """The refusal names this field and says these words."""
    assert reply.error["field"] == field
    for word in words:
        assert word in reply.error["message"]


@pytest.mark.parametrize(
    ("members", "field", "says"),
    [
        ({"debit_account_id": "acc_office"}, "debit_account_id", "did you mean debitAccountId?"),
        ({"effective_time": "2023-05-15"}, "effective_time", "effective_time: is not known here"),
        ({"items[]": 1}, "items[]", "is not known here"),
        ({"": 1}, '""', "is not known here"),
        ({"amount": -5}, "amount", "greater than zero"),
        ({"amount": -0.0}, "amount", "greater than zero"),
        ({"date": "yesterday"}, "date", "or a date"),
    ],
)
async def test_a_member_is_named_as_it_was_sent(
    rest: Rest, entity: str, members: dict[str, Any], field: str, says: str
) -> None:
    reply = await rest.post(f"/v1/transactions?entityId={entity}", {**BODY, **members})
    assert (reply.status, reply.error["code"]) == (400, "invalid_transaction")
    tells(reply, field, f"{field}: ", says)


@pytest.mark.parametrize(
    ("query", "field", "says"),
    [
        ("page_size=5", "page_size", "page_size: is not a parameter here; did you mean pageSize?"),
        ("page_token=x", "page_token", "page_token: is not a parameter here"),
        ("ids[]=1", "ids[]", "is not a parameter here"),
        ("", "query", "has an empty part"),
    ],
)
async def test_a_parameter_is_named_as_it_was_sent(rest: Rest, entity: str, query: str, field: str, says: str) -> None:
    tells(await rest.get(f"/v1/transactions?entityId={entity}&{query}"), field, says)


@pytest.mark.parametrize("name", ["Idempotency_Key", "Idmpotency-Key", "Indempotency-Key", "Impotency-Key"])
async def test_a_misspelt_key_is_never_ignored(rest: Rest, entity: str, name: str) -> None:
    # A misspelt key that counts for nothing would let a repetition count twice.
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json", name: "k"}
    url = f"/v1/transactions?entityId={entity}"
    answer = await rest.client.post(url, content=json.dumps(BODY).encode(), headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == name.lower()
    assert "did you mean Idempotency-Key?" in answer.json()["error"]["message"]


@pytest.mark.parametrize(("body", "says"), [(b"", "is empty"), (b'{"amount": 1, "amount": 2}', "send it once")])
async def test_what_is_no_object(rest: Rest, entity: str, body: bytes, says: str) -> None:
    reply = await rest.send("POST", f"/v1/transactions?entityId={entity}", body)
    assert reply.status == 400
    assert says in reply.error["message"]


@pytest.mark.parametrize(
    ("filters", "field", "says"),
    [
        ({"status": "DONE"}, "filters.status", "must be PENDING"),
        ({"dateFrom": "2023-06-01", "dateTo": "2023-01-01"}, "filters.dateTo", "after filters.dateFrom"),
        ({"amountMin": 5, "amountMax": 1}, "filters.amountMax", "less than filters.amountMin"),
    ],
)
async def test_filters_of_a_search(rest: Rest, entity: str, filters: dict[str, Any], field: str, says: str) -> None:
    reply = await rest.post(f"/v1/transactions/search?entityId={entity}", {"filters": filters})
    tells(reply, field, f"{field}: ", says)


@pytest.mark.parametrize("body", ['""', "[]"])
async def test_an_approval_of_nothing(rest: Rest, entity: str, body: str) -> None:
    reply = await rest.send("PUT", f"/v1/transactions/approve?entityId={entity}", body.encode())
    assert reply.status == 400
    tells(reply, "body", "body: must")


async def test_an_approval_tells_which_one_failed(rest: Rest, entity: str) -> None:
    good = (await rest.new_transaction(entity))["id"]
    path = f"/v1/transactions/approve?entityId={entity}"
    for body, field in (
        ([good, "txn_x"], "[1]"),
        ([{"id": good}, {"id": "txn_x"}], "[1].id"),
        ("txn_x", "body"),
        ({"id": "txn_x"}, "id"),
        ([good, {"id": good}], "[1].id"),
    ):
        reply = await rest.send("PUT", path, json.dumps(body).encode())
        assert reply.status in (400, 404)
        tells(reply, field)
    (await rest.send("PUT", path, json.dumps(good).encode())).good()
    again = await rest.send("PUT", path, json.dumps([good]).encode())
    assert (again.status, again.error["code"]) == (409, "invalid_transaction")
    tells(again, "[0]", "is POSTED", "correct it by a reversal")


async def test_what_does_not_exist_is_named(rest: Rest, entity: str) -> None:
    nobody = "entityId=entity_of_nobody"
    for path, field in (
        (f"/v1/transactions?{nobody}", "entityId"),
        ("/v1/entities/entity_of_nobody", "entityId"),
        ("/v1/transactions/txn_x", "transactionId"),
        (f"/v1/transactions/txn_x/revisions?entityId={entity}", "transactionId"),
        (f"/v1/accounts/acc_x?entityId={entity}", "accountId"),
        (f"/v1/categories/cat_x?entityId={entity}", "categoryId"),
    ):
        reply = await rest.get(path)
        assert reply.status == 404
        tells(reply, field, f"{field}: ")
    edited = await rest.post("/v1/transactions/edit", {"id": "txn_x", "description": "x"})
    tells(edited, "id", "id: transaction txn_x does not exist")
    for verb in ("clear", "reverse"):
        reply = await rest.post(f"/v1/transactions/{verb}", {"transactionId": "txn_x"})
        tells(reply, "transactionId")


async def test_what_exists_already_is_named(rest: Rest, entity: str) -> None:
    bank = {"id": "acc_bank", "name": "Another", "type": "ASSET"}
    tells(await rest.post(f"/v1/accounts?entityId={entity}", bank), "id")
    tells(await rest.post("/v1/entities", {"id": entity, "name": "Another"}), "id")
    category = {"id": "cat_paper", "name": "Paper"}
    (await rest.post(f"/v1/categories?entityId={entity}", category)).good(201)
    tells(await rest.post(f"/v1/categories?entityId={entity}", {**category, "name": "x"}), "id")
    tells(await rest.post(f"/v1/categories?entityId={entity}", {"name": "Paper"}), "name")
    path = f"/v1/transactions?entityId={entity}"
    (await rest.post(path, BODY, idempotency_key="used-once")).good(201)
    reused = await rest.post(path, {**BODY, "amount": 1}, idempotency_key="used-once")
    assert (reused.status, reused.error["code"]) == (409, "duplicate_transaction")
    tells(reused, "Idempotency-Key", "take a new key")


async def test_an_entity_made_by_its_key_says_so(rest: Rest) -> None:
    (await rest.post("/v1/entities", {"name": "One"}, idempotency_key="an-entity")).good(201)
    other = await rest.post("/v1/entities", {"name": "Two"}, idempotency_key="an-entity")
    assert (other.status, other.error["code"]) == (409, "idempotency_key_reused")
    tells(other, "Idempotency-Key", "take a new key")


async def test_revisions_are_named(rest: Rest, entity: str) -> None:
    one = (await rest.new_transaction(entity))["id"]
    stale = await rest.post("/v1/transactions/edit", {"id": one, "description": "x", "expected_revision": 7})
    tells(stale, "expected_revision", "read it again")
    renamed = await rest.patch(f"/v1/accounts/acc_bank?entityId={entity}", {"name": "x", "expectedRevision": 7})
    tells(renamed, "expectedRevision")


async def test_names_of_the_callers_own_are_not_translated(rest: Rest, entity: str) -> None:
    reply = await rest.post(f"/v1/transactions?entityId={entity}", {**BODY, "creditAccountId": "page_size"})
    assert (reply.status, reply.error["code"]) == (404, "account_not_found")
    tells(reply, "creditAccountId", "account page_size does not exist")


async def test_items_of_a_bulk_are_named(rest: Rest, entity: str) -> None:
    path = f"/v1/transactions/bulk?entityId={entity}"
    items = [BODY, {**BODY, "creditAccountId": "acc_x"}, {**BODY, "idempotencyKey": "taken-in-bulk"}]
    (
        await rest.post(f"/v1/transactions?entityId={entity}", BODY | {"amount": 3}, idempotency_key="taken-in-bulk")
    ).good(201)
    results = (await rest.post(path, {"transactions": items})).good()["results"]
    assert results[1]["error"]["field"] == "transactions[1].creditAccountId"
    assert results[2]["error"]["code"] == "duplicate_transaction"
    assert results[2]["error"]["field"] == "transactions[2].idempotencyKey"


async def test_the_account_that_refuses_is_named(rest: Rest, entity: str) -> None:
    await rest.new_account(entity, "acc_frozen", "ASSET")
    await rest.new_account(entity, "acc_wallet", "LIABILITY", limits=[{"currency": "USD", "floor": "0.00"}])
    pending = (await rest.new_transaction(entity))["id"]
    (await rest.post(f"/v1/accounts/acc_frozen/freeze?entityId={entity}")).good()
    path = f"/v1/transactions?entityId={entity}"
    frozen = await rest.post(path, {**BODY, "creditAccountId": "acc_frozen"})
    assert (frozen.status, frozen.error["code"]) == (409, "account_frozen")
    tells(frozen, "creditAccountId", "unfreeze it first")
    short = await rest.post(path, {**BODY, "debitAccountId": "acc_wallet"})
    assert (short.status, short.error["code"]) == (409, "insufficient_balance")
    tells(short, "debitAccountId", "below its floor")
    new = await rest.post(f"/v1/transactions/post?entityId={entity}", {**BODY, "debitAccountId": "acc_wallet"})
    tells(new, "debitAccountId")
    legs = [
        {"accountId": "acc_bank", "side": "DEBIT", "amount": 1},
        {"accountId": "acc_frozen", "side": "CREDIT", "amount": 1},
    ]
    tells(await rest.post(path, {"postings": legs}), "postings[1].accountId")
    edited = await rest.post("/v1/transactions/edit", {"id": pending, "debit_account_id": "acc_frozen"})
    tells(edited, "debit_account_id")
    bulk = f"/v1/transactions/bulk?entityId={entity}"
    items = {"transactions": [BODY, {"postings": legs}]}
    results = (await rest.post(bulk, items)).good()["results"]
    assert results[1]["error"]["field"] == "transactions[1].postings[1].accountId"
    tells(await rest.post(bulk, {**items, "atomic": True}), "transactions[1].postings[1].accountId")


async def test_members_of_accounts_and_entities_are_named(rest: Rest, entity: str) -> None:
    path = f"/v1/accounts?entityId={entity}"
    short = await rest.post(path, {"id": "ab", "name": "x", "type": "ASSET"})
    tells(short, "id", "must have at least 3 characters, has 2")
    tells(await rest.post(path, {"id": "", "name": "x", "type": "ASSET"}), "id", "must not be empty")
    nothing = await rest.patch(f"/v1/accounts/acc_bank?entityId={entity}", {})
    tells(nothing, "body", "bankAccount", "financialType", "isCategory", "parentId", "subTypeCode")
    assert "_" not in nothing.error["message"]
    tells(await rest.patch(f"/v1/entities/{entity}", {}), "body", "timeZone")
