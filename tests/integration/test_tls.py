"""TLS and client certificates on real listeners."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import grpc
import grpc.aio
import pytest
from structlog.testing import capture_logs

from ledger.v1 import entity_service_pb2 as entities
from ledger_service import tls
from ledger_service.application.callers import names_of_peer
from ledger_service.bootstrap import CANNOT_SERVE
from ledger_service.tls import TlsError, TlsFiles, TlsSource, read_tls, server_context
from tests.helpers.builders import ASSET, new_account, new_entity, transfer
from tests.helpers.certificates import Authority
from tests.helpers.processes import run_cli, serve
from tests.helpers.rpc import CHANNEL_OPTIONS, Client, refusal
from tests.helpers.servers import TOKEN, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LIST = entities.ListEntitiesRequest()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def tls_client(
    address: str, root: bytes, client: tuple[bytes, bytes] | None = None, token: str | None = TOKEN
) -> AsyncIterator[Client]:
    """A client that trusts `root`, and may show a certificate."""
    certificate, key = client or (None, None)
    credentials = grpc.ssl_channel_credentials(root, key, certificate)
    options = (*CHANNEL_OPTIONS, ("grpc.enable_http_proxy", 0))
    async with grpc.aio.secure_channel(address, credentials, options=options) as channel:
        yield Client(channel, token, 10.0)


def tls_settings(files: tuple[Path, Path], **more: Any) -> dict[str, Any]:
    return {"tls_certificate": files[0], "tls_key": files[1], **more}


@asynccontextmanager
async def tls_serving(dsn: str, authority: Authority, **more: Any) -> AsyncIterator[Any]:
    """A service in this process whose own client speaks TLS."""
    from tests.helpers import servers

    with pytest.MonkeyPatch.context() as patch:
        own = authority.client("operator.example")

        @asynccontextmanager
        async def connect(address: str, token: str | None) -> AsyncIterator[Client]:
            async with tls_client(address, authority.pem, own, token) as client:
                yield client

        patch.setattr(servers, "connect", connect)
        async with serving(dsn, **tls_settings(authority.server_files(), **more)) as service:
            yield service


async def test_tls_and_no_plain_text(database: str, authority: Authority) -> None:
    async with tls_serving(database, authority) as service:
        await service.client.entities.ListEntities(LIST)
        stranger = Authority(authority.folder)
        async with tls_client(service.address, stranger.pem) as client:
            assert (await refusal(client.entities.ListEntities(LIST))).code is grpc.StatusCode.UNAVAILABLE
        async with grpc.aio.insecure_channel(service.address, options=CHANNEL_OPTIONS) as channel:
            refused = await refusal(Client(channel, TOKEN, 10.0).entities.ListEntities(LIST))
            assert refused.code is grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_is_demanded_and_stands_for_its_credential(database: str, authority: Authority) -> None:
    trust = authority.trust_file()
    async with tls_serving(database, authority, tls_client_ca=trust) as service:
        entity = await new_entity(service.client)
        await new_account(service.client, entity, "cash", ASSET)
        await new_account(service.client, entity, "wallet")
        san = "spiffe://acme.example/billing"
        bind = ("token", "create", "--certificate-san", san, "--scope", "write", "--scope", "approve")
        code, output, errors = await run_cli(*bind, "--entity", entity, dsn=database)
        assert (code, errors) == (0, "")
        assert f"cert:{san}, write, approve, {entity}, until revoked" in output

        billing = authority.client("host-7.example", uris=(san,))
        async with tls_client(service.address, authority.pem, billing, token=None) as client:
            answer = await client.transactions.CreateTransaction(transfer(entity, "cash", "wallet", "1.00"))
            assert answer.transaction.actor == f"cert:{san}"
            assert (await refusal(client.entities.ListEntities(LIST))).reason == "PERMISSION_DENIED"
        async with tls_client(service.address, authority.pem, billing) as client:
            answer = await client.transactions.CreateTransaction(transfer(entity, "cash", "wallet", "1.00"))
            assert answer.transaction.actor == "bootstrap", "the token wins"
        async with tls_client(service.address, authority.pem, billing, token="made-up") as client:
            assert (await refusal(client.entities.ListEntities(LIST))).reason == "UNAUTHENTICATED"

        # A DNS name with the text of the URI is another name.
        for other in (
            authority.client("host-8.example"),
            authority.client("spiffe", uris=("spiffe://acme.example/b",)),
        ):
            async with tls_client(service.address, authority.pem, other, token=None) as client:
                refused = await refusal(client.entities.ListEntities(LIST))
                assert (refused.reason, refused.code) == ("UNAUTHENTICATED", grpc.StatusCode.UNAUTHENTICATED)

        forged = Authority(authority.folder).client(uris=(san,))
        for shown in (None, forged):
            async with tls_client(service.address, authority.pem, shown, token=None) as client:
                refused = await refusal(client.entities.ListEntities(LIST))
                assert (refused.reason, refused.code) == ("", grpc.StatusCode.UNAVAILABLE)


async def test_a_second_listener_for_certificates(database: str, authority: Authority) -> None:
    """The first one then serves callers that have a token and no certificate."""
    more = {"tls_client_ca": authority.trust_file(), "grpc_mutual": "127.0.0.1:0"}
    async with tls_serving(database, authority, **more) as service:
        await run_cli("token", "create", "--certificate-san", "a.example", "--scope", "read", dsn=database)
        mutual = service.running.server.mutual_address
        async with tls_client(service.address, authority.pem) as client:
            await client.entities.ListEntities(LIST)
        async with tls_client(mutual, authority.pem) as client:
            assert (await refusal(client.entities.ListEntities(LIST))).code is grpc.StatusCode.UNAVAILABLE
        shown = authority.client("A.example")
        async with tls_client(mutual, authority.pem, shown, token=None) as client:
            await client.entities.ListEntities(LIST)
        async with tls_client(service.address, authority.pem, shown, token=None) as client:
            assert (await refusal(client.entities.ListEntities(LIST))).reason == "UNAUTHENTICATED"


async def test_new_files_are_taken_without_a_restart(
    database: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "_LOOK_SECONDS", 0.0)
    async with tls_serving(database, authority) as service:
        await service.client.entities.ListEntities(LIST)
        successor = Authority(authority.folder)
        # Half of a change, as it is for a moment when two files are replaced: the old ones are used on.
        successor.server_files("half")
        key = (authority.folder / "server.key").read_bytes()
        (authority.folder / "server.key").write_bytes((authority.folder / "half.key").read_bytes())
        async with tls_client(service.address, authority.pem) as client:
            await client.entities.ListEntities(LIST)
        (authority.folder / "server.key").write_bytes(key)
        successor.server_files()
        async with tls_client(service.address, successor.pem) as client:
            await client.entities.ListEntities(LIST)
        await service.client.entities.ListEntities(LIST)  # on the connection that it has
        async with tls_client(service.address, authority.pem) as client:
            assert (await refusal(client.entities.ListEntities(LIST))).code is grpc.StatusCode.UNAVAILABLE


# The same for listeners on asyncio, which the REST gateway has.


async def shown_to(context: ssl.SSLContext, port: int) -> bytes | None:
    """What the server answers to a connection: the names in the client's certificate."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    try:
        return await reader.readline()
    finally:
        writer.close()


