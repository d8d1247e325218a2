"""Keeps reconciliations: facts are staged outside of the entity's lock, and read once the committer lets them count.

Reads go the way of all reads of an entity (storage.connections). Staging writes through one connection of its own, one
change at a time: large files must not hold several.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Sequence
from datetime import date, timedelta
from itertools import islice
from typing import Any, TypeVar

import asyncpg

from ledger_service.application.ports import Unavailable
from ledger_service.application.reconciling.records import (
    FindingRecord,
    ItemRecord,
    ItemState,
    LineRecord,
    MatchRecord,
    MatchState,
    StatementRecord,
    Summary,
    WriteOffRecord,
)
from ledger_service.application.reconciling.staging import (
    Baseline,
    Book,
    KnownMatch,
    OpenItem,
    OpenLine,
    Stage,
    State,
    StatedBalance,
)
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.matching.model import FindingKind, Option
from ledger_service.storage import database, sql, staging
from ledger_service.storage.connections import Bound

_Made = TypeVar("_Made")
_QUERIES = sql.load("reconciliation.sql")

_PAGE_BYTES = 4 * 1024 * 1024
"""A page ends with the line, or match, that reaches them: a quarter of what a message may have by default, for one line
alone may have twice as much."""
_ALL_BYTES = 2**62
_ABANDONED_AFTER = timedelta(days=1)
"""Longer than any change can be under way: what was staged before and does not count never will."""


class ReconciliationStore:
    """See application.reconciling.staging.ReconciliationStore."""

    def __init__(self, entities: Bound, dsn: str) -> None:
        self._entities = entities
        self._dsn = dsn
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, dsn: str, size: int) -> ReconciliationStore:
        """Connect. Raises Unavailable."""
        return cls(await Bound.open(dsn, size), dsn)

    async def close(self) -> None:
        """Drop all connections."""
        self._entities.close()

    async def currencies(self, entity_no: int, account_no: int) -> list[str]:
        """In which the account is reconciled."""
        return [code for (code,) in await self._entities.fetch(entity_no, _QUERIES["currencies"], account_no)]

    async def head(self, book: Book) -> State:
        """How far it is; revision 0: not begun."""
        async with self._entities.snapshot(book.entity_no, planned_once=True) as connection:
            return await _head(connection, book)

    async def load(self, book: Book, normal_side: int, time_zone: str, most: int) -> State:
        """All in scope, in one snapshot; at most `most` lines, matches and transactions each."""
        async with self._entities.snapshot(book.entity_no) as connection:
            state = await _head(connection, book)
            baseline = state.baseline
            if baseline is None:
                return state
            lines = await connection.fetch(
                _QUERIES["scope_lines"], *book, baseline.line_number, list(baseline.carried_lines), most + 1
            )
            _check_bound(lines, most, "lines")
            matches = await connection.fetch(
                _QUERIES["scope_matches"], *book, baseline.match_number, list(baseline.carried_matches), most + 1
            )
            _check_bound(matches, most, "matches")
            items = await connection.fetch(
                _QUERIES["scope_items"], *book, normal_side, time_zone, baseline.entry_number,
                list(baseline.carried_transactions), list(baseline.carried_amounts), most + 1,
            )  # fmt: skip
            _check_bound(items, most, "transactions")
            stated = await connection.fetch(_QUERIES["stated"], *book, baseline.until)
            state.stated = [StatedBalance(*record) for record in stated]
            found = await connection.fetch(_QUERIES["scope_findings"], *book, baseline.revision)
        # Some 100,000 rows of each: made in a thread, for postings are waiting for the loop.
        state.lines = await asyncio.to_thread(_made, _open_line, lines)
        state.matches = await asyncio.to_thread(_made, _known_match, matches)
        state.items = await asyncio.to_thread(_made, _open_item, items)
        state.findings = await asyncio.to_thread(_made, _finding, found)
        return state

    async def ledger_balance(self, book: Book, normal_side: int, time_zone: str, until: date, entry_number: int) -> int:
        """Posted and pending at the end of a day, of the entries up to a number."""
        [(amount,)] = await self._fetch("ledger_balance", book, normal_side, time_zone, until, entry_number)
        return int(amount)

    async def items_since(
        self,
        book: Book,
        normal_side: int,
        time_zone: str,
        entry_number: int,
        first: date,
        also: Collection[int],
        most: int,
    ) -> list[OpenItem]:
        """Of all up to an entry: transactions effective from a day on, and some others; at most so many."""
        async with self._entities.snapshot(book.entity_no) as connection:
            records = await connection.fetch(
                _QUERIES["history_items"], *book, normal_side, time_zone, entry_number, first, list(also), most + 1
            )
        if len(records) > most:
            raise LedgerError(
                Reason.WORK_TOO_LARGE,
                f"more than {most:,} transactions of the account count from {first} on: begin at a later day, with the "
                "bank's balance of that day (StartReconciliation)",
                {"limit": "transactions"},
            )
        return await asyncio.to_thread(_made, _open_item, records)

    async def lines_after(self, book: Book, until: date, most: int) -> list[int]:
        """All lines booked after a day, also those that are out of scope; at most so many."""
        records = await self._fetch("lines_after", book, until, most + 1)
        _check_bound(records, most, "lines")
        return [number for (number,) in records]

    async def known_identities(self, book: Book, identities: Sequence[bytes]) -> set[bytes]:
        """Those of lines that are here."""
        known: set[bytes] = set()
        for some in staging.batched(identities):
            known.update(one for (one,) in await self._fetch("known_identities", book, some))
        return known

    async def revision_of_file(self, book: Book, sha256: bytes) -> int | None:
        """The change that brought a file; None: it is not here."""
        records = await self._fetch("revision_of_file", book, sha256)
        return records[0][0] if records else None

    async def stage(self, book: Book, stage_no: int, stage: Stage) -> None:
        """Write what a change adds; it does not count yet. What was left of changes long ago is cleared away."""
        await self._write(book, [stage_no], lambda connection: staging.insert(connection, book, stage_no, stage))

    async def drop(self, book: Book, stage_no: int) -> None:
        """Clear away a change that has come to nothing. One that counts is left alone."""
        await self._write(book, [stage_no], lambda connection: staging.delete(connection, book, stage_no))

    async def clear_abandoned(self, book: Book) -> None:
        """Clear away what changes that were cut off have left."""
        records = await self._fetch("abandoned", book, _ABANDONED_AFTER)
        for (stage_no,) in records:
            await self.drop(book, stage_no)

    async def statements(
        self, book: Book, before: int | None, limit: int, revision: int | None = None
    ) -> list[StatementRecord]:
        """Newest first; only those of a revision, if one is given."""
        async with self._entities.snapshot(book.entity_no) as connection:
            records = await connection.fetch(_QUERIES["statements"], *book, before, limit, revision)
        return [
            StatementRecord(
                record["number"], record["bank_number"], record["bank_account"], record["name"], record["sha256"],
                record["format"], record["opening_balance"], record["opening_date"], record["closing_balance"],
                record["closing_date"], record["lines"], record["known_lines"], record["sum"],
                tuple(record["contradictions"]), record["recorded_time"], record["actor"],
            )
            for record in records
        ]  # fmt: skip

    async def lines(
        self, book: Book, statement: int, state: int, after: int, limit: int
    ) -> tuple[list[LineRecord], bool]:
        """By number; of a statement, or (0) of all in scope; and whether there are more."""
        async with self._entities.snapshot(book.entity_no) as connection:
            baseline = (await _head(connection, book)).baseline
            records = await connection.fetch(
                _QUERIES["lines"], *book, statement, state, after, limit + 1,
                baseline.line_number if baseline else 0, list(baseline.carried_lines) if baseline else [],
                baseline.match_number if baseline else 0, list(baseline.carried_matches) if baseline else [],
                _PAGE_BYTES,
            )  # fmt: skip
        page = records[:limit]
        return [
            LineRecord(
                record["number"], record["statement_number"], record["booking_date"], record["value_date"],
                record["amount"], record["counterparty"], record["counterparty_account"], tuple(record["refs"]),
                record["text"], record["bank_code"], record["raw"], ItemState(record["state"]), record["match"],
            )
            for record in page
        ], bool(page) and page[-1]["found"] > len(page)  # fmt: skip

    async def items(
        self, book: Book, normal_side: int, time_zone: str, state: int, after: int, limit: int, most: int
    ) -> list[ItemRecord]:
        """By transaction, of all in scope."""
        known = await self.load(book, normal_side, time_zone, most)
        return await asyncio.to_thread(_page_of_items, known, state, after, limit)

    async def matches(
        self, book: Book, state: int, rule: str, after: int, limit: int
    ) -> tuple[list[MatchRecord], bool]:
        """By number; and whether there are more."""
        async with self._entities.snapshot(book.entity_no) as connection:
            records = await connection.fetch(
                _QUERIES["matches"], *book, state, rule, after, limit + 1, None, _PAGE_BYTES
            )
        page = records[:limit]
        return [_match_record(record) for record in page], bool(page) and page[-1]["found"] > len(page)

    async def matches_numbered(self, book: Book, numbers: Sequence[int]) -> list[MatchRecord]:
        """Those that exist."""
        async with self._entities.snapshot(book.entity_no) as connection:
            records = await connection.fetch(
                _QUERIES["matches"], *book, 0, "", 0, len(numbers), list(numbers), _ALL_BYTES
            )
        return [_match_record(record) for record in records]

    async def findings(self, book: Book, kind: str, after: int, limit: int) -> list[tuple[int, FindingRecord]]:
        """Of the last run since the baseline, as it found them, with their numbers."""
        async with self._entities.snapshot(book.entity_no) as connection:
            baseline = (await _head(connection, book)).baseline
            records = await connection.fetch(_QUERIES["scope_findings"], *book, baseline.revision if baseline else 0)
        wanted = (one for one in records if one["number"] > after and kind in ("", one["kind"]))
        return [(record["number"], _finding(record)) for record in islice(wanted, limit)]

    async def closing(self, book: Book, until: date) -> Baseline | None:
        """The closing to a day, if it counts."""
        async with self._entities.snapshot(book.entity_no) as connection:
            return _baseline(await connection.fetch(_QUERIES["baseline"], *book, until))

    async def baseline_of(self, book: Book, revision: int) -> Baseline:
        """Where a start or a closing, by its revision, has put the beginning; also if it was taken back since."""
        found = _baseline(await self._fetch("baseline_of", book, revision))
        assert found is not None
        return found

    async def profile_of(self, book: Book, revision: int) -> str:
        """The profile that a change of it, by its revision, has made."""
        [(profile,)] = await self._fetch("profile_of", book, revision)
        return str(profile)

    async def closings(self, book: Book, before: int | None, limit: int) -> list[Summary]:
        """Newest first, those that were taken back as well."""
        async with self._entities.snapshot(book.entity_no) as connection:
            records = await connection.fetch(_QUERIES["closings"], *book, before, limit)
        return [
            Summary(
                account_id=record["account_id"],
                currency=book.currency,
                is_closed=True,
                until=record["until"],
                statement_balance=record["statement_balance"],
                ledger_balance=record["ledger_balance"],
                revision=record["revision"],
                closed_by=record["actor"],
                is_reopened=record["is_reopened"],
            )
            for record in records
        ]

    async def summaries(
        self, entity_no: int, currency: str, after: tuple[int, str], limit: int
    ) -> list[tuple[tuple[int, str], Summary]]:
        """How far each reconciliation of an entity is, by account number and currency."""
        records = await self._entities.fetch(entity_no, _QUERIES["summaries"], currency, *after, limit)
        return [
            (
                (record["account_no"], record["currency"]),
                Summary(
                    account_id=record["account_id"],
                    currency=record["currency"],
                    is_closed=False,
                    until=record["closing_date"],
                    statement_balance=record["closing_balance"],
                    ledger_balance=None,
                    revision=record["revision"],
                ),
            )
            for record in records
        ]

    async def _fetch(self, name: str, book: Book, *arguments: Any) -> list[Any]:
        return await self._entities.fetch(book.entity_no, _QUERIES[name], *book[1:], *arguments)

    async def _write(self, book: Book, stages: list[int], work: Any) -> None:
        try:
            async with self._turn:
                connection = await database.connect_writer(self._dsn)
                try:
                    async with connection.transaction():
                        await work(connection)
                finally:
                    connection.terminate()
        except (*database.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
            raise Unavailable(f"stage {stages} of {book}: {error}") from error


def _page_of_items(known: State, state: int, after: int, limit: int) -> list[ItemRecord]:
    matches = {
        number: match for match in known.matches if match.state <= MatchState.CONFIRMED for number in match.transactions
    }
    found = []
    for item in known.items:
        match = matches.get(item.transaction_no)
        is_now = ItemState(match.state + 1) if match else ItemState.OPEN
        if item.transaction_no > after and state in (0, is_now):
            found.append(
                ItemRecord(
                    item.transaction_no, item.day, item.amount, item.counterparty, item.reference,
                    item.description, item.status, is_now, match.number if match else 0,
                )
            )  # fmt: skip
            if len(found) == limit:
                break
    return found


async def _head(connection: Any, book: Book) -> State:
    record = await connection.fetchrow(_QUERIES["head"], *book)
    return State(
        book,
        record["revision"],
        record["profile"],
        _baseline(await connection.fetch(_QUERIES["baseline"], *book, None)) if record["revision"] else None,
        sequence=record["sequence"],
        entry_number=record["entry"],
        now=record["now"],
        last_statement=record["statement"],
        last_line=record["line"],
        last_match=record["match"],
    )


def _baseline(records: list[Any]) -> Baseline | None:
    if not records:
        return None
    record = records[0]
    is_closing = record["action"] == 9
    return Baseline(
        record["until"], record["statement_balance"], record["ledger_balance"], record["settled_statement"],
        record["settled_ledger"], record["sequence"], record["entry_number"], record["line_number"],
        record["match_number"], tuple(record["carried_transactions"]), tuple(record["carried_amounts"]),
        tuple(record["carried_lines"]), tuple(record["carried_matches"]), record["report"], is_closing,
        record["stage_no"], record["revision"], record["actor"], record["recorded_time"],
    )  # fmt: skip


def _open_line(record: Any) -> OpenLine:
    return OpenLine(
        record["number"], record["booking_date"], record["value_date"], record["amount"], record["counterparty"],
        tuple(record["refs"]), record["text"], record["bank_code"], tuple(record["parts"]),
    )  # fmt: skip


def _open_item(record: Any) -> OpenItem:
    return OpenItem(
        record["transaction_no"], record["day"], record["amount"], record["counterparty"] or "",
        record["reference"] or "", record["description"] or "", record["status"], record["has_expiry"],
        record["reverses"] or 0,
    )  # fmt: skip


def _known_match(record: Any) -> KnownMatch:
    written_off = record["transaction_no"]
    return KnownMatch(
        record["number"], record["state"], record["rule"], tuple(record["lines"]),
        (*record["transactions"], *([written_off] if written_off else ())), record["why"],
        record["write_off_account_no"], record["write_off_description"], written_off,
    )  # fmt: skip


def _match_record(record: Any) -> MatchRecord:
    written_off = record["transaction_no"] or 0
    difference = record["difference"]
    write_off = None
    if record["write_off_account_id"] is not None:
        write_off = WriteOffRecord(
            record["write_off_account_id"], record["write_off_description"], -difference, written_off
        )
    return MatchRecord(
        record["number"], MatchState(record["state"]), record["rule"], tuple(record["lines"]),
        (*record["transactions"], *([written_off] if written_off else ())), 0 if written_off else difference,
        record["score"], record["why"], write_off, record["actor"], record["recorded_time"],
        record["decided_by"] or "", record["decided_time"], record["decision_note"] or record["note"],
    )  # fmt: skip


def _finding(record: Any) -> FindingRecord:
    options = json.loads(record["options"]) if record["options"] else []
    return FindingRecord(
        FindingKind(record["kind"]), tuple(record["lines"]), tuple(record["transactions"]), record["amount"],
        record["why"], tuple(Option(tuple((tuple(a), tuple(b)) for a, b in pairs)) for pairs in options),
    )  # fmt: skip


def _made(make: Callable[[Any], _Made], records: list[Any]) -> list[_Made]:
    return [make(record) for record in records]


def _check_bound(records: list[Any], most: int, what: str) -> None:
    if len(records) > most:
        raise LedgerError(
            Reason.WORK_TOO_LARGE,
            f"more than {most:,} {what} since the last closing: close the reconciliation to an earlier day first",
            {"limit": what},
        )
