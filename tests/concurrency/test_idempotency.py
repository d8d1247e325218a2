"""At most once (DESIGN rule 4), whatever arrives twice, at the same time, at another process."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from ledger.v1 import account_service_pb2 as accounts
from ledger.v1 import transaction_service_pb2 as transactions
from tests.helpers.builders import (
    ASSET,
    LIABILITY,
    PENDING,
    balance,
    money,
    new_account,
    new_entity,
    sequence_of,
    transfer,
    unique,
)
from tests.helpers.processes import serve
from tests.helpers.rpc import Client, Refused, connect
from tests.helpers.servers import TOKEN, assert_sound, cloned

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ledger_service.storage.embedded import EmbeddedPostgres

CONNECTIONS = 16
AT_ONCE = 48


@dataclass
class Two:
    """Two processes, and connections enough to reach both."""

    clients: list[Client]
    entity: str = ""

    async def at_once(self, method: str, requests: list[Any], service: str = "transactions") -> list[Any]:
        """Send all at the same time over all connections; answers or refusals."""
        calls = [
            getattr(getattr(self.clients[index % CONNECTIONS], service), method)(request)
            for index, request in enumerate(requests)
        ]
        return await asyncio.gather(*calls, return_exceptions=True)


@pytest.fixture(scope="module")
async def processes(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Two]:
    async with cloned(postgres.dsn, template) as dsn:
        async with serve(tmp_path_factory.mktemp("serve"), dsn, workers=2) as server, AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connect(server.address, TOKEN)) for _ in range(CONNECTIONS)]
            yield Two(clients)
            workers = await server.commits()
            assert all(worker.get("committed", 0) > 0 for worker in workers), "one process did all the work"
        await assert_sound(dsn)


@pytest.fixture
async def two(processes: Two) -> Two:
    """A fresh entity with two accounts in it: wallet may not be overdrawn."""
    client = processes.clients[0]
    entity = await new_entity(client)
    await new_account(client, entity, "cash", ASSET)
    await new_account(client, entity, "wallet", LIABILITY, floor="0.00")
    return Two(processes.clients, entity)


def without_replayed(answer: Any) -> bytes:
    """An answer but for the flag, to compare."""
    copy = type(answer)()
    copy.CopyFrom(answer)
    copy.replayed = False
    return bytes(copy.SerializeToString(deterministic=True))


def refusal_without_replayed(refused: Refused) -> tuple[Any, ...]:
    """A refusal but for the flag, to compare."""
    metadata = tuple(sorted((name, text) for name, text in refused.metadata.items() if name != "replayed"))
    return refused.code, refused.reason, refused.message, metadata


def only_one_first(answers: list[Any]) -> Any:
    """All the same answer, exactly one of them not replayed; gives it."""
    failed = [answer for answer in answers if isinstance(answer, BaseException)]
    assert failed == []
    assert Counter(answer.replayed for answer in answers) == {False: 1, True: len(answers) - 1}
    assert len({without_replayed(answer) for answer in answers}) == 1
    return next(answer for answer in answers if not answer.replayed)


async def test_same_transaction_many_times_at_once(two: Two) -> None:
    for _ in range(5):
        before = await sequence_of(two.clients[0], two.entity)
        request = transfer(two.entity, "cash", "wallet", "10.00")
        first = only_one_first(await two.at_once("CreateTransaction", [request] * AT_ONCE))
        assert first.sequence == before + 1
        assert await sequence_of(two.clients[0], two.entity) == before + 1
    assert (await balance(two.clients[0], two.entity, "wallet")).posted.amount == "50.00"


async def test_many_transactions_each_many_times_at_once(two: Two) -> None:
    """Mixed with each other, so that duplicates meet in one commit, in the next, and at the other process."""
    distinct = [transfer(two.entity, "cash", "wallet", "1.00") for _ in range(50)]
    requests = [request for _ in range(8) for request in distinct]
    answers = await two.at_once("CreateTransaction", requests)
    for index in range(len(distinct)):
        only_one_first(answers[index :: len(distinct)])
    assert (await balance(two.clients[0], two.entity, "wallet")).posted.amount == "50.00"


async def test_refusal_many_times_at_once(two: Two) -> None:
    """All are refused alike, one refusal is recorded, and later money does not let a duplicate through."""
    before = await sequence_of(two.clients[0], two.entity)
    request = transfer(two.entity, "wallet", "cash", "10.00")
    answers = await two.at_once("CreateTransaction", [request] * AT_ONCE)
    assert {type(answer) for answer in answers} == {Refused}
    assert Counter("replayed" in answer.metadata for answer in answers) == {False: 1, True: AT_ONCE - 1}
    assert len({refusal_without_replayed(answer) for answer in answers}) == 1
    assert answers[0].reason == "INSUFFICIENT_BALANCE"
    assert await sequence_of(two.clients[0], two.entity) == before + 1
    await two.clients[0].transactions.CreateTransaction(transfer(two.entity, "cash", "wallet", "100.00"))
    late = await two.at_once("CreateTransaction", [request] * 4)
    assert {(type(answer), answer.reason) for answer in late} == {(Refused, "INSUFFICIENT_BALANCE")}
    assert (await balance(two.clients[0], two.entity, "wallet")).posted.amount == "100.00"


async def test_same_key_with_other_content_at_once(two: Two) -> None:
    """One content wins, with all its duplicates; every other content is refused, and changes nothing."""
    key = unique("key")
    amounts = ["1.00", "2.00", "3.00"]
    requests = [
        transfer(two.entity, "cash", "wallet", amount, idempotency_key=key) for amount in amounts for _ in range(16)
    ]
    answers = await two.at_once("CreateTransaction", requests)
    groups = [answers[index * 16 : (index + 1) * 16] for index in range(len(amounts))]
    winners = [index for index, group in enumerate(groups) if not isinstance(group[0], Refused)]
    assert len(winners) == 1
    first = only_one_first(groups[winners[0]])
    for index, group in enumerate(groups):
        if index not in winners:
            assert {(type(a), a.reason) for a in group} == {(Refused, "IDEMPOTENCY_KEY_REUSED")}
            assert {a.metadata["sequence"] for a in group} == {str(first.sequence)}
    assert (await balance(two.clients[0], two.entity, "wallet")).posted.amount == amounts[winners[0]]


async def test_same_key_for_another_kind_of_write_at_once(two: Two) -> None:
    """Keys are unique over all kinds of writes of an entity."""
    client = two.clients[0]
    held = await client.transactions.CreateTransaction(transfer(two.entity, "cash", "wallet", "1.00", status=PENDING))
    key = unique("key")
    void = transactions.VoidTransactionRequest(
        entity_id=two.entity, transaction_id=held.transaction.id, idempotency_key=key
    )
    freeze = accounts.FreezeAccountRequest(entity_id=two.entity, account_id="cash", idempotency_key=key)
    create = transfer(two.entity, "cash", "wallet", "5.00", idempotency_key=key)
    before = await sequence_of(client, two.entity)
    answers = await asyncio.gather(
        *(c.transactions.VoidTransaction(void) for c in two.clients[:5]),
        *(c.accounts.FreezeAccount(freeze) for c in two.clients[5:10]),
        *(c.transactions.CreateTransaction(create) for c in two.clients[10:15]),
        return_exceptions=True,
    )
    done = [index // 5 for index, answer in enumerate(answers) if not isinstance(answer, Refused)]
    assert len(done) == 5
    assert len(set(done)) == 1
    refused = [answer.reason for answer in answers if isinstance(answer, Refused)]
    assert refused == ["IDEMPOTENCY_KEY_REUSED"] * 10
    assert await sequence_of(client, two.entity) == before + 1


async def test_same_batch_many_times_at_once(two: Two) -> None:
    for atomic in (False, True):
        requests = [transfer(two.entity, "cash", "wallet", "1.00") for _ in range(20)]
        batch = transactions.BatchCreateTransactionsRequest(entity_id=two.entity, requests=requests, atomic=atomic)
        answers = await two.at_once("BatchCreateTransactions", [batch] * 12)
        assert [answer for answer in answers if isinstance(answer, BaseException)] == []
        for index in range(len(requests)):
            only_one_first([answer.results[index].response for answer in answers])
    assert (await balance(two.clients[0], two.entity, "wallet")).posted.amount == "40.00"


async def test_failing_atomic_batch_many_times_at_once(two: Two) -> None:
    """One records the refusals, all are told the same."""
    requests = [transfer(two.entity, "cash", "wallet", "1.00") for _ in range(5)]
    requests.insert(3, transfer(two.entity, "wallet", "cash", "50.00"))
    batch = transactions.BatchCreateTransactionsRequest(entity_id=two.entity, requests=requests, atomic=True)
    before = await sequence_of(two.clients[0], two.entity)
    answers = await two.at_once("BatchCreateTransactions", [batch] * 12)
    assert {(type(a), a.reason, a.metadata.get("failed_index")) for a in answers} == {
        (Refused, "INSUFFICIENT_BALANCE", "3")
    }
    assert await sequence_of(two.clients[0], two.entity) == before + len(requests)
    assert (await balance(two.clients[0], two.entity, "wallet")).entry_number == 0


async def test_duplicates_inside_one_batch(two: Two) -> None:
    """The second stands for the first; one with other content is refused alone."""
    one = transfer(two.entity, "cash", "wallet", "1.00")
    other = transfer(two.entity, "cash", "wallet", "2.00", idempotency_key=one.idempotency_key)
    batch = transactions.BatchCreateTransactionsRequest(entity_id=two.entity, requests=[one, one, other, one])
    answer = await two.clients[0].transactions.BatchCreateTransactions(batch)
    assert [result.WhichOneof("outcome") for result in answer.results] == [
        "response",
        "response",
        "error",
        "response",
    ]
    only_one_first([answer.results[index].response for index in (0, 1, 3)])
    assert not answer.results[0].response.replayed
    assert Refused(answer.results[2].error).reason == "IDEMPOTENCY_KEY_REUSED"
    assert (await balance(two.clients[0], two.entity, "wallet")).posted.amount == "1.00"


async def test_duplicates_inside_one_stream(two: Two) -> None:
    request = transfer(two.entity, "cash", "wallet", "1.00")
    message = transactions.StreamCreateTransactionsRequest(request=request)
    call = two.clients[0].transactions.StreamCreateTransactions(iter([message] * 30))
    answers = [answer async for answer in call]
    assert [answer.index for answer in answers] == list(range(30))
    only_one_first([answer.response for answer in answers])
    assert (await balance(two.clients[0], two.entity, "wallet")).posted.amount == "1.00"


async def test_same_approval_and_same_reversal_many_times_at_once(two: Two) -> None:
    client = two.clients[0]
    held = await client.transactions.CreateTransaction(transfer(two.entity, "cash", "wallet", "9.00", status=PENDING))
    approve = transactions.ApproveTransactionsRequest(
        entity_id=two.entity,
        idempotency_key=unique("key"),
        approvals=[transactions.Approval(transaction_id=held.transaction.id, amount=money("6.00"))],
    )
    only_one_first(await two.at_once("ApproveTransactions", [approve] * AT_ONCE))
    reverse = transactions.ReverseTransactionRequest(
        entity_id=two.entity,
        transaction_id=held.transaction.id,
        idempotency_key=unique("key"),
        amount=money("2.00"),
    )
    only_one_first(await two.at_once("ReverseTransaction", [reverse] * AT_ONCE))
    assert (await balance(client, two.entity, "wallet")).posted.amount == "4.00"


async def test_different_keys_race_to_end_one_transaction(two: Two) -> None:
    """Approve, void, edit with a key each: one wins, the others are told that it has ended or changed."""
    client = two.clients[0]
    for _ in range(5):
        held = await client.transactions.CreateTransaction(
            transfer(two.entity, "cash", "wallet", "1.00", status=PENDING)
        )
        place = {"entity_id": two.entity}
        number = {**place, "transaction_id": held.transaction.id}
        calls = []
        for index, each in enumerate(two.clients[:15]):
            key = {"idempotency_key": unique("race")}
            if index % 2:
                calls.append(each.transactions.VoidTransaction(transactions.VoidTransactionRequest(**number, **key)))
            else:
                approvals = [transactions.Approval(transaction_id=held.transaction.id)]
                request = transactions.ApproveTransactionsRequest(**place, **key, approvals=approvals)
                calls.append(each.transactions.ApproveTransactions(request))
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert Counter(getattr(answer, "reason", "done") for answer in answers) == {"done": 1, "INVALID_STATUS": 14}


async def test_same_account_many_times_at_once(two: Two) -> None:
    """With an id of the caller's it needs no key."""
    request = accounts.CreateAccountRequest(
        entity_id=two.entity, account_id="shared", type=ASSET, name="Shared", code="1001"
    )
    before = await sequence_of(two.clients[0], two.entity)
    only_one_first(await two.at_once("CreateAccount", [request] * 20, "accounts"))
    assert await sequence_of(two.clients[0], two.entity) == before + 1


