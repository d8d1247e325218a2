"""What the benchmark has to show: each target is a ratio within one run, never a rate of one machine."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Verdict(enum.StrEnum):
    """What the rounds say about a target."""

    STRETCH = "stretch"
    REACHED = "reached"
    MISSED = "missed"
    UNJUDGED = "not judged"
    """Measured at another size than the target speaks of, or there is none."""


@dataclass(frozen=True, slots=True)
class Target:
    """One line of the table; `at_most`: smaller is better."""

    key: str
    what: str
    wanted: float | None
    """None: without a target, for information."""
    stretch: float | None
    at_most: bool = False

    @property
    def scenario(self) -> str:
        """The name to choose it by: what stands before the point."""
        return self.key.partition(".")[0]

    def verdict(self, ratio: float) -> Verdict:
        """How a median of ratios stands to the two limits, which are themselves good enough."""
        for limit, verdict in ((self.stretch, Verdict.STRETCH), (self.wanted, Verdict.REACHED)):
            if limit is None:
                return Verdict.UNJUDGED
            if (ratio <= limit) if self.at_most else (ratio >= limit):
                return verdict
        return Verdict.MISSED

    def limits(self) -> tuple[str, str]:
        """Wanted and stretch, to be read."""
        if self.wanted is None or self.stretch is None:
            return "–", "–"
        sign = "≤" if self.at_most else "≥"
        return f"{sign} {self.wanted:g}", f"{sign} {self.stretch:g}"


def _pages(key: str, what: str, wanted: float = 1.5) -> Target:
    return Target(f"R2.{key}", f"{what}: 5,000,000 ÷ 10,000", wanted, 1.1, at_most=True)


TARGETS = [
    Target("B1", "batches of 1,000, one entity ÷ raw COPY", 0.55, 0.80),
    Target("B2", "the same, 4 callers on 4 entities ÷ raw COPY on 2 connections", 0.55, 0.80),
    Target("U1", "single calls, 256 concurrent ÷ bare echo", 0.60, 0.80),
    Target("S1", "8 streams ÷ bare stream echo", 0.60, 0.80),
    Target("H1.single", "single calls: one hot account ÷ uniform", 0.90, 1.0),
    Target("H1.batch", "batches: one hot account ÷ uniform", 0.90, 1.0),
    Target("M1", "single calls: 1,000 entities ÷ one", 0.60, 0.90),
    Target("L1", "one caller alone: p50 ÷ (echo + one-row INSERT)", 3.0, 2.0, at_most=True),
    Target("R1.now", "GetBalance, now: 1,000,000 entries ÷ 10", 1.2, 1.05, at_most=True),
    Target("R1.effective", "… effective at a time", 2.0, 1.05, at_most=True),
    Target("R1.known", "… known at a time", 1.5, 1.05, at_most=True),
    _pages("list_first", "ListTransactions, first page"),
    _pages("list_last", "ListTransactions, last page"),
    _pages("entries_first", "ListEntries, first page"),
    _pages("entries_last", "ListEntries, last page"),
    _pages("month_first", "one month, first page"),
    _pages("month_last", "one month, last page"),
    _pages("search_first", "search, a word in 2 %, first page", 5.0),
    _pages("search_last", "search, a word in 2 %, last page", 5.0),
    _pages("rare_first", "search, a word in 10 transactions", 5.0),
    Target("G1", "transactions/s at the 5,000,000th ÷ the first 100,000 of a fresh one", 0.80, 0.95),
    Target("P1", "p99 ÷ p50 at 70 % of the top rate", 5.0, 3.0, at_most=True),
    Target("O1.during", "calls answered while 5 × the top rate is offered ÷ before", 0.80, 0.95),
    Target("O1.after", "calls answered 10 s after the overload ÷ before", 0.95, 1.0),
    Target("V1.peak", "largest resident size of the service in MiB", 300, 200, at_most=True),
    Target("V1.growth", "resident size in the last tenth ÷ in the second tenth", 1.05, 1.01, at_most=True),
    Target("REST", "POST /v1/transactions ÷ gRPC single calls, 64 callers each", None, None),
]

BY_KEY = {target.key: target for target in TARGETS}
