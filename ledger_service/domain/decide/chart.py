"""Decides changes of the chart of accounts and of the entity itself."""

from __future__ import annotations

from dataclasses import replace

from ledger_service.domain.account import MAX_TREE_DEPTH, Account, AccountState, Entity, EntityState, Limit
from ledger_service.domain.commands import (
    ArchiveEntity,
    CreateAccount,
    SetAccountState,
    UpdateAccount,
    UpdateEntity,
)
from ledger_service.domain.decide.book import Book
from ledger_service.domain.decide.outcome import Applied, Refused
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.domain.snapshots import account_snapshot, entity_snapshot
from ledger_service.domain.totals import Totals
from ledger_service.domain.transaction import EventKind

_FREE = frozenset({"name", "metadata", "financial_type", "sub_type_code", "is_category", "bank_account"})
"""What may be changed to anything: no rule depends on it."""


def create_account(book: Book, command: CreateAccount) -> Applied | Refused:
    """Open an account; the same request again, with the same id, answers with the account as it is."""
    existing = book.accounts.get(command.account_id)
    if existing is not None:
        if command.key is None and book.creations.get(existing.account_no) == command.fingerprint:
            return Applied(existing.sequence, account=existing, replayed=True)
        return Refused(
            LedgerError(
                Reason.ACCOUNT_ALREADY_EXISTS,
                f"account {command.account_id} exists already; choose another id",
                {"account_id": command.account_id},
            )
        )
    sequence = book.sequence + 1
    try:
        _check_code(book, command.code, command.account_id)
        parent = _find_parent(book, command.parent_id, moving=None)
    except LedgerError as error:
        return Refused(error)
    for limit in command.limits:
        broken = _broken_by(limit, 0, 0)
        if broken is not None:
            return Refused(_limit_broken(command.account_id, limit, 0, broken))
    account = Account(
        account_no=sequence,
        account_id=command.account_id,
        type=command.type,
        contra=command.contra,
        code=command.code,
        name=command.name,
        parent_no=parent.account_no if parent else None,
        parent_id=parent.account_id if parent else None,
        currencies=command.currencies,
        limits=command.limits,
        state=AccountState.OPEN,
        metadata=command.metadata,
        created_time=book.now,
        updated_time=book.now,
        sequence=sequence,
        revision=1,
        financial_type=command.financial_type,
        sub_type_code=command.sub_type_code,
        is_category=command.is_category,
        bank_account=command.bank_account,
    )
    book.add_event(
        book.event_row(EventKind.ACCOUNT_CREATED, command, account_no=sequence, detail=account_snapshot(account))
    )
    book.add_account(account, command.fingerprint)
    if parent is not None:
        book.add_open_children(parent.account_no, 1)
    return Applied(sequence, account=account)


def update_account(book: Book, command: UpdateAccount) -> Applied | Refused:
    """Change what may change; a limit must hold from its first moment."""
    try:
        account = _find_account(book, command.account_id)
        if command.expected_revision and account.revision != command.expected_revision:
            raise _revision_mismatch("account", command.account_id, account.revision, command.expected_revision)
        if account.state is AccountState.CLOSED:
            raise _closed(command.account_id)
        changes: dict[str, object] = {}
        fields = command.fields
        for name in fields & _FREE:
            changes[name] = getattr(command, name)
        if "code" in fields:
            _check_code(book, command.code, command.account_id)
            changes["code"] = command.code
        if "parent_id" in fields:
            parent = _find_parent(book, command.parent_id, moving=account)
            changes["parent_no"] = parent.account_no if parent else None
            changes["parent_id"] = parent.account_id if parent else None
        if "currencies" in fields:
            _check_currencies(book, account, command.currencies)
            changes["currencies"] = command.currencies
        if "limits" in fields:
            _check_new_limits(book, account, command.limits)
            changes["limits"] = command.limits
    except LedgerError as error:
        return Refused(error)
    if "parent_id" in fields:
        _move_open_children(book, account, changes["parent_no"])
    return _record_account(book, command, account, with_limits="limits" in fields, **changes)


