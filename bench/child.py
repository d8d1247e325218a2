"""Processes beside the bench: one line of JSON in for each task, one line of JSON out for each answer."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from bench.errors import BenchError

ROOT = Path(__file__).resolve().parent.parent
_LINE_BYTES = 1 << 28
_END_SECONDS = 30.0


class Child:
    """A module of the bench in a process of its own; it ends with its standard input."""

    def __init__(self, module: str, process: asyncio.subprocess.Process) -> None:
        self._module = module
        self._process = process

    async def ask(self, task: dict[str, Any]) -> dict[str, Any]:
        """Give it a task and wait for the answer. Raises BenchError when it ends instead."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(task).encode() + b"\n")
        line = await self._process.stdout.readline()
        if not line:
            raise BenchError(f"{self._module} failed; what it said stands above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def end(self) -> None:
        """Let it go; one that does not go is killed."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def child(module: str, *arguments: str) -> AsyncIterator[Child]:
    """Start `python -m module`; at the end it is gone."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT, limit=_LINE_BYTES,
        env={name: value for name, value in os.environ.items() if not name.startswith("GRPC_")},
    )  # fmt: skip
    running = Child(module, process)
    try:
        yield running
    finally:
        await running.end()


def answer_tasks(handle: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]) -> None:
    """The other side: a module's main, until standard input ends."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            sys.stdout.write(json.dumps(await handle(json.loads(line))) + "\n")
            sys.stdout.flush()

    uvloop.run(main())
