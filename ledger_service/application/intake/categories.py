"""Requests about categories, as commands."""

from __future__ import annotations

from collections.abc import Iterable

from ledger_service.application.intake.fields import MAX_NAME, key, line, mask, metadata, reference_to, revision
from ledger_service.domain import commands as c
from ledger_service.domain.fingerprint import fingerprint
from ledger_service.domain.identifiers import check_chosen_id

CATEGORY_FIELDS = frozenset({"name", "metadata"})


def create_category(
    actor: str, *, idempotency_key: str, category_id: str, fresh_id: str, name: str, metadata_object: object
) -> c.CreateCategory:
    """`fresh_id` is taken where the caller has chosen none. Raises LedgerError INVALID_ARGUMENT."""
    checked_key = key(idempotency_key, required=False)
    chosen = check_chosen_id(category_id, "category_id") if category_id else None
    checked_name = str(line(name, "name", MAX_NAME, required=True))
    checked_metadata = metadata(metadata_object)
    digest = fingerprint(
        "CreateCategory", (("category_id", chosen), ("name", checked_name), ("metadata", checked_metadata))
    )
    return c.CreateCategory(
        key=checked_key,
        fingerprint=digest,
        actor=actor,
        category_id=chosen or fresh_id,
        name=checked_name,
        metadata=checked_metadata,
    )


def update_category(
    actor: str,
    *,
    idempotency_key: str,
    category_id: str,
    fields: Iterable[str],
    name: str,
    metadata_object: object,
    expected_revision: int,
) -> c.UpdateCategory:
    """Only what `fields` names is looked at. Raises LedgerError INVALID_ARGUMENT."""
    checked_key = key(idempotency_key, required=False)
    text = str(reference_to(category_id, "category_id"))
    wanted = mask(fields, CATEGORY_FIELDS)
    command = c.UpdateCategory(
        key=checked_key,
        fingerprint=b"",
        actor=actor,
        category_id=text,
        fields=wanted,
        expected_revision=revision(expected_revision),
    )
    if "name" in wanted:
        command.name = str(line(name, "name", MAX_NAME, required=True))
    if "metadata" in wanted:
        command.metadata = metadata(metadata_object)
    command.fingerprint = fingerprint(
        "UpdateCategory",
        (
            ("category_id", text),
            ("fields", tuple(sorted(wanted))),
            ("name", command.name),
            ("metadata", command.metadata),
            ("revision", command.expected_revision),
        ),
    )
    return command


def archive_category(actor: str, *, idempotency_key: str, category_id: str) -> c.ArchiveCategory:
    """Raises LedgerError INVALID_ARGUMENT."""
    checked_key = key(idempotency_key, required=False)
    text = str(reference_to(category_id, "category_id"))
    digest = fingerprint("ArchiveCategory", (("category_id", text),))
    return c.ArchiveCategory(key=checked_key, fingerprint=digest, actor=actor, category_id=text)
