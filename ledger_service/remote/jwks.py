"""Where the keys of a token issuer are read from: its URL, or a file. See application.verification_keys."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from ledger_service.application.verification_keys import KeysUnavailableError
from ledger_service.remote.hosts import is_loopback

MAX_BYTES = 256 * 1024
"""Of a key set."""
TIMEOUT_SECONDS = 5.0
"""For the whole request, from connecting to the last byte."""


def check_jwks_url(url: str) -> None:
    """Raises ValueError saying what is wrong with the URL of a key set."""
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError("no user and password in the URL of a key set: it is public")
    if not parts.hostname:
        raise ValueError("the URL of the key set has no host")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        # Who can change the answer on its way can sign tokens.
        raise ValueError("the URL of the key set must begin with https:// (http:// only on this machine)")


class JwksUrl:
    """A key set at a URL. Redirects are not followed: the keys of another host are another's."""

    def __init__(self, url: str) -> None:
        check_jwks_url(url)
        self._url = url
        # Once: reading the authorities takes milliseconds, in which nobody else would be served.
        self._context = httpx2.create_ssl_context()
        # A proxy of the environment is meant for the outside.
        direct = is_loopback(urlsplit(url).hostname or "")
        self._mounts = {"all://": None, "http://": None, "https://": None} if direct else None

    async def read(self) -> bytes:
        """The answer's body. Raises KeysUnavailableError: no answer in time, another status than 200, too large."""
        try:
            async with (
                asyncio.timeout(TIMEOUT_SECONDS),
                httpx2.AsyncClient(
                    timeout=TIMEOUT_SECONDS, follow_redirects=False, verify=self._context, mounts=self._mounts
                ) as client,
                client.stream("GET", self._url, headers={"accept": "application/json"}) as response,
            ):
                if response.status_code != httpx2.codes.OK:
                    raise KeysUnavailableError(f"the issuer answers with status {response.status_code}")
                return await _bounded_body(response)
        except TimeoutError as error:
            raise KeysUnavailableError(f"the issuer has not answered within {TIMEOUT_SECONDS:.0f} s") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise KeysUnavailableError(f"the issuer cannot be asked: {type(error).__name__}") from error


class JwksFile:
    """A key set in a file; replace it, and the new keys are read as those of a URL would be."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self) -> bytes:
        """The file's content. Raises KeysUnavailableError: it can't be read, or is too large."""
        try:
            return await asyncio.to_thread(self._read)
        except OSError as error:
            raise KeysUnavailableError(f"{self._path} cannot be read: {error.strerror}") from error

    def _read(self) -> bytes:
        with self._path.open("rb") as file:
            body = file.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            raise KeysUnavailableError(f"{self._path} has more than {MAX_BYTES} bytes")
        return body


async def _bounded_body(response: httpx2.Response) -> bytes:
    body = bytearray()
    # Decoded as it comes, so that a small answer cannot unfold into a large one unseen.
    async for part in response.aiter_bytes(16 * 1024):
        body += part
        if len(body) > MAX_BYTES:
            raise KeysUnavailableError(f"the issuer's answer has more than {MAX_BYTES} bytes")
    return bytes(body)
