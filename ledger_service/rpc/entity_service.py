"""EntityService: five lines a method."""

from __future__ import annotations

from ledger.v1 import entity_service_pb2 as pb
from ledger.v1 import entity_service_pb2_grpc
from ledger_service.application.access import Principal
from ledger_service.application.intake import chart, fields
from ledger_service.application.use_cases import UseCases
from ledger_service.rpc import incoming, outgoing, proofs
from ledger_service.rpc.calls import unary


class EntityServicer(entity_service_pb2_grpc.EntityServiceServicer):
    """See protos/ledger/v1/entity_service.proto."""

    def __init__(self, use_cases: UseCases) -> None:
        self.admission = use_cases.admission
        self._writes = use_cases.writes
        self._reads = use_cases.reads
        self._proving = use_cases.proving

    @unary
    async def CreateEntity(self, principal: Principal, request: pb.CreateEntityRequest) -> pb.CreateEntityResponse:
        entity, replayed = await self._writes.create_entity(
            principal,
            entity_id=request.entity_id,
            name=request.name,
            time_zone=request.time_zone,
            metadata_object=incoming.metadata(request),
        )
        return pb.CreateEntityResponse(entity=outgoing.entity(entity), replayed=replayed)

    @unary
    async def GetEntity(self, principal: Principal, request: pb.GetEntityRequest) -> pb.GetEntityResponse:
        entity = await self._reads.entity(principal, fields.entity_id(request.entity_id))
        return pb.GetEntityResponse(entity=outgoing.entity(entity))

    @unary
    async def ListEntities(self, principal: Principal, request: pb.ListEntitiesRequest) -> pb.ListEntitiesResponse:
        found, token = await self._reads.entities(principal, request.page_size, request.page_token)
        return pb.ListEntitiesResponse(entities=[outgoing.entity(one) for one in found], next_page_token=token)

    @unary
    async def UpdateEntity(self, principal: Principal, request: pb.UpdateEntityRequest) -> pb.UpdateEntityResponse:
        entity_id = fields.entity_id(request.entity_id)
        command = chart.update_entity(
            principal.name,
            idempotency_key=request.idempotency_key,
            fields=request.update_mask.paths,
            name=request.name,
            time_zone=request.time_zone,
            metadata_object=incoming.metadata(request),
            expected_revision=request.expected_revision,
        )
        _, answer = await self._writes.one(principal, "UpdateEntity", entity_id, command)
        assert answer.entity is not None
        return pb.UpdateEntityResponse(entity=outgoing.entity(answer.entity), replayed=answer.replayed)

    @unary
    async def ArchiveEntity(self, principal: Principal, request: pb.ArchiveEntityRequest) -> pb.ArchiveEntityResponse:
        entity_id = fields.entity_id(request.entity_id)
        command = chart.archive_entity(principal.name, idempotency_key=request.idempotency_key)
        _, answer = await self._writes.one(principal, "ArchiveEntity", entity_id, command)
        assert answer.entity is not None
        return pb.ArchiveEntityResponse(entity=outgoing.entity(answer.entity), replayed=answer.replayed)

    @unary
    async def GetCheckpoint(self, principal: Principal, request: pb.GetCheckpointRequest) -> pb.GetCheckpointResponse:
        entity_id = fields.entity_id(request.entity_id)
        found = await self._proving.checkpoint(principal, entity_id, request.at_sequence)
        return pb.GetCheckpointResponse(checkpoint=proofs.checkpoint(found))

    @unary
    async def GetConsistencyProof(
        self, principal: Principal, request: pb.GetConsistencyProofRequest
    ) -> pb.GetConsistencyProofResponse:
        entity_id = fields.entity_id(request.entity_id)
        proof, head = await self._proving.consistency(principal, entity_id, request.from_sequence, request.to_sequence)
        return pb.GetConsistencyProofResponse(proof=proofs.consistency(proof), checkpoint=proofs.checkpoint(head))
