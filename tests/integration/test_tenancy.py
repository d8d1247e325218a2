"""Row-level security: whoever reads as the service reads sees one entity, whatever the query says."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from ledger.v1.category_service_pb2 import CreateCategoryRequest
from ledger_service.application.ports import DatabaseClock, Unavailable
from ledger_service.storage import database, reading
from ledger_service.storage.connections import Bound
from ledger_service.storage.directory import DirectoryStore
from ledger_service.storage.reading import ReadStore
from tests.helpers.builders import transfer
from tests.helpers.corruption import CASH
from tests.helpers.servers import cloned, serving
from tests.helpers.sound_ledger import write_sound_ledger
from tests.helpers.sound_reconciliation import write_sound_reconciliation
from tests.helpers.sql import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ledger_service.storage.embedded import EmbeddedPostgres

OURS, THEIRS = 1, 2
"""Entities `other` and `acme` of tests/helpers/sound_ledger.py. Only the second one has texts, keys and more."""

RECONCILIATION = {
    "frozen_transactions", "reconciliation_baselines", "reconciliation_decisions", "reconciliation_findings",
    "reconciliation_matches", "reconciliation_profiles", "reconciliation_revisions", "reconciliation_stages",
    "statement_files", "statement_lines", "statements",
}  # fmt: skip
READABLE = """
SELECT c.relname AS name, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
  AND has_column_privilege(c.oid, a.attnum, 'SELECT')
GROUP BY c.relname ORDER BY 1
"""


@pytest.fixture(scope="module")
async def ledger(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[str]:
    """DSN of a ledger of two entities, which nobody changes; with statistics."""
    async with cloned(postgres.dsn, template) as dsn:
        async with serving(dsn) as service:
            await write_sound_ledger(service)
            await write_sound_reconciliation(service.client, "acme", "shop")
            await service.client.categories.CreateCategory(
                CreateCategoryRequest(entity_id="acme", category_id="supplies", name="Supplies of tenancy")
            )
            sale = transfer("acme", "cash", "shop", "1.00", counterparty="Office Depot #7", description="Paper clips")
            await service.client.transactions.CreateTransaction(sale)
        async with connected(dsn) as owner:
            await owner.execute("ANALYZE")
        yield dsn


@pytest.fixture
async def reader(ledger: str) -> AsyncIterator[asyncpg.Connection]:
    """The readers' role, bound to nothing."""
    async with connected(ledger, database.READER_ROLE) as connection:
        yield connection


async def bind(connection: asyncpg.Connection, entity_no: int) -> None:
    await connection.execute(f"SET {database.ENTITY_SETTING} = {entity_no}")


async def test_every_relation_shows_one_entity(ledger: str, reader: asyncpg.Connection) -> None:
    await bind(reader, OURS)
    relations = await reader.fetch(READABLE)
    assert {row["name"] for row in relations} >= {"accounts", "entities", "entries", "events", "transactions"}
    async with connected(ledger) as owner:
        for name, columns in relations:
            theirs = await owner.fetchval(f"SELECT count(*) FROM ledger.{name} WHERE entity_no = $1", THEIRS)
            ours = await owner.fetch(f"SELECT {columns} FROM ledger.{name} WHERE entity_no = $1 ORDER BY 1, 2", OURS)
            assert theirs > 0, f"{name} has nothing to hide"
            assert await reader.fetch(f"SELECT {columns} FROM ledger.{name} ORDER BY 1, 2") == ours
            assert await reader.fetch(f"SELECT 1 FROM ledger.{name} WHERE entity_no = $1", THEIRS) == []


@pytest.mark.parametrize("setting", [None, "''", "0", "-1", "DEFAULT"])
async def test_nothing_is_seen_unless_bound(reader: asyncpg.Connection, setting: str | None) -> None:
    if setting is not None:
        await bind(reader, OURS)
        await reader.execute(f"SET {database.ENTITY_SETTING} = {setting}")
    for name, columns in await reader.fetch(READABLE):
        assert await reader.fetch(f"SELECT {columns} FROM ledger.{name}") == []


async def test_what_is_no_number_is_an_error(reader: asyncpg.Connection) -> None:
    await reader.execute(f"SET {database.ENTITY_SETTING} = '1 OR true'")
    with pytest.raises(asyncpg.InvalidTextRepresentationError):
        await reader.fetch("SELECT * FROM ledger.events")


FUNCTIONS = {
    "last_entry": f"last_entry({THEIRS}, {CASH}, 'USD', 1000000, NULL) AS f WHERE f > 0",
    "search_candidates": f"search_candidates({THEIRS}, 'paper', NULL, NULL, '{{1,2,3}}', NULL, 10)",
    "counterparty_keys": f"counterparty_keys({THEIRS}, '', 10)",
    "counterparty_names": f"counterparty_names({THEIRS}, 10)",
    "counterparty_transactions": f"counterparty_transactions({THEIRS}, counterparty_key('office depot'))",
}
"""Those that the reader may run and that read tables, each so that it finds something of theirs."""


