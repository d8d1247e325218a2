"""The picture of a run: one page without anything from outside, throughput and latency over time for each scenario."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from bench.figures import Slice
from bench.report import medians, spread
from bench.running import Measurement, Options, Run

_WIDTH, _HEIGHT = 880, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 22, 24
_COLOURS = ("#0b63c5", "#c2410c", "#15803d", "#7e22ce", "#be123c", "#0f766e", "#a16207", "#4338ca", "#475569")
_TICKS = 4

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --quiet: #5d6878; --line: #d9dee6; --paper: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaf0; --quiet: #9aa6b6; --line: #333c49; --paper: #14181f; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 920px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .25rem .7rem .25rem 0;
  border-bottom: 1px solid var(--line); } td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
th { color: var(--quiet); font-weight: 500; } p, figcaption { color: var(--quiet); margin: .3rem 0; }
.stretch { color: #15803d; font-weight: 700; } .reached { color: #15803d; }
.missed { color: #dc2626; font-weight: 700; } .unclear { color: var(--quiet); }
figure { margin: .6rem 0; overflow-x: auto; } svg { max-width: 100%; height: auto; display: block; }
svg text { font: 12px system-ui, sans-serif; fill: var(--quiet); } svg .axis { stroke: var(--line); }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0; margin: .3rem 0; list-style: none; }
.key i { display: inline-block; width: 1.4rem; height: 0; border-top: 3px solid; vertical-align: .25rem;
  margin-right: .4rem; }
"""


def page(runs: Sequence[Run], options: Options, machine: dict[str, Any], settings: dict[str, str], when: str) -> str:
    """The whole page as HTML."""
    idle = "idle before the start" if machine["idle"] else f"{machine['busy_share']:.0%} busy before the start"
    sizes = "" if options.scale == 1 else f"; sizes at {options.scale:g} of the targets', so nothing is judged"
    chosen = f"{options.rounds} rounds of {options.seconds:g} s, {options.workers} process(es) of the service{sizes}"
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    head = (
        f"<h1>ledger-service benchmark</h1><p>{escape(when)} · {escape(machine['processor'])},"
        f" {machine['cores']} cores, {machine['memory_gib']} GiB · {idle}</p><p>{escape(versions)}, PostgreSQL"
        f" {escape(settings['server_version'])}; synchronous_commit {escape(settings['synchronous_commit'])}, fsync"
        f" {escape(settings['fsync'])}; all checks on; client, server and database share the cores</p>"
        f"<p>{escape(chosen)}</p>"
    )
    body = "".join(_scenario(run) for run in runs)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>ledger-service benchmark {escape(when)}</title><style>{_STYLE}</style>"
        f"{head}{_targets(runs)}{body}</html>\n"
    )


def _targets(runs: Sequence[Run]) -> str:
    rows = []
    for run in runs:
        for one in run.outcomes():
            wanted, stretch = one.target.limits()
            unclear = "" if one.is_clear else ' <span class="unclear">not in every round</span>'
            note = f", {one.note}" if one.note else ""
            rows.append(
                f"<tr><td>{escape(one.target.key)}</td><td>{escape(one.target.what + note)}</td>"
                f'<td class="number">{spread(one)}</td><td class="number">{wanted}</td>'
                f'<td class="number">{stretch}</td>'
                f'<td><span class="{str(one.verdict).replace(" ", "-")}">{one.verdict}</span>{unclear}</td></tr>'
            )
    return (
        "<table><tr><th></th><th>ratio</th><th>median (lowest – highest)</th><th>wanted</th><th>stretch</th>"
        f"<th>verdict</th></tr>{''.join(rows)}</table>"
    )


def _scenario(run: Run) -> str:
    title = " · ".join(dict.fromkeys(one.target.what for one in run.outcomes()))
    lines = [f"<h2>{escape(run.key)}</h2><p>{escape(title)}</p>"]
    for label, stated in run.facts.get("loads", {}).items():
        words = ", ".join(f"{name} {value}" for name, value in stated.items())
        lines.append(f"<p>{escape(label)}: {escape(words)}</p>")
    colours = {row[0]: _COLOURS[number % len(_COLOURS)] for number, row in enumerate(medians(run))}
    if run.measurements:
        key = "".join(
            f'<li><i style="border-color:{colour};border-top-style:{_style(run, label)}"></i>{escape(label)}</li>'
            for label, colour in colours.items()
        )
        lines.append(f'<ul class="key">{key}</ul>')
        if any(one.rate is not None for one in run.measurements):
            lines.append(_chart("throughput, per second", run, colours, lambda one: one.rate, None))
        lines.append(
            _chart(
                "latency in ms: p50, and p99 as the band's edge", run, colours, lambda one: one.p50, lambda one: one.p99
            )
        )
    if "chunks" in run.facts:
        lines.append(_growth(run.facts["chunks"]))
    return "".join(lines)


def _style(run: Run, label: str) -> str:
    return "dashed" if any(one.is_yardstick for one in run.measurements if one.label == label) else "solid"


