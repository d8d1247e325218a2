"""Many transactions: cut into batches, a few of them under way at a time, each item's outcome in order."""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import grpc

from ledger.v1.transaction_service_pb2 import (
    BatchCreateTransactionsRequest,
    BatchCreateTransactionsResponse,
    BatchCreateTransactionsResult,
    CreateTransactionRequest,
    CreateTransactionResponse,
)
from ledger_client import keys
from ledger_client.calls import UnaryCall
from ledger_client.errors import LedgerError
from ledger_client.retry import Attempts, RetryPolicy

MAX_ITEMS: Final = 10_000
"""Items that the service takes in one batch (transaction_service.proto)."""

MAX_POSTINGS: Final = 40_000
"""Postings that the service takes in one batch, all items together (transaction_service.proto)."""

_MAX_BYTES: Final = 2 * 1024 * 1024
"""Size of one batch. The answer repeats each transaction and adds balances, some three times the size of a
small item, and has to stay well within the largest message that either side takes."""

BatchCall = UnaryCall[BatchCreateTransactionsRequest, BatchCreateTransactionsResponse]


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What became of one item: exactly one of `response` and `error` is set.

    Attributes:
        index: its place among the requests, from 0.
        request: as it was sent, with its idempotency key.
        response: it is recorded.
        error: it was refused; or, with `is_definite` False, its outcome was still not known when time was up.
    """

    index: int
    request: CreateTransactionRequest
    response: CreateTransactionResponse | None = None
    error: LedgerError | None = None


def chunks(requests: Iterable[CreateTransactionRequest], size: int) -> Iterator[list[CreateTransactionRequest]]:
    """Cut into lists of up to `size` items that keep the service's limits; give each item its key."""
    chunk: list[CreateTransactionRequest] = []
    postings = length = 0
    for bare in requests:
        # A copy: whoever gives us a generator may change and yield the same message again.
        request = copy.deepcopy(bare) if bare.idempotency_key else keys.with_key(bare)
        more_postings, more_length = len(request.postings) or 2, request.ByteSize()
        full = len(chunk) == size or postings + more_postings > MAX_POSTINGS or length + more_length > _MAX_BYTES
        if chunk and full:
            yield chunk
            chunk, postings, length = [], 0, 0
        chunk.append(request)
        postings += more_postings
        length += more_length
    if chunk:
        yield chunk


async def batch_create(
    call: BatchCall,
    retry: RetryPolicy,
    entity_id: str,
    requests: Iterable[CreateTransactionRequest],
    *,
    chunk: int,
    in_flight: int,
) -> AsyncGenerator[BatchOutcome, None]:
    """Send all requests and yield their outcomes in the order of the requests (LedgerClient.batch_create)."""
    if not 1 <= chunk <= MAX_ITEMS or in_flight < 1:
        raise ValueError(f"chunk must be 1 to {MAX_ITEMS}, and in_flight at least 1")
    pending: deque[asyncio.Task[list[BatchOutcome]]] = deque()
    first = 0
    try:
        for items in chunks(requests, chunk):
            if len(pending) == in_flight:
                for outcome in await pending.popleft():
                    yield outcome
            pending.append(asyncio.create_task(_send(call, retry.start(), entity_id, items, first)))
            first += len(items)
        while pending:
            for outcome in await pending.popleft():
                yield outcome
    finally:
        # The consumer has stopped, or a batch has failed: what is under way may take effect or not, and the
        # same keys find out.
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


async def _send(
    call: BatchCall,
    attempts: Attempts,
    entity_id: str,
    items: list[CreateTransactionRequest],
    first: int,
) -> list[BatchOutcome]:
    """Send one batch; sends those items again whose own answer says that nothing is known or done yet."""
    outcomes: dict[int, BatchOutcome] = {}
    unsettled = list(range(len(items)))
    while True:
        batch = BatchCreateTransactionsRequest(entity_id=entity_id, requests=[items[i] for i in unsettled])
        response = await call.within(attempts, batch)
        if len(response.results) != len(unsettled):
            raise LedgerError(
                grpc.StatusCode.DATA_LOSS,
                f"{len(unsettled)} items were sent and {len(response.results)} answered; "
                "report this to the service's operators",
                request=batch,
            )
        for i, result in zip(unsettled, response.results, strict=True):
            outcomes[i] = _outcome(first + i, items[i], result)
        unsettled = [i for i in unsettled if (error := outcomes[i].error) is not None and error.is_retryable]
        if not unsettled or not await attempts.pause():
            return [outcomes[i] for i in range(len(items))]


def _outcome(index: int, request: CreateTransactionRequest, result: BatchCreateTransactionsResult) -> BatchOutcome:
    if result.WhichOneof("outcome") == "response":
        return BatchOutcome(index, request, response=result.response)
    return BatchOutcome(index, request, error=LedgerError.from_status(result.error, request))
