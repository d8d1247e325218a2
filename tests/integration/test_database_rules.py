"""The database keeps the rules by itself: whoever writes around the service is refused.

Every rule is tried as the role that the service writes as and as the owner of the tables. Each test
starts from a copy of one small, sound ledger and spoils one thing in rows that are otherwise right.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from ledger_service.storage import database
from tests.helpers.builders import unique
from tests.helpers.servers import cloned
from tests.helpers.sql import (
    ACCOUNT_CHANGED,
    ACCOUNT_CREATED,
    CATEGORIZED,
    CATEGORY_CHANGED,
    CATEGORY_CREATED,
    CLEARED,
    CLEARED_EVENT,
    CREDIT,
    DEBIT,
    EDITED,
    EFFECTIVE,
    ENTITY_CHANGED,
    ENTITY_CREATED,
    EXPIRED,
    EXPIRED_EVENT,
    HOLD,
    PENDING,
    POST,
    POSTED,
    POSTED_EVENT,
    RECORDED,
    REFUSED,
    RELEASE,
    REVERSED,
    SETTLE,
    VOIDED,
    VOIDED_EVENT,
    Book,
    Row,
    connected,
    insert,
    write,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from ledger_service.storage.embedded import EmbeddedPostgres

SERVICE = "ledger_service"
OWNER = None

Integrity = asyncpg.IntegrityConstraintViolationError
Restrict = asyncpg.RestrictViolationError
Unique = asyncpg.UniqueViolationError
Check = asyncpg.CheckViolationError
NotNull = asyncpg.NotNullViolationError
Denied = asyncpg.InsufficientPrivilegeError

APPEND_ONLY = ["events", "entries", "commits"]

CASH, WALLET, FROZEN, CLOSED, EUROS, NOBODY = 2, 3, 4, 5, 6, 99


@dataclass
class World:
    """The ledger that every test starts from, and the transactions in it."""

    book: Book
    posted: Row
    pending: Row
    voided: Row
    keyed: Row
    on_frozen: Row


@dataclass
class Around:
    """A connection around the service, and the rows to write with it."""

    connection: asyncpg.Connection
    world: World

    @property
    def book(self) -> Book:
        return self.world.book

    async def refused(
        self, error: type[Exception], message: str, events: list[Row], entries: Iterable[Row] = ()
    ) -> None:
        """Writing these is refused with that error, and nothing of it is kept."""
        before = await self.history()
        with pytest.raises(error, match=message) as raised:
            await write(self.connection, events, entries)
        assert type(raised.value) is error
        assert await self.history() == before

    async def history(self) -> tuple[int, int, int]:
        """How many events, entries and commits the entity has."""
        counts = [
            await self.connection.fetchval(
                f"SELECT count(*) FROM ledger.{table} WHERE entity_no = $1", self.book.entity_no
            )
            for table in APPEND_ONLY
        ]
        return (counts[0], counts[1], counts[2])


async def build(connection: asyncpg.Connection) -> World:
    """A new entity with a small, sound ledger, written as the service writes it."""
    name = unique("acme")
    async with connection.transaction():
        entity_no = await connection.fetchval(
            "INSERT INTO ledger.entities"
            " (entity_id, id_key, name, time_zone, state, created_time, updated_time, revision)"
            " VALUES ($2, substr(sha256('key'), 1, 16), 'Acme', 'UTC', 1, $1, $1, 1) RETURNING entity_no",
            RECORDED,
            name,
        )
        book = Book(entity_no)
        await write(connection, [book.event(ENTITY_CREATED, detail={})])
    kinds = [("cash", 1, []), ("wallet", 2, []), ("frozen", 2, []), ("closed", 2, []), ("euros", 1, ["EUR"])]
    for name, type_, currencies in kinds:
        detail = {"limits": [["USD", "0", "10000"]]} if name == "wallet" else {}
        event = book.event(ACCOUNT_CREATED, account_no=book.sequence + 1, detail=detail)
        async with connection.transaction():
            await insert(connection, "events", [event])
            await insert(connection, "accounts", [account_row(event, name, type_, currencies)])
            if name == "wallet":
                limit = {"entity_no": entity_no, "account_no": WALLET, "currency": "USD", "floor": 0, "ceiling": 10_000}
                await insert(connection, "account_limits", [limit])

    posted = book.creation(POSTED)
    await write(connection, [posted], book.pair(posted, POST, CASH, WALLET, 1_000))
    pending = book.creation(PENDING, expire_time=RECORDED + timedelta(days=1))
    await write(connection, [pending], book.pair(pending, HOLD, WALLET, CASH, 300))
    doomed = book.creation(PENDING)
    await write(connection, [doomed], book.pair(doomed, HOLD, CASH, WALLET, 5))
    voided = book.revision(doomed, VOIDED_EVENT, VOIDED)
    await write(connection, [voided], book.pair(voided, RELEASE, CASH, WALLET, 5))
    keyed = book.creation(POSTED, idempotency_key="key", request_hash="\\x00")
    await write(connection, [keyed], book.pair(keyed, POST, CASH, WALLET, 7))
    on_frozen = book.creation(PENDING)
    await write(connection, [on_frozen], book.pair(on_frozen, HOLD, CASH, FROZEN, 40))
    for account_no, state in ((FROZEN, 2), (CLOSED, 3)):
        await change_state(connection, book, account_no, state)
    return World(book, posted, pending, voided, keyed, on_frozen)


def account_row(event: Row, name: str, type_: int, currencies: list[str]) -> Row:
    return {
        "entity_no": event["entity_no"],
        "account_no": event["sequence"],
        "account_id": name,
        "type": type_,
        "contra": False,
        "name": name,
        "currencies": currencies,
        "state": 1,
        "created_time": event["recorded_time"],
        "updated_time": event["recorded_time"],
        "sequence": event["sequence"],
        "revision": 1,
    }


async def change_state(connection: asyncpg.Connection, book: Book, account_no: int, state: int) -> None:
    event = book.event(ACCOUNT_CHANGED, account_no=account_no, detail={})
    async with connection.transaction():
        await insert(connection, "events", [event])
        await connection.execute(
            "UPDATE ledger.accounts SET state = $3, sequence = $4, revision = revision + 1"
            " WHERE entity_no = $1 AND account_no = $2",
            book.entity_no, account_no, state, event["sequence"],
        )  # fmt: skip


@pytest.fixture(scope="module")
async def shared(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[str]:
    """DSN of the database of this module; every test has an entity of its own in it."""
    async with cloned(postgres.dsn, template) as dsn:
        yield dsn


@pytest.fixture(scope="module")
async def as_service_connection(shared: str) -> AsyncIterator[asyncpg.Connection]:
    async with connected(shared, SERVICE) as connection:
        yield connection


@pytest.fixture(scope="module")
async def as_owner_connection(shared: str) -> AsyncIterator[asyncpg.Connection]:
    async with connected(shared, OWNER) as connection:
        yield connection


@pytest.fixture
async def as_service(as_service_connection: asyncpg.Connection) -> Around:
    """A fresh ledger, and the service's role to write around the service with."""
    return Around(as_service_connection, await build(as_service_connection))


@pytest.fixture
async def as_owner(as_service_connection: asyncpg.Connection, as_owner_connection: asyncpg.Connection) -> Around:
    """A fresh ledger, and the owner of all tables to write around the service with."""
    return Around(as_owner_connection, await build(as_service_connection))


@pytest.fixture(params=["as_service", "as_owner"])
def around(request: pytest.FixtureRequest) -> Around:
    """A fresh ledger, and each of the two roles to write around the service with."""
    return request.getfixturevalue(request.param)


async def test_rows_that_keep_the_rules_are_taken(around: Around) -> None:
    """The rows that other tests spoil are right: what is refused there is refused for the spoilt part."""
    book, world = around.book, around.world
    before = await around.history()
    approved = book.revision(world.pending, POSTED_EVENT, POSTED, moves=True)
    await write(
        around.connection,
        [approved],
        [*book.pair(approved, SETTLE, WALLET, CASH, 200), *book.pair(approved, RELEASE, WALLET, CASH, 100)],
    )
    reversal = book.creation(POSTED, kind=REVERSED, reverses=world.posted["sequence"])
    await write(around.connection, [reversal], reversal_entries(book, reversal, 400))
    freed = book.revision(world.on_frozen, VOIDED_EVENT, VOIDED)
    await write(around.connection, [freed], book.pair(freed, RELEASE, CASH, FROZEN, 40))
    after = await around.history()
    assert [now - then for now, then in zip(after, before, strict=True)] == [3, 8, 3]


