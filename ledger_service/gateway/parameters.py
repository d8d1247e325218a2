"""Parameters that several endpoints share."""

from __future__ import annotations

from ledger_service.application.paging import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from ledger_service.gateway.endpoint import Parameter
from ledger_service.gateway.shapes import Integer, Text

_ID = Text(longest=64, shortest=1)

ENTITY = Parameter("entityId", _ID, "The entity that owns it.", "entity_012jkl", required=True)
ENTITY_OPTIONAL = Parameter(
    "entityId", _ID, "The entity that owns it; by default the one that the transaction's id tells.", "entity_012jkl"
)
ENTITY_IN_PATH = Parameter("entityId", _ID, "The entity.", "entity_012jkl", required=True, in_path=True)
ACCOUNT_IN_PATH = Parameter("accountId", _ID, "The account.", "acc_office_supplies", required=True, in_path=True)
TRANSACTION_IN_PATH = Parameter(
    "transactionId", _ID, "The transaction.", "txn_00000g00000400019fwq1qv0n8", required=True, in_path=True
)
CURSOR = Parameter("cursor", Text(shortest=1), "`nextCursor` of the page before; by default the first page.", None)
PAGE_SIZE = Parameter(
    "pageSize", Integer(1, MAX_PAGE_SIZE), "How many on a page.", DEFAULT_PAGE_SIZE, default=DEFAULT_PAGE_SIZE
)
PAGING = (CURSOR, PAGE_SIZE)
