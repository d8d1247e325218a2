"""What all calls have in common: who calls, how failures are told, what is counted.

A decorator on the servicers' methods and not an interceptor: each interceptor of grpc.aio costs some
3 to 10 % of the calls that a process can serve.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import wraps
from typing import Any, NoReturn, Protocol, TypeVar

import grpc

from ledger_service import telemetry
from ledger_service.application.access import Principal
from ledger_service.application.authentication import Authenticator
from ledger_service.application.failures import as_ledger_error
from ledger_service.domain.errors import LedgerError
from ledger_service.rpc.errors import CODES, status_of
from ledger_service.rpc.registration import well_formed

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")
_Context = grpc.aio.ServicerContext[Any, Any]


class HasAuthenticator(Protocol):
    """A servicer."""

    authenticator: Authenticator


_Servicer = TypeVar("_Servicer", bound=HasAuthenticator)


def unary(
    method: Callable[[_Servicer, Principal, _Request], Awaitable[_Response]],
) -> Callable[[_Servicer, _Request, _Context], Awaitable[_Response]]:
    """A call with one answer."""
    count = _Counters("unary", method)

    @wraps(method)
    async def handle(self: _Servicer, request: _Request, context: _Context) -> _Response:
        began = count.started()
        code = "OK"
        try:
            principal = await self.authenticator.authenticate(_authorization(context))
            return await method(self, principal, well_formed(request))
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
    count = _Counters("stream", method)

    @wraps(method)
    async def handle(self: _Servicer, request: object, context: _Context) -> AsyncIterator[_Response]:
        began = count.started()
        code = "OK"
        try:
            principal = await self.authenticator.authenticate(_authorization(context))
            async for response in method(self, principal, well_formed(request)):
                yield response
        except (asyncio.CancelledError, GeneratorExit):
            code = "CANCELLED"
            raise
        except Exception as error:  # noqa: BLE001  # told to the caller, and logged
            failure = as_ledger_error(error, method.__name__)
            code = CODES[failure.reason].name
            await _abort(context, failure)
        finally:
            count.handled(began, code)

    return handle


async def _abort(context: _Context, error: LedgerError) -> NoReturn:
    status = status_of(error)
    await context.abort(CODES[error.reason], error.message, (("grpc-status-details-bin", status.SerializeToString()),))


def _authorization(context: _Context) -> str | None:
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            return value if isinstance(value, str) else None
    return None


class _Counters:
    """The metrics of one method, found once."""

    def __init__(self, kind: str, method: Callable[..., Any]) -> None:
        service = "ledger.v1." + method.__qualname__.partition(".")[0].removesuffix("Servicer")
        self._labels = (kind, service, method.__name__)
        self._started = telemetry.RPC_STARTED.labels(*self._labels)
        self._seconds = telemetry.RPC_SECONDS.labels(*self._labels)
        self._handled = {"OK": telemetry.RPC_HANDLED.labels(*self._labels, "OK")}

    def started(self) -> float:
        self._started.inc()
        return time.perf_counter()

    def handled(self, began: float, code: str) -> None:
        self._seconds.observe(time.perf_counter() - began)
        counter = self._handled.get(code)
        if counter is None:
            counter = self._handled[code] = telemetry.RPC_HANDLED.labels(*self._labels, code)
        counter.inc()
