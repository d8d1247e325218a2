"""The load generators of the benchmark: what they report was really done, and a refusal is no result."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import pytest

from bench import by_ghz, serving
from bench.child import child
from bench.driving import PROCESSES, Driver, Load
from bench.errors import BenchError
from bench.requests import Mix
from tests.helpers.servers import TOKEN, Service

_MIX = Mix(entities=2, accounts=20)
_SECONDS = 0.3
_LOADS = {
    "single": Load("single", _MIX, 8, connections=2),
    "paced": Load("paced", _MIX, 8, connections=2, rate=100.0),
    "batch": Load("batch", _MIX, 2, connections=2, size=10),
    "stream": Load("stream", _MIX, 4, connections=4, window=16),
}


@pytest.fixture(params=["python", "ghz"])
async def driver(request: pytest.FixtureRequest) -> AsyncIterator[Driver]:
    program = by_ghz.find() if request.param == "ghz" else None
    if request.param == "ghz" and program is None:
        pytest.skip("there is no ghz: scripts/install_ghz installs it where there is Go")
    async with AsyncExitStack() as stack:
        children = [await stack.enter_async_context(child("bench.load")) for _ in range(PROCESSES)]
        yield Driver(children, program)


async def _set_up(service: Service) -> serving.Service:
    where = serving.Service(service.address, "", TOKEN, service.dsn, 0)
    await serving.set_up(where, _MIX)
    return where


async def _transactions(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        found: int = await connection.fetchval("SELECT count(*) FROM ledger.events WHERE kind = 1")
    finally:
        await connection.close()
    return found


async def test_what_was_answered_is_recorded_once(service: Service, driver: Driver) -> None:
    where, before = await _set_up(service), 0
    for load in _LOADS.values():
        calls = await driver.drive(load, where.grpc, TOKEN, _SECONDS)
        assert len(calls.ends) == len(calls.latencies) > 0
        assert all(calls.began <= end <= calls.ended for end in calls.ends)
        after = await _transactions(service.dsn)
        assert after - before == len(calls.ends) * load.size
        before = after


async def test_a_steady_rate_is_not_exceeded(service: Service, driver: Driver) -> None:
    where = await _set_up(service)
    calls = await driver.drive(_LOADS["paced"], where.grpc, TOKEN, _SECONDS)
    assert 0 < len(calls.ends) <= 100 * _SECONDS + 3


@pytest.mark.parametrize("kind", list(_LOADS))
async def test_a_refusal_is_no_result(service: Service, driver: Driver, kind: str) -> None:
    # There is no such entity.
    with pytest.raises(BenchError):
        await driver.drive(_LOADS[kind], service.address, TOKEN, _SECONDS)


async def test_the_echo_answers_the_same_messages(service: Service, driver: Driver) -> None:
    where = await _set_up(service)
    answer = await serving.sample_answer(where)
    before = await _transactions(service.dsn)
    async with serving.echoing(answer, processes=2) as target:
        for kind in ("single", "stream"):
            calls = await driver.drive(_LOADS[kind], target, TOKEN, _SECONDS)
            assert calls.ends
    assert await _transactions(service.dsn) == before
