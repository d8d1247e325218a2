"""A hundred thousand open items: each document is made within memory that its own size explains."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ledger_service.rendering import FORMATS

ITEMS = 100_000
KIBIBYTES_A_MEBIBYTE = 1 << 10

# What may be held beside the document twice over: JSON makes plain values of every item first.
BESIDE_MEBIBYTES = {"csv": 16, "xlsx": 32, "html": 48, "json": 160}

# In a process of its own, whose peak is nobody else's; kibibytes on Linux.
RENDER = """
import resource, sys
from ledger_service.rendering import FORMATS
from tests.helpers.reports import empty_report, some_report
report = some_report(int(sys.argv[2]), 520, 100)
render = FORMATS[sys.argv[1]].render
render(empty_report())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
document = render(report)
print(len(document) // 1024, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak in Linux's unit")
@pytest.mark.parametrize("name", FORMATS)
def test_memory_is_bounded(name: str) -> None:
    done = subprocess.run([sys.executable, "-c", RENDER, name, str(ITEMS)], capture_output=True, text=True, check=True)
    size, grown = map(int, done.stdout.split())
    assert size > ITEMS * 10 // 1024, "all items are in it"
    # A bytearray has an eighth more than it needs while it grows, and is copied once.
    assert grown < 2.5 * size + BESIDE_MEBIBYTES[name] * KIBIBYTES_A_MEBIBYTE
