"""The door that both adapters use: who calls, and whether there is room for one more of this caller's calls.

    principal = await admission.enter(authorization, certificate)
    try:
        ...
    finally:
        admission.leave(principal)

Limits belong to the caller by its name in the history, so that the two keys of a rotation share them, and to one
worker process. A call costs one, and a batch as many as it has items. A call is let in while the caller has at
least one left; a batch may take it below zero, and what it owes is then waited for, but never longer than a minute
(MAX_DEBT_SECONDS). So a large batch is never impossible, and over time a caller gets its rate, or one batch a minute.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ledger_service.application.access import Principal
from ledger_service.application.authentication import CACHE_SECONDS, Authenticator
from ledger_service.domain.errors import LedgerError, Reason

MAX_CALLERS = 10_000
"""Callers whose use is remembered; those under way come on top, and these are bounded by the server."""
MAX_DEBT_SECONDS = 60.0
"""What a caller owes is forgotten beyond this: nobody waits longer."""
BUSY_RETRY_MS = 100
"""The pause that a caller with too many calls under way is told: how long these take is not known."""


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """Of each caller; see config.Settings."""

    calls_per_second: float = 0.0
    """0: no limit."""
    burst: int = 1
    """Calls that a caller who was idle may make at once."""
    concurrent_calls: int = 2_048


class _Caller:
    """One caller's use."""

    __slots__ = ("in_flight", "left", "updated")

    def __init__(self, left: float, updated: float) -> None:
        self.in_flight = 0
        self.left = left
        self.updated = updated


class Admission:
    """Authenticates calls and holds each caller to its limits. Belongs to one event loop."""

    def __init__(
        self,
        authenticator: Authenticator,
        limits: AdmissionLimits,
        monotonic: Callable[[], float],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        recheck_seconds: float = CACHE_SECONDS * 2 / 3,
    ) -> None:
        """`recheck_seconds`: between two looks at the credential of a long call, see long_calls."""
        self.authenticator = authenticator
        self.recheck_seconds = recheck_seconds
        self._limits = limits
        self._monotonic = monotonic
        self._sleep = sleep
        self._callers: dict[str, _Caller] = {}

    async def enter(self, authorization: str | None, certificate: tuple[str, ...] | None = None) -> Principal:
        """Let a call in, and tell whose it is; `leave` must follow.

        Raises LedgerError UNAUTHENTICATED, AUTHENTICATION_UNAVAILABLE, RATE_LIMITED; StorageError. Then nothing is
        taken, and `leave` must not follow.
        """
        principal = await self.authenticator.authenticate(authorization, certificate)
        caller = self._callers.get(principal.name)
        if caller is None:
            caller = self._newcomer(principal.name)
        if caller.in_flight >= self._limits.concurrent_calls:
            raise LedgerError(
                Reason.RATE_LIMITED,
                f"this caller has {caller.in_flight} calls under way, as many as it may; wait for some of them",
                {"limit": "concurrent_calls", "retry_after_ms": str(BUSY_RETRY_MS)},
            )
        if self._limits.calls_per_second:
            self._refill(caller)
            if caller.left < 1.0:
                wait = (1.0 - caller.left) / self._limits.calls_per_second
                raise LedgerError(
                    Reason.RATE_LIMITED,
                    f"this caller is over its {self._limits.calls_per_second:g} calls a second; pause, then try again",
                    {"limit": "calls_per_second", "retry_after_ms": str(math.ceil(wait * 1000))},
                )
            caller.left -= 1.0
        caller.in_flight += 1
        return principal

    def leave(self, principal: Principal) -> None:
        """The call has ended, however it did."""
        self._callers[principal.name].in_flight -= 1

    def charge(self, principal: Principal, items: int) -> None:
        """Count the items of a batch: the first is paid for by the call itself. Call it between enter and leave."""
        if self._limits.calls_per_second and items > 1:
            self._spend(self._callers[principal.name], items - 1)

    async def pace(self, principal: Principal) -> None:
        """Count one item of a stream, and wait until it is paid for: a stream is slowed down, not refused."""
        if self._limits.calls_per_second:
            caller = self._callers[principal.name]
            self._refill(caller)
            self._spend(caller, 1)
            if caller.left < 0.0:
                await self._sleep(-caller.left / self._limits.calls_per_second)

    async def stop(self) -> None:
        """End what is under way."""
        await self.authenticator.stop()

    def _refill(self, caller: _Caller) -> None:
        now = self._monotonic()
        left = caller.left + (now - caller.updated) * self._limits.calls_per_second
        caller.left = min(left, float(self._limits.burst))
        caller.updated = now

    def _spend(self, caller: _Caller, items: int) -> None:
        most = -MAX_DEBT_SECONDS * self._limits.calls_per_second
        caller.left = max(caller.left - items, most)

    def _newcomer(self, name: str) -> _Caller:
        if len(self._callers) >= MAX_CALLERS:
            self._forget()
        caller = self._callers[name] = _Caller(float(self._limits.burst), self._monotonic())
        return caller

    def _forget(self) -> None:
        """Drop idle callers: those that owe nothing any more, and if that is not half of them, the longest idle."""
        idle = [(caller.updated, name) for name, caller in self._callers.items() if not caller.in_flight]
        idle.sort()
        rate, burst = self._limits.calls_per_second, self._limits.burst
        now = self._monotonic()
        for index, (updated, name) in enumerate(idle):
            recovered = not rate or self._callers[name].left + (now - updated) * rate >= burst
            if recovered or index < len(idle) // 2:
                del self._callers[name]
