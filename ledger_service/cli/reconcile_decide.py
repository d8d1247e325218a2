"""`reconcile confirm`, `reject`, `undo`, `match`, `close`, `reopen`: what people decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ledger_service.cli.errors import CommandError, ExitCode
from ledger_service.cli.reconcile_lists import PAGE_SIZE, read_matches
from ledger_service.cli.reconcile_options import Account, talk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger_client import LedgerClient, messages

_AT_ONCE = 10_000
"""Matches that one call of the service decides about."""

_Numbers = Annotated[list[int] | None, typer.Argument(metavar="NUMBER", min=1, help="Of matches, see `matches`.")]
_Note = Annotated[str, typer.Option(help="Why; kept with who did it and when.", show_default=False, metavar="TEXT")]


def confirm(
    account: Account,
    numbers: _Numbers = None,
    every: Annotated[bool, typer.Option("--all", help="All that are proposed, but those with a write-off.")] = False,
    with_write_offs: Annotated[bool, typer.Option("--with-write-offs", help="With --all: those as well.")] = False,
    note: _Note = "",
) -> None:
    """Confirm matches that are proposed.

    Books their write-offs, each as a transaction of its own, and sets PENDING transactions CLEARED if the profile says
    so. What is refused is told, the rest stands; exit status 1 then. Scope: write; for write-offs approve as well.
    """
    _check_choice(numbers, every=every)
    if with_write_offs and not every:
        raise CommandError(
            "--with-write-offs goes with --all; a match given by its number is confirmed with its own", ExitCode.USAGE
        )

    async def work(client: LedgerClient) -> messages.ConfirmMatchesResponse:
        from ledger_client import messages

        return await client.reconciliations.ConfirmMatches(
            messages.ConfirmMatchesRequest(
                **account.ids, match_numbers=numbers or [], with_write_offs=with_write_offs, note=note
            )
        )

    answer = talk(account, work)
    from ledger_service.rendering.words import counted

    told = [f"confirmed {counted(answer.confirmed, 'match')}"]
    if answer.write_offs:
        told.append(f"booked {counted(answer.write_offs, 'write-off')}")
    if answer.cleared_transactions:
        told.append(f"set {counted(answer.cleared_transactions, 'transaction')} CLEARED")
    typer.echo(", ".join(told))
    if answer.failures:
        from ledger_service.cli.reconcile_tables import new_console, print_failures

        print_failures(new_console(), answer.failures)
        raise typer.Exit(ExitCode.PROBLEM_FOUND)


def reject(
    account: Account,
    numbers: _Numbers = None,
    every: Annotated[bool, typer.Option("--all", help="All that are proposed.")] = False,
    note: _Note = "",
) -> None:
    """Say that proposed matches are wrong.

    Their pairs never come back, neither alone nor in a group. Scope: write.
    """
    _check_choice(numbers, every=every)

    async def work(client: LedgerClient) -> int:
        from ledger_client import messages

        chosen = numbers or [one.number for one in await read_matches(client, account, "proposed")]
        return sum([
            (
                await client.reconciliations.RejectMatches(
                    messages.RejectMatchesRequest(**account.ids, match_numbers=some, note=note)
                )
            ).rejected
            for some in _in_parts(chosen)
        ])  # fmt: skip

    _tell("rejected", talk(account, work))


def undo(
    account: Account,
    numbers: _Numbers = None,
    every: Annotated[bool, typer.Option("--all", help="All that are proposed or confirmed and not closed.")] = False,
    note: _Note = "",
) -> None:
    """Take matches apart again, confirmed ones too.

    A write-off that was booked stays in the ledger and is open then: reverse it, or match it. Scope: write.
    """
    _check_choice(numbers, every=every)

    async def work(client: LedgerClient) -> int:
        from ledger_client import messages

        chosen = numbers or await _live(client, account)
        return sum([
            (
                await client.reconciliations.UndoMatches(
                    messages.UndoMatchesRequest(**account.ids, match_numbers=some, note=note)
                )
            ).undone
            for some in _in_parts(chosen)
        ])  # fmt: skip

    _tell("taken apart", talk(account, work))


def match(
    account: Account,
    line: Annotated[list[int] | None, typer.Option(min=1, help="Number of an open line; repeat it.")] = None,
    transaction: Annotated[
        list[str] | None, typer.Option(metavar="TXN", help="Id of an open transaction; repeat it.")
    ] = None,
    write_off: Annotated[
        str, typer.Option(metavar="ACCOUNT", help="Book the difference on this account.", show_default=False)
    ] = "",
    description: Annotated[
        str, typer.Option(metavar="TEXT", help="Of the write-off; goes with --write-off.", show_default=False)
    ] = "",
    note: _Note = "",
) -> None:
    """Put open lines and transactions together by hand.

    Without --write-off it is confirmed at once, whatever the difference; with it, it is proposed until `confirm` books
    it. One line alone with --write-off books what only the bank knew of. Scope: write.
    """
    from ledger_service.cli.reconcile_tables import new_console, print_matches

    async def work(client: LedgerClient) -> messages.ReconciliationMatch:
        from ledger_client import messages

        answer = await client.reconciliations.CreateMatch(
            messages.CreateMatchRequest(
                **account.ids,
                line_numbers=line or [],
                transaction_ids=transaction or [],
                write_off_account_id=write_off,
                write_off_description=description,
                note=note,
            )
        )
        return answer.match

    print_matches(new_console(), [talk(account, work)])


def close(
    account: Account,
    date: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="The statement date.")],
    accept_differences: Annotated[
        bool,
        typer.Option(
            "--accept-differences", help="Close although something is not explained by items; it is carried over."
        ),
    ] = False,
    note: _Note = "",
) -> None:
    """Freeze what is reconciled up to the end of a day.

    Its transactions can't be voided or edited any more, its matches not be undone; what is open is carried over.
    Refused while a match up to the day is only proposed or a matched transaction is PENDING; and while there is a gap,
    an opening difference or a difference within a match, unless --accept-differences. Scope: close.
    """
    from ledger_service.cli.reconcile_show import print_both_balances
    from ledger_service.cli.reconcile_tables import new_console
    from ledger_service.rendering.words import counted

    async def work(client: LedgerClient) -> messages.Reconciliation:
        from ledger_client import messages

        answer = await client.reconciliations.CloseReconciliation(
            messages.CloseReconciliationRequest(
                **account.ids, date=date, accept_differences=accept_differences, note=note
            )
        )
        return answer.reconciliation

    closed = talk(account, work)
    print_both_balances(new_console(), f"{closed.account_id} is closed to {closed.date}", closed)
    open_lines, open_transactions = sum(a.lines for a in closed.ages), sum(a.transactions for a in closed.ages)
    typer.echo(f"carried over: {counted(open_lines, 'line')}, {counted(open_transactions, 'transaction')}")


def reopen(
    account: Account,
    date: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="The day of the last closing.")],
    note: _Note = "",
) -> None:
    """Take the last closing back. It is recorded, with who did it and why. Scope: close."""

    async def work(client: LedgerClient) -> messages.ReopenReconciliationResponse:
        from ledger_client import messages

        return await client.reconciliations.ReopenReconciliation(
            messages.ReopenReconciliationRequest(**account.ids, date=date, note=note)
        )

    talk(account, work)
    typer.echo(f"{account.account}: the closing to {date} is taken back")


async def _live(client: LedgerClient, account: Account) -> list[int]:
    """Matches that hold members which no closing has settled."""
    from ledger_client import messages, paginate

    found: set[int] = set()
    states: tuple[messages.ItemState.ValueType, ...] = (messages.ITEM_STATE_PROPOSED, messages.ITEM_STATE_CONFIRMED)
    for state in states:
        of_lines = messages.ListStatementLinesRequest(
            **account.ids, statement_number=0, state=state, page_size=PAGE_SIZE
        )
        async for lines in paginate(client.reconciliations.ListStatementLines, of_lines):
            found.update(one.match_number for one in lines.lines)
        of_items = messages.ListLedgerItemsRequest(**account.ids, state=state, page_size=PAGE_SIZE)
        async for items in paginate(client.reconciliations.ListLedgerItems, of_items):
            found.update(one.match_number for one in items.items)
    return sorted(found)


def _check_choice(numbers: Sequence[int] | None, *, every: bool) -> None:
    if bool(numbers) == every:
        raise CommandError("give either numbers of matches or --all", ExitCode.USAGE)


def _in_parts(numbers: Sequence[int]) -> list[Sequence[int]]:
    return [numbers[first : first + _AT_ONCE] for first in range(0, len(numbers), _AT_ONCE)]


def _tell(verb: str, number: int) -> None:
    from ledger_service.rendering.words import counted

    typer.echo(f"{verb}: {counted(number, 'match')}")
