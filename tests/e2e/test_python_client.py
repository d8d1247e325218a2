"""The Python client against a served instance: the README's example as it stands, and a watch across a kill."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from pathlib import Path

import pytest

from ledger_client import LedgerClient, RetryPolicy, messages, money
from tests.e2e.served import ROOT, TOKEN, run, served

pytestmark = pytest.mark.timeout(180)


async def test_the_example_of_the_readme_runs(tmp_path: Path) -> None:
    text = (ROOT / "clients" / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    program = tmp_path / "example.py"
    program.write_text(example, encoding="utf-8")
    async with served(tmp_path) as service:
        finished = await run(str(program), LEDGER_TARGET=service.target, LEDGER_TOKEN=TOKEN)
    assert finished.code == 0, finished.output
    lines = finished.output.splitlines()
    assert lines[:6] == ["True True", "INSUFFICIENT_BALANCE acc_ann", "43.00", "5", "5", "3"]
    assert lines[6] == "1 EVENT_KIND_ENTITY_CREATED"
    assert lines[-1].endswith(" EVENT_KIND_TRANSACTION_CREATED")


async def test_a_watch_misses_nothing_across_a_kill(tmp_path: Path) -> None:
    entity, count = "watched", 40
    seen: list[int] = []
    created: set[str] = set()

    async def follow(client: LedgerClient) -> None:
        async with aclosing(client.watch(entity)) as events:
            async for event in events:
                seen.append(event.sequence)
                if event.kind == messages.EVENT_KIND_TRANSACTION_CREATED:
                    created.add(event.idempotency_key)
                if len(created) == count:
                    return

    async with (
        served(tmp_path) as service,
        LedgerClient(service.target, TOKEN, retry=RetryPolicy(overall=60)) as client,
    ):
        await client.entities.CreateEntity(messages.CreateEntityRequest(entity_id=entity, name="Watched"))
        for account_id in ("acc_a", "acc_b"):
            await client.accounts.CreateAccount(
                messages.CreateAccountRequest(
                    entity_id=entity, account_id=account_id, name=account_id, type=messages.ACCOUNT_TYPE_ASSET
                )
            )
        following = asyncio.create_task(follow(client))
        starting: asyncio.Task[None] | None = None
        for number in range(count):
            if number == count // 2:
                await service.kill()
                # The next write is sent while nobody listens, and waits.
                starting = asyncio.create_task(service.start())
            await client.transactions.CreateTransaction(
                messages.CreateTransactionRequest(
                    entity_id=entity,
                    idempotency_key=f"key-{number}",
                    debit_account_id="acc_a",
                    credit_account_id="acc_b",
                    amount=money("1.00", "USD"),
                )
            )
        assert starting is not None
        await starting
        async with asyncio.timeout(60):
            await following
    assert created == {f"key-{number}" for number in range(count)}
    assert seen == list(range(1, len(seen) + 1)), "without a gap or a repeat"
