"""Amounts and currencies in a question: "over $500", "between 100 and 500 euros", "in yen", "at least EUR 1,000"."""

from __future__ import annotations

import re
from typing import NamedTuple

from ledger_service.application.asking.plan import AmountRule, Comparator, Comparison, Outcome
from ledger_service.application.asking.spans import MONTH, YEAR
from ledger_service.application.asking.text import AMOUNT, Question
from ledger_service.application.asking.vocabulary import Vocabulary

_SIGNS = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₿": "BTC"}
_WORDS = {
    "dollar": "USD", "dollars": "USD", "usd": "USD", "bucks": "USD", "euro": "EUR", "euros": "EUR", "pound": "GBP",
    "pounds": "GBP", "yen": "JPY", "franc": "CHF", "francs": "CHF", "koruna": "CZK", "korunas": "CZK", "crowns": "CZK",
    "rupee": "INR", "rupees": "INR", "yuan": "CNY", "renminbi": "CNY", "bitcoin": "BTC", "bitcoins": "BTC",
    "zloty": "PLN",
}  # fmt: skip
_DOLLARS = frozenset({"USD", "CAD", "AUD", "NZD", "SGD", "HKD"})
# Codes that are English words; they count only in capitals, and only where the entity has that currency.
_ENGLISH = frozenset(
    {"all", "try", "top", "cup", "mop", "pen", "ang", "bam", "lak", "gel", "sos", "amd", "mad", "std", "crc"}
)

_SIGN = "[" + "".join(_SIGNS) + "]"
# Thousands in groups of three, or no groups at all: "1.200,50" is not guessed at.
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,18})?(?![\d,.]*\d)"
_TIMES = r"(?:\s?(?P<times>k|thousand|million)\b)?"
_COMPARATORS: tuple[tuple[str, Comparator], ...] = (
    (r"(?:at\s+least|no\s+less\s+than|not\s+less\s+than|minimum\s+of|>=)", Comparator.AT_LEAST),
    (r"(?:at\s+most|no\s+more\s+than|not\s+more\s+than|up\s+to|maximum\s+of|<=)", Comparator.AT_MOST),
    (
        r"(?:(?:more|greater|larger|bigger|higher)\s+than|over|above|exceed(?:ing|s)?|in\s+excess\s+of|>)",
        Comparator.MORE_THAN,
    ),
    (r"(?:(?:less|smaller|lower|cheaper|fewer)\s+than|under|below|<)", Comparator.LESS_THAN),
    (r"(?:(?:of\s+)?exactly|equal\s+to|equals|=|of|for|worth)", Comparator.EXACTLY),
)
_ITEMS = re.compile(
    r"\s*(?:other\s+)?(?:transactions?|purchases?|payments?|expenses|times|sales|vendors?|days?|weeks?|months?)\b"
)
_YEAR = re.compile(YEAR)
_DAY_OF = re.compile(rf"\s?(?:st|nd|rd|th)?\s+(?:of\s+)?{MONTH}")
_DID_MORE = re.compile(
    r"^\W*(?:did|have|has|do|does|are|were|was|is)\b.*?\b(?:spend|spent|spending|pay|paid|receive|received|earn|earned|make|made)\s+$"
)


_TARGETS = frozenset({Comparator.MORE_THAN, Comparator.LESS_THAN})
_NO_TARGET = "it can be asked whether a total is more or less than an amount, not whether it is exactly or at least one"


class Amounts(NamedTuple):
    """What a question says of amounts; `problem` tells what can't be understood."""

    rule: AmountRule | None = None
    currency: str = ""
    target: Comparison | None = None
    problem: str = ""


class _Amount(NamedTuple):
    number: str
    currency: str
    start: int
    end: int


def take_amounts(question: Question, vocabulary: Vocabulary) -> Amounts:
    """Strike out comparisons with amounts, and the currency."""
    code = _code_pattern(question, vocabulary)
    rule, target, currency, problem = _take_rule(question, vocabulary, code)
    if problem:
        return Amounts(problem=problem)
    other = _take_currency(question, vocabulary, code)
    if other is not None and currency and other != currency:
        return Amounts(problem="it speaks of two currencies")
    return Amounts(rule, other or currency, target)


def _code_pattern(question: Question, vocabulary: Vocabulary) -> str:
    """Codes and names of currencies that may stand in this question."""
    capitals = not question.shown.isupper()
    written = {
        word.lower()
        for word in re.findall(r"\b[A-Z][A-Z0-9_]{2,11}\b", question.shown)
        if capitals and word in vocabulary.exponents and (word.lower() not in _ENGLISH or word in vocabulary.held)
    }
    held = {code.lower() for code in vocabulary.held} - _ENGLISH
    return "|".join(re.escape(word) for word in sorted({*written, *held, *_WORDS}, key=len, reverse=True))


