"""A question while it is being understood: what has been accounted for is struck out, what is left must be nothing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_WORD = re.compile(r"[\w]+|&")
_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-"})

# What was understood is struck out with a capital letter that tells what it was; the text itself is in lower case.
NAME = "N"
PERIOD = "P"
AMOUNT = "A"
OTHER = "X"
MARKS = frozenset({NAME, PERIOD, AMOUNT, OTHER})
"""Not any capital: a few letters of other scripts have no small form of their own."""


def words_of(text: str) -> Iterator[tuple[str, int, int]]:
    """Words with their places; "&" counts as "and"."""
    for match in _WORD.finditer(text):
        word = match.group()
        yield ("and" if word == "&" else word), match.start(), match.end()


class Question:
    """The text in lower case (`rest`), with what has been understood struck out, and as it was written (`shown`)."""

    def __init__(self, text: str) -> None:
        self.shown = unicodedata.normalize("NFKC", text).translate(_QUOTES)
        # Character by character, so that places in both texts stay the same.
        self.rest = "".join(each if len(each.lower()) != 1 else each.lower() for each in self.shown)
        self.plain = self.rest
        self.parties: list[tuple[int, int]] = []
        """Where other parties are named."""

    def strike(self, start: int, end: int, mark: str = OTHER) -> None:
        """This part is understood."""
        self.rest = self.rest[:start] + mark * (end - start) + self.rest[end:]

    def with_parties(self) -> str:
        """`rest` with a C for each character of another party's name, which is struck out like any other."""
        text = self.rest
        for start, end in self.parties:
            text = text[:start] + "C" * (end - start) + text[end:]
        return text

    def take(self, pattern: re.Pattern[str], mark: str = OTHER) -> re.Match[str] | None:
        """The first place that matches, struck out. Capital letters of a pattern match what is struck out already."""
        match = pattern.search(self.rest)
        if match is not None:
            self.strike(match.start(), match.end(), mark)
        return match

    def take_all(self, pattern: re.Pattern[str], mark: str = OTHER) -> list[re.Match[str]]:
        """All places that match, struck out."""
        found = list(pattern.finditer(self.rest))
        for match in found:
            self.strike(match.start(), match.end(), mark)
        return found

    def has(self, pattern: re.Pattern[str]) -> bool:
        """Whether what is left has a place that matches."""
        return pattern.search(self.rest) is not None

    def is_struck(self, place: int) -> bool:
        """Whether the character at a place has been understood."""
        return self.rest[place] in MARKS

    def said(self, start: int, end: int) -> str:
        """A part as it was written."""
        return self.shown[start:end].strip(" ,.?!;:")

    def left(self) -> list[tuple[str, int, int]]:
        """Words that nobody has accounted for."""
        return [(word, start, end) for word, start, end in words_of(self.rest) if not self.is_struck(start)]
