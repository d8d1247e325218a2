"""Why a request is refused: one reason for each rule, with the facts a caller needs to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class Reason(str, Enum):
    """Reasons as clients see them (protos/ledger/v1/errors.proto documents each with its metadata)."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    UNBALANCED_TRANSACTION = "UNBALANCED_TRANSACTION"
    UNKNOWN_CURRENCY = "UNKNOWN_CURRENCY"
    INVALID_PAGE_TOKEN = "INVALID_PAGE_TOKEN"  # noqa: S105  # a reason, not a secret
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    AUTHENTICATION_UNAVAILABLE = "AUTHENTICATION_UNAVAILABLE"
    RATE_LIMITED = "RATE_LIMITED"
    ENTITY_NOT_FOUND = "ENTITY_NOT_FOUND"
    ACCOUNT_NOT_FOUND = "ACCOUNT_NOT_FOUND"
    TRANSACTION_NOT_FOUND = "TRANSACTION_NOT_FOUND"
    CATEGORY_NOT_FOUND = "CATEGORY_NOT_FOUND"
    RECONCILIATION_NOT_FOUND = "RECONCILIATION_NOT_FOUND"
    MATCH_NOT_FOUND = "MATCH_NOT_FOUND"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    ENTITY_ALREADY_EXISTS = "ENTITY_ALREADY_EXISTS"
    ACCOUNT_ALREADY_EXISTS = "ACCOUNT_ALREADY_EXISTS"
    ACCOUNT_CODE_TAKEN = "ACCOUNT_CODE_TAKEN"
    CATEGORY_ALREADY_EXISTS = "CATEGORY_ALREADY_EXISTS"
    CATEGORY_NAME_TAKEN = "CATEGORY_NAME_TAKEN"
    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    CEILING_EXCEEDED = "CEILING_EXCEEDED"
    ACCOUNT_FROZEN = "ACCOUNT_FROZEN"
    ACCOUNT_CLOSED = "ACCOUNT_CLOSED"
    CURRENCY_NOT_ALLOWED = "CURRENCY_NOT_ALLOWED"
    INVALID_STATUS = "INVALID_STATUS"
    REVERSAL_EXCEEDS_ORIGINAL = "REVERSAL_EXCEEDS_ORIGINAL"
    ACCOUNT_NOT_EMPTY = "ACCOUNT_NOT_EMPTY"
    ENTITY_ARCHIVED = "ENTITY_ARCHIVED"
    BATCH_ABORTED = "BATCH_ABORTED"
    INVALID_PARENT = "INVALID_PARENT"
    LIMIT_ALREADY_BROKEN = "LIMIT_ALREADY_BROKEN"
    REVISION_MISMATCH = "REVISION_MISMATCH"
    EXPIRE_TIME_PASSED = "EXPIRE_TIME_PASSED"
    AMOUNT_OVERFLOW = "AMOUNT_OVERFLOW"
    CATEGORY_ARCHIVED = "CATEGORY_ARCHIVED"
    TRANSACTION_RECONCILED = "TRANSACTION_RECONCILED"
    RECONCILIATION_CLOSED = "RECONCILIATION_CLOSED"
    RECONCILIATION_UNFINISHED = "RECONCILIATION_UNFINISHED"
    INVALID_MATCH_STATE = "INVALID_MATCH_STATE"
    ITEM_NOT_OPEN = "ITEM_NOT_OPEN"
    STATEMENT_MISMATCH = "STATEMENT_MISMATCH"
    CHECKPOINT_KEY_MISSING = "CHECKPOINT_KEY_MISSING"
    QUEUE_FULL = "QUEUE_FULL"
    TOO_MANY_WATCHERS = "TOO_MANY_WATCHERS"
    QUERY_TOO_BROAD = "QUERY_TOO_BROAD"
    WORK_TOO_LARGE = "WORK_TOO_LARGE"
    RECONCILIATION_CHANGED = "RECONCILIATION_CHANGED"
    DRAINING = "DRAINING"
    DATABASE_UNAVAILABLE = "DATABASE_UNAVAILABLE"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    INTERNAL = "INTERNAL"


class LedgerError(Exception):
    """A request that was refused or failed, and why.

    `message` is for people and says what to do; `metadata` is for programs, all values text.
    """

    __slots__ = ("message", "metadata", "reason")

    def __init__(self, reason: Reason, message: str, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata: dict[str, str] = dict(metadata) if metadata else {}

    def __repr__(self) -> str:
        return f"LedgerError({self.reason.value}, {self.message!r}, {self.metadata!r})"

    def __reduce__(self) -> tuple[type[LedgerError], tuple[Reason, str, dict[str, str]]]:
        # Exceptions are pickled by their `args`, which is the message alone.
        return type(self), (self.reason, self.message, self.metadata)

    def at(self, field: str) -> LedgerError:
        """The same error, told of a field of the request."""
        return LedgerError(self.reason, f"{field}: {self.message}", {**self.metadata, "field": field})

    def with_metadata(self, **more: str) -> LedgerError:
        """The same error with further facts; the present one stays as it is."""
        return LedgerError(self.reason, self.message, {**self.metadata, **more})


def internal(incident: str) -> LedgerError:
    """A fault of the service: the caller learns a number to look for in its log, and nothing else."""
    return LedgerError(
        Reason.INTERNAL,
        f"a fault of the server; tell its operators the number {incident}, and send the same request again",
        {"incident": incident},
    )


def invalid(field: str, message: str, reason: Reason = Reason.INVALID_ARGUMENT, **metadata: str) -> LedgerError:
    """A malformed field: `field` is its path in the request, such as `postings[1].amount.currency`."""
    return LedgerError(reason, f"{field}: {message}", {"field": field, **metadata})
