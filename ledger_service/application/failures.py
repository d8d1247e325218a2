"""How adapters tell of what went wrong: any failure as a LedgerError, an item's error from the top of its request."""

from __future__ import annotations

import secrets

import structlog

from ledger_service.application.ports import StorageError
from ledger_service.domain.errors import LedgerError, Reason, internal

_log = structlog.get_logger()


def as_ledger_error(error: Exception, method: str, **context: str) -> LedgerError:
    """Any failure as one of ours; what nobody expected is logged with a number that the caller is told."""
    if isinstance(error, LedgerError):
        return error
    if isinstance(error, StorageError):
        return LedgerError(Reason.DATABASE_UNAVAILABLE, "the database does not answer; send the request again")
    incident = secrets.token_hex(6)
    _log.error("call_failed", method=method, incident=incident, exc_info=error, **context)
    return internal(incident)


def item_of(error: LedgerError, path: str) -> LedgerError:
    """The error of one item, its field named from the top of the request: `requests[3].amount`."""
    metadata = dict(error.metadata)
    field = metadata.get("field")
    message = error.message
    if field is not None:
        metadata["field"] = f"{path}.{field}"
        message = f"{path}.{message}" if message.startswith(field) else message
    return LedgerError(error.reason, message, metadata)
