"""What GetReconciliation must say, worked out from what other calls say: the oracle of the property test.

It goes the other way than the service: from all transactions, lines and matches since the beginning, less what a start
or a closing has settled, instead of from entries since a baseline.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date
from typing import Any

from ledger.v1 import reconciliation_pb2 as messages
from ledger.v1 import transaction_pb2
from tests.helpers.builders import CLEARED, DEBIT, EXPIRED, PENDING, VOIDED
from tests.helpers.reconciling import TERMS, units

PROPOSED = messages.MATCH_STATE_PROPOSED
CONFIRMED = messages.MATCH_STATE_CONFIRMED
REJECTED = messages.MATCH_STATE_REJECTED


@dataclass(frozen=True)
class Settled:
    """What a start or a closing has put behind: nothing of it is looked at again."""

    until: date
    stated: int
    """The bank's balance at the end of the day."""
    statement: int
    """The same without the lines that were open."""
    opening: int
    """How far both sides were apart without what was open."""
    amounts: dict[str, int]
    """What each transaction had come to, of those that were settled."""
    lines: frozenset[int] = frozenset()
    matches: frozenset[int] = frozenset()
    frozen: frozenset[str] = frozenset()
    is_closing: bool = False


@dataclass
class Seen:
    """What the other calls say, after a step."""

    account_id: str
    transactions: dict[str, transaction_pb2.Transaction]
    lines: dict[int, messages.StatementLine]
    matches: dict[int, messages.ReconciliationMatch]
    statements: Sequence[messages.Statement]

    def amount(self, transaction_id: str) -> int:
        """What a transaction does to the account: an asset, which grows on the debit side."""
        found = self.transactions[transaction_id]
        if found.status in (VOIDED, EXPIRED):
            return 0
        return sum(
            units(leg.amount.amount) * (1 if leg.side == DEBIT else -1)
            for leg in found.postings
            if leg.account_id == self.account_id
        )

    def day(self, transaction_id: str) -> date:
        """Of its effective time."""
        return self.transactions[transaction_id].effective_time.ToDatetime(UTC).date()


@dataclass
class Expected:
    """The standing at the end of a day."""

    terms: dict[str, int] = field(default_factory=dict)
    statement_balance: int = 0
    has_statement: bool = False
    ledger_balance: int = 0
    matches: list[messages.ReconciliationMatch] = field(default_factory=list)
    open_lines: dict[int, int] = field(default_factory=dict)
    open_items: dict[str, int] = field(default_factory=dict)


def open_amounts(seen: Seen, settled: Settled) -> dict[str, int]:
    """Transactions that have changed the account by other than what is settled."""
    found = {one: seen.amount(one) - settled.amounts.get(one, 0) for one in seen.transactions}
    return {one: amount for one, amount in found.items() if amount}


def live_matches(seen: Seen, settled: Settled) -> list[messages.ReconciliationMatch]:
    """Neither taken apart nor settled, and all of whose members are there."""
    items = open_amounts(seen, settled)
    return [
        match
        for match in seen.matches.values()
        if match.state in (PROPOSED, CONFIRMED)
        and match.number not in settled.matches
        and all(one in items for one in match.transaction_ids)
        and not settled.lines.intersection(match.line_numbers)
    ]


def has_write_off(match: messages.ReconciliationMatch) -> bool:
    """Whether a write-off of it waits."""
    return match.state == PROPOSED and match.HasField("write_off") and not match.write_off.transaction_id


