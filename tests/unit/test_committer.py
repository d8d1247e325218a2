"""The committer against a store in memory: what fails, in which step, and what callers are told."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import structlog.testing

from ledger_service.application.committer import Committer, outcomes_of
from ledger_service.application.ports import Conflict, DatabaseClock, Rejected, Unavailable
from ledger_service.application.queue import Submission
from ledger_service.domain.commands import Command, Unit, Write
from ledger_service.domain.decide import Applied, Outcome, Recorded, Refused
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.domain.transaction import EventKind, Status
from tests.helpers.committing import SOON, committing, create, freeze, limits_of
from tests.helpers.fake_store import NOW, FakeObserver, FakeStore

if TYPE_CHECKING:
    from collections.abc import Iterator


EVERY_STEP = ["lock", "begin", "load", "write", "commit"]


@pytest.fixture
async def store() -> FakeStore:
    return FakeStore()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


async def test_what_queues_up_during_a_commit_is_the_next_one(store: FakeStore) -> None:
    async with committing(store) as harness:
        gate = store.gate("commit")
        harness.put(1, "a")
        await harness.reached(gate.reached)
        for key in "bcdef":
            harness.put(1, key)
        gate.open()
        await harness.settled()
        assert store.commits == [{1: ["a"]}, {1: ["b", "c", "d", "e", "f"]}]
        assert harness.observer.commits == [1, 5]
        harness.assert_acknowledged_is_committed()


async def test_a_lone_unit_is_committed_without_waiting_for_others(store: FakeStore) -> None:
    async with committing(store) as harness:
        [outcome] = await harness.answer(harness.put(1, "a"))
        assert isinstance(outcome, Applied)
        assert store.commits == [{1: ["a"]}]


async def test_lone_units_go_through_the_connection_that_is_warm(store: FakeStore) -> None:
    async with committing(store, lanes=4) as harness:
        for number in range(12):
            while len(harness.committer._idle) < 4:
                await asyncio.sleep(0)
            await harness.answer(harness.put(1 + number % 3, f"key {number}"))
        assert len(store.sessions) == 1
    harness.assert_acknowledged_is_committed()


async def test_a_lane_that_leaves_something_wakes_another_one(store: FakeStore) -> None:
    async with committing(store, lanes=3, max_commit_commands=1) as harness:
        while len(harness.committer._idle) < 3:
            await asyncio.sleep(0)
        writes = [store.gate("write") for _ in range(3)]
        for number in (1, 2, 3):
            # Not by `enqueue`, which would wake a lane for each.
            unit = Unit(number, [create(f"key {number}")], postings=2)
            future: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
            harness.submissions.append(Submission(unit, future, asyncio.get_running_loop().time() + SOON))
            harness.committer.queue.add(harness.submissions[-1])
        harness.committer._wake()
        for write in writes:
            await harness.reached(write.reached)
        for write in writes:
            write.open()
        await harness.settled()
    harness.assert_acknowledged_is_committed()


async def test_entities_with_free_locks_share_a_database_transaction(store: FakeStore) -> None:
    async with committing(store) as harness:
        for entity_no, key in ((3, "c"), (1, "a"), (2, "b"), (1, "d")):
            harness.put(entity_no, key)
        await harness.settled()
        assert store.commits == [{3: ["c"], 1: ["a", "d"], 2: ["b"]}]
        assert sorted(harness.observer.progress) == [(1, 4), (2, 3), (3, 3)]
        harness.assert_acknowledged_is_committed()


@pytest.mark.parametrize(("limit", "value"), [("max_commit_commands", 2), ("max_commit_postings", 4)])
async def test_a_database_transaction_is_bounded(store: FakeStore, limit: str, value: int) -> None:
    async with committing(store, **{limit: value}) as harness:
        for key in "abcde":
            harness.put(1, key)
        await harness.settled()
        assert store.commits == [{1: ["a", "b"]}, {1: ["c", "d"]}, {1: ["e"]}]


async def test_a_unit_larger_than_a_database_transaction_goes_alone(store: FakeStore) -> None:
    async with committing(store, max_commit_commands=2) as harness:
        for commands in (("a",), ("b", "c", "d"), ("e",)):
            harness.put(1, *commands)
        await harness.settled()
        assert store.commits == [{1: ["a"]}, {1: ["b", "c", "d"]}, {1: ["e"]}]


async def test_an_entity_locked_elsewhere_is_put_back_and_at_last_waits_alone(store: FakeStore) -> None:
    async with committing(store) as harness:
        store.hold_elsewhere(2)
        first, second, third = store.gate("commit"), store.gate("commit"), store.gate("lock")
        harness.put(1, "a")
        held = harness.put(2, "x")
        third.open()  # of the first lock: it does not stop
        await harness.reached(first.reached)
        harness.put(1, "b")
        first.open()
        await harness.reached(second.reached)
        harness.put(1, "c")
        second.open()
        waiting = store.gate("lock")
        await harness.reached(waiting.reached)
        assert not held.future.done()
        waiting.open()
        store.free_elsewhere(2)
        await harness.settled()
        assert store.lock_calls[:3] == [((1, 2), (1,)), ((1, 2), (1,)), ((2,), (2,))]
        assert store.commits == [{1: ["a"]}, {1: ["b"]}, {2: ["x"]}, {1: ["c"]}]
        harness.assert_acknowledged_is_committed()


async def test_what_is_put_back_stays_before_what_came_later(store: FakeStore) -> None:
    async with committing(store) as harness:
        store.hold_elsewhere(2)
        gate = store.gate("commit")
        for entity_no, key in ((1, "a"), (2, "x"), (2, "y")):
            harness.put(entity_no, key)
        await harness.reached(gate.reached)
        harness.put(2, "z")
        gate.open()
        store.free_elsewhere(2)
        await harness.settled()
        assert store.committed_keys(2) == ["x", "y", "z"]


async def test_an_entity_is_in_one_lane_at_a_time(store: FakeStore) -> None:
    async with committing(store, lanes=3) as harness:
        gate = store.gate("commit")
        harness.put(1, "a")
        await harness.reached(gate.reached)
        harness.put(1, "b")
        await harness.answer(harness.put(2, "x"))
        assert store.commits == [{2: ["x"]}], "another lane went past the one that waits"
        gate.open()
        await harness.settled()
        assert store.commits == [{2: ["x"]}, {1: ["a"]}, {1: ["b"]}]


@pytest.mark.parametrize("step", EVERY_STEP)
async def test_a_conflict_is_tried_again_and_answered_once(store: FakeStore, step: str) -> None:
    async with committing(store) as harness:
        store.fail(step, Conflict, times=3)
        harness.put(1, "a")
        harness.put(2, "b")
        await harness.settled()
        assert store.commits == [{1: ["a"], 2: ["b"]}]
        assert harness.observer.aborts == 3
        assert len(store.sessions) == 1, "a conflict is no reason to connect anew"
        harness.assert_acknowledged_is_committed()


@pytest.mark.parametrize("step", ["open", "lock", "begin", "load", "write"])
async def test_a_broken_connection_is_replaced_and_the_batch_tried_again(store: FakeStore, step: str) -> None:
    async with committing(store) as harness:
        store.fail(step, Unavailable, times=3)
        harness.put(1, "a")
        harness.put(2, "b")
        await harness.settled()
        assert store.commits == [{1: ["a"], 2: ["b"]}]
        assert len(store.sessions) == (1 if step == "open" else 4)
        assert all(one.is_closed for one in store.sessions[:-1])
        harness.assert_acknowledged_is_committed()


@pytest.mark.parametrize("step", ["rollback", "unlock"])
async def test_a_connection_that_cannot_even_roll_back_is_dropped(store: FakeStore, step: str) -> None:
    async with committing(store) as harness:
        store.fail("write", Conflict)
        store.fail(step, Unavailable)
        await harness.answer(harness.put(1, "a"))
        assert store.commits == [{1: ["a"]}]
        assert [one.is_closed for one in store.sessions] == [True, False]


async def test_locks_that_cannot_be_given_back_go_with_the_connection(store: FakeStore) -> None:
    async with committing(store) as harness:
        store.fail("unlock", Unavailable)
        await harness.answer(harness.put(1, "a"))
        await harness.answer(harness.put(1, "b"))
        assert store.commits == [{1: ["a"]}, {1: ["b"]}]
        assert [one.is_closed for one in store.sessions] == [True, False]


@pytest.mark.parametrize("error", [Conflict, Unavailable])
@pytest.mark.parametrize("step", EVERY_STEP[:-1])
async def test_overdue_is_told_and_never_written(store: FakeStore, step: str, error: type[Exception]) -> None:
    async with committing(store) as harness:
        store.fail(step, error)
        overdue, patient = harness.put(1, "late"), harness.put(1, "patient")
        overdue.deadline = 0.0
        assert await harness.reason(overdue) is Reason.DATABASE_UNAVAILABLE
        await harness.answer(patient)
        await harness.answer(harness.put(1, "later"))
        assert store.committed_keys(1) == ["patient", "later"]
        assert harness.observer.failures == 1


async def test_a_database_that_is_away_for_good_answers_all(store: FakeStore) -> None:
    async with committing(store, write_timeout_seconds=0.05, first_pause_seconds=0.001) as harness:
        store.fail("open", Unavailable, times=-1)
        waiting = [harness.put(number, f"k{number}") for number in (1, 2, 3)]
        for one in waiting:
            assert await harness.reason(one) is Reason.DATABASE_UNAVAILABLE
        assert store.commits == []


@pytest.mark.parametrize("step", ["write", "commit"])
@pytest.mark.parametrize("entities", [1, 3])
@pytest.mark.parametrize("size", [1, 2, 5])
async def test_poison_is_found_and_its_neighbours_are_committed(size: int, entities: int, step: str) -> None:
    keys = [f"k{number}" for number in range(size)]
    for poison in keys:
        store = FakeStore()
        store.poison, store.poison_step = {poison}, step
        async with committing(store) as harness:
            waiting = {key: harness.put(1 + index % entities, key) for index, key in enumerate(keys)}
            await harness.settled()
            assert await harness.reason(waiting[poison]) is Reason.INTERNAL
            for key in set(keys) - {poison}:
                [outcome] = await harness.answer(waiting[key])
                assert isinstance(outcome, Applied)
            written = sorted(key for number in store.ledgers for key in store.committed_keys(number))
            assert written == sorted(set(keys) - {poison})
            harness.assert_acknowledged_is_committed()


async def test_several_poisons_are_each_found(store: FakeStore) -> None:
    async with committing(store) as harness:
        store.poison = {"b", "c", "f"}
        waiting = {key: harness.put(1, key) for key in "abcdefgh"}
        await harness.settled()
        failed = {key for key, one in waiting.items() if one.future.exception() is not None}
        assert failed == store.poison
        assert store.committed_keys(1) == ["a", "d", "e", "g", "h"]


async def test_poison_takes_its_own_unit_with_it_and_no_other(store: FakeStore) -> None:
    async with committing(store) as harness:
        store.poison = {"c"}
        harness.put(1, "a", "b")
        poisoned = harness.put(1, "c", "d")
        harness.put(1, "e")
        await harness.settled()
        assert await harness.reason(poisoned) is Reason.INTERNAL
        assert store.committed_keys(1) == ["a", "b", "e"]


@pytest.mark.parametrize("fate", ["done", "late"])
@pytest.mark.parametrize("trouble", [None, "open", "lock", "was_committed"])
async def test_a_lost_commit_that_was_carried_out(store: FakeStore, fate: str, trouble: str | None) -> None:
    async with committing(store) as harness:
        store.lost_commits = [fate]
        gate = store.gate("commit")
        waiting = [harness.put(1, "a"), harness.put(2, "b")]
        await harness.reached(gate.reached)
        if trouble is not None:
            store.fail(trouble, Unavailable, times=2)
        gate.open()
        for one in waiting:
            [outcome] = await harness.answer(one)
            assert isinstance(outcome, Applied)
            assert not outcome.replayed
        assert store.commits == [{1: ["a"], 2: ["b"]}]
        assert harness.observer.resolutions == 1
        harness.assert_acknowledged_is_committed()


@pytest.mark.parametrize("trouble", [None, "open", "lock", "was_committed"])
async def test_a_lost_commit_that_was_not_carried_out_is_tried_again(store: FakeStore, trouble: str | None) -> None:
    async with committing(store) as harness:
        store.lost_commits = ["dropped", "dropped"]
        gate = store.gate("commit")
        waiting = [harness.put(1, "a"), harness.put(2, "b")]
        await harness.reached(gate.reached)
        if trouble is not None:
            store.fail(trouble, Conflict if trouble == "lock" else Unavailable, times=2)
        gate.open()
        for one in waiting:
            [outcome] = await harness.answer(one)
            assert isinstance(outcome, Applied)
        assert store.commits == [{1: ["a"], 2: ["b"]}]
        assert harness.observer.resolutions == 2
        harness.assert_acknowledged_is_committed()


async def test_a_lost_commit_with_a_deadline_passed_is_not_written_again(store: FakeStore) -> None:
    async with committing(store) as harness:
        store.lost_commits = ["dropped"]
        gate = store.gate("commit")
        one = harness.put(1, "a")
        await harness.reached(gate.reached)
        one.deadline = 0.0
        gate.open()
        assert await harness.reason(one) is Reason.DATABASE_UNAVAILABLE
        assert store.commits == []


@pytest.mark.parametrize("fate", ["done", "dropped"])
async def test_a_lost_commit_that_cannot_be_resolved(store: FakeStore, fate: str) -> None:
    async with committing(store, write_timeout_seconds=0.05, first_pause_seconds=0.001) as harness:
        store.lost_commits = [fate]
        gate = store.gate("commit")
        one = harness.put(1, "a")
        await harness.reached(gate.reached)
        store.fail("was_committed", Unavailable, times=-1)
        gate.open()
        assert await harness.reason(one) is Reason.OUTCOME_UNKNOWN
        assert store.committed_keys(1) == (["a"] if fate == "done" else [])


@pytest.mark.parametrize("fate", ["done", "dropped"])
async def test_after_an_unknown_outcome_the_same_key_can_be_sent_again(store: FakeStore, fate: str) -> None:
    async with committing(store, write_timeout_seconds=0.05, first_pause_seconds=0.001) as harness:
        store.lost_commits = [fate]
        gate = store.gate("commit")
        one = harness.put(1, "a")
        await harness.reached(gate.reached)
        store.fail("was_committed", Unavailable, times=-1)
        gate.open()
        assert await harness.reason(one) is Reason.OUTCOME_UNKNOWN
        [outcome] = await harness.answer(harness.put(1, "a"))
        assert isinstance(outcome, Recorded if fate == "done" else Applied)
        assert store.committed_keys(1) == ["a"]


@pytest.mark.parametrize("size", [1, 4])
async def test_after_a_poison_its_entity_takes_writes_again(store: FakeStore, size: int) -> None:
    async with committing(store) as harness:
        keys = [f"k{number}" for number in range(size)]
        store.poison = {keys[-1]}
        for key in keys:
            harness.put(1, key)
        await harness.settled()
        await harness.answer(harness.put(1, "next"))
        assert store.committed_keys(1) == [*keys[:-1], "next"]


async def test_a_replay_is_answered_without_writing(store: FakeStore) -> None:
    async with committing(store) as harness:
        await harness.answer(harness.put(1, "a"))
        [again] = await harness.answer(harness.put(1, "a"))
        assert again == Recorded(3, 1)
        assert store.commits == [{1: ["a"]}]


async def test_a_refusal_by_a_rule_is_no_failure_of_the_batch(store: FakeStore) -> None:
    async with committing(store) as harness:
        wrong = harness.put(1, create("wrong", account_id="nobody"))
        right = harness.put(1, "right")
        [refused] = await harness.answer(wrong)
        assert isinstance(refused, Refused)
        assert refused.error.reason is Reason.ACCOUNT_NOT_FOUND
        [applied] = await harness.answer(right)
        assert isinstance(applied, Applied)
        assert store.commits == [{1: ["wrong", "right"]}], "the refusal is recorded under its key"
        assert harness.observer.refusals == ["ACCOUNT_NOT_FOUND"]
        assert harness.observer.failures == 0


async def cancelled(call: asyncio.Task[list[Outcome]]) -> None:
    """Cancel a caller and see it gone."""
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_a_caller_that_goes_before_it_is_taken_leaves_nothing(store: FakeStore) -> None:
    async with committing(store) as harness:
        gate = store.gate("commit")
        harness.put(1, "a")
        await harness.reached(gate.reached)
        call = asyncio.create_task(outcomes_of(harness.put(1, "gone")))
        await asyncio.sleep(0)  # the caller begins to wait
        await cancelled(call)
        harness.put(1, "b")
        gate.open()
        await harness.answer(harness.submissions[0])
        await harness.answer(harness.submissions[2])
        assert store.committed_keys(1) == ["a", "b"]
        assert harness.submissions[1].future.cancelled()  # by its caller: nobody has answered it


@pytest.mark.parametrize("step", EVERY_STEP)
async def test_a_caller_that_goes_after_it_is_taken_is_written(store: FakeStore, step: str) -> None:
    async with committing(store) as harness:
        gate = store.gate(step)
        call = asyncio.create_task(harness.committer.submit(Unit(1, [create("a")], postings=2)))
        await harness.reached(gate.reached)
        await cancelled(call)
        neighbour = harness.put(1, "b")
        gate.open()
        await harness.answer(neighbour)
        assert store.committed_keys(1) == ["a", "b"]


async def test_a_drain_does_not_wait_for_callers_that_are_gone(store: FakeStore) -> None:
    async with committing(store) as harness:
        gate = store.gate("unlock")
        await harness.answer(harness.put(1, "a"))
        await harness.reached(gate.reached)
        call = asyncio.create_task(outcomes_of(harness.put(1, "gone")))
        await asyncio.sleep(0)  # the caller begins to wait
        await cancelled(call)
        gate.open()
        drained = await harness.committer.drain(0.2)
        harness.committer._is_empty.set()  # so that only the assertions below fail
        assert harness.committer.queue.commands == 0
        assert drained


async def test_an_abandoned_patient_one_does_not_hold_up_the_others(store: FakeStore) -> None:
    async with committing(store) as harness:
        store.hold_elsewhere(2)
        first, second = store.gate("commit"), store.gate("commit")
        harness.put(1, "a")
        call = asyncio.create_task(outcomes_of(harness.put(2, "gone")))
        await harness.reached(first.reached)
        harness.put(1, "b")
        first.open()
        await harness.reached(second.reached)
        store.free_elsewhere(2)
        await cancelled(call)
        unlocking = store.gate("unlock")
        stuck = harness.put(1, "c")
        second.open()
        await harness.reached(unlocking.reached)
        unlocking.open()
        # Put back twice, entity 2 is tried alone; all of it is abandoned; "c" waits all the same.
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await asyncio.shield(stuck.future)
        is_written = stuck.future.done()
        harness.committer._wake()  # so that only the assertion below fails
        await harness.answer(stuck)
        assert is_written


async def test_the_queue_is_full_exactly_at_its_limit(store: FakeStore) -> None:
    async with committing(store, max_queued_commands=5) as harness:
        gate = store.gate("commit")
        harness.put(1, "a", "b")
        await harness.reached(gate.reached)
        harness.put(2, "c", "d")
        with pytest.raises(LedgerError) as caught:
            harness.put(3, "e", "f")
        assert caught.value.reason is Reason.QUEUE_FULL
        harness.put(3, "g")
        with pytest.raises(LedgerError) as caught:
            harness.put(1, "h")
        assert caught.value.reason is Reason.QUEUE_FULL
        assert max(harness.observer.waiting) == 5
        gate.open()
        await harness.settled()
        await harness.answer(harness.put(1, "i", "j", "k", "l", "m"))
        assert store.committed_keys(1) == ["a", "b", "i", "j", "k", "l", "m"]
        assert store.committed_keys(3) == ["g"]
        harness.assert_acknowledged_is_committed()


async def test_a_unit_larger_than_the_queue_is_let_in_alone(store: FakeStore) -> None:
    async with committing(store, max_queued_commands=2) as harness:
        large = harness.put(1, "a", "b", "c")
        with pytest.raises(LedgerError) as caught:
            harness.put(1, "d")
        assert caught.value.reason is Reason.QUEUE_FULL
        await harness.answer(large)
        assert store.committed_keys(1) == ["a", "b", "c"]


async def test_a_unit_without_commands_counts(store: FakeStore) -> None:
    async with committing(store, max_queued_commands=2) as harness:
        gate = store.gate("load")
        tidying = [harness.put(1), harness.put(2)]
        await harness.reached(gate.reached)
        with pytest.raises(LedgerError) as caught:
            harness.put(3)
        assert caught.value.reason is Reason.QUEUE_FULL
        gate.open()
        for one in tidying:
            assert await harness.answer(one) == []
        assert store.commits == [], "nothing was due, so nothing is written"


async def test_drain_waits_for_all_and_takes_nothing_new(store: FakeStore) -> None:
    async with committing(store) as harness:
        gate = store.gate("commit")
        harness.put(1, "a")
        await harness.reached(gate.reached)
        harness.put(1, "b")
        draining = asyncio.create_task(harness.committer.drain(SOON))
        await asyncio.sleep(0)
        with pytest.raises(LedgerError) as caught:
            harness.put(1, "c")
        assert caught.value.reason is Reason.DRAINING
        assert not draining.done()
        gate.open()
        assert await draining
        assert all(one.future.done() for one in harness.submissions)
        assert store.committed_keys(1) == ["a", "b"]


async def test_drain_says_when_it_was_not_enough_time(store: FakeStore) -> None:
    async with committing(store) as harness:
        gate = store.gate("commit")
        harness.put(1, "a")
        await harness.reached(gate.reached)
        assert not await harness.committer.drain(0.01)
        gate.open()
        assert await harness.committer.drain(SOON)
        assert store.committed_keys(1) == ["a"]


async def test_an_empty_committer_is_drained_at_once(store: FakeStore) -> None:
    async with committing(store) as harness:
        assert await harness.committer.drain(0)


@dataclass(slots=True, kw_only=True)
class Unheard(Write):
    """A command that the rules know nothing of: deciding it is a fault."""


@pytest.mark.parametrize("position", range(4))
async def test_a_fault_in_deciding_harms_its_own_unit_only(store: FakeStore, position: int) -> None:
    async with committing(store) as harness:
        fault: Any = Unheard(key="fault", fingerprint=b"", actor="a test")
        units: list[str | Command] = ["a", "b", "c"]
        units.insert(position, fault)
        made = [harness.put(1 + index % 2, unit) for index, unit in enumerate(units)]
        await harness.settled()
        assert await harness.reason(made[position]) is Reason.INTERNAL
        assert sorted(store.committed_keys(1) + store.committed_keys(2)) == ["a", "b", "c"]
        harness.assert_acknowledged_is_committed()
        await harness.answer(harness.put(1, "x"))
        await harness.answer(harness.put(2, "y"))


@pytest.mark.parametrize("step", ["open", *EVERY_STEP])
async def test_a_fault_that_passes_harms_nobody(store: FakeStore, step: str) -> None:
    async with committing(store) as harness:
        store.fail(step, RuntimeError)
        harness.put(1, "a")
        harness.put(2, "b")
        await harness.settled()
        assert store.committed_keys(1) + store.committed_keys(2) == ["a", "b"]
        harness.assert_acknowledged_is_committed()


async def test_any_fault_after_commit_was_sent_leaves_the_outcome_to_be_found_out(store: FakeStore) -> None:
    async with committing(store) as harness:
        store.after_commit = RuntimeError
        [outcome] = await harness.answer(harness.put(1, freeze(None)))
        assert isinstance(outcome, Applied)
        assert len(store.ledgers[1].events) == 1, "without a key nothing else keeps it from being written twice"


@pytest.mark.parametrize("step", ["lock", "begin", "load", "write"])
async def test_a_lane_that_breaks_is_replaced(store: FakeStore, step: str) -> None:
    async with committing(store) as harness:
        store.fail(step, RuntimeError)
        store.fail("rollback", RuntimeError)
        broken = [harness.put(1, "a"), harness.put(2, "b")]
        for one in broken:
            assert await harness.reason(one) is Reason.INTERNAL
        await harness.answer(harness.put(1, "c"))
        await harness.answer(harness.put(2, "d"))
        assert store.commits == [{1: ["c"]}, {2: ["d"]}]
        assert [one.is_closed for one in store.sessions] == [True, False]
        assert harness.observer.failures == 2


async def test_a_lane_that_breaks_after_the_answers_loses_none(store: FakeStore) -> None:
    async with committing(store) as harness:
        store.fail("unlock", RuntimeError)
        await harness.answer(harness.put(1, "a"))
        await harness.answer(harness.put(1, "b"))
        assert store.committed_keys(1) == ["a", "b"]


async def test_a_lane_that_breaks_while_it_halves_answers_all(store: FakeStore) -> None:
    async with committing(store) as harness:
        store.fail("write", Rejected)
        gate = store.gate("rollback")
        waiting = [harness.put(1, key) for key in "abcd"]
        await harness.reached(gate.reached)
        store.fail("write", RuntimeError)
        second = store.gate("rollback")
        gate.open()
        await harness.reached(second.reached)
        store.fail("rollback", RuntimeError)
        second.open()
        for one in waiting:
            assert await harness.reason(one) is Reason.INTERNAL
        await harness.answer(harness.put(1, "e"))
        assert store.commits == [{1: ["e"]}]


async def test_the_order_within_an_entity_outlives_halving(store: FakeStore) -> None:
    async with committing(store, lanes=2) as harness:
        store.fail("write", Rejected)
        first = store.gate("commit")
        for key in "abcd":
            harness.put(1, key)
        await harness.reached(first.reached)
        harness.put(1, "e")
        unlocking = store.gate("unlock")
        first.open()
        await harness.reached(unlocking.reached)
        for _ in range(20):  # whoever else may take the entity now comes as far as its lock
            await asyncio.sleep(0)
        unlocking.open()
        await harness.settled()
        assert store.committed_keys(1) == ["a", "b", "c", "d", "e"]


async def test_the_order_within_an_entity_outlives_halving_when_it_is_put_back(store: FakeStore) -> None:
    async with committing(store) as harness:
        store.fail("write", Rejected)
        unlocking = store.gate("unlock")
        harness.put(1, "a")
        for key in "xyz":
            harness.put(2, key)
        await harness.reached(unlocking.reached)
        # Between the two attempts another process takes the entity for a moment.
        commit = store.gate("commit")
        again = store.gate("lock")
        unlocking.open()
        await harness.reached(again.reached)
        store.hold_elsewhere(2)
        again.open()
        await harness.reached(commit.reached)
        store.free_elsewhere(2)
        commit.open()
        await harness.settled()
        assert store.committed_keys(2) == ["x", "y", "z"]


@pytest.mark.parametrize("where", [0, 1, 2])
async def test_changes_of_accounts_go_alone(store: FakeStore, where: int) -> None:
    async with committing(store) as harness:
        units: list[str | Command] = ["a", "b"]
        units.insert(where, freeze("freeze"))
        for unit in units:
            harness.put(1, unit)
        harness.put(2, "x")
        await harness.settled()
        assert [len(keys) for commit in store.commits if 1 in commit for keys in (commit[1],) if "freeze" in keys] == [
            1
        ]
        assert all(set(commit) == {1} for commit in store.commits if commit.get(1) == ["freeze"])
        assert store.committed_keys(1) == [one if isinstance(one, str) else "freeze" for one in units]
        assert store.committed_keys(2) == ["x"]
        answers = [one.future.result()[0] for one in harness.submissions[:3]]
        assert [isinstance(one, Applied) for one in answers] == [index <= where for index in range(3)], answers


async def test_all_that_is_due_ends_before_anything_is_decided(store: FakeStore) -> None:
    async with committing(store, max_expiries=2) as harness:
        expire_time = NOW + timedelta(hours=1)
        for number in range(5):
            harness.put(1, create(f"p{number}", status=Status.PENDING, expire_time=expire_time))
        await harness.settled()
        store.commits.clear()
        store.now += timedelta(hours=1)
        [outcome] = await harness.answer(harness.put(1, "late"))
        assert isinstance(outcome, Applied)
        # Two at a time; the last round knows that nothing else is due, and decides.
        assert store.commits == [{1: [None, None]}, {1: [None, None]}, {1: [None, "late"]}]
        kinds = [event.kind for event in store.ledgers[1].events[5:]]
        assert kinds == [EventKind.TRANSACTION_EXPIRED] * 5 + [EventKind.TRANSACTION_CREATED]


@pytest.mark.parametrize("due", [2, 4])
async def test_tidying_ends_what_is_due(store: FakeStore, due: int) -> None:
    async with committing(store, max_expiries=2) as harness:
        for number in range(due):
            harness.put(1, create(f"p{number}", status=Status.PENDING, expire_time=NOW + timedelta(hours=1)))
        await harness.settled()
        store.now += timedelta(hours=1)
        assert await harness.answer(harness.put(1)) == []
        assert all(one.status is Status.EXPIRED for one in store.ledgers[1].transactions.values())
        assert len(store.ledgers[1].events) == 2 * due


async def test_a_conflict_between_rounds_of_expiry_loses_nothing(store: FakeStore) -> None:
    async with committing(store, max_expiries=1) as harness:
        for number in range(3):
            harness.put(1, create(f"p{number}", status=Status.PENDING, expire_time=NOW + timedelta(hours=1)))
        await harness.settled()
        store.now += timedelta(hours=1)
        store.lost_commits = ["done", "dropped", "late"]
        [outcome] = await harness.answer(harness.put(1, "late"))
        assert isinstance(outcome, Applied)
        assert len([one for one in store.ledgers[1].events if one.kind == EventKind.TRANSACTION_EXPIRED]) == 3
        harness.assert_acknowledged_is_committed()


async def test_an_idle_lane_keeps_its_session_and_replaces_a_dead_one(store: FakeStore) -> None:
    async with committing(store, ping_seconds=0.001) as harness:
        await harness.answer(harness.put(1, "a"))
        gate = store.gate("ping")
        await harness.reached(gate.reached)
        store.fail("ping", Unavailable)
        gate.open()
        await harness.answer(harness.put(1, "b"))
        assert store.committed_keys(1) == ["a", "b"]
        assert store.sessions[0].is_closed


async def test_stop_ends_the_lanes_and_answers_what_they_had_taken(store: FakeStore) -> None:
    observer = FakeObserver()
    committer = Committer(store, limits_of(), observer, DatabaseClock(), random.Random(1))
    committer.start()
    gate = store.gate("write")
    submission = committer.enqueue(Unit(1, [create("a")], postings=2))
    async with asyncio.timeout(SOON):
        await gate.reached.wait()
        await committer.stop()
    assert isinstance(submission.future.exception(), LedgerError)
    assert store.commits == []
    assert store.owners == {}


async def test_stop_during_a_commit_lets_it_end(store: FakeStore) -> None:
    committer = Committer(store, limits_of(), FakeObserver(), DatabaseClock(), random.Random(1))
    committer.start()
    gate = store.gate("commit")
    submission = committer.enqueue(Unit(1, [create("a")], postings=2))
    async with asyncio.timeout(SOON):
        await gate.reached.wait()
        stopping = asyncio.create_task(committer.stop())
        await asyncio.sleep(0)
        gate.open()
        await stopping
    assert store.commits == [{1: ["a"]}]
    error = submission.future.exception()
    assert isinstance(error, LedgerError)
    assert error.reason in (Reason.INTERNAL, Reason.OUTCOME_UNKNOWN), "not a definite refusal: it was written"


@pytest.mark.parametrize("seed", range(60))
async def test_whatever_fails_what_is_acknowledged_is_what_is_committed(seed: int) -> None:
    """Two processes, two lanes each, on one store; every step fails now and then."""
    chance = random.Random(seed)
    store = FakeStore()

    def trouble(step: str) -> None:
        if step != "close" and chance.random() < 0.06:
            raise chance.choice([Conflict, Unavailable])(step) if step not in ("open", "ping") else Unavailable(step)
        if step == "commit" and chance.random() < 0.15:
            store.lost_commits = [chance.choice(["done", "dropped", "late"])]

    store.before = trouble
    async with committing(store, lanes=2, max_commit_commands=9) as one, committing(store, lanes=2) as other:
        sent: dict[int, dict[int, list[str]]] = {0: {1: [], 2: [], 3: []}, 1: {1: [], 2: [], 3: []}}
        for number in range(60):
            which, entity_no = chance.randrange(2), chance.randint(1, 3)
            keys = [f"{number}-{index}" for index in range(chance.randint(1, 3))]
            (one, other)[which].put(entity_no, *keys)
            sent[which][entity_no] += keys
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
        await one.settled()
        await other.settled()
        for entity_no in store.ledgers:
            committed = store.committed_keys(entity_no)
            assert sorted(committed) == sorted(sent[0][entity_no] + sent[1][entity_no]), "each exactly once"
            for which in sent:
                mine = set(sent[which][entity_no])
                assert [key for key in committed if key in mine] == sent[which][entity_no], "in the order of sending"
            assert sorted(one.acknowledged(entity_no) + other.acknowledged(entity_no)) == sorted(committed)
        assert one.observer.aborts + other.observer.aborts > 0


async def test_the_same_request_by_another_process_is_not_taken_for_ones_own(store: FakeStore) -> None:
    """A COMMIT is lost, and before its outcome is found out another process writes the very same (found by
    tests.chaos, with a clock that stood still): of two answers one is a replay."""
    async with committing(store) as here, committing(store) as there:
        await here.answer(here.put(1, "first"))
        store.lost_commits.append("dropped")
        reconnects = store.gate("open")
        mine = here.put(1, "same")
        await here.reached(reconnects.reached)
        [theirs] = await there.answer(there.put(1, "same"))
        reconnects.open()
        [found] = await here.answer(mine)
    assert isinstance(theirs, Applied)
    assert not theirs.replayed
    assert isinstance(found, Recorded), "told as a replay"
    assert store.committed_keys(1) == ["first", "same"]
