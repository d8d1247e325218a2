"""When a session makes its plans anew."""

from __future__ import annotations

import asyncio

_YOUNGEST, _OLDEST = 0.25, 60.0
"""Seconds after which a session's plans are made anew."""

DISCARD = "DISCARD PLANS"


class PlanAge:
    """A plan that was made while a table was nearly empty may go by the wrong index, for then all seem equal, and
    would be kept until the next ANALYZE. So plans live as long as the session was old when they were made, within
    bounds.
    """

    def __init__(self) -> None:
        self._opened_at = asyncio.get_running_loop().time()
        self._replan_at = self._opened_at + _YOUNGEST

    def is_over(self) -> bool:
        """Whether to send DISCARD now; if so, it is taken to be sent."""
        now = asyncio.get_running_loop().time()
        if now < self._replan_at:
            return False
        self._replan_at = now + min(max(now - self._opened_at, _YOUNGEST), _OLDEST)
        return True
