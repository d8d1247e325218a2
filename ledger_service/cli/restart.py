"""When to start something again that died, and when to give up."""

from __future__ import annotations

from typing import Final

MAX_QUICK_DEATHS: Final = 5
# A life shorter than this says that starting again does not help.
QUICK_SECONDS: Final = 10.0
_FIRST_DELAY_SECONDS: Final = 0.2
_LONGEST_DELAY_SECONDS: Final = 5.0


class RestartPolicy:
    """Counts quick deaths in a row: each doubles the wait, the fifth is the last."""

    def __init__(self) -> None:
        self._quick_deaths = 0

    def delay_after(self, lived_seconds: float) -> float | None:
        """Seconds to wait before the next start of what lived so long; None: give up."""
        if lived_seconds >= QUICK_SECONDS:
            self._quick_deaths = 0
            return 0.0
        self._quick_deaths += 1
        if self._quick_deaths >= MAX_QUICK_DEATHS:
            return None
        return float(min(_FIRST_DELAY_SECONDS * 2 ** (self._quick_deaths - 1), _LONGEST_DELAY_SECONDS))
