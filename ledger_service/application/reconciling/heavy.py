"""What the workshop does: functions of a module, so that they can be named to another process."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ledger_service.application.reconciling.importing import Incoming, incoming
from ledger_service.matching.model import Movement, Profile, Rejection, Result
from ledger_service.statements.csv_mapping import CsvMapping
from ledger_service.statements.reading import read_file


def match(
    lines: Sequence[Movement],
    transactions: Sequence[Movement],
    profile: Profile,
    rejections: Sequence[Rejection],
    last_day: int,
) -> Result:
    """See matching.engine.reconcile."""
    # Here, for the numerical libraries behind it are only needed in the process that does the work.
    from ledger_service.matching.engine import reconcile  # noqa: PLC0415

    return reconcile(lines, transactions, profile, rejections, last_day)


def read(
    path: str, mapping: CsvMapping | None, currency: str, opening: Decimal | None, closing: Decimal | None
) -> tuple[str, Incoming]:
    """The format of a file and what comes in with it. See statements.reading.read_file and importing.incoming."""
    file = read_file(path, mapping)
    return file.format, incoming(file, currency, opening, closing)
