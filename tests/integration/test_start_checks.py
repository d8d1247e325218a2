"""A server that would break a promise is refused at the start, in one line that says what to do.

On a server of this file's own: its settings are changed. The transaction-pooling proxy is imitated by a small
one, which serves several clients with a few connections, each for the length of a database transaction.
"""

from __future__ import annotations

import asyncio
import struct
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from ledger_service.storage.database import UnsafeServerError, check_server
from ledger_service.storage.embedded import EmbeddedPostgres
from ledger_service.storage.migrate import migrate
from tests.helpers.cutting_proxy import cutting, folder_of, through
from tests.helpers.servers import dsn_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_SOCKET = ".s.PGSQL.5432"
LONGEST_LINE = 300


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedPostgres]:
    server = await EmbeddedPostgres.start(tmp_path_factory.mktemp("checks") / "data", progress=lambda _: None)
    try:
        yield server
    finally:
        await server.stop("immediate")


@pytest.fixture(scope="module")
async def dsn(server: EmbeddedPostgres) -> str:
    await migrate(server.dsn)
    return server.dsn


async def execute(dsn: str, *statements: str) -> None:
    """Run statements, each by itself."""
    connection = await asyncpg.connect(dsn, server_settings={"default_transaction_read_only": "off"})
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def setting(dsn: str, name: str) -> str:
    """What a new connection finds."""
    connection = await asyncpg.connect(dsn)
    try:
        return str(await connection.fetchval("SELECT setting FROM pg_settings WHERE name = $1", name))
    finally:
        await connection.close()


@asynccontextmanager
async def with_setting(dsn: str, name: str, value: str) -> AsyncIterator[None]:
    """The server has this setting, until the end."""
    before = await setting(dsn, name)
    await execute(dsn, f"ALTER SYSTEM SET {name} = '{value}'", "SELECT pg_reload_conf()")
    try:
        while await setting(dsn, name) != value:
            await asyncio.sleep(0.01)  # the server says to nobody that it has read its files
        yield
    finally:
        await execute(dsn, f"ALTER SYSTEM RESET {name}", "SELECT pg_reload_conf()")
        while await setting(dsn, name) != before:
            await asyncio.sleep(0.01)


async def refusal(dsn: str, seconds: float = 20) -> str:
    """The line that the start ends with; `seconds` end a check that hangs."""
    with pytest.raises(UnsafeServerError) as caught:
        async with asyncio.timeout(seconds):
            await check_server(dsn)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < LONGEST_LINE
    return message


async def test_our_own_server_is_good(dsn: str) -> None:
    await check_server(dsn)


@pytest.mark.parametrize(
    ("name", "value", "mend"),
    [
        ("fsync", "off", "set fsync = on in postgresql.conf"),
        ("full_page_writes", "off", "set full_page_writes = on in postgresql.conf"),
        ("synchronous_commit", "off", "set synchronous_commit = on"),
        ("synchronous_commit", "local", "set synchronous_commit = on"),
        ("max_pred_locks_per_page", "2", "set max_pred_locks_per_page = 200"),
        ("max_pred_locks_per_page", "19", "set max_pred_locks_per_page = 200"),
        ("max_pred_locks_per_relation", "511", "set max_pred_locks_per_relation = 20000"),
        ("max_pred_locks_per_relation", "-9", "set max_pred_locks_per_relation = 20000"),
    ],
)
async def test_a_bad_setting_is_named_with_its_mend(dsn: str, name: str, value: str, mend: str) -> None:
    async with with_setting(dsn, name, value):
        message = await refusal(dsn)
        assert message.startswith(f"{name} is {value}: ")
        assert mend in message
    await check_server(dsn)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("synchronous_commit", "remote_write"),
        ("synchronous_commit", "remote_apply"),
        ("max_pred_locks_per_page", "20"),
        ("max_pred_locks_per_relation", "512"),
        ("max_pred_locks_per_relation", "-8"),
    ],
)
async def test_a_setting_that_just_does(dsn: str, name: str, value: str) -> None:
    async with with_setting(dsn, name, value):
        await check_server(dsn)


