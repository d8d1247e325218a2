"""The rules of pairs: one line, one transaction. Inside a rule the assignment is optimal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ledger_service.matching import assignment
from ledger_service.matching.candidates import Candidates, candidates
from ledger_service.matching.desk import Ambiguity, Crowd, as_option
from ledger_service.matching.evidence import copy_cost, cost, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger_service.matching.assignment import Ints
    from ledger_service.matching.desk import Desk, Item

MOST_EDGES = 40_000
"""Pairs in one connected component of candidates that are weighed. Beyond it: too many candidates."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """The optimal assignment of candidates: what is certain, what has several solutions, what was too much to solve."""

    certain: list[tuple[int, int]]
    open: list[tuple[tuple[tuple[int, int], ...], ...]]
    crowded: list[list[tuple[int, int]]]


def pair(desk: Desk, rule: int) -> None:
    """Runs a rule of pairs on what is open."""
    found = candidates(desk, desk.profile.rules[rule])
    solved = assign(desk.lines, desk.transactions, found.pairs)
    for left, right in solved.certain:
        line, transaction = desk.lines[left], desk.transactions[right]
        judgement = judge(line, transaction)
        desk.match(rule, [line], [transaction], judgement.score, judgement.why)
    for options in solved.open:
        shown = [
            as_option(([desk.lines[left]], [desk.transactions[right]]) for left, right in option) for option in options
        ]
        why = "several pairings agree equally well in amount, days, names, references and text"
        desk.ambiguities.append(Ambiguity(rule, tuple(sorted(shown, key=lambda one: one.pairs)), why))
    _note_crowds(desk, rule, found, solved)


def _note_crowds(desk: Desk, rule: int, found: Candidates, solved: Pairs) -> None:
    for lines, transactions in found.crowded:
        why = "more candidates within the rule's days than are compared with each other"
        desk.crowds.append(
            Crowd(rule, tuple(one.place for one in lines), tuple(one.place for one in transactions), why)
        )
    for pairs in solved.crowded:
        why = f"{len(pairs)} pairs hang together, more than the {MOST_EDGES} that are weighed against each other"
        left, right = {left for left, _ in pairs}, {right for _, right in pairs}
        desk.crowds.append(Crowd(rule, tuple(sorted(left)), tuple(sorted(right)), why))


def assign(lines: Sequence[Item], transactions: Sequence[Item], pairs: set[tuple[int, int]]) -> Pairs:
    """The optimal assignment among candidates (places): most pairs, least total difference in amount, least cost.

    Independent of the order of anything: optimal solutions that differ are told as such, not chosen from.
    """
    if not pairs:
        return Pairs([], [], [])
    ordered = sorted(pairs)
    rows, columns = (np.array(side, dtype=np.int64) for side in zip(*ordered, strict=True))
    labels = assignment.components(rows, columns)
    sizes = np.bincount(labels)
    certain = [ordered[edge] for edge in np.flatnonzero(sizes[labels] == 1).tolist()]
    crowded: dict[int, list[tuple[int, int]]] = {}
    for edge in np.flatnonzero(sizes[labels] > MOST_EDGES).tolist():
        crowded.setdefault(int(labels[edge]), []).append(ordered[edge])
    rest = np.flatnonzero((sizes[labels] > 1) & (sizes[labels] <= MOST_EDGES))
    costs = _costs(
        [(lines[left], transactions[right]) for left, right in map(ordered.__getitem__, rest.tolist())],
        rows[rest],
        labels[rest],
    )
    solved = assignment.solve(rows[rest], columns[rest], costs, labels[rest])
    certain += [ordered[int(rest[edge])] for edge in solved.certain]
    options = [tuple(tuple(ordered[int(rest[edge])] for edge in option) for option in place) for place in solved.open]
    return Pairs(sorted(certain), options, list(crowded.values()))


def _costs(pairs: list[tuple[Item, Item]], rows: Ints, labels: Ints) -> Ints:
    """One integer for each pair, in which no sum of lesser reasons makes up for a greater one in its component.

    In that order: the difference in amount, what `evidence.cost` says, which copy it is. Differences too wide for
    exact numbers lose their last digits: then near ones count as equal, which leaves more to the other reasons.
    """
    costs = np.zeros(len(pairs), dtype=np.int64)
    order = np.argsort(labels, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(order) else []:
        size = len(np.unique(rows[part]))
        members = [pairs[edge] for edge in part.tolist()]
        copies = [copy_cost(left, right) for left, right in members]
        others = [cost(left, right) for left, right in members]
        differences = [abs(right.amount - left.amount) for left, right in members]
        unit = max(copies) * size + 1
        step = (max(others) * unit + max(copies)) * size + 1
        shift = 0
        while (max(differences) >> shift) and ((max(differences) >> shift) + 1) * step > assignment.ceiling(size):
            shift += 1
        costs[part] = [
            (difference >> shift) * step + other * unit + copy
            for difference, other, copy in zip(differences, others, copies, strict=True)
        ]
    return costs
