"""Shapes of JSON values: each reads a value, naming by its path what is wrong, and describes itself as JSON Schema.

One vocabulary for bodies, parameters and answers, so that what is checked and what is documented are one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Protocol

from ledger_service.domain.errors import LedgerError
from ledger_service.gateway.json_text import Number, plain_decimal, plain_value, shown, type_name
from ledger_service.gateway.misread import misread

Schema = dict[str, Any]

_AMOUNT_PATTERN = r"^[0-9]{1,40}(\.[0-9]{1,20})?$"
_NEGATIVE = re.compile(r"-[0-9]", re.ASCII)


class Shape(Protocol):
    """What a value must look like."""

    def read(self, value: object, path: str) -> Any:  # noqa: ANN401
        """The value as the use cases take it. Raises LedgerError INVALID_ARGUMENT naming `path`."""
        ...

    def from_text(self, text: str, path: str) -> Any:  # noqa: ANN401
        """The same for the text of a parameter."""
        ...

    def schema(self) -> Schema:
        """JSON Schema of 2020-12."""
        ...


def wrong_type(path: str, expected: str, value: object) -> LedgerError:
    """A value of another type."""
    return misread(path, f"must be {expected}, not {type_name(value)}")


@dataclass(frozen=True, slots=True)
class Text:
    """A string; lengths are checked by intake, here they are only described."""

    longest: int | None = None
    shortest: int = 0
    pattern: str | None = None

    def read(self, value: object, path: str) -> str:
        """As it is."""
        if type(value) is not str:
            raise wrong_type(path, "a string", value)
        if len(value) < self.shortest:
            least = f"must have at least {self.shortest} characters, has {len(value)}" if value else "must not be empty"
            raise misread(path, least)
        return value

    def from_text(self, text: str, path: str) -> str:
        """As it is."""
        return self.read(text, path)

    def schema(self) -> Schema:
        """type: string."""
        schema: Schema = {"type": "string"}
        if self.longest is not None:
            schema["maxLength"] = self.longest
        if self.shortest:
            schema["minLength"] = self.shortest
        if self.pattern is not None:
            schema["pattern"] = self.pattern
        return schema


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words, as a number of the domain or, without `numbers`, as the word itself."""

    words: tuple[str, ...]
    numbers: Mapping[str, int] | None = None

    def read(self, value: object, path: str) -> str | int:
        """The number that the word stands for, or the word."""
        if type(value) is not str:
            raise wrong_type(path, "a string", value)
        if value not in self.words:
            raise misread(path, f"must be {_or(self.words)}{_did_you_mean(value, self.words)}")
        return self.numbers[value] if self.numbers is not None else value

    def from_text(self, text: str, path: str) -> str | int:
        """The same."""
        return self.read(text, path)

    def schema(self) -> Schema:
        """An enum."""
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number within bounds."""

    least: int
    most: int

    def read(self, value: object, path: str) -> int:
        """As an int; `5.0` is one, as JSON has it."""
        if type(value) is not Number:
            raise wrong_type(path, "a whole number", value)
        plain = plain_decimal(value, path)
        whole, _, decimals = plain.partition(".")
        if decimals.strip("0"):
            raise misread(path, f"must be a whole number, not {value}")
        return self._bounded(int(whole), path)

    def from_text(self, text: str, path: str) -> int:
        """Digits only."""
        if not (text.removeprefix("-").isdecimal() and text.isascii() and len(text) <= 20):
            raise misread(path, f"must be a whole number, not {shown(text)}")
        return self._bounded(int(text), path)

    def schema(self) -> Schema:
        """type: integer."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}

    def _bounded(self, number: int, path: str) -> int:
        if not self.least <= number <= self.most:
            raise misread(path, f"must be between {self.least} and {self.most}")
        return number


@dataclass(frozen=True, slots=True)
class Boolean:
    """True or false."""

    def read(self, value: object, path: str) -> bool:
        """As it is."""
        if not isinstance(value, bool):
            raise wrong_type(path, "a boolean", value)
        return value

    def from_text(self, text: str, path: str) -> bool:
        """`true` or `false`."""
        if text not in ("true", "false"):
            raise misread(path, f"must be true or false, not {shown(text)}")
        return text == "true"

    def schema(self) -> Schema:
        """type: boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Amount:
    """An exact decimal, as a JSON number or a string; given on as written, for intake to check."""

    signed: bool = False
    or_zero: bool = False

    def read(self, value: object, path: str) -> str:
        """The decimal, written out."""
        if type(value) is Number:
            text = plain_decimal(value, path)
        elif type(value) is str:
            text = value
        else:
            raise wrong_type(path, "a number or a string", value)
        if not self.signed and _NEGATIVE.match(text):
            raise misread(path, "must not be negative" if self.or_zero else "must be greater than zero")
        return text

    def from_text(self, text: str, path: str) -> str:
        """As written."""
        return self.read(text, path)

    def schema(self) -> Schema:
        """A number, or a string of digits."""
        if self.signed:
            return {"oneOf": [{"type": "number"}, {"type": "string", "pattern": _AMOUNT_PATTERN.replace("^", "^-?")}]}
        return {
            "oneOf": [
                {"type": "number", "minimum" if self.or_zero else "exclusiveMinimum": 0},
                {"type": "string", "pattern": _AMOUNT_PATTERN},
            ],
        }


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in an answer: a JSON number with all decimals of its currency."""

    def read(self, value: object, path: str) -> object:
        """Never asked for."""
        raise NotImplementedError

    from_text = read

    def schema(self) -> Schema:
        """type: number."""
        return {"type": "number"}


