"""`ledger-service token`: make, rotate, list and revoke credentials, directly in the database."""

from __future__ import annotations

import re
import secrets
import sys
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ledger_service.application.access import Scope
from ledger_service.cli.errors import CommandError, ExitCode
from ledger_service.config import Settings, load_settings

if TYPE_CHECKING:
    from ledger_service.storage.credentials import Credential, NewKey

_LONGEST = timedelta(days=36_500)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"([0-9]{1,9})([smhdw])", re.ASCII)

_KEEP_IT = "keep the token now, it cannot be shown again:"

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
    help="Make, rotate, list and revoke keys, and what client certificates stand for.\n\n"
    "Works on the database itself, also while the service runs on it.",
)


_ExpiresIn = Annotated[
    str | None, typer.Option(help="How long it is good, as 90d, 12h or 30m; without: until revoked.")
]


@app.command()
def create(
    scope: Annotated[list[Scope], typer.Option(help="What it may be used for; give it once for each.")],
    name: Annotated[str | None, typer.Option(help="Whose key it is: stands as the actor in the history.")] = None,
    certificate_san: Annotated[
        str | None,
        typer.Option(
            "--certificate-san",
            help="In place of a name: a URI or DNS name in client certificates that stands for it; no token is made.",
        ),
    ] = None,
    entity: Annotated[
        list[str] | None, typer.Option(help="Id of an entity that it may see; without any: every entity.")
    ] = None,
    expires_in: _ExpiresIn = None,
    dsn: _Dsn = None,
    data_dir: _DataDir = None,
) -> None:
    """Make a key and print its token, this once: only a keyed hash of it is kept.

    The token alone goes to standard output. Services that use LEDGER_KEY_PEPPER need the same value here.
    """
    settings = _settings(dsn, data_dir)
    scopes = tuple(dict.fromkeys(each.value for each in scope))
    entity_ids = tuple(dict.fromkeys(entity)) if entity else None
    san = _checked(name, certificate_san, entity_ids)
    expire_time = _after(expires_in, "--expires-in")
    rights = f"{', '.join(scopes)}, {_entities(entity_ids)}, {_term(expire_time)}"
    if san is not None:
        credential_id = _new_id()

        async def bind(where: str) -> None:
            from ledger_service.storage import credentials

            await credentials.add_certificate(where, credential_id, san, scopes, entity_ids, expire_time)

        _run(_on_database(settings, bind))
        typer.echo(f"{credential_id}: cert:{san}, {rights}")
        return
    key, token = _new_key(settings)

    async def add(where: str) -> None:
        from ledger_service.storage import credentials

        await credentials.add_key(where, key, name or "", scopes, entity_ids, expire_time)

    _run(_on_database(settings, add))
    typer.echo(f"{key.credential_id}: {name}, {rights}; {_KEEP_IT}", err=True)
    typer.echo(token)


@app.command()
def rotate(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the key that gets a second one beside it.")],
    expires_in: Annotated[
        str | None,
        typer.Option(help="How long the new one is good, as 90d; without: as long as the old one was made for."),
    ] = None,
    old_expires_in: Annotated[
        str | None, typer.Option(help="How long the old one is good from now on, as 24h; without: as it is.")
    ] = None,
    dsn: _Dsn = None,
    data_dir: _DataDir = None,
) -> None:
    """Make the second live key of a name, for the same scopes and entities, and print its token, this once.

    Both are good until the old one has expired or is revoked. A name has at most two live keys.
    """
    settings = _settings(dsn, data_dir)
    expire_time = _after(expires_in, "--expires-in")
    old_expire_time = _after(old_expires_in, "--old-expires-in")
    key, token = _new_key(settings)

    async def work(where: str) -> tuple[Credential, Credential]:
        from ledger_service.storage import credentials

        return await credentials.rotate(where, key, name, expire_time, old_expire_time)

    old, new = _run(_on_database(settings, work))
    typer.echo(f"{old.credential_id}: {old.token_prefix or 'the old one'}, good {_term(old.expire_time)}", err=True)
    rights = f"{', '.join(new.scopes)}, {_entities(new.entity_ids)}, {_term(new.expire_time)}"
    typer.echo(f"{new.credential_id}: {name}, {rights}; {_KEEP_IT}", err=True)
    typer.echo(token)


