"""Reads JSON exactly: what is ambiguous, lossy or could not be kept is refused, and told by its path.

A number stays the text that it was written as (`Number`), so that no amount ever goes through a float.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NoReturn

from ledger_service.domain.errors import LedgerError, invalid

MAX_DEPTH = 32
"""How deep a body may be nested."""
MAX_NUMBER_CHARACTERS = 64
"""How long a number may be written."""
_MAX_EXPONENT = 40
_MAX_EXACT_INTEGER = 2**53
_BOM = b"\xef\xbb\xbf"


class Number(str):
    """A JSON number as written."""

    __slots__ = ()


class _Malformed(ValueError):
    """Found while parsing, before there is a path to tell."""


class _DuplicateError(_Malformed):
    """An object has a member twice."""


def read(body: bytes) -> object:
    """The value of a JSON text in UTF-8. Raises LedgerError INVALID_ARGUMENT naming the place.

    Refused: text that is not UTF-8 or begins with a byte order mark, duplicate members, NaN and Infinity,
    numbers of more than 64 characters, NUL and lone surrogates in strings, nesting deeper than 32.
    """
    text = _text(body)
    try:
        return _read(text)
    except RecursionError:
        raise _too_deep() from None


def plain_decimal(number: Number, path: str) -> str:
    """The number written out without an exponent: `25e1` is "250". Raises LedgerError INVALID_ARGUMENT."""
    if "e" not in number and "E" not in number:
        return str(number)
    value = Decimal(number)
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    if not -_MAX_EXPONENT <= exponent <= _MAX_EXPONENT:
        raise invalid(path, f"the exponent of {number} is out of range; write the number out")
    return format(value, "f")


def plain_value(value: object, path: str) -> object:
    """Free JSON (metadata) with its numbers as ints and floats.

    Raises LedgerError INVALID_ARGUMENT for a number that a double can't hold exactly as written: metadata is
    the same for every API of the ledger, and some have doubles only.
    """
    if type(value) is Number:
        return _double(value, path)
    if isinstance(value, dict):
        return {name: plain_value(member, f"{path}.{shown(name)}") for name, member in value.items()}
    if isinstance(value, list):
        return [plain_value(member, f"{path}[{index}]") for index, member in enumerate(value)]
    return value


def type_name(value: object) -> str:
    """What a JSON value is called."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, Number):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"


def shown(name: str) -> str:
    """A name of the caller's, short and printable."""
    return ascii(name if len(name) <= 60 else name[:57] + "...")[1:-1]


def _double(number: Number, path: str) -> int | float:
    plain = plain_decimal(number, path)
    if "." not in plain and abs(int(plain)) < _MAX_EXACT_INTEGER:
        return int(plain)
    value = float(number)
    if Decimal(repr(value)) != Decimal(number):
        raise invalid(path, f"{number} can't be kept exactly as a number; send it as a string")
    return int(value) if value.is_integer() and abs(value) < _MAX_EXACT_INTEGER else value


def _read(text: str) -> object:
    try:
        value = _parse(text, _members)
    except _DuplicateError:
        _tell_duplicate(text)
    except _Malformed as error:
        raise invalid("body", str(error)) from None
    except json.JSONDecodeError as error:
        raise invalid("body", f"is no JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    # Both can only come from an escape: \u0000 and \ud800 … \udfff.
    if "\\u" in text:
        _check_characters(value)
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(value)
    return value


def _text(body: bytes) -> str:
    if body.startswith(_BOM):
        raise invalid("body", "begins with a byte order mark; leave it out")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise invalid("body", f"is not UTF-8 at byte {error.start}") from None


def _parse(text: str, members: Any) -> object:  # noqa: ANN401
    return json.JSONDecoder(
        object_pairs_hook=members, parse_float=_number, parse_int=_number, parse_constant=_constant
    ).decode(text)


def _number(text: str) -> Number:
    if len(text) > MAX_NUMBER_CHARACTERS:
        raise _Malformed(f"the number {text[:20]}... has more than {MAX_NUMBER_CHARACTERS} characters")
    return Number(text)


def _constant(name: str) -> NoReturn:
    raise _Malformed(f"{name} is no JSON; numbers must be finite")


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _DuplicateError
    return members


def _tell_duplicate(text: str) -> NoReturn:
    """Parse again with all members, to name the one that stands twice by its path."""
    for path, value in _walk(_parse(text, _Pairs)):
        if isinstance(value, _Pairs):
            seen: set[str] = set()
            for name, _ in value:
                if name in seen:
                    raise invalid(f"{path}.{shown(name)}".removeprefix("."), "stands twice in its object")
                seen.add(name)
    raise AssertionError("found once, so it is found again")


class _Pairs(list[tuple[str, object]]):
    """The members of an object, duplicates included."""


def _walk(value: object, path: str = "", depth: int = 1) -> Iterator[tuple[str, object]]:
    """Every value with its path; a member's name stands under its own path."""
    if depth > MAX_DEPTH:
        raise _too_deep()
    yield path, value
    if isinstance(value, _Pairs):
        for name, member in value:
            yield from _walk(member, f"{path}.{shown(name)}".removeprefix("."), depth + 1)
    elif isinstance(value, dict):
        for name, member in value.items():
            inner = f"{path}.{shown(name)}".removeprefix(".")
            yield inner, name
            yield from _walk(member, inner, depth + 1)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _walk(member, f"{path}[{index}]", depth + 1)


def _check_characters(value: object) -> None:
    for path, found in _walk(value):
        if isinstance(found, str) and ("\0" in found or any("\ud800" <= character <= "\udfff" for character in found)):
            raise invalid(path or "body", "text must not contain NUL or lone surrogates")


def _check_depth(value: object, depth: int = 1) -> None:
    if depth > MAX_DEPTH:
        raise _too_deep()
    if isinstance(value, dict):
        for member in value.values():
            _check_depth(member, depth + 1)
    elif isinstance(value, list):
        for member in value:
            _check_depth(member, depth + 1)


def _too_deep() -> LedgerError:
    return invalid("body", f"must not be nested deeper than {MAX_DEPTH}")