async def test_every_function_is_tried(reader: asyncpg.Connection) -> None:
    runnable = await reader.fetch(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'ledger'::regnamespace "
        "AND has_function_privilege(oid, 'EXECUTE') AND provolatile <> 'i'"
    )
    assert {row[0] for row in runnable} == FUNCTIONS.keys()


@pytest.mark.parametrize("call", FUNCTIONS.values(), ids=FUNCTIONS.keys())
async def test_functions_see_no_more(reader: asyncpg.Connection, call: str) -> None:
    await reader.execute("SET search_path = ledger")
    await bind(reader, THEIRS)
    assert await reader.fetch(f"SELECT * FROM {call}") != []
    await bind(reader, OURS)
    assert await reader.fetch(f"SELECT * FROM {call}") == []
    await reader.execute(f"RESET {database.ENTITY_SETTING}")
    assert await reader.fetch(f"SELECT * FROM {call}") == []


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (f"SELECT 1 / (entity_no - {THEIRS}) FROM ledger.events", asyncpg.DivisionByZeroError),
        ("SELECT 1 FROM ledger.events WHERE description::int = 1", asyncpg.InvalidTextRepresentationError),
        ("SELECT 1 FROM ledger.transactions WHERE description::int = 1", asyncpg.InvalidTextRepresentationError),
        ("SELECT 1 FROM ledger.entities WHERE (entity_id || name)::int = 1", None),
        ("SELECT 1 FROM ledger.events e JOIN ledger.entries n ON n.leg = e.description::int",
         asyncpg.InvalidTextRepresentationError),
    ],
)  # fmt: skip
async def test_errors_tell_nothing(
    reader: asyncpg.Connection, query: str, error: type[asyncpg.PostgresError] | None
) -> None:
    """A condition that fails on a stranger's row is not tried on it, and so can't say what stands there."""
    await bind(reader, THEIRS)
    if error is not None:
        with pytest.raises(error):
            await reader.fetch(query)
        await bind(reader, OURS)
        await reader.fetch(query)
    else:
        with pytest.raises(asyncpg.InvalidTextRepresentationError, match="acme"):
            await reader.fetch(query)
        await bind(reader, OURS)
        with pytest.raises(asyncpg.InvalidTextRepresentationError, match="other") as raised:
            await reader.fetch(query)
        assert "acme" not in str(raised.value)


async def test_a_cheap_function_is_not_asked_first(reader: asyncpg.Connection) -> None:
    heard: list[str] = []
    reader.add_log_listener(lambda _, message: heard.append(str(message)))
    await reader.execute(
        "CREATE FUNCTION pg_temp.tell(value text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 "
        "AS $$ BEGIN RAISE NOTICE '%', value; RETURN true; END $$"
    )
    await bind(reader, OURS)
    for table, column in (("accounts", "account_id"), ("events", "idempotency_key"), ("transactions", "description")):
        await reader.fetch(f"SELECT 1 FROM ledger.{table} WHERE pg_temp.tell({column})")
    assert any("left" in message for message in heard), "our own rows are told"
    assert not [message for message in heard if "cash" in message or "Opening" in message or "void" in message]


async def test_statistics_and_copy_tell_nothing(reader: asyncpg.Connection, tmp_path: Any) -> None:
    await bind(reader, OURS)
    assert (
        await reader.fetch("SELECT tablename FROM pg_stats WHERE schemaname = 'ledger' AND tablename = 'events'") == []
    )
    path = tmp_path / "copied"
    await reader.copy_from_table("events", schema_name="ledger", columns=["entity_no"], output=path)
    assert set(path.read_text().split()) == {str(OURS)}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM ledger.events_inlet", "SELECT * FROM ledger.entries_inlet", "SELECT * FROM ledger.credentials",
        "SELECT * FROM ledger.secrets", "SELECT * FROM ledger.currencies", "SELECT id_key FROM ledger.entities",
        "SELECT * FROM pg_statistic", "SET row_security = off; SELECT 1 FROM ledger.events",
        "SET ROLE ledger_service", "SET ROLE ledger_directory", "ALTER TABLE ledger.events DISABLE ROW LEVEL SECURITY",
        "DROP POLICY one_entity ON ledger.events", "SELECT ledger.protect('ledger.events')",
    ],
)  # fmt: skip
async def test_the_reader_may_not(ledger: str, statement: str) -> None:
    """As a login that is the reader and nothing else: what SET ROLE allows is the login's, not the role's."""
    async with connected(ledger) as owner:
        await owner.execute("CREATE ROLE reads LOGIN IN ROLE ledger_reader")
        try:
            connection = await asyncpg.connect(
                ledger, user="reads", server_settings={"role": database.READER_ROLE, database.ENTITY_SETTING: str(OURS)}
            )
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
            await connection.close()
        finally:
            await owner.execute("DROP ROLE reads")


