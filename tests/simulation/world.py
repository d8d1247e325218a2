"""One schedule: processes, callers and a database, and what goes wrong between them, all drawn from one seed.

Each step of a session (open, lock, load, begin, write, commit, rollback, unlock, was_committed, ping) is a fault
point: it takes a time of its own, and may fail as the real one can. The names are those of ports.WriteSession, which is
the only way from the committer to the database: the real code needs no switch to be broken.

What may go wrong: any step loses its connection; load, begin, write and commit meet a conflict; a COMMIT is carried
out before its answer is lost, or not at all, or only later, when somebody else comes for the lock; the server ends a
session that holds locks; the database is away for a time; another process holds a lock for a time; the database
refuses a poisoned item; a process is killed between any two steps and another one takes its place; a process drains;
callers are cancelled, and send the same keys again to any process.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ledger_service.application.committer import Committer, CommitterLimits
from ledger_service.application.ports import CommitUnknown, Conflict, DatabaseClock, Unavailable
from ledger_service.domain.account import AccountType, Limit
from ledger_service.domain.commands import CreateTransaction, NewPosting, Unit
from ledger_service.domain.decide import Applied, Recorded, Refused
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.domain.transaction import Status
from tests.helpers.fake_store import FakeObserver, FakeSession, FakeStore, account

if TYPE_CHECKING:
    from ledger_service.domain.decide import Outcome

LOCK_TIMEOUT = 5.0
WRITE_TIMEOUT = 8.0
"""The longest that a process waits for the database."""
PATIENCE = 300.0
"""Virtual seconds after the last fault by which everything must be answered."""
_FAULTS = 6.0
"""Virtual seconds during which things go wrong."""


@dataclass(slots=True)
class Told:
    """What a caller was told of one sending of a key."""

    invoked: float
    answered: float
    kind: str
    """applied, refused, nothing (a definite failure: no effect), unknown"""
    sequence: int = 0


@dataclass(slots=True)
class Request:
    """One unit, sent until the caller knows, or has lost interest."""

    entity_no: int
    commands: list[CreateTransaction]
    atomic: bool
    told: list[list[Told]] = field(default_factory=list)
    """For each sending, one for each command."""


class SimSession(FakeSession):
    """A session whose server may have ended it without a word."""

    ended = False

    def end(self) -> None:
        """The server ends the session: its locks are free, what it had not committed is gone."""
        self.ended = True
        self.in_transaction = False
        self.written = None
        self._release()

    async def _step(self, name: str) -> None:
        await super()._step(name)
        if self.ended:
            self.store.seen["session ended"] += 1  # type: ignore[attr-defined]
            # Before COMMIT is carried out: the server had thrown everything away.
            raise (CommitUnknown if name == "commit" else Unavailable)("the server has ended the session")

    async def _lock(self, wanted: list[int]) -> list[int]:
        try:
            async with asyncio.timeout(LOCK_TIMEOUT):
                return await super()._lock(wanted)
        except TimeoutError:
            raise Conflict("55P03: lock timeout") from None


class SimStore(FakeStore):
    """A database whose steps take time and fail, as the seed has it."""

    def __init__(self, chance: random.Random, entity_nos: list[int], seen: Counter[str]) -> None:
        super().__init__(entity_nos)
        self.chance = chance
        self.seen = seen
        """What went wrong, how often."""
        self.trouble = 0.0
        """How likely a step is to fail."""
        self.is_away = False
        for ledger in self.ledgers.values():
            wallet = account(2, "wallet", AccountType.LIABILITY, limits=(Limit("USD", 0, None),))
            ledger.accounts["wallet"] = wallet

    async def open_session(self) -> SimSession:
        await self.step("open")
        session = SimSession(self)
        self.sessions.append(session)
        return session

    async def step(self, name: str) -> None:
        chance = self.chance
        await asyncio.sleep(chance.expovariate(200.0) if chance.random() < 0.98 else chance.uniform(0, 2.0))
        if self.is_away:
            self.seen["database away"] += 1
            raise (CommitUnknown if name == "commit" else Unavailable)(f"{name}: the database is away")
        if chance.random() >= self.trouble:
            return
        if name == "commit":
            self.lost_commits[:] = [chance.choice(["done", "dropped", "late"])]
            self.seen[f"commit {self.lost_commits[0]}"] += 1
            if chance.random() < 0.5:
                self.lost_commits.clear()
                self.seen["commit conflict"] += 1
                raise Conflict("40001: by order")
        elif name in {"begin", "load", "write"} and chance.random() < 0.5:
            self.seen[f"{name} conflict"] += 1
            raise Conflict("40001: by order")
        else:
            self.seen[f"{name} unavailable"] += 1
            raise Unavailable(f"{name}: connection lost by order")


class Process:
    """A serving process: its committer, until it is killed."""

    def __init__(self, store: SimStore, seed: int) -> None:
        chance = random.Random(seed)
        limits = CommitterLimits(
            max_queued_commands=60,
            max_commit_commands=chance.choice([3, 10, 100]),
            max_commit_postings=1000,
            lanes=chance.choice([1, 2, 3]),
            write_timeout_seconds=chance.choice([0.5, 2.0, WRITE_TIMEOUT]),
            stint_seconds=chance.choice([0.05, 1.0]),
            least_ahead=chance.choice([1, 1, 3, 100]),
        )
        self.committer = Committer(store, limits, FakeObserver(), DatabaseClock(), chance)
        self.committer.start()
        self.callers: set[asyncio.Task[Any]] = set()

    async def kill(self) -> None:
        """kill -9: nothing of it runs any more, and the server notices its connections."""
        # Callers first: nobody hears what a dying process would still have to say.
        for task in self.callers:
            task.cancel()
        await self.committer.stop()
        for task in self.callers:
            task.cancel()


class World:
    """One schedule."""

    def __init__(self, seed: int, seen: Counter[str]) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.seen = seen
        self.entity_nos = list(range(1, self.chance.choice([1, 1, 2, 4]) + 1))
        self.store = SimStore(random.Random(seed + 1), self.entity_nos, seen)
        self.processes: list[Process] = []
        self.requests: list[Request] = []
        self.poisoned: set[str] = set()
        """Keys that the database refused at first."""
        self._is_over = False

    async def run(self) -> None:
        """Everything that happens; at the end the database is well and all is answered."""
        loop = asyncio.get_running_loop()
        self.processes = [Process(self.store, self.seed + 2 + number) for number in range(self.chance.choice([1, 2]))]
        self.store.trouble = self.chance.choice([0.0, 0.02, 0.1, 0.3])
        callers = [asyncio.create_task(self._caller(number)) for number in range(self.chance.randint(1, 5))]
        trouble = asyncio.create_task(self._troubles(loop.time() + _FAULTS))
        async with asyncio.timeout(_FAULTS + PATIENCE):
            await trouble
            self._heal()
            await asyncio.gather(*callers)
            for process in self.processes:
                assert await process.committer.drain(PATIENCE), "what was accepted is not carried through"
                assert process.committer.queue.commands == 0, "the queue counts what is not there"
                await process.committer.stop()
        self.seen["decided ahead"] += self.store.followed
        self.seen["written as decided ahead"] += self.store.confirmed

    def _heal(self) -> None:
        self._is_over = True
        self.store.trouble = 0.0
        self.store.is_away = False
        self.store.poison.clear()

    async def _troubles(self, until: float) -> None:
        loop, chance = asyncio.get_running_loop(), self.chance
        kinds = [self._end_session, self._go_away, self._hold_elsewhere, self._kill, self._replace]
        wanted = chance.sample(kinds, chance.randint(0, len(kinds)))
        while loop.time() < until and wanted:
            await asyncio.sleep(chance.uniform(0.0, 2.0))
            await chance.choice(wanted)()

    async def _end_session(self) -> None:
        living = [one for one in self.store.sessions if not one.is_closed and not one.ended]  # type: ignore[attr-defined]
        if living:
            self.chance.choice(living).end()  # type: ignore[attr-defined]

    async def _go_away(self) -> None:
        self.store.is_away = True
        await asyncio.sleep(self.chance.uniform(0.0, 3.0))
        self.store.is_away = False

    async def _hold_elsewhere(self) -> None:
        entity_no = self.chance.choice(self.entity_nos)
        if entity_no not in self.store.owners:
            self.seen["lock held elsewhere"] += 1
            self.store.hold_elsewhere(entity_no)
            await asyncio.sleep(self.chance.uniform(0.0, 7.0))
            self.store.free_elsewhere(entity_no)

    async def _kill(self) -> None:
        place = self.chance.randrange(len(self.processes))
        self.seen["process killed"] += 1
        old, self.processes[place] = self.processes[place], Process(self.store, self.chance.randrange(2**32))
        await old.kill()

    async def _replace(self) -> None:
        place = self.chance.randrange(len(self.processes))
        self.seen["process drained"] += 1
        old, self.processes[place] = self.processes[place], Process(self.store, self.chance.randrange(2**32))
        await old.committer.drain(5.0)
        await old.kill()

    async def _caller(self, caller: int) -> None:
        chance = random.Random(self.chance.randrange(2**32))
        for number in range(chance.randint(1, 3)):
            await asyncio.sleep(chance.uniform(0.0, 2.0))
            request = self._new_request(chance, f"{caller}-{number}")
            self.requests.append(request)
            tries = chance.choice([1, 2, 5])
            while not await self._send(chance, request) and tries:
                # Who does not know sends again: some for ever, some until they have lost interest.
                tries -= 1 if self._is_over or chance.random() < 0.5 else 0
                await asyncio.sleep(chance.expovariate(1.0))

    def _new_request(self, chance: random.Random, name: str) -> Request:
        commands = []
        for place in range(chance.choice([1, 1, 2, 5])):
            key = f"{name}-{place}"
            legs = [("cash", 1), ("wallet", 2)] if chance.random() < 0.6 else [("wallet", 1), ("cash", 2)]
            amount = chance.randint(1, 9)
            if chance.random() < 0.03:
                self.store.poison.add(key)
                self.poisoned.add(key)
            commands.append(
                CreateTransaction(
                    key=key,
                    fingerprint=key.encode(),
                    actor="caller",
                    postings=tuple(NewPosting(name_, side, "USD", amount) for name_, side in legs),
                    status=Status.POSTED,
                )
            )
        return Request(chance.choice(self.entity_nos), commands, chance.random() < 0.3)

    async def _send(self, chance: random.Random, request: Request) -> bool:
        """Send it once, to any process; True: every command's outcome is known for good."""
        loop = asyncio.get_running_loop()
        process = chance.choice(self.processes)
        unit = Unit(request.entity_no, list(request.commands), atomic=request.atomic, postings=2)
        invoked = loop.time()
        sending = asyncio.ensure_future(process.committer.submit(unit))
        process.callers.add(sending)
        sending.add_done_callback(process.callers.discard)
        wait = chance.choice([None, None, None, 0.0, 0.01, 0.2])
        done, _ = await asyncio.wait([sending], timeout=wait)
        if not done:
            self.seen["caller cancelled"] += 1
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, LedgerError):
                await sending
        found = self._told(request, sending, invoked, loop.time())
        request.told.append(found)
        return all(one.kind in {"applied", "refused"} for one in found)

    def _told(
        self, request: Request, sending: asyncio.Future[list[Outcome]], invoked: float, answered: float
    ) -> list[Told]:
        if sending.cancelled():
            return [Told(invoked, answered, "unknown") for _ in request.commands]
        error = sending.exception()
        if error is not None:
            assert isinstance(error, LedgerError), error
            nothing = {Reason.DATABASE_UNAVAILABLE, Reason.QUEUE_FULL, Reason.DRAINING}
            assert error.reason in {*nothing, Reason.OUTCOME_UNKNOWN, Reason.INTERNAL}, error
            if error.reason is Reason.INTERNAL:
                assert any(one.key in self.poisoned for one in request.commands), "harmed by a neighbour"
            kind = "nothing" if error.reason in nothing else "unknown"
            self.seen[f"told {error.reason.value}"] += 1
            return [Told(invoked, answered, kind) for _ in request.commands]
        return [self._outcome(request, one, invoked, answered) for one in sending.result()]

    def _outcome(self, request: Request, one: Outcome, invoked: float, answered: float) -> Told:
        if isinstance(one, Applied):
            return Told(invoked, answered, "applied", one.sequence)
        if isinstance(one, Recorded):
            self.seen["answered from the record"] += 1
            event = self.store.ledgers[request.entity_no].events[one.sequence - FIRST]
            return Told(invoked, answered, "applied" if event.kind == 1 else "refused", one.sequence)
        assert isinstance(one, Refused)
        return Told(invoked, answered, "refused", one.sequence)


FIRST = 3
"""The first sequence that a schedule writes: two accounts were there before."""
