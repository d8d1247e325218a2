"""From the domain's objects to messages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime

from google.protobuf import json_format, struct_pb2, timestamp_pb2

from ledger.v1 import account_pb2, entity_pb2, money_pb2, transaction_pb2
from ledger_service.application.answers import worded
from ledger_service.application.ports import EntryRecord
from ledger_service.domain.account import Account, Entity, Side
from ledger_service.domain.errors import LedgerError
from ledger_service.domain.identifiers import transaction_id
from ledger_service.domain.money import Currencies, format_minor_units
from ledger_service.domain.totals import Totals
from ledger_service.domain.transaction import BalanceAfter, Transaction

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def timestamp(moment: datetime) -> timestamp_pb2.Timestamp:
    """Exact to the microsecond; Timestamp.FromDatetime does the same at several times the cost."""
    passed = moment - _EPOCH
    return timestamp_pb2.Timestamp(seconds=passed.days * 86400 + passed.seconds, nanos=passed.microseconds * 1000)


def struct(text: str | None) -> struct_pb2.Struct | None:
    """Metadata, kept as JSON text."""
    if text is None:
        return None
    return json_format.ParseDict(json.loads(text), struct_pb2.Struct())


class Outgoing:
    """Converts with the decimals of each currency."""

    def __init__(self, currencies: Currencies) -> None:
        self._currencies = currencies

    def worded(self, error: LedgerError) -> LedgerError:
        """A recorded refusal with its amounts as decimals."""
        return worded(error, self._currencies)

    def money(self, currency: str, units: int) -> money_pb2.Money:
        """Minor units as a decimal string."""
        return money_pb2.Money(currency=currency, amount=format_minor_units(units, self._currencies[currency]))

    def totals(self, currency: str, totals: Totals) -> account_pb2.Totals:
        """The four totals."""
        exponent = self._currencies[currency]
        return account_pb2.Totals(
            debits_posted=format_minor_units(totals.debits_posted, exponent),
            credits_posted=format_minor_units(totals.credits_posted, exponent),
            debits_pending=format_minor_units(totals.debits_pending, exponent),
            credits_pending=format_minor_units(totals.credits_pending, exponent),
        )

    def balance(self, balance: BalanceAfter) -> account_pb2.Balance:
        """Totals and what follows from them."""
        currency, totals = balance.currency, balance.totals
        normal = Side(balance.normal_side)
        return account_pb2.Balance(
            account_id=balance.account_id,
            totals=self.totals(currency, totals),
            posted=self.money(currency, totals.posted(normal)),
            pending=self.money(currency, totals.pending(normal)),
            available=self.money(currency, totals.available(normal)),
            entry_number=balance.number,
            sequence=balance.sequence,
        )

    def balances(self, balances: Iterable[BalanceAfter]) -> list[account_pb2.Balance]:
        """Several."""
        return [self.balance(balance) for balance in balances]

    def transaction(self, entity: Entity, one: Transaction) -> transaction_pb2.Transaction:
        """One revision."""
        id_key, entity_no = entity.id_key, entity.entity_no
        created = timestamp(one.created_time)
        message = transaction_pb2.Transaction(
            id=transaction_id(entity_no, one.transaction_no, id_key),
            entity_id=entity.entity_id,
            status=int(one.status),  # type: ignore[arg-type]
            postings=[
                transaction_pb2.Posting(
                    account_id=posting.account_id,
                    side=posting.side,  # type: ignore[arg-type]
                    amount=self.money(posting.currency, posting.amount),
                )
                for posting in one.postings
            ],
            effective_time=created if one.effective_time is one.created_time else timestamp(one.effective_time),
            create_time=created,
            update_time=created if one.recorded_time is one.created_time else timestamp(one.recorded_time),
            description=one.description,  # type: ignore[arg-type]  # None: not set
            reference=one.reference,  # type: ignore[arg-type]
            counterparty=one.counterparty,  # type: ignore[arg-type]
            category_id=one.category_id,  # type: ignore[arg-type]
            idempotency_key=one.idempotency_key,  # type: ignore[arg-type]
            revision=one.revision,
            sequence=one.sequence,
            create_sequence=one.transaction_no,
            actor=one.actor,
        )
        if one.expire_time is not None:
            message.expire_time.CopyFrom(timestamp(one.expire_time))
        if one.metadata is not None:
            message.metadata.CopyFrom(struct(one.metadata) or struct_pb2.Struct())
        if one.reverses is not None:
            message.reverses_transaction_id = transaction_id(entity_no, one.reverses, id_key)
        for number in one.reversed_by:
            message.reversed_by_transaction_ids.append(transaction_id(entity_no, number, id_key))
        return message

    def account(self, entity_id: str, account: Account) -> account_pb2.Account:
        """An account."""
        return account_pb2.Account(
            entity_id=entity_id,
            id=account.account_id,
            type=int(account.type),  # type: ignore[arg-type]
            code=account.code or "",
            name=account.name,
            parent_id=account.parent_id or "",
            contra=account.contra,
            normal_side=int(account.normal_side),  # type: ignore[arg-type]
            currencies=account.currencies,
            limits=[
                account_pb2.BalanceLimit(
                    currency=limit.currency,
                    floor=self._optional(limit.currency, limit.floor),
                    ceiling=self._optional(limit.currency, limit.ceiling),
                )
                for limit in account.limits
            ],
            state=int(account.state),  # type: ignore[arg-type]
            metadata=struct(account.metadata),
            create_time=timestamp(account.created_time),
            update_time=timestamp(account.updated_time),
            sequence=account.sequence,
            revision=account.revision,
        )

    def entry(self, entity: Entity, account: Account, one: EntryRecord) -> account_pb2.Entry:
        """An entry of an account."""
        normal = account.normal_side
        return account_pb2.Entry(
            account_id=account.account_id,
            number=one.number,
            transaction_id=transaction_id(entity.entity_no, one.transaction_no, entity.id_key),
            sequence=one.sequence,
            kind=one.kind,  # type: ignore[arg-type]
            side=one.side,  # type: ignore[arg-type]
            amount=self.money(one.currency, one.amount),
            totals=self.totals(one.currency, one.totals),
            posted=self.money(one.currency, one.totals.posted(normal)),
            available=self.money(one.currency, one.totals.available(normal)),
            effective_time=timestamp(one.effective_time),
            recorded_time=timestamp(one.recorded_time),
        )

    def _optional(self, currency: str, units: int | None) -> str | None:
        return None if units is None else format_minor_units(units, self._currencies[currency])


def entity(one: Entity) -> entity_pb2.Entity:
    """An entity."""
    return entity_pb2.Entity(
        id=one.entity_id,
        name=one.name,
        time_zone=one.time_zone,
        state=int(one.state),  # type: ignore[arg-type]
        metadata=struct(one.metadata),
        create_time=timestamp(one.created_time),
        update_time=timestamp(one.updated_time),
        sequence=one.sequence,
        revision=one.revision,
    )
