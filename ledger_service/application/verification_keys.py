"""The keys that JWTs are verified with: a JSON Web Key Set from their issuer, or one configured secret.

A key's algorithm is that of its own type, and nothing that a token says changes it: an RSA key verifies RS256, a
P-256 key ES256, an Ed25519 key EdDSA, the secret HS256. A key that says otherwise of itself is not used.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import InvalidKeyError

from ledger_service.domain.errors import LedgerError, Reason

_log = structlog.get_logger()

MIN_SECRET_BYTES = 32
"""Of an HS256 secret: as many as the digest has (RFC 7518, section 3.2)."""
MAX_KEYS = 100
"""Keys in a set."""
MAX_KID_CHARACTERS = 200
_RSA_BITS = range(2048, 8193)
"""Smaller ones can be broken; larger ones make each verification dear."""

MIN_REFRESH_SECONDS = 30.0
"""Between two looks for new keys, whatever tokens come: a stranger's made-up key id must not load the issuer."""
REFRESH_SECONDS = 300.0
"""After this the keys are asked for anew, while those at hand are used on."""
_PAUSE_SECONDS = 2 * REFRESH_SECONDS
"""When nobody has asked for so long, the first one waits for the new keys: a key may have been withdrawn meanwhile."""

# Type and curve: the algorithm, the class that reads the key, the members that make the public key.
_KINDS: dict[tuple[str, str], tuple[str, Any, tuple[str, ...]]] = {
    ("RSA", ""): ("RS256", RSAAlgorithm, ("kty", "n", "e")),
    ("EC", "P-256"): ("ES256", ECAlgorithm, ("kty", "crv", "x", "y")),
    ("OKP", "Ed25519"): ("EdDSA", OKPAlgorithm, ("kty", "crv", "x")),
}


class KeysUnavailableError(Exception):
    """The key set could not be had, or is none; the message says why."""


class KeyDocument(Protocol):
    """Where the key set comes from; `ledger_service.remote.jwks` implements it."""

    async def read(self) -> bytes:
        """The JSON text, of a bounded size, in a bounded time. Raises KeysUnavailableError."""
        ...


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A key object, and the one algorithm that it is for."""

    algorithm: str
    key: Any


class Keys(Protocol):
    """Finds the key of a token."""

    async def find(self, kid: str | None) -> VerificationKey | None:
        """The key with this id; None: there is none. Raises LedgerError AUTHENTICATION_UNAVAILABLE."""
        ...

    async def stop(self) -> None:
        """End what is under way."""
        ...


class SecretKey:
    """One configured secret, for HS256; a token's key id means nothing to it."""

    def __init__(self, secret: str) -> None:
        value = secret.encode()
        if len(value) < MIN_SECRET_BYTES:
            raise ValueError(f"the secret must have at least {MIN_SECRET_BYTES} bytes")
        self._key = VerificationKey("HS256", value)

    async def find(self, kid: str | None) -> VerificationKey | None:  # noqa: ARG002
        """The secret."""
        return self._key

    async def stop(self) -> None:
        """Nothing is under way."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of one document."""

    by_kid: dict[str, VerificationKey]
    only: VerificationKey | None
    """The one key of a set that has no other: it verifies tokens that name no key."""

    def find(self, kid: str | None) -> VerificationKey | None:
        """The key for a token with this id, or without one."""
        return self.only if kid is None else self.by_kid.get(kid)


