"""Short ways to say what a test needs: an entity, accounts, a transaction of two postings."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from google.protobuf.timestamp_pb2 import Timestamp

from ledger.v1 import (
    account_pb2,
    account_service_pb2,
    category_service_pb2,
    entity_service_pb2,
    money_pb2,
    transaction_pb2,
)
from ledger.v1 import transaction_service_pb2 as transactions_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tests.helpers.rpc import Client

DEBIT = account_pb2.SIDE_DEBIT
CREDIT = account_pb2.SIDE_CREDIT
ASSET = account_pb2.ACCOUNT_TYPE_ASSET
LIABILITY = account_pb2.ACCOUNT_TYPE_LIABILITY
EQUITY = account_pb2.ACCOUNT_TYPE_EQUITY
REVENUE = account_pb2.ACCOUNT_TYPE_REVENUE
EXPENSE = account_pb2.ACCOUNT_TYPE_EXPENSE
PENDING = transaction_pb2.TRANSACTION_STATUS_PENDING
CLEARED = transaction_pb2.TRANSACTION_STATUS_CLEARED
POSTED = transaction_pb2.TRANSACTION_STATUS_POSTED
VOIDED = transaction_pb2.TRANSACTION_STATUS_VOIDED
EXPIRED = transaction_pb2.TRANSACTION_STATUS_EXPIRED

_numbers = itertools.count(1)


def unique(prefix: str) -> str:
    """A name that no other call in this process gives."""
    return f"{prefix}-{next(_numbers)}"


def money(amount: str, currency: str = "USD") -> money_pb2.Money:
    """An amount as it is written on the wire."""
    return money_pb2.Money(currency=currency, amount=amount)


def timestamp(moment: datetime) -> Timestamp:
    """A point in time as it is written on the wire."""
    result = Timestamp()
    result.FromDatetime(moment)
    return result


def posting(
    account_id: str, side: account_pb2.Side.ValueType, amount: str, currency: str = "USD"
) -> transaction_pb2.Posting:
    """One leg."""
    return transaction_pb2.Posting(account_id=account_id, side=side, amount=money(amount, currency))


def transfer(
    entity_id: str, debit: str, credit: str, amount: str, *, currency: str = "USD", **fields: Any
) -> transactions_pb2.CreateTransactionRequest:
    """A transaction of two postings: POSTED and with a fresh key unless `fields` say otherwise."""
    fields.setdefault("idempotency_key", unique("key"))
    fields.setdefault("status", POSTED)
    return transactions_pb2.CreateTransactionRequest(
        entity_id=entity_id,
        debit_account_id=debit,
        credit_account_id=credit,
        amount=money(amount, currency),
        **fields,
    )


async def new_entity(client: Client, **fields: Any) -> str:
    """Make an entity; gives its id."""
    fields.setdefault("entity_id", unique("entity"))
    fields.setdefault("name", "An entity of a test")
    answer = await client.entities.CreateEntity(entity_service_pb2.CreateEntityRequest(**fields))
    return str(answer.entity.id)


async def new_account(
    client: Client,
    entity_id: str,
    account_id: str = "",
    type: account_pb2.AccountType.ValueType = LIABILITY,  # noqa: A002 (the field's name)
    *,
    floor: str | None = None,
    ceiling: str | None = None,
    currency: str = "USD",
    **fields: Any,
) -> str:
    """Make an account, with a floor or ceiling in `currency` if given; gives its id."""
    account_id = account_id or unique("account")
    if floor is not None or ceiling is not None:
        fields["limits"] = [account_pb2.BalanceLimit(currency=currency, floor=floor, ceiling=ceiling)]
    fields.setdefault("name", account_id)
    request = account_service_pb2.CreateAccountRequest(entity_id=entity_id, account_id=account_id, type=type, **fields)
    return str((await client.accounts.CreateAccount(request)).account.id)


async def new_accounts(client: Client, entity_id: str, ids: Iterable[str], **fields: Any) -> None:
    """Make several accounts of one kind in one call."""
    fields.setdefault("type", LIABILITY)
    requests = [account_service_pb2.CreateAccountRequest(account_id=each, name=each, **fields) for each in ids]
    await client.accounts.BatchCreateAccounts(
        account_service_pb2.BatchCreateAccountsRequest(entity_id=entity_id, requests=requests)
    )


async def new_category(client: Client, entity_id: str, category_id: str = "", **fields: Any) -> str:
    """Make a category, named after its id unless `fields` say otherwise; gives its id."""
    category_id = category_id or unique("category")
    fields.setdefault("name", category_id)
    request = category_service_pb2.CreateCategoryRequest(entity_id=entity_id, category_id=category_id, **fields)
    return str((await client.categories.CreateCategory(request)).category.id)


async def balance(
    client: Client, entity_id: str, account_id: str, currency: str = "USD", **fields: Any
) -> account_pb2.Balance:
    """The balance of an account in one currency."""
    answer = await client.accounts.GetBalance(
        account_service_pb2.GetBalanceRequest(entity_id=entity_id, account_id=account_id, currency=currency, **fields)
    )
    only: account_pb2.Balance
    (only,) = answer.balances
    return only


async def sequence_of(client: Client, entity_id: str) -> int:
    """How many things have happened in an entity."""
    answer = await client.entities.GetEntity(entity_service_pb2.GetEntityRequest(entity_id=entity_id))
    return int(answer.entity.sequence)
