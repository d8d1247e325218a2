"""Stretches of days as English says them: "May 2023", "last week", "Q2", "the 10th of May", "three months ago".

Own rules: dateparser reads "Q2 2023" as a day. Each form is a pattern and what it means, seen from today. A month, day
or quarter without a year is the latest that has begun, unless the other end of the same stretch names a year.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import date
from typing import NamedTuple

from ledger_service.application.asking import days
from ledger_service.application.asking.days import DAY, Span

_MONTHS = {
    name: number
    for number in range(1, 13)
    for name in (calendar.month_name[number].lower(), calendar.month_abbr[number].lower())
}
_MONTHS["sept"] = 9
_WEEKDAYS = {calendar.day_name[number].lower(): number for number in range(7)}
_ORDINALS = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4}
_NUMBERS = {
    word: number
    for number, word in enumerate(
        ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"), start=1
    )
} | {"a": 1, "an": 1, "couple of": 2}

MONTH = rf"(?:{'|'.join(sorted(_MONTHS, key=len, reverse=True))})\b\.?"
YEAR = r"(?:19|20|21)\d\d\b"
_UNIT = r"(?P<unit>day|week|month|quarter|year)"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
NUMBER = rf"(?:\d{{1,3}}|{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})"

MAX_BACK = 1200
"""Days, weeks, months, quarters or years that "the last 90 days" or "3 years ago" may count."""


class Ambiguous(ValueError):
    """It can be read in two ways; the message tells how to write it."""


class Found(NamedTuple):
    """A stretch of days as said: `of_year` gives the days, in a given year where it names none itself."""

    of_year: Callable[[int | None], Span]
    year: int | None
    end: int
    bare: bool = True
    """Whether it can be understood without "in" or "on" before it: "2023" alone can't."""


def number_of(word: str) -> int:
    """A count in digits or as a word."""
    return int(word) if word.isdigit() else _NUMBERS[word]


def _latest(make: Callable[[int], Span], today: date) -> Callable[[int | None], Span]:
    """In the year given, else in the latest year in which it has begun."""

    def of_year(year: int | None) -> Span:
        if year is not None:
            return make(year)
        span = make(today.year)
        return span if span.first <= today else make(today.year - 1)

    return of_year


def _dated(
    year: int | None, make: Callable[[int], Span], today: date
) -> tuple[Callable[[int | None], Span], int | None]:
    if year is not None:
        span = make(year)
        return (lambda _: span), year
    return _latest(make, today), None


def _one_day(year: int, month: int, number: int) -> Span:
    return days.day(date(year, month, number))


_Match = re.Match[str]
_Meaning = tuple[Callable[[int | None], Span], int | None]


def _month_of(match: _Match) -> int:
    return _MONTHS[match["month"].rstrip(".")]


def _year_of(match: _Match) -> int | None:
    return int(match["year"]) if match["year"] else None


def _iso(match: _Match, today: date) -> _Meaning:
    return _dated(int(match["year"]), lambda year: _one_day(year, int(match["m"]), int(match["day"])), today)


def _slashed(match: _Match, today: date) -> _Meaning:
    one, two = int(match["a"]), int(match["b"])
    if one <= 12 and two <= 12 and one != two:
        raise Ambiguous(f"{match.group()} can be read in two ways; write {match['year']}-05-31 for 31 May")
    month, number = (one, two) if one <= 12 else (two, one)
    return _dated(int(match["year"]), lambda year: _one_day(year, month, number), today)


def _month_day(match: _Match, today: date) -> _Meaning:
    return _dated(_year_of(match), lambda year: _one_day(year, _month_of(match), int(match["day"])), today)


def _month(match: _Match, today: date) -> _Meaning:
    return _dated(_year_of(match), lambda year: days.month(year, _month_of(match)), today)


def _spoken_month(match: _Match, today: date) -> _Meaning:
    """Last May is the latest that is over, this May lies in this year, next May is the first to come."""
    number = _month_of(match)
    span = days.month(today.year, number)
    if match["which"] == "last" and span.before > today:
        span = days.month(today.year - 1, number)
    elif match["which"] == "next" and span.first <= today:
        span = days.month(today.year + 1, number)
    return (lambda _: span), span.first.year


def _quarter(match: _Match, today: date) -> _Meaning:
    number = int(match["q"]) if match["q"].isdigit() else _ORDINALS[match["q"]]
    return _dated(_year_of(match), lambda year: days.quarter(year, number), today)


def _half(match: _Match, today: date) -> _Meaning:
    number = int(match["h"]) if match["h"].isdigit() else _ORDINALS[match["h"]]
    return _dated(_year_of(match), lambda year: days.half(year, number), today)


def _year(match: _Match, today: date) -> _Meaning:
    return _dated(int(match["year"]), days.year, today)


def _fixed(span: Span) -> _Meaning:
    return (lambda _: span), span.first.year


def _named_day(match: _Match, today: date) -> _Meaning:
    shift = {"today": 0, "yesterday": -1, "tomorrow": 1, "the day before yesterday": -2}
    return _fixed(days.day(today + shift[match["name"]] * DAY))


def _unit(match: _Match, today: date) -> _Meaning:
    shift = {"last": -1, "previous": -1, "past": -1, "prior": -1, "next": 1}.get(match["which"], 0)
    return _fixed(days.unit(match["unit"], today, shift))


def _to_date(match: _Match, today: date) -> _Meaning:
    return _fixed(Span(days.unit(match["unit"], today).first, today + DAY))