def read_key_set(document: bytes) -> KeySet:
    """The keys of a JSON Web Key Set that may verify tokens here; others are left out and logged.

    Raises KeysUnavailableError: it is no key set, or has no usable key.
    """
    try:
        entries = json.loads(document)["keys"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise KeysUnavailableError("the document is no JSON Web Key Set: it must be an object with 'keys'") from error
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise KeysUnavailableError(f"'keys' must be a list of at most {MAX_KEYS} keys")
    usable: list[tuple[str | None, VerificationKey]] = []
    for index, entry in enumerate(entries):
        try:
            usable.append(_read_key(entry))
        except ValueError as error:
            _log.warning("jwks_key_ignored", index=index, cause=str(error))
    times = Counter(kid for kid, _ in usable)
    for kid, count in times.items():
        if kid is not None and count > 1:
            # Which of them is meant cannot be told.
            _log.warning("jwks_key_ignored", kid=kid, cause=f"{count} keys have this kid")
    if not usable:
        raise KeysUnavailableError("the key set has no usable key: an RSA, P-256 or Ed25519 key for signatures")
    return KeySet(
        {kid: key for kid, key in usable if kid is not None and times[kid] == 1},
        usable[0][1] if len(usable) == 1 else None,
    )


def _read_key(entry: Any) -> tuple[str | None, VerificationKey]:  # noqa: ANN401  # any JSON
    """The key id and key of one JWK. Raises ValueError saying why it can't be used."""
    if not isinstance(entry, dict):
        raise ValueError("it is no object")  # noqa: TRY004  # what is wrong with it, not with its caller
    kid = entry.get("kid")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= MAX_KID_CHARACTERS):
        raise ValueError(f"its kid is no text of 1 to {MAX_KID_CHARACTERS} characters")
    kty = entry.get("kty")
    curve = "" if kty == "RSA" else entry.get("crv")
    # Compared, not looked up: any JSON may stand there.
    kind = next((value for (a_kty, a_crv), value in _KINDS.items() if (a_kty, a_crv) == (kty, curve)), None)
    if kind is None:
        raise ValueError("its type is none of RSA, EC with P-256, OKP with Ed25519")
    algorithm, reader, members = kind
    if "d" in entry:
        raise ValueError("it is a private key: whoever published it should replace it")
    if entry.get("alg", algorithm) != algorithm:
        raise ValueError(f"its alg is not {algorithm}, the one that its type is used with here")
    if entry.get("use", "sig") != "sig":
        raise ValueError("its use is not sig")
    operations = entry.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise ValueError("its key_ops lack verify")
    try:
        key: Any = reader.from_jwk({member: entry[member] for member in members})
    except (KeyError, TypeError, ValueError, InvalidKeyError) as error:
        raise ValueError("its members make no key") from error
    if kty == "RSA" and key.key_size not in _RSA_BITS:
        raise ValueError(f"it has {key.key_size} bits; RSA keys need {_RSA_BITS.start} to {_RSA_BITS.stop - 1}")
    return kid, VerificationKey(algorithm, key)


class IssuerKeys:
    """The issuer's key set, kept up to date.

    Asked for anew when it is older than REFRESH_SECONDS, and when a token names a key that is not in it, but never
    sooner than MIN_REFRESH_SECONDS after the last time. One request at a time; all who need it wait for the same.
    After a pause in which nobody asked, it is waited for: keys that were withdrawn verify nothing more.
    While the issuer does not answer, the keys at hand are good for `max_stale_seconds` more.
    """

    def __init__(self, document: KeyDocument, max_stale_seconds: float, monotonic: Callable[[], float]) -> None:
        self._document = document
        self._max_stale_seconds = max_stale_seconds
        self._monotonic = monotonic
        self._keys: KeySet | None = None
        self._read_at = float("-inf")
        self._tried_at = float("-inf")
        self._refreshing: asyncio.Task[None] | None = None
        self._after_pause = False

    async def find(self, kid: str | None) -> VerificationKey | None:
        """The key with this id; None: the issuer has none. Raises LedgerError AUTHENTICATION_UNAVAILABLE."""
        keys = self._at_hand()
        if keys is None or self._monotonic() - self._read_at >= REFRESH_SECONDS:
            refreshing = self._refresh()
            if (keys is None or self._after_pause) and refreshing is not None:
                await asyncio.shield(refreshing)
                keys = self._at_hand()
        if keys is None:
            raise LedgerError(
                Reason.AUTHENTICATION_UNAVAILABLE,
                "the keys that tokens are verified with cannot be had from their issuer at present; try again later",
            )
        key = keys.find(kid)
        if key is None:
            refreshing = self._refresh()
            if refreshing is not None:
                await asyncio.shield(refreshing)
                key = (self._at_hand() or keys).find(kid)
        return key

    async def prepare(self) -> None:
        """Ask for the keys before the first token comes; a failure is logged, and the first token tries again."""
        refreshing = self._refresh()
        if refreshing is not None:
            await asyncio.shield(refreshing)

    async def stop(self) -> None:
        """End a request that is under way."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)

    def _at_hand(self) -> KeySet | None:
        return self._keys if self._monotonic() - self._read_at <= self._max_stale_seconds else None

    def _refresh(self) -> asyncio.Task[None] | None:
        """The request under way, or a new one; None: the last one was just now."""
        if self._refreshing is None:
            if self._monotonic() - self._tried_at < MIN_REFRESH_SECONDS:
                return None
            # Not while the issuer is away, when the last try is recent: nobody waits for it again and again.
            self._after_pause = self._monotonic() - self._tried_at >= _PAUSE_SECONDS
            self._tried_at = self._monotonic()
            self._refreshing = asyncio.create_task(self._read(), name="jwks-refresh")
        return self._refreshing

    async def _read(self) -> None:
        try:
            keys = read_key_set(await self._document.read())
        except KeysUnavailableError as error:
            _log.warning("jwks_not_refreshed", cause=str(error), has_keys=self._at_hand() is not None)
        else:
            if self._keys is None or keys.by_kid.keys() != self._keys.by_kid.keys():
                _log.info("jwks_read", keys=sorted(keys.by_kid))
            self._keys, self._read_at = keys, self._monotonic()
        finally:
            self._refreshing = None
