"""The history tree of an entity: RFC 6962's hash tree over everything that happened in it, in its order.

Leaf i (from 0) is the event at sequence i + 1, so a tree's size is the sequence it reaches to. A *node* (level, index)
is the root of the complete subtree over leaves index · 2^level up to (index + 1) · 2^level. The *peaks* of a tree are
its largest complete subtrees from left to right, one for each bit of its size: from them alone the tree can be made
longer, and its root worked out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

HASH_BYTES = 32
STORED_LEVEL = 6
"""Nodes from this level on are kept when they are complete: a proof reads 64 records for each ragged end, and the
ledger grows by one byte for each event."""

Range = tuple[int, int]
"""Leaves from the first number up to the second."""


def leaf_hash(record: bytes) -> bytes:
    """Of a record (domain.sealing.record)."""
    return sha256(b"\0" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Of two subtrees side by side."""
    return sha256(b"\1" + left + right).digest()


EMPTY_ROOT = sha256().digest()


class Grown(NamedTuple):
    """A tree after leaves were added: its peaks, and the nodes from STORED_LEVEL on that these leaves completed, by
    level and then index; both as hashes one after the other."""

    peaks: bytes
    nodes: bytes


def grow(size: int, peaks: bytes, leaves: Sequence[bytes]) -> Grown:
    """Add leaves, given by their hashes, to the tree of `size` with these peaks."""
    if len(peaks) != HASH_BYTES * size.bit_count():
        raise ValueError(f"a tree of size {size} has {size.bit_count()} peaks, not {len(peaks) / HASH_BYTES:g}")
    row, first, level = list(leaves), size, 0
    kept: list[bytes] = []
    left = len(peaks)
    found: list[bytes] = []
    digest = sha256
    while row:
        if first & 1:
            # The peak on this level waited for its right neighbour.
            row.insert(0, peaks[left - HASH_BYTES : left])
            left -= HASH_BYTES
            first -= 1
        if len(row) & 1:
            kept.append(row.pop())
        pairs = iter(row)
        row = [digest(b"\1" + one + other).digest() for one, other in zip(pairs, pairs, strict=True)]
        first >>= 1
        level += 1
        if level >= STORED_LEVEL:
            found += row
    return Grown(peaks[:left] + b"".join(reversed(kept)), b"".join(found))


def root_of(peaks: bytes) -> bytes:
    """The root of the tree that has these peaks."""
    hashes = [peaks[at : at + HASH_BYTES] for at in range(0, len(peaks), HASH_BYTES)]
    if not hashes:
        return EMPTY_ROOT
    root = hashes.pop()
    while hashes:
        root = node_hash(hashes.pop(), root)
    return root


def stored_place(level: int, index: int, before: int, after: int) -> int:
    """Which of the nodes that growing from size `before` to `after` completed is this one, from 0."""
    return sum((after >> lower) - (before >> lower) for lower in range(STORED_LEVEL, level)) + index - (before >> level)


# Proofs. Which subtrees are in them is told as ranges of leaves, from the bottom up; their hashes come from
# `range_hash`, with nodes and leaves that the storage looks up.


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The subtrees beside the path from leaf `index` to the root of the tree of `size` (RFC 6962, 2.1.1)."""
    found = []
    first, end = 0, size
    while end - first > 1:
        middle = first + _left_size(end - first)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((first, middle))
            first = middle
    return found[::-1]


def consistency_ranges(older: int, newer: int) -> list[Range]:
    """The subtrees that show that the tree of size `older` is the beginning of the one of `newer` (RFC 6962, 2.1.2);
    none where the sizes are equal or the older tree is empty."""
    if older in (0, newer):
        return []
    found = []
    first, end = 0, newer
    is_whole = True
    while older != end:
        middle = first + _left_size(end - first)
        if older <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((first, middle))
            first = middle
            is_whole = False
    if not is_whole:
        found.append((first, end))
    return found[::-1]


def pieces(leaves: Range) -> tuple[list[tuple[int, int]], Range]:
    """What `range_hash` looks up for a range: nodes (level, index), and the leaves at its ragged right end.

    A range of a proof begins at a multiple of its size rounded up to a power of two.
    """
    first, end = leaves
    nodes = []
    while end - first >= 1 << STORED_LEVEL:
        level = (end - first).bit_length() - 1
        nodes.append((level, first >> level))
        first += 1 << level
    return nodes, (first, end)


def range_hash(
    leaves: Range, node: Callable[[int, int], bytes], leaf_hashes: Callable[[Range], Sequence[bytes]]
) -> bytes:
    """The root over a range of leaves, from the nodes and the leaves that `pieces` names."""
    nodes, rest = pieces(leaves)
    ragged = root_of(grow(0, b"", leaf_hashes(rest)).peaks) if rest[0] < rest[1] else None
    hashes = [node(level, index) for level, index in nodes]
    root = ragged if ragged is not None else hashes.pop()
    while hashes:
        root = node_hash(hashes.pop(), root)
    return root


def includes(root: bytes, size: int, index: int, leaf: bytes, path: Iterable[bytes]) -> bool:
    """Whether the path proves that the leaf's hash stands at `index` in the tree of `size` with this root
    (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    here, last, found = index, size - 1, leaf
    for beside in path:
        if last == 0 or len(beside) != HASH_BYTES:
            return False
        if here & 1 or here == last:
            found = node_hash(beside, found)
            while not here & 1 and here:
                here >>= 1
                last >>= 1
        else:
            found = node_hash(found, beside)
        here >>= 1
        last >>= 1
    return last == 0 and found == root


def extends(older: int, older_root: bytes, newer: int, newer_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the path proves that the tree of size `newer` begins with the one of size `older` (RFC 9162, 2.1.4.2)."""
    if not 0 <= older <= newer or any(len(each) != HASH_BYTES for each in path):
        return False
    if older == newer:
        return not path and older_root == newer_root
    if older == 0:
        return not path and older_root == EMPTY_ROOT
    hashes = list(path)
    if older & (older - 1) == 0:
        hashes.insert(0, older_root)
    if not hashes:
        return False
    here, last = older - 1, newer - 1
    while here & 1:
        here >>= 1
        last >>= 1
    first = second = hashes[0]
    for each in hashes[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            first, second = node_hash(each, first), node_hash(each, second)
            while not here & 1 and here:
                here >>= 1
                last >>= 1
        else:
            second = node_hash(second, each)
        here >>= 1
        last >>= 1
    return last == 0 and first == older_root and second == newer_root


def _left_size(size: int) -> int:
    """The largest power of two below `size`, which is 2 or more."""
    return 1 << (size - 1).bit_length() - 1
