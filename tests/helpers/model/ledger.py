"""What the model answers to writes."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from tests.helpers.model.commands import (
    Approval,
    Approve,
    ArchiveCategory,
    Categorize,
    Clear,
    Command,
    Create,
    CreateCategory,
    Edit,
    Leg,
    Part,
    RenameCategory,
    Reverse,
    SetLimits,
    SetState,
    Void,
)
from tests.helpers.model.reads import Reads
from tests.helpers.model.views import MAX_TOTAL, Account, BalanceView, Category, Done, Entry, Event, Refusal, View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

OTHER_SIDE = {"DEBIT": "CREDIT", "CREDIT": "DEBIT"}
_NEVER = datetime.min.replace(tzinfo=UTC)


class _No(Exception):
    def __init__(self, reason: str, **metadata: str) -> None:
        super().__init__(reason)
        self.refusal = Refusal(reason, tuple(metadata.items()))


class First(NamedTuple):
    """The first use of a key: what was asked and what was answered."""

    command: Command
    answer: Done | Refusal
    sequence: int


class Ledger(Reads):
    """One entity. `now` of each call is the service's time, exact enough to tell which deadlines passed."""

    def __init__(self, accounts: Sequence[Account] = ()) -> None:
        super().__init__()
        self.first_uses: dict[str, First] = {}
        self._parts: dict[int, tuple[Part, ...]] = {}
        self.archived = False
        self.now: datetime = _NEVER
        self._event("ENTITY_CREATED")
        for account in accounts:
            self.add_account(account)

    def add_account(self, account: Account) -> None:
        """Note an account that was created."""
        self._event("ACCOUNT_CREATED", account=account.id)
        self.accounts[account.id] = account

    def apply(self, command: Command, now: datetime) -> Done | Refusal:
        """One write by itself. Whatever it turns out to be, a repetition even, what is due has expired by then."""
        self._tidy(now)
        first = self.first_uses.get(command.key)
        if first is not None:
            return self._again(command, first)
        if isinstance(command, Create) and command.validate_only:
            return self._rehearse(command)
        try:
            with self._undone_if_refused():
                answer: Done | Refusal = self._decide(command)
        except _No as no:
            answer = no.refusal
            self._event("WRITE_REFUSED", key=command.key, reason=answer.reason)
        self.first_uses[command.key] = First(command, answer, self._sequence_of_use(command, answer))
        return answer

    def apply_batch(self, commands: Sequence[Create], now: datetime, *, atomic: bool) -> list[Done | Refusal] | Refusal:
        """Several creations in one call; a Refusal of the whole only when atomic."""
        if not atomic:
            return [self.apply(command, now) for command in commands]
        self._tidy(now)
        saved = self._save()
        uses_before = dict(self.first_uses)
        answers: list[Done | Refusal] = []
        for index, command in enumerate(commands):
            answer = self.apply(command, now)
            if isinstance(answer, Refusal):
                self._restore(saved)
                self.first_uses = uses_before
                return self._aborted_before(commands, answer) or self._abort(commands, index, answer)
            answers.append(answer)
        return answers

    def _again(self, command: Command, first: First) -> Done | Refusal:
        if first.command != command:
            return Refusal(
                "IDEMPOTENCY_KEY_REUSED",
                (("idempotency_key", command.key), ("sequence", str(first.sequence))),
            )
        return first.answer._replace(replayed=True) if isinstance(first.answer, Done) else first.answer

    def _abort(self, commands: Sequence[Create], failed: int, refusal: Refusal) -> Refusal:
        """Every key of the call that was not used before is used up, so that no late duplicate succeeds."""
        aborted = Refusal("BATCH_ABORTED", (("failed_index", str(failed)), ("failed_reason", refusal.reason)))
        for index, command in enumerate(commands):
            if command.key not in self.first_uses:
                answer = refusal if index == failed else aborted
                self._event("WRITE_REFUSED", key=command.key, reason=answer.reason)
                self.first_uses[command.key] = First(command, answer, self.sequence)
        return refusal.plus(failed_index=str(failed))

    def _aborted_before(self, commands: Sequence[Create], refusal: Refusal) -> Refusal | None:
        """The first answer again, when this is an atomic batch sent once more."""
        facts = dict(refusal.metadata)
        failed = int(facts.get("failed_index", len(commands)))
        if refusal.reason != "BATCH_ABORTED" or any(each.key not in self.first_uses for each in commands):
            return None
        first = self.first_uses[commands[failed].key] if failed < len(commands) else None
        if first is None or first.command != commands[failed] or not isinstance(first.answer, Refusal):
            return None
        return first.answer.plus(failed_index=str(failed))

    def _rehearse(self, command: Create) -> Done | Refusal:
        saved = self._save()
        try:
            done = self._decide(command)
        except _No as no:
            return no.refusal
        finally:
            self._restore(saved)
        return done._replace(sequence=0, views=tuple(replace(view, number=0, sequence=0) for view in done.views))

    def _sequence_of_use(self, command: Command, answer: Done | Refusal) -> int:
        """The event that carries the key: of an approval of several the first."""
        if isinstance(command, Approve) and isinstance(answer, Done):
            return self.sequence - len(command.approvals) + 1
        return self.sequence

    # What each command does. Nothing is recorded when one of these raises: see _undone_if_refused.

    def _decide(self, command: Command) -> Done:
        if self.archived:
            raise _No("ENTITY_ARCHIVED")
        decide: dict[type, Callable[..., Done]] = {
            Create: self._create,
            Edit: self._edit,
            Approve: self._approve,
            Clear: self._clear,
            Void: self._void,
            Reverse: self._reverse,
            SetState: self._set_state,
            SetLimits: self._set_limits,
            Categorize: self._categorize,
            CreateCategory: self._create_category,
            RenameCategory: self._rename_category,
            ArchiveCategory: self._archive_category,
        }
        return decide[type(command)](command)

    def _create(self, command: Create) -> Done:
        if command.expire is not None and command.expire <= self.now:
            raise _No("EXPIRE_TIME_PASSED")
        self._check_accounts(command.legs)
        self._check_category(command.category)
        view = self._event(
            "TRANSACTION_CREATED",
            key=command.key,
            view=View(
                number=self.sequence + 1,
                revision=1,
                sequence=self.sequence + 1,
                status=command.status,
                legs=command.legs,
                key=command.key,
                effective=command.effective,
                expire=command.expire,
                description=command.description,
                reference=command.reference,
                category=command.category,
            ),
        )
        self._enter(view, "POST" if command.status == "POSTED" else "HOLD", command.legs)
        self._check_limits(command.legs)
        return self._done([view], command.legs)

    def _edit(self, command: Edit) -> Done:
        before = self._changeable(command.number, command.expected_revision)
        self._check_not_shut(before.legs)
        legs = before.legs
        if command.accounts is not None:
            legs = tuple(leg._replace(account=a) for leg, a in zip(legs, command.accounts, strict=True))
            self._check_accounts(legs)
        description = before.description if command.description is None else command.description
        view = self._revise(before, "TRANSACTION_EDITED", command.key, legs=legs, description=description)
        if legs == before.legs:
            return self._done([view], ())
        self._enter(view, "RELEASE", before.legs)
        self._enter(view, "HOLD", legs)
        self._check_limits((*before.legs, *legs))
        return self._done([view], (*before.legs, *legs))

    def _approve(self, command: Approve) -> Done:
        views = []
        touched: list[Leg] = []
        for index, approval in enumerate(command.approvals):
            try:
                before = self._changeable(approval.number, approval.expected_revision)
                self._check_not_shut(before.legs)
                views.append(self._settle(approval, command.key if index == 0 else ""))
                self._check_limits(before.legs)
            except _No as no:
                no.refusal = no.refusal.plus(failed_index=str(index))
                raise
            touched += before.legs
        return self._done(views, touched)

    def _settle(self, approval: Approval, key: str) -> View:
        before = self.versions[approval.number][-1]
        legs = before.legs
        if approval.amount is not None:
            legs = tuple(leg._replace(amount=approval.amount) for leg in legs)
        view = self._revise(before, "TRANSACTION_POSTED", key, status="POSTED", legs=legs)
        self._enter(view, "SETTLE", legs)
        rests = [leg._replace(amount=leg.amount - now.amount) for leg, now in zip(before.legs, legs, strict=True)]
        self._enter(view, "RELEASE", [rest for rest in rests if rest.amount])
        return view

    def _clear(self, command: Clear) -> Done:
        before = self._changeable(command.number, command.expected_revision, statuses=("PENDING",))
        self._check_not_shut(before.legs)
        return self._done([self._revise(before, "TRANSACTION_CLEARED", command.key, status="CLEARED")], ())

    def _void(self, command: Void) -> Done:
        before = self._changeable(command.number, command.expected_revision)
        view = self._revise(before, "TRANSACTION_VOIDED", command.key, status="VOIDED")
        self._enter(view, "RELEASE", view.legs)
        return self._done([view], view.legs)

    def _reverse(self, command: Reverse) -> Done:
        if command.number not in self.versions:
            raise _No("TRANSACTION_NOT_FOUND")
        original = self.versions[command.number][-1]
        if original.status != "POSTED" or original.reverses is not None:
            raise _No("INVALID_STATUS", status=original.status)
        left = self._left_of(original)
        if command.amount is not None:
            parts = [Part(index, command.amount) for index in range(len(original.legs))]
        else:
            parts = list(command.parts) or [Part(index, amount) for index, amount in enumerate(left) if amount]
        if not parts or any(part.amount > left[part.leg] for part in parts):
            raise _No("REVERSAL_EXCEEDS_ORIGINAL")
        legs = tuple(
            original.legs[part.leg]._replace(side=OTHER_SIDE[original.legs[part.leg].side], amount=part.amount)
            for part in parts
        )
        self._check_accounts(legs)
        view = self._event(
            "TRANSACTION_REVERSED",
            key=command.key,
            view=View(
                number=self.sequence + 1,
                revision=1,
                sequence=self.sequence + 1,
                status="POSTED",
                legs=legs,
                key=command.key,
                effective=command.effective,
                description=command.description or f"Reversal of #{command.number}",
                reverses=command.number,
            ),
        )
        self._parts[view.number] = tuple(parts)
        self._enter(view, "POST", legs)
        self._check_limits(legs)
        return self._done([view], legs)

    def _left_of(self, original: View) -> list[int]:
        """What no reversal has cancelled yet, leg by leg."""
        left = [leg.amount for leg in original.legs]
        for reversal in self.reversals_of(original.number):
            for part in self._parts[reversal]:
                left[part.leg] -= part.amount
        return left

    def _set_state(self, command: SetState) -> Done:
        account = self._account(command.account)
        if command.state == "CLOSED":
            totals = [self.balance(account.id, each, self.now).totals for each in self.currencies_of([account.id])]
            children = [each for each in self.accounts.values() if each.parent == account.id]
            if any(t.posted("DEBIT") or t.debits_pending or t.credits_pending for t in totals) or any(
                child.state != "CLOSED" for child in children
            ):
                raise _No("ACCOUNT_NOT_EMPTY", account_id=account.id)
        elif account.state == "CLOSED":
            raise _No("ACCOUNT_CLOSED", account_id=account.id)
        return self._change(replace(account, state=command.state), command.key)

    def _set_limits(self, command: SetLimits) -> Done:
        account = self._account(command.account)
        if account.state == "CLOSED":
            raise _No("ACCOUNT_CLOSED", account_id=account.id)
        for limit in command.limits:
            if self._broken(replace(account, limits=command.limits), limit.currency):
                raise _No("LIMIT_ALREADY_BROKEN", account_id=account.id, currency=limit.currency)
        return self._change(replace(account, limits=command.limits), command.key)

    def _categorize(self, command: Categorize) -> Done:
        """In every status, on every account; nothing else changes."""
        every = ("PENDING", "CLEARED", "POSTED", "VOIDED", "EXPIRED")
        before = self._changeable(command.number, command.expected_revision, every)
        self._check_category(command.category)
        view = self._revise(before, "TRANSACTION_CATEGORIZED", command.key, category=command.category)
        return self._done([view], ())

    def _create_category(self, command: CreateCategory) -> Done:
        if command.category in self.categories:
            raise _No("CATEGORY_ALREADY_EXISTS", category_id=command.category)
        self._check_name(command.category, command.name)
        made = Category(command.category, command.name, "ACTIVE", self.sequence + 1, 1)
        return self._put_category("CATEGORY_CREATED", made, command.key)

    def _rename_category(self, command: RenameCategory) -> Done:
        category = self._category(command.category)
        if command.expected_revision not in (0, category.revision):
            raise _No("REVISION_MISMATCH", revision=str(category.revision))
        self._check_category(command.category)
        self._check_name(command.category, command.name)
        return self._change_category(replace(category, name=command.name), command.key)

    def _archive_category(self, command: ArchiveCategory) -> Done:
        return self._change_category(replace(self._category(command.category), state="ARCHIVED"), command.key)

    # What they share.

    def _category(self, category_id: str) -> Category:
        if category_id not in self.categories:
            raise _No("CATEGORY_NOT_FOUND", category_id=category_id)
        return self.categories[category_id]

    def _check_category(self, category_id: str) -> None:
        if category_id and self._category(category_id).state != "ACTIVE":
            raise _No("CATEGORY_ARCHIVED", category_id=category_id)

    def _check_name(self, category_id: str, name: str) -> None:
        for other in self.categories.values():
            if other.name == name and other.state == "ACTIVE" and other.id != category_id:
                raise _No("CATEGORY_NAME_TAKEN", name=name, category_id=other.id)

    def _change_category(self, category: Category, key: str) -> Done:
        now = replace(category, sequence=self.sequence + 1, revision=category.revision + 1)
        return self._put_category("CATEGORY_CHANGED", now, key)

    def _put_category(self, kind: str, category: Category, key: str) -> Done:
        self.events.append(Event(category.sequence, kind, key=key, category=category))
        self.categories[category.id] = category
        return Done(self.sequence, category=category)

    def _account(self, account_id: str) -> Account:
        if account_id not in self.accounts:
            raise _No("ACCOUNT_NOT_FOUND", account_id=account_id)
        return self.accounts[account_id]

    def _changeable(self, number: int, expected: int, statuses: tuple[str, ...] = ("PENDING", "CLEARED")) -> View:
        if number not in self.versions:
            raise _No("TRANSACTION_NOT_FOUND")
        view = self.versions[number][-1]
        if expected not in (0, view.revision):
            raise _No("REVISION_MISMATCH", revision=str(view.revision))
        if view.status not in statuses:
            raise _No("INVALID_STATUS", status=view.status)
        return view

    def _check_not_shut(self, legs: Iterable[Leg]) -> None:
        for leg in legs:
            state = self._account(leg.account).state
            if state != "OPEN":
                raise _No(f"ACCOUNT_{state}", account_id=leg.account)

    def _check_accounts(self, legs: Iterable[Leg]) -> None:
        for leg in legs:
            self._check_not_shut([leg])
            if not self.accounts[leg.account].takes(leg.currency):
                raise _No("CURRENCY_NOT_ALLOWED", account_id=leg.account, currency=leg.currency)

    def _check_limits(self, legs: Iterable[Leg]) -> None:
        for account_id, currency in dict.fromkeys((leg.account, leg.currency) for leg in legs):
            if max(self.balance(account_id, currency, _NEVER).totals) > MAX_TOTAL:
                raise _No("AMOUNT_OVERFLOW", account_id=account_id, currency=currency)
            broken = self._broken(self.accounts[account_id], currency)
            if broken:
                raise _No(broken, account_id=account_id, currency=currency)

    def _broken(self, account: Account, currency: str) -> str:
        """Which of an account's limits its totals break; empty: none."""
        limit = account.limit(currency)
        totals = self.balance(account.id, currency, _NEVER).totals
        if limit.floor is not None and totals.available(account.normal_side) < limit.floor:
            return "INSUFFICIENT_BALANCE"
        if limit.ceiling is not None and totals.reachable(account.normal_side) > limit.ceiling:
            return "CEILING_EXCEEDED"
        return ""

    def _tidy(self, now: datetime) -> None:
        self.now = now
        for view in self.due(now):
            ended = self._revise(view, "TRANSACTION_EXPIRED", "", status="EXPIRED", by_server=True)
            self._enter(ended, "RELEASE", ended.legs)

    def _event(
        self, kind: str, *, view: View | None = None, account: str = "", key: str = "", reason: str = ""
    ) -> View:
        self.events.append(Event(self.sequence + 1, kind, view, account, key, reason))
        if view is not None:
            self.versions.setdefault(view.number, []).append(view)
            return view
        return _NO_VIEW

    def _revise(self, before: View, kind: str, key: str, **changes: object) -> View:
        changed: dict[str, object] = {"by_server": False, **changes}
        view = replace(before, revision=before.revision + 1, sequence=self.sequence + 1, **changed)  # type: ignore[arg-type]
        return self._event(kind, view=view, key=key)

    def _change(self, account: Account, key: str) -> Done:
        self._event("ACCOUNT_CHANGED", account=account.id, key=key)
        self.accounts[account.id] = account
        return Done(self.sequence)

    def _enter(self, view: View, kind: str, legs: Iterable[Leg]) -> None:
        for leg in legs:
            number = len(self.entries_of(leg.account, leg.currency)) + 1
            self.entries.append(
                Entry(self.sequence, number, view.number, leg.account, leg.currency, kind, leg.side, leg.amount)
            )

    def _done(self, views: Sequence[View], touched: Iterable[Leg]) -> Done:
        places = dict.fromkeys((leg.account, leg.currency) for leg in touched)
        balances: tuple[BalanceView, ...] = tuple(self.balance(*place, _NEVER) for place in places)
        views = [replace(view, reversed_by=self.reversals_of(view.number)) for view in views]
        return Done(self.sequence, tuple(views), balances)

    # Going back.

    @contextmanager
    def _undone_if_refused(self) -> Iterator[None]:
        saved = self._save()
        try:
            yield
        except _No:
            self._restore(saved)
            raise

    def _save(self) -> dict[str, object]:
        saved = {
            name: copy.copy(getattr(self, name)) for name in ("events", "entries", "accounts", "categories", "_parts")
        }
        saved["versions"] = {number: list(versions) for number, versions in self.versions.items()}
        return saved

    def _restore(self, saved: dict[str, object]) -> None:
        vars(self).update(saved)


_NO_VIEW = View(0, 0, 0, "", (), "")
