"""A reconciliation's report in the terminal: made for 80 columns and more, in colour and plain in a pipe."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from ledger_service.application.reconciling.report import Difference, MatchedBy, OpenItem, Report, Week
from ledger_service.cli.columns import Column, print_columns
from ledger_service.rendering import words
from ledger_service.rendering.words import counted, grouped, printable

_DATE_WIDTH = 10
_LEAST_BAR = 12
_WIDEST_BAR = 60
_SHOWN_WEEKS = 26
_WIDE = 120
"""A terminal of so many columns has room for ids."""
_NARROW_NAME = 22

_MATCHED, _OPEN_TRANSACTIONS, _OPEN_LINES = "█", "▒", "░"
_ASCII_BARS = {_MATCHED: "#", _OPEN_TRANSACTIONS: "=", _OPEN_LINES: "-"}


def print_report(report: Report, shown_items: int, console: Console | None = None) -> bool:
    """Print the report: the proof, what matched, ages, open items, differences, a bar for each week.

    At most `shown_items` open items and as many differences are listed; 0 lists all. Returns whether the balances are
    explained to the last minor unit.
    """
    console = console or Console(highlight=False)
    _print_heading(console, report)
    _print_proof(console, report)
    amounts = f"{counted(report.lines, 'line')} and {counted(report.transactions, 'transaction')} up to the date"
    print_matched(console, report.matched, report.exponent, amounts)
    _print_ages(console, report)
    print_findings(console, report.findings, report.exponent)
    _print_open_items(console, report, shown_items)
    _print_differences(console, report, shown_items)
    _print_weeks(console, report)
    return report.equation.adds_up


def _print_heading(console: Console, report: Report) -> None:
    name = printable(report.account_name) or printable(report.account_id)
    console.print(Text.assemble((name, "bold cyan"), f"  {report.currency}, as of ", (f"{report.until}", "bold")))
    console.print(Text(f"{printable(report.entity_id)}, {printable(report.account_id)}", style="dim"), soft_wrap=True)
    about = f"From {report.began}; revision {report.revision}, ledger at sequence {report.sequence}"
    console.print(Text(about, style="dim"), soft_wrap=True)
    console.print(Text(words.state_of(report), style="bold" if report.is_closed else "dim"), soft_wrap=True)


def _print_proof(console: Console, report: Report) -> None:
    equation = report.equation
    adjusted = equation.statement_balance + sum(term.of(equation) for term in words.TIMING)
    rows = [
        (words.STATEMENT_BALANCE.label, equation.statement_balance, True),
        *((f"  {term.label}", term.of(equation), False) for term in words.TIMING),
        ("Adjusted statement balance", adjusted, True),
        *((f"  {term.label}", term.of(equation), False) for term in words.UNSETTLED),
        ("Balance explained", equation.total, True),
        (words.LEDGER_BALANCE.label, equation.ledger_balance, True),
    ]
    console.print()
    shown = [
        (Text(label, style="bold" if is_sum else ""), _amount(units, report.exponent, "bold" if is_sum else ""))
        for label, units, is_sum in rows
    ]
    print_columns(console, (Column("Balances and what lies between them"), Column(report.currency, right=True)), shown)
    if equation.adds_up:
        check = "OK:" if console.options.ascii_only else "✓"
        console.print(Text(f"{check} explained to the last minor unit", style="bold green"))
    else:
        rest = grouped(words.unexplained(equation), report.exponent)
        console.print(Text(f"NOT EXPLAINED: {rest} {report.currency}", style="bold red"), soft_wrap=True)


def print_matched(console: Console, matched: Sequence[MatchedBy], exponent: int, about: str) -> None:
    """Print what each rule has matched; `about` stands beside the heading."""
    print_title(console, "Matched", about)
    if not matched:
        console.print(Text("nothing", style="dim"))
        return
    columns = (Column("by", flexible=True), *_figures("matches", "unconfirmed", "lines", "transactions", "amount"))
    rows = [
        (
            words.rule_name(by.rule),
            f"{by.matches:,}",
            Text(f"{by.proposed:,}", style="yellow" if by.proposed else "dim"),
            f"{by.lines:,}",
            f"{by.transactions:,}",
            grouped(by.amount, exponent),
        )
        for by in matched
    ]
    print_columns(console, columns, rows)


def _print_ages(console: Console, report: Report) -> None:
    print_title(console, "Open by age", "in days")
    rows = [
        (
            words.age_range(aged),
            f"{aged.lines:,}",
            _amount(aged.lines_amount, report.exponent),
            f"{aged.transactions:,}",
            _amount(aged.transactions_amount, report.exponent),
        )
        for aged in report.ages
    ]
    print_columns(console, (Column("age"), *_figures("lines", "amount", "transactions", "amount")), rows)


def print_findings(console: Console, findings: Sequence[tuple[str, int, int]], exponent: int) -> None:
    """Print how many there are of each kind, and what they come to in minor units; nothing if there are none."""
    if not findings:
        return
    print_title(console, "What is open or differs")
    rows = [(words.finding_name(kind), f"{count:,}", _amount(units, exponent)) for kind, count, units in findings]
    print_columns(console, (Column("kind"), *_figures("items", "amount")), rows)


def _print_open_items(console: Console, report: Report, shown: int) -> None:
    print_title(console, "Open items", "oldest first")
    total = len(report.open_items) + report.open_items_left_out
    if not total:
        console.print(Text("none", style="dim"))
        return
    items = report.open_items[:shown] if shown else report.open_items
    is_wide = console.width >= _WIDE
    columns = (
        Column("date"),
        Column("on"),
        Column("amount", right=True),
        Column("what it is"),
        *((Column("id"),) if is_wide else ()),
        Column("counterparty, reference, text", flexible=True),
    )
    print_columns(console, columns, [_open_item(item, report.exponent, is_wide=is_wide) for item in items])
    _print_more(console, total - len(items))


def _open_item(item: OpenItem, exponent: int, *, is_wide: bool) -> list[Text | str]:
    # What is settled by now is set back.
    style = "dim" if item.is_later else "cyan" if item.is_line else ""
    name = Text(words.item_name(item))
    if not is_wide:
        name.truncate(_NARROW_NAME, overflow="ellipsis")
    parts = (item.counterparty, item.reference, item.text)
    about = " · ".join(printable(part) for part in parts if part) or printable(item.id)
    return [
        item.day.isoformat(),
        Text("statement" if item.is_line else "ledger", style=style),
        _amount(item.amount, exponent),
        name,
        *([Text(printable(item.id), style="dim")] if is_wide else []),
        Text(about, style=style),
    ]


def _print_differences(console: Console, report: Report, shown: int) -> None:
    if not report.differences:
        return
    print_title(console, "Differences within matches")
    chosen = report.differences[:shown] if shown else report.differences
    rows = [
        (
            str(one.match),
            _amount(one.difference, report.exponent),
            _about_difference(one, is_wide=console.width >= _WIDE),
        )
        for one in chosen
    ]
    columns = (*_figures("match", "difference"), Column("matched by, and why", flexible=True, wraps=True))
    print_columns(console, columns, rows)
    _print_more(console, len(report.differences) + report.differences_left_out - len(chosen))


def _about_difference(difference: Difference, *, is_wide: bool) -> Text:
    about = Text(words.difference_name(difference.rule, difference.write_off))
    if difference.why:
        about.append(f": {printable(difference.why)}", style="dim")
    if is_wide:
        lines = [f"line {line}" for line in difference.lines]
        about.append(f" ({', '.join([*lines, *map(printable, difference.transactions)])})", style="dim")
    return about


def _print_weeks(console: Console, report: Report) -> None:
    if not report.weeks:
        return
    weeks = report.weeks[-_SHOWN_WEEKS:]
    earlier = len(report.weeks) - len(weeks)
    print_title(console, "By week", f"the last {len(weeks)}, {counted(earlier, 'week')} before" if earlier else "")
    largest = max(_total(week) for week in weeks)
    amount_width = max(len(grouped(_total(week), report.exponent)) for week in weeks)
    room = max(_LEAST_BAR, min(_WIDEST_BAR, console.width - _DATE_WIDTH - amount_width - 4))
    for week in weeks:
        total = grouped(_total(week), report.exponent)
        line = Text.assemble(f"{week.monday}  {total:>{amount_width}}  ", *_bar(console, week, largest, room))
        line.rstrip()
        console.print(line, soft_wrap=True)
    marks = ((_MATCHED, "matched"), (_OPEN_TRANSACTIONS, "open in the ledger"), (_OPEN_LINES, "open on the statement"))
    console.print(Text("   ".join(f"{_mark(console, mark)} {name}" for mark, name in marks), style="dim"))


def _bar(console: Console, week: Week, largest: int, room: int) -> list[tuple[str, str]]:
    """The week's amounts as marks; what is there has one mark at least, and the bar never leaves its room."""
    parts = (
        (_OPEN_LINES, week.open_lines, "red"),
        (_OPEN_TRANSACTIONS, week.open_transactions, "yellow"),
        (_MATCHED, week.matched, "green"),
    )
    drawn = []
    left = room
    # The open ones first: they are what one looks for, and have to be seen beside a fortune that matched.
    for mark, units, style in parts:
        width = min(left, max(1, units * room // largest)) if units else 0
        left -= width
        drawn.append((_mark(console, mark) * width, style))
    return drawn[::-1]


def _mark(console: Console, mark: str) -> str:
    return _ASCII_BARS[mark] if console.options.ascii_only else mark


def _total(week: Week) -> int:
    return week.matched + week.open_lines + week.open_transactions


def print_title(console: Console, title: str, about: str = "") -> None:
    """Print a heading with an empty line above it."""
    console.print()
    console.print(Text.assemble((title, "bold"), (f"  {about}" if about else "", "dim")), soft_wrap=True)


def _print_more(console: Console, number: int) -> None:
    if number:
        console.print(Text(f"and {number:,} more", style="dim"))


def _figures(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, right=True) for name in names)


def _amount(units: int, exponent: int, style: str = "") -> Text:
    colour = "red" if units < 0 else "dim" if units == 0 else ""
    return Text(grouped(units, exponent), style=f"{style} {colour}".strip())
