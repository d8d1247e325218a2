"""Shape of the result of a reconciliation, and the document's example of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ledger_service.gateway.reconciliation_schemas import (
    COUNT,
    DAY,
    EXAMPLE_FINDING_COUNT,
    EXAMPLE_ID,
    EXAMPLE_MATCHED,
    FINDING_COUNT,
    FINDINGS,
    IDS,
    MATCHED,
    MONEY,
    NUMBER,
    NUMBERS,
    REVISION,
    RULES,
    STATUSES,
    TEXT,
)
from ledger_service.gateway.schemas import always
from ledger_service.gateway.shapes import Boolean, ListOf, Member, Object
from ledger_service.gateway.times import Time

_EXAMPLE_EQUATION = {
    "statementBalance": Decimal("10250.00"),
    "depositsInTransit": Decimal("300.00"),
    "outstandingPayments": Decimal("-150.00"),
    "receiptsNotRecorded": Decimal("-20.00"),
    "paymentsNotRecorded": Decimal("0.00"),
    "writeOffsProposed": Decimal("5.00"),
    "differences": Decimal("0.00"),
    "openingDifference": Decimal("0.00"),
    "statementGap": Decimal("0.00"),
    "ledgerBalance": Decimal("10385.00"),
    "addsUp": True,
}
_EQUATION = Object(
    (
        always("statementBalance", MONEY, "The bank's balance at the end of the day."),
        always("depositsInTransit", MONEY, "Recorded, coming in, not yet on the statement: 0 or more."),
        always("outstandingPayments", MONEY, "Recorded, going out, not yet on the statement: 0 or less."),
        always("receiptsNotRecorded", MONEY, "Came in on the statement only: 0 or less."),
        always("paymentsNotRecorded", MONEY, "Went out on the statement only: 0 or more."),
        always("writeOffsProposed", MONEY, "Of write-offs that wait to be booked."),
        always("differences", MONEY, "Within matches, without a write-off."),
        always("openingDifference", MONEY, "How far apart both were at the beginning."),
        always("statementGap", MONEY, "By how much the bank's balances and lines contradict each other."),
        always("ledgerBalance", MONEY, "The ledger's balance, posted and pending, up to the end of the day."),
        always("addsUp", Boolean(), "Whether all before it add up to ledgerBalance, to the last minor unit."),
    ),
    name="ReconciliationEquation",
    description="The proof that both balances are explained; each term is computed from its own rows.",
    example=_EXAMPLE_EQUATION,
)
_EXAMPLE_AGE = {
    "leastDays": 0, "mostDays": 7, "lines": 1, "linesAmount": Decimal("20.00"), "transactions": 2,
    "transactionsAmount": Decimal("150.00"),
}  # fmt: skip
_AGE = Object(
    (
        always("leastDays", COUNT, "From so many days on."),
        Member("mostDays", COUNT, "Up to and with so many; of the oldest there is none."),
        always("lines", COUNT, "How many lines."),
        always("linesAmount", MONEY, "What they come to."),
        always("transactions", COUNT, "How many transactions."),
        always("transactionsAmount", MONEY, "What they come to."),
    ),
    name="ReconciliationAge",
    description="What is open, by age.",
    example=_EXAMPLE_AGE,
)
_EXAMPLE_OPEN = {
    "transactionId": EXAMPLE_ID,
    "date": "2026-06-29",
    "amount": Decimal("300.00"),
    "counterparty": "Blue Cafe",
    "reference": "INV-77",
    "text": "Invoice 77",
    "status": "POSTED",
    "ageDays": 1,
    "finding": "IN_TRANSIT",
    "isLater": False,
}
_OPEN = Object(
    (
        Member("lineNumber", NUMBER, "The line, if it is one."),
        Member("transactionId", TEXT, "The transaction, if it is one."),
        always("date", DAY, "Booking date, or the day of the effective time."),
        always("amount", MONEY, "What it changes the account by."),
        Member("counterparty", TEXT, "The other party."),
        Member("reference", TEXT, "The most telling reference."),
        Member("text", TEXT, "Text or description."),
        Member("status", STATUSES, "Of a transaction."),
        always("ageDays", COUNT, "How old it is at the day of the reconciliation."),
        Member("finding", FINDINGS, "What the last run of the rules says it is."),
        always("isLater", Boolean(), "Whether it has its pair, but after the day."),
    ),
    name="ReconciliationOpenItem",
    description="A line or a transaction without its pair.",
    example=_EXAMPLE_OPEN,
)
_EXAMPLE_DIFFERENCE = {
    "matchNumber": 9, "rule": "AMOUNT_AND_DATE", "lineNumbers": [23], "transactionIds": [EXAMPLE_ID],
    "difference": Decimal("0.01"), "reason": "a cent apart", "hasWriteOff": False,
}  # fmt: skip
_DIFFERENCE = Object(
    (
        always("matchNumber", NUMBER, "The match."),
        always("rule", RULES, "The kind of its rule."),
        always("lineNumbers", NUMBERS, "Its lines."),
        always("transactionIds", IDS, "Its transactions."),
        always("difference", MONEY, "What the transactions come to less what the lines come to."),
        always("reason", TEXT, "In words."),
        always("hasWriteOff", Boolean(), "Whether a write-off is proposed."),
    ),
    name="ReconciliationDifference",
    description="A match whose sides don't come to the same.",
    example=_EXAMPLE_DIFFERENCE,
)
_EXAMPLE_WEEK = {
    "monday": "2026-06-29",
    "matched": Decimal("1200.00"),
    "openLines": Decimal("20.00"),
    "openTransactions": Decimal("450.00"),
}
_WEEK = Object(
    (
        always("monday", DAY, "The week's first day."),
        always("matched", MONEY, "Lines that have their pair."),
        always("openLines", MONEY, "Lines that have none."),
        always("openTransactions", MONEY, "Transactions that have none."),
    ),
    name="ReconciliationWeek",
    description="What was matched and what is open, by week, without signs.",
    example=_EXAMPLE_WEEK,
)
EXAMPLE_REPORT: dict[str, Any] = {
    "entityId": "entity_012jkl",
    "accountId": "acc_bank",
    "accountName": "Bank Account",
    "currency": "USD",
    "date": "2026-06-30",
    "firstDate": "2026-06-01",
    "isClosed": False,
    "revision": 56,
    "sequence": 912,
    "asOf": "2026-07-01T08:15:00Z",
    "equation": _EXAMPLE_EQUATION,
    "lines": 42,
    "transactions": 43,
    "matched": [EXAMPLE_MATCHED],
    "ages": [_EXAMPLE_AGE],
    "openItems": [_EXAMPLE_OPEN],
    "openItemsLeftOut": 0,
    "differencesLeftOut": 0,
    "differences": [_EXAMPLE_DIFFERENCE],
    "weeks": [_EXAMPLE_WEEK],
    "findings": [EXAMPLE_FINDING_COUNT],
}
REPORT = Object(
    (
        always("entityId", TEXT, "The entity."),
        always("accountId", TEXT, "The account."),
        always("accountName", TEXT, "What people call it."),
        always("currency", TEXT, "The currency."),
        always("date", DAY, "The statement date: everything is as of the end of this day."),
        always("firstDate", DAY, "The first day that is looked at."),
        always("isClosed", Boolean(), "Whether it is closed: its transactions can't be voided or edited."),
        always("revision", REVISION, "How many changes of the account's reconciliation it rests on."),
        always("sequence", REVISION, "The ledger as known at this sequence."),
        always("asOf", Time(), "When the ledger was so."),
        Member("closedBy", TEXT, "Who closed it."),
        Member("closedAt", Time(), "When."),
        always("equation", _EQUATION, "The proof that both balances are explained."),
        always("lines", COUNT, "How many lines up to the day, matched or not."),
        always("transactions", COUNT, "How many transactions."),
        always("matched", ListOf(MATCHED), "By rule."),
        always("ages", ListOf(_AGE), "What is open, by age."),
        always("openItems", ListOf(_OPEN), "What is open, oldest first; up to maxOpenItems."),
        always("openItemsLeftOut", COUNT, "How many more there are."),
        always("differencesLeftOut", COUNT, "How many more differences there are."),
        always("differences", ListOf(_DIFFERENCE), "Matches whose sides differ."),
        always("weeks", ListOf(_WEEK), "By week."),
        always("findings", ListOf(FINDING_COUNT), "Of the last run of the rules, about what is still so."),
    ),
    name="Reconciliation",
    description="A reconciliation of an account in one currency to a day. The same revision and sequence give the "
    "same answer for ever.",
    example=EXAMPLE_REPORT,
)
