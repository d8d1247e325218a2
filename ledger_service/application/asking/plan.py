"""What was understood of a question: a plan, in the terms of the ledger, that can be run and be shown.

A plan holds ids and dates only. Names and amounts of an answer come from the rows. The same classes, as JSON
schema, are what the optional planner model is asked for (`schema.py`), so what they say here is what it is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum

MAX_QUESTION = 500
"""Characters of a question."""
MAX_LISTED = 100
"""Transactions or groups in an answer."""
DEFAULT_LISTED = 10
"""Transactions or groups where the question does not say how many."""
MAX_NAMES = 20
"""Categories, accounts, counterparties or texts in one filter."""


class Direction(str, Enum):
    """Whose amounts are meant; protos/ledger/v1/question.proto defines each to the posting."""

    SPENT = "spent"
    RECEIVED = "received"
    ANY = "any"


class Measure(str, Enum):
    """What is wanted of the transactions."""

    SUM = "sum"
    COUNT = "count"
    AVERAGE = "average"
    LARGEST = "largest"
    SMALLEST = "smallest"
    LIST = "list"


class Grouping(str, Enum):
    """By what the transactions are told apart."""

    NONE = "none"
    CATEGORY = "category"
    ACCOUNT = "account"
    COUNTERPARTY = "counterparty"
    STATUS = "status"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"

    @property
    def is_time(self) -> bool:
        """Whether the groups follow one another in time."""
        return self in _TIMES


_TIMES = frozenset({Grouping.DAY, Grouping.WEEK, Grouping.MONTH, Grouping.QUARTER, Grouping.YEAR})


class Order(str, Enum):
    """What comes first: of transactions by amount or time, of groups by the measure or (times) by time."""

    LARGEST_FIRST = "largest_first"
    SMALLEST_FIRST = "smallest_first"
    NEWEST_FIRST = "newest_first"
    OLDEST_FIRST = "oldest_first"


class Statuses(str, Enum):
    """Statuses of transactions by the names that they have in answers."""

    PENDING = "pending"
    CLEARED = "cleared"
    POSTED = "posted"
    VOIDED = "voided"
    EXPIRED = "expired"


COUNTED = (Statuses.PENDING, Statuses.CLEARED, Statuses.POSTED)
"""What counts unless the question names statuses: everything that has not ended without effect."""


class Comparator(str, Enum):
    """How an amount is compared with a given one."""

    MORE_THAN = "more_than"
    AT_LEAST = "at_least"
    LESS_THAN = "less_than"
    AT_MOST = "at_most"
    EXACTLY = "exactly"
    BETWEEN = "between"


@dataclass(frozen=True, slots=True)
class AmountRule:
    """A condition on an amount, in units of the currency ("500" is 500 dollars, not cents).

    `upper` is for BETWEEN only, whose bounds both belong to it.
    """

    comparator: Comparator
    amount: str
    upper: str = ""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which transactions; all that are given must hold, one of several of a kind is enough."""

    categories: tuple[str, ...] = ()
    uncategorized: bool = False
    accounts: tuple[str, ...] = ()
    counterparties: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    statuses: tuple[Statuses, ...] = ()
    currency: str = ""
    amount: AmountRule | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """Days in the entity's time zone: from the first one on, before the other; None: open.

    `said` is how the question put it.
    """

    first: date | None = None
    before: date | None = None
    said: str = ""


class Outcome(str, Enum):
    """What a comparison asks for."""

    DIFFERENCE = "difference"
    MORE = "more"
    LESS = "less"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The total (or count, or average) held against another period's, or against an amount: exactly one of them."""

    outcome: Outcome
    period: Period | None = None
    amount: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A question as it was understood."""

    measure: Measure
    direction: Direction = Direction.ANY
    filters: Filters = Filters()
    period: Period | None = None
    grouping: Grouping = Grouping.NONE
    order: Order = Order.LARGEST_FIRST
    limit: int = DEFAULT_LISTED
    comparison: Comparison | None = None
