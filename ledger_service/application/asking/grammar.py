"""The default planner: a question in plain English becomes a plan, or it is said why not.

Each part strikes out the words that it understands. What is left in the end must be in a short list of words that
change nothing ("please", "the"); any other word means that the question is not understood. So "not", "except" or
"without" are never passed over, and an answer is never to another question than the one asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from ledger_service.application.asking import days
from ledger_service.application.asking.amounts import Amounts, take_amounts
from ledger_service.application.asking.days import Span
from ledger_service.application.asking.measures import (
    Wanted,
    take_outcome,
    take_statuses,
    take_uncategorized,
    take_wanted,
    usual_limit,
    usual_order,
)
from ledger_service.application.asking.names import Unclear, take_names, take_near_names
from ledger_service.application.asking.parties import take_parties
from ledger_service.application.asking.periods import PeriodError, Periods, take_periods
from ledger_service.application.asking.plan import (
    COUNTED,
    MAX_NAMES,
    Comparison,
    Direction,
    Filters,
    Grouping,
    Measure,
    Outcome,
    Period,
    Plan,
    Statuses,
)
from ledger_service.application.asking.text import Question
from ledger_service.application.asking.vocabulary import Kind, Name, Vocabulary, plain_words
from ledger_service.domain.account import AccountType

_FILLERS = frozenset(
    [
        "please",
        "can",
        "could",
        "would",
        "you",
        "tell",
        "me",
        "us",
        "i",
        "we",
        "my",
        "our",
        "ours",
        "the",
        "a",
        "an",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "do",
        "did",
        "does",
        "have",
        "has",
        "had",
        "there",
        "it",
        "its",
        "of",
        "that",
        "this",
        "so",
        "what",
        "which",
        "s",
        "re",
        "ve",
        "m",
        "ll",
        "want",
        "know",
        "know",
        "need",
        "like",
        "just",
        "all",
        "any",
        "every",
        "money",
        "cash",
        "amount",
        "amounts",
        "size",
        "value",
        "something",
        "anything",
        "single",
        "hi",
        "hey",
        "ok",
        "thanks",
        "thank",
        "happened",
        "exactly",
        "am",
        "also",
        "been",
        "from's",
        "within",
        "during",
        "given",
        "let",
        "get",
        "got",
        "gets",
    ]
)
"""Words that change nothing where nobody else has accounted for them. "Not", "only", "except" must never be here."""

_MAKING = frozenset({"make", "made", "making", "done", "place", "placed", "bill", "bills"})
_LINKS = re.compile(
    r"\b(?:(?:on|at|to|from|with|for|in|of|by|and|or|about|using|through|via|under|within|touch(?:ed|ing)?|involv(?:ed|ing|es?))\s+)+"
    r"(?:(?:the|our|my|all|a)\s+)*(?=[NPAX])"
)
_WANT = re.compile(
    r"\b(?:i|we)(?:\s+would|\s*'?d)?\s+(?:want|need|like)\s+to\s+(?:know|see|find\s+out)\b|\blet\s+me\s+know\b"
)
_QUOTED = re.compile(r'"(?P<text>[^"]*)"')
_TEXT_BEFORE = re.compile(
    r"\b(?:(?:that\s+)?(?:contain(?:s|ing)?|mention(?:s|ing)?|includ(?:e|es|ing)|matching|described\s+as|with|whose|saying|says?)\s+"
    r"(?:the\s+)?(?:(?:word|words|text|phrase|description|memo)\s+)?(?:(?:is|contains|containing|of)\s+)?(?:the\s+(?:word|words|text|phrase)\s+)?)$"
)
_TEXT_AFTER = re.compile(r"^\s+in\s+(?:the|their|its)\s+(?:description|descriptions|memo|text)\b")
_TRANSFER = re.compile(r"\bfrom\s+(?:the\s+|our\s+|my\s+)?N+\s+to\s+(?:the\s+|our\s+|my\s+)?N")
_SPENT_BY = re.compile(r"\b(?:spent|bought|purchased)\s+by\b(?!\s+(?:us|me|category|vendor|month|account)\b)")
_FROM_GROUP = re.compile(r"\b(?:most|least)\b[^.?!]*\bfrom\b\s*(?:[?.!]|$)|\bfrom\s+which\b")
_WHICH_GROUP = re.compile(
    r"\b(?:which|what)\s+(?:categor|account|vendor|merchant|supplier|customer|counterpart|client|payee|day|week|month|quarter|year)"
)
_EVER = re.compile(r"\bever\b")
_MEAN_TOTAL = re.compile(
    r"\b(?:spend|spending|spent|revenue|income|earn|earned|earnings|sales|receive|received|expenses)\b"
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a question has no plan: words that nobody accounts for, a name that several bear, or a plain reason."""

    words: tuple[str, ...] = ()
    unclear: Unclear | None = None
    reason: str = ""


