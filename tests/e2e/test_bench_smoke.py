"""`python -m bench` with everything tiny: it runs, states what it measured, and judges nothing at that size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.targets import TARGETS

_ROOT = Path(__file__).resolve().parents[2]
# One of each kind of stage; the others differ in their loads, which tests/integration/test_bench_load.py sends.
_SCENARIOS = ["B2", "L1", "R1", "R2", "G1"]


def _bench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", f"--data={folder}/data", f"--results={folder}/results", *arguments],
        cwd=_ROOT, env=os.environ | {"NO_COLOR": "1"}, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_tiny_run(tmp_path: Path) -> None:
    ended = _bench(
        tmp_path, "--only", ",".join(_SCENARIOS), "--rounds", "1", "--seconds", "0.1", "--scale", "0.0005"
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (found,) = (tmp_path / "results").glob("*.json")
    report = json.loads(found.read_text())
    assert sorted(report["scenarios"]) == sorted(_SCENARIOS)
    assert report["state"]["commits"] == "durable"
    judged = {key: value for one in report["scenarios"].values() for key, value in one["targets"].items()}
    assert sorted(judged) == sorted(one.key for one in TARGETS if one.scenario in _SCENARIOS)
    for key, one in judged.items():
        assert one["median"] > 0, key
        # It never claims what it did not measure.
        assert one["verdict"] == "not judged", key
        assert key in ended.stdout
    for key, one in report["scenarios"].items():
        assert one["facts"]["verified"], key
    page = found.with_suffix(".html").read_text()
    assert page.count("<h2>") == len(_SCENARIOS)
    assert "http" not in page


def test_an_unknown_scenario_is_refused_with_those_that_exist(tmp_path: Path) -> None:
    ended = _bench(tmp_path, "--only", "B9")
    assert ended.returncode == 2
    assert "no scenario B9; there are B1, B2" in ended.stderr
