"""CSV: what no two banks write alike. The file is read twice: once to find its style, once to take its lines."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice, pairwise

from ledger_service.domain.errors import LedgerError
from ledger_service.statements.csv_mapping import COLUMNS, DELIMITERS, CsvMapping, column_key, mapping_for
from ledger_service.statements.csv_style import (
    DateStyle,
    NumberStyle,
    date_in,
    looks_like_date,
    looks_like_number,
    number_in,
)
from ledger_service.statements.gathering import Gathering
from ledger_service.statements.limits import MAX_COLUMNS, MAX_LINES
from ledger_service.statements.model import Balance, Detail, Line, Statement, StatementFile
from ledger_service.statements.refusal import refusal, shown
from ledger_service.statements.values import amount_of, currency_code, distinct, plain, rows, written

# Banks put a few rows above the header: their name, the account, the period.
_HEADER_WITHIN = 40
_DEBITS = frozenset({"d", "db", "dr", "debit", "af", "s", "soll", "out", "-"})
_CREDITS = frozenset({"c", "cr", "credit", "bij", "h", "haben", "in", "+"})
_NUMBERS = ("amount", "debit", "credit", "gross", "fee", "balance", "original_amount")


@dataclass(slots=True)
class _Record:
    line: int
    cells: list[str]
    raw: str


@dataclass(slots=True)
class _Shape:
    """What was found out about the file."""

    format: str
    delimiter: str
    header_line: int
    width: int
    columns: dict[str, int]
    mapping: CsvMapping
    order: str = "dmy"
    mark: str = "."
    currency: str = ""

    def cell(self, record: _Record, column: str) -> str:
        """The cell of a column of the mapping; "" if the file has no such column."""
        index = self.columns.get(column)
        return record.cells[index].strip() if index is not None else ""


@dataclass(slots=True)
class _Group:
    """The lines of one account in one currency, with the running balance behind each, if the file has one."""

    line: int
    lines: list[Line] = field(default_factory=list)
    balances: list[Decimal | None] = field(default_factory=list)


def read_csv(text: str, mapping: CsvMapping) -> StatementFile:
    """All lines of the file: one statement for each account and currency in it."""
    shape = _shape(text, mapping)
    _find_style(text, shape)
    gathering = Gathering()
    groups: dict[tuple[str, str], _Group] = {}
    for record in _body(text, shape):
        currency = _currency(record, shape)
        account = plain(shape.cell(record, "account"), record.line) or shape.mapping.account_number or ""
        group = groups.setdefault((account, currency), _Group(record.line))
        group.lines.append(_line(record, shape, currency, gathering))
        told = shape.cell(record, "balance")
        group.balances.append(_number(told, currency, shape, record.line) if told else None)
    for (account, currency), group in groups.items():
        opening, closing = _balances(group, gathering)
        gathering.add(Statement(group.line, account, currency, "", opening, closing, tuple(group.lines)))
    return gathering.file(shape.format)


def _records(text: str, delimiter: str) -> Iterator[_Record]:
    """The records of the file, each with the line that it begins in; empty rows are none."""
    taken: list[str] = []

    def keep() -> Iterator[str]:
        for row in rows(text):
            taken.append(row)
            yield row

    reader = csv.reader(keep(), delimiter=delimiter, strict=True)
    while True:
        begins = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise refusal(begins, f"not a record of a CSV file ({error}); the file is damaged or cut off") from None
        if cells is None:
            return
        if len(cells) > MAX_COLUMNS:
            raise refusal(begins, f"{len(cells):,} columns, more than the {MAX_COLUMNS} allowed")
        raw = "".join(taken).rstrip("\n")
        taken.clear()
        if any(cell.strip() for cell in cells):
            yield _Record(begins, cells, raw)


def _shape(text: str, told: CsvMapping) -> _Shape:
    delimiters = [DELIMITERS[told.delimiter]] if told.delimiter else list(DELIMITERS.values())
    best: _Shape | None = None
    for delimiter in delimiters:
        found = _header(text, delimiter, told)
        if found is not None and (best is None or len(found.columns) > len(best.columns)):
            best = found
    if best is None:
        raise refusal(
            0,
            "no format that is read, and as CSV no row with the names of a date and an amount column; "
            "name the columns in a mapping, such as date=Day amount=Total",
        )
    return best


def _header(text: str, delimiter: str, told: CsvMapping) -> _Shape | None:
    """The first row near the top, parted by `delimiter`, that names a date and an amount."""
    records = islice(_records(text, delimiter), _HEADER_WITHIN)
    while True:
        try:
            record = next(records, None)
        except LedgerError:
            # With this delimiter it is no CSV; with another it may be.
            return None
        if record is None:
            return None
        found = mapping_for(record.cells, told)
        if found is not None:
            names = [column_key(cell) for cell in record.cells]
            columns = _columns(names, found[1], record.line)
            return _Shape(found[0], delimiter, record.line, len(names), columns, found[1])


def _columns(names: list[str], mapping: CsvMapping, line: int) -> dict[str, int]:
    columns: dict[str, int] = {}
    for column in COLUMNS:
        name = getattr(mapping, column)
        key = column_key(name) if name else None
        if key is None or key not in names:
            continue
        if names.count(key) > 1:
            raise refusal(line, f"two columns have the name {shown(key)}; rename one in the file")
        columns[column] = names.index(key)
    return columns


def _body(text: str, shape: _Shape) -> Iterator[_Record]:
    taken = 0
    for record in _records(text, shape.delimiter):
        if record.line < shape.header_line:
            _check_above(record, shape)
        if record.line <= shape.header_line:
            continue
        taken += 1
        if taken > MAX_LINES:
            raise refusal(record.line, f"more than {MAX_LINES:,} bookings in one file; split it")
        surplus = record.cells[shape.width :]
        if len(record.cells) < shape.width or any(cell.strip() for cell in surplus):
            raise refusal(
                record.line,
                f"{len(record.cells)} columns where the header has {shape.width}; the file is damaged or cut off",
            )
        yield record


def _check_above(record: _Record, shape: _Shape) -> None:
    """Above the header stand the bank's name, the account, the period. A booking there would be left out silently."""
    numbers = (shape.cell(record, name) for name in ("amount", "debit", "credit"))
    if (
        len(record.cells) == shape.width
        and looks_like_date(shape.cell(record, "date"))
        and any(map(looks_like_number, numbers))
    ):
        raise refusal(
            record.line,
            f"a booking above the names of the columns (line {shape.header_line}); if these are several files in one, "
            "split it",
        )


