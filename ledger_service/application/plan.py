"""What a batch's decisions rest on, and what comes of them: made in the batch's turn, or ahead of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from operator import is_

from ledger_service.application.ports import Loaded, Rows, WriteSession
from ledger_service.application.queue import Batch, Submission
from ledger_service.domain.commands import Unit
from ledger_service.domain.decide import Outcome, decide


@dataclass(frozen=True, slots=True)
class Plan:
    """`outcomes`, by entity, of each submission's commands: complete as soon as the rows are made."""

    session: WriteSession
    submissions: list[list[Submission]]
    loaded: Loaded
    outcomes: dict[int, list[list[Outcome]]]
    rows: Rows

    def is_of(self, session: WriteSession, batch: Batch) -> bool:
        """Whether it was made through this session for just these submissions."""
        mine, others = self.submissions, list(batch.values())
        return session is self.session and len(mine) == len(others) and all(map(is_, mine, others))


def plan_for(session: WriteSession, batch: Batch, loaded: Loaded, units: dict[int, list[Unit]]) -> Plan:
    """Nothing is decided yet. While more is due to expire than fits, that alone is."""
    outcomes: dict[int, list[list[Outcome]]] = {entity_no: [] for entity_no in loaded.books}
    steps = chain.from_iterable(
        decide(book, [] if loaded.more_due else units[entity_no], outcomes[entity_no])
        for entity_no, book in loaded.books.items()
    )
    return Plan(session, list(batch.values()), loaded, outcomes, session.rows(loaded, steps))


def units_of(batch: Batch) -> dict[int, list[Unit]]:
    """What is to be written, by entity."""
    return {entity_no: [one.unit for one in submissions] for entity_no, submissions in batch.items()}
