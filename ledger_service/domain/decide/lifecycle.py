"""Decides changes of a recorded transaction: edit, clear, approve, void, expire, reverse."""

from __future__ import annotations

from collections.abc import Iterable

from ledger_service.domain.account import Side
from ledger_service.domain.commands import (
    Approval,
    ApproveTransactions,
    ClearTransaction,
    EditTransaction,
    VoidTransaction,
    Write,
)
from ledger_service.domain.decide.book import Book
from ledger_service.domain.decide.outcome import Applied, Refused
from ledger_service.domain.decide.postings import Movement, check_account, check_postings, movements_of, record
from ledger_service.domain.errors import LedgerError, Reason, invalid
from ledger_service.domain.identifiers import is_genuine, parse_transaction_id, transaction_id
from ledger_service.domain.transaction import BalanceAfter, EntryKind, EventKind, Posting, Status, Transaction

_SERVER = Write(key=None, fingerprint=b"", actor="")
"""Who expires transactions: nobody asked for it."""


def find_transaction(book: Book, text: str, expected_revision: int = 0) -> Transaction:
    """The newest revision. Raises LedgerError TRANSACTION_NOT_FOUND, REVISION_MISMATCH."""
    place = parse_transaction_id(text)
    if place is not None and place[0] == book.entity.entity_no:
        transaction = book.transactions.get(place[1])
        if transaction is not None and is_genuine(*place, book.entity.id_key):
            if expected_revision and transaction.revision != expected_revision:
                raise LedgerError(
                    Reason.REVISION_MISMATCH,
                    f"transaction {text} is at revision {transaction.revision}, not {expected_revision}; read it again",
                    {"transaction_id": text, "revision": str(transaction.revision)},
                )
            return transaction
    raise LedgerError(
        Reason.TRANSACTION_NOT_FOUND,
        f"transaction {text} does not exist in this entity",
        {"transaction_id": text},
    )


def edit(book: Book, command: EditTransaction) -> Applied | Refused:
    """Exchange accounts (holds are released and held anew) or the description."""
    try:
        before = find_transaction(book, command.transaction_id, command.expected_revision)
        _check_open(book, before, "edit")
        _check_free(book, before, "edited")
        accounts = _new_accounts(before, command)
    except LedgerError as error:
        return Refused(error)
    description = before.description if command.description is None else command.description or None
    # What touches a frozen account stays as it is, even if it would be moved away from there.
    refusal = check_postings(book, before.postings)
    if refusal is not None:
        return Refused(refusal)
    if accounts is None:
        return record_revision(
            book, command, before, EventKind.TRANSACTION_EDITED, before.status, (), description=description
        )
    postings = []
    for posting, account_id in zip(before.postings, accounts, strict=True):
        account = book.accounts.get(account_id)
        refusal = check_account(account, account_id, posting.currency)
        if refusal is not None:
            return Refused(refusal.at(_account_field(command, posting)))
        assert account is not None
        postings.append(posting._replace(account_no=account.account_no, account_id=account_id))
    movements = movements_of(book, EntryKind.RELEASE, before.postings)
    movements += movements_of(book, EntryKind.HOLD, postings)
    return record_revision(
        book,
        command,
        before,
        EventKind.TRANSACTION_EDITED,
        before.status,
        movements,
        description=description,
        postings=tuple(postings),
        postings_at=book.sequence + 1,
    )


def clear(book: Book, command: ClearTransaction) -> Applied | Refused:
    """PENDING to CLEARED; the totals stay."""
    try:
        before = find_transaction(book, command.transaction_id, command.expected_revision)
        if before.status != Status.PENDING:
            raise _wrong_status(book, before, "clear")
    except LedgerError as error:
        return Refused(error)
    refusal = check_postings(book, before.postings)
    if refusal is not None:
        return Refused(refusal)
    return record_revision(book, command, before, EventKind.TRANSACTION_CLEARED, Status.CLEARED, ())


