"""The plans of the question files, read and written; the notation is explained in README.md."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ledger_service.application.asking.grammar import Refusal
from ledger_service.application.asking.measures import usual_limit, usual_order
from ledger_service.application.asking.plan import COUNTED, AmountRule, Comparator, Grouping, Period, Plan, Statuses

_SIGNS = {
    Comparator.MORE_THAN: ">",
    Comparator.AT_LEAST: ">=",
    Comparator.LESS_THAN: "<",
    Comparator.AT_MOST: "<=",
    Comparator.EXACTLY: "=",
}


@dataclass(frozen=True)
class Case:
    """A question with the plan that is right."""

    question: str
    expected: str


def load(name: str) -> list[Case]:
    """The questions of a file."""
    cases = []
    for line in Path(__file__).with_name(name).read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            question, expected = line.split(" => ")
            cases.append(Case(question, _sorted(expected)))
    return cases


def written(outcome: Plan | Refusal) -> str:
    """An outcome in the notation of the files."""
    if isinstance(outcome, Refusal):
        if outcome.unclear is None:
            return "unclear"
        return "which: " + " | ".join(sorted(name.name for name in outcome.unclear.candidates))
    parts = [outcome.measure.value, outcome.direction.value, *_filters(outcome)]
    if outcome.period is not None:
        parts.append(f"per:{_period(outcome.period)}")
    if outcome.grouping is not Grouping.NONE:
        parts.append(f"by:{outcome.grouping.value}")
    if outcome.limit != usual_limit(outcome.measure, outcome.grouping):
        parts.append(f"limit:{outcome.limit}")
    if outcome.order is not usual_order(outcome.measure, outcome.grouping, outcome.limit):
        parts.append(f"order:{outcome.order.value}")
    if outcome.comparison is not None:
        against = outcome.comparison.amount or _period(outcome.comparison.period or Period())
        parts.append(f"vs:{outcome.comparison.outcome.value},{against}")
    return _sorted(" ".join(parts))


def _filters(plan: Plan) -> list[str]:
    filters = plan.filters
    named = (("cat", filters.categories), ("acc", filters.accounts), ("cp", filters.counterparties))
    parts = [f"{key}:{','.join(ids)}" for key, ids in named if ids]
    parts += [f'text:"{text}"' for text in filters.texts]
    if filters.uncategorized:
        parts.append("uncat")
    usual = tuple(Statuses) if plan.grouping is Grouping.STATUS and plan.direction.value == "any" else COUNTED
    if filters.statuses != usual:
        parts.append(f"st:{','.join(status.value for status in filters.statuses)}")
    if filters.currency:
        parts.append(f"cur:{filters.currency}")
    if filters.amount is not None:
        parts.append(f"amt:{_amount(filters.amount)}")
    return parts


def _amount(rule: AmountRule) -> str:
    if rule.comparator is Comparator.BETWEEN:
        return f"{rule.amount}..{rule.upper}"
    return _SIGNS[rule.comparator] + rule.amount


def _period(period: Period) -> str:
    return f"{period.first or ''}..{period.before or ''}"


def _sorted(plan: str) -> str:
    """Measure and direction, then the rest in one order."""
    if plan.startswith(("unclear", "which")):
        return plan.strip()
    first, second, *rest = re.findall(r'(?:\w+:"[^"]*"|\S+(?: (?![a-z]+:|uncat|text)[^\s:]+)*?)(?=\s|$)', plan)
    rest = re.split(r"\s(?=(?:cat|acc|cp|text|st|cur|amt|per|by|order|limit|vs):|uncat)", plan)[1:]
    return " ".join([*plan.split(" ", 2)[:2], *sorted(part.strip() for part in rest)]) if first and second else plan
