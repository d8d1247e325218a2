"""Answers of the service as JSON for programs, with the names and values that the JSON document of `show` has.

That is: names as in the protos, amounts as decimal text, numbers as numbers, kinds and states without the prefix of
their enum, days and times as in ISO 8601, null for what is not there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.message import Message

_TIMESTAMP = "google.protobuf.Timestamp"


def print_json(value: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Print one JSON document; in ASCII, which goes through every terminal."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def print_list(name: str, messages: Iterable[Message]) -> None:
    """Print `{name: [...]}`."""
    print_json({name: [to_plain(one) for one in messages]})


def to_plain(message: Message) -> dict[str, Any]:
    """All fields of a message."""
    found: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            found[field.name] = dict(sorted(value.items()))
        elif field.is_repeated:
            found[field.name] = [_value(field, one) for one in value]
        elif field.message_type is not None and not message.HasField(field.name):
            found[field.name] = None
        else:
            found[field.name] = _value(field, value)
    return found


def _value(field: Any, value: Any) -> Any:  # noqa: ANN401 - descriptors have two types, values any
    if field.enum_type is not None:
        return _enum_name(field.enum_type, value)
    if field.message_type is None:
        return value if value != "" else None
    if field.message_type.full_name == _TIMESTAMP:
        from ledger_client import to_datetime

        return to_datetime(value).isoformat().replace("+00:00", "Z")
    return to_plain(value)


def _enum_name(enum: Any, number: int) -> str | None:  # noqa: ANN401
    """The value's name without the prefix that all values of the enum have; None for UNSPECIFIED.

    A number of a newer release, which has no name here, is its digits.
    """
    if number == 0:
        return None
    known = enum.values_by_number
    if number not in known:
        return str(number)
    prefix = known[0].name.removesuffix("UNSPECIFIED")
    name: str = known[number].name
    return name.removeprefix(prefix)
