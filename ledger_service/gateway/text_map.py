"""The shape of an object whose members are texts under names of the caller's."""

from __future__ import annotations

from dataclasses import dataclass

from ledger_service.domain.errors import LedgerError
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
        except LedgerError as error:
            # It was read as if it were a body.
            inner = error.metadata["field"]
            place = path if inner == "body" else f"{path}.{inner}"
            raise misread(place, error.message.removeprefix(f"{inner}: ")) from None
        return self.read(value, path)

    def schema(self) -> Schema:
        """An object of strings."""
        return {"type": "object", "additionalProperties": {"type": "string"}}
