"""Where an account's reconciliation stands at the end of a day: what is matched, what is open, what differs. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from ledger_service.application.reconciling.records import MatchState
from ledger_service.application.reconciling.staging import Baseline, KnownMatch, OpenItem, OpenLine, State


@dataclass(slots=True)
class Standing:
    """Lines and transactions up to a day, and the matches that lie wholly within it."""

    until: date
    baseline: Baseline
    lines: list[OpenLine]
    items: list[OpenItem]
    matches: list[KnownMatch] = field(default_factory=list)
    """PROPOSED or CONFIRMED, with all members up to the day."""
    later_matches: list[KnownMatch] = field(default_factory=list)
    """PROPOSED or CONFIRMED, with a member beyond the day."""
    broken: list[KnownMatch] = field(default_factory=list)
    """Those that do not hold any more, see live_matches."""
    differences: dict[int, int] = field(default_factory=dict)
    """By match: what its transactions come to less what its lines come to, where that is not 0."""
    open_lines: list[OpenLine] = field(default_factory=list)
    open_items: list[OpenItem] = field(default_factory=list)
    later_lines: set[int] = field(default_factory=set)
    """Open at the day, but with a match that reaches beyond it."""
    later_items: set[int] = field(default_factory=set)

    @property
    def statement_computed(self) -> int:
        """What the bank's balance must be by its own lines."""
        return self.baseline.settled_statement + sum(line.amount for line in self.lines)

    @property
    def opening_difference(self) -> int:
        """How far apart the sides were at the baseline, without what was carried over."""
        return self.baseline.settled_ledger - self.baseline.settled_statement

    def write_offs_pending(self) -> list[KnownMatch]:
        """Matches that differ and have a write-off which is not booked."""
        return [match for match in self.matches if match.number in self.differences and is_proposed_write_off(match)]


def is_proposed_write_off(match: KnownMatch) -> bool:
    """Whether a write-off of it waits to be booked."""
    return (
        match.state == MatchState.PROPOSED
        and match.write_off_account_no is not None
        and match.write_off_transaction_no is None
    )


def live_matches(state: State) -> tuple[list[KnownMatch], list[KnownMatch]]:
    """Matches that hold, and those that do not any more, because a transaction is no longer on the account."""
    lines = {line.number for line in state.lines}
    items = {item.transaction_no for item in state.items}
    holding: list[KnownMatch] = []
    broken: list[KnownMatch] = []
    for match in state.matches:
        if match.state <= MatchState.CONFIRMED:
            whole = lines.issuperset(match.lines) and items.issuperset(match.transactions)
            (holding if whole else broken).append(match)
    return holding, broken


def standing_at(state: State, until: date) -> Standing:
    """As of the end of the day. The reconciliation must have begun."""
    assert state.baseline is not None
    found = Standing(
        until,
        state.baseline,
        [line for line in state.lines if line.booking_date <= until],
        [item for item in state.items if item.day <= until],
    )
    lines = {line.number: line.amount for line in found.lines}
    items = {item.transaction_no: item.amount for item in found.items}
    settled_lines: set[int] = set()
    settled_items: set[int] = set()
    holding, found.broken = live_matches(state)
    for match in holding:
        if lines.keys() >= set(match.lines) and items.keys() >= set(match.transactions):
            found.matches.append(match)
            settled_lines.update(match.lines)
            settled_items.update(match.transactions)
            difference = sum(items[number] for number in match.transactions) - sum(lines[n] for n in match.lines)
            if difference:
                found.differences[match.number] = difference
        else:
            found.later_matches.append(match)
            found.later_lines.update(number for number in match.lines if number in lines)
            found.later_items.update(number for number in match.transactions if number in items)
    found.open_lines = [line for line in found.lines if line.number not in settled_lines]
    found.open_items = [item for item in found.items if item.transaction_no not in settled_items]
    return found


def stated_balance(state: State, until: date) -> int | None:
    """What the bank says the balance was at the end of the day; None: no statement ends with it."""
    stated = [one for one in state.stated if one.day == until]
    if stated:
        # Of several of a day the one that no other goes on from, in whatever order they came.
        gone_on = {one.opening for one in stated if one.opening != one.balance}
        last = [one for one in stated if one.balance not in gone_on]
        return (last or stated)[-1].balance
    baseline = state.baseline
    return baseline.statement_balance if baseline is not None and baseline.until == until else None


def newest_day(state: State) -> date:
    """The end of the last statement; where no statement tells, of the last line."""
    assert state.baseline is not None
    days = [one.day for one in state.stated] or [line.booking_date for line in state.lines]
    return max([state.baseline.until, *days])