def _last_units(match: _Match, today: date) -> _Meaning:
    """The last 30 days end today; of longer units those that are over are counted, each a whole one."""
    count = number_of(match["count"])
    if not 1 <= count <= MAX_BACK:
        raise ValueError(f"{match.group()!r} is too long a time")
    if match["unit"] == "day":
        return _fixed(Span(today - (count - 1) * DAY, today + DAY))
    return _fixed(Span(days.unit(match["unit"], today, -count).first, days.unit(match["unit"], today).first))


def _ago(match: _Match, today: date) -> _Meaning:
    return _fixed(days.unit(match["unit"], today, -number_of(match["count"])))


def _before_last(match: _Match, today: date) -> _Meaning:
    return _fixed(days.unit(match["unit"], today, -2))


def _weekday(match: _Match, today: date) -> _Meaning:
    """The latest before today; "this Friday" the one of this week."""
    number = _WEEKDAYS[match["weekday"]]
    if match["which"] == "this":
        return _fixed(days.day(days.week(today).first + number * DAY))
    return _fixed(days.day(today - ((today.weekday() - number - 1) % 7 + 1) * DAY))


_OF_YEAR = rf"(?:,?\s*(?:of\s+)?(?P<year>{YEAR}))?"
_FORMS: tuple[tuple[re.Pattern[str], Callable[[_Match, date], _Meaning], bool], ...] = tuple(
    (re.compile(pattern), meaning, bare)
    for pattern, meaning, bare in (
        (rf"(?P<year>{YEAR[:-2]})-(?P<m>\d\d)-(?P<day>\d\d)\b", _iso, True),
        (rf"(?P<a>\d{{1,2}})[/.](?P<b>\d{{1,2}})[/.](?P<year>{YEAR})", _slashed, True),
        (rf"(?P<month>{MONTH})\s+(?:the\s+)?{_DAY}\b(?!\s*(?:%|percent)){_OF_YEAR}", _month_day, True),
        (rf"(?:the\s+)?{_DAY}\s+(?:of\s+)?(?P<month>{MONTH}){_OF_YEAR}", _month_day, True),
        (rf"(?P<which>last|this|next)\s+(?P<month>{MONTH})(?!\s*\d)", _spoken_month, True),
        (rf"(?P<month>{MONTH}){_OF_YEAR}", _month, True),
        (rf"(?:the\s+)?(?P<q>first|second|third|fourth|1st|2nd|3rd|4th)\s+quarter{_OF_YEAR}", _quarter, True),
        (rf"q(?P<q>[1-4])\b{_OF_YEAR}", _quarter, True),
        (rf"(?:the\s+)?(?P<h>first|second|1st|2nd)\s+half{_OF_YEAR}", _half, True),
        (rf"h(?P<h>[12])\b{_OF_YEAR}", _half, True),
        (rf"(?:the\s+)?{_UNIT}\s+before\s+last\b", _before_last, True),
        (r"(?P<name>today|yesterday|tomorrow|the day before yesterday)\b", _named_day, True),
        (rf"(?:the\s+)?(?:last|past|previous|prior)\s+(?P<count>{NUMBER})\s+{_UNIT}s?\b", _last_units, True),
        (rf"(?P<count>{NUMBER})\s+{_UNIT}s?\s+ago\b", _ago, True),
        (rf"(?:so\s+far\s+(?:in\s+)?)this\s+{_UNIT}\b", _to_date, True),
        (rf"this\s+{_UNIT}\s+(?:so\s+far|to\s+date)\b", _to_date, True),
        (rf"(?:the\s+)?{_UNIT}\s+to\s+date\b", _to_date, True),
        (rf"(?:the\s+)?(?P<which>last|past|previous|prior|this|current|next)\s+(?:calendar\s+)?{_UNIT}\b", _unit, True),
        (rf"(?:(?P<which>last|this)\s+)?(?P<weekday>{'|'.join(_WEEKDAYS)})\b", _weekday, True),
        (rf"(?P<year>{YEAR})(?![-/.]\d)", _year, False),
    )
)  # fmt: skip
_WEEK_OF = re.compile(r"(?:the\s+)?week\s+(?:of|from|beginning|starting)\s+(?:the\s+)?")
EDGE = re.compile(r"(?:the\s+)?(?P<edge>beginning|start|end)\s+of\s+(?:the\s+)?")
_THE_YEAR = re.compile(r"(?P<unit>week|month|quarter|year)\b")


def span_at(text: str, start: int, today: date) -> Found | None:
    """The stretch of days said at a place of the text, the longest reading.

    Raises Ambiguous for one that can be read in two ways, ValueError for one that does not exist ("May 32nd").
    """
    match = _WEEK_OF.match(text, start)
    if match is not None:
        inner = span_at(text, match.end(), today)
        return inner and inner._replace(of_year=lambda year: days.week(inner.of_year(year).first))
    match = EDGE.match(text, start)
    if match is not None:
        return _edge(text, match, today)
    for pattern, meaning, bare in _FORMS:
        match = pattern.match(text, start)
        if match is not None:
            of_year, year = meaning(match, today)
            of_year(year)  # a day that does not exist is noticed here
            return Found(of_year, year, match.end(), bare)
    return None


def _edge(text: str, edge: _Match, today: date) -> Found | None:
    """The beginning of a stretch is its first day, the end its last one."""
    inner = span_at(text, edge.end(), today)
    if inner is None:
        match = _THE_YEAR.match(text, edge.end())
        if match is None:
            return None
        span = days.unit(match["unit"], today)
        inner = Found(lambda _: span, span.first.year, match.end())
    return inner._replace(
        of_year=lambda year: _end_of(inner.of_year(year), first=edge["edge"] != "end"),
    )


def _end_of(span: Span, *, first: bool) -> Span:
    return days.day(span.first if first else span.before - DAY)
