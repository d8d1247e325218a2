"""A clock that can be set, for one of the service's processes (libfaketime)."""

from __future__ import annotations

import asyncio
import urllib.request
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.disk import NotPossibleError

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = (timedelta(hours=1), timedelta(days=400), timedelta(hours=-1), timedelta(days=-400), timedelta(0))
"""How far from the truth, one after the other."""
_LIBRARY = "libfaketimeMT.so.1"
_TOLERANCE = timedelta(minutes=5)
_LOOK_SECONDS = 0.5


class Clock:
    """What a process that was started with `environment` takes for now."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self._file.write_text("+0\n", encoding="ascii")
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

    async def step(self, offset: timedelta, rest_address: Callable[[], str]) -> None:
        """Set it, and wait until the process tells dates by it; raises NotPossibleError."""
        if self._library is None:
            raise NotPossibleError("libfaketime is not installed (Debian: apt install faketime)")
        self._file.write_text(f"{offset.total_seconds():+.0f}\n", encoding="ascii")
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                told = await asyncio.to_thread(_date, rest_address())
            except (OSError, HTTPException):
                continue  # it is being restarted
            if abs(told - datetime.now(UTC) - offset) < _TOLERANCE:
                return


def _date(address: str) -> datetime:
    """What a process tells in the header of an answer."""
    with urllib.request.urlopen(f"http://{address}/healthz", timeout=5) as answer:
        return parsedate_to_datetime(answer.headers["date"])
