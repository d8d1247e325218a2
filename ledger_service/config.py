"""Every option of the service: name, unit, default, bounds, and its `LEDGER_...` environment variable.

An option comes from, in this order: the command line (the few that have a flag), the environment, the
default. Limits are options as well: each queue, page, batch, message, retry and wait of the service is
bounded by a number that has a name here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

ENV_PREFIX = "LEDGER_"

# Read by the clients (examples, demo), the bench and the supervisor of the workers, not by Settings.
OTHER_VARIABLES = frozenset({"LEDGER_TARGET", "LEDGER_TOKEN", "LEDGER_WORKER_INDEX"})

# A token that can be guessed is worse than none: it looks like protection.
MIN_TOKEN_CHARACTERS = 16

KIB = 1024
MIB = 1024 * KIB


class ConfigError(Exception):
    """Options that cannot be used: one line for each that is wrong, saying how to mend it."""


class Address(NamedTuple):
    """A host and a TCP port; port 0 lets the system choose one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `HOST:PORT` or `[IPV6]:PORT`; raises ValueError saying what is wrong."""
        host, colon, port = text.rpartition(":")
        if not colon or not host:
            raise ValueError(f"write it as HOST:PORT, for example 127.0.0.1:50051, not {text!r}")
        if ":" in host and not (host.startswith("[") and host.endswith("]")):
            raise ValueError(f"put the IPv6 address in brackets: [{host}]:{port}")
        if not (port.isascii() and port.isdigit() and int(port) <= 65535):
            raise ValueError(f"the port must be a number from 0 to 65535, not {port!r}")
        return cls(host.removeprefix("[").removesuffix("]"), int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Listeners(NamedTuple):
    """Where a service listens: HOST:PORT, or "off"."""

    grpc: str
    rest: str


def _address(text: str) -> str:
    return str(Address.parse(text))


def _address_or_off(text: str) -> str:
    return "off" if text.lower() == "off" else _address(text)


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _option(default: Any, meaning: str, *, flag: str | None = None, **bounds: Any) -> Any:  # noqa: ANN401
    return Field(default=default, description=meaning, json_schema_extra={"flag": flag} if flag else None, **bounds)


class Settings(BaseSettings):
    """The options of one service process. Immutable; build it with `load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    dsn: SecretStr | None = _option(
        None, "the PostgreSQL to use, postgresql://...; without it the embedded one in data_dir", flag="--dsn"
    )
    migrate_dsn: SecretStr | None = _option(
        None, "the same with a user that may create tables and roles, for migrations; default: dsn"
    )
    data_dir: Annotated[Path, AfterValidator(_absolute)] = _option(
        Path("data"), "folder of the embedded PostgreSQL and the administrator's token", flag="--data-dir",
        validate_default=True,
    )  # fmt: skip
    grpc: Annotated[str, AfterValidator(_address_or_off)] = _option(
        "127.0.0.1:50051", "HOST:PORT to serve gRPC on, or off; port 0 takes a free one", flag="--grpc"
    )
    rest: Annotated[str, AfterValidator(_address_or_off)] = _option(
        "127.0.0.1:8080", "HOST:PORT to serve REST on, or off; port 0 takes a free one", flag="--rest"
    )
    workers: int = _option(1, "processes that share the port", flag="--workers", ge=1, le=64)
    metrics: Annotated[str, AfterValidator(_address_or_off)] = _option(
        "off", "HOST:PORT to serve Prometheus metrics on; worker n uses PORT+n", flag="--metrics"
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = _option(
        "info", "least severe log events to write: debug, info, warning or error", flag="--log-level"
    )
    log_format: Annotated[Literal["auto", "json", "console"], BeforeValidator(_lower)] = _option(
        "auto", "json, console, or auto: console on a terminal, else json", flag="--log-format"
    )
    bootstrap_token: SecretStr | None = _option(
        None,
        "the first administrator's bearer token; the embedded server makes one by itself",
        min_length=MIN_TOKEN_CHARACTERS,
    )
    key_pepper: SecretStr = _option(
        SecretStr(""),
        "secret mixed into the stored hashes of tokens; tokens made with another one stop working",
    )

    max_queued_commands: int = _option(
        20_000, "writes that may wait for a commit; more are refused at once", ge=1, le=1_000_000
    )
    max_commit_commands: int = _option(2_000, "writes in one database transaction", ge=1, le=20_000)
    max_commit_postings: int = _option(8_000, "postings in one database transaction", ge=1_000, le=100_000)
    writer_connections: int = _option(2, "database connections of a worker for writes", ge=1, le=16)
    reader_connections: int = _option(8, "database connections of a worker for reads", ge=1, le=100)
    max_message_bytes: int = _option(16 * MIB, "bytes of a gRPC message, in and out", ge=64 * KIB, le=256 * MIB)
    max_concurrent_rpcs: int = _option(4_096, "calls under way in a worker", ge=1, le=100_000)
    max_body_bytes: int = _option(16 * MIB, "bytes of the body of a REST request", ge=4 * KIB, le=256 * MIB)
    max_header_bytes: int = _option(
        32 * KIB, "bytes of the request line and the headers of a REST request", ge=4 * KIB, le=1 * MIB
    )
    max_concurrent_requests: int = _option(
        1_024, "REST requests under way in a worker; more are refused at once", ge=1, le=100_000
    )
    max_connections: int = _option(4_096, "REST connections of a worker; more are closed at once", ge=1, le=100_000)
    keep_alive_seconds: int = _option(75, "seconds that an idle REST connection is kept open", ge=1, le=3_600)
    client_timeout_seconds: float = _option(
        30.0, "seconds that a REST client may take to send its request, or to take its answer", ge=0.1, le=3_600
    )
    max_batch_transactions: int = _option(10_000, "transactions in one batch call", ge=1, le=100_000)
    max_batch_postings: int = _option(40_000, "postings in one batch call", ge=1_000, le=1_000_000)
    max_stream_in_flight: int = _option(1_024, "items of a stream that may wait for their answers", ge=1, le=20_000)
    write_timeout_seconds: float = _option(
        15.0, "seconds an accepted write may wait for the database before UNAVAILABLE", ge=0.1, le=300
    )
    drain_seconds: float = _option(30.0, "seconds to finish accepted calls after SIGTERM", ge=0, le=3_600)
    watch_poll_milliseconds: int = _option(
        50, "milliseconds between two looks of a watcher for new events", ge=1, le=10_000
    )
    expiry_interval_milliseconds: int = _option(
        500,
        "milliseconds between two sweeps for expired transactions; 0 leaves them to the next write",
        ge=0,
        le=60_000,
    )
    max_watchers: int = _option(256, "watch calls under way in a worker", ge=1, le=10_000)

    @model_validator(mode="after")
    def _limits_agree(self) -> Self:
        if self.max_batch_transactions > self.max_queued_commands:
            raise ValueError(
                "LEDGER_MAX_BATCH_TRANSACTIONS must not exceed LEDGER_MAX_QUEUED_COMMANDS: "
                "the largest batch allowed could never be accepted"
            )
        if self.grpc == self.rest == "off":
            raise ValueError("--grpc (LEDGER_GRPC) and --rest (LEDGER_REST) are both off: there is nothing to serve")
        if self.metrics != "off":
            port = Address.parse(self.metrics).port
            if not 0 < port <= 65536 - self.workers:
                raise ValueError(f"--metrics (LEDGER_METRICS): choose a port from 1 to {65536 - self.workers}")
        return self

    def to_environment(self) -> dict[str, str]:
        """All options as environment variables, secrets in clear: for a child process and nothing else."""
        variables = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                value = value.get_secret_value()
            if value is not None:
                variables[env_name(name)] = str(value)
        return variables


def env_name(option: str) -> str:
    """The environment variable of an option."""
    return ENV_PREFIX + option.upper()


def load_settings(**from_command_line: object) -> Settings:
    """Read the options; those from the command line win, None means not given.

    Raises:
        ConfigError: naming each option that is wrong, its variable, and what it may be.
    """
    given = {name: value for name, value in from_command_line.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]  # checked by pydantic, which is the point here
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(details) for details in error.errors())) from None


def _explain(details: Mapping[str, Any]) -> str:
    message = str(details["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    if not details["loc"]:
        return message
    name = str(details["loc"][0])
    field = Settings.model_fields[name]
    if "SecretStr" in str(field.annotation):
        # pydantic's own words may quote the value.
        message = f"must have at least {MIN_TOKEN_CHARACTERS} characters; `openssl rand -hex 32` makes a good one"
    elif bounds := _bounds(field):
        message = f"must be a number {bounds}, not {details['input']!r}"
    elif details["type"] != "value_error":
        message = f"must be {message}, not {details['input']!r}"
    return f"{_label(name)}: {message}"


def _label(name: str) -> str:
    flag = _flag(Settings.model_fields[name])
    return f"{flag} ({env_name(name)})" if flag else env_name(name)


def _flag(field: FieldInfo) -> str | None:
    extra = field.json_schema_extra
    return str(extra["flag"]) if isinstance(extra, dict) else None


def misspelt_variables(environment: Mapping[str, str] | None = None) -> list[str]:
    """One line for each LEDGER_ variable that no option reads.

    A typo would otherwise mean the default, silently.
    """
    known = {env_name(name) for name in Settings.model_fields} | OTHER_VARIABLES
    lines = []
    for name in sorted(os.environ if environment is None else environment):
        if name.startswith(ENV_PREFIX) and name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f", did you mean {close[0]}?" if close else ""
            lines.append(f"{name} is not an option{hint}")
    return lines


class OptionRow(NamedTuple):
    """One line of the table of options."""

    variable: str
    flag: str
    default: str
    value: str
    meaning: str


def describe_options(settings: Settings | None = None) -> list[OptionRow]:
    """The table of all options for docs and `ledger-service config`; secrets are never in it."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = _plain(field.default)
        value = _plain(getattr(settings, name)) if settings else default
        bounds = _bounds(field)
        meaning = f"{field.description} ({bounds})" if bounds else str(field.description)
        rows.append(OptionRow(env_name(name), _flag(field) or "", default, value, meaning))
    return rows


def _plain(value: object) -> str:
    if isinstance(value, SecretStr):
        return "(set)" if value.get_secret_value() else ""
    return "" if value is None else str(value)


def _bounds(field: FieldInfo) -> str:
    low = next((rule.ge for rule in field.metadata if hasattr(rule, "ge")), None)
    high = next((rule.le for rule in field.metadata if hasattr(rule, "le")), None)
    return f"from {low} to {high}" if low is not None and high is not None else ""