@app.command("list")
def list_tokens(dsn: _Dsn = None, data_dir: _DataDir = None) -> None:
    """List all credentials, oldest first, with what they are for and whether they are good.

    PREFIX is how the token begins, which is no secret: it names the key that was found somewhere.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    found = _run(_on_database(_settings(dsn, data_dir), _all))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("ID", "PREFIX", "NAME", "SCOPES", "ENTITIES", "CREATED", "EXPIRES", "STATE"):
        table.add_column(heading, overflow="fold")
    now = datetime.now(UTC)
    for each in found:
        cells = (
            each.credential_id, each.token_prefix or "-", each.name, ", ".join(each.scopes), _entities(each.entity_ids),
            _time(each.created_time), _time(each.expire_time) if each.expire_time else "never", _state(each, now),
        )  # fmt: skip
        # As Text: a name may look like markup.
        table.add_row(*(Text(cell) for cell in cells))
    # A pipe has no width: give the lines the room they need, so that grep finds whole ones.
    Console(highlight=False, width=None if sys.stdout.isatty() else 250).print(table)


@app.command()
def revoke(
    which: Annotated[
        str, typer.Argument(metavar="ID|PREFIX", help="Of the credential, as `token list` shows it; never the token.")
    ],
    dsn: _Dsn = None,
    data_dir: _DataDir = None,
) -> None:
    """End a credential, for good. Services that have just seen it may take it for some seconds more."""
    from ledger_service.application.authentication import CACHE_SECONDS

    async def end(where: str) -> str | None:
        from ledger_service.storage import credentials

        return await credentials.revoke(where, which)

    credential_id = _run(_on_database(_settings(dsn, data_dir), end))
    if credential_id is None:
        # Not told again: somebody may have given a whole token.
        raise CommandError(
            "there is no such credential that could be revoked; 'ledger-service token list' shows them, "
            "give its ID or PREFIX"
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


async def _on_database(settings: Settings, work: Callable[[str], Awaitable[_Result]]) -> _Result:
    from ledger_service.cli.database_access import database_dsn
    from ledger_service.storage.credentials import CredentialRefusedError

    try:
        async with database_dsn(settings) as where:
            return await work(where)
    except CredentialRefusedError as error:
        raise CommandError(str(error)) from error


async def _all(where: str) -> list[Credential]:
    from ledger_service.storage import credentials

    return await credentials.all_of_them(where)


def _new_id() -> str:
    import uuid_utils

    from ledger_service.domain.identifiers import random_id

    return random_id("cred_", uuid_utils.uuid7().int)


def _new_key(settings: Settings) -> tuple[NewKey, str]:
    """What is kept of a new key, and its token."""
    from ledger_service.application.api_keys import make_key, token_hmac
    from ledger_service.storage.credentials import NewKey

    made = make_key(secrets.token_bytes)
    digest = token_hmac(made.token, settings.key_pepper.get_secret_value())
    return NewKey(_new_id(), digest, made.prefix), made.token


def _checked(name: str | None, certificate_san: str | None, entity_ids: tuple[str, ...] | None) -> str | None:
    """Refuse what could never be used, before anything is written; gives the certificate's name as it is kept."""
    from ledger_service.application.callers import certificate_name, why_not_a_key_name
    from ledger_service.domain.errors import LedgerError
    from ledger_service.domain.identifiers import check_chosen_id

    if (name is None) == (certificate_san is None):
        raise CommandError("give either --name, for a key, or --certificate-san, for a certificate", ExitCode.USAGE)
    if name is not None and (wrong := why_not_a_key_name(name)):
        raise CommandError(f"--name {wrong}", ExitCode.USAGE)
    for entity_id in entity_ids or ():
        try:
            check_chosen_id(entity_id, "--entity")
        except LedgerError as error:
            raise CommandError(str(error), ExitCode.USAGE) from error
    if certificate_san is None:
        return None
    san = certificate_name(certificate_san)
    if san is None:
        raise CommandError(
            "--certificate-san must be one URI, as spiffe://example.org/billing, or one DNS name without a wildcard",
            ExitCode.USAGE,
        )
    return san


def _after(text: str | None, option: str) -> datetime | None:
    return datetime.now(UTC) + _duration(text, option) if text is not None else None


def _term(expire_time: datetime | None) -> str:
    return f"until {_time(expire_time)}" if expire_time else "until revoked"


def _duration(text: str, option: str) -> timedelta:
    """Read `90d`; raises CommandError saying how to write it."""
    match = _DURATION.fullmatch(text)
    wrong = CommandError(
        f"{option}: write a number and s, m, h, d or w, at most {_LONGEST.days}d, for example 90d, not {text!r}",
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
