"""Which days a question is about, and with which others it compares."""

from __future__ import annotations

import re
from datetime import date
from typing import NamedTuple

from ledger_service.application.asking import days
from ledger_service.application.asking.days import DAY, Span
from ledger_service.application.asking.plan import Period
from ledger_service.application.asking.spans import EDGE, Ambiguous, Found, span_at
from ledger_service.application.asking.text import PERIOD, Question


class Periods(NamedTuple):
    """The days asked about, and those to compare with."""

    main: Period | None
    other: Period | None
    plural: bool = False
    """More stretches of days than a plan can hold."""


class PeriodError(ValueError):
    """A stretch of days that can't be read; the message says what to do."""


class _Said(NamedTuple):
    start: int
    end: int
    period: Period
    compared: bool
    joined: bool


_THAN = r"(?P<than>than(?:\s+it\s+was)?|vs\.?|versus|against|compared?\s+(?:to|with)|relative\s+to)"
_LEAD = re.compile(
    rf"(?:(?:{_THAN}|(?P<join>and|with|to))\s+)?"
    r"(?:(?P<link>since|starting\s+(?:on|in|from)|starting|beginning\s+(?:on|in)|from|between|before|prior\s+to|until|till|"
    r"through|up\s+(?:to|until)|by|after|at|in|on|during|for|of|over|within|throughout|as\s+of)\s+)?"
    r"(?:(?P<all>all\s+of|the\s+whole\s+of)\s+)?(?:the\s+(?:month|year)\s+(?:of\s+|(?=\d)))?"
)
_TO = re.compile(r"\s*(?:(?:and|to|until|till|through|up\s+to)\s+|-\s*)(?:in\s+|on\s+|the\s+end\s+of\s+)?")
_EARLIER = re.compile(
    rf"(?:{_THAN}\s+)?(?:in\s+|for\s+|during\s+)?the\s+(?:"
    r"(?P<unit>day|week|month|quarter|year|period)\s+before(?!\s+last)(?:\s+(?:that|it))?|(?:one|period)\s+before(?:\s+(?:that|it))?|"
    r"(?:previous|preceding|prior)\s+(?P<prior>day|week|month|quarter|year|period|one)|"
    r"same\s+(?P<same>day|week|month|quarter|period|time|dates?)\s+(?:of\s+|in\s+)?(?:the\s+)?"
    r"(?:last|previous|prior)\s+year)\b"
)
_ALWAYS = re.compile(
    r"\b(?:ever|of\s+all\s+time|all[\s-]time|in\s+total\s+so\s+far|so\s+far|to\s+date|until\s+now|up\s+to\s+now)\b"
)
_COMPARES = re.compile(r"\b(?:compar\w+|vs\.?|versus)\b")
_MODAL_MAY = re.compile(r"\bmay\s+(?:i|we|you)\b")
_ONWARDS = re.compile(r"\s+(?:onwards?|on|forward)\b")
_NOW = re.compile(r"(?:today|now)\b")
_EACH = re.compile(r"\b(?:every|each|any)\s+$")
_PREVIOUS = re.compile(r"\b(?:previous|prior|preceding)\b")
_OPEN_STARTS = frozenset(
    {"since", "starting", "starting on", "starting in", "starting from", "beginning on", "beginning in"}
)
_OPEN_ENDS = frozenset({"until", "till", "through", "up to", "up until", "by", "as of"})
_EDGE_LINKS = _OPEN_STARTS | _OPEN_ENDS | {"before", "prior to", "after", "on", "from"}
"""Before "the beginning of May" or "the end of May" they mean its first or last day."""


def take_periods(question: Question, today: date) -> Periods:
    """Strike out all that is said of time. Raises PeriodError for what can't be read."""
    if _MODAL_MAY.match(question.rest):
        question.take(_MODAL_MAY)
    comparing = question.has(_COMPARES)
    # First, since "the same month last year" would be read as last year.
    seen_from_main = question.take(_EARLIER, PERIOD)
    said: list[_Said] = []
    place = 0
    try:
        while place < len(question.rest):
            at = _at(question, place, today, comparing=comparing and bool(said))
            if at is None:
                place += 1
                continue
            question.strike(at.start, at.end, PERIOD)
            said.append(at)
            place = at.end
    except Ambiguous as error:
        raise PeriodError(str(error)) from error
    except (ValueError, OverflowError) as error:
        raise PeriodError("one of its dates does not exist") from error
    mains = [one for one in said if not one.compared]
    others = [one for one in said if one.compared]
    if len(mains) > 1 or len(others) > 1:
        return Periods(None, None, plural=True)
    main, other = (mains[0].period if mains else None), (others[0].period if others else None)
    main, other = _with_years(question, mains, others, today, main, other)
    if seen_from_main is not None:
        if other is not None or main is None or main.first is None or main.before is None:
            return Periods(None, None, plural=True)
        other = _earlier(question, seen_from_main, Span(main.first, main.before))
    if main is not None and other is not None:
        _check_compared(main, other, today, seen_from_main=seen_from_main is not None)
    if main is None and other is None:
        question.take(_ALWAYS, PERIOD)
    return Periods(_present(other, today) if main is None and other is not None else main, other)


