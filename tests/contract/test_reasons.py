"""Every reason of errors.proto is raised, with its code and its metadata (DESIGN section 7, habit 2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from ledger.v1 import account_pb2, errors_pb2
from ledger.v1 import account_service_pb2 as accounts
from ledger.v1 import category_service_pb2 as categories
from ledger.v1 import entity_service_pb2 as entities
from ledger.v1 import reconciliation_service_pb2 as reconciliations
from ledger.v1 import transaction_service_pb2 as transactions
from tests.contract.requests import uploaded
from tests.helpers.builders import (
    ASSET,
    CLEARED,
    EQUITY,
    PENDING,
    money,
    new_account,
    new_category,
    new_entity,
    sequence_of,
    timestamp,
    transfer,
    unique,
)
from tests.helpers.contract import PROMISES
from tests.helpers.issuer import AUDIENCE, ISSUER, claims, rsa_key, token
from tests.helpers.processes import run_cli
from tests.helpers.rpc import ERROR_DOMAIN, Client, Refused, refusal
from tests.helpers.servers import Service, cloned, serving


@dataclass
class Scene:
    """A fresh entity: cash without limits, wallet with floor 0 and ceiling 100."""

    service: Service
    client: Client
    entity: str

    async def create(self, debit: str, credit: str, amount: str, **fields: Any) -> Any:
        return await self.client.transactions.CreateTransaction(transfer(self.entity, debit, credit, amount, **fields))

    async def account(self, method: str, request: str, **fields: Any) -> Any:
        kind = getattr(accounts, f"{request}Request")
        return await getattr(self.client.accounts, method)(kind(entity_id=self.entity, **fields))

    async def change(self, method: str, **fields: Any) -> Any:
        kind = getattr(transactions, f"{method}Request")
        request = kind(entity_id=self.entity, idempotency_key=unique("key"), **fields)
        return await getattr(self.client.transactions, method)(request)


@pytest.fixture(scope="module")
async def service(postgres: Any, template: str) -> AsyncIterator[Service]:
    async with cloned(postgres.dsn, template) as dsn, serving(dsn, checkpoint_key=None) as running:
        yield running


@pytest.fixture
async def scene(service: Service) -> Scene:
    entity = await new_entity(service.client)
    await new_account(service.client, entity, "cash", ASSET, code="1001")
    await new_account(service.client, entity, "wallet", floor="0.00", ceiling="100.00")
    return Scene(service, service.client, entity)


Raise = Callable[[Scene], Awaitable[Any]]
RAISED: dict[str, tuple[Raise, dict[str, str]]] = {}


def raises(reason: str, **metadata: str) -> Callable[[Raise], Raise]:
    """Note that this raises the reason, with these values in its metadata."""

    def note(function: Raise) -> Raise:
        RAISED[reason] = function, metadata
        return function

    return note


@raises("INVALID_ARGUMENT", field="amount.amount")
async def _(scene: Scene) -> Any:
    return await scene.create("cash", "wallet", "1e3")


@raises("UNBALANCED_TRANSACTION", field="postings", currency="USD", debits="2.00", credits="1.00")
async def _(scene: Scene) -> Any:
    request = transactions.CreateTransactionRequest(entity_id=scene.entity, idempotency_key=unique("key"))
    request.postings.add(account_id="cash", side=account_pb2.SIDE_DEBIT, amount=money("2.00"))
    request.postings.add(account_id="wallet", side=account_pb2.SIDE_CREDIT, amount=money("1.00"))
    return await scene.client.transactions.CreateTransaction(request)


@raises("UNKNOWN_CURRENCY", field="amount.currency", currency="ZZZ")
async def _(scene: Scene) -> Any:
    return await scene.create("cash", "wallet", "1.00", currency="ZZZ")


@raises("INVALID_PAGE_TOKEN", field="page_token")
async def _(scene: Scene) -> Any:
    return await scene.account("ListAccounts", "ListAccounts", page_token="made up")


@raises("UNAUTHENTICATED")
async def _(scene: Scene) -> Any:
    return await Client(scene.client.channel, None).entities.ListEntities(entities.ListEntitiesRequest())


@raises("ENTITY_NOT_FOUND", entity_id="nowhere")
async def _(scene: Scene) -> Any:
    return await scene.client.entities.GetEntity(entities.GetEntityRequest(entity_id="nowhere"))


@raises("ACCOUNT_NOT_FOUND", account_id="nobody", field="account_id")
async def _(scene: Scene) -> Any:
    return await scene.account("GetAccount", "GetAccount", account_id="nobody")


@raises("TRANSACTION_NOT_FOUND", transaction_id="txn_unknown")
async def _(scene: Scene) -> Any:
    return await scene.change("VoidTransaction", transaction_id="txn_unknown")


@raises("IDEMPOTENCY_KEY_REUSED", idempotency_key="one key", sequence="4")
async def _(scene: Scene) -> Any:
    await scene.create("cash", "wallet", "1.00", idempotency_key="one key")
    return await scene.create("cash", "wallet", "2.00", idempotency_key="one key")


@raises("ENTITY_ALREADY_EXISTS")
async def _(scene: Scene) -> Any:
    request = entities.CreateEntityRequest(entity_id=scene.entity, name="A different name")
    return await scene.client.entities.CreateEntity(request)


@raises("ACCOUNT_ALREADY_EXISTS", account_id="cash")
async def _(scene: Scene) -> Any:
    return await new_account(scene.client, scene.entity, "cash", EQUITY)


@raises("ACCOUNT_CODE_TAKEN", code="1001", account_id="cash")
async def _(scene: Scene) -> Any:
    return await new_account(scene.client, scene.entity, "other", ASSET, code="1001")


@raises("INSUFFICIENT_BALANCE", account_id="wallet", currency="USD", floor="0.00")
async def _(scene: Scene) -> Any:
    return await scene.create("wallet", "cash", "0.01")


@raises("CEILING_EXCEEDED", account_id="wallet", currency="USD", ceiling="100.00")
async def _(scene: Scene) -> Any:
    return await scene.create("cash", "wallet", "100.01", status=PENDING)


@raises("ACCOUNT_FROZEN", account_id="wallet")
async def _(scene: Scene) -> Any:
    await scene.account("FreezeAccount", "FreezeAccount", account_id="wallet")
    return await scene.create("cash", "wallet", "1.00")


@raises("ACCOUNT_CLOSED", account_id="wallet")
async def _(scene: Scene) -> Any:
    await scene.account("CloseAccount", "CloseAccount", account_id="wallet")
    return await scene.create("cash", "wallet", "1.00")


@raises("CURRENCY_NOT_ALLOWED", account_id="euros", currency="USD")
async def _(scene: Scene) -> Any:
    await new_account(scene.client, scene.entity, "euros", currencies=["EUR"])
    return await scene.create("cash", "euros", "1.00")


@raises("INVALID_STATUS", status="POSTED")
async def _(scene: Scene) -> Any:
    posted = await scene.create("cash", "wallet", "1.00")
    return await scene.change("VoidTransaction", transaction_id=posted.transaction.id)


@raises("REVERSAL_EXCEEDS_ORIGINAL", currency="USD", remaining="5.00", posting="0")
async def _(scene: Scene) -> Any:
    posted = await scene.create("cash", "wallet", "5.00")
    return await scene.change("ReverseTransaction", transaction_id=posted.transaction.id, amount=money("5.01"))


@raises("ACCOUNT_NOT_EMPTY", account_id="cash", currency="USD")
async def _(scene: Scene) -> Any:
    await scene.create("cash", "wallet", "5.00")
    return await scene.account("CloseAccount", "CloseAccount", account_id="cash")


@raises("ENTITY_ARCHIVED")
async def _(scene: Scene) -> Any:
    await scene.client.entities.ArchiveEntity(entities.ArchiveEntityRequest(entity_id=scene.entity))
    return await scene.create("cash", "wallet", "5.00")


@raises("BATCH_ABORTED", failed_index="1", failed_reason="INSUFFICIENT_BALANCE")
async def _(scene: Scene) -> Any:
    good = transfer(scene.entity, "cash", "wallet", "1.00")
    bad = transfer(scene.entity, "wallet", "cash", "2.00")
    batch = transactions.BatchCreateTransactionsRequest(entity_id=scene.entity, requests=[good, bad], atomic=True)
    refused = await refusal(scene.client.transactions.BatchCreateTransactions(batch))
    assert (refused.reason, refused.metadata["failed_index"]) == ("INSUFFICIENT_BALANCE", "1")
    return await scene.client.transactions.CreateTransaction(good)


@raises("INVALID_PARENT")
async def _(scene: Scene) -> Any:
    await new_account(scene.client, scene.entity, "parent", ASSET)
    await new_account(scene.client, scene.entity, "child", ASSET, parent_id="parent")
    request = accounts.UpdateAccountRequest(entity_id=scene.entity, account_id="parent", parent_id="child")
    request.update_mask.paths.append("parent_id")
    return await scene.client.accounts.UpdateAccount(request)


@raises("LIMIT_ALREADY_BROKEN", account_id="wallet", currency="USD", limit="2.00")
async def _(scene: Scene) -> Any:
    await scene.create("cash", "wallet", "1.00")
    request = accounts.UpdateAccountRequest(entity_id=scene.entity, account_id="wallet")
    request.limits.add(currency="USD", floor="2.00")
    request.update_mask.paths.append("limits")
    return await scene.client.accounts.UpdateAccount(request)


@raises("REVISION_MISMATCH", revision="1")
async def _(scene: Scene) -> Any:
    held = await scene.create("cash", "wallet", "1.00", status=PENDING)
    return await scene.change("ClearTransaction", transaction_id=held.transaction.id, expected_revision=2)


@raises("CHECKPOINT_KEY_MISSING")
async def _(scene: Scene) -> Any:
    return await scene.client.entities.GetCheckpoint(entities.GetCheckpointRequest(entity_id=scene.entity))


@raises("EXPIRE_TIME_PASSED")
async def _(scene: Scene) -> Any:
    past = timestamp(scene.service.clock.now() - timedelta(minutes=1))
    return await scene.create("cash", "wallet", "1.00", status=PENDING, expire_time=past)


@raises("AMOUNT_OVERFLOW", currency="USD")
async def _(scene: Scene) -> Any:
    await new_account(scene.client, scene.entity, "large")
    most = "9" * 36 + ".99"
    await scene.create("cash", "large", most)
    return await scene.create("cash", "large", "0.01")


@raises("CATEGORY_NOT_FOUND", category_id="nothing", field="category_id")
async def _(scene: Scene) -> Any:
    posted = await scene.create("cash", "wallet", "1.00")
    return await scene.change("CategorizeTransaction", transaction_id=posted.transaction.id, category_id="nothing")


@raises("CATEGORY_ALREADY_EXISTS", category_id="rent")
async def _(scene: Scene) -> Any:
    await new_category(scene.client, scene.entity, "rent")
    return await new_category(scene.client, scene.entity, "rent", name="Another name")


@raises("CATEGORY_NAME_TAKEN", name="Rent", category_id="rent")
async def _(scene: Scene) -> Any:
    await new_category(scene.client, scene.entity, "rent", name="Rent")
    return await new_category(scene.client, scene.entity, "other", name="Rent")


@raises("CATEGORY_ARCHIVED", category_id="rent", field="category_id")
async def _(scene: Scene) -> Any:
    await new_category(scene.client, scene.entity, "rent")
    await scene.client.categories.ArchiveCategory(
        categories.ArchiveCategoryRequest(entity_id=scene.entity, category_id="rent")
    )
    return await scene.create("cash", "wallet", "1.00", category_id="rent")


STATEMENT = b"Date,Amount,Description\n2026-06-02,10.00,payment\n2026-06-03,-1.00,fee\n"


@dataclass
class Reconciled:
    """The account cash, with what the bank says about it: line 1 has a CLEARED transaction that fits, line 2 none."""

    scene: Scene
    transaction: str

    async def call(self, method: str, **fields: Any) -> Any:
        message = getattr(reconciliations, f"{method}Request")
        request = message(entity_id=self.scene.entity, account_id="cash", **fields)
        return await getattr(self.scene.client.reconciliations, method)(request)

    async def match(self) -> Any:
        return await self.call("CreateMatch", line_numbers=[1], transaction_ids=[self.transaction])

    async def close(self) -> Any:
        return await self.call("CloseReconciliation", date="2026-06-03", accept_differences=True)

    async def bring(self, content: bytes, **fields: Any) -> Any:
        header = reconciliations.ImportStatementHeader(
            entity_id=self.scene.entity, account_id="cash", file_name="june.csv", **fields
        )
        upload = uploaded(reconciliations.ImportStatementRequest(header=header), content)
        return await self.scene.client.reconciliations.ImportStatement(upload)


async def reconciled(scene: Scene) -> Reconciled:
    """Bring the statement in."""
    day = timestamp(datetime(2026, 6, 2, 12, tzinfo=UTC))
    made = await scene.create("cash", "wallet", "10.00", status=CLEARED, effective_time=day)
    found = Reconciled(scene, made.transaction.id)
    await found.bring(STATEMENT, currency="USD", opening_balance="0.00")
    return found


@raises("RECONCILIATION_NOT_FOUND", account_id="cash", currency="USD")
async def _(scene: Scene) -> Any:
    return await Reconciled(scene, "").call("ListStatements", currency="USD")


@raises("MATCH_NOT_FOUND", match_number="1")
async def _(scene: Scene) -> Any:
    return await (await reconciled(scene)).call("UndoMatches", match_numbers=[1])


@raises("INVALID_MATCH_STATE", match_number="1", state="CONFIRMED")
async def _(scene: Scene) -> Any:
    cash = await reconciled(scene)
    await cash.match()
    return await cash.call("RejectMatches", match_numbers=[1])


@raises("ITEM_NOT_OPEN", line_number="1")
async def _(scene: Scene) -> Any:
    cash = await reconciled(scene)
    await cash.match()
    return await cash.call("CreateMatch", line_numbers=[1, 2])


@raises("STATEMENT_MISMATCH", field="file")
async def _(scene: Scene) -> Any:
    cash = await reconciled(scene)
    return await cash.bring(b"Date,Amount,Currency\n2026-06-05,10.00,EUR\n", currency="USD")


@raises("RECONCILIATION_UNFINISHED", obstacle="statement_balance", count="1")
async def _(scene: Scene) -> Any:
    return await (await reconciled(scene)).call("CloseReconciliation", date="2026-06-03")


@raises("RECONCILIATION_CLOSED", date="2026-06-03")
async def _(scene: Scene) -> Any:
    cash = await reconciled(scene)
    await cash.close()
    return await cash.bring(b"Date,Amount\n2026-06-01,3.00\n")


@raises("TRANSACTION_RECONCILED", account_id="cash")
async def _(scene: Scene) -> Any:
    cash = await reconciled(scene)
    await cash.match()
    await cash.close()
    return await scene.change("VoidTransaction", transaction_id=cash.transaction)


ELSEWHERE = {
    "WORK_TOO_LARGE": "tests/integration/test_workshop.py",
    "RECONCILIATION_CHANGED": "tests/unit/test_domain_decide_reconciliation.py",
    "PERMISSION_DENIED": "tests/contract/test_permissions.py",
    "TOO_MANY_WATCHERS": "tests/e2e/test_watch.py",
    "DRAINING": "tests/e2e/test_lifecycle.py",
    "QUEUE_FULL": "below",
    "RATE_LIMITED": "below",
    "AUTHENTICATION_UNAVAILABLE": "below",
    "QUERY_TOO_BROAD": "below",
    "DATABASE_UNAVAILABLE": "tests/concurrency/test_commit_cut.py, tests/unit/test_committer.py",
    "OUTCOME_UNKNOWN": "tests/concurrency/test_commit_cut.py, tests/unit/test_committer.py",
    "INTERNAL": "tests/unit/test_committer.py",
}
"""Reasons that need more than a request."""

RECORDED = {
    "ACCOUNT_CLOSED",
    "ACCOUNT_FROZEN",
    "AMOUNT_OVERFLOW",
    "BATCH_ABORTED",
    "CATEGORY_ARCHIVED",
    "CATEGORY_NOT_FOUND",
    "CEILING_EXCEEDED",
    "CURRENCY_NOT_ALLOWED",
    "EXPIRE_TIME_PASSED",
    "INSUFFICIENT_BALANCE",
    "INVALID_STATUS",
    "REVERSAL_EXCEEDS_ORIGINAL",
    "REVISION_MISMATCH",
    "TRANSACTION_NOT_FOUND",
    "TRANSACTION_RECONCILED",
}
"""Refusals of writes with a key that depended on state: the event is the last of the history."""


def test_every_reason_is_raised_somewhere() -> None:
    reasons = {name.removeprefix("ERROR_REASON_") for name in errors_pb2.ErrorReason.DESCRIPTOR.values_by_name} - {
        "UNSPECIFIED"
    }
    assert set(RAISED) | set(ELSEWHERE) == reasons
    assert set(PROMISES) == reasons
    assert not set(RAISED) & set(ELSEWHERE)


@pytest.mark.parametrize("reason", RAISED)
async def test_reason(scene: Scene, reason: str) -> None:
    raise_it, metadata = RAISED[reason]
    refused = await refusal(raise_it(scene))
    check(refused, reason)
    for name, value in metadata.items():
        assert refused.metadata[name] == value, refused
    if reason in RECORDED:
        request = transactions.WatchTransactionsRequest(
            entity_id=scene.entity, after_sequence=await sequence_of(scene.client, scene.entity) - 1
        )
        call = scene.client.transactions.WatchTransactions(request)
        event = await call.read()
        call.cancel()
        assert event.kind == transactions.EVENT_KIND_WRITE_REFUSED
        assert Refused(event.refusal).reason in (reason, metadata.get("failed_reason"))


def check(refused: Refused, reason: str) -> None:
    """What errors.proto promises of the reason."""
    assert refused.reason == reason, refused
    assert refused.code == PROMISES[reason].code
    assert refused.info is not None
    assert refused.info.domain == ERROR_DOMAIN
    assert PROMISES[reason].metadata <= set(refused.metadata), refused
    assert not PROMISES[reason].one_of or PROMISES[reason].one_of & set(refused.metadata), refused
    assert len(refused.message.split()) >= 3


async def test_full_queue(database: str) -> None:
    """More at once than the queue holds: some are refused, definitely, and can be sent again."""
    async with serving(database, max_queued_commands=8, max_batch_transactions=8) as service:
        entity = await new_entity(service.client)
        await new_account(service.client, entity, "cash", ASSET)
        await new_account(service.client, entity, "wallet")
        requests = [transfer(entity, "cash", "wallet", "1.00") for _ in range(200)]
        send = service.client.transactions.CreateTransaction
        answers = await asyncio.gather(*(send(request) for request in requests), return_exceptions=True)
        refused = [answer for answer in answers if isinstance(answer, Refused)]
        assert refused, "the queue was never full"
        for each in refused:
            check(each, "QUEUE_FULL")
        assert await sequence_of(service.client, entity) == 3 + len(requests) - len(refused)
        for request, answer in zip(requests, answers, strict=True):
            again = await send(request)
            assert again.replayed == (not isinstance(answer, Refused))


async def test_calls_over_the_rate(database: str) -> None:
    """Each caller has its own limit; a batch costs what it carries; a refused call can be sent again."""
    async with serving(database, rate_limit_per_second=0.5, rate_limit_burst=6) as service:
        entity = await new_entity(service.client)
        await new_account(service.client, entity, "cash", ASSET)
        await new_account(service.client, entity, "wallet")
        requests = [transfer(entity, "cash", "wallet", "1.00") for _ in range(10)]
        batch = transactions.BatchCreateTransactionsRequest(entity_id=entity, requests=requests)
        await service.client.transactions.BatchCreateTransactions(batch)
        again = transfer(entity, "cash", "wallet", "1.00")
        refused = await refusal(service.client.transactions.CreateTransaction(again))
        check(refused, "RATE_LIMITED")
        assert refused.metadata["limit"] == "calls_per_second"
        # Six to begin with, 13 spent: 8 are missing, at most; what came back meanwhile is not counted on.
        assert 2_000 < int(refused.metadata["retry_after_ms"]) <= 16_000
        stranger = Client(service.client.channel, "made-up")
        check(await refusal(stranger.entities.ListEntities(entities.ListEntitiesRequest())), "UNAUTHENTICATED")


async def outcome(call: Awaitable[Any]) -> Any:
    """The answer, or the refusal."""
    try:
        return await call
    except Refused as refused:
        return refused


async def test_too_many_calls_at_once_of_one_caller(database: str) -> None:
    async with serving(database, max_concurrent_calls=2) as service:
        entity = await new_entity(service.client)
        watch = transactions.WatchTransactionsRequest(entity_id=entity)
        watches = [service.client.transactions.WatchTransactions(watch) for _ in range(2)]
        for call in watches:
            await call.read()
        get = entities.GetEntityRequest(entity_id=entity)
        refused = await refusal(service.client.entities.GetEntity(get))
        check(refused, "RATE_LIMITED")
        assert refused.metadata["limit"] == "concurrent_calls"
        code, output, errors = await run_cli("token", "create", "--name", "other", "--scope", "read", dsn=database)
        assert code == 0, errors
        await Client(service.client.channel, output.strip()).entities.GetEntity(get)
        watches[0].cancel()
        # The server hears of it a little later.
        while isinstance(answer := await outcome(service.client.entities.GetEntity(get)), Refused):
            assert answer.reason == "RATE_LIMITED"
            await asyncio.sleep(0.01)
        watches[1].cancel()


async def test_an_issuer_that_cannot_be_asked(database: str) -> None:
    jwt = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_keys": "http://127.0.0.1:1/keys"}
    async with serving(database, **jwt) as service:
        caller = Client(service.client.channel, token(rsa_key(), claims()))
        check(await refusal(caller.entities.ListEntities(entities.ListEntitiesRequest())), "AUTHENTICATION_UNAVAILABLE")
        await service.client.entities.ListEntities(entities.ListEntitiesRequest())


async def test_query_that_takes_too_long(database: str) -> None:
    """What a search and a page of counterparties wait for ends them in time; the same calls work once it is free."""
    async with serving(database, search_seconds=0.1) as service:
        entity = await new_entity(service.client)
        search = transactions.SearchTransactionsRequest(entity_id=entity, query="rent")
        counterparties = transactions.ListCounterpartiesRequest(entity_id=entity)
        # The entity is looked up once, so that nothing but the query itself waits.
        assert (await service.client.transactions.SearchTransactions(search)).total_size == 0
        owner = await asyncpg.connect(database)
        try:
            async with owner.transaction():
                await owner.execute("LOCK TABLE ledger.events IN ACCESS EXCLUSIVE MODE")
                for send, request in (
                    (service.client.transactions.SearchTransactions, search),
                    (service.client.transactions.ListCounterparties, counterparties),
                ):
                    refused = await refusal(send(request))
                    check(refused, "QUERY_TOO_BROAD")
                    assert refused.metadata["seconds"] == "0.1"
        finally:
            await owner.close()
        assert (await service.client.transactions.SearchTransactions(search)).total_size == 0
        assert not (await service.client.transactions.ListCounterparties(counterparties)).counterparties
