"""What can't be read: told with the names that the caller wrote."""

from __future__ import annotations

from ledger_service.domain.errors import LedgerError, Reason


class MisreadError(LedgerError):
    """A request that is malformed before any use case sees it.

    Its field is named as it was sent, known here or not, so errors.error_object must not translate it.
    """

    __slots__ = ()


def misread(path: str, message: str) -> MisreadError:
    """INVALID_ARGUMENT at a place of the request; "" is the body as a whole."""
    place = path or "body"
    return MisreadError(Reason.INVALID_ARGUMENT, f"{place}: {message}", {"field": place})
