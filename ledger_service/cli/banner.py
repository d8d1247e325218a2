"""What `serve` prints once it serves."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ledger_service import __version__
from ledger_service.cli.admin_token import AdminToken
from ledger_service.config import Listeners, Settings

DEFAULT_ADDRESS = str(Settings.model_fields["grpc"].default)
DEFAULT_REST = str(Settings.model_fields["rest"].default)
DEFAULT_DATA_DIR = Path(Settings.model_fields["data_dir"].default)
_FIRST_METHOD = "ledger.v1.EntityService/ListEntities"


@dataclass(frozen=True, slots=True)
class Banner:
    """The facts of a start."""

    workers: int
    database: str
    admin_token: AdminToken | None
    token_configured: bool
    certificate: Path | None = None
    """What clients may verify the server with; None: plain text."""

    def print(self, listeners: Listeners) -> None:
        """Print to standard output, in colour on a terminal."""
        console = Console(highlight=False, soft_wrap=True)
        console.print()
        console.print(Text(f"  ledger-service {__version__} is serving", style="bold green"))
        console.print()
        for name, value in self._lines(listeners):
            console.print(Text.assemble(("  " + name.ljust(12), "dim"), value))
        console.print()
        # A supervisor or a test that reads a pipe waits for these lines.
        sys.stdout.flush()

    def _lines(self, listeners: Listeners) -> list[tuple[str, str]]:
        processes = f" ({self.workers} processes)" if self.workers > 1 else ""
        lines = []
        if listeners.grpc != "off":
            lines.append(("gRPC", listeners.grpc + processes))
        if listeners.rest != "off":
            lines.append(("REST", f"{self._url(listeners)}{processes}, documentation at /docs"))
        lines.append(("database", self.database))
        if self.admin_token and self.admin_token.is_new:
            lines += [
                ("token", self.admin_token.token),
                ("", f"the administrator's; shown once, kept in {self._file}"),
            ]
        elif self.admin_token:
            lines.append(("token", f"the administrator's is in {self._file}"))
        elif self.token_configured:
            lines.append(("token", "the administrator's is the value of LEDGER_BOOTSTRAP_TOKEN"))
        else:
            lines.append(("token", "make one with: ledger-service token create --help"))
        return lines + self._first_steps(listeners) + [("stop", "Ctrl-C (finishes what was accepted)")]

    def _first_steps(self, listeners: Listeners) -> list[tuple[str, str]]:
        if listeners.grpc == "off":
            target = "" if listeners.rest == DEFAULT_REST else f" --address {listeners.rest}"
            trust = f" --cacert {shlex.quote(str(self.certificate))}" if self.certificate else ""
            return [
                ("first call", f"curl{trust} -H {self._header} {self._url(listeners)}/v1/entities"),
                ("health", f"{_program()} health --rest{target}"),
            ]
        address = listeners.grpc
        return [
            ("first call", f"grpcurl {self._transport} -H {self._header} {address} {_FIRST_METHOD}"),
            *([("", f"{_program()} demo{self._demo_options(address)}")] if self.certificate is None else []),
            ("health", f"{_program()} health{self._health_options(address)}"),
        ]

    def _url(self, listeners: Listeners) -> str:
        return f"{'https' if self.certificate else 'http'}://{listeners.rest}"

    def _health_options(self, address: str) -> str:
        options = "" if address == DEFAULT_ADDRESS else f" --address {address}"
        return (
            options if self.certificate is None else f"{options} --tls-certificate {shlex.quote(str(self.certificate))}"
        )

    def _demo_options(self, address: str) -> str:
        """What the demo can't know by itself here."""
        options = _target_option(address)
        if self.admin_token and self.admin_token.path.parent != DEFAULT_DATA_DIR.absolute():
            options += f" --data-dir {shlex.quote(str(self.admin_token.path.parent))}"
        return options

    @property
    def _file(self) -> str:
        return shlex.quote(str(self.admin_token.path)) if self.admin_token else ""

    @property
    def _transport(self) -> str:
        return "-plaintext" if self.certificate is None else f"-cacert {shlex.quote(str(self.certificate))}"

    @property
    def _header(self) -> str:
        if self.admin_token:
            return f'"authorization: Bearer $(cat {self._file})"'
        return '"authorization: Bearer $LEDGER_TOKEN"'


def _target_option(address: str) -> str:
    return "" if address == DEFAULT_ADDRESS else f" --target {address}"


def _program() -> str:
    """This program as one would type it here: by its path unless the shell finds it."""
    path = Path(sys.argv[0])
    if path.name != "ledger-service":
        return f"{shlex.quote(sys.executable)} -m ledger_service"
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return shlex.quote(str(path))
