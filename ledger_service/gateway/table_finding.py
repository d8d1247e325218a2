"""The endpoints of /v1/transactions that find and sort: categorize, search, counterparties."""

from __future__ import annotations

from decimal import Decimal

from ledger_service.application.finding import MAX_COUNTERPARTIES
from ledger_service.application.intake.searching import MAX_FOUND
from ledger_service.domain.errors import Reason
from ledger_service.gateway import bodies, finding, transactions
from ledger_service.gateway.endpoint import Body, Endpoint, Good, Parameter
from ledger_service.gateway.parameters import CURSOR, ENTITY
from ledger_service.gateway.schemas import (
    COUNTERPARTY,
    EXAMPLE_COUNTERPARTY,
    EXAMPLE_FOUND,
    FOUND,
    MAX_INT64,
    always,
    page_example,
    page_of,
)
from ledger_service.gateway.shapes import Boolean, Integer, ListOf, Member, Object, Text
from ledger_service.gateway.times import Time

_TAG = "Transactions"
_ID = "txn_00000g00000400019fwq1qv0n8"
_COUNT = Integer(0, MAX_INT64)

FINDING = (
    Endpoint(
        "POST", "/v1/transactions/categorize", "CategorizeTransaction", _TAG, "Categorize a transaction",
        transactions.categorize,
        Good(
            200, "It has the category.",
            Object((
                always("message", Text(), "What was done, for people."),
                always(
                    "transaction",
                    Object((
                        always("id", Text(), "The transaction."),
                        always(
                            "metadata",
                            Object((
                                Member("categoryId", Text(), "Its category."),
                                Member("categoryName", Text(), "What people call it."),
                            )),
                            "The category; {} if it was taken away.",
                        ),
                        always("updatedAt", Time(), "When the ledger recorded it."),
                    )),
                    "The transaction.",
                ),
            )),
            {
                "message": "Transaction categorized successfully",
                "transaction": {
                    "id": _ID,
                    "metadata": {"categoryId": "cat_123abc", "categoryName": "Office Supplies"},
                    "updatedAt": "2023-05-15T16:55:30Z",
                },
            },
        ),
        "In every status: a category is an annotation, and stands in the history like any change.",
        parameters=(ENTITY,),
        body=Body(bodies.CATEGORIZE, {"categorize": {"transactionId": _ID, "categoryId": "cat_123abc"}}),
        reasons=(
            Reason.ENTITY_NOT_FOUND, Reason.ENTITY_ARCHIVED, Reason.IDEMPOTENCY_KEY_REUSED,
            Reason.TRANSACTION_NOT_FOUND, Reason.CATEGORY_NOT_FOUND, Reason.CATEGORY_ARCHIVED,
            Reason.REVISION_MISMATCH,
        ),
        is_write=True,
    ),
    Endpoint(
        "POST", "/v1/transactions/search", "SearchTransactions", _TAG, "Search transactions", finding.search,
        Good(
            200, "A page, newest first.",
            Object((
                always("transactions", ListOf(FOUND), "This page."),
                always(
                    "pagination",
                    Object((
                        always("total", _COUNT, f"How many there are; counted up to {MAX_FOUND:,}."),
                        always("page", _COUNT, "This page."),
                        always("limit", _COUNT, "How many on a page."),
                        always("totalPages", _COUNT, "How many pages."),
                        Member("moreThanTotal", Boolean(), "True if there are more than were counted."),
                    )),
                    "Where this page stands.",
                ),
            )),
            {
                "transactions": [EXAMPLE_FOUND],
                "pagination": {"total": 12, "page": 1, "limit": 25, "totalPages": 1},
            },
        ),
        "Words in the description, whatever their case and accents; all given filters must hold. Nothing is changed.",
        parameters=(ENTITY,),
        body=Body(bodies.SEARCH, {
            "search": {
                "query": "office supplies",
                "filters": {
                    "dateFrom": "2023-01-01", "dateTo": "2023-06-30", "amountMin": 100, "amountMax": 500,
                    "status": "PENDING",
                },
                "page": 1,
                "limit": 25,
            },
            "phrase and beginning": {"query": '"office depot" suppl*', "filters": {"amountMin": Decimal("99.50")}},
        }),
        reasons=(Reason.ENTITY_NOT_FOUND, Reason.QUERY_TOO_BROAD),
        fields={
            "effective_from": "filters.dateFrom", "effective_before": "filters.dateTo",
            "amount_min": "filters.amountMin", "amount_max": "filters.amountMax", "status": "filters.status",
            "page_size": "limit",
        },
    ),
    Endpoint(
        "GET", "/v1/transactions/counterparties", "ListCounterparties", _TAG, "Get the counterparties of an entity",
        finding.counterparties,
        Good(
            200, "A page, by name.",
            page_of("counterparties", COUNTERPARTY, always("success", Boolean(), "True.")),
            page_example("counterparties", EXAMPLE_COUNTERPARTY, success=True),
        ),
        parameters=(
            ENTITY, CURSOR,
            Parameter("pageSize", Integer(1, MAX_COUNTERPARTIES), "How many on a page.", 50, default=50),
        ),
        reasons=(Reason.ENTITY_NOT_FOUND, Reason.INVALID_PAGE_TOKEN, Reason.QUERY_TOO_BROAD),
    ),
)  # fmt: skip
