"""What the use cases need from the outside; storage implements it, simulations imitate it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any, NamedTuple, Protocol

from ledger_service.domain.account import Account, Entity, EntityState
from ledger_service.domain.category import Category
from ledger_service.domain.commands import Unit
from ledger_service.domain.decide import Book
from ledger_service.domain.snapshots import entity_snapshot
from ledger_service.domain.totals import Totals
from ledger_service.domain.transaction import BalanceAfter, Transaction


class Clock(Protocol):
    """Every reading of the database's clock goes through here, so that tests and simulations can shift it."""

    def adjust(self, database_now: datetime) -> datetime:
        """The time to take for the database's present one."""
        ...


class DatabaseClock:
    """The database's own time: one clock for all processes."""

    def adjust(self, database_now: datetime) -> datetime:
        """As it is."""
        return database_now


class StorageError(Exception):
    """The database did not do what was asked."""


class Conflict(StorageError):
    """Another database transaction was in the way; nothing was written. Try again."""


class Rejected(StorageError):
    """The database refused the content; nothing was written. Trying again would be refused again."""


class Unavailable(StorageError):
    """No connection, or it broke before COMMIT was sent; nothing was written."""


class TooBroad(StorageError):
    """A query could not be answered within its time limit."""


class CommitUnknown(StorageError):
    """The connection broke after COMMIT was sent: it may have been carried out."""


@dataclass(slots=True)
class Loaded:
    """What a batch's decisions rest on: a book for each entity."""

    books: dict[int, Book] = field(default_factory=dict)
    more_due: bool = False
    """More transactions are due to expire than fit in one batch: expire these first, then load again."""
    keys: Sequence[tuple[int, str]] = ()
    """Idempotency keys that the batch would use, with their entities."""
    read_at: float = 0.0
    """When, in the event loop's time."""
    mark: int = 0
    """Drawn for the rows of this try: tells its commit from that of others, though they wrote the same."""
    is_plain: bool = True
    """Nothing but events and entries can come of it."""


class Rows(Protocol):
    """What a batch writes, in the form in which it is sent."""

    def make(self) -> None:
        """Decide and encode all of it now, ahead of `write`. Raises what a step raises."""
        ...


class WriteSession(Protocol):
    """One connection that writes: lock, load, write, commit, and again, or unlock, in this order."""

    async def lock(self, entity_nos: Sequence[int]) -> list[int]:
        """Take the entities' locks: those that are still held, or those that are free, and where none is the first,
        which is waited for. Gives those that are held now. Raises Conflict, Unavailable.
        """
        ...

    async def load(self, units: Mapping[int, Sequence[Unit]], clock: Clock, due_limit: int) -> Loaded:
        """Read all that the units' decisions rest on, under their locks.

        Not yet in the database transaction that writes: SERIALIZABLE would take what it reads of the neighbours in an
        index for a conflict with them (docs/decisions/0023). Whoever wrote in between, around the lock, has taken the
        next number of the sequence, and this batch will be refused it. Raises Conflict, Unavailable.
        """
        ...

    def follow(self, loaded: Loaded, units: Mapping[int, Sequence[Unit]]) -> Loaded | None:
        """What the units' decisions will rest on once all that was decided on `loaded` is committed, told from that
        alone; None: they need more. It takes over the books of `loaded`, on which nothing must be decided any more.
        """
        ...

    async def still_follows(self, following: Loaded, clock: Clock) -> bool:
        """Whether all is so as `follow` has foreseen. Raises Conflict, Unavailable."""
        ...

    def rows(self, loaded: Loaded, steps: Iterator[object]) -> Rows:
        """The rows that decisions add to the books; the next decisions are made by advancing `steps`."""
        ...

    async def write(self, rows: Rows, made: Callable[[], None]) -> bool:
        """Begin a SERIALIZABLE database transaction and send the rows; False: there are none, and nothing was begun.

        Rows that were not made ahead are made while the server is busy with those before. `made` is called when all
        are, at the latest before `write` ends. What becomes of the rows `commit` tells, unless it is known by now.
        Raises Conflict, Rejected, Unavailable, and what a step raises.
        """
        ...

    def commit(self) -> Coroutine[Any, Any, None]:
        """Send COMMIT; await the server's answer to it and to the rows.

        Awaited, it raises Conflict, Rejected: nothing was written. Raises CommitUnknown.
        """
        ...

    async def rollback(self) -> None:
        """End the database transaction without effect, before `commit` or after it was refused."""
        ...

    async def unlock(self) -> None:
        """Give back all locks."""
        ...

    async def was_committed(self, loaded: Loaded) -> bool:
        """Take a lock of the batch that loaded this and wrote what was decided; tell whether it has been committed.

        Under the lock because the session that wrote it holds it until its COMMIT is through or rolled back: a look
        without it may be too early. Raises Conflict, Unavailable.
        """
        ...

    async def ping(self) -> None:
        """Keep the session from idling out. Raises Unavailable."""
        ...

    async def close(self) -> None:
        """Drop the connection and with it whatever it holds; never raises, never waits long."""
        ...


