"""Which lines of a file are here already. Pure but for the look at what is known.

Two lines are the same if all that is in them is, and if they are the same of several alike: the second of two coffees
on a day is the second one in each file that has that day. That holds for files that overlap. But statements whose
balances make a chain do not overlap: a coffee in the afternoon's statement is another one than the morning's.
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

    opening: int | None
    closing: int | None
    first: date | None
    """The first of its days, as far as it tells."""
    last: date | None

    @classmethod
    def of_record(cls, record: StatementRecord, sign: int) -> Stated:
        """One that came in before; `sign` -1: balances are kept the other way round."""
        opening, closing = record.opening_balance, record.closing_balance
        return cls(
            None if opening is None else sign * opening,
            None if closing is None else sign * closing,
            record.opening_date or record.closing_date,
            record.closing_date or record.opening_date,
        )


async def identities_of(
    arrived: Sequence[tuple[Stated, Sequence[Alike]]], before: Sequence[Stated], look: Look
) -> tuple[list[list[bytes]], set[bytes]]:
    """The identity of each line, and those that are known. `before` are the statements that came in."""
    known = await look([one.identity() for _, some in arrived for one in some])
    others = list(before)
    offsets: dict[bytes, int] = {}
    found = []
    for stated, some in arrived:
        is_apart = _is_apart(stated, others)
        identities = []
        for one in some:
            if is_apart and one.content not in offsets and one.identity() in known:
                offsets[one.content] = await _known_alike(one, look)
            identities.append(one.identity(offsets.get(one.content, 0)))
        found.append(identities)
        others.append(stated)
    return found, known


def _is_apart(stated: Stated, others: Iterable[Stated]) -> bool:
    """Whether it is one of a chain with all that share a day with it, each beginning where another one ended.

    Statements that overlap begin or end alike, or hang in the air between. One that came to nothing, so that it ended
    as it began, could stand anywhere: then nothing is told, and what looks the same counts as the same.
    """
    chain = [*(one for one in others if _share_a_day(one, stated)), stated]
    openings = [one.opening for one in chain]
    closings = [one.closing for one in chain]
    return (
        len(chain) > 1
        and None not in openings
        and None not in closings
        and all(one.opening != one.closing for one in chain)
        and len(set(openings)) == len(set(closings)) == len(chain)
        and all(one.opening in closings or one.closing in openings for one in chain)
    )


def _share_a_day(one: Stated, other: Stated) -> bool:
    if one.first is None or one.last is None or other.first is None or other.last is None:
        # When it was nobody knows.
        return True
    return one.first <= other.last and other.first <= one.last


async def _known_alike(one: Alike, look: Look) -> int:
    """How many alike are known, from this one on."""
    count = 1
    while await look([one.identity(count)]):
        count += 1
    return count
