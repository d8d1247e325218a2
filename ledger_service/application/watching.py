"""Follows entities' histories: what is recorded first, then live, without a gap or a repeat.

There is one truth, the events table in the order of the sequence; everything else here only says when to
look again. Writes of this process say so at once; those of others are found by asking for the last
sequences of all watched entities together, many times a second, in one query.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import structlog

from ledger_service.application.access import Principal, authorize
from ledger_service.application.directory import Directory
from ledger_service.application.ports import Event, ReadStore, StorageError
from ledger_service.domain.account import Entity
from ledger_service.domain.errors import LedgerError, Reason, invalid

_log = structlog.get_logger()

_PAGE = 500
"""Events read at once: what a slow consumer can hold up in memory."""


class Watching:
    """All watches of one process."""

    def __init__(self, reads: ReadStore, directory: Directory, poll_seconds: float, max_watchers: int) -> None:
        self._reads = reads
        self._directory = directory
        self._poll_seconds = poll_seconds
        self._max_watchers = max_watchers
        self._watchers: dict[int, set[asyncio.Event]] = {}
        self._last: dict[int, int] = {}
        self._count = 0
        self._is_draining = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look for what other processes write."""
        self._task = asyncio.create_task(self._poll(), name="watch-poll")

    async def stop(self) -> None:
        """End the looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def drain(self) -> None:
        """End all watches with DRAINING; their callers go on at another server."""
        self._is_draining = True
        for events in self._watchers.values():
            for event in events:
                event.set()

    def advanced(self, entity_no: int, sequence: int) -> None:
        """An entity has come to this sequence."""
        if entity_no in self._watchers and sequence > self._last.get(entity_no, 0):
            self._last[entity_no] = sequence
            for event in self._watchers[entity_no]:
                event.set()

    async def watch(
        self, principal: Principal, entity_id: str, after: int
    ) -> AsyncIterator[tuple[Entity, list[Event]]]:
        """Events after a sequence, some at a time, for ever.

        Raises LedgerError TOO_MANY_WATCHERS, DRAINING, INVALID_ARGUMENT and those of authorisation.
        """
        authorize(principal, "WatchTransactions", entity_id)
        if after < 0:
            raise invalid("after_sequence", "must be a sequence that you have, or 0 for the beginning")
        entity = await self._directory.fresh(entity_id)
        if after > entity.sequence:
            raise invalid("after_sequence", f"the entity has come to sequence {entity.sequence} only")
        if self._count >= self._max_watchers:
            raise LedgerError(
                Reason.TOO_MANY_WATCHERS,
                f"this server follows {self._max_watchers} watches already; try again later",
            )
        news = asyncio.Event()
        self._watchers.setdefault(entity.entity_no, set()).add(news)
        self._count += 1
        try:
            while not self._is_draining:
                # Cleared before the look: what is committed after it sets it again.
                news.clear()
                events = await self._reads.events(entity.entity_no, after, _PAGE)
                if events:
                    after = events[-1].sequence
                    yield entity, events
                elif not self._is_draining:
                    await news.wait()
        finally:
            self._count -= 1
            self._watchers[entity.entity_no].discard(news)
            if not self._watchers[entity.entity_no]:
                del self._watchers[entity.entity_no]
                self._last.pop(entity.entity_no, None)
        raise LedgerError(Reason.DRAINING, "the server is shutting down; watch again from the last sequence received")

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            if not self._watchers:
                continue
            try:
                for entity_no, sequence in (await self._directory.last_sequences(list(self._watchers))).items():
                    self.advanced(entity_no, sequence)
            except StorageError as error:
                _log.warning("watch_poll_failed", cause=str(error))
