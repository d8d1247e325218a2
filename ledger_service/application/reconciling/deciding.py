"""Use cases that say what belongs together: the rules, and people."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from ledger_service.application.access import Principal
from ledger_service.application.intake import fields as checks
from ledger_service.application.intake import reconciling as intake
from ledger_service.application.reconciling import heavy
from ledger_service.application.reconciling.changes import Change, Changed, Request
from ledger_service.application.reconciling.looking import profile_of
from ledger_service.application.reconciling.records import (
    Confirmed,
    Context,
    Decided,
    Failure,
    FindingCount,
    MatchedCount,
    MatchRecord,
    MatchState,
    Place,
    RunRecord,
)
from ledger_service.application.reconciling.running import MANUAL, Run, run_of, undoing, work_of
from ledger_service.application.reconciling.settling import MAX_FAILURES, ToWriteOff
from ledger_service.application.reconciling.staging import (
    Action,
    Book,
    KnownMatch,
    NewDecision,
    NewMatch,
    Stage,
    State,
)
from ledger_service.application.reconciling.standing import is_proposed_write_off, live_matches, newest_day
from ledger_service.application.reconciling.writing import Writing, transaction_number
from ledger_service.domain.errors import LedgerError, Reason, invalid
from ledger_service.domain.transaction import Status


class Deciding(Writing):
    """RunMatching, CreateMatch, ConfirmMatches, RejectMatches, UndoMatches."""

    async def run(self, principal: Principal, place: Place, *, idempotency_key: str) -> tuple[Context, RunRecord]:
        """Run the rules over all that is open."""
        request = Request(principal, "RunMatching", place, checks.key(idempotency_key, required=False) or "")
        context, book = await self._changes.enter_to_write(request)

        async def work(state: State) -> Change:
            self._check_begun(context, state)
            run = await self._run(context, state)
            return Change(run.stage, _run_summary(run))

        changed = await self._advance(context, book, request, Action.RULES_RUN, work)
        cleared, _ = await self._clear(principal, context, book)
        return context, _run_record(changed, cleared)

    async def create_match(
        self,
        principal: Principal,
        place: Place,
        *,
        lines: Sequence[int],
        transactions: Sequence[str],
        write_off_account_id: str,
        write_off_description: str,
        note: str,
        idempotency_key: str,
    ) -> tuple[Context, MatchRecord, bool]:
        """Put open lines and transactions together by hand."""
        numbers = intake.line_numbers(lines)
        ids = intake.transaction_ids(transactions, "transaction_ids", intake.MAX_MEMBERS)
        write_off = intake.write_off(write_off_account_id, write_off_description)
        text = intake.note(note)
        if len(numbers) + len(ids) < (1 if write_off is not None and numbers else 2):
            raise invalid("line_numbers", "a match has at least two members, or one line and a write-off")
        checks.key(idempotency_key, required=False)
        members = (("lines", numbers), ("transactions", tuple(sorted(ids))), ("write_off", write_off), ("note", text))
        request = Request(principal, "CreateMatch", place, idempotency_key, members, text)
        context, book = await self._changes.enter_to_write(request)
        items = tuple(sorted(transaction_number(context, one, "transaction_ids") for one in ids))

        async def work(state: State) -> Change:
            self._check_begun(context, state)
            account_no = (
                None
                if write_off is None
                else await self._changes.other_account_no(context, write_off[0], "write_off_account_id")
            )
            difference = _open_difference(context, state, numbers, items)
            if write_off is not None and not difference:
                raise invalid("write_off_account_id", "nothing is left to write off: both sides come to the same")
            match = NewMatch(
                state.last_match + 1,
                MatchState.CONFIRMED if write_off is None else MatchState.PROPOSED,
                MANUAL,
                numbers,
                items,
                difference,
                100,
                f"by {principal.name}",
                account_no,
                None if write_off is None else write_off[1],
                text,
            )
            # Its members may have been in a match that does not hold any more: in that one they must not stay.
            undone = undoing(live_matches(state)[1])
            summary = {"match": match.number, "pending": _is_pending(state, items)}
            return Change(Stage(matches=[match], decisions=undone), summary)

        changed = await self._advance(context, book, request, Action.MATCH_CREATED, work)
        if changed.summary["pending"]:
            await self._clear(principal, context, book)
        [match] = await self._store.matches_numbered(book, [changed.summary["match"]])
        return context, _as_created(match, text), changed.replayed

    async def confirm(
        self,
        principal: Principal,
        place: Place,
        *,
        matches: Sequence[int],
        with_write_offs: bool,
        note: str,
        idempotency_key: str,
    ) -> tuple[Context, Confirmed]:
        """Confirm matches: book their write-offs, clear their transactions."""
        numbers, text = intake.match_numbers(matches, required=False), intake.note(note)
        checks.key(idempotency_key, required=False)
        members = (("matches", numbers), ("with_write_offs", with_write_offs), ("note", text))
        request = Request(principal, "ConfirmMatches", place, idempotency_key, members, text)
        context, book = await self._changes.enter_to_write(request)

        async def work(state: State) -> Change:
            if numbers:
                chosen = await self._chosen(book, state, numbers, (MatchState.PROPOSED,), "confirmed")
            else:
                chosen = [
                    one
                    for one in live_matches(state)[0]
                    if one.state == MatchState.PROPOSED and (with_write_offs or not is_proposed_write_off(one))
                ]
            _check_whole(state, chosen)
            booked, failures = await self._book(principal, context, state, chosen)
            failures += _matched_elsewhere(state, booked)
            failed = {one.match for one in failures}
            decisions = [
                NewDecision(one.number, MatchState.CONFIRMED, booked.get(one.number), text)
                for one in chosen
                if one.number not in failed
            ]
            summary = {
                "confirmed": len(decisions),
                "write_offs": len(booked.keys() - failed),
                "failures": [asdict(one) for one in failures[:MAX_FAILURES]],
                "pending": _is_pending(state, (number for one in chosen for number in one.transactions)),
            }
            return Change(Stage(decisions=decisions), summary)

        changed = await self._advance(context, book, request, Action.MATCHES_CONFIRMED, work)
        # After a replay again: the first call may have been cut off before it came to this.
        cleared, failures = await self._clear(principal, context, book) if changed.summary["pending"] else (0, [])
        told = [Failure(**one) for one in changed.summary["failures"]]
        return context, Confirmed(
            changed.summary["confirmed"],
            changed.summary["write_offs"],
            cleared,
            (*told, *failures),
            changed.revision,
            changed.replayed,
        )

    async def reject(
        self, principal: Principal, place: Place, *, matches: Sequence[int], note: str, idempotency_key: str
    ) -> tuple[Context, Decided]:
        """Say that proposed matches are wrong: their pairs never come back."""
        method = "RejectMatches", Action.MATCHES_REJECTED, (MatchState.PROPOSED,), MatchState.REJECTED
        return await self._decide(principal, place, method, matches, note, idempotency_key)

    async def undo(
        self, principal: Principal, place: Place, *, matches: Sequence[int], note: str, idempotency_key: str
    ) -> tuple[Context, Decided]:
        """Take matches apart again."""
        allowed = (MatchState.PROPOSED, MatchState.CONFIRMED)
        method = "UndoMatches", Action.MATCHES_UNDONE, allowed, MatchState.UNDONE
        return await self._decide(principal, place, method, matches, note, idempotency_key)

    async def _decide(
        self,
        principal: Principal,
        place: Place,
        method: tuple[str, Action, tuple[MatchState, ...], MatchState],
        matches: Sequence[int],
        note: str,
        key: str,
    ) -> tuple[Context, Decided]:
        name, action, allowed, becomes = method
        numbers, text = intake.match_numbers(matches, required=True), intake.note(note)
        checks.key(key, required=False)
        request = Request(principal, name, place, key, (("matches", numbers), ("note", text)), text)
        context, book = await self._changes.enter_to_write(request)

        async def work(state: State) -> Change:
            chosen = await self._chosen(book, state, numbers, allowed, becomes.name.lower())
            decisions = [NewDecision(one.number, becomes, None, text) for one in chosen]
            return Change(Stage(decisions=decisions), {"matches": len(decisions)})

        changed = await self._advance(context, book, request, action, work)
        return context, Decided(changed.summary["matches"], changed.revision, changed.replayed)

    async def _chosen(
        self, book: Book, state: State, numbers: Sequence[int], allowed: Sequence[MatchState], verb: str
    ) -> list[KnownMatch]:
        """The matches, each in a state that allows it. Raises LedgerError MATCH_NOT_FOUND, INVALID_MATCH_STATE."""
        known = {match.number: match for match in state.matches}
        gone = [number for number in numbers if number not in known]
        if gone:
            settled = {one.number for one in await self._store.matches_numbered(book, gone)}
            raise _not_in_scope(state, gone, settled)
        chosen = [known[number] for number in numbers]
        for match in chosen:
            if match.state not in allowed:
                name = MatchState(match.state).name
                raise LedgerError(
                    Reason.INVALID_MATCH_STATE,
                    f"match {match.number} is {name} and can't be {verb}",
                    {"match_number": str(match.number), "state": name},
                )
        return chosen

    async def _book(
        self, principal: Principal, context: Context, state: State, chosen: Sequence[KnownMatch]
    ) -> tuple[dict[int, int], list[Failure]]:
        """Book the write-offs of matches that have one."""
        lines = {line.number: line for line in state.lines}
        items = {item.transaction_no: item for item in state.items}
        accounts = {one.write_off_account_no for one in chosen if one.write_off_account_no is not None}
        found = await self._reads.accounts(context.entity.entity_no, sorted(accounts)) if accounts else []
        ids = {account.account_no: account.account_id for account in found}
        wanted = []
        for match in chosen:
            if match.write_off_account_no is None or match.write_off_description is None:
                continue
            sides = sum(items[one].amount for one in match.transactions), sum(lines[one].amount for one in match.lines)
            if sides[0] != sides[1]:
                days = [lines[one].booking_date for one in match.lines] or [
                    items[one].day for one in match.transactions
                ]
                account_id = ids[match.write_off_account_no]
                amount = sides[1] - sides[0]
                wanted.append(ToWriteOff(match.number, account_id, match.write_off_description, amount, max(days)))
        return await self._settling.write_off(principal, context, wanted)

    async def _run(self, context: Context, state: State) -> Run:
        profile = profile_of(state).profile
        work = await asyncio.to_thread(work_of, state, context.public_id)
        result = await self._workshop.run(
            heavy.match, work.lines, work.transactions, profile, work.rejections, newest_day(state).toordinal()
        )
        named = sorted({one.account_id for one in result.proposals})
        accounts = await self._reads.account_numbers(context.entity.entity_no, named) if named else {}
        return await asyncio.to_thread(run_of, state, work, result, accounts)


def _open_difference(context: Context, state: State, lines: Sequence[int], items: Sequence[int]) -> int:
    """What the transactions come to less what the lines come to. Raises LedgerError ITEM_NOT_OPEN."""
    holding = live_matches(state)[0]
    taken_lines = {number for match in holding for number in match.lines}
    taken_items = {number for match in holding for number in match.transactions}
    line_amounts = {line.number: line.amount for line in state.lines if line.number not in taken_lines}
    item_amounts = {item.transaction_no: item.amount for item in state.items if item.transaction_no not in taken_items}
    for number in lines:
        if number not in line_amounts:
            raise _not_open(f"line {number}", {"line_number": str(number)})
    for number in items:
        if number not in item_amounts:
            text = context.public_id(number)
            raise _not_open(f"transaction {text}", {"transaction_id": text})
    return sum(item_amounts[number] for number in items) - sum(line_amounts[number] for number in lines)


def _check_whole(state: State, chosen: Sequence[KnownMatch]) -> None:
    """Every transaction is still on the account. Raises LedgerError ITEM_NOT_OPEN."""
    items = {item.transaction_no for item in state.items}
    for match in chosen:
        if not items.issuperset(match.transactions):
            raise LedgerError(
                Reason.ITEM_NOT_OPEN,
                f"a transaction of match {match.number} is no longer on the account; run the rules again",
                {"match_number": str(match.number)},
            )


def _is_pending(state: State, transactions: Iterable[int]) -> bool:
    """Whether there is something to clear: looking for it in all that is in scope costs as much as the change."""
    pending = {item.transaction_no for item in state.items if item.status == Status.PENDING}
    return not pending.isdisjoint(transactions)


def _matched_elsewhere(state: State, booked: Mapping[int, int]) -> list[Failure]:
    """Write-offs (transactions by match) that were booked by a call which was cut off, and matched with something else
    since: in two matches they would count twice.
    """
    holders = {number: match.number for match in live_matches(state)[0] for number in match.transactions}
    return [
        Failure(
            match,
            transaction,
            Reason.ITEM_NOT_OPEN.value,
            f"its write-off was booked before and is in match {holders[transaction]}; undo that one first",
        )
        for match, transaction in booked.items()
        if transaction in holders
    ]


def _as_created(match: MatchRecord, note: str) -> MatchRecord:
    """A match by hand as it was at first, whatever was decided about it since: what a replay answers with."""
    off = match.write_off
    if off is not None and off.transaction_no:
        booked = off.transaction_no
        match = replace(
            match,
            write_off=replace(off, transaction_no=0),
            transactions=tuple(one for one in match.transactions if one != booked),
            difference=-off.amount,
        )
    state = MatchState.CONFIRMED if off is None else MatchState.PROPOSED
    return replace(match, state=state, decided_by="", decide_time=None, note=note)


def _not_open(what: str, metadata: dict[str, str]) -> LedgerError:
    return LedgerError(
        Reason.ITEM_NOT_OPEN,
        f"{what} is matched already, settled by a closing, or none of this account's; look at what is open",
        metadata,
    )


def _not_in_scope(state: State, gone: Sequence[int], settled: set[int]) -> LedgerError:
    first = gone[0]
    if first in settled and state.baseline is not None:
        until = state.baseline.until.isoformat()
        return LedgerError(
            Reason.RECONCILIATION_CLOSED,
            f"match {first} is part of what is closed up to {until}; reopen it first",
            {"date": until},
        )
    return LedgerError(
        Reason.MATCH_NOT_FOUND,
        f"match {first} does not exist in this account's reconciliation",
        {"match_number": str(first)},
    )


def _run_summary(run: Run) -> dict[str, Any]:
    return {
        "matched": [asdict(one) for one in run.matched],
        "findings": [asdict(one) for one in run.findings],
        "open_lines": run.open_lines,
        "open_transactions": run.open_transactions,
        "write_offs": run.write_offs,
        "undone": run.undone,
    }


def _run_record(changed: Changed, cleared: int) -> RunRecord:
    told = changed.summary
    return RunRecord(
        tuple(MatchedCount(**one) for one in told["matched"]),
        tuple(FindingCount(**one) for one in told["findings"]),
        told["open_lines"],
        told["open_transactions"],
        told["write_offs"],
        told["undone"],
        cleared,
        changed.revision,
        changed.replayed,
    )
