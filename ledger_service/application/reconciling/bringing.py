"""Use cases that bring something into a reconciliation: its beginning, its profile, statements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from ledger_service.application.access import Principal, authorize
from ledger_service.application.intake import fields as checks
from ledger_service.application.intake import reconciling as intake
from ledger_service.application.reconciling import heavy
from ledger_service.application.reconciling.changes import Change, Request
from ledger_service.application.reconciling.closing import opening_baseline
from ledger_service.application.reconciling.importing import (
    Incoming,
    check_bank_account,
    minor_units,
    new_rows,
    stated_by,
)
from ledger_service.application.reconciling.looking import (
    MAX_EXPORTED,
    MAX_IN_SCOPE,
    dump_profile,
    load_profile,
    profile_of,
)
from ledger_service.application.reconciling.overlapping import Stated, identities_of
from ledger_service.application.reconciling.records import (
    Context,
    Imported,
    MatchState,
    Place,
    ProfileRecord,
    RawProfile,
)
from ledger_service.application.reconciling.report import Report
from ledger_service.application.reconciling.reporting import dump_report, load_report
from ledger_service.application.reconciling.staging import Action, Book, NewFile, Stage, State
from ledger_service.application.reconciling.upload import Upload
from ledger_service.application.reconciling.writing import DAY, Writing, no_transaction, transaction_number
from ledger_service.domain.errors import LedgerError, Reason, invalid
from ledger_service.domain.money import parse_signed
from ledger_service.matching.profile import default_profile
from ledger_service.statements.csv_mapping import CsvMapping, mapping_of

_MOST_STATEMENTS = 100_000
_LOOKED_BACK = 1_000
"""Statements before that a new one is held against."""


class _AlreadyHereError(Exception):
    """A file that came in before, with the revision that brought it."""

    def __init__(self, revision: int) -> None:
        super().__init__(revision)
        self.revision = revision


class Bringing(Writing):
    """StartReconciliation, UpdateReconciliationProfile, ImportStatement."""

    async def start(
        self,
        principal: Principal,
        place: Place,
        *,
        day: str,
        statement_balance: str,
        outstanding: Iterable[str],
        idempotency_key: str,
    ) -> tuple[Context, Report, bool]:
        """Begin at a day, or begin anew as long as nothing is matched or closed."""
        first = intake.day(day)
        assert first is not None
        until = first - DAY
        ids = intake.transaction_ids(list(outstanding), "outstanding_transaction_ids", intake.MAX_OUTSTANDING)
        if not place.currency:
            raise invalid("currency", "is required; name the currency in which the account is reconciled")
        checks.key(idempotency_key, required=False)
        members = (("date", first.isoformat()), ("statement_balance", statement_balance), ("outstanding", ids))
        request = Request(principal, "StartReconciliation", place, idempotency_key, members)
        context, book = await self._changes.enter_to_write(request, begun=False)
        told = parse_signed(statement_balance, context.exponent, "statement_balance") if statement_balance else None
        numbers = [transaction_number(context, text, "outstanding_transaction_ids") for text in ids]

        async def work(state: State) -> Change:
            _check_can_start(state)
            carried = await self._carried(context, book, state, until)
            known = {item.transaction_no for item in carried}
            more = await self._items_numbered(context, book, state, [one for one in numbers if one not in known])
            for text, number in zip(ids, numbers, strict=True):
                if number not in known and number not in more:
                    raise no_transaction(text, "outstanding_transaction_ids")
            ledger = await self._ledger_balance(context, book, state, until)
            baseline = opening_baseline(state, until, told, ledger, [*carried, *more.values()])
            # All of them: an earlier beginning may have left some out that belong to this one.
            lines = await self._store.lines_after(book, until, MAX_IN_SCOPE)
            baseline = replace(baseline, carried_lines=tuple(lines))
            begun = replace(
                state, baseline=baseline, lines=[], items=[*carried, *more.values()], matches=[], findings=[]
            )
            report = await self._report_of(context, book, begun, until, MAX_EXPORTED)
            return Change(Stage(baseline=replace(baseline, report=dump_report(report))))

        changed = await self._advance(context, book, request, Action.STARTED, work)
        kept = await self._store.baseline_of(book, changed.revision)
        assert kept.report is not None
        report = load_report(kept.report, closed_by="", closed_time=None, most=intake.DEFAULT_OPEN_ITEMS)
        return context, replace(report, is_closed=False), changed.replayed

    async def update_profile(
        self,
        principal: Principal,
        place: Place,
        *,
        profile: RawProfile,
        fields: Iterable[str],
        idempotency_key: str,
    ) -> tuple[Context, ProfileRecord, bool]:
        """Change the members of the profile that `fields` names."""
        checks.key(idempotency_key, required=False)
        paths = tuple(sorted(fields))
        # A map has no order of its own.
        ordered = replace(profile, csv_mapping=dict(sorted(profile.csv_mapping.items())))
        members = (("profile", repr(ordered)), ("fields", paths))
        request = Request(principal, "UpdateReconciliationProfile", place, idempotency_key, members)
        context, book = await self._changes.enter_to_write(request, begun=False)

        async def work(state: State) -> Change:
            before = profile_of(state)
            after = intake.profile(before, profile, paths, context.exponent)
            if after.profile.is_inverted != before.profile.is_inverted and state.last_statement:
                # One without lines as well: it has balances.
                raise invalid("profile.is_inverted", "can't be changed any more: there are statements already")
            for index, charge in enumerate(after.profile.charges):
                await self._changes.other_account_no(context, charge.account_id, f"profile.charges[{index}].account_id")
            if after.profile.differences is not None:
                account_id = after.profile.differences.account_id
                await self._changes.other_account_no(context, account_id, "profile.difference_account_id")
            return Change(Stage(profile=dump_profile(after)))

        changed = await self._changes.advance(
            context, book, request, Action.PROFILE_CHANGED, lambda: self._store.head(book), work
        )
        return context, load_profile(await self._store.profile_of(book, changed.revision)), changed.replayed

    async def import_file(
        self,
        principal: Principal,
        place: Place,
        *,
        file_name: str,
        csv_mapping: Mapping[str, str],
        opening_balance: str,
        closing_balance: str,
        bank_account: str,
        idempotency_key: str,
        chunks: AsyncIterable[bytes],
    ) -> tuple[Context, Imported]:
        """Take in a file, whole or not at all; what is here already does not come in again."""
        authorize(principal, "ImportStatement", place.entity_id)
        checks.key(idempotency_key, required=False)
        name = str(checks.line(file_name, "file_name", intake.MAX_FILE_NAME, required=True))
        wanted = intake.bank_account(bank_account)
        known = await self._known_profile(principal, place)
        pairs = {**known.csv_mapping, **intake.csv_mapping(csv_mapping)}
        mapping = mapping_of([f"{key}={value}" for key, value in pairs.items()]) if pairs else None
        async with self._spool.take(chunks) as upload:
            given = tuple(
                _plain_decimal(text, field)
                for text, field in ((opening_balance, "opening_balance"), (closing_balance, "closing_balance"))
            )
            file_format, arrived = await self._read(upload, mapping, place.currency, given[0], given[1])
        members = (
            ("sha256", upload.sha256),
            ("name", name),
            ("csv_mapping", tuple(sorted(csv_mapping.items()))),
            ("opening", opening_balance),
            ("closing", closing_balance),
            ("bank_account", wanted),
        )
        request = Request(principal, "ImportStatement", place, idempotency_key, members)
        context, book = await self._changes.enter_to_write(request, fallback=arrived.currency, begun=False)
        if arrived.currency and arrived.currency != context.currency:
            raise LedgerError(
                Reason.STATEMENT_MISMATCH,
                f"file: is in {arrived.currency}, the reconciliation in {context.currency}",
                {"field": "file"},
            )

        async def work(state: State) -> Change:
            before = await self._store.revision_of_file(book, upload.sha256)
            if before is not None and not await self._tells_more(book, before, given):
                raise _AlreadyHereError(before)
            change = await self._import(
                context, book, state, arrived, wanted, NewFile(upload.sha256, name, file_format, upload.size)
            )
            if before is not None and change.stage.lines:
                raise LedgerError(
                    Reason.STATEMENT_MISMATCH,
                    "file: is here already, and would be read otherwise now: its lines would come in twice",
                    {"field": "file"},
                )
            return change

        try:
            changed = await self._changes.advance(
                context, book, request, Action.STATEMENT_IMPORTED, lambda: self._store.head(book), work
            )
        except _AlreadyHereError as error:
            return context, await self._imported(book, error.revision, replayed=True)
        return context, await self._imported(book, changed.revision, replayed=changed.replayed)

    async def _tells_more(self, book: Book, revision: int, given: tuple[Decimal | None, ...]) -> bool:
        """Whether a caller gives a balance that the import of a file before did not know."""
        for statement in await self._store.statements(book, None, 1, revision):
            known = (statement.opening_balance, statement.closing_balance)
            return any(one is not None and other is None for one, other in zip(given, known, strict=True))
        return False

    async def _known_profile(self, principal: Principal, place: Place) -> ProfileRecord:
        """The profile, if it is clear before the file is read which one that is."""
        try:
            _, profile, _ = await self._profile(principal, "ImportStatement", place)
        except LedgerError as error:
            # Told, and recorded, once the whole request is known.
            if error.reason not in {Reason.RECONCILIATION_NOT_FOUND, Reason.ACCOUNT_NOT_FOUND}:
                raise
            return ProfileRecord(default_profile())
        return profile

    async def _read(
        self,
        upload: Upload,
        mapping: CsvMapping | None,
        currency: str,
        opening: Decimal | None,
        closing: Decimal | None,
    ) -> tuple[str, Incoming]:
        return await self._workshop.run(heavy.read, upload.path, mapping, currency, opening, closing)

    async def _import(
        self, context: Context, book: Book, state: State, arrived: Incoming, bank_account: str, file: NewFile
    ) -> Change:
        inverted = profile_of(state).profile.is_inverted
        before = await self._store.statements(book, None, _LOOKED_BACK)
        check_bank_account(arrived, bank_account, next((one.bank_account for one in before if one.bank_account), ""))
        sign = -1 if inverted else 1
        identities, known = await identities_of(
            stated_by(arrived, context.exponent),
            [Stated.of_record(one, sign) for one in before],
            lambda some: self._store.known_identities(book, some),
        )
        baseline = None
        if state.baseline is None:
            first = arrived.first_day
            if first is None:
                raise invalid("file", "has neither lines nor a day: start the reconciliation first")
            until = first - DAY
            opening = arrived.statements[0].opening
            carried = await self._carried(context, book, state, until)
            ledger = await self._ledger_balance(context, book, state, until)
            told = None
            if opening is not None:
                units = minor_units(opening.amount, context.exponent, opening.line)
                told = -units if inverted else units
            state.baseline = baseline = opening_baseline(state, until, told, ledger, carried)
        statements, lines = await asyncio.to_thread(
            new_rows, arrived, identities, known, state, exponent=context.exponent, is_inverted=inverted
        )
        return Change(Stage(file=file, statements=statements, lines=lines, baseline=baseline))

    async def _imported(self, book: Book, revision: int, *, replayed: bool) -> Imported:
        found = await self._store.statements(book, None, _MOST_STATEMENTS, revision)
        return Imported(
            tuple(reversed(found)),
            sum(one.lines for one in found),
            sum(one.known_lines for one in found),
            revision,
            replayed,
        )


def _check_can_start(state: State) -> None:
    """Nothing rests on an earlier beginning yet."""
    if state.baseline is not None and state.baseline.is_closing:
        until = state.baseline.until.isoformat()
        raise LedgerError(Reason.RECONCILIATION_CLOSED, f"it is closed up to {until}; reopen it first", {"date": until})
    if any(match.state <= MatchState.CONFIRMED for match in state.matches):
        raise LedgerError(
            Reason.ITEM_NOT_OPEN, "something is matched already; undo the matches first", {"line_number": ""}
        )


def _plain_decimal(text: str, field: str) -> Decimal | None:
    """A balance as on the statement; its decimals are held against the currency once that is known."""
    return Decimal(parse_signed(text, _MOST_DECIMALS, field)).scaleb(-_MOST_DECIMALS) if text else None


_MOST_DECIMALS = 18
