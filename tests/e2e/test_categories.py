"""Categories, and which transaction has which."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from ledger.v1 import account_service_pb2 as accounts
from ledger.v1 import category_pb2, transaction_pb2
from ledger.v1 import category_service_pb2 as categories
from ledger.v1 import entity_service_pb2 as entities
from ledger.v1 import transaction_service_pb2 as transactions
from tests.helpers.builders import (
    CLEARED,
    EXPIRED,
    PENDING,
    POSTED,
    VOIDED,
    balance,
    money,
    new_accounts,
    new_category,
    new_entity,
    sequence_of,
    timestamp,
    transfer,
    unique,
)
from tests.helpers.rpc import Client, Refused, refusal
from tests.helpers.watching import read_history

if TYPE_CHECKING:
    from tests.helpers.servers import Service

ACTIVE = category_pb2.CATEGORY_STATE_ACTIVE
ARCHIVED = category_pb2.CATEGORY_STATE_ARCHIVED


async def office(client: Client) -> str:
    """An entity with two accounts: sequence 3."""
    entity = await new_entity(client)
    await new_accounts(client, entity, ["cash", "shop"])
    return entity


async def create(client: Client, entity: str, name: str, **fields: Any) -> categories.CreateCategoryResponse:
    request = categories.CreateCategoryRequest(entity_id=entity, name=name, **fields)
    answer: categories.CreateCategoryResponse = await client.categories.CreateCategory(request)
    return answer


async def get(client: Client, entity: str, category_id: str) -> category_pb2.Category:
    request = categories.GetCategoryRequest(entity_id=entity, category_id=category_id)
    return (await client.categories.GetCategory(request)).category


async def update(
    client: Client, entity: str, category_id: str, paths: list[str], **fields: Any
) -> categories.UpdateCategoryResponse:
    request = categories.UpdateCategoryRequest(
        entity_id=entity, category_id=category_id, update_mask=FieldMask(paths=paths), **fields
    )
    answer: categories.UpdateCategoryResponse = await client.categories.UpdateCategory(request)
    return answer


async def archive(client: Client, entity: str, category_id: str, **fields: Any) -> categories.ArchiveCategoryResponse:
    request = categories.ArchiveCategoryRequest(entity_id=entity, category_id=category_id, **fields)
    answer: categories.ArchiveCategoryResponse = await client.categories.ArchiveCategory(request)
    return answer


async def names(client: Client, entity: str, *, size: int = 2, include_archived: bool = False) -> list[str]:
    """Names of all pages; each but the last is full."""
    request = categories.ListCategoriesRequest(entity_id=entity, page_size=size, include_archived=include_archived)
    told: list[str] = []
    while True:
        answer = await client.categories.ListCategories(request)
        told += [each.name for each in answer.categories]
        if not answer.next_page_token:
            return told
        assert len(answer.categories) == size
        request.page_token = answer.next_page_token


async def pay(client: Client, entity: str, **fields: Any) -> transaction_pb2.Transaction:
    request = transfer(entity, "cash", "shop", "10.00", **fields)
    return (await client.transactions.CreateTransaction(request)).transaction


async def give(
    client: Client, entity: str, transaction_id: str, category_id: str, **fields: Any
) -> transactions.CategorizeTransactionResponse:
    fields.setdefault("idempotency_key", unique("key"))
    request = transactions.CategorizeTransactionRequest(
        entity_id=entity, transaction_id=transaction_id, category_id=category_id, **fields
    )
    answer: transactions.CategorizeTransactionResponse = await client.transactions.CategorizeTransaction(request)
    return answer


async def change(client: Client, method: str, entity: str, transaction_id: str, **fields: Any) -> Any:
    kind = getattr(transactions, f"{method}Request")
    request = kind(entity_id=entity, transaction_id=transaction_id, idempotency_key=unique("key"), **fields)
    return await getattr(client.transactions, method)(request)


async def approve(client: Client, entity: str, transaction_id: str) -> None:
    request = transactions.ApproveTransactionsRequest(entity_id=entity, idempotency_key=unique("key"))
    request.approvals.add(transaction_id=transaction_id)
    await client.transactions.ApproveTransactions(request)


# Categories themselves.


async def test_created_as_sent(client: Client) -> None:
    entity = await office(client)
    request = categories.CreateCategoryRequest(
        entity_id=entity, category_id="rent-1.a_B", name="Nájem 🏠", idempotency_key="a key"
    )
    request.metadata.update({"číslo": 12, "list": [1, None, {"deep": "x"}]})
    answer = await client.categories.CreateCategory(request)
    made = answer.category
    assert not answer.replayed
    assert (made.entity_id, made.id, made.name, made.state) == (entity, "rent-1.a_B", "Nájem 🏠", ACTIVE)
    assert made.metadata == request.metadata
    assert (made.sequence, made.revision) == (4, 1)
    assert made.create_time == made.update_time
    assert await get(client, entity, "rent-1.a_B") == made
    own = (await create(client, entity, "Other")).category
    assert own.id.startswith("cat_")
    assert len(own.id) == 30


async def test_created_again(client: Client) -> None:
    """By key, by id, or refused by the name where there is neither."""
    entity = await office(client)
    by_key = await create(client, entity, "By key", idempotency_key="key")
    again = await create(client, entity, "By key", idempotency_key="key")
    assert (again.replayed, again.category) == (True, by_key.category)
    assert (await refusal(create(client, entity, "Else", idempotency_key="key"))).reason == "IDEMPOTENCY_KEY_REUSED"
    by_id = await create(client, entity, "By id", category_id="by-id")
    again = await create(client, entity, "By id", category_id="by-id")
    assert (again.replayed, again.category) == (True, by_id.category)
    for name in ("Else", "By key"):
        refused = await refusal(create(client, entity, name, category_id="by-id"))
        assert refused.reason == "CATEGORY_ALREADY_EXISTS"
    keyed = await refusal(create(client, entity, "By id", category_id="by-id", idempotency_key="new"))
    assert keyed.reason == "CATEGORY_ALREADY_EXISTS"
    await create(client, entity, "Neither")
    refused = await refusal(create(client, entity, "Neither"))
    assert refused.reason == "CATEGORY_NAME_TAKEN"
    assert await sequence_of(client, entity) == 7, "only the refusal under a key is recorded"


async def test_first_answer_again_after_changes(client: Client) -> None:
    entity = await office(client)
    made = await create(client, entity, "Rent", category_id="rent", idempotency_key="create")
    renamed = await update(client, entity, "rent", ["name"], name="Lease", idempotency_key="update")
    archived = await archive(client, entity, "rent", idempotency_key="archive")
    assert (archived.category.state, archived.category.revision) == (ARCHIVED, 3)
    again = await create(client, entity, "Rent", category_id="rent", idempotency_key="create")
    assert (again.replayed, again.category) == (True, made.category)
    again_renamed = await update(client, entity, "rent", ["name"], name="Lease", idempotency_key="update")
    assert (again_renamed.replayed, again_renamed.category) == (True, renamed.category)
    again_archived = await archive(client, entity, "rent", idempotency_key="archive")
    assert (again_archived.replayed, again_archived.category) == (True, archived.category)
    # Without a key the id stands for it, and the answer is how it is now.
    as_now = await create(client, entity, "Rent", category_id="rent")
    assert (as_now.replayed, as_now.category) == (True, archived.category)
    assert await sequence_of(client, entity) == 6


async def test_changes(client: Client) -> None:
    entity = await office(client)
    made = (await create(client, entity, "Rent", category_id="rent", metadata={"a": 1})).category
    renamed = (await update(client, entity, "rent", ["name"], name="Lease", metadata={"b": 2})).category
    assert (renamed.name, renamed.metadata, renamed.revision) == ("Lease", made.metadata, 2)
    assert renamed.create_time == made.create_time
    assert renamed.update_time.ToNanoseconds() > made.update_time.ToNanoseconds()
    noted = (await update(client, entity, "rent", ["metadata"], name="Else", metadata={"b": 2})).category
    assert (noted.name, dict(noted.metadata), noted.revision) == ("Lease", {"b": 2}, 3)
    cleared = (await update(client, entity, "rent", ["metadata"], expected_revision=3)).category
    assert (not cleared.metadata.fields, cleared.revision) == (True, 4)
    refused = await refusal(update(client, entity, "rent", ["name"], name="Else", expected_revision=3))
    assert (refused.reason, refused.metadata["revision"]) == ("REVISION_MISMATCH", "4")
    same = (await update(client, entity, "rent", ["name"], name="Lease")).category
    assert same.revision == 5
    assert await get(client, entity, "rent") == same


async def test_names_are_unique_among_the_active(client: Client) -> None:
    entity = await office(client)
    await new_category(client, entity, "first", name="Rent")
    await new_category(client, entity, "second", name="rent")
    refused = await refusal(update(client, entity, "second", ["name"], name="Rent"))
    assert (refused.reason, refused.metadata) == ("CATEGORY_NAME_TAKEN", {"name": "Rent", "category_id": "first"})
    await update(client, entity, "first", ["name"], name="Lease")
    await update(client, entity, "second", ["name"], name="Rent")
    await archive(client, entity, "second")
    await new_category(client, entity, "third", name="Rent")
    await archive(client, entity, "third")
    await update(client, entity, "first", ["name"], name="Rent")
    assert await names(client, entity, include_archived=True) == ["Rent", "Rent", "Rent"]


async def test_archived_for_good(client: Client) -> None:
    entity = await office(client)
    await new_category(client, entity, "rent", name="Rent")
    first = await archive(client, entity, "rent")
    assert (first.replayed, first.category.state, first.category.revision) == (False, ARCHIVED, 2)
    second = await archive(client, entity, "rent")
    assert (second.replayed, second.category) == (True, first.category)
    for paths in (["name"], ["metadata"]):
        refused = await refusal(update(client, entity, "rent", paths, name="Else"))
        assert refused.reason == "CATEGORY_ARCHIVED"
    assert await get(client, entity, "rent") == first.category


async def test_lists_by_name_then_id(client: Client) -> None:
    entity, other = await office(client), await office(client)
    await new_category(client, other, "theirs", name="Theirs")
    for category_id, name in (("c-1", "b"), ("c-2", "a"), ("c-3", "B"), ("c-4", "á"), ("c-5", "same"), ("c-6", "a b")):
        await new_category(client, entity, category_id, name=name)
    await archive(client, entity, "c-5")
    await new_category(client, entity, "c-0", name="same")
    await archive(client, entity, "c-2")
    active = ["B", "a b", "b", "same", "á"]
    every = ["B", "a", "a b", "b", "same", "same", "á"]
    for size in (1, 2, 3, 1000):
        assert await names(client, entity, size=size) == active
        assert await names(client, entity, size=size, include_archived=True) == every
    request = categories.ListCategoriesRequest(entity_id=entity, include_archived=True)
    listed = (await client.categories.ListCategories(request)).categories
    assert [each.id for each in listed if each.name == "same"] == ["c-0", "c-5"]
    page = await client.categories.ListCategories(categories.ListCategoriesRequest(entity_id=entity, page_size=1))
    for other_query in (
        categories.ListCategoriesRequest(entity_id=entity, include_archived=True),
        categories.ListCategoriesRequest(entity_id=other),
    ):
        other_query.page_token = page.next_page_token
        assert (await refusal(client.categories.ListCategories(other_query))).reason == "INVALID_PAGE_TOKEN"


async def test_archived_entity_takes_no_changes(client: Client) -> None:
    entity = await office(client)
    await new_category(client, entity, "rent")
    paid = await pay(client, entity)
    await client.entities.ArchiveEntity(entities.ArchiveEntityRequest(entity_id=entity))
    for call in (
        create(client, entity, "Other"),
        update(client, entity, "rent", ["name"], name="Other"),
        archive(client, entity, "rent"),
        give(client, entity, paid.id, "rent"),
    ):
        assert (await refusal(call)).reason == "ENTITY_ARCHIVED"
    assert (await get(client, entity, "rent")).state == ACTIVE


async def test_many_at_once(client: Client) -> None:
    """Of those that want one name one gets it; what uses a category while it is made finds it, or does not."""
    entity = await office(client)
    wanted = [refusal_or(create(client, entity, "Rent")) for _ in range(30)]
    made = [each for each in await asyncio.gather(*wanted) if each != "CATEGORY_NAME_TAKEN"]
    assert len(made) == 1
    calls = []
    for number in range(20):
        calls.append(refusal_or(new_category(client, entity, f"c-{number}")))
        calls.append(refusal_or(pay(client, entity, category_id=f"c-{number}")))
        calls.append(refusal_or(update(client, entity, f"c-{number}", ["name"], name=f"New {number}")))
        calls.append(refusal_or(archive(client, entity, f"c-{number}")))
    answers = await asyncio.gather(*calls)
    refused = {answer for answer in answers if isinstance(answer, str) and answer.isupper()}
    assert refused <= {"CATEGORY_NOT_FOUND", "CATEGORY_ARCHIVED"}
    every = await names(client, entity, size=1000, include_archived=True)
    assert len(every) == 21


async def refusal_or(call: Any) -> Any:
    """The answer, or the reason of the refusal."""
    try:
        return await call
    except Refused as refused:
        return refused.reason


# Of transactions.


async def test_given_at_creation(client: Client) -> None:
    entity = await office(client)
    await new_category(client, entity, "rent")
    held = await pay(client, entity, status=PENDING, category_id="rent")
    assert held.category_id == "rent"
    await change(client, "EditTransaction", entity, held.id, description="edited")
    await change(client, "ClearTransaction", entity, held.id)
    await approve(client, entity, held.id)
    request = transactions.ListTransactionRevisionsRequest(entity_id=entity, transaction_id=held.id)
    revisions = (await client.transactions.ListTransactionRevisions(request)).revisions
    assert [each.category_id for each in revisions] == ["rent"] * 4
    reversal = (await change(client, "ReverseTransaction", entity, held.id)).transaction
    assert reversal.category_id == ""


async def test_batches_with_categories(client: Client) -> None:
    entity = await office(client)
    await new_category(client, entity, "rent")
    await new_category(client, entity, "old")
    await archive(client, entity, "old")
    batch = transactions.BatchCreateTransactionsRequest(entity_id=entity)
    batch.requests.extend(
        transfer("", "cash", "shop", "1.00", category_id=category) for category in ("rent", "none", "old", "")
    )
    answer = await client.transactions.BatchCreateTransactions(batch)
    assert [result.WhichOneof("outcome") for result in answer.results] == ["response", "error", "error", "response"]
    atomic = transactions.BatchCreateTransactionsRequest(entity_id=entity, atomic=True)
    atomic.requests.extend(transfer("", "cash", "shop", "1.00", category_id=category) for category in ("rent", "old"))
    refused = await refusal(client.transactions.BatchCreateTransactions(atomic))
    assert refused.reason == "CATEGORY_ARCHIVED"
    assert refused.metadata["failed_index"] == "1"
    assert refused.metadata["field"] == "requests[1].category_id"
    rehearsal = transfer(entity, "cash", "shop", "1.00", category_id="none", validate_only=True)
    assert (await refusal(client.transactions.CreateTransaction(rehearsal))).reason == "CATEGORY_NOT_FOUND"
    rehearsal.category_id = "rent"
    assert (await client.transactions.CreateTransaction(rehearsal)).transaction.category_id == "rent"


async def test_given_in_every_status(service: Service) -> None:
    """And taken away again; nothing else changes, the balances least of all."""
    client = service.client
    entity = await office(client)
    await new_category(client, entity, "rent")
    deadline = timestamp(service.clock.now() + timedelta(hours=1))
    made = {
        PENDING: await pay(client, entity, status=PENDING, description="one", reference="r", counterparty="Ann"),
        CLEARED: await pay(client, entity, status=CLEARED, metadata={"a": 1}),
        POSTED: await pay(client, entity),
        VOIDED: await pay(client, entity, status=PENDING),
        EXPIRED: await pay(client, entity, status=PENDING, expire_time=deadline),
    }
    await change(client, "VoidTransaction", entity, made[VOIDED].id)
    service.clock.advance(timedelta(hours=2))
    await pay(client, entity)
    before = [await balance(client, entity, each) for each in ("cash", "shop")]
    for status, one in made.items():
        read = transactions.GetTransactionRequest(entity_id=entity, transaction_id=one.id)
        was = (await client.transactions.GetTransaction(read)).transaction
        answer = await give(client, entity, one.id, "rent")
        now = answer.transaction
        assert (now.status, now.category_id, now.revision, now.sequence) == (
            status, "rent", was.revision + 1, answer.sequence,
        )  # fmt: skip
        assert (answer.category.id, answer.replayed) == ("rent", False)
        assert now.actor != ""
        assert now.update_time.ToNanoseconds() > was.update_time.ToNanoseconds()
        for name in ("category_id", "revision", "sequence", "update_time", "actor"):
            for each in (was, now):
                each.ClearField(name)
        assert now == was
        taken = await give(client, entity, one.id, "")
        assert (taken.transaction.category_id, taken.HasField("category")) == ("", False)
        assert (await client.transactions.GetTransaction(read)).transaction == taken.transaction
    after = [await balance(client, entity, each) for each in ("cash", "shop")]
    for each in (*before, *after):
        each.ClearField("sequence")
    assert after == before


async def test_life_goes_on_after_it(client: Client) -> None:
    """An open one is edited, cleared and approved as before; a posted one reversed; each by its present revision."""
    entity = await office(client)
    await new_category(client, entity, "rent")
    held = await pay(client, entity, status=PENDING)
    assert (await give(client, entity, held.id, "rent", expected_revision=1)).transaction.revision == 2
    refused = await refusal(change(client, "ClearTransaction", entity, held.id, expected_revision=1))
    assert refused.reason == "REVISION_MISMATCH"
    await change(client, "EditTransaction", entity, held.id, debit_account_id="cash", description="x")
    await change(client, "ClearTransaction", entity, held.id, expected_revision=3)
    await give(client, entity, held.id, "rent", expected_revision=4)
    await approve(client, entity, held.id)
    await give(client, entity, held.id, "", expected_revision=6)
    refused = await refusal(give(client, entity, held.id, "rent", expected_revision=6))
    assert (refused.reason, refused.metadata["revision"]) == ("REVISION_MISMATCH", "7")
    assert (await refusal(change(client, "VoidTransaction", entity, held.id))).reason == "INVALID_STATUS"
    first = (await change(client, "ReverseTransaction", entity, held.id, amount=money("4.00"))).transaction
    await give(client, entity, held.id, "rent")
    await give(client, entity, first.id, "rent")
    await change(client, "ReverseTransaction", entity, held.id)
    assert (await refusal(change(client, "ReverseTransaction", entity, first.id))).reason == "INVALID_STATUS"
    read = transactions.GetTransactionRequest(entity_id=entity, transaction_id=held.id)
    now = (await client.transactions.GetTransaction(read)).transaction
    assert (now.revision, now.category_id, len(now.reversed_by_transaction_ids)) == (8, "rent", 2)
    request = transactions.ListTransactionRevisionsRequest(entity_id=entity, transaction_id=held.id, page_size=3)
    told = (await client.transactions.ListTransactionRevisions(request)).revisions
    assert [(each.revision, each.category_id) for each in told] == [(1, ""), (2, "rent"), (3, "rent")]


async def test_frozen_and_closed_accounts_do_not_matter(client: Client) -> None:
    entity = await office(client)
    await new_category(client, entity, "rent")
    paid = await pay(client, entity)
    held = await pay(client, entity, status=PENDING)
    await client.accounts.FreezeAccount(accounts.FreezeAccountRequest(entity_id=entity, account_id="cash"))
    for one in (paid, held):
        assert (await give(client, entity, one.id, "rent")).transaction.category_id == "rent"
    await change(client, "VoidTransaction", entity, held.id)
    await client.accounts.UnfreezeAccount(accounts.UnfreezeAccountRequest(entity_id=entity, account_id="cash"))
    await change(client, "ReverseTransaction", entity, paid.id)
    await client.accounts.CloseAccount(accounts.CloseAccountRequest(entity_id=entity, account_id="shop"))
    assert (await give(client, entity, paid.id, "")).transaction.category_id == ""


async def test_due_ones_have_expired(service: Service) -> None:
    """Whose time is over has ended before it gets its category."""
    client = service.client
    entity = await office(client)
    await new_category(client, entity, "rent")
    deadline = timestamp(service.clock.now() + timedelta(hours=1))
    held = await pay(client, entity, status=PENDING, expire_time=deadline)
    assert (await give(client, entity, held.id, "rent")).transaction.status == PENDING
    service.clock.advance(timedelta(hours=2))
    refused = await refusal(give(client, entity, held.id, "", expected_revision=2))
    assert (refused.reason, refused.metadata["revision"]) == ("REVISION_MISMATCH", "3")
    given = await give(client, entity, held.id, "", expected_revision=3)
    assert (given.transaction.status, given.transaction.revision) == (EXPIRED, 4)


async def test_given_once(client: Client) -> None:
    entity = await office(client)
    await new_category(client, entity, "rent")
    await new_category(client, entity, "fun")
    paid = await pay(client, entity)
    first = await give(client, entity, paid.id, "rent", idempotency_key="give")
    await give(client, entity, paid.id, "fun")
    await archive(client, entity, "rent")
    again = await give(client, entity, paid.id, "rent", idempotency_key="give")
    assert again.replayed
    assert (again.transaction, again.sequence) == (first.transaction, first.sequence)
    for category, revision in (("fun", 0), ("", 0), ("rent", 1)):
        call = give(client, entity, paid.id, category, idempotency_key="give", expected_revision=revision)
        assert (await refusal(call)).reason == "IDEMPOTENCY_KEY_REUSED"
    late = await refusal(give(client, entity, paid.id, "rent", idempotency_key="late"))
    assert late.reason == "CATEGORY_ARCHIVED"
    told_again = await refusal(give(client, entity, paid.id, "rent", idempotency_key="late"))
    assert (told_again.reason, told_again.metadata["replayed"]) == ("CATEGORY_ARCHIVED", "true")
    look = transactions.LookUpTransactionRequest(entity_id=entity, idempotency_key="give")
    (found,) = (await client.transactions.LookUpTransaction(look)).transactions
    assert (found.id, found.category_id) == (paid.id, "fun")


async def test_archived_ones_stay_where_they_are(client: Client) -> None:
    entity = await office(client)
    await new_category(client, entity, "rent")
    held = await pay(client, entity, status=PENDING, category_id="rent")
    await archive(client, entity, "rent")
    await change(client, "EditTransaction", entity, held.id, description="edited")
    await approve(client, entity, held.id)
    read = transactions.GetTransactionRequest(entity_id=entity, transaction_id=held.id)
    assert (await client.transactions.GetTransaction(read)).transaction.category_id == "rent"
    assert (await refusal(give(client, entity, held.id, "rent"))).reason == "CATEGORY_ARCHIVED"
    assert (await give(client, entity, held.id, "")).transaction.category_id == ""


async def test_lists_by_status_are_not_doubled(client: Client) -> None:
    """A revision more in a final status makes no second transaction."""
    entity = await office(client)
    await new_category(client, entity, "rent")
    held = [await pay(client, entity, status=PENDING) for _ in range(3)]
    for one in held:
        await give(client, entity, one.id, "rent")
    await change(client, "VoidTransaction", entity, held[0].id)
    await approve(client, entity, held[1].id)
    for one in held:
        for category in ("", "rent"):
            await give(client, entity, one.id, category)
    for account in ("", "cash"):
        for statuses, expected in (
            ([VOIDED], [held[0]]),
            ([VOIDED, EXPIRED], [held[0]]),
            ([POSTED], [held[1]]),
            ([PENDING, CLEARED], [held[2]]),
            ([VOIDED, POSTED], held[:2]),
            ([], held),
        ):
            request = transactions.ListTransactionsRequest(
                entity_id=entity, statuses=statuses, account_id=account, ascending=True
            )
            listed = (await client.transactions.ListTransactions(request)).transactions
            assert [each.id for each in listed] == [each.id for each in expected]
            assert {each.category_id for each in listed} == {"rent"}


async def test_events(client: Client) -> None:
    """Each change is told, once, as it was after it."""
    entity = await office(client)
    start = await sequence_of(client, entity)
    made = await create(client, entity, "Rent", category_id="rent", idempotency_key="create")
    renamed = await update(client, entity, "rent", ["name"], name="Lease", idempotency_key="rename")
    paid = await pay(client, entity, category_id="rent")
    taken = await give(client, entity, paid.id, "", idempotency_key="take")
    archived = await archive(client, entity, "rent", idempotency_key="archive")
    await refusal(give(client, entity, paid.id, "rent", idempotency_key="late"))
    events = await read_history(client, entity, start + 6, start)
    kinds = ["CATEGORY_CREATED", "CATEGORY_CHANGED", "TRANSACTION_CREATED", "TRANSACTION_CATEGORIZED"]
    kinds += ["CATEGORY_CHANGED", "WRITE_REFUSED"]
    assert [transactions.EventKind.Name(each.kind) for each in events] == [f"EVENT_KIND_{kind}" for kind in kinds]
    assert [each.idempotency_key for each in events if each.kind != transactions.EVENT_KIND_TRANSACTION_CREATED] == [
        "create", "rename", "take", "archive", "late",
    ]  # fmt: skip
    assert [events[place].category for place in (0, 1, 4)] == [made.category, renamed.category, archived.category]
    assert events[3].transaction == taken.transaction
    assert [each.actor for each in events] == [taken.transaction.actor] * 6
    assert events[3].recorded_time == taken.transaction.update_time


async def test_history_before_categories_is_seen_as_it_was(client: Client) -> None:
    """Balances as known at a sequence in between are those of that time."""
    entity = await office(client)
    await new_category(client, entity, "rent")
    held = await pay(client, entity, status=PENDING)
    given = await give(client, entity, held.id, "rent")
    await approve(client, entity, held.id)
    request = accounts.GetBalanceRequest(entity_id=entity, account_id="shop", currency="USD")
    request.moment.known_sequence = given.sequence
    (known,) = (await client.accounts.GetBalance(request)).balances
    assert (known.posted.amount, known.pending.amount) == ("0.00", "10.00")


# What accounts say about themselves.


async def test_accounts_say_more_of_themselves(client: Client) -> None:
    entity = await office(client)
    request = accounts.CreateAccountRequest(
        entity_id=entity,
        account_id="bank",
        name="Bank",
        type="ACCOUNT_TYPE_ASSET",
        financial_type="CASH",
        sub_type_code="CHECKING",
        is_category=True,
        bank_account={"id": "b-1", "name": "Operating", "mask": "0042", "type": "CHECKING", "institution_id": "i-1"},
    )
    made = (await client.accounts.CreateAccount(request)).account
    for name in ("financial_type", "sub_type_code", "is_category", "bank_account"):
        assert getattr(made, name) == getattr(request, name)
    again = await client.accounts.CreateAccount(request)
    assert (again.replayed, again.account) == (True, made)
    request.bank_account.mask = "0043"
    assert (await refusal(client.accounts.CreateAccount(request))).reason == "ACCOUNT_ALREADY_EXISTS"
    read = accounts.GetAccountRequest(entity_id=entity, account_id="bank")
    assert (await client.accounts.GetAccount(read)).account == made
    first = accounts.UpdateAccountRequest(
        entity_id=entity, account_id="bank", update_mask=FieldMask(paths=["financial_type"]), financial_type="RENT",
        sub_type_code="not asked for", idempotency_key="first",
    )  # fmt: skip
    changed = (await client.accounts.UpdateAccount(first)).account
    assert (changed.financial_type, changed.sub_type_code, changed.is_category) == ("RENT", "CHECKING", True)
    assert changed.bank_account == made.bank_account
    paths = ["financial_type", "sub_type_code", "is_category", "bank_account"]
    second = accounts.UpdateAccountRequest(entity_id=entity, account_id="bank", update_mask=FieldMask(paths=paths))
    emptied = (await client.accounts.UpdateAccount(second)).account
    assert (emptied.financial_type, emptied.sub_type_code, emptied.is_category) == ("", "", False)
    assert not emptied.HasField("bank_account")
    assert (await client.accounts.GetAccount(read)).account == emptied
    replayed = await client.accounts.UpdateAccount(first)
    assert (replayed.replayed, replayed.account) == (True, changed)
    events = await read_history(client, entity, 6, 3)
    assert [each.account for each in events] == [made, changed, emptied]


@pytest.mark.parametrize("mask", ["", "12", "123", "A1b2"])
async def test_masks(client: Client, mask: str) -> None:
    entity = await office(client)
    request = accounts.CreateAccountRequest(entity_id=entity, name="Bank", type="ACCOUNT_TYPE_ASSET")
    request.bank_account.id, request.bank_account.name, request.bank_account.mask = "b-1", "Operating", mask
    assert (await client.accounts.CreateAccount(request)).account.bank_account == request.bank_account
