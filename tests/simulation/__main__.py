"""`python -m tests.simulation --schedules 500000`: many schedules, with progress, on all cores.

Exit code 0: nothing went wrong in any of them, and everything that can happen has happened.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from tests.simulation.running import BrokenScheduleError, run
from tests.simulation.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHUNK = 500
ENOUGH = 2_000
"""Schedules after which nothing of tally.EXPECTED may be missing."""


def run_many(first: int, schedules: int, processes: int, progress: Progress) -> Tally:
    """What the schedules from seed `first` have gone through. Raises BrokenScheduleError."""
    tally = Tally()
    bar = progress.add_task("schedules", total=schedules)
    with concurrent.futures.ProcessPoolExecutor(processes) as pool:
        end = first + schedules
        waiting = [pool.submit(run, range(start, min(start + _CHUNK, end))) for start in range(first, end, _CHUNK)]
        try:
            for done in concurrent.futures.as_completed(waiting):
                several = done.result()
                tally.add(several)
                progress.advance(bar, several.schedules)
        except BrokenScheduleError:
            pool.shutdown(cancel_futures=True)
            raise
    return tally


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it, and give the exit code."""
    options = _options(arguments)
    errors, out = Console(stderr=True), Console(width=None if sys.stdout.isatty() else 120)
    began, used = time.monotonic(), _cpu_seconds()
    try:
        with Progress(console=errors, disable=not sys.stderr.isatty()) as progress:
            tally = run_many(options.first, options.schedules, options.processes, progress)
    except BrokenScheduleError as error:
        errors.print(str(error), style="bold red", markup=False, highlight=False)
        return 1
    seconds, cpu = time.monotonic() - began, _cpu_seconds() - used
    out.print(
        tally.table(
            f"{tally.schedules:,} schedules, {tally.answers:,} answers checked, in {seconds:,.0f} s "
            f"({tally.schedules / cpu:,.0f} for a second of CPU)"
        )
    )
    missing = tally.missing() if tally.schedules >= ENOUGH else []
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(_report(tally, seconds, missing), indent=1) + "\n", "utf-8")
    if missing:
        errors.print(f"a poor run; never happened: {', '.join(missing)}", style="bold red", markup=False)
    return 1 if missing else 0


def _report(tally: Tally, seconds: float, missing: list[str]) -> dict[str, object]:
    """For programs: the table's figures."""
    return {
        "schedules": tally.schedules,
        "answers": tally.answers,
        "seconds": round(seconds, 1),
        "missing": missing,
        "happened": {f"{group}: {name}": times for (group, name), times in sorted(tally.happened.items())},
    }


def _cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--schedules", type=int, default=20_000, help="how many (default 20,000)")
    parser.add_argument("--first", type=int, default=0, help="the seed of the first one (default 0)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="default: one for each core")
    parser.add_argument("--json", type=Path, help="where the figures go as well")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
