"""What was measured on: a figure without it says nothing."""

from __future__ import annotations

import asyncio
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import asyncpg

from bench.child import ROOT
from ledger_service import __version__

_PACKAGES = ("grpcio", "protobuf", "asyncpg", "uvloop")
BUSY_SHARE = 0.10
"""A machine that is busier than this before the start is not idle."""
_SETTINGS = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "wal_compression")


async def busy_share(seconds: float) -> float:
    """How much of all cores' time others take, 0 to 1, looked at for so long; 0 where the system does not tell."""
    before = _times()
    await asyncio.sleep(seconds)
    after = _times()
    if before is None or after is None or after[1] == before[1]:
        return 0.0
    return 1 - (after[0] - before[0]) / (after[1] - before[1])


def _times() -> tuple[int, int] | None:
    """Idle and all time of the processors, in ticks."""
    try:
        fields = [int(one) for one in Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    return fields[3] + fields[4], sum(fields)


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()


def _is_optimized() -> bool:
    """Whether this Python was built to be fast."""
    return subprocess.run([sys.executable, ROOT / "scripts" / "is_optimized.py"], check=False).returncode == 0


def _git(*arguments: str) -> str:
    try:
        ended = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return ended.stdout.strip()


async def describe(busy: float) -> dict[str, Any]:
    """Hardware, load before the start, versions."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "load_average": [round(one, 2) for one in os.getloadavg()],
        "busy_share": round(busy, 3),
        "idle": busy <= BUSY_SHARE,
        "versions": {
            "ledger-service": __version__,
            "commit": _git("rev-parse", "--short", "HEAD") + ("+changes" if _git("status", "--porcelain") else ""),
            "python": f"{platform.python_version()} ({'' if _is_optimized() else 'not '}optimized)",
            **{name: version(name) for name in _PACKAGES},
        },
    }


async def database_settings(dsn: str) -> dict[str, str]:
    """What commits are worth on this server: read from it, not assumed."""
    connection = await asyncpg.connect(dsn)
    try:
        return {name: await connection.fetchval("SELECT current_setting($1)", name) for name in _SETTINGS}
    finally:
        await connection.close()
