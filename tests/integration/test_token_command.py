"""`ledger-service token`: what it makes opens the service's door, what it revokes does so no more."""

from __future__ import annotations

import re
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import asyncpg
import pytest

from ledger_service.application.access import Principal, Scope
from ledger_service.application.authentication import CACHE_SECONDS, Authenticator
from ledger_service.application.ports import DatabaseClock
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.storage.reading import ReadStore
from tests.helpers.processes import run_cli

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_TOKEN = re.compile(r"(ledger_[a-z2-7]{12})_[A-Za-z0-9_-]{43}\n")
_ID = re.compile(r"cred_[a-z0-9]{26}")


class Watch:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@asynccontextmanager
async def authenticator(dsn: str, pepper: str = "", watch: Watch | None = None) -> AsyncIterator[Authenticator]:
    reads = await ReadStore.open(dsn, 1, DatabaseClock())
    try:
        yield Authenticator(reads, pepper, None, watch or time.monotonic)
    finally:
        await reads.close()


async def made(dsn: str, *arguments: str, **environment: str) -> tuple[str, str]:
    """Make a token; gives its id and the token."""
    code, output, errors = await run_cli("token", "create", *arguments, dsn=dsn, **environment)
    assert code == 0, errors
    assert _TOKEN.fullmatch(output)
    found = _ID.match(errors)
    assert found is not None, errors
    return found[0], output.strip()


async def refused(door: Authenticator, token: str) -> str:
    with pytest.raises(LedgerError) as raised:
        await door.authenticate(f"Bearer {token}")
    assert raised.value.reason is Reason.UNAUTHENTICATED
    return raised.value.message


async def test_a_token_from_create_to_revoke(database: str) -> None:
    credential_id, token = await made(
        database, "--name", "billing", "--scope", "read", "--scope", "write", "--entity", "acme", "--entity", "other"
    )  # fmt: skip
    watch = Watch()
    async with authenticator(database, watch=watch) as door:
        principal = await door.authenticate(f"Bearer {token}")
        assert principal == Principal("billing", frozenset({Scope.READ, Scope.WRITE}), frozenset({"acme", "other"}))

        code, output, _ = await run_cli("token", "revoke", credential_id, dsn=database)
        assert code == 0
        assert output == f"{credential_id} is revoked; every service refuses it within 15 seconds\n"
        assert await door.authenticate(f"Bearer {token}") == principal, "remembered for a short while"
        watch.seconds = CACHE_SECONDS
        assert "revoked" in await refused(door, token)

    code, _, errors = await run_cli("token", "revoke", credential_id, dsn=database)
    assert code == 1
    assert errors.startswith("ledger-service: there is no such credential that could be revoked")


async def test_without_entities_it_sees_all_and_without_a_term_it_lasts(database: str) -> None:
    _, token = await made(database, "--name", "root", "--scope", "admin", "--scope", "admin")
    async with authenticator(database) as door:
        assert await door.authenticate(f"Bearer {token}") == Principal("root", frozenset({Scope.ADMIN}), None)


async def test_it_ends_when_its_time_is_over(database: str) -> None:
    _, token = await made(database, "--name", "guest", "--scope", "read", "--expires-in", "90d")
    connection = await asyncpg.connect(database)
    expire_time = await connection.fetchval("SELECT expire_time FROM ledger.credentials")
    async with authenticator(database) as door:
        assert (await door.authenticate(f"Bearer {token}")).name == "guest"
    await connection.execute("UPDATE ledger.credentials SET expire_time = now() - interval '1 second'")
    await connection.close()
    async with authenticator(database) as door:
        assert "expired" in await refused(door, token)
    assert abs(expire_time - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=1)


async def test_the_database_keeps_no_token_and_needs_the_pepper(database: str) -> None:
    _, token = await made(database, "--name", "a", "--scope", "read", LEDGER_KEY_PEPPER="a secret of the operator")
    connection = await asyncpg.connect(database)
    kept = await connection.fetchval("SELECT string_agg(c::text, ' ') FROM ledger.credentials c")
    await connection.close()
    assert token not in kept
    assert token.removeprefix("ledger_") not in kept
    async with authenticator(database, "a secret of the operator") as door:
        assert (await door.authenticate(f"Bearer {token}")).name == "a"
    async with authenticator(database, "another one") as door:
        assert "not known" in await refused(door, token)


async def test_the_list_shows_all_but_the_token(database: str) -> None:
    first, token = await made(database, "--name", "[bold]first", "--scope", "read", "--expires-in", "1s")
    second, _ = await made(database, "--name", "second", "--scope", "read", "--scope", "close", "--entity", "acme")
    await run_cli("token", "revoke", second, dsn=database)
    connection = await asyncpg.connect(database)
    await connection.execute("SELECT pg_sleep(1.1)")
    await connection.close()

    code, output, _ = await run_cli("token", "list", dsn=database)
    assert code == 0
    heading, *rows = output.splitlines()
    assert heading.split() == ["ID", "PREFIX", "NAME", "SCOPES", "ENTITIES", "CREATED", "EXPIRES", "STATE"]
    assert re.match(rf"{first} +{token[:19]} +\[bold\]first +read +every entity +\S+ \S+Z +\S+ \S+Z +expired", rows[0])
    assert re.match(
        rf"{second} +ledger_[a-z2-7]{{12}} +second +read, close +acme +\S+ \S+Z +never +revoked \S+ \S+Z", rows[1]
    )
    assert token not in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--name", "", "--scope", "read"), "--name must have 1 to 100 printable characters"),
        (("--name", "a\nb", "--scope", "read"), "--name must have 1 to 100 printable characters"),
        (("--name", "a" * 101, "--scope", "read"), "--name must have 1 to 100 printable characters"),
        (("--name", "a", "--scope", "read", "--entity", "a b"), "--entity"),
        (("--name", "a", "--scope", "all"), "'all' is not one of 'read', 'write'"),
        (("--name", "a"), "--scope"),
        (("--name", "a", "--scope", "read", "--expires-in", "90"), "--expires-in: write a number and s, m, h, d or w"),
        (("--name", "a", "--scope", "read", "--expires-in", "0d"), "for example 90d, not '0d'"),
        (("--name", "a", "--scope", "read", "--expires-in", "36501d"), "at most 36500d"),
        (("--name", "a", "--scope", "read", "--expires-in", "999999999w"), "at most 36500d"),
    ],
)
async def test_what_makes_no_token(database: str, arguments: tuple[str, ...], said: str) -> None:
    code, output, errors = await run_cli("token", "create", *arguments, dsn=database)
    assert (code, output) == (2, "")
    assert said in errors
    assert "Traceback" not in errors


async def test_a_database_that_is_not_there() -> None:
    code, output, errors = await run_cli("token", "list", dsn="postgresql://nobody:secret@127.0.0.1:1/none")
    assert (code, output) == (3, "")
    assert errors.startswith("ledger-service: cannot reach the database 127.0.0.1:1/none")
    assert len(errors.splitlines()) == 1
