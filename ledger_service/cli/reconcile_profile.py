"""`reconcile profile`: how an account is matched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger_service.cli.errors import CommandError, ExitCode
from ledger_service.cli.reconcile_options import Account, talk

if TYPE_CHECKING:
    from rich.console import Console

    from ledger_client import LedgerClient, messages

_MAX_BYTES = 1024 * 1024
"""A profile of all that is allowed is a tenth of it."""


def profile(
    account: Account,
    change: Annotated[
        Path | None,
        typer.Option("--set", metavar="FILE.json", help="Change the members that this file has; the others stay."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As --set takes it.")] = False,
) -> None:
    """Show, or change, how an account is matched.

    That is: rules in order, charges, where differences are written off, how CSV files are read. Members of the file
    are those that --json prints. What is matched stays so. Before the first statement it needs --currency. Scope:
    read; to change it write.
    """
    wanted = _read(change) if change is not None else None

    async def work(client: LedgerClient) -> tuple[messages.ReconciliationProfile, bool]:
        from ledger_client import messages

        if wanted is not None:
            from google.protobuf.field_mask_pb2 import FieldMask

            message, paths = wanted
            changed = await client.reconciliations.UpdateReconciliationProfile(
                messages.UpdateReconciliationProfileRequest(
                    **account.ids, profile=message, update_mask=FieldMask(paths=paths)
                )
            )
            return changed.profile, False
        found = await client.reconciliations.GetReconciliationProfile(
            messages.GetReconciliationProfileRequest(**account.ids)
        )
        return found.profile, found.is_default

    found, is_default = talk(account, work)
    if as_json:
        from ledger_service.cli.reconcile_json import print_json, to_plain

        print_json(to_plain(found))
    else:
        from ledger_service.cli.reconcile_tables import new_console

        print_profile(new_console(), found, is_default=is_default)


def _read(path: Path) -> tuple[messages.ReconciliationProfile, list[str]]:
    """The profile in a file and which members it has. Raises CommandError."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise CommandError(f"{path}: is larger than {_MAX_BYTES:,} bytes: that is no profile", ExitCode.USAGE)
        members = json.loads(path.read_bytes())
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}", ExitCode.USAGE) from error
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{path}: is no JSON: {error}", ExitCode.USAGE) from error
    try:
        return parse_profile(members)
    except ValueError as error:
        raise CommandError(f"{path}: {error}", ExitCode.USAGE) from error


def parse_profile(members: Any) -> tuple[messages.ReconciliationProfile, list[str]]:  # noqa: ANN401 - JSON
    """A profile and which members are given, by the names of the protos.

    Names and values are those of protobuf's JSON, or those that --json prints. Raises ValueError.
    """
    from google.protobuf import json_format

    from ledger_client import messages

    if not isinstance(members, dict) or not members:
        raise ValueError('must be an object with members to change, such as {"clears_transactions": true}')
    known = messages.ReconciliationProfile.DESCRIPTOR.fields
    names = {name: field.name for field in known for name in (field.name, field.json_name)}
    paths = sorted({names[name] for name in members if name in names})
    try:
        return json_format.ParseDict(_with_prefixes(members), messages.ReconciliationProfile()), paths
    except json_format.ParseError as error:
        raise ValueError(str(error)) from None


def _with_prefixes(members: dict[str, Any]) -> dict[str, Any]:
    """Kinds of rules as the protos name them; all else as it is."""
    rules = members.get("rules")
    if not isinstance(rules, list):
        return members
    prefix = "MATCH_RULE_KIND_"
    return {
        **members,
        "rules": [
            {**rule, "kind": prefix + rule["kind"]}
            if isinstance(rule, dict) and isinstance(rule.get("kind"), str) and not rule["kind"].startswith(prefix)
            else rule
            for rule in rules
        ],
    }


def print_profile(console: Console, found: messages.ReconciliationProfile, *, is_default: bool) -> None:
    """The rules in order, and the rest."""
    from rich.text import Text

    from ledger_service.cli.columns import Column, print_columns
    from ledger_service.cli.reconcile_convert import rule
    from ledger_service.cli.reconcile_print import print_title
    from ledger_service.rendering.words import printable, rule_name

    console.print(Text("The default profile" if is_default else "The account's own profile", style="bold cyan"))
    print_title(console, "Rules", "tried in this order")
    columns = (
        Column("#", right=True),
        Column("by", flexible=True),
        Column("days", right=True),
        Column("tolerance", right=True),
        Column("or share", right=True),
        Column("names", right=True),
        Column("group", right=True),
        Column("confirms"),
    )
    rows = [
        (
            str(place),
            rule_name(rule(one.kind)),
            str(one.days),
            one.tolerance,
            f"{one.tolerance_ppm / 10_000:g} %",
            f"{one.similarity} %" if one.kind == _by_names() else "",
            str(one.most) if one.kind in _in_groups() else "",
            Text("by itself", style="green") if one.auto_confirm else Text("you", style="dim"),
        )
        for place, one in enumerate(found.rules, 1)
    ]
    print_columns(console, columns, rows)
    if found.charges:
        print_title(console, "Charges", "lines that only the bank knew of, and where they are booked")
        signs = {-1: "out", 0: "either", 1: "in"}
        print_columns(
            console,
            (Column("name"), Column("way"), Column("account"), Column("words, and description", flexible=True)),
            [
                (
                    printable(one.name),
                    signs.get(one.sign, str(one.sign)),
                    one.account_id,
                    f"{printable(one.pattern)}: {printable(one.description)}",
                )
                for one in found.charges
            ],
        )
    print_title(console, "Besides")
    for text in _besides(found):
        console.print(Text(text), soft_wrap=True)


def _besides(found: messages.ReconciliationProfile) -> list[str]:
    from ledger_service.rendering.words import printable

    differences = (
        f"differences within a tolerance are written off to {found.difference_account_id}: "
        f"{printable(found.difference_description)}"
        if found.difference_account_id
        else "differences within a tolerance stay open: no account for them is set"
    )
    clears = (
        "confirming sets PENDING transactions CLEARED" if found.clears_transactions else "confirming clears nothing"
    )
    mapping = ", ".join(f"{printable(name)}={printable(value)}" for name, value in sorted(found.csv_mapping.items()))
    return [
        differences,
        clears,
        *(["statements show the other party's view: amounts are turned round"] if found.is_inverted else ()),
        *([f"CSV files are read with {mapping}"] if mapping else ()),
    ]


def _by_names() -> int:
    from ledger_client import messages

    return messages.MATCH_RULE_KIND_AMOUNT_AND_COUNTERPARTY


def _in_groups() -> tuple[int, ...]:
    from ledger_client import messages

    return (
        messages.MATCH_RULE_KIND_ONE_LINE_TO_MANY,
        messages.MATCH_RULE_KIND_MANY_LINES_TO_ONE,
        messages.MATCH_RULE_KIND_MANY_TO_MANY,
    )
