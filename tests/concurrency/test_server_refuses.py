"""Errors that say nothing about what is written: the call is tried again, or told that the database is away."""

from __future__ import annotations

import pytest

from tests.helpers.builders import ASSET, balance, new_account, new_entity, transfer
from tests.helpers.cutting_proxy import Refusal, cutting
from tests.helpers.servers import serving

CALLS = 3


@pytest.mark.parametrize("refusal", Refusal, ids=lambda refusal: refusal.name.lower())
async def test_an_error_that_passes(database: str, refusal: Refusal) -> None:
    async with cutting(database) as (proxy, dsn), serving(dsn) as service:
        entity = await new_entity(service.client)
        await new_account(service.client, entity, "cash", ASSET)
        await new_account(service.client, entity, "wallet")
        for _ in range(CALLS):
            plan = proxy.refuse(refusal)
            if refusal is Refusal.TOO_MANY_CONNECTIONS:
                proxy.end_writers()
            request = transfer(entity, "cash", "wallet", "1.00")
            answer = await service.client.transactions.CreateTransaction(request)
            assert plan.happened.is_set()
            assert not answer.replayed
            assert (await service.client.transactions.CreateTransaction(request)).replayed
        assert proxy.refusals == [refusal] * CALLS
        assert (await balance(service.client, entity, "wallet")).posted.amount == f"{CALLS}.00"
