"""The same answers in plain Python: over the transactions as the public API lists them, adding up one by one.

Nothing of the service's own code is used but its messages. The definitions are those of question.proto.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, getcontext
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ledger.v1 import account_service_pb2 as accounts
from ledger.v1 import category_service_pb2 as categories
from ledger.v1 import question_pb2 as pb
from ledger.v1 import transaction_service_pb2 as transactions
from tests.helpers.builders import DEBIT, EXPENSE, REVENUE

if TYPE_CHECKING:
    from tests.helpers.rpc import Client

getcontext().prec = 60


@dataclass
class Books:
    """All that the API tells of an entity."""

    zone: ZoneInfo
    transactions: dict[str, Any] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


async def read_books(client: Client, entity: str, zone: str) -> Books:
    """Page after page."""
    books = Books(ZoneInfo(zone))
    token = ""
    while True:
        page = await client.transactions.ListTransactions(
            transactions.ListTransactionsRequest(entity_id=entity, page_size=200, page_token=token)
        )
        books.transactions |= {one.id: one for one in page.transactions}
        token = page.next_page_token
        if not token:
            break
    listed = await client.accounts.ListAccounts(accounts.ListAccountsRequest(entity_id=entity, page_size=1000))
    for account in listed.accounts:
        books.types[account.id] = account.type
        books.parents[account.id] = account.parent_id
        books.names[account.id] = account.name
    named = await client.categories.ListCategories(categories.ListCategoriesRequest(entity_id=entity, page_size=1000))
    books.names |= {category.id: category.name for category in named.categories}
    return books


@dataclass
class Line:
    """A transaction's amount in a currency."""

    transaction: Any
    currency: str
    amount: Decimal
    parts: dict[str, Decimal]


def key_of(name: str) -> str:
    """One key for the spellings that the seed uses."""
    return re.sub(r"( \d+)+$", "", re.sub(r"[^a-z0-9]+", " ", name.lower()).strip())


