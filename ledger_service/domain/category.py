"""Categories: what transactions are for, in the entity's own words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum


class CategoryState(IntEnum):
    """Whether a category takes transactions."""

    ACTIVE = 1
    ARCHIVED = 2


@dataclass(frozen=True, slots=True)
class Category:
    """A category; `category_no` is the sequence of its creation and never leaves the service."""

    category_no: int
    category_id: str
    name: str
    state: CategoryState
    metadata: str | None
    created_time: datetime
    updated_time: datetime
    sequence: int
    revision: int

    def changed(self, sequence: int, now: datetime, **changes: object) -> Category:
        """The next revision."""
        return replace(
            self,
            sequence=sequence,
            updated_time=now,
            revision=self.revision + 1,
            **changes,  # type: ignore[arg-type]
        )
