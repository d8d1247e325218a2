"""Statements sent with the rows that they copy, all in one message: on a real server, with all that can go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from ledger_service.domain.decide.book import EventRow
from ledger_service.storage import copying
from ledger_service.storage.sending import Sending
from tests.helpers.sql import copied

_EVENT = EventRow(
    1, 1, 1, 1, datetime(2026, 3, 1, tzinfo=UTC), "actor", "key", b"digest", 1, 1, 3, 1,
    datetime(2026, 3, 1, tzinfo=UTC), *[None] * 9,
)  # fmt: skip
_COLUMNS = copying.EVENT_COLUMNS
_FIRST, _SECOND = (copying.statement(table, _COLUMNS) for table in ("first", "second"))


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Any]:
    connection: Any = await asyncpg.connect(database)
    for name in ("first", "second"):
        await connection.execute(f"CREATE TEMP TABLE {name} AS SELECT {', '.join(_COLUMNS)} FROM ledger.events LIMIT 0")
    yield connection
    connection.terminate()


async def _rows_of(connection: Any, table: str = "first") -> int:
    return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))


def _chunks(count: int, fault: int | None = None) -> Iterator[bytes]:
    """The COPY of so many events, a chunk for each; `fault`: instead of this one there is none, it can't be made."""

    def pieces() -> Iterator[list[EventRow]]:
        for number in range(count):
            if number == fault:
                raise ArithmeticError("a fault of ours")
            yield [_EVENT._replace(sequence=number)]

    chunks = copying.event_chunks(pieces(), is_all=False)
    assert not isinstance(chunks, Sequence)
    return chunks


async def _end_of(sending: Sending) -> None:
    async with asyncio.timeout(60):
        while not sending.is_over:
            await asyncio.sleep(0.01)


async def test_several_copies_and_a_commit_in_one_message(connection: Any) -> None:
    sending = Sending(connection, f"BEGIN; {_FIRST}; {_SECOND}; COMMIT")
    await sending.rows(_chunks(3))
    await sending.rows(_chunks(200))
    assert await sending.finish() == "COMMIT"
    assert not connection.is_in_transaction()
    assert await _rows_of(connection) == 3
    assert await _rows_of(connection, "second") == 200


async def test_nothing_after_the_last_copy_is_carried_out_before_it_is_finished(connection: Any) -> None:
    sending = Sending(connection, f"BEGIN; {_FIRST}; {_SECOND}; COMMIT")
    await sending.rows(_chunks(3))
    await sending.rows(_chunks(3))
    await asyncio.sleep(0.1)
    assert not sending.is_over
    await sending.fail()
    assert sending.is_over
    assert connection.is_in_transaction(), "it failed before COMMIT"
    await connection.execute("ROLLBACK")
    assert await _rows_of(connection) == 0


@pytest.mark.parametrize("at", ["first", "second"])
async def test_what_one_copy_is_refused_none_of_it_is_so(connection: Any, at: str) -> None:
    await connection.execute(f"ALTER TABLE {at} ADD CHECK (sequence < 2)")
    sending = Sending(connection, f"BEGIN; {_FIRST}; {_SECOND}; COMMIT")

    async def send() -> None:
        # Maybe it is known before the end, and maybe not.
        await sending.rows(_chunks(3))
        await sending.rows(_chunks(3))
        await sending.finish()

    with pytest.raises(asyncpg.CheckViolationError):
        await send()
    assert connection.is_in_transaction()
    await connection.execute("ROLLBACK")
    assert [await _rows_of(connection, table) for table in ("first", "second")] == [0, 0]


async def test_a_refusal_at_commit(connection: Any) -> None:
    await connection.execute("CREATE TEMP TABLE third (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    sending = Sending(connection, f"BEGIN; INSERT INTO third VALUES (1), (1); {_FIRST}; COMMIT")
    await sending.rows(_chunks(3))
    with pytest.raises(asyncpg.UniqueViolationError):
        await sending.finish()
    assert not connection.is_in_transaction()
    assert await _rows_of(connection) == 0


async def test_rows_after_a_statement_that_was_refused_are_dropped(connection: Any) -> None:
    with pytest.raises(asyncpg.SyntaxOrAccessError):
        await copied(connection, "first", _COLUMNS, _chunks(50), before="BEGIN; SELECT no_such_thing; ")
    assert connection.is_in_transaction(), "BEGIN was not refused"
    await connection.execute("ROLLBACK")
    await connection.execute("SET default_transaction_read_only = on")
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await copied(connection, "ledger.events", _COLUMNS, _chunks(50))
    assert not connection.is_in_transaction()
    assert await _rows_of(connection) == 0


async def test_a_refusal_ends_the_making_of_rows(connection: Any) -> None:
    await connection.execute("ALTER TABLE first ADD CHECK (sequence < 3)")
    chunks = _chunks(1_000_000)
    with pytest.raises(asyncpg.CheckViolationError):
        async with asyncio.timeout(60):
            await copied(connection, "first", _COLUMNS, chunks)
    assert await _rows_of(connection) == 0
    assert next(chunks, None) is not None, "the rest was not made"


async def test_what_cannot_be_made_is_taken_back_and_the_connection_goes_on(connection: Any) -> None:
    sending = Sending(connection, f"BEGIN; {_FIRST}; {_SECOND}; COMMIT")
    await sending.rows(_chunks(3))
    with pytest.raises(ArithmeticError):
        await sending.rows(_chunks(50, 30))
    await sending.fail()
    assert connection.is_in_transaction()
    await connection.execute("ROLLBACK")
    assert await _rows_of(connection) == 0


async def test_a_connection_that_breaks_meanwhile(connection: Any, database: str) -> None:
    other = await asyncpg.connect(database)
    try:
        await other.fetchval("SELECT pg_terminate_backend($1, 10000)", connection.get_server_pid())
        with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.AdminShutdownError)):
            await copied(connection, "first", _COLUMNS, _chunks(50))
    finally:
        await other.close()


async def test_it_is_left_to_itself_and_the_server_is_not_left_waiting(connection: Any) -> None:
    sending = Sending(connection, f"BEGIN; {_FIRST}; COMMIT")
    await sending.rows(_chunks(50))
    sending.abandon()
    await _end_of(sending)
    async with asyncio.timeout(60):
        await connection.execute("ROLLBACK")
    assert await _rows_of(connection) == 0


async def test_who_drops_the_connection_leaves_no_complaint(connection: Any) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    try:
        sending = Sending(connection, f"BEGIN; {_FIRST}; COMMIT")
        await sending.rows(_chunks(3))
        connection.terminate()
        await _end_of(sending)
        del sending
        await asyncio.sleep(0)
    finally:
        asyncio.get_running_loop().set_exception_handler(None)
    assert complaints == []
