"""What a change of a reconciliation consists of, before it counts; and the port through which it is kept and read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum
from typing import NamedTuple, Protocol

from ledger_service.application.reconciling.records import (
    FindingRecord,
    ItemRecord,
    LineRecord,
    MatchRecord,
    StatementRecord,
    Summary,
)


class Action(IntEnum):
    """What was done: see ReconciliationAction in protos/ledger/v1/reconciliation.proto."""

    STARTED = 1
    PROFILE_CHANGED = 2
    STATEMENT_IMPORTED = 3
    RULES_RUN = 4
    MATCH_CREATED = 5
    MATCHES_CONFIRMED = 6
    MATCHES_REJECTED = 7
    MATCHES_UNDONE = 8
    CLOSED = 9
    REOPENED = 10


class Book(NamedTuple):
    """Whose reconciliation: by numbers."""

    entity_no: int
    account_no: int
    currency: str


class NewFile(NamedTuple):
    """A file that comes in."""

    sha256: bytes
    name: str
    format: str
    bytes: int


class NewStatement(NamedTuple):
    """A row of ledger.statements."""

    number: int
    bank_number: str
    bank_account: str
    opening_balance: int | None
    opening_date: date | None
    closing_balance: int | None
    closing_date: date | None
    lines: int
    known_lines: int
    sum: int
    contradictions: tuple[str, ...]


class NewLine(NamedTuple):
    """A row of ledger.statement_lines."""

    number: int
    statement_number: int
    booking_date: date
    value_date: date
    amount: int
    counterparty: str
    counterparty_account: str
    references: tuple[str, ...]
    text: str
    bank_code: str
    parts: tuple[int, ...]
    raw: str
    identity: bytes


class NewMatch(NamedTuple):
    """A row of ledger.reconciliation_matches."""

    number: int
    state: int
    rule: str
    lines: tuple[int, ...]
    transactions: tuple[int, ...]
    difference: int
    score: int
    why: str
    write_off_account_no: int | None
    write_off_description: str | None
    note: str


class NewDecision(NamedTuple):
    """A row of ledger.reconciliation_decisions; `transaction_no` is the write-off that was booked."""

    match_number: int
    state: int
    transaction_no: int | None
    note: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """Where a reconciliation begins, at its start or anew at a closing; see ledger.reconciliation_baselines."""

    until: date
    statement_balance: int
    ledger_balance: int
    settled_statement: int
    settled_ledger: int
    sequence: int
    entry_number: int
    line_number: int
    match_number: int
    carried_transactions: tuple[int, ...] = ()
    carried_amounts: tuple[int, ...] = ()
    carried_lines: tuple[int, ...] = ()
    carried_matches: tuple[int, ...] = ()
    report: str | None = None
    is_closing: bool = False
    stage_no: int = 0
    revision: int = 0
    closed_by: str = ""
    closed_time: datetime | None = None


@dataclass(slots=True)
class Stage:
    """All that one change adds."""

    profile: str | None = None
    file: NewFile | None = None
    statements: Sequence[NewStatement] = ()
    lines: Sequence[NewLine] = ()
    matches: Sequence[NewMatch] = ()
    decisions: Sequence[NewDecision] = ()
    findings: Sequence[FindingRecord] = ()
    baseline: Baseline | None = None
    frozen: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class OpenLine:
    """A line in scope, without what only people read."""

    number: int
    booking_date: date
    value_date: date
    amount: int
    counterparty: str
    references: tuple[str, ...]
    text: str
    bank_code: str
    parts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OpenItem:
    """What a transaction did to the account since the baseline, with what was carried over."""

    transaction_no: int
    day: date
    amount: int
    counterparty: str
    reference: str
    description: str
    status: int
    has_expiry: bool
    reverses: int


@dataclass(frozen=True, slots=True)
class KnownMatch:
    """A match in scope with its present state; a write-off that was booked is among the transactions."""

    number: int
    state: int
    rule: str
    lines: tuple[int, ...]
    transactions: tuple[int, ...]
    why: str
    write_off_account_no: int | None
    write_off_description: str | None
    write_off_transaction_no: int | None


@dataclass(frozen=True, slots=True)
class StatedBalance:
    """A balance that the bank states at the end of a day, by a statement; `opening` is what that one began with."""

    number: int
    day: date
    balance: int
    opening: int | None = None


@dataclass(slots=True)
class State:
    """An account's reconciliation as of a revision, and the ledger's side of it, in one snapshot."""

    book: Book
    revision: int
    profile: str | None
    baseline: Baseline | None
    lines: list[OpenLine] = field(default_factory=list)
    items: list[OpenItem] = field(default_factory=list)
    matches: list[KnownMatch] = field(default_factory=list)
    stated: list[StatedBalance] = field(default_factory=list)
    findings: list[FindingRecord] = field(default_factory=list)
    sequence: int = 0
    entry_number: int = 0
    now: datetime | None = None
    last_statement: int = 0
    last_line: int = 0
    last_match: int = 0


class ReconciliationStore(Protocol):
    """Keeps and reads reconciliations. All raise Unavailable. storage.reconciliation documents each."""

    async def currencies(self, entity_no: int, account_no: int) -> list[str]: ...

    async def head(self, book: Book) -> State: ...

    async def load(self, book: Book, normal_side: int, time_zone: str, most: int) -> State:
        """Raises LedgerError WORK_TOO_LARGE."""
        ...

    async def ledger_balance(
        self, book: Book, normal_side: int, time_zone: str, until: date, entry_number: int
    ) -> int: ...

    async def items_since(
        self,
        book: Book,
        normal_side: int,
        time_zone: str,
        entry_number: int,
        first: date,
        also: Collection[int],
        most: int,
    ) -> list[OpenItem]:
        """Raises LedgerError WORK_TOO_LARGE."""
        ...

    async def lines_after(self, book: Book, until: date, most: int) -> list[int]:
        """Raises LedgerError WORK_TOO_LARGE."""
        ...

    async def known_identities(self, book: Book, identities: Sequence[bytes]) -> set[bytes]: ...

    async def revision_of_file(self, book: Book, sha256: bytes) -> int | None: ...

    async def stage(self, book: Book, stage_no: int, stage: Stage) -> None: ...

    async def drop(self, book: Book, stage_no: int) -> None: ...

    async def clear_abandoned(self, book: Book) -> None: ...

    async def statements(
        self, book: Book, before: int | None, limit: int, revision: int | None = None
    ) -> list[StatementRecord]: ...

    async def lines(
        self, book: Book, statement: int, state: int, after: int, limit: int
    ) -> tuple[list[LineRecord], bool]: ...

    async def items(
        self, book: Book, normal_side: int, time_zone: str, state: int, after: int, limit: int, most: int
    ) -> list[ItemRecord]: ...

    async def matches(
        self, book: Book, state: int, rule: str, after: int, limit: int
    ) -> tuple[list[MatchRecord], bool]: ...

    async def matches_numbered(self, book: Book, numbers: Sequence[int]) -> list[MatchRecord]: ...

    async def findings(self, book: Book, kind: str, after: int, limit: int) -> list[tuple[int, FindingRecord]]: ...

    async def closing(self, book: Book, until: date) -> Baseline | None: ...

    async def baseline_of(self, book: Book, revision: int) -> Baseline: ...

    async def profile_of(self, book: Book, revision: int) -> str: ...

    async def closings(self, book: Book, before: int | None, limit: int) -> list[Summary]: ...

    async def summaries(
        self, entity_no: int, currency: str, after: tuple[int, str], limit: int
    ) -> list[tuple[tuple[int, str], Summary]]: ...