def understand(text: str, vocabulary: Vocabulary, today: date) -> Plan | Refusal:
    """The plan of a question asked on this day (in the entity's time zone)."""
    question = Question(text)
    texts, refusal = _take_texts(question, vocabulary)
    if refusal is not None:
        return refusal
    names = take_names(question, vocabulary)
    if names.unclear is not None:
        return Refusal(unclear=names.unclear)
    amounts = take_amounts(question, vocabulary)
    if amounts.problem:
        return Refusal(reason=amounts.problem)
    try:
        periods = take_periods(question, today)
    except PeriodError as error:
        return Refusal(reason=str(error))
    if periods.plural:
        return Refusal(reason="it speaks of more periods than one question can have")
    statuses, uncategorized = take_statuses(question), take_uncategorized(question)
    near = take_near_names(question, vocabulary, _known_words(question))
    if near.unclear is not None:
        return Refusal(unclear=near.unclear)
    found = (*names.found, *near.found)
    parties = take_parties(question)
    if parties.problem:
        return Refusal(reason=parties.problem)
    comparing = periods.other is not None or amounts.target is not None
    outcome = take_outcome(question) if periods.other is not None else Outcome.DIFFERENCE
    wanted = take_wanted(question, received=parties.received, comparing=comparing)
    if wanted.problem:
        return Refusal(reason=wanted.problem)
    if _SPENT_BY.search(question.plain) and any(name.kind is Kind.COUNTERPARTY for name in found):
        return Refusal(reason="it asks what somebody else spent; the ledger has the entity's own spending")
    if _TRANSFER.search(question.rest):
        return Refusal(reason="it speaks of transfers from one place to another")
    question.take_all(_WANT)
    question.take_all(_LINKS)
    left = _left(question, wanted)
    if left:
        return Refusal(words=tuple(left))
    filters = _filters(found, texts, statuses, uncategorized=uncategorized, amounts=amounts, wanted=wanted)
    return _plan(question, wanted, filters, found, periods, amounts, outcome)


def _plan(
    question: Question,
    wanted: Wanted,
    filters: Filters,
    found: tuple[Name, ...],
    periods: Periods,
    amounts: Amounts,
    outcome: Outcome,
) -> Plan | Refusal:
    comparison = amounts.target
    if periods.other is not None:
        if comparison is not None:
            return Refusal(reason="it compares with an amount and with another period at once")
        comparison = Comparison(outcome, periods.other)
    if wanted.direction is Direction.ANY and not wanted.has_noun:
        wanted.direction = _of_accounts(found)
        if wanted.direction is Direction.ANY:
            return Refusal(reason="it does not say whether it is about spending, receiving or transactions")
        wanted.measure = wanted.measure or Measure.SUM
    problem = _contradiction(question, wanted, filters, comparison) or _too_short(wanted.grouping, periods.main)
    if not problem and comparison is not None and comparison.amount and _EVER.search(question.plain):
        problem = "it asks whether there ever was such an amount; ask for the transactions over it"
    if problem or wanted.measure is None:
        return Refusal(reason=problem or "it does not say what is wanted: how much, how many, the largest, a list …")
    if len(found) > MAX_NAMES or len(filters.texts) > MAX_NAMES:
        return Refusal(reason=f"it names more than {MAX_NAMES} things")
    limit = wanted.limit or usual_limit(wanted.measure, wanted.grouping)
    order = wanted.order or usual_order(wanted.measure, wanted.grouping, limit)
    return Plan(wanted.measure, wanted.direction, filters, periods.main, wanted.grouping, order, limit, comparison)


