"""What is known of an account's reconciliation, as use cases answer with it. Amounts in minor units, in the sense of
the account's normal side; lines, matches and statements by number; transactions by theirs (see Context.public_id).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum
from typing import NamedTuple

from ledger_service.domain.account import Account, Entity
from ledger_service.domain.identifiers import transaction_id
from ledger_service.domain.money import format_minor_units
from ledger_service.matching.model import Finding, Profile


class Place(NamedTuple):
    """Which reconciliation is meant, as the caller names it; `currency` "": the account's only one."""

    entity_id: str
    account_id: str
    currency: str


class MatchState(IntEnum):
    """What has become of a match."""

    PROPOSED = 1
    CONFIRMED = 2
    REJECTED = 3
    UNDONE = 4


class ItemState(IntEnum):
    """Whether a line or a transaction has found its pair."""

    OPEN = 1
    PROPOSED = 2
    CONFIRMED = 3


@dataclass(frozen=True, slots=True)
class Context:
    """Whose figures these are, and how they are written."""

    entity: Entity
    account: Account
    currency: str
    exponent: int

    def public_id(self, transaction_no: int) -> str:
        """A transaction's id as callers know it."""
        return transaction_id(self.entity.entity_no, transaction_no, self.entity.id_key)

    def decimal(self, amount: int | None) -> str:
        """An amount as a signed decimal; "" for None."""
        return "" if amount is None else format_minor_units(amount, self.exponent)


@dataclass(frozen=True, slots=True)
class ProfileRecord:
    """How an account is matched, and how its CSV files are read."""

    profile: Profile
    csv_mapping: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RawRule:
    """A rule as a caller writes it: see matching.model.Rule; `tolerance` is a decimal."""

    kind: str
    days: int
    tolerance: str
    tolerance_ppm: int
    similarity: int
    most: int
    auto_confirm: bool


@dataclass(frozen=True, slots=True)
class RawCharge:
    """A template as a caller writes it: see matching.model.Charge."""

    name: str
    pattern: str
    sign: int
    account_id: str
    description: str


@dataclass(frozen=True, slots=True)
class RawProfile:
    """A profile as a caller writes it; only what the request says it changes is looked at."""

    rules: tuple[RawRule, ...] = ()
    charges: tuple[RawCharge, ...] = ()
    difference_account_id: str = ""
    difference_description: str = ""
    is_inverted: bool = False
    clears_transactions: bool = False
    csv_mapping: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StatementRecord:
    """One statement that came in; balances and days None where the file does not tell them."""

    number: int
    bank_number: str
    bank_account: str
    file_name: str
    file_sha256: bytes
    format: str
    opening_balance: int | None
    opening_date: date | None
    closing_balance: int | None
    closing_date: date | None
    lines: int
    known_lines: int
    sum: int
    contradictions: tuple[str, ...]
    import_time: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class LineRecord:
    """One booking of the bank's; `match` 0: open."""

    number: int
    statement: int
    booking_date: date
    value_date: date
    amount: int
    counterparty: str
    counterparty_account: str
    references: tuple[str, ...]
    text: str
    bank_code: str
    raw: str
    state: ItemState
    match: int


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """What a transaction, all in all, did to the account; `match` 0: open."""

    transaction_no: int
    day: date
    amount: int
    counterparty: str
    reference: str
    description: str
    status: int
    state: ItemState
    match: int


@dataclass(frozen=True, slots=True)
class WriteOffRecord:
    """How a match's difference is settled; `transaction_no` 0: not booked yet."""

    account_id: str
    description: str
    amount: int
    transaction_no: int


@dataclass(frozen=True, slots=True)
class MatchRecord:
    """Lines and transactions that are the same money. `rule` is a matching.model.RuleKind, "MANUAL" or "CHARGE"."""

    number: int
    state: MatchState
    rule: str
    lines: tuple[int, ...]
    transactions: tuple[int, ...]
    difference: int
    score: int
    why: str
    write_off: WriteOffRecord | None
    actor: str
    create_time: datetime
    decided_by: str
    decide_time: datetime | None
    note: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file has brought."""

    statements: tuple[StatementRecord, ...]
    lines: int
    known_lines: int
    revision: int
    replayed: bool


@dataclass(frozen=True, slots=True)
class MatchedCount:
    """What one rule has matched in a run; `amount` of the lines, without signs."""

    rule: str
    matches: int
    proposed: int
    lines: int
    transactions: int
    amount: int


@dataclass(frozen=True, slots=True)
class FindingCount:
    """How many findings of a kind, and what they come to without signs."""

    kind: str
    count: int
    amount: int


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What a run of the rules has done."""

    matched: tuple[MatchedCount, ...]
    findings: tuple[FindingCount, ...]
    open_lines: int
    open_transactions: int
    write_offs: int
    undone: int
    cleared: int
    revision: int
    replayed: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """What was refused on the way; `transaction_no` 0: the write-off."""

    match: int
    transaction_no: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What was confirmed."""

    confirmed: int
    write_offs: int
    cleared: int
    failures: tuple[Failure, ...]
    revision: int
    replayed: bool


@dataclass(frozen=True, slots=True)
class Decided:
    """How many matches were rejected or undone."""

    matches: int
    revision: int
    replayed: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """How far a reconciliation is, or a closing of it."""

    account_id: str
    currency: str
    is_closed: bool
    until: date | None
    statement_balance: int | None
    ledger_balance: int | None
    revision: int
    closed_by: str = ""
    is_reopened: bool = False
    exponent: int = 0
    """Of the currency: how the balances are written."""


FindingRecord = Finding
