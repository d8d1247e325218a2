"""A small disk of its own for the database, to be filled."""

from __future__ import annotations

import asyncio
import contextlib
import os
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

_SIZE = "2g"


class NotPossibleError(Exception):
    """This machine does not allow the fault; the text says why."""


class Disk:
    """A folder, which is a file system of its own where that is allowed."""

    def __init__(self, folder: Path, why_not: str) -> None:
        self.folder = folder
        self._why_not = why_not

    @contextmanager
    def full(self) -> Iterator[None]:
        """No block is free inside the `with`; raises NotPossibleError."""
        if self._why_not:
            raise NotPossibleError(self._why_not)
        ballast = self.folder / "ballast"
        try:
            with ballast.open("wb") as file:
                # Others write meanwhile, so what is free is asked for again until nothing is.
                while free := os.statvfs(self.folder).f_bavail * os.statvfs(self.folder).f_frsize:
                    with contextlib.suppress(OSError):
                        os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), free)
            yield
        finally:
            ballast.unlink()


@asynccontextmanager
async def own_disk(folder: Path) -> AsyncIterator[Disk]:
    """A tmpfs at the folder; an ordinary folder, with the reason, where mounting is not allowed."""
    folder.mkdir()
    why_not = await _run("mount", "-t", "tmpfs", "-o", f"size={_SIZE},mode=0700", "tmpfs", str(folder))
    try:
        yield Disk(folder, why_not and f"no right to mount a tmpfs ({why_not})")
    finally:
        if not why_not:
            await _run("umount", "--lazy", str(folder))


async def _run(*command: str) -> str:
    """Empty, or what the program says of why it failed."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
    except OSError as error:
        return str(error)
    _, errors = await process.communicate()
    return errors.decode(errors="replace").strip() or "failed" if process.returncode else ""
