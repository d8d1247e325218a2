"""Three questions that can be answered here, of the entity's own names and of days that have transactions."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import date

from ledger_service.application.asking.grammar import understand
from ledger_service.application.asking.plan import Plan
from ledger_service.application.asking.vocabulary import Kind, Vocabulary

COUNT = 3
_TRIED = 20
_LONGEST_NAME = 40
"""Longer names make no good example."""


def examples(vocabulary: Vocabulary, today: date) -> tuple[str, ...]:
    """Each has been understood before it is offered."""
    found: list[str] = []
    for question in _candidates(vocabulary, today):
        if isinstance(understand(question, vocabulary, today), Plan):
            found.append(question)
        if len(found) == COUNT:
            break
    return tuple(found)


def _candidates(vocabulary: Vocabulary, today: date) -> Iterator[str]:
    last = min(vocabulary.last, today) if vocabulary.last is not None else today
    month = f"{calendar.month_name[last.month]} {last.year}"
    names = [name for name in vocabulary.names if len(name.name) <= _LONGEST_NAME and '"' not in name.name]
    for kind, question in (
        (Kind.CATEGORY, "How much did I spend on category {name} in {month}?"),
        (Kind.COUNTERPARTY, "How much did I pay vendor {name} in {year}?"),
    ):
        asked = [question.format(name=name.name, month=month, year=last.year) for name in names if name.kind is kind][
            :_TRIED
        ]
        # The first that is understood: a name may be too like another one.
        yield from (one for one in asked if isinstance(understand(one, vocabulary, today), Plan))
        if kind is Kind.CATEGORY:
            yield f"What was my largest purchase in {month}?"
    yield f"How many transactions were there in {month}?"
    yield f"Spending by month in {last.year}"
    yield f"How much did I spend in {month}?"
