"""Secrets that are planted everywhere, a service that fails in many ways at log level debug, and nothing of them
in what it writes."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog

from ledger.v1 import entity_service_pb2 as entities
from ledger_service.storage.directory import DirectoryStore
from ledger_service.telemetry import configure_logging
from tests.helpers.builders import ASSET, new_account, new_entity, transfer
from tests.helpers.issuer import AUDIENCE, ISSUER, claims, encoded, issuer_server, jwk, key_set, rsa_key, token
from tests.helpers.processes import run_cli, serve
from tests.helpers.rpc import Client, Refused, connect
from tests.helpers.servers import TOKEN, serving

PEPPER = "planted-pepper-8d1f"
HS_SECRET = "planted-hs-secret-of-more-than-32-bytes-5a77"
PASSWORD = "planted-password-93bc"
LIST = entities.ListEntitiesRequest()


def strange_tokens(good_jwt: str) -> list[str]:
    """What callers may send by mistake or on purpose."""
    head, body, signature = good_jwt.split(".")
    strange_head = json.dumps({"typ": "planted-typ-33cc", "alg": "none", "kid": "planted-kid-44dd"}).encode()
    return [
        "planted-made-up-token-11aa",
        "ledger_abcdefghijkl_planted-secret-of-a-key-22bb",
        good_jwt,
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{encoded(strange_head)}.{body}.",
        token(rsa_key(), claims(sub="planted-sub-55ee\n")),
        token(rsa_key(), claims(iss="planted-iss-66ff")),
        token(rsa_key(), claims(exp="planted-exp-77aa")),
        token(rsa_key(), claims(), kid="planted-unknown-kid-88bb"),
        "eyJ" + "planted-long-99cc" * 600,
    ]


def secrets_of(tokens: list[str]) -> set[str]:
    """The tokens, and each of their parts that is long enough to tell."""
    found = {TOKEN, PEPPER, HS_SECRET, PASSWORD, "planted"}
    for each in tokens:
        found |= {each, *(part for part in each.split(".") if len(part) > 16)}
    return found


@contextmanager
def everything_logged(log_format: str) -> Iterator[io.StringIO]:
    """All logs of this process at level debug."""
    stream = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    structlog.reset_defaults()
    configure_logging("debug", log_format, stream)
    try:
        yield stream
    finally:
        root.handlers, root.level = before
        structlog.reset_defaults()


@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_failures_of_all_kinds(database: str, log_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    good = token(rsa_key(), claims())
    code, key, _ = await run_cli(
        "token", "create", "--name", "a", "--scope", "read", dsn=database, LEDGER_KEY_PEPPER=PEPPER
    )
    assert code == 0
    sent = [*strange_tokens(good), key.strip()]
    options: dict[str, Any] = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "key_pepper": PEPPER}
    with everything_logged(log_format) as stream:
        async with (
            issuer_server(key_set(jwk(rsa_key(), "k1"), {"kty": "oct", "k": "planted-k-00dd"})) as issuer,
            serving(database, log_level="debug", **options, jwt_keys=issuer.url) as service,
        ):
            entity = await new_entity(service.client)
            await new_account(service.client, entity, "cash", ASSET)
            await Client(service.client.channel, key.strip()).entities.ListEntities(LIST)
            answered = []
            for each in sent:
                caller = Client(service.client.channel, each)
                for call in (
                    caller.entities.ListEntities(LIST),
                    caller.transactions.CreateTransaction(transfer(entity, "cash", "nobody", "1.00")),
                ):
                    try:
                        await call
                    except Refused as refused:
                        answered.append(str(refused))

            async with httpx2.AsyncClient(base_url=service.rest, trust_env=False) as web:
                for each in sent:
                    headers = {"authorization": f"Bearer {each}", "cookie": f"session={each}", "x-planted": "planted"}
                    listed = await web.get("/v1/entities", headers=headers)
                    cut = await web.post("/v1/transactions", headers=headers, content=b"{")
                    answered += [listed.text, cut.text]

            async def broken(*_: object) -> None:
                raise RuntimeError("something nobody expected")

            # Faults of ours, with a traceback through frames that hold tokens; and a database that is away.
            monkeypatch.setattr(DirectoryStore, "credential", broken)
            with pytest.raises(Refused, match="INTERNAL"):
                await Client(service.client.channel, "planted-in-a-frame-12ab").entities.ListEntities(LIST)
            monkeypatch.setattr(DirectoryStore, "entities", broken)
            with pytest.raises(Refused, match="INTERNAL"):
                await Client(service.client.channel, good).entities.ListEntities(LIST)
            monkeypatch.undo()
            issuer.body = b"planted-body-of-the-issuer-13ac"
            keys = service.running.admission.authenticator._tokens._keys
            keys._tried_at = float("-inf")
            with pytest.raises(Refused):
                await Client(service.client.channel, token(rsa_key(), claims(), kid="new")).entities.ListEntities(LIST)
    written = stream.getvalue()
    assert "something nobody expected" in written, "the failures were logged"
    assert "jwks_not_refreshed" in written
    assert "jwks_key_ignored" in written
    for secret in secrets_of(sent):
        assert secret not in written
        assert not any(secret in each for each in answered)


async def test_a_process_with_planted_options(database: str, tmp_path: Path) -> None:
    dsn = f"{database}{'&' if '?' in database else '?'}password={PASSWORD}"
    options = {
        "LEDGER_KEY_PEPPER": PEPPER, "LEDGER_JWT_ISSUER": ISSUER, "LEDGER_JWT_AUDIENCE": AUDIENCE,
        "LEDGER_JWT_SECRET": HS_SECRET, "LEDGER_LOG_LEVEL": "debug", "LEDGER_JWT_SECERT": "planted-typo-14ad",
        "LEDGER_PLANNER_URL": "http://127.0.0.1:1/v1", "LEDGER_PLANNER_MODEL": "m",
        "LEDGER_PLANNER_KEY": "planted-planner-key-16ae",
    }  # fmt: skip
    text = token(HS_SECRET.encode(), claims(), "HS256")
    async with serve(tmp_path, dsn, workers=2, **options) as server:
        for each in [TOKEN, text, *strange_tokens(text)]:
            async with connect(server.address, each) as client:
                await asyncio.gather(client.entities.ListEntities(LIST), return_exceptions=True)
    written = server.log.read_text()
    assert "unknown_option" in written
    outputs = [written]
    away = f"postgresql://ledger:{PASSWORD}@127.0.0.1:1/ledger"
    for command in (("serve", "--grpc", "127.0.0.1:0"), ("token", "list"), ("verify",), ("migrate",), ("config",)):
        outputs += (await run_cli(*command, dsn=away, **options))[1:]
    for wrong in ("LEDGER_JWT_SECRET", "LEDGER_BOOTSTRAP_TOKEN"):
        code, *said = await run_cli("serve", dsn=away, **{**options, wrong: "planted-15"})
        assert code == 2
        assert wrong in said[1]
        outputs += said
    code, *said = await run_cli(
        "serve", dsn=database, **{**options, "LEDGER_JWT_SECRET": "", "LEDGER_JWT_KEYS": f"https://u:{PASSWORD}@h.example/"},
    )  # fmt: skip
    assert code != 0
    assert "LEDGER_JWT_KEYS" in said[1]
    outputs += said
    for secret in secrets_of([text, *strange_tokens(text)]):
        for output in outputs:
            assert secret not in output
