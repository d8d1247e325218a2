"""Start, drain and death of processes under load: nothing acknowledged is lost, nothing is applied twice."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
import grpc
import pytest

from ledger.v1 import transaction_service_pb2 as transactions
from ledger_service.storage.embedded import EmbeddedPostgres
from tests.helpers.builders import new_entity
from tests.helpers.load import Load
from tests.helpers.processes import ServeProcess, health_changes, run_cli, serve
from tests.helpers.rpc import Client, connect
from tests.helpers.servers import (
    TOKEN,
    Service,
    assert_sound,
    cloned,
    create_database,
    dsn_of,
    make_template,
    serving,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

CALLERS = 32
CONNECTIONS = 8


@asynccontextmanager
async def connections(address: str) -> AsyncIterator[list[Client]]:
    """So many that each process behind the address has some."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(connect(address, TOKEN)) for _ in range(CONNECTIONS)]


# Shutdown.


@pytest.mark.parametrize("workers", [1, 2])
async def test_sigterm_under_load(database: str, tmp_path: Path, workers: int) -> None:
    """What was accepted is committed and answered, what comes later is told DRAINING, the exit code is 0."""
    async with serve(tmp_path, database, workers=workers) as server, connections(server.address) as clients:
        load = await Load.prepare(clients[0])
        callers = [asyncio.create_task(load.until_first_failure(clients[n % CONNECTIONS])) for n in range(CALLERS)]
        await load.has_acknowledged(500)
        server.terminate()
        await asyncio.gather(*callers)
        assert await server.wait() == 0, server.log.read_text()
    assert len(load.failed) == CALLERS
    # gRPC itself answers CANCELLED to a call that came in while the socket was being closed.
    codes = {refused.code for refused in load.failed.values()}
    assert codes <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}, load.failed
    draining = {key for key, refused in load.failed.items() if refused.reason == "DRAINING"}
    assert draining, load.failed
    async with serving(database) as again:
        beyond = await load.check_nothing_lost_nothing_double(again.client)
        assert beyond == set(), "what was accepted was not answered"
        for key in load.failed:
            assert not (await again.client.transactions.CreateTransaction(load.request(key))).replayed


async def test_health_while_it_drains(database: str, tmp_path: Path) -> None:
    """Balancers are told before calls are refused."""
    async with serve(tmp_path, database) as server:
        changes = [change async for change in _until_not_serving(server)]
        assert changes == ["SERVING", "NOT_SERVING"]
        assert await server.wait() == 0


async def _until_not_serving(server: ServeProcess) -> AsyncIterator[str]:
    async for change in health_changes(server.address):
        yield change
        if change == "SERVING":
            server.terminate()


async def test_stop_answers_everything_that_was_accepted(service: Service) -> None:
    """In one process, where it is known what was accepted: every call that was sent before is answered."""
    load = await Load.prepare(service.client)
    callers = [asyncio.create_task(load.until_first_failure(service.client)) for _ in range(CALLERS)]
    await load.has_acknowledged(200)
    await service.running.stop()
    await asyncio.gather(*callers)
    assert len(load.failed) == CALLERS
    async with serving(service.dsn) as again:
        assert await load.check_nothing_lost_nothing_double(again.client) == set()


async def test_streams_and_batches_are_finished(service: Service) -> None:
    """A stream under way when the service stops: each answer is definite, each request answered is there."""
    load = await Load.prepare(service.client)
    keys = [f"stream-{number}" for number in range(2_000)]
    requests = [transactions.StreamCreateTransactionsRequest(request=load.request(key)) for key in keys]
    call = service.client.transactions.StreamCreateTransactions(iter(requests))
    stopping: asyncio.Task[None] | None = None
    answered = 0
    try:
        async for answer in call:
            assert answer.index == answered
            if answer.WhichOneof("outcome") == "response":
                load.acknowledged[keys[answer.index]] = answer.response.transaction.id
            answered += 1
            if answered == 200:
                stopping = asyncio.create_task(service.running.stop())
    except grpc.aio.AioRpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE  # noqa: PT017
    assert stopping is not None
    await stopping
    assert len(load.acknowledged) >= 200
    async with serving(service.dsn) as again:
        await load.check_nothing_lost_nothing_double(again.client)


