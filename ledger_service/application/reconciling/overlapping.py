"""Which lines of a file are here already. Pure but for the look at what is known.

Two lines are the same if all that is in them is, and if they are the same of several alike: the second of two coffees
on a day is the second one in each file that has that day. That holds for files that overlap. A statement that goes on
where the newest one ended overlaps with none: a coffee in the afternoon's statement is another one than the morning's.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from ledger_service.application.reconciling.records import StatementRecord
from ledger_service.statements.model import Line, Statement

_IDENTITY_BYTES = 16

Look = Callable[[Sequence[bytes]], Awaitable[set[bytes]]]


@dataclass(frozen=True, slots=True)
class Alike:
    """A line as a digest of all that is in it, and which of several alike in its file it is, from 1."""

    content: bytes
    place: int

    def identity(self, offset: int = 0) -> bytes:
        """The same for the same line in another file; `offset`: so many alike are known that are not this one."""
        return hashlib.sha256(self.content + b"\0%d" % (self.place + offset)).digest()[:_IDENTITY_BYTES]


def count_alike(statements: Iterable[Statement]) -> tuple[tuple[Alike, ...], ...]:
    """For each line of each statement what it is told from others by."""
    seen: Counter[bytes] = Counter()
    return tuple(tuple(_alike(line, seen) for line in statement.lines) for statement in statements)


def _alike(line: Line, seen: Counter[bytes]) -> Alike:
    parts = (
        line.booking_date.isoformat(), line.value_date.isoformat(), str(line.amount.normalize()), line.counterparty,
        line.counterparty_account, *line.references, line.text, line.bank_code,
    )  # fmt: skip
    content = hashlib.sha256("\0".join(" ".join(part.split()) for part in parts).encode()).digest()
    seen[content] += 1
    return Alike(content, seen[content])


@dataclass(frozen=True, slots=True)
class Stated:
    """What is known of a statement, with balances in minor units as the bank writes them."""

    bank_number: str
    opening: int | None
    closing: int | None
    closing_date: date | None
    lines: int

    @classmethod
    def of_record(cls, record: StatementRecord, sign: int) -> Stated:
        """One that came in before; `sign` -1: balances are kept the other way round."""
        opening, closing = record.opening_balance, record.closing_balance
        return cls(
            record.bank_number,
            None if opening is None else sign * opening,
            None if closing is None else sign * closing,
            record.closing_date,
            record.lines + record.known_lines,
        )


async def identities_of(
    arrived: Sequence[tuple[Stated, Sequence[Line], Sequence[Alike]]], before: Sequence[Stated], look: Look
) -> tuple[list[list[bytes]], set[bytes]]:
    """The identity of each line, and those that are known. `before` are the statements that came in, oldest first."""
    known = await look([one.identity() for _, _, some in arrived for one in some])
    # Of several of a day the one that came last.
    dated = sorted(
        (one for one in before if one.closing_date is not None), key=lambda one: one.closing_date or date.min
    )
    newest = dated[-1] if dated else None
    offsets: dict[bytes, int] = {}
    found = []
    for stated, lines, some in arrived:
        goes_on = newest is not None and _goes_on(newest, stated, lines) and stated not in before
        identities = []
        for one in some:
            if goes_on and one.content not in offsets and one.identity() in known:
                offsets[one.content] = await _known_alike(one, look)
            identities.append(one.identity(offsets.get(one.content, 0)))
        found.append(identities)
        if stated.closing is not None:
            newest = stated
    return found, known


def _goes_on(newest: Stated, stated: Stated, lines: Sequence[Line]) -> bool:
    """Whether a statement begins where the newest one ended.

    Where that one came to nothing, so that it ended as it began, a statement of both periods would look the same: then
    what is known counts as known.
    """
    return (
        stated.opening is not None
        and stated.opening == newest.closing
        and newest.opening != newest.closing
        and newest.closing_date is not None
        and all(line.booking_date >= newest.closing_date for line in lines)
    )


async def _known_alike(one: Alike, look: Look) -> int:
    """How many alike are known, from this one on."""
    count = 1
    while await look([one.identity(count)]):
        count += 1
    return count
