"""From the domain's objects to messages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime

from google.protobuf import json_format, struct_pb2, timestamp_pb2

from ledger.v1 import account_pb2, category_pb2, entity_pb2, money_pb2, transaction_pb2, transaction_service_pb2
from ledger_service.application.answers import worded
from ledger_service.application.ports import CounterpartyRecord, EntryRecord
from ledger_service.domain.account import Account, BankAccount, Entity, Side
from ledger_service.domain.category import Category
from ledger_service.domain.errors import LedgerError
from ledger_service.domain.identifiers import transaction_id
from ledger_service.domain.money import Currencies, format_minor_units
from ledger_service.domain.totals import Totals
from ledger_service.domain.transaction import BalanceAfter, Transaction

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


_TEXTS = ("idempotency_key", "description", "reference", "counterparty", "category_id")


def write_timestamp(into: timestamp_pb2.Timestamp, moment: datetime) -> None:
    """Exact to the microsecond; Timestamp.FromDatetime does the same at several times the cost."""
    passed = moment - _EPOCH
    into.seconds = passed.days * 86400 + passed.seconds
    into.nanos = passed.microseconds * 1000


def timestamp(moment: datetime) -> timestamp_pb2.Timestamp:
    """A moment as a message of its own."""
    message = timestamp_pb2.Timestamp()
    write_timestamp(message, moment)
    return message


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

    # The write_… methods fill a message that is in its place already. Handing a finished message to the
    # constructor of the one around it copies it, at each level: an answer would cost three times as much.

    def write_money(self, into: money_pb2.Money, currency: str, units: int) -> None:
        """Minor units as a decimal string."""
        into.currency = currency
        into.amount = format_minor_units(units, self._currencies[currency])

    def write_totals(self, into: account_pb2.Totals, currency: str, totals: Totals) -> None:
        """The four totals."""
        exponent = self._currencies[currency]
        into.debits_posted = format_minor_units(totals.debits_posted, exponent)
        into.credits_posted = format_minor_units(totals.credits_posted, exponent)
        into.debits_pending = format_minor_units(totals.debits_pending, exponent)
        into.credits_pending = format_minor_units(totals.credits_pending, exponent)

    def write_balance(self, into: account_pb2.Balance, balance: BalanceAfter) -> None:
        """Totals and what follows from them."""
        currency, totals, normal = balance.currency, balance.totals, Side(balance.normal_side)
        into.account_id = balance.account_id
        self.write_totals(into.totals, currency, totals)
        self.write_money(into.posted, currency, totals.posted(normal))
        self.write_money(into.pending, currency, totals.pending(normal))
        self.write_money(into.available, currency, totals.available(normal))
        into.entry_number = balance.number
        into.sequence = balance.sequence

    def balances(self, balances: Iterable[BalanceAfter]) -> list[account_pb2.Balance]:
        """Several."""
        messages = []
        for balance in balances:
            message = account_pb2.Balance()
            self.write_balance(message, balance)
            messages.append(message)
        return messages

    def transaction(self, entity: Entity, one: Transaction) -> transaction_pb2.Transaction:
        """One revision."""
        message = transaction_pb2.Transaction()
        self.write_transaction(message, entity, one)
        return message

    def write_transaction(self, into: transaction_pb2.Transaction, entity: Entity, one: Transaction) -> None:
        """One revision."""
        into.id = transaction_id(entity.entity_no, one.transaction_no, entity.id_key)
        into.entity_id = entity.entity_id
        into.status = one.status  # type: ignore[assignment]
        for _, _, account_id, side, currency, amount in one.postings:
            posting = into.postings.add()
            posting.account_id = account_id
            posting.side = side  # type: ignore[assignment]
            self.write_money(posting.amount, currency, amount)
        write_timestamp(into.effective_time, one.effective_time)
        write_timestamp(into.create_time, one.created_time)
        write_timestamp(into.update_time, one.recorded_time)
        into.revision = one.revision
        into.sequence = one.sequence
        into.create_sequence = one.transaction_no
        into.actor = one.actor
        for name in _TEXTS:
            text = getattr(one, name)
            if text is not None:
                setattr(into, name, text)
        if one.expire_time is not None:
            write_timestamp(into.expire_time, one.expire_time)
        if one.metadata is not None:
            json_format.ParseDict(json.loads(one.metadata), into.metadata)
        if one.reverses is not None:
            into.reverses_transaction_id = transaction_id(entity.entity_no, one.reverses, entity.id_key)
        for number in one.reversed_by:
            into.reversed_by_transaction_ids.append(transaction_id(entity.entity_no, number, entity.id_key))

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
            financial_type=account.financial_type or "",
            sub_type_code=account.sub_type_code or "",
            is_category=account.is_category,
            bank_account=_bank_account(account.bank_account),
        )

    def counterparty(self, one: CounterpartyRecord) -> transaction_service_pb2.Counterparty:
        """With whom the entity deals."""
        message = transaction_service_pb2.Counterparty(
            name=one.name,
            transaction_count=one.transactions,
            first_seen=timestamp(one.first_seen),
            last_seen=timestamp(one.last_seen),
        )
        for dealt in one.amounts:
            amount = message.amounts.add(transaction_count=dealt.transactions)
            self.write_money(amount.total, dealt.currency, dealt.total)
            self.write_money(amount.average, dealt.currency, dealt.average)
        return message

    def entry(self, entity: Entity, account: Account, one: EntryRecord) -> account_pb2.Entry:
        """An entry of an account."""
        normal, currency = account.normal_side, one.currency
        message = account_pb2.Entry(
            account_id=account.account_id,
            number=one.number,
            transaction_id=transaction_id(entity.entity_no, one.transaction_no, entity.id_key),
            sequence=one.sequence,
            kind=one.kind,  # type: ignore[arg-type]
            side=one.side,  # type: ignore[arg-type]
        )
        self.write_money(message.amount, currency, one.amount)
        self.write_totals(message.totals, currency, one.totals)
        self.write_money(message.posted, currency, one.totals.posted(normal))
        self.write_money(message.available, currency, one.totals.available(normal))
        write_timestamp(message.effective_time, one.effective_time)
        write_timestamp(message.recorded_time, one.recorded_time)
        return message

    def _optional(self, currency: str, units: int | None) -> str | None:
        return None if units is None else format_minor_units(units, self._currencies[currency])


def category(entity_id: str, one: Category) -> category_pb2.Category:
    """A category."""
    return category_pb2.Category(
        entity_id=entity_id,
        id=one.category_id,
        name=one.name,
        state=int(one.state),  # type: ignore[arg-type]
        metadata=struct(one.metadata),
        create_time=timestamp(one.created_time),
        update_time=timestamp(one.updated_time),
        sequence=one.sequence,
        revision=one.revision,
    )


def _bank_account(one: BankAccount | None) -> account_pb2.BankAccount | None:
    if one is None:
        return None
    return account_pb2.BankAccount(
        id=one.bank_account_id,
        name=one.name,
        type=one.type or "",
        subtype=one.subtype or "",
        mask=one.mask or "",
        institution_id=one.institution_id or "",
        institution_name=one.institution_name or "",
    )


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
