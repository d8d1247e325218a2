"""`reconcile import`, `start` and `file`: what comes into a reconciliation."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger_service.cli.errors import CommandError, ExitCode
from ledger_service.cli.reconcile_options import Account, refusal, talk
from ledger_service.cli.reconcile_run import print_run, run_rules
from ledger_service.cli.reconcile_show import SHOWN_ITEMS, Day, ShownItems, print_result, read_result

if TYPE_CHECKING:
    from rich.console import Console

    from ledger_client import LedgerClient, messages

Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="The bank's files, oldest first.")]
Mapping = Annotated[
    list[str] | None,
    typer.Option(
        "--mapping",
        metavar="KEY=VALUE",
        help="Of a CSV file, what can't be found by looking (see `ledger-service statement`); may be repeated.",
    ),
]
Opening = Annotated[str, typer.Option(help="Balance at the beginning, where the file does not tell.", metavar="AMOUNT")]
Closing = Annotated[str, typer.Option(help="Balance at the end, where the file does not tell.", metavar="AMOUNT")]
BankAccount = Annotated[
    str,
    typer.Option(
        help="The bank's account that the files must be of, where it is another one than before.", metavar="ID"
    ),
]


def import_files(
    account: Account,
    files: Files,
    mapping: Mapping = None,
    opening: Opening = "",
    closing: Closing = "",
    bank_account: BankAccount = "",
) -> None:
    """Take in files that the bank sent.

    Formats: camt.053, camt.054, MT940, MT942, OFX, QFX, BAI2, CSV, and reports of Stripe, PayPal and Adyen. A file
    comes in whole or not at all. The same file again, or lines that another file brought, change nothing; so after a
    failure just repeat the command. The first file begins the reconciliation, at its first day and with its opening
    balance. Scope: write.
    """
    prepared = _Files(files, mapping, opening, closing, bank_account)

    async def work(client: LedgerClient) -> None:
        await prepared.send(client, account)

    talk(account, work)


def everything(
    account: Account,
    files: Files,
    mapping: Mapping = None,
    opening: Opening = "",
    closing: Closing = "",
    bank_account: BankAccount = "",
    date: Day = "",
    items: ShownItems = SHOWN_ITEMS,
) -> None:
    """Do it all: take in files, run the rules, show the result.

    The same as `import`, `run` and `show` one after the other, and like them safe to repeat. Nothing is decided for
    you: what the rules only propose waits for `confirm` or `reject`. Exit status 1 if a file is refused, or the
    balances are not explained. Scopes: write, read.
    """
    from ledger_service.cli.reconcile_tables import new_console

    prepared = _Files(files, mapping, opening, closing, bank_account)
    console = new_console()

    async def work(client: LedgerClient) -> bool:
        await prepared.send(client, account)
        print_run(console, await run_rules(client, account))
        console.print()
        return print_result(console, await read_result(client, account, date, items), items)

    if not talk(account, work):
        raise typer.Exit(ExitCode.PROBLEM_FOUND)


def start(
    account: Account,
    date: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="The first day to look at.")],
    balance: Annotated[
        str, typer.Option(metavar="AMOUNT", help="The bank's balance at the beginning of that day; else the ledger's.")
    ] = "",
    outstanding: Annotated[
        list[str] | None,
        typer.Option(metavar="TXN", help="A transaction before that day that the bank had not booked; repeat it."),
    ] = None,
) -> None:
    """Begin the reconciliation of an account at a day.

    Only needed where the first file does not tell where the bank's balance stood, or where transactions from before
    were not booked by the bank yet. May be repeated until something is matched. Needs --currency. Scope: write.
    """
    from ledger_service.cli.reconcile_show import print_both_balances
    from ledger_service.cli.reconcile_tables import new_console

    async def work(client: LedgerClient) -> messages.Reconciliation:
        from ledger_client import messages

        answer = await client.reconciliations.StartReconciliation(
            messages.StartReconciliationRequest(
                **account.ids,
                date=date,
                statement_balance=balance,
                outstanding_transaction_ids=outstanding or [],
            )
        )
        return answer.reconciliation

    begun = talk(account, work)
    print_both_balances(new_console(), f"{begun.account_id} is reconciled from {begun.first_date} on", begun)


class _Files:
    """Files to send, in order, and how to read them."""

    def __init__(
        self, files: Sequence[Path], mapping: Sequence[str] | None, opening: str, closing: str, bank_account: str
    ) -> None:
        """Check all there is to check here. Raises CommandError: before the first of many is sent."""
        if len(files) > 1 and (opening or closing):
            raise CommandError("--opening and --closing are of one file: send it alone", ExitCode.USAGE)
        for file in files:
            try:
                with file.open("rb"):
                    pass
            except OSError as error:
                raise CommandError(f"{file}: {error.strerror or error}", ExitCode.USAGE) from None
        self._files = files
        self._mapping = _mapping(mapping or [])
        self._opening = opening
        self._closing = closing
        self._bank_account = bank_account

    async def send(self, client: LedgerClient, account: Account) -> None:
        """Send each and print what came in."""
        from ledger_client import LedgerError, messages
        from ledger_service.cli.reconcile_tables import new_console

        console = new_console()
        for file in self._files:
            header = messages.ImportStatementHeader(
                **account.ids,
                csv_mapping=self._mapping,
                opening_balance=self._opening,
                closing_balance=self._closing,
                bank_account=self._bank_account,
            )
            try:
                with _upload_bar(file.name) as on_progress:
                    answer = await client.import_statement(file, header, on_progress=on_progress)
            except LedgerError as error:
                raise CommandError(f"{file}: {refusal(error, account.target)}") from error
            except OSError as error:
                raise CommandError(f"{file}: {error.strerror or error}", ExitCode.USAGE) from error
            _print_import(console, file, answer)


def _print_import(console: Console, file: Path, answer: messages.ImportStatementResponse) -> None:
    from rich.text import Text

    from ledger_service.cli.reconcile_tables import print_statements
    from ledger_service.rendering.words import counted, printable

    formats = ", ".join(sorted({one.format for one in answer.statements}))
    number = counted(len(answer.statements), "statement")
    what = "is here already" if answer.replayed else f"{counted(answer.lines, 'new line')}"
    head = Text.assemble((printable(file.name), "bold cyan"), f"  {formats}, {number}: {what}")
    console.print(head, soft_wrap=True)
    print_statements(console, answer.statements)


def _mapping(pairs: Sequence[str]) -> dict[str, str]:
    """What the service is told, checked as it will be there."""
    from ledger_service.domain.errors import LedgerError
    from ledger_service.statements.csv_mapping import mapping_of

    try:
        mapping_of(list(pairs))
    except LedgerError as error:
        raise CommandError(error.message, ExitCode.USAGE) from None
    return {name.strip(): value.strip() for name, _, value in (pair.partition("=") for pair in pairs)}


@contextlib.contextmanager
def _upload_bar(name: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on standard error for somebody who waits; nothing where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("[cyan]›[/] {task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"Sending {escape(name)}", total=None)

        def show(sent: int, total: int) -> None:
            # When all has left, the service reads it: that takes as long again.
            verb = "Reading" if sent >= total else "Sending"
            bar.update(task, completed=sent, total=max(total, sent), description=f"{verb} {escape(name)}")

        yield show
