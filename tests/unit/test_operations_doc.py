"""Whoever adds a metric, or a log event that wakes somebody up, says in the runbook what to do about it."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY

from ledger_service import telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "operations.md").read_text()
ALARMING = {"warning", "error", "exception", "critical"}
LOGGERS = {"_log", "logger"}


def table_below(heading: str) -> str:
    """The names in the first column of the table of a section."""
    section = RUNBOOK.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return "\n".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))


def metrics() -> set[str]:
    """As a scrape shows them, but for those of the Prometheus client itself."""
    assert telemetry.COMMITS is not None
    return {
        family.name + ("_total" if family.type == "counter" else "")
        for family in REGISTRY.collect()
        if not family.name.startswith(("process", "python"))
    }


def alarming_events(source: str) -> Iterator[str]:
    """What is logged at level warning or above; where the event comes as an argument, what the module's calls give."""
    tree = ast.parse(source)
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for call in (node for node in ast.walk(function) if is_alarm(node)):
            assert isinstance(call, ast.Call)
            event = call.args[0]
            if isinstance(event, ast.Constant):
                yield str(event.value)
            else:
                assert isinstance(event, ast.Name), ast.unparse(call)
                yield from given(tree, function, event.id)


def is_alarm(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ALARMING
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in LOGGERS
    )


def given(tree: ast.Module, function: ast.FunctionDef | ast.AsyncFunctionDef, parameter: str) -> Iterator[str]:
    names = [argument.arg for argument in function.args.args if argument.arg != "self"]
    found = []
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, "attr", getattr(call.func, "id", "")) == function.name:
            argument = call.args[names.index(parameter)]
            assert isinstance(argument, ast.Constant), ast.unparse(call)
            found.append(str(argument.value))
    assert found, f"nobody calls {function.name}"
    yield from found


def test_every_metric_has_its_alarm() -> None:
    listed = set(re.findall(r"`(\w+)`", table_below("Metrics and alarms")))
    assert metrics() >= {"ledger_commits_total", "grpc_server_handled_total"}, "they are found"
    assert listed == metrics()


def test_every_alarming_event_is_explained() -> None:
    sources = [path.read_text() for path in sorted((ROOT / "ledger_service").rglob("*.py"))]
    events = {event for source in sources for event in alarming_events(source)}
    assert events >= {"database_unavailable", "write_failed", "worker_died"}, "they are found"
    assert set(re.findall(r"`(\w+)`", table_below("Log events"))) == events


def test_no_event_escapes_by_another_spelling() -> None:
    """Loggers have one of two names everywhere, so that the test above finds what they say."""
    other = {
        f"{path.relative_to(ROOT)}: {match[1]}"
        for path in (ROOT / "ledger_service").rglob("*.py")
        for match in re.finditer(r"^\s*(\w+)\s*=\s*structlog\.get_logger", path.read_text(), re.MULTILINE)
        if match[1] not in LOGGERS
    }
    assert other == set()


def test_links_lead_somewhere() -> None:
    """Headings of the runbook itself, and files beside it."""
    anchors = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", RUNBOOK, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", RUNBOOK):
        path, _, anchor = target.partition("#")
        if path:
            assert (ROOT / "docs" / path).exists(), target
        else:
            assert anchor in anchors, target