def _take_rule(
    question: Question, vocabulary: Vocabulary, code: str
) -> tuple[AmountRule | None, Comparison | None, str, str]:
    """The one condition on an amount."""
    amount = (
        rf"(?:(?P<sign>{_SIGN})\s?|(?P<before>{code})\s+)?(?P<number>{_NUMBER}){_TIMES}"
        rf"(?:\s?(?P<after>{code})\b|\s?(?P<sign2>[€£¥₿]))?"
    )
    rules: list[tuple[AmountRule, re.Match[str], str]] = []
    second = re.sub(r"\?P<(\w+)>", r"?P<\1_b>", amount)
    between = re.compile(rf"\b(?:(?:between|from)\s+)?{amount}(?:\s+(?:and|to)\s+|\s?-\s?){second}(?![\w%-])")
    match = between.search(question.rest)
    if (
        match is not None
        and (_has_currency(match) or match.group().startswith("between"))
        and not _is_time(question, match)
    ):
        if _DID_MORE.match(question.plain[: match.start()]) is not None:
            return None, None, "", _NO_TARGET
        low, high = _number(match), _number(match, "_b")
        currencies = {_currency(match, vocabulary), _currency(match, vocabulary, "_b")} - {""}
        if len(currencies) > 1:
            return None, None, "", "it speaks of two currencies"
        question.strike(match.start(), match.end(), AMOUNT)
        rules.append((AmountRule(Comparator.BETWEEN, low, high), match, currencies.pop() if currencies else ""))
    for words, comparator in _COMPARATORS:
        pattern = re.compile(
            rf"(?:\b|(?=[<>=])){words}\s*{amount}(?P<tail>\s+(?:or|and)\s+(?:more|less|above|below|over|under|up))?(?![\w%-])"
        )
        while (match := pattern.search(question.rest)) is not None:
            if (
                comparator is Comparator.EXACTLY
                and not _has_currency(match)
                and not re.match(r"(of\s+)?exactly|equal|=", match.group())
            ) or _is_time(question, match):
                break
            problem = _problem_of(question, match, comparator)
            if problem:
                return None, None, "", problem
            found = AmountRule(_with_tail(comparator, match["tail"]), _number(match))
            target = _target(question, match, found)
            currency = _currency(match, vocabulary)
            question.strike(match.start(), match.end(), AMOUNT)
            if target is not None:
                return None, target, currency, "" if not rules else "it has more than one condition on the amount"
            rules.append((found, match, currency))
    tailed = re.compile(rf"(?<![\w.]){amount}\s+(?:or|and)\s+(?P<tail>more|less|above|below|over|under|up)\b")
    while (match := tailed.search(question.rest)) is not None:
        rules.append(
            (
                AmountRule(_with_tail(Comparator.EXACTLY, match["tail"]), _number(match)),
                match,
                _currency(match, vocabulary),
            )
        )
        question.strike(match.start(), match.end(), AMOUNT)
    if len(rules) > 1:
        return None, None, "", "it has more than one condition on the amount"
    return (rules[0][0], None, rules[0][2], "") if rules else (None, None, "", "")


def _problem_of(question: Question, match: re.Match[str], comparator: Comparator) -> str:
    """Why this is no condition on an amount; "" if it is one."""
    if comparator not in _TARGETS and _DID_MORE.match(question.plain[: match.start()]) is not None:
        return _NO_TARGET
    if _has_currency(match):
        return ""
    if _YEAR.fullmatch(match["number"]):
        return f"{match.group()} can be read in two ways, as an amount and as a year"
    if _ITEMS.match(question.rest[match.end() :]):
        return "it sets a number of transactions; amounts can be compared, numbers can't"
    return ""


def _is_time(question: Question, match: re.Match[str]) -> bool:
    """As in "up to 15 May", "between 2022 and 2023": days and years, unless they have a currency."""
    if _has_currency(match):
        return False
    is_range = "number_b" in match.re.groupindex
    if is_range and _YEAR.fullmatch(match["number"]) and _YEAR.fullmatch(match["number_b"]):
        return True
    return _DAY_OF.match(question.rest, match.end("number_b" if is_range else "number")) is not None


def _with_tail(comparator: Comparator, tail: str | None) -> Comparator:
    """Of "$100 or more" the end decides."""
    if tail is None:
        return comparator
    return Comparator.AT_LEAST if tail.split()[-1] in {"more", "above", "over", "up"} else Comparator.AT_MOST


def _target(question: Question, match: re.Match[str], rule: AmountRule) -> Comparison | None:
    """As in "Did I spend more than $500 …" asks of the total, not of single transactions."""
    if rule.comparator not in _TARGETS:
        return None
    if _DID_MORE.match(question.plain[: match.start()]) is None:
        return None
    return Comparison(Outcome.MORE if rule.comparator is Comparator.MORE_THAN else Outcome.LESS, None, rule.amount)


def _number(match: re.Match[str], suffix: str = "") -> str:
    """The number as a plain decimal."""
    digits = match["number" + suffix].replace(",", "")
    zeros = {"k": 3, "thousand": 3, "million": 6}.get(match["times" + suffix] or "", 0)
    whole, _, decimals = digits.partition(".")
    moved = decimals[:zeros].ljust(zeros, "0")
    rest = decimals[zeros:]
    whole = (whole + moved).lstrip("0") or "0"
    return f"{whole}.{rest}" if rest else whole


def _has_currency(match: re.Match[str]) -> bool:
    groups = match.groupdict()
    return any(groups.get(name + suffix) for name in ("sign", "before", "after", "sign2") for suffix in ("", "_b"))


def _currency(match: re.Match[str], vocabulary: Vocabulary, suffix: str = "") -> str:
    said = next((match[name + suffix] for name in ("sign", "before", "after", "sign2") if match[name + suffix]), None)
    return _code_of(said, vocabulary) if said else ""


def _code_of(said: str, vocabulary: Vocabulary) -> str:
    """The code of a sign, name or code. Dollars are USD, unless the entity has none but one other kind of dollars."""
    code = _SIGNS.get(said) or (_WORDS.get(said) if said != "usd" else "USD") or said.upper()
    if code == "USD" and said != "usd" and "USD" not in vocabulary.held:
        own = [each for each in vocabulary.held if each in _DOLLARS]
        if len(own) == 1:
            return own[0]
    return code


def _take_currency(question: Question, vocabulary: Vocabulary, code: str) -> str | None:
    """As in "in euros", "EUR transactions"."""
    match = question.take(re.compile(rf"\b(?:(?:only\s+)?in\s+)?(?P<code>{code})\b"), AMOUNT)
    return _code_of(match["code"], vocabulary) if match is not None else None
