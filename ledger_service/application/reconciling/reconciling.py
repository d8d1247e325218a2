"""The use cases of reconciliation: see protos/ledger/v1/reconciliation_service.proto."""

from __future__ import annotations

import asyncio

from ledger_service.application.access import Principal
from ledger_service.application.intake import fields as checks
from ledger_service.application.intake import reconciling as intake
from ledger_service.application.reconciling.bringing import Bringing
from ledger_service.application.reconciling.changes import Change, Request
from ledger_service.application.reconciling.closing import closing_of
from ledger_service.application.reconciling.deciding import Deciding
from ledger_service.application.reconciling.looking import MAX_EXPORTED
from ledger_service.application.reconciling.records import Context, Place
from ledger_service.application.reconciling.report import Report
from ledger_service.application.reconciling.reporting import load_report
from ledger_service.application.reconciling.running import undoing
from ledger_service.application.reconciling.staging import Action, Stage, State
from ledger_service.application.reconciling.standing import standing_at, stated_balance
from ledger_service.domain.errors import LedgerError, Reason


class Reconciling(Bringing, Deciding):
    """All of them; here CloseReconciliation and ReopenReconciliation."""

    async def close(
        self, principal: Principal, place: Place, *, day: str, accept_differences: bool, note: str, idempotency_key: str
    ) -> tuple[Context, Report, bool]:
        """Freeze it as of the end of a day."""
        until, text = intake.day(day), intake.note(note)
        assert until is not None
        checks.key(idempotency_key, required=False)
        members = (("date", until.isoformat()), ("accept_differences", accept_differences), ("note", text))
        request = Request(principal, "CloseReconciliation", place, idempotency_key, members, text)
        context, book = await self._changes.enter_to_write(request)

        async def work(state: State) -> Change:
            baseline = self._check_begun(context, state)
            if until < baseline.until or (baseline.is_closing and until == baseline.until):
                raise LedgerError(
                    Reason.RECONCILIATION_CLOSED,
                    f"it is closed up to {baseline.until}; close to a later day",
                    {"date": baseline.until.isoformat()},
                )
            standing = await asyncio.to_thread(standing_at, state, until)
            report = await self._report_on(context, book, state, standing, MAX_EXPORTED)
            closing = await asyncio.to_thread(
                closing_of,
                context,
                state,
                standing,
                report,
                has_statement=stated_balance(state, until) is not None,
                accept_differences=accept_differences,
            )
            # What does not hold any more is out of sight from now on; its members are not.
            undone = undoing(standing.broken)
            stage = Stage(baseline=closing.baseline, frozen=closing.frozen, decisions=undone)
            return Change(stage, {"date": until.isoformat()}, freezes=closing.frozen)

        changed = await self._advance(context, book, request, Action.CLOSED, work)
        kept = await self._store.baseline_of(book, changed.revision)
        assert kept.report is not None
        report = load_report(
            kept.report, closed_by=kept.closed_by, closed_time=kept.closed_time, most=intake.DEFAULT_OPEN_ITEMS
        )
        return context, report, changed.replayed

    async def reopen(
        self, principal: Principal, place: Place, *, day: str, note: str, idempotency_key: str
    ) -> tuple[Context, int, bool]:
        """Take the last closing back."""
        until, text = intake.day(day), intake.note(note)
        assert until is not None
        checks.key(idempotency_key, required=False)
        members = (("date", until.isoformat()), ("note", text))
        request = Request(principal, "ReopenReconciliation", place, idempotency_key, members, text)
        context, book = await self._changes.enter_to_write(request)

        async def work(state: State) -> Change:
            baseline = self._check_begun(context, state)
            if not baseline.is_closing or baseline.until != until:
                last = f"it is {baseline.until}" if baseline.is_closing else "there is none"
                raise LedgerError(
                    Reason.RECONCILIATION_NOT_FOUND,
                    f"date: {until} is not the day of the last closing; {last}",
                    {"account_id": context.account.account_id, "currency": context.currency},
                )
            return Change(Stage(), {"date": until.isoformat()}, reopens=baseline.stage_no)

        changed = await self._changes.advance(
            context, book, request, Action.REOPENED, lambda: self._store.head(book), work
        )
        return context, changed.revision, changed.replayed
