"""The service's methods under their own names, each with credentials, a deadline and safe retries.

Every class here mirrors one generated stub: what a method does, takes, answers and refuses stands in
`protos/ledger/v1`. They are called with the request and, where wanted, the seconds that one attempt may take:

    response = await client.accounts.GetBalance(GetBalanceRequest(...), timeout=2.0)

All of them raise LedgerError and no other error of gRPC's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import grpc
from google.protobuf.message import Message

from ledger.v1.account_service_pb2_grpc import AccountServiceStub
from ledger.v1.category_service_pb2_grpc import CategoryServiceStub
from ledger.v1.entity_service_pb2_grpc import EntityServiceStub
from ledger.v1.reconciliation_service_pb2 import (
    ExportReconciliationRequest,
    ExportReconciliationResponse,
    ImportStatementRequest,
    ImportStatementResponse,
)
from ledger.v1.reconciliation_service_pb2_grpc import ReconciliationServiceStub
from ledger.v1.transaction_service_pb2 import (
    StreamCreateTransactionsRequest,
    StreamCreateTransactionsResponse,
    WatchTransactionsRequest,
    WatchTransactionsResponse,
)
from ledger.v1.transaction_service_pb2_grpc import TransactionServiceStub
from ledger_client import keys
from ledger_client.errors import LedgerError
from ledger_client.retry import Attempts, RetryPolicy

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")


@dataclass(frozen=True, slots=True)
class CallSettings:
    """What all calls of a client share.

    Attributes:
        metadata: sent with each call; carries the bearer token.
        timeout: seconds that one attempt may take unless the call says otherwise.
        retry: limits of trying again.
    """

    metadata: tuple[tuple[str, str], ...]
    timeout: float
    retry: RetryPolicy


class UnaryCall(Generic[_RequestT, _ResponseT]):
    """One request, one answer, as many attempts as the policy allows."""

    __slots__ = ("_method", "_prepare", "_settings")

    def __init__(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[_RequestT, _ResponseT],
        settings: CallSettings,
        prepare: Callable[[_RequestT], _RequestT] | None = None,
    ) -> None:
        """Args: method of the stub; settings; `prepare` makes a request of the caller's safe to repeat."""
        self._method = method
        self._settings = settings
        self._prepare = prepare

    async def __call__(
        self,
        request: _RequestT,
        /,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - a deadline that the server is told of
    ) -> _ResponseT:
        """Send the request, and send it again while its outcome is not known and there is time.

        Args:
            request: stays as it is; a key that it lacks is put into a copy.
            timeout: seconds that one attempt may take; None: the client's.

        Raises:
            LedgerError: refused; or, with `is_definite` False, still not known when the time was up.
        """
        if self._prepare is not None:
            request = self._prepare(request)
        return await self.within(self._settings.retry.start(timeout or 0.0), request, timeout)

    async def within(self, attempts: Attempts, request: _RequestT, limit: float | None = None, /) -> _ResponseT:
        """The same within a time that has begun before, for a request that is safe to repeat as it is."""
        if limit is None:
            limit = self._settings.timeout
        while True:
            try:
                return await self._method(request, timeout=attempts.time_for(limit), metadata=self._settings.metadata)
            except grpc.aio.AioRpcError as failure:
                error = LedgerError.from_rpc_error(failure, cast("Message", request))
                if not error.is_retryable or not await attempts.pause(error.retry_after):
                    raise error from failure


class EntityCalls:
    """EntityService: the tenants."""

    def __init__(self, channel: grpc.aio.Channel, settings: CallSettings) -> None:
        stub = EntityServiceStub(channel)
        self.CreateEntity = UnaryCall(stub.CreateEntity, settings, keys.with_entity_id)
        self.GetEntity = UnaryCall(stub.GetEntity, settings)
        self.ListEntities = UnaryCall(stub.ListEntities, settings)
        self.UpdateEntity = UnaryCall(stub.UpdateEntity, settings, keys.with_key)
        self.ArchiveEntity = UnaryCall(stub.ArchiveEntity, settings, keys.with_key)
        self.GetCheckpoint = UnaryCall(stub.GetCheckpoint, settings)
        self.GetConsistencyProof = UnaryCall(stub.GetConsistencyProof, settings)


