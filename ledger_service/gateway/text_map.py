"""The shape of an object whose members are texts under names of the caller's."""

from __future__ import annotations

from dataclasses import dataclass

from ledger_service.gateway.json_text import read, shown
from ledger_service.gateway.misread import misread
from ledger_service.gateway.shapes import Schema, wrong_type


@dataclass(frozen=True, slots=True)
class TextMap:
    """Names and texts; in a field of a form it is JSON. How many and how long is checked by intake."""

    def read(self, value: object, path: str) -> dict[str, str]:
        """As it is."""
        if not isinstance(value, dict):
            raise wrong_type(path, "an object", value)
        for name, member in value.items():
            if type(member) is not str:
                raise wrong_type(f"{path}.{shown(name)}", "a string", member)
        return dict(value)

    def from_text(self, text: str, path: str) -> dict[str, str]:
        """The object that the JSON text is."""
        try:
            value = read(text.encode())
        except UnicodeEncodeError:
            raise misread(path, "text must not contain NUL or lone surrogates") from None
        return self.read(value, path)

    def schema(self) -> Schema:
        """An object of strings."""
        return {"type": "object", "additionalProperties": {"type": "string"}}
