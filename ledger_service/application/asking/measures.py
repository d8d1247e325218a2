"""What a question wants: spent or received, sum or count or largest, told apart by what, how many, in which order."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ledger_service.application.asking.groupings import SUPERLATIVE, take_grouping
from ledger_service.application.asking.parties import WE_ARE_PAID
from ledger_service.application.asking.plan import (
    DEFAULT_LISTED,
    MAX_LISTED,
    Direction,
    Grouping,
    Measure,
    Order,
    Outcome,
    Statuses,
)
from ledger_service.application.asking.spans import NUMBER, number_of
from ledger_service.application.asking.text import Question


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})\b")


_RECEIVED = _words(
    r"receiv(?:e|ed|es|ing)|earn(?:ed|ing|ings|s)?|incomes?|revenues?|incoming|sales?|sold|takings|inflows?|proceeds"
    rf"|{WE_ARE_PAID}|(?:came|come|coming)(?:\s+in\b|(?=\s+P))"
)
# "Make" alone says nothing: purchases and payments are made as well.
_MADE = re.compile(r"\bhow\s+much\s+(?:money\s+)?(?:did|have|has|do)\s+(?:we|i)\s+(?P<made>make|made)\b(?!\s+in\s+pa)")
_SPENT = _words(
    r"spen[dt]s?|spending|expens(?:e|es)|expenditures?|costs?|costing|purchas(?:e|es|ed|ing)|bought|buy(?:ing)?|paid|pay(?:ing)?"
    r"|outgoings?|outflows?|outlays?|charged|charges?"
)
_TRANSACTIONS = _words(r"transactions?|movements?")
_PAYMENTS = _words(r"payments?")
_TOTALS = frozenset({"total", "totals", "in total", "in totals", "sum", "sum of", "altogether", "in all", "overall"})
_ONE_ITEM = re.compile(
    rf"\b(?:{SUPERLATIVE}|least\s+expensive|maximum|minimum|max|min)\s+(?:single\s+)?"
    r"(?:purchase|sale|payment|transaction|movement)\b"
)
_COUNTABLE = re.compile(
    r"\b(?P<noun>(?:transaction|movement|payment|purchase|expense|charge|sale)(?P<plural>s?)"
    r"|what\s+(?:i|we)\s+bought)\b"
)

_AVERAGE = _words(r"on\s+average|averages?|avg|mean|typical(?:ly)?")
_LARGEST = _words(r"(?P<word>largest|biggest|highest|greatest|maximum|max|most\s+expensive|costliest|top)")
_SMALLEST = _words(r"(?P<word>smallest|lowest|cheapest|least\s+expensive|minimum|min)")
_COUNT = _words(r"how\s+many(?:\s+times)?|(?:the\s+)?number\s+of|count(?:\s+of)?|how\s+(?:often|frequently)")
_SUM = _words(
    r"how\s+much(?:\s+(?:money|cash))?|(?:in\s+)?totals?|totall?ed|sum(?:\s+of)?|altogether|in\s+all|overall"
    r"|add(?:s|ed)?\s+up\s+to|what\s+amount"
)
_LISTING = _words(r"list|show|display|find|give|see")
_NEWEST = _words(r"latest|most\s+recent(?:ly)?|recent|newest|last")
_OLDEST = _words(r"oldest|earliest|first")
_LIMIT = re.compile(rf"\b(?:(?P<before>{SUPERLATIVE})\s+(?P<n1>{NUMBER})\b|(?P<n2>{NUMBER})\s+(?=(?:{SUPERLATIVE})\b))")
_PER_ITEM = _words(r"per\s+(?:purchase|transaction|payment|expense|sale)")

_STATUS = _words(r"(?P<status>pending|cleared|posted|approved|voided|void|cancell?ed|expired)")
_STATUS_OF = {
    "approved": Statuses.POSTED,
    "void": Statuses.VOIDED,
    "canceled": Statuses.VOIDED,
    "cancelled": Statuses.VOIDED,
}
_UNCATEGORIZED = _words(
    r"(?:are\s+)?uncategori[sz]ed|(?:that\s+)?(?:have|has|with|having|are\s+in|in)\s+no\s+category|without\s+(?:a\s+|any\s+)?category"
)

_MORE = _words(
    r"(?:how\s+much\s+)?(?:more|higher|greater|larger|bigger)(?:\s+money)?|increase[ds]?|gr[eo]wn?|risen|rise|up"
)
_LESS = _words(r"(?:how\s+much\s+)?(?:less|fewer|lower|smaller)(?:\s+money)?|decrease[ds]?|fallen|fell|fall|down")
_COMPARE = _words(
    r"how\s+(?:does|do|did|has|have|is|are|was|were)|compar(?:e|es|ed|ing|ison)(?:\s+(?:of|between))?|differ(?:s|ed|ence)?|chang(?:e|es|ed)|vs|versus"
)
_MOST_OF = re.compile(r"\b(?:most|least|fewest)\s+(?:transactions|purchases|payments)\b")
_COMPARED_COUNT = re.compile(r"\b(?:more|fewer|less)\s+(?=transactions|purchases|payments|expenses|sales)")


@dataclass(slots=True)
class Wanted:
    """What was found; `problem` says why it can't be a plan."""

    direction: Direction = Direction.ANY
    measure: Measure | None = None
    grouping: Grouping = Grouping.NONE
    order: Order | None = None
    limit: int = 0
    has_noun: bool = False
    problem: str = ""


