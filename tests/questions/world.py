"""The entity that the questions are asked of: its names, its day."""

from __future__ import annotations

from datetime import date

from ledger_service.application.asking.vocabulary import Kind, Name, Vocabulary

TODAY = date(2023, 6, 14)
"""A Wednesday."""

ASSET, LIABILITY, REVENUE, EXPENSE = 1, 2, 4, 5

CATEGORIES = {
    "cat_office": "Office Supplies",
    "cat_travel": "Travel",
    "cat_meals": "Meals & Entertainment",
    "cat_software": "Software Subscriptions",
    "cat_rent": "Rent",
    "cat_marketing": "Marketing",
    "cat_utilities": "Utilities",
    "cat_consulting": "Consulting",
    "cat_ads": "Advertising",
}
ACCOUNTS = {
    "checking": ("Business Checking", ASSET, "1000"),
    "savings": ("Savings Account", ASSET, "1010"),
    "card": ("Company Credit Card", LIABILITY, "2100"),
    "sales": ("Product Sales", REVENUE, "4000"),
    "consulting_income": ("Consulting Income", REVENUE, "4100"),
    "rent_expense": ("Rent Expense", EXPENSE, "5100"),
    "wages": ("Salaries and Wages", EXPENSE, "5200"),
    "bank_fees": ("Bank Fees", EXPENSE, "5300"),
    "advertising": ("Advertising", EXPENSE, "5400"),
}
COUNTERPARTIES = (
    "Office Depot",
    "Amazon Business",
    "Acme Corp",
    "Acme Ltd",
    "Delta Air Lines",
    "Starbucks",
    "City Power",
    "Landlord LLC",
    "Globex",
    "May & Sons",
)

VOCABULARY = Vocabulary(
    names=(
        *(Name(Kind.CATEGORY, id_, name) for id_, name in CATEGORIES.items()),
        *(Name(Kind.ACCOUNT, id_, name, type_, code) for id_, (name, type_, code) in ACCOUNTS.items()),
        *(Name(Kind.COUNTERPARTY, name.lower(), name) for name in COUNTERPARTIES),
    ),
    exponents={"USD": 2, "EUR": 2, "JPY": 0, "GBP": 2, "TRY": 2, "ALL": 2},
    held=("EUR", "JPY", "USD"),
    first=date(2022, 1, 3),
    last=date(2023, 6, 12),
)
