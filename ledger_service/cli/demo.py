"""`ledger-service demo`: a day on a marketplace, told by a client of the service.

Everything goes through the public API with the Python client; the demo knows nothing of the service's inside.
Each run makes an entity of its own, so it may run as often as one likes, against any service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ledger_service.cli.errors import CommandError
from ledger_service.cli.service_access import DEFAULT_TARGET, explain, open_client

if TYPE_CHECKING:
    from ledger_client import LedgerClient


def command(
    target: Annotated[str, typer.Option(envvar="LEDGER_TARGET", help="The service, HOST:PORT.")] = DEFAULT_TARGET,
    token: Annotated[
        str,
        typer.Option(envvar="LEDGER_TOKEN", help="Bearer token; without it, the one kept in the data folder."),
    ] = "",
    data_dir: Annotated[
        str | None, typer.Option(help="The service's data folder, for its token (default: data).")
    ] = None,
    plaintext: Annotated[
        bool, typer.Option("--plaintext", help="No TLS to other hosts either; to this one there is none.")
    ] = False,
) -> None:
    """Play a day on a marketplace with customer wallets, and show the books.

    Deposits, a sale with its fee, a refund, hold and release, partial capture, payout, reversal; what the
    ledger refuses, and what a repeated request does. Ends with the chart of accounts and a trial balance;
    exit status 1 if that does not net to zero. Each run has an entity of its own.
    """
    import asyncio

    from ledger_client import LedgerError

    client = open_client(target, token, data_dir=data_dir, plaintext=plaintext)
    try:
        balanced = asyncio.run(_play(client, target))
    except LedgerError as error:
        raise CommandError(explain(error, target)) from error
    if not balanced:
        raise CommandError("the trial balance does not net to zero; prove the database with: ledger-service verify")


async def _play(client: LedgerClient, target: str) -> bool:
    """Tell the story and print the books; True when the trial balance nets to zero."""
    from rich.console import Console

    from ledger_client import new_key
    from ledger_service.cli.demo_print import StepPrinter, print_chart, print_trial_balance
    from ledger_service.cli.demo_story import Story, read_books

    console = Console(highlight=False)
    entity_id = f"demo-{new_key()}"
    async with client:
        printer = StepPrinter(console)
        story = Story(client, entity_id, printer)
        await story.prepare()
        console.print(f"\n[bold]A day on a marketplace[/] at {target}\n[dim]entity {entity_id}[/]\n")
        printer.print_heading()
        await story.play()
        books = await read_books(client, entity_id)
    console.print()
    print_chart(console, books)
    return print_trial_balance(console, books)
