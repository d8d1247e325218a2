"""One change of a reconciliation: worked out on what is so, staged, and made to count by the committer.

Between the two somebody else may have changed the reconciliation. Then nothing counts, and it is worked out anew.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import structlog

from ledger_service.application.access import Principal, authorize
from ledger_service.application.answers import Answers
from ledger_service.application.committer import Committer
from ledger_service.application.directory import Directory
from ledger_service.application.intake import fields
from ledger_service.application.ports import ReadStore, Unavailable
from ledger_service.application.reconciling.records import Context, Place
from ledger_service.application.reconciling.staging import Action, Book, ReconciliationStore, Stage, State
from ledger_service.domain.account import Account, Entity
from ledger_service.domain.commands import AdvanceReconciliation, Unit
from ledger_service.domain.decide import Refused
from ledger_service.domain.errors import LedgerError, Reason, invalid
from ledger_service.domain.fingerprint import fingerprint
from ledger_service.domain.money import Currencies, exponent_of

MAX_ATTEMPTS = 5
"""How often a change is worked out anew when others come between."""
_NEVER = -1
"""A revision that no reconciliation has: asks the committer for the first answer to a key, and for nothing else."""
_MOST_POSTINGS = 4
_TIDYING = frozenset({Action.STATEMENT_IMPORTED, Action.RULES_RUN})
"""Changes after which it is looked for what was left of others. That goes over all stages of the account: too much for
a match by hand, and nothing beside what these cost anyway."""

_log = structlog.get_logger()


@dataclass(slots=True)
class Change:
    """What counts if nobody comes between. `summary` is kept with the event, for replays: plain JSON values."""

    stage: Stage
    summary: dict[str, Any] = field(default_factory=dict)
    freezes: tuple[int, ...] = ()
    reopens: int | None = None


class Changed(NamedTuple):
    """What became of a change."""

    summary: dict[str, Any]
    currency: str
    revision: int
    replayed: bool


class Request(NamedTuple):
    """Who asks for which change, under which key, and what makes it the same request again, as the caller wrote it."""

    principal: Principal
    method: str
    place: Place
    key: str
    members: tuple[tuple[str, object], ...] = ()
    note: str = ""

    @property
    def fingerprint(self) -> bytes:
        """The same for the same request."""
        place = (("account_id", self.place.account_id), ("currency", self.place.currency))
        return fingerprint(self.method, (*place, *self.members))


_RECORDED = frozenset({
    Reason.ACCOUNT_NOT_FOUND, Reason.RECONCILIATION_NOT_FOUND, Reason.TRANSACTION_NOT_FOUND, Reason.ITEM_NOT_OPEN,
    Reason.MATCH_NOT_FOUND, Reason.INVALID_MATCH_STATE, Reason.RECONCILIATION_CLOSED, Reason.RECONCILIATION_UNFINISHED,
})  # fmt: skip
"""Refusals that depended on state: under a key they are for ever, so that a late duplicate can't succeed."""


