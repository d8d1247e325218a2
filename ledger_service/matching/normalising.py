"""References and names as they are compared: without case, accents, blanks, leading zeros and legal forms."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from rapidfuzz import fuzz

_MEMORY = 1 << 16
"""Names and references that are remembered in their compared form: most occur again and again."""

_UNDECOMPOSED = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ı": "i", "ħ": "h"}  # noqa: RUF001
)
"""Letters that Unicode does not take apart into a letter and its accent."""

_NO_REFERENCE = frozenset({
    "", "NONREF", "NONREFERENCE", "NOTPROVIDED", "NOTAVAILABLE", "NOREF", "NOREFERENCE", "NONE", "NULL", "NA", "NAN",
    "UNKNOWN", "UNDEFINED", "REF", "REFERENCE", "EREF", "KREF",
})  # fmt: skip
"""What banks write where there is no reference (SEPA's NOTPROVIDED, SWIFT's NONREF)."""

_LEGAL_FORMS = frozenset({
    "ab", "ag", "aps", "as", "bv", "bvba", "co", "company", "corp", "corporation", "cv", "doo", "ead", "eg", "eirl",
    "ek", "ev", "gbr", "gmbh", "hf", "inc", "incorporated", "kft", "kg", "kgaa", "kk", "limited", "llc", "llp", "lp",
    "ltd", "ltda", "mbh", "nv", "nyrt", "ood", "ooo", "oy", "oyj", "plc", "pte", "pty", "pvt", "sa", "sab", "sae",
    "sarl", "sas", "sca", "scs", "se", "sl", "slu", "snc", "sp", "spa", "sprl", "spzoo", "srl", "sro", "ug", "zoo",
    "zrt",
})  # fmt: skip

_TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "prof", "herr", "frau", "mme", "hr", "fr"})

_DOTS_OF_INITIALS = re.compile(r"(?<=\b[a-z])\.\s?(?=[a-z]\b)")
_NO_LETTERS = re.compile(r"[^a-z0-9]+")
_NO_SIGN = re.compile(r"[\W_]+")
_DIGIT = re.compile(r"\d")
_ZEROS_OF_A_RUN = re.compile(r"(?<!\d)0+(?=\d)")
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9/_.\-]*[A-Za-z0-9]")
_SHORTEST_TOKEN = 5
"""Shorter words with digits in a free text are years, days and counts rather than references."""
_MOST_TOKENS = 32
_SHORTEST_PREFIX = 10
"""Banks cut names off (at 27 or 35 characters): what one side has of it is taken for the name from this length on."""

UNKNOWN = -1
"""The similarity where one of the sides tells no name."""
_CUT_OFF = 95
_IN_TEXT = 90
_SHORTEST_NAME_IN_TEXT = 5


def fold(text: str) -> str:
    """The text in small letters without accents; other signs stay."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_UNDECOMPOSED))
    return "".join(one for one in decomposed if not unicodedata.combining(one))


@lru_cache(maxsize=_MEMORY)
def words(text: str) -> str:
    """The words of a text in small ASCII or other letters, one blank between them."""
    folded = _DOTS_OF_INITIALS.sub("", fold(text))
    if folded.isascii():
        return _NO_LETTERS.sub(" ", folded).strip()
    return " ".join("".join(one if one.isalnum() else " " for one in folded).split())


@lru_cache(maxsize=_MEMORY)
def name(text: str) -> str:
    """A party's name without legal form and title; as it is if nothing else is left."""
    all_words = words(text).split()
    kept = [one for one in all_words if one not in _LEGAL_FORMS and one not in _TITLES]
    return " ".join(kept or all_words)


def name_key(normal: str) -> str:
    """Equal for names of the same words in any order: "Novak Jan" and "Jan Novak"."""
    return " ".join(sorted(normal.split()))


@lru_cache(maxsize=_MEMORY)
def reference_keys(text: str) -> tuple[str, ...]:
    """What the reference is found by; none if it only says that there is none.

    Two keys where zeros are written inside, since one bank drops separators ("INV2024007" for "INV-2024-007") and
    another drops zeros ("INV-7" for "INV-007").
    """
    folded = fold(text).upper()
    plain = _NO_SIGN.sub("", folded).lstrip("0")
    if plain in _NO_REFERENCE:
        return ()
    short = _NO_SIGN.sub("", _ZEROS_OF_A_RUN.sub("", folded))
    return (plain,) if short in {plain, ""} else (plain, short)


def reference_tokens(text: str) -> frozenset[str]:
    """Keys of those words of a free text that could be references: they have a digit, and some length."""
    if not text:
        return frozenset()
    keys: set[str] = set()
    for token in _TOKEN.findall(text)[:_MOST_TOKENS]:
        if len(token) >= _SHORTEST_TOKEN and _DIGIT.search(token):
            keys.update(reference_keys(token))
    return frozenset(keys)


def similarity(one: str, other: str) -> int:
    """How alike two names are, 0 to 100, in any order of their words; UNKNOWN if one is empty."""
    if not one or not other:
        return UNKNOWN
    if one == other:
        return 100
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) >= _SHORTEST_PREFIX and longer.startswith(shorter):
        return _CUT_OFF
    return int(fuzz.token_sort_ratio(one, other))


def named_in(party: str, text: str) -> int:
    """The similarity where one side has a name and the other only a text: is the name one of its words?"""
    if len(party) >= _SHORTEST_NAME_IN_TEXT and f" {party} " in f" {text} ":
        return _IN_TEXT
    return UNKNOWN


def pattern_of(pattern: str) -> re.Pattern[str] | None:
    """What finds a Charge's pattern in the `words` of a line; None for a pattern without a word.

    The words follow each other; `*` at a word's end stands for any ending.
    """
    parts = []
    for word in pattern.split():
        normal = words(word.rstrip("*"))
        if normal:
            parts.append(re.escape(normal).replace(r"\ ", " ") + (r"\w*" if word.endswith("*") else ""))
    return re.compile(r"\b" + " ".join(parts) + r"(?!\w)") if parts else None
