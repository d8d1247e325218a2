"""Files of checkpoints and of the key that signs them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ledger_service.cli.errors import CommandError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger_service.domain.sealing.checkpoint import Checkpoint, Head


class Known(NamedTuple):
    """What a file of checkpoints says: heads to hold the ledger to, and what is wrong with the others."""

    heads: list[Head]
    problems: list[str]
    key_ids: list[str]


def read_file(path: Path) -> list[Checkpoint]:
    """The checkpoints of a file. Raises CommandError."""
    from ledger_service.application.proof_json import MAX_FILE_BYTES, NotCheckpoints, read_checkpoints

    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", ExitCode.USAGE) from error
    if len(data) > MAX_FILE_BYTES:
        raise CommandError(f"{path} is larger than {MAX_FILE_BYTES:,} bytes: split it", ExitCode.USAGE)
    try:
        return read_checkpoints(data)
    except NotCheckpoints as error:
        raise CommandError(f"{path} is no file of checkpoints: {error}", ExitCode.USAGE) from error


def known(path: Path, public_key: bytes | None) -> Known:
    """The heads whose signatures hold; `public_key` None: each under the key that stands beside it."""
    from ledger_service.application.signing import is_signed
    from ledger_service.domain.sealing.checkpoint import key_id_of

    heads, problems, key_ids = [], [], set()
    for checkpoint in read_file(path):
        head, key_id = checkpoint.head, key_id_of(checkpoint.public_key)
        place = f"checkpoint of entity {head.entity_id} at sequence {head.sequence}"
        if public_key is not None and checkpoint.public_key != public_key:
            problems.append(f"{place}: it is signed by key {key_id}, expected {key_id_of(public_key)}")
        elif not is_signed(checkpoint):
            problems.append(f"{place}: its signature does not hold: the file was changed")
        else:
            heads.append(head)
            key_ids.add(key_id)
    return Known(heads, problems, sorted(key_ids))


def add_to_file(path: Path, new: Iterable[Checkpoint]) -> int:
    """Write checkpoints behind those that the file has; answers how many it did not have yet.

    The old ones stay: they tell between which two a change was made. A crash leaves the old file or the new one.
    """
    from ledger_service.application.proof_json import write_checkpoints

    found = dict.fromkeys(read_file(path) if path.exists() else ())
    before = len(found)
    found.update(dict.fromkeys(new))
    replace_file(path, write_checkpoints(found), 0o644)
    return len(found) - before


def replace_file(path: Path, data: bytes, mode: int) -> None:
    """Put the whole content in place at once. Raises CommandError."""
    beside = path.with_name(f".{path.name}.new")
    try:
        number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(number, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", ExitCode.USAGE) from error
