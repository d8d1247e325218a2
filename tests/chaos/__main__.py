"""`python -m tests.chaos`: rounds of faults until the time is over, then the table.

Exit code 0: every promise was kept, and every planned fault has happened.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from rich.console import Console

from tests.chaos.campaign import run_round
from tests.chaos.gates import Total, gates_of, table_of, write_json
from tests.chaos.plan import ROUND, ROUNDS, SHORT, SMALL, WHOLE, share_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_REPORT = Path(".cache/chaos.json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it, and give the exit code."""
    options = _options(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)
    total, failure = Total(), ""
    began = time.monotonic()
    plan = SMALL if options.small else SHORT if options.short else ROUND
    numbers = [options.round] if options.round is not None else range(1, 1_000_000)
    for number in numbers:
        seed = options.seed * 1_000 + number
        try:
            with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
                outcome = uvloop.run(run_round(Path(folder), plan, seed, options.sabotage))
        except Exception:  # noqa: BLE001  # a fault that did not happen, a part that did not come back
            failure = traceback.format_exc()
            break
        total.add(outcome)
        passed = time.monotonic() - began
        console.print(f"round {number}: seed {seed}, {outcome.seconds:.0f} s, {_summary(outcome.verdict.is_clean)}")
        # A red round is told at once, and the next ones would tell the same.
        failure = outcome.failure
        if failure or not outcome.verdict.is_clean or passed + outcome.seconds * 0.7 > options.minutes * 60:
            break
    wanted = plan if options.round is not None else share_of(WHOLE, min(1.0, total.rounds / ROUNDS))
    gates = gates_of(total, wanted)
    console.print(table_of(gates, total, f"{total.rounds} rounds in {time.monotonic() - began:.0f} s"))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    write_json(options.json, gates, total)
    if failure or not total.verdict.is_clean:
        console.print(failure or str(total.verdict), markup=False, highlight=False)
        again = "--small " if options.small else "--short " if options.short else ""
        console.print(f"again: python -m tests.chaos {again}--seed {options.seed} --round {number}", markup=False)
        return 1
    return 0 if all(gate.is_passed for gate in gates) else 1


def _summary(is_clean: bool) -> str:
    return "clean" if is_clean else "[red]RED[/]"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="no round is begun that would not end by then")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the run; each round has one of its own")
    parser.add_argument("--round", type=int, help="this round of the run alone: to repeat it")
    parser.add_argument("--short", action="store_true", help="one round as in `make test`")
    parser.add_argument("--small", action="store_true", help="one round that is smaller still")
    parser.add_argument("--sabotage", default="", help="SQL that breaks the fresh database: see tests.chaos.mutants")
    parser.add_argument("--json", type=Path, default=_REPORT, help=f"where the report goes (default: {_REPORT})")
    options = parser.parse_args(arguments)
    if (options.short or options.small) and options.round is None:
        options.round = 1
    return options


if __name__ == "__main__":
    # The library's threads would only warn that they are not forked with us.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    sys.exit(main())