def take_statuses(question: Question) -> tuple[Statuses, ...]:
    """Statuses named, in their order."""
    found = {_STATUS_OF.get(match["status"]) or Statuses(match["status"]) for match in question.take_all(_STATUS)}
    if len(found) > 1:
        question.take_all(re.compile(r"(?<=X)\s+(?:and|or)\s+(?=X)"))
    return tuple(status for status in Statuses if status in found)


def take_uncategorized(question: Question) -> bool:
    """Whether those without a category are meant."""
    return question.take(_UNCATEGORIZED) is not None


def take_outcome(question: Question) -> Outcome:
    """Of a comparison: what it asks for."""
    more, less = question.take(_MORE), question.take(_LESS)
    question.take_all(_COMPARE)
    if more is not None and less is None:
        return Outcome.MORE
    return Outcome.LESS if less is not None and more is None else Outcome.DIFFERENCE


def take_wanted(question: Question, *, received: bool, comparing: bool) -> Wanted:
    """Strike out all that says what is wanted. `received`: another party is known to pay."""
    wanted = Wanted()
    noun = _COUNTABLE.search(question.plain)
    plural = noun is not None and bool(noun["plural"]) and _COUNTABLE.search(question.rest) is not None
    if question.has(_AVERAGE):
        question.take(_PER_ITEM)
    grouped = take_grouping(question)
    wanted.grouping, wanted.order, wanted.limit = grouped.grouping, grouped.order, grouped.limit
    if grouped.problem:
        wanted.problem = grouped.problem
        return wanted
    if _MOST_OF.search(question.plain) or (comparing and _COMPARED_COUNT.search(question.plain)):
        wanted.measure = Measure.COUNT
    _take_limit(question, wanted)
    _take_direction(question, wanted, payer=received)
    _take_measure(question, wanted, plural=plural, noun=noun["noun"] if noun else "")
    return wanted


def _take_limit(question: Question, wanted: Wanted) -> None:
    match = _LIMIT.search(question.rest)
    if match is None:
        return
    group = "n1" if match["n1"] else "n2"
    number = number_of(match[group])
    if match["n1"] is None and match["n2"] in {"a", "an"}:
        return
    question.strike(match.start(group), match.end(group))
    if wanted.grouping is not Grouping.NONE:
        wanted.problem = "it asks for the first few and for groups at once"
    if not 1 <= number <= MAX_LISTED:
        wanted.problem = f"it asks for {number} transactions; at most {MAX_LISTED} can be listed"
    wanted.limit = number


def _take_direction(question: Question, wanted: Wanted, *, payer: bool) -> None:
    made = _MADE.search(question.rest)
    if made is not None and not question.has(_SPENT) and not question.has(_PAYMENTS):
        question.strike(made.start("made"), made.end("made"))
        received = True
    else:
        received = False
    received = bool(question.take_all(_RECEIVED)) or received
    spent = bool(question.take_all(_SPENT))
    payments = bool(question.take_all(_PAYMENTS))
    wanted.has_noun = bool(question.take_all(_TRANSACTIONS))
    if spent and received:
        wanted.problem = "it asks for what was spent and what was received at once"
    elif received or (payer and not spent):
        wanted.direction = Direction.RECEIVED
    elif spent or payments:
        wanted.direction = Direction.SPENT


