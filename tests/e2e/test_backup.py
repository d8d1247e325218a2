"""`ledger-service backup` and `restore` on the real parts: under load, cut off, spoilt, and into the wrong place."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from ledger_service.storage import database as roles
from ledger_service.storage.backup_errors import BackupRefusedError
from ledger_service.storage.backup_manifest import _digest_of
from ledger_service.storage.backup_tools import find_tools, without_password
from ledger_service.storage.embedded import EmbeddedPostgres
from ledger_service.storage.embedded_binaries import find_binaries
from ledger_service.storage.embedded_errors import EmbeddedPostgresError
from ledger_service.storage.embedded_process import find_postmaster
from ledger_service.storage.embedded_roles import SERVICE_LOGIN
from ledger_service.storage.migrate import migrate
from tests.e2e.served import TOKEN as SERVED_TOKEN
from tests.e2e.served import Served, served
from tests.helpers.builders import sequence_of
from tests.helpers.load import Load
from tests.helpers.processes import environment_for, run_cli
from tests.helpers.rpc import connect
from tests.helpers.servers import assert_sound, cloned, create_database, dsn_of, serving
from tests.helpers.sound_ledger import write_sound_ledger
from tests.helpers.sql import connected

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Callable, Iterator

CALLERS = 8
_PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
async def sound(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[str]:
    """DSN of a ledger with a bit of everything, which nobody serves."""
    async with cloned(postgres.dsn, template) as dsn:
        async with serving(dsn) as service:
            await write_sound_ledger(service)
        yield dsn


@pytest.fixture(scope="module")
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


def manifest_of(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())["manifest"]
    return manifest


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """A manifest of somebody else's making, in itself sound."""
    manifest = manifest_of(folder)
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps({"sha256": _digest_of(manifest), "manifest": manifest}))


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


# The way it is meant to go.


async def test_backup_under_load_restored_and_served_again(tmp_path: Path) -> None:
    """What was acknowledged before the backup is in it, what it holds is a prefix, and the restored ledger goes on."""
    folder, place = tmp_path / "backup", tmp_path / "restored"
    async with served(tmp_path) as service, connect(service.target, SERVED_TOKEN) as client:
        load = await Load.prepare(client)
        beside = ("--data-dir", str(service.data_dir))
        callers = [asyncio.create_task(load.with_retries([client], 400)) for _ in range(CALLERS)]
        await load.has_acknowledged(100)
        before, low = dict(load.acknowledged), await sequence_of(client, load.entity)
        code, output, errors = await run_cli("backup", str(folder), *beside)
        assert (code, errors) == (0, "")
        high = await sequence_of(client, load.entity)
        await asyncio.gather(*callers)
        code, checked, errors = await run_cli("backup", str(folder), "--check", "ledger", *beside)
        assert (code, errors) == (0, ""), "the backup is the beginning of the ledger that went on"

    (entity,) = manifest_of(folder)["entities"]
    assert low <= entity["sequence"] <= high
    assert f"{entity['sequence']:,}" in output
    assert "has the same history up to there" in checked
    assert {path.stat().st_mode & 0o777 for path in [folder, folder / "dump"]} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()} == {0o600}

    code, output, errors = await run_cli("restore", str(folder), "--data-dir", str(place))
    assert (code, errors) == (0, "")
    assert "all rules hold" in output
    assert {path.name for path in place.iterdir()} == {"lock", "postgres"}
    restored = Served(place, SERVED_TOKEN)
    await restored.start()
    try:
        async with connect(restored.target, SERVED_TOKEN) as client:
            assert await sequence_of(client, load.entity) == entity["sequence"]
            for key, id_ in before.items():
                again = await client.transactions.CreateTransaction(load.request(key))
                assert (again.replayed, again.transaction.id) == (True, id_)
            await client.transactions.CreateTransaction(load.request("after the restore"))
        await writes_ahead_of_the_past(place, entity["sequence"])
        code, output, errors = await run_cli("verify", "--data-dir", str(place))
        assert code == 0, output
    finally:
        await restored.stop()


async def writes_ahead_of_the_past(place: Path, sequence: int) -> None:
    """No number of a database transaction comes again: triggers and the committer tell their own writes by it."""
    async with EmbeddedPostgres.borrowed(place, progress=lambda _: None) as dsn, connected(dsn) as connection:
        past, now = await connection.fetchrow(
            "SELECT (SELECT max(writer) FROM ledger.commits WHERE last_sequence <= $1)::text,"
            " (SELECT min(writer) FROM ledger.commits WHERE last_sequence > $1)::text",
            sequence,
        )
        assert int(now) > int(past)
        assert int(now) >> 32 == 1


