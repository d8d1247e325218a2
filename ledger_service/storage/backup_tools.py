"""PostgreSQL's own programs for backup and restore: where they are, and running them.

Only programs of the server's own major version are used. An older pg_dump refuses a newer server, and what a newer one
writes an older server need not understand.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from ledger_service.storage.backup_errors import BackupError, BackupRefusedError
from ledger_service.storage.embedded_binaries import find_binaries
from ledger_service.storage.embedded_errors import EmbeddedPostgresError

_VERSION: Final = re.compile(r"\) (\d+)")
_KEPT_LINES: Final = 4
_PROBE_SECONDS: Final = 10
_LINE_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Tools:
    """pg_dump and pg_restore of one major version."""

    folder: Path
    major: int

    async def run(self, program: str, dsn: str, *arguments: str, tell: Callable[[str], None], folder: Path) -> None:
        """Run one of them on the database `dsn` to its end.

        Args:
            program: pg_dump or pg_restore.
            dsn: where to connect; the password goes by environment, since arguments are public.
            arguments: what else it is told.
            tell: told each line that it says; it must be run with `--verbose`, see below.
            folder: where it writes, for the message when the disk is full.

        Raises:
            BackupError: it failed.
        """
        place, password = without_password(dsn)
        process = await asyncio.create_subprocess_exec(
            str(self.folder / program), f"--dbname={place}", "--no-password", "--verbose", *arguments,
            env=_environment(password), stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, limit=_LINE_BYTES,
        )  # fmt: skip
        said: list[str] = []
        try:
            if process.stderr is None:
                raise AssertionError("made with a pipe")
            # When we are killed, the next line that it says breaks the pipe, and it ends as well.
            async for line in process.stderr:
                text = line.decode(errors="replace").strip().removeprefix(f"{program}: ")
                tell(text)
                said = [*said, text][-_KEPT_LINES:] if not text.startswith("error:") else [text]
            code = await process.wait()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())
            raise
        if code != 0:
            raise BackupError(_explain(program, said, folder))


def find_tools(major: int, named: Path | None) -> Tools:
    """The programs of this major version.

    Args:
        major: of the server.
        named: the folder to take them from; without it the usual ones are looked through.

    Raises:
        BackupRefusedError: there are none.
    """
    seen: dict[Path, str] = {}
    for folder in [named] if named is not None else _folders(major):
        version = _version_in(folder)
        if version == major:
            return Tools(folder, major)
        seen[folder] = "has none" if version is None else f"has those of version {version}"
    looked = "; ".join(f"{folder} {what}" for folder, what in seen.items() if named or what != "has none")
    raise BackupRefusedError(
        f"pg_dump and pg_restore of PostgreSQL {major}, the server's version, are needed"
        f"{f' ({looked})' if looked else ''}: install its client programs, or name their folder with --pg-bin"
    )


def without_password(dsn: str) -> tuple[str, str | None]:
    """The DSN without its password, and the password."""
    parts = urlsplit(dsn)
    user, at, place = parts.netloc.rpartition("@")
    user, colon, quoted = user.partition(":")
    password = unquote(quoted) if colon else None
    kept = []
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name == "password":
            password = value
        else:
            kept.append((name, value))
    return urlunsplit(parts._replace(netloc=f"{user}{at}{place}", query=urlencode(kept))), password


def _folders(major: int) -> Iterator[Path]:
    with contextlib.suppress(EmbeddedPostgresError):
        yield find_binaries()
    # Where Debian and Red Hat keep several versions side by side; on their PATH is a program that chooses one.
    yield Path(f"/usr/lib/postgresql/{major}/bin")
    yield Path(f"/usr/pgsql-{major}/bin")
    found = shutil.which("pg_dump")
    if found is not None:
        yield Path(found).parent


def _version_in(folder: Path) -> int | None:
    """The major version of both programs; None when they are not there, do not run, or differ."""
    versions = set()
    for program in ("pg_dump", "pg_restore"):
        try:
            ended = subprocess.run(  # noqa: S603 (PostgreSQL's, from the operator's folders or the wheel)
                [str(folder / program), "--version"],
                env=_environment(None),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_PROBE_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        match = _VERSION.search(ended.stdout)
        versions.add(int(match[1]) if match else 0)
    return versions.pop() if len(versions) == 1 else None


def _environment(password: str | None) -> Mapping[str, str]:
    """Ours, for libpq's files and certificates, without what is the service's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEDGER_")}
    secret = {"PGPASSWORD": password} if password is not None else {}
    return {**kept, "LC_ALL": "C", "PGAPPNAME": "ledger-backup", "PGCONNECT_TIMEOUT": "10", **secret}


def _explain(program: str, said: list[str], folder: Path) -> str:
    text = "; ".join(line for line in said if line) or "it said nothing"
    if "No space left on device" in text:
        return f"the disk of {folder} is full: free some space, or name a folder on another one"
    return f"{program} failed: {text}"
