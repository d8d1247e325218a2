"""What answers about transactions say of the accounts that they touch, for adapters that name them.

Calls that are answered at the same moment share one query: the writes of one commit are, so that a hundred
answers cost no more looks into the database than one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ledger_service.application.ports import ReadStore
from ledger_service.domain.account import Account, Entity
from ledger_service.domain.transaction import Transaction


class Details(NamedTuple):
    """As they are now, by account number."""

    accounts: Mapping[int, Account]


class _Look(NamedTuple):
    """Accounts that several callers ask for together."""

    account_nos: set[int]
    found: asyncio.Future[Details]


class Describer:
    """Reads details; callers have been authorised for the entity already."""

    def __init__(self, reads: ReadStore) -> None:
        self._reads = reads
        self._next: dict[int, _Look] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def details(self, entity: Entity, transactions: Iterable[Transaction]) -> Details:
        """Of all accounts of these transactions. Raises Unavailable."""
        wanted = {posting.account_no for one in transactions for posting in one.postings}
        if not wanted:
            return Details({})
        look = self._next.get(entity.entity_no)
        if look is None:
            loop = asyncio.get_running_loop()
            look = self._next[entity.entity_no] = _Look(set(), loop.create_future())
            # Whoever else is answered in this turn of the loop adds to it first.
            loop.call_soon(self._begin, entity.entity_no)
        look.account_nos.update(wanted)
        # Shielded: one caller's end must not be the others'.
        return await asyncio.shield(look.found)

    def _begin(self, entity_no: int) -> None:
        task = asyncio.create_task(self._read(entity_no, self._next.pop(entity_no)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self, entity_no: int, look: _Look) -> None:
        try:
            accounts = await self._reads.accounts(entity_no, sorted(look.account_nos))
        except Exception as error:  # noqa: BLE001  # the callers are told
            look.found.set_exception(error)
            # A caller that is gone never asks for it: that is no fault.
            look.found.exception()
        else:
            look.found.set_result(Details({account.account_no: account for account in accounts}))