def reversal_entries(book: Book, event: Row, amount: int) -> list[Row]:
    """The entries that reverse the posted transaction of the ledger, on its legs with the sides exchanged."""
    return [
        book.entry(event, POST, 0, CASH, CREDIT, amount),
        book.entry(event, POST, 1, WALLET, DEBIT, amount),
    ]


# Rule 1: balance.


async def test_unbalanced_entries(around: Around) -> None:
    book = around.book
    event = book.creation(POSTED)
    entries = [book.entry(event, POST, 0, CASH, DEBIT, 10), book.entry(event, POST, 1, WALLET, CREDIT, 9)]
    await around.refused(Integrity, "out of balance in USD", [event], entries)


async def test_balanced_only_across_currencies(around: Around) -> None:
    book = around.book
    event = book.creation(POSTED)
    entries = [
        book.entry(event, POST, 0, CASH, DEBIT, 10, currency="EUR"),
        book.entry(event, POST, 1, WALLET, CREDIT, 10),
    ]
    await around.refused(Integrity, "out of balance in", [event], entries)


async def test_balanced_only_across_kinds(around: Around) -> None:
    """A hold on one side and a posting on the other: in no state do they balance."""
    book = around.book
    event = book.creation(POSTED)
    entries = [book.entry(event, POST, 0, CASH, DEBIT, 10), book.entry(event, HOLD, 1, WALLET, CREDIT, 10)]
    await around.refused(Integrity, "out of balance in USD", [event], entries)


async def test_balanced_only_across_events(around: Around) -> None:
    book = around.book
    one, other = book.creation(POSTED), book.creation(POSTED)
    other["recorded_time"] = one["recorded_time"]
    entries = [book.entry(one, POST, 0, CASH, DEBIT, 10), book.entry(other, POST, 0, WALLET, CREDIT, 10)]
    await around.refused(Integrity, "out of balance in USD", [one, other], entries)


async def test_entries_in_two_statements_balance_in_each(around: Around) -> None:
    book = around.book
    event = book.creation(POSTED)
    one, _ = book.pair(event, POST, CASH, WALLET, 10)
    await around.connection.execute("BEGIN")
    await insert(around.connection, "events", [event])
    with pytest.raises(Integrity, match="out of balance in USD"):
        await insert(around.connection, "entries", [one])
    await around.connection.execute("ROLLBACK")


# Rule 2: the chain.


async def spoilt_pair(around: Around, **spoilt: Any) -> tuple[list[Row], list[Row]]:
    """A right transaction with something else written into the entry on the wallet."""
    event = around.book.creation(POSTED)
    one, other = around.book.pair(event, POST, CASH, WALLET, 10)
    return [event], [one, {**other, **spoilt}]


async def test_gap_in_the_chain(around: Around) -> None:
    number = around.book.heads[WALLET, "USD"].number
    events, entries = await spoilt_pair(around, number=number + 2)
    await around.refused(Integrity, "does not follow from the entry before it", events, entries)


async def test_second_writer_with_the_same_number(around: Around) -> None:
    number = around.book.heads[WALLET, "USD"].number
    events, entries = await spoilt_pair(around, number=number)
    await around.refused(Unique, "entries_chain", events, entries)


@pytest.mark.parametrize("total", ["debits_posted", "credits_posted", "debits_pending", "credits_pending"])
@pytest.mark.parametrize("change", [-1, 1])
async def test_wrong_totals(around: Around, total: str, change: int) -> None:
    event = around.book.creation(POSTED)
    one, other = around.book.pair(event, POST, CASH, WALLET, 10)
    one[total] += change
    if one[total] < 0:
        await around.refused(Check, "entries_amounts", [event], [one, other])
        return
    await around.refused(Integrity, "does not follow from the entry before it", [event], [one, other])


async def test_totals_that_start_anew_in_a_second_entry_of_one_statement(around: Around) -> None:
    """The chain holds between entries of one statement too."""
    book = around.book
    one, other = book.creation(POSTED), book.creation(POSTED)
    other["recorded_time"] = one["recorded_time"]
    entries = [*book.pair(one, POST, CASH, WALLET, 10), *book.pair(other, POST, CASH, WALLET, 10)]
    entries[2]["debits_posted"] -= 10
    await around.refused(Integrity, "does not follow from the entry before it", [one, other], entries)


async def test_latest_effective_time_that_does_not_rise(around: Around) -> None:
    events, entries = await spoilt_pair(around, latest_effective=EFFECTIVE + timedelta(days=1))
    await around.refused(Integrity, "does not follow from the entry before it", events, entries)


async def test_wide_totals_are_held_to_the_chain_as_well(around: Around) -> None:
    book = around.book
    event = book.creation(POSTED)
    one, other = book.pair(event, POST, CASH, WALLET, 10)
    narrow = ("amount", "debits_posted", "credits_posted", "debits_pending", "credits_pending")
    one["wide"] = [one[name] for name in narrow]
    one["wide"][1] += 10**30
    one.update(dict.fromkeys(narrow, 0))
    await around.refused(Integrity, "does not follow from the entry before it", [event], [one, other])


@pytest.mark.parametrize("amount", [0, -10])
async def test_amounts_are_positive(around: Around, amount: int) -> None:
    event = around.book.creation(POSTED)
    one, other = around.book.pair(event, POST, CASH, WALLET, 10)
    await around.refused(Check, "entries_amounts", [event], [{**one, "amount": amount}, {**other, "amount": amount}])


async def test_narrow_and_wide_amounts_together(around: Around) -> None:
    event = around.book.creation(POSTED)
    one, other = around.book.pair(event, POST, CASH, WALLET, 10)
    await around.refused(Check, "entries_amounts", [event], [{**one, "wide": [10, 0, 0, 0, 0]}, other])


@pytest.mark.parametrize(
    ("debit", "credit"),
    [
        ("{10,10,NULL,NULL,NULL}", "{10,NULL,10,NULL,NULL}"),
        ("[7:11]={0,0,0,0,0}", "[7:11]={0,0,0,0,0}"),
        ("{{10,10,0,0,0}}", "{{10,0,10,0,0}}"),
        ("{NaN,NaN,0,0,0}", "{NaN,0,NaN,0,0}"),
    ],
    ids=["null", "other_bounds", "two_dimensions", "nan"],
)
async def test_wide_amounts_are_five_numbers(around: Around, debit: str, credit: str) -> None:
    """Where a comparison with NULL is not false but unknown, a check constraint lets it pass."""
    event = around.book.creation(POSTED)
    narrow = ("amount", "debits_posted", "credits_posted", "debits_pending", "credits_pending")
    pair = around.book.pair(event, POST, CASH, WALLET, 10, currency="EUR")
    entries = [{**e, **dict.fromkeys(narrow, 0), "wide": w} for e, w in zip(pair, (debit, credit), strict=True)]
    before = await around.history()
    with pytest.raises(Integrity):
        await write(around.connection, [event], entries)
    assert await around.history() == before


# Rule 4: at most once.


async def test_key_used_twice(around: Around) -> None:
    event = around.book.creation(POSTED, idempotency_key="key", request_hash="\\x00")
    entries = around.book.pair(event, POST, CASH, WALLET, 7)
    await around.refused(Unique, "events_by_key", [event], entries)


async def test_refusal_under_a_used_key(around: Around) -> None:
    event = around.book.event(REFUSED, idempotency_key="key", request_hash="\\x00", detail={})
    await around.refused(Unique, "events_by_key", [event])


async def test_key_without_the_hash_of_its_request(around: Around) -> None:
    event = around.book.creation(POSTED, idempotency_key="other")
    await around.refused(Check, "events_check", [event], around.book.pair(event, POST, CASH, WALLET, 7))


# Rule 6: immutable.


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger.{} SET entity_no = entity_no",
        "DELETE FROM ledger.{}",
        "DELETE FROM ledger.{} WHERE false",
        "TRUNCATE ledger.{} CASCADE",
    ],
)
async def test_history_is_append_only(around: Around, table: str, statement: str) -> None:
    before = await around.history()
    with pytest.raises((Restrict, Denied)) as raised:
        await around.connection.execute(statement.format(table))
    assert "append-only" in str(raised.value) or "permission denied" in str(raised.value)
    assert await around.history() == before


