"""The transactions API's document: its requests as printed, its answers, and how an answer is held against them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.helpers.rest import Reply

ENTITY = "entity_012jkl"
NOW = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
ID = re.compile(r"txn_[0-9a-z]{26}")
CURSOR = re.compile(r"[A-Za-z0-9_-]{20,}")

CREATE = b"""{
 "amount": 250.00,
 "currency": "USD",
 "description": "Office Supplies Purchase",
 "debitAccountId": "acc_office_supplies",
 "creditAccountId": "acc_bank",
 "status": "PENDING",
 "metadata": {
 "receiptId": "R12345",
 "vendor": "Office Depot"
 }
}"""
EDIT = b"""{
 "id": "%s",
 "debit_account_id": "acc_new_debit",
 "credit_account_id": "acc_new_credit",
 "description": "Updated Office Supplies Purchase"
}"""
CATEGORIZE = b"""{
 "transactionId": "%s",
 "categoryId": "cat_123abc"
}"""
SEARCH = b"""{
 "query": "office supplies",
 "filters": {
 "dateFrom": "2023-01-01",
 "dateTo": "2023-06-30",
 "amountMin": 100,
 "amountMax": 500,
 "status": "PENDING"
 },
 "page": 1,
 "limit": 25
}"""


class Number(str):
    """A JSON number as written: 250.00 is not 250.0."""

    __slots__ = ()


def printed(text: str | bytes) -> Any:
    """JSON with its numbers as they are written."""
    return json.loads(text, parse_float=Number, parse_int=Number)


def same(found: Any, document: Any, but: dict[str, Any], beyond: dict[str, set[str]], path: str = "") -> None:
    """`found` is as the document prints it: names, order, types, values.

    `but` has, by path, what can't be as printed: a value, or a pattern of it. `beyond` has, by path of an object, the
    members that the document does not show.
    """
    if path in but:
        expected = but[path]
        if isinstance(expected, re.Pattern):
            assert type(found) is str
            assert expected.fullmatch(found), (path, found)
            return
        document = expected
    assert type(found) is type(document), (path, found)
    if isinstance(document, dict):
        assert set(found) - set(document) == beyond.get(path, set()), path
        # Metadata is kept as JSON, whose members have no order.
        assert [name for name in found if name in document] == list(document) or path.endswith("metadata"), path
        for name, value in document.items():
            same(found[name], value, but, beyond, f"{path}.{name}".removeprefix("."))
    elif isinstance(document, list):
        assert len(found) == len(document), path
        for index, one in enumerate(document):
            same(found[index], one, but, beyond, f"{path}[{index}]")
    else:
        assert found == document, path


def check(reply: Reply, status: int, document: Any, but: dict[str, Any], beyond: dict[str, set[str]]) -> None:
    """The answer is the printed one."""
    assert reply.status == status, reply.content
    assert reply.headers["content-type"] == "application/json"
    same(printed(reply.content), document, but, beyond)


OBJECT = printed("""{
 "id": "txn_123abc",
 "entityId": "entity_012jkl",
 "timestamp": "2023-05-15T10:30:00Z",
 "amount": 2500.00,
 "currency": "USD",
 "description": "Office Rent Payment",
 "debitAccountId": "acc_rent",
 "creditAccountId": "acc_cash",
 "status": "PENDING",
 "metadata": {
 "invoiceId": "INV-2023-001",
 "paymentMethod": "bank_transfer"
 },
 "date": "2023-05-15T10:30:00Z",
 "transaction_date": "2023-05-15T10:30:00Z",
 "accountType": "EXPENSE",
 "financialType": "RENT",
 "category": "Office Expenses",
 "category_id": "cat_5678",
 "debitAccount": {
 "id": "acc_rent",
 "name": "Rent Expense",
 "type": "EXPENSE",
 "financialType": "RENT",
 "code": "5001",
 "subTypeCode": "RENT",
 "isCategory": false
 },
 "creditAccount": {
 "id": "acc_cash",
 "name": "Cash",
 "type": "ASSET",
 "financialType": "CASH",
 "code": "1001",
 "subTypeCode": "CHECKING",
 "isCategory": false
 },
 "plaid_account": {
 "id": "plaid_123",
 "name": "Checking Account",
 "type": "CHECKING",
 "subtype": "checking",
 "mask": "1234",
 "institution_id": "ins_123"
 },
 "createdAt": "2023-05-15T10:30:00Z",
 "updatedAt": "2023-05-15T10:30:00Z"
}""")
LIST = printed("""{
 "transactions": [
 {
 "id": "txn_456def",
 "entityId": "entity_012jkl",
 "timestamp": "2023-05-15T14:22:00Z",
 "amount": 250.00,
 "currency": "USD",
 "description": "Office Supplies Purchase",
 "debitAccountId": "acc_office_supplies",
 "creditAccountId": "acc_bank",
 "status": "PENDING",
 "metadata": {
 "receiptId": "R12345",
 "vendor": "Office Depot"
 },
 "debitAccount": {
 "id": "acc_office_supplies",
 "name": "Office Supplies",
 "type": "EXPENSE"
 },
 "creditAccount": {
 "id": "acc_bank",
 "name": "Bank Account",
 "type": "ASSET"
 }
 }
 ],
 "nextCursor": "cursor_abc123",
 "hasMore": true
}""")
CREATED = printed("""{
 "transaction": {
 "id": "txn_456def",
 "entityId": "entity_012jkl",
 "timestamp": "2023-05-15T14:22:00Z",
 "amount": 250.00,
 "currency": "USD",
 "description": "Office Supplies Purchase",
 "debitAccountId": "acc_office_supplies",
 "creditAccountId": "acc_bank",
 "status": "PENDING",
 "metadata": {
 "receiptId": "R12345",
 "vendor": "Office Depot"
 },
 "createdAt": "2023-05-15T14:22:00Z",
 "updatedAt": "2023-05-15T14:22:00Z"
 }
}""")
EDITED = printed("""{
 "id": "txn_456def",
 "debit_account_id": "acc_new_debit",
 "credit_account_id": "acc_new_credit",
 "description": "Updated Office Supplies Purchase"
}""")
APPROVED = printed("""{
 "message": "Transactions approved successfully",
 "approvedTransactions": [
 {
 "id": "tx_1234567890abcdef",
 "status": "POSTED",
 "updatedAt": "2023-05-15T16:45:22Z"
 }
 ]
}""")
MONTH = printed("""{
 "month": 5,
 "year": 2023,
 "transactions": [
 {
 "id": "txn_456def",
 "description": "Office Supplies Purchase",
 "amount": 250.00,
 "timestamp": "2023-05-15T14:22:00Z",
 "status": "PENDING"
 }
 ],
 "nextCursor": "cursor_def456",
 "hasMore": false
}""")
CATEGORIZED = printed("""{
 "message": "Transaction categorized successfully",
 "transaction": {
 "id": "txn_456def",
 "metadata": {
 "categoryId": "cat_123abc",
 "categoryName": "Office Supplies"
 },
 "updatedAt": "2023-05-15T16:55:30Z"
 }
}""")
FOUND = printed("""{
 "transactions": [
 {
 "id": "txn_456def",
 "description": "Office Supplies Purchase",
 "amount": 250.00,
 "timestamp": "2023-05-15T14:22:00Z",
 "status": "PENDING",
 "debitAccountId": "acc_office_supplies",
 "creditAccountId": "acc_bank",
 "currency": "USD",
 "metadata": {},
 "createdAt": "2023-05-15T14:22:00Z",
 "updatedAt": "2023-05-15T14:22:00Z"
 }
 ],
 "pagination": {
 "total": 12,
 "page": 1,
 "limit": 25,
 "totalPages": 1
 }
}""")
CHAT = printed(
    """{
"""
    ' "response": "In May 2023, you spent a total of $3,245.75 on office supplies across 8 transactions. The largest '
    """purchase was $750.00 at Office Depot on May 10th.",
 "data": {
 "transactions": [
 {
 "id": "txn_456def",
 "description": "Office Supplies Purchase",
 "amount": 250.00,
 "timestamp": "2023-05-15T14:22:00Z"
 }
 ],
 "summary": {
 "total_amount": 3245.75,
 "transaction_count": 8,
 "average_amount": 405.72
 }
 }
}"""
)
COUNTERPARTIES = printed("""{
 "success": true,
 "counterparties": [
 {
 "name": "Office Depot",
 "transactionCount": 15,
 "firstSeen": "2023-01-15T12:00:00Z",
 "lastSeen": "2023-05-15T14:22:00Z",
 "totalAmount": 3750.25,
 "averageAmount": 250.02
 },
 {
 "name": "Amazon Business",
 "transactionCount": 8,
 "firstSeen": "2023-02-01T09:30:00Z",
 "lastSeen": "2023-05-10T16:45:00Z",
 "totalAmount": 1200.50,
 "averageAmount": 150.06
 }
 ],
 "nextCursor": "cursor_ghi789",
 "hasMore": true
}""")
ACCOUNT_ADDS = {"isCategory"}
TRANSACTION_ADDS = {"date", "transaction_date", "accountType", "counterparty"}
