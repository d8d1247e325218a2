"""The reading use cases: authorise, find the entity, read, page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ledger_service.application.access import SCOPES, Principal, authorize, require
from ledger_service.application.answers import refusal_of, worded
from ledger_service.application.directory import Directory
from ledger_service.application.intake import fields
from ledger_service.application.paging import PageTokens, page_size
from ledger_service.application.ports import (
    AccountFilter,
    AccountPlace,
    BalancesAt,
    EntryRecord,
    Moment,
    ReadStore,
    TransactionFilter,
    TransactionPlace,
)
from ledger_service.domain.account import Account, Entity
from ledger_service.domain.errors import LedgerError, Reason, invalid
from ledger_service.domain.identifiers import is_genuine, parse_transaction_id, transaction_no_of
from ledger_service.domain.money import Currencies, exponent_of
from ledger_service.domain.totals import ZERO
from ledger_service.domain.transaction import BalanceAfter, EventKind, Transaction

MAX_BALANCES = 1000


class TransactionOrder(IntEnum):
    """By which time transactions are listed; protos/ledger/v1/transaction_service.proto."""

    CREATED = 1
    EFFECTIVE = 2


class AccountBalances(NamedTuple):
    """An account's balances, one for each currency."""

    account: Account
    balances: list[BalanceAfter]


class KeyUse(NamedTuple):
    """What an idempotency key was used for: transactions, or a refusal."""

    transactions: list[Transaction]
    refusal: LedgerError | None


