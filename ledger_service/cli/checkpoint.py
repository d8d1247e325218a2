"""`ledger-service checkpoint`: write the signed heads of histories into a file, to be kept elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger_service.cli.errors import CommandError, ExitCode
from ledger_service.config import Settings, load_settings

if TYPE_CHECKING:
    from ledger_service.domain.sealing.checkpoint import Head


def command(
    out: Annotated[Path, typer.Option(help="The file; what it has already stays in it.")],
    entity: Annotated[list[str] | None, typer.Option(help="Of these entities only; may be repeated.")] = None,
    dsn: Annotated[
        str | None,
        typer.Option(help="The database; better in LEDGER_DSN, arguments are public."),
    ] = None,
    data_dir: Annotated[
        str | None,
        typer.Option(help="Without a DSN: the data folder of the embedded PostgreSQL (default: data)."),
    ] = None,
) -> None:
    """Sign the newest head of every entity's history, and add it to a file.

    Keep the file where nobody who can write to the database can. `ledger-service verify --checkpoint FILE` then finds
    whatever was changed, taken away, added or rolled back since. Needs LEDGER_CHECKPOINT_KEY, the file of a key that
    `ledger-service checkpoint-key` makes. May run while the service writes.
    """
    import asyncio

    from ledger_service.bootstrap import checkpoint_key
    from ledger_service.cli.checkpoint_files import add_to_file

    settings = load_settings(dsn=dsn, data_dir=data_dir)
    key = checkpoint_key(settings)
    if key is None:
        raise CommandError(
            "there is no key to sign with: make one with 'ledger-service checkpoint-key --out FILE' and name the file "
            "in LEDGER_CHECKPOINT_KEY",
            ExitCode.USAGE,
        )
    heads = asyncio.run(_heads(settings, entity))
    unknown = set(entity or ()) - {head.entity_id for head in heads}
    if unknown:
        raise CommandError(f"there is no entity {', '.join(sorted(unknown))}")
    added = add_to_file(out, [key.sign(head) for head in heads])
    typer.echo(f"{added} {'checkpoint' if added == 1 else 'checkpoints'} added to {out}, signed by key {key.key_id}")


async def _heads(settings: Settings, entity_ids: list[str] | None) -> list[Head]:
    from ledger_service.cli.database_access import database_dsn
    from ledger_service.storage.sealing import newest_heads

    async with database_dsn(settings) as dsn:
        return await newest_heads(dsn, entity_ids)
