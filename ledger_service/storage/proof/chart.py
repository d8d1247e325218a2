"""Accounts with their history: each is what its events say, and the pass over the entries asks here for it."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

from ledger_service.storage.proof.findings import Findings, Rule
from ledger_service.storage.proof.snapshot import Row, Stream

OPEN, FROZEN, CLOSED = 1, 2, 3

_Limits = dict[str, tuple[int | None, int | None]]
_Totals = tuple[int, int, int, int]

_FIXED = ("account_id", "type", "contra")
_CHANGING = ("code", "name", "parent_no", "currencies", "state", "financial_type", "sub_type_code", "is_category")


@dataclass(slots=True)
class Version:
    """An account from one event on. None: the event does not say."""

    sequence: int
    state: int | None = None
    currencies: frozenset[str] | None = None
    limits: _Limits = field(default_factory=dict)


@dataclass(slots=True)
class Account:
    """An account as it is and as it was."""

    entity_no: int
    account_no: int
    exists: bool
    """Whether there is more of it than events."""
    normal_side: int
    state: int
    limits: _Limits
    versions: list[Version]
    seen: set[str] = field(default_factory=set)
    """Currencies in which it has entries."""

    @property
    def is_plain(self) -> bool:
        """Whether it takes every entry since it was made: nothing to look at for each of them."""
        if len(self.versions) != 1:
            return False
        (only,) = self.versions
        return only.state in (None, OPEN) and not (self.limits or only.limits or only.currencies)

    def version_at(self, sequence: int) -> Version | None:
        """The version in force for an entry at `sequence`; None: before the account was made."""
        place = bisect_right(self.versions, sequence, key=lambda version: version.sequence)
        return self.versions[place - 1] if place else None

    def versions_during(self, start: int, end: float) -> list[Version]:
        """Those that a balance met which stood from `start` until `end`, exclusive."""
        first = max(bisect_right(self.versions, start, key=lambda version: version.sequence) - 1, 0)
        return [version for version in self.versions[first:] if version.sequence < end]

    def broken_limit(self, limits: _Limits, currency: str, totals: _Totals) -> str | None:
        """How these totals break a limit."""
        floor, ceiling = limits.get(currency, (None, None))
        debits, credits_, debits_pending, credits_pending = totals
        if self.normal_side == 1:
            balance, out, into = debits - credits_, credits_pending, debits_pending
        else:
            balance, out, into = credits_ - debits, debits_pending, credits_pending
        if floor is not None and balance - out < floor:
            return f"available balance {balance - out}, floor {floor}"
        if ceiling is not None and balance + into > ceiling:
            return f"available balance could reach {balance + into}, ceiling {ceiling}"
        return None


class Chart:
    """Accounts in the order of entity and account number, read as the entries that go with them are."""

    def __init__(self, stream: Stream, findings: Findings) -> None:
        self._stream = stream
        self._findings = findings
        self._rows: list[Row] = []
        self._position = 0
        self._current: Account | None = None
        self.accounts = 0

    async def find(self, entity_no: int, account_no: int) -> Account | None:
        """The account, asked for in ascending order; those passed over have no entries."""
        wanted = entity_no, account_no
        while self._current is None or (self._current.entity_no, self._current.account_no) < wanted:
            rows = await self._group(wanted)
            if not rows:
                break
            self._leave()
            self._current = self._account(rows)
        current = self._current
        if current is None or not current.exists:
            return None
        return current if (current.entity_no, current.account_no) == wanted else None

    async def finish(self) -> None:
        """Check the accounts after the last one that was asked for."""
        await self.find(2**31, 0)
        self._leave()

    async def _group(self, up_to: tuple[int, int]) -> list[Row]:
        """The rows of the next account that exists, or has events; none beyond `up_to`."""
        group: list[Row] = []
        while True:
            if self._position == len(self._rows):
                self._rows, self._position = await self._stream.batch(), 0
                if not self._rows:
                    return group
            row = self._rows[self._position]
            place = row["entity_no"], row["account_no"]
            if group and place != (group[0]["entity_no"], group[0]["account_no"]):
                return group
            if place > up_to:
                return group
            group.append(row)
            self._position += 1

    def _leave(self) -> None:
        """A floor above zero, or a ceiling below, is broken where there is no entry at all."""
        account = self._current
        if account is None or not account.exists:
            return
        for limits in [account.limits, *(version.limits for version in account.versions)]:
            for currency in limits.keys() - account.seen:
                broken = account.broken_limit(limits, currency, (0, 0, 0, 0))
                if broken:
                    what = f"{currency}, without entries: {broken}"
                    self._findings.add(Rule.LIMITS, what, account.entity_no, account_no=account.account_no)
                    return

    def _account(self, rows: list[Row]) -> Account:
        row = rows[-1]
        versions = [self._version(each) for each in rows if each["event_sequence"] is not None]
        if row["account_id"] is None:
            self._add(row, f"event {row['event_sequence']} is of an account that does not exist")
        else:
            self.accounts += 1
            self._check_agreement(row, versions)
            if row["normal_side"] != (1 if (row["type"] in (1, 5)) != row["contra"] else 2):
                self._add(row, f"normal side {row['normal_side']} does not follow from its type {row['type']}")
            first = rows[0]
            if first["event_kind"] != 9 or first["event_sequence"] != row["account_no"]:
                self._add(row, f"event {row['account_no']} should have created it and did not")
        return Account(
            entity_no=row["entity_no"],
            account_no=row["account_no"],
            exists=row["account_id"] is not None,
            normal_side=row["normal_side"],
            state=row["state"],
            limits=_limits(json.loads(row["limits"])) if row["limits"] else {},
            versions=versions,
        )

    def _version(self, row: Row) -> Version:
        """The account as an event says that it was; checks what never changes on the way."""
        version = Version(row["event_sequence"])
        try:
            said: dict[str, Any] = json.loads(row["detail"] or "{}")
            for name in _FIXED:
                if row["account_id"] is not None and said.get(name, row[name]) != row[name]:
                    self._add(row, f"event {version.sequence} says {name} {said[name]!r}, the account {row[name]!r}")
            version.state = said.get("state")
            version.currencies = frozenset(said.get("currencies", ()))
            version.limits = _limits(said.get("limits", ()))
        except (ValueError, TypeError, AttributeError):
            self._add(row, f"the detail of event {version.sequence} cannot be read")
        return version

    def _check_agreement(self, row: Row, versions: list[Version]) -> None:
        """The account's row is what its newest event says."""
        if row["revision"] != len(versions) or (versions and row["sequence"] != versions[-1].sequence):
            newest = versions[-1].sequence if versions else None
            self._add(
                row,
                f"revision {row['revision']} of event {row['sequence']}, its events say revision {len(versions)} of "
                f"event {newest}",
            )
        try:
            said = json.loads(row["detail"] or "{}")
        except ValueError:
            return
        if not isinstance(said, dict):
            return
        for name in _CHANGING:
            if name in said and said[name] != row[name]:
                self._add(row, f"{name} is {row[name]!r}, its newest event says {said[name]!r}")
        bank_account = json.loads(row["bank_account"]) if row["bank_account"] else None
        if said.get("bank_account", bank_account) != bank_account:
            self._add(row, f"bank account is {bank_account}, its newest event says {said['bank_account']}")
        if "limits" in said and versions:
            limits = _limits(json.loads(row["limits"])) if row["limits"] else {}
            if limits != versions[-1].limits:
                self._add(row, f"limits are {limits}, its newest event says {versions[-1].limits}")

    def _add(self, row: Row, what: str) -> None:
        self._findings.add(Rule.CHART, what, row["entity_no"], account_no=row["account_no"])


def _limits(rows: Any) -> _Limits:
    """Limits by currency, as JSON keeps them: amounts as text."""
    return {currency: (_units(floor), _units(ceiling)) for currency, floor, ceiling in rows}


def _units(text: str | None) -> int | None:
    return None if text is None else int(text)