# Death.


async def test_kill_of_a_worker_under_load(database: str, tmp_path: Path) -> None:
    """Callers send again with the same key, the other worker and a new one answer."""
    async with serve(tmp_path, database, workers=2) as server, connections(server.address) as clients:
        load = await Load.prepare(clients[0])
        callers = [asyncio.create_task(load.with_retries(_from(clients, number), 60)) for number in range(CALLERS)]
        # First one worker, then the other: the kernel may have given all connections to either.
        for wave, victim in enumerate(server.worker_pids(), 1):
            await load.has_acknowledged(CALLERS * 20 * wave)
            os.kill(victim, signal.SIGKILL)
            while victim in server.worker_pids() or len(server.worker_pids()) < 2:
                await asyncio.sleep(0.02)
        await asyncio.gather(*callers)
        assert load.failures, "no call met the kill: the test shows nothing"
        assert len(load.acknowledged) == CALLERS * 60
        assert await load.check_nothing_lost_nothing_double(clients[0]) == set()
    await assert_sound(database)


def _from(clients: Sequence[Client], first: int) -> list[Client]:
    """All connections, beginning at another one for each caller."""
    first %= len(clients)
    return [*clients[first:], *clients[:first]]


async def test_kill_of_everything_under_load(database: str, tmp_path: Path) -> None:
    """The supervisor and its workers at once; a new start on the same database goes on."""
    first = await ServeProcess.start(tmp_path, database, workers=2)
    async with connections(first.address) as clients:
        load = await Load.prepare(clients[0])
        callers = [asyncio.create_task(load.until_first_failure(clients[n % CONNECTIONS])) for n in range(CALLERS)]
        await load.has_acknowledged(500)
        await first.kill()
        await asyncio.gather(*callers)
    async with serve(tmp_path, database, workers=2) as second, connect(second.address, TOKEN) as client:
        beyond = await load.check_nothing_lost_nothing_double(client)
        assert beyond <= set(load.failed)
        for key in load.failed:
            answer = await client.transactions.CreateTransaction(load.request(key))
            assert answer.replayed == (key in beyond)
            load.acknowledged[key] = answer.transaction.id
        assert await load.check_nothing_lost_nothing_double(client) == set()
    await assert_sound(database)


async def test_kill_of_the_database_under_load(tmp_path: Path) -> None:
    """The service lives on and answers again once the database has recovered; it needs no restart."""
    postgres = await EmbeddedPostgres.start(tmp_path / "data", progress=lambda _: None)
    try:
        dsn = await make_template(postgres.dsn)
        async with serving(dsn) as service:
            load = await Load.prepare(service.client)
            callers = [asyncio.create_task(load.with_retries([service.client], 40)) for _ in range(CALLERS)]
            await load.has_acknowledged(CALLERS * 15)
            os.kill(postgres.pid, signal.SIGKILL)
            await postgres.wait()
            assert not any(caller.done() for caller in callers), "it was killed too late to show anything"
            await postgres.restart(progress=lambda _: None)
            await asyncio.gather(*callers)
            # Most calls just wait, and are answered once it has been found out what became of them.
            assert {refused.code for refused in load.failures} <= {grpc.StatusCode.UNAVAILABLE}
            assert {refused.reason for refused in load.failures} <= {"DATABASE_UNAVAILABLE", "OUTCOME_UNKNOWN"}
            assert len(load.acknowledged) == CALLERS * 40
            assert await load.check_nothing_lost_nothing_double(service.client) == set()
    finally:
        await postgres.stop("immediate")


async def test_connections_cut_by_the_database(service: Service, database: str) -> None:
    """An operator ends all sessions again and again while callers write."""
    load = await Load.prepare(service.client)
    callers = [asyncio.create_task(load.with_retries([service.client], 40)) for _ in range(CALLERS)]
    admin = await asyncpg.connect(database)
    try:
        for wave in range(1, 8):
            await load.has_acknowledged(CALLERS * 5 * wave)
            await admin.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    finally:
        await admin.close()
    await asyncio.gather(*callers)
    assert len(load.acknowledged) == CALLERS * 40
    assert await load.check_nothing_lost_nothing_double(service.client) == set()


