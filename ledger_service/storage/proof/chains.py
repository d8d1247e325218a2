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

    def _run(self, rows: list[Row], position: int) -> int:
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
            if kind == 1 or kind == 4:
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
                self._explain(row, last, at, (debits, credits_, debits_pending, credits_pending), (dp, cp, dq, cq), latest)
                # What the entry says is what the next one followed: one fault, one break.
                last, latest = number, running
                debits, credits_, debits_pending, credits_pending = dp, cp, dq, cq
            at = sequence
        else:
            index = len(rows)
        self._number, self._sequence, self._latest = last, at, latest
        self._totals = debits, credits_, debits_pending, credits_pending
        return index
