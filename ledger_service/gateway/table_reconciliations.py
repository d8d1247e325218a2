"""The endpoints of /v1/reconciliations: statements in, the result, its closing. Matching: table_matching."""

from __future__ import annotations

from decimal import Decimal

from ledger_service.application.intake.reconciling import DEFAULT_OPEN_ITEMS, MAX_OPEN_ITEMS
from ledger_service.domain.errors import Reason
from ledger_service.gateway import reconciliation_bodies as bodies
from ledger_service.gateway import reconciliations
from ledger_service.gateway.endpoint import Body, Endpoint, Form, Good, Parameter
from ledger_service.gateway.parameters import ENTITY, PAGING
from ledger_service.gateway.reconciliation_parameters import (
    ACCOUNT,
    CURRENCY,
    DATE,
    ITEM_STATE,
    PLACE,
    READ,
    TAG,
    WRITE,
)
from ledger_service.gateway.reconciliation_schemas import (
    COUNT,
    EXAMPLE_ID,
    EXAMPLE_ITEM,
    EXAMPLE_LINE,
    EXAMPLE_STATEMENT,
    EXAMPLE_SUMMARY,
    ITEM,
    LINE,
    NUMBER,
    REVISION,
    STATEMENT,
    SUMMARY,
    answered,
)
from ledger_service.gateway.report_schema import EXAMPLE_REPORT, REPORT
from ledger_service.gateway.schemas import page_example, page_of, wrapped
from ledger_service.gateway.shapes import Choice, FreeObject, Integer, ListOf, Text
from ledger_service.rendering import FORMATS

_ONE = wrapped("reconciliation", REPORT, "The result.")
_ONE_EXAMPLE = {"reconciliation": EXAMPLE_REPORT}
_CLOSED_EXAMPLE = {
    "reconciliation": {
        **EXAMPLE_REPORT, "isClosed": True, "closedBy": "controller", "closedAt": "2026-07-02T09:00:00Z",
    }
}  # fmt: skip
_LIST = (*READ, Reason.INVALID_PAGE_TOKEN)

