"""The order in which a batch is decided, and what is remembered of each write under its key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ledger_service.domain import commands as c
from ledger_service.domain.account import EntityState
from ledger_service.domain.decide import categories, chart, lifecycle, reconciliation, reversal
from ledger_service.domain.decide.book import Book, KnownKey
from ledger_service.domain.decide.creation import create_transaction
from ledger_service.domain.decide.outcome import Applied, Outcome, Recorded, Refused
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.domain.making import make
from ledger_service.domain.snapshots import refusal_snapshot
from ledger_service.domain.transaction import EventKind

_ARCHIVED = EntityState.ARCHIVED

_DECISIONS: dict[type, Callable[[Book, Any], Applied | Refused]] = {
    c.CreateTransaction: create_transaction,
    c.EditTransaction: lifecycle.edit,
    c.ApproveTransactions: lifecycle.approve,
    c.ClearTransaction: lifecycle.clear,
    c.VoidTransaction: lifecycle.void,
    c.ReverseTransaction: reversal.reverse,
    c.CreateAccount: chart.create_account,
    c.UpdateAccount: chart.update_account,
    c.SetAccountState: chart.set_account_state,
    c.UpdateEntity: chart.update_entity,
    c.ArchiveEntity: chart.archive_entity,
    c.CategorizeTransaction: categories.categorize,
    c.CreateCategory: categories.create_category,
    c.UpdateCategory: categories.update_category,
    c.ArchiveCategory: categories.archive_category,
    c.AdvanceReconciliation: reconciliation.advance,
}


STEP = 128
"""Commands that are decided in one step: few enough that the first rows are on their way early."""


def decide(book: Book, units: list[c.Unit], outcomes: list[list[Outcome]]) -> Iterator[None]:
    """Decide on each unit's commands, in order, a step at a time; the rows that they write are added to the book.

    What a step has added stays: it can be written while the next one is decided. `outcomes` is filled on the way, for
    each unit one for each command. Transactions that are due expire first: they count no more for anything decided at
    `book.now`.
    """
    for transaction_no in book.due:
        lifecycle.expire(book, transaction_no)
    book.due.clear()
    room = STEP
    for unit in units:
        if unit.atomic:
            # In one step: until its last command all of it may have to be taken back.
            outcomes.append(_decide_atomically(book, unit.commands))
            room -= len(unit.commands)
            continue
        answers: list[Outcome] = []
        outcomes.append(answers)
        for command in unit.commands:
            if room <= 0:
                yield
                room = STEP
            answers.append(_decide_one(book, command))
            room -= 1


def _decide_one(book: Book, command: c.Command) -> Outcome:
    """One command: seen before, or decided and remembered."""
    key = command.key
    if key is not None:
        known = book.keys.get(key)
        if known is not None:
            return _replay(known, command)
    if type(command) is c.CreateTransaction and command.validate_only:
        return _try_out(book, command)
    first = book.sequence + 1
    outcome = _decide_fresh(book, command)
    if type(outcome) is Refused:
        outcome = _record_refusal(book, command, outcome)
    _remember(book, command, first, outcome)
    return outcome


def _remember(book: Book, command: c.Command, first: int, outcome: Applied | Refused) -> None:
    """The key is used from now on, if the outcome was written down (at `first`)."""
    if command.key is not None and book.sequence >= first:
        book.set_key(command.key, make(KnownKey, (command.fingerprint, first, 1, outcome)))


def _decide_fresh(book: Book, command: c.Command) -> Applied | Refused:
    if book.entity.state is _ARCHIVED:
        if type(command) is c.ArchiveEntity:
            return Applied(book.entity.sequence, entity=book.entity, replayed=True)
        return Refused(
            LedgerError(
                Reason.ENTITY_ARCHIVED,
                f"entity {book.entity.entity_id} is archived and takes no writes",
                {"entity_id": book.entity.entity_id},
            )
        )
    return _DECISIONS[type(command)](book, command)


def _try_out(book: Book, command: c.CreateTransaction) -> Applied | Refused:
    """Decide on the present state and take everything back."""
    outer = book.tentatively()
    outcome = _decide_fresh(book, command)
    book.settle(outer, keep=False)
    if type(outcome) is Applied:
        outcome.sequence = 0
    return outcome


def _decide_atomically(book: Book, commands: list[c.Command]) -> list[Outcome]:
    """All or none. Of a failure every key is remembered as refused, so that no late duplicate succeeds."""
    outer = book.tentatively()
    outcomes: list[Outcome] = []
    for index, command in enumerate(commands):
        outcome = _decide_in_atomic(book, command)
        outcomes.append(outcome)
        if isinstance(outcome, Refused):
            book.settle(outer, keep=False)
            return _refuse_all(book, commands, index, outcome)
    book.settle(outer, keep=True)
    return outcomes


def _decide_in_atomic(book: Book, command: c.Command) -> Outcome:
    """Like _decide_one, but a refusal is not recorded yet: the whole call is refused with it."""
    known = book.keys.get(command.key) if command.key is not None else None
    if known is not None:
        return _replay(known, command)
    if isinstance(command, c.CreateTransaction) and command.validate_only:
        return _try_out(book, command)
    first = book.sequence + 1
    outcome = _decide_fresh(book, command)
    _remember(book, command, first, outcome)
    return outcome


def _refuse_all(book: Book, commands: list[c.Command], failed: int, refusal: Refused) -> list[Outcome]:
    """The failing command's own refusal, and BATCH_ABORTED for the others; each under its key."""
    failed, refusal = _first_failure(book, commands, failed, refusal)
    outcomes: list[Outcome] = []
    for index, command in enumerate(commands):
        if index == failed:
            outcome = Refused(refusal.error.with_metadata(failed_index=str(failed)), refusal.sequence, refusal.replayed)
        else:
            outcome = Refused(
                LedgerError(
                    Reason.BATCH_ABORTED,
                    f"request {failed} of this atomic batch was refused, so none was applied",
                    {"failed_index": str(failed), "failed_reason": refusal.error.reason.value},
                ),
                replayed=refusal.replayed,
            )
        fresh = command.key is not None and command.key not in book.keys
        if fresh and not (isinstance(command, c.CreateTransaction) and command.validate_only):
            first = book.sequence + 1
            outcome = _record_refusal(book, command, outcome)
            _remember(book, command, first, outcome)
        outcomes.append(outcome)
    return outcomes


