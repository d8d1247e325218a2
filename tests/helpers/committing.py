"""A committer at work on a store in memory, and what its callers are told."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.application.committer import Committer, CommitterLimits
from ledger_service.application.ports import DatabaseClock
from ledger_service.domain.account import AccountState
from ledger_service.domain.commands import Command, CreateTransaction, NewPosting, SetAccountState, Unit
from ledger_service.domain.decide import Applied, Outcome
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.domain.transaction import Status
from tests.helpers.fake_store import FakeObserver, FakeStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ledger_service.application.queue import Submission

SOON = 3.0
"""Seconds after which a test that hangs is ended; nothing is measured by it."""


def create(key: str, *, account_id: str = "wallet", **fields: Any) -> CreateTransaction:
    """A transaction of one unit from cash; refused where `account_id` does not exist."""
    return CreateTransaction(
        key=key,
        fingerprint=key.encode(),
        actor="a test",
        postings=(NewPosting("cash", 1, "USD", 1), NewPosting(account_id, 2, "USD", 1)),
        status=fields.pop("status", Status.POSTED),
        **fields,
    )


def freeze(key: str | None) -> SetAccountState:
    """A change of an account, which is not written together with postings."""
    return SetAccountState(
        key=key, fingerprint=b"freeze", actor="a test", account_id="wallet", state=AccountState.FROZEN
    )


@dataclass
class Harness:
    """A committer at work, all that was submitted to it, and the store below."""

    store: FakeStore
    committer: Committer
    observer: FakeObserver
    submissions: list[Submission] = field(default_factory=list)

    def put(self, entity_no: int, *commands: str | Command, **unit: Any) -> Submission:
        """Queue a unit; a text is the key of a new transaction."""
        made = [create(one) if isinstance(one, str) else one for one in commands]
        submission = self.committer.enqueue(Unit(entity_no, made, postings=2 * len(made), **unit))
        self.submissions.append(submission)
        return submission

    async def answer(self, submission: Submission) -> list[Outcome]:
        """The outcomes of a unit that is written."""
        async with asyncio.timeout(SOON):
            return await asyncio.shield(submission.future)

    async def reason(self, submission: Submission) -> Reason:
        """Why a unit was not."""
        with pytest.raises(LedgerError) as caught:
            await self.answer(submission)
        return caught.value.reason

    async def reached(self, event: asyncio.Event) -> None:
        """Wait for it."""
        async with asyncio.timeout(SOON):
            await event.wait()

    async def settled(self) -> None:
        """Wait until each submission has its answer."""
        async with asyncio.timeout(SOON):
            await asyncio.gather(*(one.future for one in self.submissions), return_exceptions=True)

    def acknowledged(self, entity_no: int) -> list[str]:
        """Keys of what was answered as applied, in the order in which it was recorded."""
        found: list[tuple[int, str]] = []
        for one in self.submissions:
            if one.unit.entity_no == entity_no and one.future.exception() is None:
                for command, outcome in zip(one.unit.commands, one.future.result(), strict=True):
                    if isinstance(outcome, Applied) and not outcome.replayed:
                        assert command.key is not None
                        found.append((outcome.sequence, command.key))
        return [key for _, key in sorted(found)]

    def assert_acknowledged_is_committed(self) -> None:
        """Neither lost nor doubled, and not written after a definite failure."""
        for entity_no in self.store.ledgers:
            assert self.store.committed_keys(entity_no) == self.acknowledged(entity_no)


def limits_of(**changes: Any) -> CommitterLimits:
    """Small limits without pauses."""
    values: dict[str, Any] = {
        "max_queued_commands": 1000,
        "max_commit_commands": 100,
        "max_commit_postings": 1000,
        "lanes": 1,
        "write_timeout_seconds": SOON,
        "first_pause_seconds": 0.0,
        "longest_pause_seconds": 0.0,
        **changes,
    }
    return CommitterLimits(**values)


@asynccontextmanager
async def committing(store: FakeStore, **limits: Any) -> AsyncIterator[Harness]:
    """A committer; at the end everything that was accepted has been answered, once."""
    observer = FakeObserver()
    committer = Committer(store, limits_of(**limits), observer, DatabaseClock(), random.Random(1))
    committer.start()
    harness = Harness(store, committer, observer)
    try:
        yield harness
        assert await committer.drain(SOON)
        assert all(one.future.done() or one.is_abandoned for one in harness.submissions)
        # `done` twice for one submission would make it negative.
        assert committer.queue.commands == 0
        # Locks go back after the answers.
        for _ in range(100):
            await asyncio.sleep(0)
    finally:
        await committer.stop()
    assert not [owner for owner in store.owners.values() if owner != "elsewhere"], "locks were left behind"
