"""Page tokens: where a list goes on, bound to its query and signed, so that nobody can make one up."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json

from ledger_service.domain.errors import LedgerError, Reason, invalid

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000
_SIGNATURE_BYTES = 16
_MAX_TOKEN_CHARACTERS = 16_384


class PageTokens:
    """Makes and reads tokens; `key` is shared by all processes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, query: object, place: list[object]) -> str:
        """A token for what follows `place` in `query` (method, entity, filters, order)."""
        body = json.dumps(place, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._sign(query, body) + body).decode().rstrip("=")

    def read(self, query: object, token: str) -> list[object] | None:
        """The place; None for the empty token. Raises LedgerError INVALID_PAGE_TOKEN."""
        if not token:
            return None
        if len(token) <= _MAX_TOKEN_CHARACTERS:
            try:
                raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            except (binascii.Error, ValueError):
                raw = b""
            signature, body = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
            if len(signature) == _SIGNATURE_BYTES and hmac.compare_digest(signature, self._sign(query, body)):
                place: list[object] = json.loads(body)
                return place
        raise LedgerError(
            Reason.INVALID_PAGE_TOKEN,
            "page_token: was not made here for this query; repeat the query as it was, or begin anew without",
            {"field": "page_token"},
        )

    def _sign(self, query: object, body: bytes) -> bytes:
        text = repr(query).encode() + b"\0" + body
        return hmac.digest(self._key, text, hashlib.sha256)[:_SIGNATURE_BYTES]


def page_size(asked: int) -> int:
    """How many to answer with; 0 means the default. Raises LedgerError INVALID_ARGUMENT."""
    if asked == 0:
        return DEFAULT_PAGE_SIZE
    if not 1 <= asked <= MAX_PAGE_SIZE:
        raise invalid("page_size", f"must be between 1 and {MAX_PAGE_SIZE}; 0 means {DEFAULT_PAGE_SIZE}")
    return asked
