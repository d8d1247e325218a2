"""An operator's own PostgreSQL: a migrator without superuser's rights, a login that only serves, and an upgrade."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from ledger_service.storage import database
from ledger_service.storage import migrate as module
from ledger_service.storage.database import UnsafeServerError, check_server
from ledger_service.storage.embedded import EmbeddedPostgres
from ledger_service.storage.embedded_roles import SERVICE_LOGIN
from ledger_service.storage.migrate import migrate, migrations
from tests.helpers.builders import balance, new_account, new_entity, transfer
from tests.helpers.processes import run_cli
from tests.helpers.servers import assert_sound, serving
from tests.helpers.sql import (
    ACCOUNT_CREATED,
    ENTITY_CREATED,
    HOLD,
    PENDING,
    POST,
    POSTED,
    RECORDED,
    Book,
    connected,
    insert,
    write,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BEFORE = 4
"""The last migration without policies."""


def as_user(dsn: str, user: str) -> str:
    """The DSN with another user."""
    return urlunsplit(urlsplit(dsn)._replace(netloc=f"{user}@"))


@pytest.fixture
async def owner(tmp_path: Path) -> AsyncIterator[str]:
    """DSN of an empty database as its owner, who is no superuser, on a server that knows none of our roles.

    Beside the owner there is the user `app`, who may log in and nothing else.
    """
    server = await EmbeddedPostgres.start(tmp_path / "data", progress=lambda _: None)
    try:
        async with connected(server.dsn) as superuser:
            for role in (SERVICE_LOGIN, *database.ROLES):
                await superuser.execute(f"DROP ROLE {role}")
            await superuser.execute("CREATE ROLE owner LOGIN CREATEROLE")
            await superuser.execute("CREATE ROLE app LOGIN")
            await superuser.execute("ALTER DATABASE ledger OWNER TO owner")
        yield as_user(server.dsn, "owner")
    finally:
        await server.stop("immediate")


async def execute(dsn: str, statement: str) -> None:
    async with connected(dsn) as connection:
        await connection.execute(statement)


async def migrate_to(dsn: str, last: int) -> None:
    """Only the first migrations, as an earlier release did."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "migrations", lambda: migrations()[:last])
        assert await migrate(dsn) == last


async def fill(dsn: str) -> None:
    """An entity with two accounts, a posted and a pending transaction, as an earlier release wrote them."""
    async with connected(dsn, database.WRITER_ROLE) as connection:
        async with connection.transaction():
            entity_no = await connection.fetchval(
                "INSERT INTO ledger.entities"
                " (entity_id, id_key, name, time_zone, state, created_time, updated_time, revision)"
                " VALUES ('old', substr(sha256('key'), 1, 16), 'Old', 'UTC', 1, $1, $1, 1) RETURNING entity_no",
                RECORDED,
            )
            book = Book(entity_no)
            await write(connection, [book.event(ENTITY_CREATED, detail={"name": "Old", "state": 1})])
        for account_id in ("cash", "wallet"):
            event = book.event(ACCOUNT_CREATED, account_no=book.sequence + 1)
            kept: dict[str, Any] = {
                "account_id": account_id, "type": 2, "contra": False, "code": None, "name": account_id,
                "currencies": [], "state": 1, "created_time": event["recorded_time"],
                "updated_time": event["recorded_time"], "revision": 1, "metadata": None,
            }  # fmt: skip
            detail = json.loads(json.dumps({**kept, "parent_no": None, "parent_id": None, "limits": []}, default=str))
            place = {"entity_no": entity_no, "account_no": event["sequence"], "sequence": event["sequence"]}
            async with connection.transaction():
                await insert(connection, "events", [{**event, "detail": detail}])
                await insert(connection, "accounts", [{**kept, **place}])
        posted = book.creation(POSTED)
        await write(connection, [posted], book.pair(posted, POST, 2, 3, 1_000))
        pending = book.creation(PENDING)
        await write(connection, [pending], book.pair(pending, HOLD, 2, 3, 300))


async def test_a_database_with_data_is_brought_up_and_served(owner: str) -> None:
    app = as_user(owner, "app")
    await migrate_to(owner, BEFORE)
    await execute(owner, "GRANT ledger_service, ledger_reader TO app")
    await fill(app)
    await migrate(owner)
    await assert_sound(owner)

    # Who could serve before can serve now; to see all that there is takes a grant.
    await check_server(app)
    code, _, errors = await run_cli("verify", dsn=app)
    assert code == 3
    assert errors.endswith("does not let this user act as ledger_auditor: run GRANT ledger_auditor TO the user\n")
    code, _, errors = await run_cli("token", "list", dsn=app)
    assert code == 3
    assert "GRANT ledger_credentials TO the user" in errors
    await execute(owner, "GRANT ledger_auditor, ledger_credentials TO app")
    assert (await run_cli("token", "list", dsn=app))[0] == 0

    async with serving(app) as service:
        client = service.client
        old = await balance(client, "old", "wallet")
        assert (old.posted.amount, old.pending.amount) == ("10.00", "13.00")
        await client.transactions.CreateTransaction(transfer("old", "wallet", "cash", "2.50"))
        assert (await balance(client, "old", "wallet")).posted.amount == "7.50"
        entity = await new_entity(client)
        await new_account(client, entity, "here")
        await new_account(client, entity, "there", floor="0.00")
        await client.transactions.CreateTransaction(transfer(entity, "here", "there", "1.00"))
        assert (await balance(client, entity, "there")).posted.amount == "1.00"


async def test_one_user_is_enough(owner: str) -> None:
    """Who migrates may serve, prove and make tokens, without anybody's help."""
    await migrate(owner)
    async with serving(owner) as service:
        await new_entity(service.client)
    code, token, errors = await run_cli("token", "create", "--name", "ops", "--scope", "read", dsn=owner)
    assert (code, token[:7]) == (0, "ledger_"), errors
    with pytest.raises(UnsafeServerError, match=r"GRANT ledger_service, ledger_reader, ledger_directory TO app"):
        await check_server(as_user(owner, "app"))


async def test_the_serving_login_alone_sees_nothing_it_should_not(owner: str) -> None:
    """Logged in and not (yet) as one of the roles: its memberships count together, and credentials can't be made."""
    await migrate(owner)
    await execute(owner, "GRANT ledger_service, ledger_reader, ledger_directory TO app")
    async with connected(as_user(owner, "app")) as connection:
        for statement in (
            "ALTER TABLE ledger.events DISABLE ROW LEVEL SECURITY",
            "INSERT INTO ledger.credentials DEFAULT VALUES",
            "UPDATE ledger.credentials SET scopes = '{admin}'",
            "SET ROLE ledger_auditor",
            "SET ROLE owner",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
