"""The reading use cases of reconciliation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from pydantic import TypeAdapter

from ledger_service.application.access import Principal, authorize
from ledger_service.application.directory import Directory
from ledger_service.application.intake import fields
from ledger_service.application.intake import reconciling as intake
from ledger_service.application.paging import PageTokens, page_size
from ledger_service.application.reconciling.changes import Changes, not_found
from ledger_service.application.reconciling.records import (
    Context,
    FindingRecord,
    ItemRecord,
    LineRecord,
    MatchRecord,
    Place,
    ProfileRecord,
    StatementRecord,
    Summary,
)
from ledger_service.application.reconciling.report import Report
from ledger_service.application.reconciling.reporting import load_report, report_of
from ledger_service.application.reconciling.staging import Book, ReconciliationStore, State
from ledger_service.application.reconciling.standing import Standing, newest_day, standing_at, stated_balance
from ledger_service.domain.errors import LedgerError, Reason, invalid
from ledger_service.domain.money import Currencies
from ledger_service.matching.model import FindingKind, RuleKind
from ledger_service.matching.profile import default_profile

MAX_IN_SCOPE = 250_000
"""Lines, matches and transactions since the last closing, each: what one process can hold at once."""
MAX_EXPORTED = 100_000
"""Open items of a document."""

_PROFILES = TypeAdapter(ProfileRecord)
_RULES = frozenset({"", "MANUAL", "CHARGE", *(kind.value for kind in RuleKind)})
_FINDINGS = frozenset({"", *(kind.value for kind in FindingKind)})


class Looking:
    """What callers may see of reconciliations. All raise LedgerError, see Changes.enter."""

    def __init__(
        self,
        store: ReconciliationStore,
        changes: Changes,
        directory: Directory,
        tokens: PageTokens,
        currencies: Currencies,
    ) -> None:
        self._store = store
        self._changes = changes
        self._directory = directory
        self._tokens = tokens
        self._currencies = currencies

    async def profile(self, principal: Principal, place: Place) -> tuple[Context, ProfileRecord, bool]:
        """How the account is matched; True: by default."""
        return await self._profile(principal, "GetReconciliationProfile", place)

    async def statements(
        self, principal: Principal, place: Place, *, size: int, token: str
    ) -> tuple[Context, list[StatementRecord], str]:
        """Newest first."""
        context, book = await self._changes.enter(principal, "ListStatements", place)
        query, limit = ("ListStatements", *book), page_size(size)
        before = self._number(query, token)
        found = await self._store.statements(book, before, limit + 1)
        return context, found[:limit], self._next(query, found, limit, lambda one: one.number)

    async def lines(
        self, principal: Principal, place: Place, *, statement: int, state: int, size: int, token: str
    ) -> tuple[Context, list[LineRecord], str]:
        """By number."""
        context, book = await self._changes.enter(principal, "ListStatementLines", place)
        if statement < 0:
            raise invalid("statement_number", "must be a number from 1 on; 0 means all")
        _check_choice(state, "state", 3)
        query, limit = ("ListStatementLines", *book, statement, state), page_size(size)
        found, more = await self._store.lines(book, statement, state, self._number(query, token) or 0, limit)
        return context, found, self._tokens.make(query, [found[-1].number]) if more else ""

    async def items(
        self, principal: Principal, place: Place, *, state: int, size: int, token: str
    ) -> tuple[Context, list[ItemRecord], str]:
        """By transaction."""
        context, book = await self._changes.enter(principal, "ListLedgerItems", place)
        _check_choice(state, "state", 3)
        query, limit = ("ListLedgerItems", *book, state), page_size(size)
        found = await self._store.items(
            book,
            context.account.normal_side,
            context.entity.time_zone,
            state,
            self._number(query, token) or 0,
            limit + 1,
            MAX_IN_SCOPE,
        )
        return context, found[:limit], self._next(query, found, limit, lambda one: one.transaction_no)

    async def matches(
        self, principal: Principal, place: Place, *, state: int, rule: str, size: int, token: str
    ) -> tuple[Context, list[MatchRecord], str]:
        """By number."""
        context, book = await self._changes.enter(principal, "ListMatches", place)
        _check_choice(state, "state", 4)
        if rule not in _RULES:
            raise invalid("rule", f"must be one of {', '.join(sorted(_RULES - {''}))}")
        query, limit = ("ListMatches", *book, state, rule), page_size(size)
        found, more = await self._store.matches(book, state, rule, self._number(query, token) or 0, limit)
        return context, found, self._tokens.make(query, [found[-1].number]) if more else ""

    async def findings(
        self, principal: Principal, place: Place, *, kind: str, size: int, token: str
    ) -> tuple[Context, list[FindingRecord], str]:
        """As the last run found them."""
        context, book = await self._changes.enter(principal, "ListFindings", place)
        if kind not in _FINDINGS:
            raise invalid("kind", f"must be one of {', '.join(sorted(_FINDINGS - {''}))}")
        # A token is good for the run that it was made of: the next one numbers anew.
        state = await self._store.head(book)
        query, limit = ("ListFindings", *book, kind, state.revision), page_size(size)
        found = await self._store.findings(book, kind, self._number(query, token) or 0, limit + 1)
        return context, [one for _, one in found[:limit]], self._next(query, found, limit, lambda one: one[0])

    async def report(
        self, principal: Principal, place: Place, *, day: str, max_open_items: int
    ) -> tuple[Context, Report]:
        """The result as of the end of a day; "": of the last statement."""
        until, most = intake.day(day, required=False), intake.open_items(max_open_items)
        context, book = await self._changes.enter(principal, "GetReconciliation", place)
        return context, await self._report(context, book, until, most)

    async def export(self, principal: Principal, place: Place, *, day: str) -> tuple[Context, Report]:
        """The same with all open items, for a document."""
        until = intake.day(day, required=False)
        context, book = await self._changes.enter(principal, "ExportReconciliation", place)
        return context, await self._report(context, book, until, MAX_EXPORTED)

    async def reconciliations(
        self, principal: Principal, entity_id: str, *, account_id: str, currency: str, size: int, token: str
    ) -> tuple[list[Summary], str]:
        """Of an entity, by account; or the closings of an account, newest first."""
        method = "ListReconciliations"
        limit = page_size(size)
        if account_id:
            context, book = await self._changes.enter(principal, method, Place(entity_id, account_id, currency))
            query: tuple[object, ...] = (method, *book)
            closings = await self._store.closings(book, self._number(query, token), limit + 1)
            summaries = [_with_exponent(one, context.exponent) for one in closings[:limit]]
            return summaries, self._next(query, closings, limit, lambda one: one.revision)
        authorize(principal, method, entity_id)
        entity = await self._directory.find(fields.entity_id(entity_id))
        query = (method, entity.entity_no, currency)
        place = self._tokens.read(query, token)
        after = (int(str(place[0])), str(place[1])) if place else (0, "")
        found = await self._store.summaries(entity.entity_no, currency, after, limit + 1)
        more = self._tokens.make(query, list(found[limit - 1][0])) if len(found) > limit else ""
        return [_with_exponent(one, self._currencies[one.currency]) for _, one in found[:limit]], more

    async def _profile(self, principal: Principal, method: str, place: Place) -> tuple[Context, ProfileRecord, bool]:
        context, book = await self._changes.enter(principal, method, place, begun=False)
        state = await self._store.head(book)
        return context, profile_of(state), state.profile is None

    async def _report(self, context: Context, book: Book, until: date | None, most: int) -> Report:
        state = await self._load(context, book)
        baseline = state.baseline
        if baseline is None:
            raise not_found(context.account.account_id, context.currency, [])
        until = until or newest_day(state)
        if until < baseline.until or (baseline.is_closing and until == baseline.until):
            closing = await self._store.closing(book, until)
            if closing is None or closing.report is None:
                raise LedgerError(
                    Reason.RECONCILIATION_NOT_FOUND,
                    f"nothing was closed to {until}; the reconciliation begins after {baseline.until}",
                    {"account_id": context.account.account_id, "currency": context.currency},
                )
            return load_report(closing.report, closed_by=closing.closed_by, closed_time=closing.closed_time, most=most)
        return await self._report_of(context, book, state, until, most)

    async def _report_of(self, context: Context, book: Book, state: State, until: date, most: int) -> Report:
        standing = await asyncio.to_thread(standing_at, state, until)
        return await self._report_on(context, book, state, standing, most)

    async def _report_on(self, context: Context, book: Book, state: State, standing: Standing, most: int) -> Report:
        ledger_balance = await self._ledger_balance(context, book, state, standing.until)
        stated = stated_balance(state, standing.until)
        return await asyncio.to_thread(
            report_of, context, state, standing, stated=stated, ledger_balance=ledger_balance, most=most
        )

    async def _ledger_balance(self, context: Context, book: Book, state: State, until: date) -> int:
        # Entries are only added: up to this one they are what they were in the snapshot of the state.
        return await self._store.ledger_balance(
            book, context.account.normal_side, context.entity.time_zone, until, state.entry_number
        )

    async def _load(self, context: Context, book: Book) -> State:
        return await self._store.load(book, context.account.normal_side, context.entity.time_zone, MAX_IN_SCOPE)

    def _number(self, query: object, token: str) -> int | None:
        place = self._tokens.read(query, token)
        return int(str(place[0])) if place else None

    def _next(self, query: object, found: list[Any], limit: int, number: Callable[[Any], object]) -> str:
        return self._tokens.make(query, [number(found[limit - 1])]) if len(found) > limit else ""


def profile_of(state: State) -> ProfileRecord:
    """The profile as it is now."""
    return ProfileRecord(default_profile()) if state.profile is None else load_profile(state.profile)


def load_profile(text: str) -> ProfileRecord:
    """A profile that was kept."""
    return _PROFILES.validate_json(text)


def dump_profile(record: ProfileRecord) -> str:
    """As it is kept."""
    return _PROFILES.dump_json(record).decode()


def _check_choice(value: int, field: str, most: int) -> None:
    if not 0 <= value <= most:
        raise invalid(field, "is no state")


def _with_exponent(summary: Summary, exponent: int) -> Summary:
    return replace(summary, exponent=exponent)
