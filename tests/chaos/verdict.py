"""What a check has found: how much was looked at, and what broke a promise."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXAMPLES = 5
"""Of each kind, so many are told; all are counted."""


class Breach(Enum):
    """A promise of DESIGN section 3 that was broken."""

    LOST = "acknowledged and lost"
    TWICE = "applied twice"
    REFUSED_YET_APPLIED = "refused definitely yet applied"
    STRANGER = "another tenant's data seen"
    MODEL = "the history is not what the model says"
    ANSWER = "an answer is not what the model says"
    ORDER = "answered before the other was invoked, yet later in the sequence"
    BALANCE = "a balance read is not that of its sequence"
    FLAG = "replay told wrongly"
    WATCH = "a watcher missed, or saw again"
    LIST = "a list missed, or told twice"
    NEIGHBOUR = "failed because of another item, or by a fault of the service"
    RECONCILIATION = "a reconciliation that is not what was done to it"
    SECOND_OPINION = "no account could have gone through it, says porcupine"
    UNSERVED = "not answered although nothing was broken any more"
    VERIFY = "verify is not clean"


@dataclass
class Verdict:
    """Of one entity, or of all together."""

    breaches: Counter[Breach] = field(default_factory=Counter)
    examples: dict[Breach, list[str]] = field(default_factory=dict)
    checked: Counter[str] = field(default_factory=Counter)

    def note(self, breach: Breach, text: str) -> None:
        """One more."""
        self.breaches[breach] += 1
        told = self.examples.setdefault(breach, [])
        if len(told) < _EXAMPLES:
            told.append(text)

    def explain(self, breach: Breach, texts: Sequence[str]) -> None:
        """What else is known about it."""
        self.examples.setdefault(breach, []).extend(texts[:_EXAMPLES])

    def add(self, other: Verdict) -> None:
        """Another's on top."""
        self.checked += other.checked
        self.breaches += other.breaches
        for breach, texts in other.examples.items():
            told = self.examples.setdefault(breach, [])
            told += texts[: _EXAMPLES - len(told)]

    @property
    def is_clean(self) -> bool:
        """Whether every promise was kept."""
        return not self.breaches.total()

    def __str__(self) -> str:
        return "\n".join(
            f"{breach.value}: {self.breaches[breach]}\n" + "\n".join(f"    {text}" for text in texts)
            for breach, texts in self.examples.items()
        )
