"""The service's side of the process that works: starting it, asking it, ending it. All of it blocks."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ledger_service.workshop.child import OUT_OF_MEMORY
from ledger_service.workshop.wire import packed, unpacked

__all__ = ["Child", "ChildEndedError", "TimeIsUpError", "packed"]

_PASSED_ON = ("LD_LIBRARY_PATH", "TMPDIR")
"""Of the environment, which has the DSN and other secrets in it, the rest is nothing to the child."""
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
    # Each thread of these reserves memory, and there is one processor's worth of work.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}
_READ_BYTES = 1024 * 1024


class ChildEndedError(Exception):
    """The child has ended in the middle of a job. `limit` is the one it met, as far as its end tells."""

    def __init__(self, status: int) -> None:
        super().__init__(f"ended with status {status}")
        self.status = status
        # SIGKILL that is not ours is the kernel's, out of memory.
        self.limit = {-signal.SIGKILL: "memory_bytes", OUT_OF_MEMORY: "memory_bytes", -signal.SIGXCPU: "seconds"}.get(
            status, "crash"
        )


class TimeIsUpError(Exception):
    """The job takes longer than it may."""


class Child:
    """A process that is running. Not for two threads at a time, except `kill`."""

    def __init__(self, memory_bytes: int, cpu_seconds: int) -> None:
        """Start it. Raises OSError if the system has no room for a process."""
        # No preexec_fn and no change of user: Python then starts it by vfork, and a process that serves gRPC must
        # not fork, since the copy would have its locks and not its threads. What is set in the child is set there.
        self._process = subprocess.Popen(  # noqa: S603  # ourselves
            [sys.executable, "-P", "-m", "ledger_service.workshop", str(memory_bytes), str(cpu_seconds)],
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("made with pipes")
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        for pipe in (self._to, self._from):
            os.set_blocking(pipe, False)
        self._deadline = 0.0
        self._buffer = b""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether it runs, or did a moment ago; asked while it has nothing to do.

        An idle one says nothing, so what could be read is the end of its output. That comes before the system lets a
        process be collected, and tells of one that has just been killed.
        """
        if self._process.poll() is not None:
            return False
        poll = select.poll()
        poll.register(self._from, select.POLLIN)
        return not poll.poll(0)

    def ask(self, pieces: list[bytes], seconds: float) -> Any:  # noqa: ANN401  # whatever comes back
        """Send a job and wait for its answer, a pair of kind and value.

        Raises ChildEndedError, or TimeIsUpError after so many seconds. It is of no more use then.
        """
        self._deadline = time.monotonic() + seconds
        try:
            for piece in pieces:
                self._write(piece)
            return unpacked(self._read)
        except (BrokenPipeError, EOFError):
            raise ChildEndedError(self._process.wait()) from None

    def kill(self) -> None:
        """End it, whatever it does. Whoever waits for its answer gets ChildEndedError."""
        # It holds nothing that would have to be put in order. Popen sends no signal to a process it has collected.
        self._process.kill()

    def close(self) -> None:
        """End it and give back its pipes."""
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _write(self, piece: bytes) -> None:
        left = memoryview(piece)
        while left:
            self._wait(self._to, select.POLLOUT)
            try:
                left = left[os.write(self._to, left) :]
            except BlockingIOError:
                # Less room than it asks for at once.
                continue

    def _read(self, size: int) -> bytes:
        """Exactly so many bytes."""
        if len(self._buffer) >= size:
            found, self._buffer = self._buffer[:size], self._buffer[size:]
            return found
        parts, missing = [self._buffer], size - len(self._buffer)
        while missing > 0:
            self._wait(self._from, select.POLLIN)
            part = os.read(self._from, _READ_BYTES)
            if not part:
                raise EOFError
            parts.append(part)
            missing -= len(part)
        whole = b"".join(parts)
        self._buffer = whole[size:]
        return whole[:size]

    def _wait(self, pipe: int, event: int) -> None:
        poll = select.poll()
        poll.register(pipe, event)
        left = self._deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise TimeIsUpError


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    # The child finds the modules that this process has, wherever it was started.
    paths = os.pathsep.join(str(Path(path).absolute()) for path in sys.path)
    return {**_ENVIRONMENT, **kept, "PYTHONPATH": paths}
