"""What the tests of the workshop give it to do; the child imports this."""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path

from ledger_service.domain.errors import LedgerError, Reason


def add(first: int, second: int = 0, *, third: int = 0) -> int:
    return first + second + third


def pid() -> int:
    return os.getpid()


def surroundings() -> tuple[dict[str, str], int, int, int]:
    """Environment, niceness, data limit, and who the session's leader is."""
    limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
    return dict(os.environ), os.getpriority(os.PRIO_PROCESS, 0), limit, os.getsid(0)


def echo(value: object) -> object:
    return value


def rows(count: int) -> list[tuple[int, str]]:
    return [(number, f"row {number}") for number in range(count)]


def refuse() -> None:
    raise LedgerError(Reason.INVALID_ARGUMENT, "line 3: no", {"field": "file", "line": "3"})


def fail(text: str) -> None:
    raise ValueError(text)


class StubbornError(Exception):
    """Its text is not what it is made of, so it can be pickled and not be read."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")


def fail_stubbornly() -> None:
    raise StubbornError(1, 2)


def unpicklable() -> object:
    return lambda: None


def eat_memory() -> int:
    eaten = []
    while True:
        eaten.append(bytearray(16 * 1024 * 1024))


def loop_for_ever() -> None:
    while True:
        pass


def touch_and_loop(path: str) -> None:
    """Tell who works, then never end."""
    fresh = Path(path + ".new")
    fresh.write_text(str(os.getpid()), encoding="ascii")
    fresh.rename(path)
    loop_for_ever()


def touch_and_wait(path: str, until: str) -> int:
    """Tell who works, then wait for a file."""
    fresh = Path(path + ".new")
    fresh.write_text(str(os.getpid()), encoding="ascii")
    fresh.rename(path)
    while not Path(until).exists():
        time.sleep(0.005)
    return os.getpid()


def die(number: int) -> None:
    os.kill(os.getpid(), number)


def leave() -> None:
    os._exit(0)


def ignore_signals_and_print() -> int:
    """What jobs print, and what they do to standard input, does not reach the pipes."""
    print("printed by a job")
    assert os.read(0, 10) == b""
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    return os.write(1, b"written by a job\n")
