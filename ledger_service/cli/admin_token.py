"""The first administrator's token of an embedded server."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import NamedTuple

from ledger_service.cli.errors import CannotStartError
from ledger_service.config import MIN_TOKEN_CHARACTERS

_PREFIX = "ledger_admin_"
_RANDOM_BYTES = 32


class AdminToken(NamedTuple):
    """The token, the file that keeps it, and whether it was made just now."""

    token: str
    path: Path
    is_new: bool


def ensure_admin_token(data_dir: Path) -> AdminToken:
    """Read the token kept in the data folder, or make one and keep it there, readable for the owner only."""
    path = data_dir / "admin-token"
    try:
        token = path.read_text().strip()
    except FileNotFoundError:
        token = _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
        _write_private(path, token + "\n")
        return AdminToken(token, path, is_new=True)
    except OSError as error:
        raise CannotStartError(f"cannot read {path}: {error.strerror}") from error
    if len(token) < MIN_TOKEN_CHARACTERS:
        raise CannotStartError(f"{path} holds no token: remove it, and the next start makes a new one")
    return AdminToken(token, path, is_new=False)


def _write_private(path: Path, text: str) -> None:
    # Complete or not there at all, also after a power cut: half a token would lock the administrator out.
    scratch = path.with_name(path.name + ".new")
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
    scratch.rename(path)