async def test_the_directory_sees_numbers_only(ledger: str) -> None:
    async with connected(ledger, database.DIRECTORY_ROLE) as directory:
        found = {row["name"]: row["columns"] for row in await directory.fetch(READABLE)}
        assert {row[0] for row in await directory.fetch("SELECT DISTINCT entity_no FROM ledger.events")} == {
            OURS,
            THEIRS,
        }
    assert found.keys() == {"credentials", "currencies", "entities", "events", "open_transactions", "secrets"}
    assert found["events"] == "entity_no, sequence"
    assert found["open_transactions"] == "entity_no, expire_time"


@pytest.mark.parametrize(
    ("role", "tables"),
    [
        (database.CREDENTIALS_ROLE, {"credentials"}),
        (database.WRITER_ROLE, {"account_limits", "accounts", "categories", "commits", "entities", "entries", "events",
                                "open_transactions", "seals", "transactions", *RECONCILIATION}),
    ],
)  # fmt: skip
async def test_the_others_read_what_they_need(ledger: str, role: str, tables: set[str]) -> None:
    async with connected(ledger, role) as connection:
        assert {row["name"] for row in await connection.fetch(READABLE)} == tables


async def test_a_wrong_query_of_the_service_finds_nothing(ledger: str) -> None:
    """The numbers of another entity's accounts and transactions, in statements that forgot to compare the entity."""
    bound = await Bound.open(ledger, 1)
    try:
        for table in ("accounts", "events", "entries", "transactions"):
            assert await bound.fetch(OURS, f"SELECT * FROM {table} WHERE entity_no <> $1") == []
            rows = await bound.fetch(OURS, f"SELECT DISTINCT entity_no FROM {table} WHERE $1 = $1::int4")
            assert [row[0] for row in rows] == [OURS]
        async with bound.snapshot(OURS) as connection:
            assert await reading._accounts(connection, THEIRS, [CASH]) == []
            assert await reading.transactions(connection, THEIRS, [10, 12, 14]) == []
        async with bound.snapshot(THEIRS) as connection:
            assert [account.account_id for account in await reading._accounts(connection, THEIRS, [CASH])] == ["cash"]
            assert len(await reading.transactions(connection, THEIRS, [10, 12, 14])) == 3
    finally:
        bound.close()


SEEN = "SELECT DISTINCT entity_no FROM events WHERE $1::int4 > 0"


async def seen(bound: Bound, entity_no: int) -> list[int]:
    return [row[0] for row in await bound.fetch(entity_no, SEEN)]


