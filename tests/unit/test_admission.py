"""Limits of each caller, with a clock that the tests move."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.application import admission
from ledger_service.application.access import ALL_SCOPES, Principal
from ledger_service.application.admission import MAX_DEBT_SECONDS, Admission, AdmissionLimits
from ledger_service.domain.errors import LedgerError, Reason

if TYPE_CHECKING:
    from ledger_service.application.authentication import Authenticator


class Anybody:
    """Takes every header for the caller's name."""

    async def authenticate(self, authorization: str | None, certificate: tuple[str, ...] | None = None) -> Principal:
        if authorization is None:
            raise LedgerError(Reason.UNAUTHENTICATED, "who are you?")
        return Principal(authorization, ALL_SCOPES, None)

    async def stop(self) -> None: ...


@dataclass
class Door:
    """An admission, its clock, and what it has slept."""

    rate: float = 0.0
    burst: int = 1
    concurrent: int = 100
    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        limits = AdmissionLimits(self.rate, self.burst, self.concurrent)
        self.admission = Admission(cast("Authenticator", Anybody()), limits, lambda: self.now, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def call(self, name: str = "ann") -> Principal:
        """A call that is over at once."""
        principal = await self.admission.enter(name)
        self.admission.leave(principal)
        return principal

    async def refused(self, name: str = "ann") -> dict[str, str]:
        with pytest.raises(LedgerError) as caught:
            await self.admission.enter(name)
        assert caught.value.reason is Reason.RATE_LIMITED
        return caught.value.metadata


async def test_without_a_rate_nothing_is_counted_but_what_is_under_way() -> None:
    door = Door(concurrent=2)
    for _ in range(1000):
        await door.call()
    one, two = await door.admission.enter("ann"), await door.admission.enter("ann")
    assert await door.refused() == {"limit": "concurrent_calls", "retry_after_ms": "100"}
    await door.call("bob")
    door.admission.leave(one)
    three = await door.admission.enter("ann")
    await door.refused()
    door.admission.leave(two)
    door.admission.leave(three)
    await door.call()


async def test_a_burst_then_the_rate() -> None:
    door = Door(rate=8, burst=5)
    for _ in range(5):
        await door.call()
    assert await door.refused() == {"limit": "calls_per_second", "retry_after_ms": "125"}
    door.now += 0.0625
    assert (await door.refused())["retry_after_ms"] == "63"
    door.now += 0.0625
    await door.call()
    await door.refused()
    door.now += 3600
    for _ in range(5):
        await door.call()
    await door.refused()
    await door.call("bob")


async def test_the_pause_that_is_told_is_enough() -> None:
    door = Door(rate=3, burst=1)
    await door.call()
    for _ in range(20):
        door.now += int((await door.refused())["retry_after_ms"]) / 1000
        await door.call()


async def test_who_is_refused_pays_nothing_and_holds_nothing() -> None:
    door = Door(rate=1, burst=1, concurrent=1)
    principal = await door.admission.enter("ann")
    for _ in range(10):
        assert (await door.refused())["limit"] == "concurrent_calls"
    door.admission.leave(principal)
    for _ in range(10):
        assert (await door.refused())["limit"] == "calls_per_second"
    door.now += 1
    await door.call()
    with pytest.raises(LedgerError) as caught:
        await door.admission.enter(None)
    assert caught.value.reason is Reason.UNAUTHENTICATED


async def test_a_batch_costs_what_it_carries_and_is_never_impossible() -> None:
    door = Door(rate=10, burst=5)
    principal = await door.admission.enter("ann")
    door.admission.charge(principal, 105)
    door.admission.leave(principal)
    assert await door.refused() == {"limit": "calls_per_second", "retry_after_ms": "10100"}
    door.now += 10.1
    await door.call()
    principal = await door.admission.enter("bob")
    door.admission.charge(principal, 1)
    door.admission.charge(principal, 0)
    door.admission.leave(principal)
    for _ in range(4):
        await door.call("bob")


async def test_nobody_owes_more_than_a_minute() -> None:
    door = Door(rate=1, burst=10)
    principal = await door.admission.enter("ann")
    for _ in range(5):
        door.admission.charge(principal, 10_000)
    door.admission.leave(principal)
    assert (await door.refused())["retry_after_ms"] == str(int(MAX_DEBT_SECONDS + 1) * 1000)
    door.now += MAX_DEBT_SECONDS + 1
    await door.call()


async def test_a_stream_is_slowed_down_to_the_rate() -> None:
    door = Door(rate=10, burst=5)
    principal = await door.admission.enter("ann")
    began = door.now
    for _ in range(104):
        await door.admission.pace(principal)
    assert door.now - began == pytest.approx(10.0)
    assert len(door.slept) == 100
    assert max(door.slept) <= 0.1 + 1e-9
    free = Door()
    principal = await free.admission.enter("ann")
    for _ in range(100):
        await free.admission.pace(principal)
    assert free.slept == []


@given(st.integers(1, 20), st.integers(1, 20), st.lists(st.tuples(st.floats(0, 3), st.integers(1, 30)), max_size=60))
async def test_over_any_time_a_caller_gets_its_burst_and_its_rate(
    rate: int, burst: int, calls: list[tuple[float, int]]
) -> None:
    door = Door(rate=rate, burst=burst)
    began, paid, biggest = door.now, 0, 0
    for pause, items in calls:
        door.now += pause
        try:
            principal = await door.admission.enter("ann")
        except LedgerError:
            continue
        door.admission.charge(principal, items)
        door.admission.leave(principal)
        paid, biggest = paid + items, max(biggest, items)
    # The last batch may be let in on its last credit.
    assert paid <= burst + rate * (door.now - began) + biggest + 1e-6


async def test_memory_is_bounded_and_whoever_is_under_way_or_in_debt_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MAX_CALLERS", 10)
    door = Door(rate=1, burst=2, concurrent=1)
    inside = await door.admission.enter("inside")
    door.admission.charge(inside, 40)
    for number in range(200):
        door.now += 0.01
        await door.call(f"caller-{number}")
        assert len(door.admission._callers) <= 11
    await door.refused("inside")
    door.admission.leave(inside)
    assert (await door.refused("inside"))["limit"] == "calls_per_second"


async def test_without_a_rate_idle_callers_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MAX_CALLERS", 10)
    door = Door()
    for number in range(100):
        await door.call(f"caller-{number}")
        assert len(door.admission._callers) <= 10