def void(book: Book, command: VoidTransaction) -> Applied | Refused:
    """Release all that it holds; possible on frozen accounts too, for it only gives back."""
    try:
        before = find_transaction(book, command.transaction_id, command.expected_revision)
        _check_open(book, before, "void")
        _check_free(book, before, "voided")
    except LedgerError as error:
        return Refused(error)
    movements = movements_of(book, EntryKind.RELEASE, before.postings)
    return record_revision(book, command, before, EventKind.TRANSACTION_VOIDED, Status.VOIDED, movements)


def expire(book: Book, transaction_no: int) -> None:
    """End a transaction whose expire_time has passed. Nothing can refuse it: see Totals.reachable."""
    before = book.transactions[transaction_no]
    movements = movements_of(book, EntryKind.RELEASE, before.postings)
    record_revision(book, _SERVER, before, EventKind.TRANSACTION_EXPIRED, Status.EXPIRED, movements)


def approve(book: Book, command: ApproveTransactions) -> Applied | Refused:
    """All or none: the first that can't be approved takes the others back."""
    transactions: list[Transaction] = []
    balances: dict[tuple[int, str], BalanceAfter] = {}
    outer = book.tentatively()
    first = len(book.events)
    for index, approval in enumerate(command.approvals):
        # The request's key stands on its first event only.
        write = command if index == 0 else Write(key=None, fingerprint=command.fingerprint, actor=command.actor)
        outcome = _approve_one(book, write, approval)
        if isinstance(outcome, Refused):
            book.settle(outer, keep=False)
            error = outcome.error
            field = error.metadata.get("field")
            if field is not None:
                error = invalid(f"approvals[{index}].{field}", error.message.removeprefix(f"{field}: "))
            return Refused(error.with_metadata(failed_index=str(index)))
        transactions += outcome.transactions
        for balance in outcome.balances:
            balances[balance.account_no, balance.currency] = balance
    book.settle(outer, keep=True)
    span = len(command.approvals)
    for index in range(first, first + span):
        book.events[index] = book.events[index]._replace(span=span if index == first else 0)
    # One answer, one point in the history: also the balances that an earlier one of them was the last to touch.
    last = book.sequence
    return Applied(last, tuple(transactions), tuple(one._replace(sequence=last) for one in balances.values()))


def _approve_one(book: Book, write: Write, approval: Approval) -> Applied | Refused:
    """Settle what is approved and release the rest."""
    try:
        before = find_transaction(book, approval.transaction_id, approval.expected_revision)
        _check_open(book, before, "approve")
        amount = _approved_amount(before, approval)
        if amount is not None:
            _check_free(book, before, "approved in part")
    except LedgerError as error:
        return Refused(error)
    refusal = check_postings(book, before.postings)
    if refusal is not None:
        return Refused(refusal)
    postings = before.postings
    movements: list[Movement] = []
    if amount is not None:
        postings = tuple(posting._replace(amount=amount) for posting in postings)
        rest = [posting._replace(amount=posting.amount - amount) for posting in before.postings]
        movements = movements_of(book, EntryKind.RELEASE, rest)
    movements += movements_of(book, EntryKind.SETTLE, postings)
    return record_revision(
        book,
        write,
        before,
        EventKind.TRANSACTION_POSTED,
        Status.POSTED,
        movements,
        postings=postings,
        postings_at=book.sequence + 1,
    )


def _approved_amount(transaction: Transaction, approval: Approval) -> int | None:
    """The smaller amount to approve; None: all of it."""
    if approval.amount is None:
        return None
    first = transaction.postings[0]
    if len(transaction.postings) != 2:
        raise LedgerError(
            Reason.INVALID_ARGUMENT,
            f"amount: transaction {approval.transaction_id} has more than two postings; approve it in full",
            {"field": "amount", "transaction_id": approval.transaction_id},
        )
    if approval.currency != first.currency:
        raise LedgerError(
            Reason.INVALID_ARGUMENT,
            f"amount.currency: transaction {approval.transaction_id} is in {first.currency}",
            {"field": "amount.currency", "transaction_id": approval.transaction_id},
        )
    if approval.amount > first.amount:
        raise LedgerError(
            Reason.INVALID_ARGUMENT,
            f"amount: must not exceed the amount of transaction {approval.transaction_id}",
            {"field": "amount", "transaction_id": approval.transaction_id},
        )
    return None if approval.amount == first.amount else approval.amount


