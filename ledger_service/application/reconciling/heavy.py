"""What the workshop does: functions of a module, so that they can be named to another process."""

from __future__ import annotations

from collections.abc import Sequence

from ledger_service.matching.model import Movement, Profile, Rejection, Result


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
