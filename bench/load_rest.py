"""A load process for REST: requests made beforehand, on raw connections, so that the client is not what is measured.

Run by bench.__main__ as `python -m bench.load_rest`; speaks with it as bench.load does.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from typing import Any

import uvloop

_CREATED = b"HTTP/1.1 201"
_LENGTH = b"content-length: "


def request(task: dict[str, Any], entity: str, key: str, chance: random.Random) -> bytes:
    """One POST /v1/transactions, as it goes over the wire."""
    debit, credit = chance.sample(task["accounts"], 2)
    body = json.dumps({
        "amount": f"{chance.randint(1, 99_999) / 100:.2f}",
        "debitAccountId": debit,
        "creditAccountId": credit,
        "description": "Benchmark",
        "status": "PENDING",
    }).encode()  # fmt: skip
    head = (
        f"POST /v1/transactions?entityId={entity} HTTP/1.1\r\nhost: ledger\r\n"
        f"authorization: Bearer {task['token']}\r\ncontent-type: application/json\r\n"
        f"idempotency-key: {key}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Caller(asyncio.Protocol):
    """One connection: sends the next request when the answer to the last one is whole."""

    def __init__(self, requests: list[bytes], deadline: float, counts: dict[str, Any]) -> None:
        self._requests = iter(requests)
        self._deadline = deadline
        self._counts = counts
        self._buffer = b""
        self._began = 0.0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        start = head.index(_LENGTH) + len(_LENGTH)
        end = head.find(b"\r\n", start)
        if len(body) < int(head[start : end if end >= 0 else None]):
            return
        if not head.startswith(_CREATED):
            self._end(SystemExit(f"refused: {self._buffer[:600]!r}"))
            return
        self._buffer = b""
        self._counts["transactions"] += 1
        self._counts["latencies"].append(time.perf_counter() - self._began)
        self._next()

    def connection_lost(self, _error: Exception | None) -> None:
        self._end(SystemExit("the service hung up"))

    def _next(self) -> None:
        self._began = time.perf_counter()
        following = next(self._requests, None) if self._began < self._deadline else None
        if following is None:
            self._end(None)
        else:
            self._transport.write(following)

    def _end(self, error: BaseException | None) -> None:
        if not self.done.done():
            if error is None:
                self.done.set_result(None)
            else:
                self.done.set_exception(error)
        self._transport.close()


async def main() -> None:
    task = json.loads(sys.stdin.readline())
    chance = random.Random(task["name"])
    prepared = [
        [
            request(task, task["entities"][caller % len(task["entities"])], f"{task['name']}-{caller}-{number}", chance)
            for number in range(task["prepared"])
        ]
        for caller in range(task["concurrency"])
    ]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    host, _, port = task["target"].rpartition(":")
    counts: dict[str, Any] = {"transactions": 0, "latencies": []}
    began = time.perf_counter()
    loop = asyncio.get_running_loop()
    callers = [Caller(requests, began + task["seconds"], counts) for requests in prepared]
    for caller in callers:
        await loop.create_connection(lambda caller=caller: caller, host, int(port))
    await asyncio.gather(*(caller.done for caller in callers))
    counts["seconds"] = time.perf_counter() - began
    sys.stdout.write(json.dumps(counts))


if __name__ == "__main__":
    uvloop.run(main())
