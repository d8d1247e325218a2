"""Reads go by an index under the policies too: among some 100,000s of rows each touches a page's worth.

The plans are those that the service's own connections make and keep, told by auto_explain after each statement.
Rows are counted, not milliseconds.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.application.ports import (
    AccountFilter,
    DatabaseClock,
    Moment,
    SearchFilter,
    TransactionFilter,
    TransactionPlace,
)
from ledger_service.storage import database
from ledger_service.storage.reading import ReadStore
from tests.helpers.servers import cloned
from tests.helpers.sql import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from ledger_service.storage.embedded import EmbeddedPostgres

MOST_ROWS = 2_500
"""That a statement may look at; the entity has 100,000 events, and each of its accounts 2,000 entries."""
EVENTS, ACCOUNTS = 100_000, 100
DEEP = EVENTS // 2
START = datetime(2026, 1, 1, tzinfo=UTC)

FILL = f"""
SET session_replication_role = replica; SET search_path = ledger;
INSERT INTO entities (entity_id, id_key, name, time_zone, state, created_time, updated_time, revision)
SELECT 'entity-' || n, substr(sha256(n::text::bytea), 1, 16), 'Entity', 'UTC', 1, now(), now(), 1
FROM generate_series(1, 3) n;
INSERT INTO accounts (entity_no, account_no, account_id, type, contra, code, name, parent_no, currencies, state,
    created_time, updated_time, sequence, revision)
SELECT e, n, 'account-' || n, 1, false, n::text, 'Account', CASE WHEN n > 90 THEN 90 END, '{{}}', 1, now(), now(), n, 1
FROM generate_series(1, 3) e, generate_series(1, {ACCOUNTS}) n;
-- The last twenty are open, the twenty before them were voided by as many events of their own.
INSERT INTO events (entity_no, sequence, kind, span, recorded_time, actor, transaction_no, revision, status,
    postings_at, effective_time, idempotency_key, request_hash, reference, description)
SELECT e, n, 1, 1, '2026-01-01Z'::timestamptz + n * interval '1 second', 'a test', n, 1,
       CASE WHEN n > total - 40 THEN 1 ELSE 3 END, n, '2026-01-01Z'::timestamptz + n * interval '1 second',
       'key-' || n, '', 'order-' || n / 10, 'Sale lot' || n / 100
FROM (VALUES (1, {EVENTS}), (2, 10000), (3, 100)) s (e, total), generate_series(1, total) n;
INSERT INTO events (entity_no, sequence, kind, span, recorded_time, actor, transaction_no, revision, status,
    postings_at, effective_time)
SELECT 1, {EVENTS} + n, 5, 1, now(), 'a test', {EVENTS} - 40 + n, 2, 4, {EVENTS} - 40 + n, now()
FROM generate_series(1, 20) n;
INSERT INTO open_transactions SELECT 1, n, n, NULL FROM generate_series({EVENTS} - 19, {EVENTS}) n;
INSERT INTO commits SELECT entity_no, sequence, sequence, recorded_time, '3' FROM events;
-- Event n moves from account n to account n + 1, in rings.
INSERT INTO entries (entity_no, account_no, currency, number, sequence, kind, leg, side, amount, debits_posted,
    credits_posted, debits_pending, credits_pending, effective_time, latest_effective)
SELECT entity_no, (sequence + leg) % {ACCOUNTS} + 1, 'USD', (sequence + leg) / {ACCOUNTS} * 2 + 1 - leg + 1, sequence,
       CASE status WHEN 1 THEN 2 ELSE 1 END, leg, leg + 1, 1, 1, 1, 0, 0, effective_time, effective_time
