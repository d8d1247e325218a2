"""The bank's chart of accounts, and which two of them a record moves value between.

    1000 Assets        1100 cash vault, 1200 correspondent banks (one account for each bank code)
    2000 Liabilities   2100 customers (one account for each), 2200 card settlement
    4000 Income        4100 statement fees, 4200 penalty interest
    5000 Expenses      5100 interest paid

What a customer has on account the bank owes: a liability, credited when it grows. Money that comes in lands
in the vault or with the correspondent bank that sent it: debit. Nothing has a floor: some customers are
overdrawn, and the file begins without saying what the bank held, so vault and banks may go below zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from bank_history.records import EXPONENT, PURPOSES, Nature, Record
from ledger_client import from_minor_units, messages, struct, timestamp

CURRENCY: Final = "CZK"
CUSTOMERS: Final = "acc_customers"
CORRESPONDENTS: Final = "acc_correspondents"

_CASH: Final = "acc_cash_vault"
_CARDS: Final = "acc_card_settlement"
_FEES: Final = "acc_statement_fees"
_PENALTIES: Final = "acc_penalty_interest"
_INTEREST: Final = "acc_interest_paid"

_ASSET: Final = messages.ACCOUNT_TYPE_ASSET
_LIABILITY: Final = messages.ACCOUNT_TYPE_LIABILITY
_REVENUE: Final = messages.ACCOUNT_TYPE_REVENUE
_EXPENSE: Final = messages.ACCOUNT_TYPE_EXPENSE

# Id, type, code, name, parent; parents before their children.
_FRAME: Final = (
    ("acc_assets", _ASSET, "1000", "Assets", ""),
    (_CASH, _ASSET, "1100", "Cash vault", "acc_assets"),
    (CORRESPONDENTS, _ASSET, "1200", "Correspondent banks", "acc_assets"),
    ("acc_liabilities", _LIABILITY, "2000", "Liabilities", ""),
    (CUSTOMERS, _LIABILITY, "2100", "Customers", "acc_liabilities"),
    # Other banks' machines pay the customer out; until the card company collects, the bank owes it.
    (_CARDS, _LIABILITY, "2200", "Card settlement", "acc_liabilities"),
    ("acc_income", _REVENUE, "4000", "Income", ""),
    (_FEES, _REVENUE, "4100", "Statement fees", "acc_income"),
    (_PENALTIES, _REVENUE, "4200", "Penalty interest", "acc_income"),
    ("acc_expenses", _EXPENSE, "5000", "Expenses", ""),
    (_INTEREST, _EXPENSE, "5100", "Interest paid to customers", "acc_expenses"),
)

_OTHER_SIDES: Final = {
    Nature.CASH_DEPOSIT: _CASH,
    Nature.CASH_WITHDRAWAL: _CASH,
    Nature.CARD_WITHDRAWAL: _CARDS,
    Nature.INTEREST: _INTEREST,
    Nature.PENALTY_INTEREST: _PENALTIES,
    Nature.STATEMENT_FEE: _FEES,
}


def customer_account(customer: str) -> str:
    """Id of a customer's account in the ledger."""
    return f"acc_customer_{customer}"


def correspondent_account(bank: str) -> str:
    """Id of the account with another bank."""
    return f"acc_correspondent_{bank}"


def chart(records: Iterable[Record]) -> list[messages.CreateAccountRequest]:
    """Every account that the records need, parents before their children.

    The same for the same customers and banks, whatever else the records say: creating an account again with
    the same content is answered with what is there, which is what makes the import restartable.
    """
    customers: set[str] = set()
    banks: set[str] = set()
    for record in records:
        customers.add(record.customer)
        if record.bank:
            banks.add(record.bank)
    accounts = [_account(*row) for row in _FRAME]
    accounts += [
        _account(correspondent_account(bank), _ASSET, f"1200-{bank}", f"Bank {bank}", CORRESPONDENTS)
        for bank in sorted(banks)
    ]
    accounts += [
        _account(customer_account(number), _LIABILITY, f"2100-{number:0>6}", f"Customer {number}", CUSTOMERS)
        for number in sorted(customers, key=int)
    ]
    return accounts


def transaction(record: Record) -> messages.CreateTransactionRequest:
    """The posting of a record. Depends on nothing but the record: sent again it is the same request."""
    customer = customer_account(record.customer)
    other = correspondent_account(record.bank) if record.nature.is_transfer else _OTHER_SIDES[record.nature]
    debit, credit = (other, customer) if record.nature.is_credit else (customer, other)
    return messages.CreateTransactionRequest(
        idempotency_key=record.number,
        debit_account_id=debit,
        credit_account_id=credit,
        amount=from_minor_units(record.amount, CURRENCY, EXPONENT),
        # The bank's record is history: there is nothing left to wait for or to approve.
        status=messages.TRANSACTION_STATUS_POSTED,
        effective_time=timestamp(record.effective_time),
        description=_description(record),
        # The key finds the transaction itself; the reference also finds what is booked about it later.
        reference=record.number,
        counterparty=f"{record.other_account}/{record.bank}" if record.bank else "",
        metadata=struct(_as_written(record)),
    )


def _account(
    account_id: str, kind: messages.AccountType.ValueType, code: str, name: str, parent_id: str
) -> messages.CreateAccountRequest:
    return messages.CreateAccountRequest(
        account_id=account_id, type=kind, code=code, name=name, parent_id=parent_id, currencies=[CURRENCY]
    )


def _description(record: Record) -> str:
    purpose = PURPOSES.get(record.symbol)
    return f"{record.nature.value}, {purpose}" if purpose else record.nature.value


def _as_written(record: Record) -> dict[str, str]:
    """The columns that have no field of their own, as the bank wrote them, where it wrote anything."""
    balance = f"{'-' if record.stated_balance < 0 else ''}{_plain(abs(record.stated_balance))}"
    columns = {
        "type": record.type,
        "operation": record.operation,
        "k_symbol": record.symbol,
        "bank": record.bank,
        "account": record.other_account,
        "stated_balance": balance,
    }
    return {name: value for name, value in columns.items() if value}


def _plain(units: int) -> str:
    return from_minor_units(units, CURRENCY, EXPONENT).amount


def batches(accounts: Sequence[messages.CreateAccountRequest], size: int) -> list[list[messages.CreateAccountRequest]]:
    """The accounts in their order, cut for BatchCreateAccounts."""
    return [list(accounts[start : start + size]) for start in range(0, len(accounts), size)]
