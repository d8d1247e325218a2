"""`ledger-service backup` and `restore` when they are cut off, and backups that were spoilt."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.storage.backup import prove_files
from ledger_service.storage.backup_errors import BackupError
from ledger_service.storage.backup_manifest import read_manifest
from ledger_service.storage.embedded import EmbeddedPostgres
from ledger_service.storage.embedded_errors import EmbeddedPostgresError
from ledger_service.storage.embedded_process import find_postmaster
from tests.helpers.backups import rewrite
from tests.helpers.load import Load
from tests.helpers.processes import environment_for, run_cli
from tests.helpers.servers import cloned, create_database, serving
from tests.helpers.sql import connected

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Iterator

_PATIENCE_SECONDS = 60.0


async def begin(*arguments: str, dsn: str = "") -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ledger_service", *arguments),
        env=environment_for(dsn),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not holds():
            await asyncio.sleep(0.01)


async def until_asked(dsn: str, wanted: bool, query: str) -> None:
    # Over a connection of its own: inside a transaction pg_stat_activity stays as it was.
    async with asyncio.timeout(_PATIENCE_SECONDS), connected(dsn) as connection:
        while await connection.fetchval(query) is not wanted:
            await asyncio.sleep(0.02)


_IS_WAITING = """
    SELECT EXISTS (SELECT FROM pg_stat_activity
    WHERE application_name = 'ledger-backup' AND datname = current_database() AND wait_event_type = 'Lock')
"""
_IS_CONNECTED = """
    SELECT EXISTS (SELECT FROM pg_stat_activity
    WHERE application_name = 'ledger-backup' AND datname = current_database())
