"""Tidies up transactions past their expire_time. They count no more from that instant on in any case: reads
leave them out and every write of their entity ends them first; this only brings the record up to date.
"""

from __future__ import annotations

import asyncio

import structlog

from ledger_service.application.committer import Committer
from ledger_service.application.ports import DirectoryStore, StorageError
from ledger_service.domain.commands import Unit
from ledger_service.domain.errors import LedgerError

_log = structlog.get_logger()

_AT_ONCE = 1000
"""Due transactions looked at in one round; their entities are written in the same round."""


class Expiry:
    """The tidying worker of one process; several do no harm."""

    def __init__(self, store: DirectoryStore, committer: Committer, interval_seconds: float) -> None:
        self._store = store
        self._committer = committer
        self._interval_seconds = interval_seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; an interval of 0 leaves it to the writes."""
        if self._interval_seconds > 0:
            self._task = asyncio.create_task(self._run(), name="expiry")

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_seconds)
            try:
                entity_nos = await self._store.entities_due(_AT_ONCE)
                # A unit without commands: its batch ends what is due and has nothing else to do.
                await asyncio.gather(
                    *(self._committer.submit(Unit(entity_no, [])) for entity_no in entity_nos),
                    return_exceptions=False,
                )
            except (StorageError, LedgerError) as error:
                _log.warning("expiry_failed", cause=str(error))
