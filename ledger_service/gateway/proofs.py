"""Handlers of checkpoints and proofs."""

from __future__ import annotations

from ledger_service.application import proof_json
from ledger_service.application.intake import fields
from ledger_service.domain.sealing.checkpoint import Checkpoint
from ledger_service.gateway.endpoint import Answer, Call, Services
from ledger_service.gateway.transactions import entity_of_transaction


async def checkpoint(services: Services, call: Call) -> Answer:
    """GET /v1/entities/{entityId}/checkpoint."""
    found = await services.use_cases.proving.checkpoint(
        call.principal, _entity_id(call), call.query.get("atSequence", 0)
    )
    return Answer({"checkpoint": proof_json.checkpoint_object(found)})


async def consistency(services: Services, call: Call) -> Answer:
    """GET /v1/entities/{entityId}/consistency-proof."""
    proof, head = await services.use_cases.proving.consistency(
        call.principal, _entity_id(call), call.query["fromSequence"], call.query.get("toSequence", 0)
    )
    return Answer({"proof": proof_json.consistency_object(proof), **_signed(head)})


async def transaction(services: Services, call: Call) -> Answer:
    """GET /v1/transactions/{transactionId}/proof."""
    transaction_id = call.path["transactionId"]
    entity_id = await entity_of_transaction(services, call, "GetTransactionProof", transaction_id)
    proof, head = await services.use_cases.proving.transaction(
        call.principal, entity_id, transaction_id, call.query.get("revision", 0), call.query.get("atSequence", 0)
    )
    return Answer({"proof": proof_json.transaction_object(proof), **_signed(head)})


def _signed(head: Checkpoint | None) -> dict[str, object]:
    return {} if head is None else {"checkpoint": proof_json.checkpoint_object(head)}


def _entity_id(call: Call) -> str:
    return fields.entity_id(call.path["entityId"], "entityId")
