"""CategoryService: convert, call one use case, convert."""

from __future__ import annotations

from ledger.v1 import category_service_pb2 as pb
from ledger.v1 import category_service_pb2_grpc
from ledger_service.application.access import Principal
from ledger_service.application.intake import categories, fields
from ledger_service.application.use_cases import UseCases
from ledger_service.domain.category import Category
from ledger_service.domain.commands import Command
from ledger_service.rpc import incoming, outgoing
from ledger_service.rpc.calls import unary


class CategoryServicer(category_service_pb2_grpc.CategoryServiceServicer):
    """See protos/ledger/v1/category_service.proto."""

    def __init__(self, use_cases: UseCases) -> None:
        self.admission = use_cases.admission
        self._writes = use_cases.writes
        self._finding = use_cases.finding

    @unary
    async def CreateCategory(
        self, principal: Principal, request: pb.CreateCategoryRequest
    ) -> pb.CreateCategoryResponse:
        entity_id = fields.entity_id(request.entity_id)
        command = categories.create_category(
            principal.name,
            idempotency_key=request.idempotency_key,
            category_id=request.category_id,
            fresh_id=self._writes.fresh_category_id(),
            name=request.name,
            metadata_object=incoming.metadata(request),
        )
        category, replayed = await self._write(principal, "CreateCategory", entity_id, command)
        return pb.CreateCategoryResponse(category=outgoing.category(entity_id, category), replayed=replayed)

    @unary
    async def GetCategory(self, principal: Principal, request: pb.GetCategoryRequest) -> pb.GetCategoryResponse:
        entity_id = fields.entity_id(request.entity_id)
        category = await self._finding.category(principal, entity_id, request.category_id)
        return pb.GetCategoryResponse(category=outgoing.category(entity_id, category))

    @unary
    async def ListCategories(
        self, principal: Principal, request: pb.ListCategoriesRequest
    ) -> pb.ListCategoriesResponse:
        entity_id = fields.entity_id(request.entity_id)
        found, token = await self._finding.categories(
            principal,
            entity_id,
            size=request.page_size,
            token=request.page_token,
            include_archived=request.include_archived,
        )
        messages = [outgoing.category(entity_id, one) for one in found]
        return pb.ListCategoriesResponse(categories=messages, next_page_token=token)

    @unary
    async def UpdateCategory(
        self, principal: Principal, request: pb.UpdateCategoryRequest
    ) -> pb.UpdateCategoryResponse:
        entity_id = fields.entity_id(request.entity_id)
        command = categories.update_category(
            principal.name,
            idempotency_key=request.idempotency_key,
            category_id=request.category_id,
            fields=request.update_mask.paths,
            name=request.name,
            metadata_object=incoming.metadata(request),
            expected_revision=request.expected_revision,
        )
        category, replayed = await self._write(principal, "UpdateCategory", entity_id, command)
        return pb.UpdateCategoryResponse(category=outgoing.category(entity_id, category), replayed=replayed)

    @unary
    async def ArchiveCategory(
        self, principal: Principal, request: pb.ArchiveCategoryRequest
    ) -> pb.ArchiveCategoryResponse:
        entity_id = fields.entity_id(request.entity_id)
        command = categories.archive_category(
            principal.name, idempotency_key=request.idempotency_key, category_id=request.category_id
        )
        category, replayed = await self._write(principal, "ArchiveCategory", entity_id, command)
        return pb.ArchiveCategoryResponse(category=outgoing.category(entity_id, category), replayed=replayed)

    async def _write(
        self, principal: Principal, method: str, entity_id: str, command: Command
    ) -> tuple[Category, bool]:
        _, answer = await self._writes.one(principal, method, entity_id, command)
        assert answer.category is not None
        return answer.category, answer.replayed
