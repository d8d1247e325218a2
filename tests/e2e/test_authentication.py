"""Credentials from their making to their end, through the real service: JWTs, long calls, strangers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import asyncpg
import grpc
import pytest

from ledger.v1 import entity_service_pb2 as entities
from ledger.v1 import transaction_service_pb2 as transactions
from ledger_service import telemetry
from tests.helpers.builders import ASSET, new_account, new_entity, transfer
from tests.helpers.issuer import (
    AUDIENCE,
    ISSUER,
    SECRET,
    claims,
    ec_key,
    ed_key,
    issuer_server,
    jwk,
    key_set,
    rsa_key,
    token,
)
from tests.helpers.processes import run_cli
from tests.helpers.rpc import Client, refusal
from tests.helpers.servers import serving

if TYPE_CHECKING:
    from tests.helpers.servers import Service

JWT = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE}
RECHECK = {"credential_recheck_seconds": 0.1}
"""So that a test need not wait for 25 seconds."""


async def books(service: Service) -> str:
    """An entity with two accounts."""
    entity = await new_entity(service.client)
    await new_account(service.client, entity, "cash", ASSET)
    await new_account(service.client, entity, "wallet")
    return entity


async def test_jwts_of_an_issuer(database: str) -> None:
    """From its key set to the actor in the history, and what the grants leave to see."""
    keys = jwk(rsa_key(), "r"), jwk(ec_key(), "e"), jwk(ed_key(), "d")
    async with issuer_server(key_set(*keys)) as issuer, serving(database, **JWT, jwt_keys=issuer.url) as service:
        entity, other = await books(service), await books(service)
        for key, algorithm, kid in ((rsa_key(), "RS256", "r"), (ec_key(), "ES256", "e"), (ed_key(), "EdDSA", "d")):
            text = token(key, claims(scope="write approve", ledger_entities=[entity]), algorithm, kid=kid)
            caller = Client(service.client.channel, text)
            answer = await caller.transactions.CreateTransaction(transfer(entity, "cash", "wallet", "1.00"))
            assert answer.transaction.actor == "jwt:idp:ann"
            for elsewhere in (other, "does-not-exist"):
                refused = await refusal(caller.transactions.CreateTransaction(transfer(elsewhere, "a", "b", "1.00")))
                assert refused.reason == "PERMISSION_DENIED"
            get = entities.GetEntityRequest(entity_id=entity)
            assert (await refusal(caller.entities.GetEntity(get))).metadata == {"scope": "read"}
        assert issuer.asked == 1
        for wrong in (claims(aud="other"), claims(exp=int(time.time()) - 60), claims(iss="https://eve.example")):
            caller = Client(service.client.channel, token(rsa_key(), wrong, kid="r"))
            assert (await refusal(caller.entities.GetEntity(get))).reason == "UNAUTHENTICATED"


async def test_jwts_of_a_secret_and_of_a_file(database: str, tmp_path: Any) -> None:
    list_all = entities.ListEntitiesRequest()
    async with serving(database, **JWT, jwt_secret=SECRET, jwt_label="corp") as service:
        caller = Client(service.client.channel, token(SECRET.encode(), claims(), "HS256"))
        await caller.entities.ListEntities(list_all)
        refused = await refusal(
            Client(service.client.channel, token(rsa_key(), claims())).entities.ListEntities(list_all)
        )
        assert refused.reason == "UNAUTHENTICATED"
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(jwk(rsa_key(), "k1")))
    async with serving(database, **JWT, jwt_keys=str(path)) as service:
        await Client(service.client.channel, token(rsa_key(), claims())).entities.ListEntities(list_all)
        text = token(SECRET.encode(), claims(), "HS256")
        assert (await refusal(Client(service.client.channel, text).entities.ListEntities(list_all))).reason == (
            "UNAUTHENTICATED"
        )


async def key_of(service: Service, name: str, *arguments: str) -> tuple[str, Client]:
    """A key's id and its client."""
    code, output, errors = await run_cli("token", "create", "--name", name, *arguments, dsn=service.dsn)
    assert code == 0, errors
    return errors.partition(":")[0], Client(service.client.channel, output.strip())


