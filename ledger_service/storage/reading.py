"""Reads of one entity: as a role that can't write and sees no other entity, every answer from one snapshot.

Each method takes the entity's number, and there is one way to a connection, which binds it to that entity
(row-level security, docs/decisions/0013). So a query that asks for too much gets nothing, not a stranger's rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from ledger_service.application.asking.ports import Arrangement, Known, Rows, RowsWanted
from ledger_service.application.ports import (
    AccountFilter,
    AccountPlace,
    BalanceRow,
    BalancesAt,
    Clock,
    CounterpartyRecord,
    EntryRecord,
    Event,
    Moment,
    SearchFilter,
    TransactionFilter,
    TransactionPlace,
)
from ledger_service.domain.account import Account
from ledger_service.domain.category import Category
from ledger_service.domain.totals import Totals
from ledger_service.domain.transaction import BalanceAfter, Transaction
from ledger_service.storage import asking, finding, rows, sql
from ledger_service.storage.connections import Bound, shift_of
from ledger_service.storage.sealing import HistoryStore

_QUERIES = {**sql.load("shared.sql"), **sql.load("reading.sql")}
_LISTING = sql.load("listing.sql")
_BEYOND_ALL = 2**63 - 1
"""No entry has this number."""


class ReadStore:
    """See application.ports.ReadStore."""

    def __init__(self, entities: Bound, clock: Clock, slow_reads: int = 1) -> None:
        """`slow_reads`: searches and questions that may hold a connection at a time; others wait for their turn."""
        self._entities = entities
        self._clock = clock
        self._slow_reads = asyncio.Semaphore(slow_reads)

    @classmethod
    async def open(cls, dsn: str, size: int, clock: Clock) -> ReadStore:
        """Connect. Raises Unavailable."""
        # Half of the connections: a few searches at the end of their time limit must not keep balances from being read.
        return cls(await Bound.open(dsn, size), clock, max(1, size // 2))

    def history(self) -> HistoryStore:
        """Reads of the history trees, over the same connections."""
        return HistoryStore(self._entities)

    async def close(self) -> None:
        """Drop all connections."""
        self._entities.close()

    async def account_numbers(self, entity_no: int, account_ids: Sequence[str]) -> dict[str, int]:
        """Numbers of those that exist."""
        return dict(await self._fetch("account_numbers", entity_no, list(account_ids)))

    async def accounts(self, entity_no: int, account_nos: Sequence[int]) -> list[Account]:
        """In the order asked for; unknown numbers are left out."""
        async with self._entities.snapshot(entity_no, planned_once=True) as connection:
            return await _accounts(connection, entity_no, account_nos)

    async def list_accounts(
        self, entity_no: int, wanted: AccountFilter, after: AccountPlace | None, limit: int
    ) -> list[tuple[Account, AccountPlace]]:
        """By code, then id; or in the order of the tree."""
        common = (entity_no, wanted.parent_no, wanted.type, wanted.code_prefix, wanted.state)
        async with self._entities.snapshot(entity_no) as connection:
            if wanted.tree:
                records = await connection.fetch(
                    _QUERIES["accounts_tree"], *common, list(after.path) if after else None, limit
                )
                places = [AccountPlace(tuple(record["path"]), record["depth"]) for record in records]
            else:
                path = after.path if after else (None, None)
                records = await connection.fetch(_QUERIES["accounts_page"], *common, *path, limit)
                places = [AccountPlace((record["sort_code"], record["account_id"]), 0) for record in records]
            accounts = await _accounts(connection, entity_no, [record["account_no"] for record in records])
        return list(zip(accounts, places, strict=True))

    async def balances(
        self, entity_no: int, account_nos: Sequence[int], subtree: bool, currency: str | None, moment: Moment
    ) -> BalancesAt:
        """Totals by root and currency, all as of one sequence."""
        records = await self._fetch(
            "balances",
            entity_no,
            list(account_nos),
            subtree,
            currency,
            moment.effective_time,
            moment.known_time,
            moment.known_sequence,
            self._shift(),
        )
        first = records[0]
        return BalancesAt(
            first["sequence"],
            first["last"],
            [
                BalanceRow(
                    record["root"],
                    record["currency"],
                    Totals(
                        record["debits_posted"],
                        record["credits_posted"],
                        record["debits_pending"],
                        record["credits_pending"],
                    ),
                    0 if subtree else record["number"],
                )
                for record in records
                if record["root"] is not None
            ],
        )

    async def currencies_of(self, entity_no: int, account_no: int) -> list[str]:
        """Currencies that an account has entries in."""
        return [currency for (currency,) in await self._fetch("currencies_of", entity_no, account_no)]

    async def entries(
        self, entity_no: int, account_no: int, currency: str, after: int | None, ascending: bool, limit: int
    ) -> list[EntryRecord]:
        """By number."""
        query, beyond = ("entries_up", 0) if ascending else ("entries_down", _BEYOND_ALL)
        found = []
        place = beyond if after is None else after
        for record in await self._fetch(query, entity_no, account_no, currency, place, limit):
            head = rows.head_of(record)
            found.append(
                EntryRecord(
                    number=record["number"],
                    transaction_no=record["transaction_no"],
                    sequence=record["sequence"],
                    kind=record["kind"],
                    side=record["side"],
                    currency=currency,
                    amount=record["amount"] if record["wide"] is None else record["wide"][0],
                    totals=Totals(*head[:4]),
                    effective_time=record["effective_time"],
                    recorded_time=record["recorded_time"],
                )
            )
        return found

    async def transactions(self, entity_no: int, transaction_nos: Sequence[int]) -> list[Transaction]:
        """As they are now, in the order asked for; unknown numbers are left out."""
        async with self._entities.snapshot(entity_no, planned_once=True) as connection:
            return await transactions(connection, entity_no, transaction_nos)

    async def transactions_by_reference(
        self, entity_no: int, reference: str, after: int, limit: int
    ) -> list[Transaction]:
        """As they are now, oldest first."""
        async with self._entities.snapshot(entity_no, planned_once=True) as connection:
            records = await connection.fetch(_QUERIES["by_reference"], entity_no, reference, after, limit)
            return await transactions(connection, entity_no, [record["sequence"] for record in records])

    async def list_transactions(
        self, entity_no: int, wanted: TransactionFilter, after: TransactionPlace | None, limit: int
    ) -> list[Transaction]:
        """As they are now, by age or by effective time."""
        arguments = [
            entity_no,
            after.transaction_no if after else None,
            limit,
            list(wanted.statuses) if wanted.statuses else None,
            wanted.effective_from,
            wanted.effective_before,
            wanted.account_no,
        ]
        if wanted.by_effective_time:
            arguments.append(after.effective_time if after else None)
        async with self._entities.snapshot(entity_no) as connection:
            return await complete(connection, await connection.fetch(_listing(wanted), *arguments))

    async def search(
        self, entity_no: int, wanted: SearchFilter, skip: int, limit: int, most: int, seconds: float
    ) -> tuple[int, list[Transaction]]:
        """How many there are, up to `most` and one more, and a page of them."""
        async with self._searching(entity_no, seconds) as connection:
            total, page = await finding.search(connection, entity_no, wanted, skip, limit, most)
            return total, await transactions(connection, entity_no, page)

    async def counterparties(self, entity_no: int, after: str, limit: int, seconds: float) -> list[CounterpartyRecord]:
        """By key, after one."""
        async with self._searching(entity_no, seconds) as connection:
            return await finding.counterparties(connection, entity_no, after, limit)

    async def known_names(self, entity_no: int, most: int, seconds: float) -> Known:
        """What questions may name, at most so many of a kind."""
        async with self._searching(entity_no, seconds) as connection:
            return await asking.known_names(connection, entity_no, most)

    async def ask(
        self, entity_no: int, wanted: RowsWanted, arranged: Arrangement, other: RowsWanted | None, seconds: float
    ) -> Rows:
        """The rows of a plan, and the summaries of another period to compare with."""
        async with self._searching(entity_no, seconds) as connection:
            return await asking.ask(connection, entity_no, wanted, arranged, other)

    @asynccontextmanager
    async def _searching(self, entity_no: int, seconds: float) -> AsyncIterator[Any]:
        """A snapshot for statements that may take so long at most. Raises Unavailable, TooBroad."""
        async with (
            self._slow_reads,
            self._entities.snapshot(entity_no) as connection,
            finding.limited(connection, seconds),
        ):
            yield connection

    async def categories(self, entity_no: int, category_ids: Sequence[str]) -> list[Category]:
        """Those that exist."""
        records = await self._entities.fetch(entity_no, finding.QUERIES["categories"], list(category_ids))
        return [rows.category_of(record) for record in records]

    async def list_categories(
        self, entity_no: int, include_archived: bool, after: tuple[str, str] | None, limit: int
    ) -> list[Category]:
        """By name, then id."""
        place = after or (None, None)
        async with self._entities.snapshot(entity_no) as connection:
            records = await connection.fetch(
                finding.QUERIES["categories_page"], entity_no, include_archived, *place, limit
            )
        return [rows.category_of(record) for record in records]

    async def revisions(self, entity_no: int, transaction_no: int, after: int, limit: int) -> list[Transaction]:
        """All versions of a transaction, oldest first."""
        async with self._entities.snapshot(entity_no, planned_once=True) as connection:
            records = await connection.fetch(_QUERIES["revisions"], entity_no, transaction_no, after, limit)
            return await complete(connection, records)

    async def key_use(self, entity_no: int, key: str) -> tuple[int, int] | None:
        """Sequence and span of the write that carried this key."""
        records = await self._fetch("by_key", entity_no, key)
        return (records[0]["sequence"], records[0]["span"]) if records else None

    async def events(self, entity_no: int, after: int, limit: int) -> list[Event]:
        """What happened after a sequence, in order; each as it was after the event."""
        return await self._events("events_after", entity_no, after, limit)

    async def events_at(self, entity_no: int, sequences: Sequence[int]) -> list[Event]:
        """What happened at these sequences, in order."""
        return await self._events("events_at", entity_no, list(sequences))

    async def balances_after(self, entity_no: int, writes: Sequence[tuple[int, int]]) -> list[list[BalanceAfter]]:
        """For each write, given by its first and last sequence, the balances after it of what it touched."""
        found: list[list[BalanceAfter]] = [[] for _ in writes]
        columns = [first for first, _ in writes], [last for _, last in writes]
        for record in await self._fetch("balances_after", entity_no, *columns):
            found[record["place"] - 1].append(
                BalanceAfter(
                    record["account_no"],
                    record["account_id"],
                    record["normal_side"],
                    record["currency"],
                    Totals(*rows.head_of(record)[:4]),
                    record["number"],
                    record["sequence"],
                )
            )
        return found

    async def _events(self, selection: str, entity_no: int, *arguments: Any) -> list[Event]:
        query = _QUERIES["events"].format(selection=_QUERIES[selection].split("\n", 1)[1])
        async with self._entities.snapshot(entity_no, planned_once=True) as connection:
            records = await connection.fetch(query, entity_no, *arguments)
            places = {(entity_no, record["postings_at"]) for record in records if record["postings_at"] is not None}
            postings = rows.postings_of(await _fetch(connection, "postings", places)) if places else {}
            # Only a category can be given to a transaction that has reversals already.
            posted = {(entity_no, e["transaction_no"]) for e in records if (e["kind"], e["status"]) == (13, 3)}
            reversals = await _reversals(connection, posted)
        found = []
        for record in records:
            transaction = None
            if record["transaction_no"] is not None:
                merged = {**record, "idempotency_key": record["created_key"]}
                links = reversals.get((entity_no, record["transaction_no"]), ()) if record["kind"] == 13 else ()
                transaction = rows.transaction_of(
                    merged,
                    postings[entity_no, record["postings_at"]],
                    tuple(number for number in links if number < record["sequence"]),
                )
            found.append(
                Event(
                    sequence=record["sequence"],
                    kind=record["kind"],
                    recorded_time=record["recorded_time"],
                    actor=record["actor"],
                    idempotency_key=record["idempotency_key"],
                    transaction=transaction,
                    account_no=record["account_no"],
                    detail=record["detail"],
                    fingerprint=record["request_hash"],
                )
            )
        return found

    def _shift(self) -> timedelta:
        return shift_of(self._clock)

    async def _fetch(self, name: str, entity_no: int, *arguments: Any) -> list[Any]:
        """The rows of a query whose first argument is the entity."""
        return await self._entities.fetch(entity_no, _QUERIES[name], *arguments)


def _listing(wanted: TransactionFilter) -> str:
    """The query with the shortest way to what is wanted."""
    down = not wanted.ascending
    statuses = frozenset(wanted.statuses)
    if wanted.by_effective_time:
        name = "of_effective"
    elif wanted.account_no is not None:
        name = "of_account"
    elif statuses and statuses <= {1, 2}:
        name = "of_open"
    elif statuses and statuses <= {4, 5}:
        name = "of_ended"
    else:
        name = "of_any"
    return _LISTING[name].format(
        order="DESC" if down else "ASC",
        beyond="<" if down else ">",
        # Down: entries up to the last before the place; up: entries after the last one at the place.
        within="<=" if down else ">",
        open_end="1" if down else "0",
        matches=_LISTING["matches"].split("\n", 1)[1],
    )


async def _accounts(connection: Any, entity_no: int, account_nos: Sequence[int]) -> list[Account]:
    places = [(entity_no, account_no) for account_no in account_nos]
    if not places:
        return []
    limits = rows.limits_of(await _fetch(connection, "limits", places))
    return [
        rows.account_of(record, limits.get((entity_no, record["account_no"]), ()))
        for record in await _fetch(connection, "accounts", places)
    ]


async def transactions(connection: Any, entity_no: int, transaction_nos: Sequence[int]) -> list[Transaction]:
    """Transactions as they are now, by number; unknown ones are left out."""
    places = [(entity_no, transaction_no) for transaction_no in transaction_nos]
    return await complete(connection, await _fetch(connection, "transactions", places)) if places else []


async def complete(connection: Any, records: Sequence[Any]) -> list[Transaction]:
    """Add postings and reversals to rows of transactions."""
    if not records:
        return []
    postings = rows.postings_of(
        await _fetch(connection, "postings", {(record["entity_no"], record["postings_at"]) for record in records})
    )
    posted = {(record["entity_no"], record["transaction_no"]) for record in records if record["status"] == 3}
    reversals = await _reversals(connection, posted)
    return [
        rows.transaction_of(
            record,
            postings[record["entity_no"], record["postings_at"]],
            reversals.get((record["entity_no"], record["transaction_no"]), ()) if record["status"] == 3 else (),
        )
        for record in records
    ]


async def _reversals(connection: Any, originals: Collection[tuple[int, int]]) -> dict[tuple[int, int], tuple[int, ...]]:
    """Numbers of the reversals of these transactions, oldest first."""
    found: dict[tuple[int, int], tuple[int, ...]] = {}
    if originals:
        for entity_no, original, reversal in await _fetch(connection, "reversals", originals):
            found[entity_no, original] = (*found.get((entity_no, original), ()), reversal)
    return found


async def _fetch(connection: Any, name: str, places: Iterable[tuple[int, int]]) -> list[Any]:
    """A query over places, given as columns."""
    pairs = list(places)
    records: list[Any] = await connection.fetch(
        _QUERIES[name], [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    )
    return records
