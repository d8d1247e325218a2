"""Categories, accounts and counterparties in a question: exact names first, then careful near misses, never a guess."""

from __future__ import annotations

import re
from typing import NamedTuple

from rapidfuzz import fuzz

from ledger_service.application.asking.text import NAME, Question, words_of
from ledger_service.application.asking.vocabulary import Kind, Name, Vocabulary, plain_words

NEAR = 86
"""Likeness (0 to 100, Levenshtein) from which a misspelt name is taken for the one meant."""
MARGIN = 8
"""By how much it must be more like this name than like any other."""
MIN_LETTERS = 5
"""Shorter words are too easily like something."""

_KINDS = {
    "category": Kind.CATEGORY, "categories": Kind.CATEGORY, "account": Kind.ACCOUNT, "accounts": Kind.ACCOUNT,
    **dict.fromkeys(
        ("counterparty", "counterparties", "vendor", "vendors", "merchant", "supplier", "customer", "client", "payee",
         "shop", "store"),
        Kind.COUNTERPARTY,
    ),
}  # fmt: skip
_PLACES = {
    "at": (Kind.COUNTERPARTY, Kind.ACCOUNT),
    "to": (Kind.COUNTERPARTY, Kind.ACCOUNT),
    "from": (Kind.COUNTERPARTY, Kind.ACCOUNT),
    "with": (Kind.COUNTERPARTY, Kind.ACCOUNT),
    "by": (Kind.COUNTERPARTY, Kind.ACCOUNT),
    "pay": (Kind.COUNTERPARTY,),
    "paid": (Kind.COUNTERPARTY,),
    "on": (Kind.CATEGORY, Kind.ACCOUNT),
    "for": (Kind.CATEGORY, Kind.ACCOUNT),
    "in": (Kind.CATEGORY, Kind.ACCOUNT),
    "of": (Kind.CATEGORY, Kind.ACCOUNT),
}
# Words that mean something of their own: as a name they count only with "category", "account" … beside them, in
# quotes, or as part of a longer name.
_OWN_MEANING = frozenset(
    [
        "a",
        "all",
        "amount",
        "and",
        "any",
        "april",
        "at",
        "august",
        "average",
        "by",
        "cash",
        "category",
        "cleared",
        "cost",
        "count",
        "currency",
        "day",
        "december",
        "each",
        "expense",
        "expenses",
        "february",
        "first",
        "for",
        "friday",
        "from",
        "h1",
        "h2",
        "highest",
        "how",
        "in",
        "income",
        "is",
        "january",
        "july",
        "june",
        "largest",
        "last",
        "list",
        "lowest",
        "march",
        "may",
        "me",
        "monday",
        "money",
        "month",
        "monthly",
        "most",
        "much",
        "my",
        "november",
        "october",
        "of",
        "on",
        "order",
        "our",
        "over",
        "paid",
        "payment",
        "payments",
        "pending",
        "per",
        "posted",
        "purchase",
        "purchases",
        "q1",
        "q2",
        "q3",
        "q4",
        "quarter",
        "received",
        "revenue",
        "sale",
        "sales",
        "saturday",
        "september",
        "show",
        "since",
        "smallest",
        "spend",
        "spending",
        "spent",
        "sum",
        "sunday",
        "than",
        "that",
        "the",
        "this",
        "thursday",
        "to",
        "today",
        "top",
        "total",
        "transaction",
        "transactions",
        "tuesday",
        "us",
        "vendor",
        "voided",
        "we",
        "wednesday",
        "week",
        "weekly",
        "what",
        "which",
        "who",
        "with",
        "year",
        "yearly",
        "yesterday",
        "account",
        "accounts",
        "categories",
        "earnings",
        "earn",
        "count",
        "status",
        "date",
        "time",
        "big",
        "small",
        "new",
        "old",
        "recent",
        "latest",
        "next",
    ]
)
_BEFORE = re.compile(r"(?P<word>\w+)\s+(?:the\s+|our\s+|my\s+)?(?:['\"]\s*)?$")
_AFTER = re.compile(r"^(?:\s*['\"])?\s+(?P<word>\w+)")
_JOINING = frozenset({"of", "the", "and", "for", "de", "la", "le", "du"})
_POSITION = frozenset({*_PLACES, *_KINDS, "named", "called", "than", "and", "or"})


class Unclear(NamedTuple):
    """A name that several things bear: which is meant must be asked."""

    said: str
    candidates: tuple[Name, ...]


class Names(NamedTuple):
    """What a question names; `near` are spellings that were taken for another one."""

    found: tuple[Name, ...]
    unclear: Unclear | None = None


def take_names(question: Question, vocabulary: Vocabulary) -> Names:
    """Strike out names that are written as the entity writes them, the longest first."""
    found: list[Name] = []
    words = list(words_of(question.plain))
    place = 0
    while place < len(words):
        length, named = _longest(question, vocabulary, words, place)
        if not length:
            place += 1
            continue
        start, end = words[place][1], words[place + length - 1][2]
        named, start, end = _by_place(question, named, start, end)
        if len(named) != 1:
            return Names((), Unclear(question.said(start, end), tuple(named)))
        _strike(question, start, end, named[0])
        found.append(named[0])
        place += length
    _take_codes(question, vocabulary, found)
    return Names(tuple(found))