def set_account_state(book: Book, command: SetAccountState) -> Applied | Refused:
    """Freeze, unfreeze, or close at zero."""
    try:
        account = _find_account(book, command.account_id)
        if account.state is command.state and (command.key is None or account.state is AccountState.CLOSED):
            # It is so already. With a key the request is written down all the same, for its repetition must
            # not take effect after the state has changed again; out of CLOSED nothing leads.
            return Applied(account.sequence, account=account, replayed=True)
        if account.state is AccountState.CLOSED:
            raise _closed(command.account_id)
        if command.state is AccountState.CLOSED:
            _check_empty(book, account)
    except LedgerError as error:
        return Refused(error)
    if command.state is AccountState.CLOSED:
        _move_open_children(book, account, None)
    return _record_account(book, command, account, state=command.state)


def update_entity(book: Book, command: UpdateEntity) -> Applied | Refused:
    """Change name, time zone or metadata."""
    entity = book.entity
    if command.expected_revision and entity.revision != command.expected_revision:
        return Refused(_revision_mismatch("entity", entity.entity_id, entity.revision, command.expected_revision))
    changes = {name: getattr(command, name) for name in command.fields}
    return _record_entity(book, command, replace(entity, **changes))


def archive_entity(book: Book, command: ArchiveEntity) -> Applied | Refused:
    """No write follows it."""
    return _record_entity(book, command, replace(book.entity, state=EntityState.ARCHIVED))


def _record_account(
    book: Book,
    command: UpdateAccount | SetAccountState,
    account: Account,
    *,
    with_limits: bool = False,
    **changes: object,
) -> Applied:
    sequence = book.sequence + 1
    after = account.changed(sequence, book.now, **changes)
    book.add_event(
        book.event_row(
            EventKind.ACCOUNT_CHANGED, command, account_no=account.account_no, detail=account_snapshot(after)
        )
    )
    book.change_account(after, with_limits=with_limits)
    return Applied(sequence, account=after)


def _record_entity(book: Book, command: UpdateEntity | ArchiveEntity, changed: Entity) -> Applied:
    sequence = book.sequence + 1
    after = replace(changed, updated_time=book.now, revision=changed.revision + 1, sequence=sequence)
    book.add_event(book.event_row(EventKind.ENTITY_CHANGED, command, detail=entity_snapshot(after)))
    book.change_entity(after)
    return Applied(sequence, entity=after)


def _find_account(book: Book, account_id: str) -> Account:
    account = book.accounts.get(account_id)
    if account is None:
        raise LedgerError(
            Reason.ACCOUNT_NOT_FOUND,
            f"account_id: account {account_id} does not exist in this entity; create it first",
            {"account_id": account_id, "field": "account_id"},
        )
    return account


def _find_parent(book: Book, parent_id: str | None, moving: Account | None) -> Account | None:
    """The parent to be, checked against cycles and depth."""
    if parent_id is None:
        return None
    parent = book.accounts.get(parent_id)
    if parent is None:
        raise LedgerError(
            Reason.ACCOUNT_NOT_FOUND,
            f"parent_id: account {parent_id} does not exist in this entity; create it first",
            {"account_id": parent_id, "field": "parent_id"},
        )
    if parent.state is AccountState.CLOSED:
        raise _closed(parent_id)
    # The moved account brings along what lies below it.
    depth = 1 + (book.heights.get(moving.account_no, 0) if moving is not None else 0)
    step: Account | None = parent
    while step is not None:
        if moving is not None and step.account_no == moving.account_no:
            raise LedgerError(
                Reason.INVALID_PARENT,
                f"account {parent_id} lies below {moving.account_id}: as its parent it would make a cycle",
                {"account_id": parent_id},
            )
        depth += 1
        if depth > MAX_TREE_DEPTH:
            raise LedgerError(
                Reason.INVALID_PARENT,
                f"below account {parent_id} the chart would be deeper than {MAX_TREE_DEPTH} accounts",
                {"account_id": parent_id},
            )
        step = book.accounts_by_no[step.parent_no] if step.parent_no is not None else None
    return parent


