"""One table from a reason to its HTTP status and code, and how an error is told in JSON.

400: the request is malformed, or asks for too much, whatever the state of the ledger. 401, 403: who asks. 404: what
it names does not exist. 409: well-formed, but the present state refuses it. 413: more than is worked on at once. 429:
refused for lack of room, nothing was done. 503: not known to have been done; send the same request with the same
Idempotency-Key again. 422 is not used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.gateway.misread import MisreadError


class Told(NamedTuple):
    """Status and code of a reason; `of_transaction` is the document's code under /v1/transactions."""

    status: int
    code: str
    of_transaction: str = ""


TOLD: dict[Reason, Told] = {
    Reason.INVALID_ARGUMENT: Told(400, "invalid_request", "invalid_transaction"),
    Reason.UNBALANCED_TRANSACTION: Told(400, "invalid_transaction"),
    Reason.UNKNOWN_CURRENCY: Told(400, "unknown_currency", "invalid_transaction"),
    Reason.INVALID_PAGE_TOKEN: Told(400, "invalid_cursor"),
    Reason.UNAUTHENTICATED: Told(401, "unauthenticated"),
    Reason.PERMISSION_DENIED: Told(403, "permission_denied"),
    Reason.ENTITY_NOT_FOUND: Told(404, "entity_not_found"),
    Reason.ACCOUNT_NOT_FOUND: Told(404, "account_not_found"),
    Reason.TRANSACTION_NOT_FOUND: Told(404, "transaction_not_found"),
    Reason.AUTHENTICATION_UNAVAILABLE: Told(503, "authentication_unavailable"),
    Reason.RATE_LIMITED: Told(429, "rate_limited"),
    Reason.CATEGORY_NOT_FOUND: Told(404, "category_not_found"),
    Reason.CATEGORY_ALREADY_EXISTS: Told(409, "category_already_exists"),
    Reason.CATEGORY_NAME_TAKEN: Told(409, "category_name_taken"),
    Reason.CATEGORY_ARCHIVED: Told(409, "category_archived"),
    Reason.QUERY_TOO_BROAD: Told(400, "query_too_broad"),
    Reason.IDEMPOTENCY_KEY_REUSED: Told(409, "idempotency_key_reused", "duplicate_transaction"),
    Reason.ENTITY_ALREADY_EXISTS: Told(409, "entity_already_exists"),
    Reason.ACCOUNT_ALREADY_EXISTS: Told(409, "account_already_exists"),
    Reason.ACCOUNT_CODE_TAKEN: Told(409, "account_code_taken"),
    Reason.INSUFFICIENT_BALANCE: Told(409, "insufficient_balance"),
    Reason.CEILING_EXCEEDED: Told(409, "ceiling_exceeded"),
    Reason.ACCOUNT_FROZEN: Told(409, "account_frozen"),
    Reason.ACCOUNT_CLOSED: Told(409, "account_closed"),
    Reason.CURRENCY_NOT_ALLOWED: Told(409, "currency_not_allowed"),
    Reason.INVALID_STATUS: Told(409, "invalid_transaction"),
    Reason.REVERSAL_EXCEEDS_ORIGINAL: Told(409, "reversal_exceeds_original"),
    Reason.ACCOUNT_NOT_EMPTY: Told(409, "account_not_empty"),
    Reason.ENTITY_ARCHIVED: Told(409, "entity_archived"),
    Reason.BATCH_ABORTED: Told(409, "batch_aborted"),
    Reason.INVALID_PARENT: Told(409, "invalid_parent"),
    Reason.LIMIT_ALREADY_BROKEN: Told(409, "limit_already_broken"),
    Reason.REVISION_MISMATCH: Told(409, "revision_mismatch"),
    Reason.EXPIRE_TIME_PASSED: Told(409, "expire_time_passed"),
    Reason.AMOUNT_OVERFLOW: Told(409, "amount_overflow"),
    Reason.RECONCILIATION_NOT_FOUND: Told(404, "reconciliation_not_found"),
    Reason.MATCH_NOT_FOUND: Told(404, "match_not_found"),
    Reason.TRANSACTION_RECONCILED: Told(409, "transaction_reconciled"),
    Reason.RECONCILIATION_CLOSED: Told(409, "reconciliation_closed"),
    Reason.RECONCILIATION_UNFINISHED: Told(409, "reconciliation_unfinished"),
    Reason.RECONCILIATION_CHANGED: Told(409, "reconciliation_changed"),
    Reason.INVALID_MATCH_STATE: Told(409, "invalid_match_state"),
    Reason.ITEM_NOT_OPEN: Told(409, "item_not_open"),
    Reason.STATEMENT_MISMATCH: Told(400, "statement_mismatch"),
    Reason.CHECKPOINT_KEY_MISSING: Told(409, "checkpoint_key_missing"),
    Reason.WORK_TOO_LARGE: Told(413, "work_too_large"),
    Reason.QUEUE_FULL: Told(429, "queue_full"),
    Reason.TOO_MANY_WATCHERS: Told(429, "too_many_watchers"),
    Reason.DRAINING: Told(503, "draining"),
    Reason.DATABASE_UNAVAILABLE: Told(503, "database_unavailable"),
    Reason.OUTCOME_UNKNOWN: Told(503, "outcome_unknown"),
    Reason.INTERNAL: Told(500, "internal"),
}
"""Every reason has its place; tests/unit/test_gateway_table.py proves it."""

