"""B1, B2: batches of 1,000 beside the raw COPY of the same rows, a commit for each 1,000."""

from __future__ import annotations

from bench.driving import Load
from bench.requests import Mix
from bench.running import Run, stage

_SIZE = 1_000
_ACCOUNTS = 10_000


async def one_caller(run: Run) -> None:
    """B1."""
    await _against_copy(run, callers=1, entities=1, connections=1)


async def four_callers(run: Run) -> None:
    """B2: 4 callers, an entity for each; the yardstick on two connections, as many as the service writes on."""
    await _against_copy(run, callers=4, entities=4, connections=2)


async def _against_copy(run: Run, *, callers: int, entities: int, connections: int) -> None:
    size = run.options.scaled(_SIZE, 20)
    mix = Mix(entities, run.options.scaled(_ACCOUNTS // entities, 20))
    load = Load("batch", mix, callers, connections=callers, size=size)
    label = f"batches of {size:,}, {callers} caller{'s' * (callers > 1)}"
    yardstick = f"raw COPY, {connections} connection{'s' * (connections > 1)}"
    async with stage(run, mix, raw=True) as on:
        async for _ in run.rounds():
            ours, theirs = await run.in_turns(
                lambda: on.load(label, load),
                lambda: on.copy(yardstick, size=size, entities=entities, connections=connections),
            )
            run.ratio(run.key, ours.rate / theirs.rate)
