"""Page tokens: bound to their query, and nobody can make one up."""

from __future__ import annotations

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.application.paging import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, PageTokens, page_size
from ledger_service.domain.errors import LedgerError, Reason

TOKENS = PageTokens(b"k" * 32)
QUERY = ("ListTransactions", "entity-1", (1, 2), None)
PLACE: list[object] = [123456, "caf\u00e9", None]


def is_refused(token: str, query: object = QUERY, tokens: PageTokens = TOKENS) -> bool:
    """Whether it is, in the way that is documented."""
    with pytest.raises(LedgerError) as caught:
        tokens.read(query, token)
    assert caught.value.reason is Reason.INVALID_PAGE_TOKEN
    assert caught.value.metadata == {"field": "page_token"}
    return True


def raw(token: str) -> bytes:
    """The bytes of a token."""
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))


def text(data: bytes) -> str:
    """A token of bytes."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def test_a_token_leads_to_its_place() -> None:
    assert TOKENS.read(QUERY, TOKENS.make(QUERY, PLACE)) == PLACE
    assert TOKENS.read(QUERY, "") is None


@given(st.lists(st.one_of(st.integers(), st.text(max_size=20), st.none(), st.lists(st.text(max_size=5))), max_size=5))
def test_any_place_is_kept(place: list[object]) -> None:
    assert TOKENS.read(QUERY, TOKENS.make(QUERY, place)) == place


def test_each_changed_bit_is_noticed() -> None:
    data = raw(TOKENS.make(QUERY, PLACE))
    for index in range(len(data)):
        for bit in range(8):
            changed = bytes([*data[:index], data[index] ^ 1 << bit, *data[index + 1 :]])
            assert is_refused(text(changed))


def test_each_changed_character_is_noticed_or_changes_nothing() -> None:
    token = TOKENS.make(QUERY, PLACE)
    for index in range(len(token)):
        for character in string.printable + "\u00e9\0":
            changed = token[:index] + character + token[index + 1 :]
            try:
                assert TOKENS.read(QUERY, changed) == PLACE
            except LedgerError as error:
                reason = error.reason
                assert reason is Reason.INVALID_PAGE_TOKEN  # either is right
            else:
                # Only the bits of the last character that stand for nothing.
                assert changed == token or index == len(token) - 1


def test_each_cut_and_each_addition_is_noticed() -> None:
    token = TOKENS.make(QUERY, PLACE)
    data = raw(token)
    assert all(is_refused(text(data[:length])) for length in range(1, len(data)))
    assert all(is_refused(text(data + bytes([more]))) for more in range(256))


@pytest.mark.parametrize(
    "query",
    [
        ("ListEntries", "entity-1", (1, 2), None),
        ("ListTransactions", "entity-2", (1, 2), None),
        ("ListTransactions", "entity-1", (1,), None),
        ("ListTransactions", "entity-1", (1, 2), 0),
        ("ListTransactions", "entity-1', (1, 2), None", None),
    ],
)
def test_a_token_of_another_query(query: object) -> None:
    assert is_refused(TOKENS.make(query, PLACE))


def test_a_token_of_another_key() -> None:
    assert is_refused(PageTokens(b"other" * 8).make(QUERY, PLACE))


@pytest.mark.parametrize("token", ["x", "=", "====", "\u00e9", "\0", " ", "a" * 16_385, "a" * 1_000_000, "A" * 22])
def test_what_never_was_a_token(token: str) -> None:
    assert is_refused(token)


@pytest.mark.parametrize(
    ("asked", "given_"), [(0, DEFAULT_PAGE_SIZE), (1, 1), (MAX_PAGE_SIZE - 1, MAX_PAGE_SIZE - 1), (MAX_PAGE_SIZE, 1000)]
)
def test_page_sizes(asked: int, given_: int) -> None:
    assert page_size(asked) == given_


@pytest.mark.parametrize("asked", [-1, MAX_PAGE_SIZE + 1, 2**31 - 1, -(2**31)])
def test_page_sizes_out_of_bounds(asked: int) -> None:
    with pytest.raises(LedgerError) as caught:
        page_size(asked)
    assert caught.value.metadata == {"field": "page_size"}
