"""Connections: how they are made, as which role, and what the server must be like."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

from ledger_service.storage import numeric
from ledger_service.storage.plans import DISCARD, PlanAge

WRITER_ROLE = "ledger_service"
READER_ROLE = "ledger_reader"
"""Sees one entity at a time: see entity_pool."""
DIRECTORY_ROLE = "ledger_directory"
CREDENTIALS_ROLE = "ledger_credentials"
AUDITOR_ROLE = "ledger_auditor"
SERVING_ROLES = (WRITER_ROLE, READER_ROLE, DIRECTORY_ROLE)
"""What the user that serves must be allowed to act as (migrations 0003 and 0005)."""
ROLES = (*SERVING_ROLES, CREDENTIALS_ROLE, AUDITOR_ROLE)

_COMMON = {
    "search_path": "ledger",
    "TimeZone": "UTC",
    "jit": "off",
    # Everything here goes by an index. A plan made while a table was still small would read it whole, and would
    # be kept until the next ANALYZE, while the table grows by thousands of rows a second.
    "enable_seqscan": "off",
}

_WRITER = {
    **_COMMON,
    "role": WRITER_ROLE,
    "synchronous_commit": "on",
    # A writer that stopped while it held an entity's lock is ended by the server, so that another one can
    # go on: inside a database transaction by the first limit, between lock and BEGIN by the second.
    "idle_in_transaction_session_timeout": "10s",
    "idle_session_timeout": "20s",
    # A vanished host is noticed although keepalives do not run while data is unacknowledged.
    "tcp_user_timeout": "10s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "lock_timeout": "5s",
    "statement_timeout": "15s",
    # Plans for the committer's statements do not depend on the values: plan once (and see write_session).
    "plan_cache_mode": "force_generic_plan",
}

_READER = {
    **_COMMON,
    "default_transaction_read_only": "on",
    "statement_timeout": "30s",
}

CONNECT_TIMEOUT_SECONDS = 5
_PROBE_SECONDS = 3
COMMAND_TIMEOUT_SECONDS = 35
"""Beyond the server's own statement_timeout: a server that does not even answer that is gone."""


async def connect_writer(dsn: str) -> asyncpg.Connection[Any]:
    """A connection for the committer, as the role that may write."""
    connection = await asyncpg.connect(
        dsn,
        timeout=CONNECT_TIMEOUT_SECONDS,
        command_timeout=COMMAND_TIMEOUT_SECONDS,
        server_settings={**_WRITER, "application_name": "ledger-writer"},
    )
    await _prepare(connection)
    return connection


async def connect_credentials(dsn: str) -> asyncpg.Connection[Any]:
    """A connection that can read and write credentials, and nothing else."""
    return await asyncpg.connect(
        dsn,
        timeout=CONNECT_TIMEOUT_SECONDS,
        command_timeout=COMMAND_TIMEOUT_SECONDS,
        server_settings={**_WRITER, "role": CREDENTIALS_ROLE, "application_name": "ledger-credentials"},
    )


async def connect_auditor(dsn: str) -> asyncpg.Connection[Any]:
    """A connection that sees all entities and can only read."""
    return await asyncpg.connect(
        dsn,
        timeout=CONNECT_TIMEOUT_SECONDS,
        server_settings={**_READER, "role": AUDITOR_ROLE, "application_name": "ledger-auditor"},
    )


class EntityConnection(asyncpg.Connection):
    """A connection on which row-level security shows one entity, and which knows which one that is."""

    _entity_no: int | None = None
    _plan_age: PlanAge | None = None

    async def bind(self, entity_no: int) -> None:
        """Show this entity and no other from now on; costs a round trip if it was another one.

        Not inside a database transaction: a rollback would take it back, unnoticed.
        """
        if self.is_in_transaction():
            raise asyncpg.InterfaceError("an entity is bound before BEGIN, not after it")
        if self._plan_age is None:
            self._plan_age = PlanAge()
        statements = [DISCARD] if self._plan_age.is_over() else []
        if self._entity_no != entity_no:
            # Until the server has answered nobody knows which entity it is bound to.
            self._entity_no = None
            statements.append(f"SET {ENTITY_SETTING} = {entity_no:d}")
        if statements:
            await self.execute("; ".join(statements))
            self._entity_no = entity_no


