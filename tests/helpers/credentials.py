"""Credentials of every kind, good and bad, for the tests of who may do what."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import jwt

from ledger_service.application.authentication import token_hmac
from tests.helpers.builders import unique

if TYPE_CHECKING:
    from collections.abc import Iterable

ISSUER, AUDIENCE = "https://issuer.test", "ledger.test"
SECRET = "a secret of tests for HS256 tokens, long enough"
JWT_SETTINGS = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_secret": SECRET}
"""What a service has to be told to take `web_token`s."""


async def api_key(
    dsn: str,
    scopes: Iterable[str],
    entity_ids: Iterable[str] | None = None,
    *,
    expired: bool = False,
    revoked: bool = False,
) -> str:
    """A key in the database; gives its text."""
    token = secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "INSERT INTO ledger.credentials"
            " (credential_id, name, token_hmac, scopes, entity_ids, created_time, expire_time, revoked_time)"
            " VALUES ($1, $1, $2, $3, $4, $5, $6, $7)",
            unique("credential"),
            token_hmac(token, ""),
            sorted(scopes),
            None if entity_ids is None else sorted(entity_ids),
            now - timedelta(days=2),
            now - timedelta(days=1) if expired else None,
            now - timedelta(days=1) if revoked else None,
        )
    finally:
        await connection.close()
    return token


def web_token(scopes: Iterable[str], entity_ids: Iterable[str] | None = None, **changes: Any) -> str:
    """A JWT of the issuer's; `changes` are other claims, None leaves one out; `secret` and `typ` as well."""
    now = int(time.time())
    secret, typ = changes.pop("secret", SECRET), changes.pop("typ", "JWT")
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "a-service",
        "iat": now - 1,
        "exp": now + 600,
        "scope": " ".join(sorted(scopes)),
        "ledger_entities": "*" if entity_ids is None else sorted(entity_ids),
        **changes,
    }
    headers = {"typ": typ}
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, secret, "HS256", headers=headers)


async def refused_tokens(dsn: str, scopes: Iterable[str], entity_ids: Iterable[str] | None) -> dict[str, str | None]:
    """Authorization headers that nobody is let in with, by what is wrong; None: no header at all."""
    now = int(time.time())
    right = sorted(scopes)

    def bearer(**changes: Any) -> str:
        return "Bearer " + web_token(right, entity_ids, **changes)

    return {
        "none": None,
        "another scheme": "Basic dXNlcjpwYXNzd29yZA==",
        "empty": "Bearer ",
        "unknown": "Bearer " + secrets.token_urlsafe(32),
        "expired key": "Bearer " + await api_key(dsn, right, entity_ids, expired=True),
        "revoked key": "Bearer " + await api_key(dsn, right, entity_ids, revoked=True),
        "expired JWT": bearer(iat=now - 7200, exp=now - 3600),
        "JWT of the future": bearer(iat=now + 3600, exp=now + 7200),
        "JWT without end": bearer(exp=None),
        "wrong audience": bearer(aud="another service"),
        "wrong issuer": bearer(iss="https://elsewhere.test"),
        "wrong signature": bearer(secret="another secret that is long enough for HS256"),
        "wrong type": bearer(typ="logout+jwt"),
    }
