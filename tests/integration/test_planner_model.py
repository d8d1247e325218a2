"""The optional planner model against a stand-in server: what it may do, and all that it may not."""

from __future__ import annotations

import asyncio
import json
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from ledger.v1 import question_pb2 as pb
from ledger_service.application.asking.modelled import plan_by_model
from ledger_service.application.asking.plan import COUNTED, Direction, Measure, Plan
from ledger_service.application.asking.ports import ModelFailed
from ledger_service.application.asking.schema import NotAPlan, json_schema, plan_from
from ledger_service.remote.planner_model import MAX_BYTES, ChatModel
from tests.helpers.builders import new_entity
from tests.helpers.servers import serving
from tests.questions.ledger import make_entity
from tests.questions.world import TODAY, VOCABULARY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

QUESTION = "How much did I spend on travel in May 2023?"
KEY = "planner-key-0123456789"
PLAN = {
    "measure": "sum",
    "direction": "spent",
    "filters": {
        "categories": ["cat_travel"],
        "uncategorized": False,
        "accounts": [],
        "counterparties": [],
        "texts": [],
        "statuses": [],
        "currency": "",
        "amount": None,
    },
    "period": {"first": "2023-05-01", "before": "2023-06-01", "said": "in May 2023"},
    "grouping": "none",
    "order": "largest_first",
    "limit": 10,
    "comparison": None,
}


def changed(**members: Any) -> dict[str, Any]:
    return {**PLAN, **members}


def filtered(**members: Any) -> dict[str, Any]:
    return changed(filters={**PLAN["filters"], **members})  # type: ignore[dict-item]


def completion(content: Any) -> bytes:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode()


def proposed(plan: Any) -> bytes:
    return completion(json.dumps({"plan": plan}))


