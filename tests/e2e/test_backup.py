"""`ledger-service backup` and `restore` on the real parts: under load, and into the wrong place."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import pytest

from ledger_service.storage import database as roles
from ledger_service.storage.backup_errors import BackupRefusedError
from ledger_service.storage.backup_manifest import read_manifest
from ledger_service.storage.backup_tools import find_tools, without_password
from ledger_service.storage.embedded import EmbeddedPostgres
from ledger_service.storage.embedded_binaries import find_binaries
from ledger_service.storage.embedded_roles import SERVICE_LOGIN
from ledger_service.storage.migrate import migrate
from ledger_service.storage.restore import check_release
from tests.e2e.served import TOKEN as SERVED_TOKEN
from tests.e2e.served import Served, served
from tests.helpers.backups import manifest_of, rewrite
from tests.helpers.builders import sequence_of
from tests.helpers.load import Load
from tests.helpers.processes import run_cli
from tests.helpers.rpc import connect
from tests.helpers.servers import assert_sound, create_database, dsn_of, serving
from tests.helpers.sql import connected

if TYPE_CHECKING:
    pass

CALLERS = 8


# The way it is meant to go.


@pytest.mark.slow
@pytest.mark.timeout(300)
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
    later = {"number": 9999, "name": "9999_later.sql", "digest": "x"}
    for change, said in (
        ({"migrations": [last, later]}, "9999_later.sql, which this release does not know"),
        ({"migrations": [{**last, "digest": "x"}]}, "is not the one of this release"),
        ({"format": 2}, "has format 2, this release reads 1"),
    ):
        (copy / "manifest.json").write_text(original)
        rewrite(copy, lambda manifest, change=change: manifest.update(change))
        with pytest.raises(BackupRefusedError, match=re.escape(said)):
            check_release(read_manifest(copy))
    code, _, errors = await run_cli("restore", str(copy), dsn=empty)
    assert code == 2
    assert "has format 2, this release reads 1" in errors

    (copy / "manifest.json").write_text(original)
    rewrite(copy, lambda manifest: manifest.update(server_major=99, server_version="99.1"))
    for place in ((), ("--data-dir", str(tmp_path / "data"))):
        code, _, errors = await run_cli("restore", str(copy), *place, dsn=empty)
        assert code == 2
        assert "the backup is of PostgreSQL 99.1 and the server is" in errors


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
