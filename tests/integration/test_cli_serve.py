"""`ledger-service serve` as an operator sees it: processes, signals, ports, exit codes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ledger_service.storage.embedded_process import find_postmaster

if TYPE_CHECKING:
    from collections.abc import Iterator

CLI = [sys.executable, "-m", "ledger_service"]
ROOT = Path(__file__).resolve().parents[2]
ADDRESS = re.compile(r"gRPC +(\S+)")


class Service:
    """A `serve` process and what it prints."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.folder = folder
        self.log = folder / "stderr.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*CLI, "serve", "--data-dir", str(folder / "data"), *arguments],
                stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder,
                env=clean_environment(**environment),
            )  # fmt: skip
        self.banner = ""

    def wait_until_serving(self) -> str:
        """Read the banner; returns the address."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.banner += line
            if "stop " in line:
                found = ADDRESS.search(self.banner)
                assert found is not None
                return found[1]
        raise AssertionError(f"it ended: {self.log.read_text()}")

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.finished()

    def finished(self) -> int:
        self.process.communicate(timeout=60)
        return self.process.returncode

    def children(self) -> list[int]:
        """The worker processes."""
        listed = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        return [int(line.split()[0]) for line in listed.stdout.splitlines() if "serve-worker" in line]


def clean_environment(**extra: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEDGER_")}
    # The working directory is elsewhere, and the checkout need not be installed.
    paths = [str(ROOT), str(ROOT / "clients" / "python"), kept.get("PYTHONPATH", "")]
    # Services of tests stand side by side.
    return {**kept, "LEDGER_REST": "127.0.0.1:0", "PYTHONPATH": os.pathsep.join(filter(None, paths)), **extra}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLI, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=clean_environment(**environment),
    )


def healthy(address: str) -> bool:
    return run("health", "--address", address, "--timeout", "1").returncode == 0


def eventually(check: object, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():  # type: ignore[operator]
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.1)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="serve ") as name:
        yield Path(name)
        left = find_postmaster(Path(name) / "data" / "postgres")
        if left is not None:
            left.send(signal.SIGQUIT)
            eventually(lambda: not left.is_alive())


def test_serve_and_stop_twice(folder: Path) -> None:
    service = Service(folder, "--grpc", "127.0.0.1:0")
    address = service.wait_until_serving()
    assert healthy(address)
    assert "demo" in service.banner
    assert "grpcurl" in service.banner
    token = re.search(r"ledger_admin_\S{43}", service.banner)
    assert token is not None
    kept = folder / "data" / "admin-token"
    assert kept.read_text().strip() == token[0]
    assert kept.stat().st_mode & 0o777 == 0o600
    assert token[0] not in service.log.read_text()
    assert service.end() == 0
    assert find_postmaster(folder / "data" / "postgres") is None
    assert not healthy(address)

    service = Service(folder, "--grpc", "127.0.0.1:0")
    service.wait_until_serving()
    assert token[0] not in service.banner
    assert "admin-token" in service.banner
    assert service.end(signal.SIGINT) == 0


@pytest.fixture
def as_from_a_terminal() -> Iterator[None]:
    """Not as under nohup, which the tests themselves may run under, and which the service respects."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("as_from_a_terminal")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_several_workers_share_the_port_and_end_together(folder: Path, number: int) -> None:
    service = Service(folder, "--workers", "2", "--grpc", "127.0.0.1:0")
    address = service.wait_until_serving()
    workers = service.children()
    assert len(workers) == 2
    for pid in workers:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
        assert b"ledger_admin" not in arguments
        assert b"postgresql:" not in arguments
    assert healthy(address)
    assert service.end(number) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert find_postmaster(folder / "data" / "postgres") is None


def test_a_killed_worker_is_replaced(folder: Path) -> None:
    service = Service(folder, "--workers", "2", "--grpc", "127.0.0.1:0")
    address = service.wait_until_serving()
    victim = service.children()[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: victim not in service.children() and len(service.children()) == 2)
    assert healthy(address)
    assert service.end() == 0
    assert "worker_died" in service.log.read_text()


def test_workers_of_a_killed_supervisor_end_and_the_next_start_takes_over(folder: Path) -> None:
    service = Service(folder, "--workers", "2", "--grpc", "127.0.0.1:0")
    address = service.wait_until_serving()
    workers = service.children()
    service.process.kill()
    service.finished()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    service = Service(folder, "--grpc", address)
    assert service.wait_until_serving() == address
    assert "Taking over" in service.log.read_text()
    assert service.end() == 0


