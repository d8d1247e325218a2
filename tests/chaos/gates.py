"""The table at the end of a run: what was wanted, what was reached, and that nothing was broken by it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.table import Table

from tests.chaos.campaign import Outcome
from tests.chaos.verdict import Breach, Verdict
from tests.helpers.cutting_proxy import Place

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.chaos.plan import Plan

KILLS = ("service killed", "backend killed", "postmaster killed")
_CUT = "cut: "


@dataclass
class Gate:
    """One line: `wanted` at least, or exactly 0 for what must not be."""

    name: str
    wanted: int
    reached: int
    is_ceiling: bool = False

    @property
    def is_passed(self) -> bool:
        """Whether the line is green."""
        return self.reached <= self.wanted if self.is_ceiling else self.reached >= self.wanted


@dataclass
class Total:
    """All rounds of a run together."""

    verdict: Verdict = field(default_factory=Verdict)
    happened: Counter[str] = field(default_factory=Counter)
    not_run: dict[str, str] = field(default_factory=dict)
    """Faults that this machine does not allow, and why."""
    seconds: float = 0.0
    rounds: int = 0
    red: list[int] = field(default_factory=list)
    """Rounds that broke a promise, or off."""
    failures: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """One more round."""
        self.verdict.add(outcome.verdict)
        self.happened += outcome.happened
        self.not_run |= outcome.not_run
        self.seconds += outcome.seconds
        self.rounds += 1
        if outcome.is_red:
            self.red.append(outcome.number)
        if outcome.failure:
            self.failures.append(outcome.failure)

    @property
    def cuts(self) -> int:
        """Over all places."""
        return sum(count for name, count in self.happened.items() if name.startswith(_CUT))

    @property
    def kills(self) -> int:
        """kill -9 of anything."""
        return sum(self.happened[name] for name in KILLS)

    @property
    def cancellations(self) -> int:
        """Callers who gave up, or whose deadline passed."""
        return self.happened["cancellations"] + self.happened["deadlines"]


def gates_of(total: Total, wanted: Plan) -> list[Gate]:
    """The issue's table, and each promise by itself."""
    places = [total.happened[f"{_CUT}{place.value}"] for place in Place]
    return [
        Gate("operations checked against the model", wanted.operations, total.verdict.checked["operations"]),
        Gate("kills (service, backend, postmaster)", wanted.kills, total.kills),
        Gate("connections cut around COMMIT", wanted.cuts, total.cuts),
        Gate("cuts at the rarest of the places", wanted.cuts_each, min(places)),
        Gate("cancellations and deadlines at random instants", wanted.cancellations, total.cancellations),
        *(Gate(breach.value, 0, total.verdict.breaches[breach], is_ceiling=True) for breach in Breach),
    ]


def table_of(gates: Sequence[Gate], total: Total, title: str) -> Table:
    """For people."""
    table = Table(title=title, title_justify="left")
    table.add_column("gate")
    table.add_column("wanted", justify="right")
    table.add_column("reached", justify="right")
    table.add_column("")
    for gate in gates:
        sign = "[green]ok[/]" if gate.is_passed else "[red]RED[/]"
        table.add_row(gate.name, f"{gate.wanted:,}", f"{gate.reached:,}", sign)
    table.add_section()
    for name, count in sorted(total.happened.items()):
        table.add_row(f"[dim]{name}[/]", "", f"[dim]{count:,}[/]", "")
    for name, count in sorted(total.verdict.checked.items()):
        table.add_row(f"[dim]checked: {name}[/]", "", f"[dim]{count:,}[/]", "")
    for name, why in sorted(total.not_run.items()):
        table.add_row(f"{name}: {why}", "", "not run", "")
    return table


def write_json(path: Path, gates: Sequence[Gate], total: Total) -> None:
    """For programs, beside the table."""
    content: dict[str, Any] = {
        "rounds": total.rounds,
        "seconds": round(total.seconds, 1),
        "gates": [
            {"gate": gate.name, "wanted": gate.wanted, "reached": gate.reached, "passed": gate.is_passed}
            for gate in gates
        ],
        "happened": dict(total.happened),
        "checked": dict(total.verdict.checked),
        "not_run": total.not_run,
        "red_rounds": total.red,
        "failures": total.failures,
        "breaches": {breach.value: count for breach, count in total.verdict.breaches.items()},
        "examples": {breach.value: texts for breach, texts in total.verdict.examples.items()},
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_outcome(path: Path, number: int) -> Outcome:
    """What another process has written of its one round."""
    content = json.loads(path.read_text(encoding="utf-8"))
    verdict = Verdict(
        Counter({Breach(name): count for name, count in content["breaches"].items()}),
        {Breach(name): texts for name, texts in content["examples"].items()},
        Counter(content["checked"]),
    )
    return Outcome(
        number, verdict, Counter(content["happened"]), content["not_run"], content["seconds"],
        "\n".join(content["failures"]),
    )  # fmt: skip
