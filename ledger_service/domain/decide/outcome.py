"""What became of a command."""

from __future__ import annotations

from dataclasses import dataclass

from ledger_service.domain.account import Account, Entity
from ledger_service.domain.category import Category
from ledger_service.domain.errors import LedgerError
from ledger_service.domain.transaction import BalanceAfter, Transaction


@dataclass(slots=True)
class Applied:
    """It took effect (or would, for validate_only) as of `sequence`, the last that it wrote."""

    sequence: int
    transactions: tuple[Transaction, ...] = ()
    balances: tuple[BalanceAfter, ...] = ()
    account: Account | None = None
    entity: Entity | None = None
    category: Category | None = None
    reconciliation_revision: int = 0
    """Of a reconciliation: its revision after the change."""
    replayed: bool = False


@dataclass(slots=True)
class Refused:
    """It did not and never will. `sequence` 0: not recorded."""

    error: LedgerError
    sequence: int = 0
    replayed: bool = False


@dataclass(slots=True)
class Recorded:
    """An earlier database transaction answered it: the first answer stands at these events."""

    sequence: int
    span: int


Outcome = Applied | Refused | Recorded
