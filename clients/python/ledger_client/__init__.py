"""The Python client of the ledger service: the generated stubs, with deadlines and safe retries.

    async with LedgerClient("127.0.0.1:50051", token) as client:
        response = await client.transactions.CreateTransaction(
            messages.CreateTransactionRequest(
                entity_id="acme",
                idempotency_key="invoice-4711",
                debit_account_id="acc_bank",
                credit_account_id="acc_sales",
                amount=money("12.50", "USD"),
                status=messages.TRANSACTION_STATUS_POSTED,
            )
        )

Requests, answers and enum values are in `ledger_client.messages`; what they mean stands in
`protos/ledger/v1`. Everything raises LedgerError, which says what may be concluded from a failure.
"""

from ledger_client import messages
from ledger_client.batch import BatchOutcome
from ledger_client.calls import (
    AccountCalls,
    CategoryCalls,
    EntityCalls,
    ReconciliationCalls,
    TransactionCalls,
    UnaryCall,
)
from ledger_client.client import LedgerClient
from ledger_client.errors import LedgerError
from ledger_client.files import Document
from ledger_client.keys import new_key
from ledger_client.paging import paginate
from ledger_client.retry import NO_RETRIES, RetryPolicy
from ledger_client.tls import trusting
from ledger_client.values import (
    from_minor_units,
    money,
    struct,
    timestamp,
    to_datetime,
    to_decimal,
    to_minor_units,
)

__all__ = [
    "NO_RETRIES",
    "AccountCalls",
    "BatchOutcome",
    "CategoryCalls",
    "Document",
    "EntityCalls",
    "LedgerClient",
    "LedgerError",
    "ReconciliationCalls",
    "RetryPolicy",
    "TransactionCalls",
    "UnaryCall",
    "from_minor_units",
    "messages",
    "money",
    "new_key",
    "paginate",
    "struct",
    "timestamp",
    "to_datetime",
    "to_decimal",
    "to_minor_units",
    "trusting",
]
