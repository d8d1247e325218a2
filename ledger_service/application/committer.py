"""Group commit: what has queued up while the last batch was written is the next batch.

    submit -> queue -> lane: lock, BEGIN, load, decide, write, COMMIT -> answers, unlock

A lane is a task with a connection of its own (application.lane); an entity is in one lane at a time. Nothing
is waited for but the lane's own work, so a lone call is committed at once and a thousand together.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import structlog

from ledger_service.application.lane import Lane
from ledger_service.application.ports import (
    Clock,
    Observer,
    WriteStore,
)
from ledger_service.application.queue import Batch, Submission, WriteQueue
from ledger_service.domain.commands import Unit
from ledger_service.domain.decide import Outcome
from ledger_service.domain.errors import LedgerError, Reason

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CommitterLimits:
    """See config.Settings for meaning and defaults."""

    max_queued_commands: int
    max_commit_commands: int
    max_commit_postings: int
    lanes: int
    write_timeout_seconds: float
    max_expiries: int = 2_000
    """Transactions that expire in one database transaction, at most."""
    stint_seconds: float = 0.1
    """How long one entity is written to under one taking of its lock, while there is work for it."""
    most_ahead: int = 500
    """Commands that are decided ahead in one go: nothing else is done meanwhile, some 13 µs for each."""
    least_ahead: int = 250
    """Commands that must wait for an entity for its next batch to be decided while one is being written: fewer do
    better to wait, and to be written together with what comes meanwhile."""
    company: int = 16
    """Callers answered together from which on the next batch is gathered, see application.gathering."""
    enough: int = 128
    """Commands that end the gathering: more would make each of them hardly cheaper."""
    gathering_seconds: float = 0.02
    """The longest gathering; none is longer than the writing of the batch before it took."""
    ping_seconds: float = 5.0
    """An idle lane says so to the server this often, before idle_session_timeout ends its session."""
    first_pause_seconds: float = 0.005
    longest_pause_seconds: float = 1.0
    """Bounds of the pause before a batch is tried again; it doubles, with full jitter."""


class Committer:
    """The way of all writes. One for each process; any number of processes may work on one database."""

    def __init__(
        self,
        store: WriteStore,
        limits: CommitterLimits,
        observer: Observer,
        clock: Clock,
        chance: random.Random,
    ) -> None:
        self.store = store
        self.limits = limits
        self.observer = observer
        self.clock = clock
        self.chance = chance
        self.queue = WriteQueue(
            max_commands=limits.max_queued_commands,
            batch_commands=limits.max_commit_commands,
            batch_postings=limits.max_commit_postings,
        )
        self._idle: list[asyncio.Future[bool]] = []
        """Of each lane that waits for work."""
        self._told: dict[int, Callable[[], None]] = {}
        """By entity, the lane that waits for the server to write to it."""
        self._is_draining = False
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to work; connections are made when there is something to write."""
        for number in range(self.limits.lanes):
            self._tasks.append(asyncio.create_task(self._supervise(number), name=f"committer-lane-{number}"))

    def enqueue(self, unit: Unit) -> Submission:
        """Queue a unit. Raises LedgerError QUEUE_FULL, DRAINING: nothing was queued."""
        if self._is_draining:
            raise LedgerError(
                Reason.DRAINING,
                "the server is shutting down; nothing was queued: send the same request again",
            )
        loop = asyncio.get_running_loop()
        submission = Submission(unit, loop.create_future(), loop.time() + self.limits.write_timeout_seconds)
        self.queue.add(submission)
        self._is_empty.clear()
        self.observer.queued(self.queue.commands)
        # Whoever is writing to the entity sees to it.
        if not self.queue.is_busy(unit.entity_no):
            self._wake()
        elif unit.entity_no in self._told and self.queue.waiting >= self.limits.least_ahead:
            self._told[unit.entity_no]()
        return submission

    @contextlib.contextmanager
    def telling(self, entity_nos: Collection[int], tell: Callable[[], None]) -> Iterator[None]:
        """Meanwhile `tell` whenever more has come for the entity, if it is only one: it may be worth taking ahead."""
        alone = next(iter(entity_nos)) if len(entity_nos) == 1 else None
        if alone is not None:
            self._told[alone] = tell
        try:
            yield
        finally:
            if alone is not None:
                del self._told[alone]

    def take(self) -> Batch:
        """The next batch for a lane that asks; empty: there is nothing that it could do."""
        batch = self.queue.take(len(self._idle) + 1)
        self._note_queue()
        if batch and self._idle and self.queue.has_ready():
            self._wake()
        return batch

    async def wait_for_work(self, seconds: float) -> bool:
        """For a lane that `take` had nothing for; False: there was nothing for so long. Either way, `take` again."""
        loop = asyncio.get_running_loop()
        wanted: asyncio.Future[bool] = loop.create_future()
        self._idle.append(wanted)
        timer = loop.call_later(seconds, _let_go, wanted)
        try:
            return await wanted
        finally:
            timer.cancel()
            if wanted in self._idle:
                self._idle.remove(wanted)

    def _wake(self) -> None:
        """One lane, if any waits: the last one that worked, whose connection is the warmest. It wakes another one if it
        leaves something. Nothing is overlooked: a lane that does not wait takes before it does."""
        while self._idle:
            wanted = self._idle.pop()
            # Else it has waited long enough, or is cancelled: it goes on by itself.
            if not wanted.done():
                wanted.set_result(True)
                return

    def take_more(self, entity_no: int) -> Batch:
        """The next batch of an entity for the lane that has it; empty: nothing waits for it."""
        batch = self.queue.take_more(entity_no)
        self._note_queue()
        return batch

    def take_ahead(self, entity_no: int) -> Batch:
        """The same while the batch before it is under way; empty: too little waits to be worth it."""
        batch = self.queue.take_more(entity_no, self.limits.least_ahead, self.limits.most_ahead)
        self._note_queue()
        return batch

    def keeps_others_waiting(self) -> bool:
        """Whether something waits for a lane to become free."""
        return not self._idle and self.queue.has_ready()

    async def submit(self, unit: Unit) -> list[Outcome]:
        """Write a unit and answer with one outcome for each command.

        The caller may be cancelled at any point: what has been taken up is carried through all the same.
        Raises LedgerError QUEUE_FULL, DRAINING (both: nothing was queued), DATABASE_UNAVAILABLE (took no
        effect), OUTCOME_UNKNOWN, INTERNAL.
        """
        return await outcomes_of(self.enqueue(unit))

    async def drain(self, seconds: float) -> bool:
        """Take nothing new, carry through what was accepted; True if all of it was within the time."""
        self._is_draining = True
        try:
            async with asyncio.timeout(seconds):
                await self._is_empty.wait()
            return True
        except TimeoutError:
            return False

    async def stop(self) -> None:
        """End the lanes at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def answer(self, submission: Submission, outcomes: list[Outcome]) -> None:
        """Give the caller its outcomes, if it still waits."""
        if not submission.future.done():
            submission.future.set_result(outcomes)
        self._finish(submission)

    def fail(self, submission: Submission, error: LedgerError) -> None:
        """Tell the caller that the service failed."""
        if not submission.future.done():
            submission.future.set_exception(error)
            # A caller that is gone never asks for it: that is no fault.
            submission.future.exception()
        self.observer.failed()
        self._finish(submission)

    def _finish(self, submission: Submission) -> None:
        self.queue.done(submission)
        self._note_queue()

    def _note_queue(self) -> None:
        self.observer.queued(self.queue.commands)
        if self.queue.commands == 0:
            self._is_empty.set()

    async def _supervise(self, number: int) -> None:
        """Keep one lane alive whatever happens in it: a lane that ends quietly would be an outage."""
        while True:
            lane = Lane(self, number)
            try:
                await lane.run()
            except asyncio.CancelledError:
                await lane.close()
                raise
            except Exception:  # noqa: BLE001  # whatever it is, the next lane takes over
                _log.exception("lane_failed", lane=number)
                await lane.close()


async def outcomes_of(submission: Submission) -> list[Outcome]:
    """Wait for a queued unit's outcomes; a caller that is cancelled leaves it to the committer."""
    try:
        # A caller that is cancelled cancels this future, which is its own: `answer` and `fail` look first whether
        # anybody still waits. A shield would cost each call a second future and another round of the loop.
        return await submission.future
    except asyncio.CancelledError:
        submission.is_abandoned = True
        raise


def _let_go(wanted: asyncio.Future[bool]) -> None:
    if not wanted.done():
        wanted.set_result(False)
