"""`verify` finds every kind of break, names it, and raises no false alarm.

One ledger is written through the service; each test spoils a copy of it as only a superuser can, with the
triggers out of the way.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import asyncpg
import pytest

from ledger_service.storage.proof import guards, snapshot
from ledger_service.storage.verification import VerifyProgress, verify_database
from tests.helpers.builders import new_account, new_entity, transfer
from tests.helpers.corruption import KINDS, OPENING, VOIDED, Corruption
from tests.helpers.processes import run_cli
from tests.helpers.servers import cloned, serving
from tests.helpers.sound_ledger import write_sound_ledger
from tests.helpers.sound_reconciliation import write_sound_reconciliation
from tests.integration.corruptions_of_categories import OF_CATEGORIES
from tests.integration.corruptions_of_meaning import OF_MEANING
from tests.integration.corruptions_of_reconciliations import OF_RECONCILIATIONS
from tests.integration.corruptions_of_rows import OF_ROWS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ledger_service.storage.embedded import EmbeddedPostgres
    from tests.helpers.servers import Service

ALL = {**OF_ROWS, **OF_MEANING, **OF_CATEGORIES, **OF_RECONCILIATIONS}

_SPOILING = {"search_path": "ledger", "session_replication_role": "replica"}
"""Triggers and foreign keys act for replicated rows no more than for a superuser who wants them not to."""


@pytest.fixture(scope="module")
async def sound(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[str]:
    """DSN of the ledger that each test copies."""
    async with cloned(postgres.dsn, template) as dsn:
        async with serving(dsn) as service:
            await write_sound_ledger(service)
            await write_books(service)
        yield dsn


@pytest.fixture
async def ledger(postgres: EmbeddedPostgres, sound: str) -> AsyncIterator[str]:
    """DSN of a copy that may be spoilt."""
    async with cloned(postgres.dsn, sound) as dsn:
        yield dsn


async def write_books(service: Service) -> None:
    """An entity of its own with a reconciliation: the sequences of the others stay as they are told."""
    await new_entity(service.client, entity_id="books")
    await new_account(service.client, "books", "shop")
    await write_sound_reconciliation(service.client, "books", "shop")


async def spoil(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn, server_settings=_SPOILING)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def assert_said(corruption: Corruption, lines: list[str]) -> None:
    for pattern in corruption.said:
        assert any(re.search(pattern, line) for line in lines), f"{pattern!r} is in none of {lines}"


async def test_the_untouched_ledger_is_clean(ledger: str) -> None:
    report = await verify_database(ledger)
    assert report.is_clean, report.breaks
    connection = await asyncpg.connect(ledger, server_settings=_SPOILING)
    for table in ("entities", "events", "entries", "accounts"):
        assert getattr(report, table) == await connection.fetchval(f"SELECT count(*) FROM {table}")
    assert report.transactions == await connection.fetchval("SELECT count(*) FROM transactions")
    kinds = await connection.fetch("SELECT sequence, kind FROM events WHERE entity_no = 2")
    await connection.close()
    assert KINDS.items() <= {row["sequence"]: row["kind"] for row in kinds}.items()


async def test_an_empty_database_is_clean(database: str) -> None:
    report = await verify_database(database)
    assert report.is_clean
    assert report.events == report.entries == 0


@pytest.mark.parametrize("corruption", ALL.values(), ids=ALL.keys())
async def test_each_corruption_is_named(ledger: str, corruption: Corruption) -> None:
    await spoil(ledger, corruption.sql)
    report = await verify_database(ledger)
    assert not report.is_clean
    assert_said(corruption, report.breaks)


async def test_a_broken_index_hides_nothing(ledger: str) -> None:
    """A row that the unique index on keys does not know, as after a fault of the disk or of PostgreSQL."""
    await spoil(
        ledger,
        f"""SET allow_system_table_mods = on;
            UPDATE pg_index SET indisready = false WHERE indexrelid = 'events_by_key'::regclass;
            UPDATE events SET idempotency_key = 'void' WHERE entity_no = 2 AND sequence = {OPENING};
            UPDATE pg_index SET indisready = true WHERE indexrelid = 'events_by_key'::regclass;""",
    )
    connection = await asyncpg.connect(ledger, server_settings={**_SPOILING, "enable_seqscan": "off"})
    by_index = await connection.fetch("SELECT sequence FROM events WHERE entity_no = 2 AND idempotency_key = 'void'")
    await connection.close()
    assert [row["sequence"] for row in by_index] == [VOIDED]
    report = await verify_database(ledger)
    assert [line for line in report.breaks if 'key "void" is used 2 times' in line]


async def test_membership_of_the_owner_is_named(ledger: str) -> None:
    """Roles belong to the whole server, so this is taken back for the other tests."""
    await spoil(ledger, "CREATE ROLE owner_of_all; ALTER TABLE entries OWNER TO owner_of_all")
    await spoil(ledger, "GRANT owner_of_all TO ledger_service WITH INHERIT FALSE")
    try:
        report = await verify_database(ledger)
    finally:
        await spoil(
            ledger, "REASSIGN OWNED BY owner_of_all TO postgres; DROP OWNED BY owner_of_all; DROP ROLE owner_of_all"
        )
    assert [line for line in report.breaks if "ledger_service has membership of owner_of_all" in line]


@pytest.mark.parametrize(
    ("done", "undone", "said"),
    [
        ("ALTER ROLE ledger_reader BYPASSRLS", "ALTER ROLE ledger_reader NOBYPASSRLS", "ledger_reader has BYPASSRLS"),
        ("ALTER ROLE ledger_service BYPASSRLS", "ALTER ROLE ledger_service NOBYPASSRLS",
         "ledger_service has BYPASSRLS"),
        ("ALTER ROLE ledger_directory SUPERUSER", "ALTER ROLE ledger_directory NOSUPERUSER",
         "ledger_directory has SUPERUSER"),
        ("ALTER ROLE ledger_reader LOGIN", "ALTER ROLE ledger_reader NOLOGIN", "ledger_reader has LOGIN"),
        ("GRANT ledger_auditor TO ledger_reader", "REVOKE ledger_auditor FROM ledger_reader",
         "ledger_reader has membership of ledger_auditor"),
        ("GRANT pg_read_all_data TO ledger_directory", "REVOKE pg_read_all_data FROM ledger_directory",
         "ledger_directory has membership of pg_read_all_data"),
        ("ALTER ROLE ledger_credentials RENAME TO elsewhere", "ALTER ROLE elsewhere RENAME TO ledger_credentials",
         "role ledger_credentials does not exist"),
    ],
)  # fmt: skip
async def test_what_a_role_is_given_is_named(ledger: str, done: str, undone: str, said: str) -> None:
    """Roles belong to the whole server, so this is taken back for the other tests."""
    await spoil(ledger, done)
    try:
        # A superuser may do everything: that is told of each table.
        report = await verify_database(ledger, max_breaks=10_000)
    finally:
        await spoil(ledger, undone)
    assert [line for line in report.breaks if said in line]
    assert (await verify_database(ledger)).is_clean


async def test_pieces_of_any_size_say_the_same(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that belong together are found together, wherever one batch ends and the next begins."""
    everything = ";".join(
        corruption.sql
        for name, corruption in ALL.items()
        if name in {
            "entries: amount", "entries: of no event", "event: deleted", "commit: deleted", "life: revision removed",
            "life: row of one that ended", "chart: account deleted", "limit: floor broken in the past",
        }
    )  # fmt: skip
    await spoil(ledger, everything)
    whole = await verify_database(ledger)
    assert len(whole.breaks) > 12
    for rows in (1, 2, 3, 7):
        monkeypatch.setattr(snapshot, "_BATCH_ROWS", rows)
        assert (await verify_database(ledger)).breaks == whole.breaks