async def test_into_a_database(kept: Path, empty: str) -> None:
    code, output, errors = await run_cli("restore", str(kept), dsn=empty)
    assert (code, errors) == (0, "")
    assert "history   of each entity is what the manifest says" in output
    assert "epoch" not in output, "it is the same server, whose numbers go on"
    await assert_sound(empty)
    code, _, errors = await run_cli("backup", str(kept), "--check", "ledger", dsn=empty)
    assert (code, errors) == (0, "")
    async with serving(empty) as service:
        assert await sequence_of(service.client, "acme") > 0


async def test_an_operators_server_without_superuser(sound: str, tmp_path: Path) -> None:
    """Another server that knows none of our roles; the user may create roles, and owns the database."""
    async with own_server(tmp_path) as dsn, connected(sound) as source:
        code, _, errors = await run_cli("backup", str(tmp_path / "backup"), dsn=sound)
        assert code == 0, errors
        code, output, errors = await run_cli("restore", str(tmp_path / "backup"), dsn=dsn)
        assert (code, errors) == (0, "")
        newest = int(await source.fetchval("SELECT max(writer)::text FROM ledger.commits"))
        async with connected(dsn) as connection:
            is_below = int(await connection.fetchval("SELECT pg_current_xact_id()::text")) <= newest + 1
        assert ("raise its epoch once" in output) == is_below
        # Its own backup, by the owner, who is no superuser.
        code, _, errors = await run_cli("backup", str(tmp_path / "second"), dsn=dsn)
        assert (code, errors) == (0, "")
    first, second = (manifest_of(tmp_path / name)["entities"] for name in ("backup", "second"))
    assert first == second


class own_server:  # noqa: N801  # used as a function
    """DSN of an empty database of an owner without superuser's rights, on a server of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def __aenter__(self) -> str:
        self._server = await EmbeddedPostgres.start(self._folder / "own", progress=lambda _: None)
        async with connected(self._server.dsn) as superuser:
            for role in (SERVICE_LOGIN, *roles.ROLES):
                await superuser.execute(f"DROP ROLE {role}")
            await superuser.execute("CREATE ROLE owner LOGIN CREATEROLE")
            await superuser.execute("ALTER DATABASE ledger OWNER TO owner")
        return urlunsplit(urlsplit(self._server.dsn)._replace(netloc="owner@"))

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop("immediate")


async def test_a_backup_of_an_earlier_release_is_migrated(
    postgres: EmbeddedPostgres, empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before an upgrade the new release backs up what the old one left, and restores it."""
    from ledger_service.storage import migrate as module

    earlier = await create_database(postgres.dsn)
    everything = module.migrations()
    with monkeypatch.context() as patch:
        patch.setattr(module, "migrations", lambda: everything[:-1])
        await migrate(earlier)
    code, output, errors = await run_cli("backup", str(tmp_path / "backup"), dsn=earlier)
    assert (code, errors) == (0, "")
    assert everything[-2][1].removesuffix(".sql") in output
    code, output, errors = await run_cli("restore", str(tmp_path / "backup"), dsn=empty)
    assert (code, errors) == (0, "")
    assert "1 migration of this release applied" in output


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
async def test_a_spoilt_backup_is_refused(copy: Path, empty: str, spoil: Callable[[Path], str]) -> None:
    said = spoil(copy)
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
        code, _, errors = await run_cli("backup", str(tmp_path / "backup"), dsn=dsn)
        assert (code, errors) == (0, "")
    code, output, errors = await run_cli(
        "restore", str(tmp_path / "backup"), "--data-dir", str(tmp_path / "data"), "--max-breaks", "1"
    )
    assert (code, errors) == (1, "")
    assert "which are in the backup" in output
    assert "more; list them with --max-breaks" in output
    assert (tmp_path / "data" / "postgres").exists()


# Into the wrong place.


async def test_a_place_that_is_not_empty(kept: Path, database: str, tmp_path: Path) -> None:
    folder = tmp_path / "full"
    folder.mkdir()
    (folder / "letter").write_text("to somebody")
    ledger = tmp_path / "ledger"
    (ledger / "postgres").mkdir(parents=True)
    for command, dsn, said in (
        (("restore", str(kept)), database, "the database is not empty, it holds the schema ledger"),
        (("restore", str(kept), "--data-dir", str(folder)), "", f"{folder} is not empty"),
        (("restore", str(kept), "--data-dir", str(ledger)), database, f"{ledger} holds a ledger"),
        (("backup", str(kept)), database, "backups are never overwritten"),
        (("backup", str(folder)), database, f"{folder} is not empty"),
        (("backup", str(folder / "letter")), database, f"cannot make {folder / 'letter'}"),
    ):
        code, output, errors = await run_cli(*command, dsn=dsn)
        assert (code, output) == (2, ""), command
        assert said in errors
        assert errors.count("\n") == 1
    assert (folder / "letter").read_text() == "to somebody"


