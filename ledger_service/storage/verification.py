"""Proves from the tables alone that the rules that never break have not been broken (DESIGN section 3).

The proof is independent of the triggers and of the deciding code, and reads the whole ledger three times in
different orders, streaming, all in one snapshot: it can run while the service writes. What it finds is
told, never mended.

What it cannot find by itself: that the newest events were taken away together with all that belongs to them, or that
everything was written anew, seals and all. Whoever keeps checkpoints elsewhere can tell (docs/tamper-evidence.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ledger_service.domain.sealing.checkpoint import Head
from ledger_service.storage import sql
from ledger_service.storage.proof.chains import Chains
from ledger_service.storage.proof.chart import Chart
from ledger_service.storage.proof.findings import Findings, Rule
from ledger_service.storage.proof.guards import check_guards
from ledger_service.storage.proof.journal import Journal
from ledger_service.storage.proof.lives import Lives
from ledger_service.storage.proof.rights import check_rights
from ledger_service.storage.proof.seals import Seals
from ledger_service.storage.proof.snapshot import Snapshot, side_by_side

__all__ = ["VerifyProgress", "VerifyReport", "verify_database"]

_QUERIES = sql.load("verification.sql")

# Rules that are about sets, whatever their order: the server finds the breaks.
_SETS = {
    "unknown_entities": Rule.CHART,
    "entity_states": Rule.CHART,
    "unrooted_accounts": Rule.CHART,
    "category_states": Rule.CHART,
    "unknown_categories": Rule.CHART,
    "doubled_keys": Rule.ONCE,
    "reversal_originals": Rule.IMMUTABLE,
    "reversal_amounts": Rule.IMMUTABLE,
    "reconciliation_revisions": Rule.RECONCILED,
    "reconciliation_lines": Rule.RECONCILED,
    "reconciliation_statements": Rule.RECONCILED,
    "reconciliation_members": Rule.RECONCILED,
    "reconciliation_doubles": Rule.RECONCILED,
    "frozen_changes": Rule.IMMUTABLE,
}


@dataclass(frozen=True, slots=True)
class VerifyProgress:
    """How far a verification has come: what it proves now, and rows walked of the rows to walk in all passes."""

    stage: str
    done: int
    total: int


@dataclass(slots=True)
class VerifyReport:
    """What was walked, and what did not hold."""

    breaks: list[str] = field(default_factory=list)
    """One line each: rule, entity, place, what was found and expected."""
    unlisted: int = 0
    """How many more breaks there are."""
    entities: int = 0
    events: int = 0
    entries: int = 0
    accounts: int = 0
    transactions: int = 0
    seals: int = 0
    checkpoints: int = 0
    """Checkpoints that the history was held to."""
    seconds: float = 0.0

    @property
    def is_clean(self) -> bool:
        """Whether every rule holds."""
        return not self.breaks


class _Paces:
    """Adds up the rows of all passes for the one who watches."""

    def __init__(self, tell: Callable[[VerifyProgress], None] | None) -> None:
        self._tell = tell
        self._done = 0
        self.total = 0
        self._stage = ""

    def stage(self, name: str) -> None:
        """Something else is proved from here on."""
        self._stage = name
        self.advance(0)

    def advance(self, rows: int) -> None:
        """So many more rows are walked."""
        self._done += rows
        if self._tell is not None:
            self._tell(VerifyProgress(self._stage, self._done, self.total))


async def verify_database(
    dsn: str,
    *,
    progress: Callable[[VerifyProgress], None] | None = None,
    max_breaks: int = 100,
    heads: Sequence[Head] = (),
) -> VerifyReport:
    """Re-prove rules 1, 2, 4, 6, 7, 9 and 10 over the whole database, that accounts and entities are what
    their events say, and that events and entries are what was sealed when they were committed.

    Args:
        dsn: the database; its user must be allowed to become `ledger_auditor`. It must be migrated.
        progress: told after each batch of rows.
        max_breaks: how many breaks are listed, 1 or more; further ones are counted in `unlisted`.
        heads: of checkpoints that were kept elsewhere and whose signatures hold: the history must go on from each.

    Raises:
        asyncpg.PostgresError, OSError, TimeoutError: the database cannot be read.
    """
    if max_breaks < 1:
        raise ValueError("max_breaks must be 1 or more: a list without room would look clean")
    started = time.monotonic()
    findings, paces, report = Findings(max_breaks), _Paces(progress), VerifyReport()
    async with Snapshot.open(dsn) as snapshot:
        paces.stage("guards")
        sizes = await snapshot.main.fetchrow(_QUERIES["sizes"])
        paces.total = 2 * sizes["events"] + sizes["life_events"] + sizes["entries"]
        await check_guards(snapshot.main, _QUERIES, findings)
        await check_rights(snapshot.main, _QUERIES, findings)
        await _walk_journal(snapshot, findings, paces, report)
        await _walk_lives(snapshot, findings, paces)
        await _walk_chains(snapshot, findings, paces, report)
        await _walk_seals(snapshot, findings, paces, report, heads)
        for name, rule in _SETS.items():
            paces.stage(name.replace("_", " "))
            async with snapshot.stream(name, _QUERIES[name]) as rows:
                while batch := await rows.batch():
                    for row in batch:
                        findings.add(rule, row["what"], row["entity_no"], transaction_no=row["transaction_no"])
        report.entities = sizes["entities"]
        report.breaks = await findings.lines(snapshot.main)
        report.unlisted = findings.unlisted
    report.seconds = time.monotonic() - started
    return report


async def _walk_journal(snapshot: Snapshot, findings: Findings, paces: _Paces, report: VerifyReport) -> None:
    """Pass 1, by entity and sequence."""
    paces.stage("events")
    journal = Journal(findings)
    async with (
        snapshot.stream("journal_events", _QUERIES["journal_events"]) as events,
        snapshot.stream("journal_entries", _QUERIES["journal_entries"]) as entries,
        snapshot.stream("journal_commits", _QUERIES["journal_commits"]) as commits,
    ):
        async for pieces in side_by_side((events, entries, commits), paces.advance):
            journal.feed(*pieces)
    journal.finish()
    report.events, report.transactions = journal.events, journal.transactions


async def _walk_lives(snapshot: Snapshot, findings: Findings, paces: _Paces) -> None:
    """Pass 2, by transaction."""
    paces.stage("transactions")
    lives = Lives(findings)
    async with (
        snapshot.stream("life_events", _QUERIES["life_events"]) as events,
        snapshot.stream("life_entries", _QUERIES["life_entries"]) as entries,
        snapshot.stream("life_open", _QUERIES["life_open"]) as is_open,
    ):
        async for pieces in side_by_side((events, entries, is_open), paces.advance):
            lives.feed(*pieces)


async def _walk_chains(snapshot: Snapshot, findings: Findings, paces: _Paces, report: VerifyReport) -> None:
    """Pass 3, by account and currency."""
    paces.stage("accounts")
    async with (
        snapshot.stream("chain_accounts", _QUERIES["chain_accounts"]) as accounts,
        snapshot.stream("chain_entries", _QUERIES["chain_entries"]) as entries,
    ):
        chart = Chart(accounts, findings)
        chains = Chains(chart, findings)
        await chains.walk(entries, paces.advance)
        await chart.finish()
    report.accounts, report.entries = chart.accounts, chains.entries


async def _walk_seals(
    snapshot: Snapshot, findings: Findings, paces: _Paces, report: VerifyReport, heads: Sequence[Head]
) -> None:
    """Pass 4, by entity and sequence."""
    paces.stage("seals")
    numbers = dict(await snapshot.main.fetch("SELECT entity_id, entity_no FROM entities"))
    known: dict[int, list[Head]] = {}
    for head in sorted(heads, key=lambda each: each.sequence):
        entity_no = numbers.get(head.entity_id)
        if entity_no is None:
            findings.add(
                Rule.SEALED,
                f"entity {head.entity_id} does not exist, but there is a checkpoint at {head.sequence} of it",
            )
        else:
            known.setdefault(entity_no, []).append(head)
    seals = Seals(findings, known)
    async with (
        snapshot.stream("seal_events", _QUERIES["seal_events"]) as events,
        snapshot.stream("seal_entries", _QUERIES["seal_entries"]) as entries,
        snapshot.stream("seal_rows", _QUERIES["seals"]) as sealed,
    ):
        async for pieces in side_by_side((events, entries, sealed), paces.advance):
            seals.feed(*pieces)
    seals.finish()
    report.seals, report.checkpoints = seals.seals, seals.heads
