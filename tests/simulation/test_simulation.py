"""Thousands of schedules of the committer, and the proof that they would notice."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.application import lane, queue
from ledger_service.application.ports import Unavailable
from tests.simulation.running import BrokenScheduleError, run
from tests.simulation.virtual_loop import StuckError, VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEDULES = 2_000


def test_schedules() -> None:
    """Nothing is lost, doubled, out of order or told wrongly, and everything that can go wrong has."""
    tally = run(range(SCHEDULES))
    assert tally.schedules == SCHEDULES
    assert tally.answers > 10 * SCHEDULES
    assert tally.missing() == []


def test_the_same_seed_is_the_same_schedule() -> None:
    assert run([7, 8, 9]) == run([7, 8, 9])
    assert run([7]) != run([8])


def test_a_deadlock_is_told() -> None:
    async def never() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(StuckError, match="everybody waits"):
        VirtualLoop().run_until_complete(never())


def test_going_round_in_circles_is_told() -> None:
    async def round_and_round() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(StuckError, match="in circles"):
        VirtualLoop().run_until_complete(round_and_round())


def test_time_passes_in_order_and_only_when_all_wait() -> None:
    seen: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(seconds)
        seen.append((name, loop.time()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                await loop.create_future()
        seen.append((name, loop.time()))

    async def both() -> None:
        await asyncio.gather(sleeper("late", 3.0), sleeper("early", 0.5))

    loop = VirtualLoop()
    loop.run_until_complete(both())
    assert seen == [("early", 0.5), ("late", 3.0), ("early", 10.5), ("late", 13.0)]
    assert loop.left() == []


async def _unresolved(_lane: Any, _loaded: Any) -> bool:
    """A lost COMMIT is taken for one that was not carried out."""
    return False


async def _harms_neighbours(self: Any, batch: Any, error: Exception) -> None:
    """All are refused for the sake of one."""
    self._give_up(batch, self._internal("write_failed", cause=repr(error)))


def _told_and_kept(self: Any, batch: Any) -> None:
    """Those that have waited too long are told that nothing happened, and are written all the same."""
    now = lane.asyncio.get_running_loop().time()
    for submissions in batch.values():
        for one in submissions:
            if one.deadline <= now:
                self._committer.fail(one, lane._unavailable())


async def _answered_too_early(self: Any, session: Any, _loaded: Any) -> bool:
    """The answer does not wait for the COMMIT."""
    with lane.contextlib.suppress(Exception):
        await session.commit()
    return True


def _never_done(_self: Any, _submission: Any) -> None:
    """Who has an answer still counts."""


async def _culprit_retried_for_ever(self: Any, _batch: Any, _error: Exception) -> None:
    """The one that is refused is tried again."""
    raise Unavailable("again")


BREAKS: dict[str, tuple[type, str, Callable[..., Any]]] = {
    "a lost COMMIT is taken for none": (lane.Lane, "_resolve", _unresolved),
    "a poisoned item harms its neighbours": (lane.Lane, "_find_culprit", _harms_neighbours),
    "told that nothing happened, and written": (lane.Lane, "_drop_overdue", _told_and_kept),
    "answered before the COMMIT": (lane.Lane, "_commit", _answered_too_early),
    "the queue forgets nothing": (queue.WriteQueue, "done", _never_done),
    "a fault ends the lane": (lane.Lane, "_find_culprit", _culprit_retried_for_ever),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_the_simulation_bites(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The committer is broken on purpose: a schedule shows it."""
    owner, name, replacement = BREAKS[broken]
    monkeypatch.setattr(owner, name, replacement)
    with pytest.raises(BrokenScheduleError):
        run(range(4 * SCHEDULES))
