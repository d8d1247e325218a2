"""The next batch of an entity is decided while the one before it is written; whatever becomes of that one."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import structlog.testing

from ledger_service.application.ports import Conflict, Unavailable
from ledger_service.domain.decide import Applied, Recorded
from ledger_service.domain.errors import Reason
from ledger_service.domain.transaction import Status
from tests.helpers.committing import committing, create, freeze
from tests.helpers.fake_store import FakeStore


@pytest.fixture
def store() -> FakeStore:
    return FakeStore([1, 2])


async def test_the_next_batch_is_decided_while_one_is_written(store: FakeStore) -> None:
    async with committing(store, least_ahead=1) as harness:
        write = store.gate("write")
        one = harness.put(1, "one")
        await harness.reached(write.reached)
        two = harness.put(1, "two")
        write.open()
        assert [type(outcome) for outcome in await harness.answer(two)] == [Applied]
        assert one.future.done(), "answered before the one after it"
        assert (store.followed, store.confirmed) == (1, 1)
    assert store.commits == [{1: ["one"]}, {1: ["two"]}]
    harness.assert_acknowledged_is_committed()
    assert [len(calls) for calls in zip(*store.lock_calls, strict=True)] == [1, 1], "under one lock"


async def test_what_comes_as_late_as_during_the_commit_is_decided_before_its_answer(store: FakeStore) -> None:
    async with committing(store, least_ahead=3) as harness:
        commit = store.gate("commit")
        harness.put(1, "one")
        await harness.reached(commit.reached)
        harness.put(2, "of another entity")
        for number in range(2):
            harness.put(1, f"next {number}")
        for _ in range(5):
            await asyncio.sleep(0)
        assert store.followed == 0, "three of the entity are worth it, two are not"
        harness.put(1, "next 2")
        for _ in range(5):
            await asyncio.sleep(0)
        assert store.followed == 1
        commit.open()
        await harness.settled()
        assert (store.followed, store.confirmed) == (1, 1)
    assert {1: ["next 0", "next 1", "next 2"]} in store.commits
    harness.assert_acknowledged_is_committed()


async def test_a_long_row_of_batches(store: FakeStore) -> None:
    """Each is decided on the one before it, which is not committed yet."""
    async with committing(store, least_ahead=1, max_commit_commands=2) as harness:
        for number in range(40):
            harness.put(1, f"key {number}")
        await harness.settled()
        assert store.confirmed == 19, "all but the first"
    assert len(store.commits) == 20
    assert store.committed_keys(1) == [f"key {number}" for number in range(40)]
    harness.assert_acknowledged_is_committed()


async def test_fewer_than_are_worth_it_wait(store: FakeStore) -> None:
    async with committing(store, least_ahead=3, max_commit_commands=2) as harness:
        for number in range(4):
            harness.put(1, f"key {number}")
        await harness.settled()
        assert store.followed == 0
    harness.assert_acknowledged_is_committed()


@pytest.mark.parametrize("step", ["write", "commit"])
@pytest.mark.parametrize("error", [Conflict, Unavailable])
async def test_the_one_before_it_is_not_committed_at_first(store: FakeStore, step: str, error: type[Exception]) -> None:
    async with committing(store, least_ahead=1, max_commit_commands=1) as harness:
        store.fail(step, error)
        harness.put(1, "one")
        harness.put(1, "two")
        await harness.settled()
        assert store.confirmed == 0, "what was decided on something that did not come to pass"
    assert store.committed_keys(1) == ["one", "two"]
    harness.assert_acknowledged_is_committed()


@pytest.mark.parametrize("fate", ["done", "dropped", "late"])
async def test_the_answer_to_the_commit_before_it_is_lost(store: FakeStore, fate: str) -> None:
    async with committing(store, least_ahead=1, max_commit_commands=1) as harness:
        store.lost_commits.append(fate)
        harness.put(1, "one")
        harness.put(1, "two")
        await harness.settled()
    assert store.committed_keys(1) == ["one", "two"]
    harness.assert_acknowledged_is_committed()


async def test_the_one_before_it_stays_unknown(store: FakeStore) -> None:
    """The next one has nothing to do with that: it is written, and answered."""
    async with committing(store, least_ahead=1, max_commit_commands=1, write_timeout_seconds=0.2) as harness:
        store.lost_commits.append("done")
        store.fail("was_committed", Unavailable, times=-1)
        one = harness.put(1, "one")
        two = harness.put(1, "two")
        assert await harness.reason(one) is Reason.OUTCOME_UNKNOWN
        assert [type(outcome) for outcome in await harness.answer(two)] == [Applied]
    assert store.committed_keys(1) == ["one", "two"]


async def test_a_key_of_the_batch_before_it(store: FakeStore) -> None:
    async with committing(store, least_ahead=1, max_commit_commands=1) as harness:
        harness.put(1, "same")
        again = harness.put(1, "same")
        [outcome] = await harness.answer(again)
        assert isinstance(outcome, Recorded), "a replay"
        assert (store.followed, store.confirmed) == (1, 0)
    assert store.committed_keys(1) == ["same"]


async def test_something_has_come_due(store: FakeStore) -> None:
    """What expires first may decide otherwise."""
    async with committing(store, least_ahead=1, max_commit_commands=1) as harness:
        later = store.now + timedelta(seconds=1)
        harness.put(1, create("pending", status=Status.PENDING, expire_time=later))
        await harness.settled()
        commit = store.gate("commit")
        harness.put(1, "one")
        harness.put(1, "two")
        await harness.reached(commit.reached)
        store.now = later
        commit.open()
        await harness.settled()
        assert (store.followed, store.confirmed) == (1, 0)
    assert [event.kind for event in store.ledgers[1].events] == [1, 1, 6, 1], "it expires before the last one"


async def test_another_process_had_its_turn(store: FakeStore) -> None:
    """A stint is over after the first batch; somebody else is faster to the lock, and writes."""
    async with committing(store, least_ahead=1, max_commit_commands=1, stint_seconds=0.0) as harness:
        turns = 0

        def others_turn(step: str) -> None:
            nonlocal turns
            if step == "lock":
                turns += 1
                if turns == 2:
                    ledger = store.ledgers[1]
                    ledger.sequence += 1
                    ledger.events.append(ledger.events[-1]._replace(sequence=ledger.sequence, idempotency_key="theirs"))

        store.before = others_turn
        harness.put(1, "one")
        harness.put(1, "two")
        await harness.settled()
        assert turns == 2, "the lock was given back in between"
        assert (store.followed, store.confirmed) == (1, 0)
    assert store.committed_keys(1) == ["one", "theirs", "two"]
    assert [event.sequence for event in store.ledgers[1].events] == [3, 4, 5]


@pytest.mark.parametrize("step", ["write", "commit"])
@pytest.mark.parametrize("poisoned", ["one-0", "two-1", "three-0"])
async def test_the_database_refuses_an_item(store: FakeStore, step: str, poisoned: str) -> None:
    """Only the unit that is behind it is harmed, and the order stays."""
    store.poison.add(poisoned)
    store.poison_step = step
    with structlog.testing.capture_logs() as logs:
        async with committing(store, least_ahead=1, max_commit_commands=2) as harness:
            units = {name: harness.put(1, f"{name}-0", f"{name}-1") for name in ("one", "two", "three", "four")}
            await harness.settled()
            harmed = poisoned.split("-", maxsplit=1)[0]
            assert await harness.reason(units[harmed]) is Reason.INTERNAL
    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["write_failed"]
    assert store.committed_keys(1) == [f"{name}-{place}" for name in units for place in (0, 1) if name != harmed]
    harness.assert_acknowledged_is_committed()


async def test_a_change_of_an_account_between(store: FakeStore) -> None:
    async with committing(store, least_ahead=1) as harness:
        harness.put(1, "one")
        frozen = harness.put(1, freeze("freeze"))
        refused = harness.put(1, "two")
        await harness.settled()
        assert [type(outcome) for outcome in await harness.answer(frozen)] == [Applied]
        [outcome] = await harness.answer(refused)
        assert "frozen" in str(outcome).lower()


async def test_another_entity_that_no_lane_is_free_for_has_its_turn(store: FakeStore) -> None:
    """However much waits for the first one."""
    async with committing(store, least_ahead=1, max_commit_commands=1, stint_seconds=0.0) as harness:
        commit = store.gate("commit")
        for number in range(20):
            harness.put(1, f"hot {number}")
        await harness.reached(commit.reached)
        other = harness.put(2, "other")
        commit.open()
        await harness.answer(other)
        assert len(store.committed_keys(1)) < 5
        await harness.settled()
    harness.assert_acknowledged_is_committed()


async def test_the_one_before_it_is_given_up_and_another_process_writes_as_much(store: FakeStore) -> None:
    """The sequence is then as foreseen, and what was decided is wrong all the same (found by tests.simulation)."""
    async with committing(store, least_ahead=1, max_commit_commands=1, write_timeout_seconds=0.0) as harness:

        def others_turn(step: str) -> None:
            if step == "rollback":
                ledger = store.ledgers[1]
                ledger.sequence += 1
                assert store.followed == 1, "the test shows nothing"

        store.before = others_turn
        store.fail("commit", Conflict)
        one = harness.put(1, "one")
        harness.put(1, "two")
        assert await harness.reason(one) is Reason.DATABASE_UNAVAILABLE
        await harness.settled()
        assert store.confirmed == 0
    assert store.committed_keys(1) == ["two"]
    assert [head.number for head in store.ledgers[1].heads.values()] == [1, 1], "as if there had been no other"


async def test_no_more_is_decided_ahead_than_may_be_in_one_go(store: FakeStore) -> None:
    async with committing(store, least_ahead=1, most_ahead=3) as harness:
        write = store.gate("write")
        harness.put(1, "one")
        await harness.reached(write.reached)
        for number in range(4):
            harness.put(1, f"small {number}-0", f"small {number}-1")
        harness.put(1, *(f"large {place}" for place in range(4)))
        write.open()
        await harness.settled()
        sizes = [len(commit[1]) for commit in store.commits]
        assert sizes == [1, 2, 2, 2, 2, 4], "a unit is not cut"
        assert store.confirmed == 4, "and one that is too large is decided in its own turn"
    harness.assert_acknowledged_is_committed()
