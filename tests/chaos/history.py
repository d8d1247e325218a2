"""What was asked and what was told, of one entity: recorded while the faults happen, judged afterwards."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.helpers.rpc import Refused
from tests.helpers.wire import Requests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.desk import Desk
    from tests.helpers.model import Account, Command, Create

NEVER = math.inf


def now() -> float:
    """Seconds of a clock that nobody sets: all times of a history are of this one."""
    return time.monotonic()


@dataclass(slots=True, eq=False)
class Write:
    """One try of one write. A key may have several: of the same content, or of another one."""

    command: Command
    invoked: float
    answered: float = NEVER
    """When its answer came; NEVER: none, or an ambiguous one, so the outcome is unknown."""
    answer: Any = None
    """The response, or the Refused; None while unknown."""
    ambiguous: str = ""
    """Why it is unknown: the code, and the reason if there was one."""
    batch: Sequence[Create] = ()
    """All items of the atomic batch that it was part of."""
    lost: float = NEVER
    """When an ambiguous answer came."""

    def tell(self, answer: Any, at: float) -> None:
        """A definite answer."""
        if isinstance(answer, Refused):
            answer.__traceback__ = None  # or each holds on to a whole stack
        self.answer, self.answered = answer, at

    def lose(self, refused: Refused | None = None, why: str = "") -> None:
        """No answer, or one that leaves it open."""
        self.lost = now()
        self.ambiguous = f"{refused.code.name} {refused.reason}".strip() if refused is not None else why

    @property
    def is_known(self) -> bool:
        """Whether the caller was told definitely."""
        return self.answer is not None


class Look(NamedTuple):
    """A read of balances in one call."""

    invoked: float
    answered: float
    balances: Sequence[Any]


class Listing(NamedTuple):
    """All pages of a list, oldest first: the sequences of creation."""

    invoked: float
    answered: float
    numbers: Sequence[int]
    ends: bool
    """Whether the last page was read; otherwise it broke off."""


class Seen(NamedTuple):
    """An event as a watcher was told it."""

    at: float
    sequence: int
    kind: int
    key: str
    transaction_id: str


class Shortage(NamedTuple):
    """A time in which a process had no memory to get: what it is asked then may fail in any way but a definite one."""

    start: float
    end: float


@dataclass(eq=False)
class Story:
    """Everything about one entity."""

    name: str
    accounts: Sequence[Account]
    expires: bool = False
    """Whether transactions of it have a deadline: then its pending balances depend on the time of the read."""
    writes: list[Write] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    listings: list[Listing] = field(default_factory=list)
    watches: list[list[Seen]] = field(default_factory=list)
    """One for each watcher; connections that it lost in between do not show."""
    strangers: list[str] = field(default_factory=list)
    """What somebody without a grant was told all the same."""
    probes: int = 0
    """How often somebody without a grant has asked."""
    late: int = 0
    """How many of the last writes were sent when nothing was broken any more."""
    constant: tuple[Sequence[str], int] | None = None
    """Accounts whose posted balances have this sum at all times, in minor units."""
    shortages: Sequence[Shortage] = ()
    desk: Desk | None = None
    """Where an account of it is being reconciled; None: nobody reconciles."""
    latest: datetime = field(default=datetime.min.replace(tzinfo=UTC))
    """The newest time that the service has recorded, as far as it was told: its clock may be far from ours."""
    requests: Requests = field(init=False)

    def __post_init__(self) -> None:
        self.requests = Requests(self.name)

    def begin(self, command: Command, batch: Sequence[Create] = ()) -> Write:
        """Note that a write is being sent."""
        write = Write(command, now(), batch=batch)
        self.writes.append(write)
        return write

    def learn(self, number: int, transaction_id: str, currency: str = "USD") -> None:
        """Note the id that the service gave to a transaction."""
        self.requests.ids[number] = transaction_id
        self.requests.currency_of[number] = currency
