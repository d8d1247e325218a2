"""A small ledger with a bit of everything, written through the service: what `verify` is tried on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from google.protobuf.field_mask_pb2 import FieldMask

from ledger.v1 import account_service_pb2 as accounts
from ledger.v1 import category_service_pb2 as categories
from ledger.v1 import transaction_service_pb2 as transactions
from tests.helpers.builders import (
    ASSET,
    CLEARED,
    CREDIT,
    DEBIT,
    PENDING,
    money,
    new_account,
    new_category,
    new_entity,
    posting,
    timestamp,
    transfer,
)
from tests.helpers.rpc import refusal

if TYPE_CHECKING:
    from typing import Any

    from tests.helpers.servers import Service

ENTITY = "acme"
BACKDATED, HELD_EXPIRED, OPEN_CLEARED, ORIGINAL = 21, 22, 34, 36
"""Sequences at which transactions were created that get a category."""
FLOOR = 500
"""Of the account `wallet`, in cents."""
HUGE = "9" * 24
"""An amount that 63 bits do not hold, in whole units."""


async def write_sound_ledger(service: Service) -> None:
    """Fill an empty database: two entities, accounts in every state, transactions that lived every kind of life."""
    client = service.client
    await new_entity(client, entity_id="other")
    await new_account(client, "other", "left")
    await new_account(client, "other", "right")
    await client.transactions.CreateTransaction(transfer("other", "left", "right", "1.00"))
    await new_entity(client, entity_id=ENTITY)
    await new_account(client, ENTITY, "cash", ASSET, code="1000")
    await new_account(client, ENTITY, "till", ASSET, parent_id="cash")
    for name in ("shop", "fees", "frozen", "closed"):
        await new_account(client, ENTITY, name)
    await new_account(client, ENTITY, "euros", currencies=["EUR"])
    await new_account(client, ENTITY, "vault", ASSET)
    await _create(service, "cash", "shop", "100.00", description="Opening", metadata={"from": "a test"})
    await new_account(client, ENTITY, "wallet", floor="0.00", ceiling="1000000.00")
    await _create(service, "cash", "wallet", "50.00")
    await _write_limits(service)
    await _write_postings(service)
    await _write_lives(service)
    await _write_reversals(service)
    await _write_states(service)
    await _write_categories(service)


async def _create(service: Service, debit: str, credit: str, amount: str, **fields: Any) -> str:
    answer = await service.client.transactions.CreateTransaction(transfer(ENTITY, debit, credit, amount, **fields))
    return str(answer.transaction.id)


async def _write_limits(service: Service) -> None:
    """A floor that is raised later, met, and that refuses something."""
    update = accounts.UpdateAccountRequest(entity_id=ENTITY, account_id="wallet")
    update.update_mask.paths.append("limits")
    update.limits.add(currency="USD", floor=f"{FLOOR / 100:.2f}", ceiling="1000000.00")
    await service.client.accounts.UpdateAccount(update)
    await _create(service, "wallet", "cash", "45.00")
    refused = await refusal(service.client.transactions.CreateTransaction(transfer(ENTITY, "wallet", "cash", "0.01")))
    assert refused.reason == "INSUFFICIENT_BALANCE"
    await _create(service, "cash", "wallet", "25.00")


async def _write_postings(service: Service) -> None:
    """Several legs, several currencies, amounts of any width, and one effective in the past."""
    legs = [
        posting("cash", DEBIT, "9.00"),
        posting("shop", CREDIT, "8.00"),
        posting("fees", CREDIT, "1.00"),
        posting("euros", DEBIT, "3.00", "EUR"),
        posting("shop", CREDIT, "3.00", "EUR"),
    ]
    request = transactions.CreateTransactionRequest(
        entity_id=ENTITY, idempotency_key="legs", postings=legs, status=transfer("", "", "", "1").status
    )
    await service.client.transactions.CreateTransaction(request)
    for amount in (HUGE, "1.00"):
        await _create(service, "vault", "shop", amount, currency="JPY" if "." not in amount else "USD")
    await _create(service, "vault", "shop", "5", currency="JPY")
    yesterday = service.clock.now() - timedelta(days=1)
    await _create(service, "cash", "shop", "0.50", effective_time=timestamp(yesterday))


async def _write_lives(service: Service) -> None:
    """Each way for a transaction to end, after each way to change it before; two stay open."""
    client, deadline = service.client.transactions, timestamp(service.clock.now() + timedelta(hours=1))
    await _create(service, "cash", "shop", "1.00", status=PENDING, expire_time=deadline)
    voided = await _create(service, "cash", "shop", "2.00", status=PENDING, description="Hold")
    cleared = await _create(service, "cash", "shop", "3.00", status=PENDING, reference="order-3")
    pair = [await _create(service, "cash", "wallet", f"{n}.00", status=PENDING) for n in (4, 5)]
    await client.EditTransaction(
        transactions.EditTransactionRequest(
            entity_id=ENTITY, transaction_id=cleared, credit_account_id="fees", idempotency_key="edit"
        )
    )
    await client.ClearTransaction(
        transactions.ClearTransactionRequest(entity_id=ENTITY, transaction_id=cleared, idempotency_key="clear")
    )
    await client.ApproveTransactions(
        transactions.ApproveTransactionsRequest(
            entity_id=ENTITY,
            idempotency_key="approve-part",
            approvals=[transactions.Approval(transaction_id=cleared, amount=money("2.50"))],
        )
    )
    await client.ApproveTransactions(
        transactions.ApproveTransactionsRequest(
            entity_id=ENTITY,
            idempotency_key="approve-pair",
            approvals=[transactions.Approval(transaction_id=each) for each in pair],
        )
    )
    await client.VoidTransaction(
        transactions.VoidTransactionRequest(entity_id=ENTITY, transaction_id=voided, idempotency_key="void")
    )
    service.clock.advance(timedelta(hours=2))
    # The next write finds that the first one has expired.
    await _create(service, "cash", "shop", "6.00", status=CLEARED)
    later = timestamp(service.clock.now() + timedelta(days=30))
    await _create(service, "cash", "shop", "7.00", status=PENDING, expire_time=later)


async def _write_reversals(service: Service) -> None:
    """In two parts, each of which leaves something."""
    original = await _create(service, "cash", "shop", "10.00")
    for amount in ("4.00", "5.00"):
        await service.client.transactions.ReverseTransaction(
            transactions.ReverseTransactionRequest(
                entity_id=ENTITY, transaction_id=original, amount=money(amount), idempotency_key=f"reverse-{amount}"
            )
        )


async def _write_states(service: Service) -> None:
    """An account that was used and is frozen, and one that came back to zero and is closed."""
    await _create(service, "cash", "frozen", "1.00")
    await _create(service, "cash", "closed", "1.00")
    await _create(service, "closed", "cash", "1.00")
    await service.client.accounts.FreezeAccount(
        accounts.FreezeAccountRequest(entity_id=ENTITY, account_id="frozen", idempotency_key="freeze")
    )
    await service.client.accounts.CloseAccount(
        accounts.CloseAccountRequest(entity_id=ENTITY, account_id="closed", idempotency_key="close")
    )


async def _write_categories(service: Service) -> None:
    """One that is renamed and one that is archived; given to a posted, an open and an expired transaction."""
    client = service.client
    await new_category(client, ENTITY, "rent", name="Rent", metadata={"code": "R"})
    await new_category(client, ENTITY, "fun")
    await client.categories.UpdateCategory(
        categories.UpdateCategoryRequest(
            entity_id=ENTITY, category_id="rent", update_mask=FieldMask(paths=["name"]), name="Rent of the shop"
        )
    )
    listed = await client.transactions.ListTransactions(
        transactions.ListTransactionsRequest(entity_id=ENTITY, page_size=1000, ascending=True)
    )
    ids = {each.create_sequence: each.id for each in listed.transactions}
    for sequence, category in (
        (BACKDATED, "rent"),
        (OPEN_CLEARED, "rent"),
        (HELD_EXPIRED, "fun"),
        (BACKDATED, ""),
        (ORIGINAL, "rent"),
    ):
        await client.transactions.CategorizeTransaction(
            transactions.CategorizeTransactionRequest(
                entity_id=ENTITY,
                transaction_id=ids[sequence],
                category_id=category,
                idempotency_key=f"categorize-{sequence}-{category}",
            )
        )
    await client.categories.ArchiveCategory(categories.ArchiveCategoryRequest(entity_id=ENTITY, category_id="fun"))
