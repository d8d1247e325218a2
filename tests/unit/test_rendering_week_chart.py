"""The picture of the weeks: exact, bounded, inside its frame."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.application.reconciling.report import Week
from ledger_service.rendering.week_chart import (
    HEIGHT,
    MAX_BARS,
    WIDTH,
    Chart,
    axis_label,
    chart_of,
    nice_step,
)
from tests.helpers.reports import weeks

AMOUNTS = st.integers(0, 10**38) | st.integers(0, 300)
MONDAYS = st.integers(0, 3000).map(lambda number: date(1990, 1, 1) + timedelta(weeks=number))
WEEKS = st.lists(st.builds(Week, MONDAYS, AMOUNTS, AMOUNTS, AMOUNTS), min_size=1, max_size=80)


def made(some: list[Week] | tuple[Week, ...]) -> Chart:
    chart = chart_of(some, 2)
    assert chart is not None
    return chart


@given(WEEKS)
def test_nothing_is_lost_and_all_is_in_the_frame(some: list[Week]) -> None:
    chart = made(some)
    assert 1 <= len(chart.bars) <= MAX_BARS
    assert sum(bar.matched for bar in chart.bars) == sum(week.matched for week in some)
    assert sum(bar.open_lines for bar in chart.bars) == sum(week.open_lines for week in some)
    assert sum(bar.open_transactions for bar in chart.bars) == sum(week.open_transactions for week in some)
    assert chart.bars[0].monday == min(week.monday for week in some)
    assert chart.bars[-1].last_day >= max(week.monday for week in some)
    for panel in chart.panels:
        for box in panel.boxes:
            assert box.units > 0
            assert box.height >= 12, "what is there is seen"
            assert chart.left <= box.x < box.x + box.width <= chart.right
            # Where the least height was lent, a stack may pass the top by that much.
            assert panel.top - 12 <= box.y < box.y + box.height <= panel.base
        assert all(panel.top <= tick.at <= panel.base for tick in panel.ticks)
        assert max(len(tick.label) for tick in panel.ticks) <= 12
    assert all(0 < day.at < WIDTH for day in chart.days)
    assert max(panel.base for panel in chart.panels) < HEIGHT
    assert all(
        type(value) is int for panel in chart.panels for box in panel.boxes for value in (box.x, box.y, box.height)
    )


def test_heights_are_in_proportion() -> None:
    chart = made([Week(date(2026, 1, 5), 1_000, 0, 0), Week(date(2026, 1, 12), 500, 0, 0)])
    first, second = chart.panels[0].boxes
    assert first.height == 2 * second.height
    assert chart.panels[1].boxes == ()


def test_one_week_no_weeks_many_weeks() -> None:
    assert chart_of([], 2) is None
    (bar,) = made(weeks(1)).bars
    assert bar.weeks == 1
    assert {bar.weeks for bar in made(weeks(54)).bars} == {1}
    assert {bar.weeks for bar in made(weeks(55)).bars} == {2}
    assert len(made(weeks(2_000)).days) <= 10
    (nothing,) = made([Week(date(9999, 12, 27), 0, 0, 0)]).bars
    assert nothing.last_day == date.max


@pytest.mark.parametrize(
    ("units", "exponent", "label"),
    [
        (0, 2, "0"), (5, 2, "0.05"), (25_000, 2, "250"), (100_000, 2, "1k"), (150_000_000, 2, "1.5M"),
        (20_000_000_000_000, 2, "200bn"), (5 * 10**17, 2, "5×10¹⁵"), (15 * 10**36, 2, "1.5×10³⁵"),
        (1, 18, "1×10⁻¹⁸"), (2 * 10**18, 18, "2"), (500, 0, "500"), (1_000, 0, "1k"), (2_000, 3, "2"),
    ],
)  # fmt: skip
def test_labels_are_short_and_exact(units: int, exponent: int, label: str) -> None:
    assert axis_label(units, exponent) == label


@given(st.integers(1, 10**45))
def test_the_step_is_the_least_that_reaches(largest: int) -> None:
    step = nice_step(largest)
    assert 4 * step >= largest
    assert str(step).rstrip("0") in ("1", "2", "5")
    # Two fifths of a step is the next smaller one or less.
    assert step == 1 or 4 * (step * 2 // 5) < largest
