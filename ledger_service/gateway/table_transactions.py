"""The endpoints of /v1/transactions: those of the document, and those beyond it in its style."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ledger_service.domain.errors import Reason
from ledger_service.gateway import bodies, bulk, transactions
from ledger_service.gateway.endpoint import Body, Endpoint, Good, Parameter
from ledger_service.gateway.errors import TRANSACTION_FIELDS
from ledger_service.gateway.parameters import ENTITY, ENTITY_OPTIONAL, PAGING, TRANSACTION_IN_PATH
from ledger_service.gateway.periods import FIRST_YEAR, LAST_YEAR
from ledger_service.gateway.schemas import (
    CHANGE,
    ERROR,
    EXAMPLE_SUMMARY,
    EXAMPLE_TRANSACTION,
    SUMMARY,
    TRANSACTION,
    always,
    page_example,
    page_of,
    wrapped,
)
from ledger_service.gateway.shapes import Boolean, Integer, ListOf, Member, Object, Text

_TAG = "Transactions"
_ID = "txn_00000g00000400019fwq1qv0n8"
_OTHER_ID = "txn_00000g00000800017d0p9vz2m4"
_ONE = wrapped("transaction", TRANSACTION, "The transaction.")
_ONE_EXAMPLE = {"transaction": EXAMPLE_TRANSACTION}
_POSTED_EXAMPLE = {"transaction": {**EXAMPLE_TRANSACTION, "status": "POSTED"}}
_MESSAGE = always("message", Text(), "What was done, for people.")

_READ = (Reason.ENTITY_NOT_FOUND, Reason.TRANSACTION_NOT_FOUND)
_LIST = (Reason.ENTITY_NOT_FOUND, Reason.INVALID_PAGE_TOKEN)
_EVERY_WRITE = (Reason.ENTITY_NOT_FOUND, Reason.ENTITY_ARCHIVED, Reason.IDEMPOTENCY_KEY_REUSED)
_ACCOUNTS = (
    Reason.ACCOUNT_NOT_FOUND, Reason.ACCOUNT_FROZEN, Reason.ACCOUNT_CLOSED, Reason.CURRENCY_NOT_ALLOWED,
    Reason.INSUFFICIENT_BALANCE, Reason.CEILING_EXCEEDED, Reason.AMOUNT_OVERFLOW, Reason.CATEGORY_NOT_FOUND,
    Reason.CATEGORY_ARCHIVED,
)  # fmt: skip
_CREATE = (
    *_EVERY_WRITE, *_ACCOUNTS, Reason.UNBALANCED_TRANSACTION, Reason.UNKNOWN_CURRENCY, Reason.EXPIRE_TIME_PASSED,
)  # fmt: skip
_OPEN_ONE = (*_EVERY_WRITE, Reason.TRANSACTION_NOT_FOUND, Reason.INVALID_STATUS, Reason.REVISION_MISMATCH)

NEW: dict[str, Any] = {
    "amount": Decimal("250.00"),
    "currency": "USD",
    "description": "Office Supplies Purchase",
    "debitAccountId": "acc_office_supplies",
    "creditAccountId": "acc_bank",
    "status": "PENDING",
    "metadata": {"receiptId": "R12345", "vendor": "Office Depot"},
}
_SPLIT: dict[str, Any] = {
    "description": "Sale with a fee",
    "currency": "USD",
    "date": "2023-05-15",
    "postings": [
        {"accountId": "acc_bank", "side": "DEBIT", "amount": "97.00"},
        {"accountId": "acc_fees", "side": "DEBIT", "amount": "3.00"},
        {"accountId": "acc_sales", "side": "CREDIT", "amount": "100.00"},
    ],
}
_RESULT = Object((
    Member("transaction", TRANSACTION, "It is recorded."),
    Member("replayed", Boolean(), "Whether it had been recorded before."),
    Member("error", ERROR, "It was refused, or its outcome is unknown."),
))  # fmt: skip

TRANSACTIONS = (
    Endpoint(
        "POST", "/v1/transactions", "CreateTransaction", _TAG, "Create a transaction", transactions.create,
        Good(201, "The transaction.", _ONE, _ONE_EXAMPLE),
        "Either the two-account form of amount, debitAccountId and creditAccountId, or `postings` of two or more legs.",
        parameters=(ENTITY,),
        body=Body(bodies.CREATE, {"two accounts": NEW, "several postings": _SPLIT}),
        reasons=_CREATE,
        is_write=True,
        fields=TRANSACTION_FIELDS,
    ),
    Endpoint(
        "GET", "/v1/transactions", "ListTransactions", _TAG, "Get transactions, newest first", transactions.listing,
        Good(
            200, "A page.", page_of("transactions", TRANSACTION), page_example("transactions", EXAMPLE_TRANSACTION)
        ),
        parameters=(ENTITY, *PAGING),
        reasons=_LIST,
    ),
    Endpoint(
        "POST", "/v1/transactions/edit", "EditTransaction", _TAG, "Edit a transaction", transactions.edit,
        Good(
            200, "What it is now.",
            Object((
                always("id", Text(), "The transaction."),
                always("debit_account_id", Text(), "The account debited."),
                always("credit_account_id", Text(), "The account credited."),
                always("description", Text(), "The description."),
            )),
            {
                "id": _ID, "debit_account_id": "acc_new_debit", "credit_account_id": "acc_new_credit",
                "description": "Updated Office Supplies Purchase",
            },
        ),
        "Either account, or the description, of a PENDING or CLEARED transaction; the version before stays readable. "
        "A POSTED one is refused: reverse it.",
        parameters=(ENTITY_OPTIONAL,),
        body=Body(bodies.EDIT, {
            "edit": {
                "id": _ID, "debit_account_id": "acc_new_debit", "credit_account_id": "acc_new_credit",
                "description": "Updated Office Supplies Purchase",
            },
        }),
        reasons=(*_OPEN_ONE, *_ACCOUNTS),
        is_write=True,
        fields={
            "transaction_id": "id", "debit_account_id": "debit_account_id", "credit_account_id": "credit_account_id",
            "expected_revision": "expected_revision",
        },
    ),
    Endpoint(
        "PUT", "/v1/transactions/approve", "ApproveTransactions", _TAG, "Approve transactions, all or none",
        transactions.approve,
        Good(
            200, "They are POSTED.",
            Object((_MESSAGE, always("approvedTransactions", ListOf(CHANGE), "In the order of the request."))),
            {"message": "Transactions approved successfully", "approvedTransactions": [CHANGE.example]},
        ),
        parameters=(ENTITY,),
        body=Body(bodies.APPROVE, {
            "an id": _ID,
            "ids": [_ID, _OTHER_ID],
            "objects": [{"id": _ID}, {"id": _OTHER_ID}],
            "an object": {"id": _ID},
        }),
        reasons=(*_OPEN_ONE, *_ACCOUNTS),
        is_write=True,
        fields={"approvals": "body", "approvals[].transaction_id": "[]"},
    ),
    Endpoint(
        "DELETE", "/v1/transactions", "VoidTransaction", _TAG, "Delete a transaction", transactions.delete,
        Good(200, "It is VOIDED.", Object((_MESSAGE,)), {"message": "Transaction deleted successfully"}),
        "Ends a PENDING or CLEARED transaction without effect: it is gone from lists and stays in the history. "
        "A POSTED one is refused: reverse it.",
        parameters=(ENTITY, Parameter("transactionId", Text(64, 1), "The transaction.", _ID, required=True)),
        reasons=_OPEN_ONE,
        is_write=True,
    ),
    Endpoint(
        "GET", "/v1/transactions/by-month", "ListTransactions", _TAG, "Get the transactions of a month",
        transactions.by_month,
        Good(
            200, "A page.",
            page_of(
                "transactions", SUMMARY,
                always("month", Integer(1, 12), "As asked for."),
                always("year", Integer(FIRST_YEAR, LAST_YEAR), "As asked for."),
            ),
            page_example("transactions", EXAMPLE_SUMMARY, month=5, year=2023),
        ),
        "The month is meant in the entity's time zone, and by the time that a transaction happened.",
        parameters=(
            ENTITY,
            Parameter("month", Integer(1, 12), "The month.", 5, required=True),
            Parameter("year", Integer(FIRST_YEAR, LAST_YEAR), "The year.", 2023, required=True),
            *PAGING,
        ),
        reasons=_LIST,
    ),
    Endpoint(
        "POST", "/v1/transactions/bulk", "BatchCreateTransactions", _TAG, "Create many transactions",
        bulk.create_many,
        Good(
            200, "A result for each, in the order of the request.",
            Object((always("results", ListOf(_RESULT), "`transaction` and `replayed`, or `error`."),)),
            {"results": [{"transaction": EXAMPLE_TRANSACTION, "replayed": False}, {"error": ERROR.example}]},
        ),
        "Each stands on its own, unless `atomic`: then the first refusal is that of the call.",
        parameters=(ENTITY,),
        body=Body(bodies.bulk(100_000), {
            "two": {"transactions": [NEW, {**_SPLIT, "idempotencyKey": "sale-17"}], "atomic": False},
        }),
        reasons=(*_CREATE, Reason.BATCH_ABORTED),
        is_write=True,
        fields={**TRANSACTION_FIELDS, "idempotency_key": "idempotencyKey"},
    ),
    Endpoint(
        "POST", "/v1/transactions/clear", "ClearTransaction", _TAG, "Note that a bank has confirmed a transaction",
        transactions.clear,
        Good(200, "It is CLEARED.", _ONE, {"transaction": {**EXAMPLE_TRANSACTION, "status": "CLEARED"}}),
        parameters=(ENTITY_OPTIONAL,),
        body=Body(bodies.CLEAR, {"clear": {"transactionId": _ID}}),
        reasons=(*_OPEN_ONE, Reason.ACCOUNT_FROZEN),
        is_write=True,
    ),
    Endpoint(
        "POST", "/v1/transactions/post", "ApproveTransactions", _TAG, "Make a transaction final",
        transactions.post,
        Good(200, "It is POSTED.", _ONE, _POSTED_EXAMPLE),
        "With `transactionId`: one that is PENDING or CLEARED, in full or by a smaller amount, with release of the "
        "rest. Without: a new transaction that is final at once (answered with 201; then entityId is required).",
        parameters=(ENTITY_OPTIONAL,),
        body=Body(bodies.POST, {
            "an existing one": {"transactionId": _ID},
            "a part of it": {"transactionId": _ID, "amount": Decimal("200.00"), "currency": "USD"},
            "a new one": {name: value for name, value in NEW.items() if name != "status"},
        }),
        reasons=(*_OPEN_ONE, *_CREATE),
        is_write=True,
        fields={
            **TRANSACTION_FIELDS,
            "approvals[].transaction_id": "transactionId",
            "approvals[].expected_revision": "expectedRevision",
            "approvals[].amount.amount": "amount",
            "approvals[].amount.currency": "currency",
        },
        also=(Good(201, "It is recorded, and POSTED.", _ONE, _POSTED_EXAMPLE),),
    ),
    Endpoint(
        "POST", "/v1/transactions/reverse", "ReverseTransaction", _TAG, "Reverse a posted transaction",
        transactions.reverse,
        Good(201, "The reversal.", _ONE, {
            "transaction": {**EXAMPLE_TRANSACTION, "status": "POSTED", "reversesTransactionId": _OTHER_ID},
        }),
        "Records a new transaction with the sides exchanged, of all that is left or of a part; never more than the "
        "original in sum.",
        parameters=(ENTITY_OPTIONAL,),
        body=Body(bodies.REVERSE, {
            "all": {"transactionId": _ID},
            "a part": {"transactionId": _ID, "amount": Decimal("50.00"), "description": "Two boxes returned"},
            "one posting": {
                "transactionId": _ID,
                "parts": [
                    {"postingIndex": 0, "amount": Decimal("3.00")},
                    {"postingIndex": 2, "amount": Decimal("3.00")},
                ],
            },
        }),
        reasons=(
            *_EVERY_WRITE, *_ACCOUNTS, Reason.TRANSACTION_NOT_FOUND, Reason.INVALID_STATUS,
            Reason.REVERSAL_EXCEEDS_ORIGINAL, Reason.UNKNOWN_CURRENCY, Reason.UNBALANCED_TRANSACTION,
        ),
        is_write=True,
        fields=TRANSACTION_FIELDS,
    ),
    Endpoint(
        "GET", "/v1/transactions/lookup", "LookUpTransaction", _TAG,
        "Find transactions by idempotency key or reference", transactions.look_up,
        Good(
            200, "A page, oldest first; by key also the refusal that is recorded under it.",
            Object((
                *page_of("transactions", TRANSACTION).members,
                Member("refusal", ERROR, "By key: what the write was refused with."),
            )),
            page_example("transactions", EXAMPLE_TRANSACTION),
        ),
        parameters=(
            ENTITY,
            Parameter("idempotencyKey", Text(255, 1), "The key of any write.", "sale-17"),
            Parameter("reference", Text(200, 1), "The caller's own business id.", None),
            *PAGING,
        ),
        reasons=_LIST,
        fields={"idempotency_key": "idempotencyKey"},
    ),
    Endpoint(
        "GET", "/v1/transactions/{transactionId}", "GetTransaction", _TAG, "Read a transaction", transactions.get,
        Good(200, "As it is now.", _ONE, {"transaction": {**EXAMPLE_TRANSACTION, "revision": 1}}),
        parameters=(TRANSACTION_IN_PATH, ENTITY_OPTIONAL),
        reasons=_READ,
    ),
    Endpoint(
        "GET", "/v1/transactions/{transactionId}/revisions", "ListTransactionRevisions", _TAG,
        "List all versions of a transaction, oldest first", transactions.revisions,
        Good(
            200, "A page.", page_of("revisions", TRANSACTION),
            page_example("revisions", {**EXAMPLE_TRANSACTION, "revision": 1}),
        ),
        parameters=(TRANSACTION_IN_PATH, ENTITY_OPTIONAL, *PAGING),
        reasons=(*_READ, Reason.INVALID_PAGE_TOKEN),
    ),
)  # fmt: skip
