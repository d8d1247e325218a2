"""The real input: 15,499 records of a bank, through kills of the importer and of the service."""

from __future__ import annotations

import asyncio
import re
from asyncio.subprocess import Process
from pathlib import Path

import pytest

from ledger_client import LedgerClient, LedgerError, RetryPolicy, messages, paginate
from tests.e2e.served import ROOT, TOKEN, Served, begin, finish, run, served

FILE = ROOT.parent / "shared" / "data" / "pkdd99" / "transactions.csv"
PROGRAM = "examples/import_bank_history.py"
ENTITY = "entity_pkdd99"
RECORDS, CUSTOMERS, MONTHS = 15_499, 429, 15
LAST_LINE = re.compile(r"posted (\d+), replayed (\d+), customers (\d+), exact (\d+), within 1\.00 (\d+), off (\d+)")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not FILE.exists(), reason="the bank's records (../shared/data/pkdd99) are not there"),
]


async def begin_import(service: Served) -> Process:
    # Small batches, so that there is a middle to kill in.
    return await begin(PROGRAM, str(FILE), "--batch-size", "100", LEDGER_TARGET=service.target, LEDGER_TOKEN=TOKEN)


async def posted_so_far(client: LedgerClient) -> int:
    try:
        answer = await client.entities.GetEntity(messages.GetEntityRequest(entity_id=ENTITY))
    except LedgerError as error:
        if error.reason != "ENTITY_NOT_FOUND":
            raise
        return 0
    return answer.entity.sequence


async def wait_until_posted(service: Served, importer: Process, count: int) -> None:
    """Return while the import is under way and the entity has seen `count` events."""
    async with (
        asyncio.timeout(120),
        LedgerClient(service.target, TOKEN, retry=RetryPolicy(overall=60)) as client,
    ):
        while await posted_so_far(client) < count:
            assert importer.returncode is None, "the import ended before it could be disturbed"
            await asyncio.sleep(0.01)
    assert importer.returncode is None


async def recorded_keys(service: Served) -> list[str]:
    """The idempotency key of every transaction that the ledger has, by its own list."""
    request = messages.ListTransactionsRequest(entity_id=ENTITY, page_size=1000, ascending=True)
    async with LedgerClient(service.target, TOKEN) as client:
        return [
            transaction.idempotency_key
            async for page in paginate(client.transactions.ListTransactions, request)
            for transaction in page.transactions
        ]


def counts(line: str) -> list[int]:
    match = LAST_LINE.fullmatch(line)
    assert match is not None, line
    return [int(number) for number in match.groups()]


async def test_nothing_is_lost_or_double_through_kills(tmp_path: Path) -> None:
    async with served(tmp_path) as service:
        importer = await begin_import(service)
        await wait_until_posted(service, importer, 2_000)
        importer.kill()
        await finish(importer)

        importer = await begin_import(service)
        await wait_until_posted(service, importer, 8_000)
        await service.kill()
        await asyncio.sleep(1.0)
        assert importer.returncode is None, "the import waits for a service that is gone"
        await service.start()
        first = await finish(importer)
        assert first.code == 0, first.output
        posted, replayed, customers, exact, within, off = counts(first.last_line)
        assert posted + replayed == RECORDS
        assert posted > 0
        assert replayed > 0
        assert (customers, exact + within, off) == (CUSTOMERS, CUSTOMERS, 0)
        assert first.output.count("nets to zero") == MONTHS
        assert "OFF BY" not in first.output

        second = await finish(await begin_import(service))
        assert second.code == 0, second.output
        assert counts(second.last_line) == [0, RECORDS, CUSTOMERS, exact, within, 0]
        assert second.output.count("nets to zero") == MONTHS
        numbers = await recorded_keys(service)
        assert sorted(numbers) == sorted(line.partition(";")[0] for line in FILE.read_text().splitlines()[1:])
        assert await service.stop() == 0

    verified = await run("-m", "ledger_service", "verify", "--data-dir", str(service.data_dir))
    assert verified.code == 0, verified.output


async def test_a_changed_record_is_refused_and_named(tmp_path: Path) -> None:
    heading, *lines = FILE.read_text().splitlines()
    file = tmp_path / "some.csv"
    file.write_text("\n".join([heading, *lines[:20]]) + "\n")
    async with served(tmp_path) as service:
        variables = {"LEDGER_TARGET": service.target, "LEDGER_TOKEN": TOKEN}
        whole = await run(PROGRAM, str(file), **variables)
        assert whole.code == 0, whole.output
        assert counts(whole.last_line)[:2] == [20, 0]
        number, rest = lines[5].split(";", 1)
        changed = f"{number};{re.sub(r';[0-9]+[.][0-9]{2};', ';1.23;', rest, count=1)}"
        file.write_text("\n".join([heading, *lines[:5], changed, *lines[6:20]]) + "\n")
        again = await run(PROGRAM, str(file), **variables)
        assert again.code == 1, again.output
        assert f"refused: record {number} (line 7): IDEMPOTENCY_KEY_REUSED" in again.output
        assert counts(again.last_line)[:2] == [0, 19]
