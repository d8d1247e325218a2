"""What the readers have in common: counting against the limits, and proving what a file says of itself."""

from __future__ import annotations

from decimal import Decimal

from ledger_service.domain.errors import LedgerError
from ledger_service.statements.limits import MAX_LINES, MAX_STATEMENTS, MAX_WARNINGS
from ledger_service.statements.model import Contradiction, Statement, StatementFile
from ledger_service.statements.refusal import refusal
from ledger_service.statements.values import written


class Gathering:
    """Statements and contradictions of the file that is being read."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self._lines = 0
        self._warnings: list[Contradiction] = []
        self._unlisted = 0

    def count_line(self, line: int) -> None:
        """Count a booking; too many are refused at once, before the next is read."""
        self._lines += 1
        if self._lines > MAX_LINES:
            raise refusal(line, f"more than {MAX_LINES:,} bookings in one file; split it")

    def warn(self, line: int, message: str) -> None:
        """Note a contradiction."""
        if len(self._warnings) < MAX_WARNINGS:
            self._warnings.append(Contradiction(line, message))
        else:
            self._unlisted += 1

    def expect(self, line: int, what: str, stated: Decimal | int, found: Decimal | int) -> None:
        """Note it if the file states another number than its lines add up to."""
        if stated != found:
            self.warn(line, f"{what}: the file says {_number(stated)}, its lines make {_number(found)}")

    def add(self, statement: Statement) -> None:
        """Take a whole statement, and prove that opening + booked lines = closing."""
        if len(self.statements) >= MAX_STATEMENTS:
            raise refusal(statement.line, f"more than {MAX_STATEMENTS:,} statements in one file; split it")
        self.statements.append(statement)
        opening, closing = statement.opening, statement.closing
        if opening is None or closing is None:
            return
        total = sum((line.amount for line in statement.lines if line.booked), Decimal(0))
        if opening.amount + total != closing.amount:
            self.warn(
                closing.line,
                f"opening balance {written(opening.amount)} and lines {written(total)} make "
                f"{written(opening.amount + total)}, but the closing balance is {written(closing.amount)}",
            )

    def file(self, format_name: str) -> StatementFile:
        """All of it; a file without a statement is refused."""
        if not self.statements:
            raise self.nothing(format_name)
        warnings = list(self._warnings)
        if self._unlisted:
            warnings.append(Contradiction(0, f"and {self._unlisted:,} more contradictions"))
        return StatementFile(format_name, tuple(self.statements), tuple(warnings))

    @staticmethod
    def nothing(format_name: str) -> LedgerError:
        """The refusal of a file that has no statement in it."""
        return refusal(0, f"it is {format_name}, but there is no account statement in it")


def _number(value: Decimal | int) -> str:
    return str(value) if isinstance(value, int) else written(value)