class WriteStore(Protocol):
    """Opens connections that write."""

    async def open_session(self) -> WriteSession:
        """Raises Unavailable."""
        ...


class Observer(Protocol):
    """Hears of what the committer does; telemetry implements it."""

    def committed(self, events: int, seconds: float) -> None:
        """A database transaction with so many events was committed, so long after it was begun."""
        ...

    def aborted(self) -> None:
        """A database transaction was rolled back and is tried again."""
        ...

    def resolved(self) -> None:
        """The outcome of a COMMIT whose answer was lost has been found out."""
        ...

    def failed(self) -> None:
        """Requests were answered with a failure of the service."""
        ...

    def queued(self, commands: int) -> None:
        """So many commands wait now."""
        ...

    def refused(self, reason: str) -> None:
        """A request was refused by a rule."""
        ...

    def advanced(self, entity_no: int, sequence: int) -> None:
        """An entity's history has grown up to this sequence, by this process."""
        ...


@dataclass(frozen=True, slots=True)
class Moment:
    """At which moment a balance is meant, on both axes of time; all None: now."""

    effective_time: datetime | None = None
    known_time: datetime | None = None
    known_sequence: int | None = None


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """Which accounts to list; None: any."""

    parent_no: int | None
    type: int | None
    code_prefix: str | None
    state: int | None
    tree: bool


@dataclass(frozen=True, slots=True)
class AccountPlace:
    """Where an account stands in a list: the sort keys from the top of the tree down to it."""

    path: tuple[str, ...]
    depth: int


@dataclass(frozen=True, slots=True)
class TransactionFilter:
    """Which transactions to list; empty or None: any."""

    statuses: tuple[int, ...]
    account_no: int | None
    effective_from: datetime | None
    effective_before: datetime | None
    ascending: bool
    by_effective_time: bool = False
    """By effective time; else by creation."""


@dataclass(frozen=True, slots=True)
class TransactionPlace:
    """Where a transaction stands in a list: after it the list goes on."""

    transaction_no: int
    effective_time: datetime | None = None
    """In lists by effective time."""


@dataclass(frozen=True, slots=True)
class SearchFilter:
    """What to search for; None: any. Amounts are minor units by currency, least and most."""

    words: tuple[str, ...]
    prefixes: tuple[str, ...]
    phrases: tuple[str, ...]
    effective_from: datetime | None
    effective_before: datetime | None
    statuses: tuple[int, ...]
    amounts: Mapping[str, tuple[int | None, int | None]] | None


class DealtAmount(NamedTuple):
    """What was dealt with a counterparty in a currency, in minor units, less what was reversed."""

    currency: str
    transactions: int
    total: int

    @property
    def average(self) -> int:
        """The total by the count, rounded half to even."""
        return round(Fraction(self.total, self.transactions))


@dataclass(frozen=True, slots=True)
class CounterpartyRecord:
    """With whom the entity deals; `key` is the same for all spellings of the name."""

    key: str
    name: str
    transactions: int
    first_seen: datetime
    last_seen: datetime
    amounts: tuple[DealtAmount, ...]


class BalanceRow(NamedTuple):
    """Totals of an account, or of a subtree by its root, in a currency."""

    account_no: int
    currency: str
    totals: Totals
    number: int


class BalancesAt(NamedTuple):
    """Balances as of one sequence; `last` is the entity's present one."""

    sequence: int
    last: int
    rows: list[BalanceRow]


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """One entry with its transaction."""

    number: int
    transaction_no: int
    sequence: int
    kind: int
    side: int
    currency: str
    amount: int
    totals: Totals
    effective_time: datetime
    recorded_time: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """One event of an entity's history; `detail` is its JSON where it is not about a transaction."""

    sequence: int
    kind: int
    recorded_time: datetime
    actor: str
    idempotency_key: str | None
    transaction: Transaction | None
    account_no: int | None
    detail: str | None
    fingerprint: bytes | None = None


