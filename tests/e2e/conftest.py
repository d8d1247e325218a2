"""A backup, and what it is of, for the tests of backup and restore."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.helpers.processes import run_cli
from tests.helpers.servers import cloned, create_database, serving
from tests.helpers.sound_ledger import write_sound_ledger
from tests.helpers.sql import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ledger_service.storage.embedded import EmbeddedPostgres


@pytest.fixture(scope="session")
async def sound(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[str]:
    """DSN of a ledger with a bit of everything, which nobody serves."""
    async with cloned(postgres.dsn, template) as dsn:
        async with serving(dsn) as service:
            await write_sound_ledger(service)
        yield dsn


@pytest.fixture(scope="session")
async def kept(sound: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of `sound`; tests that spoil one take a copy."""
    folder = tmp_path_factory.mktemp("backups") / "sound"
    code, _, errors = await run_cli("backup", str(folder), dsn=sound)
    assert code == 0, errors
    return folder


@pytest.fixture
def copy(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "backup"))


@pytest.fixture
async def empty(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """DSN of an empty database."""
    dsn = await create_database(postgres.dsn)
    yield dsn
    async with connected(postgres.dsn) as connection:
        await connection.execute(f'DROP DATABASE "{urlsplit(dsn).path[1:]}" WITH (FORCE)')
