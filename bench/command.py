"""`make bench`: starts everything itself, measures each scenario beside its yardstick, and judges the ratios.

Durable commits, all checks on, embedded PostgreSQL, client and server on the same machine. The rounds of a scenario and
of its yardstick take turns; what is judged is the median of the ratio per round. See docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from rich.console import Console

from bench import machine, picture, report
from bench.child import ROOT
from bench.driving import GENERATORS, driver
from bench.errors import BenchError
from bench.running import Options, Run
from bench.scenarios import EXTRA, SCENARIOS
from bench.targets import Verdict
from ledger_service.storage.embedded import EmbeddedPostgres

_LOOK_SECONDS = 1.0
_FREE_GIB = 20
_progress = Console(stderr=True)


def _options(arguments: list[str] | None = None) -> Options:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--only", default="", help="scenarios, with commas between: " + ",".join(SCENARIOS) + "; all by default, "
        f"except {', '.join(sorted(EXTRA))}"
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds, after one to warm up (default 5)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement in a round (default 4)")
    parser.add_argument("--workers", type=int, default=1, help="processes of the service, and of the echo (default 1)")
    parser.add_argument(
        "--scale", type=float, default=1.0,
        help="share of all sizes, above 0 up to 1: to try the bench itself; verdicts are for 1 alone",
    )  # fmt: skip
    parser.add_argument("--minutes", type=float, default=30.0, help="of V1, which watches the memory (default 30)")
    parser.add_argument(
        "--generator", choices=GENERATORS, default="auto", help="of single calls (default auto: ghz where there is one)"
    )  # fmt: skip
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("BENCH_DATA") or ROOT / ".cache" / "bench"),
        help="folder in which the large ledger is kept, some 13 GiB (default .cache/bench, or BENCH_DATA)",
    )  # fmt: skip
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="folder of what came out")
    given = parser.parse_args(arguments)
    only = tuple(one.strip().upper() for one in given.only.split(",") if one.strip())
    if unknown := [one for one in only if one not in SCENARIOS]:
        parser.error(f"no scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    if given.rounds < 1 or given.seconds <= 0 or given.workers < 1 or given.minutes <= 0 or not 0 < given.scale <= 1:
        parser.error("rounds and workers from 1, seconds and minutes above 0, scale above 0 up to 1")
    return Options(
        only,
        given.rounds,
        given.seconds,
        given.workers,
        given.scale,
        given.minutes,
        given.generator,
        given.data,
        given.results,
    )


def _say(text: str) -> None:
    _progress.print(text, highlight=False)


async def run(options: Options) -> int:
    """The exit status: 1 when a target was missed, 2 when there is no result to believe."""
    task = asyncio.current_task()
    assert task is not None
    # As Ctrl-C does: what was started is ended in order, and the large ledger goes on where it was.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    busy = await machine.busy_share(_LOOK_SECONDS)
    described = await machine.describe(busy)
    if not described["idle"]:
        _progress.print(
            f"[bold yellow]The machine is not idle: {busy:.0%} of its cores are taken. Ratios will scatter.[/]"
        )
    began = datetime.now(UTC)
    chosen = [one for one in SCENARIOS if (one in options.only if options.only else one not in EXTRA)]
    runs: list[Run] = []
    now = "the start"
    with tempfile.TemporaryDirectory(prefix="ledger-bench-", ignore_cleanup_errors=True) as folder:
        postgres = await EmbeddedPostgres.start(Path(folder) / "data", progress=lambda _: None)
        try:
            settings = await machine.database_settings(postgres.dsn)
            async with driver(options.generator) as drivers:
                for key in chosen:
                    now = key
                    one = Run(key, options, postgres, drivers, secrets.token_urlsafe(24), _say)
                    started = time.monotonic()
                    await SCENARIOS[key](one)
                    _say(f"{key}: done in {time.monotonic() - started:.0f} s")
                    runs.append(one)
        except BenchError as error:
            _progress.print(f"{now}: {error}", style="bold red", markup=False, highlight=False)
            return 2
        finally:
            await postgres.stop("immediate")
    when = began.isoformat(timespec="seconds")
    written = _write(runs, options, described, settings, began, when)
    outcomes = [outcome for one in runs for outcome in one.outcomes()]
    # Cut off at 80 columns by default where the output is a file.
    console = Console() if sys.stdout.isatty() else Console(width=150)
    if any(one.measurements for one in runs):
        console.print(report.rates(runs))
    console.print(report.table(outcomes))
    for one in runs:
        console.print(f"{one.key} verified: {one.facts.get('verified')}", highlight=False)
    console.print(f"{written}.json, .html, .md", highlight=False)
    return 1 if any(one.verdict is Verdict.MISSED for one in outcomes) else 0


def _write(
    runs: list[Run],
    options: Options,
    described: dict[str, object],
    settings: dict[str, str],
    began: datetime,
    when: str,
) -> Path:
    options.results.mkdir(parents=True, exist_ok=True)
    path = options.results / f"{began:%Y%m%dT%H%M%S}"
    report.write(path.with_suffix(".json"), report.content(runs, options, described, settings, when))
    path.with_suffix(".html").write_text(picture.page(runs, options, described, settings, when), "utf-8")
    path.with_suffix(".md").write_text(report.markdown(runs), "utf-8")
    return path


def main() -> int:
    """The command."""
    options = _options()
    options.data.mkdir(parents=True, exist_ok=True)
    if options.scale == 1 and shutil.disk_usage(options.data).free < _FREE_GIB << 30:
        _progress.print(f"less than {_FREE_GIB} GiB free in {options.data}: name another folder (DATA=)")
        return 2
    try:
        return uvloop.run(run(options))
    except (KeyboardInterrupt, asyncio.CancelledError):
        _say("stopped: there is no result; the large ledger goes on where it was")
        return 130