ENTITY_SETTING = "ledger.entity_no"
"""What the policies of migration 0005 compare with."""
_NO_ENTITY = "0"


async def entity_pool(dsn: str, size: int) -> asyncpg.Pool[Any]:
    """A pool of connections that can only read, and see nothing until they are bound to an entity."""
    settings = {
        "role": READER_ROLE,
        ENTITY_SETTING: _NO_ENTITY,
        "application_name": "ledger-reader",
        # Policies make planning dearer, and planning was most of a look-up's time: plan once (but see connections).
        "plan_cache_mode": "force_generic_plan",
    }
    return await _pool(dsn, size, settings, EntityConnection)


async def directory_pool(dsn: str, size: int) -> asyncpg.Pool[Any]:
    """A pool of connections that can only read, of all entities no more than that they are there."""
    settings = {
        "role": DIRECTORY_ROLE,
        "application_name": "ledger-directory",
        # Few and rare queries, of which one has an optional filter.
        "plan_cache_mode": "force_custom_plan",
    }
    return await _pool(dsn, size, settings, asyncpg.Connection)


async def _pool(
    dsn: str, size: int, settings: dict[str, str], connection_class: type[asyncpg.Connection[Any]]
) -> asyncpg.Pool[Any]:
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=size,
        timeout=CONNECT_TIMEOUT_SECONDS,
        command_timeout=COMMAND_TIMEOUT_SECONDS,
        server_settings={**_READER, **settings},
        connection_class=connection_class,
        init=_prepare,
        # All that is ever changed of a session is the entity it is bound to, and the connection knows that one:
        # there is nothing to reset, which saves a round trip a call.
        reset=_keep,
    )


async def _keep(connection: Any) -> None:
    """Leave the session as it is."""


async def _prepare(connection: Any) -> None:
    await connection.set_type_codec(
        "numeric", schema="pg_catalog", encoder=numeric.encode, decoder=numeric.decode, format="binary"
    )


