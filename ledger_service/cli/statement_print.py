"""A bank file as tables: made for 80 columns and more, in colour on a terminal and plain in a pipe."""

from __future__ import annotations

from decimal import Decimal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ledger_service.statements.model import Balance, Line, Statement, StatementFile


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
    table = Table(box=box.SIMPLE_HEAD, show_footer=False, pad_edge=False, expand=False)
    table.add_column("booked", no_wrap=True, min_width=10)
    table.add_column("value", no_wrap=True, min_width=10)
    table.add_column("amount", justify="right", no_wrap=True, min_width=_amount_width(statement))
    table.add_column("counterparty", min_width=16, max_width=24, overflow="ellipsis", no_wrap=True)
    table.add_column("reference and text", overflow="ellipsis", no_wrap=True, ratio=1)
    _add_balance(table, "opening", statement.opening)
    chosen = statement.lines if not shown_lines else statement.lines[:shown_lines]
    for line in chosen:
        _add_line(table, line)
    if len(chosen) < len(statement.lines):
        rest = statement.lines[len(chosen) :]
        total = sum((line.amount for line in rest if line.booked), Decimal(0))
        table.add_row(
            Text("…"), "", _amount(total), "", Text(f"and {len(rest):,} more; --lines 0 shows all", style="dim")
        )
    _add_balance(table, "closing", statement.closing)
    console.print(table)
    booked = [line.amount for line in statement.lines if line.booked]
    summary = (
        f"{_counted(len(statement.lines), 'line')}: in {sum((a for a in booked if a > 0), Decimal(0)):,}, "
        f"out {sum((a for a in booked if a < 0), Decimal(0)):,}, together {sum(booked, Decimal(0)):,}"
    )
    console.print(Text(summary, style="dim"), soft_wrap=True)


def _amount_width(statement: Statement) -> int:
    """How wide the column of amounts is; rich would rather cut amounts than texts."""
    amounts = [line.amount for line in statement.lines]
    amounts += [balance.amount for balance in (statement.opening, statement.closing) if balance is not None]
    return max((len(f"{amount:,}") for amount in amounts), default=8)


def _add_balance(table: Table, name: str, balance: Balance | None) -> None:
    if balance is None:
        table.add_row("", "", Text("not told", style="dim"), Text(f"{name} balance", style="dim"), "")
        return
    day = balance.date.isoformat() if balance.date else ""
    table.add_row(
        Text(day, style="bold"), "", _amount(balance.amount, "bold"), Text(f"{name} balance", style="bold"), ""
    )


def _add_line(table: Table, line: Line) -> None:
    about = " · ".join(part for part in (*line.references[:1], line.text) if part)
    if line.details:
        about = f"{len(line.details)} parts  {about}"
    style = "" if line.booked else "dim"
    table.add_row(
        Text(line.booking_date.isoformat() if line.booked else "announced", style=style),
        Text("" if line.value_date == line.booking_date else line.value_date.isoformat(), style=style),
        _amount(line.amount, style),
        Text(_printable(line.counterparty), style=style),
        Text(_printable(about), style=style),
    )


def _amount(amount: Decimal, style: str = "") -> Text:
    return Text(f"{amount:,}", style=f"{style} {'red' if amount < 0 else 'green'}")


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _printable(text: str) -> str:
    """Text without what moves the cursor or turns the direction of writing."""
    return "".join(character if character.isprintable() else " " for character in text)
