"""The Python client against a servicer that fails on order: what is sent again, with which key, how long."""

# ruff: noqa: N802 - the servicer's methods bear the names of the protos

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from ledger.v1 import account_service_pb2_grpc, entity_service_pb2_grpc, transaction_service_pb2_grpc
from ledger_client import (
    NO_RETRIES,
    LedgerClient,
    LedgerError,
    RetryPolicy,
    from_minor_units,
    keys,
    messages,
    money,
    paginate,
    struct,
    timestamp,
    to_datetime,
    to_decimal,
    to_minor_units,
)
from ledger_client.batch import MAX_POSTINGS, chunks
from ledger_client.client import is_loopback
from ledger_client.retry import full_jitter

TOKEN = "unit-test-token-0123456789"
Code = grpc.StatusCode


def status(code: grpc.StatusCode, reason: str = "", *, domain: str = "ledger.v1", **metadata: str) -> status_pb2.Status:
    result = status_pb2.Status(code=code.value[0], message=f"because of {reason or code.name}")
    if reason:
        detail = AnyMessage()
        detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=metadata))
        result.details.append(detail)
    return result


class Ledger(
    entity_service_pb2_grpc.EntityServiceServicer,
    account_service_pb2_grpc.AccountServiceServicer,
    transaction_service_pb2_grpc.TransactionServiceServicer,
):
    """Keeps what it is sent; fails each call with the next of `failures` while there is one."""

    def __init__(self) -> None:
        self.failures: list[status_pb2.Status] = []
        self.item_failures: dict[str, list[status_pb2.Status]] = {}
        self.requests: list[Any] = []
        self.metadata: list[dict[str, Any]] = []
        self.time_left: list[float] = []
        self.watches: list[list[int]] = []
        self.under_way = self.most_under_way = 0

    async def _take(self, request: Any, context: Any) -> None:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        self.time_left.append(context.time_remaining() or 0.0)
        if self.failures:
            await context.abort_with_status(rpc_status.to_status(self.failures.pop(0)))

    async def CreateEntity(self, request: Any, context: Any) -> Any:
        await self._take(request, context)
        return messages.CreateEntityResponse(entity=messages.Entity(id=request.entity_id))

    async def CreateAccount(self, request: Any, context: Any) -> Any:
        await self._take(request, context)
        return messages.CreateAccountResponse()

    async def ListAccounts(self, request: Any, context: Any) -> Any:
        await self._take(request, context)
        page = int(request.page_token or 0)
        following = str(page + 1) if page < 2 else ""
        return messages.ListAccountsResponse(accounts=[messages.Account(id=f"acc_{page}")], next_page_token=following)

    async def CreateTransaction(self, request: Any, context: Any) -> Any:
        await self._take(request, context)
        return messages.CreateTransactionResponse(
            transaction=messages.Transaction(idempotency_key=request.idempotency_key)
        )

    async def BatchCreateTransactions(self, request: Any, context: Any) -> Any:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self._take(request, context)
            await asyncio.sleep(0.01)
        finally:
            self.under_way -= 1
        response = messages.BatchCreateTransactionsResponse()
        for item in request.requests:
            result = response.results.add()
            failures = self.item_failures.get(item.idempotency_key)
            if failures:
                result.error.CopyFrom(failures.pop(0))
            else:
                result.response.transaction.idempotency_key = item.idempotency_key
        return response

    async def StreamCreateTransactions(self, request_iterator: Any, context: Any) -> AsyncIterator[Any]:
        index = 0
        async for item in request_iterator:
            await self._take(item, context)
            yield messages.StreamCreateTransactionsResponse(index=index)
            index += 1

    async def WatchTransactions(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await self._take(request, context)
        for sequence in self.watches.pop(0):
            yield messages.WatchTransactionsResponse(sequence=sequence)
        await context.abort_with_status(rpc_status.to_status(status(Code.UNAVAILABLE, "DRAINING")))


class Time:
    """A clock that only moves when someone sleeps, and a jitter that always picks the limit."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def policy(self, overall: float = 10.0) -> RetryPolicy:
        return RetryPolicy(
            overall=overall, first_pause=0.1, longest_pause=2.0, jitter=lambda limit: limit,
            clock=lambda: self.now, sleep=self.sleep,
        )  # fmt: skip


@asynccontextmanager
async def served(ledger: Ledger) -> AsyncIterator[str]:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    entity_service_pb2_grpc.add_EntityServiceServicer_to_server(ledger, server)
    account_service_pb2_grpc.add_AccountServiceServicer_to_server(ledger, server)
    transaction_service_pb2_grpc.add_TransactionServiceServicer_to_server(ledger, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()  # type: ignore[abstract]


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def target(ledger: Ledger) -> AsyncIterator[str]:
    async with served(ledger) as address:
        yield address


@pytest.fixture
async def client(target: str, time: Time) -> AsyncIterator[LedgerClient]:
    async with LedgerClient(target, TOKEN, retry=time.policy()) as opened:
        yield opened


def transaction(key: str = "") -> messages.CreateTransactionRequest:
    return messages.CreateTransactionRequest(
        idempotency_key=key, debit_account_id="acc_a", credit_account_id="acc_b", amount=money("1.00", "USD")
    )


# --- one call ---------------------------------------------------------------------------------------------


async def test_calls_carry_the_token_and_a_deadline(client: LedgerClient, ledger: Ledger) -> None:
    await client.transactions.CreateTransaction(transaction("k"), timeout=5.0)
    assert ledger.metadata[0]["authorization"] == f"Bearer {TOKEN}"
    assert 3.0 < ledger.time_left[0] < 6.0  # gRPC rounds timeouts up
    await client.transactions.CreateTransaction(transaction("k"))
    assert 8.0 < ledger.time_left[1] < 11.0
    # More for one attempt than all attempts of other calls have together.
    await client.transactions.CreateTransaction(transaction("k"), timeout=300.0)
    assert 250.0 < ledger.time_left[2] < 330.0


async def test_the_pause_that_the_service_asks_for_is_made(client: LedgerClient, ledger: Ledger, time: Time) -> None:
    limited = status(Code.RESOURCE_EXHAUSTED, "RATE_LIMITED", retry_after_ms="1500")
    strange = status(Code.RESOURCE_EXHAUSTED, "RATE_LIMITED", retry_after_ms="soon")
    ledger.failures = [limited, strange, limited]
    await client.transactions.CreateTransaction(transaction("k"))
    assert time.pauses == [1.6, 0.2, 1.9]


async def test_a_pause_beyond_the_time_that_is_left_is_not_begun(
    client: LedgerClient, ledger: Ledger, time: Time
) -> None:
    ledger.failures = [status(Code.RESOURCE_EXHAUSTED, "RATE_LIMITED", retry_after_ms="3600000")]
    with pytest.raises(LedgerError) as caught:
        await client.transactions.CreateTransaction(transaction("k"))
    assert (caught.value.is_definite, time.pauses) == (True, [])


@pytest.mark.parametrize(
    "failure",
    [
        *(status(code) for code in (Code.UNAVAILABLE, Code.ABORTED, Code.UNKNOWN, Code.INTERNAL)),
        status(Code.DEADLINE_EXCEEDED),
        status(Code.CANCELLED),
        status(Code.UNAVAILABLE, "OUTCOME_UNKNOWN"),
        status(Code.RESOURCE_EXHAUSTED, "QUEUE_FULL"),
        status(Code.RESOURCE_EXHAUSTED, "RATE_LIMITED"),
        status(Code.UNAVAILABLE, "AUTHENTICATION_UNAVAILABLE"),
    ],
    ids=lambda failure: failure.message,
)
async def test_an_ambiguous_failure_is_sent_again_with_the_same_key(
    client: LedgerClient, ledger: Ledger, time: Time, failure: status_pb2.Status
) -> None:
    ledger.failures = [failure, failure]
    request = transaction()
    response = await client.transactions.CreateTransaction(request)
    sent = {item.idempotency_key for item in ledger.requests}
    assert len(ledger.requests) == 3
    assert sent == {response.transaction.idempotency_key}
    assert "" not in sent
    assert time.pauses == [0.1, 0.2]
    assert request == transaction(), "the caller's message stays as it is"


@pytest.mark.parametrize(
    "failure",
    [
        status(Code.FAILED_PRECONDITION, "INSUFFICIENT_BALANCE", account_id="acc_a", available="3.00"),
        status(Code.INVALID_ARGUMENT, "INVALID_ARGUMENT", field="postings"),
        status(Code.UNAUTHENTICATED, "UNAUTHENTICATED"),
        status(Code.ALREADY_EXISTS, "IDEMPOTENCY_KEY_REUSED"),
        status(Code.UNIMPLEMENTED),
    ],
    ids=lambda failure: failure.message,
)
async def test_a_definite_refusal_is_raised_at_once(
    client: LedgerClient, ledger: Ledger, failure: status_pb2.Status
) -> None:
    ledger.failures = [failure]
    with pytest.raises(LedgerError) as raised:
        await client.transactions.CreateTransaction(transaction("k"))
    assert len(ledger.requests) == 1
    assert raised.value.is_definite
    assert not raised.value.is_retryable
    assert raised.value.request == transaction("k")
    assert raised.value.message == failure.message


async def test_the_error_tells_reason_and_metadata(client: LedgerClient, ledger: Ledger) -> None:
    ledger.failures = [status(Code.FAILED_PRECONDITION, "INSUFFICIENT_BALANCE", account_id="acc_a", floor="0.00")]
    with pytest.raises(LedgerError, match=r"^INSUFFICIENT_BALANCE: because of INSUFFICIENT_BALANCE$") as raised:
        await client.transactions.CreateTransaction(transaction("k"))
    error = raised.value
    assert (error.code, error.reason) == (Code.FAILED_PRECONDITION, "INSUFFICIENT_BALANCE")
    assert error.metadata == {"account_id": "acc_a", "floor": "0.00"}
    assert "acc_b" not in repr(error), "a representation ends up in logs and must not tell the request"


async def test_exhausted_without_a_reason_is_neither_definite_nor_sent_again(
    client: LedgerClient, ledger: Ledger
) -> None:
    # gRPC itself says this of an answer that is too long, after the call has taken effect.
    ledger.failures = [status(Code.RESOURCE_EXHAUSTED)]
    with pytest.raises(LedgerError) as raised:
        await client.transactions.CreateTransaction(transaction("k"))
    assert not raised.value.is_definite
    assert not raised.value.is_retryable


async def test_a_reason_of_another_domain_is_not_ours(client: LedgerClient, ledger: Ledger) -> None:
    ledger.failures = [status(Code.RESOURCE_EXHAUSTED, "QUEUE_FULL", domain="proxy.example")]
    with pytest.raises(LedgerError) as raised:
        await client.transactions.CreateTransaction(transaction("k"))
    assert raised.value.reason == ""


async def test_it_gives_up_in_time_and_says_that_the_outcome_is_not_known(
    client: LedgerClient, ledger: Ledger, time: Time
) -> None:
    ledger.failures = [status(Code.UNAVAILABLE, "OUTCOME_UNKNOWN")] * 100
    with pytest.raises(LedgerError) as raised:
        await client.transactions.CreateTransaction(transaction())
    assert not raised.value.is_definite
    assert raised.value.request == ledger.requests[0], "with the key, so that it can be sent again"
    assert time.now <= 1010.0
    assert time.pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]


async def test_nobody_listens() -> None:
    async with LedgerClient("127.0.0.1:1", TOKEN, retry=NO_RETRIES) as client:
        with pytest.raises(LedgerError) as raised:
            await client.accounts.GetAccount(messages.GetAccountRequest())
    assert raised.value.code is Code.UNAVAILABLE
    assert not raised.value.is_definite


async def test_no_retries_means_one_attempt(target: str, ledger: Ledger) -> None:
    ledger.failures = [status(Code.UNAVAILABLE, "DRAINING")]
    async with LedgerClient(target, TOKEN, retry=NO_RETRIES) as client:
        with pytest.raises(LedgerError, match="DRAINING"):
            await client.transactions.CreateTransaction(transaction("k"))
    assert len(ledger.requests) == 1


async def test_an_entity_without_an_id_gets_one_that_stays_the_same(client: LedgerClient, ledger: Ledger) -> None:
    ledger.failures = [status(Code.UNAVAILABLE)]
    response = await client.entities.CreateEntity(messages.CreateEntityRequest(name="Acme"))
    assert response.entity.id.startswith("entity_")
    assert {request.entity_id for request in ledger.requests} == {response.entity.id}


async def test_a_client_opens_once_and_closes(target: str) -> None:
    client = LedgerClient(target, TOKEN)
    async with client:
        with pytest.raises(RuntimeError, match="open already"):
            await client.__aenter__()
    async with client:
        await client.transactions.CreateTransaction(transaction("k"))


@pytest.mark.parametrize(
    "arguments",
    [
        {"target": ""},
        {"token": ""},
        {"token": "line\nbreak"},
        {"token": "naïve"},
        {"timeout": 0.0},
        {"plaintext": True, "credentials": grpc.ssl_channel_credentials()},
    ],
    ids=["no target", "no token", "two lines", "not ASCII", "no time", "plaintext with TLS"],
)
def test_arguments_that_make_no_client(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        LedgerClient(**{"target": "127.0.0.1:1", "token": TOKEN, **arguments})


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("127.0.0.1:50051", True),
        ("127.8.9.10:50051", True),
        ("localhost:50051", True),
        ("LOCALHOST:50051", True),
        ("[::1]:50051", True),
        ("ipv6:[::1]:50051", True),
        ("ipv4:127.0.0.1:50051", True),
        ("dns:///localhost:50051", True),
        ("unix:/run/ledger.sock", True),
        ("localhost", True),
        ("10.0.0.1:50051", False),
        ("ledger.example:443", False),
        ("localhost.example:443", False),
        ("ipv4:127.0.0.1:1,10.0.0.1:1", False),
        ("dns://8.8.8.8/localhost:1", False),
    ],
)
def test_which_targets_are_this_host(target: str, expected: bool) -> None:
    assert is_loopback(target) is expected


# --- keys -------------------------------------------------------------------------------------------------


def test_keys_are_made_only_where_they_lack() -> None:
    keyed = transaction("mine")
    assert keys.with_key(keyed) is keyed
    batch = messages.BatchCreateTransactionsRequest(requests=[keyed, transaction(), transaction()])
    first, *others = [item.idempotency_key for item in keys.with_keys(batch).requests]
    assert first == "mine"
    assert len({first, *others}) == 3
    assert [item.idempotency_key for item in batch.requests] == ["mine", "", ""]


def test_an_account_that_is_named_needs_no_key() -> None:
    named = messages.CreateAccountRequest(account_id="acc_1")
    nameless = messages.CreateAccountRequest(name="Cash")
    assert keys.with_account_key(named) is named
    assert keys.with_account_key(nameless).idempotency_key
    batch = messages.BatchCreateAccountsRequest(requests=[named, nameless])
    made = keys.with_account_keys(batch)
    assert [bool(item.idempotency_key) for item in made.requests] == [False, True]


# --- pauses -----------------------------------------------------------------------------------------------


def test_full_jitter_stays_below_its_limit() -> None:
    assert all(0.0 <= full_jitter(0.5) <= 0.5 for _ in range(1000))


async def test_pauses_do_not_overflow(time: Time) -> None:
    attempts = time.policy(overall=1e6).start()
    for _ in range(2000):
        assert await attempts.pause()
    assert time.pauses[-1] == 2.0


@pytest.mark.parametrize("limits", [{"overall": -1.0}, {"first_pause": 0.0}, {"longest_pause": 0.01}], ids=str)
def test_policies_that_make_no_sense(limits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="retry policy"):
        RetryPolicy(**limits)  # type: ignore[arg-type]


# --- batches ----------------------------------------------------------------------------------------------


async def collected(outcomes: Any) -> list[Any]:
    return [outcome async for outcome in outcomes]


async def test_batches_answer_in_order_with_a_few_under_way(client: LedgerClient, ledger: Ledger) -> None:
    requests = (transaction(f"key-{i}") for i in range(95))
    outcomes = await collected(client.batch_create("entity_1", requests, chunk=10, in_flight=3))
    assert [outcome.index for outcome in outcomes] == list(range(95))
    assert [o.response.transaction.idempotency_key for o in outcomes] == [f"key-{i}" for i in range(95)]
    assert sorted(len(request.requests) for request in ledger.requests) == [5] + [10] * 9
    assert {request.entity_id for request in ledger.requests} == {"entity_1"}
    assert 1 < ledger.most_under_way <= 3


async def test_a_batch_that_broke_is_sent_again_as_it_was(client: LedgerClient, ledger: Ledger) -> None:
    ledger.failures = [status(Code.UNAVAILABLE)]
    outcomes = await collected(client.batch_create("entity_1", [transaction(), transaction()]))
    first, second = ledger.requests
    assert first == second
    assert [o.request.idempotency_key for o in outcomes] == [r.idempotency_key for r in second.requests]


async def test_only_unsettled_items_of_a_batch_are_sent_again(client: LedgerClient, ledger: Ledger) -> None:
    ledger.item_failures = {
        "k1": [status(Code.UNAVAILABLE, "OUTCOME_UNKNOWN")],
        "k2": [status(Code.FAILED_PRECONDITION, "ACCOUNT_FROZEN", account_id="acc_a")],
        "k3": [status(Code.RESOURCE_EXHAUSTED, "QUEUE_FULL")] * 2,
    }
    outcomes = await collected(client.batch_create("entity_1", [transaction(f"k{i}") for i in range(5)]))
    sent = [[item.idempotency_key for item in request.requests] for request in ledger.requests]
    assert sent == [["k0", "k1", "k2", "k3", "k4"], ["k1", "k3"], ["k3"]]
    assert [outcome.error is None for outcome in outcomes] == [True, True, False, True, True]
    assert outcomes[2].error.reason == "ACCOUNT_FROZEN"
    assert outcomes[2].error.request.idempotency_key == "k2"


async def test_items_that_stay_unsettled_are_told(client: LedgerClient, ledger: Ledger) -> None:
    ledger.item_failures = {"k1": [status(Code.UNAVAILABLE, "OUTCOME_UNKNOWN")] * 100}
    outcomes = await collected(client.batch_create("entity_1", [transaction("k0"), transaction("k1")]))
    assert outcomes[0].response is not None
    assert not outcomes[1].error.is_definite


async def test_a_refused_batch_raises_and_stops_the_others(client: LedgerClient, ledger: Ledger) -> None:
    ledger.failures = [status(Code.PERMISSION_DENIED, "PERMISSION_DENIED", scope="write")]
    with pytest.raises(LedgerError, match="PERMISSION_DENIED"):
        await collected(client.batch_create("entity_1", [transaction() for _ in range(50)], chunk=1, in_flight=2))
    assert len(ledger.requests) <= 2
    assert not [task for task in asyncio.all_tasks() if "_send" in repr(task.get_coro())]


@pytest.mark.parametrize("limits", [{"chunk": 0}, {"chunk": 10_001}, {"in_flight": 0}], ids=str)
async def test_batch_limits(client: LedgerClient, limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="chunk must be"):
        await collected(client.batch_create("entity_1", [], **limits))


def test_chunks_keep_the_services_limits() -> None:
    large = messages.CreateTransactionRequest(idempotency_key="k", postings=[messages.Posting(account_id="acc")] * 1000)
    cut = list(chunks([large] * 90, 500))
    assert [len(chunk) for chunk in cut] == [40, 40, 10]
    assert max(sum(len(item.postings) for item in chunk) for chunk in cut) == MAX_POSTINGS
    long = messages.CreateTransactionRequest(idempotency_key="k", description="x" * 1_000_000)
    assert [len(chunk) for chunk in chunks([long] * 5, 500)] == [2, 2, 1]
    assert list(chunks([], 500)) == []


# --- pages, streams, watching -----------------------------------------------------------------------------


async def test_pages_follow_each_other(client: LedgerClient, ledger: Ledger) -> None:
    request = messages.ListAccountsRequest(entity_id="entity_1", page_size=1)
    pages = [page async for page in paginate(client.accounts.ListAccounts, request)]
    assert [page.accounts[0].id for page in pages] == ["acc_0", "acc_1", "acc_2"]
    assert [sent.page_token for sent in ledger.requests] == ["", "1", "2"]
    assert request.page_token == ""


async def test_a_stream_raises_the_clients_own_error(client: LedgerClient, ledger: Ledger) -> None:
    async def requests() -> AsyncIterator[messages.StreamCreateTransactionsRequest]:
        for key in ("a", "b"):
            yield messages.StreamCreateTransactionsRequest(request=transaction(key))

    answers = await collected(client.transactions.StreamCreateTransactions(requests()))
    assert [answer.index for answer in answers] == [0, 1]
    ledger.failures = [status(Code.UNAVAILABLE, "DRAINING")]
    with pytest.raises(LedgerError, match="DRAINING"):
        await collected(client.transactions.StreamCreateTransactions(requests()))


async def watched(client: LedgerClient, after: int, count: int) -> list[int]:
    seen: list[int] = []
    async with aclosing(client.watch("entity_1", after)) as events:
        async for event in events:
            seen.append(event.sequence)
            if len(seen) == count:
                break
    return seen


async def test_a_watch_goes_on_after_the_last_event(client: LedgerClient, ledger: Ledger) -> None:
    ledger.watches = [[8, 9], [], [10], [11, 12]]
    assert await watched(client, 7, 5) == [8, 9, 10, 11, 12]
    assert [request.after_sequence for request in ledger.requests] == [7, 9, 9, 10]


async def test_a_watch_gives_up_after_failing_in_a_row(client: LedgerClient, ledger: Ledger, time: Time) -> None:
    ledger.watches = [[1], *([[]] * 50)]
    with pytest.raises(LedgerError, match="DRAINING"):
        await watched(client, 0, 2)
    assert sum(time.pauses) <= 10.0


@pytest.mark.parametrize("second", [1, 3], ids=["repeat", "gap"])
async def test_a_watch_notices_a_gap_and_a_repeat(client: LedgerClient, ledger: Ledger, second: int) -> None:
    ledger.watches = [[1, second]]
    with pytest.raises(LedgerError, match="after event 1") as raised:
        await watched(client, 0, 2)
    assert raised.value.code is Code.DATA_LOSS


async def test_a_watch_that_is_refused_raises(client: LedgerClient, ledger: Ledger) -> None:
    ledger.failures = [status(Code.NOT_FOUND, "ENTITY_NOT_FOUND", entity_id="entity_1")]
    with pytest.raises(LedgerError, match="ENTITY_NOT_FOUND"):
        await watched(client, 0, 1)


# --- values -----------------------------------------------------------------------------------------------


def test_money() -> None:
    assert money("12.50", "USD") == messages.Money(currency="USD", amount="12.50")
    assert money(Decimal("1E+3"), "JPY").amount == "1000"
    assert from_minor_units(5, "USD", 2).amount == "0.05"
    assert from_minor_units(1250, "JPY", 0).amount == "1250"
    assert to_decimal(messages.Money(amount="-12.50")) == Decimal("-12.50")


@pytest.mark.parametrize(
    "amount", ["", "-1", "+1", "1e3", "1_000", "1,5", ".5", "5.", "NaN", "\uff11\uff12", " 1", "1\n"]
)
def test_money_refuses_what_is_no_plain_number(amount: str) -> None:
    with pytest.raises(ValueError, match="plain decimal"):
        money(amount, "USD")


@pytest.mark.parametrize("amount", [12.5, 12, True, None])
def test_money_refuses_other_types(amount: Any) -> None:
    with pytest.raises(TypeError):
        money(amount, "USD")


@pytest.mark.parametrize("amount", [Decimal(-1), Decimal("NaN"), Decimal("Infinity")])
def test_money_refuses_such_decimals(amount: Decimal) -> None:
    with pytest.raises(ValueError, match="plain decimal"):
        money(amount, "USD")


@pytest.mark.parametrize(
    ("text", "exponent", "units"),
    [("12.50", 2, 1250), ("-12.5", 2, -1250), ("0", 2, 0), ("7", 0, 7), ("9" * 36 + ".99", 2, 10**38 - 1)],
)
def test_minor_units(text: str, exponent: int, units: int) -> None:
    assert to_minor_units(text, exponent) == units
    assert to_minor_units(messages.Money(amount=text), exponent) == units


@pytest.mark.parametrize(("text", "exponent"), [("1.001", 2), ("1.0", 0), ("--1", 2), ("", 2)])
def test_minor_units_refuse(text: str, exponent: int) -> None:
    with pytest.raises(ValueError, match=r"decimal"):
        to_minor_units(text, exponent)


def test_negative_minor_units_are_no_amount() -> None:
    with pytest.raises(ValueError, match="no sign"):
        from_minor_units(-1, "USD", 2)


def test_times_need_a_zone() -> None:
    east = timezone(timedelta(hours=2))
    moment = timestamp(datetime(2024, 1, 1, 2, 0, 0, 123456, tzinfo=east))
    assert to_datetime(moment) == datetime(2024, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)
    with pytest.raises(ValueError, match="time zone"):
        timestamp(datetime(2024, 1, 1))  # noqa: DTZ001


def test_struct() -> None:
    made = struct({"a": "b", "n": None, "o": {"x": ["y"]}})
    assert json_format.MessageToDict(made) == {"a": "b", "n": None, "o": {"x": ["y"]}}
