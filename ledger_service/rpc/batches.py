"""What batches have in common: whose error an atomic call answers with, and each item's outcome."""

from __future__ import annotations

from collections.abc import Sequence

from ledger_service.domain.decide import Applied, Refused
from ledger_service.domain.errors import LedgerError
from ledger_service.rpc.errors import item_of

Answer = Applied | Refused | LedgerError


def failure_of(answers: Sequence[Answer]) -> LedgerError:
    """The error that an atomic call failed with: the one that names itself as the failed item."""
    for index, answer in enumerate(answers):
        if isinstance(answer, Refused) and answer.error.metadata.get("failed_index") == str(index):
            return item_of(answer.error, f"requests[{index}]")
    return next(
        answer.error if isinstance(answer, Refused) else answer for answer in answers if not isinstance(answer, Applied)
    )
