"""Which lines of a file are here already: the same in files that overlap, others in statements that go on."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from ledger_service.application.reconciling.overlapping import Stated, count_alike, identities_of
from ledger_service.statements.model import Line, Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

MORNING = date(2026, 3, 4)


def line(text: str, amount: str = "-5.00", day: date = MORNING) -> Line:
    return Line(1, day, day, Decimal(amount), text=text)


class Account:
    """What came in so far."""

    def __init__(self) -> None:
        self.known: set[bytes] = set()
        self.before: list[Stated] = []

    async def look(self, identities: Sequence[bytes]) -> set[bytes]:
        return self.known.intersection(identities)

    async def bring(self, *statements: tuple[str, int | None, int | None, date, Sequence[Line]]) -> list[int]:
        """How many lines of each statement are new: its bank's number, balances in minor units, last day, lines."""
        of_file = [Statement(1, "", "EUR", name, None, None, tuple(lines)) for name, _, _, _, lines in statements]
        arrived = [
            (Stated(name, opening, closing, day, len(lines)), lines, alike)
            for (name, opening, closing, day, lines), alike in zip(statements, count_alike(of_file), strict=True)
        ]
        identities, known = await identities_of(arrived, self.before, self.look)
        fresh = [[one for one in some if one not in known] for some in identities]
        flat = [one for some in identities for one in some]
        assert len(flat) == len(set(flat)), "two lines of a file have one identity"
        assert not self.known.intersection(one for some in fresh for one in some)
        self.known.update(one for some in fresh for one in some)
        self.before += [stated for stated, _, _ in arrived]
        return [len(some) for some in fresh]


COFFEE = line("coffee")


async def test_a_file_that_overlaps_brings_what_is_new() -> None:
    account = Account()
    assert await account.bring(("1", 1000, 500, MORNING, [COFFEE])) == [1]
    # The same day whole: one coffee more.
    assert await account.bring(("day", 1000, 0, MORNING, [COFFEE, COFFEE])) == [1]
    assert await account.bring(("again", 1000, 0, MORNING, [COFFEE, COFFEE])) == [0]


async def test_a_statement_that_goes_on_is_all_new() -> None:
    account = Account()
    await account.bring(("1", 1000, 500, MORNING, [COFFEE]))
    assert await account.bring(("2", 500, 0, MORNING, [COFFEE])) == [1]
    assert await account.bring(("3", 0, -1000, MORNING, [COFFEE, COFFEE])) == [2]
    # The whole day in one file has nothing that is not here.
    assert await account.bring(("day", 1000, -1000, MORNING, [COFFEE] * 4)) == [0]


async def test_a_statement_that_came_before_does_not_go_on() -> None:
    account = Account()
    await account.bring(("1", 1000, 500, MORNING, [COFFEE]))
    await account.bring(("2", 500, 0, MORNING, [COFFEE]))
    assert await account.bring(("1", 1000, 500, MORNING, [COFFEE])) == [0]
    assert await account.bring(("2", 500, 0, MORNING, [COFFEE])) == [0]


async def test_two_statements_of_one_file() -> None:
    account = Account()
    assert await account.bring(("1", 1000, 500, MORNING, [COFFEE]), ("2", 500, 0, MORNING, [COFFEE])) == [1, 1]
    assert await account.bring(("3", 0, -500, MORNING, [COFFEE]), ("4", -500, -1000, MORNING, [COFFEE])) == [1, 1]


async def test_a_period_that_came_to_nothing_tells_nothing() -> None:
    account = Account()
    both = [COFFEE, line("refund", "5.00")]
    await account.bring(("1", 1000, 1000, MORNING, both))
    # It begins where the other one ended, and where it began as well: it may be the same and more.
    assert await account.bring(("2", 1000, 500, MORNING, [*both, line("tea")])) == [1]


async def test_without_balances_what_is_known_is_known() -> None:
    account = Account()
    await account.bring(("", None, None, MORNING, [COFFEE]))
    assert await account.bring(("", None, None, MORNING, [COFFEE])) == [0]
