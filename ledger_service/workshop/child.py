"""The process that does the work: takes one job after another from its standard input, answers on standard output.

It has little of the machine: a bound on its memory and, for each job, on its processor time, a low claim to the
processor, and the first place when the system runs out of memory. It ends when its standard input does, that is,
with the service, however that ended.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import resource
import signal
import sys
import threading
import traceback
from pathlib import Path
from queue import SimpleQueue

from ledger_service.workshop.wire import ERROR, LENGTH, NO_MEMORY, RESULT, packed

OUT_OF_MEMORY = 12
"""Exit status when there is no memory left to answer with."""

_NICENESS = 10
"""Postings go first. Not the lowest: a job has a deadline."""
_OOM_SCORE = 900
"""Of 1000. The kernel should take this process, which can be replaced, rather than the service or the database."""
_CODE_BYTES = 2 * 1024**3
"""Address space on top of the memory allowed, for what libraries map and reserve but do not fill."""


def main() -> None:
    """Work until standard input ends."""
    memory_bytes, cpu_seconds = (int(argument) for argument in sys.argv[1:3])
    source, target = _own_pipes()
    _be_modest(memory_bytes)
    jobs: SimpleQueue[bytearray] = SimpleQueue()
    threading.Thread(target=_take_jobs, args=(source, jobs), daemon=True).start()
    # Results are large and without cycles: looking at them again and again finds nothing.
    gc.set_threshold(50_000, 20, 100)
    while True:
        job = jobs.get()
        _allow_seconds(cpu_seconds)
        answer = _answer(job)
        del job
        for piece in answer:
            _write(target, piece)
        del answer


def _own_pipes() -> tuple[int, int]:
    """The pipes, out of the way of what else reads standard input or prints."""
    source, target = os.dup(0), os.dup(1)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    return source, target


def _be_modest(memory_bytes: int) -> None:
    # A terminal's Ctrl-C and a service manager's SIGTERM go to the whole group; the service drains and then ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(_NICENESS)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE), encoding="ascii")
    _limit(resource.RLIMIT_CORE, 0)
    # What can be written to, which is what is really used. Address space alone would count what numpy and the
    # C library only reserve; it is bounded as well, since mapped files are in no other limit.
    if sys.platform == "linux":
        # Other systems, on which people develop, refuse these or do not keep them.
        _limit(resource.RLIMIT_DATA, memory_bytes)
        _limit(resource.RLIMIT_AS, memory_bytes + _CODE_BYTES)


def _allow_seconds(seconds: int) -> None:
    """Let the next job have so much processor time; the system ends the process after that (SIGXCPU).

    The service ends it by the clock before. This is for a job that the service did not live to end.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + seconds + 1)


def _limit(which: int, most: int) -> None:
    """Set a limit, or leave a lower one that the service was started with."""
    _, hard = resource.getrlimit(which)
    resource.setrlimit(which, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _take_jobs(source: int, jobs: SimpleQueue[bytearray]) -> None:
    """Read jobs as they come. In a thread of its own, so that the end of the service is noticed during a job, too."""
    try:
        while True:
            (length,) = LENGTH.unpack(_exactly(source, LENGTH.size))
            jobs.put(_exactly(source, length))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


def _exactly(source: int, size: int) -> bytearray:
    found = bytearray(size)
    left = memoryview(found)
    while left:
        count = os.readv(source, [left])
        if count == 0:
            # Nobody is there to answer to: there is nothing to tidy up, and a job may be under way.
            os._exit(0)
        left = left[count:]
    return found


def _write(target: int, piece: bytes) -> None:
    left = memoryview(piece)
    while left:
        left = left[os.write(target, left) :]


def _answer(job: bytearray) -> list[bytes]:
    """The answer to a job, ready to be written."""
    try:
        return _worked(job)
    except MemoryError:
        pass
    # What the job held is free again here, outside the handler that held its frames.
    return packed((NO_MEMORY, None))


def _worked(job: bytearray) -> list[bytes]:
    try:
        work, arguments, named = pickle.loads(job)  # noqa: S301  # from the service
        return packed((RESULT, work(*arguments, **named)))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, the caller is told
        return _told(error)


def _told(error: Exception) -> list[bytes]:
    """The exception, with where it was raised as a note. One that can't travel is told as a RuntimeError."""
    where = "in the workshop:\n" + "".join(traceback.format_exception(error))
    error.add_note(where)
    try:
        pieces = packed((ERROR, error))
        # Classes with a constructor of their own may be written and still not be read.
        pickle.loads(b"".join(pieces[1:]))  # noqa: S301  # our own
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  # anything may go wrong in a class that was not made to travel
        pieces = packed((ERROR, RuntimeError(where)))
    return pieces
