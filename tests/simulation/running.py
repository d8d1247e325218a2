"""Runs schedules: each from its seed alone, so that one that fails fails again."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import TYPE_CHECKING, Any

import structlog

from tests.simulation.judging import judge
from tests.simulation.tally import Tally
from tests.simulation.virtual_loop import VirtualLoop
from tests.simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BETWEEN_COLLECTIONS = 20
"""Schedules; each leaves some objects that refer to each other in circles."""


class BrokenScheduleError(AssertionError):
    """A schedule at whose end something was wrong."""


def run(seeds: Iterable[int]) -> Tally:
    """What the schedules have gone through. Raises BrokenScheduleError for the first one that is wrong."""
    tally = Tally()
    with _silence(), _collection_by_hand():
        for number, seed in enumerate(seeds, 1):
            _run_one(seed, tally)
            if number % _BETWEEN_COLLECTIONS == 0:
                gc.collect()
    return tally


def _run_one(seed: int, tally: Tally) -> None:
    loop = VirtualLoop()
    world = World(seed, loop, tally)
    try:
        loop.run_until_complete(world.run())
        left = loop.left()
        assert not left, f"left behind: {left}"
        assert not loop.complaints, loop.complaints
        tally.answers += judge(world)
        tally.schedules += 1
        loop.forget()
        world.store.forget()
    except (Exception, asyncio.CancelledError) as error:
        loop.abandon()
        raise BrokenScheduleError(
            f"schedule {seed}: {type(error).__name__}: {error}\n"
            f"again: python -m tests.simulation --first {seed} --schedules 1"
        ) from error


class _Nothing:
    """A logger that builds nothing: what the committer says of the faults is for operators."""

    def __getattr__(self, name: str) -> Any:
        return _say_nothing


def _say_nothing(*_: object, **__: object) -> None: ...


_NOTHING = _Nothing()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    structlog.configure(wrapper_class=lambda *_, **__: _NOTHING, logger_factory=lambda *_: _NOTHING)  # type: ignore[arg-type]
    try:
        yield
    finally:
        structlog.reset_defaults()


@contextlib.contextmanager
def _collection_by_hand() -> Iterator[None]:
    """The collector would go through all modules again and again, for a few circles."""
    was_enabled = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()
