"""Bank files in and documents out, over gRPC and REST: the same things happen, whichever way they come."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from ledger.v1 import reconciliation_service_pb2 as pb
from ledger_client import LedgerClient, messages
from ledger_service.gateway import protocol
from tests.contract.rest_requests import BOUNDARY, form
from tests.helpers.builders import ASSET, new_account, new_entity, timestamp, transfer
from tests.helpers.processes import run_cli
from tests.helpers.rest import Rest, rest_client
from tests.helpers.rpc import Client, refusal_of
from tests.helpers.servers import TOKEN, Service, cloned, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
JUNE = (
    b"Date,Amount,Reference,Description\n2026-06-02,100.00,R-1,payment\n2026-06-03,-30.50,R-2,refund\n"
    b"2026-06-04,77.00,,<b>deposit</b>\n"
)
BALANCES = {"openingBalance": "1000.00", "closingBalance": "1146.50"}
FILE_LIMIT = 64 * 1024
FORMATS = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html",
    "json": "application/json",
}


@dataclass
class Bank:
    """A service with an entity that banks; each account is reconciled by one test."""

    service: Service
    rest: Rest
    client: LedgerClient
    entity: str

    async def account(self, name: str) -> str:
        """A new account with two transactions that the statement of June has, and one that it has not."""
        await new_account(self.service.client, self.entity, name, ASSET)
        for day, amount, reference in ((2, "100.00", "R-1"), (3, "-30.50", "R-2"), (9, "5.00", "R-9")):
            sides = (name, "equity") if Decimal(amount) > 0 else ("equity", name)
            when = timestamp(datetime(2026, 6, day, 12, tzinfo=UTC))
            request = transfer(self.entity, *sides, amount.removeprefix("-"), reference=reference, effective_time=when)
            await self.service.client.transactions.CreateTransaction(request)
        return name

    def path(self, account: str, part: str, **query: str) -> str:
        """A path of the gateway."""
        more = "".join(f"&{name}={value}" for name, value in query.items())
        return f"/v1/reconciliations/{part}?entityId={self.entity}&accountId={account}{more}"

    async def upload(self, account: str, content: bytes = JUNE, key: str = "", **fields: str) -> Any:
        """Bring a file in over REST."""
        path = self.path(account, "statements", currency="USD")
        headers = {"idempotency_key": key} if key else {}
        return await self.rest.send("POST", path, form(content, **fields), content_type=MULTIPART, **headers)


@pytest.fixture(scope="module")
async def bank(postgres: Any, template: str) -> AsyncIterator[Bank]:
    settings = {"max_statement_bytes": FILE_LIMIT, "credential_recheck_seconds": 0.1, "client_timeout_seconds": 0.5}
    async with (
        cloned(postgres.dsn, template) as dsn,
        serving(dsn, **settings) as service,
        rest_client(service.rest, TOKEN) as rest,
        LedgerClient(service.address, TOKEN) as client,
    ):
        entity = await new_entity(service.client)
        await new_account(service.client, entity, "equity")
        yield Bank(service, rest, client, entity)


async def test_a_file_comes_in_once_whichever_way(bank: Bank) -> None:
    account = await bank.account("both_ways")
    first = await bank.upload(account, key="june", **BALANCES)
    [statement] = first.good()["statements"]
    assert first.headers["idempotent-replayed"] == "false"
    assert (statement["fileName"], statement["lines"], statement["sum"]) == ("july.csv", 3, Decimal("146.50"))
    assert (statement["openingBalance"], statement["closingBalance"]) == (Decimal("1000.00"), Decimal("1146.50"))
    again = await bank.upload(account, key="june", **BALANCES)
    assert (again.good(), again.headers["idempotent-replayed"]) == (first.json, "true")
    header = messages.ImportStatementHeader(
        entity_id=bank.entity, account_id=account, file_name="june.csv", idempotency_key="another"
    )
    response = await bank.client.import_statement(JUNE, header)
    assert (response.replayed, response.lines, response.statements[0].file_name) == (True, 3, "july.csv")
    lines = (await bank.rest.get(bank.path(account, "lines"))).good()["lines"]
    assert [(line["bookingDate"], line["amount"]) for line in lines] == [
        ("2026-06-02", Decimal("100.00")), ("2026-06-03", Decimal("-30.50")), ("2026-06-04", Decimal("77.00")),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "fields", "status", "field"),
    [
        (b"no statement at all", {}, 400, "file"),
        (JUNE, {"openingBalance": "1e3"}, 400, "openingBalance"),
        (JUNE, {"csvMapping": '{"colour": "red"}'}, 400, "csvMapping"),
        (JUNE, {"csvMapping": "date=Date"}, 400, "csvMapping"),
        (JUNE, {"currency": "USD"}, 400, "currency"),
        (b"x" * (FILE_LIMIT + 1), {}, 413, "file"),
    ],
)
async def test_what_can_not_come_in_leaves_nothing(
    bank: Bank, content: bytes, fields: dict[str, str], status: int, field: str
) -> None:
    account = await bank.account(f"refused_{field}_{len(content)}_{len(str(fields))}".replace("{", "").lower())
    reply = await bank.upload(account, content, **fields)
    assert (reply.status, reply.error["field"]) == (status, field), reply.content
    assert (await bank.rest.get(bank.path(account, "statements"))).status == 404
    assert (await bank.upload(account)).good()["lines"] == 3


async def test_a_file_over_the_limit_is_refused_by_grpc_as_well(bank: Bank) -> None:
    account = await bank.account("too_large")
    header = pb.ImportStatementHeader(entity_id=bank.entity, account_id=account, file_name="a.csv")
    parts = [pb.ImportStatementRequest(header=header), *[pb.ImportStatementRequest(chunk=bytes(FILE_LIMIT))] * 4]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await bank.service.client.reconciliations.ImportStatement(iter(parts))
    assert refusal_of(caught.value).metadata["field"] == "file"


async def test_a_file_may_take_longer_than_a_request(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection whose request does not come in time is cut; a file of somebody who may send one has its own."""
    monkeypatch.setattr(protocol, "_SLACK_SECONDS", 0.0)
    account = await bank.account("slow")
    body = form(JUNE)

    async def slowly() -> AsyncIterator[bytes]:
        for at in range(4):
            yield body[at * len(body) // 4 : (at + 1) * len(body) // 4]
            await asyncio.sleep(0.2)

    reply = await bank.rest.client.post(
        bank.path(account, "statements", currency="USD"), content=slowly(),
        headers={"authorization": f"Bearer {TOKEN}", "content-type": MULTIPART},
    )  # fmt: skip
    assert (reply.status_code, reply.json()["lines"]) == (200, 3)
    # The connection is as good as before: nothing is waited for any more.
    await asyncio.sleep(0.6)
    assert (await bank.rest.get(bank.path(account, "statements"))).status == 200


async def test_strangers_are_told_before_the_file_has_come(bank: Bank) -> None:
    account = await bank.account("strange")
    stranger = Rest(bank.rest.client, "made up")
    path = bank.path(account, "statements")
    assert (await stranger.send("POST", path, b"no form", content_type=MULTIPART)).status == 401
    # The rest of the file never comes, and the answer does not wait for it.
    body = form(JUNE)
    target = path.replace(bank.entity, "nowhere")
    host, _, port = bank.service.rest.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        head = f"POST {target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: {MULTIPART}\r\n"
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body[:-60])
        async with asyncio.timeout(30):
            assert (await reader.readline()).startswith(b"HTTP/1.1 404 ")
    finally:
        writer.close()


