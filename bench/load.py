"""A load process: sends requests that were serialized beforehand, so that the client is not what is measured.

Run by bench.__main__ as `python -m bench.load`; reads its task as JSON from standard input, says `ready`,
waits for a line, sends for the given time, and answers with the counts as JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time

import grpc
import uvloop

from ledger.v1 import money_pb2
from ledger.v1 import transaction_service_pb2 as pb

_SERVICE = "/ledger.v1.TransactionService/"
_POSTED = 3


def transfer(entity_id: str, key: str, accounts: list[str], chance: random.Random) -> pb.CreateTransactionRequest:
    """A two-posting transaction between two of the accounts."""
    debit, credit = chance.sample(accounts, 2)
    return pb.CreateTransactionRequest(
        entity_id=entity_id,
        idempotency_key=key,
        debit_account_id=debit,
        credit_account_id=credit,
        amount=money_pb2.Money(currency="USD", amount=f"{chance.randrange(1, 100_000)}.00"),
        status=_POSTED,  # type: ignore[arg-type]
        description="benchmark",
    )


async def run(task: dict[str, object]) -> dict[str, object]:
    """Send for `seconds` from `concurrency` callers; count what was answered in that time."""
    name, seconds, size = str(task["name"]), float(str(task["seconds"])), int(str(task["batch_size"]))
    accounts, entities = [str(one) for one in task["accounts"]], [str(one) for one in task["entities"]]  # type: ignore[attr-defined]
    chance = random.Random(name)  # repeatable, not secret
    method = "BatchCreateTransactions" if size > 1 else "CreateTransaction"
    metadata = (("authorization", f"Bearer {task['token']}"),)
    latencies: list[float] = []
    number = 0

    def serialized(caller: int) -> bytes:
        nonlocal number
        entity_id = entities[caller % len(entities)]
        requests = []
        for _ in range(size):
            number += 1
            requests.append(transfer(entity_id, f"{name}-{number:09d}", accounts, chance))
        if size == 1:
            return requests[0].SerializeToString()
        return pb.BatchCreateTransactionsRequest(entity_id=entity_id, requests=requests).SerializeToString()

    options = (("grpc.max_receive_message_length", 64 << 20), ("grpc.use_local_subchannel_pool", 1))
    async with grpc.aio.insecure_channel(str(task["target"]), options=options) as channel:
        call = channel.unary_unary(_SERVICE + method)
        concurrency, prepared_each = int(str(task["concurrency"])), int(str(task["prepared"]))
        prepared = [[serialized(caller) for _ in range(prepared_each)] for caller in range(concurrency)]
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        began = time.perf_counter()
        end = began + seconds

        async def caller(requests: list[bytes]) -> None:
            for request in requests:
                sent = time.perf_counter()
                if sent >= end:
                    return
                answer = await call(request, metadata=metadata)
                latencies.append(time.perf_counter() - sent)
                if size > 1 and pb.BatchCreateTransactionsResponse.FromString(answer).results[-1].HasField("error"):
                    raise RuntimeError("a transaction of the benchmark was refused")
            raise RuntimeError("the benchmark ran out of prepared requests: raise `prepared`")

        await asyncio.gather(*(caller(requests) for requests in prepared))
        took = time.perf_counter() - began
    latencies.sort()
    return {
        "transactions": len(latencies) * size,
        "seconds": took,
        "latencies": latencies[:: max(1, len(latencies) // 2000)],
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.loads(sys.stdin.readline())))), flush=True)
