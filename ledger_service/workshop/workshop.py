"""The workshop as the use cases see it: jobs wait for one of a few processes, within bounds."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar, cast

import structlog

from ledger_service import telemetry
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.workshop.process import Child, ChildEndedError, TimeIsUpError
from ledger_service.workshop.wire import ERROR, NO_MEMORY, packed

_log = structlog.get_logger()

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class WorkshopLimits:
    """How much work there may be.

    `processes` work at a time, each with `memory_bytes`; a job may take `seconds` (by the clock, and of processor
    time). `max_waiting` jobs may wait beside those under way. A process without work ends after `idle_seconds`.
    """

    processes: int
    memory_bytes: int
    seconds: int
    max_waiting: int
    idle_seconds: float


class ProcessWorkshop:
    """Does work in processes of its own; see application.reconciling.ports.Workshop.

    A process is started when work first needs one. Each caller's job has a process to itself while it is done.
    """

    def __init__(self, limits: WorkshopLimits) -> None:
        self._limits = limits
        self._places = asyncio.Semaphore(limits.processes)
        self._waiting = 0
        self._benches = [_Bench(limits) for _ in range(limits.processes)]
        self._free = list(self._benches)
        # One for each bench: the pipes are waited for, and answers are unpickled, off the loop.
        self._threads = ThreadPoolExecutor(limits.processes, thread_name_prefix="workshop")
        self._stopped = False

    async def run(
        self, work: Callable[_Arguments, _Result], *arguments: _Arguments.args, **named: _Arguments.kwargs
    ) -> _Result:
        """What `work` returns; its exceptions pass.

        `work` is a function of a module that the child can import, and it, its arguments and what it returns can be
        pickled. Large things are handed over as the paths of files.

        A caller that is cancelled while it waits gives its place up. A job under way is then killed: nobody wants its
        result any more, it has changed nothing, and whoever asks again must not wait behind it. Starting another
        process costs less than a job that is worth a process.

        Raises LedgerError WORK_TOO_LARGE, QUEUE_FULL, or DRAINING after `stop`.
        """
        if self._places.locked() and self._waiting >= self._limits.max_waiting:
            raise LedgerError(
                Reason.QUEUE_FULL,
                f"{self._waiting} files and reconciliations wait to be worked on, as many as may "
                "(LEDGER_MAX_WORKSHOP_JOBS); send it again after a pause",
            )
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        if self._stopped:
            self._places.release()
            raise _draining()
        bench = self._free.pop()
        bench.take()
        job = asyncio.get_running_loop().run_in_executor(self._threads, bench.do, work, arguments, named)
        job.add_done_callback(lambda done: self._give_back(bench, done))
        try:
            return cast(_Result, await asyncio.shield(job))
        except asyncio.CancelledError:
            # One that has just ended has given its bench back, and another job may be at it.
            if not job.done():
                bench.abandon()
            raise

    async def stop(self) -> None:
        """End the processes; what they are doing is lost, and those who wait are told DRAINING."""
        if self._stopped:
            return
        self._stopped = True
        for bench in self._benches:
            bench.abandon()
        loop = asyncio.get_running_loop()
        # All places are free when all jobs have ended.
        for _ in self._benches:
            await self._places.acquire()
        # For whoever comes later, to be told.
        self._places.release()
        for bench in self._benches:
            await loop.run_in_executor(self._threads, bench.close)
        self._threads.shutdown(wait=False)

    def _give_back(self, bench: _Bench, done: asyncio.Future[object]) -> None:
        if not done.cancelled():
            # Looked at, so that asyncio does not warn of what the caller, who has left, was not told.
            done.exception()
        self._free.append(bench)
        self._places.release()
        if not self._stopped:
            bench.end_when_idle(self._threads)


class _Bench:
    """A place to work at: a process, or none yet. It is used by one job at a time."""

    def __init__(self, limits: WorkshopLimits) -> None:
        self._limits = limits
        self._child: Child | None = None
        # The loop abandons a job while a thread may be just starting the process for it.
        self._lock = threading.Lock()
        self._abandoned = False
        self._idle: asyncio.TimerHandle | None = None

    def take(self) -> None:
        """A job begins."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        self._abandoned = False

    def end_when_idle(self, threads: ThreadPoolExecutor) -> None:
        """The job has ended, and there may be none for a while."""

        def end() -> None:
            # Taken away here, on the loop, where a new job would have cancelled this; ending it may block.
            child, self._child = self._child, None
            if child is not None:
                threads.submit(child.close)

        self._idle = asyncio.get_running_loop().call_later(self._limits.idle_seconds, end)

    def abandon(self) -> None:
        """Nobody waits for the job any more. Does not block."""
        with self._lock:
            self._abandoned = True
            if self._child is not None:
                self._child.kill()

    def do(self, work: Callable[..., object], arguments: tuple[object, ...], named: dict[str, object]) -> object:
        """Do a job; in a thread."""
        pieces = packed((work, arguments, named))
        with self._counted():
            kind, value = self._ask(pieces)
            if kind == NO_MEMORY:
                # What it holds on to is not known.
                self.close()
                raise self._too_large("memory_bytes")
            if kind == ERROR:
                raise cast(Exception, value)
            return value

    def close(self) -> None:
        """End the process, if there is one; in a thread."""
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.close()

    def _ask(self, pieces: list[bytes]) -> tuple[str, object]:
        child = self._running()
        try:
            answer: tuple[str, object] = child.ask(pieces, self._limits.seconds)
        except ChildEndedError as ended:
            self.close()
            if self._abandoned:
                raise _draining() from None
            _log.warning("workshop_process_ended", pid=child.pid, status=ended.status, limit=ended.limit)
            raise self._too_large(ended.limit) from None
        except TimeIsUpError:
            self.close()
            _log.warning("workshop_job_too_long", pid=child.pid, seconds=self._limits.seconds)
            raise self._too_large("seconds") from None
        except BaseException:
            # An answer that can't be read: the rest of it is still in the pipe.
            self.close()
            raise
        return answer

    def _running(self) -> Child:
        if self._child is not None and not self._child.is_alive():
            # Killed from outside while it had nothing to do.
            self.close()
        if self._child is None:
            try:
                child = Child(self._limits.memory_bytes, self._limits.seconds)
            except OSError as error:
                _log.error("no_room_for_workshop", error=str(error))
                raise LedgerError(
                    Reason.QUEUE_FULL, "the server has no room for this work just now; send it again after a pause"
                ) from error
            with self._lock:
                self._child = child
                if self._abandoned:
                    child.kill()
        return self._child

    def _too_large(self, limit: str) -> LedgerError:
        said = {
            "memory_bytes": f"needs more than {self._limits.memory_bytes >> 20} MiB (LEDGER_WORKSHOP_MEMORY_BYTES)",
            "seconds": f"takes longer than {self._limits.seconds} s (LEDGER_WORKSHOP_SECONDS)",
            "crash": "ended the process that worked on it",
        }[limit]
        return LedgerError(
            Reason.WORK_TOO_LARGE,
            f"this {said}; nothing has happened. Split the file, or reconcile a shorter period at a time",
            {"limit": limit},
        )

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        began, outcome = time.monotonic(), "failed"
        try:
            yield
            outcome = "done"
        except LedgerError as error:
            outcome = {Reason.WORK_TOO_LARGE: error.metadata.get("limit", ""), Reason.DRAINING: "abandoned"}.get(
                error.reason, "refused"
            )
            raise
        finally:
            telemetry.WORKSHOP_JOBS.labels(outcome).inc()
            telemetry.WORKSHOP_SECONDS.observe(time.monotonic() - began)


def _draining() -> LedgerError:
    return LedgerError(Reason.DRAINING, "the server is shutting down; send it again, another one answers")
