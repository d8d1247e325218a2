"""What answers about transactions say of their accounts and categories, for adapters that name them.

Calls that are answered at the same moment share one query: the writes of one commit are, so that a hundred
answers cost no more looks into the database than one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ledger_service.application.ports import ReadStore
from ledger_service.domain.account import Account, Entity
from ledger_service.domain.category import Category
from ledger_service.domain.transaction import Transaction


class Details(NamedTuple):
    """As they are now: accounts by number, categories by id."""

    accounts: Mapping[int, Account]
    categories: Mapping[str, Category]


class _Look(NamedTuple):
    """What several callers ask for together."""

    account_nos: set[int]
    category_ids: set[str]
    found: asyncio.Future[Details]


class Describer:
    """Reads details; callers have been authorised for the entity already."""

    def __init__(self, reads: ReadStore) -> None:
        self._reads = reads
        self._next: dict[int, _Look] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def details(self, entity: Entity, transactions: Sequence[Transaction]) -> Details:
        """Of all accounts and categories of these transactions. Raises Unavailable."""
        if not transactions:
            return Details({}, {})
        look = self._next.get(entity.entity_no)
        if look is None:
            loop = asyncio.get_running_loop()
            look = self._next[entity.entity_no] = _Look(set(), set(), loop.create_future())
            # Whoever else is answered in this turn of the loop adds to it first.
            loop.call_soon(self._begin, entity.entity_no)
        for one in transactions:
            look.account_nos.update([posting.account_no for posting in one.postings])
            if one.category_id is not None:
                look.category_ids.add(one.category_id)
        # Shielded: one caller's end must not be the others'.
        return await asyncio.shield(look.found)

    def _begin(self, entity_no: int) -> None:
        task = asyncio.create_task(self._read(entity_no, self._next.pop(entity_no)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self, entity_no: int, look: _Look) -> None:
        try:
            accounts = await self._reads.accounts(entity_no, sorted(look.account_nos))
            categories = []
            if look.category_ids:
                categories = await self._reads.categories(entity_no, sorted(look.category_ids))
        except Exception as error:  # noqa: BLE001  # the callers are told
            look.found.set_exception(error)
            # A caller that is gone never asks for it: that is no fault.
            look.found.exception()
        else:
            look.found.set_result(
                Details(
                    {account.account_no: account for account in accounts},
                    {category.category_id: category for category in categories},
                )
            )
