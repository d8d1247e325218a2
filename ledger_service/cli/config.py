"""`ledger-service config`: the table of all options."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from ledger_service.config import OptionRow, describe_options, load_settings, misspelt_variables


class TableFormat(StrEnum):
    """How to print the table."""

    table = "table"
    markdown = "markdown"


def command(
    table_format: Annotated[
        TableFormat, typer.Option("--format", help="markdown prints the defaults, for the docs.")
    ] = TableFormat.table,
) -> None:
    """List every option and its value in force.

    With its environment variable, flag, default and meaning. Secrets are not shown.
    """
    if table_format is TableFormat.markdown:
        _print_markdown(describe_options())
        return
    _print_table(describe_options(load_settings()))
    for line in misspelt_variables():
        typer.echo(f"warning: {line}", err=True)


def _print_markdown(rows: list[OptionRow]) -> None:
    typer.echo("| variable | flag | default | meaning |\n| --- | --- | --- | --- |")
    for row in rows:
        flag = f"`{row.flag}`" if row.flag else ""
        default = f"`{row.default}`" if row.default else ""
        typer.echo(f"| `{row.variable}` | {flag} | {default} | {row.meaning} |")


def _print_table(rows: list[OptionRow]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("VARIABLE", "FLAG", "VALUE", "DEFAULT", "MEANING"):
        table.add_column(heading, no_wrap=heading != "MEANING", overflow="fold")
    for row in rows:
        # As Text: a value may look like markup.
        table.add_row(*(Text(cell) for cell in (row.variable, row.flag, row.value, row.default, row.meaning)))
    # A pipe has no width: give the lines the room they need, so that grep finds whole ones.
    Console(highlight=False, width=None if sys.stdout.isatty() else 250).print(table)
