"""One scenario under way: its rounds, what it measured, and the stage that it measures on."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import raw_copy, serving
from bench.child import Child, child
from bench.cpu import Cpu, cpu_of
from bench.driving import Driver, Load
from bench.errors import BenchError
from bench.figures import Calls, Outcome, Slice, slices
from bench.requests import Mix
from bench.serving import Service
from bench.targets import TARGETS
from ledger_service.storage.embedded import EmbeddedPostgres

WARM_UP_SECONDS = 2.0
_SLICE_SECONDS = 0.25


class DriftError(BenchError):
    """A yardstick is not what the table of targets says any more."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller of the bench chose."""

    only: tuple[str, ...] = ()
    rounds: int = 5
    seconds: float = 4.0
    workers: int = 1
    scale: float = 1.0
    minutes: float = 30.0
    """Of the run that watches the memory."""
    generator: str = "auto"
    data: Path = Path(".cache/bench")
    results: Path = Path("bench/results")

    def scaled(self, full: int, least: int) -> int:
        """A size of the table of targets, at this scale."""
        return max(least, round(full * self.scale))


@dataclass(slots=True)
class Measurement:
    """One row of the figures: a label, in one round."""

    label: str
    round: int
    is_yardstick: bool
    rate: float | None
    """None where calls of both sides took turns, one at a time: then latencies say all."""
    p50: float
    p99: float
    slices: list[Slice]
    cpu: Cpu | None
    """Seconds for each transaction."""


