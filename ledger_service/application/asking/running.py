"""A plan in the ledger's terms: days become instants, amounts minor units, names of statuses numbers."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import ceil, floor
from zoneinfo import ZoneInfo

from ledger_service.application.asking import days
from ledger_service.application.asking.plan import AmountRule, Comparator, Period, Plan, Statuses
from ledger_service.application.asking.ports import Arrangement, RowsWanted
from ledger_service.domain.transaction import Status

_STATUSES = {name: Status[name.name] for name in Statuses}


def rows_wanted(plan: Plan, period: Period | None, zone: ZoneInfo, exponents: Mapping[str, int]) -> RowsWanted:
    """What to read for a plan and one of its periods; `exponents` of the currencies that may occur."""
    filters = plan.filters
    first, before = (period.first, period.before) if period is not None else (None, None)
    return RowsWanted(
        direction=plan.direction,
        statuses=tuple(int(_STATUSES[status]) for status in filters.statuses),
        effective_from=days.start_of_day(first, zone) if first is not None else None,
        effective_before=days.start_of_day(before, zone) if before is not None else None,
        category_ids=filters.categories or None,
        uncategorized=filters.uncategorized,
        account_ids=filters.accounts or None,
        counterparty_keys=filters.counterparties or None,
        texts=filters.texts,
        currency=filters.currency or None,
        bounds=None
        if filters.amount is None
        else {currency: bounds_of(filters.amount, exponent) for currency, exponent in exponents.items()},
    )


def arrangement(plan: Plan, zone: ZoneInfo) -> Arrangement:
    """What of the rows is shown."""
    return Arrangement(plan.measure, plan.grouping, plan.order, plan.limit, zone.key)


def bounds_of(rule: AmountRule, exponent: int) -> tuple[int | None, int | None]:
    """Least and most amount in minor units. What counts below zero (a reversal) fulfils no rule on amounts."""
    units = units_of(rule.amount, exponent)
    match rule.comparator:
        case Comparator.MORE_THAN:
            return max(floor(units) + 1, 1), None
        case Comparator.AT_LEAST:
            return max(ceil(units), 1), None
        case Comparator.LESS_THAN:
            return 1, ceil(units) - 1
        case Comparator.AT_MOST:
            return 1, floor(units)
        case Comparator.EXACTLY:
            return max(ceil(units), 1), floor(units)
        case Comparator.BETWEEN:
            return max(ceil(units), 1), floor(units_of(rule.upper, exponent))


def units_of(amount: str, exponent: int) -> Fraction:
    """A decimal of a plan in minor units, exact: it may have more decimals than the currency."""
    return Fraction(amount) * Fraction(10**exponent)


def average(total: int, count: int) -> int:
    """Total divided by count, rounded half to even; in minor units."""
    whole, rest = divmod(total, count)
    return whole + (2 * rest > count or (2 * rest == count and whole % 2 == 1))
