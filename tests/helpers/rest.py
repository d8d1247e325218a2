"""A plain client of the gateway: bytes out, bytes in, numbers never through a float."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx2

from tests.helpers.builders import unique

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TIMEOUT_SECONDS = 60.0
"""Far above what any call takes: it ends a test that hangs, and measures nothing."""


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: httpx2.Headers
    content: bytes

    @property
    def json(self) -> Any:
        """The body; numbers with a fraction are Decimal."""
        return json.loads(self.content, parse_float=Decimal)

    @property
    def error(self) -> Any:
        """The error that the body tells."""
        assert self.status >= 400, self.content
        assert set(self.json) == {"error"}
        assert set(self.json["error"]) == {"code", "message", "field", "details"}
        return self.json["error"]

    def good(self, status: int = 200) -> Any:
        """The body, of an answer with this status."""
        assert self.status == status, (self.status, self.content)
        return self.json


class Rest:
    """One caller of one gateway."""

    def __init__(self, client: httpx2.AsyncClient, token: str | None) -> None:
        self.client = client
        self.token = token

    async def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """Send bytes; header names are written with _ for -."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            sent.setdefault("authorization", f"Bearer {self.token}")
        if body is not None:
            sent.setdefault("content-type", "application/json")
        answer = await self.client.request(method, path, content=body, headers=sent)
        return Reply(answer.status_code, answer.headers, answer.content)

    async def get(self, path: str, **headers: str) -> Reply:
        """GET."""
        return await self.send("GET", path, **headers)

    async def post(self, path: str, body: Any = None, **headers: str) -> Reply:
        """POST of JSON."""
        return await self.send("POST", path, None if body is None else json.dumps(body).encode(), **headers)

    async def patch(self, path: str, body: Any, **headers: str) -> Reply:
        """PATCH of JSON."""
        return await self.send("PATCH", path, json.dumps(body).encode(), **headers)

    async def new_entity(self, time_zone: str = "UTC") -> str:
        """Make an entity; gives its id."""
        entity = {"id": unique("entity"), "name": "An entity of a test", "timeZone": time_zone}
        return str((await self.post("/v1/entities", entity)).good(201)["entity"]["id"])

    async def new_account(self, entity: str, account: str, kind: str = "ASSET", **members: Any) -> str:
        """Make an account; gives its id."""
        body = {"id": account, "name": account, "type": kind, **members}
        return str((await self.post(f"/v1/accounts?entityId={entity}", body)).good(201)["account"]["id"])

    async def new_transaction(self, entity: str, amount: Any = "10.00", **members: Any) -> dict[str, Any]:
        """Record one from acc_bank to acc_office; gives the object."""
        body = {"amount": amount, "debitAccountId": "acc_office", "creditAccountId": "acc_bank", **members}
        found: dict[str, Any] = (await self.post(f"/v1/transactions?entityId={entity}", body)).good(201)["transaction"]
        return found


@asynccontextmanager
async def rest_client(url: str, token: str | None) -> AsyncIterator[Rest]:
    """A client with connections of its own."""
    async with httpx2.AsyncClient(base_url=url, timeout=TIMEOUT_SECONDS, trust_env=False) as client:
        yield Rest(client, token)


async def office(rest: Rest, time_zone: str = "UTC") -> str:
    """An entity with acc_bank and acc_office; gives its id."""
    entity = await rest.new_entity(time_zone)
    await rest.new_account(entity, "acc_bank", "ASSET")
    await rest.new_account(entity, "acc_office", "EXPENSE", code="5001")
    return entity
