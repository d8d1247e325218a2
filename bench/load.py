"""A load process in Python: batches, streams, and single calls where there is no ghz.

Run by bench.driving as `python -m bench.load`; see bench.child for how they speak.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from bench.child import answer_tasks
from bench.errors import BenchError
from bench.requests import Mix, Requests
from ledger.v1 import transaction_service_pb2 as pb

SERVICE = "/ledger.v1.TransactionService/"
_OPTIONS = (
    ("grpc.max_receive_message_length", 64 << 20),
    # Each channel a connection of its own: with several processes of the service they must spread.
    ("grpc.use_local_subchannel_pool", 1),
)


class Refused(BenchError):
    """The service said no: a benchmark of refusals would be a fast one."""


class Load:
    """One measurement: sends until the time is over, waits for what is on its way."""

    def __init__(self, task: dict[str, Any]) -> None:
        self._task = task
        self._requests = Requests(Mix(**task["mix"]), task["seed"])
        self._metadata = (("authorization", f"Bearer {task['token']}"),)
        self._ends: list[float] = []
        self._latencies: list[float] = []
        self._end = 0.0

    async def run(self) -> dict[str, Any]:
        """Begins at the appointed time, so that several processes begin together."""
        kinds: dict[str, Callable[[list[grpc.aio.Channel]], Awaitable[None]]] = {
            "single": self._singles, "paced": self._paced, "batch": self._batches, "stream": self._streams,
        }  # fmt: skip
        channels = [
            grpc.aio.insecure_channel(self._task["target"], options=_OPTIONS) for _ in range(self._task["connections"])
        ]
        try:
            await asyncio.gather(*(channel.channel_ready() for channel in channels))
            await asyncio.sleep(max(0.0, self._task["start"] - time.time()))
            began = time.time()
            self._end = began + self._task["seconds"]
            await kinds[self._task["kind"]](channels)
            ended = time.time()
        finally:
            for channel in channels:
                await channel.close()
        return {"began": began, "ended": ended, "ends": self._ends, "latencies": self._latencies}

    def _answered(self, sent: float) -> None:
        now = time.time()
        self._ends.append(now)
        self._latencies.append(now - sent)

    def _call(self, channel: grpc.aio.Channel, method: str) -> Any:  # noqa: ANN401  # a call of bytes
        return channel.unary_unary(SERVICE + method)

    async def _single(self, call: Any, sent: float) -> None:  # noqa: ANN401
        answer = await call(self._requests.single(), metadata=self._metadata)
        self._answered(sent)
        if not answer:
            raise Refused("an empty answer")

    async def _singles(self, channels: list[grpc.aio.Channel]) -> None:
        async def caller(call: Any) -> None:  # noqa: ANN401
            while (sent := time.time()) < self._end:
                await self._single(call, sent)

        calls = [self._call(channel, "CreateTransaction") for channel in channels]
        await asyncio.gather(*(caller(calls[one % len(calls)]) for one in range(self._task["concurrency"])))

    async def _paced(self, channels: list[grpc.aio.Channel]) -> None:
        """At a steady rate, whether earlier calls are answered or not; latency counts from the appointed time."""
        calls = [self._call(channel, "CreateTransaction") for channel in channels]
        step, began = 1 / self._task["rate"], time.time()
        async with asyncio.TaskGroup() as group:
            number = 0
            while (due := began + number * step) < self._end:
                wait = due - time.time()
                if wait > 0:
                    await asyncio.sleep(wait)
                group.create_task(self._single(calls[number % len(calls)], due))
                number += 1

    async def _batches(self, channels: list[grpc.aio.Channel]) -> None:
        size, entities = self._task["size"], self._task["mix"]["entities"]

        async def caller(number: int, maker: ThreadPoolExecutor) -> None:
            call = self._call(channels[number % len(channels)], "BatchCreateTransactions")

            def make() -> Awaitable[bytes]:
                return asyncio.wrap_future(maker.submit(self._requests.batch, size, number % entities))

            request = await make()
            while (sent := time.time()) < self._end:
                answering, making = call(request, metadata=self._metadata), make()
                answer = await answering
                self._answered(sent)
                results = pb.BatchCreateTransactionsResponse.FromString(answer).results
                if len(results) != size or any(one.HasField("error") or one.response.replayed for one in results):
                    raise Refused("a transaction of a batch was refused or replayed")
                request = await making

        # The next request is made while the one before is under way: like making the yardstick's rows, it does not
        # count. One thread for all: keys are told apart by a count.
        with ThreadPoolExecutor(1) as maker:
            await asyncio.gather(*(caller(number, maker) for number in range(self._task["concurrency"])))

    async def _streams(self, channels: list[grpc.aio.Channel]) -> None:
        window = self._task["window"]

        async def stream(channel: grpc.aio.Channel) -> None:
            room = asyncio.Semaphore(window)
            sent: list[float] = []
            # Bytes in; answers are read as messages, as a caller would who looks at them.
            call: Any = channel.stream_stream(
                SERVICE + "StreamCreateTransactions",
                response_deserializer=pb.StreamCreateTransactionsResponse.FromString,
            )(metadata=self._metadata)

            async def send() -> None:
                while time.time() < self._end:
                    await room.acquire()
                    sent.append(time.time())
                    await call.write(self._requests.streamed())
                await call.done_writing()

            sending = asyncio.ensure_future(send())
            received = 0
            async for answer in call:
                if answer.index != received or not answer.HasField("response"):
                    raise Refused(f"answer {received} of a stream: {answer.error.message or answer.index}")
                self._answered(sent[received])
                received += 1
                room.release()
            await sending
            if received != len(sent):
                raise Refused(f"a stream answered {received} of {len(sent)} requests")

        await asyncio.gather(*(stream(channels[number % len(channels)]) for number in range(self._task["concurrency"])))


async def handle(task: dict[str, Any]) -> dict[str, Any]:
    """One measurement."""
    return await Load(task).run()


if __name__ == "__main__":
    answer_tasks(handle)
