"""Ids: a place and check digits in 26 characters, and which texts a caller may choose."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.domain.identifiers import (
    MAX_ENTITY_NO,
    MAX_SEQUENCE,
    check_chosen_id,
    is_genuine,
    parse_transaction_id,
    random_id,
    transaction_id,
)

KEY = bytes(range(16))
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"

entity_nos = st.integers(1, MAX_ENTITY_NO)
sequences = st.integers(1, MAX_SEQUENCE)


@given(entity_nos, sequences, st.binary(min_size=16, max_size=16))
def test_an_id_tells_its_place(entity_no: int, number: int, key: bytes) -> None:
    text = transaction_id(entity_no, number, key)
    assert len(text) == 30
    place = parse_transaction_id(text)
    assert place is not None
    assert place[:2] == (entity_no, number)
    assert is_genuine(*place, key)


@pytest.mark.parametrize(
    ("entity_no", "number", "text"),
    [
        (1, 1, "txn_0000002000000000c6jn21bwcy"),
        (7, 4095, "txn_000000e0000000zzsj9f39ynnc"),
        (7, 4096, "txn_000000e0000001004p86m46e06"),
        (MAX_ENTITY_NO, 2**40, "txn_3zzzzzy0800000007tn4qyq1z4"),
        (MAX_ENTITY_NO, MAX_SEQUENCE, "txn_3zzzzzzzzzzzzzzzxh372k02w6"),
    ],
)
def test_ids_that_callers_keep_stay_what_they_are(entity_no: int, number: int, text: str) -> None:
    assert transaction_id(entity_no, number, KEY) == text


@given(entity_nos, st.lists(sequences, min_size=2, max_size=8, unique=True))
def test_ids_of_an_entity_sort_by_age(entity_no: int, numbers: list[int]) -> None:
    ids = [transaction_id(entity_no, number, KEY) for number in sorted(numbers)]
    assert ids == sorted(ids)


def test_every_change_of_a_character_is_noticed() -> None:
    text = transaction_id(7, 12345, KEY)
    for place in range(4, 30):
        for character in ALPHABET:
            changed = text[:place] + character + text[place + 1 :]
            parsed = parse_transaction_id(changed)
            assert changed == text or parsed is None or not is_genuine(*parsed, KEY)


def test_another_entitys_key_gives_other_check_digits() -> None:
    place = parse_transaction_id(transaction_id(7, 12345, KEY))
    assert place is not None
    assert not is_genuine(*place, bytes(16))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "txn_",
        "txn_" + "0" * 26,
        "txn_" + "z" * 26,
        "txn_" + "8" + "0" * 25,
        "TXN_" + transaction_id(1, 1, KEY)[4:],
        transaction_id(1, 1, KEY).upper(),
        transaction_id(1, 1, KEY)[:-1],
        transaction_id(1, 1, KEY) + "0",
        transaction_id(1, 1, KEY)[:-1] + "u",
        transaction_id(1, 1, KEY)[:-1] + "\u0660",
        "acc_" + transaction_id(1, 1, KEY)[4:],
        # The entity number beyond 31 bits.
        "txn_4" + "0" * 24 + "1",
    ],
)
def test_what_cannot_be_an_id(text: str) -> None:
    assert parse_transaction_id(text) is None


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    place = parse_transaction_id("txn_" + text)
    assert place is None or 1 <= place[1] <= MAX_SEQUENCE


@pytest.mark.parametrize("text", ["abc", "A-1", "0.x", "a" * 64, "a_b.c-d"])
def test_ids_that_may_be_chosen(text: str) -> None:
    assert check_chosen_id(text, "account_id") == text


@pytest.mark.parametrize(
    "text", ["", "ab", "a" * 65, "-ab", ".ab", "_ab", "a b", "a/b", "\u00e4bc", "abc\n", "a\0bc", "ab\u0661"]
)
def test_ids_that_may_not(text: str) -> None:
    with pytest.raises(LedgerError) as caught:
        check_chosen_id(text, "account_id")
    assert caught.value.reason is Reason.INVALID_ARGUMENT
    assert caught.value.metadata == {"field": "account_id"}


def test_ids_of_our_choice_sort_by_their_number_and_may_be_chosen() -> None:
    numbers = [0, 1, 2**64, 2**127, 2**128 - 1]
    ids = [random_id("acc_", number) for number in numbers]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert all(check_chosen_id(one, "account_id") == one for one in ids)
