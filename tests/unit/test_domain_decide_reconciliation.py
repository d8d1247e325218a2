"""Deciding whether a change of a reconciliation counts: only on what it was worked out for."""

from __future__ import annotations

from typing import Any

import pytest

from ledger_service.domain import commands as c
from ledger_service.domain.decide import Applied, Book, Refused
from ledger_service.domain.errors import Reason
from ledger_service.domain.transaction import EventKind, Status, Transaction
from tests.helpers.contract import PROMISES
from tests.helpers.deciding import decided
from tests.helpers.fake_store import NOW, account, entity


def book_at(revision: int) -> Book:
    """The account cash, reconciled in USD at a revision."""
    book = Book(entity(1), 1000, NOW)
    cash = account(1, "cash")
    book.accounts["cash"], book.accounts_by_no[1] = cash, cash
    book.reconciliations[1, "USD"] = revision
    return book


def advance(revision: int, key: str | None = None, **values: Any) -> c.AdvanceReconciliation:
    """A change that was worked out for a revision."""
    return c.AdvanceReconciliation(
        key=key, fingerprint=b"f", actor="a test", account_id="cash", currency="USD", from_revision=revision,
        stage_no=7, action=1, detail="{}", **values,
    )  # fmt: skip


def test_one_after_the_other() -> None:
    book = book_at(2)
    [[first, second]] = decided(book, [c.Unit(1, [advance(2), advance(3)])])
    assert isinstance(first, Applied)
    assert isinstance(second, Applied)
    assert (first.reconciliation_revision, second.reconciliation_revision) == (3, 4)
    assert book.reconciliations[1, "USD"] == 4


@pytest.mark.parametrize("revision", [0, 1, 3])
def test_on_anything_else_it_is_refused(revision: int) -> None:
    book = book_at(2)
    [[outcome]] = decided(book, [c.Unit(1, [advance(revision)])])
    assert isinstance(outcome, Refused)
    assert outcome.error.reason is Reason.RECONCILIATION_CHANGED
    assert set(outcome.error.metadata) >= PROMISES["RECONCILIATION_CHANGED"].metadata
    assert book.reconciliations[1, "USD"] == 2


def test_it_can_be_sent_again_under_its_key() -> None:
    """The refusal says nothing about the wish, only about the moment: it must not be what the key answers for ever."""
    book = book_at(2)
    [[refused, applied]] = decided(book, [c.Unit(1, [advance(1, "a key"), advance(2, "a key")])])
    assert isinstance(refused, Refused)
    assert isinstance(applied, Applied)
    assert not applied.replayed


def test_what_can_not_be_frozen_is_refused() -> None:
    book = book_at(2)
    [[outcome]] = decided(book, [c.Unit(1, [advance(2, freezes=(5,))])])
    assert isinstance(outcome, Refused)
    assert outcome.error.reason is Reason.RECONCILIATION_CHANGED
    assert not [row for row in book.events if row.kind == EventKind.RECONCILIATION_CHANGED]


@pytest.mark.parametrize(("changed_at", "may"), [(999, True), (1000, True), (1001, False)])
def test_what_was_edited_since_can_not_be_frozen(changed_at: int, may: bool) -> None:
    """It is CLEARED as before, but may be on other accounts."""
    book = book_at(2)
    book.set_transaction(
        Transaction(
            entity_no=1, transaction_no=5, revision=3, sequence=changed_at, status=Status.CLEARED, postings=(),
            postings_at=5, effective_time=NOW, expire_time=None, created_time=NOW, recorded_time=NOW, actor="a test",
            idempotency_key=None, description=None, reference=None, counterparty=None, category_id=None, metadata=None,
            reverses=None,
        )
    )  # fmt: skip
    [[outcome]] = decided(book, [c.Unit(1, [advance(2, freezes=(5,), as_of=1000)])])
    assert isinstance(outcome, Applied if may else Refused)
