"""Thousands of schedules of the committer, and the proof that they would notice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.application import lane, queue
from ledger_service.application.ports import Unavailable
from tests.simulation.running import BrokenScheduleError, run
from tests.simulation.virtual_loop import StuckError, VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEDULES = 2_000
_EVERY_FAULT = {
    "answered from the record", "begin conflict", "begin unavailable", "caller cancelled", "commit conflict",
    "commit done", "commit dropped", "commit late", "database away", "load conflict", "load unavailable",
    "lock held elsewhere", "lock unavailable", "open unavailable", "process drained", "process killed",
    "rollback unavailable", "session ended", "told DATABASE_UNAVAILABLE", "told INTERNAL", "unlock unavailable",
    "was_committed unavailable", "write conflict", "write unavailable", "decided ahead", "written as decided ahead",
}  # fmt: skip


@pytest.mark.parametrize("part", range(4))
def test_schedules(part: int) -> None:
    """Nothing is lost, doubled, out of order or told wrongly, and every fault has happened."""
    each = SCHEDULES // 4
    checked, seen = run(range(part * each, (part + 1) * each))
    assert checked > 10 * each
    assert set(seen) >= _EVERY_FAULT


def test_the_same_seed_is_the_same_schedule() -> None:
    assert run([7, 8, 9]) == run([7, 8, 9])
    assert run([7]) != run([8])


def test_a_deadlock_is_told() -> None:
    loop = VirtualLoop()
    try:
        with pytest.raises(StuckError):
            loop.run_until_complete(loop.create_future())
    finally:
        loop.close()


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


def _behind_the_others(self: Any, entity_no: int, submissions: Any) -> None:
    """What could not be written goes to the end of the line."""
    self._busy.discard(entity_no)
    self._waiting.setdefault(entity_no, queue.deque()).extend(submissions)


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
        run(range(4_000))