async def test_caller_that_gives_up_and_sends_it_again(two: Two) -> None:
    """Cancelled at every stage of the way, from before it is sent until after it is answered."""
    client = two.clients[0]
    stages = 120
    keys = []
    for turns in range(stages):
        request = transfer(two.entity, "cash", "wallet", "1.00")
        keys.append(request.idempotency_key)
        call = asyncio.ensure_future(two.clients[turns % CONNECTIONS].transactions.CreateTransaction(request))
        for _ in range(turns // 2):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        again = await two.clients[(turns + 1) % CONNECTIONS].transactions.CreateTransaction(request)
        once_more = await client.transactions.CreateTransaction(request)
        assert once_more.replayed
        assert without_replayed(once_more) == without_replayed(again)
    assert (await balance(client, two.entity, "wallet")).posted.amount == f"{stages}.00"
    assert (await balance(client, two.entity, "wallet")).entry_number == stages
    for key in keys:
        found = await client.transactions.LookUpTransaction(
            transactions.LookUpTransactionRequest(entity_id=two.entity, idempotency_key=key)
        )
        assert len(found.transactions) == 1


async def test_deadline_that_passes_on_the_way(two: Two) -> None:
    """The shortest deadlines there are: whatever the answer was, the same key gives one transaction."""
    client = two.clients[0]
    requests = [transfer(two.entity, "cash", "wallet", "1.00") for _ in range(60)]
    outcomes = await asyncio.gather(
        *(
            client.transactions.CreateTransaction(request, timeout=0.0005 * (index + 1))
            for index, request in enumerate(requests)
        ),
        return_exceptions=True,
    )
    late = {outcome.code.name for outcome in outcomes if isinstance(outcome, Refused)}
    assert late <= {"DEADLINE_EXCEEDED"}
    for request in requests:
        await two.clients[1].transactions.CreateTransaction(request)
    assert (await balance(client, two.entity, "wallet")).posted.amount == "60.00"
