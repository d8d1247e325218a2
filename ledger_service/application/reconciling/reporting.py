"""Words a standing as a report: the equation, and what explains it. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta

from pydantic import TypeAdapter

from ledger_service.application.reconciling.records import Context, MatchState
from ledger_service.application.reconciling.report import (
    Aged,
    Difference,
    Equation,
    MatchedBy,
    OpenItem,
    Report,
    Week,
)
from ledger_service.application.reconciling.staging import State
from ledger_service.application.reconciling.standing import Standing, is_proposed_write_off
from ledger_service.domain.transaction import Status
from ledger_service.matching.model import Finding

AGES = ((0, 7), (8, 30), (31, 90), (91, None))
"""Days, from and to: the brackets that auditors look at."""

MAX_WEEKS = 1_040
"""Weeks of the picture, twenty years: what is older is told by its age. A date that is wrong by a millennium must not
make a report of half a million weeks."""
_WEEK = timedelta(days=7)


def report_of(
    context: Context, state: State, standing: Standing, *, stated: int | None, ledger_balance: int, most: int
) -> Report:
    """The report. `stated` None: the bank states no balance for the day, and its lines tell it; `most` open items."""
    assert state.now is not None
    open_items = _open_items(context, state, standing)
    differences = _differences(context, standing)
    return Report(
        entity_id=context.entity.entity_id,
        account_id=context.account.account_id,
        account_name=context.account.name,
        currency=context.currency,
        exponent=context.exponent,
        until=standing.until,
        began=standing.baseline.until + timedelta(days=1),
        is_closed=False,
        revision=state.revision,
        sequence=state.sequence,
        made_time=state.now,
        closed_by="",
        closed_time=None,
        equation=_equation(standing, stated, ledger_balance),
        lines=len(standing.lines),
        transactions=len(standing.items),
        matched=_matched(standing),
        ages=_ages(standing),
        open_items=tuple(open_items[:most]),
        open_items_left_out=max(0, len(open_items) - most),
        differences=differences[:most],
        weeks=_weeks(standing),
        findings=count_findings(still_so(state, standing)),
        differences_left_out=max(0, len(differences) - most),
    )


def _equation(standing: Standing, stated: int | None, ledger_balance: int) -> Equation:
    computed = standing.statement_computed
    statement = computed if stated is None else stated
    items = [item.amount for item in standing.open_items]
    lines = [line.amount for line in standing.open_lines]
    pending = {match.number for match in standing.write_offs_pending()}
    return Equation(
        statement_balance=statement,
        deposits_in_transit=sum(amount for amount in items if amount > 0),
        outstanding_payments=sum(amount for amount in items if amount < 0),
        receipts_not_recorded=-sum(amount for amount in lines if amount > 0),
        payments_not_recorded=-sum(amount for amount in lines if amount < 0),
        write_offs_proposed=sum(amount for number, amount in standing.differences.items() if number in pending),
        differences=sum(amount for number, amount in standing.differences.items() if number not in pending),
        opening_difference=standing.opening_difference,
        statement_gap=computed - statement,
        ledger_balance=ledger_balance,
    )


def _matched(standing: Standing) -> tuple[MatchedBy, ...]:
    amounts = {line.number: abs(line.amount) for line in standing.lines}
    rules: dict[str, list[int]] = defaultdict(lambda: [0] * 5)
    for match in standing.matches:
        row = rules[match.rule]
        row[0] += 1
        row[1] += match.state == MatchState.PROPOSED
        row[2] += len(match.lines)
        row[3] += len(match.transactions)
        row[4] += sum(amounts[number] for number in match.lines)
    return tuple(MatchedBy(rule, *row) for rule, row in sorted(rules.items()))


def _ages(standing: Standing) -> tuple[Aged, ...]:
    found = []
    for least, most in AGES:
        newest = standing.until - timedelta(days=least)
        oldest = date.min if most is None else standing.until - timedelta(days=most)
        lines = [line.amount for line in standing.open_lines if oldest <= line.booking_date <= newest]
        items = [item.amount for item in standing.open_items if oldest <= item.day <= newest]
        found.append(Aged(least, most, len(lines), sum(lines), len(items), sum(items)))
    return tuple(found)


def _open_items(context: Context, state: State, standing: Standing) -> list[OpenItem]:
    of_lines, of_items = _named(state.findings)
    found = [
        OpenItem(
            is_line=True,
            id=str(line.number),
            day=line.booking_date,
            amount=line.amount,
            counterparty=line.counterparty,
            reference=line.references[0] if line.references else "",
            text=line.text,
            status="",
            age_days=(standing.until - line.booking_date).days,
            finding="" if line.number in standing.later_lines else of_lines.get(line.number, ""),
            is_later=line.number in standing.later_lines,
        )
        for line in standing.open_lines
    ]
    found += [
        OpenItem(
            is_line=False,
            id=context.public_id(item.transaction_no),
            day=item.day,
            amount=item.amount,
            counterparty=item.counterparty,
            reference=item.reference,
            text=item.description,
            status=Status(item.status).name,
            age_days=(standing.until - item.day).days,
            finding="" if item.transaction_no in standing.later_items else of_items.get(item.transaction_no, ""),
            is_later=item.transaction_no in standing.later_items,
        )
        for item in standing.open_items
    ]
    return sorted(found, key=lambda one: (one.day, not one.is_line, one.id))


def _named(findings: Iterable[Finding]) -> tuple[dict[int, str], dict[int, str]]:
    """What each line and each transaction is; what is said first about it counts."""
    lines: dict[int, str] = {}
    items: dict[int, str] = {}
    for finding in findings:
        for number in finding.lines:
            lines.setdefault(number, finding.kind.value)
        for number in finding.transactions:
            items.setdefault(number, finding.kind.value)
    return lines, items


def _differences(context: Context, standing: Standing) -> tuple[Difference, ...]:
    return tuple(
        Difference(
            match=match.number,
            rule=match.rule,
            lines=match.lines,
            transactions=tuple(context.public_id(number) for number in match.transactions),
            difference=standing.differences[match.number],
            why=match.why,
            write_off="proposed" if is_proposed_write_off(match) else "",
        )
        for match in standing.matches
        if match.number in standing.differences
    )


def _weeks(standing: Standing) -> tuple[Week, ...]:
    open_lines = {line.number for line in standing.open_lines}
    sums: dict[date, list[int]] = defaultdict(lambda: [0, 0, 0])
    for line in standing.lines:
        sums[_monday(line.booking_date)][1 if line.number in open_lines else 0] += abs(line.amount)
    for item in standing.open_items:
        sums[_monday(item.day)][2] += abs(item.amount)
    if not sums:
        return ()
    last = max(sums).toordinal()
    first = max(min(sums).toordinal(), last - 7 * (MAX_WEEKS - 1))
    mondays = (date.fromordinal(day) for day in range(first, last + 1, 7))
    return tuple(Week(day, *sums.get(day, (0, 0, 0))) for day in mondays)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def still_so(state: State, standing: Standing) -> list[Finding]:
    """What the last run found and nobody has settled since: about what is open, or about a match that holds."""
    lines = {line.number for line in standing.open_lines}
    items = {item.transaction_no for item in standing.open_items}
    matched = {(match.lines, match.transactions) for match in standing.matches}
    return [
        one
        for one in state.findings
        if not lines.isdisjoint(one.lines) or not items.isdisjoint(one.transactions) or _is_of(one, matched)
    ]


def _is_of(finding: Finding, matched: set[tuple[tuple[int, ...], tuple[int, ...]]]) -> bool:
    """Whether a finding is about a match that holds."""
    return (finding.lines, finding.transactions) in matched


def count_findings(findings: Iterable[Finding]) -> tuple[tuple[str, int, int], ...]:
    """By kind: how many, and what they come to without signs."""
    counts: Counter[str] = Counter()
    amounts: Counter[str] = Counter()
    for one in findings:
        counts[one.kind.value] += 1
        amounts[one.kind.value] += abs(one.amount)
    return tuple((kind, counts[kind], amounts[kind]) for kind in sorted(counts))


_ADAPTER = TypeAdapter(Report)


def dump_report(report: Report) -> str:
    """A report as JSON, to be kept with the closing that it is of."""
    return _ADAPTER.dump_json(report).decode()


def load_report(text: str, *, closed_by: str, closed_time: datetime | None, most: int) -> Report:
    """A report that was kept, with who closed it, and at most so many open items."""
    report = _ADAPTER.validate_json(text)
    return replace(
        report,
        is_closed=True,
        closed_by=closed_by,
        closed_time=closed_time,
        open_items=report.open_items[:most],
        open_items_left_out=report.open_items_left_out + max(0, len(report.open_items) - most),
        differences=report.differences[:most],
        differences_left_out=report.differences_left_out + max(0, len(report.differences) - most),
    )
