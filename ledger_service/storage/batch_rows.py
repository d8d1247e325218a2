"""What a batch writes, on its way from decisions to bytes: made while the server takes it, or ahead of that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Self

from ledger_service.domain.decide.book import Book, EntryRow, EventRow
from ledger_service.domain.sealing.seals import seal_of
from ledger_service.storage import copying
from ledger_service.storage.copying import Chunks

_LONE_ENTRIES = 64
"""Up to so many entries the seals are not worth to be worked out beside the server."""


class BatchRows:
    """See application.ports.Rows. Events first, then entries, then seals: each is asked for once, in this order."""

    def __init__(self, books: Sequence[Book], steps: Iterator[object], mark: int, *, is_plain: bool) -> None:
        self.is_plain = is_plain
        """There will be nothing but events, entries and seals."""
        self._books = books
        self._mark = mark
        self._decided = _Decided(books, steps)
        self._events: Chunks | None = None
        self._entries: Chunks = ()
        self._seals: Chunks = ()
        self._is_made = False

    def make(self) -> None:
        """Decide, encode and seal all of it now, so that it only has to be sent."""
        events = self.events()
        if events is not None:
            self._events = [b"".join(events)]
            self._entries = [b"".join(self.entries(_nothing))]
        self._is_made = True

    def events(self) -> Chunks | None:
        """The events; None: nothing is to be written at all. Decisions are made as chunks are taken."""
        if self._is_made:
            return self._events
        first = next(self._decided, None)
        if first is None:
            return None
        return copying.event_chunks(chain([first], self._decided), is_all=self._decided.is_all)

    def written(self) -> list[Book]:
        """The books to which something was added, when all is decided."""
        return [book for book in self._books if book.events]

    def entries(self, made: Callable[[], None]) -> Chunks:
        """The entries, of which there may be none, when all is decided; `made` is called when all bytes are made."""
        if self._is_made:
            made()
            return self._entries
        entries = [entry for book in self._books for entry in book.entries]
        if len(entries) > _LONE_ENTRIES:
            return self._sealing(entries, made)
        self._seal(made)
        return copying.entry_chunks(entries)

    def seals(self) -> Chunks:
        """The seals, when the entries were taken."""
        return self._seals

    def _sealing(self, entries: Sequence[EntryRow], made: Callable[[], None]) -> Iterator[bytes]:
        """The seals are worked out when all rows are on their way, and the server at work on them."""
        yield from copying.entry_chunks(entries)
        self._seal(made)

    def _seal(self, made: Callable[[], None]) -> None:
        self._seals = copying.seal_chunks([seal_of(book) for book in self.written()], self._mark)
        made()


class _Decided:
    """The events that each step adds to the books, as soon as they are decided."""

    def __init__(self, books: Sequence[Book], steps: Iterator[object]) -> None:
        self._books = books
        self._steps = steps
        self._taken = [0] * len(books)
        self.is_all = False
        """There are no more steps."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> list[EventRow]:
        fresh: list[EventRow] = []
        while not fresh:
            if self.is_all:
                raise StopIteration
            self.is_all = next(self._steps, _END) is _END
            for place, book in enumerate(self._books):
                if len(book.events) > self._taken[place]:
                    fresh += book.events[self._taken[place] :]
                    self._taken[place] = len(book.events)
        return fresh


_END = object()


def _nothing() -> None:
    """Nobody waits for it."""
