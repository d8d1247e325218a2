"""How often, for how long and with which pauses a call is tried again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

_MAX_DOUBLINGS = 32  # 2**32 times any first pause is longer than any limit; keeps the number from growing


def full_jitter(longest: float) -> float:
    """A pause of 0 to `longest` seconds, each as likely.

    The whole range, not a band around the limit: callers that failed together must not come back together
    (Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog 2015).
    """
    return random.uniform(0.0, longest)  # noqa: S311 - spreads load, guards nothing


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Limits of trying again. All times in seconds.

    Attributes:
        overall: for one call with all its attempts and pauses. 0: one attempt, bounded by its own timeout.
        first_pause: upper limit of the pause before the second attempt; it doubles with each further one …
        longest_pause: … up to here.
        jitter: picks the pause, given its upper limit.
        clock: a clock that never goes back.
        sleep: waits.
    """

    overall: float = 30.0
    first_pause: float = 0.05
    longest_pause: float = 2.0
    jitter: Callable[[float], float] = full_jitter
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def __post_init__(self) -> None:
        if self.overall < 0 or self.first_pause <= 0 or self.longest_pause < self.first_pause:
            raise ValueError("a retry policy needs overall >= 0 and 0 < first_pause <= longest_pause")

    def start(self, at_least: float = 0.0) -> Attempts:
        """Begin to count: one object for each call. A caller who gives one attempt more time than `overall` has it."""
        return Attempts(self, max(self.overall, at_least))


NO_RETRIES = RetryPolicy(overall=0.0)
"""One attempt. For callers that do the repeating themselves."""


class Attempts:
    """What is left of one call's time, and the pause before its next attempt."""

    __slots__ = ("_deadline", "_pauses", "_policy")

    def __init__(self, policy: RetryPolicy, overall: float) -> None:
        self._policy = policy
        self._pauses = 0
        # Without repeating there is none: the attempt has its own timeout.
        self._deadline = policy.clock() + (overall if policy.overall else 0.0)

    def time_for(self, timeout: float) -> float:
        """Seconds that the next attempt may take: its own timeout, or less near the end of the whole."""
        if self._policy.overall == 0:
            return timeout
        return max(0.0, min(timeout, self._deadline - self._policy.clock()))

    async def pause(self, at_least: float = 0.0) -> bool:
        """Wait before the next attempt, `at_least` so many seconds and some more by chance.

        False, at once, when the time that is left does not reach so far.
        """
        policy = self._policy
        limit = min(policy.longest_pause, policy.first_pause * 2.0 ** min(self._pauses, _MAX_DOUBLINGS))
        seconds = at_least + policy.jitter(limit)
        if policy.clock() + seconds >= self._deadline:
            return False
        self._pauses += 1
        await policy.sleep(seconds)
        return True
