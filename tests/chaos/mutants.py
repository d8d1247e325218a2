"""The proof that the harness bites: break the code on purpose, one thing at a time, and see a gate turn red.

`python -m tests.chaos.mutants` does it in copies of the tree. A mutant is found by the exact text that it replaces; if
that text is gone, the mutant counts as not noticed: then somebody has to say how the same is broken in the new code.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
_COPIED = ("ledger_service", "clients", "tests", "protos", "pyproject.toml")
_LONGEST_SECONDS = 400.0
_ERROR = re.compile(r"[A-Za-z.]*(Error|Exception|Refused)\b.*:")


@dataclass(frozen=True)
class Change:
    """In a file, some text for another, wherever it stands."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """One thing that is broken: in the code, in the database, or both."""

    name: str
    changes: Sequence[Change] = ()
    sabotage: str = ""
    seed: int = 1


_SESSION = "ledger_service/storage/write_session.py"
_LANE = "ledger_service/application/lane.py"
_COMMITTER = "ledger_service/application/committer.py"

NO_LOCK = (
    Change(_SESSION, "SELECT pg_advisory_lock(", "SELECT int4larger("),
    Change(_SESSION, "pg_try_advisory_lock($1::int4, w.entity_no)", "int4larger($1::int4, w.entity_no) > 0"),
)
NO_CHAIN = """
ALTER TABLE ledger.entries DROP CONSTRAINT entries_chain;
CREATE INDEX entries_chain ON ledger.entries (entity_no, account_no, currency, number);
ALTER TABLE ledger.entries_inlet DISABLE TRIGGER check_entries;
"""

MUTANTS = (
    Mutant("no lock", NO_LOCK),
    Mutant("no unique chain, no check of it", sabotage=NO_CHAIN),
    Mutant(
        # Each caller has a future of its own; what a shield would keep off is kept off by this look.
        "a cancelled caller's future is set all the same (no shield)",
        (
            Change(
                _COMMITTER,
                "        if not submission.future.done():\n            submission.future.set_result(outcomes)",
                "        submission.future.set_result(outcomes)",
            ),
        ),
    ),
    Mutant(
        "look-up without lock after a cut COMMIT",
        (
            Change(
                _SESSION,
                'f"SELECT pg_advisory_lock({_LOCK_SPACE}, {entity_no:d})"',
                '"SELECT 1"',
            ),
        ),
    ),
    Mutant(
        "keys forgotten after a second",
        (
            Change(
                "ledger_service/storage/queries/committer.sql",
                "v.idempotency_key = k.key LIMIT 1",
                "v.idempotency_key = k.key AND v.recorded_time > clock_timestamp() - interval '1 second' LIMIT 1",
            ),
        ),
        "DROP INDEX ledger.events_by_key; CREATE INDEX events_by_key ON ledger.events (entity_no, idempotency_key)"
        " WHERE idempotency_key IS NOT NULL",
    ),
    Mutant(
        "tenant predicate dropped",
        (
            Change(
                "ledger_service/application/access.py",
                "return self.entity_ids is None or entity_id in self.entity_ids",
                "return True",
            ),
        ),
    ),
    Mutant(
        "poison item not isolated",
        (
            Change(
                _LANE,
                "        if len(batch) > 1:\n            parts: list[Batch]",
                '        if batch:\n            return self._give_up(batch, self._internal("write_failed"))\n'
                "        if len(batch) > 1:\n            parts: list[Batch]",
            ),
        ),
    ),
    Mutant(
        "a bank's file that is here is not recognised",
        (
            Change(
                "ledger_service/application/reconciling/bringing.py",
                "before = await self._store.revision_of_file(book, upload.sha256)",
                "before = None",
            ),
        ),
    ),
    Mutant(
        "synchronous_commit = off",
        (Change("ledger_service/storage/database.py", '"synchronous_commit": "on"', '"synchronous_commit": "off"'),),
    ),
)


@dataclass(frozen=True)
class Bite:
    """What became of one mutant."""

    mutant: Mutant
    red: Sequence[str]
    """Gates that it failed, with their counts."""
    failure: str
    """The last line of a run that did not come to its table."""

    @property
    def is_noticed(self) -> bool:
        """Whether a gate turned red."""
        return bool(self.red)


def bite(mutant: Mutant) -> Bite:
    """Break a copy, and run the gates on it."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        copy = Path(name)
        for each in _COPIED:
            source = ROOT / each
            if source.is_dir():
                shutil.copytree(source, copy / each, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy / each)
        for change in mutant.changes:
            file = copy / change.file
            text = file.read_text(encoding="utf-8")
            if change.old not in text:
                return Bite(mutant, [], f"{change.file} has no {change.old!r} any more: say how it is broken now")
            file.write_text(text.replace(change.old, change.new), encoding="utf-8")
        return _run(copy, mutant)


def _run(copy: Path, mutant: Mutant) -> Bite:
    report = copy / "report.json"
    paths = os.pathsep.join([str(copy), str(copy / "clients" / "python")])
    command = [sys.executable, "-m", "tests.chaos", "--small", "--seed", str(mutant.seed), "--json", str(report)]
    process = subprocess.Popen(
        [*command, "--sabotage", mutant.sabotage],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        output, _ = process.communicate(timeout=_LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        # As Ctrl-C does: what it has started must not outlive it.
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate()
    if not report.exists():
        return Bite(mutant, [], _failure_in(output) or output[-200:])
    found = json.loads(report.read_text(encoding="utf-8"))
    examples = {breach: texts[0][:150] for breach, texts in found["examples"].items()}
    red = [
        f"{gate['gate']}: {gate['reached']} ({examples.get(gate['gate'], '')})"
        for gate in found["gates"]
        if gate["reached"] and not gate["wanted"]
    ]
    return Bite(mutant, red, _failure_in(output))


def _failure_in(output: str) -> str:
    """What the run itself says of why it did not go to its end: the innermost error of a traceback; mostly empty."""
    lines = [line.strip(" |") for line in output.splitlines() if _ERROR.match(line.strip(" |"))]
    return lines[-1][:200] if lines else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """All of them, or those that are named; exit code 0 when each was noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutants", description=__doc__)
    parser.add_argument("only", nargs="*", help="words of the names of those to run; default: all")
    words = parser.parse_args(arguments).only
    chosen = [each for each in MUTANTS if not words or any(word in each.name for word in words)]
    table = Table(title="What breaks, and which gate turns red", title_justify="left")
    for column in ("broken on purpose", "red gates", ""):
        table.add_column(column)
    console = Console(width=None if sys.stdout.isatty() else 140)
    is_noticed = True
    for mutant in chosen:
        found = bite(mutant)
        is_noticed = is_noticed and found.is_noticed
        sign = "noticed" if found.is_noticed else "[red]NOT NOTICED[/]"
        told = [*found.red, found.failure] if found.failure else found.red
        table.add_row(mutant.name, "\n".join(told), sign)
        console.print(f"{mutant.name}: {'; '.join(told) or 'nothing'}", markup=False)
    console.print(table)
    return 0 if is_noticed else 1


if __name__ == "__main__":
    sys.exit(main())
