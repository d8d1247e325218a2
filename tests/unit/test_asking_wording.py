"""How answers read: amounts, dates, one and many, the document's own example."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.application.asking import phrases
from ledger_service.application.asking.grammar import understand
from ledger_service.application.asking.plan import AmountRule, Comparator, Period, Plan
from ledger_service.application.asking.ports import Group, Line, Rows, Summary
from ledger_service.application.asking.running import average, bounds_of
from ledger_service.application.asking.wording import Teller
from tests.questions.world import TODAY, VOCABULARY

EXPONENTS = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3, "BTC": 8}


def answer(question: str, rows: Rows) -> str:
    plan = understand(question, VOCABULARY, TODAY)
    assert isinstance(plan, Plan)
    return Teller(plan, VOCABULARY.by_id, EXPONENTS, ZoneInfo("America/New_York")).answer(rows)


def line(amount: int, day: str, counterparty: str = "", description: str = "", currency: str = "USD") -> Line:
    moment = datetime.fromisoformat(f"{day}T16:00:00").replace(tzinfo=UTC)
    return Line(1, currency, amount, 3, moment, description, counterparty, "")


def test_the_example_of_the_rest_document() -> None:
    rows = Rows((Summary("USD", 8, 324575, 0, 75000, 1000),), 8, (line(75000, "2023-05-10", "Office Depot"),))
    assert answer("How much did I spend on office supplies in May 2023?", rows) == (
        "In May 2023, you spent a total of $3,245.75 on Office Supplies across 8 transactions. "
        "The largest purchase was $750.00 at Office Depot on May 10th."
    )


@pytest.mark.parametrize(
    ("question", "rows", "told"),
    [
        ("How much did I spend last month?", Rows(), "In May 2023, there were no spending transactions."),
        (
            "How much did I spend at Starbucks in euros yesterday?",
            Rows(),
            "On June 13th, 2023, there were no spending transactions at Starbucks in EUR.",
        ),
        (
            "How much did I spend at Starbucks?",
            Rows((Summary("USD", 1, 500, 0, 500, 500),), 1, (line(500, "2023-05-10", "Starbucks"),)),
            "You spent a total of $5.00 at Starbucks across 1 transaction.",
        ),
        (
            "How much did I spend last week?",
            Rows((Summary("JPY", 3, 1200, 1, 900, 800), Summary("EUR", 2, -50, 2, None, None)), 5),
            (
                "In the week of June 5th, 2023, you spent a total of 1,200 JPY across 3 transactions (1 of which was a "
                "reversal or refund) and -€0.50 across 2 transactions (2 of which were reversals or refunds)."
            ),
        ),
        (
            "How many transactions are pending?",
            Rows((Summary("USD", 1, 500, 0, 500, 500),), 1),
            "There was 1 pending transaction, $5.00 in total.",
        ),
        (
            "average purchase in 2022",
            Rows((Summary("USD", 8, 324575, 0, 75000, 1000),), 8),
            "In 2022, the average purchase was $405.72 (8 transactions, $3,245.75 in total).",
        ),
        (
            "What was my largest purchase in 2022?",
            Rows((Summary("USD", 8, 324575, 0, 75000, 1000),), 8, (line(75000, "2022-03-01", "", "a  desk"),)),
            'The largest purchase in 2022 was $750.00 for "a desk" on March 1st.',
        ),
        (
            "largest transaction since December",
            Rows((Summary("USD", 8, 324575, 0, 75000, 1000),), 8, (line(75000, "2023-03-01", "ACME"),)),
            (
                "The largest transaction from December 1st, 2022 to June 14th, 2023 was $750.00 with ACME on "
                "March 1st, 2023."
            ),
        ),
        (
            "Which category did I spend the most on in May 2023?",
            Rows(
                (Summary("USD", 2, 900, 0, 500, 400),),
                2,
                (),
                (Group("c", "Travel", Summary("USD", 2, 900, 0, 5, 4)),),
                3,
            ),
            "In May 2023, you spent the most on Travel: $9.00 (2 transactions).",
        ),
        (
            "Did I spend more than $500 on travel last month?",
            Rows((Summary("USD", 2, 50000, 0, 500, 400),), 2),
            "No: you spent $500.00 on Travel in May 2023, which is not more than $500.00.",
        ),
        (
            "Did I spend more on travel this month than last month?",
            Rows((Summary("USD", 2, 50000, 0, 1, 1),), 2, (), (), 0, (Summary("USD", 1, 40000, 0, 1, 1),), 1),
            "You spent $500.00 on Travel in June 2023, $100.00 (25.0%) more than in May 2023 ($400.00).",
        ),
        (
            "Were there more transactions in May than in April 2023?",
            Rows((), 0, (), (), 0, (Summary("USD", 1, 40000, 0, 1, 1),), 1),
            "There were 0 transactions in May 2023, 1 (100.0%) fewer than in April 2023 (1).",
        ),
    ],
)
def test_answers(question: str, rows: Rows, told: str) -> None:
    assert answer(question, rows) == told


@pytest.mark.parametrize(
    ("units", "currency", "text"),
    [
        (324575, "USD", "$3,245.75"),
        (-5, "EUR", "-€0.05"),
        (1200, "JPY", "1,200 JPY"),
        (1234567, "KWD", "1,234.567 KWD"),
        (1, "BTC", "0.00000001 BTC"),
        (10**38 - 1, "USD", "$999,999,999,999,999,999,999,999,999,999,999,999.99"),
    ],
)
def test_amounts(units: int, currency: str, text: str) -> None:
    assert phrases.amount(units, currency, EXPONENTS) == text


def test_ordinals() -> None:
    told = [phrases.ordinal(number) for number in (1, 2, 3, 4, 10, 11, 12, 13, 20, 21, 22, 23, 30, 31)]
    assert told == [
        "1st",
        "2nd",
        "3rd",
        "4th",
        "10th",
        "11th",
        "12th",
        "13th",
        "20th",
        "21st",
        "22nd",
        "23rd",
        "30th",
        "31st",
    ]


@pytest.mark.parametrize(
    ("first", "before", "told"),
    [
        ("2023-05-01", "2023-06-01", "in May 2023"),
        ("2023-04-01", "2023-07-01", "in Q2 2023"),
        ("2023-01-01", "2024-01-01", "in 2023"),
        ("2023-05-10", "2023-05-11", "on May 10th, 2023"),
        ("2023-05-08", "2023-05-15", "in the week of May 8th, 2023"),
        ("2022-12-31", "2023-02-01", "from December 31st, 2022 to January 31st, 2023"),
        (None, "2023-06-01", "up to May 31st, 2023"),
        ("2023-06-01", None, "from June 1st, 2023 on"),
    ],
)
def test_periods(first: str | None, before: str | None, told: str) -> None:
    period = Period(first and date.fromisoformat(first), before and date.fromisoformat(before))  # type: ignore[arg-type]
    assert phrases.period(period) == told


@pytest.mark.parametrize(
    ("total", "count", "mean"),
    [(324575, 8, 40572), (5, 2, 2), (7, 2, 4), (-5, 2, -2), (-7, 2, -4), (10, 3, 3), (-10, 3, -3)],
)
def test_averages_are_rounded_half_to_even(total: int, count: int, mean: int) -> None:
    assert average(total, count) == mean


@pytest.mark.parametrize(
    ("comparator", "amount", "exponent", "bounds"),
    [
        (Comparator.MORE_THAN, "500", 2, (50001, None)),
        (Comparator.MORE_THAN, "0.001", 2, (1, None)),
        (Comparator.AT_LEAST, "500", 0, (500, None)),
        (Comparator.AT_LEAST, "0.001", 2, (1, None)),
        (Comparator.LESS_THAN, "20", 2, (1, 1999)),
        (Comparator.LESS_THAN, "0.005", 2, (1, 0)),
        (Comparator.AT_MOST, "20.999", 2, (1, 2099)),
        (Comparator.EXACTLY, "20", 2, (2000, 2000)),
        (Comparator.EXACTLY, "20.005", 2, (2001, 2000)),
    ],
)
def test_rules_on_amounts(
    comparator: Comparator, amount: str, exponent: int, bounds: tuple[int | None, int | None]
) -> None:
    assert bounds_of(AmountRule(comparator, amount), exponent) == bounds


@given(st.integers(-(10**40), 10**40), st.integers(1, 10**6))
def test_an_average_is_the_nearest(total: int, count: int) -> None:
    assert 2 * abs(average(total, count) * count - total) <= count