"""


# Cut off.


async def test_kill_9_of_a_backup(database: str, empty: str, tmp_path: Path) -> None:
    """What is left is told from a backup, and nothing is made of it, nor over it."""
    folder = tmp_path / "backup"
    async with connected(database) as other:
        async with other.transaction():
            await other.execute("LOCK TABLE ledger.entries IN ACCESS EXCLUSIVE MODE")
            process = await begin("backup", str(folder), dsn=database)
            await until_asked(database, True, _IS_WAITING)
            process.kill()
            await process.wait()
        assert (folder / "UNFINISHED").exists()
        assert not (folder / "manifest.json").exists()
        # The orphan finds that nobody listens.
        await until_asked(database, False, _IS_CONNECTED)
    for command, dsn in (
        (("restore", str(folder)), empty),
        (("backup", str(folder)), database),
        (("backup", str(folder), "--check", "files"), database),
    ):
        code, output, errors = await run_cli(*command, dsn=dsn)
        assert (code, output) == (2, "")
        assert "unfinished backup" in errors
        assert errors.count("\n") == 1


async def test_sigterm_of_a_backup_leaves_nothing(database: str, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    async with connected(database) as other, other.transaction():
        await other.execute("LOCK TABLE ledger.entries IN ACCESS EXCLUSIVE MODE")
        process = await begin("backup", str(folder), dsn=database)
        await until_asked(database, True, _IS_WAITING)
        process.send_signal(signal.SIGTERM)
        _, errors = await process.communicate()
        assert process.returncode == 1
        assert errors == b"ledger-service: ended by SIGTERM; nothing of it stays\n"
        assert not folder.exists()


async def test_kill_9_of_a_restore_into_a_database(kept: Path, empty: str) -> None:
    """It is one database transaction: nothing of it is there, and the next one finds an empty database."""
    async with connected(empty) as other:
        held = other.transaction()
        await held.start()
        # The restore, which makes the same schema, waits until it is known what becomes of this one.
        await other.execute("CREATE SCHEMA ledger")
        process = await begin("restore", str(kept), dsn=empty)
        await until_asked(empty, True, _IS_WAITING)
        process.kill()
        await process.wait()
        await held.rollback()
        await until_asked(empty, False, _IS_CONNECTED)
        assert await other.fetchval(
            "SELECT to_regnamespace('ledger') IS NULL AND to_regnamespace('ledger_migrations') IS NULL"
        )
    code, _, errors = await run_cli("restore", str(kept), dsn=empty)
    assert (code, errors) == (0, "")


async def test_kill_9_of_a_restore_into_a_folder(kept: Path, tmp_path: Path) -> None:
    """No service takes what is left for a ledger; the next restore clears it away, its running server too."""
    place = tmp_path / "restored"
    cluster = place / "restoring" / "postgres"
    process = await begin("restore", str(kept), "--data-dir", str(place))
    await until(lambda: cluster.exists() and find_postmaster(cluster) is not None)
    process.kill()
    await process.wait()
    assert not (place / "postgres").exists()
    with pytest.raises(EmbeddedPostgresError, match="holds a restore that was cut off"):
        await EmbeddedPostgres.start(place, progress=lambda _: None)
    left = find_postmaster(cluster)
    code, _, errors = await run_cli("restore", str(kept), "--data-dir", str(place))
    assert (code, errors) == (0, "")
    assert left is None or not left.is_alive()
    assert {path.name for path in place.iterdir()} == {"lock", "postgres"}
    code, output, _ = await run_cli("verify", "--data-dir", str(place))
    assert code == 0, output


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own."""
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("this machine does not allow to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


async def test_disk_full(sound: str, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "64k") as disk:
        code, output, errors = await run_cli("backup", str(disk / "backup"), dsn=sound)
        assert (code, output) == (1, "")
        assert errors == (
            f"ledger-service: the disk of {disk / 'backup'} is full: free some space, or name a folder on another one\n"
        )
        assert list(disk.iterdir()) == [], "what was written is removed"


async def test_disk_full_while_restoring(kept: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "64m") as disk:
        code, output, errors = await run_cli("restore", str(kept), "--data-dir", str(disk / "data"))
        assert (code, output) == (3, "")
        assert "less than 256 MiB free on the disk of" in errors
        assert {path.name for path in (disk / "data").iterdir()} == {"lock"}


# Spoilt.


def flip_byte(folder: Path) -> str:
    path = max((folder / "dump").iterdir(), key=lambda file: file.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return f"{path} is not what was backed up, its digest differs"


def shorten(folder: Path) -> str:
    path = folder / "dump" / "toc.dat"
    path.write_bytes(path.read_bytes()[:-1])
    return f"{path} has"


def remove(folder: Path) -> str:
    path = folder / "dump" / "toc.dat"
    path.unlink()
    return f"{path} is missing"


def add(folder: Path) -> str:
    path = folder / "dump" / "extra.dat"
    path.write_bytes(b"")
    return f"{path} is not in the manifest"


def edit_manifest(folder: Path) -> str:
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"sequence": ', '"sequence": 1', 1))
    return f"{path} is damaged or was edited"


def cut_manifest(folder: Path) -> str:
    path = folder / "manifest.json"
    path.write_text(path.read_text()[:-20])
    return f"{path} is damaged, it cannot be read"


def lead_out(folder: Path) -> str:
    rewrite(folder, lambda manifest: manifest["files"][0].update(path="dump/../../elsewhere"))
    return "is not a manifest of this release: files.0.path"


@pytest.mark.parametrize("spoil", [flip_byte, shorten, remove, add, edit_manifest, cut_manifest, lead_out])
def test_a_spoilt_backup_is_found_out(copy: Path, spoil: Callable[[Path], str]) -> None:
    prove_files(copy, read_manifest(copy), lambda _: None)
    said = spoil(copy)
    with pytest.raises(BackupError, match=re.escape(said)):
        prove_files(copy, read_manifest(copy), lambda _: None)


async def test_a_spoilt_backup_is_refused(copy: Path, empty: str) -> None:
    said = flip_byte(copy)
    for command in (("restore", str(copy)), ("backup", str(copy), "--check", "files")):
        code, output, errors = await run_cli(*command, dsn=empty)
        assert (code, output) == (1, "")
        assert said in errors
        assert errors.count("\n") == 1
    async with connected(empty) as connection:
        assert await connection.fetchval("SELECT to_regnamespace('ledger') IS NULL")


async def test_what_was_restored_is_held_against_the_manifest(copy: Path, empty: str) -> None:
    """A dump that is whole, and not the one that the manifest tells of."""

    def other_history(manifest: dict[str, Any]) -> None:
        manifest["entities"][0]["digest"] = "0" * 64

    rewrite(copy, other_history)
    code, output, errors = await run_cli("restore", str(copy), dsn=empty)
    assert (code, output) == (1, "")
    assert "has another history than the backup" in errors


async def test_a_row_too_many_is_noticed(copy: Path, tmp_path: Path) -> None:
    rewrite(copy, lambda manifest: manifest["tables"].update({"ledger.account_limits": 77}))
    code, _, errors = await run_cli("restore", str(copy), "--data-dir", str(tmp_path / "data"))
    assert code == 1
    assert "ledger.account_limits has" in errors
    assert "not 77" in errors
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"lock"}, "nothing that would serve"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE ledger.events SET description = 'Opened' WHERE description = 'Opening'", "has another history"),
        ("DELETE FROM ledger.entries WHERE entity_no = 1", "has another history"),
        ("DELETE FROM ledger.events WHERE entity_no = 1 AND sequence > 3", "the ledger has lost events"),
        ("DELETE FROM ledger.events WHERE entity_no = 1", "is in the backup and not in the ledger"),
    ],
)
async def test_a_ledger_that_was_changed_behind_the_backup(
    postgres: EmbeddedPostgres, kept: Path, change: str, said: str
) -> None:
    dsn = await create_database(postgres.dsn)
    code, _, errors = await run_cli("restore", str(kept), dsn=dsn)
    assert code == 0, errors
    async with connected(dsn) as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        assert not (await connection.execute(change)).endswith(" 0")
    code, _, errors = await run_cli("backup", str(kept), "--check", "ledger", dsn=dsn)
    assert code == 1
    assert said in errors


async def test_broken_rules_in_a_backup_are_told(postgres: EmbeddedPostgres, template: str, tmp_path: Path) -> None:
    """It may be the only one there is: it is restored as it was."""
    async with cloned(postgres.dsn, template) as dsn:
        async with serving(dsn) as service:
            load = await Load.prepare(service.client)
            await load.with_retries([service.client], 3)
        async with connected(dsn) as connection, connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute("UPDATE ledger.entries SET amount = amount + 1 WHERE leg = 0")
            await connection.execute("DELETE FROM ledger.events WHERE sequence = 5")
        code, output, errors = await run_cli("backup", str(tmp_path / "backup"), dsn=dsn)
        assert (code, errors) == (0, "")
        assert "the history of an entity lacks events" in output
    code, output, errors = await run_cli(
        "restore", str(tmp_path / "backup"), "--data-dir", str(tmp_path / "data"), "--max-breaks", "1"
    )
    assert (code, errors) == (1, "")
    assert "which are in the backup" in output
    assert "more; list them with --max-breaks" in output
    assert (tmp_path / "data" / "postgres").exists()
