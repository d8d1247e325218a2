"""Decides reversals: a new, final transaction with the sides exchanged, never more than what it cancels."""

from __future__ import annotations

from ledger_service.domain.commands import ReverseTransaction
from ledger_service.domain.decide.book import Book
from ledger_service.domain.decide.lifecycle import find_transaction, public_id
from ledger_service.domain.decide.outcome import Applied, Refused
from ledger_service.domain.decide.postings import check_postings, movements_of, other_side, record
from ledger_service.domain.errors import LedgerError, Reason, invalid
from ledger_service.domain.transaction import EntryKind, EventKind, Posting, Status, Transaction


def reverse(book: Book, command: ReverseTransaction) -> Applied | Refused:
    """Post the opposite of what is left of a transaction, or of the parts asked for."""
    try:
        original = find_transaction(book, command.transaction_id)
        _check_reversible(book, original)
        parts = _parts(book, original, command)
    except LedgerError as error:
        return Refused(error)
    postings = tuple(
        posting._replace(side=other_side(posting.side), amount=parts[posting.leg])
        for posting in original.postings
        if parts.get(posting.leg)
    )
    refusal = check_postings(book, postings)
    if refusal is not None:
        return Refused(refusal)
    return _record(book, command, original, postings)


def _record(
    book: Book, command: ReverseTransaction, original: Transaction, postings: tuple[Posting, ...]
) -> Applied | Refused:
    sequence = book.sequence + 1
    effective_time = command.effective_time or book.now
    description = command.description or f"Reversal of {public_id(book, original)}"
    event = book.event_row(
        EventKind.TRANSACTION_REVERSED,
        command,
        transaction_no=sequence,
        revision=1,
        status=Status.POSTED,
        postings_at=sequence,
        effective_time=effective_time,
        description=description,
        reference=command.reference,
        metadata=command.metadata,
        reverses=original.transaction_no,
    )
    balances = record(book, event, movements_of(book, EntryKind.POST, postings))
    if isinstance(balances, LedgerError):
        return Refused(balances)
    transaction = Transaction(
        book.entity.entity_no, sequence, 1, sequence, Status.POSTED, postings, sequence, effective_time, None,
        book.now, book.now, command.actor, command.key, description, command.reference, None, None,
        command.metadata, original.transaction_no,
    )  # fmt: skip
    book.add_reversed(original.transaction_no, {posting.leg: posting.amount for posting in postings})
    book.set_transaction(original._replace(reversed_by=(*original.reversed_by, sequence)))
    # Known to later commands of the batch, which may try to reverse it in turn and are told why not.
    book.set_transaction(transaction)
    return Applied(sequence, (transaction,), balances)


def _check_reversible(book: Book, original: Transaction) -> None:
    text = public_id(book, original)
    if original.status != Status.POSTED:
        raise LedgerError(
            Reason.INVALID_STATUS,
            f"transaction {text} is {original.status.name}: only a POSTED one is reversed; void an open one",
            {"transaction_id": text, "status": original.status.name},
        )
    if original.reverses is not None:
        raise LedgerError(
            Reason.INVALID_STATUS,
            f"transaction {text} is itself a reversal; record a new transaction instead",
            {"transaction_id": text, "status": original.status.name},
        )


def _parts(book: Book, original: Transaction, command: ReverseTransaction) -> dict[int, int]:
    """How much of each leg to cancel. Raises LedgerError INVALID_ARGUMENT, REVERSAL_EXCEEDS_ORIGINAL."""
    done = book.reversed.get(original.transaction_no, {})
    left = {posting.leg: posting.amount - done.get(posting.leg, 0) for posting in original.postings}
    if command.amount is not None:
        if len(original.postings) != 2:
            raise invalid("amount", "the transaction has more than two postings; name the parts instead")
        if command.currency != original.postings[0].currency:
            raise invalid("amount.currency", f"the transaction is in {original.postings[0].currency}")
        parts = dict.fromkeys(left, command.amount)
    elif command.parts:
        parts = _named_parts(original, command)
    else:
        parts = {leg: amount for leg, amount in left.items() if amount}
    for posting in original.postings:
        wanted = parts.get(posting.leg, 0)
        if wanted > left[posting.leg] or not parts:
            raise LedgerError(
                Reason.REVERSAL_EXCEEDS_ORIGINAL,
                "the reversals of this transaction would exceed it; at most what is left can be reversed",
                {
                    "transaction_id": public_id(book, original),
                    "posting": str(posting.leg),
                    "currency": posting.currency,
                    "remaining": str(left[posting.leg]),
                },
            )
    return parts


def _named_parts(original: Transaction, command: ReverseTransaction) -> dict[int, int]:
    """The parts that the request names, checked against the original's legs."""
    parts: dict[int, int] = {}
    sums: dict[str, list[int]] = {}
    for index, part in enumerate(command.parts):
        if part.leg >= len(original.postings):
            raise invalid(f"parts[{index}].posting_index", f"the transaction has {len(original.postings)} postings")
        posting = original.postings[part.leg]
        if part.currency != posting.currency:
            raise invalid(f"parts[{index}].amount.currency", f"posting {part.leg} is in {posting.currency}")
        parts[part.leg] = part.amount
        # The reversal's own side: the original's, exchanged.
        sums.setdefault(posting.currency, [0, 0])[other_side(posting.side) - 1] += part.amount
    for currency, (left, right) in sums.items():
        if left != right:
            raise LedgerError(
                Reason.UNBALANCED_TRANSACTION,
                f"parts: debits and credits in {currency} must be equal",
                {"field": "parts", "currency": currency, "debits": str(left), "credits": str(right)},
            )
    return parts
