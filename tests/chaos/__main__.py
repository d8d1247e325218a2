"""`python -m tests.chaos`: rounds of faults, then the table.

A whole run is of as many rounds as reach the gates, each in a process of its own, some side by side: a round waits much
of its time for something to come back. Exit code 0: every promise was kept, and every planned fault has happened.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from rich.console import Console

from tests.chaos.campaign import Outcome, run_round
from tests.chaos.gates import Total, gates_of, read_outcome, table_of, write_json
from tests.chaos.plan import ROUND, ROUNDS, SHORT, SMALL, WHOLE, share_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_REPORT = Path(".cache/chaos.json")
_LOGS = Path(".cache/chaos")
_SIDE_BY_SIDE = 2
_TOLD = 4_000
"""Characters of the output of a round that has left no report."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it, and give the exit code."""
    options = _options(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)
    plan = SMALL if options.small else SHORT if options.short else ROUND
    began = time.monotonic()
    total = Total()
    if options.round is not None:
        total.add(_round(options))
        wanted = plan
    else:
        uvloop.run(_Run(options, console, total).run())
        wanted = share_of(WHOLE, min(1.0, total.rounds / ROUNDS))
    gates = gates_of(total, wanted)
    console.print(table_of(gates, total, f"{total.rounds} rounds in {time.monotonic() - began:.0f} s"))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    write_json(options.json, gates, total)
    if total.red:
        console.print("\n".join([*total.failures, str(total.verdict)]), markup=False, highlight=False)
        size = "--small " if options.small else "--short " if options.short else ""
        for number in total.red:
            console.print(f"again: python -m tests.chaos {size}--seed {options.seed} --round {number}", markup=False)
        return 1
    return 0 if all(gate.is_passed for gate in gates) else 1


def _round(options: argparse.Namespace) -> Outcome:
    """One round, in this process."""
    plan = SMALL if options.small else SHORT if options.short else ROUND
    try:
        with tempfile.TemporaryDirectory(prefix="chaos-") as name:
            folder = Path(name)
            outcome = uvloop.run(run_round(folder, plan, options.seed, options.round, options.sabotage))
            if outcome.is_red:
                shutil.copytree(folder, options.logs / f"{options.seed}-{options.round}", dirs_exist_ok=True)
            return outcome
    except Exception:  # noqa: BLE001  # a part that did not come up
        return Outcome(options.round, failure=traceback.format_exc())


class _Run:
    """Many rounds, some at the same time."""

    def __init__(self, options: argparse.Namespace, console: Console, total: Total) -> None:
        self._options = options
        self._console = console
        self._total = total
        self._began = time.monotonic()
        self._started = 0

    async def run(self) -> None:
        """Until the gates are reached, or the time is over."""
        with tempfile.TemporaryDirectory(prefix="chaos-run-") as folder:
            async with asyncio.TaskGroup() as group:
                for _ in range(_SIDE_BY_SIDE):
                    group.create_task(self._one_after_the_other(Path(folder)))

    async def _one_after_the_other(self, folder: Path) -> None:
        while self._goes_on():
            self._started += 1
            number = self._started
            outcome = await self._in_a_process(folder / f"{number}.json", number)
            self._total.add(outcome)
            said = "[red]RED[/]" if outcome.is_red else "clean"
            passed = time.monotonic() - self._began
            self._console.print(f"{passed:5.0f} s: round {number}, {outcome.seconds:.0f} s: {said}")

    def _goes_on(self) -> bool:
        # A red round is told at once, and the next ones would tell the same.
        if self._total.red:
            return False
        if self._options.minutes is None:
            return self._started < ROUNDS
        usual = self._total.seconds / max(1, self._total.rounds)
        return time.monotonic() - self._began + usual * 0.7 < self._options.minutes * 60

    async def _in_a_process(self, report: Path, number: int) -> Outcome:
        options = self._options
        # Not through a pipe: a process that a round has left behind would hold its end.
        log = report.with_suffix(".log")
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.chaos", "--seed", str(options.seed), "--round", str(number)),
                *("--json", str(report), "--sabotage", options.sabotage, "--logs", str(options.logs)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
            )
        await process.wait()
        if not report.exists():
            return Outcome(number, failure=log.read_text(errors="replace")[-_TOLD:])
        return read_outcome(report, number)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, help="end by then, instead of when the gates are reached")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the run; each round has one of its own")
    parser.add_argument("--round", type=int, help="this round of the run alone: to repeat it")
    parser.add_argument("--short", action="store_true", help="one round as in `make test`")
    parser.add_argument("--small", action="store_true", help="one round that is smaller still")
    parser.add_argument("--sabotage", default="", help="SQL that breaks the fresh database: see tests.chaos.mutants")
    parser.add_argument("--json", type=Path, default=_REPORT, help=f"where the report goes (default: {_REPORT})")
    parser.add_argument("--logs", type=Path, default=_LOGS, help=f"where a red round's logs go (default: {_LOGS})")
    options = parser.parse_args(arguments)
    if (options.short or options.small) and options.round is None:
        options.round = 1
    return options


if __name__ == "__main__":
    # The library's threads would only warn that they are not forked with us.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    sys.exit(main())
