"""Which lines of a file are here already: the same in files that overlap, others in statements that go on."""

from __future__ import annotations

from datetime import date, timedelta
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

    async def bring(self, *statements: tuple[int | None, int | None, Sequence[Line]], days: int = 0) -> list[int]:
        """How many lines of each statement are new: balances in minor units, lines; it is of so many days more."""
        of_file = [Statement(1, "", "EUR", "", None, None, tuple(lines)) for _, _, lines in statements]
        arrived = [
            (Stated(opening, closing, MORNING, MORNING + timedelta(days=days)), alike)
            for (opening, closing, _), alike in zip(statements, count_alike(of_file), strict=True)
        ]
        identities, known = await identities_of(arrived, self.before, self.look)
        fresh = [[one for one in some if one not in known] for some in identities]
        flat = [one for some in identities for one in some]
        assert len(flat) == len(set(flat)), "two lines of a file have one identity"
        assert not self.known.intersection(one for some in fresh for one in some)
        self.known.update(one for some in fresh for one in some)
        self.before += [stated for stated, _ in arrived]
        return [len(some) for some in fresh]


COFFEE = line("coffee")


async def test_a_file_that_overlaps_brings_what_is_new() -> None:
    account = Account()
    assert await account.bring((1000, 500, [COFFEE])) == [1]
    # The same day whole: one coffee more.
    assert await account.bring((1000, 0, [COFFEE, COFFEE])) == [1]
    assert await account.bring((1000, 0, [COFFEE, COFFEE])) == [0]


async def test_a_statement_that_goes_on_is_all_new() -> None:
    account = Account()
    await account.bring((1000, 500, [COFFEE]))
    assert await account.bring((500, 0, [COFFEE])) == [1]
    assert await account.bring((0, -1000, [COFFEE, COFFEE])) == [2]
    # The whole day in one file has nothing that is not here.
    assert await account.bring((1000, -1000, [COFFEE] * 4)) == [0]


async def test_the_order_in_which_statements_come_is_no_matter() -> None:
    account = Account()
    await account.bring((500, 0, [COFFEE]))
    assert await account.bring((1000, 500, [COFFEE])) == [1]
    assert await account.bring((2000, 1000, [COFFEE, COFFEE])) == [2]


async def test_a_statement_that_came_before_is_known() -> None:
    account = Account()
    await account.bring((1000, 500, [COFFEE]))
    await account.bring((500, 0, [COFFEE]))
    assert await account.bring((1000, 500, [COFFEE])) == [0]
    assert await account.bring((500, 0, [COFFEE])) == [0]


async def test_two_statements_of_one_file() -> None:
    account = Account()
    assert await account.bring((1000, 500, [COFFEE]), (500, 0, [COFFEE])) == [1, 1]
    assert await account.bring((0, -500, [COFFEE]), (-500, -1000, [COFFEE])) == [1, 1]


async def test_a_longer_period_around_one_that_is_known_overlaps_with_it() -> None:
    account = Account()
    tea = line("tea", "-1.00")
    await account.bring((5000, 2000, [line("rent", "-30.00")]))
    await account.bring((1900, 1400, [COFFEE]))
    # From where the first one ended, over the second one, and beyond.
    assert await account.bring((2000, 1300, [tea, COFFEE, tea]), days=2) == [2]


async def test_a_period_that_came_to_nothing_tells_nothing() -> None:
    account = Account()
    both = [COFFEE, line("refund", "5.00")]
    await account.bring((1000, 1000, both))
    # It begins where the other one ended, and where it began as well: it may be the same and more.
    assert await account.bring((1000, 500, [*both, line("tea")])) == [1]


async def test_without_balances_what_is_known_is_known() -> None:
    account = Account()
    await account.bring((None, None, [COFFEE]))
    assert await account.bring((None, None, [COFFEE])) == [0]
