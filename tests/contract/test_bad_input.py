"""Every field of every request, with everything that is wrong for it: a definite answer that names it.

The fields come from the descriptors: one without a case fails `test_every_field_has_its_cases`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.message import Message

from ledger.v1 import account_service_pb2, money_pb2
from ledger.v1 import transaction_service_pb2 as transactions
from tests.contract.cases import CASES, Case
from tests.contract.requests import (
    HOMES,
    JULY,
    METHODS,
    REQUESTS,
    World,
    build_world,
    create_transaction,
    uploaded,
)
from tests.helpers.builders import new_entity, sequence_of
from tests.helpers.contract import PROMISES
from tests.helpers.rpc import ERROR_DOMAIN, Client, Refused, refusal, refusal_of
from tests.helpers.servers import cloned, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from google.protobuf.descriptor import Descriptor, FieldDescriptor

    from ledger_service.storage.embedded import EmbeddedPostgres

ITEM = "requests[1]"
"""Where the spoilt item of a batch stands: between two that are right."""


@dataclass(frozen=True)
class Field:
    """A field of a method's request: its path by names, and as errors write it for the right request."""

    method: str
    form: str
    names: tuple[str, ...]
    path: str
    message: str

    def cases(self) -> list[Case] | None:
        """What is wrong for it; None: nobody has thought about it."""
        for name in (f"{self.method}.{'.'.join(self.names)}", f"{self.message}.{self.names[-1]}", self.names[-1]):
            if name in CASES:
                return CASES[name]
        return None


def fields_of(method: str) -> Iterator[Field]:
    """All fields of a method's request, those of messages inside it included."""
    input_type: Descriptor = METHODS[method].input_type
    yield from _walk(method, input_type, (), "")


def _walk(method: str, message: Descriptor, names: tuple[str, ...], path: str) -> Iterator[Field]:
    for field in message.fields:
        here = (*names, field.name)
        form = next((f for f in REQUESTS[method] if _is_home(method, f, here, field)), "")
        at = f"{path}.{field.name}".removeprefix(".")
        yield Field(method, form, here, at, message.name)
        if _is_ours(field):
            inner = at
            if field.is_repeated:
                count = len(_at(REQUESTS[method][form](World()), here))
                assert count, f"the request of {method} needs an item in {at}"
                inner = f"{at}[{1 if field.name == 'requests' else count - 1}]"
            yield from _walk(method, field.message_type, here, inner)


def _is_ours(field: FieldDescriptor) -> bool:
    """Whether there are fields inside it to be spoilt one by one; of a map there are not."""
    inner = field.message_type
    return inner is not None and inner.full_name.startswith("ledger.v1.") and not inner.GetOptions().map_entry


def _is_home(method: str, form: str, names: tuple[str, ...], field: FieldDescriptor) -> bool:
    """Whether the field has a place in this form of the method's request."""
    home = HOMES.get(f"{field.containing_type.name}.{field.name}")
    if home is not None:
        return form == home
    try:
        _at(REQUESTS[method][form](World()), names[:-1])
    except LookupError:
        return False
    return True


def _at(message: Any, names: tuple[str, ...]) -> Any:
    """What stands at a path of names; in repeated fields the item that is spoilt. LookupError: nothing."""
    for name in names:
        if not isinstance(message, Message):
            message = message[1 if isinstance(message[0], ITEMS) else -1]
        if message.DESCRIPTOR.fields_by_name[name].has_presence and not message.HasField(name):
            raise LookupError(name)
        message = getattr(message, name)
        if not isinstance(message, Message) and hasattr(message, "__len__") and not message:
            raise LookupError(name)
    return message


ITEMS = (transactions.CreateTransactionRequest, account_service_pb2.CreateAccountRequest)

FIELDS = [field for method in METHODS for field in fields_of(method)]
TRIED = [
    pytest.param(field, case, id=f"{field.method}-{field.path}-{case.label}")
    for field in FIELDS
    for case in field.cases() or []
]


def spoilt(field: Field, case: Case, world: World) -> Any:
    """The right request with that one thing wrong."""
    request = REQUESTS[field.method][field.form](world)
    parent = _at(request, field.names[:-1]) if len(field.names) > 1 else request
    if not isinstance(parent, Message):
        parent = parent[1 if isinstance(parent[0], ITEMS) else -1]
    case.spoil(parent, field.names[-1], world)
    return request


def expected_path(field: Field, case: Case) -> str:
    """The path that the error must name."""
    if case.at is None:
        return field.path
    parent = field.path.rpartition(".")[0]
    return f"{parent}.{case.at}".removeprefix(".").removesuffix(".")


