"""How a CSV file writes dates and numbers, found by looking at all of them; what stays open is asked, never guessed."""

from __future__ import annotations

import re
from datetime import date

from ledger_service.domain.errors import LedgerError
from ledger_service.statements.csv_mapping import DECIMALS
from ledger_service.statements.refusal import refusal, shown
from ledger_service.statements.values import day

_DATE = re.compile(r"([0-9]{1,4})([./ -])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})(?:[T ,].{0,40})?", re.ASCII)
_COMPACT = re.compile(r"((?:19|20)[0-9]{2})([0-9]{2})([0-9]{2})", re.ASCII)
_WORDED = re.compile(r"([0-9]{1,2})?[ -]?([A-Za-z]{3})[a-z]{0,6}[ -]?([0-9]{1,2})?,?[ -]([0-9]{4})", re.ASCII)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], start=1
    )
}
_NOISE = re.compile(r"[\s'\u2019\u00a0\u202f]|[A-Z]{3}|[$€£¥]")
_MINUS = "-\u2212\u2013"


_NUMBER = re.compile(rf"[(+{_MINUS}]?[0-9][0-9.,]*[){_MINUS}]?", re.ASCII)


def looks_like_date(text: str) -> bool:
    """Whether it may be a date, in whatever order."""
    return any(pattern.fullmatch(text.strip()) for pattern in (_DATE, _COMPACT, _WORDED))


def looks_like_number(text: str) -> bool:
    """Whether it may be an amount, with whatever mark."""
    return _NUMBER.fullmatch(_NOISE.sub("", text)) is not None


class DateStyle:
    """Finds whether days or months come first."""

    def __init__(self, told: str | None) -> None:
        self._told = told
        self._seen: dict[str, int] = {}
        self._open = 0

    def look(self, text: str, line: int) -> None:
        """Take note of one date."""
        match = _DATE.fullmatch(text.strip())
        if self._told or match is None or len(match[1]) == 4:
            return
        if match[2] == ".":
            # With dots the day is first, in every country that writes them.
            self._seen.setdefault("dmy", line)
        elif len(match[4]) == 2:
            # The year may be first as well.
            self._open = self._open or line
        elif int(match[1]) > 12:
            self._seen.setdefault("dmy", line)
        elif int(match[3]) > 12:
            self._seen.setdefault("mdy", line)
        elif match[1].zfill(2) != match[3].zfill(2):
            self._open = self._open or line

    def settle(self) -> str:
        """The order of the file. Refuses one that is open throughout, or that changes."""
        if self._told:
            return self._told
        if len(self._seen) > 1:
            raise refusal(
                max(self._seen.values()),
                f"day and month are not in the order of line {min(self._seen.values())}; mend the file",
            )
        if self._open and not self._seen:
            raise refusal(
                self._open,
                "the dates may have the day or the month first; tell it in the mapping with date-order=dmy, mdy or ymd",
            )
        return next(iter(self._seen), "dmy")


def date_in(text: str, order: str, line: int) -> date:
    """A date in the file's order; four digits in front are always the year."""
    stripped = text.strip()
    if match := _DATE.fullmatch(stripped):
        first, second, third = match[1], match[3], match[4]
        if len(first) == 4 or order == "ymd":
            year, month, of_month = first, second, third
        elif order == "mdy":
            year, month, of_month = third, first, second
        else:
            year, month, of_month = third, second, first
        if len(year) not in {2, 4} or len(of_month) > 2:
            raise refusal(line, f"{shown(stripped)} is not a date in the order {order}")
        number = int(year)
        if len(year) == 2:
            number += 1900 if number >= 80 else 2000
        return day(number, int(month), int(of_month), line)
    if match := _COMPACT.fullmatch(stripped):
        return day(int(match[1]), int(match[2]), int(match[3]), line)
    match = _WORDED.fullmatch(stripped)
    if match is not None and (match[1] is None) != (match[3] is None) and match[2].lower() in _MONTHS:
        return day(int(match[4]), _MONTHS[match[2].lower()], int(match[1] or match[3]), line)
    raise refusal(
        line, f"{shown(stripped)} is not a date; if the column is another one, name it in the mapping with date="
    )


class NumberStyle:
    """Finds whether the point or the comma parts off the decimals."""

    def __init__(self, told: str | None) -> None:
        self._told = DECIMALS[told] if told else None
        self._seen: dict[str, int] = {}
        self._open = 0

    def look(self, text: str, line: int) -> None:
        """Take note of one number."""
        digits = _NOISE.sub("", text)
        last = max(digits.rfind(","), digits.rfind("."))
        if self._told or last < 0:
            return
        mark, other = digits[last], "," if digits[last] == "." else "."
        before = digits[:last].strip("()+" + _MINUS)
        after = len(digits[last + 1 :].rstrip(")" + _MINUS))
        if other in before or (mark not in before and (after != 3 or before.lstrip("0") == "" or len(before) > 3)):
            self._seen.setdefault(mark, line)
        elif mark in before:
            self._seen.setdefault(other, line)
        else:
            self._open = self._open or line

    def settle(self) -> str:
        """The decimal mark of the file. Refuses one that is open throughout, or that changes."""
        if self._told:
            return self._told
        if len(self._seen) > 1:
            raise refusal(
                max(self._seen.values()),
                f"the decimal mark is not that of line {min(self._seen.values())}; mend the file",
            )
        if self._open and not self._seen:
            raise refusal(
                self._open,
                "amounts may be thousands or have three decimals; tell it in the mapping with decimal=point or comma",
            )
        return next(iter(self._seen), ".")


def number_in(text: str, mark: str, line: int) -> str:
    """A number as digits with a point and a leading minus, from one in the file's style.

    A minus may stand behind, and brackets mean one; thousands may be parted, then in threes.
    """
    digits = _NOISE.sub("", text)
    negative = False
    if digits.startswith("(") and digits.endswith(")"):
        negative, digits = True, digits[1:-1]
    if digits[:1] and digits[0] in _MINUS + "+":
        negative, digits = negative or digits[0] != "+", digits[1:]
    elif digits[-1:] and digits[-1] in _MINUS:
        negative, digits = True, digits[:-1]
    whole, _, decimals = digits.partition(mark)
    thousands = "," if mark == "." else "."
    groups = whole.split(thousands)
    well_parted = len(groups) == 1 or (1 <= len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:]))
    plain = "".join(groups)
    if not well_parted or not (plain + decimals).isascii() or not (plain + decimals).isdigit():
        raise _no_number(text, mark, line)
    return ("-" if negative else "") + plain + ("." + decimals if decimals else "")


def _no_number(text: str, mark: str, line: int) -> LedgerError:
    style = "point" if mark == "." else "comma"
    return refusal(line, f"{shown(text.strip())} is not an amount with a decimal {style}, as others in the file are")
