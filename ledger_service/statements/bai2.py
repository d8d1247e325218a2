"""BAI2, the cash management format of banks in the United States."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import pairwise

from ledger_service.statements.gathering import Gathering
from ledger_service.statements.limits import MAX_TEXT_CHARS, MAX_WHOLE_DIGITS
from ledger_service.statements.model import Balance, Line, Statement, StatementFile
from ledger_service.statements.refusal import refusal, shown
from ledger_service.statements.values import EXPONENTS, currency_code, distinct, plain, rows, short_day

_TRANSACTION_CODE = re.compile(r"[0-9]{3}", re.ASCII)
_INTEGER = re.compile(r"[+-]?[0-9]{1,40}", re.ASCII)
_OPENING, _CLOSING = "010", "015"
# Which records may follow which.
_AFTER = {
    "": {"01"},
    "01": {"02", "99"},
    "02": {"03", "98"},
    "03": {"16", "49"},
    "16": {"16", "49"},
    "49": {"03", "98"},
    "98": {"02", "99"},
    "99": set(),
}


@dataclass(slots=True)
class _Record:
    """A record with its continuations (88): its fields, how many rows it has, and as it is in the file."""

    line: int
    fields: list[str]
    rows: int
    raw: str

    @property
    def code(self) -> str:
        return self.fields[0]

    def at(self, index: int) -> str:
        """A field; "" if the record is shorter."""
        return self.fields[index].strip() if index < len(self.fields) else ""


@dataclass(slots=True)
class _Account:
    line: int
    number: str
    currency: str
    opening: Balance | None = None
    closing: Balance | None = None
    total: int = 0
    records: int = 0
    lines: list[Line] = field(default_factory=list)


class _Reader:
    def __init__(self) -> None:
        self.gathering = Gathering()
        self._account: _Account | None = None
        self._day = date(1900, 1, 1)
        self._currency = ""
        # Sums, members and records of the group and of the file, for their trailers.
        self._group_total = self._group_members = self._group_records = 0
        self._file_total = self._file_members = self._file_records = 0

    def take(self, record: _Record) -> None:
        self._file_records += record.rows
        self._group_records += record.rows
        if self._account is not None:
            self._account.records += record.rows
        if record.code == "02":
            self._day = short_day(record.at(4), record.line)
            self._currency = currency_code(record.at(6), record.line) if record.at(6) else ""
            self._group_total = self._group_members = 0
            self._group_records = record.rows
        elif record.code == "03":
            self._begin_account(record)
        elif record.code == "16" and self._account is not None:
            self.gathering.count_line(record.line)
            self._account.lines.append(self._line(record, self._account))
        elif record.code == "49" and self._account is not None:
            self._end_account(record, self._account)
        elif record.code == "98":
            self._check(record, "group", self._group_total, self._group_members, self._group_records)
            self._file_total += self._group_total
            self._file_members += 1
        elif record.code == "99":
            self._check(record, "file", self._file_total, self._file_members, self._file_records)

    def _begin_account(self, record: _Record) -> None:
        # The specification's default, for a bank and a customer in the United States.
        currency = currency_code(record.at(2), record.line) if record.at(2) else self._currency or "USD"
        account = _Account(record.line, plain(record.at(1), record.line), currency, records=record.rows)
        if not account.number:
            raise refusal(record.line, "an account (03) without a number")
        index = 3
        while index < len(record.fields):
            kind, amount = record.at(index), record.at(index + 1)
            if amount:
                units = _units(amount, record.line)
                account.total += units
                balance = Balance(_decimal(units, currency), self._day, record.line)
                if kind == _OPENING:
                    account.opening = balance
                elif kind == _CLOSING:
                    account.closing = balance
            index = _after_funds(record, index + 3)
        self._account = account

    def _line(self, record: _Record, account: _Account) -> Line:
        kind = record.at(1)
        units = _units(record.at(2) or "0", record.line)
        account.total += units
        after = _after_funds(record, 3)
        value = record.at(4) if record.at(3).upper() == "V" else ""
        return Line(
            line=record.line,
            booking_date=self._day,
            value_date=short_day(value, record.line) if value else self._day,
            amount=_decimal(_signed(kind, units, record.line), account.currency),
            references=distinct([record.at(after + 1), record.at(after)], record.line),
            text=plain(",".join(record.fields[after + 2 :]), record.line),
            bank_code=kind,
            raw=record.raw,
        )

    def _end_account(self, record: _Record, account: _Account) -> None:
        self.gathering.expect(
            record.line, "total of the account (49)", _units(record.at(1), record.line), account.total
        )
        self.gathering.expect(
            record.line, "records of the account (49)", _units(record.at(2), record.line), account.records
        )
        self.gathering.add(
            Statement(
                account.line,
                account.number,
                account.currency,
                "",
                account.opening,
                account.closing,
                tuple(account.lines),
            )
        )
        self._group_total += account.total
        self._group_members += 1
        self._account = None

    def _check(self, record: _Record, what: str, total: int, members: int, records: int) -> None:
        for name, index, found in (("total", 1, total), ("number of parts", 2, members), ("records", 3, records)):
            self.gathering.expect(
                record.line, f"{name} of the {what} ({record.code})", _units(record.at(index), record.line), found
            )


def read_bai2(text: str) -> StatementFile:
    """All accounts of the file, each a statement; amounts have the decimals of their currency."""
    reader = _Reader()
    before = ""
    line = 0
    for record in _records(text):
        if record.code not in _AFTER[before]:
            raise refusal(record.line, f"a record {shown(record.code)} after {shown(before)}; BAI2 has no such order")
        if record.code == "01" and record.at(8) not in {"2", ""}:
            raise refusal(record.line, f"BAI version {shown(record.at(8))}; version 2 is read")
        reader.take(record)
        before, line = record.code, record.line
    if before != "99":
        raise refusal(line, "the file's last record (99) is missing; it is cut off, fetch it again")
    return reader.gathering.file("BAI2")


def _records(text: str) -> Iterator[_Record]:
    current: list[str] = []
    begun = size = 0
    for line, row in enumerate(rows(text), start=1):
        content = row.strip()
        if not content:
            continue
        code = content.partition(",")[0]
        if code == "88":
            if not current:
                raise refusal(line, "a continuation (88) of nothing")
            size += len(content)
        else:
            size = len(content)
        if size > MAX_TEXT_CHARS:
            raise refusal(line, f"a record is longer than the {MAX_TEXT_CHARS:,} characters allowed")
        if code == "88":
            current.append(content)
            continue
        if current:
            yield _record(current, begun)
        if code.rstrip("/") not in _AFTER:
            raise refusal(line, f"{shown(code)} is not a record of BAI2 (01, 02, 03, 16, 49, 88, 98, 99)")
        current, begun = [content], line
    if current:
        yield _record(current, begun)


def _record(parts: list[str], line: int) -> _Record:
    joined = parts[0].removesuffix("/")
    for before, part in pairwise(parts):
        more = part.partition(",")[2].removesuffix("/")
        # A row that ends with "/" ended a field; another one broke off inside a text.
        glue = "," if before.endswith("/") else "" if before.endswith(",") else " "
        joined += glue + more
    return _Record(line, joined.split(","), len(parts), "\n".join(parts))


def _after_funds(record: _Record, index: int) -> int:
    """The index after the funds type at `index` and what belongs to it."""
    kind = record.at(index).upper()
    if kind in {"", "Z", "0", "1", "2"}:
        return index + 1
    if kind == "V":
        return index + 3
    if kind == "S":
        return index + 4
    if kind == "D" and re.fullmatch(r"[0-9]{1,3}", record.at(index + 1), re.ASCII):
        return index + 2 + 2 * int(record.at(index + 1))
    raise refusal(record.line, f"the funds type {shown(kind)} is none of Z, 0, 1, 2, V, S, D")


def _signed(kind: str, units: int, line: int) -> int:
    """Codes 100 to 399 are credits, 400 to 699 debits; others move no money, or say nothing of the direction."""
    if _TRANSACTION_CODE.fullmatch(kind) is None:
        # Of a record without an amount as well: it may have lost it with the separator.
        raise refusal(line, f"{shown(kind)} is no transaction code: it has three digits")
    if "100" <= kind <= "399":
        return units
    if "400" <= kind <= "699":
        return -units
    if units == 0:
        return 0
    raise refusal(line, f"the transaction code {shown(kind)} says neither credit (100 to 399) nor debit (400 to 699)")


def _units(text: str, line: int) -> int:
    if _INTEGER.fullmatch(text) is None or len(text.lstrip("+-0")) > MAX_WHOLE_DIGITS + 2:
        raise refusal(line, f"{shown(text)} is not a whole number of at most {MAX_WHOLE_DIGITS + 2} digits")
    return int(text)


def _decimal(units: int, currency: str) -> Decimal:
    return Decimal(units).scaleb(-EXPONENTS.get(currency, 2))
