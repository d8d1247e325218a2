"""How jobs and answers go through pipes: a length of eight bytes, then as many of a pickle.

Pickles are written and read in pieces by functions of Python's: between two pieces another thread may run. In one
piece, a hundred thousand objects would hold the interpreter, and with it the event loop, for a second.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from typing import Any

LENGTH = struct.Struct(">Q")

RESULT = "result"
ERROR = "error"
NO_MEMORY = "no memory"
"""Kinds of an answer, which is a pair of kind and value."""


class _Pieces:
    """A file to pickle into."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, piece: Any) -> int:  # noqa: ANN401  # bytes, or the memory of large ones
        self.pieces.append(bytes(piece))
        return len(piece)


class _Source:
    """A file to unpickle from: so many bytes of a pipe."""

    def __init__(self, read: Callable[[int], bytes], length: int) -> None:
        self._read = read
        self._length = length

    def read(self, size: int) -> bytes:
        size = min(size, self._length)
        self._length -= size
        return self._read(size) if size else b""

    def readinto(self, target: Any) -> int:  # noqa: ANN401  # whatever memory the unpickler has
        piece = self.read(len(target))
        target[: len(piece)] = piece
        return len(piece)

    def readline(self) -> bytes:
        # Of older protocols than the one written here.
        raise pickle.UnpicklingError("a line in a pickle of ours")


def packed(value: object) -> list[bytes]:
    """The pieces to write, the length first. Raises whatever the value raises when it can't be pickled."""
    found = _Pieces()
    pickle.Pickler(found, protocol=5).dump(value)
    return [LENGTH.pack(sum(map(len, found.pieces))), *found.pieces]


def unpacked(read: Callable[[int], bytes]) -> Any:  # noqa: ANN401  # whatever was packed
    """The value that comes next. `read` gives exactly as many bytes as it is asked for."""
    (length,) = LENGTH.unpack(read(LENGTH.size))
    return pickle.Unpickler(_Source(read, length)).load()  # noqa: S301  # from our own process
