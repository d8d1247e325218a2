"""ReconciliationService: convert, call one use case, convert."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ledger.v1 import reconciliation_service_pb2 as pb
from ledger.v1 import reconciliation_service_pb2_grpc
from ledger_service.application.access import Principal
from ledger_service.application.use_cases import UseCases
from ledger_service.domain.errors import LedgerError
from ledger_service.rendering import FORMATS
from ledger_service.rendering.file_names import file_name
from ledger_service.rpc import reconciliation as messages
from ledger_service.rpc.calls import collecting, streaming, unary
from ledger_service.rpc.reconciliation_report import document_parts, reconciliation
from ledger_service.rpc.uploads import Part, of_header, read_chunks, read_header


class ReconciliationServicer(reconciliation_service_pb2_grpc.ReconciliationServiceServicer):
    """See protos/ledger/v1/reconciliation_service.proto."""

    def __init__(self, use_cases: UseCases) -> None:
        self.admission = use_cases.admission
        self._reconciling = use_cases.reconciling
        self._workshop = use_cases.workshop

    @unary
    async def StartReconciliation(
        self, principal: Principal, request: pb.StartReconciliationRequest
    ) -> pb.StartReconciliationResponse:
        _, report, replayed = await self._reconciling.start(
            principal,
            messages.place(request),
            day=request.date,
            statement_balance=request.statement_balance,
            outstanding=request.outstanding_transaction_ids,
            idempotency_key=request.idempotency_key,
        )
        return pb.StartReconciliationResponse(reconciliation=reconciliation(report), replayed=replayed)

    @unary
    async def GetReconciliationProfile(
        self, principal: Principal, request: pb.GetReconciliationProfileRequest
    ) -> pb.GetReconciliationProfileResponse:
        context, record, is_default = await self._reconciling.profile(principal, messages.place(request))
        return pb.GetReconciliationProfileResponse(profile=messages.profile(context, record), is_default=is_default)

    @unary
    async def UpdateReconciliationProfile(
        self, principal: Principal, request: pb.UpdateReconciliationProfileRequest
    ) -> pb.UpdateReconciliationProfileResponse:
        context, record, replayed = await self._reconciling.update_profile(
            principal,
            messages.place(request),
            profile=messages.raw_profile(request.profile),
            fields=request.update_mask.paths,
            idempotency_key=request.idempotency_key,
        )
        return pb.UpdateReconciliationProfileResponse(profile=messages.profile(context, record), replayed=replayed)

    @collecting
    async def ImportStatement(self, principal: Principal, parts: AsyncIterator[Part]) -> pb.ImportStatementResponse:
        header = await read_header(parts)
        try:
            context, imported = await self._reconciling.import_file(
                principal,
                messages.place(header),
                file_name=header.file_name,
                csv_mapping=dict(header.csv_mapping),
                opening_balance=header.opening_balance,
                closing_balance=header.closing_balance,
                bank_account=header.bank_account,
                idempotency_key=header.idempotency_key,
                chunks=read_chunks(parts),
            )
        except LedgerError as error:
            raise of_header(error) from error
        return pb.ImportStatementResponse(
            statements=[messages.statement(context, one) for one in imported.statements],
            lines=imported.lines,
            known_lines=imported.known_lines,
            revision=imported.revision,
            replayed=imported.replayed,
        )

    @unary
    async def ListStatements(
        self, principal: Principal, request: pb.ListStatementsRequest
    ) -> pb.ListStatementsResponse:
        context, found, token = await self._reconciling.statements(
            principal, messages.place(request), size=request.page_size, token=request.page_token
        )
        return pb.ListStatementsResponse(
            statements=[messages.statement(context, one) for one in found], next_page_token=token
        )

    @unary
    async def ListStatementLines(
        self, principal: Principal, request: pb.ListStatementLinesRequest
    ) -> pb.ListStatementLinesResponse:
        context, found, token = await self._reconciling.lines(
            principal,
            messages.place(request),
            statement=request.statement_number,
            state=request.state,
            size=request.page_size,
            token=request.page_token,
        )
        return pb.ListStatementLinesResponse(
            lines=[messages.line(context, one) for one in found], next_page_token=token
        )

    @unary
    async def ListLedgerItems(
        self, principal: Principal, request: pb.ListLedgerItemsRequest
    ) -> pb.ListLedgerItemsResponse:
        context, found, token = await self._reconciling.items(
            principal,
            messages.place(request),
            state=request.state,
            size=request.page_size,
            token=request.page_token,
        )
        return pb.ListLedgerItemsResponse(items=[messages.item(context, one) for one in found], next_page_token=token)

    @unary
    async def RunMatching(self, principal: Principal, request: pb.RunMatchingRequest) -> pb.RunMatchingResponse:
        context, run = await self._reconciling.run(
            principal, messages.place(request), idempotency_key=request.idempotency_key
        )
        return pb.RunMatchingResponse(
            matched=messages.matched(context.exponent, run.matched),
            findings=messages.finding_counts(context, run.findings),
            open_lines=run.open_lines,
            open_transactions=run.open_transactions,
            write_offs=run.write_offs,
            cleared_transactions=run.cleared,
            undone_matches=run.undone,
            revision=run.revision,
            replayed=run.replayed,
        )

    @unary
    async def ListMatches(self, principal: Principal, request: pb.ListMatchesRequest) -> pb.ListMatchesResponse:
        context, found, token = await self._reconciling.matches(
            principal,
            messages.place(request),
            state=request.state,
            rule=messages.rule_name(request.rule, "rule"),
            size=request.page_size,
            token=request.page_token,
        )
        return pb.ListMatchesResponse(matches=[messages.match(context, one) for one in found], next_page_token=token)

    @unary
    async def ListFindings(self, principal: Principal, request: pb.ListFindingsRequest) -> pb.ListFindingsResponse:
        context, found, token = await self._reconciling.findings(
            principal,
            messages.place(request),
            kind=messages.finding_name(request.kind, "kind"),
            size=request.page_size,
            token=request.page_token,
        )
        return pb.ListFindingsResponse(
            findings=[messages.finding(context, one) for one in found], next_page_token=token
        )

    @unary
    async def CreateMatch(self, principal: Principal, request: pb.CreateMatchRequest) -> pb.CreateMatchResponse:
        context, record, replayed = await self._reconciling.create_match(
            principal,
            messages.place(request),
            lines=request.line_numbers,
            transactions=request.transaction_ids,
            write_off_account_id=request.write_off_account_id,
            write_off_description=request.write_off_description,
            note=request.note,
            idempotency_key=request.idempotency_key,
        )
        return pb.CreateMatchResponse(match=messages.match(context, record), replayed=replayed)

    @unary
    async def ConfirmMatches(
        self, principal: Principal, request: pb.ConfirmMatchesRequest
    ) -> pb.ConfirmMatchesResponse:
        context, confirmed = await self._reconciling.confirm(
            principal,
            messages.place(request),
            matches=request.match_numbers,
            with_write_offs=request.with_write_offs,
            note=request.note,
            idempotency_key=request.idempotency_key,
        )
        return pb.ConfirmMatchesResponse(
            confirmed=confirmed.confirmed,
            write_offs=confirmed.write_offs,
            cleared_transactions=confirmed.cleared,
            failures=[messages.failure(context, one) for one in confirmed.failures],
            revision=confirmed.revision,
            replayed=confirmed.replayed,
        )

    @unary
    async def RejectMatches(self, principal: Principal, request: pb.RejectMatchesRequest) -> pb.RejectMatchesResponse:
        _, decided = await self._reconciling.reject(
            principal,
            messages.place(request),
            matches=request.match_numbers,
            note=request.note,
            idempotency_key=request.idempotency_key,
        )
        return pb.RejectMatchesResponse(rejected=decided.matches, revision=decided.revision, replayed=decided.replayed)

    @unary
    async def UndoMatches(self, principal: Principal, request: pb.UndoMatchesRequest) -> pb.UndoMatchesResponse:
        _, decided = await self._reconciling.undo(
            principal,
            messages.place(request),
            matches=request.match_numbers,
            note=request.note,
            idempotency_key=request.idempotency_key,
        )
        return pb.UndoMatchesResponse(undone=decided.matches, revision=decided.revision, replayed=decided.replayed)

    @unary
    async def GetReconciliation(
        self, principal: Principal, request: pb.GetReconciliationRequest
    ) -> pb.GetReconciliationResponse:
        _, report = await self._reconciling.report(
            principal, messages.place(request), day=request.date, max_open_items=request.max_open_items
        )
        return pb.GetReconciliationResponse(reconciliation=reconciliation(report))

    @streaming
    async def ExportReconciliation(
        self, principal: Principal, request: pb.ExportReconciliationRequest
    ) -> AsyncIterator[pb.ExportReconciliationResponse]:
        kind = FORMATS[messages.format_name(request.format)]
        _, report = await self._reconciling.export(principal, messages.place(request), day=request.date)
        document = await self._workshop.run(kind.render, report)
        for part in document_parts(document, file_name(report, kind.suffix), kind.media_type):
            yield part

    @unary
    async def ListReconciliations(
        self, principal: Principal, request: pb.ListReconciliationsRequest
    ) -> pb.ListReconciliationsResponse:
        found, token = await self._reconciling.reconciliations(
            principal,
            request.entity_id,
            account_id=request.account_id,
            currency=request.currency,
            size=request.page_size,
            token=request.page_token,
        )
        return pb.ListReconciliationsResponse(
            reconciliations=[messages.summary(one) for one in found], next_page_token=token
        )

    @unary
    async def CloseReconciliation(
        self, principal: Principal, request: pb.CloseReconciliationRequest
    ) -> pb.CloseReconciliationResponse:
        _, report, replayed = await self._reconciling.close(
            principal,
            messages.place(request),
            day=request.date,
            accept_differences=request.accept_differences,
            note=request.note,
            idempotency_key=request.idempotency_key,
        )
        return pb.CloseReconciliationResponse(reconciliation=reconciliation(report), replayed=replayed)

    @unary
    async def ReopenReconciliation(
        self, principal: Principal, request: pb.ReopenReconciliationRequest
    ) -> pb.ReopenReconciliationResponse:
        _, revision, replayed = await self._reconciling.reopen(
            principal,
            messages.place(request),
            day=request.date,
            note=request.note,
            idempotency_key=request.idempotency_key,
        )
        return pb.ReopenReconciliationResponse(revision=revision, replayed=replayed)
