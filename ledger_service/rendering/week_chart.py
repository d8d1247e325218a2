"""The picture of matched and open amounts per week: where each bar and label goes, in whole numbers.

Coordinates are tenths of a pixel, so that integers are fine enough; amounts are up to 38 digits and more, and a float
would draw, and label, something else. The drawing itself is `templates/week_chart.svg`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from ledger_service.application.reconciling.report import Week
from ledger_service.domain.money import format_minor_units

MAX_BARS = 54
"""A year of weeks has room on a page; when there are more, one bar stands for several weeks."""

WIDTH, HEIGHT = 7200, 3320
_LEFT, _RIGHT = 760, 6900
_MATCHED_TOP, _MATCHED_BASE = 560, 1640
_OPEN_TOP, _OPEN_BASE = 2080, 2980
_WIDEST_BAR = 420
_LEAST_HEIGHT = 12
_TICKS = 4
_DAY_LABELS = 9
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SUFFIXES = ("", "k", "M", "bn", "tn")
_LONGEST_LABEL = 8


@dataclass(frozen=True, slots=True)
class Bar:
    """Several weeks in a row, or one, as one bar; amounts in minor units."""

    monday: date
    weeks: int
    matched: int
    open_lines: int
    open_transactions: int

    @property
    def last_day(self) -> date:
        """The Sunday with which the bar's last week ends."""
        return date.fromordinal(min(self.monday.toordinal() + 7 * self.weeks - 1, date.max.toordinal()))


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a bar: `kind` is "matched", "lines" or "transactions"."""

    kind: str
    x: int
    y: int
    width: int
    height: int
    bar: Bar
    units: int


@dataclass(frozen=True, slots=True)
class Tick:
    """A label beside its axis."""

    at: int
    label: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the two charts above each other; each has a scale of its own, because little is open where all is well."""

    title: str
    top: int
    base: int
    ticks: tuple[Tick, ...]
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """All that the drawing needs."""

    bars: tuple[Bar, ...]
    weeks_a_bar: int
    panels: tuple[Panel, ...]
    days: tuple[Tick, ...]
    left: int = _LEFT
    right: int = _RIGHT
    width: int = WIDTH
    height: int = HEIGHT


def chart_of(weeks: Sequence[Week], exponent: int) -> Chart | None:
    """The picture of `weeks`, in any order and with gaps; None if there are none."""
    bars = _bars(weeks)
    if not bars:
        return None
    panels = (
        _panel("Matched", bars, exponent, ("matched",), (_MATCHED_TOP, _MATCHED_BASE)),
        _panel("Open (a scale of its own)", bars, exponent, ("transactions", "lines"), (_OPEN_TOP, _OPEN_BASE)),
    )
    every = -(-len(bars) // _DAY_LABELS)
    days = tuple(
        Tick(_middle(place, len(bars)), bars[place].monday.isoformat()) for place in range(0, len(bars), every)
    )
    return Chart(bars, bars[0].weeks, panels, days)


def _bars(weeks: Sequence[Week]) -> tuple[Bar, ...]:
    """As many weeks a bar as it takes to have no more than MAX_BARS; weeks in which nothing was are shown as such."""
    if not weeks:
        return ()
    first = min(week.monday for week in weeks)
    span = (max(week.monday for week in weeks) - first).days // 7 + 1
    together = -(-span // MAX_BARS)
    sums = [[0, 0, 0] for _ in range(-(-span // together))]
    for week in weeks:
        one = sums[(week.monday - first).days // 7 // together]
        one[0] += abs(week.matched)
        one[1] += abs(week.open_lines)
        one[2] += abs(week.open_transactions)
    return tuple(
        Bar(first + timedelta(weeks=place * together), together, *amounts) for place, amounts in enumerate(sums)
    )


def _panel(title: str, bars: Sequence[Bar], exponent: int, kinds: tuple[str, ...], edges: tuple[int, int]) -> Panel:
    top, base = edges
    step = nice_step(max(sum(_units(bar, kind) for kind in kinds) for bar in bars))
    full = step * _TICKS
    ticks = tuple(
        Tick(base - (base - top) * number // _TICKS, axis_label(step * number, exponent))
        for number in range(_TICKS + 1 if step else 1)
    )
    boxes: list[Box] = []
    width = min(_WIDEST_BAR, (_RIGHT - _LEFT) // len(bars) * 7 // 10)
    for place, bar in enumerate(bars):
        y = base
        for kind in kinds:
            units = _units(bar, kind)
            if not units:
                continue
            # A minor unit beside a fortune is still there: it must be seen.
            height = max(_LEAST_HEIGHT, (base - top) * units // full)
            y -= height
            boxes.append(Box(kind, _middle(place, len(bars)) - width // 2, y, width, height, bar, units))
    return Panel(title, top, base, ticks, tuple(boxes))


def _units(bar: Bar, kind: str) -> int:
    return {"matched": bar.matched, "lines": bar.open_lines, "transactions": bar.open_transactions}[kind]


def _middle(place: int, count: int) -> int:
    """The middle of a bar's room."""
    return _LEFT + (_RIGHT - _LEFT) * (2 * place + 1) // (2 * count)


def nice_step(largest: int) -> int:
    """The least of 1, 2 and 5 times a power of ten, of which _TICKS reach `largest`; 0 for 0."""
    if largest <= 0:
        return 0
    power = 1
    while True:
        for factor in (1, 2, 5):
            if power * factor * _TICKS >= largest:
                return power * factor
        power *= 10


def axis_label(units: int, exponent: int) -> str:
    """A round amount, exact and short: "250", "1.5M", "2×10¹⁸"."""
    if units == 0:
        return "0"
    steps = max(0, (len(str(units)) - 1 - exponent) // 3)
    if steps < len(_SUFFIXES):
        text = _stripped(format_minor_units(units, exponent + 3 * steps))
        if len(text) <= _LONGEST_LABEL:
            return text + _SUFFIXES[steps]
    digits = str(units)
    mantissa = _stripped(f"{digits[0]}.{digits[1:]}")
    return f"{mantissa}×10{str(len(digits) - 1 - exponent).translate(_SUPERSCRIPTS)}"


def _stripped(decimal: str) -> str:
    """Without zeros at the end of its decimals."""
    return decimal.rstrip("0").rstrip(".") if "." in decimal else decimal
