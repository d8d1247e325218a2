"""Pass 3: each account's entries in a currency, from the first to the newest.

Rule 2: numbers without a gap, totals that follow. Rule 7: limits held after every event. Rule 1 once more:
what all newest entries of an entity say nets to zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ledger_service.storage.proof.chart import CLOSED, FROZEN, Account, Chart
from ledger_service.storage.proof.findings import Findings, Rule, moment
from ledger_service.storage.proof.snapshot import Row, Stream

_RELEASE = 3
_NAMES = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")


class Chains:
    """Walks all entries by entity, account, currency and number."""

    def __init__(self, chart: Chart, findings: Findings) -> None:
        self._chart = chart
        self._findings = findings
        self.entries = 0
        self._entity_no: int | None = None
        self._account_no: int | None = None
        self._currency = ""
        # The account, where its entries have to be looked at one by one.
        self._watched: Account | None = None
        self._account: Account | None = None
        # By currency, debits less credits over all accounts of the entity so far: posted, pending.
        self._sums: dict[str, tuple[int, int]] = {}
        # The newest entry so far: its number, sequence, totals and latest effective time.
        self._number = 0
        self._sequence = 0
        self._totals = (0, 0, 0, 0)
        self._latest: int | None = None

    async def walk(self, entries: Stream, advanced: Callable[[int], None]) -> None:
        """Check every entry."""
        while rows := await entries.batch():
            position = 0
            while position < len(rows):
                position = self._run(rows, position)
                if position < len(rows):
                    await self._begin(rows[position])
            self.entries += len(rows)
            advanced(len(rows))
        self._end_chain()
        self._end_entity()

    def _run(self, rows: list[Row], position: int) -> int:  # noqa: PLR0912  # a branch is cheaper than a call
        """Follow the chain as far as these rows go on with it; returns where another one begins.

        The innermost loop of the proof: it works on locals and calls nothing while all is well.
        """
        place = self._entity_no, self._account_no, self._currency
        last, at, latest, watched = self._number, self._sequence, self._latest, self._watched
        debits, credits_, debits_pending, credits_pending = self._totals
        for index in range(position, len(rows)):
            row = rows[index]
            (entity_no, account_no, currency, number, sequence, kind, side, amount, dp, cp, dq, cq, effective,
             running, wide) = row  # fmt: skip
            if (entity_no, account_no, currency) != place:
                break
            if wide is not None:
                amount, dp, cp, dq, cq = self._wide(row)
            if watched is not None:
                totals = debits, credits_, debits_pending, credits_pending
                self._watch(watched, row, at, totals)
            if kind in (1, 4):
                if side == 1:
                    debits += amount
                else:
                    credits_ += amount
            if kind != 1:
                change = amount if kind == 2 else -amount
                if side == 1:
                    debits_pending += change
                else:
                    credits_pending += change
            last += 1
            if latest is None or effective > latest:
                latest = effective
            if (
                number != last or dp != debits or cp != credits_ or dq != debits_pending or cq != credits_pending
                or running != latest or sequence < at or amount <= 0 or debits_pending < 0 or credits_pending < 0
            ):  # fmt: skip
                expected = debits, credits_, debits_pending, credits_pending
                self._explain(row, last, at, expected, (dp, cp, dq, cq), latest)
                # What the entry says is what the next one followed: one fault, one break.
                last, latest = number, running
                debits, credits_, debits_pending, credits_pending = dp, cp, dq, cq
            at = sequence
        else:
            index = len(rows)
        self._number, self._sequence, self._latest = last, at, latest
        self._totals = debits, credits_, debits_pending, credits_pending
        return index

    async def _begin(self, row: Row) -> None:
        """Leave the chain that has ended; start the one of this row."""
        self._end_chain()
        entity_no, account_no, currency = row[:3]
        if entity_no != self._entity_no:
            self._end_entity()
        if (entity_no, account_no) != (self._entity_no, self._account_no):
            self._account = await self._chart.find(entity_no, account_no)
        self._entity_no, self._account_no, self._currency = entity_no, account_no, currency
        self._number = self._sequence = 0
        self._totals, self._latest = (0, 0, 0, 0), None
        account = self._account
        if account is None:
            self._add(Rule.CHART, "the account does not exist, but has entries")
        else:
            account.seen.add(currency)
            # Later entries are of later events.
            if row["sequence"] < account_no:
                self._add(Rule.CHART, f"{currency}, event {row['sequence']}: the account was made later")
        self._watched = None if account is None or account.is_plain else account

    def _end_chain(self) -> None:
        """Checks on the newest entry."""
        if self._entity_no is None:
            return
        debits, credits_, debits_pending, credits_pending = self._totals
        posted, pending = self._sums.get(self._currency, (0, 0))
        self._sums[self._currency] = (
            posted + debits - credits_,
            pending + debits_pending - credits_pending,
        )
        account = self._account
        if account is None:
            return
        if account.state == CLOSED and (debits != credits_ or debits_pending or credits_pending):
            self._add(Rule.CHART, f"{self._currency}: the account is closed with totals {self._totals}")
        broken = account.broken_limit(account.limits, self._currency, self._totals)
        if broken:
            self._add(Rule.LIMITS, f"{self._currency}, newest entry {self._number}: {broken}")
        if self._watched is not None and not broken:
            self._hold(self._watched, self._currency, math.inf, self._sequence, self._totals)

    def _end_entity(self) -> None:
        for currency, (posted, pending) in self._sums.items():
            if posted or pending:
                self._findings.add(
                    Rule.BALANCE,
                    f"{currency}: debits less credits of all accounts are {posted} posted and {pending} pending, "
                    "expected 0 and 0",
                    self._entity_no,
                )
        self._sums.clear()

    def _watch(self, account: Account, row: Row, before: int, totals: tuple[int, int, int, int]) -> None:
        """An entry of an account with limits or a past, against the account as it was at the time."""
        currency, number, sequence, kind = row[2:6]
        if sequence != before:
            # The event of the entry before is complete: its totals stood until this one.
            self._hold(account, currency, sequence, before, totals)
        version = account.version_at(sequence)
        where = f"{currency}, entry {number} of event {sequence}"
        if version is None:
            return
        if version.state == CLOSED or (version.state == FROZEN and kind != _RELEASE):
            self._add(Rule.CHART, f"{where}: the account was {'closed' if version.state == CLOSED else 'frozen'}")
        elif version.currencies and currency not in version.currencies:
            self._add(Rule.CHART, f"{where}: the account took only {', '.join(sorted(version.currencies))}")

    def _hold(self, account: Account, currency: str, end: float, start: int, totals: tuple[int, int, int, int]) -> None:
        """Rule 7: totals kept the limits of every version of the account that they met."""
        for version in account.versions_during(start, end):
            broken = account.broken_limit(version.limits, currency, totals)
            if broken:
                self._add(Rule.LIMITS, f"{currency}, after event {start}: {broken} as of event {version.sequence}")

    def _wide(self, row: Row) -> tuple[int, ...]:
        """The five amounts of an entry that needs more than 63 bits for one of them."""
        wide = row["wide"]
        if len(wide) == 5 and all(type(units) is int for units in wide) and not any(row[7:12]):
            return tuple(wide)
        self._add(Rule.CHAIN, f"{row['currency']}, entry {row['number']}: wide amounts are malformed: {wide}")
        whole = [units if type(units) is int else 0 for units in wide]
        return tuple((whole + [0] * 5)[:5])

    def _explain(
        self,
        row: Row,
        number: int,
        before: int,
        expected: tuple[int, int, int, int],
        found: tuple[int, int, int, int],
        latest: int,
    ) -> None:
        """Say in one line all that is wrong with an entry."""
        wrong = []
        if row["number"] != number:
            wrong.append(f"its number should be {number}")
        if row["sequence"] < before:
            wrong.append(f"its event {row['sequence']} is older than {before}, that of the entry before")
        wrong += [
            f"{name} {is_}, expected {should}"
            for name, is_, should in zip(_NAMES, found, expected, strict=True)
            if is_ != should
        ]
        if row["latest_effective"] != latest:
            wrong.append(f"latest effective time {moment(row['latest_effective'])}, expected {moment(latest)}")
        amount = row["amount"] if row["wide"] is None else row["wide"][0]
        if amount is None or amount <= 0:
            wrong.append(f"amount {amount}, expected more than 0")
        if min(expected[2:]) < 0:
            wrong.append("it ends more than was pending")
        self._add(Rule.CHAIN, f"{row['currency']}, entry {row['number']}: {'; '.join(wrong)}")

    def _add(self, rule: Rule, what: str) -> None:
        self._findings.add(rule, what, self._entity_no, account_no=self._account_no)
