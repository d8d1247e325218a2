"""An entity's ledger as far as one batch needs it, and the rows that the batch adds.

The storage fills it, `decide` works on it. Everything that a decision changes goes through here, so that
a command that fails halfway (atomic batches, validate_only) can be taken back as if it had not been.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeVar

from ledger_service.domain.account import Account, Entity, Limit
from ledger_service.domain.category import Category, CategoryState
from ledger_service.domain.commands import Write
from ledger_service.domain.decide.outcome import Outcome
from ledger_service.domain.transaction import EventKind, Transaction


class Head(NamedTuple):
    """The newest entry of an account in a currency: its totals are the balance."""

    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int
    number: int
    latest_effective: datetime | None


EMPTY_HEAD = Head(0, 0, 0, 0, 0, None)


class KnownKey(NamedTuple):
    """An idempotency key used before. `outcome` None: an earlier database transaction applied the write, and its
    answer stands in the history.
    """

    fingerprint: bytes
    sequence: int
    span: int
    outcome: Outcome | None


class RevisionRow(NamedTuple):
    """A row of ledger.reconciliation_revisions, columns in this order."""

    entity_no: int
    account_no: int
    currency: str
    revision: int
    stage_no: int
    action: int
    sequence: int
    reopens: int | None


class EventRow(NamedTuple):
    """A row of ledger.events, columns in this order."""

    entity_no: int
    sequence: int
    kind: int
    span: int
    recorded_time: datetime
    actor: str
    idempotency_key: str | None
    request_hash: bytes | None
    transaction_no: int | None
    revision: int | None
    status: int | None
    postings_at: int | None
    effective_time: datetime | None
    expire_time: datetime | None
    description: str | None
    reference: str | None
    counterparty: str | None
    category_id: str | None
    metadata: str | None
    reverses: int | None
    account_no: int | None
    detail: str | None


EntryRow = tuple[
    int,
    int,
    str,
    int,
    int,
    int,
    int,
    int,
    int,
    int,
    int,
    int,
    int,
    datetime,
    datetime,
    tuple[int, ...] | None,
]
"""A row of ledger.entries: entity_no, account_no, currency, number, sequence, kind, leg, side, amount, the
four totals, effective_time, latest_effective, wide."""

_NONE: Mapping[tuple[int, str], Head] = {}

_Undo = Callable[[], object]
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(slots=True)
class Book:
    """What is known of one entity under its lock, and what the batch adds to it.

    `now` is the recorded time of everything that the batch writes; `sequence` the entity's last one.
    """

    entity: Entity
    sequence: int
    now: datetime
    accounts: dict[str, Account] = field(default_factory=dict)
    """By id; those that the batch mentions, with their ancestors where the tree matters."""
    accounts_by_no: dict[int, Account] = field(default_factory=dict)
    heads: dict[tuple[int, str], Head] = field(default_factory=dict)
    """By account number and currency; an account without entries in a currency has none, or an empty one."""
    keys: dict[str, KnownKey] = field(default_factory=dict)
    transactions: dict[int, Transaction] = field(default_factory=dict)
    """Newest revisions of those that the batch changes."""
    reversed: dict[int, dict[int, int]] = field(default_factory=dict)
    """Of originals: how much of each leg is reversed already."""
    codes: dict[str, str] = field(default_factory=dict)
    """Account ids by code, for the codes that the batch mentions."""
    open_children: dict[int, int] = field(default_factory=dict)
    """How many children of an account are not closed, for the accounts that the batch closes."""
    heights: dict[int, int] = field(default_factory=dict)
    """How many generations lie below an account, for the accounts that the batch gives another parent."""
    creations: dict[int, bytes | None] = field(default_factory=dict)
    """Fingerprint of the request that created an account or category, for those created again."""
    categories: dict[str, Category] = field(default_factory=dict)
    """By id; those that the batch mentions."""
    category_names: dict[str, str] = field(default_factory=dict)
    """Ids of active categories by name, for the names that the batch mentions."""
    reconciliations: dict[tuple[int, str], int] = field(default_factory=dict)
    """Revisions by account number and currency, for the reconciliations that the batch changes."""
    frozen: dict[int, str] = field(default_factory=dict)
    """Transactions that a closed reconciliation holds, of those that the batch would edit, void or approve in part;
    with the id of the account."""
    due: list[int] = field(default_factory=list)
    """Open transactions whose expire_time has passed, in the order in which they expired."""
    sealed: int = 0
    """Size of the entity's history tree (domain.sealing): up to which sequence it is sealed. The batch's own events are
    in it as soon as they have their seal (domain.sealing.seals.seal_of)."""
    peaks: bytes = b""
    """The tree's peaks."""

    events: list[EventRow] = field(default_factory=list)
    entries: list[EntryRow] = field(default_factory=list)
    new_accounts: list[Account] = field(default_factory=list)
    changed_accounts: dict[int, Account] = field(default_factory=dict)
    changed_limits: dict[int, tuple[Limit, ...]] = field(default_factory=dict)
    changed_entity: Entity | None = None
    category_revisions: list[Category] = field(default_factory=list)
    """Those that the batch adds, in their order: one may free the name that the next one takes."""
    revision_rows: list[RevisionRow] = field(default_factory=list)
    """Of reconciliations, those that the batch adds."""
    _undo: list[_Undo] | None = None

    @property
    def is_plain(self) -> bool:
        """The batch adds events and entries to it, and changes nothing else."""
        return not (
            self.new_accounts
            or self.changed_accounts
            or self.changed_limits
            or self.changed_entity
            or self.category_revisions
            or self.revision_rows
        )

    def tentatively(self) -> list[_Undo] | None:
        """Begin to remember how to take things back; returns what was remembered before (see `settle`)."""
        outer, self._undo = self._undo, []
        return outer

    def settle(self, outer: list[_Undo] | None, keep: bool) -> None:
        """End what `tentatively` began: keep what was done since, or take it back."""
        steps = self._undo or []
        self._undo = outer
        if not keep:
            for step in reversed(steps):
                step()
        elif outer is not None:
            outer.extend(steps)

    def add_event(
        self, row: EventRow, entries: Sequence[EntryRow] = (), heads: Mapping[tuple[int, str], Head] = _NONE
    ) -> None:
        """Write the next event with its entries, after which `heads` are the newest of their accounts; its sequence is
        one more than the last.
        """
        if self._undo is not None:
            marks = self.sequence, len(self.events), len(self.entries)
            self._undo.append(lambda: self._cut(*marks))
            for key in heads:
                self._remember(self.heads, key)
        self.sequence = row.sequence
        self.events.append(row)
        self.entries += entries
        self.heads.update(heads)

    def set_transaction(self, transaction: Transaction) -> None:
        """This is the newest revision now."""
        number = transaction.transaction_no
        if self._undo is not None:
            self._remember(self.transactions, number)
        self.transactions[number] = transaction

    def add_reversed(self, transaction_no: int, parts: dict[int, int]) -> None:
        """So much more of each leg of an original is reversed."""
        before = self.reversed.get(transaction_no, {})
        if self._undo is not None:
            self._remember(self.reversed, transaction_no)
        self.reversed[transaction_no] = {
            leg: before.get(leg, 0) + parts.get(leg, 0) for leg in before.keys() | parts.keys()
        }

    def set_key(self, key: str, known: KnownKey) -> None:
        """The key is used."""
        if self._undo is not None:
            self._remember(self.keys, key)
        self.keys[key] = known

    def add_account(self, account: Account, fingerprint: bytes) -> None:
        """A new account, and the digest of the request that creates it."""
        if self._undo is not None:
            self._undo.append(self.new_accounts.pop)
            self._remember(self.creations, account.account_no)
        self.creations[account.account_no] = fingerprint
        self.new_accounts.append(account)
        self._index_account(account)

    def change_account(self, account: Account, *, with_limits: bool = False) -> None:
        """The next revision of an account; `with_limits`: its limits are other ones."""
        if self._undo is not None:
            self._remember(self.changed_accounts, account.account_no)
            self._remember(self.changed_limits, account.account_no)
        before = self.accounts_by_no[account.account_no]
        if before.code is not None and before.code != account.code:
            if self._undo is not None:
                self._remember(self.codes, before.code)
            self.codes.pop(before.code, None)
        self.changed_accounts[account.account_no] = account
        if with_limits:
            self.changed_limits[account.account_no] = account.limits
        self._index_account(account)

    def add_open_children(self, account_no: int, difference: int) -> None:
        """So many more children of an account are not closed."""
        if account_no in self.open_children:
            if self._undo is not None:
                self._remember(self.open_children, account_no)
            self.open_children[account_no] += difference

    def change_entity(self, entity: Entity) -> None:
        """The next revision of the entity."""
        if self._undo is not None:
            before = self.entity, self.changed_entity
            self._undo.append(lambda: self._restore_entity(*before))
        self.entity = self.changed_entity = entity

    def put_category(self, category: Category, fingerprint: bytes) -> None:
        """A new category, or the next revision of one; the digest of the request counts for new ones."""
        before = self.categories.get(category.category_id)
        if self._undo is not None:
            self._undo.append(self.category_revisions.pop)
            self._remember(self.categories, category.category_id)
            self._remember(self.category_names, category.name)
            self._remember(self.creations, category.category_no)
            if before is not None:
                self._remember(self.category_names, before.name)
        if before is None:
            self.creations[category.category_no] = fingerprint
        else:
            self.category_names.pop(before.name, None)
        if category.state is CategoryState.ACTIVE:
            self.category_names[category.name] = category.category_id
        self.categories[category.category_id] = category
        self.category_revisions.append(category)

    def add_revision(self, row: RevisionRow) -> None:
        """The next revision of a reconciliation."""
        key = row.account_no, row.currency
        if self._undo is not None:
            self._undo.append(self.revision_rows.pop)
            self._remember(self.reconciliations, key)
        self.reconciliations[key] = row.revision
        self.revision_rows.append(row)

    def event_row(self, kind: EventKind, write: Write, **columns: object) -> EventRow:
        """The next event's row; for the kinds that are rare, where speed is no matter."""
        row = EventRow(
            self.entity.entity_no, self.sequence + 1, kind, 1, self.now, write.actor, write.key,
            write.fingerprint, *[None] * 14,
        )  # fmt: skip
        return row._replace(**columns)  # type: ignore[arg-type]

    def _cut(self, sequence: int, events: int, entries: int) -> None:
        self.sequence = sequence
        del self.events[events:]
        del self.entries[entries:]

    def _index_account(self, account: Account) -> None:
        if self._undo is not None:
            self._remember(self.accounts, account.account_id)
            self._remember(self.accounts_by_no, account.account_no)
            if account.code is not None:
                self._remember(self.codes, account.code)
        self.accounts[account.account_id] = account
        self.accounts_by_no[account.account_no] = account
        if account.code is not None:
            self.codes[account.code] = account.account_id

    def _remember(self, table: dict[_Key, _Value], key: _Key) -> None:
        """Put down how to bring back the table's present value of the key, or its absence."""
        assert self._undo is not None
        if key in table:
            before = table[key]
            self._undo.append(lambda: table.__setitem__(key, before))
        else:
            self._undo.append(lambda: table.pop(key, None))

    def _restore_entity(self, entity: Entity, changed: Entity | None) -> None:
        self.entity, self.changed_entity = entity, changed
