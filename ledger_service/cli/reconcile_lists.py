"""`reconcile list`, `lines`, `items`, `matches`, `findings`: what there is, as tables or JSON."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger_service.cli.reconcile_options import Account, Entity, talk

if TYPE_CHECKING:
    from rich.console import Console

    from ledger_client import LedgerClient

PAGE_SIZE = 1000
"""As large as the service allows: all of it is wanted."""

_Json = Annotated[bool, typer.Option("--json", help="All of it as JSON, for programs.")]


class MatchStates(StrEnum):
    """What has become of a match."""

    proposed = "proposed"
    confirmed = "confirmed"
    rejected = "rejected"
    undone = "undone"


class Rules(StrEnum):
    """Kinds of rules, as people type them."""

    reference = "reference"
    amount_and_date = "amount-and-date"
    amount_and_counterparty = "amount-and-counterparty"
    one_line_to_many = "one-line-to-many"
    many_lines_to_one = "many-lines-to-one"
    many_to_many = "many-to-many"
    cancelled = "cancelled"
    manual = "manual"
    charge = "charge"


class Kinds(StrEnum):
    """Kinds of findings, as people type them."""

    missing_in_ledger = "missing-in-ledger"
    missing_on_statement = "missing-on-statement"
    in_transit = "in-transit"
    duplicate_in_ledger = "duplicate-in-ledger"
    duplicate_on_statement = "duplicate-on-statement"
    amount_differs = "amount-differs"
    date_differs = "date-differs"
    references_swapped = "references-swapped"
    reference_differs = "reference-differs"
    batched = "batched"
    charge = "charge"
    ambiguous = "ambiguous"
    too_many_candidates = "too-many-candidates"


def _any_of(names: type[StrEnum], what: str) -> Any:  # noqa: ANN401 - typer's
    """An option that lists its choices in its help: in the place of a type they would make a line of hundreds."""
    return typer.Option(help=f"Only {what}: {', '.join(names)}.", metavar="NAME", show_default=False)


def lines(
    account: Account,
    only_open: Annotated[bool, typer.Option("--open", help="Only those without a pair.")] = False,
    statement: Annotated[int, typer.Option(min=0, help="Only of this statement; 0: all that are not settled.")] = 0,
    as_json: _Json = False,
) -> None:
    """List lines of statements.

    Those of what is not closed yet, or of one statement. Scope: read.
    """

    async def work(client: LedgerClient) -> list[Any]:
        from ledger_client import messages, paginate

        request = messages.ListStatementLinesRequest(
            **account.ids,
            statement_number=statement,
            state=messages.ITEM_STATE_OPEN if only_open else messages.ITEM_STATE_UNSPECIFIED,
            page_size=PAGE_SIZE,
        )
        pages = paginate(client.reconciliations.ListStatementLines, request)
        return [one async for page in pages for one in page.lines]

    from ledger_service.cli.reconcile_tables import print_lines

    _print("lines", talk(account, work), print_lines, as_json=as_json)


def items(
    account: Account,
    only_open: Annotated[bool, typer.Option("--open", help="Only those without a pair.")] = False,
    as_json: _Json = False,
) -> None:
    """List what transactions did to the account.

    Of what is not closed yet; by transaction. Scope: read.
    """

    async def work(client: LedgerClient) -> list[Any]:
        from ledger_client import messages, paginate

        request = messages.ListLedgerItemsRequest(
            **account.ids,
            state=messages.ITEM_STATE_OPEN if only_open else messages.ITEM_STATE_UNSPECIFIED,
            page_size=PAGE_SIZE,
        )
        pages = paginate(client.reconciliations.ListLedgerItems, request)
        return [one async for page in pages for one in page.items]

    from ledger_service.cli.reconcile_tables import print_items

    _print("items", talk(account, work), print_items, as_json=as_json)


def matches(
    account: Account,
    state: Annotated[MatchStates | None, _any_of(MatchStates, "in this state")] = None,
    rule: Annotated[Rules | None, _any_of(Rules, "by this rule")] = None,
    as_json: _Json = False,
) -> None:
    """List matches: what belongs together, by which rule and why. Scope: read."""

    async def work(client: LedgerClient) -> list[Any]:
        return await read_matches(client, account, state, rule)

    from ledger_service.cli.reconcile_tables import print_matches

    _print("matches", talk(account, work), print_matches, as_json=as_json)


async def read_matches(client: LedgerClient, account: Account, state: str | None, rule: str | None = None) -> list[Any]:
    """All matches in a state, by a rule; None: any."""
    from ledger_client import messages, paginate

    request = messages.ListMatchesRequest(
        **account.ids,
        state=messages.MatchState.Value(f"MATCH_STATE_{_constant(state)}"),
        rule=messages.MatchRuleKind.Value(f"MATCH_RULE_KIND_{_constant(rule)}"),
        page_size=PAGE_SIZE,
    )
    pages = paginate(client.reconciliations.ListMatches, request)
    return [one async for page in pages for one in page.matches]


def findings(
    account: Account,
    kind: Annotated[Kinds | None, _any_of(Kinds, "of this kind")] = None,
    as_json: _Json = False,
) -> None:
    """List what the last run of the rules found.

    Item by item, as far as it is still so. Scope: read.
    """

    async def work(client: LedgerClient) -> list[Any]:
        from ledger_client import messages, paginate

        request = messages.ListFindingsRequest(
            **account.ids,
            kind=messages.FindingKind.Value(f"FINDING_KIND_{_constant(kind)}"),
            page_size=PAGE_SIZE,
        )
        pages = paginate(client.reconciliations.ListFindings, request)
        return [one async for page in pages for one in page.findings]

    from ledger_service.cli.reconcile_tables import print_findings

    _print("findings", talk(account, work), print_findings, as_json=as_json)


def reconciliations(
    entity: Entity,
    account: Annotated[
        str, typer.Option(help="The closings of this account, newest first.", show_default=False, metavar="ID")
    ] = "",
    currency: Annotated[str, typer.Option(help="Only in this currency.", show_default=False)] = "",
    as_json: _Json = False,
) -> None:
    """List reconciled accounts, or the closings of one.

    With how far they are. Scope: read.
    """

    async def work(client: LedgerClient) -> list[Any]:
        from ledger_client import messages, paginate

        request = messages.ListReconciliationsRequest(
            entity_id=entity.entity, account_id=account, currency=currency, page_size=PAGE_SIZE
        )
        pages = paginate(client.reconciliations.ListReconciliations, request)
        return [one async for page in pages for one in page.reconciliations]

    from ledger_service.cli.reconcile_tables import print_reconciliations

    _print("reconciliations", talk(entity, work), print_reconciliations, as_json=as_json)


def _constant(name: str | None) -> str:
    """As the protos write it; None is any."""
    return name.upper().replace("-", "_") if name else "UNSPECIFIED"


def _print(name: str, found: list[Any], tables: Callable[[Console, list[Any]], None], *, as_json: bool) -> None:
    if as_json:
        from ledger_service.cli.reconcile_json import print_list

        print_list(name, found)
    else:
        from ledger_service.cli.reconcile_tables import new_console

        tables(new_console(), found)