async def test_a_connection_remembers_its_entity(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    statements: list[str] = []
    execute = database.EntityConnection.execute

    async def noted(self: Any, query: str, *arguments: Any, **options: Any) -> str:
        statements.append(query.rpartition("; ")[2])
        return await execute(self, query, *arguments, **options)

    monkeypatch.setattr(database.EntityConnection, "execute", noted)
    monkeypatch.setattr(database.PlanAge, "is_over", lambda _: False)
    bound = await Bound.open(ledger, 1)
    try:
        for entity_no in (OURS, OURS, THEIRS, THEIRS, THEIRS, OURS):
            assert await seen(bound, entity_no) == [entity_no]
    finally:
        bound.close()
    assert statements == [f"SET ledger.entity_no = {entity_no}" for entity_no in (OURS, THEIRS, OURS)]


async def test_faults_leave_no_stranger_behind(ledger: str) -> None:
    """After an error, a cut snapshot, a cancellation at any point and a lost connection: the right entity, or none."""
    bound = await Bound.open(ledger, 1)
    try:
        assert await seen(bound, OURS) == [OURS]
        with pytest.raises(Unavailable):
            await bound.fetch(THEIRS, "SELECT 1 / ($1::int4 - $1)")
        assert await seen(bound, OURS) == [OURS]
        with pytest.raises(Unavailable):
            async with bound.snapshot(THEIRS) as connection:
                await connection.fetch("SELECT 1 / 0")
        assert await seen(bound, OURS) == [OURS]
        with pytest.raises(KeyError):
            async with bound.snapshot(THEIRS):
                raise KeyError
        assert await seen(bound, OURS) == [OURS]
        async with bound.snapshot(THEIRS) as connection:
            with pytest.raises(asyncpg.InterfaceError, match="before BEGIN"):
                await connection.bind(OURS)
        with pytest.raises(Unavailable):
            await bound.fetch(THEIRS, "SELECT pg_terminate_backend(pg_backend_pid()) WHERE $1::int4 > 0")
        assert await seen(bound, OURS) == [OURS]
        for steps in range(12):
            task = asyncio.create_task(seen(bound, THEIRS if steps % 2 else OURS))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            for entity_no in (OURS, THEIRS) if steps % 3 else (THEIRS, OURS):
                assert await seen(bound, entity_no) == [entity_no]
    finally:
        bound.close()


async def test_many_at_once_see_their_own(ledger: str) -> None:
    bound = await Bound.open(ledger, 3)
    chance = random.Random(10)

    async def one(entity_no: int) -> None:
        assert await seen(bound, entity_no) == [entity_no]
        async with bound.snapshot(entity_no) as connection:
            rows = await connection.fetch("SELECT DISTINCT entity_no FROM entries")
            assert [row[0] for row in rows] == [entity_no]

    async def hurried(entity_no: int, steps: int) -> None:
        task = asyncio.create_task(one(entity_no))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    try:
        await asyncio.gather(
            *(one(chance.choice((OURS, THEIRS))) for _ in range(200)),
            *(hurried(chance.choice((OURS, THEIRS)), chance.randrange(40)) for _ in range(50)),
        )
    finally:
        bound.close()


async def test_a_default_of_the_database_binds_nobody(postgres: EmbeddedPostgres, ledger: str) -> None:
    async with cloned(postgres.dsn, ledger) as dsn:
        async with connected(dsn) as owner:
            name = await owner.fetchval("SELECT current_database()")
            await owner.execute(f'ALTER DATABASE "{name}" SET ledger.entity_no = {THEIRS}')
        pool = await database.entity_pool(dsn, 1)
        try:
            assert await pool.fetch("SELECT 1 FROM events") == []
        finally:
            pool.terminate()


SEARCH = """
CREATE INDEX words ON ledger.events USING gin (to_tsvector('simple', description));
CREATE FUNCTION ledger.search(entity int4, wanted tsquery) RETURNS TABLE (sequence int8) LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = ledger, pg_temp SET plan_cache_mode = force_custom_plan
AS $$ SELECT e.sequence FROM events e
      WHERE ledger.is_bound_to(entity) AND e.entity_no = entity AND to_tsvector('simple', e.description) @@ wanted $$;
REVOKE ALL ON FUNCTION ledger.search FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.search TO ledger_reader;
"""


async def test_a_search_that_the_owner_runs_keeps_to_the_bound_entity(postgres: EmbeddedPostgres, ledger: str) -> None:
    """The pattern that migration 0005 recommends for conditions that are not leakproof."""
    async with cloned(postgres.dsn, ledger) as dsn:
        async with connected(dsn) as owner:
            await owner.execute(SEARCH)
        async with connected(dsn, database.READER_ROLE) as reader:
            call = "SELECT sequence FROM ledger.search($1, 'opening')"
            assert await reader.fetch(call, THEIRS) == []
            await bind(reader, OURS)
            assert await reader.fetch(call, THEIRS) == []
            await bind(reader, THEIRS)
            assert len(await reader.fetch(call, THEIRS)) == 1
            assert await reader.fetch(call, None) == []


async def test_the_directory_store_reads_all_that_it_is_asked(ledger: str) -> None:
    store = await DirectoryStore.open(ledger, DatabaseClock())
    try:
        acme = await store.entity("acme")
        assert acme is not None
        assert acme.entity_no == THEIRS
        assert [entity.entity_id for entity in await store.entities(None, "", 10)] == ["acme", "other"]
        assert await store.last_sequences([OURS, THEIRS, 99]) == {OURS: 4, THEIRS: acme.sequence}
        assert await store.entities_due(10) == []
        assert await store.credential(b"x" * 32) is None
        assert (await store.currencies())["BTC"] == 8
        assert len(await store.secret("page_token_key")) == 32
    finally:
        await store.close()


async def test_searches_leave_connections_to_other_reads(ledger: str) -> None:
    """A search may take seconds; balances that would wait for it are a stranger's, too."""
    store = await ReadStore.open(ledger, 2, DatabaseClock())
    try:
        async with connected(ledger) as owner:
            # What a question reads first, and a balance does not read.
            await owner.execute("BEGIN; LOCK TABLE ledger.categories IN ACCESS EXCLUSIVE MODE")
            questions = [asyncio.create_task(store.known_names(THEIRS, 10, 60.0)) for _ in range(4)]
            while not await owner.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
            assert await store.accounts(OURS, [1]) is not None
            assert not any(question.done() for question in questions)
            await owner.execute("ROLLBACK")
            assert len(await asyncio.gather(*questions)) == 4
    finally:
        await store.close()
