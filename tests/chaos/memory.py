"""A process that can't have more memory: it must refuse, or die, and never acknowledge what it then loses."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from ledger.v1 import transaction_service_pb2 as pb
from tests.helpers.builders import transfer
from tests.helpers.rpc import Client, Refused, connect
from tests.helpers.servers import TOKEN

if TYPE_CHECKING:
    from tests.helpers.processes import ServeProcess

_SLACK_BYTES = 8 << 20
"""So much more than it has: the threads and calls that are under way get on, large requests do not."""
_ITEMS = 10_000
_AT_ONCE = (4, 16, 48, 96)
"""So many large requests at the same time, until they do not all fit."""
_HOLD_SECONDS = 1.0
_RECOVERY_SECONDS = 20.0
_NOBODY = "nobody-here"
_REFUSED = (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.RESOURCE_EXHAUSTED)
"""What large requests are answered with while there is memory: there is no such entity, or too many come at once."""


async def runs_short(service: ServeProcess) -> None:
    """Take its memory away, prove that it was missed, give it back; it has ended then, or serves again.

    Raises AssertionError where it did not notice, and where it neither serves nor ends.
    """
    pid = service.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_AS)
    async with connect(service.address, TOKEN, _RECOVERY_SECONDS) as client:
        try:
            resource.prlimit(pid, resource.RLIMIT_AS, (_address_space(pid) + _SLACK_BYTES, before[1]))
            assert await _misses_memory(service, client), "all that was sent has found room"
            await asyncio.sleep(_HOLD_SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_AS, before)
        with contextlib.suppress(TimeoutError):
            # Somebody who waits for the process sees that it has ended, if it has.
            await asyncio.wait_for(service.process.wait(), 0.2)
    if service.process.returncode is None:
        await _serves(service)


async def _misses_memory(service: ServeProcess, client: Client) -> bool:
    """Whether large requests are answered otherwise than while there is memory."""
    request = pb.BatchCreateTransactionsRequest(entity_id=_NOBODY)
    request.requests.extend([transfer(_NOBODY, "debit", "credit", "1.00", idempotency_key="large")] * _ITEMS)
    for count in _AT_ONCE:
        calls = [client.transactions.BatchCreateTransactions(request) for _ in range(count)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        if service.process.returncode is not None:
            return True
        if any(isinstance(each, Refused) and each.code not in _REFUSED for each in answers):
            return True
    return False


async def _serves(service: ServeProcess) -> None:
    """Answers again: of a new connection, that there is no such entity."""
    async with asyncio.timeout(_RECOVERY_SECONDS), connect(service.address, TOKEN, 2.0) as client:
        while service.process.returncode is None:
            try:
                await client.transactions.ListTransactions(pb.ListTransactionsRequest(entity_id=_NOBODY))
            except Refused as refused:
                if refused.code is grpc.StatusCode.NOT_FOUND:
                    return
            await asyncio.sleep(0.1)


def _address_space(pid: int) -> int:
    """Bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()
