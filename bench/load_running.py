"""`make load`: ghz against a service that is running, with the configurations and templates in bench/ghz.

unary: single calls, uniform over 8,192 accounts. hot: the same, one leg always on one account. stream: 8 streams of 500
messages at a time. mixed: single calls and GetBalance side by side. It writes into the entity `load`, which it creates.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from bench import by_ghz
from bench.child import ROOT
from bench.errors import BenchError
from bench.figures import quantile
from bench.serving import create_accounts
from ledger_client import LedgerClient, LedgerError
from ledger_client import messages as m

_CONFIGS = ROOT / "bench" / "ghz"
KINDS = {"unary": ("unary",), "hot": ("hot",), "stream": ("stream",), "mixed": ("mixed_write", "mixed_read")}
"""Which configurations run side by side."""
ENTITY = "load"
_ACCOUNTS = 16**3


async def load(kinds: list[str], target: str, token: str, seconds: float) -> int:
    """Run them one after the other and print what came out; 1 when a call failed."""
    program = by_ghz.find()
    if program is None:
        raise BenchError("there is no ghz: install Go, then run scripts/install_ghz; or put a ghz on the PATH")
    async with LedgerClient(target, token) as client:
        await client.entities.CreateEntity(m.CreateEntityRequest(entity_id=ENTITY, name="Load"))
        for side in ("debit", "credit"):
            await create_accounts(client, ENTITY, (f"{side}-{number:03x}" for number in range(_ACCOUNTS)))
    table = Table("load", "calls", "messages/s", "p50", "p95", "p99", "failed", title="ghz", title_justify="left")
    failed = 0
    with tempfile.TemporaryDirectory(prefix="ledger-ghz-") as folder:
        common = Path(folder)
        (common / "protoset").write_bytes(by_ghz.descriptors())
        # In a file: arguments can be read by everybody on the machine.
        (common / "metadata").write_text(json.dumps({"authorization": f"Bearer {token}"}))
        for kind in kinds:
            names = KINDS[kind]
            answers = await asyncio.gather(*(_ghz(program, name, target, common, seconds) for name in names))
            for name, answer in zip(names, answers, strict=True):
                failed += _row(table, name, answer)
    # Cut off at 80 columns by default where the output is a file.
    (Console() if sys.stdout.isatty() else Console(width=120)).print(table)
    return 1 if failed else 0


async def _ghz(program: Path, name: str, target: str, common: Path, seconds: float) -> dict[str, Any]:
    out = common / f"{name}.json"
    process = await asyncio.create_subprocess_exec(
        str(program), "--config", str(_CONFIGS / f"{name}.json"), "--protoset", str(common / "protoset"),
        "--metadata-file", str(common / "metadata"), "--duration", f"{seconds:g}s", "--format", "json",
        "--output", str(out), target,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    if process.returncode != 0 or not out.exists():
        raise BenchError(f"ghz ({name}) failed: {said.decode(errors='replace').strip()[-2000:]}")
    answer: dict[str, Any] = json.loads(out.read_text())
    return answer


def _row(table: Table, name: str, answer: dict[str, Any]) -> int:
    messages = json.loads((_CONFIGS / f"{name}.json").read_text()).get("stream-call-count", 1)
    details = answer.get("details") or []
    good = sorted(one["latency"] / 1e6 for one in details if one["status"] == "OK")
    times = [f"{quantile(good, share):,.1f} ms" if good else "–" for share in (0.5, 0.95, 0.99)]
    failed = len(details) - len(good)
    rate = len(good) * messages / (answer["total"] / 1e9)
    table.add_row(name, f"{len(details):,}", f"{rate:,.0f}", *times, f"{failed:,}")
    return failed


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="make load", description=__doc__)
    parser.add_argument("--only", default=",".join(KINDS), help="with commas between (default: all)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each (default 10)")
    parser.add_argument(
        "--target", default=os.environ.get("LEDGER_TARGET", "127.0.0.1:50051"),
        help="HOST:PORT of the service, in plain text (default LEDGER_TARGET, or 127.0.0.1:50051)",
    )  # fmt: skip
    given = parser.parse_args()
    kinds = [one.strip() for one in given.only.split(",") if one.strip()]
    if unknown := [one for one in kinds if one not in KINDS]:
        parser.error(f"no load {', '.join(unknown)}; there are {', '.join(KINDS)}")
    kept = ROOT / "data" / "admin-token"
    token = os.environ.get("LEDGER_TOKEN") or (kept.read_text("ascii").strip() if kept.exists() else "")
    if not token:
        parser.error(
            "no token: set LEDGER_TOKEN, or start the service by `make run`, which keeps one in data/admin-token"
        )
    try:
        return uvloop.run(load(kinds, given.target, token, given.seconds))
    except (BenchError, LedgerError) as error:
        Console(stderr=True).print(f"{type(error).__name__}: {error}", style="bold red", markup=False)
        return 2


if __name__ == "__main__":
    sys.exit(main())
