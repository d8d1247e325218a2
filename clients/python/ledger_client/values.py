"""Between Python's values and those on the wire: amounts, times, JSON objects; no amount through a float."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from ledger.v1.money_pb2 import Money

_PLAIN_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)


def money(amount: str | Decimal, currency: str) -> Money:
    """An amount for a request: `money("12.50", "USD")`.

    The number of decimals is the currency's business and checked by the service; `money("12.5", "USD")` and
    `money("12.50", "USD")` are the same amount.

    Raises:
        TypeError: for an int (12 could mean 12 dollars or 12 cents: see `from_minor_units`) or a float.
        ValueError: for anything but plain digits with at most one point. Requests carry no sign: the side
            of a posting says which way the value moves.
    """
    if isinstance(amount, Decimal):
        text = format(amount, "f")
    elif isinstance(amount, str):
        text = amount
    else:
        raise TypeError(f"an amount is a str or a Decimal, not {type(amount).__name__}")
    if _PLAIN_DECIMAL.fullmatch(text) is None:
        raise ValueError(f'{text!r} is not a plain decimal number without a sign, such as "2500.00"')
    return Money(currency=currency, amount=text)


def from_minor_units(units: int, currency: str, exponent: int) -> Money:
    """An amount for a request from whole minor units: 1250 cents (exponent 2) are 12.50.

    Raises ValueError for a negative number.
    """
    if units < 0:
        raise ValueError("requests carry no sign: the side of a posting says which way the value moves")
    digits = str(units).rjust(exponent + 1, "0")
    text = f"{digits[:-exponent]}.{digits[-exponent:]}" if exponent else digits
    return Money(currency=currency, amount=text)


def to_minor_units(value: Money | str, exponent: int) -> int:
    """Whole minor units of an amount of an answer, with its sign: "-12.50" (exponent 2) is -1250.

    Raises ValueError for what is no plain decimal number or has more decimals than `exponent`.
    """
    text = value if isinstance(value, str) else value.amount
    digits = text.removeprefix("-")
    if _PLAIN_DECIMAL.fullmatch(digits) is None:
        raise ValueError(f"{text!r} is not a plain decimal number")
    whole, _, decimals = digits.partition(".")
    if len(decimals) > exponent:
        raise ValueError(f"{text!r} has more than {exponent} decimals")
    units = int(whole + decimals.ljust(exponent, "0"))
    return -units if text.startswith("-") else units


def to_decimal(value: Money | str) -> Decimal:
    """An amount of an answer as a Decimal, exact, with all its decimals.

    Sums of Decimals are rounded to the context's precision, 28 digits unless set otherwise; the ledger's
    amounts have up to 38. To add amounts that large, add minor units.
    """
    return Decimal(value if isinstance(value, str) else value.amount)


def timestamp(moment: datetime) -> Timestamp:
    """A time for a request. Raises ValueError for one without a time zone: it would mean many moments."""
    if moment.tzinfo is None:
        raise ValueError("give the time a time zone: datetime(..., tzinfo=UTC)")
    result = Timestamp()
    result.FromDatetime(moment)
    return result


def to_datetime(moment: Timestamp) -> datetime:
    """A time of an answer, in UTC, to the microsecond."""
    return moment.ToDatetime(tzinfo=UTC)


def struct(values: Mapping[str, Any]) -> Struct:
    """A JSON object for `metadata`. Its numbers are floats by their nature: write amounts and ids as text."""
    result = Struct()
    result.update(dict(values))
    return result
