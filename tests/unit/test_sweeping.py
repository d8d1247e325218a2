"""Garbage that only the collector can free is freed, and looked for no oftener than there were calls."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service import sweeping, telemetry
from ledger_service.sweeping import CALLS, MIDDLE_SWEEPS, YOUNG_SWEEPS, Sweeping

if TYPE_CHECKING:
    from collections.abc import Iterator


class Knot:
    """Refers to itself."""

    def __init__(self) -> None:
        self.knot = self


class Calls:
    """How many calls there were."""

    def __init__(self) -> None:
        self.number = 17

    def __call__(self) -> int:
        return self.number


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Only what is tested runs it, and it is left as it was."""
    before = gc.get_threshold()
    gc.disable()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()
    gc.enable()


def knot() -> weakref.ref[Knot]:
    """Garbage."""
    return weakref.ref(Knot())


def test_garbage_is_swept_after_so_many_calls_and_not_before() -> None:
    calls = Calls()
    swept, garbage = Sweeping(calls), knot()
    swept.look()
    calls.number += CALLS - 1
    swept.look()
    assert garbage() is not None
    calls.number += 1
    swept.look()
    assert garbage() is None
    # And from there on anew.
    garbage = knot()
    swept.look()
    assert garbage() is not None


def test_what_outlived_a_sweep_is_swept_later(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls()
    looked_at: list[int] = []
    monkeypatch.setattr(gc, "collect", looked_at.append)
    swept = Sweeping(calls)
    for _ in range(YOUNG_SWEEPS * MIDDLE_SWEEPS):
        calls.number += CALLS
        swept.look()
    assert [looked_at.count(generation) for generation in (0, 1, 2)] == [
        YOUNG_SWEEPS * MIDDLE_SWEEPS - MIDDLE_SWEEPS, MIDDLE_SWEEPS - 1, 1,
    ]  # fmt: skip
    assert looked_at[-1] == 2


async def test_it_looks_by_itself_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "SECONDS", 0.001)
    calls = Calls()
    swept = Sweeping(calls)
    swept.start()
    garbage = knot()
    calls.number += CALLS
    async with asyncio.timeout(10):
        while garbage() is not None:
            await asyncio.sleep(0)
    await swept.stop()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "sweeping"]


def test_calls_are_counted_when_they_begin() -> None:
    before = telemetry.RPC_CALLS.begun()
    figures: Any = telemetry.RPC_CALLS.method("unary", "test.Sweeping", "Begun")
    began = figures.started()
    assert telemetry.RPC_CALLS.begun() == before + 1
    figures.handled(began, "OK")
    assert telemetry.RPC_CALLS.begun() == before + 1
