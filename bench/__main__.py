"""`make bench`: starts a service of its own, loads it, and prints each figure beside the raw COPY rate.

Durable commits, all checks on, embedded PostgreSQL, client and server on the same machine. Each round
measures every scenario and the yardstick one after the other; the medians of the rounds are compared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import secrets
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from bench.raw_copy import RawCopy
from ledger.v1 import account_pb2, account_service_pb2
from ledger_client import LedgerClient
from ledger_client import messages as m
from ledger_service.bootstrap import verify_database
from ledger_service.storage.embedded import EmbeddedPostgres

ACCOUNTS = 2_000
ROOT = Path(__file__).resolve().parent.parent
console = Console(stderr=True)


@dataclass
class Scenario:
    """A way of loading the service: so many processes with so many callers each."""

    name: str
    what: str
    batch_size: int
    processes: int
    callers: int
    entities: int
    prepared: int
    loader: str = "bench.load"
    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)


SCENARIOS = [
    Scenario("batch", "BatchCreateTransactions of 1,000, one caller", 1_000, 1, 1, 1, 120),
    Scenario("batch4", "the same from 4 callers on 4 entities", 1_000, 1, 4, 4, 40),
    Scenario("single", "CreateTransaction, 256 callers, one entity", 1, 2, 128, 1, 400),
    Scenario("rest", "REST: POST /v1/transactions, 64 connections", 1, 1, 64, 1, 800, "bench.load_rest"),
    Scenario("alone", "CreateTransaction, one caller alone", 1, 1, 1, 1, 12_000),
]


async def serve(dsn: str, token: str, workers: int) -> tuple[asyncio.subprocess.Process, dict[str, str]]:
    """The process, and where each kind of load finds it."""
    environment = {
        **os.environ,
        "LEDGER_BOOTSTRAP_TOKEN": token,
        "LEDGER_DSN": dsn,
        "LEDGER_REST": "127.0.0.1:0",
    }
    command = ("serve", "--grpc", "127.0.0.1:0", "--workers", str(workers))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ledger_service", *command,
        env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    targets = {}
    async for line in process.stdout:
        words = line.decode().split()
        if words[:1] == ["gRPC"]:
            targets["bench.load"] = words[1]
        elif words[:1] == ["REST"]:
            targets["bench.load_rest"] = words[1].removeprefix("http://").rstrip(",")
            return process, targets
    raise SystemExit("the service did not start")


async def _set_up(target: str, token: str, entities: list[str], accounts: list[str]) -> None:
    async with LedgerClient(target, token) as client:
        for entity_id in entities:
            await client.entities.CreateEntity(m.CreateEntityRequest(entity_id=entity_id, name="Benchmark"))
            for start in range(0, len(accounts), 1_000):
                part = accounts[start : start + 1_000]
                requests = [
                    account_service_pb2.CreateAccountRequest(
                        account_id=one, name=one, type=account_pb2.ACCOUNT_TYPE_LIABILITY
                    )
                    for one in part
                ]
                await client.accounts.BatchCreateAccounts(
                    account_service_pb2.BatchCreateAccountsRequest(entity_id=entity_id, requests=requests)
                )


async def _measure(
    scenario: Scenario, target: str, token: str, entities: list[str], accounts: list[str], seconds: float
) -> None:
    loaders = []
    for _ in range(scenario.processes):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", scenario.loader,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT, limit=1 << 26,
        )  # fmt: skip
        assert process.stdin is not None
        task = {
            "target": target, "token": token, "entities": entities[: scenario.entities], "accounts": accounts,
            "seconds": seconds, "batch_size": scenario.batch_size, "concurrency": scenario.callers,
            "prepared": scenario.prepared, "name": f"{scenario.name}-{secrets.token_hex(4)}",
        }  # fmt: skip
        process.stdin.write(json.dumps(task).encode() + b"\n")
        loaders.append(process)
    for process in loaders:
        assert process.stdout is not None
        await process.stdout.readline()
    for process in loaders:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
    answers: list[dict[str, Any]] = []
    for process in loaders:
        out, _ = await process.communicate()
        answers.append(json.loads(out))
    scenario.rates.append(sum(answer["transactions"] / answer["seconds"] for answer in answers))
    scenario.latencies += [latency for answer in answers for latency in answer["latencies"]]


def _table(scenarios: list[Scenario], raw: list[float]) -> Table:
    table = Table(title="median of the rounds (lowest – highest)", title_justify="left")
    for heading in ("scenario", "transactions/s", "÷ raw COPY", "p50", "p99"):
        table.add_column(heading, justify="left" if heading == "scenario" else "right")
    base = statistics.median(raw)
    table.add_row("raw asyncpg COPY of the same rows, 1,000 a commit", _spread(raw), "1.00", "", "", end_section=True)
    for one in scenarios:
        latencies = sorted(one.latencies)
        at = [f"{latencies[int(len(latencies) * share)] * 1000:.1f} ms" for share in (0.5, 0.99)]
        table.add_row(one.what, _spread(one.rates), f"{statistics.median(one.rates) / base:.2f}", *at)
    return table


def _spread(rates: list[float]) -> str:
    return f"{statistics.median(rates):,.0f} ({min(rates):,.0f} – {max(rates):,.0f})"


async def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", help="one scenario: " + ", ".join(one.name for one in SCENARIOS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="per scenario and round (default 5)")
    parser.add_argument("--workers", type=int, default=1, help="processes of the service (default 1)")
    options = parser.parse_args()
    scenarios = [one for one in SCENARIOS if options.only in (None, one.name)]
    token = secrets.token_urlsafe(24)
    entities = [f"bench-{number}" for number in range(4)]
    accounts = [f"account-{number:05d}" for number in range(ACCOUNTS)]
    raw: list[float] = []
    with tempfile.TemporaryDirectory(prefix="ledger-bench-", ignore_cleanup_errors=True) as folder:
        console.print("starting a PostgreSQL and a service of its own")
        postgres = await EmbeddedPostgres.start(Path(folder) / "data", progress=lambda _: None)
        dsn = postgres.dsn
        process, targets = await serve(dsn, token, options.workers)
        try:
            await _set_up(targets["bench.load"], token, entities, accounts)
            copy = await RawCopy.prepare(dsn)
            for number in range(options.rounds + 1):
                for one in scenarios:
                    label = f"round {number} of {options.rounds}" if number else "warming up"
                    console.print(f"{label}: {one.what}")
                    await _measure(
                        one, targets[one.loader], token, entities, accounts, options.seconds if number else 2.0
                    )
                    if number == 0:
                        one.rates.clear()
                        one.latencies.clear()
                if number:
                    raw.append(await copy.rate(options.seconds, 1_000, ACCOUNTS))
            await copy.close()
            console.print("verifying every entry written")
            report = await verify_database(dsn)
        finally:
            process.terminate()
            await process.wait()
            await postgres.stop()
    Console().print(_table(scenarios, raw))
    print(f"verified {report.entries:,} entries of {report.transactions:,} transactions: {len(report.breaks)} breaks")
    _write(scenarios, raw, options)
    return 1 if report.breaks else 0


def _write(scenarios: list[Scenario], raw: list[float], options: argparse.Namespace) -> None:
    results = ROOT / "bench" / "results"
    results.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    content = {
        "time": now.isoformat(timespec="seconds"),
        "machine": {"python": platform.python_version(), "cpus": os.cpu_count(), "system": platform.platform()},
        "state": {"accounts": ACCOUNTS, "workers": options.workers, "commits": "durable", "checks": "all"},
        "raw_copy": raw,
        "scenarios": {one.name: {"what": one.what, "rates": one.rates} for one in scenarios},
    }
    (results / f"{now:%Y%m%dT%H%M%S}.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
