"""Reading the bank's records, strictly: a file with one malformed line is no file to post from.

The format is that of the PKDD'99 bank: semicolons, quoted text, amounts with two decimals, words in Czech
without accents. Amounts are kept in minor units (haléř, 1/100 CZK).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path

EXPONENT = 2
"""Decimals of the koruna: 1.00 CZK is 100 minor units."""

COLUMNS = (
    "trans_id",
    "account_id",
    "date",
    "type",
    "operation",
    "amount",
    "balance",
    "k_symbol",
    "bank",
    "account",
)

PURPOSES = {"SIPO": "household", "POJISTNE": "insurance", "DUCHOD": "pension", "UVER": "loan"}
"""Symbols that say what a customer's payment is for. The others are the bank's own doings, or blank."""


class MalformedFileError(ValueError):
    """A line that is not what the format allows; nothing of the file may be posted."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line


class Nature(Enum):
    """What a record is, in words for people."""

    CASH_DEPOSIT = "Cash deposit"
    CASH_WITHDRAWAL = "Cash withdrawal"
    CARD_WITHDRAWAL = "Card withdrawal"
    TRANSFER_IN = "Transfer from another bank"
    TRANSFER_OUT = "Transfer to another bank"
    INTEREST = "Interest credited"
    PENALTY_INTEREST = "Penalty interest"
    STATEMENT_FEE = "Statement fee"

    @property
    def is_credit(self) -> bool:
        """True when the customer's balance grows."""
        return self in {Nature.CASH_DEPOSIT, Nature.TRANSFER_IN, Nature.INTEREST}

    @property
    def is_transfer(self) -> bool:
        """True when there is another bank on the other side."""
        return self in {Nature.TRANSFER_IN, Nature.TRANSFER_OUT}


# What the bank does by itself is told by the symbol. It writes interest without an operation, but fees and
# penalty interest as if they were cash withdrawals: no cash moves, so the symbol goes before the operation.
_OWN_DOINGS = {
    ("PRIJEM", "", "UROK"): Nature.INTEREST,
    ("VYDAJ", "VYBER", "SANKC. UROK"): Nature.PENALTY_INTEREST,
    ("VYDAJ", "VYBER", "SLUZBY"): Nature.STATEMENT_FEE,
}
_CUSTOMERS_DOINGS = {
    ("PRIJEM", "VKLAD"): Nature.CASH_DEPOSIT,
    ("VYDAJ", "VYBER"): Nature.CASH_WITHDRAWAL,
    ("VYBER", "VYBER"): Nature.CASH_WITHDRAWAL,
    ("VYDAJ", "VYBER KARTOU"): Nature.CARD_WITHDRAWAL,
    ("PRIJEM", "PREVOD Z UCTU"): Nature.TRANSFER_IN,
    ("VYDAJ", "PREVOD NA UCET"): Nature.TRANSFER_OUT,
}
_BLANK_SYMBOLS = frozenset({"", " "})

_NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_DATE = re.compile(r"[0-9]{6}", re.ASCII)
_AMOUNT = re.compile(r"(-?)([0-9]{1,15})\.([0-9]{2})", re.ASCII)
_BANK = re.compile(r"[A-Z]{2}", re.ASCII)
_OTHER_ACCOUNT = re.compile(r"[0-9]{1,20}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the bank's.

    Attributes:
        line: where it stands in the file; the heading is line 1.
        number: the bank's unique record number.
        customer: number of the customer's account.
        day: the bank's date.
        nature: what it is.
        amount: in minor units, above zero.
        stated_balance: the customer's balance after it *as the bank states it*, in minor units.
        type: the column as it is written; so are operation and symbol.
        bank: the other side's bank code; empty unless it is a transfer.
        other_account: the other side's account number; empty where the bank gives none.
    """

    line: int
    number: str
    customer: str
    day: date
    nature: Nature
    amount: int
    stated_balance: int
    type: str
    operation: str
    symbol: str
    bank: str
    other_account: str

    @property
    def change(self) -> int:
        """By how much it changes the customer's balance, in minor units."""
        return self.amount if self.nature.is_credit else -self.amount

    @property
    def effective_time(self) -> datetime:
        """Midnight UTC of the bank's date.

        The bank states days, not hours. Midnight UTC is one or two o'clock in Prague on the same day, so that
        the record falls on its date in reports by the bank's days as well as by UTC days; midnight in Prague
        would be the day before in UTC.
        """
        return datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC)


