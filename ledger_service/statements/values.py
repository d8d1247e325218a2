"""Texts, amounts and dates as they are in bank files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal

from iso4217 import Currency

from ledger_service.statements.limits import MAX_DECIMALS, MAX_REFERENCES, MAX_ROWS, MAX_TEXT_CHARS, MAX_WHOLE_DIGITS
from ledger_service.statements.refusal import refusal, shown

EXPONENTS = {currency.code: currency.exponent or 0 for currency in Currency}
"""Decimals of each currency of ISO 4217."""

_CODE = re.compile(r"[A-Z]{3}", re.ASCII)
_NUMBER = re.compile(r"([+-]?)([0-9]{0,40})(?:[.]([0-9]{0,20}))?", re.ASCII)
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_ROW = re.compile(r"[^\n]*\n|[^\n]+")
_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", re.ASCII)


def rows(text: str) -> Iterator[str]:
    """The rows of a text one by one, with their ends: a list of ten million would be larger than the file."""
    for number, match in enumerate(_ROW.finditer(text), start=1):
        if number > MAX_ROWS:
            raise refusal(number, f"more than {MAX_ROWS:,} rows in one file; split it")
        yield match.group()


def plain(text: str, line: int) -> str:
    """Text for people: control characters and runs of blanks are one blank, none at either end."""
    tidy = _BLANKS.sub(" ", text).strip()
    if len(tidy) > MAX_TEXT_CHARS:
        raise refusal(line, f"a field has {len(tidy):,} characters, more than the {MAX_TEXT_CHARS:,} allowed")
    return tidy


def distinct(references: Iterable[str], line: int) -> tuple[str, ...]:
    """The references that say something, each once, in their order."""
    found = dict.fromkeys(
        reference
        for reference in (plain(text, line) for text in references)
        if reference and reference.upper() not in _SAYS_NOTHING
    )
    if len(found) > MAX_REFERENCES:
        raise refusal(line, f"{len(found):,} references in one line, more than the {MAX_REFERENCES} allowed")
    return tuple(found)


# Banks write these where there is no reference.
_SAYS_NOTHING = frozenset({"NONREF", "NOTPROVIDED", "NOT PROVIDED", "EREF", "EREF+", "KREF", "KREF+"})


def currency_code(text: str, line: int) -> str:
    """A currency's code of three capitals."""
    code = text.strip().upper()
    if _CODE.fullmatch(code) is None:
        raise refusal(line, f'{shown(text)} is not a currency code such as "EUR"')
    return code


def amount_of(text: str, currency: str, line: int) -> Decimal:
    """An exact amount from digits with at most one decimal point and an optional sign.

    It gets the decimals that its currency has; more of them, other than zeros, are refused.
    """
    match = _NUMBER.fullmatch(text)
    if match is None or not (match.group(2) or match.group(3)):
        raise refusal(line, f"{shown(text)} is not an amount")
    sign, whole, decimals = match.group(1), match.group(2).lstrip("0") or "0", match.group(3) or ""
    exponent = EXPONENTS.get(currency)
    if exponent is not None or len(decimals) > MAX_DECIMALS:
        decimals = decimals.rstrip("0")
    if len(whole) > MAX_WHOLE_DIGITS or len(decimals) > MAX_DECIMALS:
        raise refusal(
            line,
            f"{shown(text)} has more than {MAX_WHOLE_DIGITS} digits before or {MAX_DECIMALS} after the point",
        )
    if exponent is not None:
        if len(decimals) > exponent:
            raise refusal(line, f"{shown(text)} has more than the {exponent} decimals that {currency} has")
        decimals = decimals.ljust(exponent, "0")
    number = Decimal(f"{whole}.{decimals}" if decimals else whole)
    return -number if sign == "-" and number else number


def written(amount: Decimal) -> str:
    """An amount as plain decimal text."""
    return format(amount, "f")


def day(year: int, month: int, of_month: int, line: int) -> date:
    """A date that exists; years 1900 to 2199."""
    try:
        found = date(year, month, of_month)
    except ValueError:
        raise refusal(line, f"there is no day {year:04d}-{month:02d}-{of_month:02d}") from None
    if not 1900 <= year < 2200:
        raise refusal(line, f"the year {year} is not between 1900 and 2199")
    return found


def iso_day(text: str, line: int) -> date:
    """The date that an ISO 8601 date or time begins with."""
    match = _ISO_DATE.match(text.strip())
    if match is None:
        raise refusal(line, f'{shown(text)} is not a date such as "2026-01-31"')
    return day(int(match[1]), int(match[2]), int(match[3]), line)


def short_day(digits: str, line: int) -> date:
    """The date that YYMMDD means: 80 to 99 are of the last century."""
    if len(digits) != 6 or not (digits.isascii() and digits.isdigit()):
        raise refusal(line, f"{shown(digits)} is not a date written YYMMDD")
    year = int(digits[:2])
    return day(year + (1900 if year >= 80 else 2000), int(digits[2:4]), int(digits[4:]), line)
