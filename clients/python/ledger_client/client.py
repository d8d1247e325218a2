"""The client: one channel to the service, its stubs, and what needs more than one call or message."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncGenerator, Iterable, Sequence
from types import TracebackType
from typing import Final, Self

import grpc

from ledger.v1.reconciliation_service_pb2 import (
    ExportReconciliationRequest,
    ImportStatementHeader,
    ImportStatementResponse,
)
from ledger.v1.transaction_service_pb2 import CreateTransactionRequest, WatchTransactionsResponse
from ledger_client.batch import BatchOutcome, batch_create
from ledger_client.calls import (
    AccountCalls,
    CallSettings,
    CategoryCalls,
    EntityCalls,
    ReconciliationCalls,
    TransactionCalls,
)
from ledger_client.files import Document, Progress, Source, export_reconciliation, import_statement
from ledger_client.retry import RetryPolicy
from ledger_client.watching import watch

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""Largest message in either direction; the server's limit is the same."""

CONNECT_TIMEOUT: Final = 5.0
"""Seconds that one attempt to connect may take."""

FILE_TIMEOUT: Final = 600.0
"""Seconds that a file may take on its way, unless the call says otherwise: with reading it, far more than a call."""

_MILLISECONDS: Final = 1000

ChannelOptions = Sequence[tuple[str, str | int]]

_CHANNEL_OPTIONS: Final[ChannelOptions] = (
    ("grpc.primary_user_agent", "ledger-client-python"),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # A host that vanished without a word is noticed within 80 s even when nothing is being sent (a watch).
    ("grpc.keepalive_time_ms", 60 * _MILLISECONDS),
    ("grpc.keepalive_timeout_ms", 20 * _MILLISECONDS),
    ("grpc.keepalive_permit_without_calls", 0),
    # gRPC waits up to two minutes between attempts to connect; a service that restarts is back in seconds.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", int(CONNECT_TIMEOUT * _MILLISECONDS)),
    ("grpc.max_reconnect_backoff_ms", 2 * _MILLISECONDS),
    # One server at a time: what one caller writes and then reads goes to the same process. Spreading many
    # clients over several is the resolver's or the proxy's work.
    ("grpc.lb_policy_name", "pick_first"),
    # The one policy of retries is ours: gRPC's own knows nothing of idempotency keys.
    ("grpc.enable_retries", 0),
    ("grpc.service_config_disable_resolution", 1),
)


