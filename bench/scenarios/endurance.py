"""O1, V1: more calls than the service can answer, and memory over a long time. They take long: only when named."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

from bench.errors import BenchError
from bench.running import Run, Stage, stage
from bench.scenarios.singles import uniform

_TIMES = 5
_OVERLOAD_SECONDS = 60.0
_PAUSE_SECONDS = 10.0
_CALL_TIMEOUT = "10s"
_SAMPLE_SECONDS = 1.0
_MIB = 1024 * 1024


async def overload(run: Run) -> None:
    """O1: five times the top rate for a minute: how much is still answered, and whether it is forgotten 10 s later.

    Calls that are refused count as not answered: what is judged is what callers get done.
    """
    load = uniform(run)
    seconds = run.options.scaled(int(_OVERLOAD_SECONDS), 5)
    async with stage(run, load.mix) as on:
        async for number in run.rounds():
            top = await on.load(f"before: {load.concurrency} concurrent", load)
            if not number:
                continue
            flooded = await run.driver.flood(
                load, on.service.grpc, on.service.token, seconds, top.rate * _TIMES, _CALL_TIMEOUT
            )
            # Not a measurement of the bench's own: the calls of a flood are too many to keep each one's latency.
            run.facts.setdefault("floods", []).append(
                {"offered": round(top.rate * _TIMES), "answered": round(flooded.goodput), "seconds": seconds,
                 "statuses": flooded.status_code_distribution}
            )  # fmt: skip
            run.ratio("O1.during", flooded.goodput / top.rate, f"{top.rate * _TIMES:,.0f} calls/s offered")
            await asyncio.sleep(_PAUSE_SECONDS)
            after = await on.load("10 s after the overload", load)
            run.ratio("O1.after", after.rate / top.rate)


async def memory(run: Run) -> None:
    """V1: the resident size of the service over half an hour of calls that come faster than they are answered."""
    load = uniform(run)
    seconds = run.options.minutes * 60
    async with stage(run, load.mix) as on:
        top = await on.load("warming up", load)
        run.round = 1
        run.say(f"V1: {run.options.minutes:g} minutes with full queues")
        flood = asyncio.create_task(_keep_full(run, on, top.rate * 2, seconds))
        sizes: list[int] = []
        while not flood.done():
            sizes.append(_resident_bytes(on.service.pid))
            await asyncio.wait([flood], timeout=_SAMPLE_SECONDS)
        answered = await flood
    if len(sizes) < 20:
        raise BenchError("too short to say anything of the memory: give more minutes")
    tenth = len(sizes) // 10
    settled, last = statistics.median(sizes[tenth : 2 * tenth]), statistics.median(sizes[-tenth:])
    run.ratio("V1.peak", max(sizes) / _MIB, f"over {run.options.minutes:g} minutes")
    run.ratio("V1.growth", last / settled)
    run.facts["memory"] = {
        "answered": answered, "every_seconds": _SAMPLE_SECONDS, "mib": [round(one / _MIB, 1) for one in sizes]
    }  # fmt: skip


_STRETCH_SECONDS = 20.0
"""Of one flood: its requests are prepared in the generator's memory."""


async def _keep_full(run: Run, on: Stage, rate: float, seconds: float) -> int:
    """Flood after flood; gives how many calls were answered OK.

    Calls under way at the end of one are waited for: of each whose connection breaks grpc.aio keeps some 150 bytes for
    ever (grpc/grpc#43360), which would be what is measured.
    """
    load = uniform(run)
    over = time.monotonic() + seconds
    answered = 0
    while (left := over - time.monotonic()) > 0:
        flooded = await run.driver.flood(
            load, on.service.grpc, on.service.token, min(_STRETCH_SECONDS, left), rate, _CALL_TIMEOUT, stop="wait"
        )
        answered += flooded.status_code_distribution.get("OK", 0)
    if not answered:
        raise BenchError("no call was answered")
    return answered


def _resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise BenchError(f"process {pid} tells nothing of its memory")
