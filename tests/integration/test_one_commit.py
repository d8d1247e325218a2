"""What one group commit writes of categories: each may build on the one before it, in the same database transaction."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from ledger_service.application.intake.categories import archive_category, create_category, update_category
from ledger_service.application.intake.fields import RawMoney
from ledger_service.application.intake.transactions import categorize_transaction, create_transaction
from ledger_service.domain.commands import Command, Unit
from ledger_service.domain.decide import Applied, Outcome, Refused, decide
from ledger_service.storage.write_session import WriteStore
from tests.helpers.builders import new_account, new_category, new_entity, transfer
from tests.helpers.servers import Service, ShiftedClock

if TYPE_CHECKING:
    from collections.abc import Sequence

CURRENCIES = {"USD": 2}


def make(category_id: str, name: str = "", **fields: Any) -> Command:
    values = {"idempotency_key": "", "fresh_id": "unused", "metadata_object": None, **fields}
    return create_category("test", category_id=category_id, name=name or category_id, **values)


def rename(category_id: str, name: str) -> Command:
    return update_category(
        "test",
        idempotency_key="",
        category_id=category_id,
        fields=["name"],
        name=name,
        metadata_object=None,
        expected_revision=0,
    )


def archive(category_id: str) -> Command:
    return archive_category("test", idempotency_key="", category_id=category_id)


def give(key: str, transaction_id: str, category_id: str) -> Command:
    return categorize_transaction(
        "test", idempotency_key=key, transaction_id=transaction_id, category_id=category_id, expected_revision=0
    )


def pay(key: str, category_id: str) -> Command:
    return create_transaction(
        CURRENCIES,
        "test",
        idempotency_key=key,
        postings=[],
        debit_account_id="cash",
        credit_account_id="shop",
        amount=RawMoney("USD", "1.00"),
        status=3,
        category_id=category_id,
    )


class Office:
    """Writes batches as the committer does, and keeps what it remembers from one to the next."""

    def __init__(self, dsn: str, entity_id: str, entity_no: int) -> None:
        self.entity_id = entity_id
        self.entity_no = entity_no
        self._dsn = dsn
        self._store = WriteStore(dsn, random.Random(1))

    async def commit(self, *commands: Command) -> Sequence[Outcome]:
        """All in one database transaction; raises Rejected where the database refuses what was decided."""
        session = await self._store.open_session()
        try:
            await session.lock([self.entity_no])
            unit = Unit(self.entity_no, list(commands))
            loaded = await session.load({self.entity_no: [unit]}, ShiftedClock(), 100)
            outcomes: list[list[Outcome]] = []
            steps = decide(loaded.books[self.entity_no], [unit], outcomes)
            await session.write(session.rows(loaded, steps), lambda: None)
            await session.commit()
        finally:
            await session.close()
        return outcomes[0]

    async def categories(self) -> dict[str, tuple[str, int, int]]:
        """Name, state and revision by id."""
        connection = await asyncpg.connect(self._dsn)
        try:
            rows = await connection.fetch("SELECT category_id, name, state, revision FROM ledger.categories")
        finally:
            await connection.close()
        return {row["category_id"]: (row["name"], row["state"], row["revision"]) for row in rows}


@pytest.fixture
async def office(service: Service) -> Office:
    entity = await new_entity(service.client)
    await new_account(service.client, entity, "cash")
    await new_account(service.client, entity, "shop")
    connection = await asyncpg.connect(service.dsn)
    try:
        number = await connection.fetchval("SELECT entity_no FROM ledger.entities WHERE entity_id = $1", entity)
    finally:
        await connection.close()
    return Office(service.dsn, entity, number)


def reasons(outcomes: Sequence[Outcome]) -> list[str]:
    """The reason of each refusal; "" for what was applied."""
    return [outcome.error.reason.value if isinstance(outcome, Refused) else "" for outcome in outcomes]


async def test_created_changed_and_archived_at_once(office: Office) -> None:
    outcomes = await office.commit(
        make("rent", "Rent"), rename("rent", "Lease"), rename("rent", "Rent"), archive("rent"), rename("rent", "Else")
    )
    assert reasons(outcomes) == ["", "", "", "", "CATEGORY_ARCHIVED"]
    assert await office.categories() == {"rent": ("Rent", 2, 4)}
    assert [outcome.category.revision for outcome in outcomes if isinstance(outcome, Applied) and outcome.category] == [
        1,
        2,
        3,
        4,
    ]


async def test_a_name_passes_from_one_to_the_next(office: Office) -> None:
    await office.commit(make("first", "Rent"), make("second", "Lease"))
    outcomes = await office.commit(
        rename("second", "Lease"),
        make("third", "Rent"),
        rename("first", "Hire"),
        rename("second", "Rent"),
        rename("first", "Lease"),
        archive("second"),
        make("third", "Rent"),
    )
    assert reasons(outcomes) == ["", "CATEGORY_NAME_TAKEN", "", "", "", "", ""]
    assert await office.categories() == {
        "first": ("Lease", 1, 3),
        "second": ("Rent", 2, 4),
        "third": ("Rent", 1, 1),
    }


async def test_created_and_used_at_once(office: Office) -> None:
    outcomes = await office.commit(
        pay("early", "rent"), make("rent"), pay("first", "rent"), archive("rent"), pay("late", "rent")
    )
    assert reasons(outcomes) == ["CATEGORY_NOT_FOUND", "", "", "", "CATEGORY_ARCHIVED"]
    outcomes = await office.commit(pay("late again", "rent"), make("rent"), make("rent", "Other"))
    assert reasons(outcomes) == ["CATEGORY_ARCHIVED", "", "CATEGORY_ALREADY_EXISTS"]
    assert isinstance(outcomes[1], Applied)
    assert (outcomes[1].replayed, outcomes[1].sequence) == (True, 7)


async def test_given_and_taken_at_once(office: Office, service: Service) -> None:
    client = service.client
    entity = office.entity_id
    await new_category(client, entity, "fun")
    posted = await client.transactions.CreateTransaction(transfer(entity, "cash", "shop", "2.00"))
    number = posted.transaction.id
    outcomes = await office.commit(
        make("rent"),
        give("one", number, "rent"),
        give("two", number, "fun"),
        archive("fun"),
        give("three", number, "fun"),
        give("four", number, ""),
        give("one", number, "rent"),
        give("one", number, "fun"),
    )
    assert reasons(outcomes) == ["", "", "", "", "CATEGORY_ARCHIVED", "", "", "IDEMPOTENCY_KEY_REUSED"]
    again = outcomes[6]
    assert isinstance(again, Applied)
    assert again.replayed
    assert (again.transactions[0].revision, again.transactions[0].category_id) == (2, "rent")


async def test_what_a_process_remembers_is_true(office: Office, service: Service) -> None:
    """Another process changes categories between two of its batches."""
    other = Office(service.dsn, office.entity_id, office.entity_no)
    await office.commit(make("rent"), pay("one", "rent"))
    await other.commit(rename("rent", "Lease"))
    assert reasons(await office.commit(make("second", "Lease"), rename("rent", "Hire"))) == ["CATEGORY_NAME_TAKEN", ""]
    await other.commit(archive("rent"))
    assert reasons(await office.commit(pay("two", "rent"), make("third", "Hire"))) == ["CATEGORY_ARCHIVED", ""]
    assert await office.categories() == {"rent": ("Hire", 2, 4), "third": ("Hire", 1, 1)}