def _check_code(book: Book, code: str | None, account_id: str) -> None:
    if code is None:
        return
    owner = book.codes.get(code)
    if owner is not None and owner != account_id:
        raise LedgerError(
            Reason.ACCOUNT_CODE_TAKEN,
            f"code {code} belongs to account {owner}; choose another one",
            {"code": code, "account_id": owner},
        )


def _check_currencies(book: Book, account: Account, currencies: tuple[str, ...]) -> None:
    if not currencies:
        return
    for (account_no, currency), head in book.heads.items():
        if account_no == account.account_no and head.number and currency not in currencies:
            raise LedgerError(
                Reason.CURRENCY_NOT_ALLOWED,
                f"account {account.account_id} has entries in {currency}; it can't be taken away",
                {"account_id": account.account_id, "currency": currency},
            )


def _check_new_limits(book: Book, account: Account, limits: tuple[Limit, ...]) -> None:
    for limit in limits:
        head = book.heads.get((account.account_no, limit.currency))
        totals = Totals(*head[:4]) if head else Totals(0, 0, 0, 0)
        normal = account.normal_side
        available, reachable = totals.available(normal), totals.reachable(normal)
        broken = _broken_by(limit, available, reachable)
        if broken is not None:
            balance = available if broken == limit.floor else reachable
            raise _limit_broken(account.account_id, limit, balance, broken)


def _broken_by(limit: Limit, available: int, reachable: int) -> int | None:
    """The bound that a balance breaks; None: it keeps within both."""
    if limit.floor is not None and available < limit.floor:
        return limit.floor
    if limit.ceiling is not None and reachable > limit.ceiling:
        return limit.ceiling
    return None


def _limit_broken(account_id: str, limit: Limit, balance: int, bound: int) -> LedgerError:
    return LedgerError(
        Reason.LIMIT_ALREADY_BROKEN,
        f"account {account_id}: its present balance in {limit.currency} breaks the new limit",
        {"account_id": account_id, "currency": limit.currency, "balance": str(balance), "limit": str(bound)},
    )


def _check_empty(book: Book, account: Account) -> None:
    for (account_no, currency), head in book.heads.items():
        if account_no != account.account_no:
            continue
        totals = Totals(*head[:4])
        if totals.debits_posted != totals.credits_posted or totals.debits_pending or totals.credits_pending:
            raise LedgerError(
                Reason.ACCOUNT_NOT_EMPTY,
                f"account {account.account_id} is not at zero in {currency}, pending included; move the rest first",
                {"account_id": account.account_id, "currency": currency},
            )
    if book.open_children.get(account.account_no, 0):
        raise LedgerError(
            Reason.ACCOUNT_NOT_EMPTY,
            f"account {account.account_id} has open accounts below it; close them first",
            {"account_id": account.account_id},
        )


def _move_open_children(book: Book, account: Account, parent_no: object) -> None:
    if account.parent_no is not None:
        book.add_open_children(account.parent_no, -1)
    if isinstance(parent_no, int):
        book.add_open_children(parent_no, 1)


def _closed(account_id: str) -> LedgerError:
    return LedgerError(Reason.ACCOUNT_CLOSED, f"account {account_id} is closed for good", {"account_id": account_id})


def _revision_mismatch(noun: str, noun_id: str, present: int, expected: int) -> LedgerError:
    return LedgerError(
        Reason.REVISION_MISMATCH,
        f"{noun} {noun_id} is at revision {present}, not {expected}; read it again",
        {"revision": str(present)},
    )
