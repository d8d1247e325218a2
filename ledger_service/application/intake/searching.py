"""What a search asks for, checked and taken apart."""

from __future__ import annotations

import re
from datetime import datetime

from ledger_service.application.intake.fields import MAX_DESCRIPTION
from ledger_service.application.ports import SearchFilter
from ledger_service.domain.errors import invalid
from ledger_service.domain.money import Currencies
from ledger_service.domain.transaction import Status

MAX_FOUND = 10_000
"""How far a search counts and can be paged through."""
MAX_TERMS = 32
DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 1000

_LIVE = (Status.PENDING, Status.CLEARED, Status.POSTED)
_TERM = re.compile(r'"([^"]*)"|([^\s"]+)')
_DECIMAL = re.compile(r"([0-9]{1,38})(?:\.([0-9]{1,18}))?", re.ASCII)


def search_filter(
    currencies: Currencies,
    *,
    query: str,
    effective_from: datetime | None,
    effective_before: datetime | None,
    amount_min: str,
    amount_max: str,
    status: int,
) -> SearchFilter:
    """Raises LedgerError INVALID_ARGUMENT."""
    words, prefixes, phrases = _terms(query)
    if status not in (0, *Status):
        raise invalid("status", "must be PENDING, CLEARED, POSTED, VOIDED or EXPIRED, or left out")
    if effective_from and effective_before and effective_before <= effective_from:
        raise invalid("effective_before", "must lie after effective_from")
    low, high = _decimal(amount_min, "amount_min"), _decimal(amount_max, "amount_max")
    amounts = None
    if low or high:
        amounts = {
            currency: (
                None if low is None else -(-low[0] * 10**exponent // 10 ** low[1]),
                None if high is None else high[0] * 10**exponent // 10 ** high[1],
            )
            for currency, exponent in currencies.items()
        }
    if low and high and low[0] * 10 ** high[1] > high[0] * 10 ** low[1]:
        raise invalid("amount_max", "must not be less than amount_min")
    statuses = (status,) if status else tuple(int(one) for one in _LIVE)
    return SearchFilter(words, prefixes, phrases, effective_from, effective_before, statuses, amounts)


def search_page(page: int, page_size: int) -> tuple[int, int]:
    """Page number and size. Raises LedgerError INVALID_ARGUMENT."""
    size = page_size or DEFAULT_PAGE_SIZE
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise invalid("page_size", f"must be between 1 and {MAX_PAGE_SIZE}; 0 means {DEFAULT_PAGE_SIZE}")
    number = page or 1
    if not 1 <= number <= -(-MAX_FOUND // size):
        raise invalid("page", f"must be 1 or more, and within the first {MAX_FOUND} transactions; narrow the search")
    return number, size


def _terms(query: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Words, prefixes and phrases."""
    if len(query) > MAX_DESCRIPTION:
        raise invalid("query", f"must have at most {MAX_DESCRIPTION} characters, has {len(query)}")
    if not query.replace("\n", " ").replace("\t", " ").isprintable():
        raise invalid("query", "must be printable text, without control characters")
    if query.count('"') % 2:
        raise invalid("query", "has a quotation mark without its other one")
    words: list[str] = []
    prefixes: list[str] = []
    phrases: list[str] = []
    for match in _TERM.finditer(query):
        phrase, word = match.groups()
        kind, text = (phrases, phrase) if word is None else (words, word)
        if word is not None and word.endswith("*"):
            kind, text = prefixes, word.rstrip("*")
        if not any(character.isalnum() for character in text):
            if kind is prefixes:
                raise invalid("query", "a * follows the beginning of a word")
            continue
        kind.append(text)
    if len(words) + len(prefixes) + len(phrases) > MAX_TERMS:
        raise invalid("query", f"must have at most {MAX_TERMS} words and phrases")
    if query.strip() and not (words or prefixes or phrases):
        raise invalid("query", "has no word to look for; leave it empty to search by the other filters alone")
    return tuple(words), tuple(prefixes), tuple(phrases)


def _decimal(text: str, field: str) -> tuple[int, int] | None:
    """A decimal as a whole number and how many of its digits are decimals."""
    if not text:
        return None
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise invalid(field, 'must be a decimal number, like "250.00", without sign, with at most 18 decimals')
    whole, decimals = match.group(1), match.group(2) or ""
    return int(whole + decimals), len(decimals)
