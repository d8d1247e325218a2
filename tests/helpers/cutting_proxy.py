"""A proxy between the service and PostgreSQL that cuts a writer's connection at a chosen point of the protocol.

Unix socket to Unix socket. It understands as much of the protocol (PostgreSQL manual, "Message Formats") as it
takes to see BEGIN, COPY and COMMIT go by; everything else it passes on as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlencode, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_WRITER = b"application_name\0ledger-writer\0"
_LENGTH = struct.Struct("!I")
_COPY_FAIL = b"f" + _LENGTH.pack(5) + b"\0"
_SOCKET = ".s.PGSQL.5432"


class Place(Enum):
    """Where a connection is cut."""

    BEFORE_BEGIN = "BEGIN does not reach the server"
    DURING_COPY = "half of a message of rows reaches the server"
    BEFORE_COMMIT = "COMMIT does not reach the server"
    COMMIT_ON_ITS_WAY = "COMMIT is sent and the connection cut at once"
    COMMIT_LATE = "the connection is cut, and COMMIT reaches the server a moment later"
    COMMIT_ANSWERED = "the server has answered COMMIT, nothing of it comes back"
    ONE_BYTE_OF_ANSWER = "one byte of the answer to COMMIT comes back"
    SILENCE = "COMMIT is sent, then nothing passes either way for a while"


_SILENT_SECONDS = 1.0
_LATE_SECONDS = 0.15
"""Longer than it takes to connect anew and look."""


class Refusal(Enum):
    """An error that the server answers at some moment, and where: SQLSTATE, step, message."""

    SERIALIZATION = ("40001", "COMMIT", "could not serialize access due to read/write dependencies")
    DEADLOCK = ("40P01", "COMMIT", "deadlock detected")
    LOCK_TIMEOUT = ("55P03", "BEGIN", "canceling statement due to lock timeout")
    TOO_MANY_CONNECTIONS = ("53300", "CONNECT", "sorry, too many clients already")
    READ_ONLY = ("25006", "BEGIN", "cannot execute this in a read-only transaction")
    STANDBY = ("0A000", "BEGIN", "cannot set transaction read-write mode during recovery")
    OUT_OF_MEMORY = ("53200", "COMMIT", "out of memory")

    @property
    def step(self) -> str:
        """Which message is answered by it."""
        return self.value[1]

    @property
    def answer(self) -> bytes:
        """As the server writes it: ErrorResponse, then ReadyForQuery where the connection lives on."""
        state, step, text = self.value
        severity = "FATAL" if step == "CONNECT" else "ERROR"
        fields = b"".join(
            kind + value.encode() + b"\0"
            for kind, value in zip((b"S", b"V", b"C", b"M"), (severity, severity, state, text), strict=True)
        )
        error = b"E" + _LENGTH.pack(len(fields) + 5) + fields + b"\0"
        return error if step == "CONNECT" else error + _READY


_READY = b"Z\0\0\0\5I"
"""ReadyForQuery, outside of a database transaction."""


class _Cut(Exception):
    """This connection ends here."""


@dataclass
class Plan:
    """One cut to be made; `happened` once it has been."""

    place: Place
    skip: int = 0
    """How many chances to let go by first."""
    happened: asyncio.Event = field(default_factory=asyncio.Event)
    answered: bytes = b""
    """Of a cut after COMMIT: what the server had answered by then."""


@dataclass
class RefusalPlan:
    """One error to be answered; `happened` once it has been."""

    refusal: Refusal
    happened: asyncio.Event = field(default_factory=asyncio.Event)


class CuttingProxy:
    """Made by `cutting`."""

    def __init__(self, folder: Path, server: str) -> None:
        self._server = server
        self.socket = folder / _SOCKET
        self.cuts: list[Place] = []
        self.writers = 0
        """How many connections of the committer have been made."""
        self.live_writers: set[asyncio.StreamWriter] = set()
        """The service's ends of them."""
        self.refusals: list[Refusal] = []
        self._plan: Plan | None = None
        self._refusal: RefusalPlan | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def refuse(self, refusal: Refusal) -> RefusalPlan:
        """Answer the next writer that comes to the refusal's step by its error."""
        assert self._refusal is None, "one refusal after the other"
        self._refusal = RefusalPlan(refusal)
        return self._refusal

    def due_refusal(self, step: str) -> Refusal | None:
        """The error to answer here and now."""
        plan = self._refusal
        if plan is None or plan.refusal.step != step:
            return None
        self._refusal = None
        self.refusals.append(plan.refusal)
        plan.happened.set()
        return plan.refusal

    def arm(self, place: Place, skip: int = 0) -> Plan:
        """Cut the next writer's connection that comes to this place."""
        assert self._plan is None, "one cut after the other"
        self._plan = Plan(place, skip)
        return self._plan

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it or it is cut."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            upstream_reader, upstream_writer = await asyncio.open_unix_connection(self._server)
        except OSError:
            writer.transport.abort()
            self._tasks.discard(task)
            return
        connection = _Connection(self, reader, writer, upstream_reader, upstream_writer)
        try:
            with contextlib.suppress(asyncio.CancelledError):  # by `close`; asyncio's server would report it
                await connection.run()
        finally:
            self._tasks.discard(task)
            self.live_writers.discard(writer)
            for each in (writer, upstream_writer):
                each.transport.abort()

    def end_writers(self) -> None:
        """End the connections of the committer, as they are."""
        for writer in self.live_writers:
            writer.transport.abort()

    async def close(self) -> None:
        """End all connections."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def chance(self, *places: Place) -> Plan | None:
        """The plan, if a cut is to be made here and now; it is then under way and nobody else's."""
        plan = self._plan
        if plan is None or plan.place not in places:
            return None
        if plan.skip:
            plan.skip -= 1
            return None
        self._plan = None
        return plan

    def put_back(self, plan: Plan) -> None:
        """It was not the place after all: for the next that comes to it."""
        self._plan = plan

    def cut(self, plan: Plan) -> None:
        """Note that it is happening."""
        self.cuts.append(plan.place)
        plan.happened.set()
        raise _Cut


