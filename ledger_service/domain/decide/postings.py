"""Turns legs into entries: checks the accounts, moves their totals, holds the limits.

This is the innermost loop of every write; it makes no object that it does not need.
"""

from __future__ import annotations

from collections.abc import Iterable

from ledger_service.domain.account import Account, AccountState, Side
from ledger_service.domain.decide.book import EMPTY_HEAD, Book, EntryRow, EventRow, Head
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.domain.making import make
from ledger_service.domain.money import MAX_MINOR_UNITS
from ledger_service.domain.totals import Totals
from ledger_service.domain.transaction import BalanceAfter, EntryKind, Posting

_NARROW = 2**63
_OPEN = AccountState.OPEN

Movement = tuple[EntryKind, Posting, Account]
"""One entry to write: what it does, the leg that it does it for, and the leg's account."""


def movements_of(book: Book, kind: EntryKind, postings: Iterable[Posting]) -> list[Movement]:
    """The same for each leg."""
    accounts = book.accounts_by_no
    return [(kind, posting, accounts[posting.account_no]) for posting in postings]


def record(  # noqa: C901, PLR0912  # the innermost loop: a branch is cheaper than a call
    book: Book, event: EventRow, movements: Iterable[Movement]
) -> tuple[BalanceAfter, ...] | LedgerError:
    """Put the next event of a transaction, which has an effective time, into the book, with an entry for each movement.

    Answers the balances after; or, and then the book is as it was, why the first account, in the order of first
    mention, would overflow or break a limit.
    """
    sequence, effective = event.sequence, event.effective_time
    assert effective is not None
    entity_no, before = event.entity_no, book.heads
    rows: list[EntryRow] = []
    heads: dict[tuple[int, str], Head] = {}
    touched: list[Account] = []
    is_wide = False
    for kind, (leg, account_no, _, side, currency, amount), account in movements:
        key = (account_no, currency)
        if key in heads:
            dp, cp, dq, cq, number, latest = heads[key]
        else:
            touched.append(account)
            dp, cp, dq, cq, number, latest = before.get(key, EMPTY_HEAD)
        if kind == 1:  # POST
            if side == 1:
                dp += amount
            else:
                cp += amount
        elif kind == 2:  # HOLD
            if side == 1:
                dq += amount
            else:
                cq += amount
        elif side == 1:  # RELEASE and SETTLE end a hold; SETTLE makes it final
            dq -= amount
            if kind == 4:
                dp += amount
        else:
            cq -= amount
            if kind == 4:
                cp += amount
        number += 1
        if latest is None or effective > latest:
            latest = effective
        heads[key] = make(Head, (dp, cp, dq, cq, number, latest))
        if dp < _NARROW and cp < _NARROW and dq < _NARROW and cq < _NARROW and amount < _NARROW:
            rows.append(
                (entity_no, account_no, currency, number, sequence, kind, leg, side,
                 amount, dp, cp, dq, cq, effective, latest, None)
            )  # fmt: skip
        else:
            is_wide = True
            rows.append(
                (entity_no, account_no, currency, number, sequence, kind, leg, side,
                 0, 0, 0, 0, 0, effective, latest, (amount, dp, cp, dq, cq))
            )  # fmt: skip
    balances = _balances(touched, heads, sequence, is_wide=is_wide)
    if not isinstance(balances, LedgerError):
        book.add_event(event, rows, heads)
    return balances


def _balances(
    accounts: Iterable[Account], heads: dict[tuple[int, str], Head], sequence: int, *, is_wide: bool
) -> tuple[BalanceAfter, ...] | LedgerError:
    """Of the accounts, which are those of the heads; or which limit would be broken.

    Limits hold for the state after the whole event: its legs are one, whatever their order. An event that only gives
    back (a void) can't break a limit, see Totals.
    """
    balances = []
    for account, ((account_no, currency), (dp, cp, dq, cq, number, _)) in zip(accounts, heads.items(), strict=True):
        totals = make(Totals, (dp, cp, dq, cq))
        if is_wide or account.limits:
            error = _overflow(account, currency, totals) or _broken_limit(account, currency, totals)
            if error is not None:
                return error
        balances.append(
            make(
                BalanceAfter, (account_no, account.account_id, account.normal_side, currency, totals, number, sequence)
            )
        )
    return tuple(balances)


def check_account(account: Account | None, account_id: str, currency: str) -> LedgerError | None:
    """Why an account does not take a posting in a currency; None: it does."""
    if account is None:
        return LedgerError(
            Reason.ACCOUNT_NOT_FOUND,
            f"account {account_id} does not exist in this entity; create it first",
            {"account_id": account_id},
        )
    if account.state is not _OPEN:
        if account.state is AccountState.CLOSED:
            return LedgerError(
                Reason.ACCOUNT_CLOSED,
                f"account {account_id} is closed; use another one",
                {"account_id": account_id},
            )
        return LedgerError(
            Reason.ACCOUNT_FROZEN,
            f"account {account_id} is frozen; unfreeze it first",
            {"account_id": account_id},
        )
    if account.currencies and currency not in account.currencies:
        return LedgerError(
            Reason.CURRENCY_NOT_ALLOWED,
            f"account {account_id} takes {', '.join(account.currencies)} only, not {currency}",
            {"account_id": account_id, "currency": currency},
        )
    return None


def check_postings(book: Book, postings: Iterable[Posting]) -> LedgerError | None:
    """The first posting whose account does not take it."""
    for posting in postings:
        error = check_account(book.accounts_by_no.get(posting.account_no), posting.account_id, posting.currency)
        if error is not None:
            return error
    return None


def _overflow(account: Account, currency: str, totals: Totals) -> LedgerError | None:
    if max(totals) <= MAX_MINOR_UNITS:
        return None
    return LedgerError(
        Reason.AMOUNT_OVERFLOW,
        f"account {account.account_id}: a total in {currency} would exceed 38 digits; use another account",
        {"account_id": account.account_id, "currency": currency},
    )


def _broken_limit(account: Account, currency: str, totals: Totals) -> LedgerError | None:
    normal = account.normal_side
    for limit in account.limits:
        if limit.currency != currency:
            continue
        available, reachable = totals.available(normal), totals.reachable(normal)
        if limit.floor is not None and available < limit.floor:
            return LedgerError(
                Reason.INSUFFICIENT_BALANCE,
                f"account {account.account_id}: the available balance in {currency} would fall below its floor",
                {
                    "account_id": account.account_id,
                    "currency": currency,
                    "available": str(available),
                    "floor": str(limit.floor),
                },
            )
        if limit.ceiling is not None and reachable > limit.ceiling:
            return LedgerError(
                Reason.CEILING_EXCEEDED,
                f"account {account.account_id}: the balance in {currency}, pending included, would exceed its ceiling",
                {
                    "account_id": account.account_id,
                    "currency": currency,
                    "balance": str(reachable),
                    "ceiling": str(limit.ceiling),
                },
            )
    return None


def other_side(side: int) -> int:
    """DEBIT for CREDIT and the other way round."""
    return Side.CREDIT if side == Side.DEBIT else Side.DEBIT
