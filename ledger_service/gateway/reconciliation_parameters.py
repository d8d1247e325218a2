"""What the endpoints of /v1/reconciliations share: parameters, and what may refuse them."""

from __future__ import annotations

from ledger_service.application.reconciling.records import ItemState
from ledger_service.domain.errors import Reason
from ledger_service.gateway.endpoint import Parameter
from ledger_service.gateway.parameters import ENTITY
from ledger_service.gateway.shapes import Choice, Text
from ledger_service.gateway.times import Day

TAG = "Reconciliations"
ACCOUNT = Parameter("accountId", Text(64, 1), "The account that is reconciled.", "acc_bank", required=True)
CURRENCY = Parameter(
    "currency", Text(pattern=r"^[A-Z][A-Z0-9_]{2,11}$"), "Needed if the account is reconciled in several.", "USD"
)
PLACE = (ENTITY, ACCOUNT, CURRENCY)
DATE = Parameter("date", Day(), "The statement date; by default that of the last statement.", "2026-06-30")
ITEM_STATE = Parameter(
    "state",
    Choice(tuple(state.name for state in ItemState), {state.name: int(state) for state in ItemState}),
    "Only in this state.",
    "OPEN",
)

READ = (Reason.ENTITY_NOT_FOUND, Reason.ACCOUNT_NOT_FOUND, Reason.RECONCILIATION_NOT_FOUND)
WRITE = (*READ, Reason.ENTITY_ARCHIVED, Reason.IDEMPOTENCY_KEY_REUSED, Reason.RECONCILIATION_CHANGED)
