"""What answering a question needs from the outside: the names, the rows, and perhaps a model that plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from ledger_service.application.asking.plan import Direction, Grouping, Measure, Order
from ledger_service.application.asking.vocabulary import Name


@dataclass(frozen=True, slots=True)
class RowsWanted:
    """A plan in the ledger's terms: instants instead of days, minor units instead of decimals; None: any.

    `bounds` are least and most amount in minor units by currency; a currency without bounds is not asked about then
    and has to be left out by `currency`.
    """

    direction: Direction
    statuses: tuple[int, ...]
    effective_from: datetime | None
    effective_before: datetime | None
    category_ids: tuple[str, ...] | None
    uncategorized: bool
    account_ids: tuple[str, ...] | None
    counterparty_keys: tuple[str, ...] | None
    texts: tuple[str, ...]
    currency: str | None
    bounds: Mapping[str, tuple[int | None, int | None]] | None


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What of the rows to give: groups or single transactions, in which order, how many."""

    measure: Measure
    grouping: Grouping
    order: Order
    limit: int
    time_zone: str


class Summary(NamedTuple):
    """What came of one currency, in minor units.

    `reductions` counts transactions with an amount below zero: reversals and refunds. `largest` and `smallest` are
    amounts above zero.
    """

    currency: str
    transactions: int
    total: int
    reductions: int
    largest: int | None
    smallest: int | None


class Group(NamedTuple):
    """What came of one currency in one group; key and name are empty for what has no category or counterparty."""

    key: str
    name: str
    summary: Summary


class Line(NamedTuple):
    """A transaction with its amount in one currency, in the sense of the direction asked for."""

    transaction_no: int
    currency: str
    amount: int
    status: int
    effective_time: datetime
    description: str
    counterparty: str
    category_id: str


@dataclass(frozen=True, slots=True)
class Rows:
    """What the ledger has; `summaries` and `others` (those of the period compared with) cover all that matched.

    The currency with the most transactions comes first, also among `lines` by amount and `groups`. `matched` and
    `others_matched` count transactions, one with several currencies once; `all_groups` counts groups, shown or not.
    """

    summaries: tuple[Summary, ...] = ()
    matched: int = 0
    lines: tuple[Line, ...] = ()
    groups: tuple[Group, ...] = ()
    all_groups: int = 0
    others: tuple[Summary, ...] = ()
    others_matched: int = 0


class Known(NamedTuple):
    """What questions may name, and the effective times between which there are transactions."""

    names: tuple[Name, ...]
    complete: bool
    held: tuple[str, ...]
    first: datetime | None
    last: datetime | None


class AskStore(Protocol):
    """Reads for questions, as a role that can't write; storage.asking implements it."""

    async def known_names(self, entity_no: int, most: int, seconds: float) -> Known:
        """At most so many names of a kind, within so many seconds a statement. Raises Unavailable, TooBroad."""
        ...

    async def ask(
        self, entity_no: int, wanted: RowsWanted, arranged: Arrangement, other: RowsWanted | None, seconds: float
    ) -> Rows:
        """All from one snapshot. Raises Unavailable, TooBroad."""
        ...


class ModelFailed(Exception):
    """The model gave no answer that can be used; the message says why, in a few words, without the model's own."""


class PlanModel(Protocol):
    """A language model behind some endpoint, asked for a plan; remote.planner_model implements it."""

    @property
    def name(self) -> str:
        """Which one, for the answer."""
        ...

    async def complete(self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, object]) -> str:
        """The model's text, meant to be JSON of this schema. Raises ModelFailed."""
        ...
