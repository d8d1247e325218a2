"""What the model answers to reads: sums over all entries, in the plainest way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.helpers.model.views import Account, BalanceView, Category, Entry, Event, Totals, View

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


@dataclass(frozen=True)
class Moment:
    """A point on both axes: what is effective by then, and what was known by then. All None: now."""

    effective: datetime | None = None
    known_sequence: int | None = None
    known_time: datetime | None = None


class Reads:
    """The history of one entity, and what can be told from it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.entries: list[Entry] = []
        self.accounts: dict[str, Account] = {}
        self.categories: dict[str, Category] = {}
        self.versions: dict[int, list[View]] = {}
        self.times: dict[int, datetime] = {}
        """When each event was recorded, as the service tells: the model has no clock."""

    @property
    def sequence(self) -> int:
        """The entity's last sequence."""
        return len(self.events)

    def current(self, number: int) -> View:
        """The newest version of a transaction, with the links to its reversals."""
        return replace(self.versions[number][-1], reversed_by=self.reversals_of(number))

    def reversals_of(self, number: int) -> tuple[int, ...]:
        """The reversals of a transaction, oldest first."""
        return tuple(each for each, versions in self.versions.items() if versions[0].reverses == number)

    def effective_time(self, view: View) -> datetime:
        """When a transaction counts for reports."""
        return view.effective if view.effective is not None else self.times[view.number]

    def due(self, now: datetime) -> list[View]:
        """Transactions that have ended by their deadline and have no event of it yet, in their order."""
        newest = (versions[-1] for versions in self.versions.values())
        return sorted((v for v in newest if v.is_due(now)), key=lambda v: (v.expire, v.number))

    def balance(self, account_id: str, currency: str, now: datetime, moment: Moment = Moment()) -> BalanceView:
        """An account's balance in one currency."""
        last, instant = self._known(now, moment)
        totals = Totals()
        number = 0
        for entry in self.entries_of(account_id, currency):
            if entry.sequence <= last and self._counts(entry.transaction, moment):
                totals = totals.plus(entry.effect)
                number = entry.number
        for view in self._ended_by_deadline(last, instant):
            if self._counts(view.number, moment):
                for leg in view.legs:
                    if (leg.account, leg.currency) == (account_id, currency):
                        lost = Entry(0, 0, view.number, account_id, currency, "RELEASE", leg.side, leg.amount)
                        totals = totals.plus(lost.effect)
        return BalanceView(account_id, currency, self.accounts[account_id].normal_side, totals, number, last)

    def balances(self, account_id: str, now: datetime, moment: Moment = Moment()) -> list[BalanceView]:
        """An account's balances in all currencies that it has entries in."""
        return [self.balance(account_id, currency, now, moment) for currency in self.currencies_of([account_id])]

    def subtree_balances(self, account_id: str, now: datetime, moment: Moment = Moment()) -> list[BalanceView]:
        """The sums over an account and all below it, in the sense of its own normal side."""
        members = self.subtree(account_id)
        normal = self.accounts[account_id].normal_side
        result = []
        for currency in self.currencies_of(members):
            parts = [self.balance(member, currency, now, moment) for member in members]
            totals = Totals()
            for part in parts:
                totals = totals.plus(part.totals)
            result.append(BalanceView(account_id, currency, normal, totals, 0, parts[0].sequence))
        return result

    def subtree(self, account_id: str) -> list[str]:
        """An account and all below it."""
        children = [each.id for each in self.accounts.values() if each.parent == account_id]
        return [account_id, *(below for child in children for below in self.subtree(child))]

    def currencies_of(self, account_ids: Iterable[str]) -> list[str]:
        """Currencies in which these accounts have entries."""
        members = set(account_ids)
        return sorted({entry.currency for entry in self.entries if entry.account in members})

    def entries_of(self, account_id: str, currency: str) -> list[Entry]:
        """The entries of an account in one currency, oldest first."""
        return [each for each in self.entries if (each.account, each.currency) == (account_id, currency)]

    def totals_after(self, account_id: str, currency: str, sequence: int) -> Totals:
        """The sum of an account's entries up to an event: what its newest entry by then carries."""
        totals = Totals()
        for entry in self.entries_of(account_id, currency):
            if entry.sequence <= sequence:
                totals = totals.plus(entry.effect)
        return totals

    def _known(self, now: datetime, moment: Moment) -> tuple[int, datetime]:
        """Up to which sequence, and deadlines up to which instant count: those past when it was recorded."""
        if moment.known_sequence is not None:
            return moment.known_sequence, self.times[moment.known_sequence]
        if moment.known_time is not None:
            known = [sequence for sequence, time in self.times.items() if time <= moment.known_time]
            return max(known, default=0), moment.known_time
        return self.sequence, now

    def _counts(self, number: int, moment: Moment) -> bool:
        return moment.effective is None or self.effective_time(self.versions[number][0]) <= moment.effective

    def _ended_by_deadline(self, last: int, instant: datetime) -> list[View]:
        newest = [[v for v in versions if v.sequence <= last][-1:] for versions in self.versions.values()]
        return [versions[0] for versions in newest if versions and versions[0].is_due(instant)]