# Start.


async def test_two_processes_start_on_an_empty_database(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    """Both migrate at once, one waits for the other, both serve."""
    dsn = await create_database(postgres.dsn)
    both = await asyncio.gather(ServeProcess.start(tmp_path, dsn), ServeProcess.start(tmp_path, dsn, workers=2))
    try:
        for server in both:
            async with connect(server.address, TOKEN) as client:
                await new_entity(client)
    finally:
        codes = await asyncio.gather(*(server.stop() for server in both))
    assert codes == [0, 0]
    await assert_sound(dsn)


async def refused_start(dsn: str, *words: str) -> None:
    """`serve` ends with exit code 3 and one line that has these words."""
    code, output, errors = await run_cli("serve", "--grpc", "127.0.0.1:0", dsn=dsn)
    said = [line for line in errors.splitlines() if line.startswith("ledger-service: ")]
    assert code == 3, (output, errors)
    assert len(said) == 1, errors
    assert "Traceback" not in errors
    for word in words:
        assert word in said[0]


@pytest.fixture
async def unsafe(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[str]:
    """A migrated database for tests to set up badly."""
    async with cloned(postgres.dsn, template) as dsn:
        yield dsn


async def alter(dsn: str, *statements: str) -> None:
    """Run these as the owner."""
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            database = await connection.fetchval("SELECT quote_ident(current_database())")
            await connection.execute(statement.format(database=database))
    finally:
        await connection.close()


@pytest.mark.parametrize("value", ["off", "local"])
async def test_start_without_synchronous_commit(unsafe: str, value: str) -> None:
    await alter(unsafe, f"ALTER DATABASE {{database}} SET synchronous_commit = {value}")
    await refused_start(unsafe, f"synchronous_commit is {value}", "set synchronous_commit = on")


async def test_start_on_a_read_only_database(unsafe: str) -> None:
    await alter(unsafe, "ALTER DATABASE {database} SET default_transaction_read_only = on")
    await refused_start(unsafe, "read-only")


async def test_start_as_a_user_without_the_roles(unsafe: str) -> None:
    """A login of its own needs the grant; the line says which."""
    user = f"stranger_{os.getpid()}"
    await alter(unsafe, f"CREATE ROLE {user} LOGIN")
    own = unsafe.replace("postgres@", f"{user}@")
    try:
        await refused_start(own, f"user {user}", f"GRANT ledger_service, ledger_reader, ledger_directory TO {user}")
    finally:
        await alter(unsafe, f"DROP ROLE {user}")


async def test_start_as_a_user_with_the_roles(unsafe: str, tmp_path: Path) -> None:
    """It owns nothing and needs no more than the grant."""
    user = f"member_{os.getpid()}"
    await alter(unsafe, f"CREATE ROLE {user} LOGIN", f"GRANT ledger_service, ledger_reader, ledger_directory TO {user}")
    try:
        own = unsafe.replace("postgres@", f"{user}@")
        async with (
            serve(tmp_path, own, LEDGER_MIGRATE_DSN=unsafe) as server,
            connect(server.address, TOKEN) as client,
        ):
            load = await Load.prepare(client)
            await load.with_retries([client], 10)
    finally:
        await alter(unsafe, f"DROP ROLE {user}")


async def test_start_without_a_database(postgres: EmbeddedPostgres) -> None:
    await refused_start(dsn_of(postgres.dsn, "nowhere"), "nowhere")


async def test_start_without_a_server(tmp_path: Path) -> None:
    await refused_start(f"postgresql://postgres@/ledger?host={tmp_path}", "cannot reach the database")


async def test_start_on_a_server_that_is_set_up_badly(tmp_path: Path) -> None:
    """tests/integration/test_start_checks.py has all the settings; this is the way of one to the operator."""
    postgres = await EmbeddedPostgres.start(tmp_path / "data", progress=lambda _: None, settings={"fsync": "off"})
    try:
        dsn = await make_template(postgres.dsn)
        await refused_start(dsn, "fsync is off", "set fsync = on")
    finally:
        await postgres.stop("immediate")
