"""Decides a new transaction."""

from __future__ import annotations

from ledger_service.domain.commands import CreateTransaction
from ledger_service.domain.decide.book import Book, EventRow
from ledger_service.domain.decide.categories import check_category
from ledger_service.domain.decide.outcome import Applied, Refused
from ledger_service.domain.decide.postings import Draft, check_account
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.domain.transaction import EntryKind, EventKind, Posting, Status, Transaction


def create_transaction(book: Book, command: CreateTransaction) -> Applied | Refused:
    """Record it with entries that post or hold its amounts."""
    now = book.now
    expire_time = command.expire_time
    if expire_time is not None and expire_time <= now:
        return Refused(
            LedgerError(
                Reason.EXPIRE_TIME_PASSED,
                "expire_time must lie after the moment of recording",
                {"expire_time": expire_time.isoformat()},
            )
        )
    accounts = book.accounts
    postings: list[Posting] = []
    for leg, (account_id, side, currency, amount) in enumerate(command.postings):
        account = accounts.get(account_id)
        if account is None or account.state != 1 or account.currencies:
            error = check_account(account, account_id, currency)
            if error is not None:
                return Refused(error.at(command.account_field(leg)))
            assert account is not None
        postings.append(Posting(leg, account.account_no, account_id, side, currency, amount))

    if command.category_id is not None:
        error = check_category(book, command.category_id)
        if error is not None:
            return Refused(error.at("category_id"))

    sequence = book.sequence + 1
    effective_time = command.effective_time or now
    draft = Draft(book, sequence, effective_time)
    kind = EntryKind.POST if command.status == Status.POSTED else EntryKind.HOLD
    for leg, account_no, _, side, currency, amount in postings:
        draft.add(kind, leg, account_no, side, currency, amount)
    error = draft.check_limits()
    if error is not None:
        return Refused(error)

    balances = draft.keep()
    entity_no = book.entity.entity_no
    book.add_event(
        EventRow(
            entity_no, sequence, EventKind.TRANSACTION_CREATED, 1, now, command.actor, command.key,
            command.fingerprint, sequence, 1, command.status, sequence, effective_time, expire_time,
            command.description, command.reference, command.counterparty, command.category_id,
            command.metadata, None, None, None,
        ),
        draft.rows,
    )  # fmt: skip
    transaction = Transaction(
        entity_no, sequence, 1, sequence, command.status, tuple(postings), sequence, effective_time, expire_time,
        now, now, command.actor, command.key, command.description, command.reference, command.counterparty,
        command.category_id, command.metadata, None,
    )  # fmt: skip
    if command.status <= Status.CLEARED:
        # Later commands of this batch may change it.
        book.set_transaction(transaction)
    return Applied(sequence, (transaction,), balances)
