"""The answers to new transactions as bytes are those of the generated messages, filled by Outgoing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.v1 import money_pb2
from ledger.v1 import transaction_service_pb2 as pb
from ledger_service.domain.account import Entity, EntityState, Side
from ledger_service.domain.decide import Applied
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.domain.totals import Totals
from ledger_service.domain.transaction import BalanceAfter, Posting, Status, Transaction
from ledger_service.rpc.answer_bytes import AnswerBytes, batch_result, stream_response, tags_of
from ledger_service.rpc.errors import status_of
from ledger_service.rpc.outgoing import Outgoing

CURRENCIES = {"USD": 2, "JPY": 0, "KWD": 3, "BTC": 8, "ETH": 18, "POINTS_OF_12": 20}
NOW = datetime(2026, 11, 21, 9, 30, 0, 123_456, tzinfo=UTC)
ENTITY = Entity(
    entity_no=7, entity_id="acme", id_key=bytes(range(16)), name="Acme", time_zone="UTC", state=EntityState.ACTIVE,
    metadata=None, created_time=NOW, updated_time=NOW, revision=1, sequence=1,
)  # fmt: skip

OUT = Outgoing(CURRENCIES)
ANSWERS = AnswerBytes(CURRENCIES)

MOST = 10**38 - 1
amounts = st.one_of(st.integers(0, 200), st.integers(0, 2**63), st.integers(0, MOST))
numbers = st.one_of(st.integers(1, 300), st.integers(16_380, 16_390), st.integers(1, 2**48 - 1))
ids = st.one_of(st.sampled_from(("cash", "bank")), st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{2,63}", fullmatch=True))
texts = st.one_of(st.none(), st.text(max_size=300))
moments = st.one_of(
    st.just(NOW),
    st.timedeltas(datetime(1, 1, 2, tzinfo=UTC) - NOW, datetime(9999, 12, 30, tzinfo=UTC) - NOW).map(NOW.__add__),
    st.sampled_from((datetime(1970, 1, 1, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))),
)
plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(-1e9, 1e9), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)
objects = st.one_of(st.none(), st.dictionaries(st.text(max_size=8), plain, max_size=3).map(json.dumps))
currencies = st.sampled_from(sorted(CURRENCIES))
postings = st.builds(Posting, st.integers(0, 999), st.just(1), ids, st.sampled_from(Side), currencies, amounts)
totals = st.one_of(
    st.builds(Totals, amounts, amounts, st.just(0), st.just(0)), st.builds(Totals, amounts, amounts, amounts, amounts)
)
balances = st.builds(BalanceAfter, st.just(1), ids, st.sampled_from(Side), currencies, totals, numbers, numbers)
transactions = st.builds(
    Transaction,
    entity_no=st.just(ENTITY.entity_no), transaction_no=numbers, revision=numbers.map(lambda n: n % 2**31 or 1),
    sequence=numbers, status=st.sampled_from(Status), postings=st.lists(postings, max_size=5).map(tuple),
    postings_at=numbers, effective_time=moments, expire_time=st.one_of(st.none(), moments), created_time=moments,
    recorded_time=moments, actor=st.text(min_size=1, max_size=100), idempotency_key=texts, description=texts,
    reference=texts, counterparty=texts, category_id=st.one_of(st.none(), ids), metadata=objects,
    reverses=st.one_of(st.none(), numbers), reversed_by=st.lists(numbers, max_size=3).map(tuple),
)  # fmt: skip
answers = st.builds(
    Applied, sequence=st.one_of(st.just(0), numbers), transactions=st.tuples(transactions),
    balances=st.lists(balances, max_size=4).map(tuple), replayed=st.booleans(),
)  # fmt: skip
errors = st.builds(
    LedgerError,
    st.sampled_from(Reason),
    st.text(max_size=50),
    st.dictionaries(st.text(max_size=8), st.text(max_size=8)),
)


def message_of(answer: Applied, *, validate_only: bool = False) -> pb.CreateTransactionResponse:
    """The answer as the generated message has it."""
    message = pb.CreateTransactionResponse(
        transaction=OUT.transaction(ENTITY, answer.transactions[0]),
        replayed=answer.replayed,
        sequence=answer.sequence,
        balances=OUT.balances(answer.balances),
    )
    if validate_only and not answer.replayed:
        message.transaction.id = ""
        message.transaction.sequence = message.transaction.create_sequence = 0
        for balance in message.balances:
            balance.sequence = 0
    return message


@settings(max_examples=400)
@given(answers, st.booleans())
def test_the_bytes_are_those_of_the_generated_message(answer: Applied, validate_only: bool) -> None:
    written = ANSWERS.created(ENTITY, answer, validate_only=validate_only)
    expected = message_of(answer, validate_only=validate_only)
    assert pb.CreateTransactionResponse.FromString(written) == expected
    if answer.transactions[0].metadata is None:  # the members of an object are in no fixed order
        assert written == expected.SerializeToString()


@given(st.lists(st.one_of(answers, errors), max_size=4))
def test_a_batch(given_answers: list[Applied | LedgerError]) -> None:
    expected = pb.BatchCreateTransactionsResponse()
    written = b""
    for answer in given_answers:
        if isinstance(answer, LedgerError):
            expected.results.add(error=status_of(answer))
            written += batch_result(answer)
        else:
            expected.results.add(response=message_of(answer))
            written += batch_result(ANSWERS.created(ENTITY, answer))
    assert pb.BatchCreateTransactionsResponse.FromString(written) == expected


@given(st.one_of(st.just(0), numbers), st.one_of(answers, errors))
def test_a_message_of_a_stream(index: int, answer: Applied | LedgerError) -> None:
    if isinstance(answer, LedgerError):
        expected = pb.StreamCreateTransactionsResponse(index=index, error=status_of(answer))
        written = stream_response(index, answer)
    else:
        expected = pb.StreamCreateTransactionsResponse(index=index, response=message_of(answer))
        written = stream_response(index, ANSWERS.created(ENTITY, answer))
    assert pb.StreamCreateTransactionsResponse.FromString(written) == expected


def test_the_largest_there_is() -> None:
    """A thousand legs of the longest ids and amounts: every length that is looked up, not reckoned, has room."""
    names = [f"{number:064d}" for number in range(1_000)]
    answer = Applied(
        2**48 - 1,
        (
            Transaction(
                7, 2**48 - 1, 1, 2**48 - 1, Status.PENDING,
                tuple(Posting(leg, leg, name, 1 + leg % 2, "POINTS_OF_12", MOST) for leg, name in enumerate(names)),
                1, NOW, NOW + timedelta(days=1), NOW, NOW, "a" * 100, "k" * 255, "d" * 70_000, None, None, None,
                None, None,
            ),
        ),
        tuple(
            BalanceAfter(1, name, 1 + place % 2, "POINTS_OF_12", Totals(MOST, place, MOST, MOST), 2**48, 2**48)
            for place, name in enumerate(names)
        ),
    )  # fmt: skip
    assert ANSWERS.created(ENTITY, answer) == message_of(answer).SerializeToString()


def with_field(name: str, number: int) -> Any:
    """The descriptor of Money with one more field, as another version of the protos would make it."""
    file = descriptor_pb2.FileDescriptorProto()
    money_pb2.DESCRIPTOR.CopyToProto(file)
    [message] = file.message_type
    message.field.add(name=name, number=number, type=9, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool.FindMessageTypeByName("ledger.v1.Money")


def test_a_new_field_can_not_be_forgotten() -> None:
    assert tags_of(money_pb2.Money.DESCRIPTOR, "currency", "amount") == (b"\x0a", b"\x12")
    with pytest.raises(RuntimeError, match=r"ledger\.v1\.Money has not the fields currency, amount"):
        tags_of(with_field("formatted", 3), "currency", "amount")
    assert tags_of(with_field("formatted", 16), "currency", "amount", "formatted")[2] == b"\x82\x01"
