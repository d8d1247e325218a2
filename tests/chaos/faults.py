"""The faults of a round, in an order that the seed decides; each is proved to have happened."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.clock import STEPS
from tests.chaos.disk import NotPossibleError
from tests.chaos.hostile import ATTACKS
from tests.helpers.cutting_proxy import Place, Refusal

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable
    from datetime import timedelta

    from tests.chaos.hostile import Attack
    from tests.chaos.plan import Plan
    from tests.chaos.scene import Scene

_HAPPENS_SECONDS = 60.0
"""A fault that has not happened within this never will: the run fails."""
_REST_SECONDS = (0.05, 0.6)


class Faults:
    """Everything that goes wrong in a round, and how often it has."""

    def __init__(self, scene: Scene, plan: Plan, chance: random.Random, victim: str) -> None:
        self.scene = scene
        self.not_run: dict[str, str] = {}
        """What this machine does not allow, and why."""
        self._paused: int | None = None
        self._struck: int | None = None
        self._victim = victim
        """An entity that hostile clients name."""
        self.chance = chance
        self.happened: Counter[str] = Counter()
        self._plan = plan

    async def run(self) -> None:
        """All of them; blows and cuts go side by side."""
        plan, scene = self._plan, self.scene
        # One that fails ends the others: nothing may break any more while the round is judged.
        async with asyncio.TaskGroup() as group:
            for each in (self._strike, self._cut, self._refuse, self._attack, self._pause):
                group.create_task(each())
            group.create_task(self._step("clock stepped", scene.step_clock, plan.clock_steps))
            group.create_task(self._step("server clock stepped", scene.step_server_clock, plan.server_clock_steps))

    async def _strike(self) -> None:
        plan, scene = self._plan, self.scene
        blows: list[tuple[str, Callable[[], Awaitable[str | None]]]] = [
            ("service killed", partial(self._with_a_service, scene.kill_service))
        ] * plan.service_kills
        blows += [("backend killed", scene.kill_backend)] * plan.backend_kills
        blows += [("postmaster killed", scene.kill_postmaster)] * plan.postmaster_kills
        blows += [("server stopped at once", scene.stop_immediately)] * plan.immediate_stops
        blows += [("backend ended", scene.end_backend)] * plan.ended_backends
        blows += [("service drained", partial(self._with_a_service, scene.drain_service))] * plan.drains
        blows += [("disk full", scene.fill_disk)] * plan.full_disks
        blows += [("files run out", partial(self._with_a_service, scene.few_files))] * plan.full_disks
        blows += [("memory runs out", partial(self._with_a_service, scene.little_memory))] * plan.short_memories
        blows += [("packages upgraded", scene.upgrade_packages)] * plan.upgrades
        self.chance.shuffle(blows)
        for name, blow in blows:
            try:
                became = await blow()
            except NotPossibleError as error:
                self.not_run[name] = str(error)
                continue
            self.happened[name] += 1
            if became:
                self.happened[f"{name}: {became}"] += 1
            await asyncio.sleep(self.chance.uniform(*_REST_SECONDS))

    async def _cut(self) -> None:
        places = list(Place) * self._plan.cuts_each
        self.chance.shuffle(places)
        for place in places:
            plan = self.scene.proxy.arm(place, skip=self.chance.randrange(4))
            async with asyncio.timeout(_HAPPENS_SECONDS):
                await plan.happened.wait()
            self.happened[f"cut: {place.value}"] += 1
            await asyncio.sleep(self.chance.uniform(0, 0.05))

    async def _refuse(self) -> None:
        refusals = list(Refusal) * self._plan.refusals_each
        self.chance.shuffle(refusals)
        for refusal in refusals:
            plan = self.scene.proxy.refuse(refusal)
            async with asyncio.timeout(_HAPPENS_SECONDS):
                await plan.happened.wait()
            self.happened[f"refused: {refusal.value[0]} at {refusal.step}"] += 1
            await asyncio.sleep(self.chance.uniform(*_REST_SECONDS))

    async def _attack(self) -> None:
        """Hostile clients, against whichever process is up."""
        attacks = list(ATTACKS.items()) * self._plan.attacks_each
        self.chance.shuffle(attacks)
        for name, attack in attacks:
            async with asyncio.timeout(_HAPPENS_SECONDS):
                while not await self._attacked(attack):
                    await asyncio.sleep(0.5)
            self.happened[f"attack: {name}"] += 1

    async def _attacked(self, attack: Attack) -> bool:
        """Whether it was carried through: the process may be killed meanwhile, which proves nothing."""
        service = self.chance.choice([each for n, each in enumerate(self.scene.services) if n != self._paused])
        try:
            await attack(service.address, service.rest, self._victim, self.chance)
        except OSError:
            return False
        return service.process.returncode is None and service in self.scene.services

    async def _step(self, name: str, step: Callable[[timedelta], Awaitable[None]], times: int) -> None:
        """The clock of one process goes wrong, far ahead and far back, and comes right again."""
        for _ in range(times):
            for offset in STEPS:
                try:
                    async with asyncio.timeout(_HAPPENS_SECONDS):
                        await step(offset)
                except NotPossibleError as error:
                    self.not_run[name] = str(error)
                    return
                self.happened[name] += 1

    async def _with_a_service(self, blow: Callable[[int], Awaitable[str | None]]) -> str | None:
        """Strike one of the processes, not the one that is paused; what became of it, where that may be either."""
        index = self.chance.choice([each for each in range(len(self.scene.services)) if each != self._paused])
        self._struck = index
        try:
            return await blow(index)
        finally:
            self._struck = None

    async def _pause(self) -> None:
        """SIGSTOP of a process, whatever it is doing; the other one goes on, and takes over what it has locked."""
        for _ in range(self._plan.pauses):
            await asyncio.sleep(self.chance.uniform(*_REST_SECONDS))
            self._paused = self.chance.choice(
                [each for each in range(len(self.scene.services)) if each != self._struck]
            )
            pid = self.scene.services[self._paused].process.pid
            os.kill(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(self._plan.pause_seconds)
                status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
                state = status.rpartition(")")[2].split()[0]
                assert state == "T", f"it is not stopped, but {state}"
            finally:
                os.kill(pid, signal.SIGCONT)
                self._paused = None
            self.happened["writer paused"] += 1
