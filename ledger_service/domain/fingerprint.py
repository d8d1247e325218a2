"""A digest of what a request asks for, so that a key can't be used again for something else.

It is taken over the meaning (minor units, defaults left out), not over the bytes of a transport: the
same request through another adapter, or written by another client library, has the same one. What a
later version adds with a default leaves the digests of older requests as they were.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

DIGEST_BYTES = 16


def fingerprint(method: str, members: Iterable[tuple[str, object]]) -> bytes:
    """Digest of a method's name and its members; members that are None, "", 0, False or () do not count."""
    parts = [method]
    for name, value in members:
        if value:
            parts.append(name)
            parts.append(value.isoformat() if type(value) is datetime else repr(value))
    return digest_of(parts)


def digest_of(parts: Iterable[str]) -> bytes:
    """The same of what is written out: the method's name, then name and repr() of each member that counts; of a time
    its isoformat().
    """
    # Names and repr() hold no raw NUL (repr escapes it), so the separator can't be forged.
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=DIGEST_BYTES).digest()
