"""Decides a new transaction."""

from __future__ import annotations

from ledger_service.domain.commands import CreateTransaction
from ledger_service.domain.decide.book import Book, EventRow
from ledger_service.domain.decide.categories import check_category
from ledger_service.domain.decide.outcome import Applied, Refused
from ledger_service.domain.decide.postings import Movement, check_account, record
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.domain.making import make
from ledger_service.domain.transaction import EntryKind, EventKind, Posting, Status, Transaction

# Looking up a member of an Enum costs as much as an object.
_CREATED = EventKind.TRANSACTION_CREATED
_POST, _HOLD, _POSTED = EntryKind.POST, EntryKind.HOLD, Status.POSTED


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
    sequence = book.sequence + 1
    status, accounts = command.status, book.accounts
    kind = _POST if status == _POSTED else _HOLD
    postings: list[Posting] = []
    movements: list[Movement] = []
    for leg, (account_id, side, currency, amount) in enumerate(command.postings):
        account = accounts.get(account_id)
        if account is None or account.state != 1 or account.currencies:
            error = check_account(account, account_id, currency)
            if error is not None:
                return Refused(error.at(command.account_field(leg)))
            assert account is not None
        posting = make(Posting, (leg, account.account_no, account_id, side, currency, amount))
        postings.append(posting)
        movements.append((kind, posting, account))

    category_id = command.category_id
    if category_id is not None:
        error = check_category(book, category_id)
        if error is not None:
            return Refused(error.at("category_id"))

    entity_no, actor, key = book.entity.entity_no, command.actor, command.key
    effective_time = command.effective_time or now
    description, reference, counterparty = command.description, command.reference, command.counterparty
    metadata = command.metadata
    event = make(
        EventRow,
        (entity_no, sequence, _CREATED, 1, now, actor, key, command.fingerprint, sequence, 1, status, sequence,
         effective_time, expire_time, description, reference, counterparty, category_id, metadata, None, None, None),
    )  # fmt: skip
    balances = record(book, event, movements)
    if isinstance(balances, LedgerError):
        return Refused(balances)
    transaction = make(
        Transaction,
        (entity_no, sequence, 1, sequence, status, tuple(postings), sequence, effective_time, expire_time, now, now,
         actor, key, description, reference, counterparty, category_id, metadata, None, ()),
    )  # fmt: skip
    if status != _POSTED:
        # Later commands of this batch may change it.
        book.set_transaction(transaction)
    return Applied(sequence, (transaction,), balances)
