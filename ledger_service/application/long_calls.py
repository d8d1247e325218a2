"""Calls that last: a stream or a watch ends when its credential does.

The credential is looked at again every `Admission.recheck_seconds`. With what the authenticator remembers, a
revocation is noticed within CACHE_SECONDS and one such pause, 25 s together; an expiry within the pause.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

from ledger_service.application.access import Principal
from ledger_service.application.admission import Admission
from ledger_service.application.ports import StorageError
from ledger_service.domain.errors import LedgerError, Reason

_Item = TypeVar("_Item")


class LongCall:
    """One call that was let in as `principal`."""

    def __init__(
        self,
        admission: Admission,
        principal: Principal,
        authorization: str | None,
        certificate: tuple[str, ...] | None = None,
    ) -> None:
        self._admission = admission
        self._principal = principal
        self._proof = authorization, certificate
        self._ended: LedgerError | None = None
        self._waiting: asyncio.Task[object] | None = None

    async def incoming(self, requests: AsyncIterator[_Item]) -> AsyncIterator[_Item]:
        """The requests of a stream, while the credential is good. Raises LedgerError UNAUTHENTICATED."""
        async for request in requests:
            self._check()
            yield request

    def uploaded(self, requests: AsyncIterator[_Item]) -> AsyncGenerator[_Item, None]:
        """The requests of an upload, while the credential is good: also where the next one is long in coming.

        What follows the last one is not ended by the credential: a write may be under way then, and a call that is
        refused must not take effect. Close it (`contextlib.aclosing`) if it is left before its end.
        """
        return self.outgoing(requests)

    async def outgoing(self, responses: AsyncIterator[_Item]) -> AsyncGenerator[_Item, None]:
        """The responses, while the credential is good: also where the next one is long in coming.

        To be gone through by one task. Raises LedgerError UNAUTHENTICATED, and what `responses` raises.
        """
        checking = asyncio.create_task(self._keep_checking(), name="credential-recheck")
        task = asyncio.current_task()
        try:
            while True:
                self._check()
                self._waiting = task
                try:
                    response = await anext(responses)
                except StopAsyncIteration:
                    return
                except asyncio.CancelledError:
                    # Ours, unless somebody else has cancelled the task as well.
                    if self._ended is None or task is None or task.uncancel() > 0:
                        raise
                    raise self._ended from None
                finally:
                    self._waiting = None
                yield response
        finally:
            checking.cancel()
            close = getattr(responses, "aclose", None)
            if close is not None:
                await close()

    async def _keep_checking(self) -> None:
        while self._ended is None:
            await asyncio.sleep(self._admission.recheck_seconds)
            self._ended = await self._look()
        # Only while it waits for a response: in the middle of sending one, the call ends before the next.
        if self._waiting is not None:
            self._waiting.cancel()

    async def _look(self) -> LedgerError | None:
        # A database or an issuer that does not answer says nothing about the credential: look again later.
        with contextlib.suppress(StorageError):
            try:
                principal = await self._admission.authenticator.authenticate(*self._proof)
            except LedgerError as error:
                return error if error.reason is Reason.UNAUTHENTICATED else None
            if principal != self._principal:
                return LedgerError(Reason.UNAUTHENTICATED, "the rights of the credential have changed; call again")
        return None

    def _check(self) -> None:
        if self._ended is not None:
            raise self._ended
