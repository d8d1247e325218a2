"""The answers to new transactions, written as bytes.

Filling the generated messages costs two and a half times as much, and was the largest part of what a batch costs in
Python. These bytes are those that Outgoing's messages serialize to; tests hold the two against each other. Field
numbers come from the generated descriptors, and a field that is not named here keeps this module from being imported.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from struct import Struct
from typing import Any

from google.protobuf import struct_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from ledger.v1 import account_pb2, money_pb2, transaction_pb2
from ledger.v1 import transaction_service_pb2 as pb
from ledger_service.domain.account import Entity, Side
from ledger_service.domain.decide import Applied
from ledger_service.domain.errors import LedgerError
from ledger_service.domain.identifiers import transaction_id
from ledger_service.domain.money import Currencies, format_minor_units
from ledger_service.domain.transaction import BalanceAfter, Posting, Transaction
from ledger_service.rpc.errors import status_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_write_double = Struct("<d").pack
_DEBIT = int(Side.DEBIT)
_UINT64 = 2**64 - 1
_WIRE_KINDS = {
    FieldDescriptor.TYPE_DOUBLE: 1,
    FieldDescriptor.TYPE_STRING: 2,
    FieldDescriptor.TYPE_BYTES: 2,
    FieldDescriptor.TYPE_MESSAGE: 2,
}
"""By type of a field; all others that there are in an answer are varints, 0."""
_PIECES = 8_192
"""Accounts whose encoded id is remembered, currencies and moments likewise: a bound for the memory."""


def _varint(number: int) -> bytes:
    """A whole number; of one below zero its 64 bits, as protobuf has it."""
    number &= _UINT64
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    written.append(number)
    return bytes(written)


_VARINTS = tuple(map(_varint, range(1 << 14)))
"""Those of one and two bytes: nearly every length."""
_LOW = tuple(bytes((number & 127 | 128, number >> 7 | 128)) for number in range(1 << 14))
"""The lowest 14 bits of a longer one."""


def _number(number: int) -> bytes:
    """A whole number that is not below zero."""
    return _VARINTS[number] if number < 1 << 14 else _LOW[number & 16_383] + _number(number >> 14)


def _sized(content: bytes) -> bytes:
    """Text or a message, with its length before it."""
    return _number(len(content)) + content


def tags_of(message: Descriptor, *names: str) -> tuple[bytes, ...]:
    """What stands before each field's value, in this order; `names`: all fields, by their numbers.

    Raises RuntimeError where the message has other fields: the bytes would lack them, or stand in another order than
    the generated code's.
    """
    fields = sorted(message.fields, key=lambda field: field.number)
    if [field.name for field in fields] != list(names):
        known = ", ".join(names)
        raise RuntimeError(f"{message.full_name} has not the fields {known}: teach rpc/answer_bytes.py the new ones")
    return tuple(_varint(field.number << 3 | _WIRE_KINDS.get(field.type, 0)) for field in fields)


_MONEY_CURRENCY, _MONEY_AMOUNT = tags_of(money_pb2.Money.DESCRIPTOR, "currency", "amount")
_POSTING_ACCOUNT, _POSTING_SIDE, _POSTING_AMOUNT = tags_of(
    transaction_pb2.Posting.DESCRIPTOR, "account_id", "side", "amount"
)
(
    _ID, _ENTITY_ID, _STATUS, _POSTINGS, _EFFECTIVE_TIME, _CREATE_TIME, _UPDATE_TIME, _EXPIRE_TIME, _DESCRIPTION,
    _REFERENCE, _COUNTERPARTY, _CATEGORY_ID, _METADATA, _KEY, _REVERSES, _REVERSED_BY, _REVISION, _SEQUENCE,
    _CREATE_SEQUENCE, _ACTOR,
) = tags_of(
    transaction_pb2.Transaction.DESCRIPTOR,
    "id", "entity_id", "status", "postings", "effective_time", "create_time", "update_time", "expire_time",
    "description", "reference", "counterparty", "category_id", "metadata", "idempotency_key",
    "reverses_transaction_id", "reversed_by_transaction_ids", "revision", "sequence", "create_sequence", "actor",
)  # fmt: skip
_DEBITS_POSTED, _CREDITS_POSTED, _DEBITS_PENDING, _CREDITS_PENDING = tags_of(
    account_pb2.Totals.DESCRIPTOR, "debits_posted", "credits_posted", "debits_pending", "credits_pending"
)
_BALANCE_ACCOUNT, _TOTALS, _POSTED, _PENDING, _AVAILABLE, _ENTRY_NUMBER, _BALANCE_SEQUENCE = tags_of(
    account_pb2.Balance.DESCRIPTOR,
    "account_id", "totals", "posted", "pending", "available", "entry_number", "sequence",
)  # fmt: skip
_TRANSACTION, _REPLAYED, _ANSWER_SEQUENCE, _BALANCES = tags_of(
    pb.CreateTransactionResponse.DESCRIPTOR, "transaction", "replayed", "sequence", "balances"
)
_BATCH_RESPONSE, _BATCH_ERROR = tags_of(pb.BatchCreateTransactionsResult.DESCRIPTOR, "response", "error")
(_RESULTS,) = tags_of(pb.BatchCreateTransactionsResponse.DESCRIPTOR, "results")
_INDEX, _STREAM_RESPONSE, _STREAM_ERROR = tags_of(
    pb.StreamCreateTransactionsResponse.DESCRIPTOR, "index", "response", "error"
)
(_MEMBERS,) = tags_of(struct_pb2.Struct.DESCRIPTOR, "fields")
_MEMBER_NAME, _MEMBER_VALUE = tags_of(struct_pb2.Struct.DESCRIPTOR.nested_types_by_name["FieldsEntry"], "key", "value")
(_ELEMENTS,) = tags_of(struct_pb2.ListValue.DESCRIPTOR, "values")
_NULL, _FLOAT, _STRING, _BOOL, _STRUCT, _LIST = tags_of(
    struct_pb2.Value.DESCRIPTOR,
    "null_value", "number_value", "string_value", "bool_value", "struct_value", "list_value",
)  # fmt: skip
_IS_REPLAYED = _REPLAYED + b"\x01"


class AnswerBytes:
    """Encodes with the decimals of each currency."""

    def __init__(self, currencies: Currencies) -> None:
        self._currencies = currencies

    def created(self, entity: Entity, answer: Applied, *, validate_only: bool = False) -> bytes:
        """A CreateTransactionResponse; of one that was only tried out the id and its sequences are empty."""
        is_trial = validate_only and not answer.replayed
        transaction = self._transaction(entity, answer.transactions[0], is_trial=is_trial)
        parts = [_TRANSACTION, _number(len(transaction)), transaction]
        if answer.replayed:
            parts.append(_IS_REPLAYED)
        if answer.sequence:
            parts += (_ANSWER_SEQUENCE, _number(answer.sequence))
        for balance in answer.balances:
            self._write_balance(parts, balance, is_trial=is_trial)
        return b"".join(parts)

    def _transaction(self, entity: Entity, one: Transaction, *, is_trial: bool) -> bytes:
        entity_no, key = entity.entity_no, entity.id_key
        parts = [] if is_trial else [_ID, _sized(transaction_id(entity_no, one.transaction_no, key).encode())]
        parts += (_entity_piece(entity.entity_id), _STATUS, _VARINTS[one.status])
        self._write_postings(parts, one.postings)
        parts += (
            _EFFECTIVE_TIME, _moment(one.effective_time), _CREATE_TIME, _moment(one.created_time),
            _UPDATE_TIME, _moment(one.recorded_time),
        )  # fmt: skip
        if one.expire_time is not None:
            parts += (_EXPIRE_TIME, _moment(one.expire_time))
        if one.description:
            parts += (_DESCRIPTION, _sized(one.description.encode()))
        if one.reference:
            parts += (_REFERENCE, _sized(one.reference.encode()))
        if one.counterparty:
            parts += (_COUNTERPARTY, _sized(one.counterparty.encode()))
        if one.category_id:
            parts += (_CATEGORY_ID, _sized(one.category_id.encode()))
        if one.metadata is not None:
            parts += (_METADATA, _sized(_struct(json.loads(one.metadata))))
        if one.idempotency_key:
            parts += (_KEY, _sized(one.idempotency_key.encode()))
        if one.reverses is not None:
            parts += (_REVERSES, _sized(transaction_id(entity_no, one.reverses, key).encode()))
        for number in one.reversed_by:
            parts += (_REVERSED_BY, _sized(transaction_id(entity_no, number, key).encode()))
        parts += (_REVISION, _number(one.revision))
        if not is_trial:
            parts += (_SEQUENCE, _number(one.sequence), _CREATE_SEQUENCE, _number(one.transaction_no))
        parts.append(_actor_piece(one.actor))
        return b"".join(parts)

    def _write_postings(self, parts: list[bytes], postings: Sequence[Posting]) -> None:
        last_amount, last_currency, money = 0, "", b""
        for _, _, account_id, side, currency, amount in postings:
            if amount != last_amount or currency != last_currency:  # the legs of a transfer are alike
                last_amount, last_currency = amount, currency
                before, exponent = _currency_piece(currency), self._currencies[currency]
                content = before + _amount(amount, exponent)
                money = _POSTING_AMOUNT + _VARINTS[len(content)] + content
            account = _posting_piece(account_id, side)
            parts += (_POSTINGS, _VARINTS[len(account) + len(money)], account, money)

    def _write_balance(self, parts: list[bytes], balance: BalanceAfter, *, is_trial: bool) -> None:
        _, account_id, normal_side, currency, totals, number, sequence = balance
        exponent = self._currencies[currency]
        debited, credited, debits_pending, credits_pending = totals
        if debits_pending or credits_pending:
            normal = Side(normal_side)
            pending_totals = _pending_totals(debits_pending, credits_pending, exponent)
            posted = _money(currency, totals.posted(normal), exponent)
            pending = _money(currency, totals.pending(normal), exponent)
            available = _money(currency, totals.available(normal), exponent)
        else:
            pending_totals = _nothing_pending(exponent)
            difference = debited - credited
            posted = _money(currency, difference if normal_side == _DEBIT else -difference, exponent)
            pending = available = posted
        debits_posted = _amount(debited, exponent)
        credits_posted = _amount(credited, exponent)
        account = _balance_piece(account_id)
        total = b"".join((_DEBITS_POSTED, debits_posted, _CREDITS_POSTED, credits_posted, pending_totals))
        place = _ENTRY_NUMBER + _number(number) if number else b""
        if sequence and not is_trial:
            place += _BALANCE_SEQUENCE + _number(sequence)
        content = b"".join(
            (
                account, _VARINTS[len(total)], total, _POSTED, posted, _PENDING, pending, _AVAILABLE, available, place,
            )
        )  # fmt: skip
        parts += (_BALANCES, _VARINTS[len(content)], content)


def batch_result(response: bytes | LedgerError) -> bytes:
    """One result of a BatchCreateTransactionsResponse, which is all of them one after the other."""
    outcome = (
        _BATCH_ERROR + _error(response) if isinstance(response, LedgerError) else _BATCH_RESPONSE + _sized(response)
    )
    return _RESULTS + _sized(outcome)


def stream_response(index: int, response: bytes | LedgerError) -> bytes:
    """A StreamCreateTransactionsResponse."""
    place = _INDEX + _number(index) if index else b""
    if isinstance(response, LedgerError):
        return place + _STREAM_ERROR + _error(response)
    return place + _STREAM_RESPONSE + _sized(response)


def _error(error: LedgerError) -> bytes:
    return _sized(status_of(error).SerializeToString())


def _amount(units: int, exponent: int) -> bytes:
    """A decimal, with its length before it."""
    text = format_minor_units(units, exponent).encode()
    return _VARINTS[len(text)] + text


def _money(currency: str, units: int, exponent: int) -> bytes:
    content = _currency_piece(currency) + _amount(units, exponent)
    return _VARINTS[len(content)] + content


def _pending_totals(debited: int, credited: int, exponent: int) -> bytes:
    return _DEBITS_PENDING + _amount(debited, exponent) + _CREDITS_PENDING + _amount(credited, exponent)


def _struct(members: dict[str, Any]) -> bytes:
    """A JSON object as a Struct, without its length: two fifths of what json_format.ParseDict costs."""
    parts: list[bytes] = []
    for name, value in members.items():
        parts += (_MEMBERS, _sized(_MEMBER_NAME + _sized(name.encode()) + _MEMBER_VALUE + _sized(_value(value))))
    return b"".join(parts)


def _value(value: Any) -> bytes:  # noqa: ANN401  # whatever JSON has; how deep is bounded by the intake
    if isinstance(value, str):
        return _STRING + _sized(value.encode())
    if value is None:
        return _NULL + b"\x00"
    if isinstance(value, bool):
        return _BOOL + (b"\x01" if value else b"\x00")
    if isinstance(value, dict):
        return _STRUCT + _sized(_struct(value))
    if isinstance(value, list):
        return _LIST + _sized(b"".join([_ELEMENTS + _sized(_value(element)) for element in value]))
    return _FLOAT + _write_double(value)


# What comes again and again, in a batch and from one to the next.


@lru_cache(_PIECES)
def _moment(moment: datetime) -> bytes:
    """A Timestamp. All of a commit have one time of recording, which is most often the effective time as well."""
    passed = moment - _EPOCH
    seconds, nanos = passed.days * 86_400 + passed.seconds, passed.microseconds * 1_000
    written = b"\x08" + _varint(seconds) if seconds else b""
    if nanos:
        written += b"\x10" + _varint(nanos)
    return _sized(written)


@lru_cache(_PIECES)
def _entity_piece(entity_id: str) -> bytes:
    return _ENTITY_ID + _sized(entity_id.encode())


@lru_cache(_PIECES)
def _actor_piece(actor: str) -> bytes:
    return _ACTOR + _sized(actor.encode())


@lru_cache(_PIECES)
def _posting_piece(account_id: str, side: int) -> bytes:
    return _POSTING_ACCOUNT + _sized(account_id.encode()) + _POSTING_SIDE + _VARINTS[side]


@lru_cache(_PIECES)
def _balance_piece(account_id: str) -> bytes:
    return _BALANCE_ACCOUNT + _sized(account_id.encode()) + _TOTALS


@lru_cache(_PIECES)
def _currency_piece(currency: str) -> bytes:
    return _MONEY_CURRENCY + _sized(currency.encode()) + _MONEY_AMOUNT


@lru_cache(_PIECES)
def _nothing_pending(exponent: int) -> bytes:
    return _pending_totals(0, 0, exponent)
