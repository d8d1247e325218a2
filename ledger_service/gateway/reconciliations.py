"""Handlers of /v1/reconciliations: convert, call one use case, convert."""

from __future__ import annotations

from datetime import date

from ledger_service.application.reconciling.records import Place
from ledger_service.gateway import reconciliation_outgoing as out
from ledger_service.gateway.endpoint import Answer, Call, Document, Services, Upload
from ledger_service.gateway.outgoing import page
from ledger_service.gateway.transactions import entity_of_query
from ledger_service.rendering import FORMATS
from ledger_service.rendering.file_names import file_name


def place(call: Call) -> Place:
    """Which reconciliation the query names."""
    return Place(entity_of_query(call), call.query["accountId"], call.query.get("currency", ""))


def _day(day: date | None) -> str:
    return "" if day is None else day.isoformat()


async def listing(services: Services, call: Call) -> Answer:
    """GET /v1/reconciliations."""
    found, token = await services.use_cases.reconciling.reconciliations(
        call.principal,
        entity_of_query(call),
        account_id=call.query.get("accountId", ""),
        currency=call.query.get("currency", ""),
        size=call.query.get("pageSize", 0),
        token=call.query.get("cursor", ""),
    )
    return Answer(page("reconciliations", map(out.summary, found), token))


async def start(services: Services, call: Call) -> Answer:
    """POST /v1/reconciliations/start."""
    body = call.body
    _, report, replayed = await services.use_cases.reconciling.start(
        call.principal,
        place(call),
        day=_day(body["day"]),
        statement_balance=body.get("statement_balance", ""),
        outstanding=body.get("outstanding", ()),
        idempotency_key=call.key,
    )
    return Answer({"reconciliation": out.reconciliation(report)}, replayed=replayed)


async def report(services: Services, call: Call) -> Answer:
    """GET /v1/reconciliations/report."""
    _, found = await services.use_cases.reconciling.report(
        call.principal,
        place(call),
        day=_day(call.query.get("date")),
        max_open_items=call.query.get("maxOpenItems", 0),
    )
    return Answer({"reconciliation": out.reconciliation(found)})


async def export(services: Services, call: Call) -> Document:
    """GET /v1/reconciliations/export."""
    kind = FORMATS[call.query["format"]]
    _, found = await services.use_cases.reconciling.export(
        call.principal, place(call), day=_day(call.query.get("date"))
    )
    content = await services.use_cases.workshop.run(kind.render, found)
    return Document(content, kind.media_type, file_name(found, kind.suffix), is_page=kind.name == "html")


async def close(services: Services, call: Call) -> Answer:
    """POST /v1/reconciliations/close."""
    body = call.body
    _, found, replayed = await services.use_cases.reconciling.close(
        call.principal,
        place(call),
        day=_day(body["day"]),
        accept_differences=body.get("accept_differences", False),
        note=body.get("note", ""),
        idempotency_key=call.key,
    )
    return Answer({"reconciliation": out.reconciliation(found)}, replayed=replayed)


async def reopen(services: Services, call: Call) -> Answer:
    """POST /v1/reconciliations/reopen."""
    body = call.body
    _, revision, replayed = await services.use_cases.reconciling.reopen(
        call.principal, place(call), day=_day(body["day"]), note=body.get("note", ""), idempotency_key=call.key
    )
    return Answer({"revision": revision}, replayed=replayed)


async def upload(services: Services, call: Call) -> Answer:
    """POST /v1/reconciliations/statements."""
    sent: Upload = call.body
    context, imported = await services.use_cases.reconciling.import_file(
        call.principal,
        place(call),
        file_name=sent.file_name,
        csv_mapping=sent.fields.get("csv_mapping", {}),
        opening_balance=sent.fields.get("opening_balance", ""),
        closing_balance=sent.fields.get("closing_balance", ""),
        bank_account=sent.fields.get("bank_account", ""),
        idempotency_key=call.key,
        chunks=sent.chunks,
    )
    return Answer(
        {
            "statements": [out.statement(context, one) for one in imported.statements],
            "lines": imported.lines,
            "knownLines": imported.known_lines,
            "revision": imported.revision,
        },
        replayed=imported.replayed,
    )


async def statements(services: Services, call: Call) -> Answer:
    """GET /v1/reconciliations/statements."""
    context, found, token = await services.use_cases.reconciling.statements(
        call.principal, place(call), size=call.query.get("pageSize", 0), token=call.query.get("cursor", "")
    )
    return Answer(page("statements", [out.statement(context, one) for one in found], token))


async def lines(services: Services, call: Call) -> Answer:
    """GET /v1/reconciliations/lines."""
    query = call.query
    context, found, token = await services.use_cases.reconciling.lines(
        call.principal,
        place(call),
        statement=query.get("statementNumber", 0),
        state=query.get("state", 0),
        size=query.get("pageSize", 0),
        token=query.get("cursor", ""),
    )
    return Answer(page("lines", [out.line(context, one) for one in found], token))


async def items(services: Services, call: Call) -> Answer:
    """GET /v1/reconciliations/items."""
    query = call.query
    context, found, token = await services.use_cases.reconciling.items(
        call.principal,
        place(call),
        state=query.get("state", 0),
        size=query.get("pageSize", 0),
        token=query.get("cursor", ""),
    )
    return Answer(page("items", [out.item(context, one) for one in found], token))