class Reads:
    """What callers may read."""

    def __init__(self, store: ReadStore, directory: Directory, tokens: PageTokens, currencies: Currencies) -> None:
        self._store = store
        self._directory = directory
        self._tokens = tokens
        self._currencies = currencies

    async def entity(self, principal: Principal, entity_id: str) -> Entity:
        """Raises LedgerError PERMISSION_DENIED, ENTITY_NOT_FOUND."""
        authorize(principal, "GetEntity", entity_id)
        return await self._directory.fresh(entity_id)

    async def ready(self) -> None:
        """Whether the database answers. Raises Unavailable."""
        await self._directory.ping()

    async def time_zone(self, principal: Principal, method: str, entity_id: str) -> ZoneInfo:
        """The entity's time zone, for a call that means days or months in it. Raises LedgerError as `method` does."""
        authorize(principal, method, entity_id)
        return ZoneInfo((await self._directory.fresh(entity_id)).time_zone)

    async def entity_of(self, principal: Principal, method: str, transaction_id: str) -> str:
        """The entity that a transaction's id names, for a call that names no entity.

        Raises LedgerError PERMISSION_DENIED without the scope, and TRANSACTION_NOT_FOUND alike for an id that
        is malformed, made up, or of an entity that the credential has no grant for.
        """
        require(principal, SCOPES[method])
        fields.reference_to(transaction_id, "transaction_id")
        place = parse_transaction_id(transaction_id)
        entity = await self._directory.numbered(place[0]) if place is not None else None
        if (
            place is None
            or entity is None
            or not is_genuine(*place, entity.id_key)
            or not principal.has_grant(entity.entity_id)
        ):
            raise transaction_not_found(transaction_id)
        return entity.entity_id

    async def entities(self, principal: Principal, size: int, token: str) -> tuple[list[Entity], str]:
        """Those that the caller has grants for, by id."""
        authorize(principal, "ListEntities")
        visible = sorted(principal.entity_ids) if principal.entity_ids is not None else None
        query = ("ListEntities", visible)
        place = self._tokens.read(query, token)
        limit = page_size(size)
        found = await self._directory.page(visible, str(place[0]) if place else "", limit + 1)
        more = len(found) > limit
        return found[:limit], self._tokens.make(query, [found[limit - 1].entity_id]) if more else ""

    async def account(self, principal: Principal, entity_id: str, account_id: str) -> Account:
        """Raises LedgerError ACCOUNT_NOT_FOUND."""
        entity = await self._enter(principal, "GetAccount", entity_id)
        return await self._account(entity, account_id)

    async def accounts(
        self,
        principal: Principal,
        entity_id: str,
        *,
        size: int,
        token: str,
        parent_id: str,
        type_: int,
        code_prefix: str,
        state: int,
        tree: bool,
    ) -> tuple[list[Account], list[int], str]:
        """Accounts, with `tree` their depths, and the next page's token."""
        entity = await self._enter(principal, "ListAccounts", entity_id)
        fields.line(code_prefix, "code_prefix", fields.MAX_CODE)
        if not 0 <= type_ <= 5:
            raise invalid("type", "must be ASSET, LIABILITY, EQUITY, REVENUE or EXPENSE, or left out")
        if not 0 <= state <= 3:
            raise invalid("state", "must be OPEN, FROZEN or CLOSED, or left out")
        query = ("ListAccounts", entity.entity_no, parent_id, type_, code_prefix, state, tree)
        place = self._tokens.read(query, token)
        limit = page_size(size)
        parent = (await self._account(entity, parent_id, "parent_id")).account_no if parent_id else None
        wanted = AccountFilter(parent, type_ or None, code_prefix or None, state or None, tree)
        after = AccountPlace(tuple(str(step) for step in place), 0) if place else None
        found = await self._store.list_accounts(entity.entity_no, wanted, after, limit + 1)
        page = found[:limit]
        next_token = self._tokens.make(query, list(page[-1][1].path)) if len(found) > limit else ""
        return [account for account, _ in page], [at.depth for _, at in page] if tree else [], next_token

    async def balances(
        self,
        principal: Principal,
        method: str,
        entity_id: str,
        account_ids: Sequence[str],
        *,
        currency: str,
        moment: Moment,
        subtree: bool,
    ) -> list[AccountBalances]:
        """Balances of each account, in the order asked for, all as of one sequence."""
        entity = await self._enter(principal, method, entity_id)
        if not 1 <= len(account_ids) <= MAX_BALANCES:
            raise invalid("account_ids", f"must have 1 to {MAX_BALANCES} items, has {len(account_ids)}")
        if currency:
            exponent_of(currency, self._currencies, "currency")
        if moment.known_sequence is not None and moment.known_sequence < 1:
            raise invalid("moment.known_sequence", "must be a sequence of the entity, 1 or more")
        many = method == "BatchGetBalances"
        numbers = await self._account_numbers(entity, account_ids, many)
        at = await self._store.balances(
            entity.entity_no, sorted(set(numbers.values())), subtree, currency or None, moment
        )
        if moment.known_sequence is not None and moment.known_sequence > at.last:
            raise invalid("moment.known_sequence", f"the entity has come to sequence {at.last} only")
        accounts = {
            one.account_no: one for one in await self._store.accounts(entity.entity_no, sorted(set(numbers.values())))
        }
        return [
            AccountBalances(account, _balances_of(account, at, currency))
            for account in (accounts[numbers[account_id]] for account_id in account_ids)
        ]

    async def entries(
        self,
        principal: Principal,
        entity_id: str,
        account_id: str,
        *,
        currency: str,
        size: int,
        token: str,
        ascending: bool,
    ) -> tuple[Entity, Account, list[EntryRecord], str]:
        """Entries of an account in one currency."""
        entity = await self._enter(principal, "ListEntries", entity_id)
        account = await self._account(entity, account_id)
        if currency:
            exponent_of(currency, self._currencies, "currency")
        else:
            held = await self._store.currencies_of(entity.entity_no, account.account_no)
            if len(held) > 1:
                raise invalid("currency", f"is required: the account has entries in {', '.join(held)}")
            currency = held[0] if held else ""
        query = ("ListEntries", entity.entity_no, account.account_no, currency, ascending)
        place = self._tokens.read(query, token)
        limit = page_size(size)
        after = _number(place)
        found = await self._store.entries(entity.entity_no, account.account_no, currency, after, ascending, limit + 1)
        more = len(found) > limit
        return (
            entity,
            account,
            found[:limit],
            self._tokens.make(query, [found[limit - 1].number]) if more else "",
        )

    async def transaction(
        self, principal: Principal, entity_id: str, transaction_id: str
    ) -> tuple[Entity, Transaction]:
        """Raises LedgerError TRANSACTION_NOT_FOUND."""
        entity = await self._enter(principal, "GetTransaction", entity_id)
        number = transaction_no(entity, transaction_id)
        found = await self._store.transactions(entity.entity_no, [number])
        if not found:
            raise transaction_not_found(transaction_id)
        return entity, found[0]

    async def by_key(self, principal: Principal, entity_id: str, key: str) -> tuple[Entity, KeyUse]:
        """What the write with this key did, the transactions as they are now."""
        entity = await self._enter(principal, "LookUpTransaction", entity_id)
        fields.key(key)
        use = await self._store.key_use(entity.entity_no, key)
        if use is None:
            return entity, KeyUse([], None)
        events = await self._store.events_at(entity.entity_no, [use[0] + offset for offset in range(use[1])])
        if events[0].kind == EventKind.WRITE_REFUSED:
            return entity, KeyUse([], worded(refusal_of(events[0]), self._currencies))
        numbers = [event.transaction.transaction_no for event in events if event.transaction is not None]
        return entity, KeyUse(await self._store.transactions(entity.entity_no, numbers), None)

    async def by_reference(
        self, principal: Principal, entity_id: str, reference: str, size: int, token: str
    ) -> tuple[Entity, list[Transaction], str]:
        """Transactions that carry a reference, oldest first."""
        entity = await self._enter(principal, "LookUpTransaction", entity_id)
        fields.line(reference, "reference", fields.MAX_REFERENCE, required=True)
        query = ("LookUpTransaction", entity.entity_no, reference)
        after = _number(self._tokens.read(query, token)) or 0
        limit = page_size(size)
        found = await self._store.transactions_by_reference(entity.entity_no, reference, after, limit + 1)
        more = len(found) > limit
        return (
            entity,
            found[:limit],
            self._tokens.make(query, [found[limit - 1].transaction_no]) if more else "",
        )

    async def transactions(
        self,
        principal: Principal,
        entity_id: str,
        *,
        size: int,
        token: str,
        statuses: Sequence[int],
        account_id: str,
        effective_from: datetime | None,
        effective_before: datetime | None,
        ascending: bool,
        order: int = TransactionOrder.CREATED,
    ) -> tuple[Entity, list[Transaction], str]:
        """Transactions as they are now, by age or by effective time."""
        entity = await self._enter(principal, "ListTransactions", entity_id)
        for index, status in enumerate(statuses):
            if not 1 <= status <= 5:
                raise invalid(f"statuses[{index}]", "must be PENDING, CLEARED, POSTED, VOIDED or EXPIRED")
        if effective_from and effective_before and effective_before <= effective_from:
            raise invalid("effective_before", "must lie after effective_from")
        if order not in (0, *TransactionOrder):
            raise invalid("order", "must be CREATED or EFFECTIVE, or left out")
        by_effective_time = order == TransactionOrder.EFFECTIVE
        if by_effective_time and account_id:
            raise invalid("order", "by effective time not together with account_id; leave one of them out")
        chosen = tuple(sorted(set(statuses)))
        query = (
            "ListTransactions",
            entity.entity_no,
            chosen,
            account_id,
            effective_from,
            effective_before,
            ascending,
            by_effective_time,
        )
        after = _place(self._tokens.read(query, token))
        limit = page_size(size)
        account_no = (await self._account(entity, account_id)).account_no if account_id else None
        wanted = TransactionFilter(chosen, account_no, effective_from, effective_before, ascending, by_effective_time)
        found = await self._store.list_transactions(entity.entity_no, wanted, after, limit + 1)
        if len(found) <= limit:
            return entity, found, ""
        last = found[limit - 1]
        place: list[object] = [last.transaction_no]
        if by_effective_time:
            place.append(last.effective_time.isoformat())
        return entity, found[:limit], self._tokens.make(query, place)

    async def revisions(
        self, principal: Principal, entity_id: str, transaction_id: str, size: int, token: str
    ) -> tuple[Entity, list[Transaction], str]:
        """All versions of a transaction, oldest first."""
        entity = await self._enter(principal, "ListTransactionRevisions", entity_id)
        number = transaction_no(entity, transaction_id)
        query = ("ListTransactionRevisions", entity.entity_no, number)
        after = _number(self._tokens.read(query, token)) or 0
        limit = page_size(size)
        found = await self._store.revisions(entity.entity_no, number, after, limit + 1)
        if not found and not after:
            raise transaction_not_found(transaction_id)
        more = len(found) > limit
        return entity, found[:limit], self._tokens.make(query, [found[limit - 1].revision]) if more else ""

    async def _enter(self, principal: Principal, method: str, entity_id: str) -> Entity:
        authorize(principal, method, entity_id)
        return await self._directory.find(entity_id)

    async def _account(self, entity: Entity, account_id: str, field: str = "account_id") -> Account:
        fields.reference_to(account_id, field)
        numbers = await self._store.account_numbers(entity.entity_no, [account_id])
        found = await self._store.accounts(entity.entity_no, list(numbers.values()))
        if not found:
            raise _account_not_found(account_id, field)
        return found[0]

    async def _account_numbers(self, entity: Entity, account_ids: Sequence[str], many: bool) -> dict[str, int]:
        paths = [f"account_ids[{index}]" if many else "account_id" for index in range(len(account_ids))]
        for account_id, path in zip(account_ids, paths, strict=True):
            fields.reference_to(account_id, path)
        numbers = await self._store.account_numbers(entity.entity_no, list(account_ids))
        for account_id, path in zip(account_ids, paths, strict=True):
            if account_id not in numbers:
                raise _account_not_found(account_id, path)
        return numbers


