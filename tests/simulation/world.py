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
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from ledger_service.application.admission import Admission, AdmissionLimits
from ledger_service.application.authentication import Authenticator
from ledger_service.application.committer import Committer, CommitterLimits
from ledger_service.application.ports import CommitUnknown, Conflict, DatabaseClock, Rejected, Unavailable
from ledger_service.domain.account import AccountType, Limit
from ledger_service.domain.commands import CreateTransaction, NewPosting, Unit
from ledger_service.domain.decide import Applied, Recorded, Refused
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.domain.transaction import Status
from tests.helpers.fake_store import FakeSession, FakeStore, account

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ledger_service.application.ports import Clock, DirectoryStore, Loaded
    from ledger_service.domain.decide import Outcome
    from ledger_service.domain.decide.book import Book
    from tests.helpers.fake_store import FakeRows
    from tests.simulation.tally import Tally
    from tests.simulation.virtual_loop import VirtualLoop

LOCK_TIMEOUT = 5.0
TOKEN = "the-only-one"
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

    store: SimStore

    def __init__(self, store: SimStore) -> None:
        super().__init__(store)
        self.ended = False
        self._patience_ends = 0.0

    def end(self) -> None:
        """The server ends the session: its locks are free, what it had not committed is gone."""
        self.ended = True
        self.in_transaction = False
        self.written = None
        self._release()

    async def lock(self, entity_nos: Sequence[int]) -> list[int]:
        is_kept = self.locks >= set(entity_nos)
        got = await super().lock(entity_nos)
        if is_kept:
            self.store.tally.count("committer", "lock kept for the next batch")
        if len(got) < len(entity_nos):
            self.store.tally.count("committer", "entity put back")
        return got

    async def load(self, units: Mapping[int, Sequence[Unit]], clock: Clock, due_limit: int) -> Loaded:
        if len(units) > 1:
            self.store.tally.count("committer", "several entities in a batch")
        if any(len(several) > 1 for several in units.values()):
            self.store.tally.count("committer", "several calls in a batch")
        return await super().load(units, clock, due_limit)

    def follow(self, loaded: Loaded, units: Mapping[int, Sequence[Unit]]) -> Loaded | None:
        self.store.tally.count("committer", "decided ahead")
        return super().follow(loaded, units)

    async def still_follows(self, following: Loaded, clock: Clock) -> bool:
        is_so = await super().still_follows(following, clock)
        self.store.tally.count("committer", "written as decided ahead" if is_so else "decided ahead in vain")
        return is_so

    async def write(self, rows: FakeRows, made: Callable[[], None]) -> bool:
        is_written = await super().write(rows, made)
        if not is_written:
            self.store.tally.count("committer", "nothing to write")
        return is_written

    async def was_committed(self, loaded: Loaded) -> bool:
        found = await super().was_committed(loaded)
        self.store.tally.count("resolver", "found carried out" if found else "found not carried out")
        return found

    def server_ends(self) -> None:
        self.store.tally.count("resolver", "came before a late COMMIT")
        super().server_ends()

    async def _step(self, name: str) -> None:
        await super()._step(name)
        if self.ended:
            # Before COMMIT is carried out: the server had thrown everything away.
            self.store.break_off(name, "session ended")
        self.store.note(self, name)

    async def _lock(self, wanted: list[int]) -> list[int]:
        self._patience_ends = self.store.loop.time() + LOCK_TIMEOUT
        return await super()._lock(wanted)

    async def _wait_for_locks(self) -> None:
        try:
            async with asyncio.timeout_at(self._patience_ends):
                await super()._wait_for_locks()
        except TimeoutError:
            self.store.tally.count("conflict in", "waiting for the lock")
            raise Conflict("55P03: lock timeout") from None

    def _apply(self, books: Sequence[Book], mark: int) -> None:
        super()._apply(books, mark)
        now = self.store.loop.time()
        for book in books:
            self.store.made[book.entity.entity_no].update((event.sequence, now) for event in book.events)

    def _refuse_poison(self, step: str, books: Sequence[Book]) -> None:
        try:
            super()._refuse_poison(step, books)
        except Rejected:
            self.store.tally.count("around it", "item refused")
            raise


