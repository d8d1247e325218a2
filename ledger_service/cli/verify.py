"""`ledger-service verify`: prove the whole ledger from its entries."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger_service.cli.errors import CommandError, ExitCode
from ledger_service.config import Settings, load_settings

if TYPE_CHECKING:
    from ledger_service.cli.checkpoint_files import Known
    from ledger_service.domain.sealing.checkpoint import Head
    from ledger_service.storage.verification import VerifyProgress, VerifyReport


def command(
    dsn: Annotated[
        str | None,
        typer.Option(help="The database; better in LEDGER_DSN, arguments are public."),
    ] = None,
    data_dir: Annotated[
        str | None,
        typer.Option(help="Without a DSN: the data folder of the embedded PostgreSQL (default: data)."),
    ] = None,
    max_breaks: Annotated[
        int, typer.Option(min=1, max=100_000, help="How many breaks to list; all are counted.")
    ] = 100,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="A file of checkpoints, kept elsewhere: the history must go on from each."),
    ] = None,
    public_key: Annotated[
        str | None,
        typer.Option(
            help="The key that must have signed them, 64 hexadecimal digits (default: that of LEDGER_CHECKPOINT_KEY, "
            "or else the one beside each checkpoint)."
        ),
    ] = None,
) -> None:
    """Prove from the tables alone that no rule of the ledger is broken.

    Every transaction balances, every balance follows from its entries, keys were used once, transactions
    lived a legal life, limits held, the sequence has no gap, the triggers and rights that guard all this are
    in place, and everything is what was sealed when it was committed. With --checkpoint also whatever somebody with
    all rights on the database has rewritten since, or taken away from the end. Reads everything, in one snapshot: it
    may run while the service writes. Exit status 0 if all is well, 1 with one line for each break.
    """
    import asyncio

    from ledger_service.telemetry import configure_logging

    settings = load_settings(dsn=dsn, data_dir=data_dir)
    configure_logging(settings.log_level, settings.log_format)
    known = _known(settings, checkpoint, public_key)
    report = asyncio.run(_verify(settings, max_breaks, known.heads))
    for line in known.problems + report.breaks:
        typer.echo(line)
    if report.unlisted:
        typer.echo(f"and {report.unlisted:,} more; list them with --max-breaks")
    typer.echo(_summary(report, len(known.problems)))
    if known.key_ids:
        typer.echo(f"held to {report.checkpoints:,} checkpoints, signed by key {', '.join(known.key_ids)}")
    if not report.is_clean or known.problems:
        raise typer.Exit(ExitCode.PROBLEM_FOUND)


def _known(settings: Settings, file: Path | None, public_key: str | None) -> Known:
    """What the file of checkpoints says."""
    from ledger_service.bootstrap import checkpoint_key
    from ledger_service.cli.checkpoint_files import Known, known

    if file is None:
        if public_key is not None:
            raise CommandError("--public-key is for checkpoints: give --checkpoint too", ExitCode.USAGE)
        return Known([], [], [])
    expected: bytes | None = None
    if public_key is not None:
        if re.fullmatch(r"[0-9a-fA-F]{64}", public_key) is None:
            raise CommandError("--public-key must be 64 hexadecimal digits", ExitCode.USAGE)
        expected = bytes.fromhex(public_key)
    elif (key := checkpoint_key(settings)) is not None:
        expected = key.public_key
    return known(file, expected)


async def _verify(settings: Settings, max_breaks: int, heads: Sequence[Head]) -> VerifyReport:
    from ledger_service.cli.database_access import database_dsn
    from ledger_service.storage.verification import verify_database

    async with database_dsn(settings) as dsn:
        with _progress_bar() as progress:
            return await verify_database(dsn, progress=progress, max_breaks=max_breaks, heads=heads)


@contextlib.contextmanager
def _progress_bar() -> Iterator[Callable[[VerifyProgress], None] | None]:
    """A bar on standard error for somebody who waits; nothing where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("[cyan]›[/] Proving {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(now: VerifyProgress) -> None:
            bar.update(task, description=now.stage, completed=now.done, total=now.total or None)

        yield show


def _summary(report: VerifyReport, problems: int) -> str:
    """One line: what was walked, how long it took, and the verdict."""
    counted = ", ".join(
        f"{number:,} {one if number == 1 else many}"
        for number, one, many in (
            (report.entities, "entity", "entities"),
            (report.accounts, "account", "accounts"),
            (report.transactions, "transaction", "transactions"),
            (report.events, "event", "events"),
            (report.entries, "entry", "entries"),
            (report.seals, "seal", "seals"),
        )
    )
    breaks = len(report.breaks) + report.unlisted + problems
    verdict = "all rules hold" if not breaks else f"{breaks:,} {'break' if breaks == 1 else 'breaks'} found"
    return f"{verdict}: {counted} in {report.seconds:.1f} s"