def _take_measure(question: Question, wanted: Wanted, *, plural: bool, noun: str) -> None:
    largest, smallest = question.take(_LARGEST), question.take(_SMALLEST)
    average, count = question.take(_AVERAGE), question.take(_COUNT)
    total = question.take_all(_SUM)
    oldest, newest = question.take(_OLDEST), question.take(_NEWEST)
    listing = bool(question.take_all(_LISTING))
    wanted_kinds = [
        measure
        for measure, is_wanted in (
            (Measure.LARGEST, largest),
            (Measure.SMALLEST, smallest),
            (Measure.AVERAGE, average),
            (Measure.COUNT, count),
        )
        if is_wanted is not None
    ]
    if (largest or smallest) and wanted.grouping is Grouping.NONE and any(each.group() in _TOTALS for each in total):
        wanted.problem = wanted.problem or "it asks for the total of the largest or smallest; ask for a list of them"
    if (largest or smallest) and wanted.grouping is not Grouping.NONE and wanted.limit:
        # The superlative ranks groups: "which month was the highest".
        wanted.order = wanted.order or (Order.LARGEST_FIRST if largest else Order.SMALLEST_FIRST)
        if _ONE_ITEM.search(question.plain) is None:  # but of "which vendor had the largest purchase" it is the measure
            wanted_kinds = [kind for kind in wanted_kinds if kind not in {Measure.LARGEST, Measure.SMALLEST}]
    if len(wanted_kinds) > 1 or (wanted.measure is Measure.COUNT and wanted_kinds not in ([], [Measure.COUNT])):
        wanted.problem = wanted.problem or "it asks for several things at once"
        return
    if wanted_kinds:
        wanted.measure = wanted_kinds[0]
    elif wanted.measure is None:
        wanted.measure = _unsaid(
            wanted, total=bool(total), listing=listing, recent=bool(oldest or newest), noun=noun, plain=question.plain
        )
    if wanted.measure is Measure.LIST and wanted.grouping is not Grouping.NONE:
        wanted.measure = Measure.SUM
    _finish(wanted, oldest=oldest is not None, newest=newest is not None, plural=plural)


def _unsaid(wanted: Wanted, *, total: bool, listing: bool, recent: bool, noun: str, plain: str) -> Measure | None:
    """Spending without more means how much; transactions without more are listed."""
    if total:
        return Measure.SUM
    if wanted.grouping is not Grouping.NONE:
        if wanted.direction is not Direction.ANY or wanted.order is not None:
            return Measure.SUM
        # "Bank Fees by month": what is wanted follows from what the account is.
        return Measure.COUNT if wanted.has_noun else None
    if recent and noun:
        return Measure.LIST
    asked = re.search(r"\b(?:which|what)\s+(?:transaction|payment|purchase|expense)s?\b", plain) is not None
    if noun and (listing or asked or not noun.startswith(("expense", "sale", "charge"))):
        return Measure.LIST
    return Measure.SUM if wanted.direction is not Direction.ANY else None


def _finish(wanted: Wanted, *, oldest: bool, newest: bool, plural: bool) -> None:
    """Order and number, where the question says neither."""
    if oldest or newest:
        if wanted.measure is not Measure.LIST or (oldest and newest):
            wanted.problem = wanted.problem or "only a list can begin with the newest or the oldest"
            return
        wanted.order = Order.OLDEST_FIRST if oldest else Order.NEWEST_FIRST
        wanted.limit = wanted.limit or (DEFAULT_LISTED if plural else 1)
    if wanted.measure in {Measure.LARGEST, Measure.SMALLEST} and wanted.grouping is Grouping.NONE:
        wanted.limit = wanted.limit or (DEFAULT_LISTED if plural else 1)


def usual_order(measure: Measure, grouping: Grouping, limit: int) -> Order:
    """What comes first where the question does not say."""
    if grouping.is_time and limit == MAX_LISTED:
        return Order.OLDEST_FIRST
    if measure is Measure.LIST:
        return Order.NEWEST_FIRST
    return Order.SMALLEST_FIRST if measure is Measure.SMALLEST and grouping is Grouping.NONE else Order.LARGEST_FIRST


def usual_limit(measure: Measure, grouping: Grouping) -> int:
    """How many where the question does not say."""
    if grouping is not Grouping.NONE:
        return MAX_LISTED
    return 1 if measure in {Measure.LARGEST, Measure.SMALLEST} else DEFAULT_LISTED
