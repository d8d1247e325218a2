"""The real parts that are broken: a PostgreSQL of its own, a proxy before it, two service processes, connections."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from ledger_service.storage.embedded import EmbeddedPostgres
from ledger_service.storage.migrate import migrate
from tests.chaos.clock import Clock, told_by_service
from tests.chaos.disk import Disk, own_disk
from tests.chaos.history import Shortage, now
from tests.chaos.memory import runs_short
from tests.chaos.packages import Packages, own_packages
from tests.chaos.poison import POISON
from tests.e2e.served import free_port
from tests.helpers.cutting_proxy import CuttingProxy, cutting
from tests.helpers.processes import ServeProcess
from tests.helpers.rpc import connect
from tests.helpers.servers import TOKEN
from tests.helpers.sql import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime, timedelta

    from tests.helpers.rpc import Client

PROCESSES = 2
WITH_A_CLOCK = 1
"""The process whose clock can be set."""
_CONNECTIONS = 3
"""To each process."""
_RESTART_SECONDS = 90.0
_ENDED_SECONDS = 5.0
"""When one backend has crashed, the postmaster ends the others in no time."""
_HALF_OF_MANY = 20
_POLL_SECONDS = 0.3
_TRACE = 400
"""Characters of an error that are told."""
_FULL_SECONDS = 1.5
"""How long something has run out."""


@dataclass(frozen=True)
class Machine:
    """What the processes stand on."""

    disk: Disk
    """The database's."""
    packages: Packages
    """Its programs."""
    server_clock: Clock
    clock: Clock
    """Of one of the service's processes."""