@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_the_owner_is_refused_by_the_rule_and_not_for_lack_of_rights(as_owner: Around, table: str) -> None:
    for statement in ("UPDATE ledger.{} SET entity_no = 1", "DELETE FROM ledger.{}", "TRUNCATE ledger.{}"):
        with pytest.raises(Restrict, match=f"ledger.{table} is append-only"):
            await as_owner.connection.execute(statement.format(table))


@pytest.mark.parametrize("table", ["accounts", "entities"])
async def test_accounts_and_entities_are_not_deleted(around: Around, table: str) -> None:
    for statement in (f"DELETE FROM ledger.{table}", f"TRUNCATE ledger.{table} CASCADE"):
        with pytest.raises((Restrict, Denied)):
            await around.connection.execute(statement)


async def test_entries_added_to_an_old_event(around: Around) -> None:
    old = around.world.posted
    entries = [
        around.book.entry(old, POST, 2, CASH, DEBIT, 10),
        around.book.entry(old, POST, 3, WALLET, CREDIT, 10),
    ]
    with pytest.raises(Integrity, match="without an event of the same database transaction"):
        await insert(around.connection, "entries", entries)


async def test_entries_added_to_an_old_event_beside_a_new_one(around: Around) -> None:
    book, old = around.book, around.world.posted
    event = book.creation(POSTED)
    entries = book.pair(event, POST, CASH, WALLET, 1)
    entries += [book.entry(old, POST, 2, CASH, DEBIT, 10), book.entry(old, POST, 3, WALLET, CREDIT, 10)]
    await around.refused(Integrity, "without an event of the same database transaction", [event], entries)


async def test_entries_of_a_sequence_to_come(around: Around) -> None:
    book = around.book
    event = book.creation(POSTED)
    later = {**event, "sequence": event["sequence"] + 1}
    entries = [*book.pair(event, POST, CASH, WALLET, 1), *book.pair(later, POST, CASH, WALLET, 1)]
    await around.refused(Integrity, "without an event of the same database transaction", [event], entries)


async def test_commits_are_written_by_the_trigger_alone(as_service: Around) -> None:
    with pytest.raises(Denied, match="permission denied for table commits"):
        await as_service.connection.execute(
            "INSERT INTO ledger.commits VALUES ($1, 900, 901, now(), pg_current_xact_id())",
            as_service.book.entity_no,
        )


@pytest.mark.parametrize(
    "change",
    [
        "type = 2",
        "contra = true",
        "account_id = 'other'",
        "created_time = now()",
        "account_no = 77",
        "state = 2",
        "revision = revision",
        "revision = revision - 1",
    ],
)
async def test_what_is_fixed_about_an_account(around: Around, change: str) -> None:
    """Without an event of its own nothing about an account changes; some things never do."""
    with pytest.raises((Restrict, Denied, asyncpg.ForeignKeyViolationError)):
        await around.connection.execute(
            f"UPDATE ledger.accounts SET {change} WHERE entity_no = $1 AND account_no = $2",
            around.book.entity_no, EUROS,
        )  # fmt: skip


async def test_type_of_an_account_with_an_event_of_its_own(around: Around) -> None:
    book = around.book
    event = book.event(ACCOUNT_CHANGED, account_no=EUROS, detail={})
    await around.connection.execute("BEGIN")
    await insert(around.connection, "events", [event])
    with pytest.raises((Restrict, Denied)):
        await around.connection.execute(
            "UPDATE ledger.accounts SET type = 2, sequence = $3, revision = revision + 1"
            " WHERE entity_no = $1 AND account_no = $2",
            book.entity_no, EUROS, event["sequence"],
        )  # fmt: skip
    await around.connection.execute("ROLLBACK")


async def test_closed_accounts_stay_closed(around: Around) -> None:
    with pytest.raises(Restrict, match="change refused"):
        await change_state(around.connection, around.book, CLOSED, 1)


@pytest.mark.parametrize("account_no", [WALLET, FROZEN], ids=["with_a_balance", "with_a_hold"])
async def test_accounts_are_closed_at_zero_only(around: Around, account_no: int) -> None:
    with pytest.raises(Restrict, match="is not empty"):
        await change_state(around.connection, around.book, account_no, 3)


async def test_entities_keep_what_is_fixed(around: Around) -> None:
    changes = (
        "entity_id = 'other'",
        "id_key = substr(sha256('x'), 1, 16)",
        "created_time = now()",
        "name = 'x'",
    )
    for change in changes:
        with pytest.raises((Restrict, Denied)):
            await around.connection.execute(
                f"UPDATE ledger.entities SET {change} WHERE entity_no = $1", around.book.entity_no
            )


ARCHIVE = "UPDATE ledger.entities SET state = 2, revision = revision + 1 WHERE entity_no = $1"


async def archive(around: Around) -> None:
    async with around.connection.transaction():
        await write(around.connection, [around.book.event(ENTITY_CHANGED, detail={})])
        await around.connection.execute(ARCHIVE, around.book.entity_no)


async def test_archived_entities_stay_archived(around: Around) -> None:
    await archive(around)
    with pytest.raises(Restrict, match="change refused"):
        await around.connection.execute(ARCHIVE.replace("state = 2", "state = 1"), around.book.entity_no)


async def test_entity_changed_without_an_event(around: Around) -> None:
    with pytest.raises(Restrict, match="change refused"):
        await around.connection.execute(ARCHIVE, around.book.entity_no)


async def test_entity_without_the_event_of_its_creation(around: Around) -> None:
    with pytest.raises(Integrity, match="has no event of its creation"):
        await around.connection.execute(
            "INSERT INTO ledger.entities"
            " (entity_id, id_key, name, time_zone, state, created_time, updated_time, revision)"
            " VALUES ($1, substr(sha256('key'), 1, 16), 'Ghost', 'UTC', 1, now(), now(), 1)",
            unique("ghost"),
        )


async def test_account_below_itself(around: Around) -> None:
    """Each of the two is moved with its event; together they would be a ring."""

    async def move(child: int, parent: int) -> None:
        event = around.book.event(ACCOUNT_CHANGED, account_no=child, detail={})
        async with around.connection.transaction():
            await insert(around.connection, "events", [event])
            await around.connection.execute(
                "UPDATE ledger.accounts SET parent_no = $3, revision = revision + 1, sequence = $4"
                " WHERE entity_no = $1 AND account_no = $2",
                around.book.entity_no,
                child,
                parent,
                event["sequence"],
            )

    await move(CASH, WALLET)
    with pytest.raises(Restrict, match="would lie below itself"):
        await move(WALLET, CASH)


async def test_account_moved_below_a_closed_one(around: Around) -> None:
    event = around.book.event(ACCOUNT_CHANGED, account_no=FROZEN, detail={})

    async def move() -> None:
        async with around.connection.transaction():
            await insert(around.connection, "events", [event])
            await around.connection.execute(
                "UPDATE ledger.accounts SET parent_no = $3, revision = revision + 1, sequence = $4"
                " WHERE entity_no = $1 AND account_no = $2",
                around.book.entity_no, FROZEN, CLOSED, event["sequence"],
            )  # fmt: skip

    with pytest.raises(Restrict, match="would lie below a closed one"):
        await move()


async def test_account_made_below_a_closed_one(around: Around) -> None:
    event = around.book.event(ACCOUNT_CREATED, account_no=around.book.sequence + 1, detail={})

    async def make() -> None:
        async with around.connection.transaction():
            await insert(around.connection, "events", [event])
            await insert(around.connection, "accounts", [{**account_row(event, "late", 2, []), "parent_no": CLOSED}])

    with pytest.raises(Restrict, match="would lie below a closed one"):
        await make()


async def test_event_of_an_account_that_did_not_change(around: Around) -> None:
    detail = {"limits": [["USD", "0", "10000"]]}
    event = around.book.event(ACCOUNT_CHANGED, account_no=WALLET, detail=detail)
    await around.refused(Integrity, "tells other of its account than is so", [event])


