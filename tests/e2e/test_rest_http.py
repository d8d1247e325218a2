"""HTTP itself: who is let in, what is refused by name, limits, health, drain."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import trustme

from ledger_service import bootstrap
from ledger_service.config import Listeners
from tests.helpers.credentials import api_key
from tests.helpers.rest import Reply, Rest, office, rest_client
from tests.helpers.servers import TOKEN, Service, cloned, serving, settings_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BODY_LIMIT = 8 * 1024
HEADER_LIMIT = 4 * 1024


@pytest.fixture(scope="module")
async def gateway(postgres: Any, template: str) -> AsyncIterator[Service]:
    async with (
        cloned(postgres.dsn, template) as dsn,
        serving(dsn, max_body_bytes=BODY_LIMIT, max_header_bytes=HEADER_LIMIT, client_timeout_seconds=0.5) as service,
    ):
        yield service


@pytest.fixture(scope="module")
async def rest(gateway: Service) -> AsyncIterator[Rest]:
    async with rest_client(gateway.rest, TOKEN) as rest:
        yield rest


@pytest.fixture(scope="module")
async def entity(rest: Rest) -> str:
    return await office(rest)


BODY = {"amount": "1.00", "debitAccountId": "acc_office", "creditAccountId": "acc_bank"}


async def raw(gateway: Service, sent: bytes) -> bytes:
    """Send bytes on a connection of its own and read until it is closed."""
    host, _, port = gateway.rest.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(sent)
        async with asyncio.timeout(30):
            return await reader.read()
    finally:
        writer.close()


async def test_without_a_token(gateway: Service) -> None:
    async with rest_client(gateway.rest, None) as stranger:
        reply = await stranger.get("/v1/entities")
        assert (reply.status, reply.error["code"]) == (401, "unauthenticated")
        assert reply.headers["www-authenticate"].startswith("Bearer")
        for path in ("/healthz", "/readyz", "/openapi.json", "/docs", "/docs/swagger-ui.css"):
            assert (await stranger.get(path)).status == 200
        assert (await stranger.get("/v1/entities", authorization="Bearer nobody-has-this-one")).status == 401
        assert (await stranger.get("/v1/entities", authorization="Basic Zm9vOmJhcg==")).status == 401


async def test_permission_comes_before_existence(gateway: Service, rest: Rest, entity: str) -> None:
    other = await office(rest)
    foreign = (await rest.new_transaction(other))["id"]
    own = (await rest.new_transaction(entity))["id"]
    reader = Rest(rest.client, await api_key(gateway.dsn, ["read"], [entity]))
    refused = await reader.post(f"/v1/transactions?entityId={entity}", BODY)
    assert (refused.status, refused.error["code"]) == (403, "permission_denied")
    answers = [await reader.get(f"/v1/accounts/acc_bank?entityId={one}") for one in (other, "entity_of_nobody")]
    assert answers[0].status == 403
    assert answers[0].content == answers[1].content
    assert (await reader.get(f"/v1/transactions/{own}")).good()["transaction"]["entityId"] == entity
    # Of an id alone: another entity's, a made up and a malformed one are the same.
    told = []
    for unknown in (foreign, own[:-1] + ("0" if own[-1] != "0" else "1"), "txn_x"):
        reply = await reader.get(f"/v1/transactions/{unknown}")
        assert reply.status == 404
        told.append(reply.content.replace(unknown.encode(), b"ID"))
    assert len(set(told)) == 1
    edited = await reader.post("/v1/transactions/edit", {"id": "txn_x", "description": "x"})
    assert edited.status == 403


@pytest.mark.parametrize(
    "header", ["idempotency-key-x", "x-idempotency-key", "idempotencykey", "idempotent-key", "idem-key"]
)
async def test_a_misspelt_idempotency_header_is_refused(rest: Rest, entity: str, header: str) -> None:
    reply = await rest.send(
        "POST", f"/v1/transactions?entityId={entity}", json.dumps(BODY).encode(), **{header.replace("-", "_"): "k"}
    )
    assert (reply.status, reply.error["field"]) == (400, header)
    assert "Idempotency-Key" in reply.error["message"]


async def test_a_write_tells_its_key_and_a_replay_is_the_same(rest: Rest, entity: str) -> None:
    path = f"/v1/transactions?entityId={entity}"
    first = await rest.post(path, {**BODY, "metadata": {"a": [1.5]}})
    key = first.headers["idempotency-key"]
    assert first.headers["idempotent-replayed"] == "false"
    again = await rest.post(path, {**BODY, "amount": 1, "metadata": {"a": [1.5]}}, idempotency_key=key)
    assert again.headers["idempotent-replayed"] == "true"
    assert (again.status, again.json) == (first.status, first.json)
    refused = await rest.post(path, {**BODY, "creditAccountId": "acc_nobody"}, idempotency_key="refused-once")
    again = await rest.post(path, {**BODY, "creditAccountId": "acc_nobody"}, idempotency_key="refused-once")
    assert refused.status == again.status == 404
    assert again.error["details"].pop("replayed") is True
    assert again.headers["idempotency-key"] == "refused-once"


@pytest.mark.parametrize("name", ["idempotency-key", "authorization", "x-request-id", "content-type"])
async def test_a_header_that_stands_twice_is_refused(gateway: Service, entity: str, name: str) -> None:
    body = json.dumps(BODY)
    answer = await raw(
        gateway,
        f"POST /v1/transactions?entityId={entity} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{name}: a\r\n"
        f"{name}: a\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode(),
    )
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"stands twice" in answer


async def test_request_ids(rest: Rest) -> None:
    reply = await rest.get("/v1/entities", x_request_id="trace-1")
    assert reply.headers["x-request-id"] == "trace-1"
    assert (await rest.get("/v1/entities")).headers["x-request-id"]
    refused = await rest.get("/v1/entities", x_request_id="with blanks")
    assert (refused.status, refused.error["field"]) == (400, "X-Request-Id")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("entityid=x", "entityid"),
        ("entityId=x&entityId=x", "entityId"),
        ("entityId=", "entityId"),
        ("entityId", "entityId"),
        ("", "entityId"),
        ("entityId=x&pageSize=ten", "pageSize"),
        ("entityId=x&pageSize=0", "pageSize"),
        ("entityId=x&pageSize=1001", "pageSize"),
        ("entityId=%ff", "entityId"),
        ("entityId=%00", "entityId"),
        ("entityId=x&%00=1", "\\x00"),
    ],
)
async def test_parameters_are_refused_by_name(rest: Rest, query: str, field: str) -> None:
    reply = await rest.get(f"/v1/transactions?{query}")
    assert reply.status == 400
    assert reply.error["field"] in (field, "query")


async def test_a_cursor_of_another_query(rest: Rest, entity: str) -> None:
    for _ in range(2):
        await rest.new_transaction(entity)
    cursor = (await rest.get(f"/v1/transactions?entityId={entity}&pageSize=1")).good()["nextCursor"]
    other = await office(rest)
    reply = await rest.get(f"/v1/transactions?entityId={other}&cursor={cursor}")
    assert (reply.status, reply.error["code"], reply.error["field"]) == (400, "invalid_cursor", "cursor")


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ('Application/JSON;charset="UTF-8"', 201),
        ("application/json; charset=latin-1", 415),
        ("text/json", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
    ],
)  # fmt: skip
async def test_media_types(rest: Rest, entity: str, content_type: str, status: int) -> None:
    path = f"/v1/transactions?entityId={entity}"
    reply = await rest.send("POST", path, json.dumps(BODY).encode(), content_type=content_type)
    assert reply.status == status
    if status == 415:
        assert reply.error["code"] == "unsupported_media_type"
    compressed = await rest.send("POST", path, b"x", content_encoding="gzip")
    assert compressed.status == 415


async def test_a_body_that_is_too_large(gateway: Service, rest: Rest, entity: str) -> None:
    path = f"/v1/transactions?entityId={entity}"
    large = json.dumps({**BODY, "description": "x" * BODY_LIMIT}).encode()
    reply = await rest.send("POST", path, large)
    assert (reply.status, reply.error["code"]) == (413, "body_too_large")
    assert reply.error["details"] == {"limit": BODY_LIMIT}
    chunked = await raw(
        gateway,
        f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\n"
        "connection: close\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        + b"".join(b"1000\r\n" + b" " * 0x1000 + b"\r\n" for _ in range(4))
        + b"0\r\n\r\n",
    )
    assert chunked.startswith(b"HTTP/1.1 413 ")


async def test_a_body_where_none_belongs(rest: Rest) -> None:
    reply = await rest.send("GET", "/v1/entities", b"{}")
    assert (reply.status, reply.error["field"]) == (400, "body")


@pytest.mark.parametrize("whole", [True, False])
async def test_headers_that_are_too_long(gateway: Service, whole: bool) -> None:
    sent = b"GET /v1/entities HTTP/1.1\r\nhost: x\r\nx-filler: " + b"x" * (HEADER_LIMIT + 100)
    answer = await raw(gateway, sent + b"\r\n\r\n" if whole else sent)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'"headers_too_large"' in answer


async def test_what_is_no_http(gateway: Service) -> None:
    answer = await raw(gateway, b"\x16\x03\x01 hello\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "invalid_request"


async def test_a_body_that_does_not_come(gateway: Service, entity: str) -> None:
    answer = await raw(
        gateway,
        f"POST /v1/transactions?entityId={entity} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n"
        'content-type: application/json\r\ncontent-length: 100\r\n\r\n{"amount"'.encode(),
    )
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer


async def test_paths_and_methods(rest: Rest) -> None:
    missing = await rest.get("/v1/nothing")
    assert (missing.status, missing.error["code"]) == (404, "not_found")
    wrong = await rest.send("PUT", "/v1/entities")
    assert (wrong.status, wrong.error["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    options = await rest.send("OPTIONS", "/v1/entities")
    assert (options.status, options.content, options.headers["allow"]) == (204, b"", "GET, HEAD, OPTIONS, POST")
    assert not [name for name in options.headers if name.startswith("access-control")]
    head = await rest.send("HEAD", "/v1/entities")
    got = await rest.get("/v1/entities")
    assert (head.status, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]


async def test_every_answer_is_guarded(rest: Rest) -> None:
    replies: list[Reply] = [await rest.get(path) for path in ("/v1/entities", "/v1/nothing", "/healthz", "/docs")]
    for reply in replies:
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert "server" not in replies[0].headers
    assert replies[0].headers["cache-control"] == "no-store"
    scripts = replies[3].headers["content-security-policy"].partition("script-src")[2].partition(";")[0]
    assert scripts == " 'self'"


async def test_assets_are_told_once(rest: Rest) -> None:
    first = await rest.get("/docs/swagger-ui.css")
    again = await rest.get("/docs/swagger-ui.css", if_none_match=first.headers["etag"])
    assert (again.status, again.content) == (304, b"")


async def test_malformed_json_is_told_by_its_place(rest: Rest, entity: str) -> None:
    path = f"/v1/transactions?entityId={entity}"
    for body, field in (
        (b'{"amount": 1, "amount": 2}', "amount"),
        (b'{"amount": NaN}', "body"),
        (b'{"postings": [{"accountId": "a", "side": "DEBIT", "amount": 1, "amuont": 2}]}', "postings"),
        (b'{"postings": [{"accountId": 1}, {}]}', "postings[0].accountId"),
        (b'{"metadata": {"a": {"b": 12345678901234567.89}}}', "metadata.a.b"),
        (b'{"description": "\\ud800"}', "description"),
        (b"[" * 5000, "body"),
    ):
        reply = await rest.send("POST", path, body)
        assert (reply.status, reply.error["code"], reply.error["field"]) == (400, "invalid_transaction", field)


async def test_too_many_requests_at_once(postgres: Any, template: str) -> None:
    async with (
        cloned(postgres.dsn, template) as dsn,
        serving(dsn, max_concurrent_requests=1) as service,
        rest_client(service.rest, TOKEN) as rest,
    ):
        host, _, port = service.rest.removeprefix("http://").rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /v1/entities HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n"
        writer.write(f"{head}content-type: application/json\r\ncontent-length: 100\r\n\r\n".encode())
        # Until the first one is under way.
        async with asyncio.timeout(30):
            while (reply := await rest.get("/v1/entities")).status == 200:
                await asyncio.sleep(0.01)
        assert (reply.status, reply.error["code"]) == (503, "overloaded")
        assert reply.headers["retry-after"] == "1"
        writer.close()


async def test_tls_and_client_certificates(postgres: Any, template: str, tmp_path: Path) -> None:
    """Over TLS; the name in a client's certificate is who calls, unless a token says so."""
    authority = trustme.CA()
    paths = {name: tmp_path / f"{name}.pem" for name in ("chain", "key", "ca", "client")}
    server = authority.issue_cert("127.0.0.1")
    server.cert_chain_pems[0].write_to_path(paths["chain"])
    server.private_key_pem.write_to_path(paths["key"])
    authority.cert_pem.write_to_path(paths["ca"])
    authority.issue_cert("books.test").private_key_and_cert_chain_pem.write_to_path(paths["client"])
    tls = {
        "tls_certificate": paths["chain"], "tls_key": paths["key"], "tls_client_ca": paths["ca"],
        "grpc_mutual": "127.0.0.1:0",
    }  # fmt: skip
    async with cloned(postgres.dsn, template) as dsn:
        config = bootstrap.WorkerConfig(
            settings=settings_for(dsn, **tls), dsn=dsn, listeners=Listeners("127.0.0.1:0", "127.0.0.1:0"),
            reuse_port=False, bootstrap_token=TOKEN, worker_index=0,
        )  # fmt: skip
        running = await bootstrap.start(config)
        try:
            url = f"https://{running.listeners.rest}"
            trusting = ssl.create_default_context(cafile=str(paths["ca"]))
            async with httpx2.AsyncClient(base_url=url, verify=trusting, trust_env=False) as plain:
                assert (await Rest(plain, TOKEN).get("/v1/entities")).status == 200
                assert (await Rest(plain, None).get("/v1/entities")).status == 401
            showing = ssl.create_default_context(cafile=str(paths["ca"]))
            showing.load_cert_chain(str(paths["client"]))
            async with httpx2.AsyncClient(base_url=url, verify=showing, trust_env=False) as known:
                refused = await Rest(known, None).get("/v1/entities")
                assert refused.status == 401
                assert "certificate" in refused.error["message"]
                assert (await Rest(known, "not-a-token-of-anybody").get("/v1/entities")).status == 401
        finally:
            await running.stop()


async def test_drain_answers_what_is_under_way(postgres: Any, template: str) -> None:
    async with cloned(postgres.dsn, template) as dsn, serving(dsn) as service, rest_client(service.rest, TOKEN) as rest:
        assert (await rest.get("/readyz")).good() == {"status": "ready"}
        host, _, port = service.rest.removeprefix("http://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        body = b'{"id": "entity_late", "name": "Late"}'
        head = f"POST /v1/entities HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n"
        writer.write(f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode())
        await writer.drain()
        service.running.gateway.drain()
        assert (await rest.get("/readyz")).status == 503
        assert (await rest.get("/healthz")).status == 200
        stopping = asyncio.create_task(service.running.gateway.stop(10))
        await asyncio.sleep(0)
        writer.write(body)
        async with asyncio.timeout(30):
            answer = await reader.read()
        await stopping
        assert answer.startswith(b"HTTP/1.1 201 ")
        assert b"connection: close" in answer
        writer.close()
