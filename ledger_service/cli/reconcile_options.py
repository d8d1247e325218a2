"""What the commands of `ledger-service reconcile` share: whom they are about, and how they reach the service."""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from ledger_service.cli.errors import CommandError
from ledger_service.cli.service_access import DEFAULT_TARGET, explain, open_client

if TYPE_CHECKING:
    from ledger_client import LedgerClient, LedgerError

_T = TypeVar("_T")

WAIT_SECONDS = 600.0
"""How long one call may take: matching a hundred thousand lines takes a minute, and not every machine is fast."""

_OPTIONS = {
    "entity_id": "--entity",
    "account_id": "--account",
    "currency": "--currency",
    "date": "--date",
    "statement_balance": "--balance",
    "outstanding_transaction_ids": "--outstanding",
    "opening_balance": "--opening",
    "closing_balance": "--closing",
    "csv_mapping": "--mapping",
    "bank_account": "--bank-account",
    "match_numbers": "NUMBER",
    "line_numbers": "--line",
    "transaction_ids": "--transaction",
    "write_off_account_id": "--write-off",
    "write_off_description": "--description",
    "note": "--note",
}
"""What the fields of requests are called here."""

_WORDS = {
    "accept_differences": "--accept-differences",
    "naming the currency": "with --currency",
    "; name the currency": "; give --currency",
}
"""What messages advise, in the words of the command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """Options of commands about an entity."""

    entity: Annotated[str, typer.Option(envvar="LEDGER_ENTITY", help="Id of the entity.")]
    target: Annotated[str, typer.Option(envvar="LEDGER_TARGET", help="The service, HOST:PORT.")] = DEFAULT_TARGET
    token: Annotated[
        str,
        typer.Option(
            envvar="LEDGER_TOKEN", help="Bearer token; without it, the one kept in the data folder.", show_default=False
        ),
    ] = ""
    data_dir: Annotated[str | None, typer.Option(help="The service's data folder, for its token (default: data).")] = (
        None
    )
    plaintext: Annotated[
        bool, typer.Option("--plaintext", help="No TLS to other hosts either; to this one there is none without --ca.")
    ] = False
    ca: Annotated[
        Path | None,
        typer.Option(envvar="LEDGER_CA", metavar="FILE", help="PEM file of the authorities to trust: speak TLS."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account(Entity):
    """Options of commands about the reconciliation of an account."""

    account: Annotated[str, typer.Option(envvar="LEDGER_ACCOUNT", help="Id of the account.")]
    currency: Annotated[
        str,
        typer.Option(
            envvar="LEDGER_CURRENCY", help="Needed if it is reconciled in several currencies.", show_default=False
        ),
    ] = ""

    @property
    def ids(self) -> dict[str, str]:
        """Which reconciliation is meant, as all requests name it."""
        return {"entity_id": self.entity, "account_id": self.account, "currency": self.currency}


def add(group: typer.Typer, name: str, command: Callable[..., None], *, example: str) -> None:
    """Add a command to the group; the first argument of `command`, an Entity or Account, becomes options.

    `example` is what one types after "ledger-service reconcile", one command a line.
    """
    signature = inspect.signature(command, eval_str=True)
    first, *own = signature.parameters.values()
    kind: type[Entity] = first.annotation
    hints = get_type_hints(kind, include_extras=True)
    shared = [
        inspect.Parameter(
            one.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if one.name in ("entity", "account") else one.default,
            annotation=hints[one.name],
        )
        # An account's options come before those of the connection.
        for one in sorted(fields(kind), key=lambda one: one.name not in ("entity", "account", "currency"))
    ]

    @functools.wraps(command)
    def called(**values: Any) -> None:  # noqa: ANN401 - typer's, of the types in the signature
        common = kind(**{one.name: values.pop(one.name) for one in fields(kind)})
        command(common, **values)

    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own] + shared
    called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {one.name: one.annotation for one in parameters}
    lines = "".join(f"\n  ledger-service reconcile {line}" for line in example.splitlines())
    # \b keeps the lines apart.
    group.command(name, epilog=f"\b\nExample:{lines}")(called)


def talk(options: Entity, work: Callable[[LedgerClient], Awaitable[_T]]) -> _T:
    """Do something with the service.

    Raises CommandError: nobody answers, or the service refuses; it says why, with the names that options have.
    """
    import asyncio

    from ledger_client import LedgerError

    async def within() -> _T:
        # A large file may take minutes; that nobody is there should show at once.
        async with _client(options) as probe:
            await _reach(probe, options.entity)
        async with _client(options, WAIT_SECONDS) as client:
            return await work(client)

    try:
        return asyncio.run(within())
    except LedgerError as error:
        raise CommandError(refusal(error, options.target)) from error


def _client(options: Entity, seconds: float | None = None) -> LedgerClient:
    limit = {} if seconds is None else {"seconds": seconds}
    return open_client(
        options.target, options.token, data_dir=options.data_dir, plaintext=options.plaintext, ca=options.ca, **limit
    )


async def _reach(probe: LedgerClient, entity_id: str) -> None:
    """Raise LedgerError if nobody answers. A refusal is an answer: the call itself will tell, if it matters there."""
    from ledger_client import LedgerError, messages

    try:
        await probe.reconciliations.ListReconciliations(
            messages.ListReconciliationsRequest(entity_id=entity_id, page_size=1)
        )
    except LedgerError as error:
        if not error.reason:
            raise


def refusal(error: LedgerError, target: str) -> str:
    """Why the service refuses, in its words, but with what its fields are called here."""
    field = error.metadata.get("field", "")
    option = _OPTIONS.get(field.partition("[")[0])
    text, head = explain(error, target), f"{error.reason}: {field}: "
    if option is not None and text.startswith(head):
        text = f"{error.reason}: {option}: {text.removeprefix(head)}"
    for words, here in _WORDS.items():
        text = text.replace(words, here)
    return text


@contextlib.contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show on standard error that something is under way; nothing where nobody watches."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(f"[cyan]{text}[/]"):
        yield
