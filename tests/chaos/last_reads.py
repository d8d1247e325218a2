"""The last read phase: after the faults, all that the service has to tell of an entity."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledger.v1 import account_service_pb2, transaction_service_pb2
from tests.chaos.desk import BANK, CURRENCY, LAST, LastBooks
from tests.helpers.builders import sequence_of
from tests.helpers.reconciling import Books
from tests.helpers.watching import read_history

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.chaos.history import Story
    from tests.helpers.rpc import Client

_AT_ONCE = 32
_PAGE = 1_000
_OPEN_ITEMS = 10_000


@dataclass(frozen=True)
class LastReads:
    """Of one entity, at rest."""

    events: Sequence[Any]
    """The whole sequence, through WatchTransactions."""
    transactions: Sequence[Any]
    """All, as they are now, oldest first, through ListTransactions."""
    balances: Sequence[Any]
    """Of every account, through BatchGetBalances."""
    found: Mapping[str, Any]
    """For each key with an unknown outcome, what LookUpTransaction says."""
    books: LastBooks | None = None
    """Of the account that is reconciled, if one is."""


async def read_all(client: Client, story: Story) -> LastReads:
    """Ask for everything; nothing may be under way any more."""
    last = await sequence_of(client, story.name)
    events = await read_history(client, story.name, last)
    return LastReads(
        events,
        await list_all(client, story.name),
        await read_balances(client, story.name, [account.id for account in story.accounts]),
        await _look_up(client, story),
        await _read_books(client, story) if story.desk is not None else None,
    )


async def list_all(client: Client, entity_id: str, page_size: int = _PAGE) -> list[Any]:
    """Every transaction, oldest first."""
    request = transaction_service_pb2.ListTransactionsRequest(entity_id=entity_id, page_size=page_size, ascending=True)
    found: list[Any] = []
    while True:
        page = await client.transactions.ListTransactions(request)
        found += page.transactions
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def read_balances(client: Client, entity_id: str, account_ids: Sequence[str]) -> list[Any]:
    """The balances of accounts, in one call."""
    answer = await client.accounts.BatchGetBalances(
        account_service_pb2.BatchGetBalancesRequest(entity_id=entity_id, account_ids=account_ids)
    )
    return [balance for each in answer.accounts for balance in each.balances]


async def _read_books(client: Client, story: Story) -> LastBooks:
    books = Books(client, story.name, BANK, CURRENCY)
    # Without a statement's number only those that are not settled by a closing.
    lines = [line for each in await books.statements() for line in await books.lines(statement_number=each.number)]
    return LastBooks(lines, await books.matches(), await books.report(LAST, max_open_items=_OPEN_ITEMS))


async def _look_up(client: Client, story: Story) -> dict[str, Any]:
    keys = sorted({write.command.key for write in story.writes if not write.is_known})
    found: dict[str, Any] = {}

    async def some(part: Sequence[str]) -> None:
        for key in part:
            found[key] = await client.transactions.LookUpTransaction(
                transaction_service_pb2.LookUpTransactionRequest(entity_id=story.name, idempotency_key=key)
            )

    await asyncio.gather(*(some(keys[start::_AT_ONCE]) for start in range(_AT_ONCE)))
    return found
