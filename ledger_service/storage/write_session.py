"""One connection of the committer: lock, load, then BEGIN, write, COMMIT with its tag checked."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

import asyncpg

from ledger_service.application.ports import (
    Clock,
    CommitUnknown,
    Conflict,
    Loaded,
    Rejected,
    Rows,
    StorageError,
    Unavailable,
)
from ledger_service.domain.account import Account
from ledger_service.domain.category import Category
from ledger_service.domain.commands import Unit
from ledger_service.domain.decide.book import Book
from ledger_service.storage import copying, database
from ledger_service.storage.batch_rows import BatchRows
from ledger_service.storage.loading import QUERIES, Loader
from ledger_service.storage.memory import Memory
from ledger_service.storage.plans import DISCARD, PlanAge
from ledger_service.storage.sending import Sending

_LOCK_SPACE = 0x6C67
"""First half of the advisory locks' keys ("lg"); the second is the entity's number."""

_MARK_BITS = 62

_BEGIN = "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE"
# Into the tables themselves their policies would forbid COPY (migration 0005).
_EVENTS = copying.statement("events_inlet", copying.EVENT_COLUMNS)
_ENTRIES = copying.statement("entries_inlet", copying.ENTRY_COLUMNS)
_SEALS = copying.statement("seals_inlet", copying.SEAL_COLUMNS)
_ALL = f"{_BEGIN}; {_EVENTS}; {_ENTRIES}; {_SEALS}; COMMIT"

_Result = TypeVar("_Result")

# SQLSTATE classes after which the same batch may succeed: 40 (serialization, deadlock), 55P03 (lock
# timeout), 23505 (a writer beside our lock took the number: the chain refused the second one).
_CONFLICTS = ("40", "55P03", "23505")
# The content itself: data exceptions, constraints, our triggers, values that fit no column.
_UNSUPPORTED = "0A"
_REJECTIONS = ("22", "23", "21", _UNSUPPORTED, "42", "54")


class WriteStore:
    """Opens the committer's connections."""

    def __init__(self, dsn: str, chance: random.Random, *, remembered: int = 100_000) -> None:
        self._dsn = dsn
        self._chance = chance
        self._memory = Memory(remembered)

    async def open_session(self) -> WriteSession:
        """Raises Unavailable."""
        try:
            connection = await database.connect_writer(self._dsn)
        except (*database.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
            raise Unavailable(f"no connection to PostgreSQL: {error}") from error
        return WriteSession(connection, self._memory, self._chance)


class WriteSession:
    """See application.ports.WriteSession."""

    def __init__(self, connection: Any, memory: Memory, chance: random.Random) -> None:
        self._connection = connection
        self._chance = chance
        self._memory = memory
        self._loader = Loader(connection, memory)
        self._written: Sequence[Book] = ()
        """What is remembered when it is committed."""
        self._sending: Sending | None = None
        """What `write` has sent, all but its end."""
        self._held: frozenset[int] = frozenset()
        self._may_hold = False
        """Whether the server may hold a lock for this session, known or not."""
        self._plan_age = PlanAge()

    async def lock(self, entity_nos: Sequence[int]) -> list[int]:
        """Those obtained, in ascending order. It waits only while it holds none: no two wait for each other."""
        ordered = sorted(entity_nos)
        if self._held.issuperset(ordered):
            return ordered
        await self.unlock()
        self._may_hold = True
        locked = await self._try_locks(ordered) if len(ordered) > 1 else []
        if not locked:
            locked = ordered[:1]
            await self._wait_for_lock(locked[0])
        self._held = frozenset(locked)
        return locked

    async def load(self, units: Mapping[int, Sequence[Unit]], clock: Clock, due_limit: int) -> Loaded:
        """See storage.loading."""
        return await self._translated(self._loader.load, units, clock, due_limit)

    def follow(self, loaded: Loaded, units: Mapping[int, Sequence[Unit]]) -> Loaded | None:
        """See storage.loading. What is remembered goes on with who follows: it is put back when that is committed."""
        following = self._loader.follow(loaded, units)
        if following is not None:
            self._written = ()
        return following

    async def still_follows(self, following: Loaded, clock: Clock) -> bool:
        """See storage.loading."""
        return await self._translated(self._loader.still_follows, following, clock)

    def rows(self, loaded: Loaded, steps: Iterator[object]) -> BatchRows:
        """Nothing is decided yet."""
        loaded.mark = self._chance.getrandbits(_MARK_BITS)
        return BatchRows(list(loaded.books.values()), steps, loaded.mark, is_plain=loaded.is_plain)

    async def write(self, rows: Rows, made: Callable[[], None]) -> bool:
        """Events, new accounts, entries, changed accounts, seals: the order in which the triggers can prove them."""
        assert isinstance(rows, BatchRows), "made by this session"
        return await self._translated(self._write, rows, made)

    def commit(self) -> Coroutine[Any, Any, None]:
        """Whatever happens after the end was sent, other than a clear refusal, leaves the outcome unknown."""
        sending, self._sending = self._sending, None
        assert sending is not None, "something has been written"
        return self._committed(sending.finish())

    async def _committed(self, answer: asyncio.Future[str]) -> None:
        try:
            tag = await answer
        except asyncpg.PostgresError as error:
            raise self._refusal_of(error) or CommitUnknown(f"{error.sqlstate}: {error}") from error
        except database.CONNECTION_ERRORS as error:
            raise CommitUnknown(str(error)) from error
        if tag != "COMMIT":
            # COMMIT of a failed database transaction is answered by ROLLBACK, without an error.
            raise Conflict(f"COMMIT was answered by {tag}")
        for book in self._written:
            self._memory.put(book)

    async def rollback(self) -> None:
        """Raises Unavailable when the connection is gone; the server rolls back then as well."""
        if self._sending is not None:
            sending, self._sending = self._sending, None
            await sending.fail()
        await self._translated(self._connection.execute, "ROLLBACK")

    async def unlock(self) -> None:
        """All at once."""
        if self._may_hold:
            statement = "SELECT pg_advisory_unlock_all()"
            if self._plan_age.is_over():
                statement += f"; {DISCARD}"
            await self._translated(self._connection.execute, statement)
            self._may_hold, self._held = False, frozenset()

    async def was_committed(self, loaded: Loaded) -> bool:
        """One entity tells for all: they were written in one database transaction."""
        book = next(book for book in loaded.books.values() if book.events)
        entity_no = book.entity.entity_no
        self._may_hold = True
        # The lost session held them all and gives them back together.
        await self._wait_for_lock(entity_no)
        found: bool = await self._translated(
            self._connection.fetchval,
            QUERIES["was_committed"],
            entity_no,
            book.events[0].sequence,
            book.sequence,
            loaded.mark,
        )
        return found

    async def ping(self) -> None:
        """One round trip."""
        await self._translated(self._connection.execute, "SELECT 1")

    async def close(self) -> None:
        """At once, without goodbye: whatever the session held is released by the server."""
        self._connection.terminate()

    async def _wait_for_lock(self, entity_no: int) -> None:
        await self._translated(self._connection.execute, f"SELECT pg_advisory_lock({_LOCK_SPACE}, {entity_no:d})")

    async def _try_locks(self, entity_nos: Sequence[int]) -> list[int]:
        records = await self._translated(
            self._connection.fetch,
            "SELECT w.entity_no FROM unnest($2::int4[]) AS w (entity_no) "
            "WHERE pg_try_advisory_lock($1::int4, w.entity_no)",
            _LOCK_SPACE,
            entity_nos,
        )
        return sorted(record[0] for record in records)

    async def _write(self, rows: BatchRows, made: Callable[[], None]) -> bool:
        self._written = ()
        events = rows.events()
        if events is None:
            return False
        # Mostly there are events, entries and seals: all of it in one message, with one answer.
        sending = Sending(self._connection, _ALL if rows.is_plain else f"{_BEGIN}; {_EVENTS}")
        try:
            await sending.rows(events)
            written = self._written = rows.written()
            if rows.is_plain:
                assert all(book.is_plain for book in written), "else the changes would be lost"
            else:
                _expect(await sending.finish(), f"COPY {sum(len(book.events) for book in written)}")
                await self._write_accounts(written)
                sending = Sending(self._connection, _ENTRIES)
            await sending.rows(rows.entries(made))
            if not rows.is_plain:
                _expect(await sending.finish(), f"COPY {sum(len(book.entries) for book in written)}")
                for book in written:
                    await self._write_changes(book)
                sending = Sending(self._connection, f"{_SEALS}; COMMIT")
            await sending.rows(rows.seals())
        except Exception:
            # Refused, or the rows can't be made.
            await sending.fail()
            raise
        except BaseException:
            sending.abandon()
            raise
        self._sending = sending
        return True

    async def _write_accounts(self, written: Sequence[Book]) -> None:
        accounts = [_account_row(book, account) for book in written for account in book.new_accounts]
        if accounts:
            await self._connection.executemany(QUERIES["insert_account"], accounts)
            await self._write_limits(
                [(book, account) for book in written for account in book.new_accounts if account.limits]
            )

    async def _write_changes(self, book: Book) -> None:
        entity_no = book.entity.entity_no
        for account in book.changed_accounts.values():
            tag = await self._connection.execute(
                QUERIES["update_account"], entity_no, account.account_no, account.code, account.name,
                account.parent_no, account.currencies, account.state, account.metadata, account.updated_time,
                account.sequence, account.revision, account.financial_type, account.sub_type_code,
                account.is_category, _bank_account(account),
            )  # fmt: skip
            _expect(tag, "UPDATE 1")
        for account_no, limits in book.changed_limits.items():
            await self._connection.execute(QUERIES["delete_limits"], entity_no, account_no)
            if limits:
                await self._write_limits([(book, book.accounts_by_no[account_no])])
        for category in book.category_revisions:
            await self._write_category(entity_no, category)
        for row in book.revision_rows:
            tag = await self._connection.execute(QUERIES["insert_revision"], *row)
            _expect(tag, "INSERT 0 1")
        if book.changed_entity is not None:
            entity = book.changed_entity
            tag = await self._connection.execute(
                QUERIES["update_entity"], entity_no, entity.name, entity.time_zone, entity.state, entity.metadata,
                entity.updated_time, entity.revision,
            )  # fmt: skip
            _expect(tag, "UPDATE 1")

    async def _write_category(self, entity_no: int, category: Category) -> None:
        now_so = category.name, category.state, category.metadata
        if category.revision == 1:
            tag = await self._connection.execute(
                QUERIES["insert_category"], entity_no, category.category_no, category.category_id, *now_so,
                category.created_time, category.updated_time, category.sequence, category.revision,
            )  # fmt: skip
            _expect(tag, "INSERT 0 1")
        else:
            tag = await self._connection.execute(
                QUERIES["update_category"], entity_no, category.category_no, *now_so, category.updated_time,
                category.sequence, category.revision,
            )  # fmt: skip
            _expect(tag, "UPDATE 1")

    async def _write_limits(self, accounts: Sequence[tuple[Book, Account]]) -> None:
        await self._connection.executemany(
            QUERIES["insert_limit"],
            [
                (book.entity.entity_no, account.account_no, limit.currency, limit.floor, limit.ceiling)
                for book, account in accounts
                for limit in account.limits
            ],
        )

    async def _translated(self, call: Callable[..., Awaitable[_Result]], *arguments: Any) -> _Result:
        """The call's result, or its failure as one of the port's: before COMMIT nothing has taken effect."""
        try:
            return await call(*arguments)
        except StorageError:
            raise
        except asyncpg.PostgresError as error:
            raise self._refusal_of(error) or Unavailable(f"{error.sqlstate}: {error}") from error
        except (ValueError, TypeError, OverflowError) as error:
            # asyncpg could not encode a value; its own DataError is a ValueError and an InterfaceError.
            raise Rejected(str(error)) from error
        except database.CONNECTION_ERRORS as error:
            raise Unavailable(str(error) or type(error).__name__) from error

    def _refusal_of(self, error: asyncpg.PostgresError) -> Conflict | Rejected | None:
        """What is wrong with what was sent; None: nothing, it is the server's trouble."""
        state = error.sqlstate or ""
        if state.startswith(_CONFLICTS):
            return Conflict(f"{state}: {error}")
        # A standby for instance, which takes no writes, refuses BEGIN, by the state of what nobody can do.
        is_of_begin = state.startswith(_UNSUPPORTED) and not self._connection.is_in_transaction()
        if state.startswith(_REJECTIONS) and not is_of_begin:
            return Rejected(f"{state}: {error}")
        return None


def _account_row(book: Book, account: Account) -> tuple[Any, ...]:
    # In the order of the query `insert_account`.
    # An account that is created and changed in one batch is inserted as created and then updated.
    return (
        book.entity.entity_no, account.account_no, account.account_id, account.type, account.contra,
        account.code, account.name, account.parent_no, account.currencies, account.state, account.metadata,
        account.created_time, account.updated_time, account.sequence, account.revision, account.financial_type,
        account.sub_type_code, account.is_category, _bank_account(account),
    )  # fmt: skip


def _bank_account(account: Account) -> str | None:
    return None if account.bank_account is None else json.dumps(asdict(account.bank_account))


def _expect(tag: str, wanted: str) -> None:
    """A statement that wrote other than it should is a fault, however quiet the server was about it."""
    if tag != wanted:
        raise Rejected(f"expected {wanted}, got {tag}")