@pytest.fixture(scope="module")
async def client(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[Client]:
    """One service for this module: what is refused changes nothing for the next."""
    async with cloned(postgres.dsn, template) as dsn, serving(dsn) as service:
        yield service.client


@pytest.fixture(scope="module")
async def world(client: Client) -> World:
    """What the requests speak of."""
    return await build_world(client)


def stub_of(client: Client, method: str) -> Any:
    """The stub that has that method."""
    service = METHODS[method].containing_service.name
    stubs = {
        "EntityService": client.entities,
        "AccountService": client.accounts,
        "TransactionService": client.transactions,
        "CategoryService": client.categories,
        "ReconciliationService": client.reconciliations,
    }
    return stubs[service]


async def answer_to(client: Client, method: str, request: Any) -> Any:
    """Send a request, of a stream the first, and give the first answer; raises Refused."""
    call = getattr(stub_of(client, method), method)
    try:
        if method == "WatchTransactions":
            stream = call(request, timeout=60)
            first = await stream.read()
            stream.cancel()
            return first
        if method == "StreamCreateTransactions":
            stream = call(iter([request]), timeout=60)
            return await stream.read()
        if method == "ImportStatement":
            return await call(uploaded(request, JULY), timeout=60)
        if method == "ExportReconciliation":
            return await call(request, timeout=60).read()
    except grpc.aio.AioRpcError as error:
        raise refusal_of(error) from None
    return await call(request)


def check(refused: Refused, reason: str, path: str) -> None:
    """The reason with its code and metadata, the path, and a message for people that says what to do."""
    assert refused.reason == reason, refused
    assert refused.code == PROMISES[reason].code, refused
    assert refused.info is not None
    assert refused.info.domain == ERROR_DOMAIN
    assert PROMISES[reason].metadata <= set(refused.metadata), refused
    if "field" in PROMISES[reason].metadata:
        assert refused.metadata["field"] == path, refused
        assert refused.message.startswith(f"{path}: "), refused
    assert len(refused.message.split()) >= 3, refused
    assert len(refused.message) < 1_000, "what was sent is not sent back at length"
    assert refused.message.isprintable(), "nothing that upsets a terminal or a log"


def test_every_field_has_its_cases() -> None:
    missing = sorted(f"{field.method}.{field.path}" for field in FIELDS if field.cases() is None)
    assert missing == []


def test_every_case_is_tried() -> None:
    """A case that no field asks for is a spelling mistake in its name."""
    used = [id(field.cases()) for field in FIELDS]
    assert [name for name, cases in CASES.items() if id(cases) not in used] == []


def test_only_flags_and_containers_take_anything() -> None:
    free = {field.names[-1] for field in FIELDS if field.cases() == []}
    flags = {"include_subtree", "ascending", "contra", "tree", "validate_only", "atomic", "is_category"}
    flags |= {"auto_confirm", "clears_transactions", "with_write_offs", "accept_differences"}
    assert free == flags | {"include_archived", "moment", "amount", "bank_account"}


@pytest.fixture(scope="module")
async def fresh(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[tuple[Client, World]]:
    """Another service, for requests that are right: each changes something of its own."""
    async with cloned(postgres.dsn, template) as dsn, serving(dsn) as service:
        yield service.client, await build_world(service.client)


@pytest.mark.parametrize(("method", "form"), [(m, form) for m, forms in REQUESTS.items() for form in forms])
async def test_what_is_spoilt_is_right_before(fresh: tuple[Client, World], method: str, form: str) -> None:
    """Every request is taken as it is: what is refused in other tests is refused for what was changed."""
    client, world = fresh
    answer = await answer_to(client, method, REQUESTS[method][form](world))
    results = getattr(answer, "results", [answer] if method.startswith("Stream") else [])
    assert [result.WhichOneof("outcome") for result in results] == ["response"] * len(results)


@pytest.mark.parametrize(("field", "case"), TRIED)
async def test_bad_field(client: Client, world: World, field: Field, case: Case) -> None:
    request = spoilt(field, case, world)
    before = await sequence_of(client, world.entity)
    path = expected_path(field, case)
    if field.method == "BatchCreateTransactions" and path.startswith(ITEM):
        await check_batch(client, request, case.reason, path)
        return
    if field.method == "StreamCreateTransactions":
        await check_stream(client, world, request, case.reason, path)
        return
    refused = await refusal(answer_to(client, field.method, request))
    check(refused, case.reason, path)
    if PROMISES[case.reason].code == grpc.StatusCode.INVALID_ARGUMENT:
        assert await sequence_of(client, world.entity) == before, "malformed requests are never recorded"


async def check_batch(client: Client, request: Any, reason: str, path: str) -> None:
    """Not atomic: the item has its error, its neighbours are committed. Atomic: nothing is."""
    answer = await client.transactions.BatchCreateTransactions(request)
    assert [result.WhichOneof("outcome") for result in answer.results] == ["response", "error", "response"]
    check(Refused(answer.results[1].error), reason, path)
    ids = {answer.results[index].response.transaction.id for index in (0, 2)}
    assert len(ids) == 2
    for transaction_id in ids:
        read = transactions.GetTransactionRequest(entity_id=request.entity_id, transaction_id=transaction_id)
        assert (await client.transactions.GetTransaction(read)).transaction.id == transaction_id


async def check_stream(client: Client, world: World, request: Any, reason: str, path: str) -> None:
    """The item has its error, and the stream goes on: the next one is committed."""
    good = [transactions.StreamCreateTransactionsRequest(request=create_transaction(world)) for _ in range(2)]
    call = client.transactions.StreamCreateTransactions(iter([good[0], request, good[1]]), timeout=60)
    answers = [answer async for answer in call]
    assert [answer.index for answer in answers] == [0, 1, 2]
    assert [answer.WhichOneof("outcome") for answer in answers] == ["response", "error", "response"]
    check(Refused(answers[1].error), reason, path)


async def test_atomic_batch_with_a_malformed_item_is_refused_as_a_whole(client: Client, world: World) -> None:
    """Nothing is recorded, so that the same keys can be sent again once the item is mended."""
    request = REQUESTS["BatchCreateTransactions"][""](world)
    request.atomic = True
    wrong = transactions.BatchCreateTransactionsRequest()
    wrong.CopyFrom(request)
    wrong.requests[1].postings[1].amount.amount = "1e3"
    before = await sequence_of(client, world.entity)
    refused = await refusal(client.transactions.BatchCreateTransactions(wrong))
    check(refused, "INVALID_ARGUMENT", "requests[1].postings[1].amount.amount")
    assert await sequence_of(client, world.entity) == before
    answer = await client.transactions.BatchCreateTransactions(request)
    assert [result.response.replayed for result in answer.results] == [False] * 3


async def test_batch_of_accounts_is_all_or_none(client: Client, world: World) -> None:
    request = REQUESTS["BatchCreateAccounts"][""](world)
    request.requests[1].type = 0
    refused = await refusal(client.accounts.BatchCreateAccounts(request))
    check(refused, "INVALID_ARGUMENT", "requests[1].type")
    for item in request.requests:
        read = account_service_pb2.GetAccountRequest(entity_id=world.entity, account_id=item.account_id)
        assert (await refusal(client.accounts.GetAccount(read))).reason == "ACCOUNT_NOT_FOUND"


async def test_key_of_a_malformed_request_is_not_used_up(client: Client, world: World) -> None:
    request = create_transaction(world)
    request.postings[0].amount.amount = "10.001"
    assert (await refusal(client.transactions.CreateTransaction(request))).reason == "INVALID_ARGUMENT"
    request.postings[0].amount.amount = "10.00"
    assert not (await client.transactions.CreateTransaction(request)).replayed


FOREIGN = [
    ("GetAccount", "account_id", "their-account", "nobody-at-all", "ACCOUNT_NOT_FOUND"),
    ("GetBalance", "account_id", "their-account", "nobody-at-all", "ACCOUNT_NOT_FOUND"),
    ("ListEntries", "account_id", "their-account", "nobody-at-all", "ACCOUNT_NOT_FOUND"),
    ("FreezeAccount", "account_id", "their-account", "nobody-at-all", "ACCOUNT_NOT_FOUND"),
    ("GetTransaction", "transaction_id", None, "txn_" + "0" * 26, "TRANSACTION_NOT_FOUND"),
    ("GetTransactionProof", "transaction_id", None, "txn_" + "0" * 26, "TRANSACTION_NOT_FOUND"),
    ("VoidTransaction", "transaction_id", None, "txn_" + "0" * 26, "TRANSACTION_NOT_FOUND"),
    ("ReverseTransaction", "transaction_id", None, "txn_" + "0" * 26, "TRANSACTION_NOT_FOUND"),
    ("CategorizeTransaction", "transaction_id", None, "txn_" + "0" * 26, "TRANSACTION_NOT_FOUND"),
    ("CategorizeTransaction", "category_id", "their-category", "no-such-thing", "CATEGORY_NOT_FOUND"),
    ("CreateTransaction", "category_id", "their-category", "no-such-thing", "CATEGORY_NOT_FOUND"),
    ("GetCategory", "category_id", "their-category", "no-such-thing", "CATEGORY_NOT_FOUND"),
    ("UpdateCategory", "category_id", "their-category", "no-such-thing", "CATEGORY_NOT_FOUND"),
    ("ArchiveCategory", "category_id", "their-category", "no-such-thing", "CATEGORY_NOT_FOUND"),
]


@pytest.mark.parametrize(
    ("method", "field", "theirs", "random", "reason"), FOREIGN, ids=[f"{row[0]}-{row[1]}" for row in FOREIGN]
)
async def test_ids_of_another_entity_answer_exactly_as_random_ones(
    client: Client, world: World, method: str, field: str, theirs: str | None, random: str, reason: str
) -> None:
    """Nobody learns from an answer whether another entity's account or transaction exists."""
    answers = []
    for value in (theirs or world.other_transaction, random):
        request = REQUESTS[method][""](world)
        setattr(request, field, value)
        refused = await refusal(answer_to(client, method, request))
        assert refused.reason == reason
        metadata = {name: text.replace(value, "ID") for name, text in refused.metadata.items()}
        answers.append((refused.code, refused.message.replace(value, "ID"), metadata))
    assert answers[0] == answers[1]


LONE_SURROGATE = b"\xed\xa0\x80"


@pytest.mark.parametrize("junk", [LONE_SURROGATE, b"\xff\xfe", b"\xc0\xaf"], ids=["surrogate", "no_utf8", "overlong"])
async def test_bytes_that_are_no_text(client: Client, world: World, junk: bytes) -> None:
    """No generated class can hold them, so they are sent as bytes; the service refuses them and goes on."""
    request = create_transaction(world)
    request.description = "PLACEHOLDER"
    payload = request.SerializeToString().replace(b"PLACEHOLDER", (junk * 4)[:11].ljust(11, b"."))
    before = await sequence_of(client, world.entity)
    refused = await refusal(client.raw("/ledger.v1.TransactionService/CreateTransaction", payload))
    assert refused.code == grpc.StatusCode.INVALID_ARGUMENT, refused
    assert await sequence_of(client, world.entity) == before
    request.description = "text"
    assert not (await client.transactions.CreateTransaction(request)).replayed


async def test_bytes_that_are_no_message(client: Client, world: World) -> None:
    for payload in (b"\x0a\xff\xff\xff\xff\x0f", b"\xff" * 64, money_pb2.Money(amount="1").SerializeToString()[:-1]):
        refused = await refusal(client.raw("/ledger.v1.TransactionService/CreateTransaction", payload))
        assert refused.code == grpc.StatusCode.INVALID_ARGUMENT, refused
    assert await sequence_of(client, world.entity) > 0


async def test_message_over_the_limit(client: Client, world: World) -> None:
    request = create_transaction(world)
    request.description = "x" * (17 * 1024 * 1024)
    refused = await refusal(client.transactions.CreateTransaction(request))
    assert refused.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await sequence_of(client, world.entity) > 0


async def test_unknown_method(client: Client) -> None:
    refused = await refusal(client.raw("/ledger.v1.TransactionService/DeleteTransaction", b""))
    assert refused.code == grpc.StatusCode.UNIMPLEMENTED


# Who asks.


@pytest.mark.parametrize(
    "token",
    [None, "", "wrong-token-0123456789", "x" * 4_000, "two words"],
    ids=["none", "empty", "unknown", "too_long", "two_words"],
)
@pytest.mark.parametrize("method", list(METHODS))
async def test_without_a_token_nothing_is_told(client: Client, world: World, method: str, token: str | None) -> None:
    """The same answer for what exists and what does not: nobody is told before it is known who asks."""
    stranger = Client(client.channel, token)
    refused = await refusal(answer_to(stranger, method, REQUESTS[method][""](world)))
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
    assert re.search(r"token|authorization", refused.message)
    assert "mine" not in refused.message


async def test_entity_beyond_the_grant_answers_the_same_whether_it_exists_or_not(client: Client) -> None:
    """Permission before existence; see tests/e2e for credentials with grants."""
    await new_entity(client, entity_id="exists")
    unknown = REQUESTS["GetEntity"][""](World(entity="does-not-exist"))
    assert (await refusal(client.entities.GetEntity(unknown))).reason == "ENTITY_NOT_FOUND"
