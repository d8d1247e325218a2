"""Accounts, entities and refusals as their events keep them: JSON, and back.

Amounts are text: JSON numbers may be read as floats.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from ledger_service.domain.account import (
    Account,
    AccountState,
    AccountType,
    BankAccount,
    Entity,
    EntityState,
    Limit,
)
from ledger_service.domain.category import Category, CategoryState
from ledger_service.domain.errors import LedgerError, Reason


def account_snapshot(account: Account) -> str:
    """The account as it is after an event."""
    return json.dumps(
        {
            "account_id": account.account_id,
            "type": int(account.type),
            "contra": account.contra,
            "code": account.code,
            "name": account.name,
            "parent_no": account.parent_no,
            "parent_id": account.parent_id,
            "currencies": account.currencies,
            "limits": [[limit.currency, _text(limit.floor), _text(limit.ceiling)] for limit in account.limits],
            "state": int(account.state),
            "metadata": account.metadata,
            "created_time": account.created_time.isoformat(),
            "updated_time": account.updated_time.isoformat(),
            "revision": account.revision,
            "financial_type": account.financial_type,
            "sub_type_code": account.sub_type_code,
            "is_category": account.is_category,
            "bank_account": None if account.bank_account is None else asdict(account.bank_account),
        }
    )


def account_from(snapshot: str, account_no: int, sequence: int) -> Account:
    """The account that was as the event at `sequence` says."""
    kept = json.loads(snapshot)
    return Account(
        account_no=account_no,
        account_id=kept["account_id"],
        type=AccountType(kept["type"]),
        contra=kept["contra"],
        code=kept["code"],
        name=kept["name"],
        parent_no=kept["parent_no"],
        parent_id=kept["parent_id"],
        currencies=tuple(kept["currencies"]),
        limits=tuple(Limit(code, _units(floor), _units(ceiling)) for code, floor, ceiling in kept["limits"]),
        state=AccountState(kept["state"]),
        metadata=kept["metadata"],
        created_time=datetime.fromisoformat(kept["created_time"]),
        updated_time=datetime.fromisoformat(kept["updated_time"]),
        sequence=sequence,
        revision=kept["revision"],
        # Events from before version 0.2 do not have these.
        financial_type=kept.get("financial_type"),
        sub_type_code=kept.get("sub_type_code"),
        is_category=kept.get("is_category", False),
        bank_account=bank_account_from(kept.get("bank_account")),
    )


def bank_account_from(members: Mapping[str, str | None] | None) -> BankAccount | None:
    """The bank account that an event or a row says."""
    return None if members is None else BankAccount(**members)  # type: ignore[arg-type]  # written by us


def category_snapshot(category: Category) -> str:
    """The category as it is after an event."""
    return json.dumps(
        {
            "category_no": category.category_no,
            "category_id": category.category_id,
            "name": category.name,
            "state": int(category.state),
            "metadata": category.metadata,
            "created_time": category.created_time.isoformat(),
            "updated_time": category.updated_time.isoformat(),
            "revision": category.revision,
        }
    )


def category_from(snapshot: str, sequence: int) -> Category:
    """The category that was as the event at `sequence` says."""
    kept = json.loads(snapshot)
    return Category(
        category_no=kept["category_no"],
        category_id=kept["category_id"],
        name=kept["name"],
        state=CategoryState(kept["state"]),
        metadata=kept["metadata"],
        created_time=datetime.fromisoformat(kept["created_time"]),
        updated_time=datetime.fromisoformat(kept["updated_time"]),
        sequence=sequence,
        revision=kept["revision"],
    )


def entity_snapshot(entity: Entity) -> str:
    """The entity as it is after an event."""
    return json.dumps(
        {
            "name": entity.name,
            "time_zone": entity.time_zone,
            "state": int(entity.state),
            "metadata": entity.metadata,
            "created_time": entity.created_time.isoformat(),
            "updated_time": entity.updated_time.isoformat(),
            "revision": entity.revision,
        }
    )


def entity_from(snapshot: str, entity_no: int, entity_id: str, id_key: bytes, sequence: int) -> Entity:
    """The entity that was as the event at `sequence` says."""
    kept = json.loads(snapshot)
    return Entity(
        entity_no=entity_no,
        entity_id=entity_id,
        id_key=id_key,
        name=kept["name"],
        time_zone=kept["time_zone"],
        state=EntityState(kept["state"]),
        metadata=kept["metadata"],
        created_time=datetime.fromisoformat(kept["created_time"]),
        updated_time=datetime.fromisoformat(kept["updated_time"]),
        revision=kept["revision"],
        sequence=sequence,
    )


def refusal_snapshot(error: LedgerError) -> str:
    """Why a request was refused."""
    return json.dumps({"reason": error.reason.value, "message": error.message, "metadata": error.metadata})


def refusal_from(snapshot: str) -> LedgerError:
    """The error that was answered."""
    kept = json.loads(snapshot)
    return LedgerError(Reason(kept["reason"]), kept["message"], kept["metadata"])


def _text(units: int | None) -> str | None:
    return None if units is None else str(units)


def _units(text: str | None) -> int | None:
    return None if text is None else int(text)
