"""Periods of questions: worked out by hand, and by property over dates and time zones."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.application.asking import days
from ledger_service.application.asking.days import DAY, Span
from ledger_service.application.asking.periods import PeriodError, take_periods
from ledger_service.application.asking.plan import Period
from ledger_service.application.asking.text import Question

DATES = st.dates(date(1950, 1, 1), date(2150, 12, 31))
ZONES = st.sampled_from(sorted(zoneinfo.available_timezones() - {"localtime", "Factory"}))
UNITS = st.sampled_from(["day", "week", "month", "quarter", "year"])


def said(text: str, today: date) -> str:
    """What a text says, as first..before."""
    question = Question(text)
    found = take_periods(question, today)
    assert not question.left(), (text, question.rest)
    assert found.main is not None
    return f"{found.main.first or ''}..{found.main.before or ''}"


@pytest.mark.parametrize(
    ("text", "today", "expected"),
    [
        ("last month", "2024-03-31", "2024-02-01..2024-03-01"),
        ("this month", "2024-02-29", "2024-02-01..2024-03-01"),
        ("last month", "2024-01-15", "2023-12-01..2024-01-01"),
        ("last quarter", "2024-01-15", "2023-10-01..2024-01-01"),
        ("last week", "2024-01-01", "2023-12-25..2024-01-01"),
        ("this week", "2024-12-31", "2024-12-30..2025-01-06"),
        ("yesterday", "2024-03-01", "2024-02-29..2024-03-01"),
        ("last year", "2024-02-29", "2023-01-01..2024-01-01"),
        ("the last 30 days", "2024-03-01", "2024-02-01..2024-03-02"),
        ("last 12 months", "2024-03-31", "2023-03-01..2024-03-01"),
        ("past two weeks", "2023-06-14", "2023-05-29..2023-06-12"),
        ("a month ago", "2024-03-31", "2024-02-01..2024-03-01"),
        ("the month before last", "2024-01-10", "2023-11-01..2023-12-01"),
        ("in February", "2024-01-31", "2023-02-01..2023-03-01"),
        ("in February", "2024-02-01", "2024-02-01..2024-03-01"),
        ("Q1", "2024-01-01", "2024-01-01..2024-04-01"),
        ("Q4", "2024-01-01", "2023-10-01..2024-01-01"),
        ("Q2 2023", "2026-01-01", "2023-04-01..2023-07-01"),
        ("the second quarter of 2023", "2026-01-01", "2023-04-01..2023-07-01"),
        ("H2 2022", "2026-01-01", "2022-07-01..2023-01-01"),
        ("on February 29, 2024", "2026-01-01", "2024-02-29..2024-03-01"),
        ("on the 3rd of May", "2023-05-02", "2022-05-03..2022-05-04"),
        ("1 May 2023", "2026-01-01", "2023-05-01..2023-05-02"),
        ("2023-05-01", "2026-01-01", "2023-05-01..2023-05-02"),
        ("5/13/2023", "2026-01-01", "2023-05-13..2023-05-14"),
        ("13/5/2023", "2026-01-01", "2023-05-13..2023-05-14"),
        ("5/5/2023", "2026-01-01", "2023-05-05..2023-05-06"),
        ("since January", "2023-06-14", "2023-01-01..2023-06-15"),
        ("since last December", "2023-06-14", "2022-12-01..2023-06-15"),
        ("from March 2023 onwards", "2023-06-14", "2023-03-01..2023-06-15"),
        ("from March to May 2022", "2023-06-14", "2022-03-01..2022-06-01"),
        ("from November to February 2023", "2023-06-14", "2022-11-01..2023-03-01"),
        ("between May 1 and May 15, 2023", "2026-01-01", "2023-05-01..2023-05-16"),
        ("between 2022 and 2023", "2026-01-01", "2022-01-01..2024-01-01"),
        ("May - July 2022", "2023-06-14", "2022-05-01..2022-08-01"),
        ("from 2023-05-01 to today", "2023-06-14", "2023-05-01..2023-06-15"),
        ("before May 2023", "2026-01-01", "..2023-05-01"),
        ("until May 2023", "2026-01-01", "..2023-06-01"),
        ("after May 3, 2023", "2026-01-01", "2023-05-04.."),
        ("year to date", "2023-06-14", "2023-01-01..2023-06-15"),
        ("so far this quarter", "2023-06-14", "2023-04-01..2023-06-15"),
        ("in the week of May 10", "2023-06-14", "2023-05-08..2023-05-15"),
        ("on Monday", "2023-06-14", "2023-06-12..2023-06-13"),
        ("last Wednesday", "2023-06-14", "2023-06-07..2023-06-08"),
        ("last May", "2023-05-31", "2022-05-01..2022-06-01"),
        ("last May", "2023-06-01", "2023-05-01..2023-06-01"),
        ("next month", "2023-12-14", "2024-01-01..2024-02-01"),
        ("at the end of April 2023", "2026-01-01", "2023-04-30..2023-05-01"),
    ],
)
def test_periods_worked_out_by_hand(text: str, today: str, expected: str) -> None:
    assert said(text, date.fromisoformat(today)) == expected


@pytest.mark.parametrize(
    "text", ["5/6/2023", "February 30", "29 February 2023", "from May 2023 to April 2023", "2023-13-01"]
)
def test_what_can_be_read_in_two_ways_or_does_not_exist(text: str) -> None:
    with pytest.raises(PeriodError):
        take_periods(Question(f"on {text}" if text[0].isdigit() else text), date(2023, 6, 14))


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("in May 2023 than in April 2023", "2023-04-01..2023-05-01"),
        ("in May 2023 than the month before", "2023-04-01..2023-05-01"),
        ("in May 2023 than the same month last year", "2022-05-01..2022-06-01"),
        ("in March 2024 than the previous period", "2024-02-01..2024-03-01"),
        ("in February 2024 than the year before", "2023-02-01..2023-03-01"),
        ("from 2023-05-03 to 2023-05-05 than the period before", "2023-04-30..2023-05-03"),
        ("in the first half of 2023 than the period before", "2022-07-01..2023-01-01"),
        ("than last year", "2022-01-01..2023-01-01"),
    ],
)
def test_periods_to_compare_with(text: str, other: str) -> None:
    found = take_periods(Question(text), date(2023, 6, 14)).other
    assert found is not None
    assert f"{found.first or ''}..{found.before or ''}" == other


@given(DATES, UNITS)
def test_units_tile_the_calendar(of: date, name: str) -> None:
    """Each day lies in exactly one; the one before ends where it begins."""
    span = days.unit(name, of)
    assert span.first <= of < span.before
    assert days.unit(name, span.before - DAY) == span
    assert days.unit(name, of, -1).before == span.first
    assert days.unit(name, of, 1).first == span.before
    assert days.unit_of(span) == name
    assert days.before_it(span) == days.unit(name, of, -1)


@given(DATES, st.integers(1, 400))
def test_what_came_before_has_the_same_length_and_ends_there(first: date, length: int) -> None:
    span = Span(first, first + length * DAY)
    earlier = days.before_it(span)
    assert earlier.before == span.first
    if days.unit_of(span) is None and not first.day == span.before.day == 1:
        assert earlier.before - earlier.first == length * DAY


@given(DATES)
def test_a_month_or_year_a_year_earlier_is_that_month_or_year(of: date) -> None:
    for name, back in (("month", 12), ("quarter", 4), ("year", 1)):
        assert days.year_earlier(days.unit(name, of)) == days.unit(name, of, -back)
    earlier = days.year_earlier(days.day(of))
    assert (earlier.first.year, earlier.first.month) == (of.year - 1, of.month)
    assert earlier.before == earlier.first + DAY


@given(DATES, ZONES)
def test_days_begin_at_their_first_instant(of: date, zone_name: str) -> None:
    """The instant lies in the day (or, where the day was skipped, later) and the second before does not."""
    zone = zoneinfo.ZoneInfo(zone_name)
    start = days.start_of_day(of, zone)
    assert start.tzinfo is UTC
    assert start.astimezone(zone).date() >= of
    before = (start - timedelta(seconds=1)).astimezone(zone)
    assert before.date() < of or (before.date(), before.fold) == (of, 0)
    assert days.start_of_day(of + DAY, zone) >= start


@pytest.mark.parametrize(
    ("of", "zone", "expected"),
    [
        (date(2023, 3, 12), "America/New_York", datetime(2023, 3, 12, 5, tzinfo=UTC)),
        (date(2023, 3, 13), "America/New_York", datetime(2023, 3, 13, 4, tzinfo=UTC)),
        (date(2018, 11, 4), "America/Sao_Paulo", datetime(2018, 11, 4, 3, tzinfo=UTC)),  # midnight was skipped
        (date(1919, 3, 31), "America/Toronto", datetime(1919, 3, 31, 4, 30, tzinfo=UTC)),  # 23:30 to 00:30
        (date(2011, 12, 30), "Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),  # the whole day was
        (date(2023, 10, 29), "Europe/Prague", datetime(2023, 10, 28, 22, tzinfo=UTC)),
    ],
)
def test_days_that_clocks_cut(of: date, zone: str, expected: datetime) -> None:
    assert days.start_of_day(of, zoneinfo.ZoneInfo(zone)) == expected


@given(DATES, st.integers(1, 99), st.sampled_from(["day", "week", "month", "quarter", "year"]))
def test_the_last_so_many(today: date, count: int, name: str) -> None:
    found = take_periods(Question(f"in the last {count} {name}s"), today).main
    assert found is not None
    assert found.first is not None
    assert found.before is not None
    if name == "day":
        assert (found.before - found.first).days == count
        assert found.before == today + DAY
    else:
        assert found.before == days.unit(name, today).first
        assert found.first == days.unit(name, today, -count).first


@given(DATES, DATES)
def test_dates_are_read_back(one: date, two: date) -> None:
    first, last = sorted((one, two))
    text = f"between {first.isoformat()} and {last:%B} {last.day}, {last.year}"
    assert take_periods(Question(text), one).main == Period(first, last + DAY, text)


@given(st.text("0123456789/-. aefhijlmnoqrstuwy", max_size=60), DATES)
def test_no_text_breaks_it(text: str, today: date) -> None:
    try:
        found = take_periods(Question(text), today)
    except PeriodError:
        return
    for period in (found.main, found.other):
        if period is not None and period.first is not None and period.before is not None:
            assert period.first < period.before