FROM events, generate_series(0, 1) leg WHERE kind = 1;
ANALYZE;
"""


def after_of(number: int) -> TransactionPlace:
    """Where the transaction with this number stands."""
    return TransactionPlace(number, START + timedelta(seconds=number))


CALLS: dict[str, Callable[[ReadStore], Awaitable[Any]]] = {
    "account numbers": lambda store: store.account_numbers(1, ["account-7", "account-8"]),
    "accounts": lambda store: store.accounts(1, [7, 8]),
    "accounts by code": lambda store: store.list_accounts(1, AccountFilter(None, None, None, None, False), None, 20),
    "accounts as a tree": lambda store: store.list_accounts(1, AccountFilter(None, None, None, None, True), None, 20),
    "balance": lambda store: store.balances(1, [7], False, "USD", Moment()),
    "balance in all currencies": lambda store: store.balances(1, [7], False, None, Moment()),
    "balance as of a time": lambda store: store.balances(1, [7], False, "USD", Moment(START + timedelta(hours=10))),
    "balance known then": lambda store: store.balances(1, [7], False, None, Moment(known_sequence=DEEP)),
    "balance of a subtree": lambda store: store.balances(1, [90], True, "USD", Moment()),
    "currencies": lambda store: store.currencies_of(1, 7),
    "entries, newest": lambda store: store.entries(1, 7, "USD", None, False, 50),
    "entries, down from the middle": lambda store: store.entries(1, 7, "USD", 1_000, False, 50),
    "entries, up from the middle": lambda store: store.entries(1, 7, "USD", 1_000, True, 50),
    "transactions": lambda store: store.transactions(1, [DEEP, DEEP + 7, EVENTS - 30]),
    "transactions by reference": lambda store: store.transactions_by_reference(1, "order-77", 0, 50),
    "revisions": lambda store: store.revisions(1, EVENTS - 30, 0, 50),
    "key": lambda store: store.key_use(1, f"key-{DEEP}"),
    "events": lambda store: store.events(1, DEEP, 50),
    "events by number": lambda store: store.events_at(1, [DEEP, DEEP + 1]),
    "balances after": lambda store: store.balances_after(1, [(DEEP, DEEP + 1)]),
    "search": lambda store: store.search(1, SearchFilter(("lot77",), (), (), None, None, (), None), 0, 50, 1_000, 30),
    **{
        f"list of {name}, {'up' if ascending else 'down'} from {middle if after else 'the end'}": (
            lambda store, filters=filters, ascending=ascending, after=after: store.list_transactions(
                1, TransactionFilter(*filters[:2], None, None, ascending, *filters[2:]), after, 50
            )
        )
        for name, filters, middle in (
            ("all", ((), None), DEEP),
            ("all by effective time", ((), None, True), DEEP),
            ("open", ((1, 2), None), EVENTS - 10),
            ("ended", ((4, 5), None), EVENTS - 30),
            ("one account's", ((), 7), DEEP),
        )
        for ascending in (False, True)
        for after in (None, after_of(middle))
    },
}


@pytest.fixture(scope="module")
async def large(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[str]:
    """DSN of a ledger with one large, one middling and one small entity, which tells its plans."""
    async with cloned(postgres.dsn, template) as dsn:
        async with connected(dsn) as owner:
            await owner.execute(FILL)
            name = await owner.fetchval("SELECT current_database()")
            for setting, value in (
                ("session_preload_libraries", "auto_explain"),
                ("auto_explain.log_min_duration", "0"),
                ("auto_explain.log_analyze", "on"),
                ("auto_explain.log_timing", "off"),
                ("auto_explain.log_nested_statements", "on"),
                ("auto_explain.log_format", "json"),
                ("auto_explain.log_level", "notice"),
            ):
                await owner.execute(f"ALTER DATABASE \"{name}\" SET {setting} = '{value}'")
        yield dsn


@pytest.mark.filterwarnings("ignore:.*active log listener:asyncpg.InterfaceWarning")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
async def test_a_read_touches_little(
    large: str, monkeypatch: pytest.MonkeyPatch, call: Callable[[ReadStore], Awaitable[Any]]
) -> None:
    plans: list[dict[str, Any]] = []

    def hear(_: object, message: Any) -> None:
        if "plan:" in message.message:
            plans.append(json.loads(message.message.partition("plan:\n")[2]))

    prepare = database._prepare

    async def prepare_and_listen(connection: Any) -> None:
        await prepare(connection)
        connection.add_log_listener(hear)

    monkeypatch.setattr(database, "_prepare", prepare_and_listen)
    store = await ReadStore.open(large, 1, DatabaseClock())
    try:
        # Twice: what was planned for the first values serves the next ones.
        for _ in range(2):
            assert await call(store)
    finally:
        await store.close()
    assert plans, "auto_explain said nothing"
    for plan in plans:
        assert not [node for node in _nodes(plan["Plan"]) if node["Node Type"] == "Seq Scan"], plan
        assert _rows_touched(plan["Plan"]) <= MOST_ROWS, plan


async def test_the_measure_would_notice(large: str) -> None:
    """A query that no index serves looks at all of the entity, and of no other."""
    async with connected(large, database.READER_ROLE) as reader:
        await reader.execute(f"SET {database.ENTITY_SETTING} = 2; SET enable_seqscan = off")
        rows = await reader.fetch(
            "EXPLAIN (ANALYZE, FORMAT JSON) SELECT 1 FROM ledger.events WHERE description = 'none'"
        )
        [explained] = json.loads(rows[0][0])
        assert _rows_touched(explained["Plan"]) == 10_000


def _nodes(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(below for child in node.get("Plans", ()) for below in _nodes(child))]


def _rows_touched(plan: dict[str, Any]) -> float:
    """Rows that the plan's scans have looked at, in all their loops."""
    counts = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    return sum(
        node["Actual Loops"] * sum(node.get(count, 0) for count in counts)
        for node in _nodes(plan)
        if node["Node Type"] in ("Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Seq Scan")
    )
