"""One table from a reason to its status code, and how an error travels."""

from __future__ import annotations

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from ledger_service.domain.errors import LedgerError, Reason

DOMAIN = "ledger.v1"

_Code = grpc.StatusCode

CODES: dict[Reason, grpc.StatusCode] = {
    Reason.INVALID_ARGUMENT: _Code.INVALID_ARGUMENT,
    Reason.UNBALANCED_TRANSACTION: _Code.INVALID_ARGUMENT,
    Reason.UNKNOWN_CURRENCY: _Code.INVALID_ARGUMENT,
    Reason.INVALID_PAGE_TOKEN: _Code.INVALID_ARGUMENT,
    Reason.UNAUTHENTICATED: _Code.UNAUTHENTICATED,
    Reason.PERMISSION_DENIED: _Code.PERMISSION_DENIED,
    Reason.AUTHENTICATION_UNAVAILABLE: _Code.UNAVAILABLE,
    Reason.RATE_LIMITED: _Code.RESOURCE_EXHAUSTED,
    Reason.ENTITY_NOT_FOUND: _Code.NOT_FOUND,
    Reason.ACCOUNT_NOT_FOUND: _Code.NOT_FOUND,
    Reason.TRANSACTION_NOT_FOUND: _Code.NOT_FOUND,
    Reason.CATEGORY_NOT_FOUND: _Code.NOT_FOUND,
    Reason.RECONCILIATION_NOT_FOUND: _Code.NOT_FOUND,
    Reason.MATCH_NOT_FOUND: _Code.NOT_FOUND,
    Reason.IDEMPOTENCY_KEY_REUSED: _Code.ALREADY_EXISTS,
    Reason.ENTITY_ALREADY_EXISTS: _Code.ALREADY_EXISTS,
    Reason.ACCOUNT_ALREADY_EXISTS: _Code.ALREADY_EXISTS,
    Reason.ACCOUNT_CODE_TAKEN: _Code.ALREADY_EXISTS,
    Reason.CATEGORY_ALREADY_EXISTS: _Code.ALREADY_EXISTS,
    Reason.CATEGORY_NAME_TAKEN: _Code.ALREADY_EXISTS,
    Reason.INSUFFICIENT_BALANCE: _Code.FAILED_PRECONDITION,
    Reason.CEILING_EXCEEDED: _Code.FAILED_PRECONDITION,
    Reason.ACCOUNT_FROZEN: _Code.FAILED_PRECONDITION,
    Reason.ACCOUNT_CLOSED: _Code.FAILED_PRECONDITION,
    Reason.CURRENCY_NOT_ALLOWED: _Code.FAILED_PRECONDITION,
    Reason.INVALID_STATUS: _Code.FAILED_PRECONDITION,
    Reason.REVERSAL_EXCEEDS_ORIGINAL: _Code.FAILED_PRECONDITION,
    Reason.ACCOUNT_NOT_EMPTY: _Code.FAILED_PRECONDITION,
    Reason.ENTITY_ARCHIVED: _Code.FAILED_PRECONDITION,
    Reason.BATCH_ABORTED: _Code.FAILED_PRECONDITION,
    Reason.INVALID_PARENT: _Code.FAILED_PRECONDITION,
    Reason.LIMIT_ALREADY_BROKEN: _Code.FAILED_PRECONDITION,
    Reason.REVISION_MISMATCH: _Code.FAILED_PRECONDITION,
    Reason.EXPIRE_TIME_PASSED: _Code.FAILED_PRECONDITION,
    Reason.AMOUNT_OVERFLOW: _Code.FAILED_PRECONDITION,
    Reason.CATEGORY_ARCHIVED: _Code.FAILED_PRECONDITION,
    Reason.TRANSACTION_RECONCILED: _Code.FAILED_PRECONDITION,
    Reason.RECONCILIATION_CLOSED: _Code.FAILED_PRECONDITION,
    Reason.RECONCILIATION_UNFINISHED: _Code.FAILED_PRECONDITION,
    Reason.INVALID_MATCH_STATE: _Code.FAILED_PRECONDITION,
    Reason.ITEM_NOT_OPEN: _Code.FAILED_PRECONDITION,
    Reason.STATEMENT_MISMATCH: _Code.INVALID_ARGUMENT,
    Reason.CHECKPOINT_KEY_MISSING: _Code.FAILED_PRECONDITION,
    Reason.QUEUE_FULL: _Code.RESOURCE_EXHAUSTED,
    Reason.TOO_MANY_WATCHERS: _Code.RESOURCE_EXHAUSTED,
    Reason.QUERY_TOO_BROAD: _Code.RESOURCE_EXHAUSTED,
    Reason.WORK_TOO_LARGE: _Code.RESOURCE_EXHAUSTED,
    Reason.RECONCILIATION_CHANGED: _Code.ABORTED,
    Reason.DRAINING: _Code.UNAVAILABLE,
    Reason.DATABASE_UNAVAILABLE: _Code.UNAVAILABLE,
    Reason.OUTCOME_UNKNOWN: _Code.UNAVAILABLE,
    Reason.INTERNAL: _Code.INTERNAL,
}


def status_of(error: LedgerError) -> status_pb2.Status:
    """The error as google.rpc.Status with its ErrorInfo."""
    info = error_details_pb2.ErrorInfo(reason=error.reason.value, domain=DOMAIN, metadata=error.metadata)
    packed = any_pb2.Any()
    packed.Pack(info)
    return status_pb2.Status(code=CODES[error.reason].value[0], message=error.message, details=[packed])
