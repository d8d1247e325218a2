"""U1, H1, M1: single calls from many callers, beside the bare echo, on a hot account, over many entities."""

from __future__ import annotations

from bench.driving import Load
from bench.requests import Mix
from bench.running import Run, stage

CALLERS = 256
ACCOUNTS = 10_000
_ENTITIES = 1_000
_ACCOUNTS_OF_MANY = 10
_BATCH = 1_000


def uniform(run: Run) -> Load:
    """Single calls, uniform over the accounts of one entity."""
    return Load("single", Mix(1, run.options.scaled(ACCOUNTS, 20)), run.options.scaled(CALLERS, 8))


async def against_echo(run: Run) -> None:
    """U1."""
    load = uniform(run)
    async with stage(run, load.mix, echo=True) as on:
        async for _ in run.rounds():
            ours, theirs = await run.in_turns(
                lambda: on.load(f"single calls, {load.concurrency} concurrent", load),
                lambda: on.load_echo("bare echo of the same messages", load),
            )
            run.ratio("U1", ours.rate / theirs.rate)


async def hot_account(run: Run) -> None:
    """H1: one leg of every transaction is on the same account; single calls and batches."""
    even = uniform(run)
    hot_mix = Mix(1, even.mix.accounts, hot=True)
    hot = Load("single", hot_mix, even.concurrency)
    size = run.options.scaled(_BATCH, 20)
    even_batch, hot_batch = (Load("batch", mix, 1, connections=1, size=size) for mix in (even.mix, hot_mix))
    async with stage(run, even.mix) as on:
        async for _ in run.rounds():
            ours, theirs = await run.in_turns(
                lambda: on.load("single calls, hot", hot), lambda: on.load("single calls, uniform", even)
            )
            run.ratio("H1.single", ours.rate / theirs.rate)
            ours, theirs = await run.in_turns(
                lambda: on.load("batches, hot", hot_batch), lambda: on.load("batches, uniform", even_batch)
            )
            run.ratio("H1.batch", ours.rate / theirs.rate)


async def many_entities(run: Run) -> None:
    """M1."""
    one = uniform(run)
    spread = Load("single", Mix(run.options.scaled(_ENTITIES, 20), _ACCOUNTS_OF_MANY), one.concurrency)
    async with stage(run, one.mix, spread.mix) as on:
        async for _ in run.rounds():
            ours, theirs = await run.in_turns(
                lambda: on.load(f"over {spread.mix.entities:,} entities", spread),
                lambda: on.load("over one entity", one),
            )
            run.ratio("M1", ours.rate / theirs.rate)
