"""REST, without a target: POST /v1/transactions beside the same number of callers over gRPC."""

from __future__ import annotations

import secrets

from bench.child import child
from bench.driving import Load
from bench.figures import Calls
from bench.requests import Mix
from bench.running import Run, stage
from bench.scenarios.singles import ACCOUNTS

_CONNECTIONS = 64


async def against_grpc(run: Run) -> None:
    """64 connections each."""
    mix = Mix(1, run.options.scaled(ACCOUNTS, 20))
    load = Load("single", mix, _CONNECTIONS)
    async with stage(run, mix) as on, child("bench.load_rest") as loader:

        async def post() -> Calls:
            task = {
                "target": on.service.rest, "token": run.token, "mix": mix.as_json(), "seed": secrets.randbits(31),
                "seconds": run.seconds, "concurrency": _CONNECTIONS,
            }  # fmt: skip
            calls = Calls.merged([await loader.ask(task)], 1)
            run.record("REST, 64 connections", calls)
            return calls

        async for _ in run.rounds():
            ours, theirs = await run.in_turns(post, lambda: on.load("gRPC, 64 callers", load))
            run.ratio("REST", ours.rate / theirs.rate)
