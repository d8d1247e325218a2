"""Pass 4: what was committed is what its seal says, and what every checkpoint kept elsewhere says.

Each seal is worked out anew from the rows and the seal before it, so a change is told where it is, and only there.
Whoever can write everything can make seals that fit. What he can't make is a history that fits a head that was signed
before, so each head is compared with the tree over the rows.

The records and the tree are the domain's own code: they are the definition of what is sealed. Its tests hold it to
fixed bytes and to the test vectors of RFC 6962.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from ledger_service.domain.sealing.checkpoint import Head
from ledger_service.domain.sealing.record import Unrecordable, records_of
from ledger_service.domain.sealing.tree import HASH_BYTES, grow, leaf_hash, root_of
from ledger_service.storage.proof.findings import Findings, Rule, moment
from ledger_service.storage.proof.snapshot import Row

_MOST_UNSEALED = 65_536
"""Events whose hashes are held while no seal comes for them; no seal covers as many."""
_TO_1970 = 946_684_800_000_000
"""Microseconds from 1970 to 2000, from where the rows' times count."""
_NOTHING = bytes(HASH_BYTES)
"""In place of the hash of a row that can't be recorded: no record has it."""


class _Times(dict[int | None, int]):
    """Times as records have them."""

    def __missing__(self, value: int | None) -> int:
        if len(self) > _MOST_UNSEALED:
            self.clear()
        self[value] = found = 0 if value is None else value + _TO_1970
        return found


