"""Optimal assignment: most pairs, then least total cost; and which pairs are the same in every optimal solution.

The solver is scipy's sparse Jonker-Volgenant (LAPJVsp). It gives one optimal solution. Whether there are others is
read off the residual graph: two optimal solutions differ by cycles of cost zero in it, and with potentials (shortest
distances) those are the cycles of arcs whose reduced cost is zero, which lie inside strongly connected components.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching

Ints: TypeAlias = NDArray[np.int64]

EXACT = 1 << 53
"""The solver calculates in doubles: integers below this are exact."""
MOST_OPTIONS = 8
"""Optimal solutions that are shown where there are several."""
_ROWS_AT_ONCE = 256
"""Components are handed to the solver together, as blocks, up to about so many rows: a call has a price, and so has
each row in each of its searches."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where optimal solutions differ: `edges` are all that some of them take there and others do not, `options` what
    two to MOST_OPTIONS of them take."""

    edges: tuple[int, ...]
    options: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Solved:
    """`certain` are the edges that every optimal solution has, `open` the places where they differ, in order."""

    certain: list[int]
    open: list[Place]


def components(rows: Ints, columns: Ints) -> Ints:
    """For each edge the number of the connected component that it is in, from 0."""
    _, row = np.unique(rows, return_inverse=True)
    _, column = np.unique(columns, return_inverse=True)
    size = int(row.max()) + 1 if len(row) else 0
    total = size + (int(column.max()) + 1 if len(column) else 0)
    graph = coo_array((np.ones(len(row), dtype=np.int8), (row, column + size)), shape=(total, total))
    _, labels = connected_components(graph.tocsr(), directed=False)
    _, numbered = np.unique(labels[row], return_inverse=True)
    return np.asarray(numbered, dtype=np.int64)


def ceiling(rows: int) -> int:
    """The highest cost an edge may have in a component of so many rows, to be solved exactly.

    No price that the solver calculates with is beyond a few times what it costs to leave a row alone (see `_assign`).
    """
    return EXACT // (8 * (rows + 1)) - 2


def solve(rows: Ints, columns: Ints, costs: Ints, labels: Ints) -> Solved:
    """The optimal assignment of each component.

    Args:
        rows: the row of each edge; rows, like columns, belong to one component each.
        columns: the column of each edge. No pair is there twice.
        costs: 0 or more each; see `ceiling`.
        labels: the component of each edge.
    """
    if not len(rows):
        return Solved([], [])
    _, row = np.unique(rows, return_inverse=True)
    _, column = np.unique(columns, return_inverse=True)
    _, label = np.unique(labels, return_inverse=True)
    taken = np.zeros(len(rows), dtype=np.bool_)
    order = np.argsort(label, kind="stable")
    starts = np.flatnonzero(np.diff(label[order], prepend=-1))
    begin, count = 0, 0
    for place, start in enumerate(starts):
        end = int(starts[place + 1]) if place + 1 < len(starts) else len(order)
        count += len(np.unique(row[order[start:end]]))
        if count >= _ROWS_AT_ONCE or end == len(order):
            part = order[begin:end]
            taken[part] = _assign(row[part], column[part], costs[part], label[part])
            begin, count = end, 0
    return _tell_apart(row, column, costs, label, taken)


def _assign(rows: Ints, columns: Ints, costs: Ints, labels: Ints) -> NDArray[np.bool_]:
    """One optimal solution: whether it takes each edge."""
    _, row = np.unique(rows, return_inverse=True)
    _, column = np.unique(columns, return_inverse=True)
    _, label = np.unique(labels, return_inverse=True)
    size, width = int(row.max()) + 1, int(column.max()) + 1
    label_of_row = np.zeros(size, dtype=np.int64)
    label_of_row[row] = label
    rows_of = np.bincount(label_of_row)
    highest = np.zeros(len(rows_of), dtype=np.int64)
    np.maximum.at(highest, label, costs + 1)
    # Each row may stay alone, at a price that no saving elsewhere in its component makes up for: so most pairs come
    # first. The solver reads 0 as no edge, hence + 1 everywhere, which changes nothing for equally many pairs.
    alone = (rows_of * highest + 1)[label_of_row]
    matrix = csr_array(
        (
            np.concatenate([costs + 1, alone]).astype(np.float64),
            (np.concatenate([row, np.arange(size)]), np.concatenate([column, width + np.arange(size)])),
        ),
        shape=(size, width + size),
    )
    _, partner = min_weight_full_bipartite_matching(matrix)
    return np.asarray(partner[row] == column)


def _tell_apart(row: Ints, column: Ints, costs: Ints, label: Ints, taken: NDArray[np.bool_]) -> Solved:
    """Splits a solution into what all optimal solutions share, and the places where they differ."""
    size, width, count = int(row.max()) + 1, int(column.max()) + 1, int(label.max()) + 1
    source, sink = size + width, size + width + count
    total = sink + count
    label_of_row, label_of_column = np.zeros(size, dtype=np.int64), np.zeros(width, dtype=np.int64)
    label_of_row[row], label_of_column[column] = label, label
    row_taken, column_taken = np.zeros(size, dtype=np.bool_), np.zeros(width, dtype=np.bool_)
    row_taken[row[taken]], column_taken[column[taken]] = True, True
    all_rows, all_columns = np.arange(size), np.arange(width)
    sources, sinks = source + label_of_row, sink + label_of_column
    # The residual graph of the flow source -> row -> column -> sink: arcs that carry flow are turned round.
    tail = np.concatenate([
        np.where(taken, size + column, row),
        np.where(row_taken, all_rows, sources),
        np.where(column_taken, sinks, size + all_columns),
    ])  # fmt: skip
    head = np.concatenate([
        np.where(taken, row, size + column),
        np.where(row_taken, sources, all_rows),
        np.where(column_taken, size + all_columns, sinks),
    ])  # fmt: skip
    price = np.concatenate([np.where(taken, -costs, costs), np.zeros(size + width, dtype=np.int64)])
    distance = _distances(tail, head, price, total)
    tight = price + distance[tail] == distance[head]
    graph = csr_array((np.ones(int(tight.sum()), dtype=np.int8), (tail[tight], head[tight])), shape=(total, total))
    _, strong = connected_components(graph, directed=True, connection="strong")
    edges = len(row)
    differs = tight[:edges] & (strong[row] == strong[size + column])
    certain = np.flatnonzero(taken & ~differs).tolist()
    if not differs.any():
        return Solved(certain, [])
    inside = tight & (strong[tail] == strong[head])
    return Solved(certain, _places(row, column, taken, np.flatnonzero(differs), (tail[inside], head[inside], size)))


def _distances(tail: Ints, head: Ints, price: Ints, total: int) -> Ints:
    """Shortest distances from a point before all nodes: Bellman and Ford, on all components at once, in integers."""
    distance = np.zeros(total, dtype=np.int64)
    for _ in range(total + 1):
        reached = distance[tail] + price
        better = reached < distance[head]
        if not better.any():
            return distance
        np.minimum.at(distance, head[better], reached[better])
    raise ArithmeticError("the assignment is not optimal: its residual graph has a negative cycle")


def _places(
    row: Ints, column: Ints, taken: NDArray[np.bool_], differing: Ints, graph: tuple[Ints, Ints, int]
) -> list[Place]:
    tail, head, size = graph
    following: dict[int, list[int]] = {}
    for one, other in zip(tail.tolist(), head.tolist(), strict=True):
        following.setdefault(one, []).append(other)
    edge_of = {(int(row[edge]), size + int(column[edge])): int(edge) for edge in differing}
    places: dict[int, list[int]] = {}
    for edge, place in zip(differing.tolist(), components(row[differing], column[differing]).tolist(), strict=True):
        places.setdefault(place, []).append(edge)
    found = []
    for edges in places.values():
        first = frozenset(edge for edge in edges if taken[edge])
        options = [first]
        # Each edge that this solution lacks is in another one.
        for edge in edges:
            if not taken[edge] and not any(edge in option for option in options):
                cycle = _cycle((int(row[edge]), size + int(column[edge])), following, edge_of)
                options.append(first ^ cycle)
            if len(options) == MOST_OPTIONS:
                break
        found.append(Place(tuple(edges), tuple(sorted(tuple(sorted(option)) for option in options))))
    return sorted(found, key=lambda one: one.edges)


def _cycle(
    edge: tuple[int, int], following: dict[int, list[int]], edge_of: dict[tuple[int, int], int]
) -> frozenset[int]:
    """The edges of a shortest cycle of cost zero through an edge (row, column) that the solution lacks."""
    end, begin = edge
    came_from = {begin: begin}
    queue = deque([begin])
    while queue and end not in came_from:
        node = queue.popleft()
        for other in following.get(node, ()):
            if other not in came_from:
                came_from[other] = node
                queue.append(other)
    cycle = {edge_of[edge]}
    node = end
    while node != begin:
        before = came_from[node]
        step = edge_of.get((before, node), edge_of.get((node, before)))
        if step is not None:
            cycle.add(step)
        node = before
    return frozenset(cycle)