async def test_another_encoding(postgres: EmbeddedPostgres) -> None:
    server = await asyncpg.connect(postgres.dsn)
    try:
        await server.execute(
            "CREATE DATABASE latin ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0"
        )
        latin = dsn_of(postgres.dsn, "latin")
        await migrate(latin)
        assert "encoding is SQL_ASCII" in await refusal(latin)
        assert "ENCODING 'UTF8'" in await refusal(latin)
    finally:
        await server.execute("DROP DATABASE IF EXISTS latin WITH (FORCE)")
        await server.close()


@pytest.mark.parametrize(("value", "is_good"), [(64, False), (1023, False), (1024, True)])
async def test_predicate_locks_by_transaction(tmp_path: Path, value: int, is_good: bool) -> None:
    """Takes a restart, so it has a server of its own."""
    settings = {"max_pred_locks_per_transaction": str(value)}
    server = await EmbeddedPostgres.start(tmp_path / "data", progress=lambda _: None, settings=settings)
    try:
        assert "'ledger-service migrate'" in await refusal(server.dsn), "nobody has migrated yet"
        await migrate(server.dsn)
        if is_good:
            await check_server(server.dsn)
        else:
            message = await refusal(server.dsn)
            assert message.startswith(f"max_pred_locks_per_transaction is {value}: ")
            assert "set max_pred_locks_per_transaction = 4096 in postgresql.conf and restart" in message
    finally:
        await server.stop("immediate")


@pytest.mark.parametrize("where", ["DATABASE ledger", "ROLE postgres", "ROLE postgres IN DATABASE ledger"])
async def test_a_setting_of_the_database_or_role_counts(dsn: str, where: str) -> None:
    await execute(dsn, f"ALTER {where} SET synchronous_commit = off")
    try:
        message = await refusal(dsn)
        assert message.startswith("synchronous_commit is off: ")
        assert "for the database and for the role" in message
    finally:
        await execute(dsn, f"ALTER {where} RESET synchronous_commit")
    await check_server(dsn)


@pytest.mark.parametrize("where", ["DATABASE ledger", "ROLE postgres"])
async def test_a_database_that_only_reads(dsn: str, where: str) -> None:
    await execute(dsn, f"ALTER {where} SET default_transaction_read_only = on")
    try:
        assert "read-only" in await refusal(dsn)
    finally:
        await execute(dsn, f"ALTER {where} RESET default_transaction_read_only")
    await check_server(dsn)


async def test_a_database_that_only_reads_by_its_setting_is_told_which(dsn: str) -> None:
    await execute(dsn, "ALTER DATABASE ledger SET default_transaction_read_only = on")
    try:
        assert "default_transaction_read_only" in await refusal(dsn)
    finally:
        await execute(dsn, "ALTER DATABASE ledger RESET default_transaction_read_only")


async def test_a_user_must_be_granted_the_roles(dsn: str) -> None:
    await execute(dsn, "CREATE USER somebody")
    parts = urlsplit(dsn)
    theirs = urlunsplit(parts._replace(netloc="somebody@"))
    try:
        message = await refusal(theirs)
        assert "user somebody may not act as ledger_service and ledger_reader and ledger_directory: " in message
        assert "GRANT ledger_service, ledger_reader, ledger_directory TO somebody" in message
        for role in ("ledger_service", "ledger_reader"):
            await execute(dsn, f"GRANT {role} TO somebody")
        assert "user somebody may not act as ledger_directory: " in await refusal(theirs)
        await execute(dsn, "GRANT ledger_directory TO somebody")
        await check_server(theirs)
    finally:
        await execute(dsn, "DROP USER somebody")


class Pooler:
    """A proxy that gives a client a connection for the length of a database transaction."""

    def __init__(self, server: str, size: int, *, newest_first: bool) -> None:
        self._server = server
        self._size = size
        self._free: asyncio.Queue[_Backend] = asyncio.LifoQueue() if newest_first else asyncio.Queue()
        self._backends: list[_Backend] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.served_by: list[set[int]] = []
        """By client: which of the connections it has had."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        client = _Client(self._free, reader, writer)
        self.served_by.append(client.had)
        try:
            startup = await _startup(reader)
            if len(self._backends) < self._size:
                number = len(self._backends)
                backend = _Backend(number, *await asyncio.open_unix_connection(self._server))
                self._backends.append(backend)
                await backend.start(startup)
                self._free.put_nowait(backend)
            writer.write(self._backends[0].greeting)
            await client.run()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass  # the client is gone, or the test is over
        finally:
            client.end()
            writer.transport.abort()
            self._tasks.discard(task)

    async def close(self) -> None:
        """End everything."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for backend in self._backends:
            backend.writer.transport.abort()