class SimStore(FakeStore):
    """A database whose steps take time and fail, as the seed has it."""

    def __init__(self, chance: random.Random, entity_nos: list[int], loop: VirtualLoop, tally: Tally) -> None:
        super().__init__(entity_nos)
        self.chance = chance
        self.loop = loop
        self.tally = tally
        self.trouble = 0.0
        """How likely a step is to fail."""
        self.speed = chance.choice([200.0, 200.0, 20.0])
        """Steps that it makes in a second."""
        self.made: dict[int, dict[int, float]] = {entity_no: {} for entity_no in entity_nos}
        """When each event was committed: for each entity, by its sequence."""
        self.is_away = False
        self._last: tuple[object, str] = (self, "")
        for ledger in self.ledgers.values():
            wallet = account(2, "wallet", AccountType.LIABILITY, limits=(Limit("USD", 0, None),))
            ledger.accounts["wallet"] = wallet

    async def open_session(self) -> SimSession:
        await self.step("open")
        session = SimSession(self)
        self.sessions.append(session)
        self.note(session, "open")
        return session

    async def step(self, name: str) -> None:
        chance = self.chance
        await self.loop.sleep(chance.expovariate(self.speed) if chance.random() < 0.98 else chance.uniform(0, 2.0))
        if self.is_away:
            self.break_off(name, "database away")
        if chance.random() >= self.trouble * _LIKELY.get(name, 1.0):
            return
        if name in {"begin", "load", "write", "commit"} and chance.random() < 0.5:
            self.tally.count("conflict in", name)
            raise Conflict("40001: by order")
        if name == "commit":
            fate = chance.choice(["done", "dropped", "late"])
            self.lost_commits[:] = [fate]
            self.tally.count("COMMIT without an answer", _FATES[fate])
        else:
            self.tally.count("the connection breaks in", name)
            raise Unavailable(f"{name}: connection lost by order")

    def break_off(self, name: str, why: str) -> None:
        """A step that nobody answers any more; before COMMIT it is clear that nothing was committed."""
        if name == "commit":
            self.tally.count("COMMIT without an answer", why)
            raise CommitUnknown(f"commit: {why}")
        self.tally.count("around it", why)
        raise Unavailable(f"{name}: {why}")

    def forget(self) -> None:
        """Let go of the sessions, which know the store."""
        self.sessions.clear()
        self.owners.clear()
        self._last = None, ""

    def note(self, session: object, name: str) -> None:
        """A step has come through."""
        before, step = self._last
        if before is not session and step:
            self.tally.neighbours[step, name] += 1
        self._last = session, name


_LIKELY = {"open": 0.3, "lock": 0.3, "unlock": 0.5, "commit": 2.0, "was_committed": 2.0, "ping": 3.0}
"""Where a fault leads to much more than another try, it comes more often."""
_FATES = {"done": "carried out", "dropped": "not carried out", "late": "carried out later"}


class CountingObserver:
    """See ports.Observer. What it finds wrong is a complaint: the real one never fails the committer either."""

    def __init__(self, loop: VirtualLoop, tally: Tally) -> None:
        self._loop = loop
        self._tally = tally

    def committed(self, events: int, seconds: float) -> None:
        if events <= 0 or seconds < 0:
            self._loop.complaints.append(f"committed {events} events in {seconds} s")
        self._tally.count("committer", "committed")

    def aborted(self) -> None:
        self._tally.count("committer", "batch aborted")

    def resolved(self) -> None:
        self._tally.count("committer", "outcome resolved")

    def failed(self) -> None: ...

    def queued(self, commands: int) -> None:
        if commands < 0:
            self._loop.complaints.append(f"{commands} commands are in the queue")

    def refused(self, reason: str) -> None: ...

    def advanced(self, entity_no: int, sequence: int) -> None: ...


class Process:
    """A serving process: its door and its committer, until it is killed."""

    def __init__(self, store: SimStore, authenticator: Authenticator, chance: random.Random) -> None:
        limits = CommitterLimits(
            max_queued_commands=chance.choice([10, 60, 60]),
            max_commit_commands=chance.choice([3, 10, 100]),
            max_commit_postings=1000,
            lanes=chance.choice([1, 1, 2, 3]),
            write_timeout_seconds=chance.choice([0.05, 0.5, WRITE_TIMEOUT]),
            stint_seconds=chance.choice([0.05, 1.0]),
            least_ahead=chance.choice([1, 1, 3, 100]),
            company=chance.choice([2, 2, 16]),
            enough=chance.choice([3, 10, 128]),
            gathering_seconds=chance.choice([0.0, 0.02, 0.2]),
        )
        self.committer = Committer(store, limits, CountingObserver(store.loop, store.tally), DatabaseClock(), chance)
        self.committer.start()
        self.admission = Admission(
            authenticator,
            AdmissionLimits(3.0 if chance.random() < 0.1 else 0.0, 4, 2 if chance.random() < 0.1 else 100),
            store.loop.time,
            sleep=store.loop.sleep,
        )
        # A dictionary for its order: that of a set of tasks depends on where they lie in memory.
        self.callers: dict[asyncio.Task[Any], None] = {}

    async def call(self, unit: Unit) -> list[Outcome]:
        """What an adapter does."""
        principal = await self.admission.enter(f"Bearer {TOKEN}")
        try:
            self.admission.charge(principal, len(unit.commands))
            return await self.committer.submit(unit)
        finally:
            self.admission.leave(principal)

    async def kill(self) -> None:
        """kill -9: nothing of it runs any more, and the server notices its connections."""
        # Callers first: nobody hears what a dying process would still have to say.
        for task in self.callers:
            task.cancel()
        await self.committer.stop()
        for task in self.callers:
            task.cancel()

    def assert_idle(self) -> None:
        """Nothing is counted that is not there."""
        assert self.committer.queue.commands == 0, "the queue counts what is not there"
        callers = self.admission._callers.values()
        assert all(one.in_flight == 0 for one in callers), "a call that has ended still counts"


