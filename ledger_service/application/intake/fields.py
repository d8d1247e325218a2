"""Checks of single fields: each names the field and says what is allowed."""

from __future__ import annotations

import json
import zoneinfo
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from ledger_service.domain.errors import invalid
from ledger_service.domain.money import Currencies, exponent_of, parse_amount

MAX_KEY = 255
MAX_NAME = 200
MAX_CODE = 40
MAX_DESCRIPTION = 1000
MAX_REFERENCE = 200
MAX_COUNTERPARTY = 200
MAX_KIND = 40
MAX_METADATA_BYTES = 16 * 1024
MAX_METADATA_DEPTH = 16
_MAX_ID = 64


class RawMoney(NamedTuple):
    """An amount as written."""

    currency: str
    amount: str


class RawPosting(NamedTuple):
    """A leg as written; `money` None: it was missing."""

    account_id: str
    side: int
    money: RawMoney | None


class RawLimit(NamedTuple):
    """Bounds as written."""

    currency: str
    floor: str | None
    ceiling: str | None


class RawBankAccount(NamedTuple):
    """A bank account as written."""

    id: str
    name: str
    type: str = ""
    subtype: str = ""
    mask: str = ""
    institution_id: str = ""
    institution_name: str = ""


def line(value: str, field: str, longest: int, *, required: bool = False) -> str | None:
    """One line of printable text; empty is None. Raises LedgerError INVALID_ARGUMENT."""
    if not value:
        if required:
            raise invalid(field, "is required")
        return None
    if len(value) > longest:
        raise invalid(field, f"must have at most {longest} characters, has {len(value)}")
    if not value.isprintable():
        raise invalid(field, "must be one line of printable characters, without control characters")
    return value


def prose(value: str, field: str, longest: int) -> str | None:
    """Text that may have several lines; empty is None. Raises LedgerError INVALID_ARGUMENT."""
    if not value:
        return None
    if len(value) > longest:
        raise invalid(field, f"must have at most {longest} characters, has {len(value)}")
    if not value.isprintable() and not value.replace("\n", "").replace("\t", "").isprintable():
        raise invalid(field, "must be printable text; of control characters only line feed and tab are allowed")
    return value


def key(value: str, field: str = "idempotency_key", *, required: bool = True) -> str | None:
    """An idempotency key."""
    if not value and required:
        raise invalid(field, "is required: choose one for each request and send it again with each retry")
    return line(value, field, MAX_KEY)


def reference_to(value: str, field: str, *, required: bool = True) -> str | None:
    """An id that should name something; its form is not checked beyond sanity: a wrong one is just not found."""
    return line(value, field, _MAX_ID, required=required)


def required_reference(value: str, field: str) -> str:
    """An id that must be there; as `reference_to` otherwise."""
    text = line(value, field, _MAX_ID, required=True)
    assert text is not None
    return text


def entity_id(value: str, field: str = "entity_id") -> str:
    """The id of the entity that a request is about."""
    return required_reference(value, field)


def metadata(value: object, field: str = "metadata") -> str | None:
    """A JSON object as canonical text; an empty one is None. Raises LedgerError INVALID_ARGUMENT."""
    if not value:
        return None
    if not isinstance(value, dict):
        raise invalid(field, "must be a JSON object")
    _check_json(value, field, 1)
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise invalid(field, "numbers must be finite; NaN and Infinity are no JSON") from error
    size = len(text.encode())
    if size > MAX_METADATA_BYTES:
        raise invalid(field, f"must have at most {MAX_METADATA_BYTES} bytes as JSON, has {size}")
    return text


def revision(value: int, field: str = "expected_revision") -> int:
    """A revision to expect; 0: any."""
    if value < 0:
        raise invalid(field, "must be a revision, 1 or more; 0 accepts any")
    return value


def minor_units(money: RawMoney, currencies: Currencies, field: str) -> int:
    """A positive amount."""
    currency, amount = money
    exponent = currencies.get(currency)
    if exponent is None:
        exponent = exponent_of(currency, currencies, f"{field}.currency")
    return parse_amount(amount, exponent, f"{field}.amount")


def mask(paths: Iterable[str], allowed: frozenset[str]) -> frozenset[str]:
    """The fields to change. Raises LedgerError INVALID_ARGUMENT."""
    wanted = frozenset(paths)
    if not wanted or not wanted <= allowed:
        raise invalid("update_mask", f"must name at least one of {', '.join(sorted(allowed))}, and nothing else")
    return wanted


def check_time_zone(name: str) -> str:
    """An IANA time zone; empty means UTC. Raises LedgerError INVALID_ARGUMENT."""
    if not name:
        return "UTC"
    if name not in _time_zones():
        raise invalid("time_zone", 'is not an IANA time zone; write it like "Europe/Prague"')
    return name


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _check_json(value: object, field: str, depth: int) -> None:
    """Nothing that PostgreSQL's jsonb can't keep: no NUL, no lone surrogate, no endless nesting."""
    if depth > MAX_METADATA_DEPTH:
        raise invalid(field, f"must not be nested deeper than {MAX_METADATA_DEPTH}")
    if isinstance(value, str):
        if "\0" in value or not _is_unicode(value):
            raise invalid(field, "text must not contain NUL or lone surrogates")
    elif isinstance(value, dict):
        for name, member in value.items():
            _check_json(name, field, depth + 1)
            _check_json(member, field, depth + 1)
    elif isinstance(value, list):
        for member in value:
            _check_json(member, field, depth + 1)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