CONNECTION_ERRORS = (OSError, EOFError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises when the connection, and not the statement, is the matter; the last when a backend ends in
the middle of a protocol exchange."""


class UnsafeServerError(Exception):
    """The server is set up in a way that breaks a promise; the message names the setting and the mend."""


_REQUIRED = {
    "fsync": ("on", "a power cut would lose acknowledged transactions"),
    "full_page_writes": ("on", "a power cut could tear pages"),
}
_AT_LEAST = {
    "max_pred_locks_per_transaction": (1024, 4096),
    "max_pred_locks_per_page": (20, 200),
}
OLDEST_SUPPORTED = 15


_POOLING = (
    "the DSN leads to a transaction-pooling proxy, where session locks do not hold: "
    "connect to PostgreSQL directly, or set the proxy to session pooling"
)


async def check_server(dsn: str) -> None:
    """Raise UnsafeServerError, in one line, if a setting that safety or speed rests on is bad."""
    try:
        _check_settings(await _settings_of(dsn))
        await _refuse_transaction_pooling(dsn)
    except (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError) as error:
        # Our prepared statements are another client's, or the other way round.
        raise UnsafeServerError(_POOLING) from error


async def _settings_of(dsn: str) -> dict[str, Any]:
    connection = await _connect_unprepared(dsn)
    try:
        major = connection.get_server_version().major
        if major < OLDEST_SUPPORTED:
            raise UnsafeServerError(f"PostgreSQL {major} is too old: use version {OLDEST_SUPPORTED} or later")
        rows = await connection.fetch(
            "SELECT name, setting FROM pg_settings WHERE name = ANY ($1)",
            [
                *_REQUIRED,
                *_AT_LEAST,
                "synchronous_commit",
                "max_pred_locks_per_relation",
                "default_transaction_read_only",
                "server_encoding",
            ],
        )
        settings: dict[str, Any] = {row["name"]: row["setting"] for row in rows}
        settings["in_recovery"] = await connection.fetchval("SELECT pg_is_in_recovery()")
        await _check_roles(connection)
    finally:
        await connection.close()
    return settings


def _check_settings(settings: dict[str, Any]) -> None:
    if settings["server_encoding"] != "UTF8":
        raise UnsafeServerError(
            f"the database's encoding is {settings['server_encoding']}: texts would not be kept as they are; "
            "create it with ENCODING 'UTF8'"
        )
    for name, (wanted, why) in _REQUIRED.items():
        if settings[name] != wanted:
            raise UnsafeServerError(f"{name} is {settings[name]}: {why}; set {name} = {wanted} in postgresql.conf")
    if settings["synchronous_commit"] in ("off", "local"):
        raise UnsafeServerError(
            f"synchronous_commit is {settings['synchronous_commit']}: acknowledged transactions could be lost; "
            "set synchronous_commit = on in postgresql.conf, for the database and for the role"
        )
    for name, (least, good) in _AT_LEAST.items():
        if int(settings[name]) < least:
            raise UnsafeServerError(
                f"{name} is {settings[name]}: entities written side by side would abort each other; "
                f"set {name} = {good} in postgresql.conf and restart the server"
            )
    relation = int(settings["max_pred_locks_per_relation"])
    # Negative: max_pred_locks_per_transaction divided by its absolute value.
    allowed = relation if relation >= 0 else int(settings["max_pred_locks_per_transaction"]) // -relation
    if allowed < 512:
        raise UnsafeServerError(
            f"max_pred_locks_per_relation is {relation}: entities written side by side would abort each other; "
            "set max_pred_locks_per_relation = 20000 in postgresql.conf and reload it"
        )
    if settings["in_recovery"]:
        raise UnsafeServerError("the server is a replica and takes no writes: give the DSN of the primary")
    if settings["default_transaction_read_only"] != "off":
        raise UnsafeServerError(
            "the server is read-only, default_transaction_read_only is on: "
            "set default_transaction_read_only = off for the server, the database and the role"
        )


async def _check_roles(connection: Any) -> None:
    """The service acts as roles of the migrations; the DSN's user must be allowed to."""
    user, missing = await connection.fetchrow(
        "SELECT current_user, array_agg(r.name) FILTER (WHERE o.oid IS NULL OR NOT pg_has_role(o.oid, 'MEMBER')) "
        "FROM unnest($1::text[]) AS r (name) LEFT JOIN pg_roles o ON o.rolname = r.name",
        SERVING_ROLES,
    )
    if missing:
        raise UnsafeServerError(
            f"user {user} may not act as {' and '.join(missing)}: "
            f"run GRANT {', '.join(SERVING_ROLES)} TO {user}, or 'ledger-service migrate' if they do not exist"
        )
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'ledger')"):
        raise UnsafeServerError("the database has no ledger yet: run 'ledger-service migrate'")


async def _connect_unprepared(dsn: str) -> asyncpg.Connection[Any]:
    return await asyncpg.connect(
        dsn,
        timeout=CONNECT_TIMEOUT_SECONDS,
        command_timeout=_PROBE_SECONDS,
        statement_cache_size=0,
        server_settings={"application_name": "ledger-check"},
    )


async def _refuse_transaction_pooling(dsn: str) -> None:
    """Session locks need a session: behind a proxy that shares one between clients they would be anybody's.

    Two clients that are connected at the same time and are served by the same backend, or one client that
    is served by two, prove such a proxy.
    """
    seen: list[set[int]] = [set(), set()]
    first, second = await asyncio.gather(*(_connect_unprepared(dsn) for _ in seen))
    try:
        for _ in range(3):
            seen[0].add(await first.fetchval("SELECT pg_backend_pid()"))
            async with second.transaction():
                seen[1].add(await second.fetchval("SELECT pg_backend_pid()"))
                seen[0].add(await first.fetchval("SELECT pg_backend_pid()"))
    except TimeoutError:
        # The first client waits for the second one's backend.
        seen = [{0}, {0}]
    finally:
        first.terminate()
        second.terminate()
    if len(seen[0]) > 1 or len(seen[1]) > 1 or seen[0] & seen[1]:
        raise UnsafeServerError(_POOLING)