class _Backend:
    """A connection to PostgreSQL that belongs to the pool."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.reader, self.writer = reader, writer
        self.greeting = b""

    async def start(self, startup: bytes) -> None:
        """Log in as the client does; keep what the server says to that."""
        self.writer.write(startup)
        kind = b""
        while kind != b"Z":
            kind, message = await _message(self.reader)
            self.greeting += message


class _Client:
    """Forwards a client's messages to whichever backend it has at the time."""

    def __init__(
        self, free: asyncio.Queue[_Backend], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._free = free
        self._reader, self._writer = reader, writer
        self._backend: _Backend | None = None
        self._answers: asyncio.Task[None] | None = None
        self._unanswered = 0
        self.had: set[int] = set()

    async def run(self) -> None:
        """Until the client says goodbye."""
        while True:
            kind, message = await _message(self._reader)
            if kind == b"X":
                return
            if self._backend is None:
                self._backend = await self._free.get()
                self.had.add(self._backend.number)
                self._answers = asyncio.create_task(self._answer(self._backend))
            self._unanswered += kind in b"SQ"
            self._backend.writer.write(message)

    async def _answer(self, backend: _Backend) -> None:
        while True:
            kind, message = await _message(backend.reader)
            if kind == b"Z":
                self._unanswered -= 1
                if message[5:] == b"I" and not self._unanswered:
                    # Outside of a database transaction: the next client may have it.
                    self._backend = None
                    self._free.put_nowait(backend)
                    self._writer.write(message)
                    return
            self._writer.write(message)

    def end(self) -> None:
        """The client is gone."""
        if self._answers is not None:
            self._answers.cancel()


async def _startup(reader: asyncio.StreamReader) -> bytes:
    length = await reader.readexactly(4)
    return length + await reader.readexactly(struct.unpack("!I", length)[0] - 4)


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    header = await reader.readexactly(5)
    return header[:1], header + await reader.readexactly(struct.unpack_from("!I", header, 1)[0] - 4)


@asynccontextmanager
async def pooling(dsn: str, size: int, *, newest_first: bool) -> AsyncIterator[tuple[Pooler, str]]:
    """A pooler before the server, and the DSN that leads through it."""
    with tempfile.TemporaryDirectory(prefix="pool-") as name:
        folder = Path(name)
        pooler = Pooler(str(Path(folder_of(dsn)) / _SOCKET), size, newest_first=newest_first)
        server = await asyncio.start_unix_server(pooler.serve, folder / _SOCKET)
        try:
            yield pooler, through(dsn, folder)
        finally:
            server.close()
            await pooler.close()
            await server.wait_closed()


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("size", [2, 5])
async def test_transaction_pooling_is_refused(dsn: str, size: int, newest_first: bool) -> None:
    async with pooling(dsn, size, newest_first=newest_first) as (pooler, pooled):
        message = await refusal(pooled)
        assert "transaction-pooling proxy" in message
        assert "connect to PostgreSQL directly, or set the proxy to session pooling" in message
        assert len(pooler.served_by) == 3, "the settings' client, and two that were there at once"


async def test_transaction_pooling_with_a_single_connection_is_refused(dsn: str) -> None:
    async with pooling(dsn, 1, newest_first=True) as (_, pooled):
        assert "transaction-pooling proxy" in await refusal(pooled, seconds=4)


async def test_transaction_pooling_after_another_process_was_there(dsn: str) -> None:
    """asyncpg numbers its statements anew in each process: behind a pool, the second one meets those of the first."""
    async with pooling(dsn, 2, newest_first=True) as (_, pooled):
        last = asyncpg.connection._uid
        names = [f"__asyncpg_stmt_{number:x}__" for number in range(last + 1, last + 51)]
        for _ in range(2):  # each of both connections of the pool: the newest is the first to be taken
            await execute(pooled, *(f'PREPARE "{name}" AS SELECT 1' for name in names))
        assert "transaction-pooling proxy" in await refusal(pooled)


async def test_a_proxy_with_a_connection_for_each_client_is_good(dsn: str) -> None:
    async with cutting(dsn) as (_, proxied):
        await check_server(proxied)