class DirectoryStore(Protocol):
    """Reads of what belongs to no single entity. All raise Unavailable. storage.directory documents each."""

    async def entity(self, entity_id: str) -> Entity | None: ...

    async def entity_numbered(self, entity_no: int) -> Entity | None: ...

    async def entities(self, visible: Sequence[str] | None, after: str, limit: int) -> list[Entity]: ...

    async def last_sequences(self, entity_nos: Sequence[int]) -> dict[int, int]: ...

    async def entities_due(self, limit: int) -> list[int]: ...

    async def credential(self, token_hmac: bytes) -> dict[str, Any] | None: ...

    async def certificates(self, names: Sequence[str]) -> list[dict[str, Any]]: ...

    async def ping(self) -> None: ...


class ReadStore(Protocol):
    """Reads of one entity, named in each call: of others there is nothing to see.

    Every answer is from one snapshot. All raise Unavailable. storage.reading documents each.
    """

    async def account_numbers(self, entity_no: int, account_ids: Sequence[str]) -> dict[str, int]: ...

    async def accounts(self, entity_no: int, account_nos: Sequence[int]) -> list[Account]: ...

    async def list_accounts(
        self, entity_no: int, wanted: AccountFilter, after: AccountPlace | None, limit: int
    ) -> list[tuple[Account, AccountPlace]]: ...

    async def balances(
        self, entity_no: int, account_nos: Sequence[int], subtree: bool, currency: str | None, moment: Moment
    ) -> BalancesAt: ...

    async def currencies_of(self, entity_no: int, account_no: int) -> list[str]: ...

    async def entries(
        self, entity_no: int, account_no: int, currency: str, after: int | None, ascending: bool, limit: int
    ) -> list[EntryRecord]: ...

    async def transactions(self, entity_no: int, transaction_nos: Sequence[int]) -> list[Transaction]: ...

    async def transactions_by_reference(
        self, entity_no: int, reference: str, after: int, limit: int
    ) -> list[Transaction]: ...

    async def list_transactions(
        self, entity_no: int, wanted: TransactionFilter, after: TransactionPlace | None, limit: int
    ) -> list[Transaction]: ...

    async def search(
        self, entity_no: int, wanted: SearchFilter, skip: int, limit: int, most: int, seconds: float
    ) -> tuple[int, list[Transaction]]:
        """How many there are, counted up to one more than `most`, and a page of them. Raises TooBroad."""
        ...

    async def counterparties(self, entity_no: int, after: str, limit: int, seconds: float) -> list[CounterpartyRecord]:
        """By key. Raises TooBroad."""
        ...

    async def categories(self, entity_no: int, category_ids: Sequence[str]) -> list[Category]: ...

    async def list_categories(
        self, entity_no: int, include_archived: bool, after: tuple[str, str] | None, limit: int
    ) -> list[Category]: ...

    async def revisions(self, entity_no: int, transaction_no: int, after: int, limit: int) -> list[Transaction]: ...

    async def key_use(self, entity_no: int, key: str) -> tuple[int, int] | None: ...

    async def events(self, entity_no: int, after: int, limit: int) -> list[Event]: ...

    async def events_at(self, entity_no: int, sequences: Sequence[int]) -> list[Event]: ...

    async def balances_after(self, entity_no: int, writes: Sequence[tuple[int, int]]) -> list[list[BalanceAfter]]: ...


@dataclass(frozen=True, slots=True)
class NewEntity:
    """An entity to create."""

    entity_id: str
    id_key: bytes
    name: str
    time_zone: str
    metadata: str | None
    actor: str
    fingerprint: bytes

    def snapshot(self, now: datetime) -> str:
        """What its first event keeps."""
        return entity_snapshot(
            Entity(
                0,
                self.entity_id,
                self.id_key,
                self.name,
                self.time_zone,
                EntityState.ACTIVE,
                self.metadata,
                now,
                now,
                1,
            )
        )


class EntityWriter(Protocol):
    """Creates entities."""

    async def create(self, entity: NewEntity) -> bool:
        """False: one with this id exists. Raises Unavailable."""
        ...
