"""`ledger-service demo`: a day on a marketplace, told by a client of the service.

Everything goes through the public API with the Python client; the demo knows nothing of the service's inside.
Each run makes an entity of its own, so it may run as often as one likes, against any service.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger_service.cli.errors import CommandError, ExitCode
from ledger_service.config import load_settings

if TYPE_CHECKING:
    from ledger_client import LedgerClient, LedgerError

_RETRY_SECONDS = 5.0
"""Somebody is waiting in front of it: a service that is not there is said so soon."""


def command(
    target: Annotated[str, typer.Option(envvar="LEDGER_TARGET", help="The service, HOST:PORT.")] = "127.0.0.1:50051",
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

    from ledger_client import LedgerClient, LedgerError, RetryPolicy

    bearer = token or _kept_token(load_settings(data_dir=data_dir).data_dir / "admin-token")
    try:
        client = LedgerClient(target, bearer, retry=RetryPolicy(overall=_RETRY_SECONDS), plaintext=plaintext)
    except ValueError as error:
        raise CommandError(str(error), ExitCode.USAGE) from error
    try:
        balanced = asyncio.run(_play(client, target))
    except LedgerError as error:
        raise CommandError(_explain(error, target)) from error
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


def _kept_token(path: Path) -> str:
    """The administrator's token that `serve` keeps."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError as error:
        message = f"no token: put one into LEDGER_TOKEN, or name the service's --data-dir ({path} is not there)"
        raise CommandError(message, ExitCode.USAGE) from error
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}", ExitCode.USAGE) from error


def _explain(error: LedgerError, target: str) -> str:
    """What to do about a failure that has nothing to do with the story."""
    if error.reason == "UNAUTHENTICATED":
        return f"the service at {target} does not know this token: put a valid one into LEDGER_TOKEN"
    if error.code.name == "UNAVAILABLE" and not error.reason:
        return f"no service answers at {target}: start one with `make run`, or name another one with --target"
    return str(error)
