"""Decides whether a change of a reconciliation that was worked out beforehand may count."""

from __future__ import annotations

from ledger_service.domain.commands import AdvanceReconciliation
from ledger_service.domain.decide.book import Book, RevisionRow
from ledger_service.domain.decide.outcome import Applied, Refused
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.domain.transaction import EventKind, Status


def advance(book: Book, command: AdvanceReconciliation) -> Applied | Refused:
    """The next revision, if nobody else has made it meanwhile and what it freezes can be frozen."""
    account = book.accounts.get(command.account_id)
    if command.refusal is not None and (account is None or command.from_revision is None):
        return Refused(command.refusal)
    if account is None:
        return Refused(
            LedgerError(
                Reason.ACCOUNT_NOT_FOUND,
                f"account_id: account {command.account_id} does not exist in this entity",
                {"account_id": command.account_id, "field": "account_id"},
            )
        )
    present = book.reconciliations.get((account.account_no, command.currency), 0)
    if present != command.from_revision or not all(
        _can_freeze(book, number, command.as_of) for number in command.freezes
    ):
        return Refused(
            LedgerError(
                Reason.RECONCILIATION_CHANGED,
                f"the reconciliation of account {command.account_id}, or what it rests on, was changed meanwhile; "
                "nothing was done: send it again",
                {"account_id": command.account_id},
            )
        )
    if command.refusal is not None:
        return Refused(command.refusal)
    revision = present + 1
    row = book.event_row(
        EventKind.RECONCILIATION_CHANGED, command, account_no=account.account_no, detail=command.detail
    )
    book.add_event(row)
    book.add_revision(
        RevisionRow(
            book.entity.entity_no,
            account.account_no,
            command.currency,
            revision,
            command.stage_no,
            command.action,
            row.sequence,
            command.reopens,
        )
    )
    return Applied(row.sequence, reconciliation_revision=revision)


def _can_freeze(book: Book, transaction_no: int, as_of: int) -> bool:
    """Whether it is CLEARED for good and was not touched since: an edit leaves it CLEARED, on other accounts."""
    transaction = book.transactions.get(transaction_no)
    return (
        transaction is not None
        and transaction.status is Status.CLEARED
        and transaction.expire_time is None
        and transaction.sequence <= as_of
    )
