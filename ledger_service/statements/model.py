"""What a bank says: statements of accounts, their lines, and what in a file contradicts itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Balance:
    """A balance that the file states: negative is overdrawn. `line` is where in the file (from 1)."""

    amount: Decimal
    date: date | None
    line: int


@dataclass(frozen=True, slots=True)
class Detail:
    """One payment of a batch that the bank booked as one line. `amount` has the line's sign; None: not told."""

    amount: Decimal | None
    counterparty: str
    counterparty_account: str
    references: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One booking on the account.

    `amount` is exact and signed: positive came in, negative went out, in the statement's currency. `references` is
    without doubles, the most telling first: what the payer gave (end-to-end id), then what banks gave. `bank_code` is
    the bank's or the standard's word for the kind of booking. `raw` is the record as it is in the file. `booked` is
    False for what the bank only announces; such lines are no part of the balances. `details` is empty unless the line
    is a batch.
    """

    line: int
    booking_date: date
    value_date: date
    amount: Decimal
    counterparty: str = ""
    counterparty_account: str = ""
    references: tuple[str, ...] = ()
    text: str = ""
    bank_code: str = ""
    raw: str = ""
    booked: bool = True
    details: tuple[Detail, ...] = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """The lines of one account in one currency, in the order of the file.

    `account` and `currency` are "" where the file does not tell them (most CSV); balances are None likewise.
    `number` is the bank's name of the statement.
    """

    line: int
    account: str
    currency: str
    number: str
    opening: Balance | None
    closing: Balance | None
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Something in the file that contradicts something else in it, and where (line of the file, from 1)."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class StatementFile:
    """All that a file says. `format` is such as "camt.053.001.02", "MT940", "OFX 2" or "CSV (Stripe)"."""

    format: str
    statements: tuple[Statement, ...]
    warnings: tuple[Contradiction, ...]