@dataclass
class StandIn:
    """An endpoint that answers what it is told to."""

    url: str = ""
    body: bytes = b""
    status: str = "200 OK"
    headers: str = ""
    drip: float = 0.0
    requests: list[tuple[str, Any]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(int(line.split(":")[1]) for line in head.lower().splitlines() if "content-length" in line)
            self.requests.append((head, json.loads(await reader.readexactly(length))))
            writer.write(f"HTTP/1.1 {self.status}\r\ncontent-length: {len(self.body)}\r\n{self.headers}\r\n".encode())
            if not self.drip:
                writer.write(self.body)
            for byte in self.body if self.drip else b"":
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(self.drip)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def standing_in(**fields: Any) -> AsyncIterator[StandIn]:
    stand_in = StandIn(**fields)
    server = await asyncio.start_server(stand_in.serve, "127.0.0.1", 0)
    stand_in.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield stand_in
    finally:
        server.close()


async def plan(stand_in: StandIn, seconds: float = 5.0) -> Plan | None:
    model = ChatModel(stand_in.url, "stand-in", KEY, seconds)
    return await plan_by_model(model, QUESTION, VOCABULARY, TODAY)


async def test_a_good_plan_is_taken() -> None:
    async with standing_in(body=proposed(PLAN)) as stand_in:
        found = await plan(stand_in)
    assert found is not None
    assert (found.measure, found.direction, found.filters.categories) == (Measure.SUM, Direction.SPENT, ("cat_travel",))
    assert found.filters.statuses == COUNTED
    assert found.period is not None
    assert (found.period.first, found.period.said) == (date(2023, 5, 1), "in May 2023")
    [(head, request)] = stand_in.requests
    assert head.startswith("POST /v1/chat/completions ")
    assert f"authorization: bearer {KEY}" in head.lower()
    assert request["response_format"]["json_schema"]["schema"] == json_schema()
    told = json.loads(request["messages"][1]["content"])
    assert told["question"] == QUESTION
    assert {"id": "cat_travel", "name": "Travel"} in told["categories"]


async def test_the_authorities_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading them takes the event loop for tens of milliseconds."""
    async with standing_in(body=proposed(PLAN)) as stand_in:
        model = ChatModel(stand_in.url, "stand-in", KEY, 5.0)

        def read_again(*_: object, **__: object) -> None:
            pytest.fail("the authorities are read once more")

        monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", read_again)
        monkeypatch.setattr(ssl.SSLContext, "load_default_certs", read_again)
        monkeypatch.setattr(ssl.SSLContext, "set_default_verify_paths", read_again)
        for _ in range(2):
            assert await plan_by_model(model, QUESTION, VOCABULARY, TODAY) is not None


async def test_it_may_decline() -> None:
    async with standing_in(body=proposed(None)) as stand_in:
        assert await plan(stand_in) is None


@pytest.mark.parametrize(
    "bad",
    [
        filtered(categories=["cat_of_another_entity"]),
        filtered(accounts=["' OR 1=1 --"]),
        filtered(counterparties=["x'); DROP TABLE ledger.events; --"]),
        filtered(texts=["a text that nobody asked for"]),
        filtered(texts=[""]),
        filtered(currency="USD'; --"),
        filtered(currency="XXX"),
        filtered(statuses=["everything"]),
        filtered(statuses=["posted", "posted"]),
        filtered(categories=["cat_travel"], uncategorized=True),
        filtered(amount={"comparator": "more_than", "amount": "1e9", "upper": ""}),
        filtered(amount={"comparator": "more_than", "amount": "0 OR 1=1", "upper": ""}),
        filtered(amount={"comparator": "between", "amount": "1", "upper": ""}),
        filtered(categories=["cat_travel"] * 30),
        filtered(sql="SELECT 1"),
        changed(sql="SELECT * FROM ledger.credentials"),
        changed(entity_id="another"),
        changed(measure="delete"),
        changed(limit=1_000_000),
        changed(limit=True),
        changed(limit="10"),
        changed(period={"first": "2023-05-01", "before": "2023-05-01", "said": ""}),
        changed(period={"first": "0001-01-01", "before": None, "said": ""}),
        changed(period={"first": "yesterday", "before": None, "said": ""}),
        changed(comparison={"outcome": "more", "period": None, "amount": ""}),
        changed(grouping="month", comparison={"outcome": "more", "period": None, "amount": "5"}),
        changed(filters=[]),
        {"direction": "spent"},
        [],
        "sum",
    ],
)
async def test_a_plan_that_is_not_one_is_refused(bad: Any) -> None:
    async with standing_in(body=proposed(bad)) as stand_in:
        with pytest.raises(ModelFailed) as failed:
            await plan(stand_in)
    assert "DROP" not in str(failed.value)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"body": completion("You spent $5 on travel.")}, "not JSON"),
        ({"body": completion('{"plan": null, "plan": null}')}, "not JSON"),
        ({"body": completion('{"plan": NaN}')}, "not JSON"),
        ({"body": completion("[" * 30_000)}, "not JSON"),
        ({"body": completion(None)}, "no text"),
        ({"body": b"{}"}, "no chat completion"),
        ({"body": b"\xff\xfe"}, "no chat completion"),
        ({"body": b"x" * (MAX_BYTES + 1)}, "bytes"),
        ({"body": b"", "status": "500 Internal Server Error"}, "status 500"),
        ({"body": b"", "status": "302 Found", "headers": "location: http://127.0.0.1:1/\r\n"}, "status 302"),
        ({"body": proposed(PLAN), "drip": 0.05}, "not answered within"),
    ],
)
async def test_an_answer_that_cannot_be_used(fields: dict[str, Any], why: str) -> None:
    async with standing_in(**fields) as stand_in:
        with pytest.raises(ModelFailed, match=why):
            await plan(stand_in, 0.5 if "drip" in fields else 5.0)


async def test_nobody_there() -> None:
    async with standing_in() as stand_in:
        pass
    with pytest.raises(ModelFailed, match="cannot be asked"):
        await plan(stand_in)


@pytest.mark.parametrize(
    "url",
    [
        "http://models.example/v1",
        "https://user:secret@models.example/v1",
        "ftp://127.0.0.1/v1",
        "https:///v1",
        "https://a/v1?k=1",
    ],
)
def test_addresses_that_would_give_the_key_away(url: str) -> None:
    with pytest.raises(ValueError, match=r"https|password|plain"):
        ChatModel(url, "model", KEY, 1.0)


def test_schema_is_strict_throughout() -> None:
    def objects(schema: Any) -> list[dict[str, Any]]:
        if isinstance(schema, dict):
            nested = [each for value in schema.values() for each in objects(value)]
            return [schema, *nested] if schema.get("type") == "object" else nested
        return [each for one in schema for each in objects(one)] if isinstance(schema, list) else []

    found = objects(json_schema())
    assert len(found) >= 5
    assert all(one["additionalProperties"] is False and one["required"] == list(one["properties"]) for one in found)
    with pytest.raises(NotAPlan):
        plan_from(json.dumps({"plan": PLAN, "more": 1}), QUESTION, VOCABULARY)


async def ask(client: Any, entity: str, question: str) -> pb.AskTransactionsResponse:
    answer: pb.AskTransactionsResponse = await client.transactions.AskTransactions(
        pb.AskTransactionsRequest(entity_id=entity, question=question)
    )
    return answer


async def test_the_service_says_who_planned_and_falls_back(database: str) -> None:
    async with (
        standing_in(body=proposed(PLAN)) as stand_in,
        serving(
            database,
            planner_url=stand_in.url,
            planner_model="stand-in",
            planner_key=KEY,
            planner_seconds=5.0,
        ) as service,
    ):
        entity = await make_entity(service.client)
        answer = await ask(service.client, entity, "travel, may 2023, how much went out?")
        assert (answer.planner, answer.planner_fallback, answer.understood) == ("stand-in", "", True)
        assert answer.plan.filters.categories[0].name == "Travel"
        assert answer.plan.period.said == ""
        stand_in.body = proposed(filtered(categories=["cat_of_another_entity"]))
        answer = await ask(service.client, entity, QUESTION)
        assert (answer.planner, answer.understood) == ("default", True)
        assert "does not have" in answer.planner_fallback
        stand_in.body = proposed(None)
        answer = await ask(service.client, entity, "What is the weather like?")
        assert (answer.planner, answer.understood) == ("default", False)
        assert "no plan" in answer.planner_fallback
        # An entity without these names can't be asked about them, whatever the model proposes.
        other = await new_entity(service.client)
        stand_in.body = proposed(PLAN)
        answer = await ask(service.client, other, QUESTION)
        assert (answer.planner, answer.understood) == ("default", False)
