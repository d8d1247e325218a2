"""The result of a reconciliation, as people and programs read it; every figure was computed from rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Equation:
    """The proof that both balances are explained, in minor units, in the sense of the account's normal side.

    Each term is what has to be *added* to the statement's balance on the way to the ledger's, so that all of them
    together give it. They are computed each from its own rows; `adds_up` is therefore a proof, not a definition.
    """

    statement_balance: int
    deposits_in_transit: int
    """Recorded, not yet on the statement, coming in: 0 or more."""
    outstanding_payments: int
    """Recorded, not yet on the statement, going out: 0 or less."""
    receipts_not_recorded: int
    """On the statement only, came in: 0 or less."""
    payments_not_recorded: int
    """On the statement only, went out: 0 or more."""
    write_offs_proposed: int
    """Of lines and differences for which a write-off is proposed and not yet booked."""
    differences: int
    """Within matches, without a write-off: the ledger's side less the statement's."""
    opening_difference: int
    """How far apart both were when the account's reconciliation began, and what earlier closings left."""
    statement_gap: int
    """By how much the bank's balances and lines contradict each other: a statement is missing or wrong."""
    ledger_balance: int
    """Posted and pending together, effective up to the end of the day."""

    @property
    def total(self) -> int:
        """The statement's balance with all terms added."""
        return (
            self.statement_balance
            + self.deposits_in_transit
            + self.outstanding_payments
            + self.receipts_not_recorded
            + self.payments_not_recorded
            + self.write_offs_proposed
            + self.differences
            + self.opening_difference
            + self.statement_gap
        )

    @property
    def adds_up(self) -> bool:
        """Whether the two balances are explained to the last minor unit."""
        return self.total == self.ledger_balance


@dataclass(frozen=True, slots=True)
class MatchedBy:
    """What one rule has matched; `rule` is its kind, or "MANUAL"."""

    rule: str
    matches: int
    proposed: int
    """How many of the matches nobody has confirmed yet."""
    lines: int
    transactions: int
    amount: int
    """Of the lines, both signs added up without them."""


@dataclass(frozen=True, slots=True)
class Aged:
    """Outstanding items of one side by age in days: from `least` to `most` (None: and older), both included."""

    least: int
    most: int | None
    lines: int
    lines_amount: int
    transactions: int
    transactions_amount: int


@dataclass(frozen=True, slots=True)
class OpenItem:
    """A line or a transaction without its pair at the date of the report.

    `id` is the transaction's id, or the line's number. `finding` names what it is (matching.model.FindingKind), ""
    if no run has looked at it. `is_later`: it has its pair, but after the date.
    """

    is_line: bool
    id: str
    day: date
    amount: int
    counterparty: str
    reference: str
    text: str
    status: str
    """Of a transaction; "" of a line."""
    age_days: int
    finding: str
    is_later: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """A match whose sides don't come to the same. `write_off` is "proposed" or ""."""

    match: int
    rule: str
    lines: tuple[int, ...]
    transactions: tuple[str, ...]
    difference: int
    why: str
    write_off: str


@dataclass(frozen=True, slots=True)
class Week:
    """What happened in a week, amounts without sign, in minor units: the picture of the report."""

    monday: date
    matched: int
    open_lines: int
    open_transactions: int


@dataclass(frozen=True, slots=True)
class Report:
    """A reconciliation of an account in one currency to a date.

    It is of the state after `revision` changes of the reconciliation, and of the ledger as known at `sequence`: the
    same two numbers give the same report for ever.
    """

    entity_id: str
    account_id: str
    account_name: str
    currency: str
    exponent: int
    until: date
    """The statement date: balances and items are those of the end of this day in the entity's time zone."""
    began: date
    """The day before which nothing is looked at line by line: the start, or the last closing's date and one day."""
    is_closed: bool
    revision: int
    sequence: int
    made_time: datetime
    closed_by: str
    closed_time: datetime | None
    equation: Equation
    lines: int
    transactions: int
    """How many of each there are up to the date, matched or not."""
    matched: tuple[MatchedBy, ...]
    ages: tuple[Aged, ...]
    open_items: tuple[OpenItem, ...]
    """Oldest first; at most as many as were asked for."""
    open_items_left_out: int
    differences: tuple[Difference, ...]
    weeks: tuple[Week, ...]
    findings: tuple[tuple[str, int, int], ...]
    """By kind: how many there are among what is open or differs, and what they come to."""
    differences_left_out: int = 0
    """Beyond as many as open items were asked for."""
