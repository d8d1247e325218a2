"""S1: StreamCreateTransactions beside a bare stream echo of the same messages."""

from __future__ import annotations

from bench.driving import Load
from bench.requests import Mix
from bench.running import Run, stage

_STREAMS = 8
_WINDOW = 256
_ACCOUNTS = 10_000


async def against_echo(run: Run) -> None:
    """Each stream has up to 256 requests on their way."""
    load = Load("stream", Mix(1, run.options.scaled(_ACCOUNTS, 20)), _STREAMS, connections=_STREAMS, window=_WINDOW)
    async with stage(run, load.mix, echo=True) as on:
        async for _ in run.rounds():
            ours, theirs = await run.in_turns(
                lambda: on.load(f"{_STREAMS} streams", load),
                lambda: on.load_echo("bare stream echo of the same messages", load),
            )
            run.ratio("S1", ours.rate / theirs.rate)
