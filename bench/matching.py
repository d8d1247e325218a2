"""`python -m bench.matching`: how long the matching engine takes, and how much memory, as both sides grow.

Each size runs in a process of its own, so that the peak is its own. The mix is that of a busy account: most payments
with references, the rest told by amount, date and name, some batches, and some differences of every kind.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import resource
import subprocess
import sys
import time
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from ledger_service.matching.engine import reconcile
from ledger_service.matching.model import Movement
from ledger_service.matching.profile import default_profile

SIZES = (10_000, 30_000, 100_000)
FIRST_DAY = 730_000
DAYS = 365
WITH_REFERENCE = 0.70
WITH_DIFFERENCE = 0.05
BATCHES = 0.02
NAMES = ("Novak", "Svoboda", "Dvorak", "Cerny", "Prochazka", "Kucera", "Vesely", "Horak", "Nemec", "Marek", "Pospisil")
FORMS = ("", " s.r.o.", " GmbH", " Ltd")
PRICES = (999, 1_499, 1_999, 4_900, 9_900)
"""A third of the payments are of these: what many customers pay alike."""


def mix(count: int, seed: int = 1) -> tuple[list[Movement], list[Movement]]:
    """So many lines, and about as many transactions."""
    chance = random.Random(seed)
    lines: list[Movement] = []
    transactions: list[Movement] = []
    while len(lines) < count:
        number = len(lines) + 1
        day = FIRST_DAY + chance.randrange(DAYS)
        amount = chance.choice(PRICES) if chance.random() < 1 / 3 else chance.randrange(100, 5_000_000)
        amount *= chance.choice((1, 1, -1))
        name = f"{chance.choice(NAMES)} {chance.choice(NAMES)} {chance.randrange(count // 20 + 1)}"
        reference = (f"INV-{number:07d}",) if chance.random() < WITH_REFERENCE else ()
        line = Movement(number, day, day, amount, reference, name.upper(), f"PAYMENT {name.upper()}", "TRF")
        own = tuple(one.replace("-", "").lower() for one in reference)
        recorded = day - chance.choice((0, 0, 0, 1, 2))
        transaction = Movement(0, recorded, recorded, amount, own, name + chance.choice(FORMS), "Invoice paid")
        if chance.random() < BATCHES and abs(amount) > 1_000:
            first = chance.randrange(1, abs(amount)) * (1 if amount > 0 else -1)
            parts = [first, amount - first]
            lines.append(line)
            transactions += [replace(transaction, amount=part) for part in parts if part]
            continue
        difference = chance.randrange(6) if chance.random() < WITH_DIFFERENCE else -1
        if difference != 0:
            lines.append(line)
        if difference == 1:
            continue
        if difference == 2:
            lines.append(replace(line, number=number + 1))
        elif difference == 3:
            transactions.append(transaction)
        elif difference == 4:
            transaction = replace(transaction, amount=amount + chance.choice((-1, 1)))
        elif difference == 5:
            transaction = replace(transaction, day=recorded + 9, value_day=recorded + 9)
        transactions.append(transaction)
    chance.shuffle(transactions)
    return lines, [replace(one, number=number) for number, one in enumerate(transactions, 1)]


def alike(count: int) -> tuple[list[Movement], list[Movement]]:
    """The worst case: the same amount, nothing else, on both sides, in one month."""
    chance = random.Random(1)
    sides = []
    for _ in range(2):
        days = [FIRST_DAY + chance.randrange(30) for _ in range(count)]
        sides.append([Movement(number, day, day, 1_000) for number, day in enumerate(days, 1)])
    return sides[0], sides[1]


def measure(what: str, count: int) -> dict[str, float]:
    lines, transactions = mix(count) if what == "mix" else alike(count)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, used = time.perf_counter(), time.process_time()
    result = reconcile(lines, transactions, default_profile(), (), FIRST_DAY + DAYS)
    return {
        "lines": len(lines), "transactions": len(transactions), "seconds": time.perf_counter() - start,
        "cpu": time.process_time() - used,
        "before": before / 1024, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "matched": sum(len(match.lines) for match in result.matches), "findings": len(result.findings),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "COUNT"), help="one measurement, as JSON on stdout")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure[0], int(options.measure[1]))))
        return
    table = Table(
        "mix", "lines", "transactions", "seconds", "CPU seconds", "growth of CPU", "peak MB", "of it input",
        "lines matched", "findings", title=f"Matching, {platform.machine()}, Python {platform.python_version()}",
    )  # fmt: skip
    last: dict[str, float] | None = None
    for what, count in [*(("mix", size) for size in options.sizes), ("alike", 10_000)]:
        command = [sys.executable, "-m", "bench.matching", "--measure", what, str(count)]
        one = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        growth = "" if last is None or what != "mix" else (
            f"{one['cpu'] / last['cpu']:.1f} for {one['lines'] / last['lines']:.1f} x lines"
        )  # fmt: skip
        table.add_row(
            what, f"{one['lines']:,}", f"{one['transactions']:,}", f"{one['seconds']:.1f}",
            f"{one['cpu']:.1f}", growth, f"{one['peak']:.0f}", f"{one['before']:.0f}",
            f"{one['matched']:,}", f"{one['findings']:,}",
        )  # fmt: skip
        last = one
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
