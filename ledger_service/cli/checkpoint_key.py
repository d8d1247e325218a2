"""`ledger-service checkpoint-key`: make the key that signs checkpoints, or tell its public half."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ledger_service.cli.errors import CommandError, ExitCode


def command(
    out: Annotated[Path | None, typer.Option(help="The file to write; one that exists is left alone.")] = None,
    show: Annotated[Path | None, typer.Option(help="Instead: the file of a key to tell the public half of.")] = None,
) -> None:
    """Make an Ed25519 key for LEDGER_CHECKPOINT_KEY, readable by its owner alone, and print its public half.

    Keep the file off the database's machine where you can, and give the public half to those who check proofs.
    """
    from ledger_service.application.signing import CheckpointKey
    from ledger_service.cli.checkpoint_files import replace_file

    if (out is None) == (show is None):
        raise CommandError("give either --out, the file to write, or --show, the file of a key", ExitCode.USAGE)
    if show is not None:
        try:
            key = CheckpointKey.from_pem(show.read_bytes())
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise CommandError(f"{show}: {reason}", ExitCode.USAGE) from error
    else:
        assert out is not None
        if out.exists():
            raise CommandError(f"{out} exists: a key that has signed something must not be lost", ExitCode.USAGE)
        key = CheckpointKey.generate()
        replace_file(out, key.to_pem(), 0o600)
    typer.echo(f"public key {key.public_key.hex()}")
    typer.echo(f"key id     {key.key_id}")