def read_file(path: Path) -> list[Record]:
    """All records of a file, in its order.

    Raises:
        MalformedFileError: naming the first line that is wrong.
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        return read_lines(file)


def read_lines(lines: Iterable[bytes]) -> list[Record]:
    """The same for lines that are open already, the heading first."""
    records: list[Record] = []
    line_of: dict[str, int] = {}
    line = 0
    for line, raw in enumerate(lines, start=1):
        fields = _fields(line, raw)
        if line == 1:
            if fields != list(COLUMNS):
                raise MalformedFileError(line, f"expected the heading {';'.join(COLUMNS)}")
            continue
        record = _record(line, fields)
        first = line_of.setdefault(record.number, line)
        if first != line:
            raise MalformedFileError(line, f"record {record.number} stands in line {first} already")
        records.append(record)
    if not records:
        raise MalformedFileError(line + 1, "the file ends without a record")
    return records


def _fields(line: int, raw: bytes) -> list[str]:
    # Line by line, not through one csv reader: a quote that is never closed is then a fault of its own line
    # instead of a field that swallows the rest of the file.
    try:
        text = raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
        rows = list(csv.reader([text], delimiter=";", strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise MalformedFileError(line, f"can't be read: {error}") from error
    if len(rows) != 1 or len(rows[0]) != len(COLUMNS):
        found = len(rows[0]) if rows else 0
        raise MalformedFileError(line, f"expected {len(COLUMNS)} columns, found {found}")
    return rows[0]


def _record(line: int, fields: list[str]) -> Record:
    number, customer, day, kind, operation, amount, balance, symbol, bank, other_account = fields
    _expect(line, "trans_id", number, _NUMBER)
    _expect(line, "account_id", customer, _NUMBER)
    nature = _nature(line, kind, operation, symbol)
    if nature.is_transfer:
        _expect(line, "bank", bank, _BANK)
    elif bank:
        raise MalformedFileError(line, f"bank is {bank!r}, but only transfers have another bank")
    if other_account:
        _expect(line, "account", other_account, _OTHER_ACCOUNT)
    units = _minor_units(line, "amount", amount)
    if units <= 0:
        raise MalformedFileError(line, f"amount is {amount}, and must be above zero")
    return Record(
        line=line,
        number=number,
        customer=customer,
        day=_day(line, day),
        nature=nature,
        amount=units,
        stated_balance=_minor_units(line, "balance", balance),
        type=kind,
        operation=operation,
        symbol=symbol,
        bank=bank,
        other_account=other_account,
    )


def _nature(line: int, kind: str, operation: str, symbol: str) -> Nature:
    nature = _OWN_DOINGS.get((kind, operation, symbol))
    if nature is None and (symbol in _BLANK_SYMBOLS or symbol in PURPOSES):
        nature = _CUSTOMERS_DOINGS.get((kind, operation))
    if nature is None:
        raise MalformedFileError(line, f"no such record: type {kind!r}, operation {operation!r}, k_symbol {symbol!r}")
    return nature


def _day(line: int, text: str) -> date:
    _expect(line, "date", text, _DATE)
    try:
        # The bank's records end in 1998: two digits are a year of the twentieth century.
        return date(1900 + int(text[:2]), int(text[2:4]), int(text[4:]))
    except ValueError:
        raise MalformedFileError(line, f"date is {text!r}, which is no day") from None


def _minor_units(line: int, column: str, text: str) -> int:
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise MalformedFileError(line, f"{column} is {text!r}, expected a number such as 123.40")
    sign, whole, decimals = match.groups()
    units = int(whole + decimals)
    return -units if sign else units


def _expect(line: int, column: str, text: str, pattern: re.Pattern[str]) -> None:
    if pattern.fullmatch(text) is None:
        raise MalformedFileError(line, f"{column} is {text!r}, expected {pattern.pattern}")
