"""Who does what to whom: "we paid Globex", "Globex paid us", "was paid to Globex".

The ledger has what its own entity spends and receives. What another party pays is received, what it receives is
spent; a question that has it act ("How much did Globex spend?") is answered only where that is beyond doubt.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ledger_service.application.asking.text import Question

WE_ARE_PAID = (
    r"(?:we|i)(?:'ve|\s+have|\s+had)?\s+(?:(?:was|were|am|are|been|being|get|got|gotten)\s+){1,2}paid"
    r"|(?:was|were|are|am)\s+(?:we|i)\s+(?:being\s+)?paid|(?:have|had)\s+(?:we|i)\s+(?:been|gotten)\s+paid"
    r"|pa(?:y|ys|id)\s+(?:to\s+)?(?:us|me)"
)
"""In words: the entity is paid. "Was paid" alone says nothing of who was."""

# Of the text below: C is another party, N any other name.
_PAYMENTS_FROM = re.compile(r"\bpayments?\b[^CNPA]*\bfrom\s+(?:the\s+)?C")
_PASSIVE = re.compile(r"\b(?:was|were|been|is|being)\s+(?P<verb>paid)\b[^CNPA]*\bby\s+(?:the\s+)?C")
_WE_ARE_PAID = re.compile(rf"\b(?:{WE_ARE_PAID})\b")
_DONE = r"(?:paid|spent|bought|purchased|received|earned|sold)"
_BY_OTHERS = re.compile(
    rf"\b(?:{_DONE}|(?:payments?|purchases?|sales?|spending|expenses|expenditures?)(?:\s+(?:made|done))?)\s+by\s+(?:the\s+)?C"
)
_DO_OTHERS = re.compile(
    rf"\b(?:did|does|do|has|have|had|will|would|can|could|should)\s+(?:the\s+|our\s+)?C+\s+(?:\w+ly\s+)?"
    rf"(?:{_DONE}|pay|spend|buy|purchase|receive|earn|sell|make|made|get|got)\b(?!\s+(?:to\s+)?(?:us|me)\b)"
)
_OTHERS_DID = re.compile(
    rf"(?:\b(?P<before>\w+)\s+)?(?<![A-Z])C+\s+(?:{_DONE}|pays|spends|buys|receives|earns|sells)\b(?!\s+(?:to\s+)?(?:us|me)\b)"
)
_OTHERS_OWN = re.compile(r"C\s*'?\s*s\s+(?:payments?|purchases?|spending|expenses)\b")
_WE_CHARGE = re.compile(r"\b(?:we|i)\s+charged?\b(?!\s+(?:to|on|at)\b)")
# "At Globex paid by card" is about what we paid there, "was Globex paid" about what it was.
_NO_SUBJECT = frozenset(
    {"at", "to", "from", "with", "by", "for", "on", "of", "in", "was", "were", "is", "are", "been", "and", "or", "than"}
)


class Parties(NamedTuple):
    """`received`: another party pays. `problem` tells why it can't be said who does."""

    received: bool = False
    problem: str = ""


def take_parties(question: Question) -> Parties:
    """Who acts in the question, where another party is named; asked once its names are struck out."""
    text = question.with_parties()
    if _WE_CHARGE.search(text):
        return Parties(problem="it asks what others were charged; ask what was received")
    if "C" not in text:
        return Parties()
    passive = _PASSIVE.search(text)
    if passive is not None and _WE_ARE_PAID.search(text) is None:
        # Not to be read as what the entity itself has paid.
        question.strike(passive.start("verb"), passive.end("verb"))
        return Parties(received=True)
    acts = _OTHERS_DID.search(text)
    if (
        (_BY_OTHERS.search(_WE_ARE_PAID.sub("", text)) is not None)
        or _DO_OTHERS.search(text) is not None
        or _OTHERS_OWN.search(text) is not None
        or (acts is not None and acts["before"] not in _NO_SUBJECT)
    ):
        return Parties(problem="it asks what somebody else paid or received; ask what was received or paid from here")
    return Parties(received=_PAYMENTS_FROM.search(text) is not None)
