"""Telling whether a PostgreSQL server runs on a data folder, without mistaking another process for it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A server's first process: one we started, or one that an earlier service left running."""

    pid: int
    # Set when we started it, and have to collect its exit status.
    child: subprocess.Popen[bytes] | None = None
    # Process ids are used again; together with the start time they are not.
    started: str = ""

    @classmethod
    def of_child(cls, child: subprocess.Popen[bytes]) -> Postmaster:
        """A server that this process has just started."""
        return cls(child.pid, child)

    @property
    def is_child(self) -> bool:
        """Whether this process started it."""
        return self.child is not None

    def is_alive(self) -> bool:
        """Whether it still runs; a process that has ended and waits to be collected does not."""
        if self.child is not None:
            return self.child.poll() is None
        return _exists(self.pid) and _start_time(self.pid) == self.started

    def send(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.is_alive():
            os.kill(self.pid, number)


def find_postmaster(cluster: Path) -> Postmaster | None:
    """The server that runs on the data folder `cluster`, if there is one.

    PostgreSQL's own pid file names it, but outlives a killed server, and its process id may by now be another
    program's. PostgreSQL would then refuse to start, so such a file is removed. That is safe: the caller
    holds the folder's lock, and PostgreSQL also checks the shared memory of a server that lost only its first
    process.
    """
    pid_file = cluster / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    if not _exists(pid):
        return None
    if not _works_in(pid, cluster):
        pid_file.unlink(missing_ok=True)
        return None
    return Postmaster(pid, started=_start_time(pid))


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # In a container without an init process nobody collects an orphan that has ended.
    return _status_field(pid, 0) != "Z"


def _works_in(pid: int, folder: Path) -> bool:
    """Whether the process's working directory is `folder`; true where the system cannot tell."""
    if not _PROC.joinpath("self", "cwd").exists():
        return True
    try:
        return _PROC.joinpath(str(pid), "cwd").samefile(folder)
    except OSError:
        # Gone, or another user's process: the server would run as the folder's owner, that is, as us.
        return False


def _start_time(pid: int) -> str:
    return _status_field(pid, 19)


def _status_field(pid: int, index: int) -> str:
    """A field of /proc/PID/stat, counted after the program's name; empty where there is no such file."""
    try:
        text = _PROC.joinpath(str(pid), "stat").read_text()
    except OSError:
        return ""
    # The name is in parentheses and may contain anything, blanks and parentheses too.
    return text.rpartition(")")[2].split()[index]
