"""Shapes of what is sent to reconcile."""

from __future__ import annotations

from ledger_service.application.intake import reconciling as intake
from ledger_service.gateway.reconciliation_schemas import NUMBER, PROFILE_RULES
from ledger_service.gateway.shapes import Amount, Boolean, Choice, Integer, ListOf, Member, Object, OrNull, Text
from ledger_service.gateway.text_map import TextMap
from ledger_service.gateway.times import Day
from ledger_service.matching.model import Rule, RuleKind

# As reconciliation.proto tells them; intake checks them for every adapter.
_MAX_DAYS = 366
_MAX_GROUP = 100
_MAX_TEXT = 200

_ID = Text(longest=64, shortest=1)
_USUAL = Rule(RuleKind.REFERENCE)
_NOTE = Member("note", Text(intake.MAX_NOTE), "Why.")
_DATE = Member("date", Day(), "The statement date.", required=True, to="day")

_RULE = Object(
    (
        Member("kind", Choice(PROFILE_RULES), "How it finds.", required=True),
        Member("days", Integer(0, _MAX_DAYS), f"Days between line and transaction, {_USUAL.days} by default."),
        Member("tolerance", Amount(or_zero=True), "By how much both sides may differ, 0 by default."),
        Member(
            "tolerancePpm", Integer(0, 1_000_000), "The same as millionths of the statement's amount, 0 by default.",
            to="tolerance_ppm",
        ),
        Member("similarity", Integer(0, 100), f"How similar names must be, {_USUAL.similarity} by default."),
        Member("most", Integer(2, _MAX_GROUP), f"Members of a group's larger side, {_USUAL.most} by default."),
        Member(
            "autoConfirm", Boolean(), "True: matches without a difference are CONFIRMED at once.", to="auto_confirm"
        ),
    ),
    name="NewMatchRule",
)  # fmt: skip
_CHARGE = Object(
    (
        Member("name", Text(64, 1), "What to call it; unique in the profile.", required=True),
        Member("pattern", Text(_MAX_TEXT, 1), "Words to find; fee* is a beginning.", required=True),
        Member("sign", Integer(-1, 1), "-1: went out, 1: came in, 0: either (default)."),
        Member("accountId", _ID, "The account on the other side.", required=True, to="account_id"),
        Member("description", Text(_MAX_TEXT, 1), "The write-off's description.", required=True),
    ),
    name="NewChargeTemplate",
)
PROFILE = Object((
    Member("rules", ListOf(_RULE, intake.MAX_RULES, 1), "Tried in order; all of them."),
    Member("charges", ListOf(_CHARGE, intake.MAX_CHARGES), "How fees, interest and the like are booked; all of them."),
    Member(
        "differenceAccountId", OrNull(_ID, ""), "Where differences within a tolerance are written off; null: nowhere.",
        to="difference_account_id",
    ),
    Member(
        "differenceDescription", OrNull(Text(_MAX_TEXT), ""), "The description of such a write-off.",
        to="difference_description",
    ),
    Member("isInverted", Boolean(), "Whether the statement shows the other party's view.", to="is_inverted"),
    Member(
        "clearsTransactions", Boolean(), "Whether confirming sets PENDING transactions CLEARED.",
        to="clears_transactions",
    ),
    Member(
        "csvMapping", TextMap(), "How to read CSV files that can't be understood by looking; all of it.",
        to="csv_mapping",
    ),
))  # fmt: skip

PROFILE_FIELDS = {
    "profile.rules": "rules",
    "profile.charges": "charges",
    "profile.difference_account_id": "differenceAccountId",
    "profile.difference_description": "differenceDescription",
    "profile.is_inverted": "isInverted",
    "profile.clears_transactions": "clearsTransactions",
    "profile.csv_mapping": "csvMapping",
    **{f"profile.rules[].{one.target}": f"rules[].{one.name}" for one in _RULE.members},
    **{f"profile.charges[].{one.target}": f"charges[].{one.name}" for one in _CHARGE.members},
}
"""What the body calls the fields of the use case, which has a profile around them."""

START = Object((
    Member("date", Day(), "The first day to look at.", required=True, to="day"),
    Member(
        "statementBalance", Amount(signed=True), "The bank's balance at its beginning; by default the ledger's.",
        to="statement_balance",
    ),
    Member(
        "outstandingTransactionIds", ListOf(_ID, intake.MAX_OUTSTANDING),
        "Transactions of before that the bank had not booked by then.", to="outstanding",
    ),
))  # fmt: skip
CREATE_MATCH = Object((
    Member("lineNumbers", ListOf(NUMBER, intake.MAX_MEMBERS), "Open lines.", to="lines"),
    Member("transactionIds", ListOf(_ID, intake.MAX_MEMBERS), "Open transactions.", to="transactions"),
    Member("writeOffAccountId", _ID, "Where to book the difference; by default nowhere.", to="write_off_account_id"),
    Member(
        "writeOffDescription", Text(_MAX_TEXT, 1), "The write-off's description; required with its account.",
        to="write_off_description",
    ),
    _NOTE,
))  # fmt: skip
CONFIRM = Object((
    Member(
        "matchNumbers", ListOf(NUMBER, intake.MAX_DECIDED, 1), "Which; by default all that are PROPOSED.", to="matches"
    ),
    Member(
        "withWriteOffs", Boolean(), "Without matchNumbers: those with write-offs too, false by default.",
        to="with_write_offs",
    ),
    _NOTE,
))  # fmt: skip
DECIDE = Object((
    Member("matchNumbers", ListOf(NUMBER, intake.MAX_DECIDED, 1), "Which.", required=True, to="matches"),
    _NOTE,
))  # fmt: skip
CLOSE = Object((
    _DATE,
    Member(
        "acceptDifferences", Boolean(), "True: close although the equation has a gap or differences.",
        to="accept_differences",
    ),
    _NOTE,
))  # fmt: skip
REOPEN = Object((
    Member("date", Day(), "The last closing's day: guards against reopening another one.", required=True, to="day"),
    _NOTE,
))  # fmt: skip

UPLOAD = (
    Member(
        "csvMapping", TextMap(), "How to read a CSV file, added to the profile's.", to="csv_mapping"
    ),
    Member(
        "openingBalance", Amount(signed=True), "Balance at the beginning, where the file does not tell.",
        to="opening_balance",
    ),
    Member(
        "closingBalance", Amount(signed=True), "Balance at the end, where the file does not tell.",
        to="closing_balance",
    ),
    Member(
        "bankAccount", Text(64, 1), "The bank's account that the file must be of, where it is another one than before.",
        to="bank_account",
    ),
)  # fmt: skip
"""The fields of the form that a statement is uploaded with; they stand before the file."""