async def set_limits(around: Around, event: Row, floor: int | None, ceiling: int | None) -> None:
    """The rows of a change of the wallet's limits, after its event."""
    place = {"entity_no": around.book.entity_no, "account_no": WALLET, "currency": "USD"}
    await around.connection.execute(
        "UPDATE ledger.accounts SET revision = revision + 1, sequence = $3 WHERE entity_no = $1 AND account_no = $2",
        around.book.entity_no, WALLET, event["sequence"],
    )  # fmt: skip
    await around.connection.execute("DELETE FROM ledger.account_limits WHERE entity_no = $1", around.book.entity_no)
    await insert(around.connection, "account_limits", [{**place, "floor": floor, "ceiling": ceiling}])


@pytest.mark.parametrize(
    ("told", "is_so"),
    [
        ([], False),
        ([["USD", "5", "10000"]], True),
        ([["USD", "10000", "5"]], False),
        ([["USD", "5", None]], False),
        ([["EUR", "5", "10000"]], False),
        ([["USD", "5", "10000"], ["EUR", "1", None]], False),
    ],
    ids=["none", "the same", "swapped", "one less", "other currency", "one more"],
)
async def test_limits_other_than_the_event_tells(around: Around, told: list[list[str]], is_so: bool) -> None:
    event = around.book.event(ACCOUNT_CHANGED, account_no=WALLET, detail={"limits": told})

    async def change() -> None:
        async with around.connection.transaction():
            await insert(around.connection, "events", [event])
            await set_limits(around, event, 5, 10_000)

    if is_so:
        await change()
    else:
        with pytest.raises(Integrity, match="tells other of its account than is so"):
            await change()


@pytest.mark.parametrize(("floor", "holds"), [(57, True), (58, False)])
async def test_limit_broken_and_mended_in_one_commit(around: Around, floor: int, holds: bool) -> None:
    """The wallet has 707 available, then 57, then 707 again, all after the event that sets the floor."""
    event = around.book.event(ACCOUNT_CHANGED, account_no=WALLET, detail={"limits": [["USD", str(floor), None]]})
    down, up = around.book.creation(POSTED), around.book.creation(POSTED)
    for each in (down, up):
        each["recorded_time"] = event["recorded_time"]
    entries = [*around.book.pair(down, POST, WALLET, CASH, 650), *around.book.pair(up, POST, CASH, WALLET, 650)]

    async def change() -> None:
        async with around.connection.transaction():
            await insert(around.connection, "events", [event, down, up])
            await insert(around.connection, "entries", entries)
            await set_limits(around, event, floor, None)

    if holds:
        await change()
    else:
        with pytest.raises(Integrity, match="is broken by entry 6, which came after it"):
            await change()


async def test_approval_after_the_time_is_over(around: Around) -> None:
    late = around.world.pending["expire_time"]
    event = {**around.book.revision(around.world.pending, POSTED_EVENT, POSTED), "recorded_time": late}
    event["postings_at"] = event["sequence"]
    entries = around.book.pair(event, SETTLE, WALLET, CASH, 300)
    await around.refused(Integrity, "does not follow from the revision before it", [event], entries)


async def test_ghost_revision_in_an_event_of_another_kind(around: Around) -> None:
    event = around.book.event(ACCOUNT_CHANGED, account_no=CASH, detail={})
    ghost = {**event, "transaction_no": 1, "revision": 1, "status": 3}
    await around.refused(asyncpg.CheckViolationError, "events_check_other", [ghost])


async def test_chain_against_the_sequence(around: Around) -> None:
    """Two events in one statement, the later one's entries first in the chain: bisection would miss them."""
    first, second = around.book.creation(POSTED), around.book.creation(POSTED)
    second["recorded_time"] = first["recorded_time"]
    entries = [*around.book.pair(second, POST, CASH, WALLET, 1), *around.book.pair(first, POST, CASH, WALLET, 1)]
    await around.refused(Integrity, "does not follow from the entry before it", [first, second], entries)


async def test_archived_entities_take_no_events(around: Around) -> None:
    await archive(around)
    event = around.book.creation(POSTED)
    await around.refused(Integrity, "archived", [event], around.book.pair(event, POST, CASH, WALLET, 1))


async def test_entity_that_does_not_exist(around: Around) -> None:
    event = Book(2_000_000_000).event(ENTITY_CREATED, detail={})
    await around.refused(Integrity, "does not exist", [event])


async def test_account_without_the_event_of_its_creation(around: Around) -> None:
    row = account_row({**around.world.posted, "sequence": 500}, "ghost", 1, [])
    with pytest.raises(Integrity):
        await insert(around.connection, "accounts", [row])


async def test_account_changed_with_the_event_of_an_earlier_change(around: Around) -> None:
    """The event of the freeze does not serve for the unfreeze."""
    with pytest.raises(Restrict, match="change refused"):
        await around.connection.execute(
            "UPDATE ledger.accounts SET state = 1, revision = revision + 1 WHERE entity_no = $1 AND account_no = $2",
            around.book.entity_no,
            FROZEN,
        )


async def test_limits_removed_without_an_event(around: Around) -> None:
    """A floor that nobody can see to have been removed is no floor."""
    with pytest.raises((Integrity, Restrict)):
        await around.connection.execute("DELETE FROM ledger.account_limits WHERE entity_no = $1", around.book.entity_no)


# Rule 7: limits, and the state of accounts.


async def test_floor_broken_by_a_posting(around: Around) -> None:
    event = around.book.creation(POSTED)
    available = 1_007 - 300
    entries = around.book.pair(event, POST, WALLET, CASH, available + 1)
    await around.refused(Integrity, "takes the account below its floor", [event], entries)


async def test_floor_broken_by_a_hold(around: Around) -> None:
    event = around.book.creation(PENDING)
    entries = around.book.pair(event, HOLD, WALLET, CASH, 708)
    await around.refused(Integrity, "takes the account below its floor", [event], entries)


async def test_floor_broken_on_the_way_of_one_statement(around: Around) -> None:
    """Out by one event, in by the next: the state in between counts."""
    book = around.book
    one, other = book.creation(POSTED), book.creation(POSTED)
    other["recorded_time"] = one["recorded_time"]
    entries = [*book.pair(one, POST, WALLET, CASH, 708), *book.pair(other, POST, CASH, WALLET, 708)]
    await around.refused(Integrity, "takes the account below its floor", [one, other], entries)


async def test_ceiling_broken(around: Around) -> None:
    event = around.book.creation(POSTED)
    entries = around.book.pair(event, POST, CASH, WALLET, 8_994)
    await around.refused(Integrity, "takes the account above its ceiling", [event], entries)


@pytest.mark.parametrize(("column", "value"), [("floor", 708), ("ceiling", 1_006)], ids=["floor", "ceiling"])
async def test_limit_that_is_already_broken(around: Around, column: str, value: int) -> None:
    """Pending outflow is taken off before a floor is compared, and not before a ceiling is."""
    place = {"entity_no": around.book.entity_no, "account_no": WALLET, "currency": "USD"}
    await around.connection.execute("BEGIN")
    await insert(around.connection, "events", [around.book.event(ACCOUNT_CHANGED, account_no=WALLET, detail={})])
    await around.connection.execute("DELETE FROM ledger.account_limits WHERE entity_no = $1", around.book.entity_no)
    with pytest.raises(Integrity, match="is broken by its present balance"):
        await insert(around.connection, "account_limits", [{**place, column: value}])
    await around.connection.execute("ROLLBACK")


@pytest.mark.parametrize(
    ("account_no", "message"),
    [
        (FROZEN, "is of an account that is not open"),
        (CLOSED, "is of an account that is not open"),
        (NOBODY, "is of an account that does not exist"),
    ],
    ids=["frozen", "closed", "unknown"],
)
@pytest.mark.parametrize(("status", "kind"), [(POSTED, POST), (PENDING, HOLD)], ids=["post", "hold"])
async def test_postings_to_accounts_that_take_none(
    around: Around, account_no: int, message: str, status: int, kind: int
) -> None:
    event = around.book.creation(status)
    await around.refused(Integrity, message, [event], around.book.pair(event, kind, CASH, account_no, 1))


async def test_hold_on_a_frozen_account_is_not_settled(around: Around) -> None:
    event = around.book.revision(around.world.on_frozen, POSTED_EVENT, POSTED, moves=True)
    entries = around.book.pair(event, SETTLE, CASH, FROZEN, 40)
    await around.refused(Integrity, "is of an account that is not open", [event], entries)


async def test_currency_that_the_account_does_not_take(around: Around) -> None:
    event = around.book.creation(POSTED)
    await around.refused(
        Integrity,
        "is in a currency that the account does not take",
        [event],
        around.book.pair(event, POST, CASH, EUROS, 1),
    )