@dataclass(slots=True)
class Run:
    """A scenario's rounds; what is recorded while warming up is forgotten."""

    key: str
    options: Options
    postgres: EmbeddedPostgres
    driver: Driver
    token: str
    say: Callable[[str], None]
    zero: float = field(default_factory=time.time)
    round: int = 0
    ratios: dict[str, list[float]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    """What it was measured with: skew, sizes, generator, what `verify` proved."""

    async def rounds(self) -> AsyncIterator[int]:
        """0 to warm up, then 1, 2, …"""
        for number in range(self.options.rounds + 1):
            self.round = number
            if number <= 1:
                self.zero = time.time()
            self.say(f"{self.key}: round {number} of {self.options.rounds}" if number else f"{self.key}: warming up")
            yield number

    @property
    def seconds(self) -> float:
        """For each measurement of this round."""
        return self.options.seconds if self.round else min(WARM_UP_SECONDS, self.options.seconds)

    def record(
        self, label: str, calls: Calls, *, is_yardstick: bool = False, has_rate: bool = True, cpu: Cpu | None = None
    ) -> None:
        """Keep what was measured in this round."""
        if self.round:
            self.measurements.append(
                Measurement(
                    label, self.round, is_yardstick, calls.rate if has_rate else None, calls.latency(0.5),
                    calls.latency(0.99), slices(calls, self.zero, _SLICE_SECONDS), cpu,
                )
            )  # fmt: skip

    def ratio(self, key: str, value: float, note: str = "") -> None:
        """A round's value for a target."""
        if self.round:
            self.ratios.setdefault(key, []).append(value)
            if note:
                self.notes[key] = note

    async def in_turns(
        self, ours: Callable[[], Awaitable[Calls]], yardstick: Callable[[], Awaitable[Calls]]
    ) -> tuple[Calls, Calls]:
        """Measure both, the other one first in every second round: what drifts favours neither."""
        if self.round % 2:
            first = await ours()
            return first, await yardstick()
        second = await yardstick()
        return await ours(), second

    def outcomes(self) -> list[Outcome]:
        """In the order of the table of targets."""
        return [
            Outcome(target, tuple(self.ratios[target.key]), self.options.scale == 1, self.notes.get(target.key, ""))
            for target in TARGETS
            if target.key in self.ratios
        ]


@dataclass(slots=True)
class Stage:
    """A service on a fresh database, and the yardsticks beside it."""

    run: Run
    service: Service
    echo: str | None
    raw: Child | None
    accounts: int

    async def load(self, label: str, load: Load, seconds: float | None = None) -> Calls:
        """Measure the service."""
        self._state(label, load)
        return await self._measured(
            label, self.run.driver.drive(load, self.service.grpc, self.service.token, seconds or self.run.seconds)
        )

    async def load_echo(self, label: str, load: Load) -> Calls:
        """Measure the bare echo, by the same generator."""
        assert self.echo is not None
        self._state(label, load)
        sent = self.run.driver.drive(load, self.echo, self.service.token, self.run.seconds)
        return await self._measured(label, sent, is_yardstick=True)

    async def copy(self, label: str, *, size: int, entities: int, connections: int) -> Calls:
        """Measure the raw COPY of the same rows."""
        return await self._raw(
            label, {"do": "copy", "size": size, "entities": entities, "connections": connections}, size
        )

    async def insert(self, label: str) -> Calls:
        """Measure one-row INSERTs, each with a commit."""
        return await self._raw(label, {"do": "insert"}, 1)

    async def _raw(self, label: str, task: dict[str, Any], items: int) -> Calls:
        assert self.raw is not None
        task |= {"dsn": self.service.dsn, "seconds": self.run.seconds, "accounts": self.accounts}
        raw = self.raw

        async def copied() -> Calls:
            return Calls.merged([await raw.ask(task)], items)

        return await self._measured(label, copied(), is_yardstick=True)

    async def _measured(self, label: str, sent: Awaitable[Calls], *, is_yardstick: bool = False) -> Calls:
        before = cpu_of(self.run.postgres.pid)
        calls = await sent
        cpu = cpu_of(self.run.postgres.pid).since(before, len(calls.ends) * calls.items)
        self.run.record(label, calls, is_yardstick=is_yardstick, cpu=cpu)
        return calls

    def _state(self, label: str, load: Load) -> None:
        stated = {
            "mix": load.mix.describe(), "concurrent": load.concurrency, "batch": load.size,
            "generator": self.run.driver.generator(load),
        }  # fmt: skip
        if load.window > 1:
            stated["window"] = load.window
        self.run.facts.setdefault("loads", {})[label] = stated


@asynccontextmanager
async def stage(run: Run, *mixes: Mix, echo: bool = False, raw: bool = False) -> AsyncIterator[Stage]:
    """Set everything up that a scenario needs; at the end prove by `verify` what was written.

    Raises DriftError when the yardstick's rows or tables differ from the service's, UnsoundError after a break.
    """
    name = f"bench_{run.key.lower()}"
    run.say(f"{run.key}: setting up")
    async with AsyncExitStack() as outer:
        await outer.enter_async_context(serving.database(run.postgres, name))
        async with AsyncExitStack() as stack:
            service = await stack.enter_async_context(
                serving.serving(run.postgres, run.token, run.options.workers, name)
            )
            for mix in mixes:
                await serving.set_up(service, mix)
            answer = await serving.sample_answer(service)
            where = await stack.enter_async_context(serving.echoing(answer, run.options.workers)) if echo else None
            copier = await stack.enter_async_context(child("bench.raw_copy")) if raw else None
            accounts = mixes[0].accounts
            if copier is not None:
                await _check_drift(copier, service.dsn, accounts)
            yield Stage(run, service, where, copier, accounts)
        run.say(f"{run.key}: verifying every entry")
        run.facts["verified"] = await serving.prove(serving.database_dsn(run.postgres.dsn, name))


async def _check_drift(copier: Child, dsn: str, accounts: int) -> None:
    drift: list[str] = (await copier.ask({"do": "prepare", "dsn": dsn}))["drift"]
    task = {
        "dsn": dsn,
        "do": "copy",
        "size": 1,
        "entities": 1,
        "connections": 1,
        "accounts": accounts,
        "seconds": 0.001,
    }
    await copier.ask(task)
    stored, copied = await serving.first_rows(dsn, "ledger"), await serving.first_rows(dsn, "bench")
    for table in raw_copy.TABLES:
        drift += raw_copy.row_drift(table, stored[table], copied[table])
    if drift:
        raise DriftError("the raw COPY is not that of the same rows any more:\n" + "\n".join(drift))
