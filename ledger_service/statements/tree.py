"""Elements, as XML (camt, OFX 2) and SGML (OFX 1) have them, made one branch at a time.

A branch that a reader asked for is handed over when it is complete, and then forgotten: a file of a million elements
is never in memory as a tree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from xml.parsers import expat

from ledger_service.statements.decoding import ENCODINGS, decode
from ledger_service.statements.limits import MAX_DEPTH, MAX_ELEMENTS, MAX_RECORD_CHARS
from ledger_service.statements.refusal import refusal, shown

HandOver = Callable[["Element", list["Element"]], None]
"""Takes a complete branch and the elements that it is in, outermost first; these are not complete yet."""

Branches = Mapping[str, frozenset[str]]
"""Which elements to hand over, by name, and the parents that they must have."""

_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")


class Element:
    """One element: its name without prefix, its text, its children, and the line that it begins in."""

    __slots__ = ("attributes", "children", "line", "parts", "raw", "start", "tag")

    def __init__(self, tag: str, line: int, start: int, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.line = line
        self.start = start
        self.attributes = attributes
        self.parts: list[str] = []
        self.raw = ""
        self.children: list[Element] = []

    @property
    def text(self) -> str:
        """The text directly inside the element."""
        return "".join(self.parts)

    def find(self, path: str) -> Element | None:
        """The first element at the path `a/b/c`, or None."""
        return next(self.all(path), None)

    def all(self, path: str) -> Iterator[Element]:
        """All elements at the path, in order."""
        first, _, rest = path.partition("/")
        for child in self.children:
            if child.tag == first:
                if rest:
                    yield from child.all(rest)
                else:
                    yield child

    def value(self, *paths: str) -> str:
        """The text at the first path that has one; "" if none has."""
        for path in paths:
            for found in self.all(path):
                if text := found.text.strip():
                    return text
        return ""


class TreeBuilder:
    """Makes elements of starts, texts and ends, within the limits."""

    def __init__(self, branches: Branches, hand_over: HandOver, raw: Callable[[int, int], str]) -> None:
        self.stack: list[Element] = []
        # What was held in memory when each open element began; a branch that is handed over gives its part back.
        self._held: list[tuple[int, int]] = []
        self._branches = branches
        self._hand_over = hand_over
        self._raw = raw
        self._elements = 0
        self._chars = 0

    def start(self, name: str, line: int, position: int, attributes: dict[str, str]) -> Element:
        """An element begins."""
        if len(self.stack) >= MAX_DEPTH:
            raise refusal(line, f"elements inside each other {MAX_DEPTH + 1} deep; bank files have a dozen")
        self._held.append((self._elements, self._chars))
        self._elements += 1 + len(attributes)
        if self._elements > MAX_ELEMENTS:
            raise refusal(line, f"more than {MAX_ELEMENTS:,} elements in one booking")
        element = Element(name.rpartition(":")[2], line, position, attributes)
        if self.stack:
            self.stack[-1].children.append(element)
        self.stack.append(element)
        return element

    def text(self, text: str, line: int) -> None:
        """Characters inside the element that is open."""
        if self.stack and not text.isspace():
            self._chars += len(text)
            if self._chars > MAX_RECORD_CHARS:
                raise refusal(line, f"more than {MAX_RECORD_CHARS:,} characters in one booking")
            self.stack[-1].parts.append(text)

    def end(self, position: int) -> None:
        """The element that is open ends, just before `position`."""
        element = self.stack.pop()
        held = self._held.pop()
        parents = self._branches.get(element.tag)
        if parents is None:
            return
        if not self.stack or self.stack[-1].tag not in parents:
            # To leave it where nobody looks would lose what is in it.
            raise refusal(element.line, f"<{element.tag}> where none belongs; the file is damaged, fetch it again")
        self.stack[-1].children.pop()
        element.raw = self._raw(element.start, position)
        self._hand_over(element, self.stack)
        self._elements, self._chars = held


def read_xml(data: bytes, branches: Branches, hand_over: HandOver) -> None:
    """Read an XML document, handing over each branch as it ends.

    Refuses what is not well-formed and any document type declaration, and with it entities, internal and external:
    nothing is expanded, nothing is fetched.
    """
    source = decode(data, _declared_encoding(data)).encode()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    builder = TreeBuilder(branches, hand_over, lambda start, end: source[start:end].decode())

    def start(name: str, attributes: dict[str, str]) -> None:
        builder.start(name, parser.CurrentLineNumber, parser.CurrentByteIndex, attributes)

    def end(_: str) -> None:
        builder.end(source.find(b">", parser.CurrentByteIndex) + 1)

    def doctype(*_: object) -> None:
        raise refusal(parser.CurrentLineNumber, "a document type declaration (DOCTYPE); bank files have none")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: builder.text(text, parser.CurrentLineNumber)
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(source, True)  # noqa: FBT003  # a function of C; it takes no names
    except expat.ExpatError as error:
        message = expat.ErrorString(error.code)
        raise refusal(
            error.lineno, f"not well-formed XML ({message}); the file is damaged or cut off, fetch it again"
        ) from None


def _declared_encoding(data: bytes) -> str | None:
    match = _DECLARED.match(data.removeprefix(b"\xef\xbb\xbf").lstrip()[:300])
    if match is None:
        return None
    name = match.group(1).decode().lower()
    name = {
        "us-ascii": "utf-8",
        "ascii": "utf-8",
        "windows-1252": "cp1252",
        "windows-1250": "cp1250",
        "utf8": "utf-8",
    }.get(name, name)
    if name not in ENCODINGS:
        raise refusal(1, f"the encoding {shown(name)} is not one of {', '.join(ENCODINGS)}")
    return name
