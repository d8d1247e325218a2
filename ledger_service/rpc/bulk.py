"""Many transactions in one call: batches and streams. Each item stands on its own unless the batch is atomic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from ledger.v1 import transaction_service_pb2 as pb
from ledger_service.application.access import Principal
from ledger_service.application.batches import Answer, answers_to, each_on_its_own, failure_of
from ledger_service.application.failures import as_ledger_error, item_of
from ledger_service.application.intake import fields
from ledger_service.application.queue import Submission
from ledger_service.application.use_cases import UseCases
from ledger_service.domain.account import Entity
from ledger_service.domain.commands import CreateTransaction
from ledger_service.domain.decide import Applied, Refused
from ledger_service.domain.errors import LedgerError, invalid
from ledger_service.rpc import incoming
from ledger_service.rpc.answer_bytes import AnswerBytes, batch_result, stream_response
from ledger_service.rpc.registration import well_formed


class Bulk:
    """BatchCreateTransactions and StreamCreateTransactions. Their answers are given as bytes: see answer_bytes."""

    def __init__(self, use_cases: UseCases, out: AnswerBytes) -> None:
        self._admission = use_cases.admission
        self._writes = use_cases.writes
        self._currencies = use_cases.currencies
        self._limits = use_cases.limits
        self._out = out

    async def batch(self, principal: Principal, request: pb.BatchCreateTransactionsRequest) -> bytes:
        """Malformed items of a batch that is not atomic fail alone; the others are written."""
        entity_id = fields.entity_id(request.entity_id)
        entity = await self._writes.entity_for(principal, "BatchCreateTransactions", entity_id)
        self._check_size(request)
        self._admission.charge(principal, len(request.requests))
        if request.atomic:
            return await self._atomic(principal, entity, request)

        def command_at(index: int) -> CreateTransaction:
            return self._command(principal, entity_id, request.requests[index], f"requests[{index}]")

        results: list[bytes] = []
        async for item in each_on_its_own(self._writes, entity, len(request.requests), command_at):
            results.append(batch_result(self._result(entity, *item, f"requests[{len(results)}]")))
        return b"".join(results)

    async def _atomic(self, principal: Principal, entity: Entity, request: pb.BatchCreateTransactionsRequest) -> bytes:
        commands = []
        for index, item in enumerate(request.requests):
            commands.append(self._command(principal, request.entity_id, item, f"requests[{index}]"))
        answers = await self._writes.all_or_none(entity, commands)
        if not all(isinstance(answer, Applied) for answer in answers):
            raise failure_of(answers)
        results = [self._result(entity, command, answer, "") for command, answer in zip(commands, answers, strict=True)]
        return b"".join(map(batch_result, results))

    async def stream(
        self, principal: Principal, requests: AsyncIterator[pb.StreamCreateTransactionsRequest]
    ) -> AsyncIterator[bytes]:
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
                await self._admission.pace(principal)
                try:
                    waiting: _Waiting = await self._enqueue(principal, well_formed(message).request)
                except Exception as error:  # noqa: BLE001  # told to the caller, and logged
                    # One bad item is told of in its place; the stream goes on.
                    waiting = as_ledger_error(error, "StreamCreateTransactions")
                await window.put(waiting)
        finally:
            await window.put(None)

    async def _enqueue(self, principal: Principal, request: pb.CreateTransactionRequest) -> _Waiting:
        try:
            entity_id = fields.entity_id(request.entity_id)
            command = incoming.new_transaction(request, self._currencies, principal.name)
        except LedgerError as error:
            raise item_of(error, "request") from error
        self._writes.check_direct_posting(principal, command)
        entity = await self._writes.entity_for(principal, "StreamCreateTransactions", entity_id)
        return _Sent(entity, command, self._writes.enqueue(entity, [command]))

    async def _answer(self, index: int, waiting: _Waiting) -> bytes:
        if isinstance(waiting, LedgerError):
            return stream_response(index, waiting)
        entity, command, submission = waiting
        [answer] = await answers_to(self._writes, entity, submission, "StreamCreateTransactions")
        return stream_response(index, self._result(entity, command, answer, "request"))

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

    def _command(
        self, principal: Principal, entity_id: str, message: pb.CreateTransactionRequest, path: str
    ) -> CreateTransaction:
        try:
            if message.entity_id not in ("", entity_id):
                raise invalid("entity_id", "must be empty or that of the batch")
            command = incoming.new_transaction(message, self._currencies, principal.name)
            self._writes.check_direct_posting(principal, command)
            return command
        except LedgerError as error:
            raise item_of(error, path) from error

    def _result(
        self, entity: Entity, command: CreateTransaction | None, answer: Answer | None, path: str
    ) -> bytes | LedgerError:
        """The answer to one item: a CreateTransactionResponse, or its error with `path` before the field."""
        if isinstance(answer, Applied):
            return self._out.created(entity, answer, validate_only=command is not None and command.validate_only)
        if isinstance(answer, Refused):
            return item_of(answer.error, path)
        assert answer is not None
        return answer


class _Sent(NamedTuple):
    """An item of a stream that was queued."""

    entity: Entity
    command: CreateTransaction
    submission: Submission


_Waiting = _Sent | LedgerError
"""An item of a stream: queued, or failed before it could be."""
