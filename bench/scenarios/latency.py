"""L1, P1: how long a call takes: alone, and at a steady rate below the top."""

from __future__ import annotations

from bench.driving import Load
from bench.requests import Mix
from bench.running import Run, stage
from bench.scenarios.singles import ACCOUNTS, uniform

_SHARE_OF_TOP = 0.7


async def one_caller_alone(run: Run) -> None:
    """L1: against what the call and the commit cost by themselves."""
    load = Load("single", Mix(1, run.options.scaled(ACCOUNTS, 20)), 1, connections=1)
    async with stage(run, load.mix, echo=True, raw=True) as on:
        async for _ in run.rounds():
            ours, echo = await run.in_turns(
                lambda: on.load("one caller alone", load), lambda: on.load_echo("bare echo, one caller", load)
            )
            insert = await on.insert("one-row INSERT and commit through asyncpg")
            run.ratio("L1", ours.latency(0.5) / (echo.latency(0.5) + insert.latency(0.5)))


async def at_a_steady_rate(run: Run) -> None:
    """P1: the top rate is that of the same round; then calls come evenly, whether earlier ones are answered or not."""
    load = uniform(run)
    async with stage(run, load.mix) as on:
        async for _ in run.rounds():
            top = await on.load(f"top rate, {load.concurrency} concurrent", load)
            steady = await on.load("at 70 % of the top rate", load.at_rate(top.rate * _SHARE_OF_TOP))
            run.ratio("P1", steady.latency(0.99) / steady.latency(0.5), f"at {top.rate * _SHARE_OF_TOP:,.0f} calls/s")
