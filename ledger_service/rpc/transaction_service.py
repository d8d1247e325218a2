"""TransactionService: convert, call one use case, convert."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ledger.v1 import question_pb2, transaction_service_pb2_grpc
from ledger.v1 import transaction_service_pb2 as pb
from ledger_service.application.access import Principal
from ledger_service.application.intake import fields, transactions
from ledger_service.application.use_cases import UseCases
from ledger_service.domain.account import Entity
from ledger_service.domain.commands import Command
from ledger_service.domain.decide import Applied
from ledger_service.rpc import incoming, outgoing, proofs
from ledger_service.rpc.answer_bytes import AnswerBytes
from ledger_service.rpc.asking import OutgoingAnswer
from ledger_service.rpc.bulk import Bulk
from ledger_service.rpc.calls import streaming, unary
from ledger_service.rpc.errors import status_of
from ledger_service.rpc.events import event_message
from ledger_service.rpc.outgoing import Outgoing


class TransactionServicer(transaction_service_pb2_grpc.TransactionServiceServicer):
    """See protos/ledger/v1/transaction_service.proto."""

    def __init__(self, use_cases: UseCases) -> None:
        self.admission = use_cases.admission
        self._writes = use_cases.writes
        self._reads = use_cases.reads
        self._proving = use_cases.proving
        self._finding = use_cases.finding
        self._watching = use_cases.watching
        self._currencies = use_cases.currencies
        self._out = Outgoing(use_cases.currencies)
        self._answers = AnswerBytes(use_cases.currencies)
        self._bulk = Bulk(use_cases, self._answers)
        self._asking = use_cases.asking
        self._out_answer = OutgoingAnswer(self._out)

    # What posts answers with the bytes of its message: see answer_bytes and registration.

    @unary
    async def CreateTransaction(  # type: ignore[override]
        self, principal: Principal, request: pb.CreateTransactionRequest
    ) -> bytes:
        entity_id = fields.entity_id(request.entity_id)
        command = incoming.new_transaction(request, self._currencies, principal.name)
        entity, answer = await self._writes.one(principal, "CreateTransaction", entity_id, command)
        return self._answers.created(entity, answer, validate_only=command.validate_only)

    @unary
    async def BatchCreateTransactions(  # type: ignore[override]
        self, principal: Principal, request: pb.BatchCreateTransactionsRequest
    ) -> bytes:
        return await self._bulk.batch(principal, request)

    @streaming
    def StreamCreateTransactions(  # type: ignore[override]
        self, principal: Principal, requests: AsyncIterator[pb.StreamCreateTransactionsRequest]
    ) -> AsyncIterator[bytes]:
        return self._bulk.stream(principal, requests)

    @unary
    async def GetTransaction(
        self, principal: Principal, request: pb.GetTransactionRequest
    ) -> pb.GetTransactionResponse:
        entity_id = fields.entity_id(request.entity_id)
        entity, found = await self._reads.transaction(principal, entity_id, request.transaction_id)
        return pb.GetTransactionResponse(transaction=self._out.transaction(entity, found))

    @unary
    async def GetTransactionProof(
        self, principal: Principal, request: pb.GetTransactionProofRequest
    ) -> pb.GetTransactionProofResponse:
        entity_id = fields.entity_id(request.entity_id)
        proof, head = await self._proving.transaction(
            principal, entity_id, request.transaction_id, request.revision, request.at_sequence
        )
        return pb.GetTransactionProofResponse(proof=proofs.transaction(proof), checkpoint=proofs.checkpoint(head))

    @unary
    async def LookUpTransaction(
        self, principal: Principal, request: pb.LookUpTransactionRequest
    ) -> pb.LookUpTransactionResponse:
        entity_id = fields.entity_id(request.entity_id)
        if request.WhichOneof("by") == "reference":
            entity, found, token = await self._reads.by_reference(
                principal, entity_id, request.reference, request.page_size, request.page_token
            )
            messages = [self._out.transaction(entity, one) for one in found]
            return pb.LookUpTransactionResponse(transactions=messages, next_page_token=token)
        entity, use = await self._reads.by_key(principal, entity_id, request.idempotency_key)
        return pb.LookUpTransactionResponse(
            transactions=[self._out.transaction(entity, one) for one in use.transactions],
            refusal=status_of(use.refusal) if use.refusal is not None else None,
        )

    @unary
    async def ListTransactions(
        self, principal: Principal, request: pb.ListTransactionsRequest
    ) -> pb.ListTransactionsResponse:
        entity, found, token = await self._reads.transactions(
            principal,
            fields.entity_id(request.entity_id),
            size=request.page_size,
            token=request.page_token,
            statuses=request.statuses,
            account_id=request.account_id,
            effective_from=incoming.moment(request, "effective_from"),
            effective_before=incoming.moment(request, "effective_before"),
            ascending=request.ascending,
            order=request.order,
        )
        messages = [self._out.transaction(entity, one) for one in found]
        return pb.ListTransactionsResponse(transactions=messages, next_page_token=token)

    @unary
    async def SearchTransactions(
        self, principal: Principal, request: pb.SearchTransactionsRequest
    ) -> pb.SearchTransactionsResponse:
        entity, found = await self._finding.search(
            principal,
            fields.entity_id(request.entity_id),
            query=request.query,
            effective_from=incoming.moment(request, "effective_from"),
            effective_before=incoming.moment(request, "effective_before"),
            amount_min=request.amount_min,
            amount_max=request.amount_max,
            status=request.status,
            page=request.page,
            size=request.page_size,
        )
        return pb.SearchTransactionsResponse(
            transactions=[self._out.transaction(entity, one) for one in found.transactions],
            total_size=found.total,
            more_than_total=found.is_more,
            page=found.page,
            page_size=found.size,
        )

    @unary
    async def ListCounterparties(
        self, principal: Principal, request: pb.ListCounterpartiesRequest
    ) -> pb.ListCounterpartiesResponse:
        entity_id = fields.entity_id(request.entity_id)
        found, token = await self._finding.counterparties(principal, entity_id, request.page_size, request.page_token)
        messages = [self._out.counterparty(one) for one in found]
        return pb.ListCounterpartiesResponse(counterparties=messages, next_page_token=token)

    @unary
    async def EditTransaction(
        self, principal: Principal, request: pb.EditTransactionRequest
    ) -> pb.EditTransactionResponse:
        command = transactions.edit_transaction(
            principal.name,
            idempotency_key=request.idempotency_key,
            transaction_id=request.transaction_id,
            debit_account_id=request.debit_account_id,
            credit_account_id=request.credit_account_id,
            account_ids=request.account_ids,
            description=request.description if request.HasField("description") else None,
            expected_revision=request.expected_revision,
        )
        entity, answer = await self._change(principal, "EditTransaction", request.entity_id, command)
        return pb.EditTransactionResponse(
            transaction=self._out.transaction(entity, answer.transactions[0]),
            replayed=answer.replayed,
            sequence=answer.sequence,
            balances=self._out.balances(answer.balances),
        )

    @unary
    async def ApproveTransactions(
        self, principal: Principal, request: pb.ApproveTransactionsRequest
    ) -> pb.ApproveTransactionsResponse:
        self.admission.charge(principal, len(request.approvals))
        command = transactions.approve_transactions(
            self._currencies,
            principal.name,
            idempotency_key=request.idempotency_key,
            approvals=[
                (one.transaction_id, incoming.money(one, "amount"), one.expected_revision) for one in request.approvals
            ],
        )
        entity, answer = await self._change(principal, "ApproveTransactions", request.entity_id, command)
        return pb.ApproveTransactionsResponse(
            transactions=[self._out.transaction(entity, one) for one in answer.transactions],
            replayed=answer.replayed,
            sequence=answer.sequence,
            balances=self._out.balances(answer.balances),
        )

    @unary
    async def ClearTransaction(
        self, principal: Principal, request: pb.ClearTransactionRequest
    ) -> pb.ClearTransactionResponse:
        command = transactions.clear_transaction(
            principal.name,
            idempotency_key=request.idempotency_key,
            transaction_id=request.transaction_id,
            expected_revision=request.expected_revision,
        )
        entity, answer = await self._change(principal, "ClearTransaction", request.entity_id, command)
        return pb.ClearTransactionResponse(
            transaction=self._out.transaction(entity, answer.transactions[0]),
            replayed=answer.replayed,
            sequence=answer.sequence,
        )

    @unary
    async def VoidTransaction(
        self, principal: Principal, request: pb.VoidTransactionRequest
    ) -> pb.VoidTransactionResponse:
        command = transactions.void_transaction(
            principal.name,
            idempotency_key=request.idempotency_key,
            transaction_id=request.transaction_id,
            expected_revision=request.expected_revision,
        )
        entity, answer = await self._change(principal, "VoidTransaction", request.entity_id, command)
        return pb.VoidTransactionResponse(
            transaction=self._out.transaction(entity, answer.transactions[0]),
            replayed=answer.replayed,
            sequence=answer.sequence,
            balances=self._out.balances(answer.balances),
        )

    @unary
    async def ReverseTransaction(
        self, principal: Principal, request: pb.ReverseTransactionRequest
    ) -> pb.ReverseTransactionResponse:
        command = transactions.reverse_transaction(
            self._currencies,
            principal.name,
            idempotency_key=request.idempotency_key,
            transaction_id=request.transaction_id,
            amount=incoming.money(request, "amount"),
            parts=[(part.posting_index, incoming.money(part, "amount")) for part in request.parts],
            effective_time=incoming.moment(request, "effective_time"),
            description=request.description,
            reference=request.reference,
            metadata_object=incoming.metadata(request),
        )
        entity, answer = await self._change(principal, "ReverseTransaction", request.entity_id, command)
        return pb.ReverseTransactionResponse(
            transaction=self._out.transaction(entity, answer.transactions[0]),
            replayed=answer.replayed,
            sequence=answer.sequence,
            balances=self._out.balances(answer.balances),
        )

    @unary
    async def CategorizeTransaction(
        self, principal: Principal, request: pb.CategorizeTransactionRequest
    ) -> pb.CategorizeTransactionResponse:
        command = transactions.categorize_transaction(
            principal.name,
            idempotency_key=request.idempotency_key,
            transaction_id=request.transaction_id,
            category_id=request.category_id,
            expected_revision=request.expected_revision,
        )
        entity, answer = await self._change(principal, "CategorizeTransaction", request.entity_id, command)
        categories = await self._finding.categories_of(entity, answer.transactions)
        response = pb.CategorizeTransactionResponse(
            transaction=self._out.transaction(entity, answer.transactions[0]),
            replayed=answer.replayed,
            sequence=answer.sequence,
        )
        for category in categories.values():
            response.category.CopyFrom(outgoing.category(entity.entity_id, category))
        return response

    @unary
    async def ListTransactionRevisions(
        self, principal: Principal, request: pb.ListTransactionRevisionsRequest
    ) -> pb.ListTransactionRevisionsResponse:
        entity, found, token = await self._reads.revisions(
            principal,
            fields.entity_id(request.entity_id),
            request.transaction_id,
            request.page_size,
            request.page_token,
        )
        messages = [self._out.transaction(entity, one) for one in found]
        return pb.ListTransactionRevisionsResponse(revisions=messages, next_page_token=token)

    @streaming
    async def WatchTransactions(
        self, principal: Principal, request: pb.WatchTransactionsRequest
    ) -> AsyncIterator[pb.WatchTransactionsResponse]:
        entity_id = fields.entity_id(request.entity_id)
        async for entity, events in self._watching.watch(principal, entity_id, request.after_sequence):
            for event in events:
                yield event_message(self._out, entity, event)

    @unary
    async def AskTransactions(
        self, principal: Principal, request: question_pb2.AskTransactionsRequest
    ) -> question_pb2.AskTransactionsResponse:
        entity, answer = await self._asking.ask(principal, fields.entity_id(request.entity_id), request.question)
        return self._out_answer.answer(entity, answer)

    async def _change(
        self, principal: Principal, method: str, entity_id: str, command: Command
    ) -> tuple[Entity, Applied]:
        return await self._writes.one(principal, method, fields.entity_id(entity_id), command)
