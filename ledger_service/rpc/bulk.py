"""Many transactions in one call: batches and streams. Each item stands on its own unless the batch is atomic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from ledger.v1 import transaction_service_pb2 as pb
from ledger_service.application.access import Principal
from ledger_service.application.committer import outcomes_of
from ledger_service.application.intake import fields
from ledger_service.application.queue import Submission
from ledger_service.domain.account import Entity
from ledger_service.domain.commands import Command, CreateTransaction
from ledger_service.domain.decide import Applied, Refused
from ledger_service.domain.errors import LedgerError, invalid
from ledger_service.rpc import incoming
from ledger_service.rpc.batches import Answer, failure_of
from ledger_service.rpc.calls import as_ledger_error
from ledger_service.rpc.errors import item_of, status_of
from ledger_service.rpc.outgoing import Outgoing
from ledger_service.rpc.services import UseCases


class Bulk:
    """BatchCreateTransactions and StreamCreateTransactions."""

    def __init__(self, use_cases: UseCases, out: Outgoing) -> None:
        self._writes = use_cases.writes
        self._currencies = use_cases.currencies
        self._limits = use_cases.limits
        self._out = out

    def created(self, entity: Entity, answer: Applied, *, validate_only: bool = False) -> pb.CreateTransactionResponse:
        """The answer to one creation; of one that was only tried out the id and sequences are empty."""
        transaction = self._out.transaction(entity, answer.transactions[0])
        balances = self._out.balances(answer.balances)
        if validate_only and not answer.replayed:
            transaction.id = ""
            transaction.sequence = transaction.create_sequence = 0
            for balance in balances:
                balance.sequence = 0
        return pb.CreateTransactionResponse(
            transaction=transaction, replayed=answer.replayed, sequence=answer.sequence, balances=balances
        )

    async def batch(
        self, principal: Principal, request: pb.BatchCreateTransactionsRequest
    ) -> pb.BatchCreateTransactionsResponse:
        """Malformed items of a batch that is not atomic fail alone; the others are written."""
        entity_id = fields.entity_id(request.entity_id)
        self._check_size(request)
        commands, errors = self._commands(principal, request)
        if request.atomic and errors:
            raise errors[min(errors)]
        entity = await self._writes.entity_for(principal, "BatchCreateTransactions", entity_id)
        for index, command in list(commands.items()):
            try:
                self._writes.check_direct_posting(principal, command)
            except LedgerError as error:
                if request.atomic:
                    raise
                errors[index] = error
                del commands[index]
        answers: list[Answer] = []
        if commands:
            answers = await self._writes.several(entity, list(commands.values()), atomic=request.atomic)
        if request.atomic and not all(isinstance(answer, Applied) for answer in answers):
            raise failure_of(answers)
        by_index: dict[int, Answer] = {**errors, **dict(zip(commands, answers, strict=True))}
        return pb.BatchCreateTransactionsResponse(
            results=[
                self._result(entity, by_index[index], commands.get(index)) for index in range(len(request.requests))
            ]
        )

    async def stream(
        self, principal: Principal, requests: AsyncIterator[pb.StreamCreateTransactionsRequest]
    ) -> AsyncIterator[pb.StreamCreateTransactionsResponse]:
        """Answers in the order of the requests; what waits for its answer is bounded, and then the caller waits."""
        window: asyncio.Queue[_Waiting | None] = asyncio.Queue(self._limits.max_stream_in_flight)
        reader = asyncio.create_task(self._read(principal, requests, window))
        try:
            index = 0
            while (waiting := await window.get()) is not None:
                yield await self._answer(index, waiting)
                index += 1
            await reader
        finally:
            reader.cancel()

    async def _read(
        self, principal: Principal, requests: AsyncIterator[Any], window: asyncio.Queue[_Waiting | None]
    ) -> None:
        """Queue requests as they come."""
        try:
            async for message in requests:
                try:
                    waiting = await self._enqueue(principal, message.request)
                except Exception as error:  # noqa: BLE001  # told to the caller, and logged
                    # One bad item is told of in its place; the stream goes on.
                    waiting = _Waiting(error=as_ledger_error(error, "StreamCreateTransactions"))
                await window.put(waiting)
        finally:
            await window.put(None)

    async def _enqueue(self, principal: Principal, request: pb.CreateTransactionRequest) -> _Waiting:
        try:
            entity_id = fields.entity_id(request.entity_id)
            command = incoming.new_transaction(request, self._currencies, principal.name)
        except LedgerError as error:
            raise item_of(error, "request") from error
        entity = await self._writes.entity_for(principal, "StreamCreateTransactions", entity_id)
        submission = self._writes.enqueue(principal, entity, command)
        return _Waiting(entity, command, submission)

    async def _answer(self, index: int, waiting: _Waiting) -> pb.StreamCreateTransactionsResponse:
        answer: Answer
        entity, command = waiting.entity, waiting.command
        if entity is None or command is None or waiting.submission is None:
            assert waiting.error is not None
            return pb.StreamCreateTransactionsResponse(index=index, error=status_of(waiting.error))
        try:
            outcomes = await outcomes_of(waiting.submission)
            [answer] = await self._writes.complete(entity, outcomes)
        except Exception as failure:  # noqa: BLE001  # told to the caller, and logged
            answer = as_ledger_error(failure, "StreamCreateTransactions")
        if isinstance(answer, Applied):
            response = self.created(entity, answer, validate_only=command.validate_only)
            return pb.StreamCreateTransactionsResponse(index=index, response=response)
        error = answer.error if isinstance(answer, Refused) else answer
        return pb.StreamCreateTransactionsResponse(index=index, error=status_of(error))

    def _check_size(self, request: pb.BatchCreateTransactionsRequest) -> None:
        most = self._limits.max_batch_transactions
        if not 1 <= len(request.requests) <= most:
            raise invalid("requests", f"must have 1 to {most} items, has {len(request.requests)}")
        postings = sum(len(item.postings) or 2 for item in request.requests)
        if postings > self._limits.max_batch_postings:
            raise invalid(
                "requests",
                f"must have at most {self._limits.max_batch_postings} postings together, has {postings}",
            )

    def _commands(
        self, principal: Principal, request: pb.BatchCreateTransactionsRequest
    ) -> tuple[dict[int, Command], dict[int, LedgerError]]:
        """Commands and errors by the items' places."""
        commands: dict[int, Command] = {}
        errors: dict[int, LedgerError] = {}
        for index, item in enumerate(request.requests):
            try:
                if item.entity_id not in ("", request.entity_id):
                    raise invalid("entity_id", "must be empty or that of the batch")
                commands[index] = incoming.new_transaction(item, self._currencies, principal.name)
            except LedgerError as error:
                errors[index] = item_of(error, f"requests[{index}]")
        return commands, errors

    def _result(self, entity: Entity, answer: Answer, command: Command | None) -> pb.BatchCreateTransactionsResult:
        if isinstance(answer, Applied):
            assert isinstance(command, CreateTransaction)
            response = self.created(entity, answer, validate_only=command.validate_only)
            return pb.BatchCreateTransactionsResult(response=response)
        error = answer.error if isinstance(answer, Refused) else answer
        return pb.BatchCreateTransactionsResult(error=status_of(error))


class _Waiting:
    """An item of a stream: queued, or failed before it could be."""

    __slots__ = ("command", "entity", "error", "submission")

    def __init__(
        self,
        entity: Entity | None = None,
        command: CreateTransaction | None = None,
        submission: Submission | None = None,
        error: LedgerError | None = None,
    ) -> None:
        self.entity = entity
        self.command = command
        self.submission = submission
        self.error = error
