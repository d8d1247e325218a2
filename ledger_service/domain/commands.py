"""What callers ask for, validated and free of any transport: one model for gRPC and every later adapter.

Ids are as callers write them; amounts are minor units; texts that are empty are None. `fingerprint` is
a digest of the request's content (domain.fingerprint): the same key with another one is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from ledger_service.domain.account import AccountState, AccountType, BankAccount, Limit
from ledger_service.domain.errors import LedgerError
from ledger_service.domain.transaction import Status


class NewPosting(NamedTuple):
    """A leg as asked for."""

    account_id: str
    side: int
    currency: str
    amount: int


@dataclass(slots=True, kw_only=True)
class Write:
    """What all writes have in common. `key` None: the request has none and is never recorded when refused."""

    key: str | None
    fingerprint: bytes
    actor: str


@dataclass(slots=True, kw_only=True)
class CreateTransaction(Write):
    """Record a transaction; its postings balance in each currency."""

    postings: tuple[NewPosting, ...]
    status: Status
    effective_time: datetime | None = None
    expire_time: datetime | None = None
    description: str | None = None
    reference: str | None = None
    counterparty: str | None = None
    category_id: str | None = None
    metadata: str | None = None
    validate_only: bool = False
    is_two_account: bool = field(default=False, compare=False)
    """Written in the two-account form: what errors call the fields."""

    def account_field(self, leg: int) -> str:
        """What the request calls the account of a leg."""
        if self.is_two_account:
            return "debit_account_id" if leg == 0 else "credit_account_id"
        return f"postings[{leg}].account_id"


@dataclass(slots=True, kw_only=True)
class EditTransaction(Write):
    """Change accounts or description of an open transaction.

    `accounts` has one id for each posting, None where it stays; or is None altogether. `debit` and
    `credit` are the two-posting form. `description` "" clears it, None leaves it.
    """

    transaction_id: str
    accounts: tuple[str, ...] | None = None
    debit_account_id: str | None = None
    credit_account_id: str | None = None
    description: str | None = None
    expected_revision: int = 0


class Approval(NamedTuple):
    """One transaction to approve; `amount` None: in full."""

    transaction_id: str
    currency: str | None
    amount: int | None
    expected_revision: int


@dataclass(slots=True, kw_only=True)
class ApproveTransactions(Write):
    """Make open transactions final, all or none."""

    approvals: tuple[Approval, ...]


@dataclass(slots=True, kw_only=True)
class ClearTransaction(Write):
    """Note that an outside party has confirmed a pending transaction."""

    transaction_id: str
    expected_revision: int = 0


@dataclass(slots=True, kw_only=True)
class VoidTransaction(Write):
    """End an open transaction without effect."""

    transaction_id: str
    expected_revision: int = 0


class ReversalPart(NamedTuple):
    """How much of one posting (by its place) to reverse."""

    leg: int
    currency: str
    amount: int


@dataclass(slots=True, kw_only=True)
class ReverseTransaction(Write):
    """Cancel a posted transaction; `parts` empty and `amount` None: all that is left."""

    transaction_id: str
    currency: str | None = None
    amount: int | None = None
    parts: tuple[ReversalPart, ...] = ()
    effective_time: datetime | None = None
    description: str | None = None
    reference: str | None = None
    metadata: str | None = None


@dataclass(slots=True, kw_only=True)
class CreateAccount(Write):
    """Open an account. `account_id` is set: the adapter makes one where the caller has none."""

    account_id: str
    type: AccountType
    contra: bool
    code: str | None
    name: str
    parent_id: str | None
    currencies: tuple[str, ...]
    limits: tuple[Limit, ...]
    metadata: str | None
    financial_type: str | None = None
    sub_type_code: str | None = None
    is_category: bool = False
    bank_account: BankAccount | None = None


@dataclass(slots=True, kw_only=True)
class UpdateAccount(Write):
    """Change an account: only the members named in `fields`."""

    account_id: str
    fields: frozenset[str]
    name: str = ""
    code: str | None = None
    parent_id: str | None = None
    currencies: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    metadata: str | None = None
    financial_type: str | None = None
    sub_type_code: str | None = None
    is_category: bool = False
    bank_account: BankAccount | None = None
    expected_revision: int = 0


@dataclass(slots=True, kw_only=True)
class SetAccountState(Write):
    """Freeze, unfreeze or close an account."""

    account_id: str
    state: AccountState


@dataclass(slots=True, kw_only=True)
class UpdateEntity(Write):
    """Change an entity: only the members named in `fields`."""

    fields: frozenset[str]
    name: str = ""
    time_zone: str = ""
    metadata: str | None = None
    expected_revision: int = 0


@dataclass(slots=True, kw_only=True)
class ArchiveEntity(Write):
    """End all writing in the entity."""


@dataclass(slots=True, kw_only=True)
class CategorizeTransaction(Write):
    """Give a transaction, in whatever status, its category; None takes it away."""

    transaction_id: str
    category_id: str | None
    expected_revision: int = 0


@dataclass(slots=True, kw_only=True)
class CreateCategory(Write):
    """Make a category. `category_id` is set: the adapter makes one where the caller has none."""

    category_id: str
    name: str
    metadata: str | None


@dataclass(slots=True, kw_only=True)
class UpdateCategory(Write):
    """Change a category: only the members named in `fields`."""

    category_id: str
    fields: frozenset[str]
    name: str = ""
    metadata: str | None = None
    expected_revision: int = 0


@dataclass(slots=True, kw_only=True)
class ArchiveCategory(Write):
    """Take a category out of use, for good."""

    category_id: str


@dataclass(slots=True, kw_only=True)
class AdvanceReconciliation(Write):
    """Let what was staged count, if the reconciliation is still at the revision that it was worked out for.

    `refusal` is what was worked out instead, if it can't be done: recorded like any refusal that depended on state.
    With it `from_revision` may be None: it does not rest on the reconciliation and holds at whatever revision.

    `action` is an application.reconciling.staging.Action; `freezes` are the numbers of transactions that must stay
    CLEARED from now on, as they were at `as_of` (the entity's sequence); `reopens` is the stage of the closing that is
    taken back. `detail` is what the event keeps.
    """

    account_id: str
    currency: str
    from_revision: int | None
    stage_no: int
    action: int
    detail: str
    refusal: LedgerError | None = None
    freezes: tuple[int, ...] = ()
    as_of: int = 0
    reopens: int | None = None


Command = (
    CreateTransaction
    | EditTransaction
    | ApproveTransactions
    | ClearTransaction
    | VoidTransaction
    | ReverseTransaction
    | CreateAccount
    | UpdateAccount
    | SetAccountState
    | UpdateEntity
    | ArchiveEntity
    | CategorizeTransaction
    | CreateCategory
    | UpdateCategory
    | ArchiveCategory
    | AdvanceReconciliation
)


POSTING = (
    CreateTransaction,
    ApproveTransactions,
    CategorizeTransaction,
    ClearTransaction,
    EditTransaction,
    ReverseTransaction,
    VoidTransaction,
)
"""Commands that add events and entries, and change nothing else."""


@dataclass(slots=True)
class Unit:
    """Commands of one entity that one caller sent together: decided in order, `atomic` all or none."""

    entity_no: int
    commands: list[Command]
    atomic: bool = False
    postings: int = field(default=0)
    """How many postings they write at most: what a database transaction is measured by."""
