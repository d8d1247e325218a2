"""Amounts: what is a number and what is not, and the edges of 38 digits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.domain.money import (
    MAX_MINOR_UNITS,
    exponent_of,
    format_minor_units,
    parse_amount,
    parse_minor_units,
    parse_signed,
)

CURRENCIES = {"USD": 2, "JPY": 0, "ETH": 18}


def refused(call: object, *arguments: object) -> LedgerError:
    """The refusal of a call."""
    assert callable(call)
    with pytest.raises(LedgerError) as caught:
        call(*arguments)
    return caught.value


@pytest.mark.parametrize(
    ("text", "exponent", "units"),
    [
        ("2500.00", 2, 250000),
        ("2500", 2, 250000),
        ("0.5", 2, 50),
        ("12.5", 3, 12500),
        ("007.50", 2, 750),
        ("0", 0, 0),
        ("9" * 38, 0, MAX_MINOR_UNITS),
        ("9" * 36 + ".99", 2, MAX_MINOR_UNITS),
        ("9" * 20 + "." + "9" * 18, 18, MAX_MINOR_UNITS),
        ("00" + "9" * 38, 0, MAX_MINOR_UNITS),
    ],
)
def test_plain_decimals(text: str, exponent: int, units: int) -> None:
    assert parse_minor_units(text, exponent, "amount") == units


@pytest.mark.parametrize(
    "text",
    ["", " ", "1 ", " 1", "1.", ".5", "1,5", "1e3", "1_000", "+1", "-1", "--1", "0x1", "NaN", "Infinity",
     "\uff11\uff12", "\u0661", "1.2.3", "1\n", "\x001", "\u00b2", "0" * 41, "1" + "0" * 38, "1" + "0" * 36 + ".00",
     "1.000", "1.00000000000000000000000"],
)  # fmt: skip
def test_everything_else_is_refused_naming_the_field(text: str) -> None:
    error = refused(parse_minor_units, text, 2, "postings[1].amount.amount")
    assert error.reason is Reason.INVALID_ARGUMENT
    assert error.metadata == {"field": "postings[1].amount.amount"}
    assert len(error.message) < 300


def test_a_long_text_is_shortened_and_escaped_in_the_message() -> None:
    message = refused(parse_minor_units, "\n\u202e" * 5000, 2, "amount").message
    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 600


def test_a_currency_without_decimals_takes_none() -> None:
    assert parse_minor_units("5", 0, "amount") == 5
    assert refused(parse_minor_units, "5.0", 0, "amount").reason is Reason.INVALID_ARGUMENT


@pytest.mark.parametrize("text", ["0", "0.00", "000"])
def test_an_amount_is_more_than_zero(text: str) -> None:
    assert refused(parse_amount, text, 2, "amount").reason is Reason.INVALID_ARGUMENT
    assert parse_minor_units(text, 2, "amount") == 0


@pytest.mark.parametrize(
    ("text", "units"), [("-12.50", -1250), ("12.50", 1250), ("-0", 0), ("-" + "9" * 36 + ".99", -MAX_MINOR_UNITS)]
)
def test_bounds_may_be_negative(text: str, units: int) -> None:
    assert parse_signed(text, 2, "floor") == units


@pytest.mark.parametrize("text", ["--1", "-", "- 1", "+1", "-1" + "0" * 36])
def test_malformed_bounds(text: str) -> None:
    assert refused(parse_signed, text, 2, "floor").metadata == {"field": "floor"}


@given(st.integers(-MAX_MINOR_UNITS, MAX_MINOR_UNITS), st.integers(0, 20))
def test_what_is_written_is_read_back(units: int, exponent: int) -> None:
    text = format_minor_units(units, exponent)
    assert parse_signed(text, exponent, "amount") == units
    assert len(text.partition(".")[2]) == exponent


@pytest.mark.parametrize(
    ("units", "exponent", "text"),
    [(-1250, 2, "-12.50"), (5, 2, "0.05"), (-5, 2, "-0.05"), (0, 2, "0.00"), (0, 0, "0"), (7, 3, "0.007")],
)
def test_all_decimals_are_written(units: int, exponent: int, text: str) -> None:
    assert format_minor_units(units, exponent) == text


def test_currencies() -> None:
    assert exponent_of("ETH", CURRENCIES, "currency") == 18
    unknown = refused(exponent_of, "GBP", CURRENCIES, "amount.currency")
    assert (unknown.reason, unknown.metadata["currency"]) == (Reason.UNKNOWN_CURRENCY, "GBP")
    for code in ("", "usd", "US", "U$D", "ABCDEFGHIJKLM", "USD ", "\u00dcSD", "1AB"):
        assert refused(exponent_of, code, CURRENCIES, "amount.currency").reason is Reason.INVALID_ARGUMENT
