"""Follows an entity's history through WatchTransactions, and holds what it tells to the rules."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from ledger.v1 import account_pb2
from ledger.v1 import transaction_service_pb2 as transactions

if TYPE_CHECKING:
    from tests.helpers.rpc import Client

Event = transactions.WatchTransactionsResponse


async def read_history(client: Client, entity_id: str, last: int, after: int = 0) -> list[Event]:
    """All events after one sequence up to and with another; each must be the next one."""
    request = transactions.WatchTransactionsRequest(entity_id=entity_id, after_sequence=after)
    call = client.transactions.WatchTransactions(request, timeout=120)
    events: list[Event] = []
    try:
        while after + len(events) < last:
            event = await call.read()
            assert event.sequence == after + len(events) + 1, "a gap or a repeat"
            events.append(event)
    finally:
        call.cancel()
    return events


@dataclass
class Replay:
    """Balances by adding up what the events tell; exact, in the sense of credits less debits."""

    balances: defaultdict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    lowest: dict[str, Fraction] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Count a posted transaction; other events must not move money."""
        if event.kind == transactions.EVENT_KIND_TRANSACTION_CREATED:
            assert event.idempotency_key not in self.keys, "one key, two transactions"
            self.keys[event.idempotency_key] = event.transaction.id
            for posting in event.transaction.postings:
                sign = 1 if posting.side == account_pb2.SIDE_CREDIT else -1
                self.balances[posting.account_id] += sign * Fraction(posting.amount.amount)
            for posting in event.transaction.postings:
                now = self.balances[posting.account_id]
                self.lowest[posting.account_id] = min(now, self.lowest.get(posting.account_id, now))