class AccountCalls:
    """AccountService: the chart of accounts and its balances."""

    def __init__(self, channel: grpc.aio.Channel, settings: CallSettings) -> None:
        stub = AccountServiceStub(channel)
        self.CreateAccount = UnaryCall(stub.CreateAccount, settings, keys.with_account_key)
        self.BatchCreateAccounts = UnaryCall(stub.BatchCreateAccounts, settings, keys.with_account_keys)
        self.GetAccount = UnaryCall(stub.GetAccount, settings)
        self.ListAccounts = UnaryCall(stub.ListAccounts, settings)
        self.UpdateAccount = UnaryCall(stub.UpdateAccount, settings, keys.with_key)
        self.FreezeAccount = UnaryCall(stub.FreezeAccount, settings, keys.with_key)
        self.UnfreezeAccount = UnaryCall(stub.UnfreezeAccount, settings, keys.with_key)
        self.CloseAccount = UnaryCall(stub.CloseAccount, settings, keys.with_key)
        self.GetBalance = UnaryCall(stub.GetBalance, settings)
        self.BatchGetBalances = UnaryCall(stub.BatchGetBalances, settings)
        self.ListEntries = UnaryCall(stub.ListEntries, settings)


class CategoryCalls:
    """CategoryService: what transactions are for."""

    def __init__(self, channel: grpc.aio.Channel, settings: CallSettings) -> None:
        stub = CategoryServiceStub(channel)
        self.CreateCategory = UnaryCall(stub.CreateCategory, settings, keys.with_category_key)
        self.GetCategory = UnaryCall(stub.GetCategory, settings)
        self.ListCategories = UnaryCall(stub.ListCategories, settings)
        self.UpdateCategory = UnaryCall(stub.UpdateCategory, settings, keys.with_key)
        self.ArchiveCategory = UnaryCall(stub.ArchiveCategory, settings, keys.with_key)


class TransactionCalls:
    """TransactionService: recording transactions and telling of them."""

    def __init__(self, channel: grpc.aio.Channel, settings: CallSettings) -> None:
        self._settings = settings
        self._stub = stub = TransactionServiceStub(channel)
        self.CreateTransaction = UnaryCall(stub.CreateTransaction, settings, keys.with_key)
        self.BatchCreateTransactions = UnaryCall(stub.BatchCreateTransactions, settings, keys.with_keys)
        self.GetTransaction = UnaryCall(stub.GetTransaction, settings)
        self.GetTransactionProof = UnaryCall(stub.GetTransactionProof, settings)
        self.LookUpTransaction = UnaryCall(stub.LookUpTransaction, settings)
        self.ListTransactions = UnaryCall(stub.ListTransactions, settings)
        self.SearchTransactions = UnaryCall(stub.SearchTransactions, settings)
        self.ListCounterparties = UnaryCall(stub.ListCounterparties, settings)
        self.EditTransaction = UnaryCall(stub.EditTransaction, settings, keys.with_key)
        self.ApproveTransactions = UnaryCall(stub.ApproveTransactions, settings, keys.with_key)
        self.ClearTransaction = UnaryCall(stub.ClearTransaction, settings, keys.with_key)
        self.VoidTransaction = UnaryCall(stub.VoidTransaction, settings, keys.with_key)
        self.ReverseTransaction = UnaryCall(stub.ReverseTransaction, settings, keys.with_key)
        self.CategorizeTransaction = UnaryCall(stub.CategorizeTransaction, settings, keys.with_key)
        self.ListTransactionRevisions = UnaryCall(stub.ListTransactionRevisions, settings)
        self.AskTransactions = UnaryCall(stub.AskTransactions, settings)

    def StreamCreateTransactions(  # noqa: N802 - the methods bear the names of the protos
        self, requests: AsyncIterator[StreamCreateTransactionsRequest]
    ) -> AsyncGenerator[StreamCreateTransactionsResponse, None]:
        """Record transactions as they come; answers come in their order.

        Without deadline and retries: after a broken stream the caller sends the rest again with the same
        keys, so the keys are the caller's to choose. `LedgerClient.batch_create` does all that by itself.
        """
        return _answers(self._stub.StreamCreateTransactions(requests, metadata=self._settings.metadata))

    def WatchTransactions(  # noqa: N802
        self, request: WatchTransactionsRequest
    ) -> AsyncGenerator[WatchTransactionsResponse, None]:
        """Tell what happens in an entity until the connection breaks; `LedgerClient.watch` goes on then."""
        return _answers(self._stub.WatchTransactions(request, metadata=self._settings.metadata))


