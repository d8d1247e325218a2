"""The pages that are read of a large ledger, and the tokens of the last ones, found as a caller would: by walking."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ledger.v1 import account_service_pb2 as accounts_pb
from ledger.v1 import transaction_service_pb2 as pb
from ledger_client import LedgerClient, timestamp

PAGE = 50
_STRIDE = 1_000
"""Rows of a page while walking: the most that a page may have."""

LastPages = dict[str, str]
"""By the name of a list: the token of its last full page of PAGE rows."""


def list_request(entity: str) -> pb.ListTransactionsRequest:
    """All transactions, newest first."""
    return pb.ListTransactionsRequest(entity_id=entity)


def month_request(entity: str, month: tuple[datetime, datetime]) -> pb.ListTransactionsRequest:
    """Those effective in a month, by effective time, newest first."""
    return pb.ListTransactionsRequest(
        entity_id=entity,
        effective_from=timestamp(month[0]),
        effective_before=timestamp(month[1]),
        order=pb.TRANSACTION_ORDER_EFFECTIVE,
    )


def entries_request(entity: str, account: str) -> accounts_pb.ListEntriesRequest:
    """An account's entries, newest first."""
    return accounts_pb.ListEntriesRequest(entity_id=entity, account_id=account, currency="USD")


async def find_last_pages(
    client: LedgerClient, entity: str, account: str, month: tuple[datetime, datetime]
) -> LastPages:
    """Walk through all three lists, side by side: some 5,000 pages of 1,000 transactions for 5,000,000."""
    transactions, entries = client.transactions.ListTransactions, client.accounts.ListEntries
    walks = {
        "list": _last_token(transactions, list_request(entity), lambda page: len(page.transactions)),
        "month": _last_token(transactions, month_request(entity, month), lambda page: len(page.transactions)),
        "entries": _last_token(entries, entries_request(entity, account), lambda page: len(page.entries)),
    }
    return dict(zip(walks, await asyncio.gather(*walks.values()), strict=True))


async def _last_token(call: Any, request: Any, size_of: Callable[[Any], int]) -> str:  # noqa: ANN401
    """With long strides to the end, then with short ones through the last of them."""
    page_start, found = "", ""
    for size in (_STRIDE, PAGE):
        request.page_token, request.page_size = page_start, size
        while True:
            page = await call(request)
            if size == PAGE and size_of(page) == PAGE:
                found = request.page_token
            if not page.next_page_token:
                break
            if size == _STRIDE:
                page_start = request.page_token
            request.page_token = page.next_page_token
    return found
