"""The arithmetic: what loaders report, medians and spreads of ratios, and how it went over time."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from bench.errors import BenchError
from bench.targets import Target, Verdict


def quantile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank quantile of values in ascending order: one of them, never one in between.

    Raises ValueError without values.
    """
    if not ordered:
        raise ValueError("a quantile of nothing")
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


@dataclass(slots=True)
class Calls:
    """Calls of one measurement: when each was answered (Unix time), and how long it took, in seconds."""

    began: float
    ended: float
    items: int
    """Transactions in each call."""
    ends: list[float] = field(repr=False)
    latencies: list[float] = field(repr=False)

    @classmethod
    def merged(cls, answers: Sequence[dict[str, Any]], items: int) -> Calls:
        """What several load processes did at the same time."""
        return cls(
            began=min(one["began"] for one in answers),
            ended=max(one["ended"] for one in answers),
            items=items,
            ends=[end for one in answers for end in one["ends"]],
            latencies=[latency for one in answers for latency in one["latencies"]],
        )

    @property
    def rate(self) -> float:
        """Transactions a second, the last answer included: what was sent but not waited for does not count."""
        if not self.ends:
            raise BenchError("nothing was answered while it was measured: measure for longer (SECONDS=)")
        return len(self.ends) * self.items / (self.ended - self.began)

    def latency(self, share: float) -> float:
        """Seconds, at a quantile of the calls."""
        return quantile(sorted(self.latencies), share)


@dataclass(frozen=True, slots=True)
class Slice:
    """A short time of a measurement, for the picture. Times in seconds from the start of the first round."""

    start: float
    seconds: float
    rate: float
    p50: float | None
    p99: float | None


def slices(calls: Calls, zero: float, width: float) -> list[Slice]:
    """The measurement cut into equal times of about `width` seconds; latencies None where nothing was answered.

    A batch counts evenly over the time that it took, or the rate would only show when answers happened to come.
    """
    span = calls.ended - calls.began
    count = max(1, round(span / width))
    edges = [calls.began + span * number / count for number in range(count + 1)]
    within: list[list[float]] = [[] for _ in range(count)]
    weights = [0.0] * count
    for end, latency in zip(calls.ends, calls.latencies, strict=True):
        last = min(count - 1, max(0, int((end - calls.began) / span * count)))
        within[last].append(latency)
        first = min(last, max(0, int((end - latency - calls.began) / span * count)))
        if first == last:
            weights[last] += calls.items
            continue
        for number in range(first, last + 1):
            inside = min(end, edges[number + 1]) - max(end - latency, edges[number])
            weights[number] += calls.items * max(0.0, inside) / latency
    found = []
    for number, (left, right) in enumerate(pairwise(edges)):
        ordered = sorted(within[number])
        at = [quantile(ordered, share) if ordered else None for share in (0.5, 0.99)]
        found.append(Slice(left - zero, right - left, weights[number] / (right - left), *at))
    return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """A target and its ratio in each round."""

    target: Target
    ratios: tuple[float, ...]
    full_size: bool
    note: str = ""

    @property
    def median(self) -> float:
        """Of the rounds."""
        return statistics.median(self.ratios)

    @property
    def verdict(self) -> Verdict:
        """Of the median; none for another size than the target's."""
        return self.target.verdict(self.median) if self.full_size else Verdict.UNJUDGED

    @property
    def is_clear(self) -> bool:
        """Whether each round alone would have said the same; what is not judged contradicts nothing."""
        return not self.full_size or len({self.target.verdict(ratio) for ratio in self.ratios}) == 1