HTTP_CODES: dict[str, int] = {
    "invalid_request": 400,
    "not_found": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "headers_too_large": 431,
    "overloaded": 503,
}
"""Codes of errors of HTTP itself, which no use case raises."""

_RETRY_AFTER_SECONDS = 1

# Members of the metadata that hold amounts, and those that hold whole numbers: told as JSON numbers.
_AMOUNTS = frozenset({"available", "floor", "balance", "ceiling", "remaining", "limit", "debits", "credits"})
_NUMBERS = frozenset({
    "sequence", "failed_index", "revision", "posting", "retry_after_ms", "count", "line_number", "match_number",
})  # fmt: skip
_DECIMAL = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,20})?", re.ASCII)

Fields = Mapping[str, str]
"""What the endpoint's request calls the fields of the use case, without indices: "postings[].amount.amount"."""

# In messages these are meant as names of fields; the caller knows them by the names of the body.
_FIELD_NAMES = {
    "debit_account_id": "debitAccountId",
    "credit_account_id": "creditAccountId",
    "effective_time": "date",
    "expire_time": "expiresAt",
    "idempotency_key": "Idempotency-Key",
    "page_token": "cursor",
    "page_size": "pageSize",
    "update_mask": "body",
    "bank_account": "bankAccount",
    "financial_type": "financialType",
    "is_category": "isCategory",
    "parent_id": "parentId",
    "sub_type_code": "subTypeCode",
    "time_zone": "timeZone",
    "statement_balance": "statementBalance",
    "outstanding_transaction_ids": "outstandingTransactionIds",
    "opening_balance": "openingBalance",
    "closing_balance": "closingBalance",
    "csv_mapping": "csvMapping",
    "file_name": "file",
    "statement_number": "statementNumber",
    "line_numbers": "lineNumbers",
    "transaction_ids": "transactionIds",
    "match_numbers": "matchNumbers",
    "with_write_offs": "withWriteOffs",
    "write_off_account_id": "writeOffAccountId",
    "write_off_description": "writeOffDescription",
    "max_open_items": "maxOpenItems",
    "accept_differences": "acceptDifferences",
    "difference_account_id": "differenceAccountId",
    "difference_description": "differenceDescription",
    "is_inverted": "isInverted",
}
_NAMES_IN_PROSE = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b", re.ASCII)
_INDEX = re.compile(r"\[(\d+)\]")


# What a reason is about, where errors do not say it themselves: one field, whatever the request.
_PLACES: dict[Reason, str] = {
    Reason.ENTITY_NOT_FOUND: "entity_id",
    Reason.ENTITY_ARCHIVED: "entity_id",
    Reason.ENTITY_ALREADY_EXISTS: "entity_id",
    Reason.ACCOUNT_ALREADY_EXISTS: "account_id",
    Reason.ACCOUNT_CODE_TAKEN: "code",
    Reason.ACCOUNT_NOT_EMPTY: "account_id",
    Reason.CATEGORY_ALREADY_EXISTS: "category_id",
    Reason.CATEGORY_NAME_TAKEN: "name",
    Reason.TRANSACTION_NOT_FOUND: "transaction_id",
    Reason.INVALID_STATUS: "transaction_id",
    Reason.REVISION_MISMATCH: "expected_revision",
    Reason.IDEMPOTENCY_KEY_REUSED: "idempotency_key",
    Reason.EXPIRE_TIME_PASSED: "expire_time",
    Reason.RECONCILIATION_NOT_FOUND: "account_id",
    Reason.RECONCILIATION_UNFINISHED: "date",
    Reason.TRANSACTION_RECONCILED: "transaction_id",
    Reason.MATCH_NOT_FOUND: "match_numbers",
    Reason.INVALID_MATCH_STATE: "match_numbers",
}

