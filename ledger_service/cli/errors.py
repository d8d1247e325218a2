"""Exit codes, and the error that ends a command with one line."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the exit status of every command means."""

    OK = 0
    PROBLEM_FOUND = 1
    USAGE = 2
    COULD_NOT_START = 3


class CommandError(Exception):
    """Ends the command: the message goes to standard error as it is, in one line, without a traceback."""

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.PROBLEM_FOUND) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class CannotStartError(CommandError):
    """The service, or what it needs, did not come up."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.COULD_NOT_START)
