"""What a process remembers of the ledger between batches, and how it knows that it is still true.

Every change of an entity takes the next number of its sequence. So whatever was known at a sequence is
still exact as long as the entity, read under its lock, has not gone beyond it: then nobody else has
written. Nothing is ever invalidated by message or by time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ledger_service.domain.account import Account, Entity
from ledger_service.domain.category import Category
from ledger_service.domain.decide.book import Book, Head


@dataclass(slots=True)
class Known:
    """One entity, and its accounts, newest entries, categories and history tree, as of a sequence."""

    sequence: int
    entity: Entity | None = None
    accounts: dict[str, Account] = field(default_factory=dict)
    accounts_by_no: dict[int, Account] = field(default_factory=dict)
    heads: dict[tuple[int, str], Head] = field(default_factory=dict)
    categories: dict[str, Category] = field(default_factory=dict)
    sealed: int = 0
    peaks: bytes = b""


class Memory:
    """What is known of entities, each taken out by the batch that works on it and put back once it is committed.

    A batch that fails in any way just does not put it back. `capacity`: accounts and heads in all; beyond it the
    entities that were longest without a write are forgotten.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entities: dict[int, Known] = {}
        self._size = 0
        self._accounts: dict[tuple[int, int], Account] = {}
        self._accounts_by_id: dict[tuple[int, str], Account] = {}
        """The same ones."""

    def peek(self, entity_no: int) -> Known | None:
        """What `take` would give at the right sequence: before one knows which one is."""
        return self._entities.get(entity_no)

    def take(self, entity_no: int, sequence: int) -> Known:
        """What is known of the entity as of exactly this sequence; maybe nothing."""
        known = self._entities.pop(entity_no, None)
        if known is not None:
            self._size -= _size(known)
            if known.sequence == sequence:
                return known
        return Known(sequence)

    def put(self, book: Book) -> None:
        """The batch is committed: what its book holds is true as of its last sequence."""
        known = known_after(book)
        self.take(book.entity.entity_no, -1)
        self._entities[book.entity.entity_no] = known
        self._size += _size(known)
        while self._size > self._capacity:
            self.take(next(iter(self._entities)), -1)

    def account(self, place: tuple[int, int], version: int) -> Account | None:
        """An account, if it is known in this version: good although other processes write to its entity too."""
        account = self._accounts.get(place)
        return account if account is not None and account.sequence == version else None

    def version(self, entity_no: int, account_id: str) -> int | None:
        """The version in which an account is known."""
        account = self._accounts_by_id.get((entity_no, account_id))
        return None if account is None else account.sequence

    def put_account(self, place: tuple[int, int], account: Account) -> None:
        """Remember an account by its version; when full, the older half is forgotten."""
        if len(self._accounts) >= self._capacity and place not in self._accounts:
            for old in list(self._accounts)[: self._capacity // 2]:
                del self._accounts_by_id[old[0], self._accounts.pop(old).account_id]
        self._accounts[place] = self._accounts_by_id[place[0], account.account_id] = account


def known_after(book: Book) -> Known:
    """What is known of the entity once all that was decided on the book is committed."""
    return Known(
        book.sequence,
        replace(book.entity, sequence=book.sequence),
        book.accounts,
        book.accounts_by_no,
        book.heads,
        book.categories,
        book.sealed,
        book.peaks,
    )


def _size(known: Known) -> int:
    return len(known.accounts) + len(known.heads) + len(known.categories)