@dataclass(frozen=True, slots=True)
class FreeObject:
    """Any JSON object: metadata."""

    def read(self, value: object, path: str) -> object:
        """With its numbers as ints and floats."""
        if not isinstance(value, dict):
            raise wrong_type(path, "an object", value)
        return plain_value(value, path)

    def from_text(self, text: str, path: str) -> object:
        """No parameter is one."""
        raise NotImplementedError

    def schema(self) -> Schema:
        """type: object."""
        return {"type": "object", "additionalProperties": True}


@dataclass(frozen=True, slots=True)
class ListOf:
    """An array."""

    item: Shape
    most: int | None = None
    least: int = 0

    def read(self, value: object, path: str) -> list[Any]:
        """Its items; how many there may be is checked by intake where it has the rule."""
        if not isinstance(value, list):
            raise wrong_type(path, "an array", value)
        if not self.least <= len(value) <= (self.most if self.most is not None else len(value)):
            raise misread(path, f"must have {self.least} to {self.most} items, has {len(value)}")
        read = self.item.read
        return [read(item, f"{path}[{index}]") for index, item in enumerate(value)]

    def from_text(self, text: str, path: str) -> list[Any]:
        """No parameter is one."""
        raise NotImplementedError

    def schema(self) -> Schema:
        """type: array."""
        schema: Schema = {"type": "array", "items": self.item.schema()}
        if self.most is not None:
            schema["maxItems"] = self.most
        if self.least:
            schema["minItems"] = self.least
        return schema


@dataclass(frozen=True, slots=True)
class OrNull:
    """A value that may be null, for "none"."""

    shape: Shape
    none: object = None

    def read(self, value: object, path: str) -> Any:  # noqa: ANN401
        """`none` for null."""
        return self.none if value is None else self.shape.read(value, path)

    def from_text(self, text: str, path: str) -> Any:  # noqa: ANN401
        """No null in parameters."""
        return self.shape.from_text(text, path)

    def schema(self) -> Schema:
        """The type, or null."""
        schema = dict(self.shape.schema())
        if isinstance(schema.get("type"), str):
            return {**schema, "type": [schema["type"], "null"]}
        return {"anyOf": [schema, {"type": "null"}]}


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object; `to` is what the use case calls it."""

    name: str
    shape: Shape
    description: str
    required: bool = False
    to: str = ""

    @property
    def target(self) -> str:
        """What the use case calls it."""
        return self.to or self.name


@dataclass(frozen=True, slots=True)
class Object:
    """An object with named members, and no others. `name` makes it a component of the OpenAPI document."""

    members: tuple[Member, ...]
    name: str = ""
    description: str = ""
    example: object = None
    _by_name: dict[str, Member] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {member.name: member for member in self.members})

    def read(self, value: object, path: str) -> dict[str, Any]:
        """Its members by what the use case calls them; those that were not sent are not in it."""
        if not isinstance(value, dict):
            raise wrong_type(path or "body", "an object", value)
        prefix = f"{path}." if path else ""
        known = self._by_name
        found: dict[str, Any] = {}
        for name, member_value in value.items():
            member = known.get(name)
            if member is None:
                raise misread(prefix + (shown(name) or '""'), f"is not known here{_did_you_mean(name, known)}")
            found[member.to or name] = member.shape.read(member_value, prefix + name)
        for member in self.members:
            if member.required and member.name not in value:
                raise misread(prefix + member.name, "is required")
        return found

    def from_text(self, text: str, path: str) -> dict[str, Any]:
        """No parameter is one."""
        raise NotImplementedError

    def schema(self) -> Schema:
        """A reference if it has a name."""
        return {"$ref": f"#/components/schemas/{self.name}"} if self.name else self.whole_schema()

    def whole_schema(self) -> Schema:
        """type: object."""
        schema: Schema = {"type": "object"}
        if self.description:
            schema["description"] = self.description
        schema["properties"] = {member.name: _described(member) for member in self.members}
        required = [member.name for member in self.members if member.required]
        if required:
            schema["required"] = required
        schema["additionalProperties"] = False
        if self.example is not None:
            schema["examples"] = [self.example]
        return schema


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of several forms, told apart by the type of the value (or by a member of an object)."""

    forms: tuple[Shape, ...]
    expected: str
    tell: Any
    """Picks the form: a function from the value to one of `forms`, or None."""

    def read(self, value: object, path: str) -> Any:  # noqa: ANN401
        """As its form reads it."""
        form: Shape | None = self.tell(value)
        if form is None:
            raise wrong_type(path or "body", self.expected, value)
        return form.read(value, path)

    def from_text(self, text: str, path: str) -> Any:  # noqa: ANN401
        """No parameter is one."""
        raise NotImplementedError

    def schema(self) -> Schema:
        """OneOf."""
        return {"oneOf": [form.schema() for form in self.forms]}


def _described(member: Member) -> Schema:
    schema = member.shape.schema()
    if "$ref" in schema:
        return {"description": member.description, **schema}
    return {**schema, "description": member.description}


def _did_you_mean(name: str, known: Sequence[str] | Mapping[str, object]) -> str:
    lower = {one.lower(): one for one in known}
    close = get_close_matches(name.lower()[:80], lower, n=1, cutoff=0.7)
    return f"; did you mean {lower[close[0]]}?" if close else ""


did_you_mean = _did_you_mean


def _or(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]
