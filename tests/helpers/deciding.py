"""Decisions made to the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_service.domain.decide import Book, Outcome, decide

if TYPE_CHECKING:
    from ledger_service.domain.commands import Unit


def decided(book: Book, units: list[Unit]) -> list[list[Outcome]]:
    """All outcomes, in one go."""
    outcomes: list[list[Outcome]] = []
    for _ in decide(book, units, outcomes):
        pass
    return outcomes
