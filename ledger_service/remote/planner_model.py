"""A language model at an OpenAI-compatible endpoint, asked for the plan of a question. See application.asking.ports.

What comes back is not trusted: it is bounded in size and time here, and read strictly by application.asking.schema.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import httpx2

from ledger_service.application.asking.ports import ModelFailed
from ledger_service.remote.hosts import is_loopback

MAX_BYTES = 64 * 1024
"""Of an answer; a plan has some 1 KiB."""
MAX_TOKENS = 1_500
"""That the model may make of its answer."""


class ChatModel:
    """The endpoint `URL/chat/completions`. Redirects are not followed: the key is for this host alone."""

    def __init__(self, url: str, model: str, key: str | None, seconds: float) -> None:
        """Raises ValueError saying what is wrong with the URL."""
        parts = urlsplit(url)
        if parts.username is not None or parts.password is not None:
            raise ValueError("no user and password in the URL; give LEDGER_PLANNER_KEY")
        if not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be a plain URL such as https://HOST/v1")
        loopback = is_loopback(parts.hostname)
        if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
            # Questions, names and the key would cross a network that others can read.
            raise ValueError("must begin with https:// (http:// only on this machine)")
        self._url = url.rstrip("/") + "/chat/completions"
        self._model = model
        self._headers = {"accept": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
        self._seconds = seconds
        # Once: reading the authorities takes milliseconds, in which nobody else would be served.
        self._context = httpx2.create_ssl_context()
        # A proxy of the environment is meant for the outside.
        self._use_environment = not loopback

    @property
    def name(self) -> str:
        """The model's name, as configured."""
        return self._model

    async def complete(self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, object]) -> str:
        """The text of its answer. Raises ModelFailed: none in time, another status than 200, too large, no text."""
        request = {
            "model": self._model,
            "messages": list(messages),
            "temperature": 0,
            "max_tokens": MAX_TOKENS,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "query_plan", "strict": True, "schema": schema},
            },
        }
        try:
            async with (
                asyncio.timeout(self._seconds),
                httpx2.AsyncClient(
                    timeout=self._seconds,
                    follow_redirects=False,
                    verify=self._context,
                    trust_env=self._use_environment,
                ) as client,
                client.stream("POST", self._url, json=request, headers=self._headers) as response,
            ):
                if response.status_code != httpx2.codes.OK:
                    raise ModelFailed(f"it answers with status {response.status_code}")
                return _text_of(await _bounded_body(response))
        except TimeoutError as error:
            raise ModelFailed(f"it has not answered within {self._seconds:g} s") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise ModelFailed(f"it cannot be asked ({type(error).__name__})") from error


async def _bounded_body(response: httpx2.Response) -> bytes:
    body = bytearray()
    # Decoded as it comes, so that a small answer cannot unfold into a large one unseen.
    async for part in response.aiter_bytes(16 * 1024):
        body += part
        if len(body) > MAX_BYTES:
            raise ModelFailed(f"its answer has more than {MAX_BYTES} bytes")
    return bytes(body)


def _text_of(body: bytes) -> str:
    """The content of the first choice's message."""
    try:
        text = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ModelFailed("its answer is no chat completion") from error
    if not isinstance(text, str):
        raise ModelFailed("its answer has no text")
    return text
