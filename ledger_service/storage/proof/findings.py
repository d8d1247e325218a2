"""What does not hold, as one line each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from ledger_service.domain.identifiers import transaction_id


class Rule(str, Enum):
    """Which promise is broken, in the words and numbers of DESIGN section 3."""

    BALANCE = "rule 1 (balance)"
    CHAIN = "rule 2 (chain)"
    ONCE = "rule 4 (at most once)"
    IMMUTABLE = "rule 6 (immutable)"
    LIMITS = "rule 7 (limits)"
    ORDERED = "rule 9 (ordered)"
    STRANGERS = "rule 10 (strangers)"
    # Not numbered there: accounts and entities are what their events say.
    CHART = "chart of accounts"
    # Nor this: what counts in a reconciliation is what its events say, each line and transaction once.
    RECONCILED = "reconciliation"
    # Nor this: what was committed is what its seal, and every checkpoint since, says.
    SEALED = "seals"


@dataclass(frozen=True, slots=True)
class Break:
    """One thing that does not hold. Numbers, not ids: those are looked up once, at the end."""

    rule: Rule
    what: str
    entity_no: int | None = None
    account_no: int | None = None
    transaction_no: int | None = None


class Findings:
    """Breaks, the first `limit` of them; the others are only counted, whatever their number."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.breaks: list[Break] = []
        self.unlisted = 0

    def add(
        self,
        rule: Rule,
        what: str,
        entity_no: int | None = None,
        *,
        account_no: int | None = None,
        transaction_no: int | None = None,
    ) -> None:
        """Note a break: `what` says where inside the entity, account or transaction, what was found and expected."""
        if len(self.breaks) >= self._limit:
            self.unlisted += 1
            return
        self.breaks.append(Break(rule, what, entity_no, account_no, transaction_no))

    async def lines(self, connection: Any) -> list[str]:
        """One line for each, with the ids that callers know."""
        entity_nos = [each.entity_no for each in self.breaks if each.entity_no is not None]
        entities = {
            row["entity_no"]: (row["entity_id"], row["id_key"])
            for row in await connection.fetch(
                "SELECT entity_no, entity_id, id_key FROM entities WHERE entity_no = ANY ($1)", entity_nos
            )
        }
        accounts = {
            (row["entity_no"], row["account_no"]): row["account_id"]
            for row in await connection.fetch(
                "SELECT entity_no, account_no, account_id FROM accounts "
                "WHERE entity_no = ANY ($1) AND account_no = ANY ($2)",
                entity_nos,
                [each.account_no for each in self.breaks if each.account_no is not None],
            )
        }
        return [_line(each, entities, accounts) for each in self.breaks]


def _line(each: Break, entities: dict[int, tuple[str, bytes]], accounts: dict[tuple[int, int], str]) -> str:
    places = []
    if each.entity_no is not None:
        entity = entities.get(each.entity_no)
        places.append(f"entity {entity[0]}" if entity else f"entity number {each.entity_no} (unknown)")
        if each.account_no is not None:
            account_id = accounts.get((each.entity_no, each.account_no))
            places.append(f"account {account_id or f'number {each.account_no} (unknown)'}")
        if each.transaction_no is not None:
            is_number = entity is not None and 0 < each.transaction_no < 2**48
            public = transaction_id(each.entity_no, each.transaction_no, entity[1]) if entity and is_number else None
            places.append(f"transaction {public or f'number {each.transaction_no}'}")
    return f"{each.rule.value}: {', '.join([*places, each.what])}"


_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def moment(microseconds: int | None) -> str:
    """A point in time as PostgreSQL keeps it, for people; also one that Python's calendar does not reach."""
    if microseconds is None:
        return "none"
    try:
        return (_EPOCH + timedelta(microseconds=microseconds)).isoformat()
    except OverflowError:
        return f"{microseconds} µs after 2000"
