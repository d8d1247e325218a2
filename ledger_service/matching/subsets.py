"""Exact subset search over integers, with bounds: which of these amounts make up that sum, and is it the only way?"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from math import comb
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_CANDIDATES = 64
"""Amounts that one search looks at."""
MOST_NODES = 200_000
"""Partial sums that one search visits."""
MOST_NODES_IN_ALL = 4_000_000
"""And all searches of one run together: some fifteen seconds."""
ENOUGH = 2
"""Solutions after which a search ends: two already say that none of them is certain."""
_ROUND = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)


@dataclass(slots=True)
class Subsets:
    """What a search found: the subsets (places, ascending) that come nearest, at most ENOUGH of them.

    `is_cut_off`: a bound was reached, so there may be others. `nodes` is what the search has visited.
    """

    found: list[tuple[int, ...]] = field(default_factory=list)
    off_by: int = 0
    is_cut_off: bool = False
    nodes: int = 0


def unit_of(amounts: Sequence[int]) -> int:
    """The largest power of ten (to 10 million) that divides all of them."""
    return next(unit for unit in reversed(_ROUND) if not any(one % unit for one in amounts))


def coincidences(amounts: Sequence[int], target: int, most: int, tolerance: int = 0) -> float:
    """How many subsets of 2 to `most` amounts would hit the target by mere chance, about.

    Round amounts meet more easily than others: sums of hundreds are hundreds. So the count is taken for each power
    of ten that divides the target, over the amounts which it divides.
    """
    expected = 0.0
    for unit in _ROUND:
        if target % unit:
            break
        count = sum(1 for one in amounts if one % unit == 0)
        subsets = sum(comb(count, size) for size in range(2, most + 1))
        expected = max(expected, subsets * (2 * (tolerance // unit) + 1) * unit / abs(target))
    return expected


def affordable(amounts: Sequence[int], target: int, most: int, tolerance: int, limit: float) -> int:
    """The most members a subset may have, up to `most`, so that a hit is evidence: no more coincidences than `limit`
    are to be expected. Below 2: none."""
    size = min(most, len(amounts))
    while size >= 2 and coincidences(amounts, target, size, tolerance) > limit:
        size -= 1
    return size


def search(
    amounts: Sequence[int],
    target: int,
    most: int,
    tolerance: int = 0,
    same: Sequence[int] | None = None,
    is_excluded: Callable[[tuple[int, ...]], bool] = lambda _: False,
    most_nodes: int | None = None,
) -> Subsets:
    """The subsets of 2 to `most` amounts, all of the target's sign, whose sum comes nearest to the target.

    Args:
        amounts: not 0 each. Those with another sign than the target are left out.
        target: the sum that is looked for.
        most: members of a subset.
        tolerance: how far a sum may be off. Less is always better: only the nearest are found.
        same: equal for amounts that are copies of each other; of those the first ones are taken.
        is_excluded: whether a subset (places, ascending) is no solution.
        most_nodes: what the search may visit, if that is less than MOST_NODES.
    """
    sign = 1 if target > 0 else -1
    kinds = list(same) if same is not None else list(range(len(amounts)))
    usable = [place for place, amount in enumerate(amounts) if 0 < amount * sign <= abs(target) + tolerance]
    if len(usable) > MOST_CANDIDATES:
        return Subsets(is_cut_off=True)
    # Largest first: a sum that goes beyond the target is seen soonest. Copies stand beside each other.
    usable.sort(key=lambda place: (-amounts[place] * sign, kinds[place], place))
    walk = _Walk(
        [amounts[place] * sign for place in usable],
        [kinds[place] for place in usable],
        usable,
        most,
        is_excluded,
        tolerance,
        MOST_NODES if most_nodes is None else min(most_nodes, MOST_NODES),
    )
    walk.go(0, abs(target), [])
    walk.result.found.sort()
    return walk.result


class _Walk:
    """A depth-first walk through subsets, ended by sums that are too much or can't get there any more."""

    def __init__(
        self,
        sizes: list[int],
        kinds: list[int],
        places: list[int],
        most: int,
        is_excluded: Callable[[tuple[int, ...]], bool],
        tolerance: int,
        most_nodes: int,
    ) -> None:
        self._sizes, self._kinds, self._places = sizes, kinds, places
        self._most, self._is_excluded = most, is_excluded
        self._most_nodes = most_nodes
        self._descending = [-size for size in sizes]
        self._sums = [0]
        for size in sizes:
            self._sums.append(self._sums[-1] + size)
        self.result = Subsets(off_by=tolerance)

    def go(self, start: int, left: int, taken: list[int]) -> None:
        """Tries each amount from `start` on next; `left` is what the taken ones lack to the target."""
        room = self._most - len(taken)
        # Those that are larger than what is left are too much already.
        first = bisect_left(self._descending, -(left + self.result.off_by), start)
        for place in range(first, len(self._sizes)):
            if self.result.is_cut_off or (len(self.result.found) >= ENOUGH and self.result.off_by == 0):
                return
            # The largest ones that may still be taken do not reach it: nor do those behind them.
            reach = self._sums[min(place + room, len(self._sizes))] - self._sums[place]
            if reach < left - self.result.off_by:
                return
            if place > first and self._kinds[place] == self._kinds[place - 1]:
                continue
            if self.result.nodes >= self._most_nodes:
                self.result.is_cut_off = True
                return
            self.result.nodes += 1
            rest = left - self._sizes[place]
            taken.append(place)
            if len(taken) >= 2 and abs(rest) <= self.result.off_by:
                self._note(taken, abs(rest))
            if len(taken) < self._most:
                self.go(place + 1, rest, taken)
            taken.pop()

    def _note(self, taken: list[int], off_by: int) -> None:
        solution = tuple(sorted(self._places[place] for place in taken))
        if self._is_excluded(solution):
            return
        if off_by < self.result.off_by:
            self.result.off_by = off_by
            self.result.found.clear()
        if len(self.result.found) < ENOUGH:
            self.result.found.append(solution)
