"""Rows as the domain's objects."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ledger_service.domain.account import Account, AccountState, AccountType, Entity, EntityState, Limit
from ledger_service.domain.category import Category, CategoryState
from ledger_service.domain.decide.book import Head
from ledger_service.domain.snapshots import bank_account_from
from ledger_service.domain.transaction import Posting, Status, Transaction

Row = Mapping[str, Any]
Place = tuple[int, int]
"""An entity's number and a number in it: of an account, a transaction or an event."""


def entity_of(row: Row) -> Entity:
    """A row of entities with the entity's last sequence."""
    return Entity(
        entity_no=row["entity_no"],
        entity_id=row["entity_id"],
        id_key=row["id_key"],
        name=row["name"],
        time_zone=row["time_zone"],
        state=EntityState(row["state"]),
        metadata=row["metadata"],
        created_time=row["created_time"],
        updated_time=row["updated_time"],
        revision=row["revision"],
        sequence=row["sequence"],
    )


def account_of(row: Row, limits: tuple[Limit, ...]) -> Account:
    """A row of the queries `accounts` and `look`."""
    return Account(
        account_no=row["account_no"],
        account_id=row["account_id"],
        type=AccountType(row["type"]),
        contra=row["contra"],
        code=row["code"],
        name=row["name"],
        parent_no=row["parent_no"],
        parent_id=row["parent_id"],
        currencies=tuple(row["currencies"]),
        limits=limits,
        state=AccountState(row["state"]),
        metadata=row["metadata"],
        created_time=row["created_time"],
        updated_time=row["updated_time"],
        sequence=row["sequence"],
        revision=row["revision"],
        financial_type=row["financial_type"],
        sub_type_code=row["sub_type_code"],
        is_category=row["is_category"],
        bank_account=bank_account_from(json.loads(row["bank_account"]) if row["bank_account"] else None),
    )


def category_of(row: Row) -> Category:
    """A row of categories."""
    return Category(
        category_no=row["category_no"],
        category_id=row["category_id"],
        name=row["name"],
        state=CategoryState(row["state"]),
        metadata=row["metadata"],
        created_time=row["created_time"],
        updated_time=row["updated_time"],
        sequence=row["sequence"],
        revision=row["revision"],
    )


def limits_in(row: Row) -> tuple[Limit, ...]:
    """An account's limits in a row of the query `look`."""
    if row["limit_currencies"] is None:
        return ()
    return tuple(map(Limit, row["limit_currencies"], row["floors"], row["ceilings"]))


def limits_of(rows: Iterable[Row]) -> dict[Place, tuple[Limit, ...]]:
    """Rows of the query `limits`, by account."""
    found: dict[Place, tuple[Limit, ...]] = {}
    for row in rows:
        place = row["entity_no"], row["account_no"]
        found[place] = (*found.get(place, ()), Limit(row["currency"], row["floor"], row["ceiling"]))
    return found


def head_of(row: Row) -> Head:
    """An entry's totals; exact whatever their width."""
    wide = row["wide"]
    if wide is None:
        return Head(
            row["debits_posted"],
            row["credits_posted"],
            row["debits_pending"],
            row["credits_pending"],
            row["number"],
            row["latest_effective"],
        )
    return Head(wide[1], wide[2], wide[3], wide[4], row["number"], row["latest_effective"])


def postings_of(rows: Iterable[Row]) -> dict[Place, tuple[Posting, ...]]:
    """Rows of the query `postings`, by the event that defines them."""
    found: dict[Place, list[Posting]] = {}
    for row in rows:
        amount = row["amount"] if row["wide"] is None else row["wide"]
        found.setdefault((row["entity_no"], row["sequence"]), []).append(
            Posting(row["leg"], row["account_no"], row["account_id"], row["side"], row["currency"], amount)
        )
    return {place: tuple(postings) for place, postings in found.items()}


def transaction_of(row: Row, postings: tuple[Posting, ...], reversed_by: tuple[int, ...] = ()) -> Transaction:
    """A row of the view `transactions`, or of its past revisions."""
    return Transaction(
        row["entity_no"],
        row["transaction_no"],
        row["revision"],
        row["sequence"],
        Status(row["status"]),
        postings,
        row["postings_at"],
        row["effective_time"],
        row["expire_time"],
        row["created_time"],
        row["recorded_time"],
        row["actor"],
        row["idempotency_key"],
        row["description"],
        row["reference"],
        row["counterparty"],
        row["category_id"],
        row["metadata"],
        row["reverses"],
        reversed_by,
    )
