"""Clients that mean harm, or are broken: both ports must shrug them off and go on serving the others.

Each attack is told how the service answered it, and raises AssertionError where it answered as if all were well.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import random
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import grpc

from ledger.v1 import transaction_service_pb2 as pb
from tests.helpers.rpc import connect
from tests.helpers.servers import TOKEN

if TYPE_CHECKING:
    from collections.abc import Mapping

_MIB = 1 << 20
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS, _HEADERS, _RESET = 4, 1, 3
_END_HEADERS = 4
_CANCEL = struct.pack("!I", 8)
_CONNECTIONS = 60
_CREATE = "/ledger.v1.TransactionService/CreateTransaction"
_HANG_SECONDS = 1.5
_GONE = (OSError, RuntimeError)
"""The other side has closed the connection; RuntimeError is what uvloop makes of a write after that."""


async def random_bytes(grpc_address: str, rest_address: str, entity: str, chance: random.Random) -> None:
    """Noise, with and without a beginning that looks right."""

    async def one(address: str, beginning: bytes) -> None:
        async with _socket(address) as (reader, writer):
            writer.write(beginning + chance.randbytes(chance.randint(1, 5_000)))
            with contextlib.suppress(*_GONE, TimeoutError):
                async with asyncio.timeout(_HANG_SECONDS):
                    await writer.drain()
                    await reader.read(-1)

    beginnings = [b"", _PREFACE, _PREFACE + _frame(_SETTINGS, 0, 0, b""), b"POST /v1/transactions HTTP/1.1\r\n"]
    addresses = (grpc_address, rest_address)
    await asyncio.gather(*(one(addresses[n % 2], beginnings[n % len(beginnings)]) for n in range(_CONNECTIONS)))


async def half_open(grpc_address: str, rest_address: str, entity: str, chance: random.Random) -> None:
    """Connections that say nothing, or begin and then wait, or trickle."""

    async def one(address: str, said: bytes) -> None:
        async with _socket(address) as (_, writer):
            with contextlib.suppress(*_GONE):
                for place in range(0, len(said), 8):
                    writer.write(said[place : place + 8])
                    await asyncio.sleep(0.05)
                await asyncio.sleep(_HANG_SECONDS)

    head = b"POST /v1/transactions?entityId=x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
    await asyncio.gather(
        *(one(grpc_address, _PREFACE[: chance.randint(0, 24)]) for _ in range(_CONNECTIONS)),
        *(one(rest_address, head[: chance.randint(0, len(head))]) for _ in range(_CONNECTIONS)),
    )


async def reset_flood(grpc_address: str, rest_address: str, entity: str, chance: random.Random) -> None:
    """Streams that are opened and reset at once, thousands on a connection (CVE-2023-44487)."""
    async with _socket(grpc_address) as (_, writer):
        writer.write(_PREFACE + _frame(_SETTINGS, 0, 0, b""))
        with contextlib.suppress(*_GONE):
            for start in range(1, 8_001, 400):
                for number in range(start, start + 400, 2):
                    writer.write(_frame(_HEADERS, _END_HEADERS, number, _request_headers()))
                    writer.write(_frame(_RESET, 0, number, _CANCEL))
                await writer.drain()


async def bombs(grpc_address: str, rest_address: str, entity: str, chance: random.Random) -> None:
    """Messages that are too large, and small ones that become too large when they are unpacked."""
    zeros = bytes(60 * _MIB)
    async with connect(grpc_address, TOKEN) as client:
        call = client.channel.unary_unary(_CREATE)
        for compression in (grpc.Compression.Gzip, grpc.Compression.Deflate, grpc.Compression.NoCompression):
            sent = call(zeros, metadata=client.metadata, compression=compression, timeout=20)
            code = await sent.code()
            if code is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise TimeoutError  # paused, or being restarted: nothing is proved
            assert code in _REFUSALS, await sent.details()
    squeezed = await asyncio.to_thread(gzip.compress, zeros)
    for headers, body in (({"Content-Encoding": "gzip"}, squeezed), ({}, zeros[: 20 * _MIB])):
        answer = await _post(rest_address, entity, headers, body)
        assert answer in (b"", b"400", b"413", b"415", b"422", b"431"), answer


async def large_metadata(grpc_address: str, rest_address: str, entity: str, chance: random.Random) -> None:
    """Headers beyond the limit on both ports."""
    async with connect(grpc_address, TOKEN) as client:
        request = pb.ListTransactionsRequest(entity_id=entity)
        call = client.channel.unary_unary("/ledger.v1.TransactionService/ListTransactions")
        metadata = (*client.metadata, ("x-large", "a" * 200_000))
        with contextlib.suppress(grpc.aio.AioRpcError):
            await call(request.SerializeToString(), metadata=metadata, timeout=20)
            raise AssertionError("metadata beyond the limit was taken")
    answer = await _post(rest_address, entity, {"X-Large": "a" * 200_000}, b"{}")
    assert answer in (b"", b"400", b"431"), answer


async def slow_consumers(grpc_address: str, rest_address: str, entity: str, chance: random.Random) -> None:
    """Watches and lists whose answers nobody takes, and streams that send and never read."""
    async with connect(grpc_address, TOKEN) as client:
        calls = [
            client.transactions.WatchTransactions(pb.WatchTransactionsRequest(entity_id=entity), timeout=20)
            for _ in range(20)
        ]
        stream = client.transactions.StreamCreateTransactions(timeout=20)
        message = pb.StreamCreateTransactionsRequest(request=pb.CreateTransactionRequest(entity_id=entity))
        with contextlib.suppress(TimeoutError, grpc.aio.AioRpcError, asyncio.InvalidStateError):
            async with asyncio.timeout(_HANG_SECONDS):
                while True:
                    await stream.write(message)
        await asyncio.sleep(_HANG_SECONDS)
        for call in (*calls, stream):
            call.cancel()


Attack = Callable[[str, str, str, random.Random], Awaitable[None]]
"""What is told the addresses of gRPC and REST, and an entity."""

ATTACKS: Mapping[str, Attack] = {
    "random bytes on both ports": random_bytes,
    "half-open and slow clients": half_open,
    "reset flood": reset_flood,
    "compression bombs and oversized messages": bombs,
    "oversized metadata": large_metadata,
    "slow consumers of streams": slow_consumers,
}
_REFUSALS = (
    grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED,
)  # fmt: skip


class _socket:  # noqa: N801  # reads as a function
    """A plain connection, given up without goodbye."""

    def __init__(self, address: str) -> None:
        self._host, _, self._port = address.rpartition(":")

    async def __aenter__(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, self._writer = await asyncio.open_connection(self._host, int(self._port))
        return reader, self._writer

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()


async def _post(address: str, entity: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """The status code of a POST of a transaction; empty when the connection was closed instead."""
    lines = {
        "Host": address,
        "Authorization": f"Bearer {TOKEN}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **headers,
    }
    head = f"POST /v1/transactions?entityId={entity} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in lines.items())
    async with _socket(address) as (reader, writer):
        with contextlib.suppress(*_GONE):
            writer.write(head.encode() + b"\r\n" + body)
            async with asyncio.timeout(30):
                line = await reader.readline()
                return line.split(b" ")[1] if line.startswith(b"HTTP/") else b""
    return b""


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload


def _request_headers() -> bytes:
    """HPACK without its dynamic table: POST, http, the path, and what gRPC wants (RFC 7541, appendix A)."""
    path = _CREATE.encode()
    content_type = b"application/grpc"
    return (
        b"\x83\x86" + b"\x04" + bytes([len(path)]) + path + b"\x01\x01x"
        + b"\x0f\x10" + bytes([len(content_type)]) + content_type + b"\x00\x02te\x08trailers"
    )  # fmt: skip
