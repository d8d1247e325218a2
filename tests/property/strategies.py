"""What Hypothesis chooses: the steps, how often each, and with what."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.helpers.model import Account, Leg, Limit

MAX_AMOUNT = 10**38 - 1
CATEGORIES = ["rent", "fun", "cars"]
CATEGORY = st.sampled_from([*CATEGORIES * 3, "nothing"])
CATEGORY_NAME = st.sampled_from(["Rent", "Fun", "Cars"])

CHART = (
    Account("assets", "ASSET"),
    Account("cash", "ASSET", parent="assets"),
    Account("bank", "ASSET", parent="assets", limits=(Limit("EUR", floor=0),)),
    Account("yen", "ASSET", parent="bank", currencies=("JPY", "KWD")),
    Account("wallets", "LIABILITY"),
    Account("alice", "LIABILITY", parent="wallets", limits=(Limit("USD", floor=0), Limit("JPY", floor=0))),
    Account("bob", "LIABILITY", parent="wallets", limits=(Limit("USD", floor=0, ceiling=50_000),)),
    Account("carol", "LIABILITY", parent="wallets", limits=(Limit("USD", floor=-10_000),)),
    Account("fees", "REVENUE", currencies=("USD",)),
    Account("refunds", "REVENUE", contra=True, parent="fees"),
)
ACCOUNTS = [account.id for account in CHART]
CURRENCIES = ["USD", "EUR", "JPY", "KWD"]

# Mostly amounts that fit the limits above; now and then one at the borders of 63 bits and 38 digits.
USUAL_AMOUNTS = st.integers(1, 30_000)
AMOUNTS = st.one_of([USUAL_AMOUNTS] * 15 + [st.sampled_from([2**62, 2**63 - 1, 2**63, 10**30, 10**38 - 1])])
USUAL_ACCOUNTS = st.sampled_from(ACCOUNTS)
CURRENCY = st.sampled_from(["USD"] * 5 + CURRENCIES)
TAKERS = {
    currency: st.sampled_from([each.id for each in CHART if each.takes(currency)] * 6 + ["fees", "yen", "nowhere"])
    for currency in CURRENCIES
}
PLACE = st.integers(0, 200)
"""Chooses one of what there is: modulo its number."""
PICK = st.tuples(st.sampled_from(["fit", "fit", "fit", "fit", "any"]), PLACE)
"""Chooses a transaction: mostly one that is in the right state for what is asked."""
REVISION = st.sampled_from(["any"] * 6 + ["present", "other"])


@st.composite
def legs(draw: st.DrawFn) -> tuple[Leg, ...]:
    """Balanced postings: one amount on a side, the same in pieces on the other; perhaps twice over."""
    result: list[Leg] = []
    for _ in range(draw(st.sampled_from([1, 1, 1, 1, 2]))):
        currency = draw(CURRENCY)
        pieces = draw(st.lists(AMOUNTS, min_size=1, max_size=draw(st.sampled_from([1, 1, 1, 2, 3]))))
        one, other = draw(st.sampled_from([("DEBIT", "CREDIT"), ("CREDIT", "DEBIT")]))
        while sum(pieces) > MAX_AMOUNT:
            pieces.pop()
        result.append(Leg(draw(TAKERS[currency]), one, currency, sum(pieces)))
        result += [Leg(draw(TAKERS[currency]), other, currency, piece) for piece in pieces]
    return tuple(result)


CREATION = st.fixed_dictionaries(
    {
        "legs": legs(),
        "status": st.sampled_from(["PENDING", "PENDING", "CLEARED", "POSTED"]),
        "effective_day": st.sampled_from([None, None, None, -40, -3, 2]),
        "expire_hours": st.sampled_from([None] * 7 + [0, 0, 1, 2, -1]),
        "reference": st.sampled_from(["", "", "order-1", "order-2"]),
        "category": st.sampled_from([""] * 8 + ["rent", "fun", "nothing"]),
    }
)
AXES = st.tuples(
    st.sampled_from([None, None, -40, -39, -3, 0, 2, 400]),
    st.sampled_from(["now", "now", "sequence", "event", "deadline", "before deadline"]),
    PLACE,
)

# How often each step is chosen, and with what. One rule chooses among them: with a rule for each, Hypothesis
# leaves out most of the rules in most of its examples, and few transactions would ever be approved.
STEPS: dict[str, tuple[int, dict[str, st.SearchStrategy[Any]]]] = {
    "create": (10, {"chosen": CREATION}),
    "create_batch": (
        4,
        {
            "chosen": st.lists(CREATION, min_size=1, max_size=4),
            "atomic": st.booleans(),
            "again": st.none() | PLACE,
        },
    ),
    "rehearse": (1, {"chosen": CREATION}),
    "resend": (2, {"place": PLACE}),
    "resend_batch": (1, {"place": PLACE}),
    "reuse_key": (1, {"place": PLACE, "chosen": CREATION}),
    "approve": (
        6,
        {"picks": st.lists(PICK, min_size=1, max_size=3), "part": st.none() | PLACE, "expected": REVISION},
    ),
    "clear": (2, {"pick": PICK, "expected": REVISION}),
    "void": (2, {"pick": PICK, "expected": REVISION}),
    "edit": (
        4,
        {
            "pick": PICK,
            "accounts": st.none() | st.lists(st.integers(0, 50), min_size=8, max_size=8),
            "description": st.sampled_from([None, "", "rent", "rent of May"]),
            "expected": REVISION,
        },
    ),
    "reverse": (
        5,
        {
            "pick": PICK,
            "how": st.sampled_from(["full", "amount", "parts"]),
            "share": st.integers(1, 11),
            "which": PLACE,
        },
    ),
    "categorize": (
        4,
        {"pick": PICK, "category": st.one_of(st.just(""), CATEGORY, CATEGORY), "expected": REVISION},
    ),
    "create_category": (3, {"category": st.sampled_from(CATEGORIES), "name": CATEGORY_NAME}),
    "rename_category": (1, {"category": CATEGORY, "name": CATEGORY_NAME, "expected": REVISION}),
    "archive_category": (1, {"category": CATEGORY}),
    "set_state": (2, {"account": USUAL_ACCOUNTS, "state": st.sampled_from(["FROZEN", "CLOSED"])}),
    "unfreeze": (2, {"place": PLACE}),
    "set_limits": (
        1,
        {
            "account": USUAL_ACCOUNTS,
            "currency": CURRENCY,
            "floor": st.sampled_from([None, -20_000, 0, 100]),
            "ceiling": st.sampled_from([None, 100, 50_000, MAX_AMOUNT]),
        },
    ),
    "let_time_pass": (2, {"hours": st.sampled_from([1, 1, 2, 5])}),
    "read_balance": (
        5,
        {
            "account": USUAL_ACCOUNTS,
            "currency": st.sampled_from(["", "", *CURRENCIES]),
            "axes": AXES,
            "subtree": st.booleans(),
        },
    ),
    "read_all_balances": (3, {"axes": AXES, "subtree": st.booleans()}),
    "read_transaction": (2, {"pick": PICK}),
    "read_revisions": (1, {"place": PLACE}),
    "read_list": (
        2,
        {
            "statuses": st.sets(st.sampled_from(["PENDING", "CLEARED", "POSTED", "VOIDED", "EXPIRED"]), max_size=3),
            "account": st.sampled_from(["", "", *ACCOUNTS]),
            "between": st.sampled_from([(None, None)] * 3 + [(-40, None), (None, -3), (-40, -3), (0, 2), (0, None)]),
            "ascending": st.booleans(),
            "page_size": st.sampled_from([1, 3, 1000]),
            "by_effective_time": st.booleans(),
        },
    ),
    "list_categories": (1, {"include_archived": st.booleans()}),
    "look_up_key": (1, {"place": PLACE}),
    "look_up_reference": (1, {"reference": st.sampled_from(["order-1", "order-2", "order-3"])}),
    "read_entries": (2, {"account": USUAL_ACCOUNTS, "currency": CURRENCY, "ascending": st.booleans()}),
}
STEP = st.sampled_from([name for name, (weight, _) in STEPS.items() for _ in range(weight)]).flatmap(
    lambda name: st.tuples(st.just(name), st.fixed_dictionaries(STEPS[name][1]))
)
