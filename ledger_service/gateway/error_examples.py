"""An error of each reason, as a use case raises it: the OpenAPI document shows them as the gateway tells them."""

from __future__ import annotations

from collections.abc import Mapping

from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.gateway.endpoint import Endpoint
from ledger_service.gateway.misread import misread
from ledger_service.gateway.shapes import Object

_TXN = "txn_00000g00000400019fwq1qv0n8"
_BANK = {"account_id": "acc_bank"}
_USD = {**_BANK, "currency": "USD"}

_SAID: dict[Reason, tuple[str, Mapping[str, str]]] = {
    Reason.UNBALANCED_TRANSACTION: (
        "postings: debits and credits in USD must be equal, but are 101.00 and 100.00",
        {"field": "postings", "currency": "USD", "debits": "101.00", "credits": "100.00"},
    ),
    Reason.UNKNOWN_CURRENCY: (
        "currency: ZZZ is neither an ISO 4217 currency nor registered", {"field": "currency", "currency": "ZZZ"},
    ),
    Reason.INVALID_PAGE_TOKEN: (
        "page_token: was not made here for this query; repeat the query as it was, or begin anew without",
        {"field": "page_token"},
    ),
    Reason.QUERY_TOO_BROAD: (
        "the query could not be answered within 5 s; narrow it down", {"seconds": "5"},
    ),
    Reason.UNAUTHENTICATED: ("no bearer token; send 'Authorization: Bearer <token>'", {}),
    Reason.PERMISSION_DENIED: (
        "this credential lacks the scope 'write'; use one that has it", {"scope": "write"},
    ),
    Reason.RATE_LIMITED: (
        "this caller is over its 100 calls a second; pause, then try again",
        {"limit": "calls_per_second", "retry_after_ms": "1000"},
    ),
    Reason.AUTHENTICATION_UNAVAILABLE: ("the credential can't be checked now; send the request again", {}),
    Reason.ENTITY_NOT_FOUND: ("entity entity_x does not exist; create it first", {"entity_id": "entity_x"}),
    Reason.ACCOUNT_NOT_FOUND: (
        "account_id: account acc_x does not exist in this entity; create it first",
        {"field": "account_id", "account_id": "acc_x"},
    ),
    Reason.TRANSACTION_NOT_FOUND: (
        "transaction txn_x does not exist in this entity", {"transaction_id": "txn_x"},
    ),
    Reason.CATEGORY_NOT_FOUND: (
        "category_id: category cat_x does not exist in this entity; create it first",
        {"field": "category_id", "category_id": "cat_x"},
    ),
    Reason.IDEMPOTENCY_KEY_REUSED: (
        "idempotency_key was used before for a request with other content; take a new key for a new request",
        {"idempotency_key": "rent-2023-05", "sequence": "7"},
    ),
    Reason.ENTITY_ALREADY_EXISTS: (
        "entity acme exists already and is different; choose another id", {"entity_id": "acme"},
    ),
    Reason.ACCOUNT_ALREADY_EXISTS: ("account acc_bank exists already; choose another id", _BANK),
    Reason.ACCOUNT_CODE_TAKEN: (
        "code 5001 belongs to account acc_bank; choose another one", {"code": "5001", **_BANK},
    ),
    Reason.CATEGORY_ALREADY_EXISTS: (
        "category cat_5678 exists already; choose another id", {"category_id": "cat_5678"},
    ),
    Reason.CATEGORY_NAME_TAKEN: (
        "the name belongs to category cat_5678; choose another one",
        {"name": "Office Expenses", "category_id": "cat_5678"},
    ),
    Reason.CATEGORY_ARCHIVED: ("category cat_5678 is archived; use another one", {"category_id": "cat_5678"}),
    Reason.INSUFFICIENT_BALANCE: (
        "account acc_bank: the available balance in USD would fall below its floor",
        {**_USD, "available": "100.00", "floor": "0.00"},
    ),
    Reason.CEILING_EXCEEDED: (
        "account acc_bank: the balance in USD, pending included, would exceed its ceiling",
        {**_USD, "balance": "900.00", "ceiling": "1000.00"},
    ),
    Reason.ACCOUNT_FROZEN: ("account acc_bank is frozen; unfreeze it first", _BANK),
    Reason.ACCOUNT_CLOSED: ("account acc_bank is closed for good", _BANK),
    Reason.ACCOUNT_NOT_EMPTY: (
        "account acc_bank is not at zero in USD, pending included; move the rest first", _USD,
    ),
    Reason.CURRENCY_NOT_ALLOWED: ("account acc_bank takes EUR, GBP only, not USD", _USD),
    Reason.AMOUNT_OVERFLOW: ("account acc_bank: a total in USD would exceed 38 digits; use another account", _USD),
    Reason.INVALID_STATUS: (
        f"transaction {_TXN} is POSTED: it is too late for that; correct it by a reversal",
        {"transaction_id": _TXN, "status": "POSTED"},
    ),
    Reason.REVERSAL_EXCEEDS_ORIGINAL: (
        "the reversals of this transaction would exceed it; at most what is left can be reversed",
        {"transaction_id": _TXN, "posting": "0", "remaining": "50.00", "currency": "USD"},
    ),
    Reason.REVISION_MISMATCH: ("it is at revision 3, not 2; read it again", {"revision": "3"}),
    Reason.ENTITY_ARCHIVED: ("entity acme is archived and takes no writes", {"entity_id": "acme"}),
    Reason.BATCH_ABORTED: (
        "request 1 of this atomic batch was refused, so none was applied",
        {"failed_index": "1", "failed_reason": "ACCOUNT_NOT_FOUND"},
    ),
    Reason.INVALID_PARENT: ("account acc_bank lies below acc_cash: as its parent it would make a cycle", _BANK),
    Reason.LIMIT_ALREADY_BROKEN: (
        "account acc_bank: its present balance in USD breaks the new limit",
        {**_USD, "balance": "-5.00", "limit": "0.00"},
    ),
    Reason.EXPIRE_TIME_PASSED: (
        "expire_time must lie after the moment of recording", {"expire_time": "2023-05-15T10:30:00+00:00"},
    ),
    Reason.RECONCILIATION_NOT_FOUND: (
        "account acc_bank is not reconciled in USD; import a statement, or start it",
        {"account_id": "acc_bank", "currency": "USD"},
    ),
    Reason.MATCH_NOT_FOUND: ("match 99 does not exist in this reconciliation", {"match_number": "99"}),
    Reason.TRANSACTION_RECONCILED: (
        (
            f"transaction {_TXN} is matched in a closed reconciliation of account acc_bank and can't be voided; "
            "approve it and correct it by a reversal, or reopen the reconciliation"
        ),
        {"transaction_id": _TXN, "account_id": "acc_bank"},
    ),
    Reason.RECONCILIATION_CLOSED: ("it is closed up to 2026-06-30; reopen it first", {"date": "2026-06-30"}),
    Reason.RECONCILIATION_UNFINISHED: (
        "2 matches up to this day are PROPOSED; confirm or reject them first",
        {"obstacle": "proposed_matches", "count": "2"},
    ),
    Reason.RECONCILIATION_CHANGED: (
        "somebody else has changed this reconciliation meanwhile; nothing was done: send it again",
        {"account_id": "acc_bank"},
    ),
    Reason.INVALID_MATCH_STATE: (
        "match 4 is REJECTED: only one that is PROPOSED can be confirmed", {"match_number": "4", "state": "REJECTED"},
    ),
    Reason.ITEM_NOT_OPEN: ("line 17 is matched already; take its match apart first", {"line_number": "17"}),
    Reason.STATEMENT_MISMATCH: (
        "file: the statement is in EUR, the reconciliation in USD; name the right account", {"field": "file"},
    ),
    Reason.CHECKPOINT_KEY_MISSING: (
        (
            "this server signs no checkpoints; its operators make a key with 'ledger-service checkpoint-key' and name "
            "its file in LEDGER_CHECKPOINT_KEY"
        ),
        {},
    ),
    Reason.WORK_TOO_LARGE: (
        "it needs more memory than one piece of work may have; nothing has happened: split the file",
        {"limit": "memory"},
    ),
    Reason.QUEUE_FULL: (
        "the server's queue is full; nothing was queued: send the same request again after a pause", {},
    ),
    Reason.TOO_MANY_WATCHERS: ("too many watchers; try again after a pause", {}),
    Reason.DRAINING: (
        "the server is shutting down; nothing was queued: send the same request again", {},
    ),
    Reason.DATABASE_UNAVAILABLE: ("the database does not answer; send the request again", {}),
    Reason.OUTCOME_UNKNOWN: ("it is not known whether it was recorded; send the request with the same key again", {}),
    Reason.INTERNAL: (
        "a fault of the server; tell its operators the number, and send the same request again",
        {"incident": "5f1c9a7e2b40"},
    ),
}  # fmt: skip


def error_example(reason: Reason, endpoint: Endpoint) -> LedgerError:
    """What a call of the endpoint may be refused with for this reason."""
    if reason is Reason.INVALID_ARGUMENT:
        return _malformed(endpoint)
    message, metadata = _SAID[reason]
    return LedgerError(reason, message, metadata)


def _malformed(endpoint: Endpoint) -> LedgerError:
    """Something required that is missing, or else a body where none belongs."""
    required = [one.name for one in endpoint.query_parameters if one.required]
    if required:
        return misread(required[0], "is required in the query")
    if endpoint.form is not None:
        return misread("file", "is required")
    if endpoint.body is None:
        return misread("body", "this request takes no body; leave it out")
    shape = endpoint.body.shape
    members = [one.name for one in shape.members if one.required] if isinstance(shape, Object) else []
    return misread(members[0], "is required") if members else misread("", "is empty; send JSON")
