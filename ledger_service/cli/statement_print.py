"""A bank file as tables: made for 80 columns and more, in colour on a terminal and plain in a pipe."""

from __future__ import annotations

from decimal import Decimal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ledger_service.statements.model import Balance, Line, Statement, StatementFile

_DATE_WIDTH = 10


def print_tables(found: StatementFile, name: str, shown_lines: int) -> None:
    """Print a heading, a table for each statement, and what contradicts itself.

    Texts of the file are printed as plain text: no markup, no control characters.
    """
    console = Console(highlight=False)
    lines = sum(len(statement.lines) for statement in found.statements)
    heading = f"{found.format}, {_counted(len(found.statements), 'statement')}, {_counted(lines, 'line')}"
    console.print(Text.assemble((_printable(name), "bold"), "  ", heading))
    for statement in found.statements:
        console.print()
        _print_statement(console, statement, shown_lines)
    if found.warnings:
        console.print()
        console.print(Text("The file contradicts itself:", style="bold yellow"))
        for warning in found.warnings:
            where = f"  line {warning.line}: " if warning.line else "  "
            console.print(Text(where + _printable(warning.message), style="yellow"), soft_wrap=True)


def _print_statement(console: Console, statement: Statement, shown_lines: int) -> None:
    account = _printable(statement.account) or "account not told"
    title = Text.assemble((account, "bold cyan"), "  ", statement.currency or "currency not told")
    if statement.number:
        title.append(f"  no. {_printable(statement.number)}", style="dim")
    console.print(title, soft_wrap=True)
    with_value = any(line.value_date != line.booking_date for line in statement.lines)
    table = _empty_table(console, _amount_width(statement), with_value=with_value)
    _add_balance(table, "opening", statement.opening)
    chosen = statement.lines if not shown_lines else statement.lines[:shown_lines]
    for line in chosen:
        _add_line(table, line)
    if len(chosen) < len(statement.lines):
        rest = statement.lines[len(chosen) :]
        total = sum((line.amount for line in rest if line.booked), Decimal(0))
        _add_row(table, Text("…"), _amount(total), Text(""), Text(f"and {len(rest):,} more; --lines 0 shows all"))
    _add_balance(table, "closing", statement.closing)
    console.print(table)
    booked = [line.amount for line in statement.lines if line.booked]
    summary = (
        f"{_counted(len(statement.lines), 'line')}: in {sum((a for a in booked if a > 0), Decimal(0)):,}, "
        f"out {sum((a for a in booked if a < 0), Decimal(0)):,}, together {sum(booked, Decimal(0)):,}"
    )
    console.print(Text(summary, style="dim"), soft_wrap=True)


def _empty_table(console: Console, amount_width: int, *, with_value: bool) -> Table:
    """A table as wide as the terminal: dates and amounts are never cut, texts have what is left."""
    dates = 2 if with_value else 1
    # Three blanks between columns, one at either edge.
    left = console.width - _DATE_WIDTH * dates - amount_width - 3 * (dates + 3)
    party = max(8, min(24, left // 3))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("booked", no_wrap=True, width=_DATE_WIDTH)
    if with_value:
        table.add_column("value date", no_wrap=True, width=_DATE_WIDTH)
    table.add_column("amount", justify="right", no_wrap=True, width=amount_width)
    table.add_column("counterparty", overflow="ellipsis", no_wrap=True, width=party)
    table.add_column("reference and text", overflow="ellipsis", no_wrap=True, width=max(8, left - party))
    return table


def _amount_width(statement: Statement) -> int:
    """How wide the column of amounts is; rich would rather cut amounts than texts."""
    amounts = [line.amount for line in statement.lines]
    amounts += [balance.amount for balance in (statement.opening, statement.closing) if balance is not None]
    return max((len(f"{amount:,}") for amount in amounts), default=8)


def _add_balance(table: Table, name: str, balance: Balance | None) -> None:
    about = Text(f"{name} balance", style="bold")
    if balance is None:
        _add_row(table, Text(""), Text("not told", style="dim"), about, Text(""))
        return
    day = Text(balance.date.isoformat() if balance.date else "", style="bold")
    _add_row(table, day, _amount(balance.amount, "bold"), about, Text(""))


def _add_line(table: Table, line: Line) -> None:
    about = " · ".join(part for part in (*line.references[:1], line.text) if part)
    if line.details:
        about = f"{len(line.details)} parts: {about}"
    style = "" if line.booked else "dim"
    _add_row(
        table,
        Text(line.booking_date.isoformat() if line.booked else "announced", style=style),
        _amount(line.amount, style),
        Text(_printable(line.counterparty), style=style),
        Text(_printable(about), style=style),
        value="" if line.value_date == line.booking_date else line.value_date.isoformat(),
    )


def _add_row(table: Table, booked: Text, amount: Text, party: Text, about: Text, *, value: str = "") -> None:
    with_value = len(table.columns) == 5
    table.add_row(booked, *([value] if with_value else []), amount, party, about)


def _amount(amount: Decimal, style: str = "") -> Text:
    return Text(f"{amount:,}", style=f"{style} {'red' if amount < 0 else 'green'}")


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _printable(text: str) -> str:
    """Text without what moves the cursor or turns the direction of writing."""
    return "".join(character if character.isprintable() else " " for character in text)
