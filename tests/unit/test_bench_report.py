"""The report of the benchmark: a table that says what it judged, complete JSON, a page that needs nothing else."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import picture, report
from bench.cpu import Cpu
from bench.figures import Calls
from bench.running import Options, Run

_SETTINGS = {
    "server_version": "18.0", "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
}  # fmt: skip
_MACHINE: dict[str, Any] = {
    "processor": "a <fast> one", "cores": 2, "memory_gib": 8.0, "idle": False, "busy_share": 0.4,
    "versions": {"python": "3.11"},
}  # fmt: skip
_PARTS: Any = None
"""What a run needs to measure, and a report does not."""


def _run(key: str, *ratios: float, scale: float = 1.0) -> Run:
    run = Run(key, Options(rounds=len(ratios), seconds=1.0, scale=scale), _PARTS, _PARTS, "", print, zero=0.0)
    for number, ratio in enumerate(ratios):
        # The first one warms up and must leave no trace.
        for run.round in (0, number + 1) if number == 0 else (number + 1,):
            calls = Calls(
                number * 2.0, number * 2.0 + 1, 1, [number * 2.0 + one / 10 for one in range(1, 11)], [0.1] * 10
            )
            run.record("ours", calls, cpu=Cpu(100e-6, (number + 1) * 50e-6, 2000e-6))
            run.record("yardstick & co", calls, is_yardstick=True)
            run.ratio(key, ratio if run.round else 99.0)
    return run


def _table(*runs: Run) -> str:
    out = io.StringIO()
    console = Console(file=out, width=160, color_system=None)
    console.print(report.table([outcome for run in runs for outcome in run.outcomes()]))
    console.print(report.rates(runs))
    return out.getvalue()


def _row(text: str, key: str) -> str:
    return next(line for line in text.splitlines() if re.search(rf"\b{key}\b", line))


def test_the_table_has_median_spread_limits_and_verdict() -> None:
    text = _table(_run("B1", 0.50, 0.60, 0.70), _run("L1", 1.5, 1.9, 1.8), _run("U1", 0.1, 0.2, 0.3))
    assert "0.60 (0.50 – 0.70)" in _row(text, "B1")
    assert "≥ 0.55" in _row(text, "B1")
    assert "reached (not in every round)" in _row(text, "B1")
    assert "stretch" in _row(text, "L1")
    assert "≤ 3" in _row(text, "L1")
    assert "missed" in _row(text, "U1")


def test_at_another_size_nothing_is_judged() -> None:
    row = _row(_table(_run("B1", 0.1, 0.9, scale=0.5)), "B1")
    assert "not judged" in row
    assert "every round" not in row


def test_reads_in_turns_have_no_rate() -> None:
    run = _run("R1.now", 1.0)
    run.round = 1
    run.record("alone", Calls(0.0, 1.0, 1, [1.0], [0.5]), has_rate=False)
    assert re.search(r"alone\s*│\s*–", _table(run))


def test_the_json_states_what_was_measured(tmp_path: Path) -> None:
    run = _run("B1", 0.5, 0.6)
    run.facts["verified"] = {"transactions": 3}
    path = tmp_path / "run.json"
    report.write(path, report.content([run], run.options, _MACHINE, _SETTINGS, "now"))
    found = json.loads(path.read_text())
    assert found["machine"]["cores"] == 2
    assert found["database"]["fsync"] == "on"
    assert found["state"]["commits"] == "durable"
    assert found["scenarios"]["B1"]["targets"]["B1"]["ratios"] == [0.5, 0.6]
    assert found["scenarios"]["B1"]["facts"]["verified"] == {"transactions": 3}
    measured = found["scenarios"]["B1"]["measurements"]
    assert [(one["label"], one["round"]) for one in measured] == [
        ("ours", 1), ("yardstick & co", 1), ("ours", 2), ("yardstick & co", 2),
    ]  # fmt: skip
    assert measured[0]["slices"]


def test_the_tables_for_the_documentation_say_the_same() -> None:
    lines = report.markdown([_run("B1", 0.5, 0.6, 0.7)]).splitlines()
    assert lines[2].startswith("| B1 | batches of 1,000, one entity ÷ raw COPY | 0.60 (0.50 – 0.70) | ≥ 0.55 |")
    assert lines[2].endswith("| reached (not in every round) |")
    assert lines[-2:] == [
        "| B1 | ours | 10 | 100.00 ms | 100.00 ms | 100 + 100 + 2,000 |",
        "| B1 | yardstick & co | 10 | 100.00 ms | 100.00 ms | – |",
    ]  # fmt: skip


def test_commits_that_are_not_durable_are_said_so() -> None:
    run = _run("B1", 0.5)
    found = report.content([run], run.options, _MACHINE, {**_SETTINGS, "synchronous_commit": "off"}, "now")
    assert found["state"]["commits"] == "NOT durable"


class _Tags(HTMLParser):
    """Fails where elements are not closed in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_from_outside() -> None:
    growing = _run("G1", 0.9)
    growing.facts["chunks"] = [
        {"up_to": number * 100, "rate": 50 + number, "busy_before": None, "resumed": number == 2}
        for number in range(1, 6)
    ]
    page = picture.page([_run("B1", 0.5, 0.6), growing], Options(), _MACHINE, _SETTINGS, "now")
    tags = _Tags()
    tags.feed(page)
    assert tags.open == []
    assert tags.seen.count("svg") == 5
    assert tags.seen.count("rect") == 5
    # Two measurements in each of two rounds, rate and latency each; one round more for G1.
    assert tags.seen.count("path") == 12
    assert "a &lt;fast&gt; one" in page
    assert "yardstick &amp; co" in page
    assert "40% busy before the start" in page
    assert not re.search(r"https?:|src=|@import|<script", page)


def test_axes_end_at_round_numbers() -> None:
    assert [picture.nice(value) for value in (0.7, 1.0, 1.2, 2.0, 3.4, 5.0, 7.1, 1_234)] == [
        1.0, 1.0, 2.0, 2.0, 5.0, 5.0, 10.0, 2_000,
    ]  # fmt: skip
