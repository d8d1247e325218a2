"""The short form of `make chaos`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import rich

from tests.chaos.campaign import run_round
from tests.chaos.gates import Total, gates_of, table_of
from tests.chaos.plan import SHORT

if TYPE_CHECKING:
    from pathlib import Path


SEED = 20261121


@pytest.mark.slow
@pytest.mark.timeout(360)
async def test_everything_breaks_and_nothing_is_lost(tmp_path: Path) -> None:
    """`python -m tests.chaos --short` does the same with other seeds."""
    total = Total()
    outcome = await run_round(tmp_path, SHORT, SEED)
    total.add(outcome)
    gates = gates_of(total, SHORT)
    rich.print(table_of(gates, total, f"{total.seconds:.0f} s"))
    assert not outcome.failure, outcome.failure
    assert total.verdict.is_clean, str(total.verdict)
    assert [gate for gate in gates if not gate.is_passed] == []
