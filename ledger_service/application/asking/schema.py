"""Plans as JSON: the schema that a model is given, made from the plan's classes, and the strict reading."""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from datetime import date
from enum import Enum
from typing import Any

from ledger_service.application.asking import days, plan
from ledger_service.application.asking.plan import (
    COUNTED,
    MAX_LISTED,
    MAX_NAMES,
    Comparator,
    Grouping,
    Measure,
    Period,
    Plan,
)
from ledger_service.application.asking.text import words_of
from ledger_service.application.asking.vocabulary import Kind, Vocabulary

_PLAIN_DECIMAL = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,18})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z][A-Z0-9_]{2,11}", re.ASCII)
_MAX_TEXT = 200


class NotAPlan(ValueError):
    """The model's answer can't be run; the message says why without repeating it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Proposal:
    """What a model is asked for: a plan, or null where the question is none that a plan can say."""

    plan: Plan | None


def json_schema() -> dict[str, Any]:
    """The schema of a Proposal, in the form that endpoints take for strict output: every member required."""
    return _schema_of(Proposal)


def plan_from(text: str, question: str, vocabulary: Vocabulary) -> Plan | None:
    """The plan in a model's answer; None: it has none.

    Raises NotAPlan for anything but JSON of the schema, for unknown members, for names that the entity does not have,
    and for texts that the question does not contain.
    """
    try:
        data = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise NotAPlan("the answer is not JSON") from error
    proposal = _read(Proposal, data, "")
    assert isinstance(proposal, Proposal)
    if proposal.plan is None:
        return None
    found = proposal.plan
    if not found.filters.statuses:
        found = dataclasses.replace(found, filters=dataclasses.replace(found.filters, statuses=COUNTED))
    _check(found, question, vocabulary)
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member occurs twice")
    return members


def _refuse(constant: str) -> Any:  # noqa: ANN401
    raise ValueError(constant)


def _hints(of: type) -> dict[str, Any]:
    return typing.get_type_hints(of, vars(plan))


def _schema_of(of: Any) -> dict[str, Any]:  # noqa: ANN401
    if dataclasses.is_dataclass(of) and isinstance(of, type):
        members = {name: _schema_of(hint) for name, hint in _hints(of).items()}
        return {
            "type": "object",
            "description": (of.__doc__ or "").strip(),
            "properties": members,
            "required": list(members),
            "additionalProperties": False,
        }
    if typing.get_origin(of) in {types.UnionType, typing.Union}:
        return {"anyOf": [{"type": "null"} if part is type(None) else _schema_of(part) for part in typing.get_args(of)]}
    if typing.get_origin(of) is tuple:
        return {"type": "array", "items": _schema_of(typing.get_args(of)[0]), "maxItems": MAX_NAMES}
    if issubclass(of, Enum):
        return {"type": "string", "enum": [member.value for member in of]}
    if of is date:
        return {"type": "string", "format": "date"}
    return {"type": {bool: "boolean", int: "integer", str: "string"}[of]}


def _read(of: Any, data: Any, path: str) -> Any:  # noqa: ANN401
    """The value that JSON stands for. Raises NotAPlan naming the member."""
    if dataclasses.is_dataclass(of) and isinstance(of, type):
        if not isinstance(data, dict):
            raise NotAPlan(f"{path or 'the answer'} is not an object")
        hints = _hints(of)
        if not data.keys() <= hints.keys():
            raise NotAPlan(f"{path or 'the answer'} has unknown members")
        try:
            return of(**{name: _read(hints[name], value, f"{path}.{name}".lstrip(".")) for name, value in data.items()})
        except TypeError as error:
            raise NotAPlan(f"{path or 'the answer'} lacks a member") from error
    if typing.get_origin(of) in {types.UnionType, typing.Union}:
        if data is None:
            return None
        return _read(next(part for part in typing.get_args(of) if part is not type(None)), data, path)
    if typing.get_origin(of) is tuple:
        if not isinstance(data, list) or len(data) > MAX_NAMES:
            raise NotAPlan(f"{path} is not a list of at most {MAX_NAMES}")
        return tuple(_read(typing.get_args(of)[0], value, path) for value in data)
    return _scalar(of, data, path)


def _scalar(of: Any, data: Any, path: str) -> Any:  # noqa: ANN401
    if of is bool or of is int:
        if type(data) is not of:
            raise NotAPlan(f"{path} has the wrong type")
        return data
    if not isinstance(data, str) or len(data) > _MAX_TEXT:
        raise NotAPlan(f"{path} is not a short text")
    try:
        return date.fromisoformat(data) if of is date else of(data)
    except ValueError as error:
        raise NotAPlan(f"{path} has a value that is not allowed") from error


def _check(found: Plan, question: str, vocabulary: Vocabulary) -> None:
    filters = found.filters
    for kind, ids in (
        (Kind.CATEGORY, filters.categories),
        (Kind.ACCOUNT, filters.accounts),
        (Kind.COUNTERPARTY, filters.counterparties),
    ):
        if len(set(ids)) != len(ids) or any((kind, id_) not in vocabulary.by_id for id_ in ids):
            raise NotAPlan(f"it names a {kind.value} that the entity does not have")
    if filters.categories and filters.uncategorized:
        raise NotAPlan("it asks for a category and for none")
    if len(set(filters.statuses)) != len(filters.statuses):
        raise NotAPlan("a status occurs twice")
    if filters.currency and (
        _CURRENCY.fullmatch(filters.currency) is None or filters.currency not in vocabulary.exponents
    ):
        raise NotAPlan("it names a currency that does not exist")
    asked = " ".join(word for word, _, _ in words_of(question.lower()))
    for text in filters.texts:
        words = " ".join(word for word, _, _ in words_of(text.lower()))
        if not words or words not in asked:
            raise NotAPlan("it looks for a text that is not in the question")
    _check_amounts(found)
    for period in (found.period, found.comparison.period if found.comparison else None):
        if period is not None:
            _check_period(period)
    if not 1 <= found.limit <= MAX_LISTED:
        raise NotAPlan(f"limit is not between 1 and {MAX_LISTED}")


def _check_amounts(found: Plan) -> None:
    rule, comparison = found.filters.amount, found.comparison
    if rule is not None and (
        _PLAIN_DECIMAL.fullmatch(rule.amount) is None
        or (rule.comparator is Comparator.BETWEEN) != bool(rule.upper)
        or (rule.upper and _PLAIN_DECIMAL.fullmatch(rule.upper) is None)
    ):
        raise NotAPlan("an amount is not a plain decimal")
    if comparison is None:
        return
    if (comparison.period is None) == (not comparison.amount):
        raise NotAPlan("a comparison needs either a period or an amount")
    if comparison.amount and (_PLAIN_DECIMAL.fullmatch(comparison.amount) is None or found.measure is not Measure.SUM):
        raise NotAPlan("only a total can be compared with an amount, and that must be a plain decimal")
    if found.grouping is not Grouping.NONE or found.measure not in {Measure.SUM, Measure.COUNT, Measure.AVERAGE}:
        raise NotAPlan("a comparison can be made of a total, a number or an average only")


def _check_period(period: Period) -> None:
    for day in (period.first, period.before):
        if day is not None and not days.FIRST_YEAR <= day.year <= days.LAST_YEAR:
            raise NotAPlan("a period lies outside of the years that can be asked about")
    if period.first is not None and period.before is not None and period.first >= period.before:
        raise NotAPlan("a period ends before it begins")
