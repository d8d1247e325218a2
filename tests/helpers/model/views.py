"""What the model keeps and answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from tests.helpers.model.commands import Leg

OPEN_STATUSES = ("PENDING", "CLEARED")
MAX_TOTAL = 10**38 - 1


class Totals(NamedTuple):
    """Sums in minor units."""

    debits_posted: int = 0
    credits_posted: int = 0
    debits_pending: int = 0
    credits_pending: int = 0

    def plus(self, other: Totals) -> Totals:
        """Each of the four added."""
        return Totals(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def posted(self, normal: str) -> int:
        """Final debits and credits against each other, on the normal side."""
        return _on(normal, self.debits_posted, self.credits_posted)

    def pending(self, normal: str) -> int:
        """As if every pending transaction were approved."""
        return _on(normal, self.debits_posted + self.debits_pending, self.credits_posted + self.credits_pending)

    def available(self, normal: str) -> int:
        """Posted less what pending transactions could still take out."""
        return self.posted(normal) - (self.credits_pending if normal == "DEBIT" else self.debits_pending)

    def reachable(self, normal: str) -> int:
        """Posted plus what pending transactions could still bring in."""
        return self.posted(normal) + (self.debits_pending if normal == "DEBIT" else self.credits_pending)


def _on(normal: str, debits: int, credits_: int) -> int:
    return debits - credits_ if normal == "DEBIT" else credits_ - debits


class Limit(NamedTuple):
    """Floor and ceiling in one currency, on the normal side."""

    currency: str
    floor: int | None = None
    ceiling: int | None = None


@dataclass(frozen=True)
class Account:
    """An account as it is now; its entries are elsewhere."""

    id: str
    type: str
    contra: bool = False
    parent: str = ""
    currencies: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    state: str = "OPEN"

    @property
    def normal_side(self) -> str:
        """DEBIT for assets and expenses, CREDIT for the others; a contra account has the other one."""
        return "DEBIT" if (self.type in ("ASSET", "EXPENSE")) != self.contra else "CREDIT"

    def takes(self, currency: str) -> bool:
        """Whether it takes postings in that currency."""
        return not self.currencies or currency in self.currencies

    def limit(self, currency: str) -> Limit:
        """Its bounds in that currency; both None where there are none."""
        return next((each for each in self.limits if each.currency == currency), Limit(currency))


@dataclass(frozen=True)
class Category:
    """A category as it is after an event."""

    id: str
    name: str
    state: str
    sequence: int
    revision: int


@dataclass(frozen=True)
class View:
    """One revision of a transaction. `effective` None: the moment of recording."""

    number: int
    revision: int
    sequence: int
    status: str
    legs: tuple[Leg, ...]
    key: str
    effective: datetime | None = None
    expire: datetime | None = None
    description: str = ""
    reference: str = ""
    category: str = ""
    by_server: bool = False
    """Whether the server made this revision by itself."""
    reverses: int | None = None
    reversed_by: tuple[int, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it is neither final nor ended."""
        return self.status in OPEN_STATUSES

    def is_due(self, now: datetime) -> bool:
        """Whether it has ended by its own deadline, tidied up or not."""
        return self.is_open and self.expire is not None and self.expire <= now


@dataclass(frozen=True)
class Entry:
    """What one event did to one account."""

    sequence: int
    number: int
    transaction: int
    account: str
    currency: str
    kind: str
    side: str
    amount: int

    @property
    def effect(self) -> Totals:
        """What it adds to the four totals."""
        posted = self.amount if self.kind in ("POST", "SETTLE") else 0
        pending = {"POST": 0, "HOLD": self.amount, "RELEASE": -self.amount, "SETTLE": -self.amount}[self.kind]
        return Totals(posted, 0, pending, 0) if self.side == "DEBIT" else Totals(0, posted, 0, pending)


@dataclass(frozen=True)
class Event:
    """One thing that happened, at its place in the entity's order."""

    sequence: int
    kind: str
    view: View | None = None
    account: str = ""
    key: str = ""
    reason: str = ""
    category: Category | None = None


class BalanceView(NamedTuple):
    """An account's balance in one currency."""

    account: str
    currency: str
    normal_side: str
    totals: Totals
    entry_number: int
    sequence: int


class Refusal(NamedTuple):
    """A call that is refused: the reason, and metadata that the answer must carry."""

    reason: str
    metadata: tuple[tuple[str, str], ...] = ()

    def plus(self, **metadata: str) -> Refusal:
        """The same with more metadata."""
        return Refusal(self.reason, (*self.metadata, *metadata.items()))


class Done(NamedTuple):
    """A write that was recorded."""

    sequence: int
    views: tuple[View, ...] = ()
    balances: tuple[BalanceView, ...] = ()
    category: Category | None = None
    replayed: bool = False
