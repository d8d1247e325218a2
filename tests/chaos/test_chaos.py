"""The short form of `make chaos`."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT
from typing import TYPE_CHECKING

import pytest

from tests.helpers.processes import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SEED = 20261121


@pytest.mark.slow
@pytest.mark.timeout(420)
async def test_everything_breaks_and_nothing_is_lost(tmp_path: Path) -> None:
    """In a process of its own: it starts many others, and gRPC's handlers of forks are not up to that."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos", "--short"),
        *("--seed", str(SEED), "--json", str(tmp_path / "report.json")),
        cwd=ROOT,
        stdout=PIPE,
        stderr=STDOUT,
    )
    output, _ = await process.communicate()
    print(output.decode())
    assert process.returncode == 0, output.decode()
