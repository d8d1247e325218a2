"""Transactions, their postings and revisions, and the events that make up an entity's history."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import NamedTuple

from ledger_service.domain.totals import Totals

MIN_POSTINGS = 2
MAX_POSTINGS = 1000


class Status(IntEnum):
    """Where a transaction is in its life; the last three are final."""

    PENDING = 1
    CLEARED = 2
    POSTED = 3
    VOIDED = 4
    EXPIRED = 5


class EntryKind(IntEnum):
    """What an entry did: see protos/ledger/v1/account.proto."""

    POST = 1
    HOLD = 2
    RELEASE = 3
    SETTLE = 4


class EventKind(IntEnum):
    """What happened: see protos/ledger/v1/transaction_service.proto."""

    TRANSACTION_CREATED = 1
    TRANSACTION_EDITED = 2
    TRANSACTION_CLEARED = 3
    TRANSACTION_POSTED = 4
    TRANSACTION_VOIDED = 5
    TRANSACTION_EXPIRED = 6
    TRANSACTION_REVERSED = 7
    WRITE_REFUSED = 8
    ACCOUNT_CREATED = 9
    ACCOUNT_CHANGED = 10
    ENTITY_CREATED = 11
    ENTITY_CHANGED = 12
    TRANSACTION_CATEGORIZED = 13
    CATEGORY_CREATED = 14
    CATEGORY_CHANGED = 15
    RECONCILIATION_CHANGED = 16


class Posting(NamedTuple):
    """One leg as recorded; `leg` is its place, in a reversal the place of the leg that it cancels."""

    leg: int
    account_no: int
    account_id: str
    side: int
    currency: str
    amount: int


class Transaction(NamedTuple):
    """One revision of a transaction: all of it as it was after the event at `sequence`."""

    entity_no: int
    transaction_no: int
    revision: int
    sequence: int
    status: Status
    postings: tuple[Posting, ...]
    postings_at: int
    effective_time: datetime
    expire_time: datetime | None
    created_time: datetime
    recorded_time: datetime
    actor: str
    idempotency_key: str | None
    description: str | None
    reference: str | None
    counterparty: str | None
    category_id: str | None
    metadata: str | None
    reverses: int | None
    reversed_by: tuple[int, ...] = ()


class BalanceAfter(NamedTuple):
    """An account's totals in a currency after a write; `number` is its newest entry."""

    account_no: int
    account_id: str
    normal_side: int
    currency: str
    totals: Totals
    number: int
    sequence: int