class Changes:
    """Finds the reconciliation that a call is about, and changes it."""

    def __init__(
        self,
        store: ReconciliationStore,
        committer: Committer,
        answers: Answers,
        reads: ReadStore,
        directory: Directory,
        currencies: Currencies,
        make_stage_no: Callable[[], int],
    ) -> None:
        self._store = store
        self._committer = committer
        self._answers = answers
        self._reads = reads
        self._directory = directory
        self._currencies = currencies
        self._make_stage_no = make_stage_no

    async def enter(
        self, principal: Principal, method: str, place: Place, *, fallback: str = "", begun: bool = True
    ) -> tuple[Context, Book]:
        """The account and currency that a call is about. `fallback` is taken where the caller names no currency and the
        account is not reconciled yet; `begun` False: it need not be.

        Raises LedgerError PERMISSION_DENIED, ENTITY_NOT_FOUND, ACCOUNT_NOT_FOUND, RECONCILIATION_NOT_FOUND.
        """
        authorize(principal, method, place.entity_id)
        if place.currency:
            exponent_of(place.currency, self._currencies, "currency")
        entity = await self._directory.find(fields.entity_id(place.entity_id))
        account = await self._account(entity.entity_no, str(fields.reference_to(place.account_id, "account_id")))
        known = await self._store.currencies(entity.entity_no, account.account_no)
        currency = place.currency or (known[0] if len(known) == 1 else "")
        if not currency and not known and not begun:
            currency = fallback or (account.currencies[0] if len(account.currencies) == 1 else "")
        if not currency or (begun and currency not in known):
            raise not_found(place.account_id, place.currency, known)
        exponent = exponent_of(currency, self._currencies, "currency")
        return Context(entity, account, currency, exponent), Book(entity.entity_no, account.account_no, currency)

    async def _account(self, entity_no: int, account_id: str, name: str = "account_id") -> Account:
        number = (await self._reads.account_numbers(entity_no, [account_id])).get(account_id)
        found = await self._reads.accounts(entity_no, [number]) if number is not None else []
        if not found:
            raise LedgerError(
                Reason.ACCOUNT_NOT_FOUND,
                f"{name}: account {account_id} does not exist in this entity; create it first",
                {"account_id": account_id, "field": name},
            )
        return found[0]

    async def other_account_no(self, context: Context, account_id: str, name: str) -> int:
        """The number of an account on which something is written off. Raises LedgerError ACCOUNT_NOT_FOUND,
        INVALID_ARGUMENT: it is the reconciled one, where both sides of the booking would cancel each other.
        """
        number = (await self._account(context.entity.entity_no, account_id, name)).account_no
        if number == context.account.account_no:
            raise invalid(name, "is the account that is reconciled; name the one on the other side of the booking")
        return number

    async def enter_to_write(self, request: Request, *, fallback: str = "", begun: bool = True) -> tuple[Context, Book]:
        """As `enter`; a refusal is recorded under the request's key."""
        try:
            return await self.enter(request.principal, request.method, request.place, fallback=fallback, begun=begun)
        except LedgerError as error:
            if request.key and error.reason in _RECORDED:
                entity = await self._directory.find(request.place.entity_id)
                # Raises the refusal; unless the key was applied when it was still clear which currency is meant.
                first = await self._submit(entity, _refusal(request, error, None))
                place = request.place._replace(currency=first.currency)
                return await self.enter(request.principal, request.method, place)
            raise

    async def advance(
        self,
        context: Context,
        book: Book,
        request: Request,
        action: Action,
        load: Callable[[], Awaitable[State]],
        work: Callable[[State], Awaitable[Change]],
    ) -> Changed:
        """Work it out and let it count; the same key again answers as the first time.

        Raises LedgerError RECONCILIATION_CHANGED when others came between too often, and what `work` raises.
        """
        key = fields.key(request.key, required=False)
        if key is not None and await self._reads.key_use(book.entity_no, key) is not None:
            return await self._submit(context.entity, _command(context, request, action, _NEVER, 0, Change(Stage()), 0))
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._attempt(context, book, request, action, await load(), work)
            except LedgerError as error:
                if error.reason is not Reason.RECONCILIATION_CHANGED or attempt == MAX_ATTEMPTS:
                    raise

    async def _attempt(
        self,
        context: Context,
        book: Book,
        request: Request,
        action: Action,
        state: State,
        work: Callable[[State], Awaitable[Change]],
    ) -> Changed:
        try:
            change = await work(state)
        except LedgerError as error:
            if request.key and error.reason in _RECORDED:
                # Raises it, or that the state has changed meanwhile.
                await self._submit(context.entity, _refusal(request, error, state.revision, context.currency))
            raise
        stage_no = self._make_stage_no()
        await self._store.stage(book, stage_no, change.stage)
        try:
            changed = await self._submit(
                context.entity, _command(context, request, action, state.revision, stage_no, change, state.sequence)
            )
        except LedgerError as error:
            if error.reason not in _MAY_COUNT:
                await self._tidy(self._store.drop(book, stage_no))
            raise
        if changed.replayed:
            # The same request came twice at once: the other one counts.
            await self._tidy(self._store.drop(book, stage_no))
        elif action in _TIDYING:
            await self._tidy(self._store.clear_abandoned(book))
        return changed

    async def _tidy(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Unavailable as error:
            # What was answered stays so: the change counts, or was refused for good. Another change clears it away.
            _log.warning("stage_not_cleared", error=str(error))

    async def _submit(self, entity: Entity, command: AdvanceReconciliation) -> Changed:
        unit = Unit(entity.entity_no, [command], postings=_MOST_POSTINGS)
        [answer] = await self._answers.complete(entity, await self._committer.submit(unit))
        if isinstance(answer, Refused):
            raise answer.error
        if not answer.replayed:
            return Changed(
                json.loads(command.detail)["summary"],
                command.currency,
                answer.reconciliation_revision,
                replayed=False,
            )
        [event] = await self._reads.events_at(entity.entity_no, [answer.sequence])
        assert event.detail is not None
        told = json.loads(event.detail)
        return Changed(told["summary"], told["currency"], told["revision"], replayed=True)


_MAY_COUNT = frozenset({Reason.OUTCOME_UNKNOWN, Reason.DATABASE_UNAVAILABLE, Reason.INTERNAL})
"""Errors after which the stage may count all the same: it is left alone, and cleared away later if it does not."""


def _command(
    context: Context,
    request: Request,
    action: Action,
    revision: int,
    stage_no: int,
    change: Change,
    as_of: int,
) -> AdvanceReconciliation:
    told: dict[str, Any] = {
        "account_id": context.account.account_id,
        "currency": context.currency,
        "revision": revision + 1,
        "stage": stage_no,
        "action": int(action),
        "summary": change.summary,
    }
    if request.note:
        told["note"] = request.note
    return AdvanceReconciliation(
        key=request.key or None,
        fingerprint=request.fingerprint,
        actor=request.principal.name,
        account_id=context.account.account_id,
        currency=context.currency,
        from_revision=revision,
        stage_no=stage_no,
        action=int(action),
        detail=json.dumps(told, ensure_ascii=False),
        freezes=change.freezes,
        as_of=as_of,
        reopens=change.reopens,
    )


def _refusal(request: Request, error: LedgerError, revision: int | None, currency: str = "") -> AdvanceReconciliation:
    return AdvanceReconciliation(
        key=request.key,
        fingerprint=request.fingerprint,
        actor=request.principal.name,
        account_id=request.place.account_id,
        currency=currency,
        from_revision=revision,
        stage_no=0,
        action=0,
        detail="",
        refusal=error,
    )


def not_found(account_id: str, currency: str, known: list[str]) -> LedgerError:
    """No reconciliation of this account in this currency, or none begun; or the caller has to say which."""
    if currency or not known:
        what = f"in {currency} " if currency else ""
        message = (
            f"account {account_id} is not reconciled {what}yet; import a statement or start it, naming the currency"
        )
    else:
        message = f"account {account_id} is reconciled in {', '.join(known)}; name the currency"
    return LedgerError(
        Reason.RECONCILIATION_NOT_FOUND, message, {"account_id": account_id, "currency": currency or ",".join(known)}
    )