def take_near_names(question: Question, vocabulary: Vocabulary, fillers: frozenset[str]) -> Names:
    """Strike out what is left and stands where a name would, if it is like one name only."""
    found: list[Name] = []
    for start, end in _runs(question, fillers):
        before = _BEFORE.search(question.plain[:start])
        if before is None or before["word"] not in _POSITION or not vocabulary.complete:
            continue
        near, are_parts = _near(plain_words(question.plain[start:end]), vocabulary)
        kinds = _PLACES.get(before["word"])
        if are_parts and kinds is not None:
            # "Spent on air" is not about Delta Air Lines: with so little of a name its place must fit.
            near = [name for name in near if name.kind in kinds]
        if not near:
            continue
        near, begin, finish = _by_place(question, near, start, end)
        if len(near) != 1:
            return Names((), Unclear(question.said(start, end), tuple(near)))
        _strike(question, begin, finish, near[0])
        found.append(near[0])
    return Names(tuple(found))


def _strike(question: Question, start: int, end: int, name: Name) -> None:
    question.strike(start, end, NAME)
    if name.kind is Kind.COUNTERPARTY:
        question.parties.append((start, end))


def _longest(
    question: Question, vocabulary: Vocabulary, words: list[tuple[str, int, int]], place: int
) -> tuple[int, list[Name]]:
    for length in range(min(vocabulary.longest, len(words) - place), 0, -1):
        first, last = words[place], words[place + length - 1]
        if any(question.is_struck(each) for each in range(first[1], last[2])):
            continue
        named = vocabulary.by_words.get(plain_words(question.plain[first[1] : last[2]]))
        if not named:
            continue
        if all(word in _OWN_MEANING for word, _, _ in words[place : place + length]):
            named = _of_kind(question, named, first[1], last[2])[0]
        if named:
            return length, named
    return 0, []


def _of_kind(question: Question, named: list[Name], start: int, end: int) -> tuple[list[Name], int, int]:
    """Those of the kind that stands beside the name: "category Rent", "the Rent account"."""
    before, after = _BEFORE.search(question.rest[:start]), _AFTER.match(question.rest[end:])
    if before is not None and before["word"] in _KINDS:
        of_kind = [name for name in named if name.kind is _KINDS[before["word"]]]
        if of_kind:
            return of_kind, before.start("word"), end
    if after is not None and after["word"] in _KINDS:
        of_kind = [name for name in named if name.kind is _KINDS[after["word"]]]
        if of_kind:
            return of_kind, start, end + after.end("word")
    return [], start, end


def _by_place(question: Question, named: list[Name], start: int, end: int) -> tuple[list[Name], int, int]:
    """Those that fit the words around; all of them where these decide nothing."""
    of_kind, begin, finish = _of_kind(question, named, start, end)
    if of_kind:
        return of_kind, begin, finish
    before = _BEFORE.search(question.plain[:start])
    kinds = _PLACES.get(before["word"], ()) if before is not None else ()
    fitting = [name for name in named if name.kind in kinds]
    return fitting or named, start, end


def _take_codes(question: Question, vocabulary: Vocabulary, found: list[Name]) -> None:
    """As in "account 4000"."""
    for match in list(re.finditer(r"\baccounts?\s+(?:number\s+|no\.?\s+)?(?P<code>\d[\w.-]*\w|\d)", question.rest)):
        named = vocabulary.of_code(match["code"])
        if len(named) == 1:
            question.strike(match.start(), match.end(), NAME)
            found.append(named[0])


def _runs(question: Question, fillers: frozenset[str]) -> list[tuple[int, int]]:
    """Stretches of words that nobody has accounted for; "of" and the like may stand within one."""
    runs: list[tuple[int, int]] = []
    open_run = False
    for word, start, end in words_of(question.plain):
        left = not question.is_struck(start)
        if left and word not in fillers:
            if open_run:
                runs[-1] = (runs[-1][0], end)
            else:
                runs.append((start, end))
            open_run = True
        elif not left or word not in _JOINING:
            open_run = False
    return runs


def _near(words: tuple[str, ...], vocabulary: Vocabulary) -> tuple[list[Name], bool]:
    """The names that these words are part of (True); or the one that they are a misspelling of."""
    part = {
        name.kind.value + name.id: name
        for known, names in vocabulary.by_words.items()
        for name in names
        if any(known[place : place + len(words)] == words for place in range(len(known) - len(words) + 1))
    }
    if part:
        return list(part.values()), True
    if sum(map(len, words)) < MIN_LETTERS:
        return [], False
    scores = sorted(
        ((_likeness(words, known), known) for known in vocabulary.by_words), key=lambda one: (-one[0], one[1])
    )
    best = [known for score, known in scores if score >= NEAR and score > scores[0][0] - MARGIN]
    unique = {name.kind.value + name.id: name for known in best for name in vocabulary.by_words[known]}
    return list(unique.values()), False


def _likeness(words: tuple[str, ...], known: tuple[str, ...]) -> float:
    """0 to 100. A word more or less is another name, unless the letters are the same: "Delta Airlines"."""
    if len(words) == len(known):
        return fuzz.ratio(" ".join(words), " ".join(known))
    return 100.0 if "".join(words) == "".join(known) else 0.0
