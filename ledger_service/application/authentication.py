"""Who a bearer token stands for."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime

from ledger_service.application.access import ALL_SCOPES, Principal, Scope
from ledger_service.application.ports import DirectoryStore
from ledger_service.domain.errors import LedgerError, Reason

MAX_TOKEN_CHARACTERS = 512
CACHE_SECONDS = 15.0
"""How long a token's meaning is remembered: a revocation takes effect within it."""
_CACHE_SIZE = 10_000
_CONTEXT = b"ledger.v1 bearer token\0"


def token_hmac(token: str, pepper: str) -> bytes:
    """What the database keeps of a token: HMAC-SHA256, keyed by a secret that is not in the database."""
    return hmac.digest(_CONTEXT + pepper.encode(), token.encode(), hashlib.sha256)


class Authenticator:
    """Tells who a token stands for; answers from memory for a short while."""

    def __init__(
        self, store: DirectoryStore, pepper: str, bootstrap_token: str | None, monotonic: Callable[[], float]
    ) -> None:
        self._store = store
        self._pepper = pepper
        self._bootstrap = token_hmac(bootstrap_token, pepper) if bootstrap_token else None
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, Principal, datetime | None]] = {}

    async def authenticate(self, authorization: str | None) -> Principal:
        """The caller behind an `authorization` header. Raises LedgerError UNAUTHENTICATED, DATABASE_UNAVAILABLE."""
        if authorization is None:
            raise _refused("no bearer token; send the metadata 'authorization: Bearer <token>'")
        known = self._known.get(authorization)
        if known is not None and known[0] > self._monotonic():
            if known[2] is not None and known[2] <= datetime.now(UTC):
                raise _refused("the token has expired; use another one")
            return known[1]
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
            raise _refused("the authorization metadata is malformed; send 'authorization: Bearer <token>'")
        principal, expire_time = await self._look_up(token_hmac(token, self._pepper))
        if len(self._known) >= _CACHE_SIZE:
            self._known.clear()
        self._known[authorization] = self._monotonic() + CACHE_SECONDS, principal, expire_time
        return principal

    async def _look_up(self, digest: bytes) -> tuple[Principal, datetime | None]:
        if self._bootstrap is not None and hmac.compare_digest(digest, self._bootstrap):
            return Principal("bootstrap", ALL_SCOPES, None), None
        found = await self._store.credential(digest)
        if found is None:
            raise _refused("the token is not known; make one with 'ledger-service token create'")
        if found["revoked_time"] is not None:
            raise _refused("the token has been revoked; use another one")
        if found["expire_time"] is not None and found["expire_time"] <= datetime.now(UTC):
            raise _refused("the token has expired; use another one")
        entity_ids = found["entity_ids"]
        principal = Principal(
            found["name"],
            frozenset(Scope(scope) for scope in found["scopes"]),
            frozenset(entity_ids) if entity_ids is not None else None,
        )
        return principal, found["expire_time"]


def _refused(message: str) -> LedgerError:
    return LedgerError(Reason.UNAUTHENTICATED, message)
