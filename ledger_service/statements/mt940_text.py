"""What a :86: field tells: the German subfields (`166?00GUTSCHRIFT?20EREF+...`), the code words between slashes that
Dutch and other banks write (`/EREF/.../NAME/...`), or plain text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ledger_service.statements.values import plain

_SUBFIELDS = re.compile(r"([0-9]{3})([?<>|@+])(?=[0-9]{2})", re.ASCII)
_KEYWORD = re.compile(r"(EREF|KREF|MREF|CRED|DEBT|COAM|OAMT|SVWZ|ABWA|ABWE|IBAN|BIC|PURP)\+", re.ASCII)
_WORDS = (
    "EREF",
    "IREF",
    "KREF",
    "MARF",
    "PREF",
    "NAME",
    "REMI",
    "IBAN",
    "BENM",
    "ORDP",
    "TRTP",
    "BIC",
    "ISDT",
    "CSID",
    "RTRN",
    "TRCD",
    "CNTP",
    "ID",
)
_WORD = re.compile(r"/(" + "|".join(_WORDS) + r")/", re.ASCII)
_SUBFIELD_WIDTH = 27


@dataclass(frozen=True, slots=True)
class Narrative:
    """What was found; "" where nothing was."""

    counterparty: str = ""
    account: str = ""
    references: tuple[str, ...] = ()
    text: str = ""
    code: str = ""


def narrative(text: str, line: int) -> Narrative:
    """Take the text of a :86: apart."""
    match = _SUBFIELDS.match(text)
    if match is not None:
        return _german(text[match.end() :], match.group(1), match.group(2), line)
    if _WORD.match(text):
        return _slashed(text, line)
    return Narrative(text=plain(text, line))


def _german(text: str, code: str, mark: str, line: int) -> Narrative:
    subfields: list[tuple[int, str]] = []
    for number, part in enumerate(re.split(re.escape(mark) + r"([0-9]{2})", mark + text)[1:]):
        if number % 2 == 0:
            subfields.append((int(part), ""))
        else:
            subfields[-1] = (subfields[-1][0], part)
    purpose = [part for number, part in subfields if 20 <= number <= 29 or 60 <= number <= 63]
    told = _keywords(purpose)
    name = "".join(part for number, part in subfields if number in {32, 33})
    account = "".join(part for number, part in subfields if number == 31)
    posting = "".join(part for number, part in subfields if number == 0)
    return Narrative(
        counterparty=plain(name, line) or plain(told.get("ABWA", ""), line),
        account=plain(account or told.get("IBAN", ""), line),
        references=tuple(told[key] for key in ("EREF", "KREF", "MREF") if key in told),
        text=plain(" ".join(part for part in (told.get("SVWZ", ""), told.get("", "")) if part) or posting, line),
        code=code,
    )


def _keywords(purpose: list[str]) -> dict[str, str]:
    """The purpose by keyword; under "" what follows none. A subfield that is not full ends its keyword's value."""
    told: dict[str, str] = {}
    keyword, open_ = "", False
    for part in purpose:
        match = _KEYWORD.match(part)
        if match is not None:
            keyword = match.group(1)
            told[keyword] = part[match.end() :]
        elif open_ or keyword == "SVWZ":
            told[keyword] = told.get(keyword, "") + part
        else:
            keyword = ""
            told[""] = told.get("", "") + part
        open_ = len(part) >= _SUBFIELD_WIDTH or keyword == ""
    return told


def _slashed(text: str, line: int) -> Narrative:
    parts = _WORD.split(text)
    told: dict[str, str] = {}
    for word, value in zip(parts[1::2], parts[2::2], strict=True):
        told.setdefault(word, value.strip("/ "))
    return Narrative(
        counterparty=plain(told.get("NAME", ""), line),
        account=plain(told.get("IBAN", ""), line),
        references=tuple(told[word] for word in ("EREF", "KREF", "IREF", "PREF", "MARF") if told.get(word)),
        text=plain(told.get("REMI", ""), line) or plain(text, line),
    )
