"""Makes histories as a faultless service would have told them, for tests to spoil."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from ledger.v1 import account_pb2, transaction_pb2
from ledger.v1 import transaction_service_pb2 as pb
from tests.chaos.history import Story, Write
from tests.chaos.last_reads import LastReads
from tests.chaos.linear import LinearLedger
from tests.helpers.builders import money, timestamp
from tests.helpers.contract import PROMISES
from tests.helpers.model import Account, BalanceView, Done, Refusal, Totals, View
from tests.helpers.rpc import ERROR_DOMAIN, Refused
from tests.helpers.wire import decimal, leg_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.helpers.model import Command

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Forger:
    """A service with one caller, who does one thing a second, and is answered half a second later."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        self.story = Story("forged", accounts)
        self.ledger = LinearLedger(accounts)
        self.events: list[Any] = []
        self._clock = 0.0
        self._note_events()

    def do(self, command: Command, *, at: float | None = None) -> Write:
        """Send a command, and note the answer that is right; `at`: when it was sent."""
        self._clock += 1
        write = Write(command, self._clock if at is None else at)
        is_again = command.key in self.ledger.first_uses
        answer = self.ledger.apply(command, START + timedelta(seconds=self._clock))
        self._note_events()
        write.tell(self._message(answer, is_again=is_again), write.invoked + 0.5)
        self.story.writes.append(write)
        return write

    def last_reads(self) -> LastReads:
        """What the service tells at the end."""
        balances = [
            self.balance(self.ledger.balance(account.id, "USD", START))
            for account in self.story.accounts
            if ("" or account.id, "USD") in self.ledger.courses
        ]
        transactions = [self._transaction(self.ledger.current(number)) for number in self.ledger.versions]
        return LastReads(self.events, transactions, balances, {})

    def balance(self, view: BalanceView) -> account_pb2.Balance:
        """As it is written on the wire."""
        totals, normal = view.totals, view.normal_side
        return account_pb2.Balance(
            account_id=view.account,
            totals=account_pb2.Totals(
                **dict(zip(Totals._fields, (decimal(each, "USD") for each in totals), strict=True))
            ),
            posted=money(decimal(totals.posted(normal), "USD")),
            pending=money(decimal(totals.pending(normal), "USD")),
            available=money(decimal(totals.available(normal), "USD")),
            entry_number=view.entry_number,
            sequence=view.sequence,
        )

    def _note_events(self) -> None:
        for event in self.ledger.events[len(self.events) :]:
            message = pb.WatchTransactionsResponse(
                sequence=event.sequence,
                kind=pb.EventKind.Value(f"EVENT_KIND_{event.kind}"),
                recorded_time=timestamp(START + timedelta(seconds=self._clock)),
                idempotency_key=event.key,
            )
            if event.view is not None:
                self.story.learn(event.view.number, f"txn_{event.view.number:026}")
                message.transaction.CopyFrom(self._transaction(event.view))
            elif event.reason:
                message.refusal.CopyFrom(_status(Refusal(event.reason)))
            self.events.append(message)

    def _message(self, answer: Done | Refusal, *, is_again: bool) -> Any:
        if isinstance(answer, Refusal):
            extra = {"replayed": "true"} if is_again and answer.reason != "IDEMPOTENCY_KEY_REUSED" else {}
            return Refused(_status(answer.plus(**extra)))
        return pb.CreateTransactionResponse(
            transaction=self._transaction(answer.views[0]),
            replayed=answer.replayed,
            sequence=answer.sequence,
            balances=[self.balance(each) for each in answer.balances],
        )

    def _transaction(self, view: View) -> transaction_pb2.Transaction:
        ids = self.story.requests.ids
        return transaction_pb2.Transaction(
            id=ids[view.number],
            entity_id=self.story.name,
            status=transaction_pb2.TransactionStatus.Value(f"TRANSACTION_STATUS_{view.status}"),
            postings=[leg_message(leg) for leg in view.legs],
            idempotency_key=self.ledger.versions[view.number][0].key,
            reverses_transaction_id=ids[view.reverses] if view.reverses else "",
            reversed_by_transaction_ids=[ids[number] for number in view.reversed_by],
            revision=view.revision,
            sequence=view.sequence,
            create_sequence=view.number,
        )


def _status(refusal: Refusal) -> status_pb2.Status:
    promise = PROMISES[refusal.reason]
    metadata = dict.fromkeys(promise.metadata, "0") | dict(refusal.metadata)
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(domain=ERROR_DOMAIN, reason=refusal.reason, metadata=metadata))
    return status_pb2.Status(code=promise.code.value[0], message="refused", details=[detail])
