"""A WriteStore in memory with failures on order, to drive the real committer through everything that can go wrong.

It keeps PostgreSQL's side of the bargain, and no more: locks belong to sessions, a database transaction is all
or nothing, a second writer of a sequence is refused, a lost COMMIT is carried out when the server comes to it.
It asserts the committer's side: lock, begin, load, write, commit, unlock, in this order.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ledger_service.application.ports import (
    Clock,
    CommitUnknown,
    Conflict,
    Loaded,
    Rejected,
)
from ledger_service.domain.account import Account, AccountState, AccountType, Entity, EntityState
from ledger_service.domain.decide.book import Book, Head, KnownKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ledger_service.domain.commands import Unit
    from ledger_service.domain.decide.book import EventRow
    from ledger_service.domain.transaction import Transaction

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Ledger:
    """What is committed of one entity."""

    entity: Entity
    accounts: dict[str, Account]
    sequence: int = 0
    heads: dict[tuple[int, str], Head] = field(default_factory=dict)
    keys: dict[str, KnownKey] = field(default_factory=dict)
    transactions: dict[int, Transaction] = field(default_factory=dict)
    events: list[EventRow] = field(default_factory=list)


def account(number: int, account_id: str, type_: AccountType = AccountType.ASSET, **fields: Any) -> Account:
    """An open account without limits, unless `fields` say otherwise."""
    values: dict[str, Any] = {
        "account_no": number,
        "account_id": account_id,
        "type": type_,
        "contra": False,
        "code": None,
        "name": account_id,
        "parent_no": None,
        "parent_id": None,
        "currencies": (),
        "limits": (),
        "state": AccountState.OPEN,
        "metadata": None,
        "created_time": NOW,
        "updated_time": NOW,
        "sequence": number,
        "revision": 1,
        **fields,
    }
    return Account(**values)


def entity(number: int) -> Entity:
    """An active entity."""
    return Entity(
        number, f"entity-{number}", bytes([number]) * 16, "An entity", "UTC", EntityState.ACTIVE, None, NOW, NOW, 1
    )


class Gate:
    """A step that waits: `reached` when the committer has come to it, on with `open`."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._opened = asyncio.Event()

    def open(self) -> None:
        """Let it go on."""
        self._opened.set()

    async def pass_through(self) -> None:
        """What the session does at the gate."""
        self.reached.set()
        await self._opened.wait()


@dataclass
class _Failure:
    error: Callable[[], Exception]
    times: int


class FakeStore:
    """The database: ledgers, locks, what has been committed in which order, and what will fail."""

    def __init__(self, entity_nos: Sequence[int] = (1, 2, 3)) -> None:
        self.ledgers = {number: self._ledger(number) for number in entity_nos}
        self.now = NOW
        self.commits: list[dict[int, list[str | None]]] = []
        """Each database transaction: idempotency keys of the events that it wrote, by entity, in order."""
        self.lock_calls: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
        """Each lock: what was asked for and what was obtained."""
        self.sessions: list[FakeSession] = []
        self.poison: set[str] = set()
        """Keys that the database refuses to write."""
        self.poison_step = "write"
        self.lost_commits: list[str] = []
        """What becomes of the next COMMITs: "done" or "dropped" before the connection broke, "late": done
        only when somebody else comes for the lock."""
        self.after_commit: type[Exception] | None = None
        """What the next COMMIT raises although it has been carried out."""
        self.before: Callable[[str], None] = lambda step: None
        """Called before each step; may raise."""
        self.owners: dict[int, object] = {}
        self.marks: set[int] = set()
        """Of all tries that were committed."""
        self.numbers = itertools.count(1)
        self.followed = self.confirmed = 0
        """How often a batch was decided ahead, and how often it was written so."""
        self.changed = asyncio.Event()
        self._failures: dict[str, list[_Failure]] = {}
        self._gates: dict[str, list[Gate]] = {}

    async def open_session(self) -> FakeSession:
        """A connection."""
        await self.step("open")
        session = FakeSession(self)
        self.sessions.append(session)
        return session

    def fail(self, step: str, error: type[Exception], times: int = 1) -> None:
        """The next `times` of a step fail."""
        self._failures.setdefault(step, []).append(_Failure(lambda: error(f"{step} fails by order"), times))

    def gate(self, step: str) -> Gate:
        """The next one of a step waits."""
        gate = Gate()
        self._gates.setdefault(step, []).append(gate)
        return gate

    def hold_elsewhere(self, entity_no: int) -> None:
        """Another process takes an entity's lock."""
        assert entity_no not in self.owners
        self.owners[entity_no] = "elsewhere"

    def free_elsewhere(self, entity_no: int) -> None:
        """The other process gives it back."""
        assert self.owners.pop(entity_no) == "elsewhere"
        self.notify()

    def notify(self) -> None:
        """Wake those who wait for a lock."""
        self.changed.set()
        self.changed = asyncio.Event()

    def committed_keys(self, entity_no: int) -> list[str]:
        """Keys of all committed events of an entity, in order."""
        return [event.idempotency_key for event in self.ledgers[entity_no].events if event.idempotency_key is not None]

    async def step(self, name: str) -> None:
        """What every step begins with."""
        if self._gates.get(name):
            await self._gates[name].pop(0).pass_through()
        else:
            await asyncio.sleep(0)  # as a round trip: others get their turn
        self.before(name)
        failures = self._failures.get(name)
        if failures:
            failure = failures[0]
            failure.times -= 1
            if failure.times == 0:
                failures.pop(0)
            raise failure.error()

    def _ledger(self, number: int) -> Ledger:
        cash, wallet = account(1, "cash"), account(2, "wallet", AccountType.LIABILITY)
        return Ledger(entity(number), {one.account_id: one for one in (cash, wallet)}, sequence=2)