class Scene:
    """Made by `staged`."""

    def __init__(
        self, folder: Path, machine: Machine, postgres: EmbeddedPostgres, proxy: CuttingProxy, dsn: str
    ) -> None:
        self.folder = folder
        self.machine = machine
        self.postgres = postgres
        self.proxy = proxy
        self.dsn = dsn
        """Through the proxy: the service's."""
        self.services: list[ServeProcess] = []
        self.shortages: list[Shortage] = []
        """When one of them had no memory."""
        self.clients: list[Client] = []
        self._ports = [free_port() for _ in range(PROCESSES)]

    @property
    def addresses(self) -> list[str]:
        """Of each process; the same after a restart."""
        return [f"127.0.0.1:{port}" for port in self._ports]

    async def start(self, stack: AsyncExitStack) -> None:
        """Start all processes, and connect to them."""
        self.services += await asyncio.gather(*(self._launch(index) for index in range(PROCESSES)))
        for _ in range(_CONNECTIONS):
            for address in self.addresses:
                self.clients.append(await stack.enter_async_context(connect(address, TOKEN)))

    async def _launch(self, index: int) -> ServeProcess:
        environment = self.machine.clock.environment if index == WITH_A_CLOCK else {}
        return await ServeProcess.start(self.folder, self.dsn, address=self.addresses[index], **environment)

    async def kill_service(self, index: int) -> None:
        """kill -9, and start it again."""
        pid = self.services[index].process.pid
        await self.services[index].kill()
        assert self.services[index].process.returncode == -signal.SIGKILL, f"process {pid} did not die of it"
        await self._restart_service(index)

    async def drain_service(self, index: int) -> None:
        """SIGTERM under load: it must end well; and start it again."""
        code = await self.services[index].stop()
        assert code == 0, f"it ended with {code}: {self.services[index].log.read_text()[-2_000:]}"
        await self._restart_service(index)

    async def _restart_service(self, index: int) -> None:
        async with asyncio.timeout(_RESTART_SECONDS):
            while True:
                try:
                    self.services[index] = await self._launch(index)
                    return
                except AssertionError:
                    # The database is down as well: an operator's supervisor would try again, too.
                    await asyncio.sleep(0.5)

    async def kill_backend(self) -> None:
        """kill -9 of a backend that writes: the postmaster ends all others and recovers."""
        postmaster = self.postgres.pid
        is_killed = False
        while not is_killed:
            async with self.administrator() as another:
                pid = await self._one_writer()
                # Its connection may be cut just now, and then it ends by itself.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    is_killed = await _is_ended(another)
        async with asyncio.timeout(_RESTART_SECONDS):
            while _exists(pid):
                await asyncio.sleep(0.01)
        await self.recovered()
        assert self.postgres.pid == postmaster

    async def end_backend(self) -> None:
        """pg_terminate_backend of one that writes."""
        async with self.administrator() as connection:
            # False: it had ended by itself, its connection was cut.
            while not await connection.fetchval("SELECT pg_terminate_backend($1, 10000)", await self._one_writer()):
                pass

    async def _one_writer(self) -> int:
        async with asyncio.timeout(_RESTART_SECONDS):
            while True:
                async with self.administrator() as connection:
                    pid = await connection.fetchval(
                        "SELECT pid FROM pg_stat_activity WHERE application_name = 'ledger-writer' "
                        "ORDER BY (state <> 'idle') DESC, random() LIMIT 1"
                    )
                if pid is not None:
                    return int(pid)
                await asyncio.sleep(0.05)

    async def kill_postmaster(self) -> None:
        """kill -9 of the server's first process, and start it again: recovery."""
        await self._end_server(signal.SIGKILL)

    async def stop_immediately(self) -> None:
        """As `pg_ctl stop -m immediate`: no checkpoint, and recovery at the next start."""
        await self._end_server(signal.SIGQUIT)

    async def _end_server(self, number: int) -> None:
        pid = self.postgres.pid
        os.kill(pid, number)
        async with asyncio.timeout(_RESTART_SECONDS):
            await self.postgres.wait()
            await self.postgres.restart(progress=lambda _: None)
        assert self.postgres.pid != pid
        await self.recovered()

    async def fill_disk(self) -> None:
        """No space left, for rows and for the write-ahead log; raises NotPossibleError."""
        with self.machine.disk.full():
            async with asyncio.timeout(_RESTART_SECONDS):
                while not await self._has_met_full_disk():
                    await asyncio.sleep(0.05)
            await asyncio.sleep(_FULL_SECONDS)
        async with asyncio.timeout(_RESTART_SECONDS):
            while not await self._answers():
                if await self._server_has_ended():
                    # It could not write its log: an operator starts it again.
                    await self.postgres.restart(progress=lambda _: None)

    async def _server_has_ended(self) -> bool:
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await self.postgres.wait()
        except TimeoutError:
            return False
        return True

    async def _has_met_full_disk(self) -> bool:
        """Whether the server has refused to write, or has ended: its log may be on the full disk, too."""
        try:
            connection = await asyncpg.connect(self.postgres.dsn, timeout=5)
            try:
                await connection.execute("CREATE TEMPORARY TABLE large AS SELECT generate_series(1, 1000000)")
            finally:
                connection.terminate()
        except asyncpg.DiskFullError:
            return True
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return not await self._answers()
        return False

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.postgres.dsn, timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        connection.terminate()
        return True

    async def few_files(self, index: int) -> None:
        """A process may open hardly another file, while many want to connect."""
        service = self.services[index]
        pid = service.process.pid
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = _open_files(pid)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 3, hard))
        try:
            async with AsyncExitStack() as stack:
                for address in (service.address, service.rest) * _HALF_OF_MANY:
                    host, _, port = address.rpartition(":")
                    stack.callback((await asyncio.open_connection(host, int(port)))[1].close)
                await asyncio.sleep(_FULL_SECONDS)
                open_now = _open_files(pid)
                assert open_now < used + 2 * _HALF_OF_MANY, f"all were taken: {open_now} files are open, before {used}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
        assert service.process.returncode is None, "it ended for want of a file"

    async def little_memory(self, index: int) -> str:
        """A process gets hardly more memory, while large requests come in; what became of it."""
        service = self.services[index]
        start = now()
        try:
            await runs_short(service)
        finally:
            self.shortages.append(Shortage(start, now()))
        if service.process.returncode is None:
            return "refused"
        await self._restart_service(index)
        return "died and was started again"

    async def upgrade_packages(self) -> None:
        """PostgreSQL's files are replaced under the running server, which is then restarted: what an upgrade does."""
        packages = self.machine.packages
        assert packages.are_those_of(self.postgres.pid)
        await packages.upgrade()
        assert not packages.are_those_of(self.postgres.pid), "it runs the new files already"
        await self._end_server(signal.SIGINT)
        assert packages.are_those_of(self.postgres.pid), "it does not run the new files"

    async def step_clock(self, offset: timedelta) -> None:
        """Set the clock of one of the service's processes; raises NotPossibleError."""
        await self.machine.clock.step(offset, lambda: told_by_service(self.services[WITH_A_CLOCK].rest))

    async def step_server_clock(self, offset: timedelta) -> None:
        """Set PostgreSQL's clock, by which everything is recorded; raises NotPossibleError."""
        await self.machine.server_clock.step(offset, self._told_by_server)

    async def _told_by_server(self) -> datetime | None:
        try:
            connection = await asyncpg.connect(self.postgres.dsn, timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return None
        try:
            told: datetime = await connection.fetchval("SELECT clock_timestamp()", timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return None
        else:
            return told
        finally:
            connection.terminate()

    async def mend(self) -> None:
        """Whatever a run that broke off has left down is brought back."""
        async with asyncio.timeout(_RESTART_SECONDS):
            if await self._server_has_ended():
                await self.postgres.restart(progress=lambda _: None)
            await self.recovered()
            for index, service in enumerate(self.services):
                if service.process.returncode is not None:
                    await self._restart_service(index)

    async def recovered(self) -> None:
        """Wait until the server takes connections again."""
        async with asyncio.timeout(_RESTART_SECONDS), self.administrator() as connection:
            assert await connection.fetchval("SELECT 1") == 1

    @asynccontextmanager
    async def administrator(self) -> AsyncIterator[Any]:
        """A connection to the server, not through the proxy, as soon as there is one."""
        connection: Any = None
        while connection is None:
            try:
                connection = await asyncpg.connect(self.postgres.dsn, timeout=5)
                await connection.fetchval("SELECT 1")
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection = None
                await asyncio.sleep(0.05)
        try:
            yield connection
        finally:
            connection.terminate()

    def faults_of_ours(self) -> list[str]:
        """What the service's logs tell of errors, but for those that were planted in the database."""
        found = []
        for log in sorted(self.folder.glob("serve-*.log")):
            for line in log.read_text(errors="replace").splitlines():
                with contextlib.suppress(ValueError):
                    told = json.loads(line)
                    trace = told.get("exception", "").strip()
                    if told.get("level") == "error" and POISON not in trace:
                        found.append(f"{log.name}: {told['event']}: {trace[-_TRACE:]}")
        return found

    async def stop(self) -> None:
        """Ask all processes to end."""
        codes = await asyncio.gather(*(service.stop() for service in self.services))
        assert set(codes) <= {0}, (
            f"they ended with {codes}: {[each.log.read_text()[-2_000:] for each in self.services]}"
        )


@asynccontextmanager
async def staged(folder: Path, sabotage: str = "") -> AsyncIterator[Scene]:
    """Everything, on fresh data; nothing of it is shared with other tests. `sabotage`: see tests.chaos.mutants."""
    async with AsyncExitStack() as stack:
        clock, server_clock = Clock(), Clock()
        stack.callback(clock.remove)
        stack.callback(server_clock.remove)
        machine = Machine(
            await stack.enter_async_context(own_disk(folder / "disk")),
            stack.enter_context(own_packages(server_clock.environment)),
            server_clock,
            clock,
        )
        postgres = await EmbeddedPostgres.start(machine.disk.folder / "data", progress=lambda _: None)
        stack.push_async_callback(postgres.stop, "immediate")
        await migrate(postgres.dsn, progress=lambda *_: None)
        if sabotage:
            async with connected(postgres.dsn) as connection:
                await connection.execute(sabotage)
        proxy, dsn = await stack.enter_async_context(cutting(postgres.dsn))
        scene = Scene(folder, machine, postgres, proxy, dsn)
        stack.push_async_callback(_kill_all, scene)
        await scene.start(stack)
        yield scene


async def _kill_all(scene: Scene) -> None:
    for service in scene.services:
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            if service.process.returncode is None:
                await service.kill()


def _open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def _is_ended(connection: Any) -> bool:
    """Whether the server ends this connection within a few seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _ENDED_SECONDS
    while loop.time() < deadline:
        try:
            await connection.fetchval("SELECT 1")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return True
        await asyncio.sleep(0.01)
    return False


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
