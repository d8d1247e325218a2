"""Commands that work on a data folder, whether or not a service runs on it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ledger_service.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError
from ledger_service.storage.embedded_process import find_postmaster
from tests.helpers.builders import new_account, new_entity, transfer
from tests.helpers.processes import ServeProcess, run_cli
from tests.helpers.rpc import connect

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["data", "a data folder with a path too long for a socket " + "x" * 60])
def data_dir(request: pytest.FixtureRequest) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="beside") as name:
        yield Path(name) / request.param


async def test_verify_and_token_beside_the_service_and_without_it(data_dir: Path) -> None:
    place = ("--data-dir", str(data_dir))
    server = await ServeProcess.start(data_dir.parent, "", LEDGER_DATA_DIR=str(data_dir))
    try:
        scopes = (argument for scope in ("admin", "write", "approve") for argument in ("--scope", scope))
        code, token, errors = await run_cli("token", "create", "--name", "ops", *scopes, *place)
        assert code == 0, errors
        async with connect(server.address, token.strip()) as client:
            entity = await new_entity(client)
            await new_account(client, entity, "here")
            await new_account(client, entity, "there")
            await client.transactions.CreateTransaction(transfer(entity, "here", "there", "1.00"))
            code, output, errors = await run_cli("verify", *place)
            assert (code, errors) == (0, "")
            found = "1 entity, 2 accounts, 1 transaction, 4 events, 2 entries, 4 seals"
            assert output.startswith(f"all rules hold: {found} in ")
            # The service's server was only borrowed.
            await client.transactions.CreateTransaction(transfer(entity, "here", "there", "1.00"))
    finally:
        assert await server.stop() == 0

    assert find_postmaster(data_dir / "postgres") is None
    code, output, errors = await run_cli("verify", *place)
    assert (code, errors) == (0, "")
    assert "2 transactions" in output
    code, output, _ = await run_cli("token", "list", *place)
    assert code == 0
    assert "ops" in output
    assert find_postmaster(data_dir / "postgres") is None, "started for the time, and stopped"


async def test_a_folder_without_a_database_stays_empty(tmp_path: Path) -> None:
    code, output, errors = await run_cli("verify", "--data-dir", str(tmp_path / "none"))
    assert (code, output) == (3, "")
    assert errors == (
        f"ledger-service: there is no database in {tmp_path / 'none'}: name the service's --data-dir, or give a --dsn\n"
    )
    assert not (tmp_path / "none").exists()


async def test_a_server_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is in use, but nobody listens: the service in it is starting for ever, or hangs."""
    monkeypatch.setattr("ledger_service.storage.embedded._ATTACH_SECONDS", 0.5)
    server = await EmbeddedPostgres.start(tmp_path, progress=lambda _: None)
    try:
        async with EmbeddedPostgres.borrowed(tmp_path, progress=lambda _: None) as dsn:
            assert dsn == server.dsn
        found = find_postmaster(tmp_path / "postgres")
        assert found is not None
        found.send(9)
        await server.wait()
        with pytest.raises(EmbeddedPostgresError, match="does not answer"):
            async with EmbeddedPostgres.borrowed(tmp_path, progress=lambda _: None):
                pass
    finally:
        await server.stop("immediate")
