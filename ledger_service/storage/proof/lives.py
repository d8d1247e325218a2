"""Pass 2, rule 6: each transaction that was ever open lived one legal life.

Its revisions are 1, 2, 3 …; each changes only what its kind may change; what was held is released or settled
exactly; and the table of open transactions is what follows from the events.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from ledger_service.storage.proof.findings import Findings, Rule, moment
from ledger_service.storage.proof.snapshot import Row

_HOLD, _RELEASE, _SETTLE = 2, 3, 4
_EDITED, _CLEARED, _POSTED, _EXPIRED, _CATEGORIZED = 2, 3, 4, 6, 13
_NAMES = {1: "PENDING", 2: "CLEARED", 3: "POSTED", 4: "VOIDED", 5: "EXPIRED"}

_KEPT = ("effective_time", "expire_time", "reference", "counterparty", "metadata", "reverses")
"""What no revision changes."""


class _Leg(NamedTuple):
    """What one posting holds, releases or settles."""

    account_no: int
    currency: str
    side: int
    amount: int


_Legs = dict[int, _Leg]
_transaction = itemgetter(0, 1)


class Lives:
    """Walks the revisions of transactions; fed in pieces, transaction after transaction."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def feed(self, events: Sequence[Row], entries: Sequence[Row], open_rows: Sequence[Row]) -> None:
        """The next piece: all rows of a range of transactions."""
        moves = {place: list(rows) for place, rows in groupby(entries, _transaction)}
        is_open: dict[tuple[int, int], Row] = {}
        for row in open_rows:
            if _transaction(row) in is_open:
                self._add(row, "stands twice in open_transactions")
            is_open[_transaction(row)] = row
        for place, revisions in groupby(events, _transaction):
            self._life(list(revisions), moves.get(place, ()), is_open.pop(place, None))
        for row in is_open.values():
            self._add(row, "stands in open_transactions, but its events say that it is not open")

    def _life(self, revisions: Sequence[Row], entries: Sequence[Row], open_row: Row | None) -> None:
        first = revisions[0]
        if first["revision"] != 1:
            self._add(first, f"begins with revision {first['revision']} at event {first['sequence']}, expected 1")
        by_event: dict[int, list[Row]] = {}
        for entry in entries:
            by_event.setdefault(entry["sequence"], []).append(entry)
        held: _Legs = {}
        before: Row | None = None
        for event in revisions:
            if before is not None:
                self._check_step(before, event)
            if before is None or before["status"] <= 2:
                self._check_expiry(event)
            held = self._move(event, by_event.pop(event["sequence"], ()), held, before)
            before = event
        assert before is not None
        if held and before["status"] > 2:
            self._add(before, f"is {_name(before)}, but still holds {_text(held)}")
        self._check_open(before, open_row)

    def _check_step(self, before: Row, event: Row) -> None:
        """A revision follows an open one and changes only what its kind may change."""
        at = f"event {event['sequence']}"
        if event["revision"] != before["revision"] + 1:
            self._add(event, f"{at} is revision {event['revision']}, expected {before['revision'] + 1}")
        if event["kind"] == _CATEGORIZED:
            if event["status"] != before["status"]:
                self._add(event, f"{at} gives it a category, but makes it {_name(event)} from {_name(before)}")
        elif before["status"] > 2:
            self._add(event, f"{at} changes it although it was {_name(before)}")
        elif event["kind"] == _CLEARED and before["status"] != 1:
            self._add(event, f"{at} clears it although it was {_name(before)}")
        elif event["kind"] == _EDITED and event["status"] != before["status"]:
            self._add(event, f"{at} is an edit, but makes it {_name(event)} from {_name(before)}")
        for name in _KEPT:
            if event[name] != before[name]:
                self._add(event, f"{at} changes {name}, which nothing may change")
        if event["kind"] != _CATEGORIZED and event["category_id"] != before["category_id"]:
            self._add(event, f"{at} changes the category, which only its own kind of event may change")
        if event["kind"] != _EDITED and event["description"] != before["description"]:
            self._add(event, f"{at} changes the description, which only an edit may change")

    def _check_expiry(self, event: Row) -> None:
        """Before its expire_time it cannot expire, and from then on nothing else can happen to it."""
        deadline, recorded = event["expire_time"], event["recorded_time"]
        is_due = deadline is not None and deadline <= recorded
        if is_due != (event["kind"] == _EXPIRED):
            self._add(
                event,
                f"event {event['sequence']} of kind {event['kind']} was recorded at {moment(recorded)}, its deadline "
                f"is {moment(deadline)}",
            )

    def _move(self, event: Row, entries: Sequence[Row], held: _Legs, before: Row | None) -> _Legs:
        """Check one event's entries against what is held; returns what is held after it."""
        holds, releases, settles = (self._legs(event, entries, kind) for kind in (_HOLD, _RELEASE, _SETTLE))
        at = f"event {event['sequence']}"
        moves_postings = bool(holds or settles) or before is None
        expected_at = event["sequence"] if moves_postings or before is None else before["postings_at"]
        if event["postings_at"] != expected_at:
            self._add(event, f"{at} has its postings at {event['postings_at']}, expected {expected_at}")
        if before is None:
            return holds
        if event["kind"] == _POSTED:
            ended = _sum(settles, releases)
            if set(settles) != set(held):
                self._add(event, f"{at} settles legs {sorted(settles)}, expected {sorted(held)}")
        elif event["kind"] in (_CLEARED, _CATEGORIZED) or not (holds or releases):
            return held
        else:
            ended = releases
        if ended != held:
            self._add(event, f"{at} ends {_text(ended)}, but {_text(held)} was held")
        if event["kind"] == _EDITED and _without_accounts(holds) != _without_accounts(held):
            self._add(event, f"{at} holds {_text(holds)} in place of {_text(held)}: an edit changes accounts only")
        return holds

    def _legs(self, event: Row, entries: Sequence[Row], kind: int) -> _Legs:
        legs: _Legs = {}
        for entry in entries:
            if entry["kind"] == kind:
                if entry["leg"] in legs:
                    self._add(event, f"event {event['sequence']} has leg {entry['leg']} twice")
                amount = entry["amount"] if entry["wide"] is None else entry["wide"]
                legs[entry["leg"]] = _Leg(entry["account_no"], entry["currency"], entry["side"], amount)
        return legs

    def _check_open(self, newest: Row, open_row: Row | None) -> None:
        if newest["status"] > 2:
            if open_row is not None:
                self._add(newest, f"stands in open_transactions, but is {_name(newest)}")
        elif open_row is None:
            self._add(newest, f"is {_name(newest)}, but missing in open_transactions")
        elif (open_row["sequence"], open_row["expire_time"]) != (newest["sequence"], newest["expire_time"]):
            self._add(
                newest,
                f"stands in open_transactions with event {open_row['sequence']} and deadline "
                f"{moment(open_row['expire_time'])}, expected {newest['sequence']} and {moment(newest['expire_time'])}",
            )

    def _add(self, row: Row, what: str) -> None:
        self._findings.add(Rule.IMMUTABLE, what, row["entity_no"], transaction_no=row["transaction_no"])


def _sum(settles: _Legs, releases: _Legs) -> _Legs:
    """What an approval ends: by leg, what it settles and the rest that it releases."""
    total = dict(releases)
    for leg, settled in settles.items():
        rest = total.get(leg)
        if rest is None:
            total[leg] = settled
        elif rest[:3] == settled[:3]:
            total[leg] = settled._replace(amount=settled.amount + rest.amount)
    return total


def _without_accounts(legs: _Legs) -> dict[int, tuple[str, int, int]]:
    return {leg: posting[1:] for leg, posting in legs.items()}


def _text(legs: _Legs) -> str:
    sides = {1: "debit", 2: "credit"}
    return (
        "; ".join(
            f"leg {leg} {sides.get(one.side, one.side)} {one.amount} {one.currency} on account number {one.account_no}"
            for leg, one in sorted(legs.items())
        )
        or "nothing"
    )


def _name(event: Row) -> str:
    return _NAMES.get(event["status"], str(event["status"]))