TRANSACTION_FIELDS: Fields = {
    "amount.amount": "amount",
    "amount.currency": "currency",
    "postings[].amount.amount": "postings[].amount",
    "postings[].amount.currency": "postings[].currency",
    "parts[].amount.amount": "parts[].amount",
    "parts[].amount.currency": "parts[].currency",
}
"""Of bodies that record a transaction."""
BULK_FIELDS: Fields = {**TRANSACTION_FIELDS, "idempotency_key": "idempotencyKey"}
"""Of a body that records many: each has a key of its own."""


class HttpError(Exception):
    """An error of HTTP itself: no such path, a body of the wrong kind."""

    def __init__(
        self,
        code: str,
        message: str,
        field: str = "",
        *,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.headers = headers
        self.details = details or {}
        self.status = HTTP_CODES[code]


def status_of(error: LedgerError | HttpError) -> int:
    """The HTTP status."""
    return error.status if isinstance(error, HttpError) else TOLD[error.reason].status


def headers_of(error: LedgerError | HttpError) -> list[tuple[bytes, bytes]]:
    """Headers that the status asks for."""
    status = status_of(error)
    headers = list(error.headers) if isinstance(error, HttpError) else []
    if status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="ledger"'))
    if status in (429, 503):
        headers.append((b"retry-after", str(_pause(error)).encode()))
    return headers


def _pause(error: LedgerError | HttpError) -> int:
    """Whole seconds to wait before another try."""
    told = "" if isinstance(error, HttpError) else error.metadata.get("retry_after_ms", "")
    return max(_RETRY_AFTER_SECONDS, -(-int(told) // 1000)) if told.isdecimal() else _RETRY_AFTER_SECONDS


def error_object(error: LedgerError | HttpError, fields: Fields, *, of_transaction: bool) -> dict[str, Any]:
    """The `error` member: code, message, field (empty if it is about none), details."""
    if isinstance(error, HttpError):
        return {"code": error.code, "message": error.message, "field": error.field, "details": error.details}
    told = TOLD[error.reason]
    code = told.of_transaction if of_transaction and told.of_transaction else told.code
    metadata = placed(error).metadata
    shown, message = metadata.get("field", ""), error.message
    if not isinstance(error, MisreadError):
        shown, message = _translated(shown, message, metadata, fields)
    details = {_camel(name): _detail(name, value) for name, value in metadata.items() if name != "field"}
    details["reason"] = error.reason.value
    return {"code": code, "message": message, "field": shown, "details": details}


def placed(error: LedgerError) -> LedgerError:
    """The same error with the field that its reason is about, if the use case has named none."""
    place = _PLACES.get(error.reason)
    return error if place is None or "field" in error.metadata else error.with_metadata(field=place)


def at_account(error: LedgerError, body: Mapping[str, Any]) -> LedgerError:
    """The same error with the field in which the body of a transaction names the account that it is about."""
    account = error.metadata.get("account_id")
    if account is None or "field" in error.metadata:
        return error
    for name in ("debit_account_id", "credit_account_id"):
        if body.get(name) == account:
            return error.with_metadata(field=name)
    for index, posting in enumerate(body.get("postings") or ()):
        if posting["accountId"] == account:
            return error.with_metadata(field=f"postings[{index}].account_id")
    return error


def field_name(path: str, fields: Fields) -> str:
    """What the caller calls a field of the use case: `postings[1].amount.currency` is `postings[1].currency`."""
    if not path:
        return ""
    pattern = _INDEX.sub("[]", path)
    # The longest known beginning is renamed; an item of a batch has its path in front.
    for start in _beginnings(pattern):
        if pattern[start:] in fields:
            renamed = pattern[:start] + fields[pattern[start:]]
            break
    else:
        renamed = ".".join(_FIELD_NAMES.get(part) or _camel(part) for part in pattern.split("."))
    indices = iter(_INDEX.findall(path))
    return re.sub(r"\[\]", lambda _: f"[{next(indices, 0)}]", renamed)


def _beginnings(pattern: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer(r"\.", pattern))]


def _translated(path: str, message: str, metadata: Mapping[str, str], fields: Fields) -> tuple[str, str]:
    """A field of the use case and what is said of it, in the names of the request; the field stands in front."""
    shown = field_name(path, fields)
    values = set(metadata.values()) - {path}

    def name_of(match: re.Match[str]) -> str:
        name = match[0]
        # An account may be called page_size.
        return name if name in values else fields.get(name) or _FIELD_NAMES.get(name, name)

    said = _NAMES_IN_PROSE.sub(name_of, message.removeprefix(path))
    if path and message.startswith(path):
        return shown, shown + said
    return shown, f"{shown}: {said}" if shown else said


def _detail(name: str, value: str) -> object:
    if name in _NUMBERS and value.isdecimal():
        return int(value)
    if name in _AMOUNTS and _DECIMAL.fullmatch(value):
        return msgspec.Raw(value.encode())
    if name == "replayed":
        return value == "true"
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