def _first_failure(book: Book, commands: list[c.Command], failed: int, refusal: Refused) -> tuple[int, Refused]:
    """Which command's refusal stands for the whole batch: when the batch is sent again, the one that stood for
    it the first time, not the first that was drawn into it.
    """
    if refusal.replayed and refusal.error.reason is Reason.BATCH_ABORTED:
        culprit = int(refusal.error.metadata["failed_index"])
        key = commands[culprit].key if culprit < len(commands) else None
        known = book.keys.get(key) if key is not None else None
        if known is not None and known.fingerprint == commands[culprit].fingerprint:
            first = known.outcome
            if isinstance(first, Refused):
                return culprit, Refused(first.error, first.sequence, replayed=True)
    return failed, refusal


def _replay(known: KnownKey, command: c.Command) -> Outcome:
    """What the first use of the key was answered; refused if that was another request."""
    if known.fingerprint != command.fingerprint:
        assert command.key is not None
        return Refused(
            LedgerError(
                Reason.IDEMPOTENCY_KEY_REUSED,
                "idempotency_key was used before for a request with other content; take a new key for a new request",
                {"idempotency_key": command.key, "sequence": str(known.sequence)},
            )
        )
    first = known.outcome
    if first is None:
        return Recorded(known.sequence, known.span)
    if isinstance(first, Applied):
        return replace(first, replayed=True)
    assert isinstance(first, Refused)
    return Refused(first.error, first.sequence, replayed=True)


# A malformed request is never recorded, not even where only the state shows that it is malformed (an amount
# of a partial approval beyond the transaction's): the caller mends it and may keep the key. Nor is it one that
# somebody else was faster at changing a reconciliation: the change is worked out anew, under the same key.
_NEVER_RECORDED = frozenset(
    {
        Reason.INVALID_ARGUMENT,
        Reason.UNBALANCED_TRANSACTION,
        Reason.IDEMPOTENCY_KEY_REUSED,
        Reason.RECONCILIATION_CHANGED,
    }
)


def _record_refusal(book: Book, command: c.Command, refusal: Refused) -> Refused:
    """Write the refusal down under the command's key, if it has one."""
    if command.key is None or refusal.error.reason in _NEVER_RECORDED or book.entity.state is EntityState.ARCHIVED:
        return refusal
    row = book.event_row(EventKind.WRITE_REFUSED, command, detail=refusal_snapshot(refusal.error))
    book.add_event(row)
    return Refused(refusal.error, row.sequence)
