"""Shapes of what is answered, and the document's examples of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ledger_service.domain.account import AccountState, AccountType, EntityState, Side
from ledger_service.domain.category import CategoryState
from ledger_service.domain.transaction import EntryKind, Status
from ledger_service.gateway.shapes import (
    Boolean,
    Choice,
    FreeObject,
    Integer,
    ListOf,
    Member,
    Money,
    Object,
    OrNull,
    Shape,
    Text,
)
from ledger_service.gateway.times import Time

MAX_INT64 = 2**63 - 1
_STATUSES = tuple(status.name for status in Status)
_TYPES = tuple(kind.name for kind in AccountType)
_SIDES = tuple(side.name for side in Side)

_TEXT = Text()
_MONEY = Money()
_TIME = Time()
_SEQUENCE = Integer(0, MAX_INT64)


def _object(name: str, description: str, example: Any, *members: Member) -> Object:  # noqa: ANN401
    return Object(members, name=name, description=description, example=example)


def _always(name: str, shape: Shape, description: str) -> Member:
    return Member(name, shape, description, required=True)


EXAMPLE_ACCOUNT_SHORT = {
    "id": "acc_office_supplies",
    "name": "Office Supplies",
    "type": "EXPENSE",
    "financialType": "SUPPLIES",
    "code": "5001",
    "subTypeCode": "OFFICE",
    "isCategory": False,
}

EXAMPLE_TRANSACTION: dict[str, Any] = {
    "id": "txn_00000g00000400019fwq1qv0n8",
    "entityId": "entity_012jkl",
    "timestamp": "2023-05-15T14:22:00Z",
    "amount": Decimal("250.00"),
    "currency": "USD",
    "description": "Office Supplies Purchase",
    "debitAccountId": "acc_office_supplies",
    "creditAccountId": "acc_bank",
    "status": "PENDING",
    "metadata": {"receiptId": "R12345", "vendor": "Office Depot"},
    "date": "2023-05-15T14:22:00Z",
    "transaction_date": "2023-05-15T14:22:00Z",
    "accountType": "EXPENSE",
    "financialType": "SUPPLIES",
    "category": "Office Expenses",
    "category_id": "cat_5678",
    "debitAccount": EXAMPLE_ACCOUNT_SHORT,
    "creditAccount": {"id": "acc_bank", "name": "Bank Account", "type": "ASSET", "isCategory": False},
    "plaid_account": {
        "id": "plaid_123",
        "name": "Checking Account",
        "type": "CHECKING",
        "subtype": "checking",
        "mask": "1234",
        "institution_id": "ins_123",
    },
    "createdAt": "2023-05-15T14:22:00Z",
    "updatedAt": "2023-05-15T14:22:00Z",
}
EXAMPLE_SUMMARY = {name: EXAMPLE_TRANSACTION[name] for name in ("id", "description", "amount", "timestamp", "status")}

SHORT_ACCOUNT = _object(
    "TransactionAccount",
    "An account as transactions show it, as it is now.",
    EXAMPLE_ACCOUNT_SHORT,
    _always("id", _TEXT, "The account."),
    _always("name", _TEXT, "What people call it."),
    _always("type", Choice(_TYPES), "One of the five types."),
    Member("financialType", _TEXT, "What it stands for in reports."),
    Member("code", _TEXT, "Its number in the chart of accounts."),
    Member("subTypeCode", _TEXT, "A finer one than financialType."),
    _always("isCategory", Boolean(), "Whether it serves as a category."),
)
PLAID_ACCOUNT = _object(
    "PlaidAccount",
    "An account at a bank.",
    EXAMPLE_TRANSACTION["plaid_account"],
    _always("id", _TEXT, "The bank's, or a data provider's, id of it."),
    _always("name", _TEXT, "What people call it."),
    Member("type", _TEXT, "Such as CHECKING."),
    Member("subtype", _TEXT, "A finer one."),
    Member("mask", _TEXT, "The last characters of its number."),
    Member("institution_id", _TEXT, "The bank."),
)
POSTING = _object(
    "Posting",
    "One leg of a transaction.",
    {"accountId": "acc_bank", "side": "CREDIT", "amount": Decimal("250.00"), "currency": "USD"},
    _always("accountId", _TEXT, "The account."),
    _always("side", Choice(_SIDES), "The column that it is written into."),
    _always("amount", _MONEY, "How much; greater than zero."),
    _always("currency", _TEXT, "The currency."),
)
_TRANSACTION_MEMBERS = (
    _always("id", _TEXT, "Given by the server."),
    _always("entityId", _TEXT, "The entity that owns it."),
    _always("timestamp", _TIME, "When it happened, the effective time that reports count it by; as `date`."),
    _always("amount", _MONEY, "What it moves: the sum of its debits, in `currency`."),
    _always("currency", _TEXT, "The currency; of a transaction in several the first debit's (`postings` says all)."),
    _always("description", _TEXT, 'For people; "" if there is none.'),
    _always("debitAccountId", _TEXT, "The account debited; of several the first."),
    _always("creditAccountId", _TEXT, "The account credited; of several the first."),
    _always("status", Choice(_STATUSES), "Where it is in its life. VOIDED and EXPIRED ones are not in lists."),
    _always("metadata", FreeObject(), "The caller's own JSON object; {} if there is none."),
    _always("date", _TIME, "When it happened: what was sent as `date`, by default the moment of recording."),
    _always("transaction_date", _TIME, "The same as `date`."),
    _always(
        "accountType",
        Choice(_TYPES),
        "Type of the account that says what it was for: the first REVENUE or EXPENSE account, else the debited one.",
    ),
    Member("financialType", _TEXT, "What that account stands for."),
    Member("category", _TEXT, "Name of its category."),
    Member("category_id", _TEXT, "Its category."),
    _always("debitAccount", SHORT_ACCOUNT, "The account debited."),
    _always("creditAccount", SHORT_ACCOUNT, "The account credited."),
    Member("plaid_account", PLAID_ACCOUNT, "The bank account linked to one of its accounts, a debited one first."),
    _always("createdAt", _TIME, "When the ledger recorded it."),
    _always("updatedAt", _TIME, "When the ledger recorded its last change."),
    Member("postings", ListOf(POSTING), "All legs, if there are more than two."),
    Member("reference", _TEXT, "The caller's own business id."),
    Member("counterparty", _TEXT, "Name of the other party."),
    Member("expiresAt", _TIME, "When it ends by itself unless approved or deleted before."),
    Member("reversesTransactionId", _TEXT, "The transaction that this one reverses."),
    Member("reversedByTransactionIds", ListOf(_TEXT), "The reversals of this one, oldest first."),
    Member("revision", Integer(1, MAX_INT64), "Which version; where one transaction or its versions are read."),
)
TRANSACTION = _object(
    "Transaction",
    "A transaction. Members without a value are left out.",
    EXAMPLE_TRANSACTION,
    *_TRANSACTION_MEMBERS,
)
SUMMARY = _object(
    "TransactionSummary",
    "The short form of a transaction.",
    EXAMPLE_SUMMARY,
    *(member for member in _TRANSACTION_MEMBERS if member.name in EXAMPLE_SUMMARY),
    Member("currency", _TEXT, "The currency of `amount`, if it is not USD."),
)
EXAMPLE_FOUND = {name: EXAMPLE_TRANSACTION[name] for name in (
    "id", "description", "amount", "timestamp", "status", "debitAccountId", "creditAccountId", "currency", "metadata",
    "createdAt", "updatedAt",
)}  # fmt: skip
FOUND = _object(
    "FoundTransaction",
    "A transaction as a search finds it.",
    EXAMPLE_FOUND,
    *(member for member in _TRANSACTION_MEMBERS if member.name in EXAMPLE_FOUND),
)
CHANGE = _object(
    "TransactionChange",
    "What an approval did.",
    {"id": "txn_00000g00000400019fwq1qv0n8", "status": "POSTED", "updatedAt": "2023-05-15T16:45:22Z"},
    _always("id", _TEXT, "The transaction."),
    _always("status", Choice(_STATUSES), "Its status now."),
    _always("updatedAt", _TIME, "When the ledger recorded it."),
)
ERROR = _object(
    "Error",
    "Why a request was refused or failed.",
    {
        "code": "account_not_found",
        "message": "debitAccountId: account acc_rnet does not exist in this entity",
        "field": "debitAccountId",
        "details": {"accountId": "acc_rnet", "reason": "ACCOUNT_NOT_FOUND"},
    },
    _always("code", _TEXT, "For programs."),
    _always("message", _TEXT, "For people: what is wrong and what to do."),
    _always("field", _TEXT, 'The path in the request, such as `postings[1].amount`; "" if it is about none.'),
    _always("details", FreeObject(), "The facts; `reason` is the reason that gRPC tells."),
)
ERROR_BODY = _object("ErrorBody", "An error.", {"error": ERROR.example}, _always("error", ERROR, "What went wrong."))

LIMIT = _object(
    "Limit",
    "Bounds of an account's balance in one currency.",
    {"currency": "USD", "floor": Decimal("0.00")},
    _always("currency", _TEXT, "The currency that it bounds."),
    Member("floor", _MONEY, "The available balance never falls below it."),
    Member("ceiling", _MONEY, "The balance, pending inflows included, never rises above it."),
)
BANK_ACCOUNT = _object(
    "BankAccount",
    "The account at a bank that an account mirrors.",
    {"id": "plaid_123", "name": "Checking Account", "type": "CHECKING", "subtype": "checking", "mask": "1234",
     "institutionId": "ins_123", "institutionName": "First Bank"},
    _always("id", _TEXT, "The bank's, or a data provider's, id of it."),
    _always("name", _TEXT, "What people call it."),
    Member("type", _TEXT, "Such as CHECKING."),
    Member("subtype", _TEXT, "A finer one."),
    Member("mask", _TEXT, "The last characters of its number."),
    Member("institutionId", _TEXT, "The bank."),
    Member("institutionName", _TEXT, "Its name."),
)  # fmt: skip
EXAMPLE_ACCOUNT = {
    "id": "acc_office_supplies",
    "entityId": "entity_012jkl",
    "name": "Office Supplies",
    "type": "EXPENSE",
    "contra": False,
    "normalSide": "DEBIT",
    "isCategory": False,
    "state": "OPEN",
    "currencies": [],
    "limits": [],
    "metadata": {},
    "createdAt": "2023-01-02T09:00:00Z",
    "updatedAt": "2023-01-02T09:00:00Z",
    "revision": 1,
    "code": "5001",
}
ACCOUNT = _object(
    "Account",
    "A place where value accumulates.",
    EXAMPLE_ACCOUNT,
    _always("id", _TEXT, "Unique in the entity; the caller's choice or the server's."),
    _always("entityId", _TEXT, "The entity that owns it."),
    _always("name", _TEXT, "What people call it."),
    _always("type", Choice(_TYPES), "One of the five types; never changes."),
    _always("contra", Boolean(), "Whether its normal side is the opposite of its type's."),
    _always("normalSide", Choice(_SIDES), "The side on which it grows."),
    _always("isCategory", Boolean(), "Whether it serves as a category."),
    _always("state", Choice(tuple(state.name for state in AccountState)), "What it takes."),
    _always("currencies", ListOf(_TEXT), "Currencies that it takes; empty: all."),
    _always("limits", ListOf(LIMIT), "Floors and ceilings."),
    _always("metadata", FreeObject(), "The caller's own JSON object."),
    _always("createdAt", _TIME, "When it was created."),
    _always("updatedAt", _TIME, "When it was last changed; postings do not count."),
    _always("revision", Integer(1, MAX_INT64), "Rises by one with each change of the account itself."),
    Member("code", _TEXT, "Its number in the chart of accounts, unique in the entity."),
    Member("parentId", _TEXT, "The account that it is summed up into."),
    Member("financialType", _TEXT, "What it stands for in reports."),
    Member("subTypeCode", _TEXT, "A finer one."),
    Member("bankAccount", BANK_ACCOUNT, "The account at a bank that it mirrors."),
    Member("depth", Integer(0, 1000), "In a tree: how far below the top."),
)
EXAMPLE_BALANCE = {
    "currency": "USD",
    "posted": Decimal("250.00"),
    "pending": Decimal("300.00"),
    "available": Decimal("250.00"),
    "debitsPosted": Decimal("250.00"),
    "creditsPosted": Decimal("0.00"),
    "debitsPending": Decimal("50.00"),
    "creditsPending": Decimal("0.00"),
    "entryNumber": 2,
    "sequence": 7,
}
BALANCE = _object(
    "Balance",
    "A balance in one currency, in the sense of the account's normal side.",
    EXAMPLE_BALANCE,
    _always("currency", _TEXT, "The currency."),
    _always("posted", _MONEY, "What is final."),
    _always("pending", _MONEY, "What it would be if every pending transaction were approved."),
    _always("available", _MONEY, "`posted` less what pending transactions could still take out."),
    _always("debitsPosted", _MONEY, "Everything debited for good."),
    _always("creditsPosted", _MONEY, "Everything credited for good."),
    _always("debitsPending", _MONEY, "Debits of PENDING and CLEARED transactions."),
    _always("creditsPending", _MONEY, "Credits of PENDING and CLEARED transactions."),
    _always("entryNumber", _SEQUENCE, "Number of the newest entry that is counted; 0: none, or a subtree."),
    _always("sequence", _SEQUENCE, "The entity's sequence up to which everything is counted."),
)
ENTRY = _object(
    "Entry",
    "What a write did to an account.",
    {
        "number": 1,
        "transactionId": "txn_00000g00000400019fwq1qv0n8",
        "kind": "HOLD",
        "side": "DEBIT",
        "amount": Decimal("250.00"),
        "currency": "USD",
        "posted": Decimal("0.00"),
        "available": Decimal("0.00"),
        "timestamp": "2023-05-15T14:22:00Z",
        "recordedAt": "2023-05-15T14:22:00Z",
        "sequence": 4,
    },
    _always("number", _SEQUENCE, "1, 2, 3 … in the account and currency, without a gap."),
    _always("transactionId", _TEXT, "The transaction that wrote it."),
    _always("kind", Choice(tuple(kind.name for kind in EntryKind)), "Which totals it changed."),
    _always("side", Choice(_SIDES), "The column."),
    _always("amount", _MONEY, "How much."),
    _always("currency", _TEXT, "The currency."),
    _always("posted", _MONEY, "The account's posted balance after it."),
    _always("available", _MONEY, "The account's available balance after it."),
    _always("timestamp", _TIME, "When it counts for reports."),
    _always("recordedAt", _TIME, "When the ledger committed it."),
    _always("sequence", _SEQUENCE, "The entity's sequence at which it was written."),
)
EXAMPLE_CATEGORY = {
    "id": "cat_5678",
    "entityId": "entity_012jkl",
    "name": "Office Expenses",
    "state": "ACTIVE",
    "metadata": {},
    "createdAt": "2023-01-02T09:00:00Z",
    "updatedAt": "2023-01-02T09:00:00Z",
    "revision": 1,
}
CATEGORY = _object(
    "Category",
    "What transactions are for, in the entity's own words.",
    EXAMPLE_CATEGORY,
    _always("id", _TEXT, "Unique in the entity; the caller's choice or the server's."),
    _always("entityId", _TEXT, "The entity that owns it."),
    _always("name", _TEXT, "What people call it."),
    _always("state", Choice(tuple(state.name for state in CategoryState)), "Whether it takes transactions."),
    _always("metadata", FreeObject(), "The caller's own JSON object."),
    _always("createdAt", _TIME, "When it was created."),
    _always("updatedAt", _TIME, "When it was last changed."),
    _always("revision", Integer(1, MAX_INT64), "Rises by one with each change."),
)
EXAMPLE_COUNTERPARTY = {
    "name": "Office Depot",
    "transactionCount": 15,
    "firstSeen": "2023-01-15T12:00:00Z",
    "lastSeen": "2023-05-15T14:22:00Z",
    "totalAmount": Decimal("3750.25"),
    "averageAmount": Decimal("250.02"),
}
_DEALT = _object(
    "DealtAmount",
    "What was dealt in one currency.",
    {"currency": "EUR", "transactionCount": 2, "totalAmount": Decimal("80.00"), "averageAmount": Decimal("40.00")},
    _always("currency", _TEXT, "The currency."),
    _always("transactionCount", _SEQUENCE, "How many transactions."),
    _always("totalAmount", _MONEY, "Their sum, less what was reversed."),
    _always("averageAmount", _MONEY, "The sum by their number, rounded half to even."),
)
COUNTERPARTY = _object(
    "Counterparty",
    "Another party; several spellings of its name (case, blanks, trailing store numbers) are one.",
    EXAMPLE_COUNTERPARTY,
    _always("name", _TEXT, "Its name as it is spelt most often."),
    _always("transactionCount", _SEQUENCE, "How many transactions, in all currencies."),
    _always("firstSeen", _TIME, "When the first of them happened."),
    _always("lastSeen", _TIME, "When the last of them happened."),
    _always("totalAmount", _MONEY, "Their sum, less what was reversed."),
    _always("averageAmount", _MONEY, "The sum by their number, rounded half to even."),
    Member("currency", _TEXT, "The currency of both, if it is not USD; of several that of most transactions."),
    Member("amounts", ListOf(_DEALT), "If there are several currencies: each."),
)
EXAMPLE_ENTITY = {
    "id": "entity_012jkl",
    "name": "Acme Ltd",
    "timeZone": "Europe/Prague",
    "state": "ACTIVE",
    "metadata": {},
    "createdAt": "2023-01-01T08:00:00Z",
    "updatedAt": "2023-01-01T08:00:00Z",
    "revision": 1,
}
ENTITY = _object(
    "Entity",
    "A tenant: the owner of one self-contained ledger.",
    EXAMPLE_ENTITY,
    _always("id", _TEXT, "The caller's choice or the server's."),
    _always("name", _TEXT, "What people call it."),
    _always("timeZone", _TEXT, "IANA time zone that days and months are meant in."),
    _always("state", Choice(tuple(state.name for state in EntityState)), "Whether it takes writes."),
    _always("metadata", FreeObject(), "The caller's own JSON object."),
    _always("createdAt", _TIME, "When it was created."),
    _always("updatedAt", _TIME, "When it was last changed."),
    _always("revision", Integer(1, MAX_INT64), "Rises by one with each change of the entity itself."),
)


def page_of(name: str, item: Shape, *before: Member) -> Object:
    """A page of a list."""
    return Object((
        *before,
        _always(name, ListOf(item), "This page."),
        _always("nextCursor", OrNull(_TEXT), "Give it as `cursor` for the next page; null on the last one."),
        _always("hasMore", Boolean(), "Whether there is a next page."),
    ))  # fmt: skip


def page_example(name: str, item: object, **before: object) -> dict[str, object]:
    """An example of a page."""
    return {**before, name: [item], "nextCursor": "cursor_abc123", "hasMore": True}


def wrapped(name: str, shape: Shape, description: str, *more: Member) -> Object:
    """An object around another one."""
    return Object((*more, _always(name, shape, description)))


def always(name: str, shape: Shape, description: str) -> Member:
    """A member that is in every answer."""
    return _always(name, shape, description)
