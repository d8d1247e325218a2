"""PostgreSQL's programs, in a folder of the scene's own that can be taken away and replaced while the server runs."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from ledger_service.storage import embedded_binaries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_GONE_SECONDS = 1.0
_PROGRAM = "postgres"
_REAL = "postgres-itself"


class Packages:
    """The programs that the scene's server runs."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        """What the server is started with besides its own; known to it only once it is the user that it runs as."""
        self._source = embedded_binaries.find_binaries()
        self._current = folder / "current"
        self._copy(self._current)

    def _copy(self, target: Path) -> None:
        # As a service that runs as root does where PostgreSQL's user can't read the installed ones.
        embedded_binaries._copy_readable(self._source, target)
        binaries = _in(target)
        (binaries / _PROGRAM).rename(binaries / _REAL)
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in self._environment.items())
        script = binaries / _PROGRAM
        script.write_text(f'#!/bin/sh\n{exports}exec "$(dirname "$0")/{_REAL}" "$@"\n', encoding="ascii")
        script.chmod(0o755)

    @property
    def binaries(self) -> Path:
        """Where they are, before and after an upgrade."""
        return _in(self._current)

    async def upgrade(self) -> None:
        """What a package manager does: the files go, there are none for a while, then there are others."""
        fresh, old = self._folder / "fresh", self._folder / "old"
        await asyncio.to_thread(self._copy, fresh)
        self._current.rename(old)
        await asyncio.to_thread(shutil.rmtree, old)
        await asyncio.sleep(_GONE_SECONDS)
        fresh.rename(self._current)

    def are_those_of(self, pid: int) -> bool:
        """Whether a process runs the file that is there now, not one that has gone."""
        running = Path(f"/proc/{pid}/exe").stat()
        return running.st_ino == (self.binaries / _REAL).stat().st_ino


def _in(folder: Path) -> Path:
    return folder / embedded_binaries.PACKAGE / "pginstall" / "bin"


@contextmanager
def own_packages(environment: Mapping[str, str]) -> Iterator[Packages]:
    """A copy of the installed ones, where everybody can read it; servers that this process starts are of it."""
    folder = Path(tempfile.mkdtemp(prefix="packages-"))
    folder.chmod(0o755)
    try:
        packages = Packages(folder, environment)
        with mock.patch.object(embedded_binaries, "find_binaries", return_value=packages.binaries):
            yield packages
    finally:
        shutil.rmtree(folder, ignore_errors=True)
