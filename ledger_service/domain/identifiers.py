"""Ids as callers see them.

A transaction's id is made from its place in its entity: entity number, sequence of its creation and
check digits keyed by the entity, as 26 characters. So it needs no index, sorts by age within the
entity, tells the entity by itself, and can't be guessed or counted through (docs/decisions/0003).
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from ledger_service.domain.errors import invalid

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_LENGTH = 26
_CHECK_BYTES = 6
_REMEMBERED = 4_096
"""Entities whose keyed hash is remembered, and beginnings of ids."""

MAX_ENTITY_NO = 2**31 - 1
MAX_SEQUENCE = 2**48 - 1

_CHOSEN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{2,63}", re.ASCII)


def transaction_id(entity_no: int, transaction_no: int, id_key: bytes) -> str:
    """The public id of the transaction created at sequence `transaction_no`; `id_key` is the entity's."""
    pairs = _PAIRS
    last = transaction_no << 48 | int.from_bytes(_check(entity_no, transaction_no, id_key), "big")
    return (
        f"{_beginning(entity_no << 36 | transaction_no >> 12)}{pairs[last >> 50 & 1023]}{pairs[last >> 40 & 1023]}"
        f"{pairs[last >> 30 & 1023]}{pairs[last >> 20 & 1023]}{pairs[last >> 10 & 1023]}{pairs[last & 1023]}"
    )


def parse_transaction_id(text: str) -> tuple[int, int, bytes] | None:
    """Entity number, transaction number and check digits of an id; None if it can't be one of ours."""
    if len(text) != 4 + _LENGTH or not text.startswith("txn_"):
        return None
    number = 0
    for character in text[4:]:
        value = _VALUES.get(character)
        if value is None:
            return None
        number = number << 5 | value
    if number >> 128:
        return None
    entity_no = number >> 96
    transaction_no = number >> 48 & MAX_SEQUENCE
    if entity_no > MAX_ENTITY_NO or transaction_no == 0:
        return None
    return entity_no, transaction_no, (number & MAX_SEQUENCE).to_bytes(_CHECK_BYTES, "big")


def is_genuine(entity_no: int, transaction_no: int, check: bytes, id_key: bytes) -> bool:
    """Whether the check digits are those that the entity gives."""
    return check == _check(entity_no, transaction_no, id_key)


def transaction_no_of(text: str, entity_no: int, id_key: bytes) -> int | None:
    """The sequence at which an entity's transaction was created, by its id; None: it is no id of this entity."""
    place = parse_transaction_id(text)
    return place[1] if place is not None and place[0] == entity_no and is_genuine(*place, id_key) else None


def random_id(prefix: str, random_128_bits: int) -> str:
    """An id of the server's choice for an entity or account; pass a UUIDv7 as a number: it sorts by age."""
    return prefix + _base32(random_128_bits)


def check_chosen_id(text: str, field: str) -> str:
    """An id of the caller's choice, as given.

    Raises LedgerError INVALID_ARGUMENT unless it has 3 to 64 ASCII letters, digits, '_', '-', '.' and
    begins with a letter or digit.
    """
    if _CHOSEN_ID.fullmatch(text) is None:
        raise invalid(
            field,
            "must have 3 to 64 characters: ASCII letters, digits, '_', '-', '.', the first a letter or digit",
        )
    return text


def _check(entity_no: int, transaction_no: int, id_key: bytes) -> bytes:
    hasher = _keyed(entity_no, id_key).copy()
    hasher.update(transaction_no.to_bytes(8, "big"))
    return hasher.digest()


@lru_cache(_REMEMBERED)
def _keyed(entity_no: int, id_key: bytes) -> hashlib.blake2b:
    return hashlib.blake2b(entity_no.to_bytes(4, "big"), digest_size=_CHECK_BYTES, key=id_key)


@lru_cache(_REMEMBERED)
def _beginning(number: int) -> str:
    """The prefix and the first 14 characters, the same for 4,096 sequences of an entity: all bits but the last 60."""
    return "txn_" + _base32(number)[-14:]


def _base32(number: int) -> str:
    """128 bits as 26 characters of Crockford's alphabet, most significant first, two at a time."""
    pairs = _PAIRS
    return "".join([pairs[number >> shift & 1023] for shift in range(120, -1, -10)])
