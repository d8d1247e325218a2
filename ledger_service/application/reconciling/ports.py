"""What reconciliation needs from outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class Workshop(Protocol):
    """Does heavy, pure work outside the event loop, within bounds of memory and time."""

    async def run(
        self, work: Callable[_Arguments, _Result], *arguments: _Arguments.args, **named: _Arguments.kwargs
    ) -> _Result:
        """What `work` (a function of a module, with arguments that can be pickled) returns; its exceptions pass.

        Raises LedgerError WORK_TOO_LARGE if it needs more memory or time than it may have: nothing has happened then.
        Raises LedgerError QUEUE_FULL if too much waits already.
        """
        ...
