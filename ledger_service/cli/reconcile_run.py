"""`reconcile run`: the rules, and what they found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ledger_service.cli.reconcile_options import Account, talk, waiting

if TYPE_CHECKING:
    from rich.console import Console

    from ledger_client import LedgerClient, messages


def run(account: Account, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Run the account's rules, and say what they found.

    They are run over all that is open. What several facts speak for is confirmed at once; the rest is proposed and
    waits for `confirm` or `reject`. What is matched stays so, and what was rejected does not come back. May be run as
    often as one likes. Scope: write.
    """

    async def work(client: LedgerClient) -> messages.RunMatchingResponse:
        return await run_rules(client, account)

    answer = talk(account, work)
    if as_json:
        from ledger_service.cli.reconcile_json import print_json, to_plain

        print_json(to_plain(answer))
    else:
        from ledger_service.cli.reconcile_tables import new_console

        print_run(new_console(), answer)


async def run_rules(client: LedgerClient, account: Account) -> messages.RunMatchingResponse:
    """Run them and wait."""
    from ledger_client import messages

    with waiting("Matching"):
        return await client.reconciliations.RunMatching(messages.RunMatchingRequest(**account.ids))


def print_run(console: Console, answer: messages.RunMatchingResponse) -> None:
    """What was matched by which rule, what is open, and what to do next."""
    from rich.text import Text

    from ledger_service.cli import reconcile_convert as convert
    from ledger_service.cli.reconcile_print import print_findings, print_matched
    from ledger_service.rendering.words import counted

    amounts = [*(one.amount for one in answer.matched), *(one.amount for one in answer.findings)]
    exponent = convert.exponent_of(amounts[0]) if amounts else 0
    print_matched(console, convert.matched(answer.matched, exponent), exponent, "by this run")
    print_findings(console, convert.finding_counts(answer.findings, exponent), exponent)
    told = [
        f"still open: {counted(answer.open_lines, 'line')} and {counted(answer.open_transactions, 'transaction')}",
        *([f"write-offs proposed: {answer.write_offs:,}"] if answer.write_offs else ()),
        *(
            [f"set CLEARED: {counted(answer.cleared_transactions, 'transaction')}"]
            if answer.cleared_transactions
            else ()
        ),
        *([f"taken apart: {counted(answer.undone_matches, 'match')}"] if answer.undone_matches else ()),
    ]
    console.print()
    console.print(Text("; ".join(told)), soft_wrap=True)
    proposed = sum(one.proposed for one in answer.matched)
    if proposed:
        waits = (
            f"{counted(proposed, 'match')} to look at: `reconcile matches --state proposed`, then `confirm`, `reject`"
        )
        console.print(Text(waits, style="yellow"), soft_wrap=True)
