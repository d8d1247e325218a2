"""Every option of the service: name, unit, default, bounds, and its `LEDGER_...` environment variable.

An option comes from, in this order: the command line (the few that have a flag), the environment, the
default. Limits are options as well: each queue, page, batch, message, retry and wait of the service is
bounded by a number that has a name here.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

ENV_PREFIX = "LEDGER_"

# Read by the clients (examples, demo, reconcile, health), the bench and the supervisor of the workers, not by Settings.
OTHER_VARIABLES = frozenset({
    "LEDGER_TARGET", "LEDGER_TOKEN", "LEDGER_CA", "LEDGER_ENTITY", "LEDGER_ACCOUNT", "LEDGER_CURRENCY",
    "LEDGER_WORKER_INDEX", "LEDGER_HEALTH_CERTIFICATE", "LEDGER_HEALTH_KEY",
})  # fmt: skip

# A token that can be guessed is worse than none: it looks like protection.
MIN_TOKEN_CHARACTERS = 16

# As many bytes as the digest has: RFC 7518, section 3.2.
MIN_JWT_SECRET_CHARACTERS = 32

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


def _absolute_or_none(path: Path | None) -> Path | None:
    return None if path is None else _absolute(path)


def _label_text(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,40}", text, re.ASCII):
        raise ValueError("must be 1 to 40 of A-Z a-z 0-9 . _ -")
    return text


def _option(default: Any, meaning: str, *, flag: str | None = None, **bounds: Any) -> Any:  # noqa: ANN401
    return Field(default=default, description=meaning, json_schema_extra={"flag": flag} if flag else None, **bounds)


LISTENERS = ("grpc", "rest")
"""Options with the addresses that callers' tokens come in on."""


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
    tls_certificate: Annotated[Path | None, AfterValidator(_absolute_or_none)] = _option(
        None, "PEM file: the server's certificate, then those up to its authority; with it all listeners speak TLS",
        flag="--tls-certificate",
    )  # fmt: skip
    tls_key: Annotated[Path | None, AfterValidator(_absolute_or_none)] = _option(
        None, "PEM file: the key of the certificate", flag="--tls-key"
    )
    tls_client_ca: Annotated[Path | None, AfterValidator(_absolute_or_none)] = _option(
        None, "PEM file: whose client certificates are taken; with it clients must show one", flag="--tls-client-ca"
    )
    grpc_mutual: Annotated[str, AfterValidator(_address_or_off)] = _option(
        "off",
        "HOST:PORT of a second gRPC listener that demands client certificates; the first one then asks for none",
    )
    insecure: bool = _option(
        default=False,
        meaning="true serves plain text to other machines as well: for networks that encrypt by themselves",
        flag="--insecure",
    )  # fmt: skip
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
    credential_recheck_seconds: float = _option(
        15.0, "seconds that a credential's meaning is remembered; revocations take effect within twice this",
        ge=0.05, le=15,
    )  # fmt: skip

    jwt_issuer: str | None = _option(None, "the `iss` of the JWTs that are taken; without it none are")
    jwt_audience: str | None = _option(None, "what must stand in their `aud`")
    jwt_label: Annotated[str, AfterValidator(_label_text)] = _option(
        "idp", "the issuer's name in the history: jwt:LABEL:SUB"
    )
    jwt_keys: str | None = _option(None, "their issuer's key set (JWKS): an https:// URL, or a file")
    jwt_secret: SecretStr | None = _option(
        None, "instead of keys, the secret that HS256 tokens are signed with", min_length=MIN_JWT_SECRET_CHARACTERS
    )
    jwt_entities_claim: str = _option("ledger_entities", "the claim with the entities that a token may see")
    jwt_leeway_seconds: float = _option(15.0, "seconds that the issuer's clock may be from ours", ge=0, le=300)
    jwt_max_lifetime_seconds: float = _option(86_400.0, "seconds from `iat` to `exp`, at most", ge=1, le=31_536_000)
    jwt_max_stale_seconds: float = _option(
        14_400.0, "seconds that keys are used on while their issuer does not answer", ge=300, le=604_800
    )

    rate_limit_per_second: float = _option(
        0.0, "calls a second of one caller at a worker, a batch counts its items; 0: no limit", ge=0, le=1_000_000
    )
    rate_limit_burst: int = _option(1_000, "calls that a caller who was idle may make at once", ge=1, le=1_000_000)
    max_concurrent_calls: int = _option(2_048, "calls of one caller under way in a worker", ge=1, le=100_000)
    max_queued_commands: int = _option(
        20_000, "writes that may wait for a commit; more are refused at once", ge=1, le=1_000_000
    )
    max_commit_commands: int = _option(2_000, "writes in one database transaction", ge=1, le=20_000)
    max_commit_postings: int = _option(8_000, "postings in one database transaction", ge=1_000, le=100_000)
    writer_connections: int = _option(2, "database connections of a worker for writes", ge=1, le=16)
    reader_connections: int = _option(
        8, "database connections of a worker for reads, half of them for searches and questions", ge=1, le=100
    )
    max_message_bytes: int = _option(16 * MIB, "bytes of a gRPC message, in and out", ge=64 * KIB, le=256 * MIB)
    max_concurrent_rpcs: int = _option(4_096, "calls under way in a worker", ge=1, le=100_000)
    max_connection_calls: int = _option(
        256, "gRPC calls under way on one connection, long streams included; more wait in the client", ge=1, le=100_000
    )
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
    search_seconds: float = _option(5.0, "seconds a search, or a page of counterparties, may take", ge=0.1, le=30)
    ask_seconds: float = _option(5.0, "seconds each statement for a question may take", ge=0.1, le=60)
    max_questions: int = _option(4, "questions that a worker answers at a time; more are refused", ge=1, le=100)
    checkpoint_key: Annotated[Path | None, AfterValidator(_absolute_or_none)] = _option(
        None, "PEM file: the Ed25519 key that signs checkpoints (`ledger-service checkpoint-key` makes one)"
    )
    planner_url: str | None = _option(
        None, "OpenAI-compatible endpoint that plans questions, up to /v1; without it the built-in planner alone does"
    )
    planner_model: str | None = _option(None, "the model to ask there", max_length=200)
    planner_key: SecretStr | None = _option(None, "the bearer key for it")
    planner_seconds: float = _option(
        10.0, "seconds the model may take before the built-in planner does", ge=0.05, le=120
    )
    max_statement_bytes: int = _option(32 * MIB, "bytes of a bank's file", ge=4 * KIB, le=128 * MIB)
    max_uploads: int = _option(8, "bank files that a worker takes in at a time; more are refused", ge=1, le=1_000)
    upload_seconds: float = _option(300.0, "seconds that a bank's file may take to arrive", ge=0.1, le=3_600)
    workshop_processes: int = _option(
        1, "processes of a worker that read bank files, match and write documents", ge=1, le=16
    )
    workshop_memory_bytes: int = _option(
        1024 * MIB, "bytes of memory that each of them may use", ge=128 * MIB, le=64 * 1024 * MIB
    )
    workshop_seconds: int = _option(120, "seconds that one file or one run of matching may take", ge=1, le=3_600)
    workshop_idle_seconds: float = _option(
        300.0, "seconds without work after which such a process ends", ge=0.05, le=86_400
    )
    max_workshop_jobs: int = _option(16, "files and runs of matching that may wait for a process", ge=1, le=1_000)
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

    @model_validator(mode="after")
    def _tls_agrees(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("give both --tls-certificate (LEDGER_TLS_CERTIFICATE) and --tls-key (LEDGER_TLS_KEY)")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise ValueError("--tls-client-ca (LEDGER_TLS_CLIENT_CA) needs --tls-certificate and --tls-key")
        if self.grpc_mutual != "off":
            if self.grpc == "off":
                raise ValueError("LEDGER_GRPC_MUTUAL needs --grpc (LEDGER_GRPC), which is off")
            if self.tls_client_ca is None:
                raise ValueError("LEDGER_GRPC_MUTUAL needs --tls-client-ca (LEDGER_TLS_CLIENT_CA)")
            if self.workers > 1 and not Address.parse(self.grpc_mutual).port:
                raise ValueError("LEDGER_GRPC_MUTUAL: several workers need a port that is not 0")
        return self

    @model_validator(mode="after")
    def _jwt_agrees(self) -> Self:
        given = {
            "LEDGER_JWT_ISSUER": self.jwt_issuer, "LEDGER_JWT_AUDIENCE": self.jwt_audience,
            "LEDGER_JWT_KEYS": self.jwt_keys, "LEDGER_JWT_SECRET": self.jwt_secret,
        }  # fmt: skip
        if any(value is not None for value in given.values()):
            missing = [name for name in ("LEDGER_JWT_ISSUER", "LEDGER_JWT_AUDIENCE") if given[name] is None]
            if missing:
                raise ValueError(f"for JWTs give {' and '.join(missing)} as well")
            if (self.jwt_keys is None) == (self.jwt_secret is None):
                raise ValueError("for JWTs give either LEDGER_JWT_KEYS or LEDGER_JWT_SECRET")
        return self

    @model_validator(mode="after")
    def _planner_agrees(self) -> Self:
        if (self.planner_url is None) != (self.planner_model is None):
            raise ValueError("give both LEDGER_PLANNER_URL and LEDGER_PLANNER_MODEL")
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


def refuse_plain_text_to_others(settings: Settings) -> None:
    """Raises ConfigError where bearer tokens would cross a network in clear and nobody has said that they may."""
    if settings.tls_certificate is not None or settings.insecure:
        return
    for name in LISTENERS:
        address = getattr(settings, name)
        if address != "off" and not is_loopback(Address.parse(address).host):
            raise ConfigError(
                f"{_label(name)} is {address}, and without TLS tokens would cross the network in clear: "
                "give --tls-certificate and --tls-key (LEDGER_TLS_CERTIFICATE, LEDGER_TLS_KEY), "
                "or, where the network encrypts by itself, --insecure (LEDGER_INSECURE=true)"
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener on this host."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
        least = next((rule.min_length for rule in field.metadata if hasattr(rule, "min_length")), MIN_TOKEN_CHARACTERS)
        message = f"must have at least {least} characters; `openssl rand -hex 32` makes a good one"
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
