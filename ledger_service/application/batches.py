"""Many writes in one call: each item on its own, or all or none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple, cast

from ledger_service.application.committer import outcomes_of
from ledger_service.application.failures import as_ledger_error, item_of
from ledger_service.application.queue import Submission
from ledger_service.application.writes import Writes
from ledger_service.domain.account import Entity
from ledger_service.domain.commands import CreateTransaction
from ledger_service.domain.decide import Applied, Refused
from ledger_service.domain.errors import LedgerError, Reason

_PART = 500
"""Items of a batch that are queued together: small enough that reading, writing and answering go side by side."""

_GO = 50
"""Items that are read, or answered, in one go: nothing else is done meanwhile, some 10 µs for each."""

Answer = Applied | Refused | LedgerError


class Item(NamedTuple):
    """One request of many: its command unless it was malformed, its answer as soon as there is one."""

    command: CreateTransaction | None
    answer: Answer | None


class Part(NamedTuple):
    """Items that were queued together; `submission` None: all have their answers."""

    items: list[Item]
    submission: Submission | None


async def each_on_its_own(
    writes: Writes, entity: Entity, size: int, command_at: Callable[[int], CreateTransaction]
) -> AsyncIterator[Item]:
    """Write what `command_at` makes of each place, and give the items with their answers, in order.

    An item for which it raises LedgerError fails alone; the others are written.
    """
    parts = []
    for start in range(0, size, _PART):
        items: list[Item] = []
        end = min(start + _PART, size)
        for first in range(start, end, _GO):
            items += [_read(command_at, place) for place in range(first, min(first + _GO, end))]
            # The committer goes on with the part before while this one is read.
            await asyncio.sleep(0)
        parts.append(_enqueue(writes, entity, items))
    for part in parts:
        # ... and writes the next one while the answers to this one are made.
        for place, item in enumerate(await _settle(writes, entity, part)):
            if place % _GO == 0:
                await asyncio.sleep(0)
            yield item


async def answers_to(writes: Writes, entity: Entity, submission: Submission, method: str) -> Sequence[Answer]:
    """The answers to the commands of a unit that was queued; a failure is the answer to each. Raises nothing.

    What fails by a fault of ours is queued again half by half, until the command that is behind it stands alone: the
    committer knows no smaller thing than a unit, and each command has its own key. Later parts of the same call may
    then stand before them in the sequence.
    """
    try:
        return await writes.complete(entity, await outcomes_of(submission))
    except Exception as failure:  # noqa: BLE001  # told to the caller, and logged
        error = as_ledger_error(failure, method)
    commands = cast("Sequence[CreateTransaction]", submission.unit.commands)  # they came by Writes.enqueue
    if error.reason is not Reason.INTERNAL or len(commands) == 1:
        return [error] * len(commands)
    answers: list[Answer] = []
    middle = len(commands) // 2
    for half in (commands[:middle], commands[middle:]):
        try:
            answers += await answers_to(writes, entity, writes.enqueue(entity, half), method)
        except LedgerError as refused:
            answers += [refused] * len(half)
    return answers


async def _settle(writes: Writes, entity: Entity, part: Part) -> list[Item]:
    """The items of a part with their answers."""
    if part.submission is None:
        return part.items
    found = iter(await answers_to(writes, entity, part.submission, "BatchCreateTransactions"))
    return [item if item.command is None else Item(item.command, next(found)) for item in part.items]


def failure_of(answers: Sequence[Answer], path: str = "requests") -> LedgerError:
    """The error that an atomic call failed with: the one that names itself as the failed item."""
    for index, answer in enumerate(answers):
        if isinstance(answer, Refused) and answer.error.metadata.get("failed_index") == str(index):
            return item_of(answer.error, f"{path}[{index}]")
    return next(
        answer.error if isinstance(answer, Refused) else answer for answer in answers if not isinstance(answer, Applied)
    )


def _read(command_at: Callable[[int], CreateTransaction], place: int) -> Item:
    """An item that is malformed has its answer already."""
    try:
        return Item(command_at(place), None)
    except LedgerError as error:
        return Item(None, error)


def _enqueue(writes: Writes, entity: Entity, items: list[Item]) -> Part:
    """Queue those of a batch's items that have no answer yet."""
    commands = [item.command for item in items if item.command is not None]
    try:
        return Part(items, writes.enqueue(entity, commands) if commands else None)
    except LedgerError as error:
        return Part([Item(item.command, item.answer or error) for item in items], None)
