"""What all documents call things, and how they write amounts: one wording for page, spreadsheet and terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ledger_service.application.reconciling.report import Aged, Equation, OpenItem, Report
from ledger_service.domain.money import format_minor_units
from ledger_service.matching.model import FindingKind, RuleKind

MANUAL = "MANUAL"
"""What `MatchedBy.rule` is for matches that people made."""


@dataclass(frozen=True, slots=True)
class Term:
    """A term of the equation, by its name in `Equation`; `about` tells an outsider what it is."""

    name: str
    label: str
    about: str

    def of(self, equation: Equation) -> int:
        """The term's amount in minor units."""
        amount: int = getattr(equation, self.name)
        return amount


STATEMENT_BALANCE = Term("statement_balance", "Balance per statement", "as the bank reports it at the end of the day")

TIMING = (
    Term("deposits_in_transit", "Add: deposits in transit", "recorded, not yet on the statement, coming in"),
    Term("outstanding_payments", "Less: outstanding payments", "recorded, not yet on the statement, going out"),
)
"""What time will settle; with these the statement's balance is what auditors call the adjusted one."""

UNSETTLED = (
    Term("receipts_not_recorded", "Less: receipts not recorded", "on the statement only, came in"),
    Term("payments_not_recorded", "Add: payments not recorded", "on the statement only, went out"),
    Term("write_offs_proposed", "Write-offs proposed", "of lines and differences, not yet booked"),
    Term("differences", "Differences within matches", "ledger less statement, without a write-off"),
    Term("opening_difference", "Opening difference", "from before the reconciliation, or left by earlier closings"),
    Term("statement_gap", "Gap in the statements", "a statement is missing, or contradicts itself"),
)
"""What somebody has to record or to clear up."""

LEDGER_BALANCE = Term("ledger_balance", "Balance per ledger", "posted and pending, effective up to the end of the day")

ADDED = (STATEMENT_BALANCE, *TIMING, *UNSETTLED)
"""All that adds up to the ledger's balance, in the order of `Equation`."""

_RULES = {
    RuleKind.REFERENCE.value: "same reference",
    RuleKind.AMOUNT_AND_DATE.value: "amount and date",
    RuleKind.AMOUNT_AND_COUNTERPARTY.value: "amount and counterparty",
    RuleKind.ONE_LINE_TO_MANY.value: "one line to many",
    RuleKind.MANY_LINES_TO_ONE.value: "many lines to one",
    RuleKind.MANY_TO_MANY.value: "many to many",
    RuleKind.CANCELLED.value: "cancel each other",
    MANUAL: "by hand",
}

_FINDINGS = {
    FindingKind.MISSING_IN_LEDGER.value: "not recorded",
    FindingKind.MISSING_ON_STATEMENT.value: "outstanding",
    FindingKind.IN_TRANSIT.value: "in transit",
    FindingKind.DUPLICATE_IN_LEDGER.value: "recorded twice",
    FindingKind.DUPLICATE_ON_STATEMENT.value: "booked twice by the bank",
    FindingKind.AMOUNT_DIFFERS.value: "amount differs",
    FindingKind.DATE_DIFFERS.value: "date differs",
    FindingKind.REFERENCES_SWAPPED.value: "references swapped",
    FindingKind.REFERENCE_DIFFERS.value: "reference differs",
    FindingKind.BATCHED.value: "batched",
    FindingKind.CHARGE.value: "charge or interest",
    FindingKind.AMBIGUOUS.value: "ambiguous",
    FindingKind.TOO_MANY_CANDIDATES.value: "too many candidates",
}


def rule_name(rule: str) -> str:
    """What people call a rule, given `MatchedBy.rule`."""
    return _RULES.get(rule) or _spelled(rule)


def finding_name(finding: str) -> str:
    """What people call a finding, given the name of its kind; "" stays ""."""
    return _FINDINGS.get(finding) or _spelled(finding)


def _spelled(name: str) -> str:
    return name.lower().replace("_", " ")


def item_name(item: OpenItem) -> str:
    """What an open item is: its finding, and that its pair came after the report's date."""
    name = finding_name(item.finding)
    if not item.is_later:
        return name
    return f"{name}, matched later" if name else "matched later"


def difference_name(rule: str, write_off: str) -> str:
    """How a match with a difference came about and what is to be done with it."""
    return f"{rule_name(rule)}, write-off {write_off}" if write_off else rule_name(rule)


def age_range(aged: Aged) -> str:
    """The days of an age group: "0 to 30", "91 and more", "7"."""
    if aged.most is None:
        return f"{aged.least} and more"
    return f"{aged.least}" if aged.least == aged.most else f"{aged.least} to {aged.most}"


def grouped(units: int, exponent: int) -> str:
    """The amount with thousands set apart and all decimals: `(-123456789, 2)` is "-1,234,567.89"."""
    if units < 0:
        return "-" + grouped(-units, exponent)
    whole, point, decimals = format_minor_units(units, exponent).partition(".")
    return f"{int(whole):,}{point}{decimals}"


def counted(number: int, word: str) -> str:
    """`(1, "line")` is "1 line", `(1200, "line")` "1,200 lines"; words ending in "match" have "matches"."""
    if number == 1:
        return f"1 {word}"
    return f"{number:,} {word}{'es' if word.endswith('match') else 's'}"


def to_minute(moment: datetime) -> str:
    """A time to the minute, in UTC, for people."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def state_of(report: Report) -> str:
    """Whether it is frozen, in one sentence."""
    if not report.is_closed:
        return "Open: it may still change"
    by = f" by {printable(report.closed_by)}" if report.closed_by else ""
    at = f" on {to_minute(report.closed_time)}" if report.closed_time else ""
    return f"Closed{by}{at}"


def unexplained(equation: Equation) -> int:
    """What is left between the balances when all terms are added, in minor units; 0 if it adds up."""
    return equation.ledger_balance - equation.total


def sides(items: Sequence[OpenItem]) -> tuple[list[OpenItem], list[OpenItem]]:
    """The transactions that lack a line, and the lines that lack a transaction, in the order of `items`."""
    return [item for item in items if not item.is_line], [item for item in items if item.is_line]


def printable(text: str) -> str:
    """Text without what moves a cursor, turns the direction of writing, or is no character at all."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text)
