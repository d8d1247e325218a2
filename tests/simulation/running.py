"""Runs schedules: each from its seed alone, so that one that fails fails again."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING

import structlog

from tests.simulation.judging import judge
from tests.simulation.virtual_loop import VirtualLoop
from tests.simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class BrokenScheduleError(AssertionError):
    """A schedule at whose end something was wrong."""


def run(seeds: Iterable[int], *, tell: Callable[[int], object] = lambda _: None) -> tuple[int, Counter[str]]:
    """Answers checked, and what went wrong how often. Raises BrokenScheduleError."""
    seen: Counter[str] = Counter()
    checked = 0
    # What the committer says of the faults is for operators.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    loop = VirtualLoop()
    try:
        for seed in seeds:
            world = World(seed, seen)
            try:
                loop.run_until_complete(world.run())
                checked += judge(world)
            except (Exception, asyncio.CancelledError) as error:
                raise BrokenScheduleError(
                    f"schedule {seed}: {type(error).__name__}: {error}\n"
                    f"again: python -m tests.simulation --first {seed} --schedules 1"
                ) from error
            tell(seed)
    finally:
        structlog.reset_defaults()
        loop.close()
    return checked, seen
