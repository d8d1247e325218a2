"""Pass 1: everything that happened in each entity, in its order.

Rule 9: the sequence has no gap, time does not go back, commits cover it. Rule 1: what each event did
balances. Rule 6: it did what an event of its kind does. Rule 4: what a key stands for is recognisable.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from ledger_service.storage.proof.findings import Findings, Rule, moment
from ledger_service.storage.proof.snapshot import Row

# Kinds of entries as bits: 1 POST, 2 HOLD, 3 RELEASE, 4 SETTLE.
_NOTHING, _POST, _HOLD, _RELEASE, _SETTLE = 0, 1 << 1, 1 << 2, 1 << 3, 1 << 4

# What an event of a kind, with a status after it, may have done to accounts; no other pair is legal.
_LEGAL = {
    (1, 1): {_HOLD},
    (1, 2): {_HOLD},
    (1, 3): {_POST},
    (2, 1): {_NOTHING, _RELEASE | _HOLD},
    (2, 2): {_NOTHING, _RELEASE | _HOLD},
    (3, 2): {_NOTHING},
    (4, 3): {_SETTLE, _SETTLE | _RELEASE},
    (5, 4): {_RELEASE},
    (6, 5): {_RELEASE},
    (7, 3): {_POST},
    **{(13, status): {_NOTHING} for status in (1, 2, 3, 4, 5)},
}
_KIND_NAMES = {1: "POST", 2: "HOLD", 3: "RELEASE", 4: "SETTLE"}
_ARCHIVED = "2"
_CATEGORIZED = 13


class Journal:
    """Walks events with their entries and commits; fed in pieces, entity after entity."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.entities = self.events = self.entries = self.transactions = 0
        self._entity_no: int | None = None
        self._sequence = 0
        self._recorded: int | None = None
        # Events that are still to come of the request of an earlier one.
        self._span_left = 0
        self._is_archived = False
        self._commits: deque[Row] = deque()
        self._commit: Row | None = None
        # Of the present commit's events, as a bit mask.
        self._kinds = 0
        self._uncovered = False

    def feed(self, events: Sequence[Row], entries: Sequence[Row], commits: Sequence[Row]) -> None:
        """The next piece: all rows of a range of places."""
        self._commits.extend(commits)
        self.entries += len(entries)
        position, count = 0, len(entries)
        for event in events:
            place = event[:2]
            while position < count and (entries[position][0], entries[position][1]) < place:
                position = self._stray(entries, position)
            start = position
            while position < count and entries[position][1] == place[1] and entries[position][0] == place[0]:
                position += 1
            self._event(event, entries[start:position])
        while position < count:
            position = self._stray(entries, position)

    def finish(self) -> None:
        """After the last piece."""
        self._leave_entity()
        for commit in self._commits:
            self._add(Rule.ORDERED, f"commit {commit[1]} to {commit[2]} has no events", entity_no=commit[0])

    def _event(self, event: Row, entries: Sequence[Row]) -> None:
        (entity_no, sequence, kind, span, recorded, has_key, has_hash, transaction_no, revision, status,
         postings_at, effective, reverses, has_account, has_detail, entity_state) = event  # fmt: skip
        if entity_no != self._entity_no:
            self._leave_entity()
            self._enter_entity(entity_no, kind)
        elif kind == 11:
            self._add(Rule.CHART, f"event {sequence} creates the entity once more")
        self.events += 1
        self._check_order(sequence, recorded)
        self._check_commit_kinds(sequence, kind)
        self._check_request(sequence, span, has_key, has_hash)
        if self._is_archived and kind != 6:
            self._add(Rule.CHART, f"event {sequence} was written after the entity was archived")
        self._is_archived = self._is_archived or entity_state == _ARCHIVED
        kinds = self._check_balance(sequence, entries) if entries else _NOTHING
        if kind > 7 and kind != _CATEGORIZED:
            if kinds or (transaction_no, revision, status, postings_at, reverses) != (None,) * 5:
                self._add(Rule.IMMUTABLE, f"event {sequence} of kind {kind} names a transaction or has entries")
            if (has_account != (kind in (9, 10, 16))) or not has_detail or (kind == 8 and not has_key):
                self._add(Rule.IMMUTABLE, f"event {sequence} of kind {kind} lacks what its kind must say")
            return
        if kinds not in _LEGAL.get((kind, status), ()):
            self._add_wrong_kinds(sequence, kind, status, kinds)
        for entry in entries:
            if entry[7] != effective:
                self._add(
                    Rule.IMMUTABLE,
                    f"event {sequence} is effective at {moment(effective)}, its entry of leg {entry[3]} "
                    f"at {moment(entry[7])}",
                )
        self._check_start(event)

    def _check_start(self, event: Row) -> None:
        """Creations, and they alone, begin a transaction: their own."""
        _, sequence, kind, _, _, _, _, transaction_no, revision, _, postings_at, _, reverses, _, _, _ = event
        is_creation = kind in (1, 7)
        self.transactions += is_creation
        if is_creation != (revision == 1) or (is_creation and not transaction_no == postings_at == sequence):
            self._add(
                Rule.IMMUTABLE,
                f"event {sequence} of kind {kind} is revision {revision} of transaction number {transaction_no} "
                f"with postings at {postings_at}",
            )
        if is_creation and (kind == 7) != (reverses is not None):
            self._add(Rule.IMMUTABLE, f"event {sequence} of kind {kind} reverses {reverses or 'nothing'}")

    def _enter_entity(self, entity_no: int, first_kind: int) -> None:
        self.entities += 1
        self._entity_no = entity_no
        self._sequence = self._span_left = 0
        self._recorded = self._commit = None
        self._uncovered = self._is_archived = False
        if first_kind != 11:
            self._add(Rule.CHART, f"the first event is of kind {first_kind}, expected 11 (entity created)")

    def _leave_entity(self) -> None:
        if self._entity_no is None:
            return
        if self._span_left:
            self._add(Rule.ONCE, f"{self._span_left} events of the last request are missing after {self._sequence}")
        self._end_commit()

    def _check_order(self, sequence: int, recorded: int) -> None:
        """Rule 9."""
        if sequence != self._sequence + 1:
            self._add(Rule.ORDERED, f"event {sequence} follows event {self._sequence}, expected {self._sequence + 1}")
        if self._recorded is not None and recorded < self._recorded:
            self._add(
                Rule.ORDERED,
                f"event {sequence} was recorded at {moment(recorded)}, before the one ahead of it at "
                f"{moment(self._recorded)}",
            )
        commit = self._commit
        if commit is None or sequence > commit[2]:
            commit = self._next_commit(sequence)
        if commit is None:
            if not self._uncovered:
                self._add(Rule.ORDERED, f"event {sequence} belongs to no commit")
            self._uncovered = True
        elif recorded != commit[3]:
            self._add(
                Rule.ORDERED,
                f"event {sequence} was recorded at {moment(recorded)}, its commit {commit[1]} to {commit[2]} at "
                f"{moment(commit[3])}",
            )
        self._sequence = sequence
        self._recorded = recorded

    def _check_commit_kinds(self, sequence: int, kind: int) -> None:
        """What the commit says of its events decides which triggers looked at them."""
        commit = self._commit
        if commit is None:
            return
        self._kinds = (0 if sequence == commit[1] else self._kinds) | 1 << kind
        if sequence == commit[2] and commit[4] not in (None, self._kinds):
            self._add(
                Rule.ORDERED,
                f"commit {commit[1]} to {commit[2]} says that its events are of the kinds {commit[4]:#b}, "
                f"they are {self._kinds:#b}",
            )

    def _next_commit(self, sequence: int) -> Row | None:
        """The commit that begins at this event; those before it have no events of their own."""
        entity_no = self._entity_no
        assert entity_no is not None
        self._commit = None
        while self._commits and (self._commits[0][0], self._commits[0][1]) <= (entity_no, sequence):
            commit = self._commits.popleft()
            if (commit[0], commit[1]) == (entity_no, sequence) and sequence <= commit[2]:
                self._commit, self._uncovered = commit, False
                continue
            what = f"commit {commit[1]} to {commit[2]} does not begin at the event after the one before it"
            self._add(Rule.ORDERED, what, entity_no=commit[0])
            if commit[0] == entity_no and commit[1] <= sequence <= commit[2]:
                self._commit, self._uncovered = commit, False
        return self._commit

    def _end_commit(self) -> None:
        """The entity's last event must be its last commit's last one."""
        commit = self._commit
        if commit is not None and commit[2] != self._sequence:
            self._add(Rule.ORDERED, f"commit {commit[1]} to {commit[2]} reaches beyond the last event {self._sequence}")

    def _check_request(self, sequence: int, span: int, has_key: bool, has_hash: bool) -> None:
        """Rule 4: an answer is found again by key, span and hash."""
        if self._span_left:
            self._span_left -= 1
            if span != 0 or has_key:
                self._add(
                    Rule.ONCE, f"event {sequence} has span {span}, expected 0, and no key: it goes with a request"
                )
        elif span < 1:
            self._add(Rule.ONCE, f"event {sequence} has span {span}, expected 1 or more: it begins a request")
        else:
            self._span_left = span - 1
        if has_key and not has_hash:
            self._add(Rule.ONCE, f"event {sequence} has a key without the hash of its request")

    def _check_balance(self, sequence: int, entries: Sequence[Row]) -> int:
        """Rule 1. Returns the kinds of the entries as bits."""
        if len(entries) == 2:
            (_, _, kind, leg, side, currency, amount, _, wide), other = entries
            # Nearly every event: two legs, one amount.
            if (
                (kind, currency, amount, wide) == (other[2], other[5], other[6], other[8])
                and side + other[4] == 3
                and side in (1, 2)
                and leg != other[3]
            ):
                only: int = 1 << kind
                return only
        kinds = 0
        sums: dict[tuple[int, str], int] = {}
        legs = set()
        for _, _, kind, leg, side, currency, amount, _, wide in entries:
            kinds |= 1 << kind
            if (kind, leg) in legs or side not in (1, 2):
                self._add(Rule.BALANCE, f"event {sequence} has leg {leg} twice in one kind, or on side {side}")
            legs.add((kind, leg))
            units = amount if wide is None else wide
            sums[kind, currency] = sums.get((kind, currency), 0) + (units if side == 1 else -units)
        for (kind, currency), difference in sums.items():
            if difference:
                self._add(
                    Rule.BALANCE,
                    f"event {sequence}: debits less credits of its {_KIND_NAMES.get(kind, kind)} entries in {currency} "
                    f"are {difference}, expected 0",
                )
        return kinds

    def _stray(self, entries: Sequence[Row], position: int) -> int:
        """Entries without an event; returns the position after those of the same place."""
        place: tuple[int, int] = entries[position][:2]
        start = position
        while position < len(entries) and entries[position][:2] == place:
            position += 1
        self._add(Rule.ORDERED, f"{position - start} entries at sequence {place[1]} have no event", entity_no=place[0])
        return position

    def _add_wrong_kinds(self, sequence: int, kind: int, status: int, kinds: int) -> None:
        found = [name for number, name in _KIND_NAMES.items() if kinds & 1 << number]
        self._add(
            Rule.IMMUTABLE,
            f"event {sequence} of kind {kind} with status {status} has {' and '.join(found) or 'no'} entries",
        )

    def _add(self, rule: Rule, what: str, entity_no: int | None = None) -> None:
        self._findings.add(rule, what, self._entity_no if entity_no is None else entity_no)
