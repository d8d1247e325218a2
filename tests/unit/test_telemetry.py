"""What is counted of calls, as a scrape sees it."""

from __future__ import annotations

from prometheus_client import REGISTRY, generate_latest

from ledger_service import telemetry

LABELS = {"grpc_type": "unary", "grpc_service": "ledger.v1.TestService", "grpc_method": "Count"}


def value(name: str, **more: str) -> float | None:
    return REGISTRY.get_sample_value(name, LABELS | more)


def test_calls_are_counted_under_the_names_that_dashboards_know() -> None:
    figures = telemetry.RPC_CALLS.method(*LABELS.values())
    assert telemetry.RPC_CALLS.method(*LABELS.values()) is figures
    began = figures.started()
    figures.handled(began, "OK")
    figures.handled(figures.started() - 0.3, "NOT_FOUND")
    figures.handled(figures.started() - 3_600, "OK")
    figures.started()
    assert value("grpc_server_started_total") == 4
    assert value("grpc_server_handled_total", grpc_code="OK") == figures.count("OK") == 2
    assert value("grpc_server_handled_total", grpc_code="NOT_FOUND") == figures.count("NOT_FOUND") == 1
    assert figures.count("INTERNAL") == 0
    assert value("grpc_server_handling_seconds_bucket", le="0.25") == 1
    assert value("grpc_server_handling_seconds_bucket", le="0.5") == 2
    assert value("grpc_server_handling_seconds_bucket", le="10.0") == 2
    assert value("grpc_server_handling_seconds_bucket", le="+Inf") == 3
    assert value("grpc_server_handling_seconds_count") == 3
    seconds = value("grpc_server_handling_seconds_sum")
    assert seconds is not None
    assert 3_600.3 <= seconds < 3_700
    text = generate_latest(REGISTRY).decode()
    for line in (
        "# TYPE grpc_server_started_total counter",
        "# TYPE grpc_server_handled_total counter",
        "# TYPE grpc_server_handling_seconds histogram",
    ):
        assert text.count(line) == 1


def test_the_level_of_the_queue_is_told_as_it_is() -> None:
    telemetry.QUEUE_COMMANDS.value = 17
    assert REGISTRY.get_sample_value("ledger_queue_commands") == 17
    telemetry.QUEUE_COMMANDS.value = 0
    assert REGISTRY.get_sample_value("ledger_queue_commands") == 0