class World:
    """One schedule."""

    def __init__(self, seed: int, loop: VirtualLoop, tally: Tally) -> None:
        self.loop = loop
        self.tally = tally
        # One source for all: what happens first draws first, the same way every time.
        self.chance = random.Random(seed)
        self.entity_nos = list(range(1, self.chance.choice([1, 1, 2, 4]) + 1))
        self.store = SimStore(self.chance, self.entity_nos, loop, tally)
        # The one token there is needs no look into the directory.
        self.authenticator = Authenticator(cast("DirectoryStore", self.store), "pepper", TOKEN, loop.time)
        self.processes: list[Process] = []
        self.requests: list[Request] = []
        self.poisoned: set[str] = set()
        """Keys that the database refused at first."""
        self._pace = self.chance.choice([0.0, 0.0, 0.05, 2.0])
        """The longest that callers wait between requests, mostly."""
        self._calling = 0
        """Callers that have not ended."""
        self._is_over = False

    async def run(self) -> None:
        """Everything that happens; at the end the database is well and all is answered."""
        self.processes = [self._new_process() for _ in range(self.chance.choice([1, 2]))]
        self.store.trouble = self.chance.choice([0.0, 0.02, 0.1, 0.3])
        self._calling = self.chance.randint(1, 5)
        callers = [asyncio.create_task(self._caller(number)) for number in range(self._calling)]
        trouble = asyncio.create_task(self._troubles(self.loop.time() + _FAULTS))
        async with asyncio.timeout(_FAULTS + PATIENCE):
            await trouble
            self._heal()
            await asyncio.gather(*callers)
            for process in self.processes:
                assert await process.committer.drain(PATIENCE), "what was accepted is not carried through"
                process.assert_idle()
                await process.committer.stop()

    def _new_process(self) -> Process:
        return Process(self.store, self.authenticator, self.chance)

    def _heal(self) -> None:
        self._is_over = True
        self.store.trouble = 0.0
        self.store.is_away = False
        self.store.poison.clear()

    async def _troubles(self, until: float) -> None:
        chance = self.chance
        kinds = [self._end_session, self._go_away, self._hold_elsewhere, self._kill, self._replace]
        wanted = chance.sample(kinds, chance.randint(0, len(kinds)))
        while self.loop.time() < until and wanted and self._calling:
            await self.loop.sleep(chance.uniform(0.0, chance.choice([0.05, 0.5, 2.0])))
            await chance.choice(wanted)()

    async def _end_session(self) -> None:
        living = [one for one in self.store.sessions if not one.is_closed and not one.ended]  # type: ignore[attr-defined]
        if living:
            self.chance.choice(living).end()  # type: ignore[attr-defined]

    async def _go_away(self) -> None:
        self.store.is_away = True
        await self.loop.sleep(self.chance.uniform(0.0, self.chance.choice([0.2, 2.0])))
        self.store.is_away = False

    async def _hold_elsewhere(self) -> None:
        entity_no = self.chance.choice(self.entity_nos)
        if entity_no not in self.store.owners:
            self.tally.count("around it", "lock held elsewhere")
            self.store.hold_elsewhere(entity_no)
            await self.loop.sleep(self.chance.uniform(0.0, 7.0))
            self.store.free_elsewhere(entity_no)

    async def _kill(self) -> None:
        place = self.chance.randrange(len(self.processes))
        self.tally.count("around it", "process killed")
        old, self.processes[place] = self.processes[place], self._new_process()
        await old.kill()

    async def _replace(self) -> None:
        place = self.chance.randrange(len(self.processes))
        self.tally.count("around it", "process drained")
        old = self.processes[place]
        draining = asyncio.ensure_future(old.committer.drain(self.chance.choice([0.1, 5.0])))
        # Callers notice late that it takes nothing any more.
        await self.loop.sleep(self.chance.choice([0.0, self.chance.uniform(0.0, 1.0)]))
        self.processes[place] = self._new_process()
        if await draining:
            assert old.committer.queue.commands == 0, "drained, and something still waits"
        else:
            self.tally.count("around it", "drain out of time")
        await old.kill()

    async def _caller(self, caller: int) -> None:
        """Several requests, one after the other or, as often, all at once: they queue up and are written together."""
        names = [f"{caller}-{number}" for number in range(self.chance.randint(1, 3))]
        if self.chance.random() < 0.5:
            await asyncio.gather(*map(self._carry_through, names))
        else:
            for name in names:
                await self._carry_through(name)
        self._calling -= 1

    async def _carry_through(self, name: str) -> None:
        chance = self.chance
        await self.loop.sleep(chance.uniform(0.0, chance.choice([self._pace, self._pace, self._pace, 7.0])))
        request = self._new_request(chance, name)
        self.requests.append(request)
        tries = chance.choice([1, 2, 5])
        while not await self._send_some(request) and tries:
            # Who does not know sends again: some for ever, some until they have lost interest.
            tries -= 1 if self._is_over or chance.random() < 0.5 else 0
            await self.loop.sleep(chance.expovariate(1.0))

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

    async def _send_some(self, request: Request) -> bool:
        """Send it once, or twice at the same moment; True: every command's outcome is known for good."""
        if self.chance.random() < 0.85:
            return await self._send(request)
        self.tally.count("around it", "sent twice at once")
        return any(await asyncio.gather(self._send(request), self._send(request)))

    async def _send(self, request: Request) -> bool:
        """Send it once, to any process; True: every command's outcome is known for good."""
        process = self.chance.choice(self.processes)
        unit = Unit(request.entity_no, list(request.commands), atomic=request.atomic, postings=2)
        invoked = self.loop.time()
        sending = self.loop.create_task(process.call(unit))
        process.callers[sending] = None
        over = self.loop.create_future()
        sending.add_done_callback(lambda _: over.done() or over.set_result(None))
        wait = self.chance.choice([None, None, None, None, 0.0, 0.01, 0.2])
        timer = None if wait is None else self.loop.call_later(wait, self._cancel, sending)
        await over
        if timer is not None:
            timer.cancel()
        process.callers.pop(sending, None)
        found = self._told(request, sending, invoked, self.loop.time())
        request.told.append(found)
        return all(one.kind in {"applied", "refused"} for one in found)

    def _cancel(self, sending: asyncio.Task[list[Outcome]]) -> None:
        self.tally.count("around it", "caller cancelled")
        sending.cancel()

    def _told(
        self, request: Request, sending: asyncio.Future[list[Outcome]], invoked: float, answered: float
    ) -> list[Told]:
        if sending.cancelled():
            self.tally.count("callers were told", "nothing: cancelled")
            return [Told(invoked, answered, "unknown") for _ in request.commands]
        error = sending.exception()
        if error is None:
            return [self._outcome(request, one, invoked, answered) for one in sending.result()]
        assert isinstance(error, LedgerError), error
        assert error.reason in {*_NOTHING, Reason.OUTCOME_UNKNOWN, Reason.INTERNAL}, error
        if error.reason is Reason.INTERNAL:
            assert any(one.key in self.poisoned for one in request.commands), "harmed by a neighbour"
        self.tally.count("callers were told", error.reason.value)
        kind = "nothing" if error.reason in _NOTHING else "unknown"
        return [Told(invoked, answered, kind) for _ in request.commands]

    def _outcome(self, request: Request, one: Outcome, invoked: float, answered: float) -> Told:
        if isinstance(one, Recorded):
            event = self.store.ledgers[request.entity_no].events[one.sequence - FIRST]
            kind, how = "applied" if event.kind == 1 else "refused", "from the record"
        elif isinstance(one, Applied):
            kind, how = "applied", "a replay" if one.replayed else ""
        else:
            assert isinstance(one, Refused)
            kind, how = "refused", "a replay" if one.replayed else "recorded" if one.sequence else "not recorded"
        self.tally.count("callers were told", f"{kind}, {how}" if how else kind)
        return Told(invoked, answered, kind, one.sequence)


_NOTHING = {Reason.DATABASE_UNAVAILABLE, Reason.QUEUE_FULL, Reason.DRAINING, Reason.RATE_LIMITED}
"""Definite: what was sent has taken no effect."""
FIRST = 3
"""The first sequence that a schedule writes: two accounts were there before."""