async def test_breaks_beyond_the_limit_are_counted(ledger: str) -> None:
    await spoil(ledger, "UPDATE entries SET amount = amount + 1 WHERE wide IS NULL")
    everything = await verify_database(ledger, max_breaks=10_000)
    report = await verify_database(ledger, max_breaks=3)
    assert report.breaks == everything.breaks[:3]
    assert report.unlisted == len(everything.breaks) - 3 > 50
    with pytest.raises(ValueError, match="max_breaks"):
        await verify_database(ledger, max_breaks=0)


async def test_progress_rises_to_its_end(ledger: str) -> None:
    steps: list[VerifyProgress] = []
    await verify_database(ledger, progress=steps.append)
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert steps[-1].done == steps[-1].total > 0


async def test_every_trigger_is_watched(database: str) -> None:
    """A migration that adds a trigger has to add it to the proof."""
    connection = await asyncpg.connect(database)
    rows = await connection.fetch(
        "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
        "WHERE c.relnamespace = 'ledger'::regnamespace AND NOT t.tgisinternal"
    )
    await connection.close()
    assert {tuple(row) for row in rows} == set(guards.TRIGGERS)


async def test_writing_meanwhile_is_no_break(database: str) -> None:
    async with serving(database) as service:
        client = service.client
        entities = [await new_entity(client) for _ in range(3)]
        for entity in entities:
            await new_account(client, entity, "from")
            await new_account(client, entity, "into", floor="0.00")
        stop = asyncio.Event()

        async def write(entity: str) -> int:
            written = 0
            while not stop.is_set():
                await client.transactions.CreateTransaction(transfer(entity, "from", "into", "1.00"))
                written += 1
            return written

        writers = [asyncio.create_task(write(entity)) for entity in entities for _ in range(4)]
        seen = []
        for _ in range(8):
            report = await verify_database(database)
            assert report.is_clean, report.breaks
            seen.append(report.events)
        stop.set()
        assert sum(await asyncio.gather(*writers)) > 50
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]


async def test_the_command_says_what_it_found(ledger: str) -> None:
    code, output, errors = await run_cli("verify", dsn=ledger)
    assert (code, errors) == (0, "")
    assert re.fullmatch(
        r"all rules hold: 3 entities, 13 accounts, 30 transactions, 78 events, 79 entries, \d+ seals in [0-9.]+ s\n",
        output,
    )
    await spoil(ledger, "UPDATE entries SET amount = amount + 1 WHERE wide IS NULL")
    code, output, errors = await run_cli("verify", "--max-breaks", "2", dsn=ledger)
    assert (code, errors) == (1, "")
    *breaks, more, summary = output.splitlines()
    assert len(breaks) == 2
    assert re.fullmatch(r"and \d+ more; list them with --max-breaks", more)
    assert re.match(r"\d+ breaks found: 3 entities", summary)


async def test_the_command_names_a_database_that_is_not_ready(postgres: EmbeddedPostgres) -> None:
    code, output, errors = await run_cli("verify", dsn=postgres.dsn)
    assert (code, output) == (3, "")
    assert re.fullmatch(
        r"ledger-service: the database lacks 0001_ledger\.sql, .*: run 'ledger-service migrate' first\n", errors
    )
    code, _, errors = await run_cli("verify", dsn="postgresql://nobody@127.0.0.1:1/none")
    assert code == 3
    assert errors.startswith("ledger-service: cannot reach the database 127.0.0.1:1/none")