class LedgerClient:
    """A connection to the ledger service: an async context manager, one for the life of a process.

        async with LedgerClient("127.0.0.1:50051", token) as client:
            response = await client.transactions.CreateTransaction(CreateTransactionRequest(...))

    Without credentials the channel is plain text to this very host (a loopback address or a Unix socket) and
    TLS with gRPC's default roots to any other: a bearer token must not cross a network that others can read.

    Attributes:
        entities: EntityService.
        accounts: AccountService.
        categories: CategoryService.
        transactions: TransactionService.
        reconciliations: ReconciliationService. All are there once the context has been entered.
    """

    entities: EntityCalls
    accounts: AccountCalls
    categories: CategoryCalls
    transactions: TransactionCalls
    reconciliations: ReconciliationCalls

    def __init__(
        self,
        target: str,
        token: str,
        *,
        timeout: float = 10.0,
        retry: RetryPolicy | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        plaintext: bool = False,
        options: ChannelOptions = (),
    ) -> None:
        """Nothing is connected yet.

        Args:
            target: `host:port`, or any other name that gRPC resolves.
            token: the bearer token, sent with each call.
            timeout: seconds that one attempt of a call may take, unless the call says otherwise.
            retry: limits of trying again; None: RetryPolicy(), 30 seconds in all.
            credentials: for TLS with roots or a client certificate of your own: what
                `grpc.ssl_channel_credentials` gives.
            plaintext: True: no TLS to any host, for networks that encrypt by themselves (a service mesh).
            options: further gRPC channel options; they win over the client's own.

        Raises:
            ValueError: for an empty target or token, a token that no header can carry, a timeout that is not
                above zero, or credentials together with plaintext.
        """
        if not target:
            raise ValueError("target is empty; give host:port")
        if not token or not token.isascii() or not token.isprintable():
            raise ValueError("token must be printable ASCII and not empty")
        if timeout <= 0:
            raise ValueError("timeout must be above zero")
        if credentials is not None and plaintext:
            raise ValueError("give either credentials or plaintext")
        self._target = target
        self._retry = retry or RetryPolicy()
        self._settings = CallSettings((("authorization", f"Bearer {token}"),), timeout, self._retry)
        loopback = is_loopback(target)
        if credentials is None and not plaintext and not loopback:
            credentials = grpc.ssl_channel_credentials()
        self._credentials = credentials
        # An HTTP proxy of the environment is meant for the outside; gRPC would ask it for this host, too.
        own = (*_CHANNEL_OPTIONS, ("grpc.enable_http_proxy", 0)) if loopback else _CHANNEL_OPTIONS
        self._options = list({**dict(own), **dict(options)}.items())
        self._channel: grpc.aio.Channel | None = None

    async def __aenter__(self) -> Self:
        # Not in __init__: the channel belongs to the event loop that runs while it is made.
        if self._channel is not None:
            raise RuntimeError("this client is open already")
        if self._credentials is None:
            channel = grpc.aio.insecure_channel(self._target, options=self._options)
        else:
            channel = grpc.aio.secure_channel(self._target, self._credentials, options=self._options)
        self._channel = channel
        self.entities = EntityCalls(channel, self._settings)
        self.accounts = AccountCalls(channel, self._settings)
        self.categories = CategoryCalls(channel, self._settings)
        self.transactions = TransactionCalls(channel, self._settings)
        self.reconciliations = ReconciliationCalls(channel, self._settings)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    def batch_create(
        self,
        entity_id: str,
        requests: Iterable[CreateTransactionRequest],
        *,
        chunk: int = 500,
        in_flight: int = 1,
    ) -> AsyncGenerator[BatchOutcome, None]:
        """Record any number of transactions, each on its own, and yield their outcomes in their order.

            async for outcome in client.batch_create(entity, requests):
                if outcome.error is not None: ...

        Args:
            entity_id: of all of them.
            requests: taken from as batches are sent, so it may be a generator over more than fits in memory.
            chunk: items in one BatchCreateTransactions, at most; fewer where they are large.
            in_flight: batches under way at a time. Within a batch the ledger records items in their order;
                with more than 1 it may record a batch before the one in front of it.

        Raises:
            LedgerError: a whole batch was refused, or its outcome was still not known when the time was up.
                What was yielded stands; all the rest may be sent again with the same keys.
            ValueError: chunk or in_flight out of range.
        """
        call = self.transactions.BatchCreateTransactions
        return batch_create(call, self._retry, entity_id, requests, chunk=chunk, in_flight=in_flight)

    def watch(self, entity_id: str, after_sequence: int = 0) -> AsyncGenerator[WatchTransactionsResponse, None]:
        """Yield everything that happens in an entity after a sequence: first what is recorded, then live.

        Goes on by itself after a lost connection or a restart of the server, without a gap or a repeat. To go
        on after a restart of your own, keep the last event's sequence with what you made of the event. Stop
        it by leaving the loop and closing the generator (`contextlib.aclosing`).

        Raises:
            LedgerError: refused, or no connection for the retry policy's `overall` seconds in a row.
        """
        return watch(self.transactions, self._retry, entity_id, after_sequence)

    async def import_statement(
        self,
        source: Source,
        header: ImportStatementHeader,
        *,
        on_progress: Progress | None = None,
        timeout: float = FILE_TIMEOUT,  # noqa: ASYNC109 - a deadline that the server is told of
    ) -> ImportStatementResponse:
        """Take a bank's file into the reconciliation of an account.

            await client.import_statement("june.xml", ImportStatementHeader(entity_id="acme", account_id="acc_bank"))

        Sent again, from its beginning, while its outcome is not known: the file comes in once. To be able to repeat
        it after a restart of your own as well, give the header an idempotency key.

        Args:
            source: the file's path, or its bytes.
            header: for which account it is; stays as it is. Without a file_name the path's is sent; bytes need one.
            on_progress: told after each part how many bytes have left, and how many there are.
            timeout: seconds that one attempt may take, and all of them together, if the retry policy has less.

        Raises:
            LedgerError: refused; or, with `is_definite` False, not known to have come in when the time was up.
            OSError: the file can't be read.
        """
        return await import_statement(self.reconciliations, self._retry, source, header, on_progress, timeout)

    async def export_reconciliation(
        self,
        request: ExportReconciliationRequest,
        *,
        timeout: float = FILE_TIMEOUT,  # noqa: ASYNC109
    ) -> Document:
        """Fetch the result of a reconciliation as a document.

        Args:
            request: of what, and as which kind of document.
            timeout: as for `import_statement`.

        Raises:
            LedgerError: refused, or not answered in time.
        """
        return await export_reconciliation(self.reconciliations, self._retry, request, timeout)


def is_loopback(target: str) -> bool:
    """Whether a gRPC target is this very host: a Unix socket, `localhost` or a loopback address."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    name = target.removeprefix("dns:").removeprefix("ipv4:").removeprefix("ipv6:").lstrip("/")
    if "," in name or "/" in name:
        return False  # several addresses, or a resolver's own syntax: nothing is taken for granted
    bracketed = name.startswith("[")
    host = name[1:].partition("]")[0] if bracketed else name.rpartition(":")[0] or name
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