@dataclass
class FakeRows:
    """See application.ports.Rows."""

    mark: int
    books: list[Book]
    steps: Iterator[object]

    def make(self) -> None:
        """All decisions."""
        for _ in self.steps:
            pass


class FakeSession:
    """See application.ports.WriteSession."""

    def __init__(self, store: FakeStore) -> None:
        self.store = store
        self.is_closed = False
        self.locks: set[int] = set()
        self.loaded: Loaded | None = None
        self.first_sequences: dict[int, int] = {}
        self.written: list[Book] | None = None
        self.mark = 0
        self.in_transaction = False
        self._late: Callable[[], None] | None = None

    async def lock(self, entity_nos: Sequence[int]) -> list[int]:
        """The locks that are held or free; where none is, wait for the first."""
        wanted = sorted(entity_nos)
        if self.locks >= set(wanted):
            return wanted
        if self.locks:
            await self.unlock()
        return await self._lock(wanted)

    async def _lock(self, wanted: list[int]) -> list[int]:
        await self._step("lock")
        assert not self.in_transaction, "a lock is taken before BEGIN"
        free = [one for one in wanted if one not in self.store.owners] if len(wanted) > 1 else []
        while not free:
            owner = self.store.owners.get(wanted[0])
            if owner is None:
                free = wanted[:1]
            elif isinstance(owner, FakeSession) and owner.is_closed:
                owner.server_ends()
            else:
                await self._wait_for_locks()
        self.locks.update(free)
        self.store.owners.update(dict.fromkeys(free, self))
        self.store.lock_calls.append((tuple(wanted), tuple(free)))
        return free

    async def _wait_for_locks(self) -> None:
        """Until somebody has given a lock back."""
        await self.store.changed.wait()

    async def load(self, units: Mapping[int, Sequence[Unit]], clock: Clock, due_limit: int) -> Loaded:
        """Books with everything in them."""
        await self._step("load")
        assert not self.in_transaction, "what is read is no part of the database transaction that writes"
        assert set(units) <= self.locks, "everything is loaded under its lock"
        loaded = Loaded()
        now = clock.adjust(self.store.now)
        room = due_limit
        for entity_no in units:
            ledger = self.store.ledgers[entity_no]
            book = Book(ledger.entity, ledger.sequence, now)
            book.accounts.update(ledger.accounts)
            book.accounts_by_no.update({one.account_no: one for one in ledger.accounts.values()})
            book.heads.update(ledger.heads)
            book.keys.update(ledger.keys)
            book.transactions.update(ledger.transactions)
            due = [
                number
                for number, one in ledger.transactions.items()
                if one.status <= 2 and one.expire_time is not None and one.expire_time <= now
            ][:room]
            book.due.extend(due)
            room -= len(due)
            loaded.books[entity_no] = book
            self.first_sequences[entity_no] = ledger.sequence
        loaded.more_due = room == 0
        self.loaded = loaded
        return loaded

    def follow(self, loaded: Loaded, units: Mapping[int, Sequence[Unit]]) -> Loaded | None:
        """Whatever is asked for, all is in the book."""
        [(entity_no, book)] = loaded.books.items()
        now = book.now + timedelta(microseconds=1)
        following = Loaded(keys=[(entity_no, one.key) for unit in units[entity_no] for one in unit.commands if one.key])
        following.books[entity_no] = Book(
            book.entity,
            book.sequence,
            now,
            book.accounts,
            book.accounts_by_no,
            dict(book.heads),
            transactions=dict(book.transactions),
        )
        self.store.followed += 1
        return following

    async def still_follows(self, following: Loaded, clock: Clock) -> bool:
        """Nobody has written, no key was used, nothing is due."""
        await self._step("load")
        [(entity_no, book)] = following.books.items()
        assert entity_no in self.locks, "everything is looked at under its lock"
        ledger = self.store.ledgers[entity_no]
        base = book.events[0].sequence - 1 if book.events else book.sequence
        is_due = any(
            one.status <= 2 and one.expire_time is not None and one.expire_time <= clock.adjust(self.store.now)
            for one in ledger.transactions.values()
        )
        self.first_sequences[entity_no] = base
        is_so = ledger.sequence == base and not is_due and not any(key in ledger.keys for _, key in following.keys)
        self.store.confirmed += is_so
        return is_so

    def rows(self, loaded: Loaded, steps: Iterator[object]) -> FakeRows:
        """Books and what is still to be decided on them."""
        loaded.mark = next(self.store.numbers)
        return FakeRows(loaded.mark, list(loaded.books.values()), steps)

    async def write(self, rows: FakeRows, made: Callable[[], None]) -> bool:
        """The rows, not yet for others to see."""
        assert not self.in_transaction
        rows.make()
        written = [book for book in rows.books if book.events]
        if not written:
            return False
        await self._step("begin")
        self.in_transaction = True
        made()
        await self._step("write")
        self._refuse_poison("write", written)
        self.written, self.mark = written, rows.mark
        return True

    async def commit(self) -> None:
        """COMMIT."""
        await self._step("commit")
        assert self.in_transaction
        assert self.written is not None
        books, self.written, mark = self.written, None, self.mark
        self._refuse_poison("commit", books)
        self.in_transaction = False
        if self.store.lost_commits:
            fate = self.store.lost_commits.pop(0)
            if fate == "done":
                self._apply(books, mark)
            elif fate == "late":
                self._late = lambda: self._apply(books, mark)
            raise CommitUnknown("the connection broke by order")
        self._apply(books, mark)
        if self.store.after_commit is not None:
            error, self.store.after_commit = self.store.after_commit, None
            raise error("a fault by order")

    async def rollback(self) -> None:
        """ROLLBACK."""
        await self._step("rollback")
        self.in_transaction = False
        self.written = None

    async def unlock(self) -> None:
        """All locks."""
        await self._step("unlock")
        assert not self.in_transaction, "locks are given back after the database transaction"
        self._release()

    async def was_committed(self, loaded: Loaded) -> bool:
        """Whether that database transaction was carried out; without the lock the look might be too early."""
        book = next(book for book in loaded.books.values() if book.events)
        await self._lock([book.entity.entity_no])
        await self._step("was_committed")
        return loaded.mark in self.store.marks

    async def ping(self) -> None:
        """One round trip."""
        await self._step("ping")

    async def close(self) -> None:
        """The connection is gone; the server notices at once, unless it is still at work on a COMMIT."""
        self.is_closed = True
        if self._late is None:
            self._release()

    def server_ends(self) -> None:
        """The server is through with what a lost connection had sent, and gives back its locks."""
        assert self._late is not None
        late, self._late = self._late, None
        late()
        self._release()

    async def _step(self, name: str) -> None:
        assert not self.is_closed, f"{name} on a connection that was dropped"
        await self.store.step(name)

    def _refuse_poison(self, step: str, books: Sequence[Book]) -> None:
        keys = {event.idempotency_key for book in books for event in book.events}
        if self.store.poison_step == step and keys & self.store.poison:
            raise Rejected(f"{step} is refused by order")

    def _apply(self, books: Sequence[Book], mark: int) -> None:
        store = self.store
        for book in books:
            number = book.entity.entity_no
            assert store.owners[number] is self, "a COMMIT without its lock"
            if store.ledgers[number].sequence != self.first_sequences[number]:
                raise Conflict("the sequence was taken")
        for book in books:
            ledger = store.ledgers[book.entity.entity_no]
            ledger.sequence = book.sequence
            ledger.heads = dict(book.heads)
            ledger.transactions = dict(book.transactions)
            ledger.accounts = dict(book.accounts)
            ledger.entity = book.entity
            ledger.events += book.events
            for event in book.events:
                if event.idempotency_key is not None:
                    assert event.request_hash is not None
                    ledger.keys[event.idempotency_key] = KnownKey(event.request_hash, event.sequence, 1, None)
        store.marks.add(mark)
        store.commits.append({book.entity.entity_no: [row.idempotency_key for row in book.events] for book in books})

    def _release(self) -> None:
        for number in self.locks:
            if self.store.owners.get(number) is self:
                del self.store.owners[number]
        self.locks.clear()
        self.store.notify()


@dataclass
class FakeObserver:
    """Counts what it hears."""

    commits: list[int] = field(default_factory=list)
    aborts: int = 0
    resolutions: int = 0
    failures: int = 0
    waiting: list[int] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    progress: list[tuple[int, int]] = field(default_factory=list)

    def committed(self, events: int, seconds: float) -> None:
        """See Observer."""
        assert seconds >= 0
        self.commits.append(events)

    def aborted(self) -> None:
        """See Observer."""
        self.aborts += 1

    def resolved(self) -> None:
        """See Observer."""
        self.resolutions += 1

    def failed(self) -> None:
        """See Observer."""
        self.failures += 1

    def queued(self, commands: int) -> None:
        """See Observer."""
        self.waiting.append(commands)

    def refused(self, reason: str) -> None:
        """See Observer."""
        self.refusals.append(reason)

    def advanced(self, entity_no: int, sequence: int) -> None:
        """See Observer."""
        self.progress.append((entity_no, sequence))
