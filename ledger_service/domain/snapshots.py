"""Accounts, entities and refusals as their events keep them: JSON, and back.

Amounts are text: JSON numbers may be read as floats.
"""

from __future__ import annotations

import json
from datetime import datetime

from ledger_service.domain.account import Account, AccountState, AccountType, Entity, EntityState, Limit
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
