"""A clock that can be set, for a process of the service's or for PostgreSQL (libfaketime)."""

from __future__ import annotations

import asyncio
import os
import tempfile
import urllib.request
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.disk import NotPossibleError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

STEPS = (timedelta(hours=1), timedelta(days=400), timedelta(hours=-1), timedelta(days=-400), timedelta(0))
"""How far from the truth, one after the other."""
_LIBRARY = "libfaketimeMT.so.1"
_TOLERANCE = timedelta(minutes=5)
_LOOK_SECONDS = 0.3
_HOLD_SECONDS = 1.0
_SHARED = Path("/dev/shm")  # where the library keeps a semaphore and a page for each process


class Clock:
    """What a process that was started with `environment` takes for now."""

    def __init__(self) -> None:
        # Where everybody may read it: PostgreSQL runs as another user than root, in folders of its own.
        handle, name = tempfile.mkstemp(prefix="clock-")
        os.fchmod(handle, 0o644)
        os.close(handle)
        self._file = Path(name)
        self._write(timedelta(0))
        self._library = next(Path("/usr/lib").glob(f"*/faketime/{_LIBRARY}"), None)

    @property
    def environment(self) -> dict[str, str]:
        """Of a process whose clock is to be set; empty where that is not possible."""
        if self._library is None:
            return {}
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            # The monotonic clock is no matter of dates: nobody can set it.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    async def step(self, offset: timedelta, told: Callable[[], Awaitable[datetime | None]]) -> None:
        """Set it, wait until the process tells dates by it, and let it work so for a while.

        `told`: what the process says; None: it can't be asked just now. Raises NotPossibleError.
        """
        if self._library is None:
            raise NotPossibleError("libfaketime is not installed (Debian: apt install faketime)")
        self._write(offset)
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            date = await told()
            if date is not None and abs(date - datetime.now(UTC) - offset) < _TOLERANCE:
                break
        await asyncio.sleep(_HOLD_SECONDS)

    def _write(self, offset: timedelta) -> None:
        self._file.write_text(f"{offset.total_seconds():+.0f}\n", encoding="ascii")

    def remove(self) -> None:
        """Nobody reads it any more; what the library has left of processes that were killed goes as well."""
        self._file.unlink(missing_ok=True)
        for left in _SHARED.glob("*faketime_*"):
            pid = left.name.rpartition("_")[2]
            if pid.isdigit() and not Path("/proc", pid).exists():
                # Left there, it would keep another user's process with the same number from starting.
                left.unlink(missing_ok=True)


async def told_by_service(rest_address: str) -> datetime | None:
    """The header of an answer."""
    try:
        return await asyncio.to_thread(_date, rest_address)
    except (OSError, HTTPException):
        return None  # it is being restarted


def _date(address: str) -> datetime:
    with urllib.request.urlopen(f"http://{address}/healthz", timeout=5) as answer:
        return parsedate_to_datetime(answer.headers["date"])