class Reference:
    """Answers a plan."""

    def __init__(self, books: Books, plan: pb.QuestionPlan) -> None:
        self.books = books
        self.plan = plan

    def lines(self, period: pb.QuestionPeriod | None) -> list[Line]:
        """All that match, with their amounts."""
        found = []
        for one in self.books.transactions.values():
            if not self._matches(one, period):
                continue
            amounts: dict[str, Decimal] = defaultdict(Decimal)
            parts: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
            for leg in one.postings:
                counted = self._counted(leg)
                amounts[leg.amount.currency] += counted
                parts[leg.amount.currency][leg.account_id] += counted
            for currency, amount in amounts.items():
                if amount and self._amount_fits(currency, amount):
                    found.append(Line(one, currency, amount, dict(parts[currency])))
        return found

    def _matches(self, one: Any, period: pb.QuestionPeriod | None) -> bool:
        filters = self.plan.filters
        origin = self._origin(one)
        category = one.category_id or origin.category_id
        counterparty = one.counterparty or origin.counterparty
        touched = {leg.account_id for leg in one.postings}
        named = [name.id for name in filters.accounts]
        own = {account for name in named if self._is_own(name) for account in self._below(name)}
        through = {account for name in named if not self._is_own(name) for account in self._below(name)}
        return (
            one.status in filters.statuses
            and self._in_period(one, period)
            and (not filters.categories or category in {name.id for name in filters.categories})
            and (not filters.uncategorized or not category)
            and (not filters.counterparties or key_of(counterparty) in {name.id for name in filters.counterparties})
            and (not own or bool(own & touched))
            and (not through or bool(through & touched))
            and all(_says(one.description, text) or _says(origin.description, text) for text in filters.texts)
        )

    def _origin(self, one: Any) -> Any:
        """What a reversal reverses; else the transaction itself."""
        return self.books.transactions[one.reverses_transaction_id] if one.reverses_transaction_id else one

    def _in_period(self, one: Any, period: pb.QuestionPeriod | None) -> bool:
        day = self.day(one)
        if period is None:
            return True
        return (not period.first_day or day >= date.fromisoformat(period.first_day)) and (
            not period.before_day or day < date.fromisoformat(period.before_day)
        )

    def day(self, one: Any) -> date:
        """The day in the entity's time zone."""
        return one.effective_time.ToDatetime(tzinfo=UTC).astimezone(self.books.zone).date()

    def _type(self) -> int:
        return {pb.QUESTION_DIRECTION_SPENT: EXPENSE, pb.QUESTION_DIRECTION_RECEIVED: REVENUE}.get(
            self.plan.direction, 0
        )

    def _is_own(self, account: str) -> bool:
        return self.books.types[account] == self._type()

    def _below(self, account: str) -> set[str]:
        """The account and all below it."""
        return {account}.union(*(self._below(one) for one, parent in self.books.parents.items() if parent == account))

    def _counted(self, leg: Any) -> Decimal:
        """What a posting adds."""
        amount = Decimal(leg.amount.amount)
        if self.plan.direction == pb.QUESTION_DIRECTION_ANY:
            return amount if leg.side == DEBIT else Decimal(0)
        own = [name.id for name in self.plan.filters.accounts if self._is_own(name.id)]
        if self.books.types[leg.account_id] != self._type():
            return Decimal(0)
        if own and not any(leg.account_id in self._below(account) for account in own):
            return Decimal(0)
        grows = (leg.side == DEBIT) == (self.plan.direction == pb.QUESTION_DIRECTION_SPENT)
        return amount if grows else -amount

    def _amount_fits(self, currency: str, amount: Decimal) -> bool:
        filters = self.plan.filters
        if filters.currency and currency != filters.currency:
            return False
        if not filters.HasField("amount"):
            return True
        bound = Decimal(filters.amount.amount)
        upper = Decimal(filters.amount.upper or 0)
        return (
            amount > 0
            and {
                pb.QUESTION_COMPARATOR_MORE_THAN: amount > bound,
                pb.QUESTION_COMPARATOR_AT_LEAST: amount >= bound,
                pb.QUESTION_COMPARATOR_LESS_THAN: amount < bound,
                pb.QUESTION_COMPARATOR_AT_MOST: amount <= bound,
                pb.QUESTION_COMPARATOR_EXACTLY: amount == bound,
                pb.QUESTION_COMPARATOR_BETWEEN: bound <= amount <= upper,
            }[filters.amount.comparator]
        )

    def summaries(self, period: pb.QuestionPeriod | None) -> dict[str, tuple[Any, ...]]:
        """Numbers by currency."""
        return _summaries([(line.currency, line.amount) for line in self.lines(period)])

    def count(self, period: pb.QuestionPeriod | None) -> int:
        """Transactions, each once."""
        return len({line.transaction.id for line in self.lines(period)})

    def listed(self) -> list[tuple[str, str, Decimal]]:
        """Ids, currencies and amounts in the plan's order; by amount the currency with the most transactions first."""
        lines = self.lines(self._period())
        counts = {currency: -numbers[0] for currency, numbers in self.summaries(self._period()).items()}
        order = self.plan.order
        if order in {pb.QUESTION_ORDER_NEWEST_FIRST, pb.QUESTION_ORDER_OLDEST_FIRST}:
            sign = -1 if order == pb.QUESTION_ORDER_NEWEST_FIRST else 1
            lines.sort(key=lambda one: (sign * _instant(one), sign * one.transaction.create_sequence, one.currency))
            chosen = lines[: self.plan.limit]
        else:
            sign = -1 if order == pb.QUESTION_ORDER_LARGEST_FIRST else 1
            lines = [line for line in lines if line.amount > 0]
            lines.sort(
                key=lambda one: (
                    counts[one.currency],
                    one.currency,
                    sign * one.amount,
                    one.transaction.create_sequence,
                )
            )
            chosen = [
                line
                for place, line in enumerate(lines)
                if sum(other.currency == line.currency for other in lines[:place]) < self.plan.limit
            ]
        return [(line.transaction.id, line.currency, line.amount) for line in chosen]

    def groups(self) -> dict[tuple[str, str], tuple[Any, ...]]:
        """Numbers by key and currency."""
        members: dict[str, list[tuple[str, Decimal]]] = defaultdict(list)
        for line in self.lines(self._period()):
            if self.plan.grouping == pb.QUESTION_GROUPING_ACCOUNT:
                any_ = self.plan.direction == pb.QUESTION_DIRECTION_ANY
                for account, part in line.parts.items():
                    if any_ or part:
                        members[account].append((line.currency, line.amount if any_ else part))
            else:
                members[self._key(line.transaction)].append((line.currency, line.amount))
        return {
            (key, currency): numbers
            for key, amounts in members.items()
            for currency, numbers in _summaries(amounts).items()
        }

    def _key(self, one: Any) -> str:
        origin, day = self._origin(one), self.day(one)
        grouping = pb.QuestionGrouping.Name(self.plan.grouping).removeprefix("QUESTION_GROUPING_")
        return {
            "CATEGORY": one.category_id or origin.category_id,
            "COUNTERPARTY": key_of(one.counterparty or origin.counterparty),
            "STATUS": str(one.status),
            "DAY": day.isoformat(),
            "WEEK": (day - timedelta(days=day.weekday())).isoformat(),
            "MONTH": day.replace(day=1).isoformat(),
            "QUARTER": day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1).isoformat(),
            "YEAR": day.replace(month=1, day=1).isoformat(),
        }[grouping]

    def _period(self) -> pb.QuestionPeriod | None:
        return self.plan.period if self.plan.HasField("period") else None


def told_summaries(messages: Any) -> dict[str, tuple[Any, ...]]:
    """Summaries of an answer in the form of the reference."""
    return {one.total.currency: told(one) for one in messages}


def told(one: pb.QuestionSummary) -> tuple[Any, ...]:
    """A summary of an answer in the form of the reference."""
    return (
        one.transaction_count,
        Decimal(one.total.amount),
        Decimal(one.average.amount),
        one.reduction_count,
        Decimal(one.largest.amount) if one.HasField("largest") else None,
        Decimal(one.smallest.amount) if one.HasField("smallest") else None,
    )


def _summaries(amounts: list[tuple[str, Decimal]]) -> dict[str, tuple[Any, ...]]:
    by_currency: dict[str, list[Decimal]] = defaultdict(list)
    for currency, amount in amounts:
        by_currency[currency].append(amount)
    found = {}
    for currency, each in by_currency.items():
        total = sum(each, Decimal(0))
        cents = Decimal(1) if currency == "JPY" else Decimal("0.01")
        above = [amount for amount in each if amount > 0]
        found[currency] = (
            len(each),
            total,
            (total / len(each)).quantize(cents, ROUND_HALF_EVEN),
            sum(amount < 0 for amount in each),
            max(above, default=None),
            min(above, default=None),
        )
    return found


def _says(description: str, text: str) -> bool:
    """Whether the words stand next to each other in the description."""
    words, wanted = re.findall(r"\w+", description.lower()), re.findall(r"\w+", text.lower())
    return any(words[place : place + len(wanted)] == wanted for place in range(len(words) - len(wanted) + 1))


def _instant(line: Line) -> int:
    moment: datetime = line.transaction.effective_time.ToDatetime(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond
