"""JWTs: what must be true of one before anything in it is believed.

PyJWT verifies signatures here and nothing more. Its own checks of claims take a token without `exp`, an `exp` that
is text, and any `typ`; so the claims are checked below, each by a rule of its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import jwt

from ledger_service.application.access import Principal, Scope
from ledger_service.application.callers import JWT_PREFIX, MAX_SUBJECT_CHARACTERS, is_plain_text
from ledger_service.application.verification_keys import MAX_KID_CHARACTERS, Keys, VerificationKey
from ledger_service.domain.errors import LedgerError, Reason

MAX_TOKEN_CHARACTERS = 8_192
"""Of a JWT; all headers of a call together have 16 KiB."""
MAX_GRANTS = 1_000
"""Entities in a token."""
_TYPES = frozenset({"jwt", "at+jwt"})
_LATEST = 253_402_300_799
"""The end of the year 9999, in seconds since 1970."""
_SCOPES = {scope.value: scope for scope in Scope}

_VERIFIERS = {name: jwt.PyJWS([name]) for name in ("RS256", "ES256", "EdDSA", "HS256")}
_ONLY_SAFE_KEYS: Any = {"verify_signature": True, "enforce_minimum_key_length": True}


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What tokens must say. `label` stands for the issuer in the history."""

    issuer: str
    audience: str
    label: str
    entities_claim: str
    leeway_seconds: float
    """How far the issuer's clock may be from ours."""
    max_lifetime_seconds: float
    """From `iat` to `exp`, at most."""


class Verified(NamedTuple):
    """Who a token stands for, and until when, in seconds since 1970."""

    principal: Principal
    expires: float


class TokenVerifier:
    """Verifies the JWTs of one issuer."""

    def __init__(self, rules: TokenRules, keys: Keys, now: Callable[[], float]) -> None:
        self._rules = rules
        self._keys = keys
        self._now = now

    async def verify(self, token: str) -> Verified:
        """The caller behind a token. Raises LedgerError UNAUTHENTICATED, AUTHENTICATION_UNAVAILABLE."""
        if len(token) > MAX_TOKEN_CHARACTERS:
            _refuse(f"the token is longer than {MAX_TOKEN_CHARACTERS} characters")
        algorithm, kid = _read_header(token)
        key = await self._keys.find(kid)
        if key is None:
            _refuse(
                "the token names no key, and its issuer has not exactly one"
                if kid is None
                else "the token is signed with a key that its issuer does not publish"
            )
        # The key says how it is used; a header that says otherwise is wrong or an attempt.
        if algorithm != key.algorithm:
            _refuse(f"the token's alg is not {key.algorithm}, the one of the key that it names")
        claims = _read_claims(_verified_payload(token, key))
        return Verified(self._principal_of(claims), self._check_times(claims))

    async def stop(self) -> None:
        """End what is under way."""
        await self._keys.stop()

    def _check_times(self, claims: dict[str, Any]) -> float:
        """When it expires. Raises LedgerError for one that is not good now, or was made for too long."""
        now, leeway = self._now(), self._rules.leeway_seconds
        issued, expires = _seconds(claims, "iat"), _seconds(claims, "exp")
        if issued > now + leeway:
            _refuse("the token's iat lies in the future")
        if "nbf" in claims and _seconds(claims, "nbf") > now + leeway:
            _refuse("the token is not valid yet: its nbf lies in the future")
        if expires <= now - leeway:
            _refuse("the token has expired; get a new one")
        if not 0 < expires - issued <= self._rules.max_lifetime_seconds:
            _refuse(f"the token's exp must lie at most {self._rules.max_lifetime_seconds:.0f} s after its iat")
        return expires

    def _principal_of(self, claims: dict[str, Any]) -> Principal:
        rules = self._rules
        if claims.get("iss") != rules.issuer:
            _refuse("the token's iss is not the issuer that this service trusts")
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if not all(isinstance(one, str) for one in audiences) or rules.audience not in audiences:
            _refuse("the token's aud does not name this service")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not is_plain_text(subject, MAX_SUBJECT_CHARACTERS):
            _refuse(f"the token's sub must be text of 1 to {MAX_SUBJECT_CHARACTERS} printable characters")
        name = f"{JWT_PREFIX}{rules.label}:{subject}"
        return Principal(name, _scopes(claims), _grants(claims, rules.entities_claim))


def _read_header(token: str) -> tuple[str, str | None]:
    """The algorithm that the token claims, and its key id. Raises LedgerError."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, RecursionError):
        _refuse("the token is no well-formed JWT")
    typ, algorithm, kid = header.get("typ"), header.get("alg"), header.get("kid")
    if not isinstance(typ, str) or typ.lower() not in _TYPES:
        _refuse("the token's typ must be JWT or at+jwt")
    if not isinstance(algorithm, str) or algorithm not in _VERIFIERS:
        _refuse(f"the token's alg must be one of {', '.join(_VERIFIERS)}")
    if "crit" in header or "b64" in header:
        _refuse("the token's header has crit or b64, which are not used here")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= MAX_KID_CHARACTERS):
        _refuse(f"the token's kid must be text of 1 to {MAX_KID_CHARACTERS} characters")
    return algorithm, kid


def _verified_payload(token: str, key: VerificationKey) -> bytes:
    try:
        verified = _VERIFIERS[key.algorithm].decode_complete(
            token, key=key.key, algorithms=[key.algorithm], options=_ONLY_SAFE_KEYS
        )
    except jwt.PyJWTError:
        _refuse("the token's signature is not that of its key")
    payload: bytes = verified["payload"]
    return payload


def _read_claims(payload: bytes) -> dict[str, Any]:
    try:
        claims = json.loads(payload, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError):
        _refuse("the token's claims are no JSON, or name a member twice")
    if not isinstance(claims, dict):
        _refuse("the token's claims are no JSON object")
    return claims


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a member is there twice")
    return found


def _seconds(claims: dict[str, Any], name: str) -> float:
    """A moment in seconds since 1970. Text, true and NaN are none."""
    value: Any = claims.get(name)
    # type, not isinstance: a bool is an int.
    if type(value) not in (int, float) or (type(value) is float and not math.isfinite(value)):
        _refuse(f"the token's {name} must be there, as a number of seconds since 1970")
    if not 0 <= value <= _LATEST:
        _refuse(f"the token's {name} is out of range")
    return float(value)


def _scopes(claims: dict[str, Any]) -> frozenset[Scope]:
    """From `scope` (blank separated), or `scp` or `scopes` (a list as well). Scopes of other services do not count."""
    name = next((name for name in ("scope", "scp", "scopes") if name in claims), None)
    if name is None:
        return frozenset()
    value = claims[name]
    if isinstance(value, str):
        value = value.split(" ")
    elif name == "scope":
        _refuse("the token's scope must be text, the scopes separated by blanks")
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        _refuse(f"the token's {name} must be a list of texts")
    return frozenset(_SCOPES[one] for one in value if one in _SCOPES)


def _grants(claims: dict[str, Any], name: str) -> frozenset[str] | None:
    """The ids of entities; "*" alone: every entity (None); nothing there: no entity."""
    value = claims.get(name, [])
    if value == "*":
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value) or len(value) > MAX_GRANTS:
        _refuse(f'the token\'s {name} must be a list of at most {MAX_GRANTS} entity ids, or "*" for every entity')
    if "*" in value:
        _refuse(f'the token\'s {name} has "*" in a list; write "*" alone for every entity')
    return frozenset(value)


def _refuse(message: str) -> NoReturn:
    raise LedgerError(Reason.UNAUTHENTICATED, message)
