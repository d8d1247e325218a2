"""Decides what requests do to an entity's ledger: `decide` is pure, in order, item by item.

    load (storage)  ->  Book  ->  decide(book, units, …)  ->  outcomes and rows  ->  write (storage)

Order of the checks of one write, first failure wins: key seen before (replay or conflict), entity
archived, what the command is about (exists, revision, status), accounts posting by posting (exists,
closed, frozen, currency), limits account by account in the order of first mention (overflow, floor,
ceiling).
"""

from ledger_service.domain.decide.book import Book
from ledger_service.domain.decide.decision import decide
from ledger_service.domain.decide.outcome import Applied, Outcome, Recorded, Refused

__all__ = ["Applied", "Book", "Outcome", "Recorded", "Refused", "decide"]
