"""What all writing use cases of reconciliation have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import NamedTuple

from ledger_service.application.access import Principal
from ledger_service.application.directory import Directory
from ledger_service.application.paging import PageTokens
from ledger_service.application.ports import ReadStore
from ledger_service.application.reconciling.changes import Change, Changed, Changes, Request, not_found
from ledger_service.application.reconciling.looking import MAX_IN_SCOPE, Looking, profile_of
from ledger_service.application.reconciling.ports import Workshop
from ledger_service.application.reconciling.records import Context, Failure, MatchState
from ledger_service.application.reconciling.settling import Settling
from ledger_service.application.reconciling.staging import Action, Baseline, Book, OpenItem, ReconciliationStore, State
from ledger_service.application.reconciling.standing import live_matches
from ledger_service.application.reconciling.upload import Spool
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.domain.identifiers import transaction_no_of
from ledger_service.domain.money import Currencies
from ledger_service.domain.transaction import Status

DAY = timedelta(days=1)
_NO_DAY = date.max


class Parts(NamedTuple):
    """What reconciliation works with."""

    store: ReconciliationStore
    changes: Changes
    settling: Settling
    workshop: Workshop
    spool: Spool
    reads: ReadStore
    directory: Directory
    tokens: PageTokens
    currencies: Currencies


class Writing(Looking):
    """The parts, and what several use cases do with them."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts.store, parts.changes, parts.directory, parts.tokens, parts.currencies)
        self._settling = parts.settling
        self._workshop = parts.workshop
        self._spool = parts.spool
        self._reads = parts.reads

    async def _advance(
        self, context: Context, book: Book, request: Request, action: Action, work: Callable[[State], Awaitable[Change]]
    ) -> Changed:
        """Change it on the ground of all that is in scope."""
        return await self._changes.advance(context, book, request, action, lambda: self._load(context, book), work)

    async def _clear(self, principal: Principal, context: Context, book: Book) -> tuple[int, list[Failure]]:
        """Set the PENDING transactions of all CONFIRMED matches CLEARED, if the profile says so.

        Done after the change that confirmed them, and again after a replay: cut off in between, the next call goes on.
        """
        state = await self._load(context, book)
        if not profile_of(state).profile.clears:
            return 0, []
        pending = {item.transaction_no for item in state.items if item.status == Status.PENDING}
        wanted = {
            number: match.number
            for match in live_matches(state)[0]
            if match.state == MatchState.CONFIRMED
            for number in match.transactions
            if number in pending
        }
        return await self._settling.clear(principal, context, wanted)

    async def _carried(self, context: Context, book: Book, state: State, until: date) -> list[OpenItem]:
        """Transactions that count after a day."""
        return await self._store.items_since(
            book,
            context.account.normal_side,
            context.entity.time_zone,
            state.entry_number,
            until + DAY,
            (),
            MAX_IN_SCOPE,
        )

    async def _items_numbered(
        self, context: Context, book: Book, state: State, numbers: list[int]
    ) -> dict[int, OpenItem]:
        """Some transactions of the account, by number."""
        if not numbers:
            return {}
        found = await self._store.items_since(
            book,
            context.account.normal_side,
            context.entity.time_zone,
            state.entry_number,
            _NO_DAY,
            numbers,
            MAX_IN_SCOPE,
        )
        wanted = set(numbers)
        return {item.transaction_no: item for item in found if item.transaction_no in wanted}

    def _check_begun(self, context: Context, state: State) -> Baseline:
        if state.baseline is None:
            raise not_found(context.account.account_id, context.currency, [])
        return state.baseline


def transaction_number(context: Context, text: str, field: str) -> int:
    """The number behind an id of this entity. Raises LedgerError TRANSACTION_NOT_FOUND."""
    number = transaction_no_of(text, context.entity.entity_no, context.entity.id_key)
    if number is None:
        raise no_transaction(text, field)
    return number


def no_transaction(text: str, field: str) -> LedgerError:
    """A transaction that does not exist in this entity, or not on this account: the same to who can't tell."""
    return LedgerError(
        Reason.TRANSACTION_NOT_FOUND,
        f"{field}: transaction {text} does not exist, or has not changed this account",
        {"transaction_id": text, "field": field},
    )