class Seals:
    """Walks events, entries and seals; fed in pieces, entity after entity."""

    def __init__(self, findings: Findings, heads: Mapping[int, Sequence[Head]]) -> None:
        """`heads`: those kept elsewhere, by entity number, in the order of their sequences."""
        self._findings = findings
        self._heads = {entity_no: deque(known) for entity_no, known in heads.items()}
        self._times = _Times()
        self._entity_no: int | None = None
        self._size = 0
        self._peaks = b""
        self._last = 0
        self._held_good = 0
        # Events after the last seal: sequences and leaves.
        self._sequences: list[int] = []
        self._leaves: list[bytes] = []
        # What is wrong with rows that have no record, by entity and sequence, until their seal is looked at.
        self._unrecordable: dict[tuple[int | None, int], str] = {}
        self.seals = 0
        self.heads = 0

    def feed(self, events: Sequence[Row], entries: Sequence[Row], seals: Sequence[Row]) -> None:
        """The next piece: all rows of a range of places."""
        leaves = self._leaves_of(events, entries)
        at = 0
        for seal in seals:
            place = seal[0], seal[1]
            start = at
            while at < len(events) and (events[at][0], events[at][1]) <= place:
                at += 1
            self._add_leaves(events[start:at], leaves[start:at])
            self._seal(seal)
        self._add_leaves(events[at:], leaves[at:])

    def finish(self) -> None:
        """After the last piece."""
        self._leave()
        for entity_no, heads in self._heads.items():
            for head in heads:
                self._add(f"the checkpoint at sequence {head.sequence} is of an entity without events", entity_no)

    def _add_leaves(self, events: Sequence[Row], leaves: Sequence[bytes]) -> None:
        for event, leaf in zip(events, leaves, strict=True):
            if event[0] != self._entity_no:
                self._enter(event[0])
            self._last = event[1]
            self._sequences.append(event[1])
            self._leaves.append(leaf)
            if len(self._leaves) > _MOST_UNSEALED:
                self._grow_unsealed(len(self._leaves))

    def _seal(self, seal: Row) -> None:
        entity_no, last, first, _, peaks, _ = seal
        if entity_no != self._entity_no:
            self._enter(entity_no)
        self.seals += 1
        # What stands before the seal's first event was to have seals of its own.
        early = sum(sequence < first for sequence in self._sequences)
        if early:
            self._grow_unsealed(early)
        self._compare_heads(last)
        problem = self._problem(seal)
        if problem is not None:
            self._add(f"events {first} to {last} are not what was sealed when they were committed: {problem}")
        self._size, self._peaks = last, peaks
        if len(peaks) != HASH_BYTES * last.bit_count():
            # Not even the form of a seal: told above. What follows is held to what is there.
            self._peaks = bytes(HASH_BYTES * last.bit_count())
        self._sequences, self._leaves = [], []

    def _problem(self, seal: Row) -> str | None:
        """What is wrong with a seal; None: nothing."""
        _, last, first, version, peaks, nodes = seal
        if version != 1:
            return f"its version is {version}, expected 1"
        odd = next((i for i, sequence in enumerate(self._sequences, first) if i != sequence), None)
        if odd is not None or len(self._sequences) != last - first + 1:
            place = (
                ""
                if odd is None
                else f", the first one missing or too many is {min(odd, self._sequences[odd - first])}"
            )
            return f"there are {len(self._sequences)} of them, expected {last - first + 1}{place}"
        if first != self._size + 1:
            return f"the seal before it ends at {self._size}"
        for sequence in self._sequences if self._unrecordable else ():
            error = self._unrecordable.pop((self._entity_no, sequence), None)
            if error is not None:
                return f"event {sequence} can't have been written by the ledger: {error}"
        grown = grow(self._size, self._peaks, self._leaves)
        if grown.peaks != peaks:
            return "another hash"
        if grown.nodes != nodes:
            return "other hashes of subtrees, which proofs are made of"
        return None

    def _grow_unsealed(self, count: int) -> None:
        """Events without a seal: told, and taken as they are."""
        sequences = self._sequences[:count]
        self._add(f"events {sequences[0]} to {sequences[-1]} have no seal")
        self._compare_heads(sequences[-1])
        if sequences[0] == self._size + 1:
            self._peaks = grow(self._size, self._peaks, self._leaves[:count]).peaks
            self._size += count
        del self._sequences[:count], self._leaves[:count]

    def _compare_heads(self, up_to: int) -> None:
        """Hold the tree over the rows to the checkpoints up to this sequence."""
        heads = self._heads.get(self._entity_no or 0, deque())
        while heads and heads[0].sequence <= up_to:
            head = heads.popleft()
            self.heads += 1
            count = head.sequence - self._size
            root = None
            # Otherwise rows are missing, which is told as well.
            if 0 <= count <= len(self._leaves):
                root = root_of(grow(self._size, self._peaks, self._leaves[:count]).peaks)
            if root == head.root:
                self._held_good = head.sequence
                continue
            since = f", it does up to {self._held_good}" if self._held_good else ""
            self._add(
                f"the history up to sequence {head.sequence} is not the one of the checkpoint{since}: "
                f"root {'unknown' if root is None else root.hex()}, expected {head.root.hex()}"
            )

    def _leaves_of(self, events: Sequence[Row], entries: Sequence[Row]) -> list[bytes]:
        """Entries without an event are left out: pass 1 tells of them."""
        rows = [tuple(event) for event in events]
        # Into the order of EntryRow.
        parts = [(row[0], *row[2:5], row[1], *row[5:]) for row in map(tuple, entries)]
        of_entity = {entity_no: list(group) for entity_no, group in groupby(parts, itemgetter(0))}
        leaves: list[bytes] = []
        for entity_no, group in groupby(rows, itemgetter(0)):
            own, its_entries = list(group), of_entity.pop(entity_no, [])
            try:
                leaves += [leaf_hash(record) for record in records_of(own, its_entries, self._times)]
            except Unrecordable:
                leaves += self._leaves_one_by_one(own, its_entries)
        return leaves

    def _leaves_one_by_one(self, events: Sequence[Row], entries: Iterable[Row]) -> list[bytes]:
        by_event: dict[int, list[Row]] = {}
        for entry in entries:
            by_event.setdefault(entry[4], []).append(entry)
        leaves = []
        for event in events:
            try:
                [record] = records_of([event], by_event.get(event[1], ()), self._times)
            except Unrecordable as error:
                self._unrecordable[event[0], event[1]] = str(error)
                leaves.append(_NOTHING)
            else:
                leaves.append(leaf_hash(record))
        return leaves

    def _enter(self, entity_no: int) -> None:
        self._leave()
        self._entity_no = entity_no
        self._size, self._peaks, self._last, self._held_good = 0, b"", 0, 0

    def _leave(self) -> None:
        if self._entity_no is None:
            return
        if self._leaves:
            self._grow_unsealed(len(self._leaves))
        for head in self._heads.pop(self._entity_no, ()):
            self.heads += 1
            self._add(
                f"the history ends at sequence {self._last}, but there is a checkpoint of sequence {head.sequence}, "
                f"recorded at {moment(head.recorded_time - _TO_1970)}: what followed was taken away"
            )
        self._sequences, self._leaves = [], []

    def _add(self, what: str, entity_no: int | None = None) -> None:
        self._findings.add(Rule.SEALED, what, self._entity_no if entity_no is None else entity_no)
