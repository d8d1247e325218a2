"""What `make mutants` would break is still there to be broken."""

from __future__ import annotations

import pytest

from tests.chaos.mutants import MUTANTS, ROOT, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_text_that_a_mutant_replaces(mutant: Mutant) -> None:
    assert mutant.changes or mutant.sabotage
    for change in mutant.changes:
        assert change.old in (ROOT / change.file).read_text(encoding="utf-8")
        assert change.old != change.new
