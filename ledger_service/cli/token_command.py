"""`ledger-service token`: make, list and revoke bearer tokens, directly in the database."""

from __future__ import annotations

import re
import secrets
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ledger_service.application.access import Scope
from ledger_service.cli.errors import CommandError, ExitCode
from ledger_service.config import Settings, load_settings

if TYPE_CHECKING:
    from ledger_service.storage.credentials import Credential

_PREFIX = "ledger_"
_RANDOM_BYTES = 32
_MAX_NAME_CHARACTERS = 100
_LONGEST = timedelta(days=36_500)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"([0-9]{1,9})([smhdw])", re.ASCII)

_Result = TypeVar("_Result")

_Dsn = Annotated[str | None, typer.Option("--dsn", help="The database; better in LEDGER_DSN, arguments are public.")]
_DataDir = Annotated[
    str | None,
    typer.Option("--data-dir", help="Without a DSN: data folder of the embedded PostgreSQL (default: data)."),
]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make, list and revoke bearer tokens.\n\nWorks on the database itself, also while the service runs on it.",
)


@app.command()
def create(
    name: Annotated[str, typer.Option(help="Whose token it is: stands as the actor in the history.")],
    scope: Annotated[list[Scope], typer.Option(help="What it may be used for; give it once for each.")],
    entity: Annotated[
        list[str] | None, typer.Option(help="Id of an entity that it may see; without any: every entity.")
    ] = None,
    expires_in: Annotated[
        str | None, typer.Option(help="How long it is good, as 90d, 12h or 30m; without: until revoked.")
    ] = None,
    dsn: _Dsn = None,
    data_dir: _DataDir = None,
) -> None:
    """Make a token and print it, this once: only a keyed hash of it is kept.

    The token alone goes to standard output. Services that use LEDGER_KEY_PEPPER need the same value here.
    """
    from ledger_service.application.authentication import token_hmac

    settings = _settings(dsn, data_dir)
    scopes = tuple(dict.fromkeys(each.value for each in scope))
    entity_ids = tuple(dict.fromkeys(entity)) if entity else None
    _check(name, entity_ids)
    expire_time = datetime.now(UTC) + _duration(expires_in) if expires_in is not None else None
    token = _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    digest = token_hmac(token, settings.key_pepper.get_secret_value())
    credential_id = _run(_add(settings, name, digest, scopes, entity_ids, expire_time))
    typer.echo(
        f"{credential_id}: {name}, {', '.join(scopes)}, {_entities(entity_ids)}, "
        f"{f'until {_time(expire_time)}' if expire_time else 'until revoked'}; "
        "keep the token now, it cannot be shown again:",
        err=True,
    )
    typer.echo(token)


@app.command("list")
def list_tokens(dsn: _Dsn = None, data_dir: _DataDir = None) -> None:
    """List all tokens, oldest first, with what they are for and whether they are good."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    credentials = _run(_all(_settings(dsn, data_dir)))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("ID", "NAME", "SCOPES", "ENTITIES", "CREATED", "EXPIRES", "STATE"):
        table.add_column(heading, overflow="fold")
    now = datetime.now(UTC)
    for each in credentials:
        cells = (
            each.credential_id, each.name, ", ".join(each.scopes), _entities(each.entity_ids),
            _time(each.created_time), _time(each.expire_time) if each.expire_time else "never", _state(each, now),
        )  # fmt: skip
        # As Text: a name may look like markup.
        table.add_row(*(Text(cell) for cell in cells))
    # A pipe has no width: give the lines the room they need, so that grep finds whole ones.
    Console(highlight=False, width=None if sys.stdout.isatty() else 250).print(table)


@app.command()
def revoke(
    credential_id: Annotated[str, typer.Argument(metavar="ID", help="Of the token, as `token list` shows it.")],
    dsn: _Dsn = None,
    data_dir: _DataDir = None,
) -> None:
    """End a token, for good. Services that have just seen it may take it for some seconds more."""
    from ledger_service.application.authentication import CACHE_SECONDS

    if not _run(_revoke(_settings(dsn, data_dir), credential_id)):
        raise CommandError(
            f"there is no token {credential_id} that could be revoked; 'ledger-service token list' shows them"
        )
    typer.echo(f"{credential_id} is revoked; every service refuses it within {CACHE_SECONDS:.0f} seconds")


def _settings(dsn: str | None, data_dir: str | None) -> Settings:
    from ledger_service.telemetry import configure_logging

    settings = load_settings(dsn=dsn, data_dir=data_dir)
    configure_logging(settings.log_level, settings.log_format)
    return settings


def _run(work: Coroutine[None, None, _Result]) -> _Result:
    import asyncio

    return asyncio.run(work)


async def _add(
    settings: Settings,
    name: str,
    digest: bytes,
    scopes: tuple[str, ...],
    entity_ids: tuple[str, ...] | None,
    expire_time: datetime | None,
) -> str:
    import uuid_utils

    from ledger_service.cli.database_access import database_dsn
    from ledger_service.domain.identifiers import random_id
    from ledger_service.storage import credentials

    credential_id = random_id("cred_", uuid_utils.uuid7().int)
    async with database_dsn(settings) as where:
        await credentials.add(where, credential_id, name, digest, scopes, entity_ids, expire_time)
    return credential_id


async def _all(settings: Settings) -> list[Credential]:
    from ledger_service.cli.database_access import database_dsn
    from ledger_service.storage import credentials

    async with database_dsn(settings) as where:
        return await credentials.all_of_them(where)


async def _revoke(settings: Settings, credential_id: str) -> bool:
    from ledger_service.cli.database_access import database_dsn
    from ledger_service.storage import credentials

    async with database_dsn(settings) as where:
        return await credentials.revoke(where, credential_id)


def _check(name: str, entity_ids: tuple[str, ...] | None) -> None:
    """Refuse what could never be used, before anything is written."""
    from ledger_service.domain.errors import LedgerError
    from ledger_service.domain.identifiers import check_chosen_id

    if not 0 < len(name) <= _MAX_NAME_CHARACTERS or not name.isprintable() or name != name.strip():
        raise CommandError(
            f"--name must have 1 to {_MAX_NAME_CHARACTERS} printable characters, without blanks around them",
            ExitCode.USAGE,
        )
    for entity_id in entity_ids or ():
        try:
            check_chosen_id(entity_id, "--entity")
        except LedgerError as error:
            raise CommandError(str(error), ExitCode.USAGE) from error


def _duration(text: str) -> timedelta:
    """Read `90d`; raises CommandError saying how to write it."""
    match = _DURATION.fullmatch(text)
    wrong = CommandError(
        f"--expires-in: write a number and s, m, h, d or w, at most {_LONGEST.days}d, for example 90d, not {text!r}",
        ExitCode.USAGE,
    )
    if match is None:
        raise wrong
    try:
        duration = timedelta(**{_UNITS[match[2]]: int(match[1])})
    except OverflowError:
        raise wrong from None
    if not timedelta() < duration <= _LONGEST:
        raise wrong
    return duration


def _entities(entity_ids: tuple[str, ...] | None) -> str:
    return "every entity" if entity_ids is None else ", ".join(entity_ids)


def _state(credential: Credential, now: datetime) -> str:
    if credential.revoked_time is not None:
        return f"revoked {_time(credential.revoked_time)}"
    if credential.expire_time is not None and credential.expire_time <= now:
        return "expired"
    return "good"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
