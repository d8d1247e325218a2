"""The spool: files come in piece by piece, within bounds, and none stays behind."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import resource
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ledger_service.application.reconciling import upload
from ledger_service.application.reconciling.upload import Spool, SpoolLimits
from ledger_service.domain.errors import LedgerError, Reason


def spool(folder: Path, max_bytes: int = 1_000, uploads: int = 2, seconds: float = 60) -> Spool:
    return Spool(SpoolLimits(max_bytes, uploads, seconds), folder)


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def refused(found: Spool, chunks: AsyncIterator[bytes]) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        async with found.take(chunks):
            pytest.fail("it was taken")
    return caught.value


async def test_a_file_is_whole_and_private_and_goes(tmp_path: Path) -> None:
    async with spool(tmp_path).take(pieces(b"ab", b"", b"cde")) as taken:
        path = Path(taken.path)
        assert path.read_bytes() == b"abcde"
        assert (taken.size, taken.sha256) == (5, hashlib.sha256(b"abcde").digest())
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not list(tmp_path.iterdir())


async def test_large_files_and_many_small_pieces(tmp_path: Path) -> None:
    found = spool(tmp_path, max_bytes=5_000_000)
    parts = [os.urandom(1 + number * 7 % 9_000) for number in range(1_000)]
    async with found.take(pieces(*parts)) as taken:
        whole = b"".join(parts)
        assert Path(taken.path).read_bytes() == whole
        assert (taken.size, taken.sha256) == (len(whole), hashlib.sha256(whole).digest())


async def test_one_byte_too_many(tmp_path: Path) -> None:
    async with spool(tmp_path).take(pieces(bytes(999), b"x")) as taken:
        assert taken.size == 1_000
    error = await refused(spool(tmp_path), pieces(bytes(1_000), b"x"))
    assert (error.reason, error.metadata["field"]) == (Reason.INVALID_ARGUMENT, "file")
    assert "LEDGER_MAX_STATEMENT_BYTES" in error.message
    assert not list(tmp_path.iterdir())


async def test_nothing_more_is_asked_for_after_a_refusal(tmp_path: Path) -> None:
    asked = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield bytes(300)

    await refused(spool(tmp_path), endless())
    assert asked == 4


async def test_what_does_not_arrive_in_time(tmp_path: Path) -> None:
    async def stalls() -> AsyncIterator[bytes]:
        yield b"ab"
        await asyncio.Event().wait()

    error = await refused(spool(tmp_path, seconds=0.05), stalls())
    assert (error.reason, error.metadata) == (Reason.WORK_TOO_LARGE, {"limit": "upload_seconds"})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("raised", [TimeoutError("the sender's"), ValueError("other")])
async def test_failures_of_the_sender_pass(tmp_path: Path, raised: Exception) -> None:
    async def fails() -> AsyncIterator[bytes]:
        yield b"ab"
        raise raised

    with pytest.raises(type(raised)) as caught:
        async with spool(tmp_path).take(fails()):
            pytest.fail("it was taken")
    assert caught.value is raised
    assert not list(tmp_path.iterdir())


async def test_the_file_goes_when_the_work_fails_or_is_cancelled(tmp_path: Path) -> None:
    found = spool(tmp_path)
    with pytest.raises(ZeroDivisionError):
        async with found.take(pieces(b"a")):
            raise ZeroDivisionError
    at_work = asyncio.Event()

    async def work() -> None:
        async with found.take(pieces(b"a")):
            at_work.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await at_work.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not list(tmp_path.iterdir())


async def test_cancelled_while_a_thread_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is closed only after the thread has let go of it."""
    written: list[int] = []
    whole = upload._SpoolFile.write

    def write(self: upload._SpoolFile, data: bytearray) -> None:
        writing.set()
        go_on.wait()
        whole(self, data)
        written.append(len(data))

    import threading

    writing, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(upload._SpoolFile, "write", write)

    async def work() -> None:
        async with spool(tmp_path).take(pieces(b"abc")):
            pytest.fail("it was cancelled")

    task = asyncio.create_task(work())
    while not writing.is_set():
        await asyncio.sleep(0.001)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert written == [3]
    assert not list(tmp_path.iterdir())


async def test_too_many_at_once(tmp_path: Path) -> None:
    found = spool(tmp_path, uploads=1)
    async with found.take(pieces(b"a")):
        error = await refused(found, pieces(b"b"))
        assert error.reason is Reason.QUEUE_FULL
        assert "LEDGER_MAX_UPLOADS" in error.message
    async with found.take(pieces(b"c")) as taken:
        assert taken.size == 1


async def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(upload._SpoolFile, "write", full)
    assert (await refused(spool(tmp_path), pieces(b"a"))).reason is Reason.QUEUE_FULL
    assert not list(tmp_path.iterdir())


async def test_no_file_may_be_opened(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = spool(tmp_path)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        error = await refused(found, pieces(b"a"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert error.reason is Reason.QUEUE_FULL
    async with found.take(pieces(b"a")) as taken:
        assert taken.size == 1


async def test_what_a_killed_service_left_is_swept(tmp_path: Path) -> None:
    found = spool(tmp_path)
    old, other = tmp_path / "ledger-upload-old", tmp_path / "somebody-elses"
    for path in (old, other):
        path.touch()
    async with found.take(pieces(b"a")) as taken:
        now = Path(taken.path).stat().st_mtime
        os.utime(old, (now - 90_000, now - 90_000))
        os.utime(other, (now - 90_000, now - 90_000))
        found.sweep(now)
        assert sorted(tmp_path.iterdir()) == sorted([Path(taken.path), other])