def _check_compared(main: Period, other: Period, today: date, *, seen_from_main: bool) -> None:
    """Raises PeriodError for two that no comparison can be made of."""
    if (other.before is None or main.first is None or main.first < other.before) and (
        main.before is None or other.first is None or other.first < main.before
    ):
        raise PeriodError("the two periods that it compares overlap")
    now = main.first is not None and main.before is not None and main.first <= today < main.before
    if not now and not seen_from_main and _PREVIOUS.search(other.said.lower()):
        # "In March … than in the previous three months": before March, or before now?
        raise PeriodError(f"{other.said!r} can be counted from two days; name the period")


def _at(question: Question, place: int, today: date, *, comparing: bool) -> _Said | None:
    """A stretch of days that is said at this place, with the words that lead to it."""
    text = question.rest
    if place and text[place - 1].isalnum():
        return None
    lead = _LEAD.match(text, place)
    assert lead is not None
    # "May 2023 and April 2023", "Q1 with Q4": another stretch to compare with, if comparing is what is asked.
    if lead["join"] is not None and not comparing:
        return None
    begin = lead.end()
    found = span_at(text, begin, today)
    if found is None or (not found.bare and not lead["link"] and not lead["than"] and lead["join"] is None):
        return None
    if _EACH.search(text[:begin]):
        # Each Monday and each May are many stretches of days, not the latest one.
        raise Ambiguous(f"{question.said(begin, found.end)!r} has come more than once; name one, or two dates")
    link = re.sub(r"\s+", " ", lead["link"]) if lead["link"] else ""
    if link in {"from", "between"}:
        ranged = _range(text, found, today)
        if ranged is None and link == "between":
            return None
        if ranged is not None:
            span, end = ranged
            return _said(question, place, lead, begin, end, Period(span.first, span.before))
        onwards = _ONWARDS.match(text, found.end)
        if onwards is not None:
            found, link = found._replace(end=onwards.end()), "since"
    edge = EDGE.match(text, begin)
    if edge is not None and link not in _EDGE_LINKS and (link, edge["edge"]) != ("at", "end"):
        # "At the beginning of May" may be a day or a week.
        raise Ambiguous(f"{question.said(begin, found.end)!r} may be one day or several; name the days")
    if not link:
        ranged = _dashed(text, found, today)
        if ranged is not None:
            return _said(question, place, lead, begin, ranged[1], Period(*ranged[0]))
    span = found.of_year(found.year)
    return _said(question, place, lead, begin, found.end, _linked(link, span, today))


def _said(question: Question, place: int, lead: re.Match[str], begin: int, end: int, period: Period) -> _Said:
    start = lead.start("link") if lead["link"] else begin
    said = Period(period.first, period.before, question.said(start, end))
    return _Said(place, end, said, lead["than"] is not None or lead["join"] is not None, lead["join"] is not None)


def _linked(link: str, span: Span, today: date) -> Period:
    if link in _OPEN_STARTS:
        return Period(span.first, max(today + DAY, span.before))
    if link in {"before", "prior to"}:
        return Period(None, span.first)
    if link in _OPEN_ENDS:
        return Period(None, span.before)
    if link == "after":
        return Period(span.before, None)
    return Period(span.first, span.before)


def _range(text: str, found: Found, today: date) -> tuple[Span, int] | None:
    """From one stretch to the end of another; a year that only one names is the other's as well."""
    to = _TO.match(text, found.end)
    if to is None:
        return None
    other = span_at(text, to.end(), today)
    if other is None:
        now = _NOW.match(text, to.end())
        if now is None:
            return None
        return Span(found.of_year(found.year).first, today + DAY), now.end()
    last = other.of_year(other.year if other.year is not None else found.year)
    first = found.of_year(found.year if found.year is not None else other.year)
    if found.year is None and first.first > last.first:
        first = found.of_year(last.first.year - 1)
    if first.first >= last.before:
        raise Ambiguous("the period ends before it begins; name its years")
    return Span(first.first, last.before), other.end


def _dashed(text: str, found: Found, today: date) -> tuple[Span, int] | None:
    """As in "May - July 2023", without "from"."""
    to = re.compile(r"\s*(?:-|to\s|through\s)\s*").match(text, found.end)
    return _range(text, found, today) if to is not None else None


def _with_years(
    question: Question, mains: list[_Said], others: list[_Said], today: date, main: Period | None, other: Period | None
) -> tuple[Period | None, Period | None]:
    """As in "in May than in April 2022": a year that only the one compared with names is meant for both."""
    if main is None or other is None or main.first is None or other.first is None:
        return main, other
    lead = _LEAD.match(question.plain, mains[0].start)
    compared = _LEAD.match(question.plain, others[0].start)
    if lead is None or compared is None:
        return main, other
    one, two = span_at(question.plain, lead.end(), today), span_at(question.plain, compared.end(), today)
    if one is not None and two is not None and one.year is None and two.year is not None and one.end == mains[0].end:
        span = one.of_year(two.year)
        return Period(span.first, span.before, main.said), other
    return main, other


def _earlier(question: Question, match: re.Match[str], main: Span) -> Period:
    """As in "than the month before", "the same month last year": seen from the days asked about."""
    by_a_year = match["same"] or match["unit"] == "year"
    span = days.year_earlier(main) if by_a_year else days.before_it(main)
    return Period(span.first, span.before, question.said(match.start(), match.end()).removeprefix("than ").strip())


def _present(other: Period, today: date) -> Period | None:
    """As in "more than last month" without more: this month is held against it."""
    if other.first is None or other.before is None:
        return None
    name = days.unit_of(Span(other.first, other.before))
    if name is None:
        return None
    now = days.unit(name, today)
    return Period(now.first, now.before, f"this {name}") if days.unit(name, today, -1).first == other.first else None
