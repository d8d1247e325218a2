"""Holding the port to serve on, before the slow steps of a start."""

from __future__ import annotations

import asyncio
import errno
import socket

from ledger_service.cli.errors import CannotStartError
from ledger_service.config import Address

# A worker whose supervisor was killed lets go of the port once it has noticed and drained.
_WAIT_SECONDS = 3.0
_RETRY_SECONDS = 0.1


async def reserve_port(address: Address, *, shared: bool, option: str) -> tuple[Address, socket.socket | None]:
    """Check that nobody serves on `address`; for several workers also choose and hold the port they share.

    grpc shares ports by default (SO_REUSEPORT), silently, even with another service: so the check binds the
    port without that option, which fails while anybody listens. The socket returned for workers is bound with
    it and never listens: it takes no connections and keeps the port ours while workers come and go. `option`
    is what errors tell to change, such as "--grpc (LEDGER_GRPC)".

    Returns:
        The address with the port that was chosen if it was 0 and the port is shared, and the socket to keep
        open.

    Raises:
        CannotStartError: naming the address and the option to change.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _WAIT_SECONDS
    while True:
        try:
            if address.port:
                _bind(address, reuse_port=False).close()
            break
        except OSError as error:
            if error.errno == errno.EADDRINUSE and loop.time() < deadline:
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            raise CannotStartError(_explain(address, error, option)) from error
    if not shared:
        return address, None
    held = _bind(address, reuse_port=True)
    return address._replace(port=held.getsockname()[1]), held


def _bind(address: Address, *, reuse_port: bool) -> socket.socket:
    family, kind, protocol, _, target = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        # Connections of an earlier service that linger in TIME_WAIT do not matter.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(target)
    except OSError:
        bound.close()
        raise
    return bound


def _explain(address: Address, error: OSError, option: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {address.port} on {address.host} is in use: stop what serves there, or choose another {option}"
    return f"cannot serve on {address} ({error.strerror}): choose another {option}"
