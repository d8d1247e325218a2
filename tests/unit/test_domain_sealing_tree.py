"""The history tree is RFC 6962's, whatever the steps in which it grew; its proofs hold, and no others do."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_service.domain.sealing import tree
from ledger_service.domain.sealing.tree import (
    EMPTY_ROOT,
    STORED_LEVEL,
    consistency_ranges,
    extends,
    grow,
    includes,
    inclusion_ranges,
    leaf_hash,
    node_hash,
    pieces,
    range_hash,
    root_of,
    stored_place,
)

# The test vectors of Certificate Transparency: https://github.com/google/certificate-transparency, merkletree tests.
CT_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

LEAVES = [sha256(b"leaf %d" % number).digest() for number in range(700)]


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word by word."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    return node_hash(naive_root(leaves[:middle]), naive_root(leaves[middle:]))


class Kept:
    """A tree that grew by commits, with the nodes that each of them stored."""

    def __init__(self, steps: list[int]) -> None:
        self.size, self.peaks = 0, b""
        self.commits: list[tuple[int, int, bytes]] = []
        for step in steps:
            grown = grow(self.size, self.peaks, LEAVES[self.size : self.size + step])
            self.commits.append((self.size, self.size + step, grown.nodes))
            self.size, self.peaks = self.size + step, grown.peaks

    def node(self, level: int, index: int) -> bytes:
        before, after, nodes = next(each for each in self.commits if each[1] >= (index + 1) << level)
        place = 32 * stored_place(level, index, before, after)
        return nodes[place : place + 32]

    def hash(self, leaves: tuple[int, int]) -> bytes:
        return range_hash(leaves, self.node, lambda rest: LEAVES[slice(*rest)])


steps = st.lists(st.integers(1, 200), min_size=1, max_size=12).filter(lambda each: sum(each) <= len(LEAVES))


def test_the_vectors_of_certificate_transparency() -> None:
    leaves = [leaf_hash(bytes.fromhex(text)) for text in CT_LEAVES]
    for size, root in enumerate(CT_ROOTS, 1):
        assert root_of(grow(0, b"", leaves[:size]).peaks).hex() == root
    assert root_of(b"").hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(steps)
def test_the_steps_in_which_it_grew_do_not_matter(sizes: list[int]) -> None:
    kept = Kept(sizes)
    assert kept.peaks == grow(0, b"", LEAVES[: kept.size]).peaks
    assert root_of(kept.peaks) == naive_root(LEAVES[: kept.size])


@given(steps)
def test_every_node_that_is_complete_is_kept_once(sizes: list[int]) -> None:
    kept = Kept(sizes)
    levels = range(STORED_LEVEL, kept.size.bit_length())
    assert sum(len(nodes) for _, _, nodes in kept.commits) == 32 * sum(kept.size >> level for level in levels)
    for level in levels:
        for index in range(kept.size >> level):
            assert kept.node(level, index) == naive_root(LEAVES[index << level : (index + 1) << level])


@settings(max_examples=60)
@given(steps, st.data())
def test_inclusion(sizes: list[int], data: st.DataObject) -> None:
    kept = Kept(sizes)
    size = data.draw(st.integers(1, kept.size))
    index = data.draw(st.integers(0, size - 1))
    root, leaf = naive_root(LEAVES[:size]), LEAVES[index]
    path = [kept.hash(each) for each in inclusion_ranges(index, size)]
    assert includes(root, size, index, leaf, path)
    assert not includes(root, size, index, bytes(32), path)
    assert not includes(bytes(32), size, index, leaf, path)
    assert not includes(root, size, size, leaf, path)
    assert not includes(root, size, index, leaf, [*path, leaf])
    for place in range(len(path)):
        assert not includes(root, size, index, leaf, path[:place] + path[place + 1 :])
        assert not includes(root, size, index, leaf, [*path[:place], bytes(32), *path[place + 1 :]])
        assert not includes(root, size, index, leaf, [*path[:place], path[place][:31], *path[place + 1 :]])
    for other in {index ^ 1, (index + 1) % size} - {index}:
        assert other >= size or not includes(root, size, other, leaf, path)


@settings(max_examples=60)
@given(steps, st.data())
def test_consistency(sizes: list[int], data: st.DataObject) -> None:
    kept = Kept(sizes)
    newer = data.draw(st.integers(1, kept.size))
    older = data.draw(st.integers(0, newer))
    first, second = naive_root(LEAVES[:older]), naive_root(LEAVES[:newer])
    path = [kept.hash(each) for each in consistency_ranges(older, newer)]
    assert extends(older, first, newer, second, path)
    assert not extends(older, bytes(32), newer, second, path)
    assert not extends(older, first, newer, bytes(32), path) or older == 0
    assert not extends(newer + 1, first, newer, second, path)
    assert not extends(older, first, newer, second, [*path, first])
    for place in range(len(path)):
        assert not extends(older, first, newer, second, path[:place] + path[place + 1 :])
        assert not extends(older, first, newer, second, [*path[:place], bytes(32), *path[place + 1 :]])


def test_small_trees_have_the_proofs_of_the_standard() -> None:
    """RFC 6962, 2.1.3: the tree of seven leaves."""
    a, b, c, d, e, f, j = ((number, number + 1) for number in range(7))
    g, h, i, k, m = (0, 2), (2, 4), (4, 6), (0, 4), (4, 7)
    assert inclusion_ranges(0, 7) == [b, h, m]
    assert inclusion_ranges(3, 7) == [c, g, m]
    assert inclusion_ranges(4, 7) == [f, j, k]
    assert inclusion_ranges(6, 7) == [i, k]
    assert consistency_ranges(3, 7) == [c, d, g, m]
    assert consistency_ranges(4, 7) == [m]
    assert consistency_ranges(6, 7) == [i, j, k]
    assert a == (0, 1)
    assert e == (4, 5)


@given(steps, st.data())
def test_a_proof_reads_few_records(sizes: list[int], data: st.DataObject) -> None:
    size = sum(sizes)
    index = data.draw(st.integers(0, size - 1))
    for leaves in inclusion_ranges(index, size) + consistency_ranges(index + 1, size):
        nodes, (first, end) = pieces(leaves)
        assert end - first < 1 << STORED_LEVEL
        assert all(level >= STORED_LEVEL for level, _ in nodes)


def test_peaks_must_fit_the_size() -> None:
    with pytest.raises(ValueError, match="a tree of size 3 has 2 peaks, not 1"):
        grow(3, bytes(32), LEAVES[:1])


def test_leaves_and_nodes_can_not_be_taken_for_each_other() -> None:
    left, right = LEAVES[0], LEAVES[1]
    assert tree.node_hash(left, right) != tree.leaf_hash(left + right)
    assert tree.leaf_hash(b"") == sha256(b"\0").digest()
