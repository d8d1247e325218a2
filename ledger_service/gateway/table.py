"""Every endpoint, once: the routes and the OpenAPI document are made from this table and cannot differ."""

from __future__ import annotations

from ledger_service.gateway.endpoint import Endpoint
from ledger_service.gateway.table_accounts import ACCOUNTS
from ledger_service.gateway.table_categories import CATEGORIES
from ledger_service.gateway.table_chat import CHAT
from ledger_service.gateway.table_entities import ENTITIES
from ledger_service.gateway.table_finding import FINDING
from ledger_service.gateway.table_matching import MATCHING
from ledger_service.gateway.table_proofs import PROOFS
from ledger_service.gateway.table_reconciliations import RECONCILIATIONS
from ledger_service.gateway.table_transactions import TRANSACTIONS

ENDPOINTS: tuple[Endpoint, ...] = (
    *TRANSACTIONS,
    *FINDING,
    *CHAT,
    *ACCOUNTS,
    *CATEGORIES,
    *RECONCILIATIONS,
    *MATCHING,
    *ENTITIES,
    *PROOFS,
)