def _find_style(text: str, shape: _Shape) -> None:
    """Look at all dates and numbers of the file."""
    dates, numbers = DateStyle(shape.mapping.date_order), NumberStyle(shape.mapping.decimal)
    own: set[str] = set()
    for record in _body(text, shape):
        for column in ("date", "value_date"):
            dates.look(shape.cell(record, column), record.line)
        for column in _NUMBERS:
            numbers.look(shape.cell(record, column), record.line)
        original = shape.cell(record, "original_amount")
        if "original_amount" in shape.columns and not original.strip("0.,-"):
            own.add(shape.cell(record, "currency").upper())
    shape.order, shape.mark = dates.settle(), numbers.settle()
    own.discard("")
    if len(own) == 1 and not shape.mapping.currency_code:
        # Where nothing was converted, the currency beside the original amount is the account's.
        shape.currency = currency_code(own.pop(), shape.header_line)


def _currency(record: _Record, shape: _Shape) -> str:
    if shape.mapping.currency_code:
        return shape.mapping.currency_code
    if "original_amount" in shape.columns:
        return shape.currency
    told = shape.cell(record, "currency")
    return currency_code(told, record.line) if told else ""


def _number(text: str, currency: str, shape: _Shape, line: int) -> Decimal:
    return amount_of(number_in(text, shape.mark, line), currency, line)


