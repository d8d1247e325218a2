"""Following an entity across lost connections."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import grpc

from ledger.v1.transaction_service_pb2 import WatchTransactionsRequest, WatchTransactionsResponse
from ledger_client.calls import TransactionCalls
from ledger_client.errors import LedgerError
from ledger_client.retry import RetryPolicy

_ESTABLISHED_AFTER: Final = 15.0
"""Seconds after which a watch without an event counts as having been connected: a connection that can't be
made fails sooner (client.CONNECT_TIMEOUT), and an entity in which nothing happens sends nothing."""


async def watch(
    transactions: TransactionCalls, retry: RetryPolicy, entity_id: str, after_sequence: int
) -> AsyncGenerator[WatchTransactionsResponse, None]:
    """Yield the entity's events after `after_sequence`, each once, in order; connects again by itself.

    Gives up when it has failed to connect for `retry.overall` seconds in a row.

    Raises:
        LedgerError: refused, or given up; with the code DATA_LOSS when the server skips or repeats a
            sequence, which it promises never to do.
    """
    last = after_sequence
    attempts = retry.start()
    while True:
        opened = retry.clock()
        try:
            request = WatchTransactionsRequest(entity_id=entity_id, after_sequence=last)
            async with aclosing(transactions.WatchTransactions(request)) as events:
                async for event in events:
                    if event.sequence != last + 1:
                        raise _gap(entity_id, last, event.sequence)
                    last = event.sequence
                    attempts = retry.start()
                    yield event
            error = LedgerError(grpc.StatusCode.UNAVAILABLE, "the server ended the watch")
        except LedgerError as failure:
            error = failure
        if not error.is_retryable:
            raise error
        if retry.clock() - opened >= _ESTABLISHED_AFTER:
            attempts = retry.start()
        if not await attempts.pause(error.retry_after):
            raise error


def _gap(entity_id: str, last: int, sequence: int) -> LedgerError:
    return LedgerError(
        grpc.StatusCode.DATA_LOSS,
        f"after event {last} of {entity_id} the server sent event {sequence}; report this to its operators",
    )
