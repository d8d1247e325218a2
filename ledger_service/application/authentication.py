"""Who a bearer token or a client certificate stands for."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from ledger_service.application.access import ALL_SCOPES, Principal, Scope
from ledger_service.application.api_keys import token_hmac
from ledger_service.application.callers import BOOTSTRAP
from ledger_service.application.json_web_tokens import MAX_TOKEN_CHARACTERS as MAX_JWT_CHARACTERS
from ledger_service.application.json_web_tokens import TokenVerifier
from ledger_service.application.ports import DirectoryStore, StorageError
from ledger_service.domain.errors import LedgerError, Reason

__all__ = ["CACHE_SECONDS", "MAX_TOKEN_CHARACTERS", "Authenticator", "token_hmac"]

MAX_TOKEN_CHARACTERS = 512
"""Of a key. JWTs have a limit of their own."""
CACHE_SECONDS = 15.0
"""How long a credential's meaning is remembered, at most: a revocation takes effect within it."""
_CACHE_SIZE = 10_000


class _Known(NamedTuple):
    """What is remembered of a credential: until when by the monotonic clock, and its own end by the wall clock."""

    until: float
    principal: Principal
    expires: float | None


class Authenticator:
    """Tells who a credential stands for; answers from memory for a short while."""

    def __init__(
        self,
        store: DirectoryStore,
        pepper: str,
        bootstrap_token: str | None,
        monotonic: Callable[[], float],
        *,
        tokens: TokenVerifier | None = None,
        now: Callable[[], float] = time.time,
        cache_seconds: float = CACHE_SECONDS,
    ) -> None:
        """`tokens` None: no JWTs are taken. `now`: seconds since 1970."""
        self._store = store
        self._pepper = pepper
        self._bootstrap = token_hmac(bootstrap_token, pepper) if bootstrap_token else None
        self._monotonic = monotonic
        self._tokens = tokens
        self._now = now
        self._cache_seconds = cache_seconds
        # By digest of the header, so that no token lies in memory for longer than its call; or by certificate.
        self._known: dict[bytes | tuple[str, ...], _Known] = {}

    async def authenticate(self, authorization: str | None, certificate: tuple[str, ...] | None = None) -> Principal:
        """The caller behind an `authorization` header, or, without one, behind a verified client certificate.

        `certificate`: what `callers.certificate_names` gives. Where both are there the header counts alone, also
        when it is refused: a caller that sends one means it.

        Raises LedgerError UNAUTHENTICATED, AUTHENTICATION_UNAVAILABLE; StorageError.
        """
        if authorization is not None:
            place: bytes | tuple[str, ...] = hashlib.sha256(authorization.encode("utf-8", "surrogatepass")).digest()
        elif certificate is not None:
            place = certificate
        else:
            raise _refused("no bearer token; send the metadata 'authorization: Bearer <token>'")
        known = self._known.get(place)
        if (
            known is not None
            and known.until > self._monotonic()
            and (known.expires is None or known.expires > self._now())
        ):
            return known.principal
        try:
            if authorization is not None:
                principal, expires = await self._by_header(authorization)
            else:
                principal, expires = await self._by_certificate(certificate or ())
        except (LedgerError, StorageError) as error:
            # Its end needs nobody to be asked: a watch does not outlive its token while the issuer is away.
            if known is not None and known.expires is not None and known.expires <= self._now():
                raise _refused("the token has expired; use another one") from error
            raise
        if len(self._known) >= _CACHE_SIZE:
            self._known.clear()
        self._known[place] = _Known(self._monotonic() + self._cache_seconds, principal, expires)
        return principal

    async def stop(self) -> None:
        """End what is under way."""
        if self._tokens is not None:
            await self._tokens.stop()

    async def _by_header(self, authorization: str) -> tuple[Principal, float | None]:
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > MAX_JWT_CHARACTERS or not token.isascii():
            raise _refused("the authorization metadata is malformed; send 'authorization: Bearer <token>'")
        digest = token_hmac(token, self._pepper)
        if self._bootstrap is not None and hmac.compare_digest(digest, self._bootstrap):
            return Principal(BOOTSTRAP, ALL_SCOPES, None), None
        # The header of a JWT begins with '{"', whose base64 this is; a key has no dot.
        if token.startswith("eyJ") and token.count(".") == 2:
            if self._tokens is None:
                raise _refused("this service takes no JWTs; use a key made with 'ledger-service token create'")
            return await self._tokens.verify(token)
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise _refused("the token is neither a key nor a JWT; make one with 'ledger-service token create'")
        found = await self._store.credential(digest)
        if found is None:
            raise _refused("the token is not known; make one with 'ledger-service token create'")
        return self._stands_for(found, "token")

    async def _by_certificate(self, names: tuple[str, ...]) -> tuple[Principal, float | None]:
        found = await self._store.certificates(names) if names else []
        if not found:
            raise _refused(
                "no bearer token, and no credential stands for a name in the client certificate; "
                "bind one with 'ledger-service token create --certificate-san'"
            )
        if len(found) > 1:
            raise _refused("several credentials stand for names in the client certificate; revoke all but one")
        return self._stands_for(found[0], "credential")

    def _stands_for(self, found: dict[str, Any], what: str) -> tuple[Principal, float | None]:
        if found["revoked_time"] is not None:
            raise _refused(f"the {what} has been revoked; use another one")
        expires = found["expire_time"].timestamp() if found["expire_time"] is not None else None
        if expires is not None and expires <= self._now():
            raise _refused(f"the {what} has expired; use another one")
        entity_ids = found["entity_ids"]
        principal = Principal(
            found["name"],
            frozenset(Scope(scope) for scope in found["scopes"]),
            frozenset(entity_ids) if entity_ids is not None else None,
        )
        return principal, expires


def _refused(message: str) -> LedgerError:
    return LedgerError(Reason.UNAUTHENTICATED, message)
