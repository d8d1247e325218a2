"""`ledger-service statement`: what is in a bank file, without a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ledger_service.cli.errors import CommandError, ExitCode


def command(
    file: Annotated[Path, typer.Argument(help="The bank's file.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON, for programs.")] = False,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--mapping",
            metavar="KEY=VALUE",
            help="Of a CSV file, what can't be found by looking; may be repeated.",
        ),
    ] = None,
    lines: Annotated[
        int, typer.Option(min=0, help="How many lines of each statement the table shows; 0 shows all.")
    ] = 50,
) -> None:
    """Show what is in a bank file: its format, and per account the balances and the lines.

    Reads camt.053 and camt.054 (versions 02 to 13), MT940 and MT942, OFX 1 and 2 and QFX, BAI2, CSV, and the balance
    reports of Stripe, PayPal and Adyen. The format is found by what is in the file. Needs no server and no account.

    A mapping names columns (date=Buchungstag, amount=Betrag; also value-date, debit, credit, direction, currency,
    counterparty, counterparty-account, reference, text, balance, account) and tells styles: date-order=dmy, mdy or ymd;
    decimal=point or comma; delimiter=comma, semicolon, tab or pipe; encoding=utf-8, cp1252 and others;
    currency-code=EUR and account-number=... where the file does not tell them.

    What in the file contradicts itself, such as a closing balance that its lines do not lead to, is listed below the
    tables, in JSON under `warnings`. Exit status 0 if the file was read, 1 if it was refused.
    """
    from ledger_service.domain.errors import LedgerError
    from ledger_service.statements.csv_mapping import mapping_of
    from ledger_service.statements.reading import read_file

    try:
        told = mapping_of(mapping or [])
    except LedgerError as error:
        raise CommandError(error.message, ExitCode.USAGE) from None
    try:
        found = read_file(str(file), told)
    except LedgerError as error:
        raise CommandError(f"{file}: {error.message}") from None
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror or error}", ExitCode.USAGE) from None
    if as_json:
        from ledger_service.cli.statement_json import print_json

        print_json(found)
    else:
        from ledger_service.cli.statement_print import print_tables

        print_tables(found, file.name, lines)
