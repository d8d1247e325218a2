"""Databases and servers for tests: a template cloned per test, the service in this process."""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import shutil
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from ledger_service import bootstrap
from ledger_service.application.signing import CheckpointKey
from ledger_service.config import Listeners, Settings
from ledger_service.storage.migrate import migrate
from tests.helpers.rpc import Client, connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKEN = "test-administrator-0123456789abcdef"
"""Bearer token of the first administrator of every test server."""

_names = (f"test_{os.getpid()}_{number}" for number in itertools.count(1))


def dsn_of(dsn: str, database: str) -> str:
    """The DSN of another database of the same server."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


@dataclass
class ShiftedClock:
    """The database's clock, moved forward by `offset`: time passes in tests without waiting."""

    offset: timedelta = field(default_factory=timedelta)

    def adjust(self, database_now: datetime) -> datetime:
        """The time that the service takes for now."""
        return database_now + self.offset

    def advance(self, by: timedelta) -> None:
        """Let time pass; it never goes back."""
        if by < timedelta(0):
            raise ValueError("time moves forward only")
        self.offset += by

    def now(self) -> datetime:
        """About what the service takes for now: the database runs on this machine."""
        return datetime.now(UTC) + self.offset


async def create_database(server_dsn: str) -> str:
    """Make an empty database; gives its DSN."""
    name = next(_names)
    await _execute(server_dsn, f'CREATE DATABASE "{name}"')
    return dsn_of(server_dsn, name)


async def make_template(server_dsn: str) -> str:
    """Make and migrate the database that `cloned` copies; gives its DSN."""
    template = await create_database(server_dsn)
    await migrate(template, progress=lambda *_: None)
    return template


@asynccontextmanager
async def cloned(server_dsn: str, template: str) -> AsyncIterator[str]:
    """A fresh database, copied from the template, dropped at the end; gives its DSN."""
    name = next(_names)
    await _execute(server_dsn, f'CREATE DATABASE "{name}" TEMPLATE "{_database(template)}"')
    try:
        yield dsn_of(server_dsn, name)
    finally:
        await _execute(server_dsn, f'DROP DATABASE "{name}" WITH (FORCE)')


@functools.cache
def checkpoint_key_file() -> Path:
    """The file of a key that all test servers of this process sign with."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-test-key-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / "checkpoint.pem"
    file.write_bytes(CheckpointKey.generate().to_pem())
    return file


def settings_for(dsn: str, **changes: Any) -> Settings:
    """Settings of a test server: nothing happens by itself unless a test asks for it."""
    values: dict[str, Any] = {"dsn": dsn, "expiry_interval_milliseconds": 0, "log_level": "error"}
    values["checkpoint_key"] = checkpoint_key_file()
    values.update(changes)
    return Settings(**values)


@dataclass
class Service:
    """A service that runs in this process, on a database of its own."""

    running: Any
    dsn: str
    clock: ShiftedClock
    client: Client

    @property
    def address(self) -> str:
        """Where it listens."""
        return str(self.running.listeners.grpc)

    @property
    def rest(self) -> str:
        """Where the gateway listens: the beginning of its URLs."""
        return f"http://{self.running.listeners.rest}"


@asynccontextmanager
async def serving(dsn: str, **settings: Any) -> AsyncIterator[Service]:
    """The service on `dsn`; at the end it is stopped and its database proved to be sound."""
    clock = ShiftedClock()
    config = bootstrap.WorkerConfig(
        settings=settings_for(dsn, **settings),
        dsn=dsn,
        listeners=Listeners("127.0.0.1:0", "127.0.0.1:0"),
        reuse_port=False,
        bootstrap_token=TOKEN,
        worker_index=0,
    )
    running = await bootstrap.start(config, clock=clock)
    try:
        async with connect(running.listeners.grpc, TOKEN) as client:
            yield Service(running, dsn, clock, client)
    finally:
        await running.stop()
    await assert_sound(dsn)


async def assert_sound(dsn: str) -> None:
    """The same proof that operators run finds nothing (DESIGN section 7, rule 4)."""
    report = await bootstrap.verify_database(dsn)
    assert report.breaks == [], report.breaks


def _database(dsn: str) -> str:
    return urlsplit(dsn).path.removeprefix("/")


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
