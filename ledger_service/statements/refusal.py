"""How a file is refused: where, what, what to do."""

from __future__ import annotations

from ledger_service.domain.errors import LedgerError, Reason


def refusal(line: int, message: str) -> LedgerError:
    """INVALID_ARGUMENT that names the line of the file (from 1); 0 means the file as a whole."""
    where = f"line {line}" if line else "the file"
    return LedgerError(Reason.INVALID_ARGUMENT, f"{where}: {message}", {"field": "file", "line": str(line)})


def shown(text: str) -> str:
    """A piece of the file for a message: quoted, shortened, printable."""
    return ascii(text if len(text) <= 40 else text[:37] + "...")
