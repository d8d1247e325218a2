"""`reconcile show`: the result, in the terminal and as documents."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger_service.cli.errors import CommandError, ExitCode
from ledger_service.cli.reconcile_options import Account, talk, waiting

if TYPE_CHECKING:
    from rich.console import Console

    from ledger_client import Document, LedgerClient, messages

SHOWN_ITEMS = 50
_MOST_ITEMS = 10_000
"""That one answer of the service holds; documents have more."""

_STDOUT = Path("-")

Day = Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="The statement date; else that of the last statement.")]
ShownItems = Annotated[
    int, typer.Option(min=0, max=_MOST_ITEMS, help="How many open items, and differences, the table lists; 0: all.")
]
_File = typer.Option(metavar="FILE", help="Save it so; - for standard output.")


def show(
    account: Account,
    date: Day = "",
    items: ShownItems = SHOWN_ITEMS,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON, with all open items.")] = False,
    csv: Annotated[Path | None, _File] = None,
    xlsx: Annotated[Path | None, _File] = None,
    html: Annotated[Path | None, _File] = None,
) -> None:
    """Show the result: what explains both balances, what is open.

    It is as of the end of a day. As tables, or as documents: JSON, CSV (open items and differences), a workbook, a
    page to print. A day that is closed shows what was closed. Exit status 0 whether or not all is matched, 1 if the
    balances are not explained. Scope: read.
    """
    from ledger_service.cli.reconcile_tables import new_console

    wanted = {name: path for name, path in (("csv", csv), ("xlsx", xlsx), ("html", html)) if path is not None}
    if as_json:
        wanted["json"] = _STDOUT
    if sum(path == _STDOUT for path in wanted.values()) > 1:
        raise CommandError("only one document fits on standard output; name files for the others", ExitCode.USAGE)

    async def work(client: LedgerClient) -> tuple[messages.Reconciliation, list[tuple[Path, Document]]]:
        if not wanted:
            return await read_result(client, account, date, items), []
        documents = [(path, await _export(client, account, date, kind)) for kind, path in wanted.items()]
        return await read_result(client, account, date, 1), documents

    result, documents = talk(account, work)
    for path, document in documents:
        _save(path, document)
    adds_up = result.equation.adds_up if documents else print_result(new_console(), result, items)
    if not adds_up:
        raise typer.Exit(ExitCode.PROBLEM_FOUND)


async def read_result(client: LedgerClient, account: Account, date: str, items: int) -> messages.Reconciliation:
    """The result with so many open items; 0: as many as there may be."""
    from ledger_client import messages

    with waiting("Reading the result"):
        answer = await client.reconciliations.GetReconciliation(
            messages.GetReconciliationRequest(**account.ids, date=date, max_open_items=items or _MOST_ITEMS)
        )
    return answer.reconciliation


def print_result(console: Console, result: messages.Reconciliation, items: int) -> bool:
    """Print all of it; returns whether the balances are explained."""
    from ledger_service.cli.reconcile_convert import report
    from ledger_service.cli.reconcile_print import print_report

    return print_report(report(result), items, console)


def print_both_balances(console: Console, what: str, result: messages.Reconciliation) -> None:
    """What was done, and where both sides stand."""
    from rich.text import Text

    from ledger_service.cli.reconcile_convert import report
    from ledger_service.rendering.words import grouped

    whole = report(result)
    equation, exponent = whole.equation, whole.exponent
    amounts = (
        ("statement", equation.statement_balance),
        ("ledger", equation.ledger_balance),
        *((("opening difference", equation.opening_difference),) if equation.opening_difference else ()),
    )
    told = ", ".join(f"{name} {grouped(amount, exponent)}" for name, amount in amounts)
    console.print(Text.assemble((what, "bold"), f": {told} {whole.currency}"), soft_wrap=True)


async def _export(client: LedgerClient, account: Account, date: str, kind: str) -> Document:
    from ledger_client import messages

    formats = {
        "csv": messages.RECONCILIATION_FORMAT_CSV,
        "xlsx": messages.RECONCILIATION_FORMAT_XLSX,
        "html": messages.RECONCILIATION_FORMAT_HTML,
        "json": messages.RECONCILIATION_FORMAT_JSON,
    }
    with waiting(f"Making the {kind} document"):
        return await client.export_reconciliation(
            messages.ExportReconciliationRequest(**account.ids, date=date, format=formats[kind])
        )


def _save(path: Path, document: Document) -> None:
    if path == _STDOUT:
        sys.stdout.buffer.write(document.content)
        sys.stdout.buffer.flush()
        return
    try:
        path.write_bytes(document.content)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}", ExitCode.USAGE) from error
    typer.echo(f"saved {path}, {len(document.content):,} bytes", err=True)
