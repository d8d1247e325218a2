"""The service in processes of its own, started the way operators start it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
import socket
import sys
import urllib.request
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.helpers.servers import TOKEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).resolve().parents[2]
_ADDRESS = re.compile(r"^\s*gRPC +(\S+)", re.MULTILINE)
_REST_ADDRESS = re.compile(r"^\s*REST +https?://([^/,\s]+)", re.MULTILINE)
_LAST_LINE_OF_BANNER = "stop "
_SAMPLE = re.compile(r'^ledger_commits_total\{outcome="(\w+)"\} ([0-9.e+]+)$', re.MULTILINE)


class ServeProcess:
    """`python -m ledger_service serve` on a database, with its workers."""

    def __init__(self, process: Process, log: Path, workers: int, metrics_port: int) -> None:
        self.process = process
        self.log = log
        self.address = ""
        self.rest = ""
        self._workers = workers
        self._metrics_port = metrics_port
        self._output: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls, folder: Path, dsn: str, *, workers: int = 1, address: str = "127.0.0.1:0", **environment: str
    ) -> ServeProcess:
        """Start it and wait until it serves; AssertionError with its log when it does not."""
        metrics_port = _free_ports(workers)
        log = folder / f"serve-{metrics_port}.log"
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "ledger_service", "serve"),
                *("--grpc", address, "--workers", str(workers)),
                *("--metrics", f"127.0.0.1:{metrics_port}", "--log-level", "info"),
                env=environment_for(dsn, **environment),
                cwd=folder,
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=errors,
            )
        server = cls(process, log, workers, metrics_port)
        try:
            await server._read_banner()
        except BaseException:
            # Given up half-way, it would go on and keep its port.
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            raise
        return server

    async def _read_banner(self) -> None:
        assert self.process.stdout is not None
        banner = ""
        while _LAST_LINE_OF_BANNER not in banner:
            line = await self.process.stdout.readline()
            assert line, f"it ended: {self.log.read_text()}"
            banner += line.decode()
        found = _ADDRESS.search(banner)
        assert found is not None, banner
        self.address = found[1]
        rest = _REST_ADDRESS.search(banner)
        self.rest = rest[1] if rest is not None else ""
        self._output = asyncio.create_task(self._drop_output())

    async def _drop_output(self) -> None:
        """Nobody reads on: a full pipe must not stop it."""
        assert self.process.stdout is not None
        while await self.process.stdout.read(65_536):
            pass

    def terminate(self) -> None:
        """Ask it to drain."""
        self.process.send_signal(signal.SIGTERM)

    async def wait(self) -> int:
        """Its exit code."""
        code = await self.process.wait()
        if self._output is not None:
            await self._output
        return code

    async def stop(self) -> int:
        """Ask it to drain, and give its exit code."""
        with contextlib.suppress(ProcessLookupError):
            self.terminate()
        return await self.wait()

    async def kill(self) -> None:
        """kill -9 of it and its workers: nothing is finished, nobody is told."""
        for pid in {*self.worker_pids(), self.process.pid}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await self.wait()

    def worker_pids(self) -> list[int]:
        """The processes that serve: its children, or itself when there are none."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        return [int(pid) for pid in children.split()] or [self.process.pid]

    async def commits(self) -> list[dict[str, int]]:
        """Database transactions by outcome, of each worker, from their metrics."""
        urls = [f"http://127.0.0.1:{self._metrics_port + index}/metrics" for index in range(self._workers)]
        texts = await asyncio.gather(*(asyncio.to_thread(_get, url) for url in urls))
        return [{outcome: int(float(count)) for outcome, count in _SAMPLE.findall(text)} for text in texts]


@asynccontextmanager
async def serve(folder: Path, dsn: str, *, workers: int = 1, **environment: str) -> AsyncIterator[ServeProcess]:
    """A process that serves; at the end it is drained, and must end well if it still runs."""
    server = await ServeProcess.start(folder, dsn, workers=workers, **environment)
    try:
        yield server
    except BaseException:
        await server.stop()
        raise
    if server.process.returncode is None:
        assert await server.stop() == 0, server.log.read_text()


async def run_cli(*arguments: str, dsn: str = "", **environment: str) -> tuple[int, str, str]:
    """Run a command to its end: exit code, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ledger_service", *arguments),
        env=environment_for(dsn, **environment),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )
    output, errors = await process.communicate()
    return process.returncode or 0, output.decode(), errors.decode()


def environment_for(dsn: str, **more: str) -> dict[str, str]:
    """The environment of a process: no setting but those of the test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEDGER_")}
    paths = [str(ROOT), str(ROOT / "clients" / "python"), kept.get("PYTHONPATH", "")]
    own = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "LEDGER_BOOTSTRAP_TOKEN": TOKEN}
    # Services of tests stand side by side.
    own["LEDGER_REST"] = "127.0.0.1:0"
    if dsn:
        own["LEDGER_DSN"] = dsn
    return {**kept, **own, **more}


async def health_changes(address: str) -> AsyncIterator[str]:
    """What grpc.health.v1 tells of the server as a whole: SERVING, NOT_SERVING …, until the server has gone."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        call = stub.Watch(health_pb2.HealthCheckRequest())
        with contextlib.suppress(grpc.aio.AioRpcError):
            async for answer in call:
                yield health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


def _get(url: str) -> str:
    with urllib.request.urlopen(url) as answer:
        return str(answer.read().decode())


def _free_ports(count: int) -> int:
    """The first of some ports in a row that are free; below those that the system gives to clients."""
    while True:
        first = random.SystemRandom().randrange(20_000, 32_000)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
