"""Hypothesis drives the service; the model predicts every answer."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tests.helpers.model import (
    Approval,
    Approve,
    ArchiveCategory,
    Categorize,
    Clear,
    Create,
    CreateCategory,
    Edit,
    Leg,
    Limit,
    Moment,
    Part,
    RenameCategory,
    Reverse,
    SetLimits,
    SetState,
    View,
    Void,
)
from tests.helpers.servers import Service, assert_sound
from tests.helpers.twin import Twin
from tests.property.strategies import ACCOUNTS, CHART, MAX_AMOUNT, STEP

if TYPE_CHECKING:
    from collections.abc import Coroutine

MIN_STEPS = 5_000
EXAMPLES = 130
STEPS_PER_EXAMPLE = 50

HOUR = timedelta(hours=1)
# Deadlines lie on half hours and the clock moves by whole ones, explicit effective times lie at three
# quarters: whatever the machine's speed, nothing happens near a boundary that is asked for.
DEADLINE = timedelta(minutes=30)
EFFECTIVE = timedelta(minutes=45)

NOBODY = 10**6
"""The number of a transaction that does not exist."""


class LedgerMachine(RuleBasedStateMachine):
    """Every step is a call to the service and to the model, whose answers must agree."""

    service: ClassVar[Service]
    loop: ClassVar[asyncio.AbstractEventLoop]
    steps: ClassVar[int]

    def __init__(self) -> None:
        super().__init__()
        self.twin: Twin = self.run(Twin.make(self.service.client, self.service.clock, CHART))
        self.start: datetime = self.service.clock.now()
        self.keys = 0
        self.sent: list[Any] = []
        self.batches: list[tuple[list[Create], bool]] = []

    @rule(step=STEP)
    def step(self, step: tuple[str, dict[str, Any]]) -> None:
        name, arguments = step
        call = getattr(self, name)(**arguments)
        if call is not None:
            type(self).steps += 1
            self.run(call)

    def run(self, call: Coroutine[Any, Any, Any]) -> Any:
        """Run on the loop of the service and the client; this machine has a thread of its own."""
        return asyncio.run_coroutine_threadsafe(call, self.loop).result()

    def teardown(self) -> None:
        """At the end of each example the whole history is what the model says."""
        self.run(self.twin.learn())

    # Choosing.

    def key(self) -> str:
        """A key that was not used before."""
        self.keys += 1
        return f"key-{self.keys}"

    def number(self, pick: tuple[str, int], *statuses: str) -> int:
        """A transaction, mostly with one of these statuses; now and then one that does not exist."""
        how, place = pick
        every = list(self.twin.ledger.versions)
        fit = [n for n in every if not statuses or self.twin.ledger.versions[n][-1].status in statuses]
        if how == "fit" and fit:
            return fit[place % len(fit)]
        return [*every, NOBODY][place % (len(every) + 1)]

    def view(self, number: int) -> View | None:
        """How a transaction is now, where it exists."""
        versions = self.twin.ledger.versions.get(number)
        return versions[-1] if versions else None

    def revision(self, number: int, choice: str) -> int:
        """An expected revision: none, the right one, a wrong one."""
        view = self.view(number)
        present = view.revision if view else 1
        return {"any": 0, "present": present, "other": present + 1}[choice]

    def hour(self, hours: int) -> datetime:
        """A whole hour from the present one of this example."""
        passed = (self.service.clock.now() - self.start) // HOUR
        return self.start + (passed + hours) * HOUR

    def creation(self, chosen: dict[str, Any], **changes: Any) -> Create:
        """The command that was chosen."""
        day, hours = chosen["effective_day"], chosen["expire_hours"]
        no_deadline = hours is None or chosen["status"] == "POSTED"
        values: dict[str, Any] = {
            "key": self.key(),
            "legs": chosen["legs"],
            "status": chosen["status"],
            "effective": None if day is None else self.start + timedelta(days=day) + EFFECTIVE,
            "expire": None if no_deadline else self.hour(hours) + DEADLINE,
            "reference": chosen["reference"],
            "category": chosen["category"],
            **changes,
        }
        return Create(**values)

    def write(self, command: Any) -> Coroutine[Any, Any, None]:
        """Send a command, and keep it to be sent again later."""
        self.sent.append(command)
        return self.twin.create(command) if isinstance(command, Create) else self.twin.write(command)

    # Writes.

    def create(self, chosen: dict[str, Any]) -> Any:
        return self.write(self.creation(chosen))

    def rehearse(self, chosen: dict[str, Any]) -> Any:
        return self.twin.create(self.creation(chosen, validate_only=True))

    def create_batch(self, chosen: list[dict[str, Any]], atomic: bool, again: int | None) -> Any:
        """`again`: one more item, with a command that was sent before or stands earlier in the batch."""
        commands = [self.creation(each) for each in chosen]
        if again is not None:
            earlier = [*commands, *(each for each in self.sent if isinstance(each, Create))]
            commands.append(earlier[again % len(earlier)])
        self.sent += commands
        self.batches.append((commands, atomic))
        return self.twin.batch(commands, atomic=atomic)

    def resend_batch(self, place: int) -> Any:
        if not self.batches:
            return None
        commands, atomic = self.batches[place % len(self.batches)]
        return self.twin.batch(commands, atomic=atomic)

    def resend(self, place: int) -> Any:
        return self.write(self.sent[place % len(self.sent)]) if self.sent else None

    def reuse_key(self, place: int, chosen: dict[str, Any]) -> Any:
        if not self.sent:
            return None
        key = self.sent[place % len(self.sent)].key
        return self.twin.create(self.creation(chosen, key=key, description="something else"))

    def approve(self, picks: list[tuple[str, int]], part: int | None, expected: str) -> Any:
        """In full, or those of two postings by some smaller amount."""
        approvals = []
        for number in dict.fromkeys(self.number(pick, "PENDING", "CLEARED") for pick in picks):
            view = self.view(number)
            amount = None
            if part is not None and view and len(view.legs) == 2 and view.legs[0].amount > 1:
                amount = 1 + part * 97 % (view.legs[0].amount - 1)
            approvals.append(Approval(number, amount, self.revision(number, expected)))
        return self.write(Approve(self.key(), tuple(approvals)))

    def clear(self, pick: tuple[str, int], expected: str) -> Any:
        number = self.number(pick, "PENDING")
        return self.write(Clear(self.key(), number, self.revision(number, expected)))

    def void(self, pick: tuple[str, int], expected: str) -> Any:
        number = self.number(pick, "PENDING", "CLEARED")
        return self.write(Void(self.key(), number, self.revision(number, expected)))

    def edit(self, pick: tuple[str, int], accounts: list[int] | None, description: str | None, expected: str) -> Any:
        """Other accounts, mostly such that take the currencies; or another description, or both."""
        number = self.number(pick, "PENDING", "CLEARED")
        view = self.view(number)
        legs = view.legs if view else ()
        changed = None
        if accounts is not None and legs:
            pools = [[each.id for each in CHART if each.takes(leg.currency)] + ["yen"] for leg in legs]
            changed = tuple(pool[n % len(pool)] for pool, n in zip(pools, accounts, strict=False))
            if changed == tuple(leg.account for leg in legs):
                changed = None
        if changed is None and description is None:
            description = "an edit changes something"
        revision = self.revision(number, expected)
        return self.write(Edit(self.key(), number, changed, description, revision))

    def reverse(self, pick: tuple[str, int], how: str, share: int, which: int) -> Any:
        """`share` tenths of a posting: more than ten are too much."""
        number = self.number(pick, "POSTED")
        view = self.view(number)
        if view is None or how == "full":
            return self.write(Reverse(self.key(), number))
        if how == "amount" and len(view.legs) == 2:
            return self.write(Reverse(self.key(), number, amount=_tenths(view.legs[0].amount, share)))
        i, j = _pairs(view.legs)[which % len(_pairs(view.legs))]
        amount = _tenths(min(view.legs[i].amount, view.legs[j].amount), share)
        return self.write(Reverse(self.key(), number, parts=(Part(i, amount), Part(j, amount))))

    def categorize(self, pick: tuple[str, int], category: str, expected: str) -> Any:
        """Whatever its status; those that have ended more often than they would be picked."""
        number = self.number(pick, "POSTED", "VOIDED", "EXPIRED")
        return self.write(Categorize(self.key(), number, category, self.revision(number, expected)))

    def create_category(self, category: str, name: str) -> Any:
        return self.write(CreateCategory(self.key(), category, name))

    def rename_category(self, category: str, name: str, expected: str) -> Any:
        known = self.twin.ledger.categories.get(category)
        present = known.revision if known else 1
        revision = {"any": 0, "present": present, "other": present + 1}[expected]
        return self.write(RenameCategory(self.key(), category, name, revision))

    def archive_category(self, category: str) -> Any:
        """Of one that is archived nothing would be recorded, its key neither: tests/e2e/test_categories.py."""
        known = self.twin.ledger.categories.get(category)
        if known is not None and known.state == "ARCHIVED":
            return None
        return self.write(ArchiveCategory(self.key(), category))

    def set_state(self, account: str, state: str) -> Any:
        if self.twin.ledger.accounts[account].state == state:
            state = "OPEN"
        return self.write(SetState(self.key(), account, state))

    def unfreeze(self, place: int) -> Any:
        frozen = [each.id for each in self.twin.ledger.accounts.values() if each.state == "FROZEN"]
        return self.write(SetState(self.key(), frozen[place % len(frozen)], "OPEN")) if frozen else None

    def set_limits(self, account: str, currency: str, floor: int | None, ceiling: int | None) -> Any:
        limits = () if floor is None and ceiling is None else (Limit(currency, floor, ceiling),)
        return self.write(SetLimits(self.key(), account, limits))

    def let_time_pass(self, hours: int) -> None:
        """No call and no step; what comes after shows what has expired."""
        self.service.clock.advance(hours * HOUR)

    # Reads.

    def moment(self, axes: tuple[int | None, str, int]) -> Moment:
        """Effective a number of days from the start; known at an event, at a deadline or just before it."""
        days, known, place = axes
        effective = None if days is None else self.start + timedelta(days=days) + EFFECTIVE
        sequence = 1 + place % self.twin.ledger.sequence
        if known == "sequence":
            return Moment(effective, known_sequence=sequence)
        if known == "event":
            self.run(self.twin.learn())
            return Moment(effective, known_time=self.twin.ledger.times[sequence])
        if known in ("deadline", "before deadline"):
            hours = place % max(1, (self.service.clock.now() - self.start) // HOUR)
            deadline = self.start + hours * HOUR + DEADLINE
            if deadline < self.service.clock.now():
                early = timedelta(microseconds=known == "before deadline")
                return Moment(effective, known_time=deadline - early)
        return Moment(effective)

    def read_balance(self, account: str, currency: str, axes: Any, subtree: bool) -> Any:
        return self.twin.check_balance(account, currency, self.moment(axes), subtree=subtree)

    def read_all_balances(self, axes: Any, subtree: bool) -> Any:
        return self.twin.check_balances(ACCOUNTS, self.moment(axes), subtree=subtree)

    def read_transaction(self, pick: tuple[str, int]) -> Any:
        return self.twin.check_transaction(self.number(pick))

    def read_revisions(self, place: int) -> Any:
        numbers = list(self.twin.ledger.versions)
        return self.twin.check_revisions(numbers[place % len(numbers)]) if numbers else None

    def read_list(
        self, between: tuple[int | None, int | None], *, account: str, by_effective_time: bool, **filters: Any
    ) -> Any:
        day = self.start + EFFECTIVE
        since, before = between
        return self.twin.check_list(
            since=None if since is None else day + timedelta(days=since),
            before=None if before is None else day + timedelta(days=before),
            account="" if by_effective_time else account,
            by_effective_time=by_effective_time,
            **filters,
        )

    def list_categories(self, include_archived: bool) -> Any:
        return self.twin.check_categories(include_archived=include_archived)

    def look_up_key(self, place: int) -> Any:
        others = SetState | SetLimits | CreateCategory | RenameCategory | ArchiveCategory
        keys = [each.key for each in self.sent if not isinstance(each, others)]
        return self.twin.check_key(keys[place % len(keys)] if keys else "unused")

    def look_up_reference(self, reference: str) -> Any:
        return self.twin.check_reference(reference)

    def read_entries(self, account: str, currency: str, ascending: bool) -> Any:
        return self.twin.check_entries(account, currency, ascending=ascending)


def _tenths(amount: int, share: int) -> int:
    return max(1, min(amount * share // 10, MAX_AMOUNT))


def _pairs(legs: tuple[Leg, ...]) -> list[tuple[int, int]]:
    """Two postings of one currency that stand against each other: there is always one."""
    numbered = list(enumerate(legs))
    return [
        (i, j)
        for i, one in numbered
        for j, other in numbered
        if i < j and one.currency == other.currency and one.side != other.side
    ]


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_the_model_predicts_every_answer(service: Service) -> None:
    """The examples are the same each time; `--hypothesis-seed` tries others."""
    LedgerMachine.service = service
    LedgerMachine.loop = asyncio.get_running_loop()
    LedgerMachine.steps = 0
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS_PER_EXAMPLE,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    await asyncio.to_thread(run_state_machine_as_test, LedgerMachine, settings=chosen)
    assert LedgerMachine.steps >= MIN_STEPS
    await assert_sound(service.dsn)
