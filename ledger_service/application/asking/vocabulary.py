"""The names that questions may speak of: the entity's own, given to the planner as data."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from functools import cached_property

from ledger_service.application.asking.text import words_of

MAX_OF_A_KIND = 2000
"""Categories, accounts or counterparties that are loaded for a question; with more the planner takes no near misses."""


class Kind(str, Enum):
    """What a name is of."""

    CATEGORY = "category"
    ACCOUNT = "account"
    COUNTERPARTY = "counterparty"


@dataclass(frozen=True, slots=True)
class Name:
    """Something of the entity by its name.

    `id` is the category's or account's id or the counterparty's key; `account_type` and `code` are an account's.
    """

    kind: Kind
    id: str
    name: str
    account_type: int = 0
    code: str = ""


@dataclass(frozen=True)
class Vocabulary:
    """Names of one entity, its currencies, and the days it has transactions on.

    `exponents` are those of every currency that the ledger knows, `held` the currencies that the entity has entries
    in. `complete` False: there are more names than were loaded. `first` and `last`: None without transactions.
    """

    names: tuple[Name, ...] = ()
    exponents: Mapping[str, int] = field(default_factory=dict)
    held: tuple[str, ...] = ()
    complete: bool = True
    first: date | None = None
    last: date | None = None

    @cached_property
    def by_words(self) -> dict[tuple[str, ...], list[Name]]:
        """Names by their words, however they are spelt; ids and counterparty keys lead to them as well."""
        found: dict[tuple[str, ...], list[Name]] = {}
        for name in self.names:
            for words in {plain_words(name.name), plain_words(name.id)}:
                if words:
                    found.setdefault(words, []).append(name)
        return found

    @cached_property
    def longest(self) -> int:
        """Words of the longest name."""
        return max((len(words) for words in self.by_words), default=0)

    @cached_property
    def by_id(self) -> dict[tuple[Kind, str], Name]:
        """Names by kind and id."""
        return {(name.kind, name.id): name for name in self.names}

    def of_code(self, code: str) -> list[Name]:
        """Accounts with this code."""
        return [name for name in self.names if name.code and name.code.lower() == code.lower()]


def plain_words(text: str) -> tuple[str, ...]:
    """The words of a name without case, accents and punctuation; "&" is "and"."""
    bare = "".join(
        character for character in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(character)
    )
    return tuple(word for word, _, _ in words_of(bare))