def expected_at(seen: Seen, settled: Settled, day: date) -> Expected:
    """All terms."""
    items = {one: amount for one, amount in open_amounts(seen, settled).items() if seen.day(one) <= day}
    lines = {
        number: units(line.amount)
        for number, line in seen.lines.items()
        if number not in settled.lines and date.fromisoformat(line.booking_date) <= day
    }
    found = Expected()
    differences = {True: 0, False: 0}
    computed = settled.statement + sum(lines.values())
    found.open_items, found.open_lines = dict(items), dict(lines)
    for match in live_matches(seen, settled):
        if all(one in items for one in match.transaction_ids) and all(one in lines for one in match.line_numbers):
            found.matches.append(match)
            for one in match.transaction_ids:
                del found.open_items[one]
            for number in match.line_numbers:
                del found.open_lines[number]
            left = sum(items[one] for one in match.transaction_ids) - sum(lines[one] for one in match.line_numbers)
            differences[has_write_off(match)] += left
    stated = [
        units(one.closing_balance)
        for one in seen.statements
        if one.closing_balance and one.closing_date == day.isoformat()
    ]
    if not stated and day == settled.until:
        stated = [settled.stated]
    found.has_statement = bool(stated)
    found.statement_balance = stated[-1] if stated else computed
    found.terms = {
        "deposits_in_transit": _sum(found.open_items.values(), 1),
        "outstanding_payments": _sum(found.open_items.values(), -1),
        "receipts_not_recorded": -_sum(found.open_lines.values(), 1),
        "payments_not_recorded": -_sum(found.open_lines.values(), -1),
        "write_offs_proposed": differences[True],
        "differences": differences[False],
        "opening_difference": settled.opening,
        "statement_gap": computed - found.statement_balance,
    }
    found.ledger_balance = sum(seen.amount(one) for one in seen.transactions if seen.day(one) <= day)
    return found


def check_report(report: messages.Reconciliation, expected: Expected) -> None:
    """Term by term."""
    told = {name: units(getattr(report.equation, name)) for name in TERMS}
    assert told == expected.terms, (told, expected.terms)
    assert units(report.equation.statement_balance) == expected.statement_balance
    assert units(report.equation.ledger_balance) == expected.ledger_balance
    assert {one.line_number for one in report.open_items if one.line_number} == expected.open_lines.keys()
    assert {one.transaction_id for one in report.open_items if one.transaction_id} == expected.open_items.keys()


def obstacle(seen: Seen, settled: Settled, day: date, *, accept_differences: bool) -> str:
    """The reason why it can't be closed to the day; "": it can."""
    if day < settled.until or (settled.is_closing and day == settled.until):
        return "RECONCILIATION_CLOSED"
    expected = expected_at(seen, settled, day)
    uneven = any(expected.terms[name] for name in ("statement_gap", "opening_difference", "differences"))
    if not accept_differences and (uneven or not expected.has_statement):
        return "RECONCILIATION_UNFINISHED"
    if any(match.state == PROPOSED for match in expected.matches):
        return "RECONCILIATION_UNFINISHED"
    for match in expected.matches:
        for one in match.transaction_ids:
            found = seen.transactions[one]
            if found.status == PENDING or (found.status == CLEARED and found.HasField("expire_time")):
                return "RECONCILIATION_UNFINISHED"
    return ""


def closed(seen: Seen, settled: Settled, day: date) -> Settled:
    """What is settled after a closing."""
    expected = expected_at(seen, settled, day)
    members = {one for match in expected.matches for one in match.transaction_ids}
    return Settled(
        until=day,
        stated=expected.statement_balance,
        statement=expected.statement_balance - sum(expected.open_lines.values()),
        opening=sum(expected.terms[name] for name in ("opening_difference", "differences", "statement_gap")),
        amounts={**settled.amounts, **{one: seen.amount(one) for one in members}},
        lines=settled.lines.union(*(match.line_numbers for match in expected.matches)),
        matches=settled.matches.union(match.number for match in expected.matches),
        frozen=settled.frozen.union(one for one in members if seen.transactions[one].status == CLEARED),
        is_closing=True,
    )


def started(seen: Seen, until: date, stated: int | None, outstanding: Iterable[str] = ()) -> Settled:
    """What is settled by a beginning."""
    open_then = set(outstanding)
    amounts = {one: seen.amount(one) for one in seen.transactions if seen.day(one) <= until and one not in open_then}
    ledger = sum(amounts.values())
    statement = ledger if stated is None else stated
    lines = frozenset(number for number, line in seen.lines.items() if date.fromisoformat(line.booking_date) <= until)
    return Settled(until, statement, statement, ledger - statement, amounts, lines)


def without_what_follows(answer: Any) -> Any:
    """An answer without what a call does after its change, which a repetition goes on with."""
    copy = type(answer)()
    copy.CopyFrom(answer)
    for name in ("cleared_transactions", "failures", "replayed"):
        if name in copy.DESCRIPTOR.fields_by_name:
            copy.ClearField(name)
    return copy


def _sum(amounts: Iterable[int], sign: int) -> int:
    return sum(amount for amount in amounts if amount * sign > 0)
