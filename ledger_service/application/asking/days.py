"""Arithmetic of days, weeks, months, quarters and years; and the instants at which days begin in a time zone."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)

FIRST_YEAR, LAST_YEAR = 1900, 2199
"""Years that a question may speak of: four digits are a year only within them."""


class Span(NamedTuple):
    """Days from the first one on, before the other."""

    first: date
    before: date


def day(of: date) -> Span:
    """One day."""
    return Span(of, of + DAY)


def week(of: date) -> Span:
    """The week of a day: Monday to Sunday (ISO 8601)."""
    monday = of - timedelta(days=of.weekday())
    return Span(monday, monday + 7 * DAY)


def month(year: int, number: int) -> Span:
    """A month; `number` may lie beyond 1 to 12 and means months of other years then."""
    first = date(year + (number - 1) // 12, (number - 1) % 12 + 1, 1)
    return Span(first, date(first.year + first.month // 12, first.month % 12 + 1, 1))


def quarter(year: int, number: int) -> Span:
    """A quarter of the calendar year; `number` may lie beyond 1 to 4."""
    return Span(month(year, 3 * number - 2).first, month(year, 3 * number).before)


def half(year: int, number: int) -> Span:
    """A half of the calendar year."""
    return Span(month(year, 6 * number - 5).first, month(year, 6 * number).before)


def year(number: int) -> Span:
    """A calendar year."""
    return Span(date(number, 1, 1), date(number + 1, 1, 1))


def unit(name: str, of: date, shift: int = 0) -> Span:
    """The day, week, month, quarter or year that a day lies in, or one so many earlier or later."""
    match name:
        case "day":
            return day(of + shift * DAY)
        case "week":
            return week(of + shift * 7 * DAY)
        case "month":
            return month(of.year, of.month + shift)
        case "quarter":
            return quarter(of.year, (of.month - 1) // 3 + 1 + shift)
        case "year":
            return year(of.year + shift)
        case _:
            raise ValueError(f"{name!r} is no unit of time")


def unit_of(span: Span) -> str | None:
    """Which whole unit a span is, if any."""
    for name in ("day", "week", "month", "quarter", "year"):
        if unit(name, span.first) == span:
            return name
    return None


def before_it(span: Span) -> Span:
    """The same stretch of time right before: the month before a month, the 10 days before 10 days."""
    name = unit_of(span)
    if name is not None:
        return unit(name, span.first, -1)
    if span.first.day == 1 and span.before.day == 1:  # several whole months
        months = 12 * (span.before.year - span.first.year) + span.before.month - span.first.month
        return Span(month(span.first.year, span.first.month - months).first, span.first)
    return Span(span.first - (span.before - span.first), span.first)


def year_earlier(span: Span) -> Span:
    """The same days of the year before; 29 February becomes the 28th as a first day, 1 March as an end."""
    if unit_of(span) == "week":
        return Span(span.first - 52 * 7 * DAY, span.before - 52 * 7 * DAY)
    last = _in_year(span.before - DAY, span.first.year - 1 + (span.before - DAY).year - span.first.year)
    if (span.before - DAY).month == 2 and span.before.day == 1:
        last = date(last.year, 2, calendar.monthrange(last.year, 2)[1])
    return Span(_in_year(span.first, span.first.year - 1), last + DAY)


def _in_year(of: date, number: int) -> date:
    return of.replace(year=number, day=min(of.day, calendar.monthrange(number, of.month)[1]))


def start_of_day(of: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day in a time zone, in UTC, also where clocks leap over midnight or over the whole day."""
    instant = datetime(of.year, of.month, of.day, tzinfo=zone).astimezone(UTC)
    local = instant.astimezone(zone)
    if local.date() == of and (local.hour, local.minute, local.second) == (0, 0, 0):
        return instant
    # Midnight was skipped: the day begins, to the second, where local time passes over it.
    low, high = int(instant.timestamp()) - 2 * 86400, int(instant.timestamp()) + 2 * 86400
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).date() >= of:
            high = middle
        else:
            low = middle
    return datetime.fromtimestamp(high, UTC)
