"""`python -m bench.reconciliation`: how long a reconciliation takes through the whole service, as both sides grow.

A service and a PostgreSQL of its own. For each size an account gets so many transactions (bench.matching: the mix), and
a CSV file with about as many lines. Measured: taking the file in, running the rules, reading the result; the largest
resident sizes of the service and of its workshop while that was done. `verify` at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from datetime import time as day_time
from pathlib import Path

import uvloop
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.table import Table

from bench.__main__ import serve
from bench.matching import mix
from ledger_client import LedgerClient
from ledger_client import messages as m
from ledger_service.bootstrap import verify_database
from ledger_service.domain.money import format_minor_units
from ledger_service.matching.model import Movement
from ledger_service.storage.embedded import EmbeddedPostgres

SIZES = (10_000, 30_000, 100_000)
_SHIFT = date(2026, 1, 1).toordinal() - 730_000
console = Console(stderr=True)


class Peaks:
    """The largest resident sizes seen of a process and of those that it started, in MiB."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.service = 0.0
        self.workshop = 0.0

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            self.service = max(self.service, _resident(self._pid))
            self.workshop = max([self.workshop, *(_resident(child) for child in _children(self._pid))])
            await asyncio.sleep(0.2)


def _resident(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _children(pid: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((folder / "stat").read_text("ascii").rpartition(")")[2].split()[1]) == pid:
                found.append(int(folder.name))
    return found


def _csv(lines: list[Movement]) -> bytes:
    rows = ["Date;Counterparty;Reference;Text;Amount"]
    rows += [
        f"{date.fromordinal(line.day + _SHIFT)};{line.counterparty};{''.join(line.references)};{line.text};"
        f"{format_minor_units(line.amount, 2)}"
        for line in sorted(lines, key=lambda one: (one.day, one.number))
    ]
    return "\n".join(rows).encode()


async def _post(client: LedgerClient, entity: str, transactions: list[Movement]) -> None:
    for first in range(0, len(transactions), 5_000):
        requests = []
        for one in transactions[first : first + 5_000]:
            sides = ("bank", "other") if one.amount > 0 else ("other", "bank")
            when = Timestamp()
            when.FromDatetime(datetime.combine(date.fromordinal(one.day + _SHIFT), day_time(12), UTC))
            requests.append(
                m.CreateTransactionRequest(
                    idempotency_key=f"t{one.number}", debit_account_id=sides[0], credit_account_id=sides[1],
                    amount=m.Money(currency="EUR", amount=format_minor_units(abs(one.amount), 2)),
                    status=m.TRANSACTION_STATUS_POSTED, effective_time=when, reference="".join(one.references),
                    counterparty=one.counterparty, description=one.text,
                )
            )  # fmt: skip
        await client.transactions.BatchCreateTransactions(
            m.BatchCreateTransactionsRequest(entity_id=entity, requests=requests)
        )


async def _timed(work: Callable[[], Awaitable[object]]) -> tuple[float, object]:
    started = time.perf_counter()
    answer = await work()
    return time.perf_counter() - started, answer


async def _measure(client: LedgerClient, pid: int, size: int) -> list[str]:
    entity = f"size-{size}"
    await client.entities.CreateEntity(m.CreateEntityRequest(entity_id=entity, name="Benchmark"))
    for name in ("bank", "other"):
        await client.accounts.CreateAccount(
            m.CreateAccountRequest(entity_id=entity, account_id=name, name=name, type=m.ACCOUNT_TYPE_ASSET)
        )
    lines, transactions = mix(size)
    console.print(f"{size:,}: posting {len(transactions):,} transactions")
    await _post(client, entity, transactions)
    place = {"entity_id": entity, "account_id": "bank", "currency": "EUR"}
    content = _csv(lines)
    peaks = Peaks(pid)
    watcher = asyncio.create_task(peaks.watch())
    console.print(f"{size:,}: reconciling {len(lines):,} lines")
    header = m.ImportStatementHeader(**place, file_name="lines.csv", csv_mapping={"date_order": "ymd"})
    seconds = []
    seconds.append((await _timed(lambda: client.import_statement(content, header)))[0])
    took, run = await _timed(lambda: client.reconciliations.RunMatching(m.RunMatchingRequest(**place), timeout=300))
    seconds.append(took)
    took, answer = await _timed(
        lambda: client.reconciliations.GetReconciliation(m.GetReconciliationRequest(**place), timeout=300)
    )
    seconds.append(took)
    assert isinstance(answer, m.GetReconciliationResponse)
    assert isinstance(run, m.RunMatchingResponse)
    assert answer.reconciliation.equation.adds_up
    watcher.cancel()
    matched = sum(one.lines for one in run.matched)
    return [
        f"{len(lines):,}", f"{len(transactions):,}", *(f"{one:.1f}" for one in seconds),
        f"{sum(seconds) / len(lines) * 10_000:.2f}", f"{matched:,}", f"{peaks.service:.0f}", f"{peaks.workshop:.0f}",
    ]  # fmt: skip


async def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.reconciliation", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    options = parser.parse_args()
    token = secrets.token_urlsafe(24)
    table = Table(
        "lines", "transactions", "import s", "run s", "result s", "s per 10,000 lines", "lines matched",
        "service MiB", "workshop MiB", title="Reconciliation through the service", title_justify="left",
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="ledger-bench-", ignore_cleanup_errors=True) as folder:
        postgres = await EmbeddedPostgres.start(Path(folder) / "data", progress=lambda _: None)
        process, targets = await serve(postgres.dsn, token, 1)
        try:
            async with LedgerClient(targets["bench.load"], token) as client:
                for size in options.sizes:
                    table.add_row(*await _measure(client, process.pid, size))
            console.print("verifying")
            report = await verify_database(postgres.dsn)
        finally:
            process.terminate()
            await process.wait()
            await postgres.stop()
    Console(width=120).print(table)
    print(f"verified {report.entries:,} entries of {report.transactions:,} transactions: {len(report.breaks)} breaks")
    return 1 if report.breaks else 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