async def turned_away(context: ssl.SSLContext, port: int) -> None:
    """In TLS 1.3 a client has done its part before the server looks at its certificate: it hears of it later."""
    try:
        answer = await shown_to(context, port)
    except (ssl.SSLError, ConnectionError):
        return
    assert answer == b""


@asynccontextmanager
async def listening(context: ssl.SSLContext) -> AsyncIterator[int]:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        names = names_of_peer(writer.get_extra_info("ssl_object").getpeercert())
        writer.write(repr(names).encode() + b"\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def client_context(authority: Authority, shown: tuple[bytes, bytes] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.pem.decode())
    if shown is not None:
        path = authority.folder / "client.pem"
        path.write_bytes(shown[0] + shown[1])
        context.load_cert_chain(path)
    return context


@pytest.mark.parametrize("required", [True, False])
async def test_a_context_with_client_certificates(authority: Authority, required: bool) -> None:
    files = TlsFiles(*authority.server_files(), authority.trust_file())
    async with listening(server_context(files, require_client_certificate=required)) as port:
        shown = authority.client("Host.example", uris=("spiffe://a/b",))
        assert await shown_to(client_context(authority, shown), port) == b"('host.example', 'spiffe://a/b')\n"
        forged = Authority(authority.folder).client("host.example")
        await turned_away(client_context(authority, forged), port)
        if required:
            await turned_away(client_context(authority), port)
        else:
            assert await shown_to(client_context(authority), port) == b"None\n"


async def test_a_context_takes_new_files(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "_LOOK_SECONDS", 0.0)
    files = TlsFiles(*authority.server_files(), authority.trust_file())
    async with listening(server_context(files)) as port:
        shown = authority.client("old.example")
        assert await shown_to(client_context(authority, shown), port) == b"('old.example',)\n"
        successor = Authority(authority.folder)
        successor.server_files()
        successor.trust_file()
        assert await shown_to(client_context(successor, successor.client("new.example")), port) == b"('new.example',)\n"
        await turned_away(client_context(successor, shown), port)
        with pytest.raises(ssl.SSLCertVerificationError):
            await shown_to(client_context(authority, shown), port)


def shake_hands(
    client: ssl.SSLContext, server: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> ssl.SSLSession | None:
    """Connect in memory, and read what the server says; gives the session, to be resumed. Raises SSLError."""
    to_client, from_client, to_server, from_server = (ssl.MemoryBIO() for _ in range(4))
    ours = client.wrap_bio(to_client, from_client, server_hostname="localhost", session=session)
    theirs = server.wrap_bio(to_server, from_server, server_side=True)
    waiting = [ours, theirs]
    for _ in range(10):
        for side in list(waiting):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
                waiting.remove(side)
            to_server.write(from_client.read())
            to_client.write(from_server.read())
    assert not waiting
    theirs.write(b"said")
    to_client.write(from_server.read())
    assert ours.read(4) == b"said"
    return ours.session


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_of_a_withdrawn_authority_is_not_resumed(
    authority: Authority, version: ssl.TLSVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resumed session would not be verified anew."""
    monkeypatch.setattr(tls, "_LOOK_SECONDS", 0.0)
    files = TlsFiles(*authority.server_files(), authority.trust_file())
    server, client = server_context(files), client_context(authority, authority.client("old.example"))
    client.minimum_version = client.maximum_version = version
    session = shake_hands(client, server)
    shake_hands(client, server, session)
    Authority(authority.folder).trust_file()
    with pytest.raises(ssl.SSLError):
        shake_hands(client, server, session)


# The files.


def test_files_that_cannot_be_used(authority: Authority) -> None:
    certificate, key = authority.server_files()
    other, other_key = Authority(authority.folder).server_files("other")
    empty = authority.folder / "empty.pem"
    empty.touch()
    missing = authority.folder / "missing.pem"
    read_tls(TlsFiles(certificate, key))
    for files, said in (
        (TlsFiles(missing, key), "missing.pem cannot be read: No such file"),
        (TlsFiles(certificate, missing), "missing.pem cannot be read"),
        (TlsFiles(certificate, key, missing), "missing.pem cannot be read"),
        (TlsFiles(empty, key), "empty.pem holds no PEM certificate"),
        (TlsFiles(certificate, certificate), "server.pem holds no PEM private key"),
        (TlsFiles(certificate, key, empty), "empty.pem holds no PEM certificate"),
        (TlsFiles(certificate, other_key), "other.key is not the key of the first certificate in"),
        (TlsFiles(other, key), "server.key is not the key of"),
    ):
        with pytest.raises(TlsError) as caught:
            read_tls(files)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
    assert TlsError in CANNOT_SERVE


def test_a_change_is_taken_once_and_a_bad_one_told_once(authority: Authority) -> None:
    files = TlsFiles(*authority.server_files())
    now = [0.0]
    source = TlsSource(files, lambda: now[0])
    first = source.current
    authority.server_files()
    assert source.renewed() is None, "looked just now"
    now[0] += 1
    second = source.renewed()
    assert second is not None
    assert second != first
    now[0] += 1
    assert source.renewed() is None
    files.key.write_bytes(first.key)
    with capture_logs() as logs:
        for _ in range(3):
            now[0] += 1
            assert source.renewed() is None
        files.key.unlink()
        now[0] += 1
        assert source.renewed() is None
    assert [entry["event"] for entry in logs] == ["tls_files_not_taken"] * 2
    assert source.current == second
    authority.server_files()
    now[0] += 1
    assert source.renewed() is not None


# The command line.


async def test_plain_text_to_others_is_refused_and_can_be_meant(database: str, tmp_path: Path) -> None:
    code, output, errors = await run_cli("serve", "--grpc", "0.0.0.0:0", dsn=database)
    assert (code, output) == (2, "")
    for said in ("LEDGER_TLS_CERTIFICATE", "--insecure", "0.0.0.0:0"):
        assert said in errors
    assert len(errors.splitlines()) == 1
    async with serve(tmp_path, database, LEDGER_INSECURE="true", LEDGER_GRPC="127.0.0.1:0"):
        pass


async def test_serving_and_asking_for_health_over_tls(database: str, authority: Authority) -> None:
    certificate, key = authority.server_files()
    environment = {"LEDGER_TLS_CERTIFICATE": str(certificate), "LEDGER_TLS_KEY": str(key)}
    async with serve(authority.folder, database, workers=2, **environment) as server:
        async with tls_client(server.address, authority.pem) as client:
            await client.entities.ListEntities(LIST)
        health = ("health", "--address", server.address)
        assert await run_cli(*health, **environment) == (0, "SERVING\n", "")
        assert (await run_cli(*health))[0] == 1
    code, _, errors = await run_cli(
        "serve", "--grpc", "127.0.0.1:0", "--tls-certificate", str(key), "--tls-key", str(key), dsn=database
    )
    assert (code, errors) == (3, f"ledger-service: {key} holds no PEM certificate\n")


async def test_health_where_certificates_are_demanded(database: str, authority: Authority) -> None:
    files, trust = authority.server_files(), authority.trust_file()
    environment = {
        "LEDGER_TLS_CERTIFICATE": str(files[0]), "LEDGER_TLS_KEY": str(files[1]), "LEDGER_TLS_CLIENT_CA": str(trust),
    }  # fmt: skip
    async with serve(authority.folder, database, **environment) as server:
        health = ("health", "--address", server.address)
        assert (await run_cli(*health, **environment))[0] == 1
        certificate, key = authority.client("health.example")
        (authority.folder / "health.pem").write_bytes(certificate)
        (authority.folder / "health.key").write_bytes(key)
        shown = {
            "LEDGER_HEALTH_CERTIFICATE": str(authority.folder / "health.pem"),
            "LEDGER_HEALTH_KEY": str(authority.folder / "health.key"),
        }
        assert await run_cli(*health, **environment, **shown) == (0, "SERVING\n", "")


async def test_a_certificates_name_stands_for_one_credential(database: str) -> None:
    bind = ("token", "create", "--scope", "read", "--certificate-san")
    assert (await run_cli(*bind, "a.example", dsn=database))[0] == 0
    code, _, errors = await run_cli(*bind, "A.example.", dsn=database)
    assert (code, "revoke it first" in errors) == (1, True)
    for wrong in ("*.example", "a b", ""):
        code, _, errors = await run_cli(*bind, wrong, dsn=database)
        assert (code, "--certificate-san must be" in errors) == (2, True)
    code, _, errors = await run_cli(*bind, "b.example", "--name", "b", dsn=database)
    assert (code, "either --name" in errors) == (2, True)
    code, _, errors = await run_cli("token", "rotate", "cert:a.example", dsn=database)
    assert (code, "rotated by its authority" in errors) == (1, True)
    connection = await asyncpg.connect(database)
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute("INSERT INTO ledger.credentials SELECT 'x', 'billing', NULL, scopes, NULL, now(), "
                                     "NULL, NULL, NULL, 'c.example' FROM ledger.credentials")  # fmt: skip
    finally:
        await connection.close()
