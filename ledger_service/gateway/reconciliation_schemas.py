"""Shapes of what reconciliations answer, and the document's examples of them. The result itself: report_schema."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ledger_service.application.reconciling.records import ItemState, MatchState
from ledger_service.domain.transaction import Status
from ledger_service.gateway.schemas import MAX_INT64, always
from ledger_service.gateway.shapes import Boolean, Choice, Integer, ListOf, Member, Money, Object, Shape, Text
from ledger_service.gateway.text_map import TextMap
from ledger_service.gateway.times import Day, Time
from ledger_service.matching.model import FindingKind, RuleKind

TEXT = Text()
MONEY = Money()
DAY = Day()
COUNT = Integer(0, 2**31 - 1)
NUMBER = Integer(1, MAX_INT64)
REVISION = Integer(0, MAX_INT64)
NUMBERS = ListOf(NUMBER)
IDS = ListOf(TEXT)

PROFILE_RULES = tuple(kind.value for kind in RuleKind)
RULES = Choice((*PROFILE_RULES, "MANUAL", "CHARGE"))
FINDINGS = Choice(tuple(kind.value for kind in FindingKind))
STATUSES = Choice(tuple(status.name for status in Status))
MATCH_STATES = Choice(tuple(state.name for state in MatchState))
ITEM_STATES = Choice(tuple(state.name for state in ItemState))

EXAMPLE_ID = "txn_00000g00000400019fwq1qv0n8"
_OTHER_ID = "txn_00000g00000800017d0p9vz2m4"


def _object(name: str, description: str, example: Any, *members: Member) -> Object:  # noqa: ANN401
    return Object(members, name=name, description=description, example=example)


EXAMPLE_PROFILE: dict[str, Any] = {
    "rules": [
        {
            "kind": "REFERENCE", "days": 3, "tolerance": Decimal("0.00"), "tolerancePpm": 0, "similarity": 85,
            "most": 8, "autoConfirm": True,
        },
    ],
    "charges": [
        {"name": "fees", "pattern": "account fee*", "sign": -1, "accountId": "acc_fees", "description": "Bank fee"},
    ],
    "differenceAccountId": "acc_differences",
    "differenceDescription": "Difference on reconciliation",
    "isInverted": False,
    "clearsTransactions": True,
    "csvMapping": {},
}  # fmt: skip
_RULE = _object(
    "MatchRule",
    "How lines and transactions find each other.",
    EXAMPLE_PROFILE["rules"][0],
    always("kind", Choice(PROFILE_RULES), "How it finds."),
    always("days", COUNT, "How many days may lie between line and transaction."),
    always("tolerance", MONEY, "By how much both sides may differ."),
    always("tolerancePpm", COUNT, "The same as millionths of the statement's amount; the more of both counts."),
    always("similarity", Integer(0, 100), "How similar names must be at least."),
    always("most", COUNT, "How many members a group may have on its larger side."),
    always("autoConfirm", Boolean(), "Whether its matches without a difference are CONFIRMED at once."),
)
_CHARGE = _object(
    "ChargeTemplate",
    "How lines are booked that only the bank knew of.",
    EXAMPLE_PROFILE["charges"][0],
    always("name", TEXT, "What to call it."),
    always("pattern", TEXT, "Words to find in the line's text, counterparty or bank code."),
    always("sign", Integer(-1, 1), "-1: went out, 1: came in, 0: either."),
    always("accountId", TEXT, "The account on the other side of the write-off."),
    always("description", TEXT, "The write-off's description."),
)
PROFILE = _object(
    "ReconciliationProfile",
    "How the lines and transactions of an account are matched.",
    EXAMPLE_PROFILE,
    always("rules", ListOf(_RULE), "Tried in order, each on what those before it left."),
    always("charges", ListOf(_CHARGE), "How fees, interest and the like are booked."),
    Member("differenceAccountId", TEXT, "Where differences within a tolerance are written off."),
    Member("differenceDescription", TEXT, "The description of such a write-off."),
    always("isInverted", Boolean(), "Whether the statement shows the other party's view."),
    always("clearsTransactions", Boolean(), "Whether confirming sets PENDING transactions CLEARED."),
    always("csvMapping", TextMap(), "How to read CSV files that can't be understood by looking."),
)

EXAMPLE_STATEMENT: dict[str, Any] = {
    "number": 1,
    "bankNumber": "2026-06",
    "bankAccount": "CZ6508000000192000145399",
    "fileName": "june.xml",
    "fileSha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "format": "camt.053.001.02",
    "openingBalance": Decimal("9800.00"),
    "openingDate": "2026-06-01",
    "closingBalance": Decimal("10250.00"),
    "closingDate": "2026-06-30",
    "lines": 42,
    "knownLines": 0,
    "sum": Decimal("450.00"),
    "contradictions": [],
    "importedAt": "2026-07-01T08:12:00Z",
    "actor": "treasury",
}
STATEMENT = _object(
    "Statement",
    "A statement that came in.",
    EXAMPLE_STATEMENT,
    always("number", NUMBER, "1, 2, 3 … in the reconciliation."),
    Member("bankNumber", TEXT, "The bank's name of it."),
    Member("bankAccount", TEXT, "The account as the bank names it."),
    Member("fileName", TEXT, "The file that it came in."),
    always("fileSha256", TEXT, "SHA-256 of the file, in hexadecimal digits."),
    always("format", TEXT, 'Such as "camt.053.001.02", "MT940".'),
    Member("openingBalance", MONEY, "The balance at the beginning, if the file tells."),
    Member("openingDate", DAY, "The day of it, its beginning."),
    Member("closingBalance", MONEY, "The balance at the end, if the file tells."),
    Member("closingDate", DAY, "The day of it, its end."),
    always("lines", COUNT, "How many of its lines came in."),
    always("knownLines", COUNT, "How many were here already, from a file that overlaps with it."),
    always("sum", MONEY, "Sum of the lines that came in."),
    always("contradictions", ListOf(TEXT), "What in the file contradicts something else in it, by line of the file."),
    always("importedAt", Time(), "When it came in."),
    always("actor", TEXT, "Who brought it."),
)
EXAMPLE_LINE: dict[str, Any] = {
    "number": 17,
    "statementNumber": 1,
    "bookingDate": "2026-06-12",
    "valueDate": "2026-06-12",
    "amount": Decimal("-250.00"),
    "counterparty": "Office Depot",
    "references": ["R12345"],
    "text": "Invoice R12345",
    "bankCode": "PMNT-ICDT-ESCT",
    "raw": "<Ntry>…</Ntry>",
    "state": "CONFIRMED",
    "matchNumber": 4,
}
LINE = _object(
    "StatementLine",
    "A booking, as the bank reports it.",
    EXAMPLE_LINE,
    always("number", NUMBER, "Its number in the reconciliation."),
    always("statementNumber", NUMBER, "The statement that it came in."),
    always("bookingDate", DAY, "When the bank booked it."),
    always("valueDate", DAY, "From when it counts for interest."),
    always("amount", MONEY, "What it changes the account by."),
    Member("counterparty", TEXT, "The other party."),
    Member("counterpartyAccount", TEXT, "Its account."),
    always("references", ListOf(TEXT), "The most telling first."),
    Member("text", TEXT, "What the payer wrote, and what the bank wrote."),
    Member("bankCode", TEXT, "The bank's word for the kind of booking."),
    always("raw", TEXT, "The record as it is in the file."),
    always("state", ITEM_STATES, "Whether it has found its pair."),
    Member("matchNumber", NUMBER, "The match, unless it is open."),
)
EXAMPLE_ITEM: dict[str, Any] = {
    "transactionId": EXAMPLE_ID,
    "date": "2026-06-10",
    "amount": Decimal("-250.00"),
    "counterparty": "Office Depot",
    "reference": "R12345",
    "description": "Office Supplies Purchase",
    "status": "CLEARED",
    "state": "CONFIRMED",
    "matchNumber": 4,
}
ITEM = _object(
    "LedgerItem",
    "What a transaction, all in all, does to the account.",
    EXAMPLE_ITEM,
    always("transactionId", TEXT, "The transaction."),
    always("date", DAY, "When it happened."),
    always("amount", MONEY, "What it changes the account by, posted and pending together."),
    Member("counterparty", TEXT, "Name of the other party."),
    Member("reference", TEXT, "The caller's own business id."),
    always("description", TEXT, 'For people; "" if there is none.'),
    always("status", STATUSES, "Where it is in its life."),
    always("state", ITEM_STATES, "Whether it has found its pair."),
    Member("matchNumber", NUMBER, "The match, unless it is open."),
)
_EXAMPLE_WRITE_OFF = {"accountId": "acc_fees", "description": "Bank fee", "amount": Decimal("-5.00")}
_WRITE_OFF = _object(
    "WriteOff",
    "A booking that settles a difference, or a line that only the bank knew of.",
    _EXAMPLE_WRITE_OFF,
    always("accountId", TEXT, "The account on the other side."),
    always("description", TEXT, "The transaction's description."),
    always("amount", MONEY, "What it changes the reconciled account by."),
    Member("transactionId", TEXT, "The transaction, once it is booked."),
)
EXAMPLE_MATCH: dict[str, Any] = {
    "number": 4,
    "state": "PROPOSED",
    "rule": "AMOUNT_AND_COUNTERPARTY",
    "lineNumbers": [17],
    "transactionIds": [EXAMPLE_ID],
    "difference": Decimal("0.00"),
    "score": 97,
    "reason": "the same amount; names 100 % alike; 2 days apart",
    "actor": "treasury",
    "createdAt": "2026-07-01T08:13:00Z",
}
MATCH = _object(
    "ReconciliationMatch",
    "Lines and transactions that are the same money.",
    EXAMPLE_MATCH,
    always("number", NUMBER, "Its number in the reconciliation."),
    always("state", MATCH_STATES, "What has become of it."),
    always("rule", RULES, "The kind of the rule that made it."),
    always("lineNumbers", NUMBERS, "The lines; [] where transactions cancel each other."),
    always("transactionIds", IDS, "The transactions; [] where lines cancel each other."),
    always("difference", MONEY, "What the transactions come to less what the lines come to."),
    always("score", Integer(0, 100), "How much speaks for it."),
    always("reason", TEXT, "In words: what agrees, and what does not."),
    Member("writeOff", _WRITE_OFF, "How the difference is settled."),
    always("actor", TEXT, "Who made it."),
    always("createdAt", Time(), "When."),
    Member("decidedBy", TEXT, "Who decided about it last."),
    Member("decidedAt", Time(), "When."),
    Member("note", TEXT, "What they noted."),
)
_PAIR = _object(
    "MatchPair",
    "Lines and transactions that would belong together.",
    {"lineNumbers": [17], "transactionIds": [EXAMPLE_ID]},
    always("lineNumbers", NUMBERS, "The lines."),
    always("transactionIds", IDS, "The transactions."),
)
EXAMPLE_FINDING: dict[str, Any] = {
    "kind": "AMBIGUOUS",
    "lineNumbers": [17],
    "transactionIds": [EXAMPLE_ID, _OTHER_ID],
    "amount": Decimal("-250.00"),
    "reason": "two transactions are as good as each other",
    "options": [
        [{"lineNumbers": [17], "transactionIds": [EXAMPLE_ID]}],
        [{"lineNumbers": [17], "transactionIds": [_OTHER_ID]}],
    ],
}
FINDING = _object(
    "ReconciliationFinding",
    "Something that a person should look at, or know.",
    EXAMPLE_FINDING,
    always("kind", FINDINGS, "What it is."),
    always("lineNumbers", NUMBERS, "The lines that it is about."),
    always("transactionIds", IDS, "The transactions that it is about."),
    always("amount", MONEY, "The difference, or what is missing."),
    always("reason", TEXT, "In words."),
    Member("options", ListOf(ListOf(_PAIR)), "Of AMBIGUOUS: pairings that are as good as each other."),
)
EXAMPLE_MATCHED = {
    "rule": "REFERENCE", "matches": 31, "proposed": 2, "lines": 31, "transactions": 31, "amount": Decimal("18240.55"),
}  # fmt: skip
MATCHED = _object(
    "ReconciliationMatched",
    "What a rule has matched.",
    EXAMPLE_MATCHED,
    always("rule", RULES, "The kind of the rule."),
    always("matches", COUNT, "How many matches."),
    always("proposed", COUNT, "How many of them nobody has confirmed."),
    always("lines", COUNT, "How many lines."),
    always("transactions", COUNT, "How many transactions."),
    always("amount", MONEY, "Of the lines, without signs."),
)
EXAMPLE_FINDING_COUNT = {"kind": "IN_TRANSIT", "count": 2, "amount": Decimal("450.00")}
FINDING_COUNT = _object(
    "ReconciliationFindingCount",
    "How many findings of a kind there are.",
    EXAMPLE_FINDING_COUNT,
    always("kind", FINDINGS, "The kind."),
    always("count", COUNT, "How many."),
    always("amount", MONEY, "What they come to, without signs."),
)
EXAMPLE_FAILURE = {
    "matchNumber": 9,
    "reason": "ACCOUNT_CLOSED",
    "message": "account acc_fees is closed for good",
}
FAILURE = _object(
    "ReconciliationFailure",
    "What was refused on the way.",
    EXAMPLE_FAILURE,
    always("matchNumber", NUMBER, "The match."),
    Member("transactionId", TEXT, "The transaction, if it is not about the write-off."),
    always("reason", TEXT, "Why, as in an error's `details.reason`."),
    always("message", TEXT, "In words."),
)
EXAMPLE_SUMMARY: dict[str, Any] = {
    "accountId": "acc_bank",
    "currency": "USD",
    "isClosed": True,
    "date": "2026-06-30",
    "statementBalance": Decimal("10250.00"),
    "ledgerBalance": Decimal("10385.00"),
    "revision": 57,
    "closedBy": "controller",
    "isReopened": False,
}
SUMMARY = _object(
    "ReconciliationSummary",
    "How far a reconciliation is, or a closing of it.",
    EXAMPLE_SUMMARY,
    always("accountId", TEXT, "The account."),
    always("currency", TEXT, "The currency."),
    always("isClosed", Boolean(), "Whether this is a closing."),
    Member("date", DAY, "The closing's day; of what is open: the last statement's."),
    Member("statementBalance", MONEY, "The bank's balance then."),
    Member("ledgerBalance", MONEY, "The ledger's balance then, of a closing."),
    always("revision", REVISION, "How many changes it rests on."),
    Member("closedBy", TEXT, "Who closed it."),
    always("isReopened", Boolean(), "Whether it was reopened later."),
)


def answered(*members: tuple[str, Shape, str]) -> Object:
    """An object whose members are all there."""
    return Object(tuple(always(*member) for member in members))