async def test_a_database_with_something_of_somebody_else(kept: Path, empty: str) -> None:
    async with connected(empty) as connection:
        await connection.execute("CREATE TABLE public.letters (text text)")
    code, _, errors = await run_cli("restore", str(kept), dsn=empty)
    assert code == 2
    assert "the database is not empty, it holds public.letters" in errors


async def test_a_folder_that_a_service_uses(kept: Path, tmp_path: Path) -> None:
    server = await EmbeddedPostgres.start(tmp_path / "data", progress=lambda _: None)
    try:
        code, _, errors = await run_cli("restore", str(kept), "--data-dir", str(tmp_path / "data"))
        assert code == 2
        assert "holds a ledger" in errors
    finally:
        await server.stop("immediate")


async def test_no_backup_at_all(tmp_path: Path, postgres: EmbeddedPostgres) -> None:
    for folder, said in ((tmp_path, "holds no backup"), (tmp_path / "none", "is not a folder")):
        code, _, errors = await run_cli("restore", str(folder), "--data-dir", str(tmp_path / "data"))
        assert code == 2
        assert said in errors
    blank = await create_database(postgres.dsn)
    code, _, errors = await run_cli("backup", str(tmp_path / "backup"), dsn=blank)
    assert code == 2
    assert "the database holds no ledger" in errors
    assert not (tmp_path / "backup").exists()


async def test_another_version(copy: Path, empty: str, tmp_path: Path) -> None:
    """Neither an older server than the backup's, nor a release that does not know its schema, nor another manifest."""
    original = (copy / "manifest.json").read_text()
    last = manifest_of(copy)["migrations"][-1]
    for change, said in (
        ({"server_major": 99, "server_version": "99.1"}, "the backup is of PostgreSQL 99.1 and the server is"),
        (
            {"migrations": [last, {"number": 9999, "name": "9999_later.sql", "digest": "x"}]},
            "9999_later.sql, which this",
        ),
        ({"migrations": [{**last, "digest": "x"}]}, "is not the one of this release"),
        ({"format": 2}, "has format 2, this release reads 1"),
    ):
        (copy / "manifest.json").write_text(original)
        rewrite(copy, lambda manifest, change=change: manifest.update(change))
        for place in ((), ("--data-dir", str(tmp_path / "data"))):
            code, _, errors = await run_cli("restore", str(copy), *place, dsn=empty)
            assert code == 2
            assert said in errors


async def test_tools_of_another_version(sound: str, tmp_path: Path) -> None:
    code, _, errors = await run_cli("backup", str(tmp_path / "backup"), "--pg-bin", str(tmp_path), dsn=sound)
    assert code == 2
    assert f"are needed ({tmp_path} has none)" in errors
    assert not (tmp_path / "backup").exists()
    with pytest.raises(BackupRefusedError, match=r"PostgreSQL 99, the server's version, are needed \(.* has those of"):
        find_tools(99, find_binaries())


@pytest.mark.skipif(not Path("/usr/lib/postgresql/15/bin/initdb").exists(), reason="no PostgreSQL 15 beside ours")
def test_the_tools_of_the_servers_version_are_found() -> None:
    assert find_tools(15, None).folder == Path("/usr/lib/postgresql/15/bin")


async def test_a_database_that_is_not_there(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    nowhere = dsn_of(postgres.dsn, "nowhere")
    code, _, errors = await run_cli("backup", str(tmp_path / "backup"), dsn=nowhere)
    assert code == 3
    assert "create it first" in errors
    code, _, errors = await run_cli("backup", str(tmp_path / "backup"), "--data-dir", str(tmp_path / "none"))
    assert code == 3
    assert "there is no database in" in errors
    assert not (tmp_path / "backup").exists()


async def test_options_that_do_not_go_together(kept: Path, empty: str) -> None:
    for command, dsn, said in (
        (("restore", str(kept), "--jobs", "2"), empty, "--jobs is for a data folder"),
        (("restore", str(kept), "--pg-bin", "/usr/bin"), "", "--pg-bin is for --dsn"),
        (("restore", str(kept), "--dsn", empty, "--data-dir", "data"), "", "--dsn and --data-dir name two places"),
    ):
        code, _, errors = await run_cli(*command, dsn=dsn)
        assert code == 2
        assert said in errors


def test_a_password_goes_by_environment() -> None:
    """Arguments can be read by everybody on the machine."""
    for dsn, place, password in (
        ("postgresql://me:p%40ss@host:5433/db?sslmode=require", "postgresql://me@host:5433/db?sslmode=require", "p@ss"),
        ("postgresql://me@/db?host=%2Frun&password=x%26y", "postgresql://me@/db?host=%2Frun", "x&y"),
        ("postgresql://host/db", "postgresql://host/db", None),
    ):
        assert without_password(dsn) == (place, password)
