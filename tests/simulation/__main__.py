"""`python -m tests.simulation --schedules 500000`: many schedules, with progress, on all cores."""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import sys
import time
from collections import Counter

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.simulation.running import BrokenScheduleError, run

_CHUNK = 500


def _chunk(first: int, count: int) -> tuple[int, Counter[str]]:
    return run(range(first, first + count))


def main() -> int:
    """The exit status: 1 when a schedule went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--schedules", type=int, default=20_000, help="how many (default 20,000)")
    parser.add_argument("--first", type=int, default=0, help="the seed of the first one (default 0)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="default: one for each core")
    given = parser.parse_args()
    console = Console(stderr=True)
    seen: Counter[str] = Counter()
    checked, began = 0, time.monotonic()
    starts = range(given.first, given.first + given.schedules, _CHUNK)
    with (
        Progress(console=console, disable=not sys.stderr.isatty()) as progress,
        concurrent.futures.ProcessPoolExecutor(given.processes) as pool,
    ):
        bar = progress.add_task("schedules", total=given.schedules)
        waiting = {
            pool.submit(_chunk, start, min(_CHUNK, given.first + given.schedules - start)): start for start in starts
        }
        for done in concurrent.futures.as_completed(waiting):
            try:
                count, faults = done.result()
            except BrokenScheduleError as error:
                pool.shutdown(cancel_futures=True)
                console.print(str(error), style="bold red", markup=False, highlight=False)
                return 1
            checked += count
            seen.update(faults)
            progress.advance(bar, _CHUNK)
    seconds = time.monotonic() - began
    table = Table(
        title=f"{given.schedules:,} schedules, {checked:,} answers checked, {given.schedules / seconds:,.0f}/s"
    )
    table.add_column("what went wrong")
    table.add_column("times", justify="right")
    for name, times in sorted(seen.items()):
        table.add_row(name, f"{times:,}")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
