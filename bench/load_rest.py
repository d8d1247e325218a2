"""A load process for REST, on raw connections, so that the client is not what is measured.

Run by bench.scenarios.rest as `python -m bench.load_rest`; see bench.child for how they speak.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Iterator
from typing import Any

from bench.child import answer_tasks
from bench.requests import DESCRIPTION, Mix, account_id, entity_id

_CREATED = b"HTTP/1.1 201"
_LENGTH = b"content-length: "


def requests(task: dict[str, Any], mix: Mix, key: str, chance: random.Random) -> Iterator[bytes]:
    """POST /v1/transactions without end, as they go over the wire."""
    for number in itertools.count():
        debit, credit = chance.sample(range(mix.accounts), 2)
        body = (
            f'{{"amount":{chance.randint(1, 99_999)}.00,"debitAccountId":"{account_id(debit)}",'
            f'"creditAccountId":"{account_id(credit)}","description":"{DESCRIPTION}","status":"PENDING"}}'
        )
        yield (
            f"POST /v1/transactions?entityId={entity_id(chance.randrange(mix.entities))} HTTP/1.1\r\nhost: ledger\r\n"
            f"authorization: Bearer {task['token']}\r\ncontent-type: application/json\r\n"
            f"idempotency-key: {key}-{number}\r\ncontent-length: {len(body)}\r\n\r\n{body}"
        ).encode()


class Caller(asyncio.Protocol):
    """One connection: sends the next request when the answer to the last one is whole."""

    def __init__(self, requests: Iterator[bytes], deadline: float, counts: dict[str, Any]) -> None:
        self._requests = requests
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
        now = time.time()
        self._counts["ends"].append(now)
        self._counts["latencies"].append(now - self._began)
        self._next()

    def connection_lost(self, _error: Exception | None) -> None:
        self._end(SystemExit("the service hung up"))

    def _next(self) -> None:
        self._began = time.time()
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


async def handle(task: dict[str, Any]) -> dict[str, Any]:
    """One measurement."""
    mix = Mix(**task["mix"])
    chance = random.Random(task["seed"])  # repeatable, not secret
    host, _, port = task["target"].rpartition(":")
    loop = asyncio.get_running_loop()
    counts: dict[str, Any] = {"ends": [], "latencies": []}
    began = time.time()
    callers = [
        Caller(requests(task, mix, f"{task['seed']}-{number}", chance), began + task["seconds"], counts)
        for number in range(task["concurrency"])
    ]
    for caller in callers:
        await loop.create_connection(lambda caller=caller: caller, host, int(port))  # type: ignore[misc]
    await asyncio.gather(*(caller.done for caller in callers))
    return {"began": began, "ended": time.time(), **counts}


if __name__ == "__main__":
    answer_tasks(handle)
