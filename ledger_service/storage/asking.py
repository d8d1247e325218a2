"""Questions run on the ledger: a plan becomes parameters of fixed queries, read in one snapshot."""

from __future__ import annotations

import json
from typing import Any

from ledger_service.application.asking.plan import Direction, Grouping, Measure, Order
from ledger_service.application.asking.ports import (
    Arrangement,
    Group,
    Known,
    Line,
    Rows,
    RowsWanted,
    Summary,
)
from ledger_service.application.asking.vocabulary import Kind, Name
from ledger_service.storage import sql

_QUERIES = sql.load("asking.sql")
_MATCHING = _QUERIES["matching"][_QUERIES["matching"].index("WITH") :]

_DIRECTIONS = {Direction.SPENT: 1, Direction.RECEIVED: 2, Direction.ANY: 3}
_ORDERS = {Order.LARGEST_FIRST: 1, Order.SMALLEST_FIRST: 2, Order.NEWEST_FIRST: 3, Order.OLDEST_FIRST: 4}
_MEASURES = {
    Measure.SUM: 1,
    Measure.LIST: 1,
    Measure.COUNT: 2,
    Measure.AVERAGE: 3,
    Measure.LARGEST: 4,
    Measure.SMALLEST: 5,
}


def _query(name: str, **parts: str) -> str:
    text = _QUERIES[name]
    return text[text.index("{matching}") :].format(matching=_MATCHING, **parts)


def _members(name: str, **parts: str) -> str:
    """The part of the query of groups that gives its members, without its comment."""
    text = _QUERIES[name]
    return _query("groups", members=text[text.index("SELECT") :].format(**parts))


_SUMMARIES = _query("summaries")
_TRANSACTIONS = _query("transactions")
_GROUPS = {
    Grouping.CATEGORY: _members("by_category"),
    Grouping.COUNTERPARTY: _members("by_counterparty"),
    Grouping.ACCOUNT: _members("by_account"),
    Grouping.STATUS: _members("by_status"),
    **{grouping: _members("by_time", unit=grouping.value) for grouping in Grouping if grouping.is_time},
}


async def known_names(connection: Any, entity_no: int, most: int) -> Known:
    """What questions of an entity may name, at most so many of a kind; within a snapshot."""
    records = await connection.fetch(_QUERIES["names"], entity_no, most + 1)
    counts = dict.fromkeys(Kind, 0)
    names = []
    for kind, id_, name, type_, code in records:
        counts[Kind(kind)] += 1
        if counts[Kind(kind)] <= most:
            names.append(Name(Kind(kind), id_, name, type_, code or ""))
    held = await connection.fetch(_QUERIES["held"], entity_no, most)
    extent = await connection.fetchrow(_QUERIES["extent"], entity_no)
    return Known(
        tuple(names),
        all(count <= most for count in counts.values()),
        tuple(currency for (currency,) in held),
        extent["first"],
        extent["last"],
    )


async def ask(
    connection: Any,
    entity_no: int,
    wanted: RowsWanted,
    arranged: Arrangement,
    other: RowsWanted | None,
) -> Rows:
    """The rows of a plan; within a snapshot."""
    common = _parameters(entity_no, wanted)
    place = (_ORDERS[arranged.order], arranged.limit)
    summaries = await connection.fetch(_SUMMARIES, *common)
    others = await connection.fetch(_SUMMARIES, *_parameters(entity_no, other)) if other is not None else []
    lines: list[Any] = []
    groups: list[Any] = []
    if arranged.grouping is Grouping.NONE:
        lines = await connection.fetch(_TRANSACTIONS, *common, *place)
    else:
        zone = (arranged.time_zone,) if arranged.grouping.is_time else ()
        groups = await connection.fetch(_GROUPS[arranged.grouping], *common, *place, _MEASURES[arranged.measure], *zone)
    rank = {record["currency"]: place for place, record in enumerate(summaries)}
    if arranged.order in {Order.LARGEST_FIRST, Order.SMALLEST_FIRST}:
        lines = sorted(lines, key=lambda record: rank[record["currency"]])
    return Rows(
        summaries=tuple(_summary(record) for record in summaries),
        matched=summaries[0]["of_all"] if summaries else 0,
        lines=tuple(_line(record) for record in lines),
        groups=tuple(
            Group(record["key"], record["name"], _summary(record))
            for record in sorted(groups, key=lambda record: rank[record["currency"]])
        ),
        all_groups=sum({record["currency"]: record["of_all"] for record in groups}.values()),
        others=tuple(_summary(record) for record in others),
        others_matched=others[0]["of_all"] if others else 0,
    )


def _parameters(entity_no: int, wanted: RowsWanted) -> tuple[Any, ...]:
    bounds = None
    if wanted.bounds is not None:
        bounds = json.dumps(
            {
                currency: [None if bound is None else str(bound) for bound in pair]
                for currency, pair in wanted.bounds.items()
            }
        )
    return (
        entity_no,
        _DIRECTIONS[wanted.direction],
        list(wanted.statuses),
        wanted.effective_from,
        wanted.effective_before,
        None if wanted.category_ids is None else list(wanted.category_ids),
        wanted.uncategorized,
        None if wanted.account_ids is None else list(wanted.account_ids),
        None if wanted.counterparty_keys is None else list(wanted.counterparty_keys),
        list(wanted.texts),
        wanted.currency,
        bounds,
    )


def _summary(record: Any) -> Summary:
    return Summary(
        record["currency"],
        record["transactions"],
        record["total"],
        record["reductions"],
        record["largest"],
        record["smallest"],
    )


def _line(record: Any) -> Line:
    return Line(
        record["transaction_no"],
        record["currency"],
        record["amount"],
        record["status"],
        record["effective_time"],
        record["description"] or "",
        record["counterparty"] or "",
        record["category_id"] or "",
    )