async def test_an_upload_ends_with_its_credential(bank: Bank) -> None:
    account = await bank.account("revoked")
    code, token, errors = await run_cli(
        "token", "create", "--name", "bringer", "--scope", "write", dsn=bank.service.dsn
    )
    assert code == 0, errors
    caller = Client(bank.service.client.channel, token.strip())
    call = caller.reconciliations.ImportStatement()
    header = pb.ImportStatementHeader(
        entity_id=bank.entity, account_id=account, currency="USD", file_name="june.csv"
    )  # fmt: skip
    await call.write(pb.ImportStatementRequest(header=header))
    await call.write(pb.ImportStatementRequest(chunk=JUNE))
    await run_cli("token", "revoke", errors.partition(":")[0], dsn=bank.service.dsn)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "revoked" in (caught.value.details() or "")
    assert (await bank.rest.get(bank.path(account, "statements"))).status == 404


async def test_documents_are_the_same_by_both_ways(bank: Bank) -> None:
    account = await bank.account("documents")
    (await bank.upload(account, **BALANCES)).good()
    (await bank.rest.post(bank.path(account, "run"))).good()
    for number, (name, media_type) in enumerate(FORMATS.items(), 1):
        reply = await bank.rest.get(bank.path(account, "export", format=name))
        assert reply.status == 200, reply.content
        assert reply.headers["content-type"].partition(";")[0] == media_type
        kind = "inline" if name == "html" else "attachment"
        called = f"reconciliation-{account}-USD-2026-06-04.{name}"
        assert reply.headers["content-disposition"] == f'{kind}; filename="{called}"'
        assert (reply.headers["x-content-type-options"], reply.headers["cache-control"]) == ("nosniff", "no-store")
        assert reply.headers["content-security-policy"].startswith("default-src 'none'; ")
        assert ("style-src 'unsafe-inline'" in reply.headers["content-security-policy"]) == (name == "html")
        assert "script-src" not in reply.headers["content-security-policy"]
        request = messages.ExportReconciliationRequest(entity_id=bank.entity, account_id=account, format=number)  # type: ignore[arg-type]
        document = await bank.client.export_reconciliation(request)
        assert (document.file_name, document.media_type) == (called, reply.headers["content-type"])
        check_content(name, document.content)
        check_content(name, reply.content)
    head = await bank.rest.send("HEAD", bank.path(account, "export", format="csv"))
    assert (head.status, head.content) == (200, b"")


