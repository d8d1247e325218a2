"""Whose processor time a benchmark counts."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.cpu import Cpu, cpu_of

_BURN = "import sys, time\nwhile time.process_time() < 0.5: pass\nprint('burnt', flush=True)\nsys.stdin.read()"
_NOBODY = -1
_TOLD = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system does not tell")


def _burn() -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", _BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"burnt\n"
    return process


@_TOLD
def test_each_process_counts_for_its_own() -> None:
    before = cpu_of(_NOBODY)
    process = _burn()
    try:
        as_caller, as_server = cpu_of(_NOBODY), cpu_of(process.pid)
    finally:
        process.communicate()
    assert as_caller.callers - before.callers >= 0.4
    assert as_caller.database == before.database == 0
    assert as_server.database >= 0.4
    assert as_server.callers <= as_caller.callers - 0.4
    # ghz is started for one measurement, and gone when it is over.
    assert cpu_of(_NOBODY).callers >= as_caller.callers


@_TOLD
def test_what_is_measured_is_known_by_its_module() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _BURN, "-m", "bench.echo"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        deadline = time.monotonic() + 60
        while cpu_of(_NOBODY).service < 0.4:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.communicate()


def test_what_was_added_is_shared_out() -> None:
    assert Cpu(3.0, 1.0, 0.5).since(Cpu(1.0, 1.0, 0.0), 1000) == Cpu(0.002, 0.0, 0.0005)
    assert str(Cpu(0.002, 0.0, 0.0005)) == "2,000 + 0 + 500"
    assert Cpu().since(Cpu(), 10) is None
    assert Cpu(1.0, 1.0, 1.0).since(Cpu(), 0) is None