# Rule 9: order.


async def test_gap_in_the_sequence(around: Around) -> None:
    around.book.sequence += 1
    event = around.book.creation(POSTED)
    entries = around.book.pair(event, POST, CASH, WALLET, 1)
    await around.refused(Integrity, "has a gap before", [event], entries)


async def test_gap_inside_one_statement(around: Around) -> None:
    book = around.book
    one = book.creation(POSTED)
    book.sequence += 1
    other = book.creation(POSTED, recorded_time=one["recorded_time"])
    entries = [*book.pair(one, POST, CASH, WALLET, 1), *book.pair(other, POST, CASH, WALLET, 1)]
    await around.refused(Integrity, "has a gap between", [one, other], entries)


async def test_sequence_given_twice(around: Around) -> None:
    around.book.sequence -= 1
    event = around.book.creation(POSTED)
    entries = around.book.pair(event, POST, CASH, WALLET, 1)
    await around.refused(Unique, "events_pkey", [event], entries)


async def test_recorded_time_that_goes_back(around: Around) -> None:
    event = around.book.creation(POSTED, recorded_time=RECORDED)
    entries = around.book.pair(event, POST, CASH, WALLET, 1)
    await around.refused(Integrity, "recorded time of entity .* goes back", [event], entries)


async def test_two_recorded_times_in_one_database_transaction(around: Around) -> None:
    book = around.book
    one, other = book.creation(POSTED), book.creation(POSTED)
    entries = [*book.pair(one, POST, CASH, WALLET, 1), *book.pair(other, POST, CASH, WALLET, 1)]
    await around.refused(Integrity, "are recorded at several times", [one, other], entries)


# Events and entries belong together: proved at COMMIT.


async def test_transaction_without_entries(around: Around) -> None:
    for status in (POSTED, PENDING):
        book = replace(around.book)
        await around.refused(Integrity, "do not belong to their events", [book.creation(status)])


async def test_entries_without_an_event(around: Around) -> None:
    event = around.book.creation(POSTED)
    entries = around.book.pair(event, POST, CASH, WALLET, 1)
    with pytest.raises(Integrity, match="without an event of the same database transaction"):
        await insert(around.connection, "entries", entries)


@pytest.mark.parametrize(
    ("status", "kind"), [(POSTED, HOLD), (PENDING, POST)], ids=["posted_with_hold", "pending_with_post"]
)
async def test_entries_of_another_kind_than_the_status(around: Around, status: int, kind: int) -> None:
    event = around.book.creation(status)
    entries = around.book.pair(event, kind, CASH, WALLET, 1)
    await around.refused(Integrity, "do not belong to their events", [event], entries)


async def test_refusal_with_entries(around: Around) -> None:
    event = around.book.event(REFUSED, idempotency_key="no", request_hash="\\x00", detail={})
    entries = around.book.pair({**event, "effective_time": EFFECTIVE}, POST, CASH, WALLET, 1)
    await around.refused(Integrity, "do not belong to their events", [event], entries)


async def test_entries_effective_at_another_time_than_their_transaction(around: Around) -> None:
    event = around.book.creation(POSTED)
    other = {**event, "effective_time": EFFECTIVE + timedelta(days=1)}
    entries = around.book.pair(other, POST, CASH, WALLET, 1)
    await around.refused(Integrity, "do not belong to their events", [event], entries)


async def test_void_that_releases_nothing(around: Around) -> None:
    event = around.book.revision(around.world.pending, VOIDED_EVENT, VOIDED)
    await around.refused(Integrity, "do not belong to their events", [event])


# The life of a transaction.


async def test_approved_twice(around: Around) -> None:
    book, world = around.book, around.world
    first = book.revision(world.pending, POSTED_EVENT, POSTED, moves=True)
    await write(around.connection, [first], book.pair(first, SETTLE, WALLET, CASH, 300))
    second = book.revision(first, POSTED_EVENT, POSTED, moves=True)
    entries = book.pair(second, SETTLE, WALLET, CASH, 300)
    entries = [
        {**e, "debits_pending": max(0, e["debits_pending"]), "credits_pending": max(0, e["credits_pending"])}
        for e in entries
    ]
    await around.refused(Integrity, "does not follow from the revision before it", [second], entries)


async def test_two_racing_approvals(around: Around) -> None:
    """Two writers that both saw revision 1: the second has the same revision number."""
    book, world = around.book, around.world
    first = book.revision(world.pending, POSTED_EVENT, POSTED, moves=True)
    await write(around.connection, [first], book.pair(first, SETTLE, WALLET, CASH, 300))
    second = book.revision(world.pending, POSTED_EVENT, POSTED, moves=True)
    await around.refused(Unique, "events_by_revision", [second])


async def test_approved_after_void(around: Around) -> None:
    book = around.book
    event = book.revision(around.world.voided, POSTED_EVENT, POSTED, moves=True)
    await around.refused(Integrity, "does not follow from the revision before it", [event])


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (EDITED, PENDING),
        (CLEARED_EVENT, CLEARED),
        (VOIDED_EVENT, VOIDED),
        (EXPIRED_EVENT, EXPIRED),
        (POSTED_EVENT, POSTED),
    ],
    ids=["edited", "cleared", "voided", "expired", "approved"],
)
async def test_posted_is_final(around: Around, kind: int, status: int) -> None:
    event = around.book.revision(around.world.posted, kind, status)
    await around.refused(Integrity, "does not follow from the revision before it", [event])


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (EDITED, POSTED),
        (CLEARED_EVENT, POSTED),
        (POSTED_EVENT, PENDING),
        (VOIDED_EVENT, POSTED),
        (EXPIRED_EVENT, VOIDED),
        (REVERSED, PENDING),
    ],
    ids=["edited", "cleared", "approved", "voided", "expired", "reversed"],
)
async def test_status_that_the_event_does_not_lead_to(around: Around, kind: int, status: int) -> None:
    event = around.book.revision(around.world.pending, kind, status)
    await around.refused(Check, "events_check_shape", [event])


@pytest.mark.parametrize("status", [VOIDED, EXPIRED])
async def test_created_as_ended(around: Around, status: int) -> None:
    event = around.book.creation(status)
    await around.refused(Check, "events_check_shape", [event], around.book.pair(event, HOLD, CASH, WALLET, 1))


async def test_revision_that_skips_one(around: Around) -> None:
    event = around.book.revision(around.world.pending, VOIDED_EVENT, VOIDED, revision=3)
    await around.refused(
        Integrity,
        "does not follow from the revision before it",
        [event],
        around.book.pair(event, RELEASE, WALLET, CASH, 300),
    )


async def test_revision_of_nothing(around: Around) -> None:
    pending = {**around.world.pending, "transaction_no": 1}
    event = around.book.revision(pending, VOIDED_EVENT, VOIDED)
    await around.refused(Integrity, "does not follow from the revision before it", [event])


