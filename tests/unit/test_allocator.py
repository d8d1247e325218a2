"""The pools of the C library's allocator, in a process of its own."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from ledger_service.allocator import ARENAS

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has pools for threads")

_POOLS = """
import ctypes, sys, threading
from ledger_service.allocator import limit_arenas

if sys.argv[1] == "limited":
    limit_arenas()
together = threading.Barrier(7)

def use():
    together.wait()
    held = bytearray(100_000)
    together.wait()

threads = [threading.Thread(target=use) for _ in range(6)]
for thread in threads:
    thread.start()
together.wait()
together.wait()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


def pools(mode: str, **environment: str) -> int:
    """How many there are after six threads have asked for memory at once."""
    kept = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    ended = subprocess.run(
        [sys.executable, "-c", _POOLS, mode], env=kept | environment, capture_output=True, text=True, check=True
    )
    return ended.stdout.count("<heap nr=")


def test_a_few_are_enough() -> None:
    assert pools("limited") <= ARENAS < pools("as it comes")


def test_the_operators_choice_stands() -> None:
    assert pools("limited", MALLOC_ARENA_MAX="4") > ARENAS
