"""Sends load: by ghz where it is there and knows how, else by Python processes; the yardstick by the very same."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench import by_ghz
from bench.by_ghz import Flooded
from bench.child import Child, child
from bench.errors import BenchError
from bench.figures import Calls
from bench.requests import Mix

PROCESSES = 2
"""Of Python, where there is no ghz: one tops out near 2,500 single calls a second."""
_LEAD_SECONDS = 0.3
"""For processes to make their connections before all begin."""


@dataclass(frozen=True, slots=True)
class Load:
    """How to load; `kind`: single, paced (single calls at `rate` a second), batch, or stream."""

    kind: str
    mix: Mix
    concurrency: int
    connections: int = 8
    size: int = 1
    """Transactions in a call."""
    window: int = 1
    """Of a stream: requests that may wait for their answers."""
    rate: float | None = None

    def at_rate(self, rate: float) -> Load:
        """The same single calls, sent at a steady pace."""
        return replace(self, kind="paced", rate=rate)


class Driver:
    """The load generators of a run."""

    def __init__(self, children: list[Child], program: Path | None) -> None:
        self._children = children
        self._program = program
        # Keys never repeat, not even against the data of an earlier run.
        self._seeds = itertools.count(secrets.randbits(31))

    def generator(self, load: Load) -> str:
        """Which one sends this load, to be stated."""
        if load.kind in {"single", "paced"} and self._program is not None:
            return "ghz"
        count = len(self._sharing(load))
        return f"{count} Python process{'es' * (count > 1)}"

    async def drive(self, load: Load, target: str, token: str, seconds: float) -> Calls:
        """Load a server for so many seconds. Raises BenchError when a call fails or is refused."""
        task: dict[str, Any] = {
            "kind": load.kind, "target": target, "token": token, "mix": load.mix.as_json(), "seconds": seconds,
            "connections": load.connections, "concurrency": load.concurrency, "size": load.size, "window": load.window,
        }  # fmt: skip
        if load.rate is not None:
            task["rate"] = load.rate
        if load.kind in {"single", "paced"} and self._program is not None:
            task["connections"] = min(load.connections, load.concurrency)
            return Calls.merged([await by_ghz.run(self._program, {**task, "seed": next(self._seeds)})], load.size)
        chosen = self._sharing(load)
        task["start"] = time.time() + _LEAD_SECONDS
        task["concurrency"] = load.concurrency // len(chosen)
        task["connections"] = max(1, load.connections // len(chosen))
        if load.rate is not None:
            task["rate"] = load.rate / len(chosen)
        answers = await asyncio.gather(*(one.ask({**task, "seed": next(self._seeds)}) for one in chosen))
        return Calls.merged(answers, load.size)

    async def flood(
        self, load: Load, target: str, token: str, seconds: float, rate: float, give_up: str, *, stop: str = "close"
    ) -> Flooded:
        """Send so many single calls a second, whatever becomes of them; `stop`: see by_ghz. Raises BenchError without
        ghz."""
        if self._program is None:
            raise BenchError("a flood takes ghz: Python sends no more than the service answers")
        task: dict[str, Any] = {
            "target": target, "token": token, "mix": load.mix.as_json(), "seconds": seconds, "rate": rate,
            "connections": load.connections, "concurrency": load.concurrency, "seed": next(self._seeds),
        }  # fmt: skip
        return await by_ghz.flood(self._program, task, give_up, stop)

    def _sharing(self, load: Load) -> list[Child]:
        # A batch is little work for the one who sends it.
        return self._children[: 1 if load.kind == "batch" else min(PROCESSES, load.concurrency)]


GENERATORS = ("auto", "ghz", "python")
"""Of single calls; auto: ghz where there is one."""


@asynccontextmanager
async def driver(generator: str = "auto") -> AsyncIterator[Driver]:
    """Start the generators; at the end they are gone. Raises BenchError when there is no ghz but it is wanted."""
    program = None if generator == "python" else by_ghz.find()
    if generator == "ghz" and program is None:
        raise BenchError("there is no ghz: scripts/install_ghz installs it where there is Go")
    async with AsyncExitStack() as stack:
        children = [await stack.enter_async_context(child("bench.load")) for _ in range(PROCESSES)]
        yield Driver(children, program)
