"""The yardstick of rows copies chains as the service writes them, and says when they are of another kind."""

from __future__ import annotations

from typing import Any

import pytest

from bench.raw_copy import Rows, row_drift


@pytest.mark.parametrize(
    ("stored", "copied", "found"),
    [
        ({"a": 1, "b": "xy"}, {"a": 2, "b": "zz"}, []),
        ({"a": 1, "new": None}, {"a": 1}, ["t: column new is missing from the yardstick"]),
        ({"a": 1}, {"a": 1, "old": 2}, ["t: column old is the yardstick's alone"]),
        ({"a": None}, {"a": 1}, ["t.a: the service writes NULL, the yardstick a value"]),
        ({"a": "xyz"}, {"a": "x"}, ["t.a: the service writes 3 long values, the yardstick 1"]),
    ],
)
def test_rows_of_another_kind_are_told(stored: dict[str, Any], copied: dict[str, Any], found: list[str]) -> None:
    assert row_drift("t", stored, copied) == found


def test_rows_are_chains_without_gaps() -> None:
    rows = Rows()
    events, entries = [], []
    for _ in range(3):
        some_events, some_entries = rows.batch(1, 40, accounts=5)
        events += some_events
        entries += some_entries
    assert [event.sequence for event in events] == list(range(1, 121))
    assert len({event.idempotency_key for event in events}) == 120
    chains: dict[int, list[int]] = {}
    for entry in entries:
        chains.setdefault(entry[1], []).append(entry[3])
    assert all(chain == list(range(1, len(chain) + 1)) for chain in chains.values())