def _line(record: _Record, shape: _Shape, currency: str, gathering: Gathering) -> Line:
    booked = date_in(shape.cell(record, "date"), shape.order, record.line)
    valued = shape.cell(record, "value_date")
    amount = _amount(record, shape, currency)
    status = shape.cell(record, "status").lower()
    return Line(
        line=record.line,
        booking_date=booked,
        value_date=date_in(valued, shape.order, record.line) if valued else booked,
        amount=amount,
        counterparty=plain(shape.cell(record, "counterparty"), record.line),
        counterparty_account=plain(shape.cell(record, "counterparty_account"), record.line),
        references=distinct((shape.cell(record, name) for name in ("reference", "second_reference")), record.line),
        text=plain(shape.cell(record, "text"), record.line),
        bank_code=plain(shape.cell(record, "kind"), record.line),
        raw=record.raw,
        booked=status in {"", "completed"},
        details=_details(record, shape, currency, amount, gathering),
    )


def _amount(record: _Record, shape: _Shape, currency: str) -> Decimal:
    if "amount" in shape.columns:
        amount = _number(shape.cell(record, "amount"), currency, shape, record.line)
        mark = shape.cell(record, "direction").lower()
        if "direction" not in shape.columns:
            return amount
        if mark not in _DEBITS | _CREDITS:
            raise refusal(record.line, f"{shown(mark)} says neither debit nor credit")
        return -abs(amount) if mark in _DEBITS and amount else abs(amount)
    debit, credit = shape.cell(record, "debit"), shape.cell(record, "credit")
    if not debit and not credit:
        raise refusal(record.line, "no amount, neither debit nor credit")
    out = abs(_number(debit, currency, shape, record.line)) if debit else Decimal(0)
    came = abs(_number(credit, currency, shape, record.line)) if credit else Decimal(0)
    if out and came:
        raise refusal(record.line, "a debit and a credit in one row")
    return came if not out else -out


def _details(record: _Record, shape: _Shape, currency: str, net: Decimal, gathering: Gathering) -> tuple[Detail, ...]:
    """A processor's net amount as what it is made of: the gross amount and the fee."""
    if not shape.cell(record, "gross") or not shape.cell(record, "fee"):
        return ()
    gross = _number(shape.cell(record, "gross"), currency, shape, record.line)
    fee = _number(shape.cell(record, "fee"), currency, shape, record.line)
    # Stripe writes what it takes as a positive fee, PayPal as a negative one.
    if shape.format != "CSV (PayPal)":
        fee = -fee
    gathering.expect(record.line, "net amount", net, gross + fee)
    if not fee:
        return ()
    return (Detail(gross, "", "", (), "gross"), Detail(fee, "", "", (), "fee"))


def _balances(group: _Group, gathering: Gathering) -> tuple[Balance | None, Balance | None]:
    """Opening and closing balance by the running balances, after holding them against the lines."""
    known = [
        (line, balance)
        for line, balance in zip(group.lines, group.balances, strict=True)
        if balance is not None and line.booked
    ]
    booked = sum(1 for line in group.lines if line.booked)
    if not known or len(known) != booked:
        return None, None
    if _is_newest_first(known):
        known.reverse()
    before: Decimal | None = None
    for line, balance in known:
        if before is not None and before + line.amount != balance:
            gathering.warn(
                line.line,
                f"running balance {written(before)} and {written(line.amount)} make {written(before + line.amount)}, "
                f"but the file says {written(balance)}",
            )
        before = balance
    first, last = known[0], known[-1]
    return (
        Balance(first[1] - first[0].amount, first[0].booking_date, first[0].line),
        Balance(last[1], last[0].booking_date, last[0].line),
    )


def _is_newest_first(known: list[tuple[Line, Decimal]]) -> bool:
    first, last = known[0][0].booking_date, known[-1][0].booking_date
    if first != last:
        return first > last
    return _breaks(known) > _breaks(known[::-1])


def _breaks(known: list[tuple[Line, Decimal]]) -> int:
    return sum(1 for (_, before), (line, balance) in pairwise(known) if before + line.amount != balance)
