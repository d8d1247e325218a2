"""From outcomes to answers: replays are read back, errors are worded in decimals."""

from __future__ import annotations

import json
from typing import cast

from ledger_service.application.ports import Event, ReadStore
from ledger_service.domain.account import Entity
from ledger_service.domain.decide import Applied, Outcome, Recorded, Refused
from ledger_service.domain.errors import LedgerError
from ledger_service.domain.money import Currencies, format_minor_units
from ledger_service.domain.snapshots import account_from, category_from, entity_from, refusal_from
from ledger_service.domain.transaction import EventKind

Answer = Applied | Refused

_AMOUNTS = ("available", "floor", "balance", "ceiling", "remaining", "limit", "debits", "credits")


class Answers:
    """Turns what the committer answers into what callers are told."""

    def __init__(self, reads: ReadStore, currencies: Currencies) -> None:
        self._reads = reads
        self._currencies = currencies

    async def complete(self, entity: Entity, outcomes: list[Outcome]) -> list[Answer]:
        """The outcomes, with the first answers of replays read back from the history."""
        if set(map(type, outcomes)) == {Applied}:
            return cast("list[Answer]", outcomes)  # nothing to add: nearly always so
        recorded = {outcome.sequence: outcome for outcome in outcomes if type(outcome) is Recorded}
        found = await self._first_answers(entity, list(recorded.values())) if recorded else {}
        answers: list[Answer] = []
        for outcome in outcomes:
            answer = found[outcome.sequence] if type(outcome) is Recorded else outcome
            assert not isinstance(answer, Recorded)
            if type(answer) is Refused:
                error = worded(answer.error, self._currencies, replayed=answer.replayed)
                answer = Refused(error, answer.sequence, answer.replayed)
            answers.append(answer)
        return answers

    async def _first_answers(self, entity: Entity, recorded: list[Recorded]) -> dict[int, Answer]:
        """By first sequence: the answer that the write at these events was given."""
        sequences = [one.sequence + offset for one in recorded for offset in range(one.span)]
        events = {event.sequence: event for event in await self._reads.events_at(entity.entity_no, sequences)}
        writes = [(one.sequence, one.sequence + one.span - 1) for one in recorded]
        moved = [write for write in writes if events[write[0]].transaction is not None]
        balances = (
            dict(zip(moved, await self._reads.balances_after(entity.entity_no, moved), strict=True)) if moved else {}
        )
        answers: dict[int, Answer] = {}
        for first, last in writes:
            event = events[first]
            if event.kind == EventKind.WRITE_REFUSED:
                answers[first] = Refused(refusal_of(event), first, replayed=True)
            elif event.transaction is None:
                answers[first] = _of_chart(entity, event)
            else:
                transactions = [events[sequence].transaction for sequence in range(first, last + 1)]
                answers[first] = Applied(
                    last,
                    tuple(transaction for transaction in transactions if transaction is not None),
                    tuple(balances[first, last]),
                    replayed=True,
                )
        return answers


def worded(error: LedgerError, currencies: Currencies, *, replayed: bool = False) -> LedgerError:
    """The error with its amounts as decimals of their currency; of one that is told again it says so."""
    metadata = dict(error.metadata)
    exponent = currencies.get(metadata.get("currency", ""))
    if exponent is not None:
        for name in _AMOUNTS:
            if name in metadata:
                metadata[name] = format_minor_units(int(metadata[name]), exponent)
    if replayed:
        metadata["replayed"] = "true"
    return LedgerError(error.reason, error.message, metadata)


def refusal_of(event: Event) -> LedgerError:
    """The error that a recorded refusal was answered with, amounts in minor units."""
    assert event.detail is not None
    return refusal_from(event.detail)


def _of_chart(entity: Entity, event: Event) -> Applied:
    assert event.detail is not None
    if event.kind == EventKind.RECONCILIATION_CHANGED:
        revision = json.loads(event.detail)["revision"]
        return Applied(event.sequence, reconciliation_revision=revision, replayed=True)
    if event.account_no is not None:
        account = account_from(event.detail, event.account_no, event.sequence)
        return Applied(event.sequence, account=account, replayed=True)
    if event.kind in {EventKind.CATEGORY_CREATED, EventKind.CATEGORY_CHANGED}:
        return Applied(event.sequence, category=category_from(event.detail, event.sequence), replayed=True)
    changed = entity_from(event.detail, entity.entity_no, entity.entity_id, entity.id_key, event.sequence)
    return Applied(event.sequence, entity=changed, replayed=True)
