"""Who took the processors while it was measured: the service, PostgreSQL, the callers. Linux only: from /proc."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_MEASURED = {b"ledger_service", b"bench.echo"}
"""Modules whose processes, and what they start, are the service or stand for it."""


class Cpu(NamedTuple):
    """Processor time of the bench's processes."""

    service: float = 0.0
    """Or of the echo in its place."""
    database: float = 0.0
    callers: float = 0.0
    """Whoever sends the load; of a raw COPY, the one who copies."""

    def since(self, before: Cpu, items: int) -> Cpu | None:
        """What was added, for each of so many items; None where the system does not tell."""
        added = [now - then for now, then in zip(self, before, strict=True)]
        return Cpu(*(max(0.0, one) / items for one in added)) if any(added) and items else None

    def __str__(self) -> str:
        return " + ".join(f"{one * 1e6:,.0f}" for one in self)


class _Process(NamedTuple):
    parent: int
    seconds: float


def cpu_of(postmaster: int) -> Cpu:
    """Seconds since each process began; one that has ended counts for its parent. Zeros where there is no /proc."""
    processes = _processes()
    seconds = [0.0, 0.0, 0.0]
    for pid, process in processes.items():
        group = _group(pid, processes, postmaster)
        if group is not None:
            seconds[group] += process.seconds
    return Cpu(*seconds)


def _processes() -> dict[int, _Process]:
    ticks = os.sysconf("SC_CLK_TCK")
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # What follows the name, which may hold blanks and brackets.
            fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue
        found[int(folder.name)] = _Process(int(fields[1]), sum(map(int, fields[11:15])) / ticks)
    return found


def _group(pid: int, processes: dict[int, _Process], postmaster: int) -> int | None:
    """Place in Cpu; None: no process of ours."""
    while pid in processes:
        if pid == postmaster:
            return 1
        if pid == os.getpid():
            return 2
        if _MEASURED.intersection(_command(pid)):
            return 0
        pid = processes[pid].parent
    return None


def _command(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
