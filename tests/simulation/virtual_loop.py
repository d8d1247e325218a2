"""An event loop whose time passes only when nothing else can: hours in milliseconds, the same way every time."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class StuckError(Exception):
    """Everybody waits, and no time will change that: a deadlock."""


class _Jumping(selectors.BaseSelector):
    """Waits for nothing: where the loop would sleep, its clock jumps."""

    def __init__(self) -> None:
        self.now = 0.0
        self._keys: dict[object, selectors.SelectorKey] = {}

    def register(self, fileobj: object, events: int, data: object = None) -> selectors.SelectorKey:
        key = selectors.SelectorKey(fileobj, -1, events, data)  # type: ignore[arg-type]
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: object) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StuckError("everybody waits, and no time will change that")
        self.now += max(0.0, timeout)
        return []

    def get_map(self) -> Mapping[object, selectors.SelectorKey]:  # type: ignore[override]
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """Timers fire in their order, at once. Raises StuckError out of run_until_complete."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now
