"""API keys: how one looks, and what of it is kept.

    ledger_k3v5q2m4x7ab  _  43 characters of base64url
    the prefix              256 bits of chance, the secret

The prefix is no secret: it is kept in clear, stands in `ledger-service token list`, and tells whose key it is that
was found where it should not be. `ledger_[a-z2-7]{12}_[A-Za-z0-9_-]{43}` finds every key in a text.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import NamedTuple

_MARK = "ledger_"
_PREFIX_BITS = 60
_SECRET_BYTES = 32
_CONTEXT = b"ledger.v1 bearer token\0"
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


class ApiKey(NamedTuple):
    """A new key: the whole token, to be shown once, and its prefix."""

    token: str
    prefix: str


def make_key(random_bytes: Callable[[int], bytes]) -> ApiKey:
    """A key from a source of secure chance."""
    number = int.from_bytes(random_bytes(_PREFIX_BITS // 8 + 1)) % (1 << _PREFIX_BITS)
    prefix = _MARK + "".join(_ALPHABET[number >> shift & 31] for shift in range(0, _PREFIX_BITS, 5))
    secret = base64.urlsafe_b64encode(random_bytes(_SECRET_BYTES)).rstrip(b"=").decode()
    return ApiKey(f"{prefix}_{secret}", prefix)


def token_hmac(token: str, pepper: str) -> bytes:
    """What the database keeps of a token: HMAC-SHA256, keyed by a secret that is not in the database."""
    return hmac.digest(_CONTEXT + pepper.encode(), token.encode(), hashlib.sha256)
