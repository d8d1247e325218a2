"""A token issuer: keys, tokens of any shape, and a server for its key set that can be made to misbehave."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm, get_default_algorithms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

ISSUER = "https://issuer.example"
AUDIENCE = "ledger"
SECRET = "a configured secret of more than 32 bytes"


@cache
def rsa_key(name: str = "", bits: int = 2048) -> rsa.RSAPrivateKey:
    """An RSA key; the same one for the same name."""
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(name: str = "", curve: str = "P-256") -> ec.EllipticCurvePrivateKey:
    """A key on a NIST curve."""
    return ec.generate_private_key({"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}[curve])


@cache
def ed_key(name: str = "") -> ed25519.Ed25519PrivateKey:
    """An Ed25519 key."""
    return ed25519.Ed25519PrivateKey.generate()


def signing_key(algorithm: str, name: str = "") -> Any:
    """The private key of an algorithm."""
    makers: dict[str, Any] = {"RS256": rsa_key, "ES256": ec_key, "EdDSA": ed_key}
    return makers[algorithm](name) if name else makers[algorithm]()


def jwk(key: Any, kid: str | None = None, **more: Any) -> dict[str, Any]:
    """The public key as a JWK."""
    readers = ((rsa.RSAPrivateKey, RSAAlgorithm), (ec.EllipticCurvePrivateKey, ECAlgorithm))
    reader: Any = next((reader for kind, reader in readers if isinstance(key, kind)), OKPAlgorithm)
    entry = {name: value for name, value in reader.to_jwk(key.public_key(), as_dict=True).items() if name != "key_ops"}
    return {**entry, **({} if kid is None else {"kid": kid}), **more}


def key_set(*keys: dict[str, Any]) -> bytes:
    """The keys as a document."""
    return json.dumps({"keys": list(keys)}).encode()


def claims(now: float | None = None, **changes: Any) -> dict[str, Any]:
    """Good claims, an hour long; a change to None leaves the claim out."""
    issued = int(time.time() if now is None else now)
    good: dict[str, Any] = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "iat": issued, "exp": issued + 3600,
        "scope": "read write", "ledger_entities": "*",
    }  # fmt: skip
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def token(
    key: Any,
    payload: Mapping[str, Any] | bytes,
    algorithm: str = "RS256",
    header: Mapping[str, Any] | None = None,
    kid: str | None = "k1",
) -> str:
    """A signed token. `header` replaces members (None leaves one out); the signature is always by `algorithm`."""
    members: dict[str, Any] = {"typ": "JWT", "alg": algorithm, "kid": kid, **(header or {})}
    head = json.dumps({name: value for name, value in members.items() if value is not None}).encode()
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signed = f"{encoded(head)}.{encoded(body)}"
    return f"{signed}.{encoded(get_default_algorithms()[algorithm].sign(signed.encode(), key))}"


def encoded(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class IssuerServer:
    """Serves `answer` at `url`, and counts."""

    url: str = ""
    body: bytes = b""
    status: str = "200 OK"
    headers: list[str] = field(default_factory=list)
    asked: int = 0
    hold: asyncio.Event | None = None
    """Answers wait for it."""
    is_endless: bool = False
    """The body never ends."""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request on one connection."""
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            if self.hold is not None:
                await self.hold.wait()
            length = [] if self.is_endless else [f"content-length: {len(self.body)}"]
            head = [f"HTTP/1.1 {self.status}", "connection: close", *length, *self.headers]
            writer.write(("\r\n".join(head) + "\r\n\r\n").encode() + self.body)
            while self.is_endless:
                writer.write(b" " * 16_384)
                await writer.drain()
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def issuer_server(
    body: bytes = b"", tls: ssl.SSLContext | None = None, **values: Any
) -> AsyncIterator[IssuerServer]:
    """A key set on a port of this machine."""
    issuer = IssuerServer(body=body, **values)
    server = await asyncio.start_server(issuer.answer, "127.0.0.1", 0, ssl=tls)
    issuer.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
    async with server:
        try:
            yield issuer
        finally:
            if issuer.hold is not None:
                issuer.hold.set()
