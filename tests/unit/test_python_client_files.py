"""The Python client's files: statements on their way in, again with the same key; documents on their way out."""

# ruff: noqa: N802 - the servicer's methods bear the names of the protos

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import ServiceDescriptor
from google.rpc import status_pb2
from grpc_status import rpc_status

from ledger.v1 import (
    account_service_pb2,
    category_service_pb2,
    entity_service_pb2,
    reconciliation_service_pb2,
    reconciliation_service_pb2_grpc,
    transaction_service_pb2,
)
from ledger_client import NO_RETRIES, LedgerClient, LedgerError, RetryPolicy, messages
from ledger_client.files import CHUNK_BYTES
from tests.unit.test_python_client import TOKEN, Code, Time, status

FILE = bytes(range(256)) * 4_000
PLACE = {"entity_id": "acme", "account_id": "acc_bank"}


class Bank(reconciliation_service_pb2_grpc.ReconciliationServiceServicer):
    """Keeps the files that it is sent; fails each call with the next of `failures`, after so many messages of it."""

    def __init__(self) -> None:
        self.failures: list[tuple[int, status_pb2.Status]] = []
        self.headers: list[Any] = []
        self.files: list[bytes] = []
        self.longest = 0
        self.time_left: list[float] = []
        self.parts: list[Any] = []

    async def ImportStatement(self, request_iterator: Any, context: Any) -> Any:
        self.time_left.append(context.time_remaining())
        failure = self.failures.pop(0) if self.failures else None
        seen, content = 0, b""
        async for message in request_iterator:
            if message.HasField("header"):
                self.headers.append(message.header)
            content += message.chunk
            self.longest = max(self.longest, len(message.chunk))
            seen += 1
            if failure is not None and seen == failure[0]:
                # As the service does it: what is still coming is let come, or else the client may not hear why.
                async for _ in request_iterator:
                    pass
        if failure is not None:
            await context.abort_with_status(rpc_status.to_status(failure[1]))
        self.files.append(content)
        return messages.ImportStatementResponse(lines=len(content))

    async def ExportReconciliation(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.time_left.append(context.time_remaining())
        failure = self.failures.pop(0) if self.failures else None
        for index, part in enumerate(self.parts):
            if failure is not None and index == failure[0]:
                await context.abort_with_status(rpc_status.to_status(failure[1]))
            yield part


@pytest.fixture
def bank() -> Bank:
    return Bank()  # type: ignore[abstract]


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def target(bank: Bank) -> AsyncIterator[str]:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    reconciliation_service_pb2_grpc.add_ReconciliationServiceServicer_to_server(bank, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@pytest.fixture
async def client(target: str, time: Time) -> AsyncIterator[LedgerClient]:
    async with LedgerClient(target, TOKEN, retry=time.policy()) as opened:
        yield opened


def header(**fields: str) -> messages.ImportStatementHeader:
    return messages.ImportStatementHeader(**PLACE, **fields)


@pytest.mark.parametrize(
    ("calls", "service"),
    [
        ("entities", entity_service_pb2.DESCRIPTOR.services_by_name["EntityService"]),
        ("accounts", account_service_pb2.DESCRIPTOR.services_by_name["AccountService"]),
        ("categories", category_service_pb2.DESCRIPTOR.services_by_name["CategoryService"]),
        ("transactions", transaction_service_pb2.DESCRIPTOR.services_by_name["TransactionService"]),
        ("reconciliations", reconciliation_service_pb2.DESCRIPTOR.services_by_name["ReconciliationService"]),
    ],
)
def test_the_client_has_every_method(client: LedgerClient, calls: str, service: ServiceDescriptor) -> None:
    assert [one.name for one in service.methods if not hasattr(getattr(client, calls), one.name)] == []


async def test_a_file_leaves_in_parts(client: LedgerClient, bank: Bank, tmp_path: Path) -> None:
    path = tmp_path / "june.xml"
    path.write_bytes(FILE)
    told: list[tuple[int, int]] = []
    sent = header()
    response = await client.import_statement(path, sent, on_progress=lambda *now: told.append(now))
    assert response.lines == len(FILE)
    assert bank.files == [FILE]
    assert bank.longest == CHUNK_BYTES
    assert told == [
        (min(end, len(FILE)), len(FILE)) for end in range(CHUNK_BYTES, len(FILE) + CHUNK_BYTES, CHUNK_BYTES)
    ]
    assert (bank.headers[0].account_id, bank.headers[0].file_name) == ("acc_bank", "june.xml")
    assert bank.headers[0].idempotency_key
    assert sent == header(), "the caller's message stays as it is"


async def test_a_name_and_a_key_of_the_callers_stay(client: LedgerClient, bank: Bank, tmp_path: Path) -> None:
    path = tmp_path / "june.xml"
    path.write_bytes(b"x")
    await client.import_statement(path, header(file_name="my name", idempotency_key="my key"))
    await client.import_statement(b"y", header(file_name="bytes"))
    assert [(one.file_name, one.idempotency_key == "my key") for one in bank.headers] == [
        ("my name", True), ("bytes", False),
    ]  # fmt: skip
    assert bank.files == [b"x", b"y"]


@pytest.mark.parametrize("after", [1, 2, 3, 99])
async def test_an_ambiguous_failure_is_sent_again_whole_with_the_same_key(
    client: LedgerClient, bank: Bank, time: Time, after: int
) -> None:
    """Wherever in the file it breaks, and after its end."""
    bank.failures = [(after, status(Code.UNAVAILABLE, "OUTCOME_UNKNOWN")), (after, status(Code.ABORTED))]
    told: list[int] = []
    await client.import_statement(FILE, header(file_name="a"), on_progress=lambda now, _: told.append(now))
    assert bank.files == [FILE]
    assert len(bank.headers) == 3
    assert len({one.idempotency_key for one in bank.headers}) == 1
    assert time.pauses == [0.1, 0.2]
    assert told.count(len(FILE)) >= 1


async def test_a_refusal_before_the_end_of_the_file_is_told(client: LedgerClient, bank: Bank, time: Time) -> None:
    bank.failures = [(1, status(Code.PERMISSION_DENIED, "PERMISSION_DENIED", scope="write"))]
    with pytest.raises(LedgerError) as caught:
        await client.import_statement(FILE * 30, header(file_name="a"))
    assert (caught.value.reason, caught.value.is_definite) == ("PERMISSION_DENIED", True)
    assert caught.value.request == bank.headers[0]
    assert time.pauses == []


class _BrokenCall:
    """What gRPC's call does, once in some hundred times, when its connection breaks while the file's end is sent."""

    async def write(self, part: Any) -> None:
        """Sent, as far as anybody knows."""

    async def done_writing(self) -> None:
        raise grpc.aio.InternalError("Failed to send the end")

    def __await__(self) -> Generator[Any, None, Any]:
        raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "reset")
        yield

    def cancel(self) -> None:
        """It has ended."""


async def test_a_connection_that_breaks_at_the_end_of_a_file(
    client: LedgerClient, bank: Bank, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, broken = client.reconciliations._stub.ImportStatement, [_BrokenCall(), _BrokenCall()]
    monkeypatch.setattr(
        client.reconciliations._stub, "ImportStatement", lambda **options: broken.pop() if broken else send(**options)
    )
    await client.import_statement(FILE, header(file_name="a"))
    assert bank.files == [FILE]
    assert time.pauses == [0.1, 0.2]


async def test_a_file_that_can_not_be_read_is_the_callers(client: LedgerClient, bank: Bank, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await client.import_statement(tmp_path / "nothing", header())
    assert bank.files == []


async def test_a_file_has_more_time_than_a_call(target: str, bank: Bank) -> None:
    for retry in (RetryPolicy(overall=1.0), NO_RETRIES):
        async with LedgerClient(target, TOKEN, timeout=2.0, retry=retry) as client:
            await client.import_statement(b"x", header(file_name="a"), timeout=90)
    assert all(80 < left < 95 for left in bank.time_left)


async def test_a_document_is_put_together(client: LedgerClient, bank: Bank, time: Time) -> None:
    bank.parts = [
        messages.ExportReconciliationResponse(file_name="a.csv", media_type="text/csv", chunk=b"one,"),
        messages.ExportReconciliationResponse(chunk=b"two"),
    ]
    bank.failures = [(1, status(Code.UNAVAILABLE)), (0, status(Code.RESOURCE_EXHAUSTED, "QUEUE_FULL"))]
    document = await client.export_reconciliation(messages.ExportReconciliationRequest(**PLACE, format=1))
    assert (document.file_name, document.media_type, document.content) == ("a.csv", "text/csv", b"one,two")
    assert time.pauses == [0.1, 0.2]
    bank.failures = [(1, status(Code.RESOURCE_EXHAUSTED, "WORK_TOO_LARGE", limit="memory"))]
    with pytest.raises(LedgerError, match="WORK_TOO_LARGE"):
        await client.export_reconciliation(messages.ExportReconciliationRequest(**PLACE, format=1))