async def ended(call: Any) -> str:
    """Read a call to its end; gives the reason."""

    async def read_on() -> None:
        while await call.read() is not grpc.aio.EOF:
            pass

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await read_on()
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    return caught.value.details() or ""


@pytest.mark.parametrize("way", ["revoked", "expired"])
async def test_a_watch_ends_with_its_credential(database: str, way: str) -> None:
    async with serving(database, **RECHECK) as service:
        entity = await books(service)
        key_id, caller = await key_of(service, "watcher", "--scope", "read")
        _, unharmed = await key_of(service, "another", "--scope", "read")
        request = transactions.WatchTransactionsRequest(entity_id=entity, after_sequence=3)
        call, other = (each.transactions.WatchTransactions(request) for each in (caller, unharmed))
        await service.client.transactions.CreateTransaction(transfer(entity, "cash", "wallet", "1.00"))
        for each in (call, other):
            assert (await each.read()).sequence == 4
        if way == "revoked":
            await run_cli("token", "revoke", key_id, dsn=database)
        else:
            connection = await asyncpg.connect(database)
            await connection.execute("UPDATE ledger.credentials SET expire_time = now() WHERE name = 'watcher'")
            await connection.close()
        assert way in await ended(call)
        await service.client.transactions.CreateTransaction(transfer(entity, "cash", "wallet", "1.00"))
        assert (await other.read()).sequence == 5
        other.cancel()


async def test_a_stream_ends_with_its_credential_and_writes_nothing_more(database: str) -> None:
    async with serving(database, **RECHECK) as service:
        entity = await books(service)
        key_id, caller = await key_of(service, "poster", "--scope", "write", "--scope", "approve")
        call = caller.transactions.StreamCreateTransactions()

        def item() -> transactions.StreamCreateTransactionsRequest:
            return transactions.StreamCreateTransactionsRequest(request=transfer(entity, "cash", "wallet", "1.00"))

        await call.write(item())
        assert (await call.read()).response.sequence == 4
        await run_cli("token", "revoke", key_id, dsn=database)
        assert "revoked" in await ended(call)
        before = (await service.client.entities.GetEntity(entities.GetEntityRequest(entity_id=entity))).entity.sequence
        assert before == 4


async def test_a_stream_in_full_flow_ends_with_its_credential(database: str) -> None:
    """Counted by the server: grpc's client tells of a write that was under way when the call ended as INTERNAL."""
    figures = telemetry.RPC_CALLS.method("stream", "ledger.v1.TransactionService", "StreamCreateTransactions")
    before = figures.count("UNAUTHENTICATED")
    async with serving(database, **RECHECK) as service:
        entity = await books(service)
        key_id, caller = await key_of(service, "poster", "--scope", "write", "--scope", "approve")
        call = caller.transactions.StreamCreateTransactions()

        async def send() -> None:
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                while True:
                    request = transfer(entity, "cash", "wallet", "1.00")
                    await call.write(transactions.StreamCreateTransactionsRequest(request=request))

        async def receive() -> None:
            with contextlib.suppress(grpc.aio.AioRpcError):
                while await call.read() is not grpc.aio.EOF:
                    pass

        flowing = asyncio.gather(send(), receive())
        await run_cli("token", "revoke", key_id, dsn=database)
        await flowing
        assert figures.count("UNAUTHENTICATED") == before + 1


async def test_a_jwt_whose_key_is_withdrawn_ends_its_watch(database: str, tmp_path: Any) -> None:
    """After the key set has been read again; here the clock of the keys is moved."""
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(jwk(rsa_key(), "k1")))
    async with serving(database, **JWT, **RECHECK, jwt_keys=str(path)) as service:
        entity = await books(service)
        caller = Client(service.client.channel, token(rsa_key(), claims()))
        call = caller.transactions.WatchTransactions(transactions.WatchTransactionsRequest(entity_id=entity))
        await call.read()
        path.write_bytes(key_set(jwk(rsa_key("next"), "k2")))
        keys = service.running.admission.authenticator._tokens._keys
        monotonic = keys._monotonic
        keys._monotonic = lambda: monotonic() + 400
        assert "does not publish" in await ended(call)
