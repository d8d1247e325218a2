"""The arithmetic of the reports, pure: month ends, trial balances, the bank's word against the ledger's.

All amounts are minor units. A *net* is debits less credits: what an account weighs on the scales. Over all
accounts the nets add up to zero at every moment, which is what a trial balance shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from bank_history.records import Record

TOLERANCE = 100
"""1.00 CZK. The bank keeps more decimals of interest than it shows, so its stated balance drifts from the sum
of the amounts by some tenths in a year."""

_DECEMBER = 12


@dataclass(frozen=True, slots=True)
class TrialLine:
    """One group of accounts in a trial balance: what its accounts weigh on either side."""

    group: str
    debit: int
    credit: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A customer's balance by the ledger, and the nearest that the bank stated on the customer's last day."""

    customer: str
    ledger: int
    stated: int

    @property
    def difference(self) -> int:
        """How far apart, without sign."""
        return abs(self.ledger - self.stated)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many customers' balances agree; each customer counts in one of the three."""

    exact: int
    within: int
    off: int


def month_ends(records: Iterable[Record]) -> list[date]:
    """The last day of each month from the first record's to the last one's."""
    days = [record.day for record in records]
    ends: list[date] = []
    year, month = min(days).year, min(days).month
    while (year, month) <= (max(days).year, max(days).month):
        year, month = (year + 1, 1) if month == _DECEMBER else (year, month + 1)
        ends.append(date(year, month, 1) - timedelta(days=1))
    return ends


def end_of(day: date) -> datetime:
    """The last microsecond of a day in UTC, which is how a balance "at the end of the day" is asked for."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1, microseconds=-1)


def trial_balance(nets: Mapping[str, int], groups: Mapping[str, str]) -> list[TrialLine]:
    """One line for each group that weighs anything, in the order in which `groups` first names it.

    Args:
        nets: debits less credits of each account, by id.
        groups: name of the group of each account, by id.
    """
    debits = dict.fromkeys(groups.values(), 0)
    credits_ = dict(debits)
    for account_id, net in nets.items():
        if net > 0:
            debits[groups[account_id]] += net
        else:
            credits_[groups[account_id]] -= net
    return [TrialLine(group, debit, credits_[group]) for group, debit in debits.items() if debit or credits_[group]]


def compare(records: Sequence[Record], balances: Mapping[str, int]) -> list[Comparison]:
    """Each customer's balance against the bank's word, by customer number.

    The order of the records within a day is not known, so neither is which of that day's stated balances came
    last: the nearest counts.

    Args:
        records: all records of the file.
        balances: balance of each customer by the ledger, by customer number.
    """
    last_day: dict[str, date] = {}
    for record in records:
        last_day[record.customer] = max(record.day, last_day.get(record.customer, record.day))
    stated: dict[str, list[int]] = {customer: [] for customer in last_day}
    for record in records:
        if record.day == last_day[record.customer]:
            stated[record.customer].append(record.stated_balance)
    return [
        Comparison(customer, balances[customer], min(stated[customer], key=lambda s: abs(s - balances[customer])))
        for customer in sorted(stated, key=int)
    ]


def agreement(comparisons: Iterable[Comparison]) -> Agreement:
    """Count them: equal, not equal but within the tolerance, and the rest."""
    differences = [comparison.difference for comparison in comparisons]
    exact = sum(difference == 0 for difference in differences)
    within = sum(0 < difference <= TOLERANCE for difference in differences)
    return Agreement(exact, within, len(differences) - exact - within)
