"""A small company's June at its bank: what it recorded, and the files that the bank sent."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from ledger_client import LedgerClient, messages, money, timestamp
from tests.helpers.statement_files import Booking, camt053

ENTITY: Final = "acme"
BANK: Final = "acc_bank"
FEES: Final = "acc_bank_fees"
OPENING: Final = Decimal("1000.00")

_CHART: Final = (
    (BANK, messages.ACCOUNT_TYPE_ASSET, "1010", "Bank account"),
    ("acc_equity", messages.ACCOUNT_TYPE_EQUITY, "3000", "Capital"),
    ("acc_sales", messages.ACCOUNT_TYPE_REVENUE, "4000", "Sales"),
    ("acc_rent", messages.ACCOUNT_TYPE_EXPENSE, "5000", "Rent"),
    (FEES, messages.ACCOUNT_TYPE_EXPENSE, "5100", "Bank fees"),
)

# Key, day, what the bank account changes by, the other account, reference, counterparty, description.
_RECORDED: Final = (
    ("capital", date(2026, 5, 29), "1000.00", "acc_equity", "", "", "Capital"),
    ("rent", date(2026, 6, 1), "-800.00", "acc_rent", "", "Stadtwerke", "Rent June"),
    ("invoice-1001", date(2026, 6, 2), "250.00", "acc_sales", "INV-1001", "Northwind Traders", "Invoice 1001"),
    ("invoice-1002", date(2026, 6, 3), "99.90", "acc_sales", "INV-1002", "Ben Ofori", "Invoice 1002"),
    ("invoice-1003", date(2026, 6, 8), "120.00", "acc_sales", "INV-1003", "Blue Bird", "Invoice 1003"),
    ("card-1", date(2026, 6, 9), "20.00", "acc_sales", "CARD-1", "", "card sale"),
    ("card-2", date(2026, 6, 9), "35.50", "acc_sales", "CARD-2", "", "card sale"),
    ("card-3", date(2026, 6, 9), "14.50", "acc_sales", "CARD-3", "", "card sale"),
    ("cash-1", date(2026, 6, 12), "40.00", "acc_sales", "", "", "cash 1"),
    ("cash-2", date(2026, 6, 12), "40.00", "acc_sales", "", "", "cash 2"),
    ("invoice-1009", date(2026, 6, 30), "75.00", "acc_sales", "INV-1009", "Late Ltd", "Invoice 1009"),
)
_PENDING: Final = frozenset({"invoice-1002"})

_JUNE: Final = (
    Booking(date(2026, 6, 1), Decimal("-800.00"), "", "Rent June"),
    Booking(date(2026, 6, 3), Decimal("250.00"), "INV-1001", "Northwind Traders invoice 1001"),
    Booking(date(2026, 6, 4), Decimal("99.90"), "INV-1002", "thanks"),
    Booking(date(2026, 6, 9), Decimal("119.99"), "INV-1003", "Blue Bird"),
    Booking(date(2026, 6, 10), Decimal("70.00"), "", "card settlement"),
    Booking(date(2026, 6, 12), Decimal("40.00"), "", "cash deposit"),
    Booking(date(2026, 6, 15), Decimal("33.00"), "X-77", "unknown payer"),
    Booking(date(2026, 6, 30), Decimal("-4.50"), "", "Account fee June"),
)

# Dates that may have the day or the month first.
_JULY: Final = """\
date,amount,reference,text
01/07/2026,75.00,INV-1009,Late Ltd
02/07/2026,12.00,,interest
"""


async def record(client: LedgerClient) -> dict[str, str]:
    """Make the entity, its accounts and all that it recorded; gives the transactions' ids by key."""
    await client.entities.CreateEntity(messages.CreateEntityRequest(entity_id=ENTITY, name="Acme"))
    for account_id, kind, code, name in _CHART:
        await client.accounts.CreateAccount(
            messages.CreateAccountRequest(entity_id=ENTITY, account_id=account_id, type=kind, code=code, name=name)
        )
    ids = {}
    for key, day, amount, other, reference, counterparty, description in _RECORDED:
        debit, credit = (other, BANK) if amount.startswith("-") else (BANK, other)
        made = await client.transactions.CreateTransaction(
            messages.CreateTransactionRequest(
                entity_id=ENTITY,
                idempotency_key=key,
                debit_account_id=debit,
                credit_account_id=credit,
                amount=money(amount.removeprefix("-"), "EUR"),
                status=(messages.TRANSACTION_STATUS_PENDING if key in _PENDING else messages.TRANSACTION_STATUS_POSTED),
                effective_time=timestamp(datetime(day.year, day.month, day.day, 12, tzinfo=UTC)),
                reference=reference,
                counterparty=counterparty,
                description=description,
            )
        )
        ids[key] = made.transaction.id
    return ids


def write_files(folder: Path) -> tuple[Path, Path]:
    """June as camt.053, July as a CSV file that does not tell its balances."""
    june, july = folder / "june.xml", folder / "july.csv"
    june.write_text(camt053(OPENING, _JUNE).replace("2026-01-31", "2026-06-30"))
    july.write_text(_JULY)
    return june, july
