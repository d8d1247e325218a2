"""Two processes write the same request at the same place and time: each must know whose COMMIT it was (tests.chaos).

The time is the same where the database's clock was set back: nothing is recorded before what was recorded last, so it
stands still. Then all that is sealed is the same in both, and whoever lost its COMMIT must not take the other's for it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.application.intake.fields import RawMoney
from ledger_service.application.intake.transactions import create_transaction
from ledger_service.domain.commands import Unit
from ledger_service.domain.decide import decide
from ledger_service.storage.write_session import WriteStore
from tests.helpers.builders import ASSET, new_account, new_entity
from tests.helpers.servers import serving
from tests.helpers.sql import connected

if TYPE_CHECKING:
    from ledger_service.application.ports import Loaded


class SetBack:
    """The clock of a database whose time was an hour ahead when it recorded last."""

    def adjust(self, database_now: datetime) -> datetime:
        return database_now - timedelta(hours=1)


async def write(session: Any, entity_no: int) -> Loaded:
    """The one request, up to COMMIT."""
    command = create_transaction(
        {"USD": 2}, "test", idempotency_key="same", postings=[], debit_account_id="cash", credit_account_id="wallet",
        amount=RawMoney("USD", "1.00"), status=3,
    )  # fmt: skip
    unit = Unit(entity_no, [command])
    await session.lock([entity_no])
    loaded: Loaded = await session.load({entity_no: [unit]}, SetBack(), 100)
    rows = session.rows(loaded, decide(loaded.books[entity_no], [unit], []))
    assert await session.write(rows, lambda: None)
    return loaded


@pytest.mark.xfail(strict=True, reason="was_committed goes by the seal alone")
async def test_the_same_request_through_another_session(database: str) -> None:
    async with serving(database) as service:
        entity = await new_entity(service.client)
        await new_account(service.client, entity, "cash", ASSET)
        await new_account(service.client, entity, "wallet")
    async with connected(database) as connection:
        number = await connection.fetchval("SELECT entity_no FROM ledger.entities WHERE entity_id = $1", entity)
    first = await WriteStore(database).open_session()
    lost = await write(first, number)
    await first.rollback()
    await first.unlock()
    second = await WriteStore(database).open_session()
    try:
        written = await write(second, number)
        assert lost.books[number].now == written.books[number].now, "the time went on: the test shows nothing"
        await second.commit()
        assert await second.was_committed(written)
        assert not await second.was_committed(lost)
    finally:
        await first.close()
        await second.close()
