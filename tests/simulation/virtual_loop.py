"""An event loop whose time passes only when nothing else can: hours in milliseconds, the same way every time.

It knows callbacks and timers and nothing else: no files, no threads, no signals. That makes it several times cheaper
than asyncio's own loop with a selector that waits for nothing, and what a schedule costs is what the tested code does.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

_MOST_CALLS = 50_000
"""Callbacks of one run, some hundred times what one takes. Who needs more goes round in circles."""


class StuckError(Exception):
    """Everybody waits, and no time will change that: a deadlock. Or somebody never ends."""


class Call:
    """A callback that is due: what asyncio calls a handle."""

    __slots__ = ("_when", "args", "callback")

    def __init__(self, when: float, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self._when = when
        self.callback: Callable[..., object] | None = callback
        self.args = args

    def cancel(self) -> None:
        """It is not called any more."""
        self.callback = None
        self.args = ()

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.callback is None

    def when(self) -> float:
        """In the loop's time."""
        return self._when


class VirtualLoop(asyncio.AbstractEventLoop):
    """For one run: made, used for one `run_until_complete`, thrown away.

    Callbacks run in the order in which they were called for, timers in the order of their times, and time jumps to the
    next timer when there is no callback left. Nothing enters the context of its task: who keeps something in context
    variables would see that of others here (the committer does not).
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._calls_left = _MOST_CALLS
        self._ready: deque[Call] = deque()
        self._timers: list[tuple[float, int, Call]] = []
        self._timers_made = 0
        self.tasks: list[asyncio.Task[Any]] = []
        """All that were ever begun."""
        self.complaints: list[str] = []
        """What asyncio had to say: exceptions that nobody asked for, tasks that were dropped while they waited."""

    def run_until_complete(self, coroutine: Coroutine[Any, Any, T]) -> T:  # type: ignore[override]
        """Its result. Raises StuckError, what the coroutine raises, and what a plain callback raises."""
        main = self.create_task(coroutine)
        self._run_until(main.done)
        return main.result()

    def abandon(self) -> None:
        """After a run that went wrong: end all that is still under way, as far as it can be ended."""
        self._calls_left = _MOST_CALLS
        for task in self.tasks:
            task.cancel()
        with contextlib.suppress(StuckError):
            self._run_until(lambda: not self.left())

    def left(self) -> list[str]:
        """What has been begun and never ended."""
        return [repr(task) for task in self.tasks if not task.done()]

    def forget(self) -> None:
        """Let go of everything, so that it is free without the garbage collector."""
        self.tasks.clear()
        self._timers.clear()
        self._ready.clear()

    def sleep(self, seconds: float) -> asyncio.Future[None]:
        """To be awaited: asyncio.sleep without its coroutine."""
        future: asyncio.Future[None] = asyncio.Future(loop=self)
        self._timers_made += 1
        when = self._now + seconds
        heapq.heappush(self._timers, (when, self._timers_made, Call(when, _wake, (future,))))
        return future

    def time(self) -> float:
        return self._now

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> Call:  # type: ignore[override]
        call = Call(self._now, callback, args)
        self._ready.append(call)
        return call

    def call_at(self, when: float, callback: Callable[..., object], *args: Any, context: Any = None) -> Call:  # type: ignore[override]
        call = Call(when, callback, args)
        self._timers_made += 1
        heapq.heappush(self._timers, (when, self._timers_made, call))
        return call

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None) -> Call:  # type: ignore[override]
        return self.call_at(self._now + delay, callback, *args)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Any = None) -> asyncio.Task[Any]:  # type: ignore[override]
        task = asyncio.Task(coro, loop=self, name=name)
        self.tasks.append(task)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.complaints.append(f"{context.get('message')} {context.get('exception')!r}")

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def _run_until(self, is_over: Callable[[], bool]) -> None:
        asyncio._set_running_loop(self)
        try:
            self._run_ready()
            while not is_over():
                self._jump()
                self._run_ready()
        finally:
            asyncio._set_running_loop(None)

    def _run_ready(self) -> None:
        ready, left = self._ready, self._calls_left
        while ready:
            left -= 1
            if left < 0:
                raise StuckError(f"somebody goes round in circles: {_MOST_CALLS:,} callbacks have not been enough")
            call = ready.popleft()
            if call.callback is not None:
                call.callback(*call.args)
        self._calls_left = left

    def _jump(self) -> None:
        """To the next timer that still counts."""
        timers = self._timers
        while timers:
            when, _, call = heapq.heappop(timers)
            if call.callback is not None:
                # A time that is over already is now: the clock never goes back.
                self._now = max(self._now, when)
                self._ready.append(call)
                return
        raise StuckError("everybody waits, and no time will change that")


def _wake(future: asyncio.Future[None]) -> None:
    # Who slept may have been cancelled.
    if not future.done():
        future.set_result(None)
