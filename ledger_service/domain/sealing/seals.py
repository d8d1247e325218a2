"""The seal of a commit: the history tree after its events, written with them in the same database transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ledger_service.domain.decide.book import Book
from ledger_service.domain.sealing.record import VERSION, records_of
from ledger_service.domain.sealing.tree import grow, leaf_hash


class Seal(NamedTuple):
    """A row of ledger.seals, columns in this order: an entity's history tree of size `last_sequence`, which the events
    from `first_sequence` on made longer."""

    entity_no: int
    first_sequence: int
    last_sequence: int
    version: int
    peaks: bytes
    nodes: bytes


class UnsealedHistory(ValueError):
    """Events stand before the ones to be sealed that have no seal themselves."""


def seal_rows(
    entity_no: int, sealed: int, peaks: bytes, events: Sequence[Sequence[Any]], entries: Sequence[Sequence[Any]]
) -> Seal:
    """The seal of the events, with their entries, that follow a tree of size `sealed` with these peaks.

    Raises UnsealedHistory when the first one is not the next event, record.Unrecordable.
    """
    if events[0][1] != sealed + 1:
        raise UnsealedHistory(
            f"the events of entity number {entity_no} are sealed up to {sealed}, and the next to be written is "
            f"{events[0][1]}: run 'ledger-service migrate' to seal what is between"
        )
    leaves = [leaf_hash(record) for record in records_of(events, entries)]
    grown = grow(sealed, peaks, leaves)
    return Seal(entity_no, sealed + 1, sealed + len(leaves), VERSION, grown.peaks, grown.nodes)


def seal_of(book: Book) -> Seal:
    """The seal of what a batch adds to one entity; the book has events, and knows of the seal afterwards."""
    seal = seal_rows(book.entity.entity_no, book.sealed, book.peaks, book.events, book.entries)
    book.sealed, book.peaks = seal.last_sequence, seal.peaks
    return seal
