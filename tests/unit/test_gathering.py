"""Who is let in before the next batch is taken, and for how long: on a loop whose time is made up."""

from __future__ import annotations

import asyncio
import random
from typing import NamedTuple

import pytest

from ledger_service.application.committer import Committer
from ledger_service.application.gathering import gather
from ledger_service.application.ports import DatabaseClock
from ledger_service.domain.commands import Unit
from tests.helpers.committing import Harness, committing, create, limits_of
from tests.helpers.fake_store import FakeObserver, FakeStore
from tests.simulation.virtual_loop import VirtualLoop

MS = 0.001


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


class Gathered(NamedTuple):
    milliseconds: float
    waiting: int


def gathered(arrivals: list[float], *, callers: int, took: float = 1.0) -> Gathered:
    """How long it went on and how many waited then; `arrivals`: when each caller comes, in ms."""

    async def run() -> Gathered:
        loop = asyncio.get_running_loop()
        limits = limits_of(company=4, enough=10, gathering_seconds=0.02)
        committer = Committer(FakeStore(), limits, FakeObserver(), DatabaseClock(), random.Random(1))

        def come(number: int) -> None:
            committer.enqueue(Unit(1, [create(f"key {number}")], postings=2))

        for number, at in enumerate(arrivals):
            if at:
                loop.call_later(at * MS, come, number)
            else:
                come(number)
        began = loop.time()
        await gather(committer, callers, took)
        return Gathered(round((loop.time() - began) / MS, 6), committer.queue.waiting)

    loop = VirtualLoop()
    try:
        return loop.run_until_complete(run())
    finally:
        loop.abandon()


def test_nobody_is_waited_for_after_a_lone_caller() -> None:
    assert gathered([0.001], callers=1) == (0, 0)


def test_nor_after_a_few() -> None:
    assert gathered([0.5, 1.0, 1.5], callers=3) == (0, 0)


def test_many_are_let_in_until_enough_of_them_wait() -> None:
    assert gathered([float(at) for at in range(1, 40)], callers=4) == (10, 10)


def test_enough_of_them_wait_already() -> None:
    assert gathered([0.0] * 10 + [1.0], callers=4) == (0, 10)


def test_when_nobody_comes_any_more_it_is_over() -> None:
    assert gathered([1.0, 3.0, 9.0], callers=4) == (6, 2)


def test_nobody_comes_at_all() -> None:
    assert gathered([], callers=256) == (2, 0)


def test_it_takes_no_longer_than_the_batch_before_it() -> None:
    arrivals = [float(at) for at in range(1, 8)]
    assert gathered(arrivals, callers=4, took=3 * MS) == (4, 4), "a step is not broken off"


def test_and_never_longer_than_its_limit() -> None:
    arrivals = [2.0 * at for at in range(20)]
    assert gathered(arrivals, callers=4, took=5.0).milliseconds <= 20


@pytest.mark.parametrize("entities", [1, 3])
async def test_callers_who_come_again_are_written_together(store: FakeStore, entities: int) -> None:
    """They come one after the other while the lane has nothing else to do, and it takes none until all are there."""

    async def come_twice(harness: Harness, number: int) -> None:
        await harness.answer(harness.put(1 + number % entities, f"first {number}"))
        for _ in range(number):
            await asyncio.sleep(0)
        await harness.answer(harness.put(1 + number % entities, f"again {number}"))

    async with committing(store) as harness:
        await asyncio.gather(*(come_twice(harness, number) for number in range(6)))
    assert [sum(map(len, commit.values())) for commit in store.commits] == [6, 6]
    harness.assert_acknowledged_is_committed()


async def test_another_entity_has_its_turn(store: FakeStore) -> None:
    """However many callers of the first one come again and again: there is one lane."""
    rounds = 30

    async def come_again(harness: Harness, number: int) -> None:
        for turn in range(rounds):
            await harness.answer(harness.put(1, f"{turn} of {number}"))

    async with committing(store, company=2, stint_seconds=0.0) as harness:
        write = store.gate("write")
        callers = [asyncio.create_task(come_again(harness, number)) for number in range(4)]
        await harness.reached(write.reached)
        other = harness.put(2, "the other one")
        write.open()
        await harness.answer(other)
        before = len(store.commits)
        await asyncio.gather(*callers)
    assert before <= 3 < rounds <= len(store.commits)
    harness.assert_acknowledged_is_committed()


async def test_no_lock_is_held_for_callers_who_may_come(store: FakeStore) -> None:
    """Other processes have their turn meanwhile."""
    async with committing(store, company=2, stint_seconds=60.0, gathering_seconds=60.0) as harness:
        write = store.gate("write")
        first = [harness.put(1, key) for key in ("one", "two")]
        await harness.reached(write.reached)
        write.open()
        for submission in first:
            await harness.answer(submission)
        while any(store.owners.values()):
            await asyncio.sleep(0)
        assert harness.committer.queue.is_busy(1), "it still gathers"
