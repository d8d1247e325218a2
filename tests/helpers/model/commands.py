"""What can be asked of the model. Frozen: two commands are the same request when they are equal.

Transactions are called by the sequence of their creation (`number`), amounts are minor units, sides are
"DEBIT" and "CREDIT", and all texts are already well-formed: malformed requests never reach the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from tests.helpers.model.views import Limit


class Leg(NamedTuple):
    """One posting."""

    account: str
    side: str
    currency: str
    amount: int


@dataclass(frozen=True)
class Create:
    """CreateTransaction; `effective` None: the moment of recording."""

    key: str
    legs: tuple[Leg, ...]
    status: str = "PENDING"
    effective: datetime | None = None
    expire: datetime | None = None
    description: str = ""
    reference: str = ""
    category: str = ""
    validate_only: bool = False


@dataclass(frozen=True)
class Edit:
    """EditTransaction: the account of every leg anew, or None; the description anew, or None."""

    key: str
    number: int
    accounts: tuple[str, ...] | None = None
    description: str | None = None
    expected_revision: int = 0


class Approval(NamedTuple):
    """One of the transactions to approve; `amount` None: in full."""

    number: int
    amount: int | None = None
    expected_revision: int = 0


@dataclass(frozen=True)
class Approve:
    """ApproveTransactions."""

    key: str
    approvals: tuple[Approval, ...]


@dataclass(frozen=True)
class Clear:
    """ClearTransaction."""

    key: str
    number: int
    expected_revision: int = 0


@dataclass(frozen=True)
class Void:
    """VoidTransaction."""

    key: str
    number: int
    expected_revision: int = 0


class Part(NamedTuple):
    """How much of one leg, counted from 0, to reverse."""

    leg: int
    amount: int


@dataclass(frozen=True)
class Reverse:
    """ReverseTransaction: `amount` of a two-legged one, or `parts`, or all that is left."""

    key: str
    number: int
    amount: int | None = None
    parts: tuple[Part, ...] = ()
    effective: datetime | None = None
    description: str = ""


@dataclass(frozen=True)
class SetState:
    """FreezeAccount, UnfreezeAccount, CloseAccount: `state` is FROZEN, OPEN or CLOSED."""

    key: str
    account: str
    state: str


@dataclass(frozen=True)
class SetLimits:
    """UpdateAccount of the limits."""

    key: str
    account: str
    limits: tuple[Limit, ...]


@dataclass(frozen=True)
class Categorize:
    """CategorizeTransaction; `category` "": none."""

    key: str
    number: int
    category: str
    expected_revision: int = 0


@dataclass(frozen=True)
class CreateCategory:
    """CreateCategory with an id of the caller's."""

    key: str
    category: str
    name: str


@dataclass(frozen=True)
class RenameCategory:
    """UpdateCategory of the name."""

    key: str
    category: str
    name: str
    expected_revision: int = 0


@dataclass(frozen=True)
class ArchiveCategory:
    """ArchiveCategory of one that is not archived."""

    key: str
    category: str


OfCategory = CreateCategory | RenameCategory | ArchiveCategory
Command = Create | Edit | Approve | Clear | Void | Reverse | SetState | SetLimits | Categorize | OfCategory
