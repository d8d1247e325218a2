"""Key sets from a real server and from files, with all that a server can do wrong."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import pytest

from ledger_service.application.verification_keys import KeysUnavailableError
from ledger_service.remote import jwks
from ledger_service.remote.jwks import JwksFile, JwksUrl
from ledger_service.tls import TlsFiles, server_context
from tests.helpers.certificates import Authority
from tests.helpers.issuer import issuer_server, jwk, key_set, rsa_key

KEYS = key_set(jwk(rsa_key(), "k1"))


async def unavailable(url: str) -> str:
    with pytest.raises(KeysUnavailableError) as caught:
        await JwksUrl(url).read()
    return str(caught.value)


async def test_a_key_set() -> None:
    async with issuer_server(KEYS) as issuer:
        assert await JwksUrl(issuer.url).read() == KEYS


async def test_over_tls_with_an_authority_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    context = server_context(TlsFiles(*authority.server_files()))
    async with issuer_server(KEYS, tls=context) as issuer:
        assert "cannot be asked" in await unavailable(issuer.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.trust_file()))
        assert await JwksUrl(issuer.url).read() == KEYS


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oh", "204 No Content", "206 Partial Content"])
async def test_other_statuses(status: str) -> None:
    async with issuer_server(KEYS, status=status) as issuer:
        assert status[:3] in await unavailable(issuer.url)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_redirects_are_not_followed(status: str) -> None:
    async with issuer_server(KEYS) as other, issuer_server(status=status) as issuer:
        issuer.headers.append(f"location: {other.url}")
        assert status[:3] in await unavailable(issuer.url)
        assert other.asked == 0


async def test_an_answer_that_is_too_large() -> None:
    async with issuer_server(b" " * (jwks.MAX_BYTES + 1)) as issuer:
        assert "bytes" in await unavailable(issuer.url)
    async with issuer_server(is_endless=True) as issuer:
        assert "bytes" in await unavailable(issuer.url)
    small = gzip.compress(b" " * (50 * jwks.MAX_BYTES))
    async with issuer_server(small, headers=["content-encoding: gzip"]) as issuer:
        assert "bytes" in await unavailable(issuer.url)


async def test_an_answer_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "TIMEOUT_SECONDS", 0.2)
    async with issuer_server(KEYS, hold=asyncio.Event()) as issuer:
        assert await unavailable(issuer.url)
        assert issuer.asked == 1


async def test_nobody_there() -> None:
    assert "cannot be asked" in await unavailable("http://127.0.0.1:1/keys")
    async with issuer_server(KEYS, status="200 OK\r\nx") as issuer:
        assert await unavailable(issuer.url)


async def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    async with issuer_server(KEYS) as issuer, issuer_server() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        assert await JwksUrl(issuer.url).read() == KEYS
        assert proxy.asked == 0


@pytest.mark.parametrize(
    "url",
    ["http://issuer.example/keys", "ftp://issuer.example/keys", "https://", "https://user:hunter2@issuer.example/keys",
     "https://token@issuer.example/keys", "file:///etc/keys", "http://127.0.0.1.example/keys", "//issuer.example"],
)  # fmt: skip
def test_urls_that_are_not_taken(url: str) -> None:
    with pytest.raises(ValueError, match="key set") as caught:
        JwksUrl(url)
    assert "hunter2" not in str(caught.value)


async def test_files(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with pytest.raises(KeysUnavailableError, match=r"keys\.json"):
        await JwksFile(path).read()
    path.write_bytes(KEYS)
    assert await JwksFile(path).read() == KEYS
    path.write_bytes(b" " * (jwks.MAX_BYTES + 1))
    with pytest.raises(KeysUnavailableError, match="bytes"):
        await JwksFile(path).read()
