"""Reports for tests of documents: whole and consistent, of any size, the same for the same arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random

from ledger_service.application.reconciling.report import (
    Aged,
    Difference,
    Equation,
    MatchedBy,
    OpenItem,
    Report,
    Week,
)
from ledger_service.matching.model import FindingKind, RuleKind

UNTIL = date(2026, 1, 31)
MADE = datetime(2026, 2, 2, 9, 30, 15, tzinfo=UTC)

_PARTIES = (
    "Amazon EU S.à r.l.", "Stadtwerke München", "Müller & Söhne GmbH", "Café de l'Étoile", "株式会社サンプル",
    "Deutsche Telekom AG", "Northwind Traders Ltd", "Ben Ofori", "Żabka Polska sp. z o.o.", "Acme, Inc.",
)  # fmt: skip
_TEXTS = (
    "Invoice 2026-0114 of 12 January, thank you", "SEPA DD PRE-NOTIFICATION KD-NR 7711902", "rent",
    "Payout of 14 orders less fees, settlement batch 2026-01-17/DE/0009341", "", "Refund of order 4711",
)  # fmt: skip


HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "=HYPERLINK(A1)", "+1+1", "-2+3", "@SUM(A1)", "\t=1",
    "\r=1", "  =1+1", "\uff1d1+1", "{{ 7*7 }}", "</style></td></table>", "a\u202eb", 'line\nbreak, "quoted"', "&amp;",
    "http://example.invalid/", "{=1}", "00017",
)  # fmt: skip
"""What a counterparty may call itself."""


def open_item(number: int, random: Random, *, largest: int = 5_000_000, until: date = UNTIL) -> OpenItem:
    """One of many: every third is a line of the statement; ages go up to some four months."""
    is_line = number % 3 == 0
    age = random.randrange(0, 130)
    amount = random.choice((-1, 1)) * random.randrange(1, largest)
    kinds = (FindingKind.MISSING_IN_LEDGER, FindingKind.DUPLICATE_ON_STATEMENT, FindingKind.CHARGE) if is_line else (
        FindingKind.IN_TRANSIT, FindingKind.MISSING_ON_STATEMENT, FindingKind.AMBIGUOUS
    )  # fmt: skip
    return OpenItem(
        is_line=is_line,
        id=str(10_000 + number) if is_line else f"txn_{number:026d}",
        day=until - timedelta(days=age),
        amount=amount,
        counterparty=random.choice(_PARTIES),
        reference=random.choice((f"INV-2026-{number:05d}", f"RF{number:023d}", "")),
        text=random.choice(_TEXTS),
        status="" if is_line else random.choice(("PENDING", "POSTED", "CLEARED")),
        age_days=age,
        finding=random.choice(kinds).value,
        is_later=number % 17 == 5,
    )


def aged(items: Sequence[OpenItem]) -> tuple[Aged, ...]:
    """The ages of `items`, in the usual groups."""

    def group(least: int, most: int | None) -> Aged:
        within = [item for item in items if least <= item.age_days and (most is None or item.age_days <= most)]
        lines = [item.amount for item in within if item.is_line]
        transactions = [item.amount for item in within if not item.is_line]
        return Aged(least, most, len(lines), sum(lines), len(transactions), sum(transactions))

    return group(0, 30), group(31, 60), group(61, 90), group(91, None)


def weeks(count: int, *, largest: int = 40_000_000, until: date = UNTIL) -> tuple[Week, ...]:
    """The last `count` weeks up to `until`."""
    random = Random(count)
    last = until - timedelta(days=until.weekday())
    return tuple(
        Week(
            last - timedelta(weeks=back),
            matched=random.randrange(largest // 3, largest),
            open_lines=random.randrange(largest // 90),
            open_transactions=random.randrange(largest // 40),
        )
        for back in range(count - 1, -1, -1)
    )


def proved(report: Report, *, gap: int = 0, opening: int = 0) -> Report:
    """The report with an equation that its open items and differences explain to the last minor unit."""
    lines = [item.amount for item in report.open_items if item.is_line]
    transactions = [item.amount for item in report.open_items if not item.is_line]
    unsettled = [one.difference for one in report.differences]
    charges = [item.amount for item in report.open_items if item.is_line and item.finding == FindingKind.CHARGE.value]
    equation = Equation(
        statement_balance=123_456_789,
        deposits_in_transit=sum(amount for amount in transactions if amount > 0),
        outstanding_payments=sum(amount for amount in transactions if amount < 0),
        receipts_not_recorded=-sum(amount for amount in lines if amount > 0) + sum(max(one, 0) for one in charges),
        payments_not_recorded=-sum(amount for amount in lines if amount < 0) + sum(min(one, 0) for one in charges),
        write_offs_proposed=-sum(charges),
        differences=sum(unsettled),
        opening_difference=opening,
        statement_gap=gap,
        ledger_balance=0,
    )
    return replace(report, equation=replace(equation, ledger_balance=equation.total))


def some_report(items: int = 12, week_count: int = 9, differences: int = 3, **changes: object) -> Report:
    """A report of `items` open items; `changes` replaces members of it."""
    random = Random(items)
    found = tuple(sorted((open_item(number, random) for number in range(items)), key=lambda item: item.day))
    whole = Report(
        entity_id="entity_acme",
        account_id="acc_bank_eur",
        account_name="Bank, current account EUR",
        currency="EUR",
        exponent=2,
        until=UNTIL,
        began=date(2026, 1, 1),
        is_closed=False,
        revision=42,
        sequence=184_467,
        made_time=MADE,
        closed_by="",
        closed_time=None,
        equation=Equation(0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        lines=1_204,
        transactions=1_198,
        matched=(
            MatchedBy(RuleKind.REFERENCE.value, 1_040, 0, 1_040, 1_040, 914_332_118),
            MatchedBy(RuleKind.AMOUNT_AND_COUNTERPARTY.value, 88, 12, 88, 88, 4_120_355),
            MatchedBy(RuleKind.ONE_LINE_TO_MANY.value, 7, 2, 7, 41, 27_118_020),
            MatchedBy("MANUAL", 3, 0, 4, 3, 51_000),
        ),
        ages=aged(found),
        open_items=found,
        open_items_left_out=0,
        differences=tuple(
            Difference(
                match=300 + number,
                rule=(RuleKind.REFERENCE, RuleKind.ONE_LINE_TO_MANY)[number % 2].value,
                lines=(10_900 + number,),
                transactions=tuple(f"txn_{number * 10 + part:026d}" for part in range(1 + number % 2 * 2)),
                difference=(1, -1_250, 35)[number % 3],
                why="Same reference INV-2026-00017; 100.01 against 100.00",
                write_off="",
            )
            for number in range(differences)
        ),
        weeks=weeks(week_count),
        findings=tuple(
            (kind, len(amounts), sum(amounts))
            for kind in sorted({item.finding for item in found})
            if (amounts := [item.amount for item in found if item.finding == kind])
        ),
    )
    return replace(proved(whole, gap=-100, opening=2_500), **changes)  # type: ignore[arg-type]


def empty_report(**changes: object) -> Report:
    """Nothing on either side: an account on its first day."""
    zeros = Equation(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    return some_report(
        0, 0, 0, equation=zeros, matched=(), lines=0, transactions=0, ages=aged(()), findings=(), **changes
    )


def enormous(exponent: int = 2) -> Report:
    """Amounts of 38 digits, and a minor unit beside them."""
    largest = 10**38 - 1
    whole = some_report(40, 12, exponent=exponent)
    items = tuple(
        replace(item, amount=largest - place if place % 2 else -1 - place)
        for place, item in enumerate(whole.open_items)
    )
    bars = tuple(replace(week, matched=largest, open_lines=1, open_transactions=largest // 3) for week in whole.weeks)
    differences = tuple(replace(one, difference=-largest) for one in whole.differences)
    changed = replace(whole, open_items=items, ages=aged(items), weeks=bars, differences=differences)
    by = tuple(replace(one, amount=largest) for one in changed.matched)
    return replace(proved(changed, gap=1, opening=-largest), matched=by, account_name="W" * 80)


def hostile_report() -> Report:
    """Every text of the report is one of HOSTILE."""
    plain = some_report(len(HOSTILE), 2, len(HOSTILE))
    items = tuple(
        replace(item, counterparty=text, reference=text, text=text)
        for item, text in zip(plain.open_items, HOSTILE, strict=True)
    )
    differences = tuple(replace(one, why=text) for one, text in zip(plain.differences, HOSTILE, strict=True))
    names = {"account_name": HOSTILE[0], "closed_by": HOSTILE[1], "is_closed": True, "closed_time": MADE}
    return replace(plain, open_items=items, differences=differences, **names)  # type: ignore[arg-type]
