"""Options: defaults, sources, bounds, and what a wrong one says."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest
import structlog
from pydantic import ValidationError
from typer.testing import CliRunner

from ledger_service.cli import app
from ledger_service.cli.restart import MAX_QUICK_DEATHS, QUICK_SECONDS, RestartPolicy
from ledger_service.config import (
    Address,
    ConfigError,
    Settings,
    describe_options,
    env_name,
    load_settings,
    misspelt_variables,
    refuse_plain_text_to_others,
)
from ledger_service.telemetry import configure_logging

PASSWORD = "hunter2-and-more"


@pytest.fixture(autouse=True)
def _no_options_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(env_name(name), raising=False)


def test_defaults() -> None:
    settings = load_settings()
    assert settings.dsn is None
    assert (settings.grpc, settings.rest) == ("127.0.0.1:50051", "127.0.0.1:8080")
    assert settings.workers == 1
    assert settings.data_dir == Path.cwd() / "data"
    assert settings.max_message_bytes == 16 * 1024 * 1024


def test_command_line_wins_over_environment_wins_over_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_WORKERS", "3")
    monkeypatch.setenv("LEDGER_GRPC", "[::1]:0")
    assert load_settings(workers=None).workers == 3
    assert load_settings(workers=5).workers == 5
    assert load_settings().grpc == "[::1]:0"


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_DSN", "")
    monkeypatch.setenv("LEDGER_WORKERS", "")
    assert load_settings().dsn is None
    assert load_settings().workers == 1


def test_every_option_has_a_variable_that_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(
        dsn="postgresql://u:p@h/d", bootstrap_token="t" * 20, workers=7, key_pepper="x",
        tls_certificate="/c.pem", tls_key="/k.pem", tls_client_ca="/ca.pem", grpc_mutual="127.0.0.1:1", insecure=True,
        jwt_issuer="i", jwt_audience="a", jwt_secret="s" * 32,
    )  # fmt: skip
    for name, value in settings.to_environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        load_settings().workers = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("LEDGER_WORKERS", "65", "--workers (LEDGER_WORKERS): must be a number from 1 to 64, not '65'"),
        ("LEDGER_WORKERS", "two", "--workers (LEDGER_WORKERS): must be a number from 1 to 64, not 'two'"),
        ("LEDGER_MAX_WATCHERS", "0", "LEDGER_MAX_WATCHERS: must be a number from 1 to 10000, not '0'"),
        ("LEDGER_GRPC", "50051", "--grpc (LEDGER_GRPC): write it as HOST:PORT"),
        ("LEDGER_GRPC", "::1:50051", "put the IPv6 address in brackets: [::1]:50051"),
        ("LEDGER_GRPC", "localhost:99999", "the port must be a number from 0 to 65535, not '99999'"),
        ("LEDGER_REST", "8080", "--rest (LEDGER_REST): write it as HOST:PORT"),
        ("LEDGER_METRICS", "on", "--metrics (LEDGER_METRICS): write it as HOST:PORT"),
        ("LEDGER_METRICS", "127.0.0.1:65536", "the port must be"),
        ("LEDGER_METRICS", "127.0.0.1:0", "--metrics (LEDGER_METRICS): choose a port from 1 to"),
        ("LEDGER_LOG_LEVEL", "loud", "must be 'debug', 'info', 'warning' or 'error', not 'loud'"),
        ("LEDGER_BOOTSTRAP_TOKEN", "short", "LEDGER_BOOTSTRAP_TOKEN: must have at least 16 characters"),
        ("LEDGER_JWT_SECRET", "x" * 31, "LEDGER_JWT_SECRET: must have at least 32 characters"),
        ("LEDGER_JWT_ISSUER", "https://idp.example", "for JWTs give LEDGER_JWT_AUDIENCE as well"),
        ("LEDGER_JWT_KEYS", "keys.json", "for JWTs give LEDGER_JWT_ISSUER and LEDGER_JWT_AUDIENCE as well"),
        ("LEDGER_JWT_LABEL", "a:b", "LEDGER_JWT_LABEL: must be 1 to 40 of"),
        ("LEDGER_TLS_CERTIFICATE", "server.pem", "give both --tls-certificate"),
        ("LEDGER_TLS_KEY", "server.key", "give both --tls-certificate"),
        ("LEDGER_TLS_CLIENT_CA", "ca.pem", "--tls-client-ca (LEDGER_TLS_CLIENT_CA) needs --tls-certificate"),
        ("LEDGER_GRPC_MUTUAL", "127.0.0.1:50052", "LEDGER_GRPC_MUTUAL needs --tls-client-ca"),
        (
            "LEDGER_CREDENTIAL_RECHECK_SECONDS",
            "16",
            "LEDGER_CREDENTIAL_RECHECK_SECONDS: must be a number from 0.05 to 15",
        ),
        ("LEDGER_MAX_BATCH_TRANSACTIONS", "30000", "must not exceed LEDGER_MAX_QUEUED_COMMANDS"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", [{}, {"jwt_keys": "keys.json", "jwt_secret": "s" * 32}])
def test_jwts_are_verified_by_keys_or_by_a_secret(given: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="either LEDGER_JWT_KEYS or LEDGER_JWT_SECRET"):
        load_settings(jwt_issuer="i", jwt_audience="a", **given)


def test_workers_cannot_each_choose_a_port() -> None:
    tls = {"tls_certificate": "c", "tls_key": "k", "tls_client_ca": "a"}
    with pytest.raises(ConfigError, match="several workers need a port"):
        load_settings(**tls, grpc_mutual="127.0.0.1:0", workers=2)
    assert load_settings(**tls, grpc_mutual="127.0.0.1:50052", workers=2).tls_key == Path.cwd() / "k"


@pytest.mark.parametrize("address", ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "ledger.example:1"])
def test_plain_text_is_for_this_machine(address: str) -> None:
    with pytest.raises(ConfigError, match=r"--insecure \(LEDGER_INSECURE=true\)") as caught:
        refuse_plain_text_to_others(load_settings(grpc=address))
    assert address in str(caught.value)
    refuse_plain_text_to_others(load_settings(grpc=address, insecure=True))
    refuse_plain_text_to_others(load_settings(grpc=address, tls_certificate="c", tls_key="k"))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "LOCALHOST:1"])
def test_plain_text_on_this_machine(address: str) -> None:
    refuse_plain_text_to_others(load_settings(grpc=address))


def test_at_least_one_listener_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_GRPC", "off")
    assert load_settings().grpc == "off"
    with pytest.raises(ConfigError, match="both off"):
        load_settings(rest="OFF")


def test_each_wrong_value_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_WORKERS", "0")
    monkeypatch.setenv("LEDGER_DRAIN_SECONDS", "-1")
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert len(str(caught.value).splitlines()) == 2


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    dsn = f"postgresql://ledger:{PASSWORD}@localhost/ledger"
    settings = load_settings(dsn=dsn, bootstrap_token=PASSWORD, key_pepper=PASSWORD)
    assert PASSWORD not in repr(settings)
    assert PASSWORD not in settings.model_dump_json()
    assert PASSWORD not in str(describe_options(settings))
    monkeypatch.setenv("LEDGER_DSN", dsn)
    monkeypatch.setenv("LEDGER_KEY_PEPPER", PASSWORD)
    result = CliRunner().invoke(app, ["config"])
    assert result.exit_code == 0
    assert PASSWORD not in result.output
    assert "(set)" in result.output


@pytest.mark.parametrize("arguments", [["config"], ["config", "--format", "markdown"]])
def test_the_table_names_every_option(arguments: list[str]) -> None:
    output = CliRunner().invoke(app, arguments).output
    for name, field in Settings.model_fields.items():
        assert env_name(name) in output
        assert field.description
        assert str(field.description) in output


def test_a_misspelt_variable_is_noticed() -> None:
    lines = misspelt_variables({"LEDGER_WORKRES": "2", "LEDGER_TOKEN": "x", "OTHER": "", "LEDGER_WORKERS": "2"})
    assert lines == ["LEDGER_WORKRES is not an option, did you mean LEDGER_WORKERS?"]


@pytest.mark.parametrize("text", ["127.0.0.1:50051", "[::1]:0", "localhost:65535"])
def test_addresses_read_and_print_alike(text: str) -> None:
    assert str(Address.parse(text)) == text


@pytest.mark.parametrize("text", ["", ":", ":80", "host:", "host:-1", "host:٣", "host:80:90"])
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"HOST:PORT|the port must|brackets"):
        Address.parse(text)


def test_restarts_slow_down_and_end() -> None:
    policy = RestartPolicy()
    delays = [policy.delay_after(0.1) for _ in range(MAX_QUICK_DEATHS)]
    assert delays == [0.2, 0.4, 0.8, 1.6, None]
    policy = RestartPolicy()
    for _ in range(3 * MAX_QUICK_DEATHS):
        assert policy.delay_after(0.1) is not None
        assert policy.delay_after(QUICK_SECONDS) == 0.0


def test_logs_are_json_without_secrets() -> None:
    stream = io.StringIO()
    before = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        configure_logging("info", "auto", stream)
        structlog.get_logger("test").info(
            "started", token=PASSWORD, headers={"Authorization": PASSWORD, "host": "h"}, workers=2
        )
        logging.getLogger("elsewhere").warning("from the %s library", "standard", extra={"password": PASSWORD})
        structlog.get_logger("test").debug("not written")
    finally:
        logging.getLogger().handlers, logging.getLogger().level = before
        structlog.reset_defaults()
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert PASSWORD not in stream.getvalue()
    assert (first["event"], first["workers"], first["headers"]["host"]) == ("started", 2, "h")
    assert (second["event"], second["logger"]) == ("from the standard library", "elsewhere")
