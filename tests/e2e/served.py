"""The service as its users run it: `ledger-service serve`, a process on a data folder of its own."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
from asyncio.subprocess import STDOUT, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOKEN = "end-to-end-administrator-0123456789"
"""The administrator's token of every service that is given one."""

_START_SECONDS = 60.0
_STOP_SECONDS = 45.0
_RUN_SECONDS = 240.0
_PORTS = range(20_000, 32_000)  # below those that the system gives to outgoing connections


def free_port() -> int:
    """A port that nobody listens on."""
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")


@dataclass
class Finished:
    """A program that has ended, and all that it printed."""

    code: int
    output: str

    @property
    def last_line(self) -> str:
        return self.output.rstrip().rpartition("\n")[2]


@dataclass
class Served:
    """One data folder and one address; the process may come and go."""

    data_dir: Path
    token: str | None
    port: int = field(default_factory=free_port)
    variables: Mapping[str, str] = field(default_factory=dict)
    process: Process | None = None

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.data_dir.with_name(f"{self.data_dir.name}.log")

    async def start(self) -> None:
        """Start it and wait until it listens."""
        variables = dict(self.variables)
        if self.token is not None:
            variables["LEDGER_BOOTSTRAP_TOKEN"] = self.token
        arguments = ("serve", "--data-dir", str(self.data_dir), "--grpc", self.target)
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "ledger_service", *arguments,
                cwd=ROOT, env=environment(variables), stdout=log, stderr=STDOUT,
            )  # fmt: skip
        async with asyncio.timeout(_START_SECONDS):
            while not await listens(self.port):
                assert self.process.returncode is None, self.log.read_text()
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """kill -9: nothing is finished, nothing is told."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM; gives the exit status."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            raise


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """This process' environment with these variables and no other of the service's."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("LEDGER_")}
    return {**own, "LEDGER_REST": "127.0.0.1:0", "NO_COLOR": "1", "COLUMNS": "80", **variables}


async def begin(*arguments: str, **variables: str) -> Process:
    """Start a Python program; its output is read with `finish`."""
    return await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, env=environment(variables),
        stdout=asyncio.subprocess.PIPE, stderr=STDOUT,
    )  # fmt: skip


async def finish(process: Process) -> Finished:
    """Wait for a program to end."""
    try:
        async with asyncio.timeout(_RUN_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode is not None
    return Finished(process.returncode, output.decode())


async def run(*arguments: str, **variables: str) -> Finished:
    """Run a Python program to its end."""
    return await finish(await begin(*arguments, **variables))


@asynccontextmanager
async def served(folder: Path, *, token: str | None = TOKEN, **variables: str) -> AsyncIterator[Served]:
    """A service on a fresh data folder; without a token it makes one and keeps it there."""
    service = Served(folder / "data", token, variables=variables)
    try:
        await service.start()
        yield service
    finally:
        if service.process is not None and service.process.returncode is None:
            await service.stop()