def check_content(name: str, content: bytes) -> None:
    """The deposit that only the bank knows of is in it, and what it wrote is text."""
    if name == "xlsx":
        with zipfile.ZipFile(io.BytesIO(content)) as workbook:
            assert b"deposit" in b"".join(workbook.read(one) for one in workbook.namelist())
        return
    assert b"deposit" in content
    if name == "html":
        assert b"<b>deposit" not in content
    if name == "json":
        equation = json.loads(content)["equation"]
        assert (equation["statement_balance"], equation["receipts_not_recorded"]) == ("1146.50", "-77.00")


async def test_the_result_is_the_same_by_both_ways(bank: Bank) -> None:
    account = await bank.account("result")
    (await bank.upload(account, **BALANCES)).good()
    (await bank.rest.post(bank.path(account, "run"))).good()
    shown = (await bank.rest.get(bank.path(account, "report"))).good()["reconciliation"]
    request = messages.GetReconciliationRequest(entity_id=bank.entity, account_id=account)
    told = (await bank.client.reconciliations.GetReconciliation(request)).reconciliation
    assert shown["equation"]["addsUp"] is told.equation.adds_up is True
    names = {field.name for field in told.equation.DESCRIPTOR.fields} - {"adds_up"}
    camel = {
        name: "".join(word.capitalize() if at else word for at, word in enumerate(name.split("_"))) for name in names
    }
    assert {name: str(shown["equation"][camel[name]]) for name in names} == {
        name: getattr(told.equation, name) for name in names
    }
    assert [(item.get("lineNumber", 0), item.get("transactionId", "")) for item in shown["openItems"]] == [
        (item.line_number, item.transaction_id) for item in told.open_items
    ]
