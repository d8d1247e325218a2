"""Telling the person in front of a terminal, or the log, which slow step is under way."""

from __future__ import annotations

import sys
from collections.abc import Callable

import structlog
from rich.console import Console

Progress = Callable[[str], None]


def make_progress() -> Progress:
    """A function that reports a step: a plain line on a terminal, a log event where nobody watches."""
    if sys.stderr.isatty():
        console = Console(stderr=True, highlight=False)
        return lambda step: console.print(f"[cyan]›[/] {step}", soft_wrap=True)
    logger = structlog.get_logger("ledger_service.start")
    return lambda step: logger.info("startup_step", step=step)
