"""The short form of `make chaos`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.campaign import run_round
from tests.chaos.plan import SHORT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
@pytest.mark.timeout(360)
async def test_everything_breaks_and_nothing_is_lost(tmp_path: Path) -> None:
    outcome = await run_round(tmp_path, SHORT, seed=20261121)
    print(outcome.happened, outcome.verdict.checked, outcome.seconds)
    assert outcome.verdict.is_clean, str(outcome.verdict)
