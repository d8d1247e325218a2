"""The model of the contract (tests.helpers.model), with sums that are kept: histories of many thousands in linear time.

The rules are the model's own, word for word. Replaced is only how it looks things up: running totals for sums over
all entries, a heap of deadlines, an index of reversals, and a list of steps back for copies of everything.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.helpers.model import BalanceView, Done, Ledger, Moment, Refusal, Totals
from tests.helpers.model.ledger import First
from tests.helpers.model.views import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from tests.helpers.model import Account, Event, Leg, View


class Standing(NamedTuple):
    """An account's newest entry, and the event that wrote it."""

    sequence: int = 0
    number: int = 0
    totals: Totals = Totals()


_NOTHING = Standing()
_NOW = Moment()


class LinearLedger(Ledger):
    """One entity, and how each of its balances went."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        self.courses: defaultdict[tuple[str, str], list[Standing]] = defaultdict(list)
        self._reversals: defaultdict[int, list[int]] = defaultdict(list)
        self._deadlines: list[tuple[datetime, int]] = []
        self._undo: list[Callable[[], Any]] = []
        super().__init__(accounts)

    def expire(self, now: datetime) -> Sequence[Event]:
        """End what is due; gives the events of it."""
        before = self.sequence
        self._tidy(now)
        return self.events[before:]

    def follow(self, command: Any, reason: str) -> None:
        """Something that the model has no rule for, as the service has decided it: refused for `reason`, or done."""
        kind = "WRITE_REFUSED" if reason else "RECONCILIATION_CHANGED"
        self._event(kind, key=command.key, reason=reason)
        answer = Refusal(reason) if reason else Done(self.sequence)
        self.first_uses[command.key] = First(command, answer, self.sequence)

    def settle(self) -> None:
        """What has been applied so far stays."""
        self._undo.clear()

    def mark(self) -> int:
        """A point to go back to."""
        return len(self._undo)

    def go_back(self, mark: int, keys: Iterable[str]) -> None:
        """Undo everything since, the first uses of these keys included."""
        self._restore(mark)
        for key in keys:
            self.first_uses.pop(key, None)

    def standing(self, account: str, currency: str, sequence: int) -> Standing:
        """An account's newest entry as of an event."""
        course = self.courses.get((account, currency), ())
        place = bisect_right(course, sequence, key=lambda standing: standing.sequence)
        return course[place - 1] if place else _NOTHING

    # What the model computes from all that ever happened.

    def balance(self, account_id: str, currency: str, now: datetime, moment: Moment = _NOW) -> BalanceView:
        course = self.courses.get((account_id, currency))
        standing = course[-1] if course else _NOTHING
        normal = self.accounts[account_id].normal_side
        return BalanceView(account_id, currency, normal, standing.totals, standing.number, self.sequence)

    def reversals_of(self, number: int) -> tuple[int, ...]:
        return tuple(self._reversals.get(number, ()))

    def due(self, now: datetime) -> list[View]:
        found = set()
        while self._deadlines and self._deadlines[0][0] <= now:
            _, number = heapq.heappop(self._deadlines)
            if number in self.versions and self.versions[number][-1].is_due(now):
                found.add(number)
        views = [self.versions[number][-1] for number in found]
        return sorted(views, key=lambda view: (view.expire, view.number))

    # What is written, each with its step back.

    def _event(self, *arguments: Any, **fields: Any) -> View:
        view = super()._event(*arguments, **fields)
        given = fields.get("view")
        if given is None:
            self._undo.append(self.events.pop)
            return view
        if given.revision == 1:
            if given.reverses is not None:
                self._reversals[given.reverses].append(given.number)
            if given.expire is not None:
                heapq.heappush(self._deadlines, (given.expire, given.number))

        def back() -> None:
            self.events.pop()
            versions = self.versions[given.number]
            versions.pop()
            if not versions:
                del self.versions[given.number]
                if given.reverses is not None:
                    self._reversals[given.reverses].pop()

        self._undo.append(back)
        return view

    def _enter(self, view: View, kind: str, legs: Iterable[Leg]) -> None:
        for leg in legs:
            course = self.courses[leg.account, leg.currency]
            last = course[-1] if course else _NOTHING
            entry = Entry(
                self.sequence, last.number + 1, view.number, leg.account, leg.currency, kind, leg.side, leg.amount
            )
            course.append(Standing(self.sequence, entry.number, last.totals.plus(entry.effect)))
            self._undo.append(course.pop)

    def _save(self) -> Any:
        return len(self._undo)

    def _restore(self, saved: Any) -> None:
        while len(self._undo) > saved:
            self._undo.pop()()
