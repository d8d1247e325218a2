"""The use cases that find: by words, by counterparty, by category."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ledger_service.application.access import Principal, authorize
from ledger_service.application.directory import Directory
from ledger_service.application.intake import fields, searching
from ledger_service.application.paging import PageTokens, page_size
from ledger_service.application.ports import CounterpartyRecord, ReadStore, TooBroad
from ledger_service.domain.account import Entity
from ledger_service.domain.category import Category
from ledger_service.domain.errors import LedgerError, Reason, invalid
from ledger_service.domain.money import Currencies
from ledger_service.domain.transaction import Transaction

MAX_COUNTERPARTIES = 100


class Found(NamedTuple):
    """One page of what was found. `total` counts up to searching.MAX_FOUND."""

    transactions: list[Transaction]
    total: int
    is_more: bool
    page: int
    size: int


class Finding:
    """What callers may look for."""

    def __init__(
        self,
        store: ReadStore,
        directory: Directory,
        tokens: PageTokens,
        currencies: Currencies,
        search_seconds: float,
    ) -> None:
        self._store = store
        self._directory = directory
        self._tokens = tokens
        self._currencies = currencies
        self._seconds = search_seconds

    async def search(
        self,
        principal: Principal,
        entity_id: str,
        *,
        query: str,
        effective_from: datetime | None,
        effective_before: datetime | None,
        amount_min: str,
        amount_max: str,
        status: int,
        page: int,
        size: int,
    ) -> tuple[Entity, Found]:
        """Newest first. Raises LedgerError QUERY_TOO_BROAD."""
        entity = await self._enter(principal, "SearchTransactions", entity_id)
        wanted = searching.search_filter(
            self._currencies,
            query=query,
            effective_from=effective_from,
            effective_before=effective_before,
            amount_min=amount_min,
            amount_max=amount_max,
            status=status,
        )
        number, limit = searching.search_page(page, size)
        try:
            found, transactions = await self._store.search(
                entity.entity_no, wanted, (number - 1) * limit, limit, searching.MAX_FOUND, self._seconds
            )
        except TooBroad as error:
            raise self._too_broad("name a shorter period, or rarer words") from error
        return entity, Found(transactions, min(found, searching.MAX_FOUND), found > searching.MAX_FOUND, number, limit)

    async def counterparties(
        self, principal: Principal, entity_id: str, size: int, token: str
    ) -> tuple[list[CounterpartyRecord], str]:
        """By name, whatever its spelling."""
        entity = await self._enter(principal, "ListCounterparties", entity_id)
        limit = page_size(size)
        if limit > MAX_COUNTERPARTIES:
            raise invalid("page_size", f"must be between 1 and {MAX_COUNTERPARTIES}; 0 means 50")
        query = ("ListCounterparties", entity.entity_no)
        place = self._tokens.read(query, token)
        try:
            found = await self._store.counterparties(
                entity.entity_no, str(place[0]) if place else "", limit + 1, self._seconds
            )
        except TooBroad as error:
            raise self._too_broad("ask for a smaller page") from error
        more = len(found) > limit
        return found[:limit], self._tokens.make(query, [found[limit - 1].key]) if more else ""

    async def category(self, principal: Principal, entity_id: str, category_id: str) -> Category:
        """Raises LedgerError CATEGORY_NOT_FOUND."""
        entity = await self._enter(principal, "GetCategory", entity_id)
        fields.reference_to(category_id, "category_id")
        found = await self._store.categories(entity.entity_no, [category_id])
        if not found:
            raise LedgerError(
                Reason.CATEGORY_NOT_FOUND,
                f"category_id: category {category_id} does not exist in this entity",
                {"category_id": category_id, "field": "category_id"},
            )
        return found[0]

    async def categories(
        self, principal: Principal, entity_id: str, *, size: int, token: str, include_archived: bool
    ) -> tuple[list[Category], str]:
        """By name, then id."""
        entity = await self._enter(principal, "ListCategories", entity_id)
        query = ("ListCategories", entity.entity_no, include_archived)
        place = self._tokens.read(query, token)
        limit = page_size(size)
        after = (str(place[0]), str(place[1])) if place else None
        found = await self._store.list_categories(entity.entity_no, include_archived, after, limit + 1)
        more = len(found) > limit
        last = found[limit - 1] if more else None
        return found[:limit], self._tokens.make(query, [last.name, last.category_id]) if last else ""

    async def categories_of(self, entity: Entity, transactions: Iterable[Transaction]) -> dict[str, Category]:
        """The categories that these transactions have, by id; for answers that tell a category's name."""
        wanted = {one.category_id for one in transactions if one.category_id is not None}
        if not wanted:
            return {}
        found = await self._store.categories(entity.entity_no, sorted(wanted))
        return {category.category_id: category for category in found}

    async def _enter(self, principal: Principal, method: str, entity_id: str) -> Entity:
        authorize(principal, method, entity_id)
        return await self._directory.find(entity_id)

    def _too_broad(self, advice: str) -> LedgerError:
        return LedgerError(
            Reason.QUERY_TOO_BROAD,
            f"the query could not be answered within {self._seconds:g} s; {advice}",
            {"seconds": f"{self._seconds:g}"},
        )
