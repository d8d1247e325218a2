"""How much is written together when there are many callers.

Each commit costs the same 3 ms of processor time before the first posting is in it. Who answers many callers and takes
at once what is there leaves most of them to the commit after: they are on their way, in the sockets. So a lane lets
them come in before it takes the next batch; after a lone caller, or a few, it waits for nobody. That pays where the
processors are the limit, and costs a few milliseconds just below: measured in docs/decisions/0025-gathering.md.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger_service.application.committer import Committer

_TURNS = 8
"""Of the loop: calls that have arrived come in. Where none has, the turns pass at once."""
_STEP_SECONDS = 0.002
"""Callers of whom none has come for so long are not waited for: they are fewer, or have nothing to write."""


def gathers(committer: Committer, callers: int) -> bool:
    """Whether the next batch is worth waiting for, after one of so many callers."""
    return callers >= committer.limits.company and committer.queue.waiting < committer.limits.enough


async def gather(committer: Committer, callers: int, took: float) -> None:
    """Let those come in who will be written together next. Hold no lock meanwhile if it `gathers`.

    Args:
        committer: whose queue they come into.
        callers: how many were answered just now, together.
        took: how many seconds that took: gathering takes no longer.
    """
    limits, queue = committer.limits, committer.queue
    if callers < 2 or queue.waiting >= limits.enough:
        return
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    if callers < limits.company:
        return
    loop = asyncio.get_running_loop()
    over = loop.time() + min(took, limits.gathering_seconds)
    before = -1
    while before < queue.waiting < limits.enough and loop.time() < over:
        before = queue.waiting
        await asyncio.sleep(_STEP_SECONDS)
