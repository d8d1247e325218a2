"""By what a question tells transactions apart: "by category", "per month", "which vendor … most", "top 5 shops"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ledger_service.application.asking.plan import DEFAULT_LISTED, Grouping, Order
from ledger_service.application.asking.spans import NUMBER, number_of
from ledger_service.application.asking.text import Question

SUPERLATIVE = (
    r"largest|biggest|highest|greatest|most\s+expensive|costliest|top|smallest|lowest|cheapest|latest|most\s+recent"
    r"|newest|last|oldest|earliest|first"
)
_IN_TIME = re.compile(r"latest|most\s+recent|newest|last|oldest|earliest|first")
_SMALLEST = re.compile(r"smallest|lowest|cheapest|least\s+expensive")

_SHOPS = ("vendor", "merchant", "supplier", "payee", "customer", "client", "shop", "store")
_GROUPS = {
    "category": Grouping.CATEGORY,
    "categories": Grouping.CATEGORY,
    "account": Grouping.ACCOUNT,
    "accounts": Grouping.ACCOUNT,
    "status": Grouping.STATUS,
    "statuses": Grouping.STATUS,
    "counterparty": Grouping.COUNTERPARTY,
    "counterparties": Grouping.COUNTERPARTY,
    **{word + ending: Grouping.COUNTERPARTY for word in _SHOPS for ending in ("", "s")},
    **{unit + ending: Grouping(unit) for unit in ("day", "week", "month", "quarter", "year") for ending in ("", "s")},
}
_NOUNS = "|".join(sorted(_GROUPS, key=len, reverse=True))
_ADVERBS = {
    "daily": Grouping.DAY,
    "weekly": Grouping.WEEK,
    "monthly": Grouping.MONTH,
    "month by month": Grouping.MONTH,
    "quarterly": Grouping.QUARTER,
    "yearly": Grouping.YEAR,
    "annual": Grouping.YEAR,
    "annually": Grouping.YEAR,
}
_BY = re.compile(
    r"\b(?:(?:broken\s+down|split|grouped|sorted)\s+)?"
    r"(?:by|per|(?:for|in|on|at|to|from|of)\s+(?:each|every)|each|every)\s+(?:the\s+)?"
    rf"(?P<noun>{_NOUNS})\b"
)
_ADVERB = re.compile(rf"\b(?P<noun>{'|'.join(_ADVERBS)})\b")
_WHICH = re.compile(rf"\b(?:(?:in|on|at|with|to|for)\s+)?(?:which|what)\s+(?P<noun>{_NOUNS})\b")
_KIND = r"(?:(?:spending|expense|revenue|income|earning)\s+)?"
_RANKED = re.compile(
    rf"\b(?P<rank>{SUPERLATIVE})\s+(?:(?P<number>{NUMBER})\s+)?{_KIND}(?P<noun>{_NOUNS})\b"
    rf"|\b(?P<number_2>{NUMBER})\s+(?P<rank_2>{SUPERLATIVE})\s+{_KIND}(?P<noun_2>{_NOUNS})\b"
)
_RANKED_BY = re.compile(r"(?<=X)\s+by(?=\s+(?:spend|spending|revenue|income|number|expenses|amount|total)\b)")
_WHO = re.compile(
    r"\b(?:who|whom|where)(?=\s+(?:did|do|have|has)\s+(?:we|i)\b)|\bwho(?=\s+(?:paid|has\s+paid|pays)\s+(?:us|me)\b)"
)
_MOST = re.compile(
    r"\b(?:the\s+)?(?P<word>most|least)\b(?!\s+(?:expensive|recent))(?:\s+money)?"
    r"(?:\s+(?:on|at|in|with|to))?(?=\W|$)"
)
_BREAK = re.compile(r"\b(?:break(?:down)?|broken|down|breakdown(?:\s+of)?|split|group(?:ed)?)\b")
_ANY_RANK = re.compile(rf"\b(?:{SUPERLATIVE}|least\s+expensive|maximum|minimum)\b")


@dataclass(slots=True)
class Grouped:
    """What was found; `limit` 0: all groups. `problem` says why it can't be a plan."""

    grouping: Grouping = Grouping.NONE
    order: Order | None = None
    limit: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Found:
    grouping: Grouping
    ranked: bool = False
    """Whether some of the groups are asked for, not each."""
    plural: bool = True


def take_grouping(question: Question) -> Grouped:
    """Strike out all that is said of groups."""
    result = Grouped()
    found = [_Found(_GROUPS[match["noun"]]) for match in question.take_all(_BY)]
    found += [_Found(_ADVERBS[match["noun"]]) for match in question.take_all(_ADVERB)]
    found += _take_ranked(question, result)
    if not found and question.take(_WHO) is not None:
        found.append(_Found(Grouping.COUNTERPARTY, ranked=True, plural=False))
    most = question.take(_MOST)
    if most is not None:
        result.order = Order.LARGEST_FIRST if most["word"] == "most" else Order.SMALLEST_FIRST
    if len(found) > 1:
        result.problem = "it asks for more than one grouping"
    elif found:
        question.take_all(_BREAK)
        result.grouping = found[0].grouping
        if found[0].ranked and result.order is None and not question.has(_ANY_RANK):
            result.problem = "it does not say by what the groups are chosen; say most or least"
        if found[0].ranked or most is not None:
            result.limit = result.limit or (DEFAULT_LISTED if found[0].plural else 1)
    elif most is not None:
        result.problem = "it asks for the most or least, but not of what: category, vendor, account, month …"
    return result


def _take_ranked(question: Question, result: Grouped) -> list[_Found]:
    """As in "which vendors", "the top 5 categories": a superlative before the noun ranks the groups."""
    which = question.take(_WHICH)
    if which is not None:
        return [_of_noun(which["noun"])]
    ranked = _RANKED.search(question.rest)
    if ranked is None:
        return []
    ending = "" if ranked["rank"] else "_2"
    if _IN_TIME.fullmatch(ranked["rank" + ending]) is not None:
        # "The first two weeks of May" are no groups, least of all the largest ones.
        result.problem = "it asks for the first or last of something; name the days, or what to list"
    smallest = _SMALLEST.fullmatch(ranked["rank" + ending]) is not None
    result.order = Order.SMALLEST_FIRST if smallest else Order.LARGEST_FIRST
    if ranked["number" + ending]:
        result.limit = number_of(ranked["number" + ending])
    # The word between them tells the direction and stays to be read.
    for group in ("rank", "number", "noun"):
        if ranked[group + ending]:
            question.strike(ranked.start(group + ending), ranked.end(group + ending))
    question.take(_RANKED_BY)
    return [_of_noun(ranked["noun" + ending])]


def _of_noun(noun: str) -> _Found:
    return _Found(_GROUPS[noun], ranked=True, plural=noun.endswith("s") and noun != "status")
