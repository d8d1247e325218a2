"""One round: set the scene, write and read while things break, read everything, judge."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.v1 import account_service_pb2
from ledger_service import bootstrap
from tests.chaos.callers import Caller, watch
from tests.chaos.checker import check
from tests.chaos.desk import Desk, begin
from tests.chaos.disk import NotPossibleError
from tests.chaos.faults import Faults
from tests.chaos.history import Story
from tests.chaos.last_reads import read_all
from tests.chaos.poison import remove_poison, set_poison
from tests.chaos.replay import is_poison
from tests.chaos.scene import Scene, staged
from tests.chaos.second_opinion import second_opinion
from tests.chaos.strangers import probe, stranger
from tests.chaos.verdict import Breach, Verdict
from tests.chaos.workloads import BANK, BANK_CAPITAL, WORKLOADS, Workload, transfer
from tests.helpers.builders import new_entity, sequence_of
from tests.helpers.load import AMBIGUOUS
from tests.helpers.rpc import Client, Refused, connect
from tests.helpers.servers import TOKEN
from tests.helpers.wire import account_request

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.chaos.last_reads import LastReads
    from tests.chaos.plan import Plan

_SLOW_SECONDS = 0.25
"""Callers pause so long once there are enough operations, while faults are still to happen."""

_REPLAYS = 200
"""Of each entity, so many writes are sent once more at the end."""
_AT_ONCE = 20
_RECOVERY_SECONDS = 30.0
"""After the last fault the service must be itself again within this."""


@dataclass
class Outcome:
    """Of one round."""

    number: int
    verdict: Verdict = field(default_factory=Verdict)
    happened: Counter[str] = field(default_factory=Counter)
    not_run: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    failure: str = ""
    """Why it did not go to its end: a fault that never happened, a process that did not come back."""

    @property
    def is_red(self) -> bool:
        """Whether a promise was broken, or it did not go to its end."""
        return bool(self.failure) or not self.verdict.is_clean


class Round:
    """The state of one round under way."""

    def __init__(self, scene: Scene, plan: Plan, seed: int) -> None:
        self.scene = scene
        self.plan = plan
        self.seed = seed
        self.stories: list[tuple[Workload, Story]] = []
        self.counts: Counter[str] = Counter()
        self.not_run: dict[str, str] = {}
        """What this machine lacks, and why."""
        self.is_over = False
        self._stranger = ""

    @property
    def operations(self) -> int:
        """Recorded so far."""
        return sum(len(story.writes) + len(story.looks) + story.probes for _, story in self.stories)

    def wants_cancellations(self) -> bool:
        """Whether callers still have to give up."""
        return self.counts["cancellations"] + self.counts["deadlines"] < self.plan.cancellations

    async def prepare(self) -> None:
        """The entities and their accounts, before anything breaks."""
        client = self.scene.clients[0]
        for workload in WORKLOADS:
            for number in range(workload.entities):
                name = await new_entity(client, entity_id=f"{workload.name}-{number}")
                story = Story(name, workload.accounts, workload.expires, shortages=self.scene.shortages)
                request = account_service_pb2.BatchCreateAccountsRequest(entity_id=name)
                request.requests.extend(account_request("", account) for account in workload.accounts)
                await client.accounts.BatchCreateAccounts(request)
                if workload.is_bank:
                    await self._found_bank(story)
                if workload.is_reconciled:
                    story.desk = Desk()
                    await begin(self._caller(story, "founder", random.Random(0)))
                self.stories.append((workload, story))
        self._stranger = await stranger(self.scene.postgres.dsn, self.stories[0][1])
        async with self.scene.administrator() as administrator:
            await set_poison(administrator)

    async def _found_bank(self, story: Story) -> None:
        caller = self._caller(story, "founder", random.Random(0))
        share = BANK_CAPITAL // len(BANK)
        for account in BANK:
            await caller.write(transfer(caller.key(), "mint", account, share))
        story.constant = (BANK, BANK_CAPITAL)

    def _caller(self, story: Story, name: str, chance: random.Random) -> Caller:
        return Caller(story, self.scene.clients, chance, self.counts, self.wants_cancellations, name)

    async def play(self, faults: Faults) -> None:
        """Callers, watchers and strangers, until the faults have happened and there are operations enough."""
        numbers = itertools.count(1)
        async with asyncio.timeout(self.plan.seconds), asyncio.TaskGroup() as group:
            followers = [
                group.create_task(watch(story, self.scene.clients, self._chance(next(numbers))))
                for workload, story in self.stories
                if workload.is_watched
            ]
            followers.append(group.create_task(probe(self.scene, self._stranger, [story for _, story in self.stories])))
            working = [
                group.create_task(self._work(workload, story, number, self._chance(next(numbers))))
                for workload, story in self.stories
                for number in range(workload.callers)
            ]
            await faults.run()
            while self.operations < self.plan.operations or self.wants_cancellations():
                await asyncio.sleep(0.1)
            self.is_over = True
            await asyncio.gather(*working)
            for follower in followers:
                follower.cancel()

    async def _work(self, workload: Workload, story: Story, number: int, chance: random.Random) -> None:
        caller = self._caller(story, f"{story.name}-{number}", chance)
        while not self.is_over:
            await workload.step(caller)
            if self.operations >= self.plan.operations and not self.wants_cancellations():
                await asyncio.sleep(_SLOW_SECONDS)

    def _chance(self, number: int) -> random.Random:
        return random.Random(self.seed * 1_000 + number)

    async def judge(self) -> Verdict:
        """The last read phase and all checks; the callers have ended."""
        verdict = Verdict()
        lasts: list[tuple[Story, LastReads]] = []
        async with self.scene.administrator() as administrator:
            await remove_poison(administrator)
        async with connect(self.scene.addresses[0], TOKEN) as client:
            await self._is_served(client)
            for _, story in self.stories:
                await self._replay_some(story)
                last = await read_all(client, story)
                verdict.add(await asyncio.to_thread(check, story, last))
                lasts.append((story, last))
            if self.plan.second_opinions:
                await self._ask_porcupine(client, lasts, verdict)
        if verdict.breaches[Breach.NEIGHBOUR]:
            verdict.explain(Breach.NEIGHBOUR, self.scene.faults_of_ours())
        report = await bootstrap.verify_database(self.scene.postgres.dsn)
        for found in report.breaks:
            verdict.note(Breach.VERIFY, str(found))
        return verdict

    async def _ask_porcupine(self, client: Client, lasts: Sequence[tuple[Story, LastReads]], verdict: Verdict) -> None:
        hot = [
            (story, last)
            for (workload, _), (story, last) in zip(self.stories, lasts, strict=True)
            if workload.has_floor
        ]
        try:
            verdict.add(await second_opinion(client, hot, self.plan.second_opinions, self._chance(0)))
        except NotPossibleError as error:
            self.not_run["porcupine"] = str(error)

    async def _is_served(self, client: Client) -> None:
        """Wait until the process has its connections to the database again."""
        async with asyncio.timeout(_RECOVERY_SECONDS):
            while True:
                try:
                    await sequence_of(client, self.stories[0][1].name)
                    return
                except Refused as refused:
                    if refused.code not in AMBIGUOUS:
                        raise
                    await asyncio.sleep(0.1)

    async def _replay_some(self, story: Story) -> None:
        """Send some of what was sent again, now that nothing is broken any more: each must be answered."""
        chance = self._chance(0)
        caller = self._caller(story, "late", chance)
        sent = [write for write in story.writes if not write.batch and not is_poison(write)]
        chosen = chance.sample(sent, min(len(sent), _REPLAYS))
        for start in range(0, len(chosen), _AT_ONCE):
            some = chosen[start : start + _AT_ONCE]
            writes = await asyncio.gather(*(caller.send(write.command) for write in some))
            story.late += len(writes)
            if not all(write.is_known for write in writes):
                return  # each of them costs a timeout, and one is enough


async def run_round(folder: Path, plan: Plan, run_seed: int, number: int, sabotage: str = "") -> Outcome:
    """Everything, on fresh data. `sabotage`: SQL that breaks it on purpose, see tests.chaos.mutants."""
    began = time.monotonic()
    outcome = Outcome(number)
    seed = run_seed * 1_000 + number
    async with staged(folder, sabotage) as scene:
        this = Round(scene, plan, seed)
        await this.prepare()
        faults = Faults(scene, plan, random.Random(seed), this.stories[0][1].name)
        try:
            await this.play(faults)
        except Exception:  # noqa: BLE001  # judged all the same: what was told until then must be true
            outcome.failure = traceback.format_exc()
        outcome.happened = faults.happened + this.counts
        try:
            if outcome.failure:
                await scene.mend()
            outcome.verdict = await this.judge()
            await scene.stop()
        except Exception:  # noqa: BLE001  # and what broke it off before is told as well
            outcome.failure += traceback.format_exc()
        outcome.not_run = faults.not_run | this.not_run
    outcome.seconds = time.monotonic() - began
    return outcome