def _contradiction(question: Question, wanted: Wanted, filters: Filters, comparison: Comparison | None) -> str:
    """What a plan can't say although each word of it is understood."""
    grouped = wanted.grouping is not Grouping.NONE
    plain = question.plain
    if comparison is not None and (grouped or wanted.measure not in {Measure.SUM, Measure.COUNT, Measure.AVERAGE}):
        return "a comparison can be made of a total, a number or an average only"
    if comparison is not None and comparison.amount and wanted.measure is not Measure.SUM:
        return "only a total can be compared with an amount"
    if grouped and wanted.grouping is Grouping.ACCOUNT and _FROM_GROUP.search(plain):
        return "it asks from which account was paid; ask for one account by name"
    if grouped and filters.amount is not None and _WHICH_GROUP.search(plain):
        return "it sets an amount for whole groups; amounts can be set for transactions only"
    if wanted.measure is Measure.AVERAGE and wanted.grouping.is_time and _MEAN_TOTAL.search(plain):
        return "it asks for the average of totals; ask for the totals, or for the average purchase or sale"
    if filters.uncategorized and filters.categories:
        return "it asks for a category and for none"
    return ""


def _too_short(grouping: Grouping, period: Period | None) -> str:
    """As in "in May of each year": a period that is part of one group would leave the others out."""
    if period is None or period.first is None or period.before is None or not grouping.is_time:
        return ""
    whole = days.unit(grouping.value, period.first)
    if period.before > whole.before or Span(period.first, period.before) == whole:
        return ""
    return f"the period that it names lies within one {grouping.value}"


def _filters(
    found: tuple[Name, ...],
    texts: tuple[str, ...],
    statuses: tuple[Statuses, ...],
    *,
    uncategorized: bool,
    amounts: Amounts,
    wanted: Wanted,
) -> Filters:
    def of(kind: Kind) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name.id for name in found if name.kind is kind))

    if not statuses and wanted.grouping is Grouping.STATUS and wanted.direction is Direction.ANY:
        statuses = tuple(Statuses)
    return Filters(
        categories=of(Kind.CATEGORY),
        uncategorized=uncategorized,
        accounts=of(Kind.ACCOUNT),
        counterparties=of(Kind.COUNTERPARTY),
        texts=texts,
        statuses=statuses or COUNTED,
        currency=amounts.currency,
        amount=amounts.rule,
    )


def _of_accounts(found: tuple[Name, ...]) -> Direction:
    """As in "The total of Product Sales" is about what was received: the account's type says so."""
    types = {name.account_type for name in found if name.kind is Kind.ACCOUNT}
    if types == {AccountType.REVENUE}:
        return Direction.RECEIVED
    return Direction.SPENT if types == {AccountType.EXPENSE} else Direction.ANY


def _take_texts(question: Question, vocabulary: Vocabulary) -> tuple[tuple[str, ...], Refusal | None]:
    """Quoted words of descriptions. Quotes around a name that the entity knows are taken off."""
    texts: list[str] = []
    for match in list(_QUOTED.finditer(question.plain)):
        said = question.shown[match.start("text") : match.end("text")].strip()
        before, after = (
            _TEXT_BEFORE.search(question.plain[: match.start()]),
            _TEXT_AFTER.match(question.plain[match.end() :]),
        )
        is_name = plain_words(said) in vocabulary.by_words
        of_text = after is not None or (before is not None and not (is_name and before.group().strip() == "with"))
        if is_name and not of_text:
            question.strike(match.start(), match.start() + 1)
            question.strike(match.end() - 1, match.end())
            continue
        if not said or not of_text:
            return (), Refusal(words=(f'"{said}"',))
        texts.append(said)
        question.strike(before.start() if before else match.start(), match.end() + (after.end() if after else 0), "A")
    return tuple(texts), None


def _known_words(question: Question) -> frozenset[str]:
    """Words that another part will account for; they are no names."""
    probe = Question(question.shown)
    probe.rest = question.rest
    take_outcome(probe)
    take_wanted(probe, received=False, comparing=True)
    left = {word for word, _, _ in probe.left()}
    return _FILLERS | _MAKING | _PREPOSITIONS | {word for word, _, _ in question.left() if word not in left}


_PREPOSITIONS = frozenset(
    [
        "on",
        "at",
        "to",
        "from",
        "with",
        "for",
        "in",
        "of",
        "by",
        "and",
        "or",
        "over",
        "about",
        "using",
        "through",
        "via",
        "under",
        "not",
        "no",
        "except",
        "without",
        "than",
    ]
)


def _left(question: Question, wanted: Wanted) -> list[str]:
    """Words, and numbers, that nobody has accounted for."""
    allowed = _FILLERS | _MAKING if wanted.direction is not Direction.ANY or wanted.has_noun else _FILLERS
    left = [question.said(start, end) for word, start, end in question.left() if word not in allowed]
    signs = [sign for sign in question.rest if sign in "$€£¥₹%+=<>*/\\;"]
    return left + signs
