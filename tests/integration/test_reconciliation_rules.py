"""The database keeps the rules of reconciliations by itself (migration 0012), whoever writes around the service.

As tests/integration/test_database_rules.py, on what tests/helpers/sound_reconciliation.py has written.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from tests.helpers.builders import new_account, new_entity
from tests.helpers.servers import cloned, serving
from tests.helpers.sound_reconciliation import write_sound_reconciliation
from tests.helpers.sql import (
    CLEARED,
    CREDIT,
    DEBIT,
    EDITED,
    EXPIRED,
    EXPIRED_EVENT,
    PENDING,
    POSTED,
    POSTED_EVENT,
    RELEASE,
    SETTLE,
    VOIDED,
    VOIDED_EVENT,
    Book,
    Head,
    Row,
    connected,
    insert,
    write,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from ledger_service.storage.embedded import EmbeddedPostgres

SERVICE, OWNER = "ledger_service", None
RECONCILED = 16
STARTED, RULES_RUN, CLOSED, REOPENED = 1, 4, 9, 10
FACTS = (
    "reconciliation_profiles", "statement_files", "statements", "statement_lines", "reconciliation_matches",
    "reconciliation_decisions", "reconciliation_findings", "reconciliation_baselines", "frozen_transactions",
)  # fmt: skip
NUMBERED = {
    "statements": "number", "statement_lines": "number", "reconciliation_matches": "number",
    "reconciliation_decisions": "match_number", "reconciliation_findings": "number",
    "frozen_transactions": "transaction_no",
}  # fmt: skip
"""Facts of which a stage may have several, and what tells them apart."""

Integrity = asyncpg.IntegrityConstraintViolationError
Restrict = asyncpg.RestrictViolationError
Denied = asyncpg.InsufficientPrivilegeError


@pytest.fixture(scope="module")
async def books(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[str]:
    """DSN of a ledger with one reconciliation, which is closed up to a day; nothing that a test writes stays."""
    async with cloned(postgres.dsn, template) as dsn:
        async with serving(dsn) as service:
            await new_entity(service.client, entity_id="books")
            await new_account(service.client, "books", "shop")
            await write_sound_reconciliation(service.client, "books", "shop")
        yield dsn


@dataclass
class Around:
    """A connection around the service, in a database transaction that is taken back."""

    connection: asyncpg.Connection
    book: Book
    account_no: int
    revision: int
    frozen: Row
    pending: Row

    def change(self, action: int, stage_no: int, /, *, ahead: int = 1, **detail: Any) -> Row:
        """The event of the next change."""
        told = {"currency": "EUR", "revision": self.revision + ahead, "stage": stage_no, "action": action, **detail}
        return self.book.event(RECONCILED, account_no=self.account_no, detail=told)

    async def stage(self, stage_no: int = 1) -> int:
        """A stage with nothing in it."""
        row = {"entity_no": 1, "stage_no": stage_no, "account_no": self.account_no, "currency": "EUR"}
        columns = ", ".join(row)
        await self.connection.execute(
            f"INSERT INTO ledger.reconciliation_stages ({columns}) VALUES ($1, $2, $3, $4)", *row.values()
        )
        return stage_no

    async def count(
        self, event: Row, action: int, stage_no: int, *, ahead: int = 1, reopens: int | None = None
    ) -> None:
        """The revision that lets a stage count."""
        await insert(
            self.connection,
            "reconciliation_revisions",
            [
                {
                    "entity_no": 1, "account_no": self.account_no, "currency": "EUR", "revision": self.revision + ahead,
                    "stage_no": stage_no, "action": action, "sequence": event["sequence"], "reopens": reopens,
                }
            ],
        )  # fmt: skip

    async def advance(self, action: int, stage_no: int, **fields: Any) -> None:
        """Event and revision, as the service writes them."""
        event = self.change(action, stage_no)
        await write(self.connection, [event])
        await self.count(event, action, stage_no, **fields)


async def transaction_of(connection: asyncpg.Connection, status: int, *, frozen: bool) -> Row:
    """The newest event of an open transaction, as far as its next revision needs it."""
    record = await connection.fetchrow(
        """SELECT e.* FROM ledger.events e JOIN ledger.open_transactions o
           ON o.entity_no = e.entity_no AND o.sequence = e.sequence
           WHERE e.entity_no = 1 AND e.status = $1 AND $2 = EXISTS (
               SELECT FROM ledger.frozen_transactions f WHERE f.transaction_no = e.transaction_no)
           ORDER BY e.sequence LIMIT 1""",
        status, frozen,
    )  # fmt: skip
    return {name: value for name, value in dict(record).items() if value is not None}


async def around_of(connection: asyncpg.Connection) -> Around:
    last = await connection.fetchrow(
        "SELECT sequence, recorded_time FROM ledger.events WHERE entity_no = 1 ORDER BY sequence DESC LIMIT 1"
    )
    book = Book(1, last["sequence"], last["recorded_time"] + timedelta(seconds=1))
    heads = await connection.fetch(
        "SELECT DISTINCT ON (account_no, currency) * FROM ledger.entries WHERE entity_no = 1 "
        "ORDER BY account_no, currency, number DESC"
    )
    for one in heads:
        totals = one["debits_posted"], one["credits_posted"], one["debits_pending"], one["credits_pending"]
        book.heads[one["account_no"], one["currency"]] = Head(one["number"], totals, one["latest_effective"])
    newest = await connection.fetchrow(
        "SELECT account_no, revision FROM ledger.reconciliation_revisions ORDER BY revision DESC LIMIT 1"
    )
    return Around(
        connection, book, newest["account_no"], newest["revision"],
        await transaction_of(connection, CLEARED, frozen=True),
        await transaction_of(connection, PENDING, frozen=False),
    )  # fmt: skip


@pytest.fixture(params=[SERVICE, OWNER], ids=["as_service", "as_owner"])
async def around(books: str, request: pytest.FixtureRequest) -> AsyncIterator[Around]:
    async with connected(books, request.param) as connection:
        taken_back = connection.transaction()
        await taken_back.start()
        try:
            yield await around_of(connection)
        finally:
            await taken_back.rollback()


async def refused(around: Around, error: type[Exception] | tuple[type[Exception], ...], statement: str) -> None:
    with pytest.raises(error):
        async with around.connection.transaction():
            await around.connection.execute(statement)


# Facts.


@pytest.mark.parametrize("table", [*FACTS, "reconciliation_revisions", "reconciliation_stages"])
async def test_nothing_is_changed(around: Around, table: str) -> None:
    assert await around.connection.fetchval(f"SELECT count(*) FROM ledger.{table}") > 0
    await refused(around, (Restrict, Denied), f"UPDATE ledger.{table} SET stage_no = stage_no")
    # TRUNCATE is refused by the foreign keys before it is by the trigger.
    await refused(around, (Restrict, Denied, asyncpg.FeatureNotSupportedError), f"TRUNCATE ledger.{table}")
    await refused(around, (Restrict, Denied), f"TRUNCATE ledger.{table} CASCADE")


@pytest.mark.parametrize("table", FACTS)
async def test_what_counts_is_not_deleted_and_not_added_to(around: Around, table: str) -> None:
    connection = around.connection
    await refused(around, Restrict, f"DELETE FROM ledger.{table}")
    row = json.loads(await connection.fetchval(f"SELECT to_jsonb(t) FROM ledger.{table} t LIMIT 1"))
    if table in NUMBERED:
        row[NUMBERED[table]] += 1000
    else:
        # One row a stage: put into another one that counts.
        row["stage_no"] = await connection.fetchval(
            "SELECT stage_no FROM ledger.reconciliation_revisions "
            f"WHERE stage_no NOT IN (SELECT stage_no FROM ledger.{table}) LIMIT 1"
        )
    with pytest.raises(Restrict, match="counts already"):
        async with connection.transaction():
            await insert(connection, table, [row])


async def test_a_stage_that_counts_is_not_dropped(around: Around) -> None:
    await refused(around, asyncpg.ForeignKeyViolationError, "DELETE FROM ledger.reconciliation_stages")
    await refused(around, (Restrict, Denied), "DELETE FROM ledger.reconciliation_revisions")


async def test_what_does_not_count_may_go(around: Around) -> None:
    stage_no = await around.stage()
    await insert(
        around.connection, "reconciliation_profiles", [{"entity_no": 1, "stage_no": stage_no, "profile": {"rules": []}}]
    )
    for table in ("reconciliation_profiles", "reconciliation_stages"):
        done = await around.connection.execute(f"DELETE FROM ledger.{table} WHERE stage_no = $1", stage_no)
        assert done == "DELETE 1"


# Revisions and their events.


async def test_a_sound_change_is_taken(around: Around) -> None:
    """What the tests below spoil is right."""
    stage_no = await around.stage()
    await taken(around, around.advance(RULES_RUN, stage_no))


async def taken(around: Around, call: Coroutine[Any, Any, None]) -> None:
    """As a database transaction of its own, to the end of it, where the last rules are checked."""
    async with around.connection.transaction():
        await call
        await around.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")


async def raises(around: Around, message: str, call: Coroutine[Any, Any, None]) -> None:
    """Refused by a rule."""
    with pytest.raises(Integrity, match=message):
        await taken(around, call)


async def test_a_revision_without_its_event(around: Around) -> None:
    stage_no = await around.stage()
    old = {"sequence": around.book.sequence}
    await raises(around, "is not what its event says", around.count(old, RULES_RUN, stage_no))


async def test_an_event_without_its_revision(around: Around) -> None:
    stage_no = await around.stage()
    await raises(
        around, "tells other of its reconciliation than is so",
        write(around.connection, [around.change(RULES_RUN, stage_no)]),
    )  # fmt: skip


@pytest.mark.parametrize("ahead", [0, 2, 3])
async def test_a_revision_that_does_not_follow(around: Around, ahead: int) -> None:
    stage_no = await around.stage()

    async def spoilt() -> None:
        event = around.change(RULES_RUN, stage_no, ahead=ahead)
        await write(around.connection, [event])
        await around.count(event, RULES_RUN, stage_no, ahead=ahead)

    with pytest.raises((Integrity, asyncpg.UniqueViolationError)):
        await taken(around, spoilt())


@pytest.mark.parametrize("spoilt", [{"stage": 2}, {"action": 5}, {"currency": "USD"}, {"revision": 1}])
async def test_a_revision_that_is_other_than_its_event(around: Around, spoilt: dict[str, Any]) -> None:
    stage_no = await around.stage()

    async def change() -> None:
        event = around.change(RULES_RUN, stage_no, **spoilt)
        await write(around.connection, [event])
        await around.count(event, RULES_RUN, stage_no)

    await raises(around, "is not what its event says|tells other of its reconciliation", change())


async def test_one_stage_does_not_count_twice(around: Around) -> None:
    counted = await around.connection.fetchval(
        "SELECT stage_no FROM ledger.reconciliation_revisions WHERE action = $1 LIMIT 1", RULES_RUN
    )
    with pytest.raises(asyncpg.UniqueViolationError):
        async with around.connection.transaction():
            await around.advance(RULES_RUN, counted)


async def stage_of(around: Around, action: int, *, first: bool) -> int:
    order = "ASC" if first else "DESC"
    found: int = await around.connection.fetchval(
        f"SELECT stage_no FROM ledger.reconciliation_revisions WHERE action = $1 ORDER BY revision {order} LIMIT 1",
        action,
    )
    return found


async def test_the_last_closing_is_reopened(around: Around) -> None:
    stage_no = await around.stage()
    async with around.connection.transaction():
        await around.advance(REOPENED, stage_no, reopens=await stage_of(around, CLOSED, first=False))


@pytest.mark.parametrize("what", ["reopened before", "no closing", "nothing"])
async def test_something_else_is_reopened(around: Around, what: str) -> None:
    stage_no = await around.stage()
    reopens = {
        "reopened before": await stage_of(around, CLOSED, first=True),
        "no closing": await stage_of(around, RULES_RUN, first=True),
        "nothing": 77,
    }[what]
    with pytest.raises(Integrity, match=r"reopens what is not its last closing|reconciliation_reopenings"):
        async with around.connection.transaction():
            await around.advance(REOPENED, stage_no, reopens=reopens)


@pytest.mark.parametrize(("action", "reopens"), [(REOPENED, False), (RULES_RUN, True)])
async def test_reopening_tells_what_and_nothing_else_does(around: Around, action: int, reopens: bool) -> None:
    stage_no = await around.stage()
    closing = await stage_of(around, CLOSED, first=False) if reopens else None
    with pytest.raises(asyncpg.CheckViolationError):
        async with around.connection.transaction():
            await around.advance(action, stage_no, reopens=closing)


# What is frozen.


async def freeze(around: Around, stage_no: int, transaction: Row, action: int) -> None:
    row = {"entity_no": 1, "stage_no": stage_no, "transaction_no": transaction["transaction_no"]}
    await insert(around.connection, "frozen_transactions", [row])
    await around.advance(action, stage_no)


async def test_only_what_is_cleared_is_frozen(around: Around) -> None:
    stage_no = await around.stage()
    await raises(around, "freezes what is not cleared", freeze(around, stage_no, around.pending, CLOSED))


async def test_only_a_closing_freezes(around: Around) -> None:
    stage_no = await around.stage()
    await raises(around, "freezes what is not cleared", freeze(around, stage_no, around.frozen, RULES_RUN))


def ending(around: Around, kind: int, status: int, transaction: Row) -> tuple[list[Row], list[Row]]:
    """The next revision of an open transaction, with its entries."""
    event = around.book.revision(transaction, kind, status)
    moves = {VOIDED_EVENT: RELEASE, EXPIRED_EVENT: RELEASE, POSTED_EVENT: SETTLE}
    amount = 25_000 if transaction is around.frozen else 7_700
    if kind not in moves:
        return [event], []
    return [event], [
        around.book.entry(event, moves[kind], leg, account_no, side, amount, currency="EUR")
        for leg, (account_no, side) in enumerate(((around.account_no, DEBIT), (SHOP, CREDIT)))
    ]


SHOP = 2
"""The number of the account on the other side: the second event of the entity."""


@pytest.mark.parametrize(("kind", "status"), [(VOIDED_EVENT, VOIDED), (EDITED, CLEARED), (EXPIRED_EVENT, EXPIRED)])
async def test_what_is_frozen_stays(around: Around, kind: int, status: int) -> None:
    events, entries = ending(around, kind, status, around.frozen)
    await raises(around, "does not follow from the revision before it", write(around.connection, events, entries))


async def test_what_is_frozen_may_be_posted(around: Around) -> None:
    """And what is not frozen be voided: the rows that are refused above are sound but for that."""
    async with around.connection.transaction():
        await write(around.connection, *ending(around, POSTED_EVENT, POSTED, around.frozen))
        await write(around.connection, *ending(around, VOIDED_EVENT, VOIDED, around.pending))


async def test_what_is_reopened_may_be_voided(around: Around) -> None:
    stage_no = await around.stage()
    async with around.connection.transaction():
        await around.advance(REOPENED, stage_no, reopens=await stage_of(around, CLOSED, first=False))
        await write(around.connection, *ending(around, VOIDED_EVENT, VOIDED, around.frozen))


# Events of a reconciliation name an account, and allow no change of it.


async def test_an_event_does_not_cover_a_change_of_limits(around: Around) -> None:
    stage_no = await around.stage()
    limit = {"entity_no": 1, "account_no": around.account_no, "currency": "EUR", "floor": 0, "ceiling": None}

    async def change() -> None:
        await around.advance(RULES_RUN, stage_no)
        await insert(around.connection, "account_limits", [limit])

    await raises(around, "limits of account 3 of entity 1 change without an event", change())


async def test_an_event_does_not_cover_a_change_of_the_account(around: Around) -> None:
    stage_no = await around.stage()

    async def change() -> None:
        event = around.change(RULES_RUN, stage_no)
        await write(around.connection, [event])
        await around.count(event, RULES_RUN, stage_no)
        await around.connection.execute(
            "UPDATE ledger.accounts SET name = 'another', sequence = $2, revision = revision + 1 "
            "WHERE entity_no = 1 AND account_no = $1",
            around.account_no, event["sequence"],
        )  # fmt: skip

    await raises(around, "account bank of entity 1: change refused", change())
