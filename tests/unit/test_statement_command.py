"""`ledger-service statement`: what it prints and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.statement_files import WRITERS, sample


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ledger_service", "statement", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env={"COLUMNS": "80", "PYTHONIOENCODING": "utf-8"},
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "january.sta"
    path.write_bytes(sample(WRITERS["MT940"], 3))
    return path


def test_json(file: Path) -> None:
    done = run(str(file), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert (document["format"], document["warnings"]) == ("MT940", [])
    (statement,) = document["statements"]
    assert (statement["account"], statement["currency"]) == ("DE00", "EUR")
    assert statement["opening"] == {"amount": "10.00", "date": "2026-01-31"}
    assert statement["closing"] == {"amount": "1.75", "date": "2026-01-31"}
    assert [line["amount"] for line in statement["lines"]] == ["-3.75", "-2.75", "-1.75"]
    first = statement["lines"][0]
    assert (first["bookingDate"], first["valueDate"]) == ("2026-01-01", "2026-01-01")
    assert (first["counterparty"], first["reference"], first["text"]) == (None, "R0", "text 0")


def test_table(file: Path) -> None:
    done = run(str(file), "--lines", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert "january.sta  MT940, 1 statement, 3 lines" in done.stdout
    assert "2026-01-02   -2.75" in done.stdout
    assert "and 1 more" in done.stdout
    assert "opening balance" in done.stdout
    assert "together -8.25" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_contradictions_are_shown(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"C260131EUR1,75", b"C260131EUR1,76"))
    done = run(str(file))
    assert done.returncode == 0
    assert "The file contradicts itself:\n  line 11: opening balance 10.00 and lines -8.25 make 1.75" in done.stdout
    (warning,) = json.loads(run(str(file), "--json").stdout)["warnings"]
    assert warning["line"] == 11


def test_a_refused_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("date,amount\n05/06/2023,1.00\n")
    done = run(str(path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"ledger-service: {path}: line 2: the dates may have the day or the month first")
    assert run(str(path), "--mapping", "date-order=dmy").returncode == 0


def test_wrong_use(tmp_path: Path, file: Path) -> None:
    for arguments in ([str(tmp_path / "none")], [str(tmp_path)], [str(file), "--mapping", "when=x"], []):
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("date,amount,text,name\n2026-01-02,1.00,[red]\x1b[2J,\u202eevil\n", encoding="utf-8")
    done = run(str(path))
    assert done.returncode == 0
    assert "[red] [2J" in done.stdout
    assert not {"\x1b", "\u202e"} & set(done.stdout)