def record_revision(
    book: Book,
    write: Write,
    before: Transaction,
    kind: EventKind,
    status: Status,
    movements: Iterable[Movement],
    **changes: object,
) -> Applied | Refused:
    """Record the next revision of a transaction with the entries of its movements, if the limits allow."""
    sequence = book.sequence + 1
    after = before._replace(
        revision=before.revision + 1,
        sequence=sequence,
        status=status,
        recorded_time=book.now,
        actor=write.actor,
        **changes,  # type: ignore[arg-type]
    )
    event = book.event_row(
        kind,
        write,
        transaction_no=after.transaction_no,
        revision=after.revision,
        status=status,
        postings_at=after.postings_at,
        effective_time=after.effective_time,
        expire_time=after.expire_time,
        description=after.description,
        reference=after.reference,
        counterparty=after.counterparty,
        category_id=after.category_id,
        metadata=after.metadata,
        reverses=after.reverses,
    )
    balances = record(book, event, movements)
    if isinstance(balances, LedgerError):
        return Refused(balances)
    book.set_transaction(after)
    return Applied(sequence, (after,), balances)


def _new_accounts(transaction: Transaction, command: EditTransaction) -> tuple[str, ...] | None:
    """The account id of each posting after the edit; None: they stay."""
    postings = transaction.postings
    if command.accounts is not None:
        if len(command.accounts) != len(postings):
            raise LedgerError(
                Reason.INVALID_ARGUMENT,
                f"account_ids: the transaction has {len(postings)} postings, not {len(command.accounts)}",
                {"field": "account_ids", "transaction_id": command.transaction_id},
            )
        return command.accounts
    if command.debit_account_id is None and command.credit_account_id is None:
        return None
    if len(postings) != 2:
        field = "debit_account_id" if command.debit_account_id is not None else "credit_account_id"
        raise LedgerError(
            Reason.INVALID_ARGUMENT,
            f"{field}: the transaction has {len(postings)} postings; name all of them in account_ids",
            {"field": field, "transaction_id": command.transaction_id},
        )
    accounts = tuple(
        (command.debit_account_id if posting.side == 1 else command.credit_account_id) or posting.account_id
        for posting in postings
    )
    if accounts[0] == accounts[1]:
        field = "debit_account_id" if command.debit_account_id is not None else "credit_account_id"
        raise invalid(field, "is the transaction's other account already; the two must differ")
    return accounts


def _account_field(command: EditTransaction, posting: Posting) -> str:
    """What the request calls the new account of a posting."""
    if command.accounts is not None:
        return f"account_ids[{posting.leg}]"
    return "debit_account_id" if posting.side == Side.DEBIT else "credit_account_id"


def _check_open(book: Book, transaction: Transaction, verb: str) -> None:
    if transaction.status > Status.CLEARED:
        raise _wrong_status(book, transaction, verb)


def _check_free(book: Book, transaction: Transaction, done: str) -> None:
    """A closed reconciliation rests on what the transaction is."""
    account_id = book.frozen.get(transaction.transaction_no)
    if account_id is not None:
        text = public_id(book, transaction)
        raise LedgerError(
            Reason.TRANSACTION_RECONCILED,
            f"transaction {text} is matched in a closed reconciliation of account {account_id} and can't be {done}; "
            "approve it and correct it by a reversal, or reopen the reconciliation",
            {"transaction_id": text, "account_id": account_id},
        )


def _wrong_status(book: Book, transaction: Transaction, verb: str) -> LedgerError:
    text = public_id(book, transaction)
    hint = "; correct it by a reversal" if transaction.status == Status.POSTED else ""
    return LedgerError(
        Reason.INVALID_STATUS,
        f"transaction {text} is {transaction.status.name}: it is too late to {verb} it{hint}",
        {"transaction_id": text, "status": transaction.status.name},
    )


def public_id(book: Book, transaction: Transaction) -> str:
    """The transaction's id as callers know it."""
    return transaction_id(book.entity.entity_no, transaction.transaction_no, book.entity.id_key)
