"""Several statements in one message, and the rows that some of them copy right behind it.

asyncpg's COPY waits to be asked for the rows, and again for each answer: a round trip for each statement, in which one
side sleeps. But a server that works off a simple query reads the rows of each COPY when it comes to it, and after an
error drops what still comes (PostgreSQL documentation, Message Flow, "COPY Operations"). So a whole database
transaction can be sent at once and answered once.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ledger_service.storage.copying import Chunks

_COPY_DATA = struct.Struct("!ci")
_COPY_DONE = b"c" + struct.pack("!i", 4)
_COPY_FAIL = b"f" + struct.pack("!i", 5) + b"\0"


class Sending:
    """Statements on their way. For each COPY in them `rows` is called once, in their order, and then `finish`.

    The server goes on after the rows of a COPY when the next ones are sent, or at `finish`: what stands behind the
    last COPY, a COMMIT for instance, is not carried out before `finish`.
    """

    def __init__(self, connection: Any, statements: str) -> None:  # asyncpg's, which has no stubs
        self._answer: asyncio.Future[str] = asyncio.ensure_future(connection.execute(statements))
        self._answer.add_done_callback(_heard)
        self._transport = connection._transport  # noqa: SLF001  # asyncpg has no way to send rows after a statement
        self._is_copying = False

    async def rows(self, chunks: Chunks) -> None:
        """Send the rows of the next COPY, and don't wait for what becomes of them.

        Raises what the statements were refused with as far as that is known already; what making a chunk raises.
        """
        if self._is_copying:
            self._send(_COPY_DONE)
        else:
            # Now the statements are on their way.
            await asyncio.sleep(0)
            self._is_copying = True
        for number, chunk in enumerate(chunks):
            if number:
                # What is there is sent, and the server works on it while the next chunk is made.
                await asyncio.sleep(0)
            if self.is_over:
                break
            self._send(_COPY_DATA.pack(b"d", len(chunk) + 4), chunk)
        if self.is_over:
            self._answer.result()

    def finish(self) -> asyncio.Future[str]:
        """All rows are there: the last statement's tag, or what one of them was refused with."""
        self._send(_COPY_DONE)
        return self._answer

    async def fail(self) -> None:
        """Take the COPY that is under way back, if any is, and with it the statements; the connection goes on. Raises
        nothing."""
        # The server waits for rows until it is told that there are none.
        self._send(_COPY_FAIL)
        await asyncio.gather(self._answer, return_exceptions=True)

    def abandon(self) -> None:
        """The same without waiting; the connection can't be used after it."""
        self._send(_COPY_FAIL)
        self._answer.cancel()

    @property
    def is_over(self) -> bool:
        """It has been answered, or the connection is gone."""
        return self._answer.done()

    def _send(self, *data: bytes) -> None:
        """Nothing, when there is an answer already: the server wants no more, or the connection is gone."""
        if not self.is_over and not self._transport.is_closing():
            self._transport.writelines(data)


def _heard(answer: asyncio.Future[str]) -> None:
    """Who drops a connection does not ask for the answer: that is no fault."""
    with contextlib.suppress(asyncio.CancelledError):
        answer.exception()
