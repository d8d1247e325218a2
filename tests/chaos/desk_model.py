"""What a reconciliation must be, change by change; the rules that can be told without doing the matching again.

Which lines have come in and which days are closed follows from the changes alone. So it can be said of every import
and every closing whether it had to be refused, and of every report what the bank's balance in it must be.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from datetime import UTC, date
from typing import TYPE_CHECKING, Any

from ledger.v1 import reconciliation_pb2 as messages
from tests.chaos.desk import BANK, CURRENCY
from tests.helpers.builders import DEBIT
from tests.helpers.reconciling import check_equation, units

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.chaos.desk import Again, Alter, LastBooks
    from tests.helpers.camt_writer import Booked

_ACTIONS = {
    "StartReconciliation": messages.RECONCILIATION_ACTION_STARTED,
    "UpdateReconciliationProfile": messages.RECONCILIATION_ACTION_PROFILE_CHANGED,
    "ImportStatement": messages.RECONCILIATION_ACTION_STATEMENT_IMPORTED,
    "RunMatching": messages.RECONCILIATION_ACTION_RULES_RUN,
    "ConfirmMatches": messages.RECONCILIATION_ACTION_MATCHES_CONFIRMED,
    "CloseReconciliation": messages.RECONCILIATION_ACTION_CLOSED,
    "ReopenReconciliation": messages.RECONCILIATION_ACTION_REOPENED,
}
_LIVE = (messages.MATCH_STATE_PROPOSED, messages.MATCH_STATE_CONFIRMED)


class DeskModel:
    """One account's reconciliation, after the changes so far."""

    def __init__(self) -> None:
        self.revision = 0
        self.lines: list[Booked] = []
        """That have come in, in their order."""
        self.closings: list[date] = []
        """That count, the last one last."""
        self.revisions: dict[str, int] = {}
        """Which change made which, by key."""
        self._came: dict[str, int] = {}
        """How many lines each file brought, by key."""
        self._counts = [0]
        """How many lines there are after each revision."""

    # Changes.

    def change(self, alter: Alter, told: messages.ReconciliationChange) -> str:
        """One that counts, as its event tells it; what must not be, or ""."""
        self.revision += 1
        expected = (BANK, CURRENCY, self.revision, _ACTIONS[alter.method])
        seen = (told.account_id, told.currency, told.revision, told.action)
        if seen != expected:
            return f"{seen}, the model says {expected}"
        wrong = self._obstacle(alter)
        if wrong:
            return f"{alter.method} counts, although {wrong}"
        if alter.method == "ImportStatement":
            fresh = self._fresh(alter)
            self.lines += fresh
            self._came[alter.key] = len(fresh)
        elif alter.method == "CloseReconciliation":
            self.closings.append(_day_of(alter))
        elif alter.method == "ReopenReconciliation":
            self.closings.pop()
        self._counts.append(len(self.lines))
        self.revisions[alter.key] = self.revision
        return ""

    def refusal(self, alter: Alter, reason: str) -> str:
        """One that was refused for a recorded reason; why it must not have been, or ""."""
        if alter.method == "CloseReconciliation" and reason == "RECONCILIATION_UNFINISHED":
            return ""  # that would be the matching done again
        expected = "RECONCILIATION_NOT_FOUND" if alter.method == "ReopenReconciliation" else "RECONCILIATION_CLOSED"
        if reason == expected and self._obstacle(alter):
            return ""
        return f"{alter.method} was refused with {reason}, closed are {self.closings}"

    def _obstacle(self, alter: Alter) -> str:
        """What is in the way of it."""
        closed = self.closings[-1] if self.closings else date.min
        match alter.method:
            case "ImportStatement":
                late = [line for line in self._fresh(alter) if line.day <= closed]
                return f"it brings {late[0]} of {len(late)} lines up to {closed}, closed" if late else ""
            case "CloseReconciliation":
                return f"{closed} is closed" if _day_of(alter) <= closed else ""
            case "ReopenReconciliation":
                return "" if _day_of(alter) == closed else f"{closed} is the last closing"
        return ""

    def _fresh(self, alter: Alter) -> list[Booked]:
        """The lines that are not here yet. Each has a text of its own; one that a caller was not told to have come in
        may come again by another file."""
        here = set(self.lines)
        return [line for line in alter.lines if line not in here]

    # Reads.

    def statement_balance(self, revision: int, day: date) -> int:
        """What the bank's balance is at the end of a day, of the lines that had come in by a revision."""
        return sum(line.amount for line in self.lines[: self._counts[revision]] if line.day <= day)

    def report_differs(self, told: messages.Reconciliation, ledger: Course) -> str:
        """Each report is that of its revision and its sequence, and each of its terms that of its rows."""
        day = date.fromisoformat(told.date)
        if not 0 < told.revision <= self.revision:
            return f"a report of revision {told.revision} of {self.revision}"
        try:
            check_equation(told, ledger.at(told.sequence, day))
        except AssertionError as error:
            return f"a report of revision {told.revision} does not add up: {error}"
        stated, expected = units(told.equation.statement_balance), self.statement_balance(told.revision, day)
        if stated != expected:
            return f"a report of revision {told.revision} says that the bank has {stated} on {day}, not {expected}"
        return ""

    def answer_differs(self, alter: Alter, answer: Any) -> str:
        """What was answered to a change that counts."""
        if alter.method == "ImportStatement" and answer.lines != self._came[alter.key]:
            return f"{answer.lines} lines came in, of {self._came[alter.key]} that were not here"
        told, expected = getattr(answer, "revision", 0), self.revisions[alter.key]
        return f"revision {told}, the model says {expected}" if told not in (0, expected) else ""

    def again_differs(self, again: Again) -> str:
        """A file that was here changes nothing, whoever sends it."""
        seen = (again.told.replayed, again.told.lines)
        expected = (True, len(again.first.lines))
        return "" if seen == expected else f"{again.first.key} was taken in again: {seen} instead of {expected}"

    def last_differs(self, last: LastBooks) -> Iterator[str]:
        """At rest: each line of what has come in is there once, and belongs to one match at most."""
        expected = Counter((str(line.day), line.amount, line.text) for line in self.lines)
        seen = Counter((line.booking_date, units(line.amount), line.text) for line in last.lines)
        if seen != expected:
            missing, beyond = list((expected - seen).elements()), list((seen - expected).elements())
            yield f"lines missing {missing[:3]}, beyond {beyond[:3]}"
        live = [match for match in last.matches if match.state in _LIVE]
        for name in ("line_numbers", "transaction_ids"):
            members = Counter(member for match in live for member in getattr(match, name))
            twice = [member for member, count in members.items() if count > 1]
            if twice:
                yield f"{name} in several matches: {twice[:3]}"
        booked = Counter(match.write_off.transaction_id for match in live if match.HasField("write_off"))
        if any(count > 1 for transaction_id, count in booked.items() if transaction_id):
            yield f"one write-off settles several matches: {booked.most_common(1)}"
        confirmed = [match for match in live if match.state == messages.MATCH_STATE_CONFIRMED]
        for match in confirmed:
            if match.HasField("write_off") and not match.write_off.transaction_id:
                yield f"match {match.number} is confirmed, and its write-off is not booked"


class Course:
    """How the ledger's balance of the account went, by sequence, for the days up to any day."""

    def __init__(self, events: Sequence[Any], created: Sequence[int]) -> None:
        self._sequences: list[int] = []
        self._changes: list[tuple[date, int]] = []
        for event in events:
            if event.kind not in created:
                continue
            transaction = event.transaction
            amount = sum(
                units(posting.amount.amount) * (1 if posting.side == DEBIT else -1)
                for posting in transaction.postings
                if posting.account_id == BANK
            )
            self._sequences.append(event.sequence)
            self._changes.append((transaction.effective_time.ToDatetime(UTC).date(), amount))

    def at(self, sequence: int, day: date) -> int:
        """Posted and pending: nothing here is ever voided."""
        place = bisect_right(self._sequences, sequence)
        return sum(amount for effective, amount in self._changes[:place] if effective <= day)


def _day_of(alter: Alter) -> date:
    return date.fromisoformat(dict(alter.fields)["date"])