def test_a_killed_database_is_started_again(folder: Path) -> None:
    service = Service(folder, "--grpc", "127.0.0.1:0")
    service.wait_until_serving()
    cluster = folder / "data" / "postgres"
    first = find_postmaster(cluster)
    assert first is not None
    os.kill(first.pid, signal.SIGKILL)

    def another_runs() -> bool:
        now = find_postmaster(cluster)
        return now is not None and now.pid != first.pid

    eventually(another_runs)
    assert service.end() == 0
    assert "embedded_postgres_died" in service.log.read_text()


def test_a_signal_during_the_start_stops_the_database(folder: Path) -> None:
    service = Service(folder, "--grpc", "127.0.0.1:0")
    eventually(lambda: find_postmaster(folder / "data" / "postgres") is not None)
    assert service.end() == 0
    assert find_postmaster(folder / "data" / "postgres") is None


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_in_use_is_one_line(folder: Path, workers: str) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        service = Service(folder, "--workers", workers, "--grpc", f"127.0.0.1:{port}")
        assert service.finished() == 3
    said = service.log.read_text().splitlines()
    reason = f"port {port} on 127.0.0.1 is in use: stop what serves there, or choose another --grpc (LEDGER_GRPC)"
    assert said == [f"ledger-service: {reason}"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_rest_beside_grpc(folder: Path, workers: str) -> None:
    service = Service(folder, "--workers", workers, "--grpc", "127.0.0.1:0", "--rest", "127.0.0.1:0")
    service.wait_until_serving()
    found = re.search(r"REST +http://([0-9.:]+)", service.banner)
    assert found is not None
    assert run("health", "--rest", "--address", found[1], "--timeout", "5").stdout.strip() == "SERVING"
    assert service.end() == 0
    assert run("health", "--rest", "--address", found[1], "--timeout", "1").returncode == 1


@pytest.mark.parametrize("off", ["--grpc", "--rest"])
def test_either_listener_can_be_off(folder: Path, off: str) -> None:
    service = Service(
        folder, off, "off", *(["--rest", "127.0.0.1:0"] if off == "--grpc" else ["--grpc", "127.0.0.1:0"])
    )
    assert service.process.stdout is not None
    for line in service.process.stdout:
        service.banner += line
        if "stop " in line:
            break
    assert ("gRPC " in service.banner, "REST " in service.banner) == (off == "--rest", off == "--grpc")
    assert ("curl" in service.banner, "grpcurl" in service.banner) == (True, off == "--rest")
    assert service.end() == 0


def test_a_rest_port_in_use_is_one_line(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        service = Service(folder, "--grpc", "127.0.0.1:0", "--rest", f"127.0.0.1:{port}")
        assert service.finished() == 3
    assert service.log.read_text().splitlines()[-1].endswith("or choose another --rest (LEDGER_REST)")


def test_a_second_service_on_the_folder_is_one_line(folder: Path) -> None:
    first = Service(folder, "--grpc", "127.0.0.1:0")
    first.wait_until_serving()
    second = run("serve", "--data-dir", str(folder / "data"), "--grpc", "127.0.0.1:0")
    assert second.returncode == 3
    assert f"(process {first.process.pid}) uses" in second.stderr.splitlines()[-1]
    assert first.end() == 0


def test_an_unreachable_database_is_one_line_without_the_password() -> None:
    dsn = "postgresql://ledger:hunter2@127.0.0.1:1/ledger"
    ended = run("serve", "--grpc", "127.0.0.1:0", LEDGER_DSN=dsn)
    assert ended.returncode == 3
    assert "cannot reach the database 127.0.0.1:1/ledger" in ended.stderr.splitlines()[-1]
    assert "hunter2" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--version"], 0),
        (["--help"], 0),
        (["serve", "--help"], 0),
        (["serve", "--workers", "0"], 2),
        (["serve", "--nonsense"], 2),
        (["nonsense"], 2),
        (["serve-worker"], 1),
        (["health", "--address", "127.0.0.1:1", "--timeout", "1"], 1),
        (["config"], 0),
    ],
)
def test_exit_codes(arguments: list[str], code: int) -> None:
    ended = run(*arguments)
    assert ended.returncode == code
    assert "Traceback" not in ended.stderr
    assert bool(ended.stderr) == (code != 0)
