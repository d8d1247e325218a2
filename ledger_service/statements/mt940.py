"""SWIFT MT940 (statement) and MT942 (interim report)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import pairwise

from ledger_service.statements.gathering import Gathering
from ledger_service.statements.model import Balance, Line, Statement, StatementFile
from ledger_service.statements.mt940_text import Narrative, narrative
from ledger_service.statements.refusal import refusal, shown
from ledger_service.statements.swift import Field, messages
from ledger_service.statements.values import amount_of, currency_code, day, distinct, plain, short_day

_BALANCE = re.compile(r"([CD])([0-9]{6})([A-Z]{3})([0-9,]{1,40})", re.ASCII)
_BOOKING = re.compile(
    r"(?P<value>[0-9]{6})(?P<entry>[0-9]{4})?"
    # C and D, their reversals RC and RD, in an MT942 what is expected: EC and ED. Then the currency's third letter.
    r"(?P<mark>[RE]?[CD])[A-Z]?"
    r"(?P<amount>[0-9,]{1,40})"
    r"(?P<code>[A-Z][A-Z0-9 ]{3})?(?P<references>.*)",
    re.ASCII,
)
_TOTALS = re.compile(r"([0-9]{1,6})([A-Z]{3})([0-9,]{1,40})", re.ASCII)
# What ING writes under a statement: numbers and sums of debits and credits.
_ING_TOTALS = re.compile(r"D([0-9]{6})C([0-9]{6})D([0-9,]{1,40})C([0-9,]{1,40})", re.ASCII)
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}", re.ASCII)
_FLOOR = re.compile(r"([A-Z]{3})[CD]?[0-9,]{1,40}", re.ASCII)


@dataclass(slots=True)
class _Page:
    """One message: a statement, or a page of a longer one."""

    line: int
    account: str = ""
    number: str = ""
    sequence: int | None = None
    currency: str = ""
    opening: Balance | None = None
    closing: Balance | None = None
    continues: bool = False
    """Opens with an intermediate balance (60M): a page before it is expected."""
    unfinished: bool = False
    """Closes with an intermediate balance (62M): a page after it is expected."""
    interim: bool = False
    lines: list[Line] = field(default_factory=list)


def read_swift(text: str) -> StatementFile:
    """All statements of the file; the pages of one statement are one."""
    gathering = Gathering()
    pages: list[_Page] = []
    formats: set[str] = set()
    for fields in messages(text):
        page = _page(fields, gathering)
        formats.add("MT942" if page.interim else "MT940")
        if pages and not _follows(page, pages[-1]):
            gathering.add(_statement(pages, gathering))
            pages = []
        pages.append(page)
    if pages:
        gathering.add(_statement(pages, gathering))
    return gathering.file(" and ".join(sorted(formats)) or "MT940")


def _follows(page: _Page, before: _Page) -> bool:
    """Whether a page is the next of the same statement."""
    return (
        before.unfinished
        and page.continues
        and (page.account, page.number, page.currency) == (before.account, before.number, before.currency)
        and (page.sequence is None or before.sequence is None or page.sequence == before.sequence + 1)
    )


def _statement(pages: list[_Page], gathering: Gathering) -> Statement:
    for before, after in pairwise(pages):
        closing, opening = before.closing, after.opening
        if closing is not None and opening is not None and closing.amount != opening.amount:
            gathering.expect(opening.line, "the balance that a page begins with", opening.amount, closing.amount)
    first, last = pages[0], pages[-1]
    if first.continues:
        gathering.warn(
            first.line, "the statement begins with an intermediate balance (:60M:); its first page is missing"
        )
    if last.unfinished:
        gathering.warn(last.line, "the statement ends with an intermediate balance (:62M:); its last page is missing")
    lines = tuple(line for page in pages for line in page.lines)
    return Statement(first.line, first.account, first.currency, first.number, first.opening, last.closing, lines)


def _page(fields: list[Field], gathering: Gathering) -> _Page:
    page = _Page(fields[0].line)
    tags = {each.tag for each in fields}
    page.interim = not tags & {"60F", "60M", "62F", "62M"} and bool(tags & {"34F", "13", "13D", "90C", "90D"})
    skip = False
    for number, each in enumerate(fields):
        following = fields[number + 1] if number + 1 < len(fields) else None
        if skip:
            skip = False
        elif each.tag == "61":
            gathering.count_line(each.line)
            told = following if following is not None and following.tag == "86" else None
            skip = told is not None
            page.lines.append(_booking(each, told, page))
        elif each.tag == "86":
            _check_ing(each, page, gathering)
        else:
            _head(each, page, gathering)
    if not page.account:
        raise refusal(page.line, "a statement without an account (:25:)")
    if not page.interim and (page.opening is None or page.closing is None):
        missing = "opening balance (:60F:)" if page.opening is None else "closing balance (:62F:)"
        raise refusal(
            fields[-1].line, f"the statement of line {page.line} has no {missing}; the file is cut off or damaged"
        )
    return page


def _head(each: Field, page: _Page, gathering: Gathering) -> None:
    """A field that is not about one booking."""
    if each.tag in {"25", "25P"}:
        page.account = plain(each.first, each.line)
    elif each.tag in {"28", "28C"}:
        page.number, _, sequence = plain(each.first, each.line).partition("/")
        page.sequence = int(sequence) if sequence.isascii() and sequence.isdigit() and len(sequence) <= 9 else None
    elif each.tag in {"60F", "60M"}:
        if page.opening is not None:
            raise refusal(each.line, "a second opening balance in one statement")
        page.opening = _balance(each, page)
        page.continues = each.tag == "60M"
    elif each.tag in {"62F", "62M"}:
        if page.closing is not None:
            raise refusal(each.line, "a second closing balance in one statement")
        page.closing = _balance(each, page)
        page.unfinished = each.tag == "62M"
    elif each.tag == "34F" and (match := _FLOOR.fullmatch(each.first)):
        page.currency = currency_code(match.group(1), each.line)
    elif each.tag in {"90C", "90D"} and (match := _TOTALS.fullmatch(each.first)):
        amounts = [line.amount for line in page.lines if (line.amount > 0) == (each.tag == "90C")]
        _check_totals(each, match.group(1), match.group(3), amounts, page, gathering)


def _balance(each: Field, page: _Page) -> Balance:
    match = _BALANCE.fullmatch(each.first)
    if match is None:
        raise refusal(each.line, f':{each.tag}: {shown(each.first)} is not a balance such as "C260131EUR12,50"')
    mark, digits, currency, amount = match.groups()
    if page.currency not in {"", currency}:
        raise refusal(each.line, f"a balance in {currency} in a statement in {page.currency}")
    page.currency = currency
    value = _amount(amount, currency, each.line)
    return Balance(-value if mark == "D" and value else value, short_day(digits, each.line), each.line)


def _amount(text: str, currency: str, line: int) -> Decimal:
    return amount_of(text.replace(",", ".", 1), currency, line)


def _booking(each: Field, told: Field | None, page: _Page) -> Line:
    match = _BOOKING.fullmatch(each.first)
    if match is None:
        raise refusal(
            each.line, f':61: {shown(each.first)} is not a booking such as "2601310131C12,50NTRFREF//BANKREF"'
        )
    if page.closing is not None or (page.opening is None and not page.interim):
        raise refusal(each.line, "a booking that is not between an opening and a closing balance")
    if not page.currency:
        raise refusal(each.line, "a booking before any field that tells the currency (:34F:)")
    value = short_day(match["value"], each.line)
    amount = _amount(match["amount"], page.currency, each.line)
    # The reversal of a credit takes money away.
    if match["mark"] in {"D", "RC", "ED"} and amount:
        amount = -amount
    customer, _, bank = match["references"].partition("//")
    found = narrative(told.joined, told.line) if told is not None else Narrative()
    supplement = " ".join(row.strip() for row in each.rows[1:])
    code = (match["code"] or "").strip()
    return Line(
        line=each.line,
        booking_date=_entry_day(match["entry"], value, each.line) if match["entry"] else value,
        value_date=value,
        amount=amount,
        counterparty=found.counterparty,
        counterparty_account=found.account or (supplement if _IBAN.fullmatch(supplement) else ""),
        references=distinct([*found.references, customer, bank], each.line),
        text=found.text or plain(supplement, each.line),
        bank_code="/".join(part for part in (code, found.code) if part),
        raw=each.raw if told is None else f"{each.raw}\n{told.raw}",
        booked=not match["mark"].startswith("E"),
    )


def _entry_day(digits: str, value: date, line: int) -> date:
    """The booking day MMDD nearest to the value date: around New Year it is of the year before or after."""
    month, of_month = int(digits[:2]), int(digits[2:])
    years = [value.year] if abs(month - value.month) <= 6 else [value.year + (1 if month < value.month else -1)]
    return day(years[0], month, of_month, line)


def _check_ing(each: Field, page: _Page, gathering: Gathering) -> None:
    match = _ING_TOTALS.fullmatch(each.joined.strip())
    if match is None or not page.currency:
        return
    debits = [line.amount for line in page.lines if line.amount < 0]
    credits_ = [line.amount for line in page.lines if line.amount > 0]
    _check_totals(each, match.group(1), match.group(3), debits, page, gathering)
    _check_totals(each, match.group(2), match.group(4), credits_, page, gathering)


def _check_totals(
    each: Field, number: str, total: str, amounts: list[Decimal], page: _Page, gathering: Gathering
) -> None:
    """Hold a number and a sum, as the bank tells them, against bookings of one sign."""
    side = "debits" if amounts and amounts[0] < 0 else "credits" if amounts else "bookings of one side"
    gathering.expect(each.line, f"number of {side}", int(number), len(amounts))
    stated = _amount(total, page.currency, each.line)
    gathering.expect(each.line, f"sum of {side}", stated, abs(sum(amounts, Decimal(0))))