def _balances_of(account: Account, at: BalancesAt, currency: str) -> list[BalanceAfter]:
    found = [row for row in at.rows if row.account_no == account.account_no]
    balances = [
        BalanceAfter(
            account.account_no,
            account.account_id,
            account.normal_side,
            row.currency,
            row.totals,
            row.number,
            at.sequence,
        )
        for row in found
    ]
    if currency and not balances:
        balances.append(
            BalanceAfter(account.account_no, account.account_id, account.normal_side, currency, ZERO, 0, at.sequence)
        )
    return balances


def transaction_no(entity: Entity, transaction_id: str) -> int:
    """The number in an id of this entity's. Raises LedgerError TRANSACTION_NOT_FOUND."""
    fields.reference_to(transaction_id, "transaction_id")
    number = transaction_no_of(transaction_id, entity.entity_no, entity.id_key)
    if number is None:
        raise transaction_not_found(transaction_id)
    return number


def _number(place: list[object] | None) -> int | None:
    """The number that a page token of ours holds."""
    return int(str(place[0])) if place else None


def _place(place: list[object] | None) -> TransactionPlace | None:
    """The transaction that a page token of ours holds, with its effective time where the list goes by it."""
    if place is None:
        return None
    return TransactionPlace(int(str(place[0])), datetime.fromisoformat(str(place[1])) if len(place) > 1 else None)


def transaction_not_found(transaction_id: str) -> LedgerError:
    """Told alike for an id that is malformed, made up or another entity's."""
    return LedgerError(
        Reason.TRANSACTION_NOT_FOUND,
        f"transaction {transaction_id} does not exist in this entity",
        {"transaction_id": transaction_id},
    )


def _account_not_found(account_id: str, field: str) -> LedgerError:
    return LedgerError(
        Reason.ACCOUNT_NOT_FOUND,
        f"{field}: account {account_id} does not exist in this entity",
        {"account_id": account_id, "field": field},
    )
