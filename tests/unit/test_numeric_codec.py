"""Whole numbers in PostgreSQL's binary form. tests/integration/test_numeric.py holds it against the server."""

from __future__ import annotations

import struct
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger_service.storage.numeric import decode, encode

wide = st.integers(-(10**38), 10**38)


def raw(digits: list[int], weight: int, sign: int = 0, scale: int = 0) -> bytes:
    """A numeric as the server may send it."""
    return struct.pack(f"!hhHH{len(digits)}H", len(digits), weight, sign, scale, *digits)


@given(wide)
@example(0)
@example(10**38)
@example(-(10**38))
@example(9999)
@example(10000)
@example(2**63)
@example(-(2**63) - 1)
def test_what_is_encoded_is_decoded(value: int) -> None:
    assert decode(encode(value)) == value


@given(st.lists(st.integers(0, 9999), max_size=10), st.integers(-2, 12), st.sampled_from([0, 0x4000]))
def test_decoding_agrees_with_the_format(digits: list[int], weight: int, sign: int) -> None:
    value = sum((digit * Fraction(10000) ** (weight - place) for place, digit in enumerate(digits)), Fraction(0))
    value = -value if sign else value
    message = raw(digits, weight, sign)
    if value.denominator == 1:
        assert decode(message) == int(value)
    else:
        with pytest.raises(ValueError, match="not a whole number"):
            decode(message)


@pytest.mark.parametrize("sign", [0xC000, 0xD000, 0xF000], ids=["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused(sign: int) -> None:
    with pytest.raises(ValueError, match="not a whole number"):
        decode(raw([], 0, sign))


@pytest.mark.parametrize(
    ("message", "value"),
    [(raw([], 0), 0), (raw([1], 2), 100_000_000), (raw([12, 0], 0, scale=2), 12), (raw([5000], 0), 5000)],
)
def test_trailing_zeros_may_be_left_out_or_not(message: bytes, value: int) -> None:
    assert decode(message) == value
