"""Why a run has no result."""

from __future__ import annotations


class BenchError(Exception):
    """The message says what went wrong, and what to do; nothing of the run may be believed."""
