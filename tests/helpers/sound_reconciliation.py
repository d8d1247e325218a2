"""A reconciliation with a bit of everything, written through the service: a row in each of its tables."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from ledger.v1 import reconciliation_pb2 as messages
from tests.helpers.builders import ASSET, CLEARED, PENDING, POSTED, new_account, transfer
from tests.helpers.camt_writer import Booked, file_of, statement
from tests.helpers.reconciling import Books, decimal, noon

if TYPE_CHECKING:
    from tests.helpers.rpc import Client

FIRST, CLOSED, LAST = date(2026, 3, 1), date(2026, 3, 10), date(2026, 3, 20)
"""The first day looked at, the day of the closing, and the end of the last statement."""
ACCOUNT = "bank"


async def write_sound_reconciliation(client: Client, entity_id: str, against: str) -> None:
    """Of a new account, with transactions against another one: closed, reopened, closed again; then half done."""
    await new_account(client, entity_id, ACCOUNT, ASSET)
    books = Books(client, entity_id, ACCOUNT)
    for amount, day, status, reference in (
        (100_000, 3, POSTED, "INV-1"), (25_000, 4, CLEARED, "INV-2"), (7_700, 9, PENDING, "INV-3"),
        (1_100, 15, POSTED, "INV-4"), (5_500, 16, POSTED, ""), (5_500, 16, POSTED, ""),
    ):  # fmt: skip
        await _record(books, against, amount, day, status, reference)
    await books.profile(
        messages.ReconciliationProfile(
            charges=[
                messages.ChargeTemplate(name="fee", pattern="fee", sign=-1, account_id=against, description="Fee")
            ],
            clears_transactions=False,
        ),
        "charges", "clears_transactions",
    )  # fmt: skip
    first = (Booked(date(2026, 3, 3), 100_000, "INV-1"), Booked(date(2026, 3, 4), 25_000, "INV-2"),
             Booked(date(2026, 3, 10), -250, "", "Fee of March"))  # fmt: skip
    await _send(books, first, FIRST, CLOSED, 0)
    await books.call("RunMatching")
    await books.call("ConfirmMatches", with_write_offs=True)
    await books.call("CloseReconciliation", date=CLOSED.isoformat(), note="too early")
    await books.call("ReopenReconciliation", date=CLOSED.isoformat())
    (rent, *_) = [one for one in await books.matches() if list(one.line_numbers) == [2]]
    await books.call("UndoMatches", match_numbers=[rent.number])
    await books.call("CreateMatch", line_numbers=rent.line_numbers, transaction_ids=rent.transaction_ids)
    await books.call("CloseReconciliation", date=CLOSED.isoformat())
    second = (Booked(date(2026, 3, 15), 1_100, "INV-4"), Booked(date(2026, 3, 16), 5_500),
              Booked(date(2026, 3, 20), -300, "", "Fee again"))  # fmt: skip
    await _send(books, second, CLOSED, LAST, 124_750)
    await books.call("RunMatching")
    (fee,) = [one for one in await books.matches(state=messages.MATCH_STATE_PROPOSED) if not one.transaction_ids]
    await books.call("RejectMatches", match_numbers=[fee.number])


async def _record(books: Books, against: str, amount: int, day: int, status: Any, reference: str) -> None:
    request = transfer(
        books.entity_id, ACCOUNT, against, decimal(amount), currency="EUR", status=status, reference=reference,
        effective_time=noon(date(2026, 3, day)),
    )  # fmt: skip
    await books.client.transactions.CreateTransaction(request)


async def _send(books: Books, lines: tuple[Booked, ...], first: date, last: date, opening: int) -> None:
    closing = opening + sum(line.amount for line in lines)
    await books.send(file_of(statement(lines, opening=(first, opening), closing=(last, closing))))