class _Connection:
    """Both directions of one connection, message by message."""

    def __init__(
        self,
        proxy: CuttingProxy,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        upstream_reader: asyncio.StreamReader,
        upstream_writer: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._reader, self._writer = reader, writer
        self._upstream_reader, self._upstream_writer = upstream_reader, upstream_writer
        self._is_writer = False
        self._plan: Plan | None = None
        """A cut that waits for the server's answer to COMMIT."""
        self._taken: Plan | None = None
        """The cut that this connection is about to make."""
        self._is_given_up = False
        """The service's side is cut already, the server's not yet."""
        self._refusal: Refusal | None = None
        """An error that takes the place of the answer to what was sent in COMMIT's stead."""
        self._copies = 0
        """How many COPYs of the last query have not had all their rows."""
        self._is_committing = False
        """The last query ends by COMMIT."""

    async def run(self) -> None:
        """Until one direction ends."""
        both = [asyncio.ensure_future(self._forth()), asyncio.ensure_future(self._back())]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in both:
                one.cancel()
            ended = await asyncio.gather(*both, return_exceptions=True)
            if self._taken is not None and not self._taken.happened.is_set():
                # Somebody else has ended the connection first.
                self._proxy.put_back(self._taken)
        for outcome in ended:
            expected = (_Cut, asyncio.CancelledError, asyncio.IncompleteReadError, OSError)
            if isinstance(outcome, BaseException) and not isinstance(outcome, expected):
                raise outcome

    async def _forth(self) -> None:
        length = await self._reader.readexactly(4)
        body = await self._reader.readexactly(_LENGTH.unpack(length)[0] - 4)
        self._is_writer = _WRITER in body
        if self._is_writer and (refusal := self._proxy.due_refusal("CONNECT")) is not None:
            await _send(self._writer, refusal.answer)
            self._writer.close()
            raise _Cut
        if self._is_writer:
            self._proxy.writers += 1
            self._proxy.live_writers.add(self._writer)
        await _send(self._upstream_writer, length + body)
        while not self._is_writer:
            data = await self._reader.read(65536)
            if not data:
                return
            await _send(self._upstream_writer, data)
        while True:
            kind, message = await _message(self._reader)
            step = self._step_of(kind, message)
            await self._look(step, message)
            await _send(self._upstream_writer, await self._refused(step, message))

    def _step_of(self, kind: bytes, message: bytes) -> str:
        """What the server is about to do when it gets this, by the texts of simple queries.

        A query that ends by COMMIT commits when the rows of its last COPY have come to their end.
        """
        if kind == b"Q":
            text = message[5:].rstrip(b"\0")
            self._copies, self._is_committing = text.count(b" FROM STDIN "), text.endswith(b"COMMIT")
            if text.startswith(b"BEGIN"):
                return "BEGIN"
            assert self._copies or not self._is_committing, "a COMMIT without seals"
        elif kind == b"d":
            return "ROWS"
        elif kind == b"c":
            self._copies -= 1
            if self._copies == 0 and self._is_committing:
                return "COMMIT"
        return ""

    async def _refused(self, step: str, message: bytes) -> bytes:
        """What is sent on, when the message is to be answered by an error."""
        if self._plan is not None:
            return message
        refusal = self._proxy.due_refusal(step)
        if refusal is None:
            return message
        if step == "BEGIN":
            # The server ignores the rows that come all the same.
            self._is_committing = False
            await _send(self._writer, refusal.answer)
            return b""
        # The server takes back what it says it could not do.
        self._refusal = refusal
        return _COPY_FAIL

    async def _look(self, step: str, message: bytes) -> None:
        """Cut here, if it is planned."""
        if step == "BEGIN":
            plan = self._proxy.chance(Place.BEFORE_BEGIN)
        elif step == "COMMIT":
            plan = self._proxy.chance(
                Place.BEFORE_COMMIT, Place.COMMIT_ON_ITS_WAY, Place.COMMIT_ANSWERED, Place.ONE_BYTE_OF_ANSWER,
                Place.COMMIT_LATE, Place.SILENCE,
            )  # fmt: skip
        elif step == "ROWS":
            plan = self._proxy.chance(Place.DURING_COPY)
        else:
            plan = None
        if plan is None:
            return
        self._taken = plan
        if plan.place in (Place.BEFORE_BEGIN, Place.BEFORE_COMMIT):
            self._proxy.cut(plan)
        elif plan.place is Place.DURING_COPY:
            await self._send_all(message[: len(message) // 2])
            self._proxy.cut(plan)
        elif plan.place is Place.COMMIT_LATE:
            self._is_given_up = True
            self._writer.transport.abort()
            await asyncio.sleep(_LATE_SECONDS)
            await self._send_all(message)
            self._proxy.cut(plan)
        elif plan.place is Place.COMMIT_ON_ITS_WAY:
            await self._send_all(message)
            self._proxy.cut(plan)
        else:
            self._plan = plan

    async def _send_all(self, data: bytes) -> None:
        """To the server, until the kernel has all of it: what is aborted after that still gets there."""
        self._upstream_writer.transport.set_write_buffer_limits(0)
        await _send(self._upstream_writer, data)

    async def _back(self) -> None:
        while True:
            if self._plan is None:
                data = await self._upstream_reader.read(65536)
                if not data:
                    return
            else:
                data = b""
            if self._plan is not None:
                data = await self._swallow(self._plan, data)
            elif self._refusal is not None:
                data = await self._replaced(self._refusal, data)
            if not self._is_given_up:
                await _send(self._writer, data)

    async def _swallow(self, plan: Plan, data: bytes) -> bytes:
        """Take the answer to COMMIT, to its end, and keep it from the caller; a refusal (40001) is handed on."""
        if plan.place is Place.SILENCE:
            await asyncio.sleep(_SILENT_SECONDS)
            self._proxy.cut(plan)
        data = await self._to_ready(data)
        if b"COMMIT\0" not in data or not data.endswith(_READY):
            # Refused, or the server has gone before it answered.
            self._plan = self._taken = None
            self._proxy.put_back(plan)
            return data
        plan.answered = data
        if plan.place is Place.ONE_BYTE_OF_ANSWER:
            self._writer.transport.set_write_buffer_limits(0)
            with contextlib.suppress(OSError):
                await _send(self._writer, data[:1])
        self._proxy.cut(plan)
        raise AssertionError("a cut ends the connection")

    async def _replaced(self, refusal: Refusal, data: bytes) -> bytes:
        """The error in place of the answer to rows that were taken back."""
        await self._to_ready(data)
        self._refusal = None
        return refusal.answer

    async def _to_ready(self, data: bytes) -> bytes:
        """All of an answer, to its end or the connection's."""
        while data[-6:-1] != _READY[:-1]:  # in whatever state it is ready
            more = await self._upstream_reader.read(65536)
            if not more:
                break
            data += more
        return data


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    if writer.is_closing():
        # uvloop takes it for a mistake of the program's.
        raise ConnectionResetError("the other side has gone")
    writer.write(data)
    await writer.drain()


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Type and bytes of the next message."""
    header = await reader.readexactly(5)
    return header[:1], header + await reader.readexactly(_LENGTH.unpack_from(header, 1)[0] - 4)


def folder_of(dsn: str) -> str:
    """The folder of the server's socket."""
    return parse_qs(urlsplit(dsn).query)["host"][0]


def through(dsn: str, folder: Path) -> str:
    """The DSN of the same database through a socket in another folder."""
    parts = urlsplit(dsn)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()} | {"host": str(folder)}
    return urlunsplit(parts._replace(query=urlencode(query, quote_via=quote, safe="/")))


@asynccontextmanager
async def cutting(dsn: str) -> AsyncIterator[tuple[CuttingProxy, str]]:
    """A proxy before the server of `dsn`, and the DSN that leads through it."""
    # A folder with a short name: a socket's path may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="cut-") as name:
        folder = Path(name)
        proxy = CuttingProxy(folder, str(Path(folder_of(dsn)) / _SOCKET))
        server = await asyncio.start_unix_server(proxy.serve, proxy.socket)
        try:
            yield proxy, through(dsn, folder)
        finally:
            server.close()
            await proxy.close()
            await server.wait_closed()
