"""Migrations: each file once, by whoever comes first, and never over a history that is not ours."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
import pytest

from ledger_service.storage import migrate as module
from ledger_service.storage.embedded import EmbeddedPostgres
from ledger_service.storage.migrate import MigrationError, migrate, migrations, pending
from tests.helpers.builders import unique
from tests.helpers.servers import dsn_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

FILES = migrations()

PROCESS = """
import asyncio, sys
from ledger_service.storage.migrate import migrate
print(asyncio.run(migrate(sys.argv[1])))
"""


@asynccontextmanager
async def empty(server: EmbeddedPostgres) -> AsyncIterator[str]:
    """DSN of a database without anything in it."""
    name = unique("migrate")
    connection = await asyncpg.connect(server.dsn)
    try:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        try:
            yield dsn_of(server.dsn, name)
        finally:
            await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await connection.close()


@pytest.fixture
async def fresh(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    async with empty(postgres) as dsn:
        yield dsn


async def fetch(dsn: str, query: str) -> list[asyncpg.Record]:
    """Rows of a query."""
    connection = await asyncpg.connect(dsn)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()


async def applied(dsn: str) -> list[tuple[int, str, str]]:
    """What the database says was applied to it."""
    rows = await fetch(dsn, "SELECT number, name, digest FROM ledger_migrations.applied ORDER BY number")
    return [(row[0], row[1], row[2]) for row in rows]


async def migrate_elsewhere(dsn: str) -> int:
    """`migrate` in a process of its own; how many it applied."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROCESS, dsn, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return int(output)


def test_the_files_are_numbered_without_a_gap() -> None:
    assert [number for number, _, _ in FILES] == list(range(1, len(FILES) + 1))


async def test_each_file_is_applied_once(fresh: str) -> None:
    names = [name for _, name, _ in FILES]
    assert await pending(fresh) == names
    steps: list[str] = []
    assert await migrate(fresh, progress=steps.append) == len(FILES)
    assert steps == [f"migration {name}" for name in names]
    first = await applied(fresh)
    assert [name for _, name, _ in first] == names
    assert await pending(fresh) == []
    steps.clear()
    assert await migrate(fresh, progress=steps.append) == 0
    assert steps == []
    assert await applied(fresh) == first


async def test_processes_at_once_share_the_work(fresh: str) -> None:
    counts = await asyncio.gather(*(migrate_elsewhere(fresh) for _ in range(3)))
    assert sorted(counts) == [0, 0, len(FILES)]
    assert len(await applied(fresh)) == len(FILES)


async def test_databases_of_one_new_server_at_once(tmp_path: Path) -> None:
    """The roles belong to the whole server, the lock to one database."""
    server = await EmbeddedPostgres.start(tmp_path / "data", progress=lambda _: None)
    try:
        async with empty(server) as one, empty(server) as other, empty(server) as third:
            counts = await asyncio.gather(*(migrate(dsn) for dsn in (one, other, third)))
            assert counts == [len(FILES)] * 3
            for dsn in (one, other, third):
                assert await pending(dsn) == []
    finally:
        await server.stop("immediate")


async def test_another_waits_until_the_first_is_through(fresh: str) -> None:
    holder = await asyncpg.connect(fresh)
    try:
        await holder.execute("SELECT pg_advisory_lock($1)", module._LOCK)
        waiting = asyncio.create_task(migrate(fresh))
        watched = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while not (await holder.fetchval(watched)) and not waiting.done():
            await asyncio.sleep(0.01)
        assert not waiting.done()
        assert await holder.fetchval("SELECT to_regclass('ledger_migrations.applied') IS NULL")
        await holder.execute("SELECT pg_advisory_unlock($1)", module._LOCK)
        assert await waiting == len(FILES)
    finally:
        await holder.close()


@pytest.mark.parametrize("index", range(len(FILES)))
async def test_a_changed_file_is_refused(fresh: str, monkeypatch: pytest.MonkeyPatch, index: int) -> None:
    await migrate(fresh)
    before = await applied(fresh)
    number, name, text = FILES[index]
    changed = [*FILES[:index], (number, name, text + "\n-- changed"), *FILES[index + 1 :]]
    monkeypatch.setattr(module, "migrations", lambda: [*changed, (99, "0099_next.sql", "CREATE SCHEMA next")])
    with pytest.raises(MigrationError, match=f"{name} differs .* restore the file") as caught:
        await migrate(fresh)
    assert "\n" not in str(caught.value)
    assert await applied(fresh) == before
    assert await fetch(fresh, "SELECT 1 FROM pg_namespace WHERE nspname = 'next'") == []


async def test_a_newer_database_is_refused(fresh: str, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = [*FILES, (len(FILES) + 1, "0099_newer.sql", "CREATE SCHEMA newer")]
    with monkeypatch.context() as patch:
        patch.setattr(module, "migrations", lambda: newer)
        assert await migrate(fresh) == len(newer)
    before = await applied(fresh)
    with pytest.raises(MigrationError, match=f"migration {len(FILES) + 1}, .* run the newer version") as caught:
        await migrate(fresh)
    assert "\n" not in str(caught.value)
    assert await applied(fresh) == before


async def test_a_file_that_fails_leaves_nothing_behind(fresh: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = [*FILES, (len(FILES) + 1, "0099_broken.sql", "CREATE SCHEMA half; SELECT 1 / 0")]
    with monkeypatch.context() as patch:
        patch.setattr(module, "migrations", lambda: broken)
        with pytest.raises(asyncpg.DivisionByZeroError):
            await migrate(fresh)
        assert await pending(fresh) == ["0099_broken.sql"]
    assert len(await applied(fresh)) == len(FILES)
    assert await fetch(fresh, "SELECT 1 FROM pg_namespace WHERE nspname = 'half'") == []
    assert await migrate(fresh) == 0, "the lock went with the connection"