@pytest.mark.parametrize(
    "change",
    [
        {"description": "something else"},
        {"reference": "something else"},
        {"effective_time": EFFECTIVE + timedelta(days=1)},
        {"expire_time": None},
        {"metadata": {"a": 1}},
        {"counterparty": "someone else"},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_void_that_rewrites_the_transaction(around: Around, change: Row) -> None:
    event = around.book.revision(around.world.pending, VOIDED_EVENT, VOIDED, **change)
    entries = around.book.pair(event, RELEASE, WALLET, CASH, 300)
    await around.refused(Integrity, "does not follow from the revision before it", [event], entries)


async def test_expired_before_its_time(around: Around) -> None:
    event = around.book.revision(around.world.pending, EXPIRED_EVENT, EXPIRED)
    entries = around.book.pair(event, RELEASE, WALLET, CASH, 300)
    await around.refused(Integrity, "does not follow from the revision before it", [event], entries)


async def test_settled_more_than_held(around: Around) -> None:
    """The other hold in the accounts would cover it, so the totals stay right; the transaction's own does not."""
    book = around.book
    other = book.creation(PENDING)
    await write(around.connection, [other], book.pair(other, HOLD, WALLET, CASH, 50))
    event = book.revision(around.world.pending, POSTED_EVENT, POSTED, moves=True)
    entries = book.pair(event, SETTLE, WALLET, CASH, 310)
    await around.refused(Integrity, "releases or settles other than it held", [event], entries)


async def test_settled_less_than_held_without_releasing_the_rest(around: Around) -> None:
    event = around.book.revision(around.world.pending, POSTED_EVENT, POSTED, moves=True)
    entries = around.book.pair(event, SETTLE, WALLET, CASH, 290)
    await around.refused(Integrity, "releases or settles other than it held", [event], entries)


async def test_settled_on_another_account_than_held(around: Around) -> None:
    book = around.book
    other = book.creation(PENDING)
    await write(around.connection, [other], book.pair(other, HOLD, CASH, WALLET, 300))
    event = book.revision(around.world.pending, POSTED_EVENT, POSTED, moves=True)
    entries = book.pair(event, SETTLE, CASH, WALLET, 300)
    await around.refused(Integrity, "releases or settles other than it held", [event], entries)


async def test_released_more_than_held(around: Around) -> None:
    book = around.book
    other = book.creation(PENDING)
    await write(around.connection, [other], book.pair(other, HOLD, WALLET, CASH, 50))
    event = book.revision(around.world.pending, VOIDED_EVENT, VOIDED)
    entries = book.pair(event, RELEASE, WALLET, CASH, 350)
    await around.refused(Integrity, "releases or settles other than it held", [event], entries)


async def test_edit_that_moves_more_than_was_held(around: Around) -> None:
    """Postings of an edit are the same amounts on other accounts: more can't be held by it."""
    book = around.book
    event = book.revision(around.world.pending, EDITED, PENDING, moves=True)
    entries = [*book.pair(event, RELEASE, WALLET, CASH, 300), *book.pair(event, HOLD, WALLET, CASH, 400)]
    later = book.revision(event, VOIDED_EVENT, VOIDED, recorded_time=event["recorded_time"])
    entries += book.pair(later, RELEASE, WALLET, CASH, 300)
    await around.refused(Integrity, "releases or settles other than it held", [event, later], entries)


@pytest.mark.parametrize(("kind", "status"), [(EDITED, PENDING), (CLEARED_EVENT, CLEARED)], ids=["edited", "cleared"])
async def test_postings_of_another_transaction(around: Around, kind: int, status: int) -> None:
    """A revision that writes no entries has the postings of the revision before it, not somebody else's."""
    event = around.book.revision(around.world.pending, kind, status, postings_at=around.world.posted["sequence"])
    await around.refused(Integrity, "does not follow from the revision before it|do not belong", [event])


@pytest.mark.parametrize(("released", "held"), [(300, 400), (100, 50)], ids=["raised", "moved_in_part"])
async def test_edit_of_the_amount(around: Around, released: int, held: int) -> None:
    """Edits change accounts, never amounts: all that was held is released, and as much is held anew."""
    book = around.book
    event = book.revision(around.world.pending, EDITED, PENDING, moves=True)
    entries = [
        *book.pair(event, RELEASE, WALLET, CASH, released),
        *book.pair(event, HOLD, WALLET, CASH, held),
    ]
    await around.refused(Integrity, "releases or settles other than it held|do not belong", [event], entries)


# Reversals.


async def test_reversal_that_exceeds_the_original(around: Around) -> None:
    event = around.book.creation(POSTED, kind=REVERSED, reverses=around.world.keyed["sequence"])
    entries = reversal_entries(around.book, event, 8)
    await around.refused(Integrity, "reversals of transaction .* exceed it", [event], entries)


async def test_reversals_that_exceed_the_original_together(around: Around) -> None:
    book = around.book
    first = book.creation(POSTED, kind=REVERSED, reverses=around.world.keyed["sequence"])
    await write(around.connection, [first], reversal_entries(book, first, 5))
    second = book.creation(POSTED, kind=REVERSED, reverses=around.world.keyed["sequence"])
    entries = reversal_entries(book, second, 3)
    await around.refused(Integrity, "reversals of transaction .* exceed it", [second], entries)


async def test_reversal_of_other_accounts(around: Around) -> None:
    book = around.book
    event = book.creation(POSTED, kind=REVERSED, reverses=around.world.keyed["sequence"])
    entries = [book.entry(event, POST, 0, WALLET, DEBIT, 5), book.entry(event, POST, 1, CASH, CREDIT, 5)]
    await around.refused(Integrity, "reversals of transaction .* exceed it", [event], entries)


async def test_reversal_of_what_is_pending(around: Around) -> None:
    book = around.book
    event = book.creation(POSTED, kind=REVERSED, reverses=around.world.pending["sequence"])
    entries = [book.entry(event, POST, 0, WALLET, CREDIT, 5), book.entry(event, POST, 1, CASH, DEBIT, 5)]
    await around.refused(Integrity, "reverses what is not posted", [event], entries)


async def test_reversal_of_a_reversal(around: Around) -> None:
    book = around.book
    first = book.creation(POSTED, kind=REVERSED, reverses=around.world.keyed["sequence"])
    await write(around.connection, [first], reversal_entries(book, first, 5))
    second = book.creation(POSTED, kind=REVERSED, reverses=first["sequence"])
    entries = [book.entry(second, POST, 0, CASH, DEBIT, 5), book.entry(second, POST, 1, WALLET, CREDIT, 5)]
    await around.refused(Integrity, "reverses what is not posted", [second], entries)


async def test_reversal_of_nothing(around: Around) -> None:
    event = around.book.creation(POSTED, kind=REVERSED, reverses=1)
    await around.refused(Integrity, "reverses what is not posted", [event], reversal_entries(around.book, event, 5))


# Categories: annotations, but each with its event.


def category(event: Row, name: str) -> Row:
    """The row that goes with the event that creates a category."""
    return {
        "entity_no": event["entity_no"],
        "category_no": event["sequence"],
        "category_id": event["category_id"],
        "name": name,
        "state": 1,
        "created_time": event["recorded_time"],
        "updated_time": event["recorded_time"],
        "sequence": event["sequence"],
        "revision": 1,
    }


def said(category_no: int, name: str, state: int = 1, revision: int = 1) -> Row:
    """What the event of a category says."""
    return {"category_no": category_no, "name": name, "state": state, "revision": revision, "metadata": None}


async def add_category(around: Around, category_id: str, name: str, spoilt: Row | None = None) -> int:
    """Create a category as the service does; `spoilt`: columns of its row that are other than they should be."""
    event = around.book.event(CATEGORY_CREATED, category_id=category_id)
    event["detail"] = said(event["sequence"], name)
    async with around.connection.transaction():
        await insert(around.connection, "events", [event])
        await insert(around.connection, "categories", [{**category(event, name), **(spoilt or {})}])
    return int(event["sequence"])


async def change_category(
    around: Around,
    number: int,
    changes: str,
    *,
    name: str,
    state: int = 1,
    revision: int = 2,
    category_id: str = "rent",
) -> None:
    """Write the event of a change that says so, and these changes of the row; $2 is the event's sequence."""
    event = around.book.event(CATEGORY_CHANGED, category_id=category_id, detail=said(number, name, state, revision))
    async with around.connection.transaction():
        await insert(around.connection, "events", [event])
        await around.connection.execute(
            f"UPDATE ledger.categories SET sequence = $2, {changes} WHERE entity_no = $1 AND category_no = $3",
            around.book.entity_no, event["sequence"], number,
        )  # fmt: skip


async def categories(around: Around) -> list[tuple[Any, ...]]:
    """The rows of the entity's categories."""
    rows = await around.connection.fetch(
        "SELECT * FROM ledger.categories WHERE entity_no = $1 ORDER BY category_no", around.book.entity_no
    )
    return [tuple(row) for row in rows]


async def test_categories_that_keep_the_rules_are_taken(around: Around) -> None:
    book, world = around.book, around.world
    rent = await add_category(around, "rent", "Rent")
    for before, status in ((world.posted, POSTED), (world.pending, PENDING), (world.voided, VOIDED)):
        given = book.revision(before, CATEGORIZED, status, category_id="rent")
        await write(around.connection, [given])
        taken = book.revision(given, CATEGORIZED, status, category_id=None)
        await write(around.connection, [taken])
    await change_category(around, rent, "name = 'Lease', revision = 2", name="Lease")
    await add_category(around, "other", "Rent")
    await change_category(around, rent, "state = 2, revision = 3", name="Lease", state=2, revision=3)
    await add_category(around, "another", "Lease")
    assert [(row[2], row[3], row[4]) for row in await categories(around)] == [
        ("rent", "Lease", 2),
        ("other", "Rent", 1),
        ("another", "Lease", 1),
    ]


async def test_category_and_what_has_it_in_one_statement(around: Around) -> None:
    """The committer writes all events first; the row of the category follows, and must."""
    book = around.book
    event = book.event(CATEGORY_CREATED, category_id="rent")
    event["detail"] = said(event["sequence"], "Rent")
    used = book.creation(POSTED, category_id="rent", recorded_time=event["recorded_time"])
    async with around.connection.transaction():
        await insert(around.connection, "events", [event, used])
        await insert(around.connection, "entries", book.pair(used, POST, CASH, WALLET, 3))
        await insert(around.connection, "categories", [category(event, "Rent")])
    assert len(await categories(around)) == 1


async def test_category_whose_row_does_not_follow(around: Around) -> None:
    book = around.book
    event = book.event(CATEGORY_CREATED, category_id="rent")
    event["detail"] = said(event["sequence"], "Rent")
    used = book.creation(POSTED, category_id="rent", recorded_time=event["recorded_time"])
    await around.refused(
        Integrity, "tells other of its category than is so", [event, used], book.pair(used, POST, CASH, WALLET, 3)
    )
    assert await categories(around) == []


async def test_change_of_a_category_whose_row_does_not_follow(around: Around) -> None:
    rent = await add_category(around, "rent", "Rent")
    detail = said(rent, "Lease", revision=2)
    event = around.book.event(CATEGORY_CHANGED, category_id="rent", detail=detail)
    await around.refused(Integrity, "tells other of its category than is so", [event], [])
    assert [row[3] for row in await categories(around)] == ["Rent"]


async def test_category_that_comes_after_what_has_it(around: Around) -> None:
    book = around.book
    used = book.creation(POSTED, category_id="rent")
    event = book.event(CATEGORY_CREATED, category_id="rent", recorded_time=used["recorded_time"])
    event["detail"] = said(event["sequence"], "Rent")
    await around.refused(
        Integrity, "names a category that does not exist", [used, event], book.pair(used, POST, CASH, WALLET, 3)
    )


async def test_category_without_an_event(around: Around) -> None:
    row = category({**around.world.posted, "category_id": "rent"}, "Rent")
    with pytest.raises(Integrity, match=r"category rent .* is not what its event says"):
        await insert(around.connection, "categories", [row])
    assert await categories(around) == []


@pytest.mark.parametrize(
    "spoilt",
    [
        {"name": "Other"},
        {"state": 2},
        {"revision": 2},
        {"category_no": 1},
        {"category_id": "other"},
        {"metadata": {"a": 1}},
        {"sequence": 1},
    ],
    ids=lambda spoilt: next(iter(spoilt)),
)
async def test_category_that_is_not_what_its_event_says(around: Around, spoilt: Row) -> None:
    before = await around.history()
    with pytest.raises(Integrity, match="is not what its event says"):
        await add_category(around, "rent", "Rent", spoilt)
    assert (await categories(around), await around.history()) == ([], before)


async def test_category_without_the_event_of_its_creation(around: Around) -> None:
    """The event of a change does not create."""
    event = around.book.event(CATEGORY_CHANGED, category_id="rent")
    event["detail"] = said(event["sequence"], "Rent")
    await around.connection.execute("BEGIN")
    await insert(around.connection, "events", [event])
    with pytest.raises(Integrity, match="is not what its event says"):
        await insert(around.connection, "categories", [category(event, "Rent")])
    await around.connection.execute("ROLLBACK")


async def test_second_active_category_of_a_name(around: Around) -> None:
    await add_category(around, "rent", "Rent")
    with pytest.raises(Unique, match="categories_by_name"):
        await add_category(around, "other", "Rent")


async def test_category_renamed_to_another_ones_name(around: Around) -> None:
    rent = await add_category(around, "rent", "Rent")
    await add_category(around, "other", "Other")
    with pytest.raises(Unique, match="categories_by_name"):
        await change_category(around, rent, "name = 'Other', revision = 2", name="Other")


async def test_second_category_of_an_id(around: Around) -> None:
    await add_category(around, "rent", "Rent")
    with pytest.raises(Unique, match="categories_entity_no_category_id_key"):
        await add_category(around, "rent", "Other")


@pytest.mark.parametrize(
    "changes",
    [
        "name = 'Lease'",
        "metadata = '{}'",
        "state = 2",
        "updated_time = now()",
        "revision = 2",
        "sequence = sequence + 1",
    ],
    ids=lambda changes: changes.partition(" ")[0],
)
async def test_category_changed_without_an_event(around: Around, changes: str) -> None:
    await add_category(around, "rent", "Rent")
    before = await categories(around)
    with pytest.raises(Integrity, match="is not what its event says"):
        await around.connection.execute(
            f"UPDATE ledger.categories SET {changes} WHERE entity_no = $1", around.book.entity_no
        )
    assert await categories(around) == before


@pytest.mark.parametrize(
    ("changes", "name", "revision"),
    [
        ("name = 'Lease', revision = 2", "Else", 2),
        ("state = 2, revision = 2", "Rent", 2),
        ("metadata = '{}', revision = 2", "Rent", 2),
        ("revision = 3", "Rent", 2),
    ],
    ids=["name", "state", "metadata", "revision"],
)
async def test_category_changed_to_other_than_its_event_says(
    around: Around, changes: str, name: str, revision: int
) -> None:
    rent = await add_category(around, "rent", "Rent")
    with pytest.raises(Integrity, match="is not what its event says"):
        await change_category(around, rent, changes, name=name, revision=revision)


async def test_category_whose_revision_skips_one(around: Around) -> None:
    rent = await add_category(around, "rent", "Rent")
    with pytest.raises(Restrict, match=r"category rent .*: change refused"):
        await change_category(around, rent, "revision = 3", name="Rent", revision=3)


async def test_archived_category_stays_archived(around: Around) -> None:
    rent = await add_category(around, "rent", "Rent")
    await change_category(around, rent, "state = 2, revision = 2", name="Rent", state=2)
    for changes, name, state in (("state = 1", "Rent", 1), ("name = 'Lease'", "Lease", 2)):
        with pytest.raises(Restrict, match=r"category rent .*: change refused"):
            await change_category(around, rent, f"{changes}, revision = 3", name=name, state=state, revision=3)
        around.book.sequence -= 1


@pytest.mark.parametrize("changes", ["created_time = now(), revision = 2", "entity_no = 1, revision = 2"])
async def test_what_is_fixed_about_a_category(around: Around, changes: str) -> None:
    rent = await add_category(around, "rent", "Rent")
    with pytest.raises((Denied, Restrict, Integrity)):
        await change_category(around, rent, changes, name="Rent")


async def test_categories_are_not_deleted(around: Around) -> None:
    await add_category(around, "rent", "Rent")
    before = await categories(around)
    for statement in ("DELETE FROM ledger.categories", "TRUNCATE ledger.categories"):
        with pytest.raises((Restrict, Denied)):
            await around.connection.execute(statement)
    assert await categories(around) == before


@pytest.mark.parametrize("kind", [CATEGORY_CREATED, CATEGORY_CHANGED])
async def test_category_event_that_names_none(around: Around, kind: int) -> None:
    await around.refused(Check, "events_check_shape", [around.book.event(kind, detail=said(1, "Rent"))])


@pytest.mark.parametrize("kind", [CATEGORY_CREATED, CATEGORY_CHANGED])
async def test_category_event_that_says_nothing(around: Around, kind: int) -> None:
    await around.refused(Check, "events_check_shape", [around.book.event(kind, category_id="rent")])


async def test_category_event_about_a_transaction(around: Around) -> None:
    event = around.book.event(CATEGORY_CREATED, category_id="rent", detail={}, transaction_no=1)
    await around.refused(Check, "events_check_other", [event])


async def test_event_of_an_unknown_kind(around: Around) -> None:
    await around.refused(Check, "events_check_kind", [around.book.event(17, detail={})])


@pytest.mark.parametrize("which", ["posted", "pending", "voided"])
async def test_unknown_category_is_given(around: Around, which: str) -> None:
    before = getattr(around.world, which)
    event = around.book.revision(before, CATEGORIZED, before["status"], category_id="nothing")
    await around.refused(Integrity, "names a category that does not exist", [event])


async def test_transaction_is_created_with_an_unknown_category(around: Around) -> None:
    event = around.book.creation(POSTED, category_id="nothing")
    entries = around.book.pair(event, POST, CASH, WALLET, 1)
    await around.refused(Integrity, "names a category that does not exist", [event], entries)


async def test_category_of_another_entity_is_given(around: Around) -> None:
    stranger = Around(around.connection, await build(around.connection))
    await add_category(stranger, "theirs", "Theirs")
    event = around.book.revision(around.world.posted, CATEGORIZED, POSTED, category_id="theirs")
    await around.refused(Integrity, "names a category that does not exist", [event])


@pytest.mark.parametrize(
    "change",
    [
        {"status": PENDING},
        {"status": VOIDED},
        {"description": "something else"},
        {"reference": "something else"},
        {"effective_time": EFFECTIVE + timedelta(days=1)},
        {"expire_time": RECORDED + timedelta(days=9)},
        {"metadata": {"a": 1}},
        {"counterparty": "someone else"},
        {"postings_at": CASH},
        {"revision": 3},
    ],
    ids=lambda change: f"{next(iter(change))}",
)
async def test_category_given_with_another_change(around: Around, change: Row) -> None:
    await add_category(around, "rent", "Rent")
    event = around.book.revision(around.world.posted, CATEGORIZED, POSTED, category_id="rent")
    event |= change
    await around.refused(Integrity, "does not follow from the revision before it", [event])


async def test_category_given_with_postings_anew(around: Around) -> None:
    await add_category(around, "rent", "Rent")
    event = around.book.revision(around.world.pending, CATEGORIZED, PENDING, moves=True, category_id="rent")
    await around.refused(Integrity, "does not follow from the revision before it", [event])


@pytest.mark.parametrize(("kind", "amount"), [(POST, 1), (HOLD, 1), (RELEASE, 300), (SETTLE, 300)])
async def test_category_given_with_entries(around: Around, kind: int, amount: int) -> None:
    await add_category(around, "rent", "Rent")
    event = around.book.revision(around.world.pending, CATEGORIZED, PENDING, category_id="rent")
    entries = around.book.pair(event, kind, WALLET, CASH, amount)
    await around.refused(Integrity, "do not belong to their events", [event], entries)


async def test_category_given_as_the_first_revision(around: Around) -> None:
    await add_category(around, "rent", "Rent")
    event = around.book.creation(POSTED, kind=CATEGORIZED, category_id="rent")
    await around.refused(Check, "events_check_shape", [event], around.book.pair(event, POST, CASH, WALLET, 1))


@pytest.mark.parametrize(("kind", "status"), [(EDITED, PENDING), (CLEARED_EVENT, CLEARED)], ids=["edited", "cleared"])
async def test_category_given_by_another_kind_of_event(around: Around, kind: int, status: int) -> None:
    await add_category(around, "rent", "Rent")
    event = around.book.revision(around.world.pending, kind, status, category_id="rent")
    await around.refused(Integrity, "does not follow from the revision before it", [event])


async def test_category_given_after_the_time_is_over(around: Around) -> None:
    """Whose time is over while it is open expires first."""
    await add_category(around, "rent", "Rent")
    around.book.recorded += timedelta(days=2)
    event = around.book.revision(around.world.pending, CATEGORIZED, PENDING, category_id="rent")
    await around.refused(Integrity, "does not follow from the revision before it", [event])


async def test_category_given_after_the_end(around: Around) -> None:
    """Its deadline has no say any more."""
    book = around.book
    await add_category(around, "rent", "Rent")
    book.recorded += timedelta(days=2)
    expired = book.revision(around.world.pending, EXPIRED_EVENT, EXPIRED)
    await write(around.connection, [expired], book.pair(expired, RELEASE, WALLET, CASH, 300))
    await write(around.connection, [book.revision(expired, CATEGORIZED, EXPIRED, category_id="rent")])


async def test_posted_stays_final_after_its_category_was_given(around: Around) -> None:
    book = around.book
    await add_category(around, "rent", "Rent")
    given = book.revision(around.world.posted, CATEGORIZED, POSTED, category_id="rent")
    await write(around.connection, [given])
    for kind, status in ((EDITED, PENDING), (VOIDED_EVENT, VOIDED), (POSTED_EVENT, POSTED)):
        event = book.revision(given, kind, status)
        await around.refused(Integrity, "does not follow from the revision before it", [event])
        book.sequence -= 1


async def test_reversal_of_what_has_got_a_category(around: Around) -> None:
    book, original = around.book, around.world.keyed
    await add_category(around, "rent", "Rent")
    await write(around.connection, [book.revision(original, CATEGORIZED, POSTED, category_id="rent")])
    heads = dict(book.heads)
    too_much = book.creation(POSTED, kind=REVERSED, reverses=original["sequence"])
    await around.refused(Integrity, "exceed it", [too_much], reversal_entries(book, too_much, 8))
    book.heads, book.sequence = heads, book.sequence - 1
    all_of_it = book.creation(POSTED, kind=REVERSED, reverses=original["sequence"])
    await write(around.connection, [all_of_it], reversal_entries(book, all_of_it, 7))


# What the service's role may not do at all.


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE ledger.events DISABLE TRIGGER ALL",
        "ALTER TABLE ledger.entries DISABLE TRIGGER check_entries",
        "SET session_replication_role = replica",
        "DROP TABLE ledger.entries CASCADE",
        "DROP TRIGGER check_events ON ledger.events",
        "DROP FUNCTION ledger.check_commit() CASCADE",
        "DROP SCHEMA ledger CASCADE",
        "ALTER TABLE ledger.entries DROP CONSTRAINT entries_chain",
        "ALTER TABLE ledger.entries ADD COLUMN more int",
        "CREATE TABLE ledger.more (id int)",
        "CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
        "CREATE RULE nothing AS ON INSERT TO ledger.entries DO INSTEAD NOTHING",
        "INSERT INTO ledger.open_transactions VALUES (1, 1, 1, NULL)",
        "DELETE FROM ledger.open_transactions",
        "UPDATE ledger.open_transactions SET expire_time = NULL",
        "UPDATE ledger.account_limits SET floor = NULL",
        "UPDATE ledger.categories SET category_id = 'mine'",
        "UPDATE ledger.categories SET created_time = now()",
        "DELETE FROM ledger.categories",
        "UPDATE ledger.secrets SET value = ''",
        "INSERT INTO ledger.secrets VALUES ('mine', '')",
        "UPDATE ledger.currencies SET exponent = 0",
        "INSERT INTO ledger.currencies VALUES ('XAB', 0)",
        "UPDATE ledger.credentials SET scopes = '{admin}'",
        "UPDATE ledger.credentials SET token_hmac = sha256('mine')",
        "DELETE FROM ledger.credentials",
        "UPDATE ledger_migrations.applied SET digest = ''",
        "SELECT rolpassword FROM pg_authid",
        "COPY ledger.events TO PROGRAM 'cat'",
        "SELECT pg_read_file('PG_VERSION')",
        "CREATE ROLE mine SUPERUSER",
    ],
)  # fmt: skip
async def test_the_service_may_not(as_service: Around, statement: str) -> None:
    with pytest.raises(Denied):
        await as_service.connection.execute(statement)


async def test_the_service_can_not_grant_itself_more(as_service: Around) -> None:
    """PostgreSQL answers such a GRANT with a warning only; it gives nothing."""
    await as_service.connection.execute("GRANT UPDATE, DELETE ON ledger.events TO ledger_service")
    for right in ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER"):
        assert not await as_service.connection.fetchval("SELECT has_table_privilege('ledger.events', $1)", right)


async def test_nobody_else_has_rights(shared: str) -> None:
    async with connected(shared) as connection:
        rows = await connection.fetch(
            "SELECT DISTINCT grantee FROM information_schema.table_privileges WHERE table_schema = 'ledger'"
        )
    assert {row["grantee"] for row in rows} == {"postgres", *database.ROLES}


@pytest.mark.parametrize(
    "table",
    ["entities", "accounts", "account_limits", "categories", "events", "entries", "commits", "credentials"],
)
async def test_the_reader_may_not_write(shared: str, table: str) -> None:
    async with connected(shared, "ledger_reader") as connection:
        for statement in (f"INSERT INTO ledger.{table} DEFAULT VALUES", f"DELETE FROM ledger.{table}"):
            with pytest.raises(Denied):
                await connection.execute(statement)
