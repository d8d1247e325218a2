"""Goes through an entity's sequence with the model, write by write: each event must be what the model makes of it."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ledger.v1 import account_pb2, transaction_pb2
from ledger.v1 import transaction_service_pb2 as pb
from tests.chaos.desk import Alter
from tests.chaos.desk_model import DeskModel
from tests.chaos.history import Write
from tests.chaos.linear import LinearLedger
from tests.chaos.poison import POISON
from tests.chaos.verdict import Breach, Verdict
from tests.helpers.model import Clear, Create, Leg
from tests.helpers.rpc import Refused
from tests.helpers.wire import decimal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.chaos.history import Story
    from tests.chaos.last_reads import LastReads
    from tests.helpers.model import Command, Event, View

NEVER_RECORDED = frozenset(
    {
        "INVALID_ARGUMENT", "UNBALANCED_TRANSACTION", "RATE_LIMITED", "QUEUE_FULL", "PERMISSION_DENIED",
        "UNAUTHENTICATED", "WORK_TOO_LARGE",
    }
)  # fmt: skip
"""Refusals that leave no trace under the key."""

_WRITE_OFF = "reconciliation-write-off-"
"""How keys begin that the service itself makes: for ever the same for a match, so it is booked once at most."""

_STATUSES = {
    value: name.removeprefix("TRANSACTION_STATUS_") for name, value in transaction_pb2.TransactionStatus.items()
}
_KINDS = {value: name.removeprefix("EVENT_KIND_") for name, value in pb.EventKind.items()}
_SIDES = {value: name.removeprefix("SIDE_") for name, value in account_pb2.Side.items()}


class Replay:
    """One entity's story, the last reads of it, and the model that follows its sequence."""

    def __init__(self, story: Story, last: LastReads) -> None:
        self.story = story
        self.last = last
        self.verdict = Verdict()
        self.ledger = LinearLedger(story.accounts)
        self.desk = DeskModel()
        """Of the account that is reconciled, if one is."""
        self.events: dict[str, Any] = {}
        """The first event of each key."""
        self.tries: defaultdict[str, list[Write]] = defaultdict(list)
        for write in story.writes:
            self.tries[write.command.key].append(write)
        self.is_whole = True
        """Whether the model could follow to the end; what hangs on it is not judged otherwise."""

    def note(self, breach: Breach, text: str) -> None:
        """A promise that was broken."""
        self.verdict.note(breach, f"{self.story.name}: {text}")

    def replay(self) -> None:
        """Go through the sequence, as long as the model agrees."""
        events, ledger = self.last.events, self.ledger
        position = ledger.sequence
        if [event.sequence for event in events] != list(range(1, len(events) + 1)):
            self.is_whole = False
            self.note(Breach.WATCH, "the last read of the sequence has a gap or a repeat")
            return
        before = datetime.min.replace(tzinfo=UTC)
        while position < len(events):
            event = events[position]
            recorded = event.recorded_time.ToDatetime(UTC)
            wrong = "recorded time goes back" if recorded < before else self._step(position, recorded)
            if wrong:
                self.is_whole = False
                self.note(Breach.MODEL, f"at {event.sequence} ({_KINDS[event.kind]} {event.idempotency_key}): {wrong}")
                return
            position, before = ledger.sequence, recorded
            ledger.settle()
        self.verdict.checked["events"] += len(events)

    def _step(self, position: int, recorded: datetime) -> str:
        """Let the model go on by one write; what it does otherwise than the service."""
        ledger, events = self.ledger, self.last.events
        expired = ledger.expire(recorded)
        if expired:
            return self._differs(expired, events)
        event = events[position]
        if event.kind == pb.EVENT_KIND_TRANSACTION_EXPIRED:
            return "it was not due"
        key = event.idempotency_key
        if key in ledger.first_uses:
            return "its key has been used before"
        if event.kind == pb.EVENT_KIND_TRANSACTION_CLEARED and not key and self.story.desk is not None:
            return self._cleared(event, recorded)
        alter = next((write.command for write in self.tries.get(key, ()) if isinstance(write.command, Alter)), None)
        if alter is not None:
            return self._altered(alter, event)
        wrong = "nobody has asked for it"
        for write in self._candidates(key):
            mark, size = ledger.mark(), ledger.sequence
            if write.batch:
                ledger.apply_batch(write.batch, recorded, atomic=True)
            else:
                ledger.apply(write.command, recorded)
            wrong = self._differs(ledger.events[size:], events)
            if not wrong:
                return ""
            ledger.go_back(mark, [each.key for each in write.batch or (write.command,)])
        return wrong

    def _cleared(self, event: Any, recorded: datetime) -> str:
        """By the confirmation of a match: without a key, and as if a caller had done it."""
        size = self.ledger.sequence
        self.ledger.apply(Clear("", event.transaction.create_sequence), recorded)
        del self.ledger.first_uses[""]
        return self._differs(self.ledger.events[size:], self.last.events)

    def _altered(self, alter: Alter, event: Any) -> str:
        """A change of the reconciliation, or that it was refused."""
        if event.kind == pb.EVENT_KIND_RECONCILIATION_CHANGED:
            reason, wrong = "", self.desk.change(alter, event.reconciliation)
        elif event.kind == pb.EVENT_KIND_WRITE_REFUSED:
            reason = Refused(event.refusal).reason
            wrong = self.desk.refusal(alter, reason)
        else:
            return "it is a change of the reconciliation"
        self.ledger.follow(alter, reason)
        return wrong

    def _written_off(self, key: str) -> list[Write]:
        """What a confirmation books: any amount, which the reconciliation's equation is held against."""
        transaction = self.events[key].transaction
        legs = tuple(
            Leg(each.account_id, _SIDES[each.side], each.amount.currency, int(each.amount.amount.replace(".", "")))
            for each in transaction.postings
        )
        return [Write(Create(key, legs, "POSTED"), 0.0)]

    def _candidates(self, key: str) -> Iterable[Write]:
        """A try of each different content under a key, first of the one that the answers tell to be the key's own."""
        if key.startswith(_WRITE_OFF) and self.story.desk is not None:
            return self._written_off(key)
        ranks: dict[Command, int] = {}
        samples: dict[Command, Write] = {}
        for write in self.tries.get(key, ()):
            samples.setdefault(write.command, write)
            if write.is_known and not is_unrecorded(write.answer):
                ranks[write.command] = 2 if was_told_another(write) else 0
        return [samples[command] for command in sorted(samples, key=lambda command: ranks.get(command, 1))]

    def _differs(self, expected: Sequence[Event], events: Sequence[Any]) -> str:
        if expected and expected[-1].sequence > len(events):
            return f"the model makes {len(expected)} events of it, the last are missing"
        for event in expected:
            wrong = self._event_differs(event, events[event.sequence - 1])
            if wrong:
                return wrong
        return "" if expected else "the model does nothing"

    def _event_differs(self, event: Event, got: Any) -> str:
        if _KINDS[got.kind] != event.kind:
            told = Refused(got.refusal) if got.kind == pb.EVENT_KIND_WRITE_REFUSED else ""
            return f"the model says {event.kind} {event.reason}, told was {_KINDS[got.kind]} {told}"
        if got.idempotency_key != event.key:
            return f"the model says key {event.key}"
        if event.reason:
            reason = Refused(got.refusal).reason
            return "" if reason == event.reason else f"the model refuses with {event.reason}, told was {reason}"
        return self.transaction_differs(event.view, got.transaction) if event.view is not None else ""

    def transaction_differs(self, view: View, got: transaction_pb2.Transaction, *, links: bool = False) -> str:
        """What is otherwise than in the model; empty: nothing. `links`: its reversals count as well."""
        ids = self.story.requests.ids
        expected = (
            self.story.name, ids.get(view.number), view.status, view.revision, view.sequence, view.number,
            self.ledger.versions[view.number][0].key, ids.get(view.reverses, "") if view.reverses else "",
            [(leg.account, leg.side, decimal(leg.amount, leg.currency), leg.currency) for leg in view.legs],
            [ids[number] for number in view.reversed_by] if links else None,
        )  # fmt: skip
        seen = (
            got.entity_id, got.id, _STATUSES[got.status], got.revision, got.sequence, got.create_sequence,
            got.idempotency_key, got.reverses_transaction_id,
            [(each.account_id, _SIDES[each.side], each.amount.amount, each.amount.currency) for each in got.postings],
            list(got.reversed_by_transaction_ids) if links else None,
        )  # fmt: skip
        if got.entity_id != self.story.name:
            self.note(Breach.STRANGER, f"a transaction of {got.entity_id} was told")
        return "" if seen == expected else f"{seen}, the model says {expected}"


def is_poison(write: Write) -> bool:
    """Whether the database has been told to refuse it."""
    items = write.batch or (write.command,)
    return any(isinstance(each, Create) and each.description == POISON for each in items)


def is_unrecorded(answer: Any) -> bool:
    """Whether it is a refusal that leaves no trace."""
    return isinstance(answer, Refused) and answer.reason in NEVER_RECORDED


def was_told_another(write: Write) -> bool:
    """Whether the caller was told that its key belongs to another content."""
    return isinstance(write.answer, Refused) and write.answer.reason == "IDEMPOTENCY_KEY_REUSED"


def is_replayed(answer: Any) -> bool:
    """Whether the answer says that it is one told again."""
    return "replayed" in answer.metadata if isinstance(answer, Refused) else answer.replayed
