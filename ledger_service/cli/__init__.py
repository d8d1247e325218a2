"""A double-entry ledger as a service.

Exit codes: 0 all is well, 1 the command found a problem, 2 the command or an option is wrong, 3 the service
could not start. Answers go to standard output, progress and logs to standard error.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Annotated, Any

import typer

from ledger_service import __version__
from ledger_service.cli.errors import CommandError, ExitCode
from ledger_service.config import ConfigError

# A command's module is imported when the command is looked at. The modules are light: what they need to work
# is imported when they run. A module offers `command`, a function, or `app`, a group of commands.
_COMMANDS = {
    "serve": "ledger_service.cli.serve",
    "migrate": "ledger_service.cli.migrate",
    "token": "ledger_service.cli.token_command",
    "verify": "ledger_service.cli.verify",
    "checkpoint": "ledger_service.cli.checkpoint",
    "checkpoint-key": "ledger_service.cli.checkpoint_key",
    "backup": "ledger_service.cli.backup",
    "restore": "ledger_service.cli.restore",
    "statement": "ledger_service.cli.statement",
    "reconcile": "ledger_service.cli.reconcile",
    "demo": "ledger_service.cli.demo",
    "health": "ledger_service.cli.health",
    "config": "ledger_service.cli.config",
    # What a worker process of `serve --workers N` runs; not for people, so not listed.
    "serve-worker": "ledger_service.cli.serve_worker",
}
_HIDDEN = frozenset({"serve-worker"})


class _CommandTable(typer.core.TyperGroup):
    """Finds commands in `_COMMANDS`."""

    # The types of both are those of typer's private copy of click.

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002
        """The names that `--help` lists, in this order."""
        return [name for name in _COMMANDS if name not in _HIDDEN]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002
        """The command of that name, from its module; None when there is none."""
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(_COMMANDS[cmd_name])
        app = getattr(module, "app", None)
        if app is None:
            app = typer.Typer(add_completion=False, rich_markup_mode=None)
            app.command(name=cmd_name)(module.command)
        command = typer.main.get_command(app)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=_CommandTable,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help=__doc__,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ledger-service {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Declare the options before the command."""


def main() -> None:
    """Run the command line; known errors end in one line on standard error instead of a traceback."""
    # What we start is another program at once and needs nothing of gRPC. Its handlers for fork(), read when it
    # is loaded, abort the new process now and then when its threads are busy (ev_epoll1: "Check failed").
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    try:
        app(prog_name="ledger-service")
    except CommandError as error:
        _fail(str(error), error.exit_code)
    except ConfigError as error:
        _fail(str(error), ExitCode.USAGE)
    except KeyboardInterrupt:
        # The shell's convention for a program ended by SIGINT.
        sys.exit(130)
    except Exception as error:
        if not _is_domain_error(error):
            raise
        _fail(str(error), ExitCode.PROBLEM_FOUND)


def _is_domain_error(error: Exception) -> bool:
    """Whether the ledger refused (a message for people), as opposed to a bug (a traceback for us)."""
    from ledger_service.domain.errors import LedgerError

    return isinstance(error, LedgerError)


def _fail(message: str, code: ExitCode) -> None:
    for line in message.splitlines() or [""]:
        typer.echo(f"ledger-service: {line}", err=True)
    sys.exit(code)
