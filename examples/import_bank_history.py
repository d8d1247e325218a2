r"""Post a bank's history through the ledger's gRPC API, and prove the result against the bank's own words.

    LEDGER_TARGET=127.0.0.1:50051 LEDGER_TOKEN=... \
        .venv/bin/python examples/import_bank_history.py transactions.csv

See --help. The parts are in `bank_history/`: `records` reads, `chart` decides what is booked where, `posting`
writes, `figures` counts, `reports` reads back and prints.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from bank_history import figures, posting, reports
from bank_history.records import MalformedFileError, Record, read_file
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ledger_client import LedgerClient, LedgerError, RetryPolicy

REFUSED_OR_UNBALANCED = 1
UNUSABLE = 2
STOPPED = 3
INTERRUPTED = 130

_ATTEMPT_SECONDS = 30.0
_IN_FLIGHT = 3
"""Batches under way: one that the ledger is writing, one that it is reading, one that is on its way."""

HELP = """Post the records of a bank into the ledger, then show that the books agree with the bank.

The file is read strictly and as a whole first: one malformed line, and nothing is posted. Each record becomes
a POSTED transaction whose idempotency key is the bank's record number, so the import may be stopped, killed
and started again at any point, and so may the service: nothing is lost and nothing is posted twice.

Afterwards it prints the chart of accounts with balances, a trial balance for each month end, and whose
balance differs by more than 1.00 from what the bank stated on the customer's last day (the nearest of that
day's: their order is not known). The last line is

\b
    posted P, replayed R, customers C, exact E, within 1.00 W, off O

with P recorded by this run, R recorded before, and C = E + W + O: balances that equal the bank's, that differ
by at most 1.00 (the bank rounds the interest that it shows), and that differ by more.

\b
Exit status:
    0  all records are in
    1  a record was refused, or a trial balance does not net to zero
    2  the file or an option is wrong; nothing was posted
    3  the service could not be reached, or refused the caller; run the same command again
"""

_stderr = Console(stderr=True, highlight=False)
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@dataclass(frozen=True, slots=True)
class Options:
    """How to import.

    Attributes:
        entity_id: the entity to post into.
        batch_size: records in one call.
        customers: True: list every customer's account in the chart.
    """

    entity_id: str
    batch_size: int
    customers: bool


@app.command(help=HELP)
def main(
    file: Annotated[Path, typer.Argument(help="The records: semicolons, the columns of PKDD'99.")],
    *,
    target: Annotated[str, typer.Option(envvar="LEDGER_TARGET", help="The service, HOST:PORT.")] = "127.0.0.1:50051",
    token: Annotated[str, typer.Option(envvar="LEDGER_TOKEN", help="Bearer token; keep it in the environment.")] = "",
    entity: Annotated[str, typer.Option(help="Id of the entity to post into, created if need be.")] = "entity_pkdd99",
    batch_size: Annotated[int, typer.Option(min=1, max=10_000, help="Records in one call.")] = 500,
    patience: Annotated[
        float, typer.Option(min=1.0, help="Seconds to wait for a service that does not answer.")
    ] = 120.0,
    plaintext: Annotated[
        bool, typer.Option("--plaintext", help="No TLS to other hosts either; to this one there is none.")
    ] = False,
    customers: Annotated[bool, typer.Option("--customers", help="List every customer's account in the chart.")] = False,
) -> None:
    """Read the command line, do the work, end with its exit status."""
    if not token:
        _end("LEDGER_TOKEN is not set: put the bearer token into it", UNUSABLE)
    waiting = posting.Patience(_stderr, patience)
    retry = RetryPolicy(overall=patience, sleep=waiting.sleep)
    try:
        client = LedgerClient(target, token, timeout=_ATTEMPT_SECONDS, retry=retry, plaintext=plaintext)
        records = read_file(file)
    except MalformedFileError as error:
        _end(f"{file}: {error}; nothing was posted", UNUSABLE)
    except OSError as error:
        _end(f"{file}: {error.strerror}", UNUSABLE)
    except ValueError as error:
        _end(str(error), UNUSABLE)
    try:
        code = asyncio.run(run(client, records, Options(entity, batch_size, customers), waiting))
    except LedgerError as error:
        _end(f"stopped: {error}\nRun the same command again to go on; nothing is posted twice.", STOPPED)
    except KeyboardInterrupt:
        _end("interrupted; run the same command again to go on", INTERRUPTED)
    raise typer.Exit(code)


async def run(client: LedgerClient, records: list[Record], options: Options, waiting: posting.Patience) -> int:
    """Post and report; gives the exit status.

    Raises LedgerError when the service did not answer for too long, or refused more than single records.
    """
    console = Console(highlight=False)
    async with client:
        await posting.prepare(client, options.entity_id, records)
        tally = await _post(client, records, options, waiting)
        book = await reports.open_book(client, options.entity_id)
        rolled_up = await reports.read_nets(client, book, roll_up=True)
        reports.print_chart(console, book, rolled_up, customers=options.customers)
        balanced = await reports.print_trial_balances(console, client, book, figures.month_ends(records))
        balances = reports.customer_balances(await reports.read_nets(client, book), records)
    comparisons = figures.compare(records, balances)
    agreement = figures.agreement(comparisons)
    reports.print_comparison(console, comparisons, agreement)
    reports.print_refusals(console, tally)
    # Plain, whatever the terminal: programs read this line.
    print(reports.summary(tally, comparisons, agreement), flush=True)
    return 0 if balanced and not tally.refused else REFUSED_OR_UNBALANCED


async def _post(
    client: LedgerClient, records: list[Record], options: Options, waiting: posting.Patience
) -> posting.Tally:
    """Post all records under a progress bar, which stays away where nobody watches."""
    progress = Progress(
        TextColumn("posting"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=_stderr,
        disable=not _stderr.is_terminal,
    )
    with progress:
        task = progress.add_task("posting", total=len(records))

        def settled() -> None:
            waiting.answered()
            progress.advance(task)

        return await posting.post(
            client,
            options.entity_id,
            records,
            batch_size=options.batch_size,
            in_flight=_IN_FLIGHT,
            settled=settled,
        )


def _end(message: str, code: int) -> NoReturn:
    _stderr.print(message, style="red", soft_wrap=True, markup=False)
    raise typer.Exit(code)


if __name__ == "__main__":
    app()
