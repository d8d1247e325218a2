"""What is measured, and its yardsticks: databases, services and echo servers of the bench's own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from bench.child import ROOT, child
from bench.errors import BenchError
from bench.requests import Mix, account_id, entity_id, transfer
from ledger.v1 import account_pb2
from ledger.v1 import account_service_pb2 as accounts_pb
from ledger_client import LedgerClient
from ledger_client import messages as m
from ledger_service.bootstrap import verify_database
from ledger_service.storage.embedded import EmbeddedPostgres

_START_SECONDS = 120.0
_SET_UP_CALLS = 32
_ACCOUNTS_A_CALL = 1_000


class UnsoundError(BenchError):
    """`verify` found a break in what the benchmark wrote."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running service: where it listens, how to get in, and its database."""

    grpc: str
    rest: str
    token: str
    dsn: str
    """As the owner of the tables."""
    pid: int
    """Of the process that was started."""

    def client(self) -> LedgerClient:
        """The administrator's, to be entered."""
        return LedgerClient(self.grpc, self.token)


def database_dsn(dsn: str, database: str) -> str:
    """The DSN of another database of the same server."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


@asynccontextmanager
async def database(postgres: EmbeddedPostgres, name: str, *, is_settled: bool = True) -> AsyncIterator[str]:
    """An empty database, dropped at the end; gives its name. `is_settled`: what came before it is on disk by then."""
    connection = await asyncpg.connect(postgres.dsn)
    try:
        # Left behind by a run that was killed.
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await connection.execute(f'CREATE DATABASE "{name}"')
        if is_settled:
            await connection.execute("CHECKPOINT")
        yield name
    finally:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await connection.close()


@asynccontextmanager
async def serving(
    postgres: EmbeddedPostgres, token: str, workers: int, name: str | None = None
) -> AsyncIterator[Service]:
    """The service as its users start it, as the login that owns nothing, on a database of the server."""
    owner, login = (
        (postgres.dsn, postgres.service_dsn)
        if name is None
        else (database_dsn(postgres.dsn, name), database_dsn(postgres.service_dsn, name))
    )
    # Settings of whoever starts the bench, and of the bench, would be measured as well.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LEDGER_", "GRPC_"))}
    environment |= {"LEDGER_BOOTSTRAP_TOKEN": token, "LEDGER_DSN": login, "LEDGER_MIGRATE_DSN": owner}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ledger_service", "serve", "--grpc", "127.0.0.1:0", "--rest", "127.0.0.1:0",
        "--workers", str(workers), "--log-level", "warning",
        env=environment, cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_START_SECONDS):
            grpc, rest = await _addresses(process)
        yield Service(grpc, rest, token, owner, process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _addresses(process: asyncio.subprocess.Process) -> tuple[str, str]:
    grpc = ""
    assert process.stdout is not None
    async for line in process.stdout:
        words = line.decode().split()
        if words[:1] == ["gRPC"]:
            grpc = words[1].rstrip(",")
        elif words[:1] == ["REST"]:
            return grpc, words[1].removeprefix("http://").rstrip(",")
    raise BenchError("the service did not start; what it said stands above")


@asynccontextmanager
async def echoing(answer: bytes, processes: int) -> AsyncIterator[str]:
    """The bare echo server; gives where it listens."""
    async with AsyncExitStack() as stack:
        port = 0
        for _ in range(processes):
            server = await stack.enter_async_context(child("bench.echo"))
            port = (await server.ask({"answer": answer.hex(), "port": port, "shared": processes > 1}))["port"]
        yield f"127.0.0.1:{port}"


async def set_up(service: Service, mix: Mix) -> None:
    """The entities and accounts of a mix; those that are there already stay."""
    async with service.client() as client:
        room = asyncio.Semaphore(_SET_UP_CALLS)

        async def entity(number: int) -> None:
            async with room:
                name = entity_id(number)
                await client.entities.CreateEntity(m.CreateEntityRequest(entity_id=name, name="Benchmark"))
                await create_accounts(client, name, (account_id(one) for one in range(mix.accounts)))

        await asyncio.gather(*(entity(number) for number in range(mix.entities)))


async def create_accounts(client: LedgerClient, entity: str, names: Iterable[str]) -> None:
    """Liability accounts, without limits."""
    requests = [
        accounts_pb.CreateAccountRequest(account_id=one, name=one, type=account_pb2.ACCOUNT_TYPE_LIABILITY)
        for one in names
    ]
    for start in range(0, len(requests), _ACCOUNTS_A_CALL):
        part = requests[start : start + _ACCOUNTS_A_CALL]
        await client.accounts.BatchCreateAccounts(
            accounts_pb.BatchCreateAccountsRequest(entity_id=entity, requests=part)
        )


async def sample_answer(service: Service) -> bytes:
    """A serialized answer to one call of the load, for the echo server to give: the same messages both ways."""
    async with service.client() as client:
        request = transfer(entity_id(0), f"key-{0:08x}-{0:010d}", account_id(0), account_id(1), "12345.00")
        answer = await client.transactions.CreateTransaction(request)
        return bytes(answer.SerializeToString())


async def first_rows(dsn: str, schema: str) -> dict[str, dict[str, Any]]:
    """A row of each of the two tables that a transaction of the load made."""
    connection = await asyncpg.connect(dsn)
    try:
        event = await connection.fetchrow(f"SELECT * FROM {schema}.events WHERE kind = 1 ORDER BY sequence LIMIT 1")
        entry = await connection.fetchrow(f"SELECT * FROM {schema}.entries ORDER BY sequence, leg LIMIT 1")
    finally:
        await connection.close()
    if event is None or entry is None:
        raise BenchError(f"{schema}: no row of a transaction to compare with")
    return {"events": dict(event), "entries": dict(entry)}


async def prove(dsn: str) -> dict[str, int]:
    """Run `verify` over the database. Raises UnsoundError when it finds a break."""
    report = await verify_database(dsn)
    if report.breaks:
        listed = "\n".join(str(one) for one in report.breaks[:10])
        raise UnsoundError(f"verify found {len(report.breaks)} breaks after the benchmark:\n{listed}")
    return {"transactions": report.transactions, "entries": report.entries}