class ReconciliationCalls:
    """ReconciliationService: what the bank says, what the ledger says, and why they differ."""

    def __init__(self, channel: grpc.aio.Channel, settings: CallSettings) -> None:
        self._settings = settings
        self._stub = stub = ReconciliationServiceStub(channel)
        self.StartReconciliation = UnaryCall(stub.StartReconciliation, settings, keys.with_key)
        self.GetReconciliationProfile = UnaryCall(stub.GetReconciliationProfile, settings)
        self.UpdateReconciliationProfile = UnaryCall(stub.UpdateReconciliationProfile, settings, keys.with_key)
        self.ListStatements = UnaryCall(stub.ListStatements, settings)
        self.ListStatementLines = UnaryCall(stub.ListStatementLines, settings)
        self.ListLedgerItems = UnaryCall(stub.ListLedgerItems, settings)
        self.RunMatching = UnaryCall(stub.RunMatching, settings, keys.with_key)
        self.ListMatches = UnaryCall(stub.ListMatches, settings)
        self.ListFindings = UnaryCall(stub.ListFindings, settings)
        self.CreateMatch = UnaryCall(stub.CreateMatch, settings, keys.with_key)
        self.ConfirmMatches = UnaryCall(stub.ConfirmMatches, settings, keys.with_key)
        self.RejectMatches = UnaryCall(stub.RejectMatches, settings, keys.with_key)
        self.UndoMatches = UnaryCall(stub.UndoMatches, settings, keys.with_key)
        self.GetReconciliation = UnaryCall(stub.GetReconciliation, settings)
        self.ListReconciliations = UnaryCall(stub.ListReconciliations, settings)
        self.CloseReconciliation = UnaryCall(stub.CloseReconciliation, settings, keys.with_key)
        self.ReopenReconciliation = UnaryCall(stub.ReopenReconciliation, settings, keys.with_key)

    async def ImportStatement(  # noqa: N802 - the methods bear the names of the protos
        self,
        parts: AsyncIterator[ImportStatementRequest],
        /,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - a deadline that the server is told of
    ) -> ImportStatementResponse:
        """Send a file, its header first, once. `LedgerClient.import_statement` reads it and tries again by itself.

        Raises:
            LedgerError: refused, or not known to have come in. What `parts` raises ends the call and passes.
        """
        call = self._stub.ImportStatement(metadata=self._settings.metadata, timeout=self._limit(timeout))
        try:
            try:
                async for part in parts:
                    await call.write(part)
                await call.done_writing()
            except (asyncio.InvalidStateError, grpc.aio.InternalError):
                pass  # answered before the whole file was sent, or the connection is gone: the answer says which
            return await call
        except grpc.aio.AioRpcError as failure:
            raise LedgerError.from_rpc_error(failure) from failure
        finally:
            call.cancel()

    def ExportReconciliation(  # noqa: N802
        self, request: ExportReconciliationRequest, /, *, timeout: float | None = None
    ) -> AsyncGenerator[ExportReconciliationResponse, None]:
        """Fetch a document in parts, once; `LedgerClient.export_reconciliation` puts them together."""
        return _answers(
            self._stub.ExportReconciliation(request, metadata=self._settings.metadata, timeout=self._limit(timeout))
        )

    def _limit(self, timeout: float | None) -> float:
        return self._settings.timeout if timeout is None else timeout


async def _answers(
    call: grpc.aio.UnaryStreamCall[_RequestT, _ResponseT] | grpc.aio.StreamStreamCall[_RequestT, _ResponseT],
) -> AsyncGenerator[_ResponseT, None]:
    """Yield a stream's answers; ends the call when the consumer stops, raises its failure as LedgerError."""
    try:
        async for answer in call:
            yield answer
    except grpc.aio.AioRpcError as failure:
        raise LedgerError.from_rpc_error(failure) from failure
    finally:
        call.cancel()
