"""Entities and accounts as the rules see them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum


class Side(IntEnum):
    """The two columns of double entry."""

    DEBIT = 1
    CREDIT = 2


class AccountType(IntEnum):
    """The five types of the accounting equation."""

    ASSET = 1
    LIABILITY = 2
    EQUITY = 3
    REVENUE = 4
    EXPENSE = 5


class AccountState(IntEnum):
    """What an account takes: everything, only the end of what is pending, nothing."""

    OPEN = 1
    FROZEN = 2
    CLOSED = 3


class EntityState(IntEnum):
    """Whether an entity takes writes."""

    ACTIVE = 1
    ARCHIVED = 2


MAX_TREE_DEPTH = 32
"""How deep a chart of accounts may be: bounds the recursion of roll-ups."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Bounds of a balance in minor units of one currency, in the sense of the normal side."""

    currency: str
    floor: int | None
    ceiling: int | None


@dataclass(frozen=True, slots=True)
class BankAccount:
    """The account at a bank that an account of the ledger mirrors."""

    bank_account_id: str
    name: str
    type: str | None = None
    subtype: str | None = None
    mask: str | None = None
    institution_id: str | None = None
    institution_name: str | None = None


@dataclass(frozen=True, slots=True)
class Entity:
    """A tenant; `entity_no` and `id_key` never leave the service."""

    entity_no: int
    entity_id: str
    id_key: bytes
    name: str
    time_zone: str
    state: EntityState
    metadata: str | None
    created_time: datetime
    updated_time: datetime
    revision: int
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """An account; `account_no` is the sequence of its creation and never leaves the service."""

    account_no: int
    account_id: str
    type: AccountType
    contra: bool
    code: str | None
    name: str
    parent_no: int | None
    parent_id: str | None
    currencies: tuple[str, ...]
    limits: tuple[Limit, ...]
    state: AccountState
    metadata: str | None
    created_time: datetime
    updated_time: datetime
    sequence: int
    revision: int
    financial_type: str | None = None
    sub_type_code: str | None = None
    is_category: bool = False
    bank_account: BankAccount | None = None

    normal_side: Side = field(init=False)
    """The side on which it grows; asked for with every entry, so it is worked out once."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "normal_side", normal_side(self.type, self.contra))

    def changed(self, sequence: int, now: datetime, **changes: object) -> Account:
        """The next revision."""
        return replace(
            self,
            sequence=sequence,
            updated_time=now,
            revision=self.revision + 1,
            **changes,  # type: ignore[arg-type]
        )


def normal_side(type_: AccountType, contra: bool) -> Side:
    """Debit for assets and expenses, credit for the others; a contra account has the other one."""
    grows_by_debit = type_ in (AccountType.ASSET, AccountType.EXPENSE)
    return Side.DEBIT if grows_by_debit != contra else Side.CREDIT
