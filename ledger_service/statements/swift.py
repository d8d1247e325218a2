"""The text block of a SWIFT MT message: fields `:tag:`, whatever envelope a bank puts around them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ledger_service.domain.errors import LedgerError
from ledger_service.statements.limits import MAX_LINES, MAX_TEXT_CHARS
from ledger_service.statements.refusal import refusal, shown
from ledger_service.statements.values import rows

_TAGS = frozenset(
    {
        "13",
        "13D",
        "20",
        "21",
        "25",
        "25P",
        "28",
        "28C",
        "34F",
        "60F",
        "60M",
        "61",
        "62F",
        "62M",
        "64",
        "65",
        "86",
        "90C",
        "90D",
        "NS",
    }
)
_FIELD = re.compile(r":([0-9]{2}[A-Z]?|NS):", re.ASCII)
_END = re.compile(r"-(?:\}.*|XXX)?\s*", re.ASCII)

# Banks break rows at 65 characters, in the middle of words; some a character earlier. A shorter row ended by itself.
_BROKEN_AT = 64

# A booking has two fields, a statement a dozen more.
_MAX_FIELDS = 2 * MAX_LINES + 100


@dataclass(slots=True)
class Field:
    """One field: its tag, its rows without the tag, and the line that it begins in."""

    tag: str
    rows: list[str]
    line: int

    @property
    def first(self) -> str:
        """The first row."""
        return self.rows[0].strip()

    @property
    def joined(self) -> str:
        """The rows as one text: broken rows run on, others are parted by a blank."""
        text = ""
        for number, row in enumerate(self.rows):
            broken = number > 0 and len(self.rows[number - 1]) >= _BROKEN_AT
            text += row if broken or not text else " " + row
        return text

    @property
    def raw(self) -> str:
        """The field as it is in the file."""
        return f":{self.tag}:" + "\n".join(self.rows)


def messages(text: str) -> Iterator[list[Field]]:
    """The messages of a file, each a list of fields beginning with :20:.

    Rows before a message that are no fields are its envelope. A field outside a message is refused, and one that is
    unknown.
    """
    fields: list[Field] = []
    size = 0
    for line, row in enumerate(rows(text), start=1):
        content = row.rstrip("\n")
        match = _FIELD.match(content)
        tag = match.group(1) if match else ""
        if match is not None and tag in _TAGS:
            if tag == "20":
                if fields:
                    yield fields
                fields = []
            elif not fields:
                raise refusal(line, f":{tag}: before :20:, which begins a statement")
            if len(fields) >= _MAX_FIELDS:
                raise refusal(line, f"more than {_MAX_FIELDS:,} fields in one statement; split the file")
            fields.append(Field(tag, [content[match.end() :]], line))
            size = len(content)
        elif fields and _END.fullmatch(content):
            yield fields
            fields = []
        elif fields and content.strip():
            size += len(content)
            _continue(fields[-1], content, size, line)
        elif match is not None:
            raise _no_field(content, line)
    if fields:
        yield fields


def _continue(field: Field, content: str, size: int, line: int) -> None:
    """Add a row to a field. Only texts may have rows that begin with a colon."""
    if content.startswith(":") and field.tag not in {"86", "NS"}:
        raise _no_field(content, line)
    if size > MAX_TEXT_CHARS:
        raise refusal(field.line, f":{field.tag}: has more than the {MAX_TEXT_CHARS:,} characters allowed")
    field.rows.append(content)


def _no_field(content: str, line: int) -> LedgerError:
    return refusal(line, f"{shown(content)} is no field of an MT940 or MT942")
