"""The interface of the use cases, until they are merged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Protocol

from ledger_service.application.access import Principal
from ledger_service.application.reconciling.records import (
    Confirmed,
    Context,
    Decided,
    Imported,
    ItemRecord,
    LineRecord,
    MatchRecord,
    Place,
    ProfileRecord,
    RawProfile,
    RunRecord,
    StatementRecord,
    Summary,
)
from ledger_service.application.reconciling.report import Report
from ledger_service.matching.model import Finding


class Reconciling(Protocol):
    """Use cases of reconciliation."""

    async def start(
        self,
        principal: Principal,
        place: Place,
        *,
        day: str,
        statement_balance: str,
        outstanding: Sequence[str],
        idempotency_key: str,
    ) -> tuple[Context, Report, bool]: ...
    async def profile(self, principal: Principal, place: Place) -> tuple[Context, ProfileRecord, bool]: ...
    async def update_profile(
        self,
        principal: Principal,
        place: Place,
        *,
        profile: RawProfile,
        fields: Iterable[str],
        idempotency_key: str,
    ) -> tuple[Context, ProfileRecord, bool]: ...
    async def import_file(
        self,
        principal: Principal,
        place: Place,
        *,
        file_name: str,
        csv_mapping: Mapping[str, str],
        opening_balance: str,
        closing_balance: str,
        idempotency_key: str,
        chunks: AsyncIterator[bytes],
    ) -> tuple[Context, Imported]: ...
    async def statements(
        self, principal: Principal, place: Place, *, size: int, token: str
    ) -> tuple[Context, list[StatementRecord], str]: ...
    async def lines(
        self, principal: Principal, place: Place, *, statement: int, state: int, size: int, token: str
    ) -> tuple[Context, list[LineRecord], str]: ...
    async def items(
        self, principal: Principal, place: Place, *, state: int, size: int, token: str
    ) -> tuple[Context, list[ItemRecord], str]: ...
    async def run(self, principal: Principal, place: Place, *, idempotency_key: str) -> tuple[Context, RunRecord]: ...
    async def matches(
        self, principal: Principal, place: Place, *, state: int, rule: str, size: int, token: str
    ) -> tuple[Context, list[MatchRecord], str]: ...
    async def findings(
        self, principal: Principal, place: Place, *, kind: str, size: int, token: str
    ) -> tuple[Context, list[Finding], str]: ...
    async def create_match(
        self,
        principal: Principal,
        place: Place,
        *,
        lines: Sequence[int],
        transactions: Sequence[str],
        write_off_account_id: str,
        write_off_description: str,
        note: str,
        idempotency_key: str,
    ) -> tuple[Context, MatchRecord, bool]: ...
    async def confirm(
        self,
        principal: Principal,
        place: Place,
        *,
        matches: Sequence[int],
        with_write_offs: bool,
        note: str,
        idempotency_key: str,
    ) -> tuple[Context, Confirmed]: ...
    async def reject(
        self, principal: Principal, place: Place, *, matches: Sequence[int], note: str, idempotency_key: str
    ) -> tuple[Context, Decided]: ...
    async def undo(
        self, principal: Principal, place: Place, *, matches: Sequence[int], note: str, idempotency_key: str
    ) -> tuple[Context, Decided]: ...
    async def report(
        self, principal: Principal, place: Place, *, day: str, max_open_items: int
    ) -> tuple[Context, Report]: ...
    async def export(self, principal: Principal, place: Place, *, day: str) -> tuple[Context, Report]: ...
    async def reconciliations(
        self, principal: Principal, entity_id: str, *, account_id: str, currency: str, size: int, token: str
    ) -> tuple[list[Summary], str]: ...
    async def close(
        self,
        principal: Principal,
        place: Place,
        *,
        day: str,
        accept_differences: bool,
        note: str,
        idempotency_key: str,
    ) -> tuple[Context, Report, bool]: ...
    async def reopen(
        self, principal: Principal, place: Place, *, day: str, note: str, idempotency_key: str
    ) -> tuple[Context, int, bool]: ...
