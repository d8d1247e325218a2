"""Four totals and the balances that follow from them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.domain.account import AccountType, Side, normal_side
from ledger_service.domain.totals import ZERO, Totals

amounts = st.integers(0, 10**38)
totals = st.builds(Totals, amounts, amounts, amounts, amounts)


def test_balances_on_both_sides() -> None:
    one = Totals(debits_posted=100, credits_posted=30, debits_pending=7, credits_pending=2)
    assert [one.posted(Side.DEBIT), one.pending(Side.DEBIT), one.available(Side.DEBIT), one.reachable(Side.DEBIT)] == [
        70, 75, 68, 77,
    ]  # fmt: skip
    assert [
        one.posted(Side.CREDIT), one.pending(Side.CREDIT), one.available(Side.CREDIT), one.reachable(Side.CREDIT)
    ] == [-70, -75, -77, -68]  # fmt: skip


@given(totals)
def test_the_sides_mirror_each_other(one: Totals) -> None:
    mirrored = Totals(one.credits_posted, one.debits_posted, one.credits_pending, one.debits_pending)
    for balance in (Totals.posted, Totals.pending, Totals.available, Totals.reachable):
        assert balance(one, Side.DEBIT) == balance(mirrored, Side.CREDIT)


@given(totals, st.sampled_from(list(Side)))
def test_available_and_reachable_bound_whatever_pending_transactions_do(one: Totals, normal: Side) -> None:
    for debits, credits_ in itertools.product((0, one.debits_pending), (0, one.credits_pending)):
        settled = Totals(one.debits_posted + debits, one.credits_posted + credits_, 0, 0)
        assert one.available(normal) <= settled.posted(normal) <= one.reachable(normal)


@given(totals, totals)
def test_plus_and_minus_undo_each_other(one: Totals, other: Totals) -> None:
    assert one.plus(other).minus(other) == one
    assert one.minus(one) == ZERO
    assert one.plus(ZERO) == one


@pytest.mark.parametrize(
    ("type_", "side"),
    [
        (AccountType.ASSET, Side.DEBIT),
        (AccountType.EXPENSE, Side.DEBIT),
        (AccountType.LIABILITY, Side.CREDIT),
        (AccountType.EQUITY, Side.CREDIT),
        (AccountType.REVENUE, Side.CREDIT),
    ],
)
def test_normal_sides(type_: AccountType, side: Side) -> None:
    assert normal_side(type_, contra=False) is side
    assert normal_side(type_, contra=True) is not side
