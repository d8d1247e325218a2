"""Decides changes of categories, and which transaction has which: annotations, which move no balance."""

from __future__ import annotations

from ledger_service.domain.category import Category, CategoryState
from ledger_service.domain.commands import (
    ArchiveCategory,
    CategorizeTransaction,
    CreateCategory,
    UpdateCategory,
    Write,
)
from ledger_service.domain.decide.book import Book
from ledger_service.domain.decide.lifecycle import find_transaction, record_revision
from ledger_service.domain.decide.outcome import Applied, Refused
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.domain.snapshots import category_snapshot
from ledger_service.domain.transaction import EventKind


def categorize(book: Book, command: CategorizeTransaction) -> Applied | Refused:
    """Record the next revision with another category, whatever the status; accounts and limits have no say."""
    try:
        before = find_transaction(book, command.transaction_id, command.expected_revision)
    except LedgerError as error:
        return Refused(error)
    if command.category_id is not None:
        refusal = check_category(book, command.category_id)
        if refusal is not None:
            return Refused(refusal.at("category_id"))
    kind = EventKind.TRANSACTION_CATEGORIZED
    return record_revision(book, command, before, kind, before.status, (), category_id=command.category_id)


def check_category(book: Book, category_id: str) -> LedgerError | None:
    """Why a category takes no transaction; None: it does."""
    category = book.categories.get(category_id)
    if category is None:
        return _not_found(category_id)
    if category.state is CategoryState.ARCHIVED:
        return _archived(category_id)
    return None


def create_category(book: Book, command: CreateCategory) -> Applied | Refused:
    """Make a category; the same request again, with the same id, answers with the category as it is."""
    existing = book.categories.get(command.category_id)
    if existing is not None:
        if command.key is None and book.creations.get(existing.category_no) == command.fingerprint:
            return Applied(existing.sequence, category=existing, replayed=True)
        return Refused(
            LedgerError(
                Reason.CATEGORY_ALREADY_EXISTS,
                f"category {command.category_id} exists already; choose another id",
                {"category_id": command.category_id},
            )
        )
    taken = _name_taken(book, command.name, command.category_id)
    if taken is not None:
        return Refused(taken)
    sequence = book.sequence + 1
    category = Category(
        category_no=sequence,
        category_id=command.category_id,
        name=command.name,
        state=CategoryState.ACTIVE,
        metadata=command.metadata,
        created_time=book.now,
        updated_time=book.now,
        sequence=sequence,
        revision=1,
    )
    return _record(book, command, EventKind.CATEGORY_CREATED, category)


def update_category(book: Book, command: UpdateCategory) -> Applied | Refused:
    """Change name or metadata; the name stays unique among the active ones."""
    try:
        category = _find(book, command.category_id)
        if command.expected_revision and category.revision != command.expected_revision:
            raise LedgerError(
                Reason.REVISION_MISMATCH,
                f"category {command.category_id} is at revision {category.revision}, not {command.expected_revision}; "
                "read it again",
                {"revision": str(category.revision)},
            )
        if category.state is CategoryState.ARCHIVED:
            raise _archived(command.category_id).at("category_id")
        changes: dict[str, object] = {}
        if "name" in command.fields:
            taken = _name_taken(book, command.name, command.category_id)
            if taken is not None:
                raise taken
            changes["name"] = command.name
        if "metadata" in command.fields:
            changes["metadata"] = command.metadata
    except LedgerError as error:
        return Refused(error)
    return _record(book, command, EventKind.CATEGORY_CHANGED, category.changed(book.sequence + 1, book.now, **changes))


def archive_category(book: Book, command: ArchiveCategory) -> Applied | Refused:
    """Take it out of use; its name is free from now on."""
    try:
        category = _find(book, command.category_id)
    except LedgerError as error:
        return Refused(error)
    if category.state is CategoryState.ARCHIVED:
        return Applied(category.sequence, category=category, replayed=True)
    archived = category.changed(book.sequence + 1, book.now, state=CategoryState.ARCHIVED)
    return _record(book, command, EventKind.CATEGORY_CHANGED, archived)


def _record(book: Book, write: Write, kind: EventKind, category: Category) -> Applied:
    row = book.event_row(kind, write, category_id=category.category_id, detail=category_snapshot(category))
    book.add_event(row)
    book.put_category(category, write.fingerprint)
    return Applied(category.sequence, category=category)


def _find(book: Book, category_id: str) -> Category:
    category = book.categories.get(category_id)
    if category is None:
        raise _not_found(category_id).at("category_id")
    return category


def _name_taken(book: Book, name: str, category_id: str) -> LedgerError | None:
    owner = book.category_names.get(name)
    if owner is None or owner == category_id:
        return None
    return LedgerError(
        Reason.CATEGORY_NAME_TAKEN,
        f"the name belongs to category {owner}; choose another one",
        {"name": name, "category_id": owner},
    )


def _not_found(category_id: str) -> LedgerError:
    return LedgerError(
        Reason.CATEGORY_NOT_FOUND,
        f"category {category_id} does not exist in this entity; create it first",
        {"category_id": category_id},
    )


def _archived(category_id: str) -> LedgerError:
    return LedgerError(
        Reason.CATEGORY_ARCHIVED,
        f"category {category_id} is archived; use another one",
        {"category_id": category_id},
    )
