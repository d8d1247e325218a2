"""What must be true at the end of a schedule, judged from what callers were told and what the database holds."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from tests.simulation.world import FIRST

if TYPE_CHECKING:
    from ledger_service.domain.decide.book import EventRow
    from tests.simulation.world import Request, Told, World

_CREATED, _REFUSED = 1, 8


def judge(world: World) -> int:
    """How many answers were checked. Raises AssertionError for the first thing that is wrong."""
    for ledger in world.store.ledgers.values():
        _judge_history(ledger.events)
    checked = 0
    for request in world.requests:
        events = {one.idempotency_key: one for one in world.store.ledgers[request.entity_no].events}
        made = world.store.made[request.entity_no]
        for place, command in enumerate(request.commands):
            told = [sending[place] for sending in request.told]
            event = events.get(command.key)
            _judge_command(told, event)
            if event is not None:
                _judge_cause(told, made[event.sequence])
            checked += len(told)
        _judge_atomic(request, events)
    _judge_order(world)
    _judge_balances(world)
    return checked


def _judge_history(events: list[EventRow]) -> None:
    assert [one.sequence for one in events] == list(range(FIRST, FIRST + len(events))), "the sequence has a gap"
    keys = Counter(one.idempotency_key for one in events if one.idempotency_key is not None)
    assert not keys or max(keys.values()) == 1, f"applied twice: {keys.most_common(1)}"


def _judge_command(told: list[Told], event: EventRow | None) -> None:
    for one in told:
        if one.kind == "applied":
            assert event is not None, "acknowledged and lost"
            assert (event.kind, event.sequence) == (_CREATED, one.sequence), "acknowledged, and something else is there"
        elif one.kind == "refused" and one.sequence:
            assert event is not None, "a recorded refusal is lost"
            assert (event.kind, event.sequence) == (_REFUSED, one.sequence), "refused, and something else is there"
        elif one.kind == "refused":
            assert event is None or event.kind == _REFUSED, "refused for good, and applied"


def _judge_cause(told: list[Told], made: float) -> None:
    """An event has a sending that made it: one that was sent before, and was not told that nothing had happened."""
    could = [one.invoked for one in told if one.kind != "nothing"]
    assert could, "told that nothing had happened, and something had"
    assert min(could) <= made, "told that nothing had happened, sent again, and it had"


def _judge_atomic(request: Request, events: dict[str | None, EventRow]) -> None:
    if request.atomic:
        kinds = {events[one.key].kind for one in request.commands if one.key in events}
        assert len(kinds) <= 1, "all or none, and some"
        here = sum(one.key in events for one in request.commands)
        assert here in {0, len(request.commands)}, "a part of an atomic call is recorded"


def _judge_order(world: World) -> None:
    """What was answered before something else was sent comes before it in the entity's sequence."""
    by_entity: dict[int, list[Told]] = defaultdict(list)
    for request in world.requests:
        applied: dict[int, Told] = {}
        for sending in request.told:
            for one in sending:
                # A replay tells of something older: only the first sending of a key can have made it.
                if one.sequence and one.sequence not in applied:
                    applied[one.sequence] = one
        by_entity[request.entity_no] += [one for one in applied.values() if one.invoked == request.told[0][0].invoked]
    for several in by_entity.values():
        latest_answered = -1
        # Ascending by when it was sent; of those answered before, the highest sequence so far must be lower.
        answered = sorted(several, key=lambda one: one.answered)
        place = 0
        for one in sorted(several, key=lambda one: one.invoked):
            while place < len(answered) and answered[place].answered < one.invoked:
                latest_answered = max(latest_answered, answered[place].sequence)
                place += 1
            assert one.sequence > latest_answered, "answered before the other was sent, and recorded after it"


def _judge_balances(world: World) -> None:
    """The heads are what the recorded commands come to, and no wallet was ever below its floor."""
    for entity_no, ledger in world.store.ledgers.items():
        commands = {
            command.key: command for request in world.requests if request.entity_no == entity_no
            for command in request.commands
        }  # fmt: skip
        debits: Counter[str] = Counter()
        credits_: Counter[str] = Counter()
        for event in ledger.events:
            if event.kind == _CREATED:
                for posting in commands[event.idempotency_key].postings:
                    (debits if posting.side == 1 else credits_)[posting.account_id] += posting.amount
                assert credits_["wallet"] >= debits["wallet"], "below its floor"
        for name, one in ledger.accounts.items():
            head = ledger.heads.get((one.account_no, "USD"))
            totals = (0, 0) if head is None else (head.debits_posted, head.credits_posted)
            assert totals == (debits[name], credits_[name]), f"the balance of {name} is not what was recorded"
