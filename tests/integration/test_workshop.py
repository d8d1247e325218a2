"""The workshop with its real processes: results, limits, and that nothing of it stays behind."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.application.reconciling.upload import Spool, SpoolLimits
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.gateway.multipart import MultipartForm, MultipartLimits
from ledger_service.gateway.requests import Headers
from ledger_service.statements.reading import read_file, read_statements
from ledger_service.workshop.workshop import ProcessWorkshop, WorkshopLimits
from tests.helpers import workshop_jobs as jobs
from tests.helpers.servers import serving
from tests.helpers.statement_files import WRITERS, sample

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MIB = 1024 * 1024


@asynccontextmanager
async def opened(
    processes: int = 1, memory: int = 256 * MIB, seconds: int = 60, waiting: int = 4, idle: float = 600
) -> AsyncIterator[ProcessWorkshop]:
    workshop = ProcessWorkshop(WorkshopLimits(processes, memory, seconds, waiting, idle))
    try:
        yield workshop
    finally:
        await workshop.stop()


async def written(path: Path) -> int:
    """The process id that a job leaves in a file, once it is there."""
    while not path.exists():
        await asyncio.sleep(0.005)
    return int(path.read_text(encoding="ascii"))


async def gone(pid: int) -> None:
    """Wait until a process is no more, or waits to be collected: its last thread has ended and closed its pipes."""
    while True:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
            threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
        except (FileNotFoundError, ProcessLookupError):
            return
        if stat.rpartition(")")[2].split()[0] == "Z" and threads <= 1:
            return
        await asyncio.sleep(0.005)


async def refused(work: object) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        await work  # type: ignore[misc]
    return caught.value


async def test_results_come_from_one_process_that_is_kept() -> None:
    async with opened() as workshop:
        assert await workshop.run(jobs.add, 1, 2, third=4) == 7
        first = await workshop.run(jobs.pid)
        assert first not in {os.getpid(), 0}
        assert await workshop.run(jobs.pid) == first
        # Large both ways: more than a pipe holds.
        value = [bytes(3 * MIB), "text" * MIB, {"a": [1, None]}]
        assert await workshop.run(jobs.echo, value) == value
        assert await workshop.run(jobs.pid) == first


async def test_the_child_has_little() -> None:
    os.environ["LEDGER_KEY_PEPPER_OF_TEST"] = "secret"
    try:
        async with opened() as workshop:
            environment, niceness, limit, session = await workshop.run(jobs.surroundings)
            assert not {name for name in environment if name.startswith("LEDGER_")}
            assert "secret" not in environment.values()
            assert niceness >= 10
            assert limit == 256 * MIB
            assert session != os.getsid(0)
            assert await workshop.run(jobs.ignore_signals_and_print) == 17
            assert await workshop.run(jobs.add, 1) == 1
    finally:
        del os.environ["LEDGER_KEY_PEPPER_OF_TEST"]


async def test_bank_files_are_read_by_their_path(tmp_path: Path) -> None:
    data = sample(WRITERS["camt.053.001.08"], 500)
    path = tmp_path / "file"
    path.write_bytes(data)
    async with opened() as workshop:
        assert await workshop.run(read_file, str(path)) == read_statements(data)
        path.write_bytes(data[:-50])
        error = await refused(workshop.run(read_file, str(path)))
        assert (error.reason, error.metadata["field"]) == (Reason.INVALID_ARGUMENT, "file")
        with pytest.raises(FileNotFoundError):
            await workshop.run(read_file, str(tmp_path / "other"))


async def test_a_file_goes_from_a_form_to_the_spool_to_the_workshop(tmp_path: Path) -> None:
    """The way of an upload over REST, without the endpoint."""
    data = sample(WRITERS["MT940"], 2_000)
    start = b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a.sta"\r\n\r\n'
    messages = [
        {"type": "http.request", "body": body, "more_body": True}
        for body in (start, *(data[at : at + 7_000] for at in range(0, len(data), 7_000)))
    ]
    messages.append({"type": "http.request", "body": b"\r\n--XX--\r\n"})
    messages.reverse()

    async def receive() -> dict[str, object]:
        return messages.pop()

    headers = Headers(None, b"multipart/form-data; boundary=XX", None, None, None, None, has_body=True)
    form = MultipartForm(headers, receive, (), MultipartLimits(MIB, 60))
    spool = Spool(SpoolLimits(MIB, 1, 60), tmp_path)
    async with opened() as workshop, spool.take(form.file()) as upload:
        assert upload.size == len(data)
        file = await workshop.run(read_file, upload.path)
    assert file == read_statements(data)
    assert not list(tmp_path.iterdir())


async def test_a_service_has_one_and_ends_it(database: str) -> None:
    async with serving(database) as service:
        worker = await service.running.workshop.run(jobs.pid)
    await gone(worker)


async def test_exceptions_pass() -> None:
    async with opened() as workshop:
        worker = await workshop.run(jobs.pid)
        error = await refused(workshop.run(jobs.refuse))
        assert (error.reason, error.message) == (Reason.INVALID_ARGUMENT, "line 3: no")
        assert error.metadata == {"field": "file", "line": "3"}
        with pytest.raises(ValueError, match="what it says") as caught:
            await workshop.run(jobs.fail, "what it says")
        assert "workshop_jobs.py" in caught.value.__notes__[0]
        with pytest.raises(RuntimeError, match="StubbornError: 1 and 2"):
            await workshop.run(jobs.fail_stubbornly)
        with pytest.raises((AttributeError, TypeError), match="pickle"):
            await workshop.run(jobs.unpicklable)
        with pytest.raises((AttributeError, TypeError), match="pickle"):
            await workshop.run(jobs.echo, lambda: None)
        # None of it was the process's fault.
        assert await workshop.run(jobs.pid) == worker


async def test_too_much_memory() -> None:
    async with opened() as workshop:
        worker = await workshop.run(jobs.pid)
        error = await refused(workshop.run(jobs.eat_memory))
        assert (error.reason, error.metadata) == (Reason.WORK_TOO_LARGE, {"limit": "memory_bytes"})
        assert "LEDGER_WORKSHOP_MEMORY_BYTES" in error.message
        assert await workshop.run(jobs.pid) != worker
        # Arguments of that size do not even arrive.
        error = await refused(workshop.run(jobs.echo, bytes(300 * MIB)))
        assert error.metadata == {"limit": "memory_bytes"}
        assert await workshop.run(jobs.add, 1) == 1


async def test_too_much_time() -> None:
    async with opened(seconds=1) as workshop:
        worker = await workshop.run(jobs.pid)
        error = await refused(workshop.run(jobs.loop_for_ever))
        assert (error.reason, error.metadata) == (Reason.WORK_TOO_LARGE, {"limit": "seconds"})
        await gone(worker)
        assert await workshop.run(jobs.pid) != worker


@pytest.mark.parametrize(
    ("number", "limit"),
    [(signal.SIGKILL, "memory_bytes"), (signal.SIGXCPU, "seconds"), (signal.SIGSEGV, "crash"), (0, "crash")],
)
async def test_a_process_that_ends_in_a_job(number: int, limit: str) -> None:
    async with opened() as workshop:
        error = await refused(workshop.run(jobs.die, number) if number else workshop.run(jobs.leave))
        assert (error.reason, error.metadata) == (Reason.WORK_TOO_LARGE, {"limit": limit})
        assert await workshop.run(jobs.add, 1) == 1


async def test_killed_from_outside(tmp_path: Path) -> None:
    """Under a job it is told; without one nobody notices."""
    async with opened() as workshop:
        job = asyncio.create_task(workshop.run(jobs.touch_and_loop, str(tmp_path / "pid")))
        worker = await written(tmp_path / "pid")
        os.kill(worker, signal.SIGKILL)
        assert (await refused(job)).reason is Reason.WORK_TOO_LARGE
        idle = await workshop.run(jobs.pid)
        os.kill(idle, signal.SIGKILL)
        await gone(idle)
        assert await workshop.run(jobs.pid) != idle


async def test_a_caller_who_leaves_during_the_job(tmp_path: Path) -> None:
    """The job is killed, and the next need not wait for it."""
    async with opened() as workshop:
        job = asyncio.create_task(workshop.run(jobs.touch_and_loop, str(tmp_path / "pid")))
        worker = await written(tmp_path / "pid")
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        assert await workshop.run(jobs.pid) != worker
        await gone(worker)


async def test_a_caller_who_leaves_at_once() -> None:
    """Before the process is there, at any moment of its start."""
    async with opened() as workshop:
        for turns in range(12):
            job = asyncio.create_task(workshop.run(jobs.loop_for_ever))
            await asyncio.sleep(turns * 0.004)
            job.cancel()
            with pytest.raises(asyncio.CancelledError):
                await job
        assert await workshop.run(jobs.add, 1) == 1


async def test_a_caller_who_leaves_as_the_job_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next job is at the bench already, and must not be killed in place of the one that has ended."""
    async with opened() as workshop:
        whole = workshop._give_back
        first = asyncio.create_task(workshop.run(jobs.pid))

        def give_back(bench: Any, done: Any) -> None:
            whole(bench, done)
            first.cancel()

        monkeypatch.setattr(workshop, "_give_back", give_back)
        second = asyncio.create_task(workshop.run(jobs.add, 1, 2))
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await second == 3


