"""Hypothesis strategies for the steps of the reconciliation's state machine."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import strategies as st

from tests.helpers.builders import CLEARED, PENDING, POSTED

FIRST = date(2026, 3, 2)
"""What happens lies in the days from here on; the ledger takes any effective time."""
DAYS = 12

PLACE = st.integers(0, 99)
"""Which one of those that there are, whatever their number."""
DAY = st.integers(0, DAYS - 1)
# Few, so that they meet: alone, by a tolerance (2,500 and 2,503), and in sums.
AMOUNT = st.builds(
    lambda amount, sign: amount * sign, st.sampled_from((1_000, 2_500, 2_503, 700)), st.sampled_from((1, -1))
)
REFERENCE = st.sampled_from(("", "INV-1", "INV-2"))
YES_OR_NO = st.booleans()

BOOKED = st.tuples(
    st.sampled_from(("pay", "pay", "pay", "other", "fee", "again")), PLACE, AMOUNT, DAY, REFERENCE,
    st.sampled_from((0, 0, 0, 3)),
)  # fmt: skip
"""What the bank books: how it comes about, with which transaction, and what it tells."""

# How often each step is chosen, and with what: see tests/property/strategies.py.
STEPS: dict[str, tuple[int, dict[str, st.SearchStrategy[Any]]]] = {
    "post": (
        9,
        {
            "amount": AMOUNT, "day": DAY, "reference": REFERENCE, "status": st.sampled_from((POSTED, PENDING, CLEARED)),
            "expires": st.sampled_from((False, False, False, True)),
            "beside": st.sampled_from((False, False, True)),
        },
    ),
    "void": (4, {"pick": PLACE}),
    "edit": (3, {"pick": PLACE, "away": YES_OR_NO}),
    "approve": (3, {"pick": PLACE, "part": YES_OR_NO}),
    "reverse": (2, {"pick": PLACE, "part": YES_OR_NO, "day": DAY}),
    "let_expire": (1, {}),
    "start": (
        2,
        {"day": st.integers(0, 4), "stated": st.sampled_from((None, None, 0, 1_000)), "pick": PLACE, "some": YES_OR_NO},
    ),
    "bring": (
        8,
        {
            "since": DAY, "length": st.integers(1, DAYS), "booked": st.lists(BOOKED, max_size=5),
            "balances": st.sampled_from(("none", "right", "right", "right", "wrong")),
        },
    ),
    "bring_again": (1, {"place": PLACE, "under_its_key": YES_OR_NO}),
    "run_rules": (6, {}),
    "put_together": (
        4,
        {
            "line": PLACE, "second": st.integers(0, 9), "item": PLACE, "lines": st.integers(0, 2),
            "items": st.integers(0, 2), "off": YES_OR_NO,
        },
    ),
    "confirm": (4, {"pick": PLACE, "everything": YES_OR_NO, "with_write_offs": YES_OR_NO}),
    "reject": (3, {"pick": PLACE}),
    "undo": (2, {"pick": PLACE}),
    "close": (5, {"day": DAY, "accept": st.sampled_from((True, True, False))}),
    "reopen": (3, {"other": st.sampled_from((0, 0, 0, 1))}),
    "profile": (
        2,
        {
            "tolerance": st.sampled_from((0, 5, 5)), "clears": YES_OR_NO, "differences": YES_OR_NO, "auto": YES_OR_NO,
        },
    ),
    "send_again": (3, {"place": PLACE}),
    "reuse_key": (1, {"place": PLACE}),
}  # fmt: skip
STEP = st.sampled_from([name for name, (weight, _) in STEPS.items() for _ in range(weight)]).flatmap(
    lambda name: st.tuples(st.just(name), st.fixed_dictionaries(STEPS[name][1]))
)
