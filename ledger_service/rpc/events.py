"""Events of the history as messages."""

from __future__ import annotations

import json

from ledger.v1 import transaction_service_pb2 as pb
from ledger.v1.reconciliation_pb2 import ReconciliationChange
from ledger_service.application.answers import refusal_of
from ledger_service.application.ports import Event
from ledger_service.domain.account import Entity
from ledger_service.domain.snapshots import account_from, category_from, entity_from
from ledger_service.domain.transaction import EventKind
from ledger_service.rpc import outgoing
from ledger_service.rpc.errors import status_of
from ledger_service.rpc.outgoing import Outgoing


def event_message(out: Outgoing, entity: Entity, event: Event) -> pb.WatchTransactionsResponse:
    """One event, about whatever it is about."""
    message = pb.WatchTransactionsResponse(
        sequence=event.sequence,
        kind=event.kind,  # type: ignore[arg-type]
        recorded_time=outgoing.timestamp(event.recorded_time),
        actor=event.actor,
        idempotency_key=event.idempotency_key or "",
    )
    if event.transaction is not None:
        message.transaction.CopyFrom(out.transaction(entity, event.transaction))
        return message
    assert event.detail is not None
    if event.kind == EventKind.WRITE_REFUSED:
        message.refusal.CopyFrom(status_of(out.worded(refusal_of(event))))
    elif event.kind in (EventKind.CATEGORY_CREATED, EventKind.CATEGORY_CHANGED):
        category = category_from(event.detail, event.sequence)
        message.category.CopyFrom(outgoing.category(entity.entity_id, category))
    elif event.kind == EventKind.RECONCILIATION_CHANGED:
        message.reconciliation.CopyFrom(_reconciliation_change(event.detail))
    elif event.account_no is not None:
        account = account_from(event.detail, event.account_no, event.sequence)
        message.account.CopyFrom(out.account(entity.entity_id, account))
    else:
        changed = entity_from(event.detail, entity.entity_no, entity.entity_id, entity.id_key, event.sequence)
        message.entity.CopyFrom(outgoing.entity(changed))
    return message


def _reconciliation_change(detail: str) -> ReconciliationChange:
    told = json.loads(detail)
    return ReconciliationChange(
        account_id=told["account_id"],
        currency=told["currency"],
        revision=told["revision"],
        action=told["action"],
        note=told.get("note", ""),
    )
