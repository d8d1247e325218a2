"""What all calls have in common: who calls, how failures are told, what is counted.

A decorator on the servicers' methods and not an interceptor: each interceptor of grpc.aio costs some
3 to 10 % of the calls that a process can serve.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import wraps
from typing import Any, NoReturn, Protocol, TypeVar

import grpc

from ledger_service.application.access import Principal
from ledger_service.application.admission import Admission
from ledger_service.application.callers import certificate_names
from ledger_service.application.failures import as_ledger_error
from ledger_service.application.long_calls import LongCall
from ledger_service.domain.errors import LedgerError
from ledger_service.rpc.errors import CODES, status_of
from ledger_service.rpc.registration import well_formed
from ledger_service.telemetry import RPC_CALLS, MethodFigures

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")
_Context = grpc.aio.ServicerContext[Any, Any]


class HasAdmission(Protocol):
    """A servicer."""

    admission: Admission


_Servicer = TypeVar("_Servicer", bound=HasAdmission)


def unary(
    method: Callable[[_Servicer, Principal, _Request], Awaitable[_Response]],
) -> Callable[[_Servicer, _Request, _Context], Awaitable[_Response]]:
    """A call with one answer."""
    count = _figures("unary", method)

    @wraps(method)
    async def handle(self: _Servicer, request: _Request, context: _Context) -> _Response:
        began = count.started()
        code = "OK"
        try:
            principal = await self.admission.enter(*_proof(context))
            try:
                return await method(self, principal, well_formed(request))
            finally:
                self.admission.leave(principal)
        except asyncio.CancelledError:
            code = "CANCELLED"
            raise
        except Exception as error:  # noqa: BLE001  # told to the caller, and logged
            failure = as_ledger_error(error, method.__name__)
            code = CODES[failure.reason].name
            await _abort(context, failure)
        finally:
            count.handled(began, code)

    return handle


def streaming(
    method: Callable[[_Servicer, Principal, Any], AsyncIterator[_Response]],
) -> Callable[[_Servicer, Any, _Context], AsyncIterator[_Response]]:
    """A call with many answers; the request is a message or an iterator of messages."""
    count = _figures("stream", method)

    @wraps(method)
    async def handle(self: _Servicer, request: Any, context: _Context) -> AsyncIterator[_Response]:  # noqa: ANN401
        began = count.started()
        code = "OK"
        try:
            proof = _proof(context)
            principal = await self.admission.enter(*proof)
            try:
                call = LongCall(self.admission, principal, *proof)
                message: Any = well_formed(request)
                if hasattr(message, "__aiter__"):
                    message = call.incoming(message)
                async for response in call.outgoing(method(self, principal, message)):
                    yield response
            finally:
                self.admission.leave(principal)
        except (asyncio.CancelledError, GeneratorExit):
            code = "CANCELLED"
            raise
        except Exception as error:  # noqa: BLE001  # told to the caller, and logged
            failure = as_ledger_error(error, method.__name__)
            code = CODES[failure.reason].name
            if hasattr(request, "__aiter__"):
                await _drain(request, MAX_STREAM_DRAIN_SECONDS)
            await _abort(context, failure)
        finally:
            count.handled(began, code)

    return handle


def collecting(
    method: Callable[[_Servicer, Principal, AsyncIterator[Any]], Awaitable[_Response]],
) -> Callable[[_Servicer, AsyncIterator[Any], _Context], Awaitable[_Response]]:
    """A call with one answer to many messages, each of them well-formed or Malformed: see `well_formed`."""
    count = _figures("stream", method)

    @wraps(method)
    async def handle(self: _Servicer, requests: AsyncIterator[Any], context: _Context) -> _Response:
        began = count.started()
        code = "OK"
        try:
            proof = _proof(context)
            principal = await self.admission.enter(*proof)
            try:
                call = LongCall(self.admission, principal, *proof)
                async with contextlib.aclosing(call.uploaded(requests)) as uploaded:
                    return await method(self, principal, uploaded)
            finally:
                self.admission.leave(principal)
        except asyncio.CancelledError:
            code = "CANCELLED"
            raise
        except Exception as error:  # noqa: BLE001  # told to the caller, and logged
            failure = as_ledger_error(error, method.__name__)
            code = CODES[failure.reason].name
            await _drain(requests, MAX_DRAIN_SECONDS)
            await _abort(context, failure)
        finally:
            count.handled(began, code)

    return handle


MAX_DRAINED_MESSAGES = 256
"""Twice what the largest file has, in chunks of the largest size (rpc.uploads)."""
MAX_DRAIN_SECONDS = 5.0
MAX_STREAM_DRAIN_SECONDS = 0.1
"""Of a stream, whose caller may be waiting for answers before it sends on: only what is on its way."""


async def _drain(requests: AsyncIterator[Any], seconds: float) -> None:
    """Let a client end what it is sending before it is refused, within bounds.

    A client whose write fails may tell that, and not the answer that came at the same time: grpc.aio's does, as
    INTERNAL, which looks as if the call might have been carried out.
    """
    left = MAX_DRAINED_MESSAGES
    with contextlib.suppress(Exception):
        async with asyncio.timeout(seconds):
            async for _ in requests:
                left -= 1
                if not left:
                    return


async def _abort(context: _Context, error: LedgerError) -> NoReturn:
    status = status_of(error)
    await context.abort(CODES[error.reason], error.message, (("grpc-status-details-bin", status.SerializeToString()),))


def _proof(context: _Context) -> tuple[str | None, tuple[str, ...] | None]:
    """What the caller shows: its `authorization`, or else the names in its verified certificate."""
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            return value if isinstance(value, str) else "", None
    # Only now: this costs 2 µs, and is needed only without a token.
    peer = context.auth_context()
    if "x509_pem_cert" not in peer:
        return None, None
    uris, dns_names = ([_text(name) for name in peer.get(kind, ())] for kind in ("peer_uri", "peer_dns"))
    return None, certificate_names(uris, dns_names)


def _text(name: bytes) -> str:
    # What is not ASCII is no name that anybody is known by.
    return name.decode("ascii", "replace")


def _figures(kind: str, method: Callable[..., Any]) -> MethodFigures:
    service = "ledger.v1." + method.__qualname__.partition(".")[0].removesuffix("r")
    return RPC_CALLS.method(kind, service, method.__name__)
