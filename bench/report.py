"""What came out: a table for people, JSON for whoever compares runs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table
from rich.text import Text

from bench.cpu import Cpu
from bench.figures import Outcome
from bench.running import Options, Run
from bench.targets import Verdict

_STYLES = {
    Verdict.STRETCH: "bold green", Verdict.REACHED: "green", Verdict.MISSED: "bold red", Verdict.UNJUDGED: "dim",
}  # fmt: skip


def table(outcomes: Sequence[Outcome]) -> Table:
    """Targets with their verdicts. Verdicts are words, so that the colour is not needed."""
    found = Table(title="median of the ratio per round (lowest – highest)", title_justify="left")
    for heading in ("", "what", "ratio", "wanted", "stretch", "verdict"):
        found.add_column(heading, justify="right" if heading in {"wanted", "stretch"} else "left")
    for one in outcomes:
        wanted, stretch = one.target.limits()
        what = f"{one.target.what}, {one.note}" if one.note else one.target.what
        found.add_row(one.target.key, what, spread(one), wanted, stretch, _verdict(one))
    return found


def spread(outcome: Outcome) -> str:
    """The median, and how far the rounds lie apart."""
    return f"{outcome.median:.2f} ({min(outcome.ratios):.2f} – {max(outcome.ratios):.2f})"


def _verdict(outcome: Outcome) -> Text:
    word = str(outcome.verdict)
    if not outcome.is_clear:
        # The rounds contradict each other: measure again, longer or on a quieter machine.
        word += " (not in every round)"
    return Text(word, style=_STYLES[outcome.verdict])


def rates(runs: Sequence[Run]) -> Table:
    """What stands behind the ratios. These are of this machine and say little elsewhere."""
    found = Table(title="behind it: medians of the rounds, on this machine", title_justify="left")
    for heading in ("", "measured", *_FIGURES):
        found.add_column(heading, justify="left" if heading in {"", "measured"} else "right")
    for run in runs:
        for one in medians(run):
            found.add_row(run.key, one.label, *one.shown(), style="dim" if one.is_yardstick else "")
        found.add_section()
    return found


_FIGURES = ("per second", "p50", "p99", "µs: service + db + callers")


class Medians(NamedTuple):
    """Over the rounds, of one label."""

    label: str
    is_yardstick: bool
    rate: float | None
    p50: float
    p99: float
    cpu: Cpu | None

    def shown(self) -> tuple[str, str, str, str]:
        """As `_FIGURES` heads them."""
        return (
            "–" if self.rate is None else f"{self.rate:,.0f}",
            _milliseconds(self.p50),
            _milliseconds(self.p99),
            "–" if self.cpu is None else str(self.cpu),
        )


def medians(run: Run) -> list[Medians]:
    """For each label, in the order in which they were measured."""
    found = []
    for label, is_yardstick in dict.fromkeys((one.label, one.is_yardstick) for one in run.measurements):
        rounds = [one for one in run.measurements if one.label == label]
        rates = [one.rate for one in rounds if one.rate is not None]
        cpus = [one.cpu for one in rounds if one.cpu is not None]
        found.append(
            Medians(
                label,
                is_yardstick,
                statistics.median(rates) if rates else None,
                statistics.median(one.p50 for one in rounds),
                statistics.median(one.p99 for one in rounds),
                Cpu(*map(statistics.median, zip(*cpus, strict=True))) if cpus else None,
            )
        )
    return found


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.2f} ms"


def content(
    runs: Sequence[Run], options: Options, machine: dict[str, Any], settings: dict[str, str], when: str
) -> dict[str, Any]:
    """Everything, for the JSON file."""
    return {
        "time": when,
        "machine": machine,
        "database": settings,
        "state": {
            "rounds": options.rounds, "seconds": options.seconds, "workers": options.workers, "scale": options.scale,
            "checks": "all on, proved by verify", "commits": "durable" if is_durable(settings) else "NOT durable",
        },
        "scenarios": {
            run.key: {
                "facts": run.facts,
                "targets": {
                    one.target.key: {
                        "ratios": [round(ratio, 4) for ratio in one.ratios], "median": round(one.median, 4),
                        "wanted": one.target.wanted, "stretch": one.target.stretch, "verdict": str(one.verdict),
                        "note": one.note,
                    }
                    for one in run.outcomes()
                },
                "measurements": [asdict(one) for one in run.measurements],
            }
            for run in runs
        },
    }  # fmt: skip


def is_durable(settings: dict[str, str]) -> bool:
    """Whether an acknowledged commit survives a crash of the machine."""
    return all(settings[name] == "on" for name in ("fsync", "synchronous_commit", "full_page_writes"))


def markdown(runs: Sequence[Run]) -> str:
    """The two tables as docs/performance.md shows them."""
    lines = [
        "| | what | median (lowest – highest) | wanted | stretch | verdict |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for run in runs:
        for one in run.outcomes():
            wanted, stretch = one.target.limits()
            what = f"{one.target.what}, {one.note}" if one.note else one.target.what
            lines.append(f"| {one.target.key} | {what} | {spread(one)} | {wanted} | {stretch} | {_verdict(one)} |")
    lines += ["", f"| | measured | {' | '.join(_FIGURES)} |", "| --- | --- |" + " ---: |" * len(_FIGURES)]
    for run in runs:
        lines += [f"| {run.key} | {one.label} | {' | '.join(one.shown())} |" for one in medians(run)]
    return "\n".join(lines) + "\n"


def write(path: Path, found: dict[str, Any]) -> None:
    """As JSON; short numbers, or the slices would fill megabytes."""
    path.write_text(json.dumps(_rounded(found), indent=1) + "\n", "utf-8")


def _rounded(value: Any) -> Any:  # noqa: ANN401  # any JSON
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return value
