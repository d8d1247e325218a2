"""What schedules have gone through: faults, what the committer did about them, what callers were told, how often.

A schedule that nothing happens in proves nothing. Everything that can happen is in EXPECTED, so that what a run has
missed is seen.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

STEPS = ("open", "lock", "begin", "load", "write", "commit", "rollback", "unlock", "was_committed", "ping")
"""What a session does, and where each fault may fire."""

EXPECTED: dict[str, tuple[str, ...]] = {
    "the connection breaks in": tuple(one for one in STEPS if one != "commit"),
    "conflict in": ("begin", "load", "write", "commit", "waiting for the lock"),
    "COMMIT without an answer": (
        "carried out", "not carried out", "carried out later", "session ended", "database away",
    ),
    "around it": (
        "database away", "session ended", "lock held elsewhere", "item refused", "process killed", "process drained",
        "drain out of time", "caller cancelled", "sent twice at once",
    ),
    "resolver": ("found carried out", "found not carried out", "came before a late COMMIT"),
    "committer": (
        "several entities in a batch", "several calls in a batch", "lock kept for the next batch", "entity put back",
        "decided ahead", "written as decided ahead", "decided ahead in vain", "nothing to write", "batch aborted",
        "outcome resolved", "committed",
    ),
    "callers were told": (
        "applied", "applied, a replay", "applied, from the record", "refused, recorded", "refused, a replay",
        "refused, from the record", "nothing: cancelled", "DATABASE_UNAVAILABLE", "DRAINING", "QUEUE_FULL",
        "RATE_LIMITED", "OUTCOME_UNKNOWN", "INTERNAL",
    ),
}  # fmt: skip


@dataclass
class Tally:
    """Of any number of schedules."""

    schedules: int = 0
    answers: int = 0
    """Checked, one for each command of each sending."""
    happened: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By group and name of EXPECTED."""
    neighbours: Counter[tuple[str, str]] = field(default_factory=Counter)
    """A step of one session, and the step of another one that came next: what was interleaved with what."""

    def count(self, group: str, name: str) -> None:
        """It has happened once more."""
        self.happened[group, name] += 1

    def add(self, other: Tally) -> None:
        """More schedules."""
        self.schedules += other.schedules
        self.answers += other.answers
        self.happened.update(other.happened)
        self.neighbours.update(other.neighbours)

    def missing(self) -> list[str]:
        """What has not happened at all."""
        return [f"{group}: {name}" for group, name in _expected() if not self.happened[group, name]]

    def table(self, title: str) -> Table:
        """For people."""
        table = Table(title=title, title_justify="left")
        for name, justify in (("what happened", "left"), ("", "left"), ("times", "right"), ("per schedule", "right")):
            table.add_column(name, justify=justify)  # type: ignore[arg-type]
        before = ""
        for group, name in [*_expected(), *sorted(self.happened.keys() - set(_expected()))]:
            times = self.happened[group, name]
            if group != before:
                table.add_section()
            style = None if times else "bold red"
            each = f"{times / max(1, self.schedules):.4f}"
            table.add_row(group if group != before else "", name, f"{times:,}", each, style=style)
            before = group
        table.add_section()
        pairs = sum(1 for times in self.neighbours.values() if times)
        rarest = min(self.neighbours.items(), key=lambda one: one[1], default=(("", ""), 0))
        table.add_row("interleavings", f"pairs of steps, of {len(STEPS) ** 2}", f"{pairs:,}", "")
        table.add_row("", f"the rarest: {' then '.join(rarest[0])}", f"{rarest[1]:,}", "")
        return table


def _expected() -> Iterator[tuple[str, str]]:
    for group, names in EXPECTED.items():
        for name in names:
            yield group, name
