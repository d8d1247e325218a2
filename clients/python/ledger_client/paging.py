"""Lists that come in pages."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import Protocol, TypeVar

from ledger_client.calls import UnaryCall


class _PageRequest(Protocol):
    page_token: str


class _Page(Protocol):
    next_page_token: str


_RequestT = TypeVar("_RequestT", bound=_PageRequest)
_PageT = TypeVar("_PageT", bound=_Page)


async def paginate(call: UnaryCall[_RequestT, _PageT], request: _RequestT) -> AsyncIterator[_PageT]:
    """Yield one page after the other, beginning where the request's own page_token says.

        async for page in paginate(client.accounts.ListAccounts, ListAccountsRequest(entity_id=entity)):
            for account in page.accounts: ...

    The request stays as it is. Raises LedgerError as the call does.
    """
    request = copy.deepcopy(request)
    while True:
        page = await call(request)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
