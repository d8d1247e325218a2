"""A thin client over the generated stubs: the token in the metadata, refusals as one exception."""

from __future__ import annotations

import functools
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, cast

import grpc
import grpc.aio
from google.rpc import error_details_pb2, status_pb2

from ledger.v1.account_service_pb2_grpc import AccountServiceStub
from ledger.v1.category_service_pb2_grpc import CategoryServiceStub
from ledger.v1.entity_service_pb2_grpc import EntityServiceStub
from ledger.v1.reconciliation_service_pb2_grpc import ReconciliationServiceStub
from ledger.v1.transaction_service_pb2_grpc import TransactionServiceStub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ERROR_DOMAIN = "ledger.v1"
DEFAULT_TIMEOUT_SECONDS = 60.0
"""Far above what any call takes: it ends a test that hangs, and measures nothing."""


class Refused(Exception):
    """A call that did not succeed: gRPC code, and the reason and metadata of our ErrorInfo."""

    def __init__(self, status: status_pb2.Status) -> None:
        self.status = status
        self.code = grpc_code(status.code)
        self.message = status.message
        infos = []
        for detail in status.details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info):
                infos.append(info)
        self.info: error_details_pb2.ErrorInfo | None = infos[0] if infos else None
        self.reason = self.info.reason if self.info else ""
        self.metadata: dict[str, str] = dict(self.info.metadata) if self.info else {}
        super().__init__(f"{self.code.name} {self.reason or '(no ErrorInfo)'} {self.metadata}: {self.message}")


def grpc_code(number: int) -> grpc.StatusCode:
    """The gRPC status code with that number."""
    return next(code for code in grpc.StatusCode if code.value[0] == number)


def refusal_of(error: grpc.aio.AioRpcError) -> Refused:
    """The refusal that a failed call carries in its trailing metadata."""
    status = status_pb2.Status(code=error.code().value[0], message=error.details() or "")
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status.ParseFromString(cast("bytes", value))
    return Refused(status)


class Stub:
    """A generated stub whose unary calls carry the token, have a deadline, and raise Refused."""

    def __init__(self, stub: Any, metadata: tuple[tuple[str, str], ...], timeout: float | None) -> None:
        self._stub = stub
        self._metadata = metadata
        self._timeout = timeout

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._stub, name)
        if isinstance(method, grpc.aio.UnaryUnaryMultiCallable):
            call: Any = functools.partial(self._unary, method)
        else:
            call = functools.partial(method, metadata=self._metadata)
        setattr(self, name, call)
        return call

    async def _unary(self, method: Any, request: Any, **options: Any) -> Any:
        options.setdefault("timeout", self._timeout)
        try:
            return await method(request, metadata=self._metadata, **options)
        except grpc.aio.AioRpcError as error:
            raise refusal_of(error) from None


@dataclass
class Client:
    """The services at one address, as one caller."""

    channel: grpc.aio.Channel
    token: str | None
    timeout: float | None = DEFAULT_TIMEOUT_SECONDS
    header: str | None = None
    """The whole authorization header, for what is no bearer token."""
    entities: Any = field(init=False)
    accounts: Any = field(init=False)
    transactions: Any = field(init=False)
    categories: Any = field(init=False)
    reconciliations: Any = field(init=False)

    def __post_init__(self) -> None:
        self.entities = Stub(EntityServiceStub(self.channel), self.metadata, self.timeout)
        self.accounts = Stub(AccountServiceStub(self.channel), self.metadata, self.timeout)
        self.transactions = Stub(TransactionServiceStub(self.channel), self.metadata, self.timeout)
        self.categories = Stub(CategoryServiceStub(self.channel), self.metadata, self.timeout)
        self.reconciliations = Stub(ReconciliationServiceStub(self.channel), self.metadata, self.timeout)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Metadata that every call carries."""
        if self.header is not None:
            return (("authorization", self.header),)
        return () if self.token is None else (("authorization", f"Bearer {self.token}"),)

    async def raw(self, method: str, payload: bytes) -> bytes:
        """Send bytes as they are, for what no generated class can hold; `method` is "/ledger.v1.X/Y"."""
        call: Any = self.channel.unary_unary(method)
        try:
            return cast("bytes", await call(payload, metadata=self.metadata, timeout=self.timeout))
        except grpc.aio.AioRpcError as error:
            raise refusal_of(error) from None


CHANNEL_OPTIONS = (
    # A channel of its own for each client: tests of several processes count on several connections.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_send_message_length", 64 * 1024 * 1024),
    # A server that restarts is found again at once, not after a back-off of seconds.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
)


@asynccontextmanager
async def connect(
    address: str, token: str | None, seconds: float | None = DEFAULT_TIMEOUT_SECONDS
) -> AsyncIterator[Client]:
    """A client on a connection of its own."""
    async with grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        yield Client(channel, token, seconds)


def unexpected(what: str, got: object) -> NoReturn:
    """Fail a test that was answered where it must be refused."""
    raise AssertionError(f"{what}: expected a refusal, got {got}")


async def refusal(call: Any) -> Refused:
    """Await a call that must be refused, and give the refusal."""
    try:
        answer = await call
    except Refused as refused:
        return refused
    except grpc.aio.AioRpcError as error:
        return refusal_of(error)
    unexpected("call", answer)