RECONCILIATIONS = (
    Endpoint(
        "GET", "/v1/reconciliations", "ListReconciliations", TAG, "List reconciliations", reconciliations.listing,
        Good(
            200, "A page.", page_of("reconciliations", SUMMARY), page_example("reconciliations", EXAMPLE_SUMMARY),
        ),
        "One for each account and currency that is reconciled, as it is now; of one account its closings, newest "
        "first.",
        parameters=(
            ENTITY, Parameter("accountId", Text(64, 1), "The closings of this account.", "acc_bank"), CURRENCY, *PAGING,
        ),
        reasons=(Reason.ENTITY_NOT_FOUND, Reason.ACCOUNT_NOT_FOUND, Reason.INVALID_PAGE_TOKEN),
    ),
    Endpoint(
        "POST", "/v1/reconciliations/start", "StartReconciliation", TAG, "Begin to reconcile an account",
        reconciliations.start,
        Good(200, "As of the beginning of the day.", _ONE, _ONE_EXAMPLE),
        "Says what both sides have at the beginning of a day. Not needed where the first statement tells its opening "
        "balance. May be repeated as long as no line is matched and nothing is closed.",
        parameters=(
            ENTITY, ACCOUNT,
            Parameter("currency", Text(pattern=r"^[A-Z][A-Z0-9_]{2,11}$"), "The currency.", "USD", required=True),
        ),
        body=Body(bodies.START, {
            "start": {
                "date": "2026-06-01", "statementBalance": Decimal("9800.00"), "outstandingTransactionIds": [EXAMPLE_ID],
            },
        }),
        reasons=(*WRITE, Reason.UNKNOWN_CURRENCY, Reason.RECONCILIATION_CLOSED, Reason.TRANSACTION_NOT_FOUND),
        is_write=True,
    ),
    Endpoint(
        "POST", "/v1/reconciliations/statements", "ImportStatement", TAG, "Take in a bank's file",
        reconciliations.upload,
        Good(
            200, "What came in.",
            answered(
                ("statements", ListOf(STATEMENT), "The statements of the file."),
                ("lines", COUNT, "How many lines came in."),
                ("knownLines", COUNT, "How many were here already."),
                ("revision", REVISION, "The reconciliation's revision after it."),
            ),
            {"statements": [EXAMPLE_STATEMENT], "lines": 42, "knownLines": 0, "revision": 2},
        ),
        "Whole or not at all. A file that is here already, and lines that another file brought, do not come in again. "
        "camt.053, camt.054, MT940, MT942, OFX, QFX, BAI2, CSV; the format is found by looking.",
        parameters=PLACE,
        form=Form(
            bodies.UPLOAD,
            "The bank's file, as it is; the last part of the form.",
            {
                "a file": {"file": "june.xml"},
                "a CSV file": {
                    "csvMapping": {"delimiter": "semicolon", "date": "Buchungstag", "amount": "Betrag"},
                    "openingBalance": Decimal("9800.00"),
                    "closingBalance": Decimal("10250.00"),
                    "file": "june.csv",
                },
            },
        ),
        reasons=(
            *WRITE, Reason.UNKNOWN_CURRENCY, Reason.STATEMENT_MISMATCH, Reason.WORK_TOO_LARGE,
            Reason.RECONCILIATION_CLOSED,
        ),
        is_write=True,
    ),
    Endpoint(
        "GET", "/v1/reconciliations/statements", "ListStatements", TAG, "List statements, newest first",
        reconciliations.statements,
        Good(200, "A page.", page_of("statements", STATEMENT), page_example("statements", EXAMPLE_STATEMENT)),
        parameters=(*PLACE, *PAGING),
        reasons=_LIST,
    ),
    Endpoint(
        "GET", "/v1/reconciliations/lines", "ListStatementLines", TAG, "List lines of statements, by number",
        reconciliations.lines,
        Good(200, "A page.", page_of("lines", LINE), page_example("lines", EXAMPLE_LINE)),
        "Of one statement, or of all since the reconciliation began or was closed last, and those carried over.",
        parameters=(
            *PLACE, Parameter("statementNumber", NUMBER, "Only of this statement.", 1), ITEM_STATE, *PAGING,
        ),
        reasons=_LIST,
    ),
    Endpoint(
        "GET", "/v1/reconciliations/items", "ListLedgerItems", TAG, "List what transactions did, oldest first",
        reconciliations.items,
        Good(200, "A page.", page_of("items", ITEM), page_example("items", EXAMPLE_ITEM)),
        "Since the reconciliation began or was closed last, and what was carried over.",
        parameters=(*PLACE, ITEM_STATE, *PAGING),
        reasons=_LIST,
    ),
    Endpoint(
        "GET", "/v1/reconciliations/report", "GetReconciliation", TAG, "Read the result", reconciliations.report,
        Good(200, "As it is now, or as it was closed.", _ONE, _ONE_EXAMPLE),
        "Both balances as of the end of a day, the proof that they add up, and what is open.",
        parameters=(
            *PLACE, DATE,
            Parameter(
                "maxOpenItems", Integer(1, MAX_OPEN_ITEMS), "How many open items to answer with.",
                DEFAULT_OPEN_ITEMS, default=DEFAULT_OPEN_ITEMS,
            ),
        ),
        reasons=READ,
    ),
    Endpoint(
        "GET", "/v1/reconciliations/export", "ExportReconciliation", TAG, "Save the result as a document",
        reconciliations.export,
        Good(
            200, "The document, with all open items; JSON has the names of the report in snake case, amounts as text.",
            FreeObject(), {"entity_id": "entity_012jkl", "account_id": "acc_bank", "currency": "USD"},
            documents={
                "text/csv": "side,line,transaction,date,amount\r\n",
                FORMATS["xlsx"].media_type: None,
                "text/html": "<!doctype html><title>Reconciliation</title>",
            },
        ),
        "As a table, a workbook, a page to print, or JSON.",
        parameters=(*PLACE, DATE, Parameter("format", Choice(tuple(FORMATS)), "Which.", "xlsx", required=True)),
        reasons=(*READ, Reason.WORK_TOO_LARGE, Reason.QUEUE_FULL),
    ),
    Endpoint(
        "POST", "/v1/reconciliations/close", "CloseReconciliation", TAG, "Close a reconciliation",
        reconciliations.close,
        Good(200, "As it was closed.", _ONE, _CLOSED_EXAMPLE),
        "Freezes it as of the end of a day: its transactions can't be voided or edited any more. What is open is "
        "carried over.",
        parameters=PLACE,
        body=Body(bodies.CLOSE, {
            "close": {"date": "2026-06-30"},
            "with a difference": {"date": "2026-06-30", "acceptDifferences": True, "note": "a cent, since 2024"},
        }),
        reasons=(*WRITE, Reason.RECONCILIATION_UNFINISHED, Reason.RECONCILIATION_CLOSED),
        is_write=True,
    ),
    Endpoint(
        "POST", "/v1/reconciliations/reopen", "ReopenReconciliation", TAG, "Take the last closing back",
        reconciliations.reopen,
        Good(
            200, "It is open again.",
            answered(("revision", REVISION, "The reconciliation's revision after it.")), {"revision": 58},
        ),
        parameters=PLACE,
        body=Body(bodies.REOPEN, {"reopen": {"date": "2026-06-30", "note": "a statement was missing"}}),
        reasons=WRITE,
        is_write=True,
    ),
)  # fmt: skip
