"""Several worker processes on one port, kept alive and ended together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping

import structlog

from ledger_service.cli.errors import CannotStartError, ExitCode
from ledger_service.cli.restart import MAX_QUICK_DEATHS, QUICK_SECONDS, RestartPolicy
from ledger_service.config import Listeners

_READY = "ready "
# Longer than the workers' own limit for draining, so that they end by themselves.
_GRACE_SECONDS = 5.0

logger = structlog.get_logger(__name__)


class WorkerPool:
    """Starts `count` worker processes and starts again each that dies.

    A worker's standard input is a pipe that we never write to: its end tells the worker that we are gone,
    however we ended, and it drains. Its standard output brings one line, when it serves. Workers have
    sessions of their own, so that Ctrl-C reaches only us and each gets exactly one signal, from us.
    """

    def __init__(
        self,
        count: int,
        environment: Mapping[str, str],
        *,
        drain_seconds: float,
        ready: Callable[[Listeners], None],
    ) -> None:
        self._count = count
        self._environment = environment
        self._drain_seconds = drain_seconds
        self._ready = ready
        self._processes: dict[int, Process] = {}
        self._served: set[int] = set()
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Ask the pool to drain; `run` then returns."""
        self._stop.set()

    async def run(self) -> None:
        """Serve until `stop`.

        Raises:
            CannotStartError: a worker cannot start, or died quickly too many times in a row.
        """
        stopped = asyncio.create_task(self._stop.wait())
        keepers = [asyncio.create_task(self._keep(index)) for index in range(self._count)]
        try:
            await asyncio.wait([stopped, *keepers], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stop.set()
            stopped.cancel()
            await asyncio.shield(self._end(keepers))
        for keeper in keepers:
            keeper.result()

    async def _end(self, keepers: list[asyncio.Task[None]]) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        _, late = await asyncio.wait(keepers, timeout=self._drain_seconds + _GRACE_SECONDS)
        if late:
            for index, process in self._processes.items():
                logger.error("worker_killed", worker=index, pid=process.pid, reason="it did not drain in time")
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await asyncio.wait(late)

    async def _keep(self, index: int) -> None:
        """Run worker `index`, again and again, until the pool stops."""
        loop = asyncio.get_running_loop()
        policy = RestartPolicy()
        while not self._stop.is_set():
            born = loop.time()
            code = await self._run_once(index)
            if self._stop.is_set():
                return
            if code == ExitCode.COULD_NOT_START and index not in self._served:
                raise CannotStartError(f"worker {index} could not start, see above")
            delay = policy.delay_after(loop.time() - born)
            if delay is None:
                raise CannotStartError(
                    f"worker {index} died {MAX_QUICK_DEATHS} times within {QUICK_SECONDS:.0f} s of its start "
                    f"(last exit status {code}), see the log above"
                )
            logger.error("worker_died", worker=index, exit_status=code, restart_in_seconds=delay)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), delay)

    async def _run_once(self, index: int) -> int:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ledger_service", "serve-worker"),
            env={**os.environ, **self._environment, "LEDGER_WORKER_INDEX": str(index)},
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,
        )
        self._processes[index] = process
        try:
            if self._stop.is_set():
                # `stop` came while the process was being made, and found nothing to signal.
                process.terminate()
            await self._await_ready(index, process)
            return await process.wait()
        finally:
            del self._processes[index]

    async def _await_ready(self, index: int, process: Process) -> None:
        if process.stdout is None:
            raise AssertionError("made with a pipe")
        while line := await process.stdout.readline():
            text = line.decode(errors="replace").strip()
            if text.startswith(_READY):
                before = len(self._served)
                self._served.add(index)
                if before < len(self._served) == self._count:
                    self._ready(Listeners(*text.removeprefix(_READY).split()))
                return
