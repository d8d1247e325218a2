"""Files on their way in: taken piece by piece into temporary files, so that none is ever in the service's memory."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from ledger_service.domain.errors import LedgerError, Reason, invalid

_log = structlog.get_logger()

_PREFIX = "ledger-upload-"
_WRITTEN_AT_ONCE = 1024 * 1024
"""Bytes that are gathered before a thread writes them: each way to a thread and back costs as much as 100 KB."""
_STALE_SECONDS = 24 * 3600.0
"""No upload takes so long, nor the work on it; older files are those of a service that was killed."""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE})


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """How large a file may be, how many may come in at a time, and how long each may take."""

    max_bytes: int
    max_uploads: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that is whole: where it lies, its size in bytes, and the SHA-256 of its content."""

    path: str
    size: int
    sha256: bytes


class Spool:
    """Takes files in, within bounds, and removes them again."""

    def __init__(self, limits: SpoolLimits, folder: Path | None = None) -> None:
        """`folder` is where they lie; by default the system's for temporary files (TMPDIR)."""
        self._limits = limits
        self._folder = folder or Path(tempfile.gettempdir())
        self._uploads = 0

    @asynccontextmanager
    async def take(self, chunks: AsyncIterable[bytes]) -> AsyncIterator[Upload]:
        """The file that the chunks make. It exists inside the `async with` only, whatever happens there.

        What the iterator raises passes. Raises LedgerError INVALID_ARGUMENT at `file` if it is too large,
        WORK_TOO_LARGE if it does not arrive in time, QUEUE_FULL if as many as may are on their way, the disk is full,
        or no more files may be open.
        """
        if self._uploads >= self._limits.max_uploads:
            raise LedgerError(
                Reason.QUEUE_FULL,
                f"{self._uploads} files are coming in, as many as may (LEDGER_MAX_UPLOADS); "
                "send it again after a pause",
            )
        self._uploads += 1
        try:
            with self._refusing_without_room():
                file = _SpoolFile(self._folder)
            try:
                await self._fill(file, chunks)
                yield Upload(file.path, file.size, file.digest.digest())
            finally:
                file.remove()
        finally:
            self._uploads -= 1

    def sweep(self, now: float) -> None:
        """Remove what a service that was killed has left. `now` is the time of the clock that files have, in seconds.

        Bank files tell of people: they should not outlive their use by more than a day.
        """
        for path in self._folder.glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError):
                if now - path.lstat().st_mtime > _STALE_SECONDS:
                    path.unlink()
                    _log.info("stale_upload_removed", path=str(path))

    async def _fill(self, file: _SpoolFile, chunks: AsyncIterable[bytes]) -> None:
        limit = asyncio.timeout(self._limits.seconds)
        try:
            async with limit:
                waiting = bytearray()
                async for chunk in chunks:
                    waiting += chunk
                    if file.size + len(waiting) > self._limits.max_bytes:
                        raise invalid(
                            "file",
                            f"larger than the {self._limits.max_bytes} bytes allowed (LEDGER_MAX_STATEMENT_BYTES); "
                            "split it",
                        )
                    if len(waiting) >= _WRITTEN_AT_ONCE:
                        await self._write(file, waiting)
                        waiting = bytearray()
                await self._write(file, waiting)
        except TimeoutError:
            if not limit.expired():
                raise
            raise LedgerError(
                Reason.WORK_TOO_LARGE,
                f"the file did not arrive within {self._limits.seconds:g} s (LEDGER_UPLOAD_SECONDS); nothing of it is "
                "kept. Send it again, or split it",
                {"limit": "upload_seconds"},
            ) from None

    async def _write(self, file: _SpoolFile, data: bytearray) -> None:
        with self._refusing_without_room():
            await _off_the_loop(file.write, data)

    @contextlib.contextmanager
    def _refusing_without_room(self) -> Iterator[None]:
        """Raises LedgerError QUEUE_FULL where the system has no place for the file."""
        try:
            yield
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            _log.error("no_room_for_uploads", folder=str(self._folder))
            raise LedgerError(
                Reason.QUEUE_FULL, "the server has no room for files just now; send it again after a pause"
            ) from error


class _SpoolFile:
    """A temporary file that only this user can read."""

    def __init__(self, folder: Path) -> None:
        # These are quick, and not awaited: a call that is cancelled can leave no file behind.
        self._descriptor, self.path = tempfile.mkstemp(prefix=_PREFIX, dir=folder)
        self.size = 0
        self.digest = hashlib.sha256()

    def write(self, data: bytearray) -> None:
        """Add to it; blocks."""
        left = memoryview(data)
        while left:
            left = left[os.write(self._descriptor, left) :]
        self.size += len(data)
        self.digest.update(data)

    def remove(self) -> None:
        """Close and remove it."""
        os.close(self._descriptor)
        with contextlib.suppress(FileNotFoundError):
            Path(self.path).unlink()


async def _off_the_loop(work: Callable[[bytearray], None], data: bytearray) -> None:
    """Do it in a thread. Cancelled, it ends when the thread does: until then the file must stay open."""
    done = asyncio.get_running_loop().run_in_executor(None, work, data)
    try:
        await asyncio.shield(done)
    except asyncio.CancelledError:
        while not done.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({done})
        if not done.cancelled():
            # Looked at, so that asyncio does not warn of it; the call is over in any case.
            done.exception()
        raise