@dataclass(frozen=True, slots=True)
class _Axes:
    """From values to places."""

    x_most: float
    y_most: float

    def x(self, value: float) -> float:
        return _LEFT + value / self.x_most * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - min(value, self.y_most) / self.y_most * (_HEIGHT - _TOP - _BOTTOM)

    def draw(self, x_unit: str) -> str:
        parts = []
        for number in range(_TICKS + 1):
            value = self.y_most * number / _TICKS
            y = self.y(value)
            parts.append(
                f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
                f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_short(value)}</text>'
            )
        step = nice(self.x_most / 8)
        for number in range(int(self.x_most / step) + 1):
            x = self.x(number * step)
            parts.append(
                f'<text x="{x:.1f}" y="{_HEIGHT - 6}" text-anchor="middle">{_short(number * step)}{x_unit}</text>'
            )
        return "".join(parts)


def nice(value: float) -> float:
    """The least 1, 2 or 5 times a power of ten that is not smaller; for positive values."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value * (1 - 1e-9))


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.3g}"


def _chart(
    title: str,
    run: Run,
    colours: dict[str, str],
    line: Callable[[Slice], float | None],
    edge: Callable[[Slice], float | None] | None,
) -> str:
    factor = 1000 if edge else 1
    shown = edge or line
    all_slices = [one for measurement in run.measurements for one in measurement.slices]
    values = sorted(value * factor for one in all_slices if (value := shown(one)) is not None)
    if not values or values[-1] <= 0:
        return ""
    # A single slow call must not press everything else to the ground; what is above is cut off.
    most = min(values[-1], values[int(len(values) * 0.98)] * 2) if edge else values[-1]
    axes = _Axes(max(one.start + one.seconds for one in all_slices), nice(most / _TICKS) * _TICKS)
    drawn = []
    for measurement in run.measurements:
        colour = colours[measurement.label]
        if edge:
            drawn.append(_band(measurement, axes, colour, line, edge))
        drawn.append(_line(measurement, axes, colour, line, factor))
    return _figure(title, axes.draw(" s") + "".join(drawn))


def _figure(title: str, drawn: str) -> str:
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img"'
        f' aria-label="{escape(title)}"><text x="{_LEFT}" y="14">{escape(title)}</text>{drawn}</svg></figure>'
    )


def _line(one: Measurement, axes: _Axes, colour: str, value_of: Callable[[Slice], float | None], factor: int) -> str:
    places = [
        (axes.x(each.start), axes.x(each.start + each.seconds), axes.y(value * factor))
        for each in one.slices
        if (value := value_of(each)) is not None
    ]
    # Steps, because a slice is a mean over its time; nothing where nothing was answered.
    steps, end = [], -1.0
    for left, right, y in places:
        steps.append(f"{'L' if left - end < 1 else 'M'}{left:.1f},{y:.1f} L{right:.1f},{y:.1f}")
        end = right
    dashed = ' stroke-dasharray="5 3"' if one.is_yardstick else ""
    return f'<path d="{" ".join(steps)}" fill="none" stroke="{colour}" stroke-width="1.8"{dashed}/>'


def _band(
    one: Measurement, axes: _Axes, colour: str, low: Callable[[Slice], float | None],
    high: Callable[[Slice], float | None],
) -> str:  # fmt: skip
    above, below = [], []
    for each in one.slices:
        bottom, top = low(each), high(each)
        if bottom is None or top is None:
            continue
        left, right = axes.x(each.start), axes.x(each.start + each.seconds)
        above += [f"{left:.1f},{axes.y(top * 1000):.1f}", f"{right:.1f},{axes.y(top * 1000):.1f}"]
        below += [f"{left:.1f},{axes.y(bottom * 1000):.1f}", f"{right:.1f},{axes.y(bottom * 1000):.1f}"]
    points = " ".join(above + [place for pair in _backwards(below) for place in pair])
    return f'<polygon points="{points}" fill="{colour}" fill-opacity=".16"/>'


def _backwards(places: list[str]) -> list[tuple[str, str]]:
    return [(places[number + 1], places[number]) for number in range(len(places) - 2, -1, -2)]


def _growth(chunks: Sequence[dict[str, Any]]) -> str:
    last = chunks[-1]["up_to"]
    width = last / len(chunks)
    axes = _Axes(float(last), nice(max(one["rate"] for one in chunks) / _TICKS) * _TICKS)
    bars = "".join(
        f'<rect x="{axes.x(one["up_to"] - width) + 1:.1f}" y="{axes.y(one["rate"]):.1f}"'
        f' width="{axes.x(width) - axes.x(0) - 2:.1f}" height="{axes.y(0) - axes.y(one["rate"]):.1f}"'
        f' fill="{_COLOURS[0]}" fill-opacity="{0.3 if one["resumed"] else 0.85}">'
        f"<title>{one['rate']:,}/s</title></rect>"
        for one in chunks
    )
    return _figure("transactions a second while the ledger grew; pale: cut off and resumed", axes.draw("") + bars)
