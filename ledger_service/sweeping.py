"""When the garbage collector runs: by calls, because calls are what makes garbage.

Nearly everything here is freed as soon as nobody refers to it. Only grpc.aio leaves six objects that refer to each
other for each call (1.85), whether it brings one transaction or ten thousand. Python's collector counts objects that
are alive instead: a batch makes tens of thousands, all in use until it is answered, and each look at them finds
nothing and costs some milliseconds; while garbage of thousands of calls is swept at once and everybody waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable

CALLS = 2_000
"""As many leave about two megabytes, and are swept in some twenty milliseconds."""
SECONDS = 0.1
"""Between two looks at how many calls there were."""
YOUNG_SWEEPS = 20
"""After so many sweeps of what is new, one of what was still in use by a call at an earlier sweep."""
MIDDLE_SWEEPS = 20
"""After so many of those, one of everything."""
MAX_OBJECTS = 200_000
"""More that came and stayed since the last sweep, some forty megabytes, are looked at whatever made them; above what
is in use at once under full load, so that it is not looked at for nothing."""


class Sweeping:
    """Keeps the collector to this process's calls, from `start` to `stop`."""

    def __init__(self, calls: Callable[[], int]) -> None:
        """`calls`: how many have begun so far."""
        self._calls = calls
        self._swept_at = calls()
        self._sweeps = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """What exists by now lives as long as the process: it is never looked at again."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(MAX_OBJECTS, 10, 10)
        self._task = asyncio.create_task(self._run(), name="sweeping")

    async def stop(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def look(self) -> None:
        """Sweep if there were enough calls since the last time."""
        calls = self._calls()
        if calls - self._swept_at >= CALLS:
            self._swept_at = calls
            self._sweeps += 1
            gc.collect(_generation(self._sweeps))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(SECONDS)
            self.look()


def _generation(sweep: int) -> int:
    if sweep % YOUNG_SWEEPS:
        return 0
    return 1 if sweep // YOUNG_SWEEPS % MIDDLE_SWEEPS else 2
