"""The rules of pairs: one line, one transaction. Inside a rule the assignment is optimal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ledger_service.matching import assignment
from ledger_service.matching.candidates import Candidates, candidates
from ledger_service.matching.desk import Ambiguity, Crowd, as_option, in_order
from ledger_service.matching.evidence import copy_cost, cost, judge

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ledger_service.matching.assignment import Ints
    from ledger_service.matching.desk import Desk, Item

MOST_EDGES = 40_000
"""Pairs in one connected component of candidates that are weighed. Beyond it: too many candidates."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """The optimal assignment of candidates (places on both sides): what is certain, what has several solutions, (all
    pairs that differ, then the options), and the two sides of what was too much to solve, with the number of pairs."""

    certain: list[tuple[int, int]]
    open: list[tuple[list[tuple[int, int]], list[list[tuple[int, int]]]]]
    crowded: list[tuple[tuple[int, ...], tuple[int, ...], int]]


def pair(desk: Desk, rule: int) -> None:
    """Runs a rule of pairs on what is open."""
    found = candidates(desk, desk.profile.rules[rule])
    solved = assign(desk.lines, desk.transactions, found, desk.crossed_out)
    for left, right in solved.certain:
        line, transaction = desk.lines[left], desk.transactions[right]
        judgement = judge(line, transaction)
        desk.match(rule, [line], [transaction], judgement.score, judgement.why)
    for pairs, options in solved.open:
        shown = [
            as_option(([desk.lines[left]], [desk.transactions[right]]) for left, right in option) for option in options
        ]
        why = "several pairings agree equally well in amount, days, names, references and text"
        lines, transactions = {left for left, _ in pairs}, {right for _, right in pairs}
        desk.ambiguities.append(Ambiguity(rule, in_order(shown), frozenset(lines), frozenset(transactions), why))
    for crowd in found.crowded:
        why = "more candidates within the rule's days than are compared with each other"
        sides = [tuple(sorted(item.place for item in side)) for side in crowd]
        desk.crowds.append(Crowd(rule, sides[0], sides[1], why))
    for left_side, right_side, count in solved.crowded:
        why = f"{count} pairs hang together, more than the {MOST_EDGES} that are weighed against each other"
        desk.crowds.append(Crowd(rule, left_side, right_side, why))


def assign(
    lines: Sequence[Item], transactions: Sequence[Item], found: Candidates, crossed_out: Collection[tuple[int, int]]
) -> Pairs:
    """The optimal assignment among candidates: most pairs, least total difference in amount, least cost.

    Independent of the order of anything: optimal solutions that differ are told as such, not chosen from.

    Args:
        lines: what the left places of the candidates are in.
        transactions: what the right ones are in.
        found: the candidates.
        crossed_out: pairs of places that are none.
    """
    width = max(len(transactions), 1)
    codes = np.unique(np.array(found.left, dtype=np.int64) * width + np.array(found.right, dtype=np.int64))
    if crossed_out:
        codes = codes[~np.isin(codes, np.array([left * width + right for left, right in crossed_out], dtype=np.int64))]
    if not len(codes):
        return Pairs([], [], [])
    rows, columns = codes // width, codes % width
    labels = assignment.components(rows, columns)
    sizes = np.bincount(labels)[labels]
    alone = sizes == 1
    certain = list(zip(rows[alone].tolist(), columns[alone].tolist(), strict=True))
    rest = np.flatnonzero((sizes > 1) & (sizes <= MOST_EDGES))
    pairs = list(zip(rows[rest].tolist(), columns[rest].tolist(), strict=True))
    costs = _costs([(lines[left], transactions[right]) for left, right in pairs], rows[rest], labels[rest])
    solved = assignment.solve(rows[rest], columns[rest], costs, labels[rest])
    certain += [pairs[edge] for edge in solved.certain]
    options = [
        ([pairs[edge] for edge in place.edges], [[pairs[edge] for edge in option] for option in place.options])
        for place in solved.open
    ]
    crowded = []
    for label in np.unique(labels[sizes > MOST_EDGES]).tolist():
        part = labels == label
        sides = [tuple(np.unique(side[part]).tolist()) for side in (rows, columns)]
        crowded.append((sides[0], sides[1], int(part.sum())))
    return Pairs(sorted(certain), options, crowded)


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
