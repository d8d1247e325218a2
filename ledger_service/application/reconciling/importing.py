"""From a bank's file to the rows that it adds: whole or not at all, each line once. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from ledger_service.application.intake.reconciling import plain_account_name
from ledger_service.application.reconciling.overlapping import Alike, Stated, count_alike
from ledger_service.application.reconciling.staging import Baseline, NewLine, NewStatement, State
from ledger_service.domain.errors import LedgerError, Reason, invalid
from ledger_service.domain.money import MAX_MINOR_UNITS
from ledger_service.statements.model import Balance, Line, Statement, StatementFile


@dataclass(frozen=True, slots=True)
class Incoming:
    """The statements of a file, in the order of their days, with what their lines are told from others by."""

    currency: str
    statements: tuple[Statement, ...]
    alike: tuple[tuple[Alike, ...], ...]
    contradictions: tuple[str, ...]

    @property
    def first_day(self) -> date | None:
        """The first that the file tells of: the one after its opening balance, or of its earliest booking.

        Banks date an opening balance by the day that it ends (as most MT940 do) or by the day that it begins: a booking
        of the same day tells that it is the latter.
        """
        days = [line.booking_date for statement in self.statements for line in statement.lines]
        opened = [
            one.opening.date + timedelta(days=1)
            for one in self.statements
            if one.opening is not None and one.opening.date is not None
        ]
        return min([*days, *opened], default=None)


def incoming(file: StatementFile, wanted_currency: str, opening: Decimal | None, closing: Decimal | None) -> Incoming:
    """Check that it is of one account and currency. Raises LedgerError STATEMENT_MISMATCH, INVALID_ARGUMENT."""
    statements = [replace(one, lines=tuple(line for line in one.lines if line.booked)) for one in file.statements]
    if not statements:
        raise invalid("file", "holds no statement")
    accounts = sorted({one.account for one in statements if one.account})
    if len(accounts) > 1:
        raise _mismatch(
            f"holds statements of {len(accounts)} accounts ({', '.join(accounts[:3])}); send a file for each"
        )
    currencies = sorted({one.currency for one in statements if one.currency})
    if len(currencies) > 1:
        raise _mismatch(f"holds statements in {' and '.join(currencies)}; send a file for each")
    if currencies and wanted_currency and currencies != [wanted_currency]:
        raise _mismatch(f"is in {currencies[0]}, the reconciliation in {wanted_currency}")
    if opening is not None or closing is not None:
        statements = [_with_balances(statements, opening, closing)]
    statements.sort(key=_place)
    return Incoming(
        wanted_currency or (currencies[0] if currencies else ""),
        tuple(statements),
        count_alike(statements),
        tuple(f"line {one.line}: {one.message}" for one in file.warnings),
    )


def _with_balances(statements: Sequence[Statement], opening: Decimal | None, closing: Decimal | None) -> Statement:
    if len(statements) != 1:
        raise invalid(
            "opening_balance", f"the file holds {len(statements)} statements: whose balance is it? Leave it out"
        )
    [statement] = statements
    for name, given, told in (("opening", opening, statement.opening), ("closing", closing, statement.closing)):
        if given is not None and told is not None and told.amount != given:
            raise invalid(f"{name}_balance", f"the file says {told.amount}; leave it out")
    days = [line.booking_date for line in statement.lines]
    if opening is not None and statement.opening is None:
        statement = replace(statement, opening=Balance(opening, min(days, default=None), statement.line))
    if closing is not None and statement.closing is None:
        statement = replace(statement, closing=Balance(closing, max(days, default=None), statement.line))
    return statement


def _place(statement: Statement) -> tuple[date, date, int]:
    """By their days; those without one stay where they are in the file, before the others of their day."""
    days = [line.booking_date for line in statement.lines]
    closing = statement.closing.date if statement.closing is not None else None
    last = closing or max(days, default=date.min)
    return last, min(days, default=last), statement.line


def check_bank_account(arrived: Incoming, wanted: str, before: str) -> None:
    """Refuse a file of another account than the caller names, or than the newest statement with a name was of.

    Banks write an account now as IBAN and now by the number within it: one that holds the other is the same. Raises
    LedgerError STATEMENT_MISMATCH.
    """
    told = next((one.account for one in arrived.statements if one.account), "")
    mine, known = plain_account_name(told), wanted or plain_account_name(before)
    if mine and known and mine not in known and known not in mine:
        advice = "send the right one" if wanted else "if the bank has renumbered it, say so by bank_account"
        raise _mismatch(f"is of account {told}, not of {wanted or before}; {advice}")


def stated_by(arrived: Incoming, exponent: int) -> list[tuple[Stated, Sequence[Alike]]]:
    """The statements and what their lines are told from others by, for overlapping.identities_of."""
    found: list[tuple[Stated, Sequence[Alike]]] = []
    for statement, some in zip(arrived.statements, arrived.alike, strict=True):
        opening, closing = statement.opening, statement.closing
        days = [line.booking_date for line in statement.lines]
        days += [one.date for one in (opening, closing) if one is not None and one.date is not None]
        stated = Stated(
            None if opening is None else minor_units(opening.amount, exponent, opening.line),
            None if closing is None else minor_units(closing.amount, exponent, closing.line),
            min(days, default=None),
            max(days, default=None),
        )
        found.append((stated, some))
    return found


def _closing_day(statement: Statement) -> date | None:
    if statement.closing is None:
        return None
    return statement.closing.date or max((line.booking_date for line in statement.lines), default=None)


def new_rows(
    arrived: Incoming,
    identities: Sequence[Sequence[bytes]],
    known: set[bytes],
    state: State,
    *,
    exponent: int,
    is_inverted: bool,
) -> tuple[list[NewStatement], list[NewLine]]:
    """The rows that a file adds: all of its statements, and the lines that are not here yet.

    Raises LedgerError INVALID_ARGUMENT: an amount has more decimals than the currency. RECONCILIATION_CLOSED: a new
    line belongs to days that are settled.
    """
    sign = -1 if is_inverted else 1
    baseline = state.baseline
    statements: list[NewStatement] = []
    lines: list[NewLine] = []
    number, last = state.last_statement, state.last_line
    for statement, some in zip(arrived.statements, identities, strict=True):
        number += 1
        first = last
        for line, identity in zip(statement.lines, some, strict=True):
            if identity in known:
                continue
            if baseline is not None and line.booking_date <= baseline.until:
                raise _settled(line, baseline)
            last += 1
            lines.append(_new_line(line, last, number, identity, exponent, sign))
        fresh = lines[first - state.last_line :]
        opening, closing = statement.opening, statement.closing
        statements.append(
            NewStatement(
                number,
                statement.number,
                statement.account,
                None if opening is None else sign * minor_units(opening.amount, exponent, opening.line),
                None if opening is None else opening.date,
                None if closing is None else sign * minor_units(closing.amount, exponent, closing.line),
                _closing_day(statement),
                len(fresh),
                len(statement.lines) - len(fresh),
                sum(line.amount for line in fresh),
                arrived.contradictions if number == state.last_statement + 1 else (),
            )
        )
    return statements, lines


def _new_line(line: Line, number: int, statement: int, identity: bytes, exponent: int, sign: int) -> NewLine:
    parts = tuple(
        sign * minor_units(detail.amount, exponent, line.line) for detail in line.details if detail.amount is not None
    )
    # The payments of a batch may name what the line itself does not.
    references = dict.fromkeys((*line.references, *(one for detail in line.details for one in detail.references)))
    return NewLine(
        number,
        statement,
        line.booking_date,
        line.value_date,
        sign * minor_units(line.amount, exponent, line.line),
        line.counterparty or (line.details[0].counterparty if len(line.details) == 1 else ""),
        line.counterparty_account,
        tuple(references),
        line.text,
        line.bank_code,
        parts if len(parts) == len(line.details) and len(parts) > 1 else (),
        line.raw,
        identity,
    )


def minor_units(amount: Decimal, exponent: int, line: int) -> int:
    """An amount of the file, exactly. Raises LedgerError INVALID_ARGUMENT."""
    scaled = amount.scaleb(exponent)
    units = int(scaled)
    if units != scaled or abs(units) > MAX_MINOR_UNITS:
        raise LedgerError(
            Reason.INVALID_ARGUMENT,
            f"line {line}: {amount} can't be an amount of this currency, which has {exponent} decimals",
            {"field": "file", "line": str(line)},
        )
    return units


def _settled(line: Line, baseline: Baseline) -> LedgerError:
    until = baseline.until.isoformat()
    why = "is closed up to" if baseline.is_closing else "begins only after"
    advice = "reopen it" if baseline.is_closing else "start it at an earlier day"
    return LedgerError(
        Reason.RECONCILIATION_CLOSED,
        f"line {line.line} of the file was booked on {line.booking_date}, but the reconciliation {why} {until}; "
        f"{advice} first",
        {"date": until},
    )


def _mismatch(message: str) -> LedgerError:
    return LedgerError(Reason.STATEMENT_MISMATCH, f"file: {message}", {"field": "file"})
