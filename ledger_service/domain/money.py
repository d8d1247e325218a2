"""Exact amounts: decimal strings outside, whole minor units inside, never a float."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ledger_service.domain.errors import LedgerError, Reason, invalid

MAX_DIGITS = 38
"""Digits of minor units that an amount or total may have (PostgreSQL numeric(38, 0), DESIGN rule 12)."""

MAX_MINOR_UNITS = 10**MAX_DIGITS - 1

# Leading zeros are allowed ("007.50"), but bounded, so that a megabyte of zeros is not parsed.
_PLAIN_DECIMAL = re.compile(r"([0-9]{1,40})(?:\.([0-9]{1,20}))?", re.ASCII)
# Right in form, but longer than any amount: told apart for the message alone.
_LONG_DECIMAL = re.compile(r"[0-9]{41,1000}(?:\.[0-9]{1,20})?", re.ASCII)
_CURRENCY_CODE = re.compile(r"[A-Z][A-Z0-9_]{2,11}", re.ASCII)

_CENTS = tuple(f".{cents:02d}" for cents in range(100))

Currencies = Mapping[str, int]
"""Exponent (number of decimals) of each currency that the ledger knows, by code."""


def parse_minor_units(text: str, exponent: int, field: str) -> int:
    """Minor units of a plain decimal string: `("12.5", 2)` is 1250. Never negative.

    Raises LedgerError INVALID_ARGUMENT naming `field` for anything but ASCII digits with at most one
    point, for more decimals than the currency has, and for more than 38 digits.
    """
    match = _PLAIN_DECIMAL.fullmatch(text)
    if match is None:
        if _LONG_DECIMAL.fullmatch(text):
            raise invalid(field, f"{_shown(text)} has more than {MAX_DIGITS} digits in minor units")
        raise invalid(field, f'{_shown(text)} is not a plain decimal number; write it like "2500.00"')
    whole, decimals = match.group(1), match.group(2) or ""
    if len(decimals) > exponent:
        raise invalid(field, f"{_shown(text)} has more than the {exponent} decimals of its currency")
    units = int(whole + decimals.ljust(exponent, "0"))
    if units > MAX_MINOR_UNITS:
        raise invalid(field, f"{_shown(text)} has more than {MAX_DIGITS} digits in minor units")
    return units


def parse_amount(text: str, exponent: int, field: str) -> int:
    """Like parse_minor_units, but zero is refused as well: amounts of postings are positive."""
    units = parse_minor_units(text, exponent, field)
    if units == 0:
        raise invalid(field, "must be greater than zero")
    return units


def parse_signed(text: str, exponent: int, field: str) -> int:
    """Like parse_minor_units with an optional leading "-": for floors and ceilings."""
    if text.startswith("-"):
        return -parse_minor_units(text[1:], exponent, field)
    return parse_minor_units(text, exponent, field)


def format_minor_units(units: int, exponent: int) -> str:
    """The decimal string with all decimals of the currency: `(-1250, 2)` is "-12.50"."""
    if units < 0:
        return "-" + format_minor_units(-units, exponent)
    if exponent == 0:
        return str(units)
    if exponent == 2:  # nearly all there is; a fifth of an answer's cost otherwise
        return f"{units // 100}{_CENTS[units % 100]}"
    digits = str(units).rjust(exponent + 1, "0")
    return f"{digits[:-exponent]}.{digits[-exponent:]}"


def exponent_of(code: str, currencies: Currencies, field: str) -> int:
    """Number of decimals of a currency.

    Raises LedgerError: INVALID_ARGUMENT for a malformed code, UNKNOWN_CURRENCY for one that is neither
    in ISO 4217 nor registered.
    """
    exponent = currencies.get(code)
    if exponent is not None:
        return exponent
    if _CURRENCY_CODE.fullmatch(code) is None:
        raise invalid(field, f'{_shown(code)} is not a currency code; write it like "USD"')
    raise LedgerError(
        Reason.UNKNOWN_CURRENCY,
        f"{field}: {code} is neither an ISO 4217 currency nor registered; use the code of one that is",
        {"field": field, "currency": code},
    )


def _shown(text: str) -> str:
    """The text, quoted, shortened and printable, for a message."""
    return ascii(text if len(text) <= 60 else text[:57] + "...")
