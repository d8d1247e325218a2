"""The order of test files names files that are there, and puts the slow ones first."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.helpers.order import SECONDS, slow_files_first, slowest_files

ROOT = Path(__file__).parents[2]


def test_every_file_is_there() -> None:
    assert [file for file in SECONDS if not (ROOT / file).is_file()] == []


def test_slow_files_first_each_in_its_own_order() -> None:
    slow, slower = min(SECONDS, key=SECONDS.__getitem__), max(SECONDS, key=SECONDS.__getitem__)
    order = [f"{slow}::b", f"{slow}::a", "tests/unit/test_order.py::x", f"{slower}::z", f"{slower}::y"]
    items: list[Any] = [SimpleNamespace(nodeid=one) for one in order]
    slow_files_first(items)
    assert [one.nodeid for one in items] == [*order[3:], *order[:2], order[2]]


def test_a_file_takes_what_its_tests_take() -> None:
    reports: list[Any] = [
        SimpleNamespace(nodeid=nodeid, duration=seconds)
        for nodeid, seconds in (("a.py::x", 1.5), ("b.py::x[1::2]", 2.0), ("a.py::y", 1.0), ("c.py::x", 0.5))
    ]
    assert slowest_files(reports, 2) == [("a.py", 2.5), ("b.py", 2.0)]
