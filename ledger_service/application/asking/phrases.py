"""Small pieces of English: amounts, counts, days and periods."""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from datetime import date

from ledger_service.application.asking import days
from ledger_service.application.asking.days import DAY, Span
from ledger_service.application.asking.plan import Period
from ledger_service.domain.money import format_minor_units

_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}


def amount(units: int, currency: str, exponents: Mapping[str, int]) -> str:
    """As in "$3,245.75", "-€5.00", "1,200 JPY"."""
    plain = format_minor_units(abs(units), exponents[currency])
    whole, point, decimals = plain.partition(".")
    text = f"{int(whole):,}{point}{decimals}"
    sign = "-" if units < 0 else ""
    return f"{sign}{_SIGNS[currency]}{text}" if currency in _SIGNS else f"{sign}{text} {currency}"


def decimal_amount(text: str, currency: str, exponents: Mapping[str, int]) -> str:
    """An amount of a plan, "500": "$500.00"; without a currency "500", since it is meant in each."""
    whole, _, decimals = text.partition(".")
    if not currency:
        return f"{int(whole):,}" + (f".{decimals}" if decimals else "")
    padded = decimals.ljust(exponents[currency], "0")
    shown = f"{int(whole):,}" + (f".{padded}" if padded else "")
    return f"{_SIGNS[currency]}{shown}" if currency in _SIGNS else f"{shown} {currency}"


def counted(count: int, noun: str) -> str:
    """As in "1 transaction", "1,204 transactions"."""
    return f"{count:,} {noun if count == 1 else noun + 's'}"


def joined(parts: Sequence[str], word: str = "and") -> str:
    """As in "a", "a and b", "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def ordinal(number: int) -> str:
    """As in "1st", "12th", "23rd"."""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def day(of: date, *, with_year: bool = True) -> str:
    """As in "May 10th, 2023"."""
    text = f"{calendar.month_name[of.month]} {ordinal(of.day)}"
    return f"{text}, {of.year}" if with_year else text


def span(of: Span) -> str:
    """A stretch of days without a word before it: "May 2023", "Q2 2023", "May 10th, 2023"."""
    match days.unit_of(of):
        case "day":
            return day(of.first)
        case "week":
            return f"the week of {day(of.first)}"
        case "month":
            return f"{calendar.month_name[of.first.month]} {of.first.year}"
        case "quarter":
            return f"Q{(of.first.month + 2) // 3} {of.first.year}"
        case "year":
            return str(of.first.year)
        case _:
            last = of.before - DAY
            return f"{day(of.first, with_year=of.first.year != last.year)} to {day(last)}"


def period(of: Period | None) -> str:
    """As in "in May 2023", "on May 10th, 2023", "since March 1st, 2023"; "" for all time."""
    if of is None or (of.first is None and of.before is None):
        return ""
    if of.first is None:
        assert of.before is not None
        return f"up to {day(of.before - DAY)}"
    if of.before is None:
        return f"from {day(of.first)} on"
    whole = Span(of.first, of.before)
    match days.unit_of(whole):
        case None:
            return f"from {span(whole)}"
        case "day":
            return f"on {span(whole)}"
        case _:
            return f"in {span(whole)}"


def capitalised(text: str) -> str:
    """With a capital first letter; the rest as it is."""
    return text[:1].upper() + text[1:]


def share(part: int, whole: int) -> str:
    """A difference in percent of what it is measured against, to one decimal, rounded half to even; "" of nothing."""
    if whole == 0:
        return ""
    tenths, rest = divmod(abs(part) * 1000, abs(whole))
    tenths += 2 * rest > abs(whole) or (2 * rest == abs(whole) and tenths % 2 == 1)
    return f"{tenths // 10:,}.{tenths % 10}%"
