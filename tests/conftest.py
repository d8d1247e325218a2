"""One PostgreSQL per test process, one migrated template, a copy of it for each test."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# As in the service (ledger_service.cli): tests start processes while their clients' threads are busy. Read when gRPC is
# loaded.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import hypothesis
import pytest
import uvloop

from ledger_service.storage.embedded import EmbeddedPostgres
from tests.helpers.order import slow_files_first, slowest_files
from tests.helpers.servers import cloned, make_template, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from tests.helpers.rpc import Client
    from tests.helpers.servers import Service

_SLOWEST_SHOWN = 25
_SLOW_SECONDS = 10


def pytest_configure(config: pytest.Config) -> None:
    """Hypothesis tries the same examples every time, unless a seed is given to try others."""
    hypothesis.settings.register_profile(
        "ledger",
        derandomize=config.getoption("--hypothesis-seed", None) is None,
        database=None,
        deadline=None,
        print_blob=True,
    )
    hypothesis.settings.load_profile("ledger")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On several workers the slow files begin first; alone, all is in its ordinary order."""
    if hasattr(config, "workerinput"):
        slow_files_first(items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What the order of the files is made from, after a run on several workers."""
    if config.getoption("dist", "no") == "no":
        return
    reports = [one for kind in terminalreporter.stats.values() for one in kind if isinstance(one, pytest.TestReport)]
    slowest = slowest_files(reports, _SLOWEST_SHOWN)
    if slowest and slowest[0][1] >= _SLOW_SECONDS:
        terminalreporter.section("slowest files (tests/helpers/order.py)")
        for file, seconds in slowest:
            terminalreporter.line(f"{seconds:6.1f} s  {file}")


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[[], Any]]:
    """Tests run on the loop that the service runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedPostgres]:
    """The PostgreSQL of this test process; with pytest-xdist each process has its own."""
    server = await EmbeddedPostgres.start(tmp_path_factory.mktemp("postgres") / "data", progress=lambda _: None)
    try:
        yield server
    finally:
        await server.stop("immediate")


@pytest.fixture(scope="session")
async def template(postgres: EmbeddedPostgres) -> str:
    """DSN of the migrated database that others are copied from; nobody connects to it."""
    return await make_template(postgres.dsn)


@pytest.fixture
async def database(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[str]:
    """DSN of a fresh, migrated database, as its owner."""
    async with cloned(postgres.dsn, template) as dsn:
        yield dsn


@pytest.fixture
async def service(database: str) -> AsyncIterator[Service]:
    """The service in this process on a fresh database; afterwards `verify` must be clean."""
    async with serving(database) as running:
        yield running


@pytest.fixture
def client(service: Service) -> Client:
    """The administrator's client of `service`."""
    return service.client
