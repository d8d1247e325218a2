"""From messages to the plain values that application.intake checks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from google.protobuf import message as protobuf
from google.protobuf import struct_pb2, timestamp_pb2

from ledger.v1 import account_pb2, account_service_pb2, money_pb2, transaction_pb2, transaction_service_pb2
from ledger_service.application.intake.fields import RawBankAccount, RawLimit, RawMoney, RawPosting
from ledger_service.application.intake.transactions import create_transaction
from ledger_service.application.ports import Moment
from ledger_service.domain.commands import CreateTransaction
from ledger_service.domain.errors import invalid
from ledger_service.domain.making import make
from ledger_service.domain.money import Currencies

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The first and last instant of the calendar stand for infinity in the database's driver: a day off at either end.
_FIRST_SECOND = -62_135_596_800 + 86_400
_LAST_SECOND = 253_402_300_799 - 86_400
_MAX_DEPTH = 32


def moment(message: protobuf.Message, field: str, path: str | None = None) -> datetime | None:
    """A timestamp field, to the microsecond; None: not set. Raises LedgerError INVALID_ARGUMENT."""
    if not message.HasField(field):
        return None
    value: timestamp_pb2.Timestamp = getattr(message, field)
    path = path or field
    if not _FIRST_SECOND <= value.seconds <= _LAST_SECOND:
        raise invalid(path, "must lie between 0001-01-02 and 9999-12-30")
    if not 0 <= value.nanos < 1_000_000_000:
        raise invalid(path, "nanos must be between 0 and 999,999,999")
    if value.nanos % 1000:
        raise invalid(path, "must be given in whole microseconds: finer ones would be lost")
    return _EPOCH + timedelta(seconds=value.seconds, microseconds=value.nanos // 1000)


def money(message: protobuf.Message, field: str) -> RawMoney | None:
    """A Money field; None: not set."""
    if not message.HasField(field):
        return None
    value: money_pb2.Money = getattr(message, field)
    return make(RawMoney, (value.currency, value.amount))


def postings(messages: Iterable[transaction_pb2.Posting]) -> list[RawPosting]:
    """Legs as written."""
    return [make(RawPosting, (posting.account_id, posting.side, money(posting, "amount"))) for posting in messages]


def limits(messages: Iterable[account_pb2.BalanceLimit]) -> list[RawLimit]:
    """Bounds as written."""
    return [
        RawLimit(
            limit.currency,
            limit.floor if limit.HasField("floor") else None,
            limit.ceiling if limit.HasField("ceiling") else None,
        )
        for limit in messages
    ]


def bank_account(message: protobuf.Message) -> RawBankAccount | None:
    """A bank account as written; None: not set."""
    if not message.HasField("bank_account"):
        return None
    value: account_pb2.BankAccount = message.bank_account  # type: ignore[attr-defined]
    return RawBankAccount(
        value.id, value.name, value.type, value.subtype, value.mask, value.institution_id, value.institution_name
    )


def metadata(message: protobuf.Message, field: str = "metadata") -> object:
    """A Struct as plain JSON values; None: not set. Whole numbers become ints, as JSON has them."""
    if not message.HasField(field):
        return None
    value: struct_pb2.Struct = getattr(message, field)
    return {name: _plain(member, field, 1) for name, member in value.fields.items()}


def balance_moment(
    request: account_service_pb2.GetBalanceRequest | account_service_pb2.BatchGetBalancesRequest,
) -> Moment:
    """When a balance is meant."""
    if not request.HasField("moment"):
        return Moment()
    asked = request.moment
    known = asked.WhichOneof("known")
    return Moment(
        effective_time=moment(asked, "effective_time", "moment.effective_time"),
        known_time=moment(asked, "known_time", "moment.known_time") if known == "known_time" else None,
        known_sequence=asked.known_sequence if known == "known_sequence" else None,
    )


def new_transaction(
    request: transaction_service_pb2.CreateTransactionRequest, currencies: Currencies, actor: str
) -> CreateTransaction:
    """The command of one request. Raises LedgerError INVALID_ARGUMENT and its kin."""
    legs = request.postings
    return create_transaction(
        currencies,
        actor,
        idempotency_key=request.idempotency_key,
        postings=postings(legs) if legs else (),
        debit_account_id=request.debit_account_id,
        credit_account_id=request.credit_account_id,
        amount=money(request, "amount"),
        status=request.status,
        effective_time=moment(request, "effective_time"),
        expire_time=moment(request, "expire_time"),
        description=request.description,
        reference=request.reference,
        counterparty=request.counterparty,
        category_id=request.category_id,
        metadata_object=metadata(request),
        validate_only=request.validate_only,
    )


def _plain(value: struct_pb2.Value, field: str, depth: int) -> object:
    if depth > _MAX_DEPTH:
        raise invalid(field, f"must not be nested deeper than {_MAX_DEPTH}")
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        number = value.number_value
        if not math.isfinite(number):
            raise invalid(field, "numbers must be finite; NaN and Infinity are no JSON")
        return int(number) if number.is_integer() and abs(number) < 2**53 else number
    if kind == "struct_value":
        return {name: _plain(member, field, depth + 1) for name, member in value.struct_value.fields.items()}
    if kind == "list_value":
        return [_plain(member, field, depth + 1) for member in value.list_value.values]
    if kind == "string_value":
        return value.string_value
    if kind == "bool_value":
        return value.bool_value
    return None
