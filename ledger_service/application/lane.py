"""One lane of the committer: a connection, and the steps of one batch with everything that can go wrong in them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from ledger_service.application.gathering import gather, gathers
from ledger_service.application.plan import Plan, plan_for, units_of
from ledger_service.application.ports import (
    Conflict,
    Loaded,
    Rejected,
    StorageError,
    Unavailable,
    WriteSession,
)
from ledger_service.application.queue import Batch
from ledger_service.domain.decide import Outcome, Refused
from ledger_service.domain.errors import LedgerError, Reason, internal

if TYPE_CHECKING:
    from ledger_service.application.committer import Committer

_log = structlog.get_logger()


class Lane:
    """One connection and the batches that go through it, one after the other."""

    def __init__(self, committer: Committer, number: int) -> None:
        self._committer = committer
        self._number = number
        self._session: WriteSession | None = None
        self._held: set[int] = set()
        self._turn_over = 0.0
        """When an entity has had its turn, if another one waits for a lane; in the loop's time."""
        self._following: Batch = {}
        """What is written next: taken from the queue while the batch before it is under way."""
        self._plan: Plan | None = None
        """What was decided on it already."""
        self._ended = 0
        """How many attempts there were: who would look ahead in one can tell that it is over."""
        self._is_split = False
        """A batch is being written part by part: what comes next is not the next batch."""
        self._pause = committer.limits.first_pause_seconds

    async def run(self) -> None:
        """Take batches for ever."""
        committer = self._committer
        while True:
            batch = committer.take()
            if not batch:
                if not await committer.wait_for_work(committer.limits.ping_seconds):
                    await self._ping()
                continue
            # No other lane takes of these entities until the whole batch, halved or not, is through: what comes
            # later in an entity is written later.
            self._held = set(batch)
            try:
                await self._serve(batch)
            except BaseException:
                if batch:
                    self._give_up(batch, self._internal("lane_failed"))
                # Nothing of it was begun.
                for entity_no, submissions in self._following.items():
                    committer.queue.put_back(entity_no, submissions)
                raise
            finally:
                # What waits for these entities is taken next, by this lane or the one in its place.
                for entity_no in self._held:
                    committer.queue.release(entity_no)

    async def _serve(self, batch: Batch) -> None:
        """Write a batch, and what has queued up for its entity meanwhile: a lock that is wanted again is kept.

        Not for longer than a stint: other processes that wait for the lock have their turn then, and other entities
        that no lane is free for.
        """
        committer = self._committer
        loop = asyncio.get_running_loop()
        over = self._turn_over = loop.time() + committer.limits.stint_seconds
        while True:
            only = next(iter(batch)) if len(batch) == 1 else None
            callers = sum(map(len, batch.values()))
            began = loop.time()
            await self._write(batch)
            ended = loop.time()
            if ended >= over or (not self._following and gathers(committer, callers)):
                # Other processes do not wait for callers of this one.
                await self._unlock()
                over = ended + committer.limits.stint_seconds
            if self._following:
                batch |= self._following
                self._following = {}
            else:
                await gather(committer, callers, ended - began)
                has_had_its_turn = loop.time() >= self._turn_over and committer.keeps_others_waiting()
                if only in self._held and not has_had_its_turn:
                    batch |= committer.take_more(only)
            if not batch:
                break
        # Answers first: unlocking is no part of anybody's latency.
        await self._unlock()

    async def close(self) -> None:
        """Drop the connection."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def _ping(self) -> None:
        if self._session is not None:
            try:
                await self._session.ping()
            except StorageError:
                await self.close()

    async def _write(self, batch: Batch) -> None:
        """Write a batch until it has its answers; entries of `batch` go as they are answered or put back."""
        limits = self._committer.limits
        self._pause = limits.first_pause_seconds
        while batch:
            try:
                await self._attempt(batch)
            except Conflict as error:
                self._committer.observer.aborted()
                _log.debug("batch_aborted", lane=self._number, cause=str(error))
                await self._end_attempt()
                self._drop_overdue(batch)
                await self._rest()
            except Unavailable as error:
                self._committer.observer.aborted()
                _log.warning("database_unavailable", lane=self._number, cause=str(error))
                await self.close()
                self._drop_overdue(batch)
                await self._rest()
            except Exception as error:  # noqa: BLE001  # Rejected, or a fault of ours in deciding: the same
                self._committer.observer.aborted()
                await self._end_attempt()
                await self._find_culprit(batch, error)

    async def _attempt(self, batch: Batch) -> None:
        """One database transaction: whatever is in it when COMMIT succeeds is answered and leaves the batch."""
        is_committed = False
        try:
            is_committed = await self._carry_out(batch)
        finally:
            self._ended += 1
            if not is_committed:
                # What was decided on it rests on what is not so: others may write just as much.
                self._plan = None

    async def _carry_out(self, batch: Batch) -> bool:
        """See `_attempt`; False: whether it is committed stays unknown, and its callers are told so."""
        committer = self._committer
        loop = asyncio.get_running_loop()
        began = loop.time()
        session = await self._open()
        plan, self._plan = self._plan, None
        await self._lock(session, batch)
        is_so = plan is not None and plan.is_of(session, batch)
        if plan is None or not is_so or not await session.still_follows(plan.loaded, committer.clock):
            units = units_of(batch)
            loaded = await session.load(units, committer.clock, committer.limits.max_expiries)
            plan = plan_for(session, batch, loaded, units)
        loaded = plan.loaded
        look_ahead = self._look_ahead_soon(session, loaded)
        is_written = await session.write(plan.rows, look_ahead)
        if is_written:
            # Once more, for what has come since, and for what will come.
            look_ahead()
            with committer.telling(loaded.books, look_ahead):
                is_known = await self._commit(session, loaded)
            if not is_known:
                self._give_up(batch, _unknown())
                return False
        if not loaded.more_due:
            self._answer(batch, plan.outcomes)
        if is_written:
            written = [book for book in loaded.books.values() if book.events]
            for book in written:
                committer.observer.advanced(book.entity.entity_no, book.sequence)
            committer.observer.committed(sum(len(book.events) for book in written), loop.time() - began)
        return True

    async def _lock(self, session: WriteSession, batch: Batch) -> None:
        """What can't be locked goes from the batch."""
        locked = await session.lock(list(batch))
        for entity_no in [entity_no for entity_no in batch if entity_no not in locked]:
            # Another process writes it: its turn comes again, without keeping the others waiting.
            self._committer.queue.put_back(entity_no, batch.pop(entity_no))
            self._held.discard(entity_no)

    def _look_ahead_soon(self, session: WriteSession, loaded: Loaded) -> Callable[[], None]:
        """To be called when the server has all of the present batch, and again when more has come for its entity."""
        soon: asyncio.Handle | None = None
        ended, call_soon = self._ended, asyncio.get_running_loop().call_soon

        def look() -> None:
            nonlocal soon
            soon = None
            self._look_ahead(ended, session, loaded)

        def look_soon() -> None:
            nonlocal soon
            if soon is None:
                soon = call_soon(look)

        return look_soon

    def _look_ahead(self, ended: int, session: WriteSession, loaded: Loaded) -> None:
        """Decide the entity's next batch while the server is busy with this one, as if this one were committed.

        When it is not, or all is not so as foreseen after it, the next batch is decided anew in its own turn.
        """
        committer = self._committer
        if ended != self._ended or self._following or self._is_split or loaded.more_due or len(loaded.books) > 1:
            return
        if committer.keeps_others_waiting() and asyncio.get_running_loop().time() >= self._turn_over:
            return
        [entity_no] = loaded.books
        self._following = committer.take_ahead(entity_no)
        units = units_of(self._following)
        if sum(one.size for some in self._following.values() for one in some) > committer.limits.most_ahead:
            return
        following = session.follow(loaded, units) if units else None
        if following is None:
            return
        plan = plan_for(session, self._following, following, units)
        try:
            plan.rows.make()
        except Exception as error:  # noqa: BLE001  # a fault of ours: told when it happens in the batch's own turn
            _log.debug("not_decided_ahead", lane=self._number, cause=repr(error))
        else:
            self._plan = plan

    async def _unlock(self) -> None:
        """Give the locks back; a connection that can't is dropped, and with it they are free as well."""
        if self._session is not None:
            try:
                await self._session.unlock()
            except StorageError:
                await self.close()

    async def _commit(self, session: WriteSession, loaded: Loaded) -> bool:
        """COMMIT, in a task that nothing cancels; a lost answer is found out. False: it could not be.

        Raises Conflict, Rejected, and Unavailable when it turns out that nothing was committed.
        """
        task = asyncio.ensure_future(session.commit())
        try:
            await asyncio.shield(task)
            return True
        except (Conflict, Rejected):
            raise
        except asyncio.CancelledError:
            with contextlib.suppress(StorageError):
                await task
            raise
        except Exception as error:  # noqa: BLE001  # once COMMIT is sent, whatever went wrong leaves it open
            _log.warning("commit_unknown", lane=self._number, cause=repr(error))
        committed = await self._resolve(loaded)
        if committed is None:
            return False
        self._committer.observer.resolved()
        if not committed:
            raise Unavailable("the connection broke and the batch was not committed")
        return True

    async def _resolve(self, loaded: Loaded) -> bool | None:
        """Whether a COMMIT without an answer was carried out; None: not to be found out in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._committer.limits.write_timeout_seconds
        await self.close()
        while loop.time() < deadline:
            try:
                session = await self._open()
                return await session.was_committed(loaded)
            except StorageError as error:
                _log.warning("commit_unresolved", lane=self._number, cause=str(error))
                await self.close()
                await self._rest()
        return None

    async def _open(self) -> WriteSession:
        if self._session is None:
            self._session = await self._committer.store.open_session()
        return self._session

    async def _end_attempt(self) -> None:
        """Roll back and give the locks back; a connection that can't even do that is dropped."""
        if self._session is None:
            return
        try:
            await self._session.rollback()
            await self._session.unlock()
        except StorageError:
            await self.close()

    async def _find_culprit(self, batch: Batch, error: Exception) -> None:
        """The database refused content that the rules let pass, or the rules failed: a fault of ours.

        Each entity by itself, and then half by half, until the submission that is behind it stands alone; the
        others are not harmed by it. A batch of one entity waits for its lock, so the order in it stays.
        """
        if len(batch) > 1:
            parts: list[Batch] = [{entity_no: submissions} for entity_no, submissions in batch.items()]
        else:
            [(entity_no, submissions)] = batch.items()
            if len(submissions) == 1:
                self._give_up(batch, self._internal("write_failed", entity_no=entity_no, exc_info=error))
                return
            middle = len(submissions) // 2
            parts = [{entity_no: submissions[:middle]}, {entity_no: submissions[middle:]}]
        batch.clear()
        was_split, self._is_split = self._is_split, True
        try:
            for part in parts:
                await self._write(part)
        except BaseException:
            for part in parts:
                self._give_up(part, self._internal("lane_failed"))
            raise
        finally:
            self._is_split = was_split

    def _answer(self, batch: Batch, outcomes: dict[int, list[list[Outcome]]]) -> None:
        committer = self._committer
        for entity_no in list(batch):
            for submission, answers in zip(batch.pop(entity_no), outcomes[entity_no], strict=True):
                for outcome in answers:
                    if type(outcome) is Refused and not outcome.replayed:
                        committer.observer.refused(outcome.error.reason.value)
                committer.answer(submission, answers)

    def _give_up(self, batch: Batch, error: LedgerError) -> None:
        for submissions in batch.values():
            for submission in submissions:
                self._committer.fail(submission, error)
        batch.clear()

    def _drop_overdue(self, batch: Batch) -> None:
        """Those that have waited long enough are told so; nothing of theirs has taken effect."""
        now = asyncio.get_running_loop().time()
        for entity_no, submissions in list(batch.items()):
            for submission in [one for one in submissions if one.is_abandoned or one.deadline <= now]:
                submissions.remove(submission)
                self._committer.fail(submission, _unavailable())
            if not submissions:
                del batch[entity_no]

    def _internal(self, event: str, **facts: object) -> LedgerError:
        """A fault of ours: logged with a number that the callers are told, its details kept from them."""
        incident = self._committer.chance.randbytes(6).hex()
        _log.error(event, lane=self._number, incident=incident, **facts)
        return internal(incident)

    async def _rest(self) -> None:
        """Pause before the next try, longer each time, never in step with another process."""
        await asyncio.sleep(self._committer.chance.uniform(0, self._pause))
        self._pause = min(self._pause * 2, self._committer.limits.longest_pause_seconds)


def _unavailable() -> LedgerError:
    return LedgerError(
        Reason.DATABASE_UNAVAILABLE,
        "the database did not answer in time; the request has taken no effect: send it again with the same key",
    )


def _unknown() -> LedgerError:
    return LedgerError(
        Reason.OUTCOME_UNKNOWN,
        "the connection to the database broke during the commit and the outcome is not known: "
        "send the same request again with the same key",
    )
