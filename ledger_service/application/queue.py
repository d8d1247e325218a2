"""What waits to be written: submissions by entity, in order, within limits."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from ledger_service.domain.commands import POSTING, CreateAccount, Unit
from ledger_service.domain.decide import Outcome
from ledger_service.domain.errors import LedgerError, Reason

# Changes of existing accounts, of the entity and of categories are written apart from postings: what the triggers
# see of the account's state and limits, and of categories, is then the same for every posting of a database
# transaction.
_SHAREABLE = (*POSTING, CreateAccount)


_PATIENCE = 2


@dataclass(slots=True, eq=False)
class Submission:
    """A unit with the caller's future. `deadline` in the loop's time: when to give up waiting for the database."""

    unit: Unit
    future: asyncio.Future[list[Outcome]]
    deadline: float
    is_abandoned: bool = False
    """The caller is gone. Not yet taken, it need not be written; taken, it goes on."""
    is_shareable: bool = field(init=False)
    size: int = field(init=False)
    """What it counts in the queue; a unit without commands (tidying) is one as well."""
    times_put_back: int = 0

    def __post_init__(self) -> None:
        self.size = max(1, len(self.unit.commands))
        self.is_shareable = all(isinstance(command, _SHAREABLE) for command in self.unit.commands)


Batch = dict[int, list[Submission]]
"""Submissions to write in one database transaction, by entity."""


class _Room:
    """What still fits into a batch."""

    __slots__ = ("commands", "is_empty", "postings")

    def __init__(self, commands: int, postings: int) -> None:
        self.commands = commands
        self.postings = postings
        self.is_empty = True

    @property
    def is_full(self) -> bool:
        return self.commands <= 0 or self.postings <= 0

    def has_for(self, submission: Submission) -> bool:
        """What is larger than any batch goes alone, and so does what shares none."""
        fits = self.commands >= submission.size and self.postings >= submission.unit.postings
        return self.is_empty or (fits and submission.is_shareable)

    def fill(self, submission: Submission) -> None:
        self.is_empty = False
        self.commands -= submission.size if submission.is_shareable else self.commands
        self.postings -= submission.unit.postings


class WriteQueue:
    """Submissions by entity. An entity that is being written is busy: nobody else takes of it."""

    def __init__(self, *, max_commands: int, batch_commands: int, batch_postings: int) -> None:
        self._max_commands = max_commands
        self._batch_commands = batch_commands
        self._batch_postings = batch_postings
        self._waiting: dict[int, deque[Submission]] = {}
        self._busy: set[int] = set()
        self.commands = 0
        """How many commands wait, those being written included: what admission is held against."""
        self.waiting = 0
        """How many of them no lane has taken."""

    def add(self, submission: Submission) -> None:
        """Raises LedgerError QUEUE_FULL; nothing is queued then."""
        # A unit larger than the whole queue is let in when nothing else waits: else it never could.
        if self.commands and self.commands + submission.size > self._max_commands:
            raise LedgerError(
                Reason.QUEUE_FULL,
                "the server's queue is full; nothing was queued: send the same request again after a pause",
            )
        self.commands += submission.size
        self.waiting += submission.size
        self._waiting.setdefault(submission.unit.entity_no, deque()).append(submission)

    def take(self, lanes: int) -> Batch:
        """The next batch; empty if all that waits is of busy entities. `lanes`: how many could work now."""
        ready = [entity_no for entity_no in list(self._waiting) if self._has_work(entity_no)]
        if lanes > 1 and len(ready) > 1 and self._waits_for_several(ready):
            # Enough for two: leave the other lane its share instead of writing all in one go.
            ready = ready[: (len(ready) + lanes - 1) // lanes]
        # Who has lost the race for its lock against another process twice waits for it alone, in the
        # server's own queue, where it can't lose again.
        ready = [one for one in ready if self._waiting[one][0].times_put_back >= _PATIENCE][:1] or ready
        batch: Batch = {}
        room = _Room(self._batch_commands, self._batch_postings)
        for entity_no in ready:
            taken = self._take_of(entity_no, room)
            if taken:
                batch[entity_no] = taken
                self._busy.add(entity_no)
            if room.is_full:
                break
        return batch

    def take_more(self, entity_no: int, least: int = 1, most: int | None = None) -> Batch:
        """The next batch of an entity that is busy, for whoever has it, of `most` commands unless the first unit has
        more; empty: fewer than `least` wait."""
        if not self._waits(entity_no, least):
            return {}
        commands = self._batch_commands if most is None else min(most, self._batch_commands)
        taken = self._take_of(entity_no, _Room(commands, self._batch_postings))
        return {entity_no: taken} if taken else {}

    def has_ready(self) -> bool:
        """Whether something waits of an entity that is not being written."""
        return any(entity_no not in self._busy for entity_no in self._waiting)

    def is_busy(self, entity_no: int) -> bool:
        """Whether the entity is being written."""
        return entity_no in self._busy

    def put_back(self, entity_no: int, submissions: list[Submission]) -> None:
        """They were not written after all: first in line again."""
        self._busy.discard(entity_no)
        queue = self._waiting.setdefault(entity_no, deque())
        for submission in submissions:
            submission.times_put_back += 1
            self.waiting += submission.size
        queue.extendleft(reversed(submissions))

    def release(self, entity_no: int) -> None:
        """The entity is no longer being written."""
        self._busy.discard(entity_no)

    def done(self, submission: Submission) -> None:
        """It has its answer, or nobody waits for one."""
        self.commands -= submission.size

    def _has_work(self, entity_no: int) -> bool:
        """Whether something of the entity can be taken; what nobody waits for any more is dropped from its head."""
        if entity_no in self._busy:
            return False
        queue = self._waiting[entity_no]
        while queue and queue[0].is_abandoned:
            self._drop_first(queue)
        if not queue:
            del self._waiting[entity_no]
        return bool(queue)

    def _take_of(self, entity_no: int, room: _Room) -> list[Submission]:
        """Of an entity's submissions as many as fit, in their order."""
        taken: list[Submission] = []
        queue = self._waiting[entity_no]
        while queue:
            first = queue[0]
            if first.is_abandoned:
                self._drop_first(queue)
                continue
            if not room.has_for(first):
                break
            taken.append(queue.popleft())
            self.waiting -= first.size
            room.fill(first)
        # What is left has its next turn after the other entities.
        del self._waiting[entity_no]
        if queue:
            self._waiting[entity_no] = queue
        return taken

    def _drop_first(self, queue: deque[Submission]) -> None:
        """Nobody waits for it any more."""
        dropped = queue.popleft()
        self.waiting -= dropped.size
        self.done(dropped)

    def _waits(self, entity_no: int, least: int) -> bool:
        for submission in self._waiting.get(entity_no, ()):
            least -= submission.size
            if least <= 0:
                return True
        return False

    def _waits_for_several(self, ready: list[int]) -> bool:
        threshold = self._batch_commands // 4
        for entity_no in ready:
            for submission in self._waiting[entity_no]:
                threshold -= submission.size
                if threshold <= 0:
                    return True
        return False
