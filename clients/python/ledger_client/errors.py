"""What goes wrong with a call, as one exception that says what the caller may conclude from it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

ERROR_DOMAIN: Final = "ledger.v1"
"""Domain of the service's google.rpc.ErrorInfo; one of another domain, a proxy's, is not ours to read."""

AMBIGUOUS_CODES: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
    }
)
"""After these the call may have taken effect or not. It is safe to send it again with the same key."""

_DEFINITE_CODES: Final = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)

_PASSING_REASONS: Final = frozenset({"QUEUE_FULL", "TOO_MANY_WATCHERS", "RATE_LIMITED"})
"""Refusals by a server that had no room: nothing has happened, and it may have room in a moment."""

_MAX_PAUSE_DIGITS: Final = 9
"""Of a pause in milliseconds."""

_CODES: Final[Mapping[int, grpc.StatusCode]] = {code.value[0]: code for code in grpc.StatusCode}


class LedgerError(Exception):
    """A call, or one item of a batch, that was refused or failed.

    Attributes:
        code: the gRPC status code.
        reason: why, by the service's own name for it: `INSUFFICIENT_BALANCE`, `ACCOUNT_FROZEN` …, the names
            of `ledger.v1.ErrorReason` without their prefix. Empty when the answer did not come from the
            service (nobody listens there, the deadline passed, a proxy answered).
        message: for people; says what to do.
        metadata: for programs; which keys there are is documented with each reason in errors.proto.
        request: the message as it was sent, with the keys that the client made; None where there was none.
            After an outcome that is not known, send exactly this again to find out.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        *,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        request: Message | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.metadata: Mapping[str, str] = MappingProxyType(dict(metadata or {}))
        self.request = request

    def __str__(self) -> str:
        return f"{self.reason or self.code.name}: {self.message}"

    def __repr__(self) -> str:
        # Without the request: it holds other people's business, and representations end up in logs.
        details = f"reason={self.reason!r}, metadata={dict(self.metadata)!r}"
        return f"LedgerError({self.code.name}, {self.message!r}, {details})"

    @property
    def is_definite(self) -> bool:
        """True: the call has not taken effect and never will. False: nobody has said so."""
        # RESOURCE_EXHAUSTED is also what gRPC itself says of an *answer* that is too long to be received, and
        # then the call has taken effect: it counts as a refusal only when the service has given its reason.
        return self.code in _DEFINITE_CODES or (self.code is grpc.StatusCode.RESOURCE_EXHAUSTED and self.reason != "")

    @property
    def is_retryable(self) -> bool:
        """True: the same request with the same key may be sent again, and may then succeed."""
        return self.code in AMBIGUOUS_CODES or self.reason in _PASSING_REASONS

    @property
    def retry_after(self) -> float:
        """Seconds that the service wants the caller to wait before it tries again; 0: it has not said."""
        text = self.metadata.get("retry_after_ms", "")
        return int(text) / 1000 if text.isascii() and text.isdigit() and len(text) <= _MAX_PAUSE_DIGITS else 0.0

    @classmethod
    def from_status(cls, status: status_pb2.Status, request: Message | None = None) -> LedgerError:
        """The error in a `google.rpc.Status`: of an item of a batch, or of a refusal that was looked up."""
        code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
        info = _error_info(status)
        if info is None:
            return cls(code, status.message, request=request)
        return cls(code, status.message, reason=info.reason, metadata=info.metadata, request=request)

    @classmethod
    def from_rpc_error(cls, failure: grpc.aio.AioRpcError, request: Message | None = None) -> LedgerError:
        """The error that a failed gRPC call tells of."""
        try:
            status = rpc_status.from_call(failure)  # type: ignore[arg-type]
        except (ValueError, DecodeError):
            # Details that contradict the status, or that are no details: what gRPC itself says stands.
            status = None
        if status is None:
            return cls(failure.code(), failure.details() or failure.code().name, request=request)
        return cls.from_status(status, request)


def _error_info(status: status_pb2.Status) -> error_details_pb2.ErrorInfo | None:
    """The service's ErrorInfo among the details; None when there is none."""
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info) and info.domain == ERROR_DOMAIN:
            return info
    return None
