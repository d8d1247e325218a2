"""The load's requests are real messages, and none is like another."""

from __future__ import annotations

import io
from itertools import pairwise

from google.protobuf import descriptor_pb2

from bench import by_ghz
from bench.dataset import BUSY, QUIET, RARE_WORD, Dataset
from bench.requests import Mix, Requests, account_id, entity_id
from ledger.v1 import transaction_service_pb2 as pb


def test_the_patterns_with_holes_make_valid_messages() -> None:
    requests = Requests(Mix(entities=3, accounts=50), seed=0xABCDEF01)
    single = pb.CreateTransactionRequest.FromString(requests.single())
    batch = pb.BatchCreateTransactionsRequest.FromString(requests.batch(20, 2))
    streamed = pb.StreamCreateTransactionsRequest.FromString(requests.streamed())
    everything = [single, *batch.requests, streamed.request]
    assert batch.entity_id == entity_id(2)
    assert {one.entity_id for one in batch.requests} == {entity_id(2)}
    assert len({one.idempotency_key for one in everything}) == 22
    for one in everything:
        assert one.entity_id in {entity_id(number) for number in range(3)}
        assert {one.debit_account_id, one.credit_account_id} <= {account_id(number) for number in range(50)}
        assert one.debit_account_id != one.credit_account_id
        assert 10_000 <= float(one.amount.amount) < 100_000
        assert one.status == pb.CreateTransactionRequest(status=3).status


def test_other_seeds_make_other_keys() -> None:
    mix = Mix()
    keys = {pb.CreateTransactionRequest.FromString(Requests(mix, seed).single()).idempotency_key for seed in (1, 2, 3)}
    assert len(keys) == 3


def test_a_hot_account_is_a_leg_of_every_transaction_on_both_sides() -> None:
    requests = Requests(Mix(accounts=50, hot=True), seed=1)
    found = [pb.CreateTransactionRequest.FromString(requests.single()) for _ in range(100)]
    assert all(account_id(0) in {one.debit_account_id, one.credit_account_id} for one in found)
    assert sum(one.debit_account_id == account_id(0) for one in found) == 50


def test_requests_for_ghz_are_delimited_and_described(tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "requests"
    by_ghz.write(path, Requests(Mix(), seed=7), 5)
    file, found = io.BytesIO(path.read_bytes()), []
    while first := file.read(1):
        length, shift = first[0] & 0x7F, 7
        while first[0] & 0x80:
            first = file.read(1)
            length |= (first[0] & 0x7F) << shift
            shift += 7
        found.append(pb.CreateTransactionRequest.FromString(file.read(length)).idempotency_key)
    assert found == [f"key-00000007-{number:010d}" for number in range(1, 6)]
    described = descriptor_pb2.FileDescriptorSet.FromString(by_ghz.descriptors())
    names = [one.name for one in described.file]
    assert "ledger/v1/transaction_service.proto" in names
    # Each after those that it needs, as readers of such a set expect.
    for place, one in enumerate(described.file):
        assert set(one.dependency) <= set(names[:place])


def test_the_large_ledger_is_what_its_targets_speak_of(tmp_path: object) -> None:
    from pathlib import Path

    ledger = Dataset.of(Path(str(tmp_path)), 10_000)
    requests = [ledger.request(number) for number in range(ledger.transactions)]
    assert len({one.idempotency_key for one in requests}) == 10_000
    assert all(one.debit_account_id != one.credit_account_id for one in requests)
    busy = sum(BUSY in {one.debit_account_id, one.credit_account_id} for one in requests)
    quiet = sum(QUIET in {one.debit_account_id, one.credit_account_id} for one in requests)
    assert (busy, quiet) == (2_000, 10)
    assert sum(RARE_WORD in one.description for one in requests) == 10
    backdated = sum(
        later.effective_time.seconds < earlier.effective_time.seconds for earlier, later in pairwise(requests)
    )
    assert backdated == 9