async def test_the_queue_is_bounded(tmp_path: Path) -> None:
    async with opened(waiting=2) as workshop:
        until = str(tmp_path / "until")
        first = asyncio.create_task(workshop.run(jobs.touch_and_wait, str(tmp_path / "pid"), until))
        worker = await written(tmp_path / "pid")
        waiting = [asyncio.create_task(workshop.run(jobs.pid)) for _ in range(2)]
        await asyncio.sleep(0)
        error = await refused(workshop.run(jobs.pid))
        assert error.reason is Reason.QUEUE_FULL
        assert "LEDGER_MAX_WORKSHOP_JOBS" in error.message
        # Who leaves gives the place to another.
        waiting[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting[0]
        waiting[0] = asyncio.create_task(workshop.run(jobs.pid))
        await asyncio.sleep(0)
        assert (await refused(workshop.run(jobs.pid))).reason is Reason.QUEUE_FULL
        Path(until).touch()
        assert await asyncio.gather(first, *waiting) == [worker] * 3


async def test_several_processes_work_side_by_side(tmp_path: Path) -> None:
    async with opened(processes=2) as workshop:
        until = str(tmp_path / "until")
        both = [
            asyncio.create_task(workshop.run(jobs.touch_and_wait, str(tmp_path / str(number)), until))
            for number in range(2)
        ]
        pids = {await written(tmp_path / str(number)) for number in range(2)}
        assert len(pids) == 2
        Path(until).touch()
        assert set(await asyncio.gather(*both)) == pids


async def test_an_idle_process_ends() -> None:
    async with opened(idle=0.05) as workshop:
        worker = await workshop.run(jobs.pid)
        await gone(worker)
        assert await workshop.run(jobs.pid) != worker


async def test_the_end_ends_all(tmp_path: Path) -> None:
    """Jobs under way and waiting are told; the process is gone."""
    async with opened() as workshop:
        running = asyncio.create_task(workshop.run(jobs.touch_and_loop, str(tmp_path / "pid")))
        worker = await written(tmp_path / "pid")
        waiting = asyncio.create_task(workshop.run(jobs.pid))
        await asyncio.sleep(0)
        await workshop.stop()
        assert (await refused(running)).reason is Reason.DRAINING
        assert (await refused(waiting)).reason is Reason.DRAINING
        assert (await refused(workshop.run(jobs.pid))).reason is Reason.DRAINING
        await gone(worker)


_PARENT = """
import asyncio, sys
from ledger_service.workshop.workshop import ProcessWorkshop, WorkshopLimits
from tests.helpers import workshop_jobs as jobs
async def main():
    workshop = ProcessWorkshop(WorkshopLimits(1, 256 * 1024**2, 60, 1, 600))
    if sys.argv[2] == "idle":
        await workshop.run(jobs.echo, 1)
    work = jobs.touch_and_loop if sys.argv[2] == "busy" else jobs.touch_and_wait
    await workshop.run(work, sys.argv[1], *(["/"] if work is jobs.touch_and_wait else []))
    await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.mark.parametrize("state", ["busy", "idle"])
async def test_no_orphan_stays(tmp_path: Path, state: str) -> None:
    """A service that is killed with -9 leaves no process, not even one that is busy."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = (sys.executable, "-c", _PARENT, str(tmp_path / "pid"), state)
    parent = await asyncio.create_subprocess_exec(*command, env=environment)
    try:
        worker = await written(tmp_path / "pid")
    finally:
        parent.kill()
        await parent.wait()
    await gone(worker)


async def test_the_loop_goes_on_meanwhile() -> None:
    """While a job is done and its large answer comes in, other callers' turns go on."""
    async with opened(memory=1024 * MIB) as workshop:
        await workshop.run(jobs.add, 1)
        job = asyncio.create_task(workshop.run(jobs.rows, 300_000))
        turns = 0
        while not job.done():
            turns += 1
            await asyncio.sleep(0.001)
        assert len(await job) == 300_000
        # Had the loop waited for the job, or for its answer, there would be a handful.
        assert turns > 30


async def test_no_process_can_be_started() -> None:
    """The process has as many files open as it may: refused for now, not a fault of ours."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with opened() as workshop:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            with pytest.raises(LedgerError) as caught:
                await workshop.run(jobs.add, 20, 22)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert caught.value.reason is Reason.QUEUE_FULL
        assert await workshop.run(jobs.add, 20, 22) == 42
