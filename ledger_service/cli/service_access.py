"""What commands that call a running service share: its address, a token, and what to say when it does not work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ledger_service.cli.errors import CommandError, ExitCode
from ledger_service.config import load_settings

if TYPE_CHECKING:
    from ledger_client import LedgerClient, LedgerError

DEFAULT_TARGET = "127.0.0.1:50051"

REACH_SECONDS = 5.0
"""Somebody is waiting in front of it: a service that is not there is said so soon."""


def open_client(
    target: str,
    token: str,
    *,
    data_dir: str | None,
    plaintext: bool,
    ca: Path | None = None,
    seconds: float = REACH_SECONDS,
) -> LedgerClient:
    """A client with the token given, or else the one kept in the data folder. Nothing is connected yet.

    Args:
        target: HOST:PORT.
        token: "": see `data_dir`.
        data_dir: the service's data folder; None: the configured one.
        plaintext: no TLS, wherever the service is.
        ca: PEM file of the authorities to trust, in place of the well-known ones.
        seconds: how long one call with all its attempts may take.

    Raises:
        CommandError: of wrong use, saying what to do.
    """
    from ledger_client import LedgerClient, RetryPolicy, trusting

    bearer = token or _kept_token(load_settings(data_dir=data_dir).data_dir / "admin-token")
    credentials = trusting(_pem(ca)) if ca is not None else None
    try:
        return LedgerClient(
            target,
            bearer,
            timeout=max(seconds, REACH_SECONDS),
            retry=RetryPolicy(overall=seconds),
            credentials=credentials,
            plaintext=plaintext,
        )
    except ValueError as error:
        raise CommandError(str(error), ExitCode.USAGE) from error


def explain(error: LedgerError, target: str) -> str:
    """What to do about a failure that has nothing to do with what was asked; otherwise the service's own words."""
    if error.reason == "UNAUTHENTICATED":
        return f"the service at {target} does not know this token: put a valid one into LEDGER_TOKEN"
    if error.code.name == "UNAVAILABLE" and not error.reason:
        return f"no service answers at {target}: start one with `make run`, or name another one with --target"
    return str(error)


def _kept_token(path: Path) -> str:
    """The administrator's token that `serve` keeps."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError as error:
        message = f"no token: put one into LEDGER_TOKEN, or name the service's --data-dir ({path} is not there)"
        raise CommandError(message, ExitCode.USAGE) from error
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}", ExitCode.USAGE) from error


def _pem(path: Path) -> bytes:
    """Certificates in a file; gRPC itself would say no more than that it can't connect."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CommandError(f"--ca: {path}: {error.strerror}", ExitCode.USAGE) from error
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise CommandError(f"--ca: {path} holds no certificate in PEM", ExitCode.USAGE)
    return content
