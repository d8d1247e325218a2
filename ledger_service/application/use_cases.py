"""What the adapters, gRPC and REST, call: the same use cases with the same limits."""

from __future__ import annotations

from dataclasses import dataclass

from ledger_service.application.admission import Admission
from ledger_service.application.asking.answering import Asking
from ledger_service.application.details import Describer
from ledger_service.application.finding import Finding
from ledger_service.application.proving import Proving
from ledger_service.application.reads import Reads
from ledger_service.application.reconciling.ports import Workshop
from ledger_service.application.reconciling.reconciling import Reconciling
from ledger_service.application.watching import Watching
from ledger_service.application.writes import Writes
from ledger_service.domain.money import Currencies


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of requests; see config.Settings."""

    max_batch_transactions: int
    max_batch_postings: int
    max_stream_in_flight: int


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the adapters call."""

    admission: Admission
    writes: Writes
    reads: Reads
    proving: Proving
    finding: Finding
    asking: Asking
    reconciling: Reconciling
    workshop: Workshop
    watching: Watching
    describer: Describer
    currencies: Currencies
    limits: Limits
