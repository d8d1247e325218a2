"""Queries by name, from the .sql files beside this module, so that they can be read and tried as SQL."""

from __future__ import annotations

import re
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


def load(file: str) -> dict[str, str]:
    """The queries of one file; each begins with a line `-- name: some_name`."""
    text = resources.files("ledger_service.storage").joinpath("queries", file).read_text("utf-8")
    pieces = _NAME.split(text)[1:]
    return {name: body.strip() for name, body in zip(pieces[::2], pieces[1::2], strict=True)}
